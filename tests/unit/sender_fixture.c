/* Sets up without asserting: a fixture that can't be made ends the program. */
#include "sender_fixture.h"

#include "db/migrate.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NEVER_MS (1000 * SENDER_LEASE_MS)

static void must(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* --- The fake Discord --- */

/* "/api/channels/N/messages", as the bot. */
static struct token *channel_of(struct sender_fixture *fixture,
                                const struct script_request *request)
{
    static const struct str_view before = { "/api/channels/", 14 };
    int64_t number;
    struct str_view rest = { request->path.data + before.length,
                             request->path.length - before.length };
    struct str_view digits;
    bool is_ours = str_equal(request->method, STR("POST")) &&
                   str_equal(script_header(request, "Authorization"), STR("Bot " BOT_TOKEN)) &&
                   str_split(&rest, '/', &digits) && str_to_uint63(digits, &number) == 0 &&
                   number < TOKENS_MAX && str_equal(rest, STR("messages"));
    return is_ours ? &fixture->tokens[number] : NULL;
}

/* A path is /api/webhooks/APPLICATION/token-N, with /messages/... for edits and deletions; or that
 * of a channel. */
static struct token *token_of(struct sender_fixture *fixture, const struct script_request *request)
{
    if (str_starts_with(request->path, STR("/api/channels/")))
        return channel_of(fixture, request);
    static const struct str_view before = { "/api/webhooks/4242/token-", 25 };
    int64_t number;
    struct str_view rest = request->path, digits;
    if (!str_starts_with(rest, before))
        return NULL;
    rest = (struct str_view){ rest.data + before.length, rest.length - before.length };
    if (!str_split(&rest, '/', &digits) || str_to_uint63(digits, &number) != 0 ||
        number >= TOKENS_MAX)
        return NULL;
    bool is_post = str_equal(request->method, STR("POST"));
    return is_post == (rest.length == 0) ? &fixture->tokens[number] : NULL;
}

/* Of a Components V2 message its first text; else the body itself. */
static void remember_text(struct token *token, struct str_view body)
{
    static const char key[] = "\"content\":\"";
    char text[sizeof(token->last)];
    const char *start = memmem(body.data, body.length, key, sizeof(key) - 1);
    struct str_view said = body;
    if (start) {
        said.data = start + sizeof(key) - 1;
        said.length = body.length - (size_t)(said.data - body.data);
        struct str_view rest = said;
        str_split(&rest, '"', &said);
    }
    snprintf(text, sizeof(text), "%.*s", STR_ARGS(said));
    token->is_disordered |= strcmp(text, token->last) < 0;
    memcpy(token->last, text, sizeof(text));
}

/* Whether a channel has a message with this one's nonce, in which case there is no second. */
static bool is_known_again(struct token *token, struct str_view body)
{
    static const char key[] = "\"nonce\":\"";
    struct str_view nonce, rest;
    const char *start = memmem(body.data, body.length, key, sizeof(key) - 1);
    if (!start || !memmem(body.data, body.length, "\"enforce_nonce\":true", 20))
        return false;
    rest.data = start + sizeof(key) - 1;
    rest.length = body.length - (size_t)(rest.data - body.data);
    must(str_split(&rest, '"', &nonce) && nonce.length > 0 && nonce.length <= 25, "a good nonce");
    for (int i = 0; i < token->nonce_count; i++)
        if (str_equal(nonce, str_from(token->nonces[i])))
            return true;
    must(token->nonce_count < NONCES_MAX, "room for a nonce");
    snprintf(token->nonces[token->nonce_count++], sizeof(token->nonces[0]), "%.*s",
             STR_ARGS(nonce));
    return false;
}

static void take_effect(struct sender_fixture *fixture, struct token *token,
                        const struct script_request *request)
{
    if (is_known_again(token, request->body)) {
        token->repeats++;
        return;
    }
    token->effects++;
    token->posts += str_equal(request->method, STR("POST"));
    if (str_equal(request->method, STR("DELETE"))) {
        token->deletes++;
        return;
    }
    remember_text(token, request->body);
    if (!str_equal(request->method, STR("PATCH")))
        return;
    int64_t now_us = clock_monotonic_us(&fixture->base.clock.clock);
    if (token->last_us != 0 && now_us - token->last_us < token->closest_us)
        token->closest_us = now_us - token->last_us;
    token->last_us = now_us;
}

void sender_discord(void *context, const struct script_request *request,
                    struct script_answer *answer)
{
    struct sender_fixture *fixture = context;
    struct token *token = token_of(fixture, request);
    fixture->requests++;
    if (!token) {
        fixture->has_other_requests = true;
        answer->status = 400;
        return;
    }
    bool has_effect = true;
    bool is_post = str_equal(request->method, STR("POST"));
    if (token->tries < (int)sizeof(token->methods) - 1)
        token->methods[token->tries] = is_post ? 'p' : request->method.data[0];
    token->tries++;
    fixture->fault(token, answer, &has_effect);
    if (has_effect)
        take_effect(fixture, token, request);
    if (answer->fate == SCRIPT_ANSWER && answer->body.length == 0)
        buf_append(&answer->body, STR("{\"id\":\"1\"}"));
}

void refuse_with(struct script_answer *answer, bool *has_effect, int status, const char *body)
{
    answer->status = status;
    buf_append(&answer->body, str_from(body));
    *has_effect = false;
}

void no_fault(struct token *token, struct script_answer *answer, bool *has_effect)
{
    (void)token, (void)answer, (void)has_effect;
}

/* --- Beginning and end --- */

static int64_t base_wall_ms(const struct clock *clock)
{
    const struct sender_fixture *fixture = CONTAINER_OF(clock, const struct sender_fixture, clock);
    return clock_wall_ms(&fixture->base.clock.clock);
}

static int64_t leaping_us(const struct clock *clock)
{
    const struct sender_fixture *fixture = CONTAINER_OF(clock, const struct sender_fixture, clock);
    return clock_monotonic_us(&fixture->base.clock.clock) + atomic_load(&fixture->leaps_us);
}

int sender_setup(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

void sender_begin(struct sender_fixture *fixture, fault *wrong)
{
    struct migration_result migrated;
    *fixture = (struct sender_fixture){ .fault = wrong,
                                        .rules = outbox_rules_default,
                                        .bot_token = BOT_TOKEN,
                                        .clock = { base_wall_ms, leaping_us } };
    for (int i = 0; i < OUTBOX_NOT_YET_TRIES; i++)
        fixture->rules.not_yet_ms[i] = 2 << i;
    fixture->rules.backoff_base_ms = 4;
    fixture->rules.backoff_cap_ms = 30;
    fixture->rules.ban_ms = 20;
    fixture->rules.patience_ms = NEVER_MS; /* whoever defers is told what became of it */
    for (int i = 0; i < TOKENS_MAX; i++)
        fixture->tokens[i] = (struct token){ .number = i, .closest_us = INT64_MAX };
    db_fixture_init(&fixture->base);
    must(db_open(&fixture->base.db, &fixture->base.settings, NULL) == 0, "the database");
    fixture->begun_ms = clock_wall_ms(&fixture->base.clock.clock);
    must(db_migrate(fixture->base.db, built_in_migrations, fixture->begun_ms, &migrated, NULL) == 0,
         "the schema");
    fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
    fixture->log =
        log_sink_new(fixture->log_fd, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, &fixture->base.clock.clock);
    must(fixture->log_fd >= 0 && fixture->log, "the log");
    fixture->server = script_server_start(0, sender_discord, fixture);
}

void sender_open_at(struct sender_fixture *fixture, const char *url)
{
    const struct outbox_settings settings = { .db = fixture->base.db,
                                              .api_url = url,
                                              .bot_token = fixture->bot_token,
                                              .role = "test",
                                              .key = { 7 },
                                              .edit_floor_ms = fixture->edit_floor_ms,
                                              .clock = &fixture->clock,
                                              .metrics = fixture->base.metrics,
                                              .log = fixture->log };
    struct err err = { 0 };
    must(outbox_new_with_rules(&fixture->outbox, &settings, &fixture->rules, &err) == 0,
         err.message);
}

void sender_open(struct sender_fixture *fixture)
{
    sender_open_at(fixture, script_server_url(fixture->server));
}

struct outbox *sender_open_mortal(struct sender_fixture *fixture)
{
    fixture->rules.lease_ms = SENDER_LEASE_MS;
    fixture->rules.heartbeat_ms = NEVER_MS;
    sender_open(fixture);
    fixture->rules.lease_ms = 0;
    fixture->rules.heartbeat_ms = 20;
    fixture->rules.poll_ms = 10;
    return fixture->outbox;
}

void sender_end_lease(struct sender_fixture *fixture, const struct outbox *outbox)
{
    atomic_fetch_add(&fixture->leaps_us, SENDER_LEASE_MS * INT64_C(1000));
    while (outbox_condition(outbox) != OUTBOX_LEASE_LOST)
        usleep(1000);
}

void sender_kill(struct sender_fixture *fixture, const struct outbox *outbox)
{
    sender_end_lease(fixture, outbox);
    must(db_fixture_run(fixture->base.db, "DELETE FROM instance") == 0, "the dead");
}

void sender_close(struct sender_fixture *fixture)
{
    outbox_free(STEAL(fixture->outbox), FREE_MS);
    must(metrics_read(fixture->base.metrics, METRIC_OUTBOX_WAITING, 0) == 0, "jobs are left");
}

void sender_end(struct sender_fixture *fixture)
{
    outbox_free(fixture->outbox, 0);
    script_server_stop(fixture->server);
    must(!fixture->has_other_requests, "requests to nobody");
    db_fixture_fini(&fixture->base);
    log_sink_free(fixture->log);
    close(fixture->log_fd);
}

/* --- Deferrals --- */

int64_t id_of_token(const struct sender_fixture *fixture, int token)
{
    return snowflake_at(fixture->begun_ms, (unsigned)token);
}

struct interaction sender_interaction(const struct sender_fixture *fixture, int token,
                                      char name[16])
{
    snprintf(name, 16, "token-%d", token);
    return (struct interaction){
        .id = id_of_token(fixture, token),
        .application_id = APPLICATION_ID,
        .type = INTERACTION_COMMAND,
        .token = str_from(name),
    };
}

static void on_stored(void *context, enum outbox_stored stored)
{
    struct sender_fixture *fixture = context;
    atomic_fetch_add(&fixture->told[stored], 1);
}

struct outbox_deferred *defer(struct sender_fixture *fixture, int token, enum outbox_run_mode mode)
{
    char name[16];
    struct outbox_deferred *deferred = NULL;
    const struct interaction interaction = sender_interaction(fixture, token, name);
    struct outbox_deferral deferral = {
        .interaction = &interaction,
        .json = str_from(name),
        .mode = mode,
        .stored = on_stored,
        .context = fixture,
    };
    snprintf(deferral.request_id, sizeof(deferral.request_id), "request-%03d", token);
    outbox_defer(fixture->outbox, &deferral, &deferred);
    return deferred;
}

void send_reply(struct sender_fixture *fixture, int token, enum outbox_method method,
                const char *body)
{
    struct outbox_deferred *deferred = defer(fixture, token, OUTBOX_RUNS_HERE);
    const struct outbox_message message = { .method = method, .body = str_from(body) };
    outbox_answered(fixture->outbox, deferred);
    outbox_finish_run(fixture->outbox, deferred, &message);
}

void send_private_reply(struct sender_fixture *fixture, int token)
{
    struct outbox_deferred *deferred = defer(fixture, token, OUTBOX_RUNS_HERE);
    const struct outbox_message message = { .method = OUTBOX_FOLLOW_UP,
                                            .body = STR("{\"content\":\"answer\"}"),
                                            .notice = STR("{\"content\":\"notice\"}"),
                                            .apology = STR("{\"content\":\"sorry\"}") };
    outbox_answered(fixture->outbox, deferred);
    outbox_finish_run(fixture->outbox, deferred, &message);
}

/* --- Authors --- */

struct outbox_target target_of_token(const struct sender_fixture *fixture, int token, char name[16])
{
    const struct interaction interaction = sender_interaction(fixture, token, name);
    return (struct outbox_target){
        .interaction_id = interaction.id,
        .application_id = APPLICATION_ID,
        .message_key = interaction.id,
        .token = interaction.token,
    };
}

int act_on(struct sender_fixture *fixture, const struct outbox_target *target,
           enum author_action action, const char *text)
{
    static const struct interaction interaction = { .type = INTERACTION_COMMAND };
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct outbox *outbox = fixture->outbox;
    struct reply *reply = reply_new(&arena, &interaction);
    must(reply, "a reply");
    reply_text(reply, "%s", text);
    switch (action) {
    case FRAME:
        return outbox_edit_frame(outbox, target, reply, NULL);
    case FINAL:
        return outbox_edit_final(outbox, target, reply, NULL);
    case FOLLOW:
        return outbox_followup(outbox, target, reply, NULL);
    default:
        return outbox_delete(outbox, target, NULL);
    }
}

int act(struct sender_fixture *fixture, int token, enum author_action action, const char *text)
{
    char name[16];
    const struct outbox_target target = target_of_token(fixture, token, name);
    return act_on(fixture, &target, action, text);
}

int post(struct sender_fixture *fixture, int token, int channel, const char *text)
{
    static const struct interaction interaction = { .type = INTERACTION_COMMAND };
    CLEANUP(arena_free) struct arena arena = { 0 };
    char name[16];
    const struct outbox_target cause = target_of_token(fixture, token, name);
    struct db_statement statement;
    struct reply *reply = reply_new(&arena, &interaction);
    must(reply, "a reply");
    reply_text(reply, "%s", text);
    int result = outbox_stage_channel_message(fixture->outbox, &cause, channel, reply, &arena,
                                              &statement, NULL);
    if (result == 0)
        result = db_atomic(fixture->base.db, &statement, 1, NULL, NULL);
    if (result == 0)
        outbox_hand_over(fixture->outbox, cause.interaction_id);
    return result;
}

/* --- What came of it --- */

int64_t sent(const struct sender_fixture *fixture)
{
    int64_t total = 0;
    for (int method = 0; method <= OUTBOX_CHANNEL_MESSAGE; method++)
        total += metrics_read(fixture->base.metrics, METRIC_OUTBOX_SENT, method);
    return total;
}

int64_t given_up(const struct sender_fixture *fixture, enum outbox_loss loss)
{
    return metrics_read(fixture->base.metrics, METRIC_OUTBOX_GIVEN_UP, (int)loss);
}

int64_t retried(const struct sender_fixture *fixture, enum outbox_retry retry)
{
    return metrics_read(fixture->base.metrics, METRIC_OUTBOX_RETRIES, (int)retry);
}

void await_number(const struct sender_fixture *fixture, const char *sql, int64_t count)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    while (db_fixture_number(fixture->base.db, sql) < count)
        nanosleep(&pause, NULL);
}

char *read_log(const struct sender_fixture *fixture)
{
    struct buf text = { 0 };
    char bytes[4096];
    off_t at = 0;
    for (ssize_t got; (got = pread(fixture->log_fd, bytes, sizeof(bytes), at)) > 0; at += got)
        buf_append_bytes(&text, bytes, (size_t)got);
    buf_append_char(&text, '\n');
    must_hold(&text);
    return text.data;
}

int count_lines_with(const char *log, const char *first, const char *second)
{
    int count = 0;
    struct str_view rest = str_from(log), line;
    while (str_split(&rest, '\n', &line))
        count += line.length > 0 && memmem(line.data, line.length, first, strlen(first)) &&
                 memmem(line.data, line.length, second, strlen(second));
    return count;
}
