/* Settings: environment lines, then (after a zero byte) the text of a .env file. */
#include "fuzz.h"

#include "core/config.h"

#include <sodium.h>
#include <string.h>

#define LINES_MAX 32

/* NAME_FILE opens what it names: nothing that could block or differ from run to run. */
static bool names_a_device(struct str_view text)
{
    static const char *const folders[] = { "dev", "proc", "sys" };
    for (size_t i = 0; i < ARRAY_LENGTH(folders); i++)
        if (memmem(text.data, text.length, folders[i], strlen(folders[i])))
            return true;
    return false;
}

/* What is accepted is printed in a form that is accepted and means the same. */
static void check_address(struct str_view text)
{
    CLEANUP(buf_free) struct buf printed = { 0 };
    struct listen_address address, again;
    if (listen_address_parse(text, &address) != 0)
        return;
    FUZZ_CHECK(memchr(address.text, '\0', sizeof(address.text)));
    listen_address_print(&address, &printed);
    FUZZ_CHECK(listen_address_parse(buf_view(&printed), &again) == 0);
    FUZZ_CHECK(memcmp(&address, &again, sizeof(address)) == 0);
}

static void check_accepted(const struct config *config, bool needs_discord)
{
    FUZZ_CHECK(config->db_pool_min >= 1 && config->db_pool_min <= config->db_pool_max);
    FUZZ_CHECK(config->db_pool_max <= 1000);
    FUZZ_CHECK(config->defer_after_ms >= 0 && config->defer_after_ms <= 2500);
    FUZZ_CHECK(config->signature_max_age_seconds >= 1 && config->signature_max_skew_seconds >= 0);
    FUZZ_CHECK(config->max_body_bytes >= 4096);
    FUZZ_CHECK(config->application_id >= 0 && config->owner_guild_id >= 0);
    FUZZ_CHECK(!needs_discord || (config->application_id > 0 && config->public_keys.count > 0));
    FUZZ_CHECK(config->public_keys.count <= CONFIG_PUBLIC_KEYS);
    for (int i = 0; i < config->public_keys.count; i++)
        FUZZ_CHECK(crypto_core_ed25519_is_valid_point(config->public_keys.bytes[i]) == 1);
    FUZZ_CHECK(config->owner_ids.count <= CONFIG_OWNERS);
    for (int i = 0; i < config->owner_ids.count; i++)
        FUZZ_CHECK(config->owner_ids.ids[i] > 0);
    FUZZ_CHECK(config->log_level <= LOG_LEVEL_ERROR && config->log_format <= LOG_FORMAT_JSON);
}

static void swap_secret(char secret[CONFIG_TEXT_MAX])
{
    if (secret[0])
        memset(secret, '?', strlen(secret) / 2 + 1);
}

/* The print-out does not depend on what the secrets are. */
static void check_printed(const struct config *config)
{
    CLEANUP(buf_free) struct buf printed = { 0 };
    CLEANUP(buf_free) struct buf again = { 0 };
    struct config other = *config;
    swap_secret(other.bot_token);
    swap_secret(other.server_secret);
    swap_secret(other.redis_url);
    config_print(config, &printed);
    config_print(&other, &again);
    FUZZ_CHECK(!printed.has_failed && !again.has_failed);
    if (!str_equal(buf_view(&printed), buf_view(&again)))
        fprintf(stderr, "%s\n%s\n", printed.data, again.data);
    FUZZ_CHECK(str_equal(buf_view(&printed), buf_view(&again)));
}

static void check_refused(const struct config_report *report, const struct err *err)
{
    FUZZ_CHECK(err->code == ERR_CONFIG && err->message[0] != '\0');
    FUZZ_CHECK(report->errors.length > 0);
    FUZZ_CHECK(report->errors.data[report->errors.length - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str_view text = { (const char *)data, size };
    if (size == 0 || names_a_device(text) || sodium_init() < 0)
        return 0;
    bool needs_discord = data[0] % 2 == 1;
    text.data++, text.length--;
    check_address(text);

    struct str_view environment, line;
    const char *lines[LINES_MAX + 1] = { NULL };
    char *copies[LINES_MAX] = { NULL }, *dotenv_copy = NULL;
    size_t count = 0;
    struct str_view rest = text;
    str_split(&rest, '\0', &environment);
    while (count < LINES_MAX && str_split(&environment, '\n', &line)) {
        lines[count] = copies[count] = strndup(line.data ? line.data : "", line.length);
        FUZZ_CHECK(copies[count]);
        count++;
    }
    const struct config_sources sources = {
        .environment = lines,
        .dotenv = rest.data ? fuzz_exact_copy(rest, &dotenv_copy) : STR_NONE,
    };
    struct config config;
    struct config_report report = { 0 };
    struct err err = { 0 };
    if (config_load(&config, &sources, needs_discord, &report, &err) == 0)
        check_accepted(&config, needs_discord);
    else
        check_refused(&report, &err);
    check_printed(&config);
    config_report_free(&report);
    for (size_t i = 0; i < count; i++)
        free(copies[i]);
    free(dotenv_copy);
    return 0;
}
