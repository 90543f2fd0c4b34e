#include "outbox/outbox_reach.h"

/* One request that fails is everyday; so many in a row, without one that gets an answer, are not.
 */
#define FAILURES_UNTIL_AWAY 3

static void note_failure(struct reach *reach, const struct rest_response *response,
                         struct log_sink *sink)
{
    if (reach->failures < FAILURES_UNTIL_AWAY)
        reach->failures++;
    if (reach->failures < FAILURES_UNTIL_AWAY || atomic_exchange(&reach->is_away, true) || !sink)
        return;
    struct log log = log_of(sink);
    log_warning(&log, "Discord can't be reached: messages wait",
                LOG_INT("status", response->status),
                LOG_TEXT("why", str_from(response->reason ? response->reason : "")));
}

void reach_note(struct reach *reach, const struct rest_response *response, struct log_sink *sink)
{
    /* Whatever else it says, who says it is Discord. */
    bool is_answer = response->result == REST_ANSWERED && response->status < 500;
    if (!is_answer) {
        note_failure(reach, response, sink);
        return;
    }
    reach->failures = 0;
    if (!atomic_exchange(&reach->is_away, false) || !sink)
        return;
    struct log log = log_of(sink);
    log_info(&log, "Discord is reached again", LOG_NOTHING);
}

bool reach_is_away(const struct reach *reach)
{
    return atomic_load(&reach->is_away);
}
