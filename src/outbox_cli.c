/* The sub-command `outbox`. One way to look at jobs, their JSON, wherever it comes from. Runs on
 * the main thread. */
#include "outbox_cli.h"

#include "admin_cli.h"
#include "db/migrate.h"
#include "outbox/outbox_admin.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SQLITE_SCHEME "sqlite:"

/* --- Arguments --- */

static const struct {
    const char *word;
    const char *done; /* what became of the job */
    int (*act)(struct db *db, int64_t id, int64_t now_ms, struct err *err);
} verbs[] = {
    [OUTBOX_VERB_LIST] = { "list", NULL, NULL },
    [OUTBOX_VERB_RETRY] = { "retry", "is queued", outbox_admin_retry },
    [OUTBOX_VERB_DROP] = { "drop", "is deleted", outbox_admin_drop },
};

static bool parse_list(int count, char **arguments, struct outbox_cli_options *options)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--json") == 0)
            options->is_json = true;
        else if (strcmp(arguments[i], "--state") == 0 && i + 1 < count &&
                 outbox_admin_is_state(str_from(arguments[i + 1])))
            options->state = arguments[++i];
        else
            return false;
    }
    return true;
}

int outbox_cli_parse(int argument_count, char **arguments, struct outbox_cli_options *options)
{
    *options = (struct outbox_cli_options){ 0 };
    size_t verb = 0;
    while (argument_count > 0 && verb < ARRAY_LENGTH(verbs) &&
           strcmp(arguments[0], verbs[verb].word) != 0)
        verb++;
    if (argument_count == 0 || verb == ARRAY_LENGTH(verbs))
        return ERR_INVALID;
    options->verb = (enum outbox_verb)verb;
    bool is_good =
        options->verb == OUTBOX_VERB_LIST
            ? parse_list(argument_count - 1, arguments + 1, options)
            : argument_count == 2 && str_to_uint63(str_from(arguments[1]), &options->id) == 0;
    return is_good ? 0 : ERR_INVALID;
}

/* --- Printing --- */

static const char *text_of(struct json_object *job, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(job, key, &value) ? json_object_get_string(value) : "";
}

/* "45s", "12m", "3h", "5d" */
static void print_age(int64_t age_ms, char text[24])
{
    static const struct {
        int64_t unit_ms, below_ms;
        char letter;
    } rows[] = {
        { MS_PER_SECOND, 2 * MS_PER_MINUTE, 's' },
        { MS_PER_MINUTE, 2 * MS_PER_HOUR, 'm' },
        { MS_PER_HOUR, 2 * MS_PER_DAY, 'h' },
        { MS_PER_DAY, INT64_MAX, 'd' },
    };
    size_t row = 0;
    while (age_ms >= rows[row].below_ms)
        row++;
    snprintf(text, 24, "%" PRId64 "%c", age_ms / rows[row].unit_ms, rows[row].letter);
}

static void print_job(struct json_object *job, int64_t now_ms)
{
    struct json_object *created = NULL;
    char age[24];
    json_object_object_get_ex(job, "created_at", &created);
    print_age(now_ms - json_object_get_int64(created), age);
    printf("%-19s  %-15s  %-7s  %-14s  %5s  %5s  %s\n", text_of(job, "id"), text_of(job, "kind"),
           text_of(job, "state"), text_of(job, "reason"), age, text_of(job, "tries"),
           text_of(job, "interaction_id"));
}

static int print_table(const char *json, int64_t now_ms, struct err *err)
{
    struct json_object *root = json_tokener_parse(json), *jobs = NULL, *has_more = NULL;
    if (!json_object_object_get_ex(root, "jobs", &jobs) ||
        !json_object_is_type(jobs, json_type_array)) {
        json_object_put(root);
        return err_set(err, ERR_UNAVAILABLE, "the list of jobs is not JSON as expected");
    }
    printf("%-19s  %-15s  %-7s  %-14s  %5s  %5s  %s\n", "ID", "KIND", "STATE", "REASON", "AGE",
           "TRIES", "INTERACTION");
    for (size_t i = 0; i < json_object_array_length(jobs); i++)
        print_job(json_object_array_get_idx(jobs, i), now_ms);
    if (json_object_object_get_ex(root, "has_more", &has_more) && json_object_get_boolean(has_more))
        fputs("bronxbot: these are the newest; there are more\n", stderr);
    json_object_put(root);
    return 0;
}

static int print_list(const struct buf *json, const struct outbox_cli_options *options,
                      int64_t now_ms, struct err *err)
{
    if (!options->is_json)
        return print_table(json->data ? json->data : "", now_ms, err);
    printf("%.*s\n", STR_ARGS(buf_view(json)));
    return 0;
}

static void print_done(const struct outbox_cli_options *options)
{
    printf("job %" PRId64 " %s\n", options->id, verbs[options->verb].done);
}

/* --- In the database --- */

static int use_database(struct db *db, const struct outbox_cli_options *options, int64_t now_ms,
                        struct err *err)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    struct migration_result pending;
    int result = db_migrations_pending(db, built_in_migrations, &pending, err);
    if (result == 0 && pending.applied_count > 0)
        result =
            err_set(err, ERR_CONFIG, "the database is of an older version: `bronxbot migrate`");
    if (result != 0)
        return result;
    if (options->verb == OUTBOX_VERB_LIST) {
        result = outbox_admin_list(db, str_from(options->state), now_ms, &json, err);
        return result == 0 ? print_list(&json, options, now_ms, err) : result;
    }
    result = verbs[options->verb].act(db, options->id, now_ms, err);
    if (result == 0)
        print_done(options);
    else if (result == ERR_NOT_FOUND || result == ERR_INVALID)
        result = err->code = ERR_BUSY;
    return result;
}

/* --- Over ADMIN_LISTEN --- */

static int code_of(int status)
{
    switch (status) {
    case 400:
        return ERR_INVALID;
    case 404:
    case 409:
        return ERR_BUSY;
    default:
        return ERR_UNAVAILABLE;
    }
}

static int ask_process(const struct config *config, const struct outbox_cli_options *options,
                       int64_t now_ms, struct err *err)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    char path[64];
    bool is_list = options->verb == OUTBOX_VERB_LIST;
    if (!is_list)
        snprintf(path, sizeof(path), "/outbox/%" PRId64 "/%s", options->id,
                 verbs[options->verb].word);
    else if (options->state)
        snprintf(path, sizeof(path), "/outbox?state=%s", options->state);
    else
        snprintf(path, sizeof(path), "/outbox");
    admin_ask(config, path, !is_list, &answer);
    if (answer.result != FETCH_ANSWERED)
        return err_set(err, ERR_UNAVAILABLE,
                       "another process has the database, and on ADMIN_LISTEN there is no bot to "
                       "ask: %s",
                       answer.reason);
    if (answer.status != 200)
        return admin_refusal(&answer, code_of(answer.status), err);
    if (is_list)
        return print_list(&answer.body, options, now_ms, err);
    print_done(options);
    return 0;
}

/* --- Either --- */

int outbox_cli_run(const struct config *config, const struct outbox_cli_options *options,
                   const struct clock *clock, struct err *err)
{
    struct db *db = NULL;
    struct str_view url = str_from(config->database_url), scheme = STR(SQLITE_SCHEME);
    bool is_file = str_starts_with(url, scheme);
    if (is_file && access(url.data + scheme.length, F_OK) != 0) /* opening would make one */
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "%s", url.data);
    const struct db_settings settings = {
        .url = config->database_url, .pool_min = 1, .pool_max = 1, .clock = clock
    };
    int result = db_open(&db, &settings, err);
    if (result == 0)
        result = use_database(db, options, clock_wall_ms(clock), err);
    else if (result == ERR_UNAVAILABLE && is_file)
        result = ask_process(config, options, clock_wall_ms(clock), err);
    db_close(db);
    return result;
}
