/* Opening a connection with our limits, and waiting for the server with one of our own: libpq would
 * wait for ever. A connection lives in pipeline mode, except while a migration runs.
 *
 * A pooler between us and the server (PgBouncer) is noticed without a setting: the process that
 * serves us has another number than the one the pooler made up. Prepared statements have no names
 * then, because the next transaction may run in a process that does not know them. */
#include "db/postgres_connection.h"

#include "db/postgres_error.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_VERSION_MIN     120000 /* 11 lost its makers' support in 2023 */
#define TARGET_WORDS_MAX       64     /* libpq 17 has 48 options */
#define OPTIONS_BYTES_MAX      1024

#define STRINGIFY_VALUE(value) #value
#define STRINGIFY(value)       STRINGIFY_VALUE(value)

/* A space inside a value is escaped. What follows in the same option wins. */
#define OUR_OPTIONS                                                                                \
    "-c default_transaction_isolation=read\\ committed"                                            \
    " -c statement_timeout=" STRINGIFY(POSTGRES_STATEMENT_MS) " -c lock_timeout=" STRINGIFY(       \
        POSTGRES_LOCK_MS) " -c idle_in_transaction_session_timeout=" STRINGIFY(POSTGRES_IDLE_IN_TRANSACTION_MS)

struct postgres_target {
    PQconninfoOption *options; /* owns the texts */
    const char *words[TARGET_WORDS_MAX + 1];
    const char *values[TARGET_WORDS_MAX + 1];
    int count;
    int options_position; /* of "options" */
    char server_options[OPTIONS_BYTES_MAX];
};

/* What libpq would choose otherwise. */
struct standard_option {
    const char *word, *value;
    bool is_forced;
};

static const struct standard_option standard_options[] = {
    { "client_encoding", "UTF8", true },
    { "fallback_application_name", "bronxbot", true },
    { "connect_timeout", STRINGIFY(POSTGRES_CONNECT_SECONDS), false },
    { "tcp_user_timeout", STRINGIFY(POSTGRES_SILENCE_MS), false },
};

static const struct standard_option *standard_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(standard_options); i++)
        if (strcmp(standard_options[i].word, word) == 0)
            return &standard_options[i];
    return NULL;
}

static int add_options(struct postgres_target *target, const char *given, struct err *err)
{
    int length = snprintf(target->server_options, sizeof(target->server_options), "%s %s",
                          OUR_OPTIONS, given ? given : "");
    if (length < 0 || (size_t)length >= sizeof(target->server_options))
        return err_set(err, ERR_CONFIG, "its options are too long");
    target->options_position = target->count;
    target->words[target->count] = "options";
    target->values[target->count++] = target->server_options;
    return 0;
}

static int fill_target(struct postgres_target *target, struct err *err)
{
    const char *given_options = NULL;
    for (const PQconninfoOption *option = target->options; option->keyword; option++) {
        const struct standard_option *standard = standard_of(option->keyword);
        const char *value = option->val;
        if (standard && (standard->is_forced || !value))
            value = standard->value;
        if (strcmp(option->keyword, "options") == 0) {
            given_options = value;
            continue;
        }
        if (!value)
            continue;
        if (target->count >= TARGET_WORDS_MAX - 1)
            return err_set(err, ERR_CONFIG, "too many options");
        target->words[target->count] = option->keyword;
        target->values[target->count++] = value;
    }
    return add_options(target, given_options, err);
}

int postgres_target_new(struct postgres_target **out, const char *url, struct err *err)
{
    struct postgres_target *target = calloc(1, sizeof(*target));
    if (!target)
        return err_set(err, ERR_MEMORY, "a connection string");
    char *reason = NULL;
    target->options = PQconninfoParse(url, &reason);
    /* libpq's reason quotes what it could not read, which may be a piece of the password. */
    bool has_reason = reason != NULL;
    PQfreemem(reason);
    int result = 0;
    if (!target->options && !has_reason)
        result = err_set(err, ERR_MEMORY, "a connection string");
    else if (!target->options)
        result = err_set(err, ERR_CONFIG,
                         "can't be read; accepted is postgresql://USER:PASSWORD@HOST:PORT/"
                         "DATABASE?OPTION=VALUE, special characters as %%XX");
    else
        result = fill_target(target, err);
    if (result != 0) {
        postgres_target_free(target);
        return result;
    }
    *out = target;
    return 0;
}

void postgres_target_free(struct postgres_target *target)
{
    if (!target)
        return;
    PQconninfoFree(target->options);
    free(target);
}

/* No text of libpq has a password in it; should one ever, it is not shown. */
static void hide_secrets(const struct postgres_target *target, struct err *err)
{
    static const char *const secrets[] = { "password", "sslpassword" };
    if (!err)
        return;
    for (int i = 0; i < target->count; i++)
        for (size_t j = 0; j < ARRAY_LENGTH(secrets); j++)
            if (strcmp(target->words[i], secrets[j]) == 0 && target->values[i][0] != '\0' &&
                strstr(err->message, target->values[i]))
                err_set(err, err->code, "connecting failed; the reason would show a secret");
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* PgBouncer refuses the options of a start unless it was told to ignore them. Time-outs are the
 * role's then: docs/operating.md. */
static bool has_refused_options(const PGconn *handle)
{
    const char *message = PQerrorMessage(handle);
    return strstr(message, "unsupported startup parameter") && strstr(message, "options");
}

static PGconn *connect_without_options(const struct postgres_target *target)
{
    const char *values[TARGET_WORDS_MAX + 1];
    memcpy(values, target->values, sizeof(values));
    values[target->options_position] = "";
    return PQconnectdbParams(target->words, values, 0);
}

static int connect_to(PGconn **out, const struct postgres_target *target, struct err *err)
{
    PGconn *handle = PQconnectdbParams(target->words, target->values, 0);
    if (handle && PQstatus(handle) != CONNECTION_OK && has_refused_options(handle)) {
        PQfinish(handle);
        handle = connect_without_options(target);
    }
    *out = handle;
    if (!handle)
        return err_set(err, ERR_MEMORY, "a database connection");
    if (PQstatus(handle) == CONNECTION_OK)
        return 0;
    int result = postgres_connection_fail(handle, ERR_UNAVAILABLE, err);
    hide_secrets(target, err);
    return result;
}

static int check_server(struct postgres_connection *connection, struct err *err)
{
    PGconn *handle = connection->handle;
    const char *encoding = PQparameterStatus(handle, "server_encoding");
    if (PQserverVersion(handle) < SERVER_VERSION_MIN)
        return err_set(err, ERR_CONFIG, "PostgreSQL %d is too old; 12 or newer is needed",
                       PQserverVersion(handle) / 10000);
    if (encoding && strcmp(encoding, "UTF8") != 0)
        return err_set(err, ERR_CONFIG,
                       "the database's encoding is %s; accepted is UTF8 (createdb -E UTF8)",
                       encoding);
    return 0;
}

/* The first query, before the connection is in pipeline mode. It must not block for ever either. */
static int find_pooler(struct postgres_connection *connection, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *result = NULL;
    PGresult *end = NULL;
    if (PQsendQuery(connection->handle, "SELECT pg_backend_pid()") != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    int status = postgres_connection_read(connection, POSTGRES_SILENCE_MS, &result, err);
    if (status == 0 && PQresultStatus(result) != PGRES_TUPLES_OK)
        status = postgres_result_fail(result, err);
    if (status == 0)
        status = postgres_connection_read(connection, POSTGRES_SILENCE_MS, &end, err);
    PQclear(end);
    if (status != 0)
        return status;
    int64_t process;
    if (str_to_int64(str_from(PQgetvalue(result, 0, 0)), &process) != 0)
        return err_set(err, ERR_INTERNAL, "the server has no process number");
    connection->is_behind_pooler = process != PQbackendPID(connection->handle);
    return 0;
}

static int prepare_connection(struct postgres_connection *connection, struct err *err)
{
    PGconn *handle = connection->handle;
    uint64_t name;
    randombytes_buf(&name, sizeof(name));
    snprintf(connection->name, sizeof(connection->name), "%016" PRIx64, name);
    PQsetNoticeReceiver(handle, ignore_notice, NULL);
    int result = check_server(connection, err);
    if (result == 0 && PQsetnonblocking(handle, 1) != 0)
        result = postgres_connection_fail(handle, ERR_UNAVAILABLE, err);
    if (result == 0)
        result = find_pooler(connection, err);
    if (result == 0 && PQenterPipelineMode(handle) != 1)
        result = postgres_connection_fail(handle, ERR_UNAVAILABLE, err);
    return result;
}

int postgres_connection_open(struct postgres_connection **out, const struct postgres_target *target,
                             struct err *err)
{
    struct postgres_connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return err_set(err, ERR_MEMORY, "a database connection");
    int result = connect_to(&connection->handle, target, err);
    if (result == 0)
        result = prepare_connection(connection, err);
    if (result != 0) {
        postgres_connection_close(connection);
        return result;
    }
    *out = connection;
    return 0;
}

void postgres_connection_close(struct postgres_connection *connection)
{
    if (!connection)
        return;
    PQfinish(connection->handle);
    for (size_t set = 0; set < POSTGRES_CACHE_SETS; set++)
        for (size_t way = 0; way < POSTGRES_CACHE_WAYS; way++)
            free(connection->cache[set][way].copy);
    free(connection);
}

bool postgres_connection_is_alive(struct postgres_connection *connection)
{
    PGconn *handle = connection->handle;
    struct pollfd watched = { .fd = PQsocket(handle), .events = POLLIN };
    if (poll(&watched, 1, 0) == 0)
        return true;
    /* A notice, a changed setting, or the end: asking tells. */
    return postgres_connection_ping(connection, NULL) == 0;
}

int postgres_connection_ping(struct postgres_connection *connection, struct err *err)
{
    CLEANUP(cleanup_pgresult) PGresult *result = NULL;
    if (PQpipelineSync(connection->handle) != 1)
        return postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    int status = postgres_connection_read(connection, POSTGRES_SILENCE_MS, &result, err);
    if (status == 0 && PQresultStatus(result) != PGRES_PIPELINE_SYNC)
        status = err_set(err, ERR_UNAVAILABLE, "the connection was lost");
    return status;
}

/* 0 when the socket is ready. */
static int wait_for_server(struct postgres_connection *connection, bool has_more_to_send,
                           int silence_ms, struct err *err)
{
    struct pollfd watched = {
        .fd = PQsocket(connection->handle),
        .events = (short)(has_more_to_send ? POLLIN | POLLOUT : POLLIN),
    };
    int ready;
    do
        ready = poll(&watched, 1, silence_ms);
    while (ready < 0 && errno == EINTR);
    if (ready > 0)
        return 0;
    connection->is_broken = true;
    return err_set(err, ERR_UNAVAILABLE, "the server did not answer within %d ms", silence_ms);
}

int postgres_connection_flush(struct postgres_connection *connection, int silence_ms,
                              struct err *err)
{
    PGconn *handle = connection->handle;
    int unsent;
    while ((unsent = PQflush(handle)) > 0) {
        int result = wait_for_server(connection, true, silence_ms, err);
        if (result != 0)
            return result;
        /* A server that says what is wrong must be heard, or neither side goes on. */
        if (PQconsumeInput(handle) != 1)
            unsent = -1;
        if (unsent < 0)
            break;
    }
    return unsent == 0 ? 0 : postgres_connection_fail(handle, ERR_UNAVAILABLE, err);
}

int postgres_connection_hear(struct postgres_connection *connection, int silence_ms,
                             struct err *err)
{
    int result = wait_for_server(connection, false, silence_ms, err);
    if (result == 0 && PQconsumeInput(connection->handle) != 1)
        result = postgres_connection_fail(connection->handle, ERR_UNAVAILABLE, err);
    return result;
}

int postgres_connection_read(struct postgres_connection *connection, int silence_ms, PGresult **out,
                             struct err *err)
{
    PGconn *handle = connection->handle;
    *out = NULL;
    int unsent = PQflush(handle);
    while (PQisBusy(handle) && PQsocket(handle) >= 0) {
        int result = wait_for_server(connection, unsent > 0, silence_ms, err);
        if (result != 0)
            return result;
        /* When the server is gone, PQgetResult says so after what it had sent before. */
        if (PQconsumeInput(handle) != 1)
            break;
        if (unsent > 0)
            unsent = PQflush(handle);
    }
    *out = PQgetResult(handle);
    return 0;
}

void cleanup_pgresult(PGresult **result)
{
    PQclear(*result);
}
