/* How much of the raw signature rate is left for Discord: `./dev bench http`.
 *
 * The bot runs on core 0 with a fresh database, this program on core 1, so neither takes the
 * other's time. The yardstick is libsodium's verification of a message of the same size on core 0
 * in the same run, since a machine's speed differs from minute to minute. */
#include "harness/http_client.h"
#include "load.h"
#include "player.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS_PER_RUN 20000
/* Before and after each measurement, since neighbours change a core's speed by the second. */
#define RAW_US           INT64_C(300000)
#define US_PER_SECOND    INT64_C(1000000)

enum { CORE_OF_BOT = 0, CORE_OF_LOAD = 1 };

/* --- the raw rate --- */

struct raw {
    double per_second;
    double cpu_us; /* of one verification */
};

static int64_t own_processor_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * US_PER_SECOND + used.tv_nsec / 1000;
}

static struct raw measure_raw(struct player *player, enum player_request kind)
{
    unsigned char key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
    unsigned char signature[crypto_sign_BYTES];
    CLEANUP(buf_free) struct buf message = { 0 };
    player_signed_bytes(player, kind, &message);
    const unsigned char *bytes = (const unsigned char *)message.data;
    crypto_sign_keypair(key, secret);
    crypto_sign_detached(signature, NULL, bytes, message.length, secret);
    load_run_on_core(CORE_OF_BOT);
    int64_t started_us = load_now_us(), now_us = started_us;
    int64_t count = 0, bad = 0, used_us = own_processor_us();
    while (now_us - started_us < RAW_US) {
        for (int i = 0; i < 100; i++)
            bad += crypto_sign_verify_detached(signature, bytes, message.length, key) != 0;
        count += 100;
        now_us = load_now_us();
    }
    used_us = own_processor_us() - used_us;
    load_run_on_core(CORE_OF_LOAD);
    return (struct raw){
        .per_second = bad ? 0 : (double)count * 1e6 / (double)(now_us - started_us),
        .cpu_us = (double)used_us / (double)count,
    };
}

static struct raw mean_raw(struct raw a, struct raw b)
{
    return (struct raw){ (a.per_second + b.per_second) / 2, (a.cpu_us + b.cpu_us) / 2 };
}

/* --- the start --- */

struct first_ping {
    const struct harness_bot *bot;
    struct buf request;
    int64_t started_us, answered_us;
};

/* Asks again and again until the first answer. In a thread of its own: harness_bot_launch waits. */
static void *ping_until_answered(void *context)
{
    struct first_ping *ping = context;
    char answer[256];
    int64_t give_up_us = ping->started_us + HARNESS_READY_MS * INT64_C(1000);
    while (ping->answered_us == 0 && load_now_us() < give_up_us) {
        int fd = http_raw_connect(&ping->bot->listen, NULL);
        if (fd >= 0) {
            ssize_t sent = send(fd, ping->request.data, ping->request.length, MSG_NOSIGNAL);
            if (sent == (ssize_t)ping->request.length && recv(fd, answer, sizeof(answer), 0) > 12 &&
                memcmp(answer + 9, "200", 3) == 0)
                ping->answered_us = load_now_us();
            close(fd);
        }
        usleep(100);
    }
    return NULL;
}

/* Milliseconds from the spawn to the first PING answered with 200. */
static int start_bot(struct harness_bot *bot, struct player *player, double *milliseconds,
                     struct err *err)
{
    CLEANUP(load_requests_free) struct load_requests requests = { 0 };
    int result = player_requests(player, REQUEST_PING, 1, &requests, err);
    if (result != 0)
        return result;
    pthread_t thread;
    load_run_on_core(CORE_OF_LOAD);
    struct first_ping ping = { .bot = bot, .request = requests.requests[0] };
    ping.started_us = load_now_us();
    if (pthread_create(&thread, NULL, ping_until_answered, &ping) != 0)
        return err_set(err, ERR_MEMORY, "thread");
    load_run_on_core(CORE_OF_BOT); /* inherited by the bot */
    result = harness_bot_launch(bot, err);
    load_run_on_core(CORE_OF_LOAD);
    pthread_join(thread, NULL);
    *milliseconds = (double)(ping.answered_us - ping.started_us) / 1000;
    if (result == 0 && ping.answered_us == 0)
        return err_set(err, ERR_UNAVAILABLE, "no PING was answered");
    return result;
}

/* --- memory --- */

/* A line of /proc/<pid>/status in MiB. */
static double memory_of(const struct harness_bot *bot, const char *name)
{
    char path[64], line[256];
    double value = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)bot->pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = (double)strtol(line + strlen(name) + 1, NULL, 10) / 1024;
    if (file)
        fclose(file);
    return value;
}

/* Microseconds of processor time the bot has used. Unlike rates, it does not suffer from what else
 * runs on the machine. */
static int64_t processor_us(const struct harness_bot *bot)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(bot->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (int64_t)used.tv_sec * US_PER_SECOND + used.tv_nsec / 1000;
}

/* --- the table --- */

static const struct row {
    const char *name;
    enum player_request kind;
    int status;
    double aim; /* share of the raw rate; 0: none */
} rows[] = {
    { "PING", REQUEST_PING, 200, 0.7 },
    { "/balance", REQUEST_BALANCE, 200, 0.5 },
    { "refused", REQUEST_REFUSED, 401, 0 },
};

static const int connection_counts[] = { 1, 32, 256 };

static int measure_row(struct harness_bot *bot, struct player *player, const struct row *row,
                       struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(connection_counts); i++) {
        CLEANUP(load_requests_free) struct load_requests requests = { 0 };
        struct load_result result;
        int code = player_requests(player, row->kind, REQUESTS_PER_RUN, &requests, err);
        const struct load load = { &bot->listen, &requests, connection_counts[i], row->status };
        struct raw before = measure_raw(player, row->kind);
        int64_t before_us = processor_us(bot);
        if (code == 0)
            code = load_run(&load, &result, err);
        if (code != 0)
            return err_wrap(err, "%s, %d connections", row->name, connection_counts[i]);
        double cpu_us = (double)(processor_us(bot) - before_us) / REQUESTS_PER_RUN;
        struct raw raw = mean_raw(before, measure_raw(player, row->kind));
        printf("%-9s %11d %11.0f %8.2f %8.3f %8.3f %8.1f %8.2f %9.0f %8.1f", row->name,
               connection_counts[i], result.requests_per_second,
               result.requests_per_second / raw.per_second, result.p50_us / 1000,
               result.p99_us / 1000, cpu_us, raw.cpu_us / cpu_us, raw.per_second, raw.cpu_us);
        if (row->aim > 0)
            printf("   aim %.1f", row->aim);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}

static int measure(struct harness_bot *bot, struct err *err)
{
    struct player player = { .bot = bot };
    double first_ms = 0, again_ms = 0;
    int result = start_bot(bot, &player, &first_ms, err);
    if (result == 0)
        result = harness_bot_stop(bot, NULL, err);
    if (result == 0)
        result = start_bot(bot, &player, &again_ms, err);
    if (result != 0)
        return result;
    usleep(US_PER_SECOND / 2);
    double idle = memory_of(bot, "VmRSS");
    result = player_accept_terms(&player, err);
    if (result != 0)
        return err_wrap(err, "accepting the terms");
    printf("%-9s %11s %11s %8s %8s %8s %8s %8s %9s %8s\n", "request", "connections", "requests/s",
           "of raw", "p50 ms", "p99 ms", "CPU us", "of raw", "raw/s", "CPU us");
    for (size_t i = 0; i < ARRAY_LENGTH(rows) && result == 0; i++)
        result = measure_row(bot, &player, &rows[i], err);
    if (result != 0)
        return result;
    printf("\nmemory: %.1f MiB idle (aim 15), %.1f MiB after the load, %.1f MiB at most\n", idle,
           memory_of(bot, "VmRSS"), memory_of(bot, "VmHWM"));
    printf("start to first PING: %.1f ms (aim 50), %.1f ms with an empty database\n", again_ms,
           first_ms);
    return harness_bot_stop(bot, NULL, err);
}

int main(int argument_count, char **arguments)
{
    bool uses_tcp = argument_count == 3 && strcmp(arguments[2], "--tcp") == 0;
    if (argument_count < 2 || (argument_count == 3 && !uses_tcp) || argument_count > 3 ||
        sodium_init() < 0) {
        fputs("Usage: bench_http BRONXBOT [--tcp]\n", stderr);
        return 64;
    }
    static const char *const environment[] = { "LOG_LEVEL=warning", NULL };
    const struct harness_bot_options options = { .binary = arguments[1],
                                                 .uses_tcp = uses_tcp,
                                                 .environment = environment };
    struct harness_bot bot;
    struct err err = { 0 };
    printf("The bot on core %d, the load on core %d, over %s.\n\n", CORE_OF_BOT, CORE_OF_LOAD,
           uses_tcp ? "TCP" : "a unix socket");
    int result = harness_bot_init(&bot, &options, &err);
    if (result == 0)
        result = measure(&bot, &err);
    harness_bot_fini(&bot);
    if (result != 0)
        fprintf(stderr, "bench_http: %s\n", err.message);
    return result == 0 ? 0 : 1;
}
