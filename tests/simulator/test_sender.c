/* The bot's own sender against the simulated REST API: whatever happens to the first tries, each
 * edit arrives and no rule of Discord's is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/system_clock.h"
#include "db/migrate.h"
#include "harness/bot_process.h"
#include "harness/memory.h"
#include "outbox/outbox.h"
#include "simulator/rest_server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EDITS      20
#define ARRIVAL_MS 60000 /* far more than it takes: nothing is asserted on time */
#define STOP_MS    1000

struct sender {
    char folder[32];
    struct db *db;
    struct rest_server *server;
    struct system_clock clock;
    struct log_sink *log;
    struct outbox *outbox;
    int log_fd;
};

static void open_database(struct sender *sender)
{
    char url[64];
    struct err err = { 0 };
    struct migration_result migrated;
    snprintf(sender->folder, sizeof(sender->folder), "/tmp/bronxbot-sender.XXXXXX");
    assert_non_null(mkdtemp(sender->folder));
    snprintf(url, sizeof(url), "sqlite:%s/bronxbot.db", sender->folder);
    const struct db_settings settings = {
        .url = url, .pool_min = 1, .pool_max = 4, .clock = &sender->clock.clock
    };
    if (db_open(&sender->db, &settings, &err) != 0 ||
        db_migrate(sender->db, built_in_migrations, 1, &migrated, &err) != 0)
        fail_msg("%s", err.message);
}

static void start(struct sender *sender)
{
    struct err err = { 0 };
    const struct rest_server_settings settings = { 0 };
    *sender = (struct sender){ .log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
    assert_int_equal(system_clock_init(&sender->clock, NULL, &err), 0);
    assert_int_equal(rest_server_start(&sender->server, &settings, &err), 0);
    sender->log =
        log_sink_new(sender->log_fd, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, &sender->clock.clock);
    open_database(sender);
    const struct outbox_settings outbox_settings = { .db = sender->db,
                                                     .api_url = rest_server_url(sender->server),
                                                     .role = "test",
                                                     .clock = &sender->clock.clock,
                                                     .log = sender->log };
    assert_int_equal(outbox_new(&sender->outbox, &outbox_settings, &err), 0);
}

static void finish(struct sender *sender)
{
    outbox_free(sender->outbox, STOP_MS);
    rest_server_stop(sender->server);
    db_close(sender->db);
    harness_remove_folder(sender->folder);
    log_sink_free(sender->log);
    system_clock_fini(&sender->clock);
    close(sender->log_fd);
}

static void on_stored(void *context, enum outbox_stored stored)
{
    (void)context;
    (void)stored;
}

/* An interaction that was just answered "deferred", and its edit. */
static int64_t defer_and_edit(struct sender *sender, unsigned sequence)
{
    char token[64];
    struct outbox_deferred *deferred = NULL;
    const int64_t id = snowflake_at(clock_wall_ms(&sender->clock.clock), sequence);
    const struct rest_interaction asked = {
        .id = id, .type = 2, .channel_id = 7, .person = { 5, "alice", false }
    };
    interaction_token(id, token, sizeof(token));
    rest_server_ask(sender->server, &asked);
    rest_server_answered(sender->server, id, STR("{\"type\":5}"));
    const struct interaction interaction = { .id = id,
                                             .type = INTERACTION_COMMAND,
                                             .application_id = HARNESS_APPLICATION_ID,
                                             .token = str_from(token) };
    const struct outbox_deferral deferral = { .interaction = &interaction,
                                              .json = STR("{}"),
                                              .mode = OUTBOX_RUNS_HERE,
                                              .stored = on_stored };
    const struct outbox_message message = {
        .method = OUTBOX_EDIT,
        .body = STR("{\"content\":\"done\",\"allowed_mentions\":{\"parse\":[]}}"),
    };
    outbox_defer(sender->outbox, &deferral, &deferred);
    outbox_answered(sender->outbox, deferred);
    outbox_finish_run(sender->outbox, deferred, &message);
    return id;
}

static void every_edit_arrives_at_each_fault(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct rest_fault fault;
        int intake_ms;
    } cases[] = {
        { "no fault", { .count = 1, .kind = FAULT_DELAY }, 0 },
        { "404 until taken in", { .count = 1, .kind = FAULT_DELAY }, 400 },
        { "404 code 10015",
          { .count = EDITS, .kind = FAULT_STATUS, .status = 404, .code = 10015 },
          0 },
        { "429",
          { .count = EDITS, .kind = FAULT_STATUS, .status = 429, .retry_after_ms = 300 },
          0 },
        { "global 429",
          { .count = 1,
            .kind = FAULT_STATUS,
            .status = 429,
            .retry_after_ms = 300,
            .is_global = true },
          0 },
        { "502", { .count = EDITS, .kind = FAULT_STATUS, .status = 502 }, 0 },
        { "reset before", { .count = EDITS, .kind = FAULT_RESET_BEFORE }, 0 },
        { "reset after", { .count = EDITS, .kind = FAULT_RESET_AFTER }, 0 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct sender sender;
        int64_t ids[EDITS];
        size_t arrived = 0;
        CLEANUP(buf_free) struct buf violation = { 0 };
        start(&sender);
        rest_server_add_fault(sender.server, &cases[i].fault);
        rest_server_set_intake(sender.server, cases[i].intake_ms);
        for (unsigned n = 0; n < EDITS; n++)
            ids[n] = defer_and_edit(&sender, n + 1);
        for (unsigned n = 0; n < EDITS; n++)
            arrived += rest_server_wait_edits(sender.server, ids[n], 1, ARRIVAL_MS);
        rest_server_first_violation(sender.server, &violation);
        bool is_tolerated = cases[i].fault.is_global; /* 20 were on their way */
        print_message("%-20s %zu of %d edits in %zu requests\n", cases[i].name, arrived, EDITS,
                      rest_server_arrivals(sender.server));
        if (arrived != EDITS || (violation.length > 0 && !is_tolerated))
            fail_msg("%s: %zu of %d edits arrived; %s", cases[i].name, arrived, EDITS,
                     violation.data ? violation.data : "no violation");
        finish(&sender);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_edit_arrives_at_each_fault) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
