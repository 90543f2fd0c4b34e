/* Faults: which one hits a request, and what it does. */
#include "simulator/rest_internal.h"

#include "harness/memory.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STALL_STEP_US INT64_C(20000)

void rest_server_add_fault(struct rest_server *server, const struct rest_fault *fault)
{
    const struct rest_planned_fault planned = {
        .fault = *fault,
        .until_us = fault->lasts_ms ? rest_now_us() + (int64_t)fault->lasts_ms * 1000 : 0,
    };
    pthread_mutex_lock(&server->lock);
    must_grow(&server->faults, server->fault_count, sizeof(struct rest_planned_fault));
    server->faults[server->fault_count++] = planned;
    pthread_mutex_unlock(&server->lock);
}

void rest_server_clear_faults(struct rest_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->fault_count = 0;
    server->intake_ms = 0;
    server->clock_error_ms = 0;
    server->limits = server->first_limits;
    pthread_mutex_unlock(&server->lock);
}

/* --- Hitting a request --- */

static bool hits(struct rest_call *call, const struct rest_fault *fault, bool is_delay)
{
    if ((fault->kind == FAULT_DELAY) != is_delay)
        return false;
    if (fault->routes != 0 && !(fault->routes & ROUTE_BIT(call->route)))
        return false;
    return fault->per_thousand == 0 || rand_r(&call->server->chance) % 1000 < fault->per_thousand;
}

static void remove_fault(struct rest_server *server, size_t index)
{
    struct rest_planned_fault *removed = &server->faults[index];
    memmove(removed, removed + 1, (server->fault_count - index - 1) * sizeof(*removed));
    server->fault_count--;
}

/* Takes the oldest fault that fits, delays or others; false when there is none. */
static bool take_fault(struct rest_call *call, bool is_delay, struct rest_fault *taken)
{
    struct rest_server *server = call->server;
    for (size_t i = 0; i < server->fault_count;) {
        struct rest_planned_fault *planned = &server->faults[i];
        if (planned->until_us != 0 && planned->until_us <= rest_now_us()) {
            remove_fault(server, i);
            continue;
        }
        if (hits(call, &planned->fault, is_delay)) {
            *taken = planned->fault;
            if (planned->fault.count > 0 && --planned->fault.count == 0)
                remove_fault(server, i);
            return true;
        }
        i++;
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
    rest_leave_token(call); /* a client that gave up may try again before this is noticed */
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
    int drawn = rand_r(&server->chance) % 1000;
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
    server->chance = chaos->seed;
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
            call->scope = fault.is_global ? "global" : fault.is_shared ? "shared" : "user";
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
