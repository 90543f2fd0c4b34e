/* What a test sets while the server runs: limits and clocks. */
#include "simulator/rest_internal.h"

static void fill(int *value, int standard)
{
    if (*value == 0)
        *value = standard;
}

void rest_fill_limits(struct rest_limits *limits)
{
    fill(&limits->burst, REST_SERVER_BURST);
    fill(&limits->burst_ms, REST_SERVER_BURST_MS);
    fill(&limits->shared_burst_ms, REST_SERVER_BURST_MS);
    fill(&limits->global, REST_SERVER_GLOBAL);
    fill(&limits->global_ms, REST_SERVER_GLOBAL_MS);
    fill(&limits->invalid, REST_SERVER_INVALID);
    fill(&limits->invalid_ms, REST_SERVER_INVALID_MS);
    fill(&limits->ban_ms, REST_SERVER_BAN_MS);
    fill(&limits->token_ms, REST_SERVER_TOKEN_MS);
}

void rest_server_set_limits(struct rest_server *server, const struct rest_limits *limits)
{
    pthread_mutex_lock(&server->lock);
    server->limits = *limits;
    rest_fill_limits(&server->limits);
    pthread_mutex_unlock(&server->lock);
}

static void change(int *value, int wanted)
{
    if (wanted != 0)
        *value = wanted;
}

void rest_change_limits(struct rest_server *server, const struct rest_limits *wanted)
{
    struct rest_limits *limits = &server->limits;
    pthread_mutex_lock(&server->lock);
    change(&limits->burst, wanted->burst);
    change(&limits->burst_ms, wanted->burst_ms);
    change(&limits->shared_burst, wanted->shared_burst);
    change(&limits->shared_burst_ms, wanted->shared_burst_ms);
    change(&limits->global, wanted->global);
    change(&limits->global_ms, wanted->global_ms);
    change(&limits->invalid, wanted->invalid);
    change(&limits->ban_ms, wanted->ban_ms);
    change(&limits->token_ms, wanted->token_ms);
    pthread_mutex_unlock(&server->lock);
}

void rest_server_set_clock_error(struct rest_server *server, int64_t error_ms)
{
    pthread_mutex_lock(&server->lock);
    server->clock_error_ms = error_ms;
    pthread_mutex_unlock(&server->lock);
}
