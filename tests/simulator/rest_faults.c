/* Faults: which one hits a request, what it does, and how they are written in scenes. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"
#include "simulator/script.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FAULT_COUNT_MAX 100000
#define FAULT_TIME_MAX  600000 /* ms */
#define STALL_STEP_US   INT64_C(20000)

void rest_server_add_fault(struct rest_server *server, const struct rest_fault *fault)
{
    pthread_mutex_lock(&server->lock);
    must_grow(&server->faults, server->fault_count, sizeof(struct rest_fault));
    server->faults[server->fault_count++] = *fault;
    pthread_mutex_unlock(&server->lock);
}

void rest_server_clear_faults(struct rest_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->fault_count = 0;
    server->intake_ms = 0;
    pthread_mutex_unlock(&server->lock);
}

/* --- Hitting a request --- */

/* Takes the oldest fault that fits, delays or others; false when there is none. */
static bool take_fault(struct rest_call *call, bool is_delay, struct rest_fault *taken)
{
    struct rest_server *server = call->server;
    for (size_t i = 0; i < server->fault_count; i++) {
        struct rest_fault *fault = &server->faults[i];
        if ((fault->kind == FAULT_DELAY) != is_delay ||
            (fault->routes != 0 && !(fault->routes & ROUTE_BIT(call->route))))
            continue;
        *taken = *fault;
        if (fault->count > 0 && --fault->count == 0) {
            memmove(fault, fault + 1, (server->fault_count - i - 1) * sizeof(*fault));
            server->fault_count--;
        }
        return true;
    }
    return false;
}

static bool has_hung_up(const struct rest_call *call)
{
    struct pollfd event = { .events = POLLRDHUP };
    event.fd =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    return poll(&event, 1, 0) > 0;
}

static void stall(struct rest_call *call, int64_t longest_ms)
{
    int64_t until_us = rest_now_us() + longest_ms * 1000;
    while (!call->server->is_stopping && rest_now_us() < until_us && !has_hung_up(call))
        rest_pause(call->server, rest_now_us() + STALL_STEP_US);
    call->is_cut = true;
}

/* Draws from the bad day; false when this request is spared. */
static bool draw_fault(struct rest_call *call, struct rest_fault *fault)
{
    struct rest_server *server = call->server;
    const struct rest_chaos *chaos = &server->chaos;
    const struct {
        int share;
        struct rest_fault fault;
    } ends[] = {
        { chaos->rate_limited,
          { .kind = FAULT_STATUS, .status = 429, .retry_after_ms = chaos->retry_after_ms } },
        { chaos->server_error, { .kind = FAULT_STATUS, .status = 502 } },
        { chaos->reset_before, { .kind = FAULT_RESET_BEFORE } },
        { chaos->reset_after, { .kind = FAULT_RESET_AFTER } },
        { chaos->stall, { .kind = FAULT_STALL, .delay_ms = chaos->stall_ms } },
    };
    if (!call->token)
        return false;
    int drawn = rand_r(&server->chaos_seed) % 1000;
    for (size_t i = 0; i < ARRAY_LENGTH(ends); drawn -= ends[i++].share)
        if (drawn < ends[i].share) {
            *fault = ends[i].fault;
            return true;
        }
    return false;
}

void rest_server_set_chaos(struct rest_server *server, const struct rest_chaos *chaos)
{
    pthread_mutex_lock(&server->lock);
    server->chaos = *chaos;
    server->chaos_seed = chaos->seed;
    pthread_mutex_unlock(&server->lock);
}

bool rest_faults_pass(struct rest_call *call, bool *cut_after)
{
    struct rest_fault fault;
    *cut_after = false;
    if (take_fault(call, true, &fault))
        rest_pause(call->server, rest_now_us() + (int64_t)fault.delay_ms * 1000);
    if (!take_fault(call, false, &fault) && !draw_fault(call, &fault))
        return true;
    switch (fault.kind) {
    case FAULT_STATUS:
        call->is_cloudflare = fault.is_cloudflare;
        if (fault.status == 429) {
            call->retry_after_ms = fault.retry_after_ms;
            call->scope = fault.is_global ? "global" : "user";
            rest_bucket_close(call, &fault);
        }
        rest_answer_error(call, fault.status, fault.code);
        return false;
    case FAULT_RESET_BEFORE:
        call->is_cut = true;
        return false;
    case FAULT_STALL:
        stall(call, fault.delay_ms ? fault.delay_ms : REST_SERVER_STALL_MS);
        return false;
    default:
        *cut_after = fault.kind == FAULT_RESET_AFTER;
        return true;
    }
}

/* --- Reading --- */

#define WEBHOOK_BITS                                                                               \
    (ROUTE_BIT(ROUTE_FOLLOW_UP) | ROUTE_BIT(ROUTE_GET_MESSAGE) | ROUTE_BIT(ROUTE_EDIT) |           \
     ROUTE_BIT(ROUTE_DELETE))

static const struct {
    const char *word;
    unsigned routes;
} targets[] = {
    { "request", 0 },
    { "webhook", WEBHOOK_BITS },
    { "edit", ROUTE_BIT(ROUTE_EDIT) },
    { "follow-up", ROUTE_BIT(ROUTE_FOLLOW_UP) },
    { "delete", ROUTE_BIT(ROUTE_DELETE) },
    { "get", ROUTE_BIT(ROUTE_GET_MESSAGE) },
    { "register", ROUTE_BIT(ROUTE_PUT_COMMANDS) | ROUTE_BIT(ROUTE_GET_COMMANDS) },
};

struct reader {
    const char *const *words;
    size_t count, next;
};

static bool take_word(struct reader *reader, const char *word)
{
    if (reader->next == reader->count || strcmp(reader->words[reader->next], word) != 0)
        return false;
    reader->next++;
    return true;
}

static bool take_number(struct reader *reader, int64_t min, int64_t max, int *number)
{
    int64_t value;
    if (reader->next == reader->count ||
        str_to_uint63(str_from(reader->words[reader->next]), &value) != 0 || value < min ||
        value > max)
        return false;
    *number = (int)value;
    reader->next++;
    return true;
}

static bool take_time(struct reader *reader, int *milliseconds)
{
    int64_t value;
    if (reader->next == reader->count ||
        !read_duration(str_from(reader->words[reader->next]), &value) || value > FAULT_TIME_MAX)
        return false;
    *milliseconds = (int)value;
    reader->next++;
    return true;
}

static bool take_target(struct reader *reader, unsigned *routes)
{
    const char *word = reader->next < reader->count ? reader->words[reader->next] : "";
    size_t length = strlen(word);
    for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
        size_t known = strlen(targets[i].word);
        bool is_plural = length == known + 1 && word[known] == 's';
        if (strncmp(word, targets[i].word, known) != 0 || (length != known && !is_plural))
            continue;
        *routes = targets[i].routes;
        reader->next++;
        return true;
    }
    return false;
}

static int complain(const struct reader *reader, const char *wanted, struct err *err)
{
    if (reader->next == reader->count)
        return err_set(err, ERR_INVALID, "a fault ends too early: %s is missing", wanted);
    return err_set(err, ERR_INVALID, "'%s' in a fault is not %s", reader->words[reader->next],
                   wanted);
}

static int read_status(struct reader *reader, struct rest_fault *fault, struct err *err)
{
    fault->kind = FAULT_STATUS;
    if (!take_number(reader, 400, 599, &fault->status))
        return complain(reader, "a status (400 to 599)", err);
    if (take_word(reader, "code") && !take_number(reader, 1, 999999, &fault->code))
        return complain(reader, "one of Discord's codes", err);
    if (take_word(reader, "after") && !take_time(reader, &fault->retry_after_ms))
        return complain(reader, "a time such as 300ms or 2s", err);
    fault->is_global = take_word(reader, "global");
    fault->is_cloudflare = !fault->is_global && take_word(reader, "cloudflare");
    if (fault->status != 429 && (fault->is_global || fault->retry_after_ms > 0))
        return err_set(err, ERR_INVALID, "only status 429 is global or has a time to wait");
    return 0;
}

static int read_kind(struct reader *reader, struct rest_fault *fault, struct err *err)
{
    if (take_word(reader, "status"))
        return read_status(reader, fault, err);
    if (take_word(reader, "delay")) {
        fault->kind = FAULT_DELAY;
        return take_time(reader, &fault->delay_ms)
                   ? 0
                   : complain(reader, "a time such as 300ms or 2s", err);
    }
    if (take_word(reader, "stall")) {
        fault->kind = FAULT_STALL;
        return 0;
    }
    if (!take_word(reader, "reset"))
        return complain(reader, "status, delay, reset or stall", err);
    bool is_before = take_word(reader, "before");
    fault->kind = is_before ? FAULT_RESET_BEFORE : FAULT_RESET_AFTER;
    if ((!is_before && !take_word(reader, "after")) || !take_word(reader, "effect"))
        return complain(reader, "'before effect' or 'after effect'", err);
    return 0;
}

int rest_server_read_fault(struct rest_server *server, const char *const *words, size_t count,
                           struct err *err)
{
    struct reader reader = { words, count, 0 };
    struct rest_fault fault = { 0 };
    int intake_ms;
    if (count == 1 && take_word(&reader, "none")) {
        rest_server_clear_faults(server);
        return 0;
    }
    if (take_word(&reader, "answers")) {
        if (!take_word(&reader, "delay"))
            return complain(&reader, "delay", err);
        if (!take_time(&reader, &intake_ms))
            return complain(&reader, "a time such as 300ms or 2s", err);
        if (reader.next < count)
            return complain(&reader, "the end", err);
        rest_server_set_intake(server, intake_ms);
        return 0;
    }
    bool has_count = take_number(&reader, 1, FAULT_COUNT_MAX, &fault.count);
    bool has_target = take_target(&reader, &fault.routes);
    if (!has_count && !has_target)
        return complain(&reader,
                        "a count, request, edit, follow-up, delete, get, register, answers "
                        "or none",
                        err);
    int result = read_kind(&reader, &fault, err);
    if (result == 0 && reader.next < count)
        result = complain(&reader, "the end", err);
    if (result == 0)
        rest_server_add_fault(server, &fault);
    return result;
}
