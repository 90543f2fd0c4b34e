/* Plan and apply, scope by scope: the global commands, a guild's. Runs on the main thread.
 *
 *     remembered as registered   -> nothing to do, Discord is not asked (not with --dry-run)
 *     equal to what Discord has  -> nothing to do, remembered
 *     a third would be deleted   -> refused without --prune
 *     else                       -> replaced as a whole by one request, remembered
 *
 * Two runs at once need no lock: each replaces the whole set by the same one. */
#include "registration/register.h"

#include "discord/command_diff.h"
#include "discord/command_json.h"
#include "registration/memory.h"
#include "registration/remote.h"
#include "registration/report.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SCOPES_MAX  2

/* Commands that may be deleted at once: every third. */
#define PRUNE_SHARE 3

struct registration {
    const struct config *config;
    const struct command *const *commands;
    const struct register_options *options;
    struct memory memory;
    struct remote remote;
    struct scope scopes[SCOPES_MAX];
    int scope_count;
};

static void release(struct json_object **value)
{
    json_object_put(*value);
}

/* --- Arguments --- */

int register_options_parse(int argument_count, char **arguments, struct register_options *options)
{
    *options = (struct register_options){ 0 };
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        { "--dry-run", &options->is_dry_run },
        { "--prune", &options->may_prune },
        { "--json", &options->is_json },
    };
    for (int i = 0; i < argument_count; i++) {
        bool is_known = false;
        for (size_t flag = 0; flag < ARRAY_LENGTH(flags); flag++) {
            bool is_this = strcmp(arguments[i], flags[flag].name) == 0;
            *flags[flag].flag |= is_this;
            is_known |= is_this;
        }
        if (!is_known && strcmp(arguments[i], "--guild") == 0 && i + 1 < argument_count)
            is_known = str_to_uint63(str_from(arguments[++i]), &options->guild_id) == 0 &&
                       options->guild_id > 0;
        if (!is_known)
            return ERR_INVALID;
    }
    return 0;
}

/* --- What is wanted --- */

static bool has_owner_commands(const struct command *const *commands)
{
    for (; *commands; commands++)
        if ((*commands)->is_owner_only)
            return true;
    return false;
}

static void add_scope(struct registration *registration, int64_t guild_id, bool has_global,
                      bool has_owner)
{
    struct scope *scope = &registration->scopes[registration->scope_count++];
    *scope =
        (struct scope){ .guild_id = guild_id, .has_global = has_global, .has_owner = has_owner };
    if (guild_id == 0)
        snprintf(scope->name, sizeof(scope->name), "global");
    else
        snprintf(scope->name, sizeof(scope->name), "%" PRId64, guild_id);
}

/* Owner commands go to the owner guild, whatever else is asked for. */
static void choose_scopes(struct registration *registration)
{
    int64_t guild_id = registration->options->guild_id;
    int64_t owner_guild_id = registration->config->owner_guild_id;
    bool has_owner = has_owner_commands(registration->commands);
    if (guild_id != 0) {
        add_scope(registration, guild_id, true, guild_id == owner_guild_id);
        return;
    }
    add_scope(registration, 0, true, false);
    if (has_owner && owner_guild_id != 0)
        add_scope(registration, owner_guild_id, false, true);
    else if (has_owner)
        fputs("bronxbot: OWNER_GUILD_ID is not set: owner commands are registered nowhere\n",
              stderr);
}

static int read_table(const struct registration *registration, const struct scope *scope,
                      enum command_scope which, struct json_object **set, struct err *err)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    command_list_json(registration->commands, which, &json);
    if (json.has_failed)
        return err_set(err, ERR_MEMORY, "the commands as JSON");
    return command_set_read(buf_view(&json), scope->guild_id != 0, set, err);
}

static const char *text_of(struct json_object *value)
{
    return json_object_to_json_string_ext(value,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* Of the set and of where it goes, so that a test's or another application's is not taken for ours.
 */
static int hash_wanted(const struct registration *registration, struct scope *scope,
                       struct err *err)
{
    unsigned char hash[crypto_generichash_BYTES];
    static_assert(2 * sizeof(hash) + 1 == COMMANDS_HASH_SIZE, "the hash in hexadecimal");
    CLEANUP(buf_free) struct buf text = { 0 };
    const char *json = text_of(scope->wanted);
    buf_append_format(&text, "%s\n%" PRId64 "\n%s\n%s\n", registration->config->api_url,
                      registration->config->application_id, scope->name, json ? json : "");
    if (!json || text.has_failed)
        return err_set(err, ERR_MEMORY, "the commands as JSON");
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)text.data, text.length, NULL, 0);
    sodium_bin2hex(scope->hash, sizeof(scope->hash), hash, sizeof(hash));
    return 0;
}

static int make_wanted(const struct registration *registration, struct scope *scope,
                       struct err *err)
{
    struct json_object *more = NULL;
    int result = read_table(registration, scope, scope->has_global ? SCOPE_GLOBAL : SCOPE_OWNER,
                            &scope->wanted, err);
    if (result == 0 && scope->has_global && scope->has_owner)
        result = read_table(registration, scope, SCOPE_OWNER, &more, err);
    if (result == 0 && more)
        result = command_set_add(scope->wanted, more, err);
    return result == 0 ? hash_wanted(registration, scope, err) : result;
}

/* --- What is there --- */

static int fetch(struct registration *registration, int64_t guild_id, struct json_object **set,
                 struct err *err)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    int result = remote_fetch(&registration->remote, guild_id, &json, err);
    if (result == 0)
        result = command_set_read(buf_view(&json), guild_id != 0, set, err);
    return result;
}

/* An Activity's entry point is Discord's own and must be in the set that replaces it. */
static int keep_entry_points(struct scope *scope, struct err *err)
{
    for (size_t i = 0; i < json_object_array_length(scope->existing); i++) {
        struct json_object *command = json_object_array_get_idx(scope->existing, i);
        if (!command_is_entry_point(command) || command_set_find(scope->wanted, command))
            continue;
        json_object_get(command);
        if (json_object_array_add(scope->wanted, command) != 0) {
            json_object_put(command);
            return err_set(err, ERR_MEMORY, "an entry point");
        }
    }
    return 0;
}

static int append_doubles(struct scope *scope, const struct json_object *here,
                          const struct json_object *global, struct err *err)
{
    for (size_t i = 0; i < json_object_array_length(here); i++) {
        const struct json_object *command = json_object_array_get_idx(here, i);
        CLEANUP(buf_free) struct buf title = { 0 };
        if (!command_set_find(global, command))
            continue;
        command_title(command, &title);
        struct json_object *text =
            title.has_failed ? NULL : json_object_new_string_len(title.data, (int)title.length);
        if (!text || json_object_array_add(scope->doubled, text) != 0) {
            json_object_put(text);
            return err_set(err, ERR_MEMORY, "names of commands");
        }
    }
    return 0;
}

/* People in a guild see a command twice that is both global and the guild's own. What this run does
 * not replace is looked at as it is. */
static int find_doubles(struct registration *registration, struct scope *scope, struct err *err)
{
    CLEANUP(release) struct json_object *fetched = NULL;
    const struct json_object *global = registration->scopes[0].wanted;
    if (scope->guild_id == 0)
        return 0;
    if (registration->options->guild_id != 0) {
        int result = fetch(registration, 0, &fetched, err);
        if (result != 0)
            return result;
        global = fetched;
    }
    scope->doubled = json_object_new_array();
    if (!scope->doubled)
        return err_set(err, ERR_MEMORY, "names of commands");
    bool is_replaced = scope->outcome == SCOPE_REPLACED;
    return append_doubles(scope, is_replaced ? scope->wanted : scope->existing, global, err);
}

/* --- Applying --- */

/* Who can't even leave a mark can still register. */
static void doubt(const struct registration *registration, const struct scope *scope)
{
    struct err err = { 0 };
    if (memory_doubt(&registration->memory, scope->name, &err) != 0)
        fprintf(stderr,
                "bronxbot: a later run may take an older set for this one: check it with --dry-run "
                "(%s)\n",
                err.message);
}

/* Not to remember costs a request at the next run, no more. */
static void remember(const struct registration *registration, const struct scope *scope)
{
    struct err err = { 0 };
    if (memory_store(&registration->memory, scope->name, scope->hash, &err) == 0)
        return;
    fprintf(stderr, "bronxbot: not remembered (%s)\n", err.message);
    doubt(registration, scope);
}

static bool is_remembered(const struct registration *registration, const struct scope *scope)
{
    struct err err = { 0 };
    int result = memory_has(&registration->memory, scope->name, scope->hash, &err);
    if (result < 0)
        fprintf(stderr,
                "bronxbot: what was registered last can't be looked up (%s): asking Discord\n",
                err.message);
    return result > 0;
}

static int refuse_to_prune(const struct scope *scope, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "%s: %zu of %zu commands would be deleted, more than a third: look at it with "
                   "--dry-run, then use --prune",
                   scope->name, command_diff_count(scope->difference, "deleted"),
                   json_object_array_length(scope->existing));
}

/* Discord may store something else than it was sent; each look at it would find a difference. */
static int check_stored(const struct scope *scope, const struct buf *answer, struct err *err)
{
    CLEANUP(release) struct json_object *stored = NULL;
    CLEANUP(release) struct json_object *difference = NULL;
    CLEANUP(buf_free) struct buf text = { 0 };
    int result = command_set_read(buf_view(answer), scope->guild_id != 0, &stored, err);
    if (result == 0)
        result = command_diff(scope->wanted, stored, &difference, err);
    if (result != 0 || command_diff_is_empty(difference))
        return result;
    command_diff_print(difference, &text);
    fprintf(stderr, "bronxbot: %s: Discord has stored something else than it was sent:\n%.*s",
            scope->name, STR_ARGS(buf_view(&text)));
    return 0;
}

static int replace(struct registration *registration, struct scope *scope, struct err *err)
{
    CLEANUP(buf_free) struct buf answer = { 0 };
    const char *json = text_of(scope->wanted);
    scope->outcome = SCOPE_FAILED;
    if (!json)
        return err_set(err, ERR_MEMORY, "the commands as JSON");
    doubt(registration, scope);
    int result =
        remote_replace(&registration->remote, scope->guild_id, str_from(json), &answer, err);
    if (result != 0)
        return result;
    scope->outcome = SCOPE_REPLACED;
    remember(registration, scope);
    /* It is done all the same. */
    struct err remark = { 0 };
    if (check_stored(scope, &answer, &remark) != 0)
        fprintf(stderr, "bronxbot: %s: Discord's answer: %s\n", scope->name, remark.message);
    return 0;
}

static int apply(struct registration *registration, struct scope *scope, struct err *err)
{
    const struct register_options *options = registration->options;
    size_t deleted = command_diff_count(scope->difference, "deleted");
    if (command_diff_is_empty(scope->difference)) {
        scope->outcome = SCOPE_EQUAL;
        if (!options->is_dry_run)
            remember(registration, scope);
        return 0;
    }
    scope->needs_prune = deleted * PRUNE_SHARE > json_object_array_length(scope->existing);
    if (options->is_dry_run) {
        scope->outcome = SCOPE_PLANNED;
        return 0;
    }
    if (scope->needs_prune && !options->may_prune) {
        scope->outcome = SCOPE_REFUSED;
        return 0;
    }
    return replace(registration, scope, err);
}

static int run_scope(struct registration *registration, struct scope *scope, struct err *err)
{
    if (!registration->options->is_dry_run && is_remembered(registration, scope)) {
        scope->outcome = SCOPE_REMEMBERED;
        return 0;
    }
    int result = fetch(registration, scope->guild_id, &scope->existing, err);
    if (result == 0)
        result = keep_entry_points(scope, err);
    if (result == 0)
        result = command_diff(scope->existing, scope->wanted, &scope->difference, err);
    if (result == 0)
        result = apply(registration, scope, err);
    if (result != 0)
        return result;
    struct err remark = { 0 };
    if (find_doubles(registration, scope, &remark) != 0)
        fprintf(stderr, "bronxbot: %s: commands people see twice: %s\n", scope->name,
                remark.message);
    return scope->outcome == SCOPE_REFUSED ? refuse_to_prune(scope, err) : 0;
}

/* --- The run --- */

static void free_scope(struct scope *scope)
{
    json_object_put(scope->wanted);
    json_object_put(scope->existing);
    json_object_put(scope->difference);
    json_object_put(scope->doubled);
}

static int check_settings(const struct config *config, struct err *err)
{
    if (config->application_id == 0)
        return err_set(err, ERR_CONFIG,
                       "DISCORD_APPLICATION_ID is not set: copy it from the Developer Portal, "
                       "General Information");
    if (!config->bot_token[0])
        return err_set(err, ERR_CONFIG,
                       "DISCORD_BOT_TOKEN is not set: make one in the Developer Portal, Bot, Reset "
                       "Token");
    return 0;
}

int register_commands(const struct config *config, const struct command *const *commands,
                      const struct register_options *options, const struct clock *clock,
                      struct err *err)
{
    struct registration registration = {
        .config = config,
        .commands = commands,
        .options = options,
        .memory = { config, clock },
        .remote = { .rest = { .api_url = config->api_url,
                              .bot_token = config->bot_token,
                              .ca_file = config->ca_file },
                    .application_id = config->application_id },
    };
    int result = check_settings(config, err);
    if (result == 0)
        result = command_list_check(commands, err);
    if (result != 0)
        return result;
    signal(SIGPIPE, SIG_IGN); /* a connection that breaks is an error code */
    choose_scopes(&registration);
    for (int i = 0; i < registration.scope_count && result == 0; i++)
        result = make_wanted(&registration, &registration.scopes[i], err);
    for (int i = 0; i < registration.scope_count && result == 0; i++)
        result = run_scope(&registration, &registration.scopes[i], err);
    const struct register_report report = { options, registration.scopes, registration.scope_count,
                                            registration.remote.call_count };
    register_report_print(&report);
    for (int i = 0; i < registration.scope_count; i++)
        free_scope(&registration.scopes[i]);
    return result;
}
