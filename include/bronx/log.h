/* Structured log lines: an event in words and typed fields.
 *
 *     log_info(&call->log, "transfer refused", LOG_INT("amount", amount), LOG_TEXT("why", why));
 *
 * Every line is written by one write(2), so lines of different threads never mix. Values registered
 * as secrets and interaction tokens inside URLs are replaced before a line leaves the process. */
#ifndef BRONX_LOG_H
#define BRONX_LOG_H

#include "bronx/text.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_INT };

struct log_field {
    const char *name; /* NULL ends a list */
    enum log_field_kind kind;
    struct str_view text;
    int64_t integer;
};

#define LOG_TEXT(field_name, value)                                                                \
    ((struct log_field){ .name = (field_name), .kind = LOG_FIELD_TEXT, .text = (value) })
#define LOG_INT(field_name, value)                                                                 \
    ((struct log_field){ .name = (field_name), .kind = LOG_FIELD_INT, .integer = (value) })

struct log_sink;

#define REQUEST_ID_SIZE 12 /* 11 characters and a zero byte */

/* Where lines go, and the request they belong to ("" outside a request). Cheap to copy. */
struct log {
    struct log_sink *sink;
    char request_id[REQUEST_ID_SIZE];
};

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields);

#define LOG_FIELDS_(...)           ((const struct log_field[]){ __VA_ARGS__, { .name = NULL } })
#define log_debug(log, event, ...) log_write(log, LOG_LEVEL_DEBUG, event, LOG_FIELDS_(__VA_ARGS__))
#define log_info(log, event, ...)  log_write(log, LOG_LEVEL_INFO, event, LOG_FIELDS_(__VA_ARGS__))
#define log_warning(log, event, ...)                                                               \
    log_write(log, LOG_LEVEL_WARNING, event, LOG_FIELDS_(__VA_ARGS__))
#define log_error(log, event, ...) log_write(log, LOG_LEVEL_ERROR, event, LOG_FIELDS_(__VA_ARGS__))

/* For lines without fields: log_info(&log, "ready", LOG_NOTHING). */
#define LOG_NOTHING                ((struct log_field){ .name = NULL })

#endif
