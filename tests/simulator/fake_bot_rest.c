/* A good sender repeats an edit until it arrived: after a 404 that may mean "not yet", a 429, a
 * server's error, a lost connection. The bad ones are for the rules they break. Each interaction
 * has a thread of its own, which ends by itself. */
#include "simulator/fake_bot_rest.h"

#include "harness/bot_process.h"
#include "harness/http_client.h"
#include "harness/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES_MAX     40
#define PAUSE_MS      50
#define NOTICEABLE_MS 150 /* time for a scene to do something before */
#define REQUESTS_MAX  8

/* ' stands for ". */
#define SAY(flags, text)                                                                           \
    "{'flags':" flags ",'allowed_mentions':{'parse':[]},'components':[{'type':10,'content':'" text \
    "'}]}"
#define ORIGINAL "/messages/@original"

enum manner { GOOD, BEFORE_THE_ANSWER, WITHOUT_WAITING };

static const struct later {
    const char *name;
    enum manner manner;
    struct {
        const char *method, *path, *body;
    } requests[REQUESTS_MAX]; /* ended by one without a method */
} laters[] = {
    { "think", GOOD, { { "PATCH", ORIGINAL, SAY("32768", "Thought it over") } } },
    { "tardy", GOOD, { { "PATCH", ORIGINAL, SAY("32768", "Awake at last") } } },
    { "whisper", GOOD, { { "PATCH", ORIGINAL, SAY("32768", "Between us") } } },
    { "chain",
      GOOD,
      { { "PATCH", ORIGINAL, SAY("32768", "First") },
        { "PATCH", ORIGINAL, SAY("32768", "First, corrected") },
        { "POST", "", SAY("32768", "Second") },
        { "POST", "", SAY("32832", "Third, only for you") } } },
    { "soon", GOOD, { { "PATCH", ORIGINAL, SAY("32768", "Now") } } },
    { "vanish", GOOD, { { "DELETE", ORIGINAL, NULL } } },
    { "early", BEFORE_THE_ANSWER, { { "PATCH", ORIGINAL, SAY("32768", "Too early") } } },
    { "clumsy", WITHOUT_WAITING, { { "PATCH", ORIGINAL, "{'content':'@everyone'}" } } },
    { "hasty", WITHOUT_WAITING, { { "POST", "", SAY("32768", "A follow-up instead") } } },
    { "greedy",
      WITHOUT_WAITING,
      { { "PATCH", ORIGINAL, SAY("32768", "1") },
        { "PATCH", ORIGINAL, SAY("32768", "2") },
        { "PATCH", ORIGINAL, SAY("32768", "3") },
        { "PATCH", ORIGINAL, SAY("32768", "4") },
        { "PATCH", ORIGINAL, SAY("32768", "5") },
        { "PATCH", ORIGINAL, SAY("32768", "6") },
        { "PATCH", ORIGINAL, SAY("32768", "7") } } },
    { "register",
      GOOD,
      { { "PUT", "commands",
          "[{'name':'register','description':'d'},{'name':'hello','description':'d','options':["
          "{'type':3,'name':'tone','description':'d','choices':[{'name':'Warm','value':'w'}]}]}"
          "]" } } },
};

static const struct later *find_later(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(laters); i++)
        if (strcmp(laters[i].name, name) == 0)
            return &laters[i];
    return NULL;
}

bool later_knows(const char *name)
{
    return find_later(name) != NULL;
}

/* --- One request --- */

static bool api_address(struct listen_address *address)
{
    unsigned port = 0;
    const char *url = getenv("DISCORD_API_URL");
    *address = (struct listen_address){ .text = "127.0.0.1" };
    if (!url || sscanf(url, "http://127.0.0.1:%u/api/v10", &port) != 1)
        return false;
    address->port = (uint16_t)port;
    return true;
}

/* The HTTP status; 0 when there was no answer. */
static int send_once(struct http_client *client, const char *method, const char *path,
                     const char *body)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    char authorization[256];
    bool is_webhook = strstr(path, "/webhooks/") != NULL;
    snprintf(authorization, sizeof(authorization), "Authorization: Bot %s",
             getenv("DISCORD_BOT_TOKEN") ? getenv("DISCORD_BOT_TOKEN") : "");
    const char *const headers[] = { "User-Agent: DiscordBot (https://example.com/fake, 1)",
                                    "Content-Type: application/json",
                                    is_webhook ? NULL : authorization, NULL };
    char *copy = body ? must_copy(str_from(body)) : NULL;
    for (char *at = copy; at && *at; at++)
        *at = *at == '\'' ? '"' : *at;
    const struct http_request request = { method, path, headers, str_from(copy) };
    int result = http_client_send(client, &request, &answer, NULL);
    free(copy);
    return result == 0 ? answer.status : 0;
}

/* A bot would read Retry-After; this one waits for longer than any scene's. */
static bool is_worth_another_try(int status)
{
    return status == 0 || status == 404 || status == 429 || status >= 500;
}

static void send_request(struct http_client *client, enum manner manner, const char *method,
                         const char *path, const char *body)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        int status = send_once(client, method, path, body);
        if (manner != GOOD || !is_worth_another_try(status))
            return;
        usleep((status == 404 || status == 429 ? 10 : 1) * PAUSE_MS * 1000);
    }
}

static void send_all(const struct later *later, const char *token)
{
    struct listen_address address;
    if (!api_address(&address))
        return;
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&address);
    for (size_t i = 0; i < REQUESTS_MAX && later->requests[i].method; i++) {
        const char *end = later->requests[i].path;
        bool is_webhook = strcmp(end, "commands") != 0;
        char *path = is_webhook ? must_format("/api/v10/webhooks/%" PRId64 "/%s%s",
                                              HARNESS_APPLICATION_ID, token, end)
                                : must_format("/api/v10/applications/%" PRId64 "/%s",
                                              HARNESS_APPLICATION_ID, end);
        send_request(client, later->manner, later->requests[i].method, path,
                     later->requests[i].body);
        free(path);
    }
}

/* --- When --- */

struct task {
    const struct later *later;
    char *token;
};

static void *run_task(void *context)
{
    struct task *task = context;
    usleep(NOTICEABLE_MS * 1000);
    send_all(task->later, task->token);
    free(task->token);
    free(task);
    return NULL;
}

void later_start(const char *name, const char *token)
{
    pthread_t thread;
    const struct later *later = find_later(name);
    if (!later || later->manner == BEFORE_THE_ANSWER)
        return;
    struct task *task = must_allocate(1, sizeof(*task));
    *task = (struct task){ later, must_copy(str_from(token)) };
    if (pthread_create(&thread, NULL, run_task, task) != 0)
        abort();
    pthread_detach(thread);
}

void later_before(const char *name, const char *token)
{
    const struct later *later = find_later(name);
    if (later && later->manner == BEFORE_THE_ANSWER)
        send_all(later, token);
}
