/* The table of checks and the report. Everything runs on the main thread, one check after the
 * other; a later one may use what an earlier one has learnt. */
#include "doctor/check.h"

#include "core/json_out.h"

#include <curl/curl.h>
#include <sodium.h>
#include <string.h>

struct check {
    const char *name;
    check_function *run;
};

static void check_settings(struct doctor *doctor, struct finding *finding)
{
    struct str_view rest = buf_view(&doctor->report.errors), line;
    while (str_split(&rest, '\n', &line))
        if (line.length > 0)
            finding_add(finding, FINDING_FAIL,
                        "correct it in the environment or in .env; `bronxbot check` lists them all",
                        "%.*s", STR_ARGS(line));
    rest = buf_view(&doctor->report.warnings);
    while (str_split(&rest, '\n', &line))
        if (line.length > 0)
            finding_add(finding, FINDING_WARN, "remove it, or mend a typing error", "%.*s",
                        STR_ARGS(line));
    if (finding->state == FINDING_OK)
        finding_add(finding, FINDING_OK, NULL, "all are acceptable");
}

static const struct check checks[] = {
    { "settings", check_settings },
    { "secret files", check_secret_files },
    { "open files", check_open_files },
    { "database file", check_database_file },
    { "disk space", check_disk_space },
    { "migrations", check_migrations },
    { "time zones", check_time_zones },
    { "dns", check_dns },
    { "tls", check_tls },
    { "clock", check_clock },
    { "token form", check_token_form },
    { "token", check_token },
    { "application", check_application },
    { "public key", check_public_key },
    { "interactions url", check_interactions_url },
    { "events url", check_events_url },
    { "health", check_health },
    { "readiness", check_readiness },
    { "front", check_front },
    { "good ping", check_good_ping },
    { "bad signature", check_bad_signature },
    { "missing headers", check_missing_headers },
    { "stale timestamp", check_stale_timestamp },
    { "wrong method", check_wrong_method },
    { "unknown path", check_unknown_path },
};

void finding_add(struct finding *finding, enum finding_state state, const char *advice,
                 const char *format, ...)
{
    va_list arguments;
    if (finding->detail.length > 0)
        buf_append(&finding->detail, STR("; "));
    va_start(arguments, format);
    buf_append_format_list(&finding->detail, format, arguments);
    va_end(arguments);
    if (state > finding->state || !finding->advice)
        finding->advice = advice;
    if (state > finding->state)
        finding->state = state;
}

/* Others' words (a server's answer) must not move the cursor of a terminal. */
static void append_visible(struct buf *out, struct str_view text)
{
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if ((unsigned char)byte < ' ' || byte == 0x7f)
            byte = '?';
        buf_append_char(out, byte);
    }
}

static void write_line(const char *name, const struct finding *finding, struct buf *out)
{
    static const char *const words[] = { "ok", "warn", "FAIL" };
    buf_append_format(out, "%-4s  %-17s ", words[finding->state], name);
    append_visible(out, buf_view(&finding->detail));
    if (finding->advice)
        buf_append_format(out, " -- %s", finding->advice);
    buf_append_char(out, '\n');
}

static void write_json(const char *name, const struct finding *finding, struct json_out *out)
{
    static const char *const words[] = { "ok", "warn", "fail" };
    json_object_begin(out);
    json_key(out, "check");
    json_text(out, str_from(name));
    json_key(out, "state");
    json_text(out, str_from(words[finding->state]));
    json_key(out, "detail");
    json_text(out, buf_view(&finding->detail));
    json_key(out, "advice");
    json_text(out, str_from(finding->advice ? finding->advice : ""));
    json_object_end(out);
}

/* Goes through the table; settings that are wrong end it after the first row. */
static int look_at_all(struct doctor *doctor, bool has_settings, struct buf *out)
{
    struct json_out json = { .buf = out };
    int result = has_settings ? 0 : ERR_CONFIG;
    if (doctor->options->is_json)
        json_array_begin(&json);
    for (size_t i = 0; i < (has_settings ? ARRAY_LENGTH(checks) : 1); i++) {
        struct finding finding = { 0 };
        checks[i].run(doctor, &finding);
        if (finding.state == FINDING_FAIL && result == 0)
            result = ERR_UNAVAILABLE;
        if (doctor->options->is_json)
            write_json(checks[i].name, &finding, &json);
        else
            write_line(checks[i].name, &finding, out);
        if (finding.detail.has_failed)
            result = ERR_MEMORY;
        buf_free(&finding.detail);
    }
    if (doctor->options->is_json) {
        json_array_end(&json);
        buf_append_char(out, '\n');
    }
    return out->has_failed ? ERR_MEMORY : result;
}

static void doctor_fini(struct doctor *doctor)
{
    fetch_free(&doctor->gateway);
    fetch_free(&doctor->readiness);
    config_report_free(&doctor->report);
    system_clock_fini(&doctor->clock);
    sodium_memzero(&doctor->config, sizeof(doctor->config));
}

int doctor_run(const struct config_sources *sources, const struct doctor_options *options,
               struct buf *out)
{
    CLEANUP(doctor_fini) struct doctor doctor = { .sources = sources, .options = options };
    struct err err = { 0 };
    int result = config_load(&doctor.config, sources, true, &doctor.report, &err);
    const char *shift = doctor.config.clock_shift_file;
    if (result == 0) {
        result = system_clock_init(&doctor.clock, shift[0] ? shift : NULL, &err);
        if (result != 0)
            buf_append_format(&doctor.report.errors, "CLOCK_SHIFT_FILE: %s\n", err.message);
    }
    if (result != 0)
        return look_at_all(&doctor, false, out);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERR_MEMORY;
    doctor.started_wall_ms = clock_wall_ms(&doctor.clock.clock);
    doctor.started_us = clock_monotonic_us(&doctor.clock.clock);
    result = look_at_all(&doctor, true, out);
    curl_global_cleanup();
    return result;
}
