/* Stateless. What is wrong is said without quoting: any part of the URL may be a password. */
#include "redis/address.h"

#include <sodium.h>
#include <string.h>

#define UNIX_PATH_MAX 107 /* sizeof(sockaddr_un.sun_path) - 1 */

static bool take_prefix(struct str_view *text, struct str_view prefix)
{
    if (!str_starts_with(*text, prefix))
        return false;
    text->data += prefix.length;
    text->length -= prefix.length;
    return true;
}

/* What stands before the last `separator` moves to `before`; false when there is none. */
static bool cut_last(struct str_view *text, char separator, struct str_view *before)
{
    const char *found = text->length ? memrchr(text->data, separator, text->length) : NULL;
    if (!found)
        return false;
    *before = (struct str_view){ text->data, (size_t)(found - text->data) };
    text->length -= before->length + 1;
    text->data = found + 1;
    return true;
}

/* What stands behind the first `separator` moves to `behind`. */
static bool cut_first(struct str_view *text, char separator, struct str_view *behind)
{
    const char *found = text->length ? memchr(text->data, separator, text->length) : NULL;
    if (!found)
        return false;
    size_t length = (size_t)(found - text->data);
    *behind = (struct str_view){ found + 1, text->length - length - 1 };
    text->length = length;
    return true;
}

static bool copy(struct str_view text, char *out, size_t size)
{
    if (text.length >= size || (text.length > 0 && memchr(text.data, '\0', text.length)))
        return false;
    if (text.length > 0)
        memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    return true;
}

static bool copy_decoded(struct str_view text, char out[REDIS_CREDENTIAL_SIZE])
{
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++, length++) {
        size_t decoded = 0;
        if (length + 1 >= REDIS_CREDENTIAL_SIZE)
            return false;
        out[length] = text.data[i];
        if (text.data[i] != '%')
            continue;
        if (i + 2 >= text.length ||
            sodium_hex2bin((unsigned char *)&out[length], 1, text.data + i + 1, 2, NULL, &decoded,
                           NULL) != 0 ||
            decoded != 1 || out[length] == '\0')
            return false;
        i += 2;
    }
    out[length] = '\0';
    return true;
}

static bool parse_number(struct str_view text, int64_t min, int64_t max, int *number)
{
    int64_t value;
    if (str_to_uint63(text, &value) != 0 || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

static int parse_credentials(struct str_view text, struct redis_address *address, struct err *err)
{
    struct str_view password = STR_NONE;
    if (!cut_first(&text, ':', &password) || password.length == 0)
        return err_set(err, ERR_CONFIG, "before '@' stands [user]:password");
    if (!copy_decoded(text, address->user) || !copy_decoded(password, address->password))
        return err_set(err, ERR_CONFIG, "user or password is too long or has a bad %%XX");
    return 0;
}

static int parse_unix(struct str_view rest, struct redis_address *address, struct err *err)
{
    struct str_view query = STR_NONE;
    if (cut_first(&rest, '?', &query) &&
        (!take_prefix(&query, STR("db=")) ||
         !parse_number(query, 0, REDIS_DATABASE_MAX, &address->database)))
        return err_set(err, ERR_CONFIG, "behind the socket's path only ?db=NUMBER is accepted");
    if (rest.length > UNIX_PATH_MAX || rest.length < 2 || rest.data[0] != '/' ||
        !copy(rest, address->host, sizeof(address->host)))
        return err_set(err, ERR_CONFIG, "a socket's path begins with '/' and has at most %d bytes",
                       UNIX_PATH_MAX);
    return 0;
}

static int parse_tcp(struct str_view rest, struct redis_address *address, struct err *err)
{
    struct str_view database = STR_NONE, port = STR_NONE, host = rest;
    if (cut_first(&host, '/', &database) && database.length > 0 &&
        !parse_number(database, 0, REDIS_DATABASE_MAX, &address->database))
        return err_set(err, ERR_CONFIG, "behind the host only /DATABASE is accepted, a number");
    bool has_port;
    if (take_prefix(&host, STR("["))) {
        struct str_view behind = STR_NONE;
        if (!cut_first(&host, ']', &behind) || (behind.length > 0 && behind.data[0] != ':'))
            return err_set(err, ERR_CONFIG, "an IPv6 address stands in [ ]");
        has_port = cut_first(&behind, ':', &port);
    } else {
        has_port = cut_first(&host, ':', &port);
    }
    if (has_port && !parse_number(port, 1, UINT16_MAX, &address->port))
        return err_set(err, ERR_CONFIG, "the port is a number from 1 to 65535");
    if (host.length == 0 || !copy(host, address->host, sizeof(address->host)))
        return err_set(err, ERR_CONFIG, "there is no host, or it is too long");
    return 0;
}

int redis_address_parse(struct str_view url, struct redis_address *address, struct err *err)
{
    *address = (struct redis_address){ .port = REDIS_PORT_DEFAULT };
    if (take_prefix(&url, STR("rediss://")))
        return err_set(
            err, ERR_CONFIG,
            "rediss:// needs TLS, which this system's hiredis has not: use redis:// on a "
            "trusted network, or unix:// or redis:// to a local TLS tunnel");
    address->is_unix = take_prefix(&url, STR("unix://"));
    if (!address->is_unix && !take_prefix(&url, STR("redis://")))
        return err_set(err, ERR_CONFIG, "it begins with redis:// or unix://");
    struct str_view credentials = STR_NONE;
    int result = 0;
    if (cut_last(&url, '@', &credentials))
        result = parse_credentials(credentials, address, err);
    if (result == 0)
        result = address->is_unix ? parse_unix(url, address, err) : parse_tcp(url, address, err);
    if (result != 0)
        sodium_memzero(address, sizeof(*address));
    return result;
}
