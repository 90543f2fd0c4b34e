/* Prepared statements are found by the address of their text, for texts are literals; the text is
 * compared too, so an address that came to hold something else does no harm.
 *
 * Guards. A batch with its COMMIT goes to the server in one piece, so the server must refuse by
 * itself what broke an expectation. A write is sent as
 *
 *     WITH bronx_touched AS (UPDATE ... RETURNING 1)
 *     SELECT CASE WHEN count(*) = 1 THEN 1 ELSE ('bronx_touched:' || count(*))::bigint END
 *     FROM bronx_touched
 *
 * and when the count is another, the cast fails, with the count in its message. No function of ours
 * has to exist in the database for it. */
#include "db/postgres_statement.h"

#include "bronx/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS     " \t\r\n"
#define GUARD_WORD "bronx_touched:"

struct verb {
    struct str_view word;
    enum postgres_kind kind;
};

/* All that is accepted. BEGIN, COMMIT, SET and their like are the engine's alone: one COMMIT in a
 * batch would break the promise of db_atomic, one SET would stay for whoever comes next. */
static const struct verb verbs[] = {
    { { "select", 6 }, POSTGRES_READ },  { { "values", 6 }, POSTGRES_READ },
    { { "show", 4 }, POSTGRES_READ },    { { "explain", 7 }, POSTGRES_OTHER },
    { { "insert", 6 }, POSTGRES_WRITE }, { { "update", 6 }, POSTGRES_WRITE },
    { { "delete", 6 }, POSTGRES_WRITE }, { { "with", 4 }, POSTGRES_OTHER },
    { { "merge", 5 }, POSTGRES_OTHER },  { { "notify", 6 }, POSTGRES_OTHER },
    { { "create", 6 }, POSTGRES_OTHER }, { { "drop", 4 }, POSTGRES_OTHER },
    { { "alter", 5 }, POSTGRES_OTHER },  { { "truncate", 8 }, POSTGRES_OTHER },
};

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           character == '_';
}

enum postgres_kind postgres_statement_kind(const char *sql)
{
    sql += strspn(sql, BLANKS);
    size_t length = 0;
    while (is_letter(sql[length]))
        length++;
    enum postgres_kind kind = POSTGRES_REFUSED;
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++)
        if (str_equal_ignoring_case((struct str_view){ sql, length }, verbs[i].word))
            kind = verbs[i].kind;
    /* Also when it is only a name or a text: then it goes the long way, which is right as well. */
    bool returns_rows = kind == POSTGRES_WRITE && strcasestr(sql, "returning");
    return returns_rows ? POSTGRES_OTHER : kind;
}

bool postgres_statement_is_guarded(const struct db_statement *statement, enum postgres_kind kind)
{
    return kind == POSTGRES_WRITE && statement->expect != DB_ANY_ROWS;
}

static const char *const guard_conditions[] = {
    [DB_ONE_ROW] = "count(*) = 1",
    [DB_SOME_ROWS] = "count(*) > 0",
    [DB_NO_ROWS] = "count(*) = 0",
};

void postgres_statement_append(struct buf *text, const char *sql, enum db_expectation expect)
{
    struct str_view view = str_from(sql);
    if (expect == DB_ANY_ROWS) {
        buf_append(text, view);
        return;
    }
    while (view.length > 0 && strchr(BLANKS ";", view.data[view.length - 1]))
        view.length--;
    /* A new line: the text may end in a comment. */
    buf_append_format(text,
                      "WITH bronx_touched AS (%.*s\nRETURNING 1) SELECT CASE WHEN %s THEN 1 "
                      "ELSE ('" GUARD_WORD "' || count(*))::bigint END FROM bronx_touched",
                      STR_ARGS(view), guard_conditions[expect]);
}

bool postgres_statement_has_guard_failed(const PGresult *result, int64_t *touched)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *guard = message ? strstr(message, GUARD_WORD) : NULL;
    if (!guard)
        return false;
    guard += strlen(GUARD_WORD);
    struct str_view digits = { guard, strspn(guard, "0123456789") };
    return str_to_uint63(digits, touched) == 0;
}

void postgres_statement_name(const struct postgres_connection *connection, uint32_t number,
                             char name[POSTGRES_NAME_SIZE])
{
    snprintf(name, POSTGRES_NAME_SIZE, "b%s_%" PRIu32, connection->name, number);
}

static_assert(POSTGRES_CACHE_SETS == 128, "the hash gives seven bits");

static struct postgres_prepared *cache_set(struct postgres_connection *connection, const char *sql)
{
    uint64_t hash = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
    return connection->cache[hash >> 57];
}

static bool is_same(const struct postgres_prepared *place, const char *sql, uint32_t signature,
                    enum db_expectation expect)
{
    return place->text == sql && place->signature == signature && place->expect == (int)expect &&
           strcmp(place->copy, sql) == 0;
}

struct postgres_prepared *postgres_statement_find(struct postgres_connection *connection,
                                                  const char *sql, uint32_t signature,
                                                  enum db_expectation expect, bool *is_new,
                                                  uint32_t *replaced)
{
    struct postgres_prepared *set = cache_set(connection, sql);
    struct postgres_prepared *place = set; /* the free or longest unused one */
    for (size_t way = 0; way < POSTGRES_CACHE_WAYS; way++) {
        if (is_same(&set[way], sql, signature, expect)) {
            set[way].batch = connection->batches;
            *is_new = false;
            return &set[way];
        }
        if (set[way].batch < place->batch)
            place = &set[way];
    }
    char *copy = place->batch < connection->batches ? strdup(sql) : NULL;
    if (!copy)
        return NULL;
    *replaced = place->text ? place->number : 0;
    *is_new = true;
    postgres_statement_forget(place);
    *place = (struct postgres_prepared){
        .text = sql,
        .copy = copy,
        .signature = signature,
        .expect = (int)expect,
        .number = ++connection->numbers,
        .batch = connection->batches,
    };
    return place;
}

void postgres_statement_forget(struct postgres_prepared *place)
{
    free(place->copy);
    *place = (struct postgres_prepared){ 0 };
}
