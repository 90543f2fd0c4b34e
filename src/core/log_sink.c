/* Log lines. Any thread may write; the sink is constant after start, a line is built in the
 * caller's memory and leaves in one write(2). Redaction happens on the finished line, so no caller
 * can forget it: registered secrets, and the token part of /webhooks/<id>/<token> and
 * /interactions/<id>/<token>. */
#include "core/log_sink.h"

#include "core/json_out.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECRET_MIN_LENGTH 6
#define SECRETS_MAX       16
#define LINE_LIMIT        ((size_t)16 * 1024)

static const char *const level_words[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
};

struct log_sink {
    int fd;
    enum log_level level;
    enum log_format format;
    const struct clock *clock;
    char *secrets[SECRETS_MAX];
    size_t secret_count;
};

struct log_sink *log_sink_new(int fd, enum log_level level, enum log_format format,
                              const struct clock *clock)
{
    struct log_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return NULL;
    sink->fd = fd;
    sink->level = level;
    sink->format = format;
    sink->clock = clock;
    return sink;
}

void log_sink_free(struct log_sink *sink)
{
    if (!sink)
        return;
    for (size_t i = 0; i < sink->secret_count; i++) {
        sodium_memzero(sink->secrets[i], strlen(sink->secrets[i]));
        free(sink->secrets[i]);
    }
    free(sink);
}

static int remember(struct log_sink *sink, struct str_view secret)
{
    if (secret.length < SECRET_MIN_LENGTH)
        return 0;
    if (sink->secret_count == SECRETS_MAX)
        return ERR_LIMIT;
    char *copy = strndup(secret.data, secret.length);
    if (!copy)
        return ERR_MEMORY;
    sink->secrets[sink->secret_count++] = copy;
    return 0;
}

/* Lines are searched when they are finished, and quoted fields are escaped by then. */
int log_sink_hide(struct log_sink *sink, struct str_view secret)
{
    CLEANUP(buf_free) struct buf quoted = { 0 };
    struct json_out out = { .buf = &quoted };
    json_text(&out, secret);
    if (quoted.has_failed)
        return ERR_MEMORY;
    struct str_view escaped = { quoted.data + 1, quoted.length - 2 };
    int result = remember(sink, secret);
    if (result == 0 && !str_equal(escaped, secret))
        result = remember(sink, escaped);
    sodium_memzero(quoted.data, quoted.length);
    return result;
}

/* What stands between the first ':' and the last '@' of scheme://user:password@host/path. */
static struct str_view password_of(struct str_view url)
{
    const char *start = url.length ? memmem(url.data, url.length, "://", 3) : NULL;
    if (!start)
        return STR_NONE;
    struct str_view rest = { start + 3, url.length - (size_t)(start + 3 - url.data) };
    const char *slash = rest.length ? memchr(rest.data, '/', rest.length) : NULL;
    if (slash)
        rest.length = (size_t)(slash - rest.data);
    const char *at = rest.length ? memrchr(rest.data, '@', rest.length) : NULL;
    const char *colon = at ? memchr(rest.data, ':', (size_t)(at - rest.data)) : NULL;
    if (!colon)
        return STR_NONE;
    return (struct str_view){ colon + 1, (size_t)(at - colon - 1) };
}

static void append_decoded(struct buf *out, struct str_view text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte;
        size_t length;
        if (text.data[i] == '%' && i + 2 < text.length &&
            sodium_hex2bin(&byte, 1, text.data + i + 1, 2, NULL, &length, NULL) == 0 &&
            length == 1) {
            buf_append_bytes(out, (const char *)&byte, 1);
            i += 2;
        } else
            buf_append_bytes(out, text.data + i, 1);
    }
}

int log_sink_hide_url(struct log_sink *sink, struct str_view url)
{
    CLEANUP(buf_free) struct buf decoded = { 0 };
    struct str_view password = password_of(url);
    append_decoded(&decoded, password);
    int result = decoded.has_failed ? ERR_MEMORY : log_sink_hide(sink, url);
    if (result == 0)
        result = log_sink_hide(sink, password);
    if (result == 0 && !str_equal(password, buf_view(&decoded)))
        result = log_sink_hide(sink, buf_view(&decoded));
    sodium_memzero(decoded.data, decoded.data ? decoded.length : 0);
    return result;
}

bool log_sink_is_on(const struct log_sink *sink, enum log_level level)
{
    return level >= sink->level;
}

struct log log_of(struct log_sink *sink)
{
    return (struct log){ .sink = sink };
}

struct log log_of_request(struct log_sink *sink, const char request_id[REQUEST_ID_SIZE])
{
    struct log log = { .sink = sink };
    memcpy(log.request_id, request_id, REQUEST_ID_SIZE);
    return log;
}

/* splitmix64: ids need to differ, not to be secret, and must not cost a system call each. */
static uint64_t next_random(void)
{
    static _Thread_local uint64_t state;
    if (state == 0)
        randombytes_buf(&state, sizeof(state));
    uint64_t value = state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

void request_id_new(char request_id[REQUEST_ID_SIZE])
{
    static const char alphabet[] = "23456789abcdefghijkmnpqrstuvwxyz";
    static_assert(sizeof(alphabet) - 1 == 32, "five bits a character");
    uint64_t bits = next_random();
    for (size_t i = 0; i < REQUEST_ID_SIZE - 1; i++, bits >>= 5)
        request_id[i] = alphabet[bits % 32];
    request_id[REQUEST_ID_SIZE - 1] = '\0';
}

static void append_time(struct buf *line, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    char text[32];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_append_format(line, "%s.%03dZ", text, (int)(wall_ms % 1000));
}

static void append_json(struct buf *line, const struct log *log, enum log_level level,
                        const char *event, const struct log_field *fields)
{
    struct json_out out = { .buf = line };
    struct buf time_text = { 0 };
    append_time(&time_text, clock_wall_ms(log->sink->clock));
    json_object_begin(&out);
    json_key(&out, "time");
    json_text(&out, buf_view(&time_text));
    buf_free(&time_text);
    json_key(&out, "level");
    json_text(&out, str_from(level_words[level]));
    json_key(&out, "event");
    json_text(&out, str_from(event));
    if (log->request_id[0]) {
        json_key(&out, "request");
        json_text(&out, str_from(log->request_id));
    }
    for (; fields->name; fields++) {
        json_key(&out, fields->name);
        if (fields->kind == LOG_FIELD_INT)
            json_int(&out, fields->integer);
        else
            json_text(&out, fields->text);
    }
    json_object_end(&out);
}

static bool is_plain_word(struct str_view text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte <= ' ' || byte == '"' || byte == '=' || byte >= 0x7f || byte == '\\')
            return false;
    }
    return text.length > 0;
}

static void append_text(struct buf *line, const struct log *log, enum log_level level,
                        const char *event, const struct log_field *fields)
{
    append_time(line, clock_wall_ms(log->sink->clock));
    buf_append_format(line, " %-7s %s", level_words[level], event);
    if (log->request_id[0])
        buf_append_format(line, " request=%s", log->request_id);
    for (; fields->name; fields++) {
        buf_append_format(line, " %s=", fields->name);
        struct json_out out = { .buf = line };
        if (fields->kind == LOG_FIELD_INT)
            json_int(&out, fields->integer);
        else if (is_plain_word(fields->text))
            buf_append(line, fields->text);
        else
            json_text(&out, fields->text);
    }
}

/* Replaces bytes from..to of the line by the mark, in place: the mark is never longer than what it
 * hides, so the line only shrinks. */
static void hide_span(struct buf *line, size_t from, size_t to)
{
    static const char mark[] = "[hidden]";
    size_t length = to - from < sizeof(mark) - 1 ? to - from : sizeof(mark) - 1;
    memcpy(line->data + from, mark, length);
    memmove(line->data + from + length, line->data + to, line->length - to + 1);
    line->length -= to - from - length;
}

static void hide_secrets(const struct log_sink *sink, struct buf *line)
{
    for (size_t i = 0; i < sink->secret_count; i++) {
        size_t length = strlen(sink->secrets[i]), at = 0;
        char *found;
        /* On behind the mark: a secret that is a part of it would be found there for ever. */
        while ((found = memmem(line->data + at, line->length - at, sink->secrets[i], length))) {
            size_t from = (size_t)(found - line->data), before = line->length;
            hide_span(line, from, from + length);
            at = from + length - (before - line->length);
        }
    }
}

static void hide_url_tokens(struct buf *line)
{
    static const struct str_view routes[] = { { "/webhooks/", 10 }, { "/interactions/", 14 } };
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        size_t at = 0;
        char *found;
        while (at < line->length && (found = memmem(line->data + at, line->length - at,
                                                    routes[i].data, routes[i].length))) {
            size_t from = (size_t)(found - line->data) + routes[i].length;
            while (from < line->length && line->data[from] >= '0' && line->data[from] <= '9')
                from++;
            at = from;
            if (from >= line->length || line->data[from] != '/')
                continue;
            size_t to = ++from;
            while (to < line->length && !strchr("/ \"?\n", line->data[to]))
                to++;
            hide_span(line, from, to);
        }
    }
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields)
{
    const struct log_sink *sink = log->sink;
    if (!sink || !log_sink_is_on(sink, level))
        return;
    CLEANUP(buf_free) struct buf line = { .limit = LINE_LIMIT };
    if (sink->format == LOG_FORMAT_JSON)
        append_json(&line, log, level, event, fields);
    else
        append_text(&line, log, level, event, fields);
    buf_append_char(&line, '\n');
    if (line.has_failed) {
        buf_clear(&line);
        buf_append_format(&line, "%s %s (fields left out: line too long or memory exhausted)\n",
                          level_words[level], event);
    }
    if (line.length == 0)
        return;
    hide_secrets(sink, &line);
    hide_url_tokens(&line);
    /* A log that can't be written has nowhere to complain. */
    ssize_t written = write(sink->fd, line.data, line.length);
    (void)written;
}
