/* The fakes of the doctor's tests. A server hands each complete request to `answer`, which fills in
 * status, content type and body. */
#include "doctor_fakes.h"

#include "harness/http_client.h"
#include "harness/memory.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked {
    const char *method, *path;
    const char *authorization, *signature, *timestamp; /* "" when absent */
    struct buf body;
};

struct answered {
    int status;
    const char *content_type;
    struct buf body;
};

struct fake_server {
    struct MHD_Daemon *daemon;
    void (*answer)(void *fake, struct asked *asked, struct answered *answered);
    void *fake;
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value ? value : "";
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answered *answered)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answered->body.length, answered->body.data, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answered->content_type);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)answered->status, response);
    MHD_destroy_response(response);
    buf_free(&answered->body);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **request)
{
    struct fake_server *server = context;
    struct asked *asked = *request;
    (void)version;
    if (!asked) {
        *request = must_allocate(1, sizeof(*asked));
        return MHD_YES;
    }
    if (*size > 0) {
        buf_append_bytes(&asked->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    asked->method = method;
    asked->path = url;
    asked->authorization = header(connection, "Authorization");
    asked->signature = header(connection, "X-Signature-Ed25519");
    asked->timestamp = header(connection, "X-Signature-Timestamp");
    struct answered answered = { .status = 200, .content_type = "application/json" };
    server->answer(server->fake, asked, &answered);
    return send_answer(connection, &answered);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct asked *asked = *request;
    (void)context, (void)connection, (void)code;
    if (asked)
        buf_free(&asked->body);
    free(asked);
    *request = NULL;
}

static struct fake_server *start(void (*answer)(void *, struct asked *, struct answered *),
                                 void *fake, uint16_t *port)
{
    struct fake_server *server = must_allocate(1, sizeof(*server));
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->answer = answer;
    server->fake = fake;
    server->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, server,
                         MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!server->daemon)
        abort();
    *port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return server;
}

static void stop(struct fake_server **server)
{
    if (*server)
        MHD_stop_daemon((*server)->daemon);
    free(*server);
    *server = NULL;
}

/* --- Discord ------------------------------------------------------------------------------------
 */

static void put_url(json_object *application, const char *key, const char *url)
{
    must_put(application, key, url ? must_text(str_from(url)) : NULL);
}

static json_object *application_json(const struct fake_discord *discord)
{
    json_object *application = must_object();
    must_put(application, "id", must_id(discord->application_id));
    must_put(application, "name", must_text(STR("bronxbot")));
    must_put(application, "verify_key", must_text(str_from(discord->verify_key)));
    put_url(application, "interactions_endpoint_url", discord->interactions_url);
    put_url(application, "event_webhooks_url", discord->events_url);
    must_put(application, "event_webhooks_status", must_integer(discord->events_status));
    return application;
}

static void answer_as_discord(void *fake, struct asked *asked, struct answered *answered)
{
    const struct fake_discord *discord = fake;
    char expected[256];
    snprintf(expected, sizeof(expected), "Bot %s", discord->token);
    bool is_known = strcmp(asked->authorization, expected) == 0;
    if (strcmp(asked->path, "/gateway") == 0)
        buf_append(&answered->body, STR("{\"url\":\"wss://gateway.discord.gg\"}"));
    else if (strcmp(asked->path, "/readyz") == 0 && discord->ready_status)
        answered->status = discord->ready_status;
    else if (strcmp(asked->path, "/healthz") == 0 && discord->ready_status)
        answered->status = 200;
    else if (!is_known)
        answered->status = 401;
    else if (strcmp(asked->path, "/users/@me") == 0 && discord->users_status)
        answered->status = discord->users_status;
    else if (strcmp(asked->path, "/users/@me") == 0)
        buf_append(&answered->body,
                   STR("{\"id\":\"1000000000000000001\",\"username\":\"bronx\\u001b[2J\"}"));
    else if (strcmp(asked->path, "/applications/@me") == 0) {
        CLEANUP(json_release) json_object *application = application_json(discord);
        buf_append(&answered->body, str_from(json_object_to_json_string(application)));
    } else
        answered->status = 404;
}

void fake_discord_start(struct fake_discord *discord)
{
    discord->server = start(answer_as_discord, discord, &discord->port);
}

void fake_discord_stop(struct fake_discord *discord)
{
    stop(&discord->server);
}

/* --- The front ----------------------------------------------------------------------------------
 */

static void pass_on(const struct fake_front *front, const struct asked *asked,
                    struct answered *answered)
{
    char signature[256], timestamp[128];
    snprintf(signature, sizeof(signature), "X-Signature-Ed25519: %s", asked->signature);
    snprintf(timestamp, sizeof(timestamp), "X-Signature-Timestamp: %s", asked->timestamp);
    bool is_signed = asked->signature[0] && front->lie != LIE_STRIPS_SIGNATURES;
    const char *headers[] = { "X-Real-IP: 192.0.2.7", is_signed ? signature : NULL, timestamp,
                              NULL };
    const struct http_request request = { asked->method, asked->path, headers,
                                          buf_view(&asked->body) };
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&front->bot);
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    if (http_client_send(client, &request, &answer, NULL) != 0) {
        answered->status = 502;
        return;
    }
    answered->status = answer.status;
    buf_append(&answered->body, buf_view(&answer.body));
}

static void answer_as_front(void *fake, struct asked *asked, struct answered *answered)
{
    const struct fake_front *front = fake;
    bool is_endpoint = strcmp(asked->path, "/interactions") == 0;
    bool is_post = strcmp(asked->method, "POST") == 0;
    bool is_signed = asked->signature[0];
    bool is_old = is_signed && front->now_s - atoll(asked->timestamp) > 300;
    const bool is_lied_about[] = {
        [LIE_PASSES_FORGERIES] = is_post && is_signed && !is_old,
        [LIE_PASSES_UNSIGNED] = is_post && !is_signed,
        [LIE_PASSES_STALE] = is_post && is_old,
        [LIE_ANSWERS_GET] = !is_post && is_endpoint,
        [LIE_ANSWERS_ANY_PATH] = !is_endpoint,
        [LIE_PLAIN_TEXT] = false,
    };
    if (is_lied_about[front->lie]) {
        buf_append(&answered->body, STR("{\"type\":1}"));
        return;
    }
    if (front->lie == LIE_ALTERS_BODY && asked->body.length > 0)
        buf_append_char(&asked->body, '\n');
    if (front->lie == LIE_PLAIN_TEXT)
        answered->content_type = "text/plain";
    pass_on(front, asked, answered);
}

void fake_front_start(struct fake_front *front)
{
    front->server = start(answer_as_front, front, &front->port);
}

void fake_front_stop(struct fake_front *front)
{
    stop(&front->server);
}
