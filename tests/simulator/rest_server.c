/* Life of the REST server: its connections, its clocks, its lock.
 *
 * How long a bot has known something is told by a clock that a thread of its own, the pulse, keeps
 * going: what passes between two beats counts, but no more than a beat on a machine that keeps up.
 * So whoever stood still together with the machine is not blamed for it. */
#include "simulator/rest_internal.h"

#include "harness/bot_process.h"
#include "harness/memory.h"

#include "core/thread.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BEAT_MS     20
#define BEAT_MAX_US INT64_C(30000)

/* --- Time and waiting --- */

static int64_t clock_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t rest_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t rest_wall_ms(const struct rest_server *server)
{
    int64_t shift_ms = server->shift_ms ? __atomic_load_n(server->shift_ms, __ATOMIC_RELAXED) : 0;
    return clock_us(CLOCK_REALTIME) / 1000 + shift_ms;
}

int64_t rest_new_id(struct rest_server *server)
{
    /* Far from the numbers the simulator gives to interactions of the same millisecond. */
    return snowflake_at(rest_wall_ms(server), 0x200000 + ++server->sequence % 0x200000);
}

static int64_t awake_now_us(const struct rest_server *server)
{
    int64_t since_us = rest_now_us() - server->beat_us;
    return server->beat_awake_us + (since_us < BEAT_MAX_US ? since_us : BEAT_MAX_US);
}

int64_t rest_awake_us(struct rest_server *server)
{
    int64_t now_us = awake_now_us(server);
    server->awake_us = now_us > server->awake_us ? now_us : server->awake_us + 1;
    return server->awake_us;
}

static void *beat(void *context)
{
    static const struct timespec pause = { .tv_nsec = BEAT_MS * 1000000L };
    struct rest_server *server = context;
    while (!server->is_pulse_over) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&server->lock);
        server->beat_awake_us = awake_now_us(server);
        server->beat_us = rest_now_us();
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

bool rest_wait(struct rest_server *server, int64_t until_us)
{
    const struct timespec until = { until_us / 1000000, until_us % 1000000 * 1000 };
    if (server->is_stopping || rest_now_us() >= until_us)
        return false;
    pthread_cond_timedwait(&server->changed, &server->lock, &until);
    return true;
}

bool rest_wait_awake(struct rest_server *server, int64_t until_us)
{
    int64_t left_us = until_us - rest_awake_us(server);
    return left_us > 0 && rest_wait(server, rest_now_us() + left_us);
}

void rest_pause(struct rest_server *server, int64_t until_us)
{
    while (rest_wait(server, until_us)) {
    }
}

/* --- Life --- */

static enum MHD_Result take_request(void *context, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *data, size_t *length, void **state)
{
    struct rest_call *call = *state;
    (void)version;
    if (!call) {
        call = must_allocate(1, sizeof(*call));
        call->server = context;
        call->connection = connection;
        call->method = method;
        call->path = must_copy(str_from(url));
        *state = call;
        return MHD_YES;
    }
    if (*length > 0) {
        if (call->body.length + *length > REST_BODY_MAX)
            call->is_too_large = true;
        else
            buf_append_bytes(&call->body, data, *length);
        *length = 0;
        return MHD_YES;
    }
    must_hold(&call->body);
    rest_read_body(call);
    rest_serve(call);
    return rest_answer_send(call);
}

static void end_request(void *context, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct rest_call *call = *state;
    (void)context, (void)connection, (void)code;
    if (!call)
        return;
    free(call->path);
    buf_free(&call->body);
    buf_free(&call->payload);
    buf_free(&call->answer);
    for (size_t i = 0; i < call->file_count; i++)
        buf_free(&call->files[i].bytes);
    free(call);
    *state = NULL;
}

/* On the port that is held for it, the same each time. */
static bool start_daemon(struct rest_server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(server->port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
            MHD_USE_SUPPRESS_DATE_NO_CLOCK,
        0, NULL, NULL, take_request, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_CONNECTION_LIMIT, 1024U,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U, MHD_OPTION_END);
    return server->daemon != NULL;
}

/* Ends what is stalled or delayed, too. */
static void stop_daemon(struct rest_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
}

int rest_server_start(struct rest_server **server_out, const struct rest_server_settings *settings,
                      struct err *err)
{
    struct rest_server *server = must_allocate(1, sizeof(*server));
    static const char no_key[] = "0000000000000000000000000000000000000000000000000000000000000000";
    const char *token = settings->bot_token ? settings->bot_token : REST_SERVER_BOT_TOKEN;
    *server_out = NULL;
    server->application_id =
        settings->application_id ? settings->application_id : HARNESS_APPLICATION_ID;
    server->bot_token = must_copy(str_from(token));
    server->verify_key = must_copy(str_from(settings->verify_key ? settings->verify_key : no_key));
    server->shift_ms = settings->shift_ms;
    server->close_ms = settings->close_ms ? settings->close_ms : REST_SERVER_CLOSE_MS;
    server->counts_only = settings->counts_only;
    server->limits = settings->limits;
    rest_fill_limits(&server->limits);
    server->first_limits = server->limits;
    server->statistics.shortest_gap_us = INT64_MAX;
    pthread_mutex_init(&server->lock, NULL);
    thread_cond_init(&server->changed);
    server->beat_us = rest_now_us();
    server->has_pulse = pthread_create(&server->pulse, NULL, beat, server) == 0;
    server->port_fd = harness_hold_port(&server->port);
    if (!server->has_pulse || server->port_fd < 0 || !start_daemon(server)) {
        rest_server_stop(server);
        return err_set(err, ERR_IO, "the simulated REST API can't listen");
    }
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/api/v10",
             (unsigned)server->port);
    *server_out = server;
    return 0;
}

static void free_tokens(struct rest_server *server)
{
    for (size_t i = 0; i < server->token_count; i++) {
        struct rest_token *token = server->tokens[i];
        free((void *)(uintptr_t)token->interaction.person.name);
        free((void *)(uintptr_t)token->interaction.command_name);
        free(token->follow_ups);
        free(token);
    }
    free(server->tokens);
}

void rest_server_stop(struct rest_server *server)
{
    if (!server)
        return;
    stop_daemon(server);
    server->is_pulse_over = true;
    if (server->has_pulse)
        pthread_join(server->pulse, NULL);
    if (server->port_fd >= 0)
        close(server->port_fd);
    for (size_t i = server->change_next; i < server->change_count; i++)
        rest_change_free(&server->changes[i]);
    for (size_t i = 0; i < server->scope_count; i++)
        json_object_put(server->scopes[i].commands);
    for (size_t i = 0; i < server->bucket_count; i++)
        free(server->route_buckets[i]);
    free_tokens(server);
    store_free(&server->store);
    violations_free(&server->violations);
    lookup_free(&server->tokens_by_text);
    lookup_free(&server->tokens_by_interaction);
    lookup_free(&server->buckets_by_route);
    free(server->changes);
    free(server->scopes);
    free(server->channels);
    free(server->route_buckets);
    free(server->faults);
    free(server->arrivals);
    free(server->bot_token);
    free(server->verify_key);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

void rest_server_close(struct rest_server *server)
{
    stop_daemon(server);
    pthread_mutex_lock(&server->lock);
    server->is_stopping = false;
    pthread_mutex_unlock(&server->lock);
}

bool rest_server_reopen(struct rest_server *server)
{
    return start_daemon(server);
}

void rest_server_release(struct rest_server **server)
{
    rest_server_stop(*server);
    *server = NULL;
}

const char *rest_server_url(const struct rest_server *server)
{
    return server->url;
}

uint16_t rest_server_port(const struct rest_server *server)
{
    return server->port;
}

void rest_complain(struct rest_call *call, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    struct rest_server *server = call->server;
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    must_hold(&text);
    violations_add(&server->violations, "%s %s: %s", call->method, rest_route_name(call->route),
                   text.data);
    server->statistics.violations++;
    call->arrival.has_broken_rule = true;
}
