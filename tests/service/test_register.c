/* `bronxbot register` against a Discord that keeps what it is sent and decorates what it returns:
 * nothing is asked when nothing changed, nothing is written in a dry run, little is deleted
 * unasked, owner commands stay in their guild, and every refusal is one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "harness/bot_process.h"
#include "harness/memory.h"
#include "harness/script_server.h"
#include "registration/register.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef BRONXBOT_BINARY
#error "the build says where the binary is"
#endif

#define BOT_TOKEN   "MTA.planted-token.nobody-may-see"
#define GLOBAL_PATH "/api/applications/1000000000000000001/commands"
#define GUILD_ID    "2000000000000000002"
#define GUILD_PATH  "/api/applications/1000000000000000001/guilds/" GUILD_ID "/commands"

/* What the fake Discord answers next, before it behaves again. */
struct refusal {
    int status;
    int times; /* how often; -1: always */
    const char *headers, *body;
};

struct world {
    struct script_server *server;
    char folder[64];
    json_object *global, *guild; /* as they were sent */
    struct refusal refusal;
    const char *refused_method; /* NULL: any */
    int gets, puts;
    bool has_bad_request; /* of a shape Discord does not take */
    struct buf output;    /* of the last run: stdout and stderr */
};

/* --- The fake Discord --- */

static void put_null_when_absent(json_object *object, const char *key)
{
    if (!json_object_object_get_ex(object, key, NULL))
        must_put(object, key, NULL);
}

static void decorate_options(json_object *options, int depth)
{
    for (size_t i = 0; options && depth < 3 && i < json_object_array_length(options); i++) {
        json_object *option = json_object_array_get_idx(options, i);
        put_null_when_absent(option, "name_localizations");
        put_null_when_absent(option, "description_localizations");
        if (!json_object_object_get_ex(option, "required", NULL))
            must_put(option, "required", must_boolean(false));
        decorate_options(json_object_object_get(option, "options"), depth + 1);
    }
}

/* A copy of `set` as Discord returns it: with ids, versions, nulls, and in an order of its own. */
static json_object *decorated(json_object *set)
{
    json_object *answer = must_array();
    for (size_t i = json_object_array_length(set); i > 0; i--) {
        json_object *command = NULL;
        if (json_object_deep_copy(json_object_array_get_idx(set, i - 1), &command, NULL) != 0)
            abort();
        must_put(command, "id", must_id((int64_t)(100 + i)));
        must_put(command, "application_id", must_id(HARNESS_APPLICATION_ID));
        must_put(command, "version", must_id(77));
        must_put(command, "nsfw", must_boolean(false));
        must_put(command, "dm_permission", must_boolean(true));
        put_null_when_absent(command, "default_member_permissions");
        put_null_when_absent(command, "name_localizations");
        put_null_when_absent(command, "description_localizations");
        put_null_when_absent(command, "contexts");
        decorate_options(json_object_object_get(command, "options"), 0);
        must_append(answer, command);
    }
    return answer;
}

static void answer_with(json_object *set, struct script_answer *answer)
{
    CLEANUP(json_release) json_object *shown = decorated(set);
    buf_append(&answer->body, str_from(json_object_to_json_string(shown)));
}

static json_object **place_of(struct world *world, struct str_view path)
{
    struct str_view place;
    str_split(&path, '?', &place);
    if (str_equal(place, STR(GLOBAL_PATH)))
        return &world->global;
    return str_equal(place, STR(GUILD_PATH)) ? &world->guild : NULL;
}

static void discord(void *context, const struct script_request *request,
                    struct script_answer *answer)
{
    struct world *world = context;
    json_object **place = place_of(world, request->path);
    bool is_put = str_equal(request->method, STR("PUT"));
    world->gets += !is_put;
    world->puts += is_put;
    bool is_good = place &&
                   str_equal(script_header(request, "Authorization"), STR("Bot " BOT_TOKEN)) &&
                   str_starts_with(script_header(request, "User-Agent"), STR("DiscordBot ("));
    world->has_bad_request |= !is_good;
    bool is_refused =
        world->refusal.times != 0 &&
        (!world->refused_method || str_equal(request->method, str_from(world->refused_method)));
    if (!is_good || is_refused) {
        world->refusal.times -= world->refusal.times > 0;
        answer->status = is_good ? world->refusal.status : 400;
        answer->headers = world->refusal.headers;
        buf_append(&answer->body, str_from(world->refusal.body));
        return;
    }
    if (is_put) {
        CLEANUP(cleanup_free) char *text = must_copy(request->body);
        json_object_put(*place);
        *place = json_tokener_parse(text);
        if (!json_object_is_type(*place, json_type_array)) {
            world->has_bad_request = true;
            answer->status = 400;
            return;
        }
    }
    answer_with(*place, answer);
}

/* --- Running it --- */

/* Runs the program with `arguments`, a shell's words, in the world's folder. */
static int run_into(const struct world *world, const char *arguments, struct buf *output)
{
    char command[512];
    struct err err = { 0 };
    snprintf(command, sizeof(command), "exec %s %s 2>&1", BRONXBOT_BINARY, arguments);
    const char *const words[] = { "-c", command, NULL };
    int code = harness_run("/bin/sh", words, world->folder, output, &err);
    if (code < 0)
        fail_msg("%s", err.message);
    buf_append(output, STR(""));
    assert_null(strstr(output->data ? output->data : "", BOT_TOKEN));
    return code;
}

static int run_program(struct world *world, const char *arguments)
{
    buf_clear(&world->output);
    world->gets = 0;
    world->puts = 0;
    return run_into(world, arguments, &world->output);
}

static bool says(const struct world *world, const char *words)
{
    return world->output.data && strstr(world->output.data, words);
}

static int line_count(const struct world *world)
{
    int count = 0;
    for (size_t i = 0; i < world->output.length; i++)
        count += world->output.data[i] == '\n';
    return count;
}

static void expect(struct world *world, const char *arguments, int code, int gets, int puts)
{
    int seen = run_program(world, arguments);
    if (seen != code || world->gets != gets || world->puts != puts)
        fail_msg("%s: code %d, %d GET, %d PUT:\n%s", arguments, seen, world->gets, world->puts,
                 world->output.data);
}

static bool has_file(const struct world *world, const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", world->folder, name);
    return access(path, F_OK) == 0;
}

static void forget_database(const struct world *world)
{
    static const char *const names[] = { "", "-wal", "-shm", ".lock", ".commands-global.stale" };
    char path[160];
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        snprintf(path, sizeof(path), "%s/bronxbot.db%s", world->folder, names[i]);
        unlink(path);
    }
}

static int begin(void **state)
{
    struct world *world = must_allocate(1, sizeof(*world));
    char number[32];
    *state = world;
    snprintf(world->folder, sizeof(world->folder), "/tmp/bronx-register-XXXXXX");
    if (!mkdtemp(world->folder))
        abort();
    world->global = must_array();
    world->guild = must_array();
    world->server = script_server_start(0, discord, world);
    snprintf(number, sizeof(number), "%" PRId64, HARNESS_APPLICATION_ID);
    setenv("DISCORD_APPLICATION_ID", number, 1);
    setenv("DISCORD_BOT_TOKEN", BOT_TOKEN, 1);
    setenv("DISCORD_API_URL", script_server_url(world->server), 1);
    unsetenv("DATABASE_URL");
    unsetenv("OWNER_GUILD_ID");
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    script_server_stop(world->server);
    forget_database(world);
    rmdir(world->folder);
    json_object_put(world->global);
    json_object_put(world->guild);
    buf_free(&world->output);
    bool was_bad = world->has_bad_request;
    free(world);
    return was_bad;
}

/* --- Plan and apply --- */

static void an_unchanged_set_costs_no_call(void **state)
{
    struct world *world = *state;
    expect(world, "register", 0, 1, 1);
    assert_true(says(world, "+ /pay\n"));
    assert_true(says(world, "global: replaced\n"));
    assert_true(json_object_array_length(world->global) > 0);
    expect(world, "register", 0, 0, 0);
    assert_true(says(world, "Discord was not asked"));
    assert_int_equal(line_count(world), 1);
}

static void a_set_discord_has_already_is_not_sent_again(void **state)
{
    struct world *world = *state;
    expect(world, "register", 0, 1, 1);
    forget_database(world);
    expect(world, "register", 0, 1, 0);
    assert_true(says(world, "nothing to do"));
    expect(world, "register", 0, 0, 0);
}

static void a_dry_run_shows_the_difference_and_writes_nothing(void **state)
{
    struct world *world = *state;
    expect(world, "register --dry-run", 0, 1, 0);
    assert_true(says(world, "+ /pay\n"));
    assert_true(says(world, "a dry run"));
    assert_int_equal(json_object_array_length(world->global), 0);
    assert_false(has_file(world, "bronxbot.db"));
    expect(world, "register", 0, 1, 1);
    /* It asks Discord even when all is as remembered: somebody else may have changed it. */
    expect(world, "register --dry-run", 0, 1, 0);
    assert_true(says(world, "nothing to do"));
}

static json_object *stored(json_object *set, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(set); i++) {
        json_object *command = json_object_array_get_idx(set, i);
        if (strcmp(json_object_get_string(json_object_object_get(command, "name")), name) == 0)
            return command;
    }
    return NULL;
}

static void changes_name_their_paths_and_are_replaced(void **state)
{
    struct world *world = *state;
    expect(world, "register", 0, 1, 1);
    forget_database(world);
    json_object *pay = stored(world->global, "pay");
    must_put(pay, "description", must_text(STR("Old words")));
    json_object *options = json_object_object_get(pay, "options");
    must_put(json_object_array_get_idx(options, 1), "min_value", must_integer(77));
    expect(world, "register", 0, 1, 1);
    assert_true(says(world, "~ /pay\n"));
    assert_true(says(world, "    description: \"Old words\" -> \""));
    assert_true(says(world, "].min_value: 77 -> "));
    assert_false(says(world, "~ /balance"));
    expect(world, "register --dry-run", 0, 1, 0);
    assert_true(says(world, "nothing to do"));
}

/* So many that the table's own are less than two thirds of what is there. */
static void add_strangers(struct world *world)
{
    char name[16];
    for (int i = 0; i < 50; i++) {
        json_object *stranger = must_object();
        snprintf(name, sizeof(name), "stranger%d", i);
        must_put(stranger, "name", must_text(str_from(name)));
        must_put(stranger, "description", must_text(STR("Not ours")));
        must_append(world->global, stranger);
    }
}

static void much_is_deleted_only_when_asked(void **state)
{
    struct world *world = *state;
    add_strangers(world);
    expect(world, "register", 78, 1, 0);
    assert_true(says(world, "- /stranger0\n"));
    assert_true(says(world, "global: 50 of 50 commands would be deleted, more than a third"));
    assert_true(says(world, "use --prune"));
    expect(world, "register --dry-run", 0, 1, 0);
    assert_true(says(world, "without --prune this would be refused"));
    expect(world, "register --prune", 0, 1, 1);
    assert_null(stored(world->global, "stranger0"));
    assert_non_null(stored(world->global, "pay"));
}

static void a_third_may_go_unasked(void **state)
{
    struct world *world = *state;
    expect(world, "register", 0, 1, 1);
    forget_database(world);
    json_object *stranger = must_object();
    must_put(stranger, "name", must_text(STR("stranger")));
    must_append(world->global, stranger);
    expect(world, "register", 0, 1, 1);
    assert_true(says(world, "- /stranger\n"));
}

static void an_activitys_entry_point_is_kept(void **state)
{
    struct world *world = *state;
    json_object *launch = must_object();
    must_put(launch, "type", must_integer(4));
    must_put(launch, "name", must_text(STR("launch")));
    must_put(launch, "handler", must_integer(2));
    must_append(world->global, launch);
    expect(world, "register", 0, 1, 1);
    assert_false(says(world, "launch"));
    json_object *kept = stored(world->global, "launch");
    assert_non_null(kept);
    assert_int_equal(json_object_get_int(json_object_object_get(kept, "handler")), 2);
    expect(world, "register", 0, 0, 0);
}

static void json_output_is_one_document(void **state)
{
    struct world *world = *state;
    expect(world, "register --json --dry-run", 0, 1, 0);
    CLEANUP(json_release) json_object *document = json_tokener_parse(world->output.data);
    assert_non_null(document);
    json_object *scopes = json_object_object_get(document, "scopes");
    assert_int_equal(json_object_array_length(scopes), 1);
    json_object *scope = json_object_array_get_idx(scopes, 0);
    assert_string_equal(json_object_get_string(json_object_object_get(scope, "scope")), "global");
    assert_string_equal(json_object_get_string(json_object_object_get(scope, "outcome")),
                        "planned");
    json_object *difference = json_object_object_get(scope, "difference");
    assert_true(json_object_array_length(json_object_object_get(difference, "added")) > 0);
    assert_int_equal(json_object_get_int(json_object_object_get(document, "requests")), 1);
}

/* --- Guilds --- */

static void a_guilds_commands_are_its_own_and_doubles_are_named(void **state)
{
    struct world *world = *state;
    expect(world, "register --guild " GUILD_ID, 0, 2, 1);
    assert_true(says(world, GUILD_ID ": replaced\n"));
    assert_false(says(world, "twice"));
    assert_int_equal(json_object_array_length(world->global), 0);
    json_object *pay = stored(world->guild, "pay");
    assert_non_null(pay);
    assert_false(json_object_object_get_ex(pay, "contexts", NULL));
    assert_false(json_object_object_get_ex(pay, "integration_types", NULL));
    expect(world, "register", 0, 1, 1);
    expect(world, "register --guild " GUILD_ID, 0, 0, 0);
    expect(world, "register --guild " GUILD_ID " --dry-run", 0, 2, 0);
    assert_true(says(world, "/pay is both global and in server " GUILD_ID));
}

static handler do_nothing;

static int do_nothing(struct call *call, struct err *err)
{
    (void)call, (void)err;
    return 0;
}

/* The product's tables may have no owner commands: these have. */
static const struct command everyone = { .name = "everyone",
                                         .description = "For all",
                                         .run = do_nothing };
static const struct command owner = {
    .name = "owner", .description = "For owners", .is_owner_only = true, .run = do_nothing
};
static const struct command *const tables[] = { &everyone, &owner, NULL };

static int register_tables(struct world *world, int64_t owner_guild_id, int64_t guild_id)
{
    struct config config = { .application_id = HARNESS_APPLICATION_ID,
                             .bot_token = BOT_TOKEN,
                             .owner_guild_id = owner_guild_id };
    struct register_options options = { .guild_id = guild_id, .may_prune = true };
    struct system_clock clock;
    struct err err = { 0 };
    snprintf(config.api_url, sizeof(config.api_url), "%s", script_server_url(world->server));
    snprintf(config.database_url, sizeof(config.database_url), "sqlite:%s/bronxbot.db",
             world->folder);
    assert_int_equal(system_clock_init(&clock, NULL, &err), 0);
    world->gets = 0;
    world->puts = 0;
    int result = register_commands(&config, tables, &options, &clock.clock, &err);
    if (result != 0)
        fail_msg("%s", err.message);
    return result;
}

static bool has_exactly(json_object *set, const char *first, const char *second)
{
    size_t count = (size_t)(first != NULL) + (second != NULL);
    return json_object_array_length(set) == count && (!first || stored(set, first)) &&
           (!second || stored(set, second));
}

static void owner_commands_go_to_the_owner_guild_only(void **state)
{
    struct world *world = *state;
    int64_t guild_id = 0;
    assert_int_equal(str_to_int64(STR(GUILD_ID), &guild_id), 0);
    register_tables(world, 0, 0);
    assert_true(has_exactly(world->global, "everyone", NULL));
    assert_true(has_exactly(world->guild, NULL, NULL));
    register_tables(world, 0, guild_id);
    assert_true(has_exactly(world->guild, "everyone", NULL));
    register_tables(world, guild_id, 0);
    assert_true(has_exactly(world->global, "everyone", NULL));
    assert_true(has_exactly(world->guild, "owner", NULL));
    register_tables(world, guild_id, guild_id);
    assert_true(has_exactly(world->guild, "everyone", "owner"));
    register_tables(world, guild_id, 0);
    assert_true(has_exactly(world->guild, "owner", NULL));
    register_tables(world, guild_id, 0);
    assert_int_equal(world->gets + world->puts, 0);
}

/* --- Refusals --- */

static void each_refusal_is_one_line_that_says_what_to_do(void **state)
{
    static const struct {
        struct refusal refusal;
        int code;
        const char *words;
        bool is_in_guild;
    } refusals[] = {
        { { 401, -1, NULL, "{\"message\":\"401: Unauthorized\",\"code\":0}" },
          78,
          "DISCORD_BOT_TOKEN",
          false },
        { { 403, -1, NULL, "{\"message\":\"Missing Access\",\"code\":50001}" },
          78,
          "same application",
          false },
        { { 403, -1, NULL, "{\"message\":\"Missing Access\",\"code\":50001}" },
          78,
          "scope=bot+applications.commands",
          true },
        { { 404, -1, NULL, "{\"message\":\"Unknown Application\",\"code\":10002}" },
          78,
          "DISCORD_APPLICATION_ID",
          false },
        { { 400, -1, NULL, "{\"message\":\"Invalid Form Body\",\"code\":50035}" },
          78,
          "Invalid Form Body",
          false },
        { { 429, -1, NULL, "{\"retry_after\":3600.5,\"global\":false}" }, 69, "3601 s", false },
        { { 429, -1, "Retry-After: 60\r\n", "<html>error 1015</html>" }, 69, "60 s", false },
    };
    struct world *world = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        world->refusal = refusals[i].refusal;
        expect(world, refusals[i].is_in_guild ? "register --guild " GUILD_ID : "register",
               refusals[i].code, 1, 0);
        if (line_count(world) != 1 || !says(world, refusals[i].words))
            fail_msg("%d: %s", refusals[i].refusal.status, world->output.data);
    }
    world->refusal = (struct refusal){ 503, -1, NULL, "" };
    assert_int_equal(run_program(world, "register --dry-run"), 69);
    assert_true(says(world, "Discord answers with 503: run this again later"));
}

static void what_fails_for_a_moment_is_tried_again(void **state)
{
    static const struct refusal refusals[] = {
        { 429, 2, NULL, "{\"retry_after\":0.01,\"global\":false}" },
        { 502, 1, NULL, "<html>" },
    };
    struct world *world = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        world->refusal = refusals[i];
        expect(world, "register --dry-run", 0, 1 + refusals[i].times, 0);
        assert_true(says(world, "trying again"));
    }
}

static void what_broke_off_is_not_believed(void **state)
{
    struct world *world = *state;
    expect(world, "register", 0, 1, 1);
    forget_database(world);
    must_put(stored(world->global, "pay"), "description", must_text(STR("Old words")));
    world->refused_method = "PUT";
    world->refusal = (struct refusal){ 400, -1, NULL, "{\"message\":\"No\",\"code\":1}" };
    expect(world, "register", 78, 1, 1);
    assert_true(says(world, "~ /pay\n"));
    assert_true(has_file(world, "bronxbot.db.commands-global.stale"));
    world->refusal.times = 0;
    expect(world, "register", 0, 1, 1);
    assert_false(has_file(world, "bronxbot.db.commands-global.stale"));
    expect(world, "register", 0, 0, 0);
}

static void a_missing_setting_is_one_line(void **state)
{
    struct world *world = *state;
    unsetenv("DISCORD_BOT_TOKEN");
    expect(world, "register", 78, 0, 0);
    assert_true(says(world, "DISCORD_BOT_TOKEN is not set"));
    assert_int_equal(line_count(world), 1);
    setenv("DISCORD_BOT_TOKEN", BOT_TOKEN, 1);
    unsetenv("DISCORD_APPLICATION_ID");
    expect(world, "register", 78, 0, 0);
    assert_true(says(world, "DISCORD_APPLICATION_ID is not set"));
    assert_int_equal(line_count(world), 1);
}

static void wrong_arguments_are_refused(void **state)
{
    static const char *const wrong[] = {
        "register --guild",     "register --guild 0", "register --guild x", "register --guild -5",
        "register --guild 1 2", "register --force",   "register global",
    };
    struct world *world = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        expect(world, wrong[i], 64, 0, 0);
}

/* --- Several at once, and beside a bot that serves --- */

struct runner {
    const struct world *world;
    struct buf output;
    int code;
};

static void *run_beside(void *argument)
{
    struct runner *runner = argument;
    runner->code = run_into(runner->world, "register", &runner->output);
    return NULL;
}

#define RUNNERS 4

static void several_runs_at_once_are_harmless(void **state)
{
    struct world *world = *state;
    struct runner runners[RUNNERS] = { { 0 } };
    pthread_t threads[RUNNERS];
    for (int i = 0; i < RUNNERS; i++) {
        runners[i].world = world;
        assert_int_equal(pthread_create(&threads[i], NULL, run_beside, &runners[i]), 0);
    }
    for (int i = 0; i < RUNNERS; i++) {
        pthread_join(threads[i], NULL);
        if (runners[i].code != 0)
            fail_msg("%s", runners[i].output.data);
        buf_free(&runners[i].output);
    }
    assert_in_range(world->puts, 1, RUNNERS);
    expect(world, "register --dry-run", 0, 1, 0);
    assert_true(says(world, "nothing to do"));
}

static void a_serving_bot_is_no_hindrance_and_nothing_stale_is_believed(void **state)
{
    struct world *world = *state;
    struct harness_bot bot;
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY };
    struct err err = { 0 };
    char url[160];
    assert_int_equal(harness_bot_init(&bot, &options, &err), 0);
    snprintf(url, sizeof(url), "sqlite:%s/bronxbot.db", bot.folder);
    setenv("DATABASE_URL", url, 1);
    expect(world, "register", 0, 1, 1); /* remembered */
    assert_int_equal(harness_bot_launch(&bot, &err), 0);
    must_put(stored(world->global, "pay"), "description", must_text(STR("Another version's")));
    expect(world, "register", 0, 1, 1);
    assert_true(says(world, "asking Discord"));
    assert_true(says(world, "~ /pay"));
    assert_true(harness_bot_is_running(&bot));
    assert_int_equal(harness_bot_stop(&bot, NULL, &err), 0);
    /* The database still remembers, but what has been registered since may be something else. */
    must_put(stored(world->global, "pay"), "description", must_text(STR("Another version's")));
    expect(world, "register", 0, 1, 1);
    expect(world, "register", 0, 0, 0);
    harness_bot_fini(&bot);
    unsetenv("DATABASE_URL");
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_unchanged_set_costs_no_call, begin, end),
        cmocka_unit_test_setup_teardown(a_set_discord_has_already_is_not_sent_again, begin, end),
        cmocka_unit_test_setup_teardown(a_dry_run_shows_the_difference_and_writes_nothing, begin,
                                        end),
        cmocka_unit_test_setup_teardown(changes_name_their_paths_and_are_replaced, begin, end),
        cmocka_unit_test_setup_teardown(much_is_deleted_only_when_asked, begin, end),
        cmocka_unit_test_setup_teardown(a_third_may_go_unasked, begin, end),
        cmocka_unit_test_setup_teardown(an_activitys_entry_point_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(json_output_is_one_document, begin, end),
        cmocka_unit_test_setup_teardown(a_guilds_commands_are_its_own_and_doubles_are_named, begin,
                                        end),
        cmocka_unit_test_setup_teardown(owner_commands_go_to_the_owner_guild_only, begin, end),
        cmocka_unit_test_setup_teardown(each_refusal_is_one_line_that_says_what_to_do, begin, end),
        cmocka_unit_test_setup_teardown(what_fails_for_a_moment_is_tried_again, begin, end),
        cmocka_unit_test_setup_teardown(what_broke_off_is_not_believed, begin, end),
        cmocka_unit_test_setup_teardown(a_missing_setting_is_one_line, begin, end),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(several_runs_at_once_are_harmless, begin, end),
        cmocka_unit_test_setup_teardown(a_serving_bot_is_no_hindrance_and_nothing_stale_is_believed,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
