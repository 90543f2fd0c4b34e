/* A flood of forged requests, as fast as one core can send, beside fifty genuine commands a second:
 * every genuine one is answered, every forged one refused, whoever the flood claims to be. How long
 * the genuine ones took is printed, not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"
#include "harness/metric.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GENUINE_COUNT       150 /* three seconds of them */
#define GENUINE_INTERVAL_US 20000
#define GENUINE_IP          "35.196.132.85"
#define BATCH               64 /* requests a flooder sends before it reads the answers */
#define ANSWERS_MAX         ((size_t)64 * 1024)

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_until(int64_t when_us)
{
    const struct timespec when = { .tv_sec = when_us / 1000000,
                                   .tv_nsec = when_us % 1000000 * 1000 };
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

/* --- the flood --- */

/* Writes the X-Real-IP of the flood's n-th request; "" for none. */
typedef void disguise_function(unsigned n, char line[64]);

static void as_a_few_peers(unsigned n, char line[64])
{
    snprintf(line, 64, "X-Real-IP: 192.0.2.%u\r\n", n % 8);
}

static void as_a_million_peers(unsigned n, char line[64])
{
    unsigned mixed = n * 2654435761u;
    snprintf(line, 64, "X-Real-IP: 10.%u.%u.%u\r\n", mixed >> 24 & 255, mixed >> 16 & 255,
             mixed >> 8 & 255);
}

static void as_nobody(unsigned n, char line[64])
{
    (void)n;
    line[0] = '\0';
}

static void as_discord(unsigned n, char line[64])
{
    (void)n;
    snprintf(line, 64, "X-Real-IP: " GENUINE_IP "\r\n");
}

struct flood {
    const struct harness_bot *bot;
    disguise_function *disguise; /* NULL: no flood */
    int is_over;                 /* atomic */
    unsigned sent, refused;
    bool is_broken; /* the connection was lost, or something else than 401 came */
};

static void add_forged(struct flood *flood, struct buf *batch)
{
    static const char body[] = "{\"id\":\"1\",\"application_id\":\"1\",\"type\":1}";
    unsigned char signature[64];
    char hex[129], line[64];
    randombytes_buf(signature, sizeof(signature));
    /* A scalar in range: the verifier refuses others without any arithmetic. */
    signature[sizeof(signature) - 1] &= 0x0f;
    sodium_bin2hex(hex, sizeof(hex), signature, sizeof(signature));
    flood->disguise(flood->sent++, line);
    buf_append_format(batch,
                      "POST /interactions HTTP/1.1\r\nHost: x\r\n%sX-Signature-Ed25519: %s\r\n"
                      "X-Signature-Timestamp: %" PRId64 "\r\nContent-Length: %zu\r\n\r\n%s",
                      line, hex, harness_bot_now_ms(flood->bot) / 1000, sizeof(body) - 1, body);
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        count++;
    return count;
}

/* False when not exactly BATCH answers of 401 came. */
static bool read_refusals(int fd)
{
    static _Thread_local char answers[ANSWERS_MAX];
    size_t length = 0;
    answers[0] = '\0';
    while (count_of(answers, "signature\"}") < BATCH) {
        ssize_t got = recv(fd, answers + length, ANSWERS_MAX - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        answers[length] = '\0';
    }
    return count_of(answers, "HTTP/1.1 401") == BATCH && count_of(answers, "HTTP/1.1 ") == BATCH;
}

static bool send_all(int fd, struct str_view bytes)
{
    for (size_t sent = 0; sent < bytes.length;) {
        ssize_t count = send(fd, bytes.data + sent, bytes.length - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        sent += (size_t)count;
    }
    return true;
}

static void *run_flood(void *argument)
{
    struct flood *flood = argument;
    CLEANUP(buf_free) struct buf batch = { 0 };
    int fd = http_raw_connect(&flood->bot->listen, NULL);
    flood->is_broken = fd < 0;
    while (!flood->is_broken && !__atomic_load_n(&flood->is_over, __ATOMIC_ACQUIRE)) {
        buf_clear(&batch);
        for (int i = 0; i < BATCH; i++)
            add_forged(flood, &batch);
        flood->is_broken = !send_all(fd, buf_view(&batch)) || !read_refusals(fd);
        flood->refused += flood->is_broken ? 0 : BATCH;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* --- genuine commands --- */

static int send_command(struct http_client *client, const struct harness_bot *bot, unsigned n)
{
    int64_t now_ms = harness_bot_now_ms(bot);
    char signature_line[192], timestamp_line[64];
    struct harness_signature signature;
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct envelope envelope = {
        .id = snowflake_at(now_ms, n & 4095),
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = 7001 + n % 10, .name = "alice" },
        .place = { .guild_id = 500,
                   .channel_id = 501,
                   .channel_name = "general",
                   .guild_locale = "en-US" },
    };
    CLEANUP(json_release)
    json_object *command = command_interaction(&envelope, 42, "balance", NULL, NULL);
    interaction_bytes(command, &body);
    harness_sign(&bot->keys, now_ms / 1000, buf_view(&body), &signature);
    snprintf(signature_line, sizeof(signature_line), "X-Signature-Ed25519: %s", signature.hex);
    snprintf(timestamp_line, sizeof(timestamp_line), "X-Signature-Timestamp: %s",
             signature.timestamp);
    const char *const headers[] = { "Content-Type: application/json", "X-Real-IP: " GENUINE_IP,
                                    signature_line, timestamp_line, NULL };
    const struct http_request request = { "POST", "/interactions", headers, buf_view(&body) };
    return http_client_send(client, &request, &answer, NULL) == 0 ? answer.status : 0;
}

static int by_size(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

/* Sends them on time, also when the one before was late: the delay counts. */
static void send_commands(const struct harness_bot *bot, int64_t taken_us[GENUINE_COUNT])
{
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&bot->listen);
    int64_t start_us = now_us();
    for (unsigned i = 0; i < GENUINE_COUNT; i++) {
        int64_t due_us = start_us + (int64_t)i * GENUINE_INTERVAL_US;
        sleep_until(due_us);
        int status = send_command(client, bot, i);
        if (status != 200)
            fail_msg("genuine command %u got %d", i, status);
        taken_us[i] = now_us() - due_us;
    }
    qsort(taken_us, GENUINE_COUNT, sizeof(taken_us[0]), by_size);
}

/* --- together --- */

static int64_t metric(const struct harness_bot *bot, const char *name)
{
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&bot->admin_listen);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    const struct http_request request = { .method = "GET", .path = "/metrics" };
    assert_int_equal(http_client_send(client, &request, &answer, NULL), 0);
    int64_t value;
    return metric_find(answer.body.data, name, &value) ? value : -1;
}

#define LIMITED "bronxbot_refused_requests_total{reason=\"peer_limited\"}"

/* How many of the flood's requests were refused unverified. */
static int64_t weather(struct harness_bot *bot, const char *name, disguise_function *disguise)
{
    int64_t taken_us[GENUINE_COUNT], limited = metric(bot, LIMITED);
    struct flood flood = { .bot = bot, .disguise = disguise };
    pthread_t thread;
    int64_t start_us = now_us();
    if (disguise)
        assert_int_equal(pthread_create(&thread, NULL, run_flood, &flood), 0);
    send_commands(bot, taken_us);
    __atomic_store_n(&flood.is_over, 1, __ATOMIC_RELEASE);
    if (disguise)
        pthread_join(thread, NULL);
    int64_t elapsed_us = now_us() - start_us;
    limited = metric(bot, LIMITED) - limited;
    print_message(
        "%-26s genuine p50 %6.2f ms, p99 %6.2f ms, latest %6.2f ms; forged %6.0f/s, %2.0f %% "
        "of them unverified\n",
        name, (double)taken_us[GENUINE_COUNT / 2] / 1000,
        (double)taken_us[GENUINE_COUNT * 99 / 100] / 1000,
        (double)taken_us[GENUINE_COUNT - 1] / 1000,
        (double)flood.refused * 1e6 / (double)elapsed_us,
        flood.refused ? 100.0 * (double)limited / (double)flood.refused : 0);
    assert_false(flood.is_broken);
    assert_true(!disguise || flood.refused > 0);
    assert_true(harness_bot_is_running(bot));
    return limited;
}

static void no_genuine_command_is_lost_in_a_flood(void **state)
{
    struct harness_bot *bot = *state;
    weather(bot, "calm", NULL);
    assert_true(weather(bot, "forgers, a few", as_a_few_peers) > 0);
    assert_true(metric(bot, "bronxbot_peers_limited_total") > 0);
    weather(bot, "forgers, a million", as_a_million_peers);
    assert_true(weather(bot, "forgers without a name", as_nobody) == 0);
    assert_true(weather(bot, "forgers at our address", as_discord) == 0);
}

static int start_bot(void **state)
{
    static struct harness_bot bot;
    static const struct harness_bot_options options = { .binary = BRONXBOT_BINARY };
    struct err err = { 0 };
    *state = &bot;
    if (sodium_init() < 0 || harness_bot_init(&bot, &options, &err) != 0 ||
        harness_bot_launch(&bot, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return 0;
}

static int stop_bot(void **state)
{
    struct harness_bot *bot = *state;
    int exit_code = -1, result = harness_bot_stop(bot, &exit_code, NULL);
    harness_bot_fini(bot);
    return result != 0 || exit_code != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_genuine_command_is_lost_in_a_flood),
    };
    return cmocka_run_group_tests(tests, start_bot, stop_bot);
}
