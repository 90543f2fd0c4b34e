#include "newcomers.h"

#include "harness/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMAND_ID 42
#define CHANNEL    INT64_C(501)
#define CHECKBOXES 22
#define AGAIN_MS   50 /* a person tries again */
/* In the interaction ids, apart from the crowd's. */
#define SEQUENCE   4000000U

struct newcomers {
    struct newcomers_options options;
    struct newcomers_result result;
    struct http_client *client;
    int64_t person_id; /* of the story that is told */
    int is_over;       /* atomic */
    pthread_t thread;
};

static void pause_ms(int milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&pause, NULL);
}

/* --- Steps --- */

static json_object *make_balance(const struct envelope *envelope)
{
    return command_interaction(envelope, COMMAND_ID, "balance", NULL, NULL);
}

static json_object *make_acceptance(const struct envelope *envelope)
{
    json_object *values = must_array(), *components = must_array();
    must_append(values, must_text(STR("accepted")));
    must_append(components,
                submitted_label(1, submitted_field(CHECKBOXES, 2, "agreement", "values", values)));
    return modal_interaction(envelope, "tos:1:0:accept", components, NULL, NULL);
}

enum step { STEP_BLOCKED, STEP_ACCEPTED, STEP_SERVED, STEP_COUNT };

static const struct {
    json_object *(*make)(const struct envelope *envelope);
    const char *words[2]; /* one of these says that the step is done */
    const char *stale;    /* this, that another instance does not know yet what one knows */
} steps[STEP_COUNT] = {
    [STEP_BLOCKED] = { make_balance, { "please read and accept" }, NULL },
    /* "Thank you" when a first submission was cut off, but counted. */
    [STEP_ACCEPTED] = { make_acceptance, { "**Welcome!**", "Thank you" }, NULL },
    [STEP_SERVED] = { make_balance, { "### Balance of" }, "please read and accept" },
};

static void note_failure(struct newcomers *newcomers, const char *what)
{
    if (!newcomers->result.failure[0])
        snprintf(newcomers->result.failure, sizeof(newcomers->result.failure), "%s", what);
}

/* What a person sees in the end, once it is there: false when that is a message of its own instead
 * of the promised one, which is not looked at, or nothing at all. */
static bool hear(struct newcomers *newcomers, int64_t interaction_id, struct buf *text)
{
    if (!str_starts_with(buf_view(text), STR("{\"type\":5")))
        return true;
    enum fleet_reply reply = fleet_await_reply(newcomers->options.fleet, interaction_id, text);
    if (reply == FLEET_REPLY_MISSING)
        note_failure(newcomers, "an edit is missing");
    return reply == FLEET_REPLY_SHOWN;
}

enum progress { NOT_YET, DONE, FAILED };

static enum progress judge(struct newcomers *newcomers, enum step step, const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(steps[step].words); i++)
        if (steps[step].words[i] && strstr(text, steps[step].words[i]))
            return DONE;
    if (strstr(text, FLEET_POLITE_WORDS)) {
        newcomers->result.refused++;
        return NOT_YET;
    }
    if (steps[step].stale && strstr(text, steps[step].stale)) {
        newcomers->result.asked_anew++;
        return NOT_YET;
    }
    note_failure(newcomers, text);
    return FAILED;
}

static enum progress try_step(struct newcomers *newcomers, enum step step)
{
    struct fleet *fleet = newcomers->options.fleet;
    const struct envelope envelope = {
        .id = fleet_interaction_id(fleet, 0) + SEQUENCE,
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = newcomers->person_id, .name = "newcomer" },
        .place = { .guild_id = 500, .channel_id = CHANNEL, .channel_name = "general" },
    };
    CLEANUP(json_release) json_object *interaction = steps[step].make(&envelope);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    if (!fleet_ask(fleet, newcomers->client, &envelope, interaction, &answer)) {
        newcomers->result.refused++;
        return NOT_YET;
    }
    if (!hear(newcomers, envelope.id, &answer.body))
        return newcomers->result.failure[0] ? FAILED : NOT_YET;
    return judge(newcomers, step, answer.body.data);
}

static bool do_step(struct newcomers *newcomers, enum step step)
{
    enum progress progress;
    for (int waited = 0; (progress = try_step(newcomers, step)) == NOT_YET; waited += AGAIN_MS) {
        if (waited >= FLEET_PATIENCE_MS) {
            note_failure(newcomers, "in vain");
            return false;
        }
        pause_ms(AGAIN_MS);
    }
    return progress == DONE;
}

static void *tell_stories(void *context)
{
    struct newcomers *newcomers = context;
    newcomers->client = harness_front_client(newcomers->options.front);
    while (!newcomers->result.failure[0] &&
           !__atomic_load_n(&newcomers->is_over, __ATOMIC_ACQUIRE)) {
        bool is_told = true;
        newcomers->person_id = NEWCOMERS_FIRST_PERSON + newcomers->result.people;
        for (int step = 0; step < STEP_COUNT && is_told; step++)
            is_told = do_step(newcomers, (enum step)step);
        newcomers->result.people += is_told;
        pause_ms(newcomers->options.pause_ms);
    }
    http_client_free(newcomers->client);
    return NULL;
}

struct newcomers *newcomers_start(const struct newcomers_options *options)
{
    struct newcomers *newcomers = must_allocate(1, sizeof(*newcomers));
    newcomers->options = *options;
    if (pthread_create(&newcomers->thread, NULL, tell_stories, newcomers) != 0)
        abort();
    return newcomers;
}

void newcomers_join(struct newcomers *newcomers, struct newcomers_result *result)
{
    __atomic_store_n(&newcomers->is_over, 1, __ATOMIC_RELEASE);
    pthread_join(newcomers->thread, NULL);
    *result = newcomers->result;
    free(newcomers);
}
