/* `bronxbot doctor`: live checks of everything a serving bot depends on, a line each with what to
 * do about it. It changes nothing and may run beside the bot. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include "core/config.h"

struct doctor_options {
    const char *url; /* https://bot.example: ask through the front; NULL: directly at LISTEN */
    bool is_json;
};

/* Appends the report to `out`. 0 when nothing failed, ERR_CONFIG when the settings are wrong (then
 * nothing else is looked at), ERR_UNAVAILABLE for any other failure, ERR_MEMORY. */
int doctor_run(const struct config_sources *sources, const struct doctor_options *options,
               struct buf *out) MUST_CHECK;

#endif
