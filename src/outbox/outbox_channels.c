/* Whether channels are open to the bot, by what became of the messages to them: without a gateway
 * nobody tells when permissions change, so it is learnt by posting. Any thread that may wait for
 * the database. */
#include "bronx/db.h"
#include "bronx/outbox.h"

#include <assert.h>

/* Of what was over before $3 the last that tells: a message that expired, or may have arrived, says
 * nothing of the channel. Each half is one step in the index outbox_channel_changed. */
#define LAST_TOLD(channel)                                                                         \
    "SELECT channel_id, reason, changed_at FROM (SELECT channel_id, reason, changed_at "           \
    "FROM outbox WHERE channel_id = " channel " AND changed_at < $3 AND (state = 'done' OR "       \
    "reason IN ('channel_closed', 'no_bot_token')) ORDER BY changed_at DESC, created_at DESC "     \
    "LIMIT 1) AS "                                                                                 \
    "last_told "

static const char sql_last_told[] = LAST_TOLD("$1") "UNION ALL " LAST_TOLD("$2");

static enum outbox_obstacle obstacle_of(const struct db_rows *rows, int row)
{
    if (db_rows_is_null(rows, row, 1))
        return OUTBOX_NO_OBSTACLE;
    return str_equal(db_rows_text(rows, row, 1), STR("no_bot_token")) ? OUTBOX_NEEDS_BOT_TOKEN
                                                                      : OUTBOX_CHANNEL_CLOSED;
}

int outbox_ask_channels(struct db *db, struct outbox_channel channels[OUTBOX_CHANNELS_ASKED],
                        int64_t before_ms, struct err *err)
{
    static_assert(OUTBOX_CHANNELS_ASKED == 2, "as many as the statement has halves");
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = sql_last_told,
        .parameters = { DB_INT(channels[0].id), DB_INT(channels[1].id), DB_INT(before_ms) },
        .parameter_count = 3,
    };
    int result = db_query(db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "asking whether channels are open");
    for (int i = 0; i < OUTBOX_CHANNELS_ASKED; i++) {
        channels[i].obstacle = OUTBOX_NO_OBSTACLE;
        for (int row = 0; row < db_rows_count(rows); row++) {
            if (db_rows_int(rows, row, 0) != channels[i].id)
                continue;
            channels[i].obstacle = obstacle_of(rows, row);
            channels[i].told_at_ms = db_rows_int(rows, row, 2);
        }
    }
    return 0;
}
