/* Pure functions from text to a field of struct config and back. */
#include "core/config_kinds.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Parsing --- */

bool setting_parse_text(const struct setting *setting, struct str_view text, void *field)
{
    (void)setting;
    if (text.length >= CONFIG_TEXT_MAX || memchr(text.data, '\0', text.length))
        return false;
    memcpy(field, text.data, text.length);
    ((char *)field)[text.length] = '\0';
    return true;
}

bool setting_parse_readable_file(const struct setting *setting, struct str_view text, void *field)
{
    struct stat about;
    const char *path = field;
    return text.length > 0 && setting_parse_text(setting, text, field) && stat(path, &about) == 0 &&
           S_ISREG(about.st_mode) && access(path, R_OK) == 0;
}

bool setting_parse_secret(const struct setting *setting, struct str_view text, void *field)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    return (int64_t)text.length >= setting->min && setting_parse_text(setting, text, field);
}

bool setting_parse_integer(const struct setting *setting, struct str_view text, void *field)
{
    int64_t value;
    if (str_to_int64(text, &value) != 0 || value < setting->min || value > setting->max)
        return false;
    *(int64_t *)field = value;
    return true;
}

bool setting_parse_id(const struct setting *setting, struct str_view text, void *field)
{
    (void)setting;
    int64_t value;
    if (str_to_uint63(text, &value) != 0 || value == 0)
        return false;
    *(int64_t *)field = value;
    return true;
}

bool setting_parse_ids(const struct setting *setting, struct str_view text, void *field)
{
    struct owner_ids *owners = field;
    struct str_view part;
    owners->count = 0;
    while (str_split(&text, ',', &part)) {
        if (owners->count == CONFIG_OWNERS ||
            !setting_parse_id(setting, str_trim(part), &owners->ids[owners->count]))
            return false;
        owners->count++;
    }
    return true;
}

/* A key that is short, not on the curve or of small order would verify nothing or anything. */
static bool parse_key(struct str_view text, unsigned char key[ED25519_KEY_BYTES])
{
    size_t length;
    const char *end;
    if (text.length != (size_t)2 * ED25519_KEY_BYTES ||
        sodium_hex2bin(key, ED25519_KEY_BYTES, text.data, text.length, NULL, &length, &end) != 0)
        return false;
    return length == ED25519_KEY_BYTES && end == text.data + text.length &&
           crypto_core_ed25519_is_valid_point(key) == 1;
}

bool setting_parse_keys(const struct setting *setting, struct str_view text, void *field)
{
    (void)setting;
    struct public_keys *keys = field;
    struct str_view part;
    keys->count = 0;
    while (str_split(&text, ',', &part)) {
        if (keys->count == CONFIG_PUBLIC_KEYS ||
            !parse_key(str_trim(part), keys->bytes[keys->count]))
            return false;
        keys->count++;
    }
    return keys->count > 0;
}

int listen_address_parse(struct str_view text, struct listen_address *address)
{
    *address = (struct listen_address){ 0 };
    char *place = address->text;
    /* It would end the text early: what is listened on would not be what was given. */
    if (text.length > 0 && memchr(text.data, '\0', text.length))
        return ERR_INVALID;
    if (str_starts_with(text, STR("unix:"))) {
        struct str_view path = { text.data + 5, text.length - 5 };
        if (path.length == 0 || path.length > UNIX_SOCKET_PATH_MAX)
            return ERR_INVALID;
        address->is_unix = true;
        memcpy(place, path.data, path.length);
        return 0;
    }
    const char *colon = text.length ? memrchr(text.data, ':', text.length) : NULL;
    if (!colon)
        return ERR_INVALID;
    struct str_view host = { text.data, (size_t)(colon - text.data) };
    struct str_view port = { colon + 1, text.length - host.length - 1 };
    int64_t number;
    if (str_to_uint63(port, &number) != 0 || number > UINT16_MAX)
        return ERR_INVALID;
    address->port = (uint16_t)number;
    address->is_ipv6 = host.length > 2 && host.data[0] == '[' && host.data[host.length - 1] == ']';
    if (address->is_ipv6)
        host = (struct str_view){ host.data + 1, host.length - 2 };
    if (host.length >= INET6_ADDRSTRLEN)
        return ERR_INVALID;
    memcpy(place, host.data, host.length);
    struct in6_addr binary;
    return inet_pton(address->is_ipv6 ? AF_INET6 : AF_INET, place, &binary) == 1 ? 0 : ERR_INVALID;
}

bool setting_parse_listen(const struct setting *setting, struct str_view text, void *field)
{
    (void)setting;
    return listen_address_parse(text, field) == 0;
}

static bool parse_word(struct str_view text, const char *const *words, size_t count, int *position)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(text, str_from(words[i]))) {
            *position = (int)i;
            return true;
        }
    }
    return false;
}

static const char *const level_words[] = { "debug", "info", "warning", "error" };
static const char *const format_words[] = { "text", "json" };

bool setting_parse_level(const struct setting *setting, struct str_view text, void *field)
{
    (void)setting;
    int position;
    if (!parse_word(text, level_words, ARRAY_LENGTH(level_words), &position))
        return false;
    *(enum log_level *)field = (enum log_level)position;
    return true;
}

bool setting_parse_format(const struct setting *setting, struct str_view text, void *field)
{
    (void)setting;
    int position;
    if (!parse_word(text, format_words, ARRAY_LENGTH(format_words), &position))
        return false;
    *(enum log_format *)field = (enum log_format)position;
    return true;
}

static bool has_scheme(struct str_view text, const char *const *schemes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str_view scheme = str_from(schemes[i]);
        if (str_starts_with(text, scheme) && text.length > scheme.length)
            return true;
    }
    return false;
}

bool setting_parse_url(const struct setting *setting, struct str_view text, void *field)
{
    static const char *const schemes[] = { "https://", "http://" };
    while (text.length > 0 && text.data[text.length - 1] == '/')
        text.length--;
    return has_scheme(text, schemes, ARRAY_LENGTH(schemes)) &&
           setting_parse_secret(setting, text, field);
}

bool setting_parse_database(const struct setting *setting, struct str_view text, void *field)
{
    static const char *const schemes[] = { "sqlite:", "postgresql://", "postgres://" };
    if (!has_scheme(text, schemes, ARRAY_LENGTH(schemes)))
        return false;
    /* A path may have blanks; a URL has them as %20. */
    return str_starts_with(text, STR("sqlite:")) ? setting_parse_text(setting, text, field)
                                                 : setting_parse_secret(setting, text, field);
}

bool setting_parse_redis(const struct setting *setting, struct str_view text, void *field)
{
    static const char *const schemes[] = { "redis://", "rediss://", "unix://" };
    return has_scheme(text, schemes, ARRAY_LENGTH(schemes)) &&
           setting_parse_text(setting, text, field);
}

/* --- Printing --- */

void setting_print_text(const void *field, struct buf *out)
{
    buf_append(out, str_from(field));
}

void setting_print_integer(const void *field, struct buf *out)
{
    buf_append_format(out, "%" PRId64, *(const int64_t *)field);
}

void setting_print_ids(const void *field, struct buf *out)
{
    const struct owner_ids *owners = field;
    for (int i = 0; i < owners->count; i++)
        buf_append_format(out, "%s%" PRId64, i ? "," : "", owners->ids[i]);
}

void setting_print_keys(const void *field, struct buf *out)
{
    const struct public_keys *keys = field;
    for (int i = 0; i < keys->count; i++) {
        char hex[2 * ED25519_KEY_BYTES + 1];
        sodium_bin2hex(hex, sizeof(hex), keys->bytes[i], ED25519_KEY_BYTES);
        buf_append_format(out, "%s%s", i ? "," : "", hex);
    }
}

void listen_address_print(const struct listen_address *address, struct buf *out)
{
    if (address->is_unix)
        buf_append_format(out, "unix:%s", address->text);
    else
        buf_append_format(out, address->is_ipv6 ? "[%s]:%u" : "%s:%u", address->text,
                          (unsigned)address->port);
}

void setting_print_listen(const void *field, struct buf *out)
{
    listen_address_print(field, out);
}

void setting_print_level(const void *field, struct buf *out)
{
    buf_append(out, str_from(level_words[*(const enum log_level *)field]));
}

void setting_print_format(const void *field, struct buf *out)
{
    buf_append(out, str_from(format_words[*(const enum log_format *)field]));
}
