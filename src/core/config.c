/* The table of settings and the code that walks it. Runs on the main thread before others start. */
#include "core/config_kinds.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct config, name)

static const struct setting settings[] = {
    { "DISCORD_APPLICATION_ID", setting_parse_id, setting_print_integer, FIELD(application_id),
      .accepted = "the application's id, decimal digits",
      .help = "Application id from the Developer Portal.", .is_discord = true },
    { "DISCORD_PUBLIC_KEY", setting_parse_keys, setting_print_keys, FIELD(public_keys),
      .accepted = "64 hexadecimal digits of a valid Ed25519 key; up to 4, separated by commas",
      .help = "Verifies Discord's signatures; several while a key is rotated.",
      .is_discord = true },
    { "DISCORD_BOT_TOKEN", setting_parse_secret, setting_print_text, FIELD(bot_token),
      .accepted = "the bot's token, without spaces",
      .help = "For messages to channels and the registration of commands.", .is_secret = true },
    { "DISCORD_API_URL", setting_parse_url, setting_print_text, FIELD(api_url),
      .standard = "https://discord.com/api/v10", .accepted = "an http:// or https:// URL",
      .help = "Where Discord's REST API is." },
    { "DISCORD_CA_FILE", setting_parse_readable_file, setting_print_text, FIELD(ca_file),
      .accepted = "a file of certificates (PEM) that can be read",
      .help = "Authorities trusted for DISCORD_API_URL, where a proxy inspects TLS." },
    { "OWNER_IDS", setting_parse_ids, setting_print_ids, FIELD(owner_ids),
      .accepted = "up to 32 user ids, separated by commas", .help = "Who may run owner commands." },
    { "OWNER_GUILD_ID", setting_parse_id, setting_print_integer, FIELD(owner_guild_id),
      .accepted = "a server's id, decimal digits",
      .help = "The one server where owner commands are registered." },
    { "LISTEN", setting_parse_listen, setting_print_listen, FIELD(listen),
      .standard = "127.0.0.1:8080",
      .accepted = "127.0.0.1:8080, [::1]:8080 or unix:/path (at most 107 bytes)",
      .help = "Where nginx reaches the webhook paths." },
    { "ADMIN_LISTEN", setting_parse_listen, setting_print_listen, FIELD(admin_listen),
      .standard = "127.0.0.1:9464",
      .accepted = "127.0.0.1:9464, [::1]:9464 or unix:/path (at most 107 bytes)",
      .help = "Health, readiness and metrics; never expose it." },
    { "DATABASE_URL", setting_parse_database, setting_print_text, FIELD(database_url),
      .standard = "sqlite:bronxbot.db", .accepted = "sqlite:PATH or postgresql://...",
      .help = "Where everything is kept.", .is_secret = true },
    { "REDIS_URL", setting_parse_redis, setting_print_text, FIELD(redis_url),
      .accepted = "redis://... or unix://...", .help = "Shared cache; memory only when unset.",
      .is_secret = true },
    { "GUILD_COUNT", setting_parse_integer, setting_print_integer, FIELD(guild_count), 1, 10000000,
      "100", .accepted = "1 to 10000000", .help = "Expected servers: sizes caches and pools." },
    { "DB_POOL_MIN", setting_parse_integer, setting_print_integer, FIELD(db_pool_min), 1, 1000, "5",
      .accepted = "1 to 1000", .help = "Database connections kept open." },
    { "DB_POOL_MAX", setting_parse_integer, setting_print_integer, FIELD(db_pool_max), 1, 1000,
      "50", .accepted = "1 to 1000", .help = "Database connections at most." },
    { "DEFER_AFTER_MS", setting_parse_integer, setting_print_integer, FIELD(defer_after_ms), 0,
      2500, "1000", .accepted = "0 to 2500",
      .help = "A slower handler is answered by \"deferred\"; 0: all are, at once." },
    { "SIGNATURE_MAX_AGE_SECONDS", setting_parse_integer, setting_print_integer,
      FIELD(signature_max_age_seconds), 1, 86400, "300", .accepted = "1 to 86400",
      .help = "Older signed requests are refused." },
    { "SIGNATURE_MAX_SKEW_SECONDS", setting_parse_integer, setting_print_integer,
      FIELD(signature_max_skew_seconds), 0, 86400, "30", .accepted = "0 to 86400",
      .help = "Requests signed further in the future are refused." },
    { "MAX_BODY_BYTES", setting_parse_integer, setting_print_integer, FIELD(max_body_bytes), 4096,
      16777216, "262144", .accepted = "4096 to 16777216", .help = "Larger bodies get 413." },
    { "USAGE_FLUSH_SECONDS", setting_parse_integer, setting_print_integer,
      FIELD(usage_flush_seconds), 1, 86400, "300", .accepted = "1 to 86400",
      .help = "How often usage counts are saved." },
    { "EDIT_FLOOR_MS", setting_parse_integer, setting_print_integer, FIELD(edit_floor_ms), 0, 60000,
      "1000", .accepted = "0 to 60000",
      .help = "Edits of one message are never closer than this." },
    { "SERVER_SECRET", setting_parse_secret, setting_print_text, FIELD(server_secret),
      .accepted = "at least 16 characters without spaces",
      .help = "Seeds games and seals tokens; made and kept in the database when unset.", .min = 16,
      .is_secret = true },
    { "LOG_LEVEL", setting_parse_level, setting_print_level, FIELD(log_level), .standard = "info",
      .accepted = "debug, info, warning or error", .help = "Least important lines shown." },
    { "LOG_FORMAT", setting_parse_format, setting_print_format, FIELD(log_format),
      .standard = "text", .accepted = "text or json", .help = "Lines for people or for machines." },
    { "HTTP_THREADS", setting_parse_integer, setting_print_integer, FIELD(http_threads), 0, 256,
      "0", .accepted = "0 to 256",
      .help = "Event threads on LISTEN; 0: one for each usable core." },
    { "HTTP_CONNECTIONS", setting_parse_integer, setting_print_integer, FIELD(http_connections), 8,
      65536, "4096", .accepted = "8 to 65536", .help = "Open connections on LISTEN at most." },
    { "EXECUTOR_THREADS", setting_parse_integer, setting_print_integer, FIELD(executor_threads), 1,
      1024, "64", .accepted = "1 to 1024", .help = "Threads for handlers at most." },
    { "CLOCK_SHIFT_FILE", setting_parse_text, setting_print_text, FIELD(clock_shift_file),
      .accepted = "a file of 8 bytes",
      .help = "Simulator only: moves the clock. Refused unless DISCORD_API_URL is on this host." },
};

static void *field_of(const struct setting *setting, struct config *config)
{
    return (char *)config + setting->offset;
}

void config_print(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const struct setting *setting = &settings[i];
        const void *field = (const char *)config + setting->offset;
        CLEANUP(buf_free) struct buf value = { 0 };
        setting->print(field, &value);
        /* A path is no secret; only a server's URL can carry a password. */
        bool is_path = setting->parse == setting_parse_database &&
                       str_starts_with(buf_view(&value), STR("sqlite:"));
        bool is_shown = !setting->is_secret || is_path;
        if (!is_shown && value.length > 0) {
            buf_clear(&value);
            buf_append(&value, STR("(set, hidden)"));
        } else if (value.length == 0 || str_equal(buf_view(&value), STR("0"))) {
            if (setting->standard == NULL) {
                buf_clear(&value);
                buf_append(&value, STR("(unset)"));
            }
        }
        buf_append_format(out, "%-27s %-40.*s %s\n", setting->name, STR_ARGS(buf_view(&value)),
                          setting->help);
    }
}

/* --- Sources --- */

static struct str_view environment_find(const struct config_sources *sources, struct str_view name)
{
    for (const char *const *line = sources->environment; line && *line; line++) {
        struct str_view text = str_from(*line);
        if (str_starts_with(text, name) && text.length > name.length &&
            text.data[name.length] == '=')
            return (struct str_view){ text.data + name.length + 1, text.length - name.length - 1 };
    }
    return STR_NONE;
}

/* One line of a .env file: `NAME=value`, `export NAME="value"`, blank, or `# comment`. */
static bool dotenv_line(struct str_view line, struct str_view *name, struct str_view *value)
{
    line = str_trim(line);
    if (str_starts_with(line, STR("export ")))
        line = str_trim((struct str_view){ line.data + 7, line.length - 7 });
    if (line.length == 0 || line.data[0] == '#')
        return false;
    struct str_view rest = line;
    str_split(&rest, '=', name);
    *name = str_trim(*name);
    *value = str_trim(rest);
    if (value->length >= 2 && (value->data[0] == '"' || value->data[0] == '\'') &&
        value->data[value->length - 1] == value->data[0])
        *value = (struct str_view){ value->data + 1, value->length - 2 };
    return true;
}

static struct str_view dotenv_find(const struct config_sources *sources, struct str_view wanted)
{
    struct str_view rest = sources->dotenv, line, name, value, found = STR_NONE;
    while (str_split(&rest, '\n', &line))
        if (dotenv_line(line, &name, &value) && str_equal(name, wanted))
            found = value.data ? value : STR("");
    return found;
}

static struct str_view source_find(const struct config_sources *sources, struct str_view name)
{
    struct str_view value = environment_find(sources, name);
    return value.data ? value : dotenv_find(sources, name);
}

/* Also when there was no memory to keep them. */
static bool has_errors(const struct config_report *report)
{
    return report->errors.length > 0 || report->errors.has_failed;
}

static void complain(struct config_report *report, struct err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void complain(struct config_report *report, struct err *err, const char *format, ...)
{
    char line[2 * CONFIG_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (!has_errors(report))
        err_set(err, ERR_CONFIG, "%s", line);
    buf_append_format(&report->errors, "%s\n", line);
}

/* Reads NAME_FILE's file into `text`; a final newline is not part of the secret. An empty file is
 * one whose secret got lost: not as good as unset. */
static bool read_secret_file(struct str_view path, char text[CONFIG_TEXT_MAX], size_t *length)
{
    char name[CONFIG_TEXT_MAX];
    if (!setting_parse_text(NULL, path, name))
        return false;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, CONFIG_TEXT_MAX);
    close(fd);
    if (got < 0 || got == CONFIG_TEXT_MAX)
        return false;
    struct str_view trimmed = { text, (size_t)got };
    while (trimmed.length > 0 &&
           (text[trimmed.length - 1] == '\n' || text[trimmed.length - 1] == '\r'))
        trimmed.length--;
    *length = trimmed.length;
    return trimmed.length > 0;
}

static void load_setting(const struct setting *setting, struct config *config,
                         const struct config_sources *sources, bool needs_discord,
                         struct config_report *report, struct err *err)
{
    char file_name[64], secret[CONFIG_TEXT_MAX];
    struct str_view given = source_find(sources, str_from(setting->name));
    if (setting->is_secret) {
        snprintf(file_name, sizeof(file_name), "%s_FILE", setting->name);
        struct str_view path = source_find(sources, str_from(file_name));
        size_t length;
        if (path.length > 0 && given.length > 0) {
            complain(report, err, "%s and %s are both set: choose one", setting->name, file_name);
            return;
        }
        if (path.length > 0 && !read_secret_file(path, secret, &length)) {
            complain(report, err,
                     "%s: can't read '%.*s' (a readable file of 1 to %d bytes is needed)",
                     file_name, STR_ARGS(path), CONFIG_TEXT_MAX - 1);
            return;
        }
        if (path.length > 0)
            given = (struct str_view){ secret, length };
    }
    /* A variable set to nothing is as good as unset. */
    if (given.length == 0)
        given = str_from(setting->standard);
    if (given.length == 0) {
        if (setting->is_discord && needs_discord)
            complain(report, err, "%s is not set: accepted is %s", setting->name,
                     setting->accepted);
        return;
    }
    if (setting->parse(setting, given, field_of(setting, config)))
        return;
    struct str_view shown = utf8_prefix(given, 100);
    if (setting->is_secret)
        complain(report, err, "%s is wrong (value hidden): accepted is %s", setting->name,
                 setting->accepted);
    else
        complain(report, err, "%s is '%.*s': accepted is %s", setting->name, STR_ARGS(shown),
                 setting->accepted);
}

bool config_next_secret_file(const struct config_sources *sources, size_t *position,
                             struct config_secret_file *file)
{
    while (*position < ARRAY_LENGTH(settings)) {
        const struct setting *setting = &settings[(*position)++];
        if (!setting->is_secret)
            continue;
        snprintf(file->name, sizeof(file->name), "%s_FILE", setting->name);
        struct str_view path = source_find(sources, str_from(file->name));
        if (path.length > 0 && setting_parse_text(NULL, path, file->path))
            return true;
    }
    return false;
}

static bool is_known(struct str_view name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        struct str_view known = str_from(settings[i].name);
        if (str_equal(name, known))
            return true;
        if (settings[i].is_secret && str_starts_with(name, known) &&
            str_equal((struct str_view){ name.data + known.length, name.length - known.length },
                      STR("_FILE")))
            return true;
    }
    return false;
}

/* The environment is full of other programs' variables; a .env file is written for us. */
static void warn_of_unknown(const struct config_sources *sources, struct config_report *report)
{
    struct str_view rest = sources->dotenv, line, name, value;
    while (str_split(&rest, '\n', &line))
        if (dotenv_line(line, &name, &value) && !is_known(name))
            buf_append_format(&report->warnings, "%.*s in .env is not a setting of bronxbot\n",
                              STR_ARGS(utf8_prefix(name, 100)));
}

bool config_is_on_this_host(const char *url)
{
    static const char *const prefixes[] = { "http://127.0.0.1",  "http://localhost",
                                            "http://[::1]",      "https://127.0.0.1",
                                            "https://localhost", "https://[::1]" };
    for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
        struct str_view prefix = str_from(prefixes[i]);
        struct str_view text = str_from(url);
        if (str_starts_with(text, prefix) &&
            (text.length == prefix.length || text.data[prefix.length] == ':' ||
             text.data[prefix.length] == '/'))
            return true;
    }
    return false;
}

static void check_together(const struct config *config, struct config_report *report,
                           struct err *err)
{
    if (config->db_pool_min > config->db_pool_max)
        complain(report, err,
                 "DB_POOL_MIN is %" PRId64 ": accepted is at most DB_POOL_MAX (%" PRId64 ")",
                 config->db_pool_min, config->db_pool_max);
    if (config->clock_shift_file[0] && !config_is_on_this_host(config->api_url))
        complain(report, err,
                 "CLOCK_SHIFT_FILE is set: accepted only while DISCORD_API_URL is on this host");
}

int config_load(struct config *config, const struct config_sources *sources, bool needs_discord,
                struct config_report *report, struct err *err)
{
    struct config_report own = { 0 };
    struct config_report *used = report ? report : &own;
    *config = (struct config){ 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        load_setting(&settings[i], config, sources, needs_discord, used, err);
    if (!has_errors(used))
        check_together(config, used, err);
    warn_of_unknown(sources, used);
    int result = has_errors(used) ? ERR_CONFIG : 0;
    config_report_free(&own);
    return result;
}

void config_report_free(struct config_report *report)
{
    buf_free(&report->errors);
    buf_free(&report->warnings);
}
