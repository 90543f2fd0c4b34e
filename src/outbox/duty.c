/* Constant texts; nothing here remembers. Only whoever finds the duty free by a look without a lock
 * tries to change its row, so that nobody waits for a holder that is at work. */
#include "outbox/duty.h"

/* ON CONFLICT alone would wait for whoever has the row locked. */
static const char sql_name[] =
    "INSERT INTO duty (name, instance_id, number, held_until) SELECT $1, 0, 0, 0 "
    "WHERE NOT EXISTS (SELECT 1 FROM duty WHERE name = $1) ON CONFLICT (name) DO NOTHING";

/* Who comes back before anybody has taken over goes on under its number. */
static const char sql_hold[] =
    "UPDATE duty SET number = CASE WHEN instance_id = $2 THEN number ELSE number + 1 END, "
    "instance_id = $2, held_until = $3 WHERE name = $1 AND (instance_id = $2 OR held_until <= $4 "
    "OR instance_id NOT IN (SELECT id FROM instance WHERE lease_until > $4)) RETURNING number";

int duty_hold(struct db *db, struct duty *duty, int64_t now_ms, int64_t hold_ms, struct err *err)
{
    struct db_rows *rows[2];
    const struct db_statement statements[] = {
        { .sql = sql_name, .parameters = { DB_TEXT(str_from(duty->name)) }, .parameter_count = 1 },
        { .sql = sql_hold,
          .parameters = { DB_TEXT(str_from(duty->name)), DB_INT(duty->instance_id),
                          DB_INT(now_ms + hold_ms), DB_INT(now_ms) },
          .parameter_count = 4 },
    };
    duty->number = 0;
    int result = db_atomic(db, statements, ARRAY_LENGTH(statements), rows, err);
    if (result != 0)
        return result;
    if (db_rows_count(rows[1]) > 0)
        duty->number = db_rows_int(rows[1], 0, 0);
    db_rows_free(rows[0]);
    db_rows_free(rows[1]);
    return 0;
}

/* The row is written to be locked. */
static const char sql_fence[] = "UPDATE duty SET number = $3 WHERE name = $1 AND instance_id = $2 "
                                "AND number = $3";

struct db_statement duty_fence(const struct duty *duty)
{
    return (struct db_statement){
        .sql = sql_fence,
        .parameters = { DB_TEXT(str_from(duty->name)), DB_INT(duty->instance_id),
                        DB_INT(duty->number) },
        .parameter_count = 3,
        .expect = DB_ONE_ROW,
    };
}

static const char sql_release[] = "UPDATE duty SET held_until = 0 WHERE name = $1 "
                                  "AND instance_id = $2 AND number = $3";

struct db_statement duty_release(const struct duty *duty)
{
    return (struct db_statement){
        .sql = sql_release,
        .parameters = { DB_TEXT(str_from(duty->name)), DB_INT(duty->instance_id),
                        DB_INT(duty->number) },
        .parameter_count = 3,
    };
}
