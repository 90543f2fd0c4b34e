/* Sets up without asserting: a test of another kind uses it, too. */
#include "router_fixture.h"

#include "commands.h"
#include "discord/interaction_parse.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int router_fixture_set_budget(struct router_fixture *fixture, int64_t defer_after_ms)
{
    const struct router_settings settings = {
        .commands = fixture->base.services.commands,
        .ask_for_terms = ask_for_terms,
        .services = &fixture->base.services,
        .owners = &fixture->owners,
        .executor = fixture->executor,
        .defer_after_ms = defer_after_ms,
        .metrics = fixture->metrics,
        .log = fixture->log,
    };
    struct err err = { 0 };
    router_free(STEAL(fixture->router));
    int result = router_new(&fixture->router, &settings, &err);
    if (result != 0)
        fprintf(stderr, "%s\n", err.message);
    return result;
}

int router_fixture_open(struct router_fixture *fixture, const struct command *const *commands,
                        int threads, int queue)
{
    *fixture = (struct router_fixture){ .log_fd = -1 };
    if (service_fixture_open(&fixture->base) != 0)
        return 1;
    struct service_fixture *base = &fixture->base;
    base->services.commands = commands ? commands : all_commands;
    fake_outbox_init(&fixture->outbox);
    base->services.outbox = &fixture->outbox;
    fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
    fixture->metrics = metrics_new();
    fixture->log =
        log_sink_new(fixture->log_fd, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, &fixture->base.clock);
    fixture->owners = (struct owner_ids){ .ids = { FIXTURE_OWNER }, .count = 1 };
    const struct executor_settings executor = { .threads_min = threads,
                                                .threads_max = threads,
                                                .queue_max = queue,
                                                .clock = &base->clock,
                                                .metrics = fixture->metrics };
    struct err err = { 0 };
    if (fixture->log_fd < 0 || !fixture->metrics || !fixture->log ||
        executor_new(&fixture->executor, &executor, &err) != 0)
        return 1;
    return router_fixture_set_budget(fixture, 1000); /* of a clock that stands still */
}

void router_fixture_close(struct router_fixture *fixture)
{
    executor_free(fixture->executor);
    router_free(fixture->router);
    fake_outbox_fini(&fixture->outbox);
    log_sink_free(fixture->log);
    metrics_free(fixture->metrics);
    if (fixture->log_fd >= 0)
        close(fixture->log_fd);
    service_fixture_close(&fixture->base);
}

static void append_message(const struct ask *ask, struct buf *json)
{
    buf_append_format(json,
                      "\"message\":{\"id\":\"9\",\"channel_id\":\"5\",\"content\":\"\","
                      "\"flags\":32768,\"author\":{\"id\":\"2\",\"username\":\"bot\"},"
                      "\"interaction_metadata\":{\"id\":\"8\",\"type\":2,\"user\":"
                      "{\"id\":\"%" PRId64 "\",\"username\":\"invoker\"}}",
                      ask->invoker_id);
    if (ask->last_text)
        buf_append_format(json, ",\"components\":[{\"type\":10,\"content\":\"%s\"}]",
                          ask->last_text);
    buf_append(json, STR("},"));
}

static void append_who(const struct ask *ask, struct buf *json)
{
    if (ask->guild_id)
        buf_append_format(json,
                          "\"guild_id\":\"%" PRId64 "\",\"context\":0,\"member\":{\"roles\":[],"
                          "\"permissions\":\"%" PRIu64 "\",\"user\":",
                          ask->guild_id, ask->permissions);
    else
        buf_append(json, STR("\"context\":1,\"user\":"));
    buf_append_format(json, "{\"id\":\"%" PRId64 "\",\"username\":\"someone\"}%s,", ask->user_id,
                      ask->guild_id ? "}" : "");
}

void router_fixture_json(const struct ask *ask, struct buf *json)
{
    buf_append_format(json,
                      "{\"type\":%d,\"id\":\"%" PRId64 "\",\"application_id\":\"2\","
                      "\"token\":\"a-secret-token\",\"channel_id\":\"5\",\"locale\":\"%s\",",
                      ask->type, ask->id, ask->locale ? ask->locale : "en-US");
    append_who(ask, json);
    if (ask->invoker_id)
        append_message(ask, json);
    buf_append_format(json, "\"data\":%s}", ask->data ? ask->data : "{}");
}

struct waiting {
    sem_t is_answered;
    struct buf *body;
};

static void on_done(void *context, struct router_answer *answer)
{
    struct waiting *waiting = context;
    *waiting->body = answer->body;
    answer->body = (struct buf){ 0 };
    if (answer->sent)
        answer->sent(answer->ticket, true);
    sem_post(&waiting->is_answered);
}

int router_fixture_post(struct router_fixture *fixture, struct str_view json, struct buf *body)
{
    struct interaction *interaction;
    struct err err = { 0 };
    char request_id[REQUEST_ID_SIZE];
    *body = (struct buf){ 0 };
    int result = interaction_parse(json, &interaction, &err);
    if (result != 0) {
        if (result != ERR_MEMORY)
            fprintf(stderr, "%s\n", err.message);
        return result;
    }
    struct waiting waiting = { .body = body };
    sem_init(&waiting.is_answered, 0, 0);
    request_id_new(request_id);
    router_dispatch(fixture->router, interaction, request_id, on_done, &waiting);
    sem_wait(&waiting.is_answered);
    sem_destroy(&waiting.is_answered);
    if (body->length == 0 || body->has_failed)
        buf_free(body);
    return 0;
}

void router_fixture_ask(struct router_fixture *fixture, const struct ask *ask, struct buf *body)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    router_fixture_json(ask, &json);
    if (router_fixture_post(fixture, buf_view(&json), body) != 0)
        abort();
}

void router_fixture_log(const struct router_fixture *fixture, struct buf *log)
{
    char block[4096];
    ssize_t got;
    buf_clear(log);
    buf_append(log, STR(""));
    for (off_t at = 0; (got = pread(fixture->log_fd, block, sizeof(block), at)) > 0; at += got)
        buf_append_bytes(log, block, (size_t)got);
}
