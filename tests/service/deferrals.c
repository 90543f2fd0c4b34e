#include "deferrals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX      12
/* The bot's edit is on its way before this test has said that its interaction is answered: as long
 * as the slowest machine needs for that. */
#define CLOSE_MS       10000
#define CHANNEL        INT64_C(501)
/* Ids of another process in the same millisecond are other ones. */
#define GUEST_SEQUENCE (1U << 21)

static const struct person alice = { INT64_C(7000000000000000001), "alice", false };

void deferrals_set(struct deferrals *deferrals, const char *line)
{
    for (int i = 0; i < DEFERRALS_LINES_MAX - 1; i++) {
        if (!deferrals->environment[i]) {
            deferrals->environment[i] = line;
            return;
        }
    }
    fail_msg("more than %d lines", DEFERRALS_LINES_MAX - 1);
}

static void init_bot(struct deferrals *deferrals)
{
    struct err err = { 0 };
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .environment = deferrals->environment,
                                                 .keeps_socket = true };
    *deferrals = (struct deferrals){ 0 };
    assert_true(sodium_init() >= 0);
    if (harness_bot_init(&deferrals->bot, &options, &err) != 0)
        fail_msg("%s", err.message);
}

static void point_to_discord(struct deferrals *deferrals)
{
    snprintf(deferrals->api_line, sizeof(deferrals->api_line), "DISCORD_API_URL=%s",
             rest_server_url(deferrals->discord));
    deferrals_set(deferrals, deferrals->api_line);
    deferrals_set(deferrals, "DEFER_AFTER_MS=0");
    deferrals->client = http_client_new(&deferrals->bot.listen);
}

void deferrals_init(struct deferrals *deferrals, const struct rest_limits *limits)
{
    struct err err = { 0 };
    struct rest_server_settings settings = { .close_ms = CLOSE_MS };
    init_bot(deferrals);
    settings.shift_ms = deferrals->bot.shift_ms;
    if (limits)
        settings.limits = *limits;
    assert_int_equal(rest_server_start(&deferrals->discord, &settings, &err), 0);
    point_to_discord(deferrals);
}

void deferrals_init_beside(struct deferrals *deferrals, const struct deferrals *host)
{
    init_bot(deferrals);
    deferrals->discord = host->discord;
    deferrals->is_guest = true;
    deferrals->sequence = GUEST_SEQUENCE;
    point_to_discord(deferrals);
}

void deferrals_launch(struct deferrals *deferrals)
{
    struct err err = { 0 };
    if (harness_bot_launch(&deferrals->bot, &err) != 0)
        fail_msg("%s", err.message);
}

void deferrals_fini(struct deferrals *deferrals)
{
    http_client_free(deferrals->client);
    harness_bot_kill(&deferrals->bot, SIGKILL);
    /* It may still answer who was killed, and reads the bot's clock. */
    if (!deferrals->is_guest)
        rest_server_stop(deferrals->discord);
    harness_bot_fini(&deferrals->bot);
}

void deferrals_fault(struct deferrals *deferrals, const char *text)
{
    const char *words[WORDS_MAX];
    char *copy = must_copy(str_from(text)), *rest = copy, *word;
    struct err err = { 0 };
    size_t count = 0;
    while (count < WORDS_MAX && (word = strsep(&rest, " ")))
        words[count++] = word;
    int result = rest_server_read_fault(deferrals->discord, words, count, &err);
    free(copy);
    if (result != 0)
        fail_msg("%s: %s", text, err.message);
}

int64_t deferrals_ask(struct deferrals *deferrals)
{
    return deferrals_ask_for(deferrals, "help");
}

int64_t deferrals_ask_for(struct deferrals *deferrals, const char *command)
{
    const struct envelope envelope = {
        .id = snowflake_at(harness_bot_now_ms(&deferrals->bot), ++deferrals->sequence),
        .application_id = HARNESS_APPLICATION_ID,
        .person = alice,
        .place = { .guild_id = 500, .channel_id = CHANNEL, .channel_name = "general" },
    };
    const struct rest_interaction asked = { .id = envelope.id,
                                            .type = 2,
                                            .channel_id = CHANNEL,
                                            .person = alice,
                                            .command_name = command };
    struct err err = { 0 };
    struct harness_signature signature;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(json_release)
    json_object *interaction = command_interaction(&envelope, 42, command, NULL, NULL);
    interaction_bytes(interaction, &body);
    harness_sign(&deferrals->bot.keys, harness_bot_now_ms(&deferrals->bot) / 1000, buf_view(&body),
                 &signature);
    rest_server_ask(deferrals->discord, &asked);
    if (http_client_post_signed(deferrals->client, &signature, buf_view(&body), &answer, &err) != 0)
        fail_msg("%s", err.message);
    if (answer.status != 200 || !str_starts_with(buf_view(&answer.body), STR("{\"type\":5")))
        fail_msg("not deferred but %d %s", answer.status, answer.body.data ? answer.body.data : "");
    rest_server_answered(deferrals->discord, envelope.id, buf_view(&answer.body));
    return envelope.id;
}

void deferrals_restart(struct deferrals *deferrals, int signal_number)
{
    struct err err = { 0 };
    int exit_code = 0;
    if (signal_number == SIGKILL)
        harness_bot_kill(&deferrals->bot, SIGKILL);
    else if (harness_bot_stop(&deferrals->bot, &exit_code, &err) != 0 || exit_code != 0)
        fail_msg("left with %d; %s", exit_code, err.message);
    rest_server_bot_was_killed(deferrals->discord);
    deferrals_launch(deferrals);
}

size_t deferrals_arrived(struct deferrals *deferrals, const int64_t *ids, size_t count)
{
    size_t arrived = 0;
    for (size_t i = 0; i < count; i++)
        arrived += rest_server_wait_edits(deferrals->discord, ids[i], 1, DEFERRALS_ARRIVAL_MS);
    return arrived;
}

void deferrals_assert_no_violation(struct deferrals *deferrals)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_server_first_violation(deferrals->discord, &violation);
    if (violation.length > 0)
        fail_msg("%s", violation.data);
}
