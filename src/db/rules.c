/* Rules of statements that need no database. No threads, no memory. */
#include "db/rules.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static bool is_storable_text(struct str_view text)
{
    if (text.length == 0)
        return true;
    return !memchr(text.data, '\0', text.length) && utf8_is_valid(text);
}

static int check_parameter(const struct db_value *value, int number, struct err *err)
{
    switch (value->type) {
    case DB_TYPE_NULL:
    case DB_TYPE_INT:
    case DB_TYPE_BLOB:
        return 0;
    case DB_TYPE_TEXT:
        if (is_storable_text(value->bytes))
            return 0;
        return err_set(err, ERR_CHECK, "parameter $%d: a zero byte or invalid UTF-8", number);
    }
    return err_set(err, ERR_INTERNAL, "parameter $%d: unknown type %d", number, (int)value->type);
}

int rules_check_statement(const struct db_statement *statement, int index, struct err *err)
{
    int result = 0;
    if (!statement->sql)
        result = err_set(err, ERR_INTERNAL, "a statement without SQL");
    else if (statement->parameter_count < 0 || statement->parameter_count > DB_MAX_PARAMETERS)
        result = err_set(err, ERR_INTERNAL, "%d parameters; at most %d", statement->parameter_count,
                         DB_MAX_PARAMETERS);
    for (int i = 0; result == 0 && i < statement->parameter_count; i++)
        result = check_parameter(&statement->parameters[i], i + 1, err);
    if (result != 0 && err)
        err->index = index;
    return result;
}

int rules_check_touched(const struct db_statement *statement, int64_t touched, struct err *err)
{
    const char *expected = NULL;
    switch (statement->expect) {
    case DB_ANY_ROWS:
        break;
    case DB_ONE_ROW:
        expected = touched == 1 ? NULL : "one row";
        break;
    case DB_SOME_ROWS:
        expected = touched > 0 ? NULL : "some rows";
        break;
    case DB_NO_ROWS:
        expected = touched == 0 ? NULL : "no rows";
        break;
    }
    if (!expected)
        return 0;
    return err_set(err, ERR_EXPECTATION, "expected %s, got %" PRId64, expected, touched);
}

bool rules_may_only_read(const char *sql)
{
    static const struct str_view words[] = {
        { "select", 6 }, { "with", 4 }, { "values", 6 }, { "pragma", 6 }, { "explain", 7 },
    };
    while (*sql == ' ' || *sql == '\n' || *sql == '\t')
        sql++;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (strncasecmp(sql, words[i].data, words[i].length) == 0)
            return true;
    return false;
}
