/* The admin endpoints. Handlers run on the admin server's only thread, so a slow probe holds up
 * nothing but the next look. */
#include "http/admin.h"

#include "core/json_out.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void respond_or_fail(struct http_exchange *exchange, int status, const char *content_type,
                            struct buf *body)
{
    if (!body->has_failed) {
        http_respond(exchange, status, content_type, body);
        return;
    }
    buf_free(body);
    http_respond_text(exchange, 500, HTTP_JSON, STR("{\"error\":\"internal error\"}"));
}

static void on_healthz(struct http_exchange *exchange, void *context)
{
    (void)context;
    http_respond_text(exchange, 200, "text/plain", STR("ok\n"));
}

/* --- /readyz --- */

/* False when the part breaks this process. */
static bool write_part(const struct admin_part *part, struct json_out *out)
{
    static const char *const words[] = {
        [PART_OK] = "ok",
        [PART_DEGRADED] = "degraded",
        [PART_DOWN] = "down",
    };
    CLEANUP(buf_free) struct buf detail = { 0 };
    enum part_state state = part->probe(part->context, &detail);
    json_key(out, part->name);
    json_object_begin(out);
    json_key(out, "state");
    json_text(out, str_from(words[state]));
    json_key(out, "detail");
    json_text(out, buf_view(&detail));
    json_object_end(out);
    return state != PART_DOWN || !part->is_own;
}

static void on_readyz(struct http_exchange *exchange, void *context)
{
    static const char *const words[] = {
        [READINESS_STARTING] = "starting",
        [READINESS_READY] = "ready",
        [READINESS_DRAINING] = "draining",
    };
    struct admin *admin = context;
    int readiness = atomic_load(&admin->readiness);
    bool is_ready = readiness == READINESS_READY;
    struct buf body = { 0 };
    struct json_out out = { .buf = &body };
    json_object_begin(&out);
    json_key(&out, "state");
    json_text(&out, str_from(words[readiness]));
    json_key(&out, "parts");
    json_object_begin(&out);
    for (int i = 0; i < admin->part_count; i++)
        if (!write_part(&admin->parts[i], &out))
            is_ready = false;
    json_object_end(&out);
    json_object_end(&out);
    respond_or_fail(exchange, is_ready ? 200 : 503, HTTP_JSON, &body);
}

/* --- /metrics --- */

/* The process as the kernel sees it; -1 for what it does not tell. */
struct process {
    int64_t resident_bytes, threads, open_files;
};

static int64_t count_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return -1;
    int64_t count = -1; /* the directory's own */
    const struct dirent *entry;
    /* Safe with glibc while no other thread reads the same directory stream. */
    while ((entry = readdir(directory))) // NOLINT(concurrency-mt-unsafe)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static struct process look_at_process(void)
{
    struct process process = { -1, -1, count_open_files() };
    FILE *status = fopen("/proc/self/status", "re");
    if (!status)
        return process;
    char line[256];
    while (fgets(line, sizeof(line), status)) {
        struct str_view rest = str_from(line), key;
        if (!str_split(&rest, ':', &key))
            continue;
        struct str_view value, text = str_trim(rest);
        if (str_equal(key, STR("Threads")))
            (void)!str_to_int64(text, &process.threads);
        else if (str_equal(key, STR("VmRSS")) && str_split(&text, ' ', &value) &&
                 str_to_int64(value, &process.resident_bytes) == 0)
            process.resident_bytes *= 1024; /* "5120 kB" */
    }
    fclose(status);
    return process;
}

static void expose_process(const struct admin *admin, struct buf *out)
{
    struct process process = look_at_process();
    const struct {
        const char *name, *help;
        int64_t value;
    } rows[] = {
        { "process_resident_memory_bytes", "Memory in use.", process.resident_bytes },
        { "process_open_fds", "Open files and sockets.", process.open_files },
        { "process_threads", "Threads of all kinds.", process.threads },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].value >= 0)
            buf_append_format(out, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRId64 "\n", rows[i].name,
                              rows[i].help, rows[i].name, rows[i].name, rows[i].value);
    buf_append_format(out,
                      "# HELP process_start_time_seconds Start, in seconds since 1970.\n"
                      "# TYPE process_start_time_seconds gauge\n"
                      "process_start_time_seconds %" PRId64 ".%03d\n"
                      "# HELP bronxbot_build_info The version that runs; always 1.\n"
                      "# TYPE bronxbot_build_info gauge\n"
                      "bronxbot_build_info{version=\"%s\"} 1\n",
                      admin->started_ms / 1000, (int)(admin->started_ms % 1000), BRONX_VERSION);
}

static void on_metrics(struct http_exchange *exchange, void *context)
{
    const struct admin *admin = context;
    struct buf body = { 0 };
    metrics_expose(admin->metrics, &body);
    expose_process(admin, &body);
    respond_or_fail(exchange, 200, METRICS_CONTENT_TYPE, &body);
}

/* --- /probe --- */

static void on_probe(struct http_exchange *exchange, void *context)
{
    const struct admin *admin = context;
    struct str_view asked = http_query(exchange, "age");
    int64_t age = 0;
    if (asked.data && (str_to_uint63(asked, &age) != 0 || age > PROBE_AGE_MAX_SECONDS)) {
        http_respond_text(exchange, 400, HTTP_JSON,
                          STR("{\"error\":\"age: seconds, at most 200000\"}"));
        return;
    }
    struct buf body = { 0 };
    probe_write(admin->probe, clock_wall_ms(admin->clock) / MS_PER_SECOND - age, &body);
    respond_or_fail(exchange, 200, HTTP_JSON, &body);
}

/* --- /outbox --- */

static void respond_error(struct http_exchange *exchange, int status, const char *reason)
{
    struct buf body = { 0 };
    http_error_json(&body, reason);
    respond_or_fail(exchange, status, HTTP_JSON, &body);
}

static void respond_err(struct http_exchange *exchange, int status_when_invalid,
                        const struct err *err)
{
    static const struct {
        int code, status;
    } rows[] = { { ERR_NOT_FOUND, 404 }, { ERR_BUSY, 409 } };
    int status = err->code == ERR_INVALID ? status_when_invalid : 503;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].code == err->code)
            status = rows[i].status;
    respond_error(exchange, status, err->message);
}

/* What was asked for, or why it can't be given; takes the body. */
static void respond_result(struct http_exchange *exchange, int result, struct buf *body,
                           const struct err *err)
{
    if (result == 0) {
        respond_or_fail(exchange, 200, HTTP_JSON, body);
        return;
    }
    buf_free(body);
    respond_err(exchange, 400, err);
}

static void on_outbox(struct http_exchange *exchange, void *context)
{
    const struct admin_outbox *outbox = &((const struct admin *)context)->outbox;
    struct buf body = { 0 };
    struct err err = { 0 };
    int result = outbox->list(outbox->context, http_query(exchange, "state"), &body, &err);
    respond_result(exchange, result, &body, &err);
}

static const char no_operator[] = "the header " ADMIN_HEADER ": 1 is missing";

static bool is_operator(struct http_exchange *exchange)
{
    bool is_repeated;
    return str_equal(http_header(exchange, ADMIN_HEADER, &is_repeated), STR("1"));
}

static const char outbox_path[] = "/outbox/";

/* "/outbox/17/retry": false for anything else. */
static bool read_job_path(const char *path, int64_t *id, struct str_view *verb)
{
    struct str_view rest = str_from(path + sizeof(outbox_path) - 1), number;
    bool is_whole = str_split(&rest, '/', &number) && str_to_uint63(number, id) == 0;
    *verb = rest;
    return is_whole;
}

static void on_job(struct http_exchange *exchange, void *context)
{
    const struct admin_outbox *outbox = &((const struct admin *)context)->outbox;
    int (*verb)(void *, int64_t, struct err *) = NULL;
    struct str_view word;
    struct err err = { 0 };
    int64_t id;
    bool is_job = read_job_path(http_path(exchange), &id, &word);
    if (is_job && str_equal(word, STR("retry")))
        verb = outbox->retry;
    else if (is_job && str_equal(word, STR("drop")))
        verb = outbox->drop;
    if (!verb)
        respond_error(exchange, 404, "POST /outbox/ID/retry or /outbox/ID/drop");
    else if (!is_operator(exchange))
        respond_error(exchange, 400, no_operator);
    else if (verb(outbox->context, id, &err) != 0)
        respond_err(exchange, 409, &err);
    else
        http_respond_text(exchange, 200, HTTP_JSON, STR("{}"));
}

/* --- /cache --- */

static void on_cache(struct http_exchange *exchange, void *context)
{
    const struct admin_cache *cache = &((const struct admin *)context)->cache;
    struct buf body = { 0 };
    struct err err = { 0 };
    int result = cache->list(cache->context, &body, &err);
    respond_result(exchange, result, &body, &err);
}

static void on_cache_clear(struct http_exchange *exchange, void *context)
{
    const struct admin_cache *cache = &((const struct admin *)context)->cache;
    struct buf body = { 0 };
    struct err err = { 0 };
    if (!is_operator(exchange)) {
        respond_error(exchange, 400, no_operator);
        return;
    }
    int result = cache->clear(cache->context, http_query(exchange, "pattern"), &body, &err);
    respond_result(exchange, result, &body, &err);
}

void admin_routes(struct admin *admin, struct http_route routes[ADMIN_ROUTES])
{
    static const struct http_route rows[ADMIN_ROUTES] = {
        { .path = "/healthz", .method = "GET", .handler = on_healthz },
        { .path = "/readyz", .method = "GET", .handler = on_readyz },
        { .path = "/metrics", .method = "GET", .handler = on_metrics },
        { .path = "/probe", .method = "GET", .handler = on_probe },
        { .path = "/outbox", .method = "GET", .handler = on_outbox },
        { .path = "/cache", .method = "GET", .handler = on_cache },
        { .path = "/cache/clear", .method = "POST", .handler = on_cache_clear },
        { .path = outbox_path, .is_prefix = true, .method = "POST", .handler = on_job },
    };
    for (size_t i = 0; i < ADMIN_ROUTES; i++) {
        routes[i] = rows[i];
        routes[i].context = admin;
    }
}
