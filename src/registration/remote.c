/* Calls of the command endpoints. Both are idempotent, so what fails for a moment is tried again a
 * few times, and a 429 is waited for as long as somebody at a terminal would wait.
 * https://docs.discord.com/developers/interactions/application-commands#endpoints */
#include "registration/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define TRIES_MAX      4
#define PAUSE_MS       250 /* before the second try; doubled at each */
#define WAIT_MAX_MS    INT64_C(60000)
/* Of what Discord finds wrong; the rest would not fit into an error's text. */
#define DETAILS_LENGTH 140

static void pause_ms(int64_t milliseconds)
{
    struct timespec left = { .tv_sec = (time_t)(milliseconds / 1000),
                             .tv_nsec = (long)(milliseconds % 1000) * 1000000 };
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* --- What to do about a refusal --- */

static int refuse_403(const struct remote *remote, int64_t guild_id, struct err *err)
{
    if (guild_id == 0)
        return err_set(err, ERR_CONFIG,
                       "Discord does not let this token change application %" PRId64
                       " (403): DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID must be of the same "
                       "application",
                       remote->application_id);
    return err_set(err, ERR_CONFIG,
                   "the application is not in server %" PRId64
                   " (403): invite it by https://discord.com/oauth2/authorize?client_id=%" PRId64
                   "&scope=bot+applications.commands",
                   guild_id, remote->application_id);
}

static int refuse_400(const struct rest_response *response, const struct rest_error *error,
                      struct err *err)
{
    struct str_view body = buf_view(&response->body);
    struct str_view details = utf8_prefix(body, DETAILS_LENGTH);
    return err_set(err, ERR_INVALID, "Discord finds the commands wrong (%d): %s %.*s",
                   response->status, error->message, STR_ARGS(details));
}

/* The sentence for a status that repeating does not change. */
static int refuse(const struct remote *remote, int64_t guild_id,
                  const struct rest_response *response, struct err *err)
{
    struct rest_error error;
    rest_read_error(response, &error);
    switch (response->status) {
    case 400:
        return refuse_400(response, &error, err);
    case 401:
        return err_set(err, ERR_CONFIG,
                       "Discord refuses DISCORD_BOT_TOKEN (401): make a new one in the Developer "
                       "Portal, Bot, Reset Token");
    case 403:
        return refuse_403(remote, guild_id, err);
    case 404:
        return err_set(err, ERR_CONFIG,
                       "Discord does not know it (404, %s): check DISCORD_APPLICATION_ID%s",
                       error.message, guild_id ? " and the server's id" : "");
    case 429:
        return err_set(err, ERR_UNAVAILABLE,
                       "Discord wants no more requests for %" PRId64
                       " s (429): run this again afterwards",
                       (rest_wait_ms(response, &error) + 999) / 1000);
    default:
        return err_set(err, ERR_UNAVAILABLE,
                       "Discord answers with %d: run this again later, see "
                       "https://discordstatus.com",
                       response->status);
    }
}

/* --- Calls --- */

/* How long to wait before the next try; negative: there is none. */
static int64_t wait_before_next(const struct rest_response *response, int tries)
{
    int64_t backoff_ms = (int64_t)PAUSE_MS << (tries - 1);
    if (tries >= TRIES_MAX || response->result == REST_NOT_CONNECTED)
        return -1;
    if (response->result != REST_ANSWERED || response->status >= 500)
        return backoff_ms;
    if (response->status != 429)
        return -1;
    struct rest_error error;
    rest_read_error(response, &error);
    int64_t wait_ms = rest_wait_ms(response, &error);
    if (rest_is_banned(response, &error) || wait_ms > WAIT_MAX_MS)
        return -1;
    return wait_ms >= 0 ? wait_ms : backoff_ms;
}

static void say_why(const struct rest_response *response, int64_t wait_ms)
{
    if (response->reason)
        fprintf(stderr, "bronxbot: %s; ", response->reason);
    else
        fprintf(stderr, "bronxbot: Discord answers with %d; ", response->status);
    fprintf(stderr, "trying again in %.1f s\n", (double)wait_ms / 1000);
}

static int call(struct remote *remote, int64_t guild_id, const struct rest_request *request,
                struct buf *answer, struct err *err)
{
    for (int tries = 1;; tries++) {
        CLEANUP(rest_response_free) struct rest_response response;
        remote->call_count++;
        int result = rest_request(&remote->rest, request, &response, err);
        if (result != 0 && result != ERR_UNAVAILABLE)
            return result;
        bool is_done = result == 0 && response.status >= 200 && response.status < 300;
        if (is_done && response.is_cut)
            return err_set(err, ERR_LIMIT, "Discord's answer is too long");
        if (is_done) {
            *answer = response.body;
            response.body = (struct buf){ 0 };
            return 0;
        }
        int64_t wait_ms = wait_before_next(&response, tries);
        if (wait_ms < 0)
            return result != 0 ? result : refuse(remote, guild_id, &response, err);
        say_why(&response, wait_ms);
        pause_ms(wait_ms);
    }
}

static void append_path(const struct remote *remote, int64_t guild_id, struct buf *path)
{
    buf_append(path, STR("/applications"));
    rest_append_id(path, remote->application_id);
    if (guild_id != 0) {
        buf_append(path, STR("/guilds"));
        rest_append_id(path, guild_id);
    }
    buf_append(path, STR("/commands"));
}

int remote_fetch(struct remote *remote, int64_t guild_id, struct buf *json, struct err *err)
{
    CLEANUP(buf_free) struct buf path = { 0 };
    append_path(remote, guild_id, &path);
    buf_append(&path, STR("?with_localizations=true"));
    if (path.has_failed)
        return err_set(err, ERR_MEMORY, "a path");
    const struct rest_request request = {
        .method = REST_GET,
        .path = buf_view(&path),
        .is_as_bot = true,
    };
    return call(remote, guild_id, &request, json, err);
}

int remote_replace(struct remote *remote, int64_t guild_id, struct str_view json,
                   struct buf *answer, struct err *err)
{
    CLEANUP(buf_free) struct buf path = { 0 };
    append_path(remote, guild_id, &path);
    if (path.has_failed)
        return err_set(err, ERR_MEMORY, "a path");
    const struct rest_request request = {
        .method = REST_PUT,
        .path = buf_view(&path),
        .is_as_bot = true,
        .body = json,
    };
    return call(remote, guild_id, &request, answer, err);
}
