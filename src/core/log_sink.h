/* Where log lines go, and what must never be in them. */
#ifndef CORE_LOG_SINK_H
#define CORE_LOG_SINK_H

#include "bronx/clock.h"
#include "bronx/log.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Lines at `level` and above are written to `fd` (borrowed). NULL without memory. */
struct log_sink *log_sink_new(int fd, enum log_level level, enum log_format format,
                              const struct clock *clock);
void log_sink_free(struct log_sink *sink);

/* Every later line shows `[hidden]` where it would show `secret` (copied). Secrets shorter than 6
 * bytes are left out: hiding every "a" hides the log. Call before threads start. */
int log_sink_hide(struct log_sink *sink, struct str_view secret) MUST_CHECK;

/* The same for a URL and, as texts of drivers may quote it alone, the password in it: as written
 * and with its %XX decoded. */
int log_sink_hide_url(struct log_sink *sink, struct str_view url) MUST_CHECK;

bool log_sink_is_on(const struct log_sink *sink, enum log_level level);

/* A log that belongs to no request / to request `request_id`. */
struct log log_of(struct log_sink *sink);
struct log log_of_request(struct log_sink *sink, const char request_id[REQUEST_ID_SIZE]);

/* A random id, readable over the phone: 11 characters of [0-9a-z] without 0, 1, l, o. */
void request_id_new(char request_id[REQUEST_ID_SIZE]);

#endif
