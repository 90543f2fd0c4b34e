/* `bronxbot outbox list|retry|drop`: the jobs, for operators. */
#ifndef OUTBOX_CLI_H
#define OUTBOX_CLI_H

#include "bronx/clock.h"

#include "core/config.h"

enum outbox_verb { OUTBOX_VERB_LIST, OUTBOX_VERB_RETRY, OUTBOX_VERB_DROP };

struct outbox_cli_options {
    enum outbox_verb verb;
    const char *state; /* list; NULL: all but done */
    bool is_json;
    int64_t id; /* retry, drop */
};

/* ERR_INVALID for arguments that are not understood. */
int outbox_cli_parse(int argument_count, char **arguments,
                     struct outbox_cli_options *options) MUST_CHECK;

/* In the database itself or, when another process holds its file, by asking that one on
 * ADMIN_LISTEN. Prints to stdout. ERR_BUSY for what can't be done to this job; ERR_UNAVAILABLE;
 * ERR_CONFIG. */
int outbox_cli_run(const struct config *config, const struct outbox_cli_options *options,
                   const struct clock *clock, struct err *err) MUST_CHECK;

#endif
