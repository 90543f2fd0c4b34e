/* The sub-command `cache`. What it shows and clears is in the memory of a process that runs, so it
 * asks that one. Runs on the main thread. */
#include "cache_cli.h"

#include "bronx/cache.h"

#include "admin_cli.h"

#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define EVERYTHING "*"

int cache_cli_parse(int argument_count, char **arguments, struct cache_cli_options *options)
{
    *options = (struct cache_cli_options){ .pattern = EVERYTHING };
    const char *verb = argument_count > 0 ? arguments[0] : "";
    const char *given = argument_count > 1 ? arguments[1] : NULL;
    if (argument_count > 2)
        return ERR_INVALID;
    if (strcmp(verb, "clear") == 0) {
        options->clears = true;
        if (given)
            options->pattern = given;
        size_t length = strlen(options->pattern);
        return length > 0 && length <= CACHE_KEY_MAX ? 0 : ERR_INVALID;
    }
    options->is_json = given && strcmp(given, "--json") == 0;
    return strcmp(verb, "stats") == 0 && (!given || options->is_json) ? 0 : ERR_INVALID;
}

/* --- Asking --- */

/* As a part of a query. */
static void append_encoded(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (isalnum(byte))
            buf_append_char(out, (char)byte);
        else
            buf_append_format(out, "%%%02X", byte);
    }
}

static int ask(const struct config *config, const struct cache_cli_options *options,
               struct fetch_answer *answer, struct err *err)
{
    CLEANUP(buf_free) struct buf path = { 0 };
    buf_append(&path, STR("/cache"));
    if (options->clears) {
        buf_append(&path, STR("/clear?pattern="));
        append_encoded(&path, options->pattern);
    }
    if (path.has_failed)
        return err_set(err, ERR_MEMORY, "a pattern");
    admin_ask(config, path.data, options->clears, answer);
    if (answer->result != FETCH_ANSWERED)
        return err_set(err, ERR_UNAVAILABLE, "on ADMIN_LISTEN there is no bot to ask: %s",
                       answer->reason);
    return answer->status == 200 ? 0 : admin_refusal(answer, ERR_UNAVAILABLE, err);
}

/* --- Printing --- */

static int64_t count_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value) : 0;
}

static void print_category(struct json_object *category)
{
    struct json_object *name = NULL;
    json_object_object_get_ex(category, "name", &name);
    int64_t hits = count_of(category, "hits") + count_of(category, "shared_hits");
    int64_t reads = hits + count_of(category, "misses");
    char share[16] = "-";
    if (reads > 0)
        snprintf(share, sizeof(share), "%.1f %%", 100.0 * (double)hits / (double)reads);
    printf("%-10s %8s %12" PRId64 " %12" PRId64 " %12" PRId64 " %10" PRId64 " %12" PRId64 "\n",
           json_object_get_string(name), share, count_of(category, "hits"),
           count_of(category, "shared_hits"), count_of(category, "misses"),
           count_of(category, "evictions"), count_of(category, "bytes"));
}

static int print_stats(struct json_object *root, struct err *err)
{
    struct json_object *state = NULL, *categories = NULL;
    if (!json_object_object_get_ex(root, "state", &state) ||
        !json_object_object_get_ex(root, "categories", &categories) ||
        !json_object_is_type(categories, json_type_array))
        return err_set(err, ERR_UNAVAILABLE, "the cache's numbers are not JSON as expected");
    printf("%s\n%-10s %8s %12s %12s %12s %10s %12s\n", json_object_get_string(state), "CATEGORY",
           "HIT RATE", "MEMORY HITS", "REDIS HITS", "MISSES", "EVICTIONS", "BYTES");
    for (size_t i = 0; i < json_object_array_length(categories); i++)
        print_category(json_object_array_get_idx(categories, i));
    return 0;
}

int cache_cli_run(const struct config *config, const struct cache_cli_options *options,
                  struct err *err)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    int result = ask(config, options, &answer, err);
    if (result != 0)
        return result;
    if (options->is_json) {
        printf("%.*s\n", STR_ARGS(buf_view(&answer.body)));
        return 0;
    }
    struct json_object *root = json_tokener_parse(answer.body.data ? answer.body.data : "");
    if (options->clears)
        printf("cleared: %" PRId64 " in this process, %" PRId64 " in Redis\n",
               count_of(root, "memory"), count_of(root, "shared"));
    else
        result = print_stats(root, err);
    json_object_put(root);
    return result;
}
