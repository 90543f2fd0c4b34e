#include "crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payments.h"

#include "harness/memory.h"

#include "core/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SESSION      40  /* commands of one person, in a row */
#define SECONDS_BUSY 1.6 /* how long all threads may wait for an answer, as in harness/load.c */
#define STACK_BYTES  ((size_t)256 * 1024)
#define COMMAND_ID   42
#define CHANNEL      INT64_C(501)
#define FIRST_SERVER INT64_C(500)
#define SCATTER      2654435761U /* all kinds, in no order, the same every time */

struct crowd {
    struct crowd_options options;
    struct crowd_ask *asks;
    int next;    /* atomic: the first that nobody has taken */
    int is_over; /* atomic */
    int64_t started_us;
    pthread_t *threads;
    int thread_count;
    pthread_barrier_t connected;
};

/* --- What they say, and what they may hear --- */

static json_object *plain_command(const char *name, const struct envelope *envelope)
{
    return command_interaction(envelope, COMMAND_ID, name, NULL, NULL);
}

static json_object *privacy(const char *sub_command, const struct envelope *envelope)
{
    json_object *options = must_array();
    must_append(options, sub_command_json(sub_command, 1, NULL));
    return command_interaction(envelope, COMMAND_ID, "privacy", options, NULL);
}

static json_object *make_balance(const struct envelope *envelope, int people)
{
    (void)people;
    return plain_command("balance", envelope);
}

static json_object *make_daily(const struct envelope *envelope, int people)
{
    (void)people;
    return plain_command("daily", envelope);
}

static json_object *make_help(const struct envelope *envelope, int people)
{
    (void)people;
    return plain_command("help", envelope);
}

static json_object *make_pay(const struct envelope *envelope, int people)
{
    return payment(envelope->person.id - PAYMENTS_FIRST_PERSON, envelope->id, people,
                   envelope->place.guild_id);
}

static json_object *make_show(const struct envelope *envelope, int people)
{
    (void)people;
    return privacy("show", envelope);
}

static json_object *make_export(const struct envelope *envelope, int people)
{
    (void)people;
    return privacy("export", envelope);
}

/* So many of TURNS commands. What anybody may ask comes from all people and servers. */
static const struct kind {
    const char *command;
    int share;
    bool is_anybodys;
    json_object *(*make)(const struct envelope *envelope, int people);
    const char *words[2]; /* one of these is in a good answer */
} kinds[] = {
    { "balance", 8, false, make_balance, { "### Balance of" } },
    { "pay", 6, false, make_pay, { "receipt" } },
    { "daily", 2, false, make_daily, { "Your daily reward", "You can use `/daily` again" } },
    { "help", 2, true, make_help, { "/balance" } },
    { "privacy show", 1, true, make_show, { "What is stored about you" } },
    { "privacy export", 1, false, make_export, { "Everything that is stored about you" } },
};
#define TURNS 20

static const struct kind *kind_of(int turn)
{
    const struct kind *kind = kinds;
    for (; turn >= kind->share; kind++)
        turn -= kind->share;
    return kind;
}

enum crowd_result crowd_judge(const char *command, const char *text)
{
    const struct kind *kind = kinds;
    while (strcmp(kind->command, command) != 0)
        kind++;
    if (strstr(text, FLEET_POLITE_WORDS))
        return CROWD_TRY_AGAIN;
    for (size_t i = 0; i < ARRAY_LENGTH(kind->words); i++)
        if (kind->words[i] && strstr(text, kind->words[i]))
            return CROWD_GOOD;
    return CROWD_WRONG;
}

/* --- Who says it --- */

/* So many use the bot at a time: each sends a command every fifth of a second. */
static int active_people(const struct crowd_options *options)
{
    return options->per_second < 10 ? 2 : options->per_second / 5;
}

int crowd_spenders(const struct crowd_options *options)
{
    int active = active_people(options);
    return (options->count / (SESSION * active) + 1) * active;
}

static void choose(const struct crowd *crowd, int number, const struct kind **kind,
                   struct envelope *envelope)
{
    int active = active_people(&crowd->options);
    int person =
        (number / (SESSION * active) * active + number % active) % crowd_spenders(&crowd->options);
    *kind = kind_of((int)(((uint32_t)number * SCATTER >> 16) % TURNS));
    if ((*kind)->is_anybodys)
        person = (int)((int64_t)number * 7919 % CROWD_PEOPLE);
    *envelope = (struct envelope){
        .id = fleet_interaction_id(crowd->options.fleet, 0) + (number & 0x3fffff),
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = PAYMENTS_FIRST_PERSON + person, .name = "somebody" },
        .place = { .guild_id = FIRST_SERVER + (int64_t)person * 13 % CROWD_SERVERS,
                   .channel_id = CHANNEL,
                   .channel_name = "general",
                   .guild_locale = "en-US" },
    };
}

/* --- Sending --- */

int64_t crowd_now_ms(void)
{
    return thread_now_us() / 1000;
}

static void judge_answer(struct crowd_ask *ask, struct str_view body)
{
    ask->result = str_starts_with(body, STR("{\"type\":5")) ? CROWD_DEFERRED
                                                            : crowd_judge(ask->command, body.data);
    if (ask->result == CROWD_WRONG)
        ask->wrong = must_copy(body);
}

static void send_one(struct crowd *crowd, struct http_client *client, int number)
{
    const struct crowd_options *options = &crowd->options;
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    struct crowd_ask *ask = &crowd->asks[number];
    struct envelope envelope;
    const struct kind *kind;
    choose(crowd, number, &kind, &envelope);
    CLEANUP(json_release)
    json_object *interaction = kind->make(&envelope, crowd_spenders(options));
    *ask = (struct crowd_ask){ .id = envelope.id,
                               .command = kind->command,
                               .began_ms = crowd_now_ms() };
    bool is_answered = fleet_ask(options->fleet, client, &envelope, interaction, &answer);
    ask->ended_ms = crowd_now_ms();
    if (is_answered)
        judge_answer(ask, buf_view(&answer.body));
    else
        ask->wrong = must_format("status %d after %lld ms", answer.status,
                                 (long long)(ask->ended_ms - ask->began_ms));
}

static int64_t due_us(const struct crowd *crowd, int number)
{
    return crowd->started_us + (int64_t)number * 1000000 / crowd->options.per_second;
}

static void sleep_until(int64_t until_us)
{
    int64_t left_us = until_us - thread_now_us();
    const struct timespec pause = { left_us / 1000000, left_us % 1000000 * 1000 };
    if (left_us > 0)
        nanosleep(&pause, NULL);
}

/* All have made their connection before the first command is due. */
static void *send_in_turn(void *context)
{
    struct crowd *crowd = context;
    CLEANUP(http_client_release)
    struct http_client *client = harness_front_client(crowd->options.front);
    CLEANUP(http_answer_free) struct http_answer nothing = { 0 };
    const struct http_request hello = { .method = "GET", .path = "/" };
    (void)!http_client_send(client, &hello, &nothing, NULL);
    pthread_barrier_wait(&crowd->connected); /* the clock starts */
    pthread_barrier_wait(&crowd->connected);
    while (!__atomic_load_n(&crowd->is_over, __ATOMIC_ACQUIRE)) {
        int number = __atomic_fetch_add(&crowd->next, 1, __ATOMIC_RELAXED);
        if (number >= crowd->options.count_max)
            break;
        sleep_until(due_us(crowd, number));
        send_one(crowd, client, number);
        crowd->asks[number].wait_us = thread_now_us() - due_us(crowd, number);
    }
    return NULL;
}

struct crowd *crowd_start(const struct crowd_options *options)
{
    struct crowd *crowd = must_allocate(1, sizeof(*crowd));
    pthread_attr_t attributes;
    crowd->options = *options;
    crowd->asks = must_allocate((size_t)options->count_max, sizeof(struct crowd_ask));
    crowd->thread_count = (int)(options->per_second * SECONDS_BUSY) + 1;
    crowd->threads = must_allocate((size_t)crowd->thread_count, sizeof(pthread_t));
    pthread_barrier_init(&crowd->connected, NULL, (unsigned)crowd->thread_count + 1);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (int i = 0; i < crowd->thread_count; i++)
        if (pthread_create(&crowd->threads[i], &attributes, send_in_turn, crowd) != 0)
            abort();
    pthread_attr_destroy(&attributes);
    pthread_barrier_wait(&crowd->connected);
    crowd->started_us = thread_now_us();
    pthread_barrier_wait(&crowd->connected);
    return crowd;
}

void crowd_await(struct crowd *crowd, int count)
{
    sleep_until(due_us(crowd, count));
}

int crowd_join(struct crowd *crowd)
{
    __atomic_store_n(&crowd->is_over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < crowd->thread_count; i++)
        pthread_join(crowd->threads[i], NULL);
    return crowd->next < crowd->options.count_max ? crowd->next : crowd->options.count_max;
}

const struct crowd_ask *crowd_asks(const struct crowd *crowd)
{
    return crowd->asks;
}

void crowd_free(struct crowd *crowd)
{
    pthread_barrier_destroy(&crowd->connected);
    for (int i = 0; i < crowd->next && i < crowd->options.count_max; i++)
        free(crowd->asks[i].wrong);
    free(crowd->threads);
    free(crowd->asks);
    free(crowd);
}
