/* SQLSTATEs by a table: a whole state, or its beginning for a class. No threads, no memory. */
#include "db/postgres_error.h"

#include "bronx/text.h"

#include <string.h>

struct state_code {
    const char *prefix;
    int code;
};

/* The first match counts. Appendix A of PostgreSQL's manual has the states. */
static const struct state_code state_codes[] = {
    { "23505", ERR_DUPLICATE },   /* unique_violation */
    { "23", ERR_CHECK },          /* check, not null, foreign key; our append-only triggers */
    { "P0001", ERR_CHECK },       /* raise_exception */
    { "44000", ERR_CHECK },       /* with_check_option_violation */
    { "22001", ERR_CHECK },       /* string_data_right_truncation */
    { "22003", ERR_CHECK },       /* numeric_value_out_of_range */
    { "22021", ERR_CHECK },       /* character_not_in_repertoire */
    { "40", ERR_BUSY },           /* serialization_failure, deadlock_detected */
    { "55P03", ERR_BUSY },        /* lock_not_available: lock_timeout */
    { "55006", ERR_BUSY },        /* object_in_use */
    { "57014", ERR_BUSY },        /* query_canceled: statement_timeout */
    { "54", ERR_LIMIT },          /* program_limit_exceeded */
    { "08P01", ERR_INTERNAL },    /* protocol_violation: a wrong number of parameters */
    { "08", ERR_UNAVAILABLE },    /* connection_exception */
    { "25006", ERR_UNAVAILABLE }, /* read_only_sql_transaction: it is a standby now */
    { "25P03", ERR_UNAVAILABLE }, /* idle_in_transaction_session_timeout */
    { "28", ERR_UNAVAILABLE },    /* invalid_authorization_specification */
    { "3D000", ERR_UNAVAILABLE }, /* invalid_catalog_name: no such database */
    { "53", ERR_UNAVAILABLE },    /* insufficient_resources: disk, memory, connections */
    { "57P", ERR_UNAVAILABLE },   /* shutting down, crashed, starting */
    { "58", ERR_UNAVAILABLE },    /* system_error: I/O */
    { "XX001", ERR_UNAVAILABLE }, /* data_corrupted */
    { "XX002", ERR_UNAVAILABLE }, /* index_corrupted */
};

int postgres_code_of(const char *sqlstate)
{
    if (!sqlstate)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < ARRAY_LENGTH(state_codes); i++)
        if (strncmp(sqlstate, state_codes[i].prefix, strlen(state_codes[i].prefix)) == 0)
            return state_codes[i].code;
    return ERR_INTERNAL;
}

/* libpq's texts end in a newline and may have several lines. */
static int set_line(struct err *err, int code, const char *text)
{
    char line[ERR_MESSAGE_SIZE];
    size_t length = 0;
    for (; *text != '\0' && length < sizeof(line) - 1; text++) {
        bool is_blank = *text == '\n' || *text == '\t' || *text == ' ';
        if (!is_blank)
            line[length++] = *text;
        else if (length > 0 && line[length - 1] != ' ')
            line[length++] = ' ';
    }
    if (length > 0 && line[length - 1] == ' ')
        length--;
    line[length] = '\0';
    return err_set(err, code, "%s", length > 0 ? line : "the server has gone away");
}

int postgres_result_fail(const PGresult *result, struct err *err)
{
    int code = postgres_code_of(PQresultErrorField(result, PG_DIAG_SQLSTATE));
    /* The primary message alone: details quote the values of rows. */
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return set_line(err, code, message ? message : PQresultErrorMessage(result));
}

int postgres_connection_fail(const PGconn *handle, int code, struct err *err)
{
    return set_line(err, code, PQerrorMessage(handle));
}

bool postgres_is_state(const PGresult *result, const char *sqlstate)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && strcmp(state, sqlstate) == 0;
}
