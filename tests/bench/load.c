#include "load.h"

#include "harness/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX  ((size_t)64 * 1024)
#define EVENTS_MAX  512
/* A server that answers nothing for so long has stopped. */
#define PATIENCE_MS 10000

struct client {
    int fd;
    int64_t sent_us;
    size_t got; /* bytes of the present answer */
    char answer[ANSWER_MAX + 1];
};

struct run {
    const struct load *load;
    struct client *clients;
    int epoll_fd;
    size_t sent, answered;
    uint32_t *latencies_us; /* of all answers, in order of arrival */
};

void load_run_on_core(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof(cores), &cores) != 0)
        fprintf(stderr, "(can't pin to core %d: the figures include both programs)\n", core);
}

int64_t load_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void load_requests_free(struct load_requests *requests)
{
    for (size_t i = 0; i < requests->count; i++)
        buf_free(&requests->requests[i]);
    free(requests->requests);
    *requests = (struct load_requests){ 0 };
}

static int send_next(struct run *run, struct client *client, struct err *err)
{
    if (run->sent == run->load->requests->count)
        return 0;
    struct str_view request = buf_view(&run->load->requests->requests[run->sent++]);
    client->got = 0;
    client->sent_us = load_now_us();
    ssize_t written = send(client->fd, request.data, request.length, MSG_NOSIGNAL);
    if (written != (ssize_t)request.length)
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "sending request %zu", run->sent);
    return 0;
}

static int connect_all(struct run *run, struct err *err)
{
    for (int i = 0; i < run->load->connections; i++) {
        struct client *client = &run->clients[i];
        client->fd = http_raw_connect(run->load->address, err);
        if (client->fd < 0)
            return client->fd;
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
        if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
            return err_set_errno(err, ERR_IO, errno, "epoll_ctl");
    }
    return 0;
}

/* Bytes of the whole answer, 0 while its end is not known yet. */
static size_t answer_size(const struct client *client)
{
    const char *end = strstr(client->answer, "\r\n\r\n");
    const char *length = strstr(client->answer, "\r\nContent-Length: ");
    if (!end || !length || length > end)
        return 0;
    return (size_t)(end + 4 - client->answer) + (size_t)strtoul(length + 18, NULL, 10);
}

static int receive(struct run *run, struct client *client, struct err *err)
{
    ssize_t got =
        recv(client->fd, client->answer + client->got, ANSWER_MAX - client->got, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        return err_set(err, ERR_UNAVAILABLE, "the server closed a connection after %zu answers",
                       run->answered);
    client->got += (size_t)got;
    client->answer[client->got] = '\0';
    size_t size = answer_size(client);
    if (size == 0 || client->got < size)
        return client->got < ANSWER_MAX ? 0 : err_set(err, ERR_LIMIT, "answer too long");
    run->latencies_us[run->answered++] = (uint32_t)(load_now_us() - client->sent_us);
    if (strtol(client->answer + strlen("HTTP/1.1 "), NULL, 10) != run->load->expected_status)
        return err_set(err, ERR_INVALID, "unexpected answer: %.120s", client->answer);
    return send_next(run, client, err);
}

static int exchange_all(struct run *run, struct err *err)
{
    struct epoll_event events[EVENTS_MAX];
    int result = 0;
    for (int i = 0; i < run->load->connections && result == 0; i++)
        result = send_next(run, &run->clients[i], err);
    while (result == 0 && run->answered < run->sent) {
        int count = epoll_wait(run->epoll_fd, events, EVENTS_MAX, PATIENCE_MS);
        if (count == 0)
            result = err_set(err, ERR_UNAVAILABLE, "no answer for %d ms", PATIENCE_MS);
        for (int i = 0; i < count && result == 0; i++)
            result = receive(run, events[i].data.ptr, err);
    }
    return result;
}

static int compare_latencies(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void summarise(struct run *run, int64_t elapsed_us, struct load_result *result)
{
    size_t count = run->answered;
    qsort(run->latencies_us, count, sizeof(run->latencies_us[0]), compare_latencies);
    *result = (struct load_result){
        .requests_per_second = (double)count * 1e6 / (double)elapsed_us,
        .p50_us = run->latencies_us[count / 2],
        .p99_us = run->latencies_us[count * 99 / 100],
    };
}

int load_run(const struct load *load, struct load_result *result, struct err *err)
{
    struct run run = { .load = load };
    run.clients = calloc((size_t)load->connections, sizeof(run.clients[0]));
    run.latencies_us = calloc(load->requests->count, sizeof(run.latencies_us[0]));
    run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int code = 0;
    if (!run.clients || !run.latencies_us || run.epoll_fd < 0 || load->requests->count == 0)
        code = err_set(err, ERR_MEMORY, "load generator");
    for (int i = 0; run.clients && i < load->connections; i++)
        run.clients[i].fd = -1;
    if (code == 0)
        code = connect_all(&run, err);
    int64_t started_us = load_now_us();
    if (code == 0)
        code = exchange_all(&run, err);
    if (code == 0)
        summarise(&run, load_now_us() - started_us, result);
    for (int i = 0; run.clients && i < load->connections; i++)
        if (run.clients[i].fd >= 0)
            close(run.clients[i].fd);
    if (run.epoll_fd >= 0)
        close(run.epoll_fd);
    free(run.clients);
    free(run.latencies_us);
    return code;
}
