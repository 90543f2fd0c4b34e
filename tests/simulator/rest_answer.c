/* Answers as Discord writes them: errors with their codes, rate-limit headers, cut connections.
 * https://docs.discord.com/developers/topics/opcodes-and-status-codes#json and
 * https://docs.discord.com/developers/reference#error-messages */
#include "simulator/rest_internal.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CODE_INVALID_FORM 50035

static const struct {
    int code;
    const char *message;
} codes[] = {
    { 10002, "Unknown Application" },
    { 10003, "Unknown Channel" },
    { 10004, "Unknown Guild" },
    { 10008, "Unknown Message" },
    { 10015, "Unknown Webhook" },
    { 30032, "Maximum number of application commands reached (100)" },
    { 30034, "Max number of daily application command creates has been reached (200)" },
    { 40005, "Request entity too large" },
    { 40094, "This interaction has hit the maximum number of follow up messages" },
    { 40333, "internal network error" },
    { 50001, "Missing Access" },
    { 50006, "Cannot send an empty message" },
    { 50013, "Missing Permissions" },
    { 50027, "Invalid Webhook Token" },
    { 50109, "The request body contains invalid JSON." },
    { CODE_INVALID_FORM, "Invalid Form Body" },
};

/* With code 0 the text repeats the status. */
static const struct {
    int status;
    const char *message;
} statuses[] = {
    { 400, "400: Bad Request" },        { 401, "401: Unauthorized" },
    { 403, "403: Forbidden" },          { 404, "404: Not Found" },
    { 405, "405: Method Not Allowed" }, { 500, "500: Internal Server Error" },
    { 502, "502: Bad Gateway" },        { 503, "503: Service Unavailable" },
    { 504, "504: Gateway Timeout" },
};

static const char *message_of(int status, int code)
{
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (codes[i].code == code)
            return codes[i].message;
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].message;
    return "Error";
}

void rest_answer_json(struct rest_call *call, int status, json_object *json_taken)
{
    call->status = status;
    buf_clear(&call->answer);
    buf_append(&call->answer,
               str_from(json_object_to_json_string_ext(json_taken, JSON_C_TO_STRING_PLAIN)));
    must_hold(&call->answer);
    json_object_put(json_taken);
}

static json_object *error_body(struct rest_call *call, int status, int code)
{
    json_object *body = must_object();
    call->code = code;
    must_put(body, "message", must_text(str_from(message_of(status, code))));
    must_put(body, "code", must_integer(code));
    return body;
}

static void answer_limited(struct rest_call *call, int code)
{
    char seconds[32];
    json_object *body = must_object();
    snprintf(seconds, sizeof(seconds), "%" PRId64 ".%03" PRId64, call->retry_after_ms / 1000,
             call->retry_after_ms % 1000);
    json_object *retry = json_object_new_double_s((double)call->retry_after_ms / 1000, seconds);
    if (!retry)
        abort();
    bool is_shared = strcmp(call->scope, "shared") == 0;
    must_put(body, "message",
             must_text(is_shared ? STR("The resource is being rate limited.")
                                 : STR("You are being rate limited.")));
    must_put(body, "retry_after", retry);
    must_put(body, "global", must_boolean(strcmp(call->scope, "global") == 0));
    if (code != 0)
        must_put(body, "code", must_integer(code));
    call->code = code;
    rest_answer_json(call, 429, body);
}

void rest_answer_error(struct rest_call *call, int status, int code)
{
    if (call->is_cloudflare) {
        call->status = status;
        buf_clear(&call->answer);
        buf_append_format(&call->answer, "<html><title>Cloudflare</title>error code: %d</html>\n",
                          status == 429 ? 1015 : status);
        must_hold(&call->answer);
    } else if (status == 429) {
        answer_limited(call, code);
    } else {
        rest_answer_json(call, status, error_body(call, status, code));
    }
}

/* --- Form errors --- */

static json_object *step_into(json_object *object, struct str_view name)
{
    json_object *inner = NULL;
    char *key = must_copy(name);
    if (!json_object_object_get_ex(object, key, &inner)) {
        inner = must_object();
        must_put(object, key, inner);
    }
    free(key);
    return inner;
}

/* "components[0].custom_id: too long" goes to errors.components.0.custom_id._errors. */
static void add_form_error(json_object *errors, const char *finding)
{
    const char *colon = strstr(finding, ": ");
    struct str_view path = { finding, colon ? (size_t)(colon - finding) : 0 };
    json_object *place = errors, *list = NULL, *item = must_object();
    while (path.length > 0) {
        size_t length = 0;
        while (length < path.length && !strchr(".[]", path.data[length]))
            length++;
        if (length > 0)
            place = step_into(place, (struct str_view){ path.data, length });
        length += length < path.length;
        path = (struct str_view){ path.data + length, path.length - length };
    }
    must_put(item, "code", must_text(STR("BASE_TYPE_INVALID")));
    must_put(item, "message", must_text(str_from(colon ? colon + 2 : finding)));
    if (!json_object_object_get_ex(place, "_errors", &list)) {
        list = must_array();
        must_put(place, "_errors", list);
    }
    must_append(list, item);
}

void rest_answer_form_errors(struct rest_call *call, struct violations *findings)
{
    json_object *body = error_body(call, 400, CODE_INVALID_FORM), *errors = must_object();
    for (size_t i = 0; i < findings->count; i++) {
        add_form_error(errors, findings->items[i].text);
        rest_complain(call, "%s", findings->items[i].text);
    }
    must_put(body, "errors", errors);
    rest_answer_json(call, 400, body);
    violations_free(findings);
}

/* --- Sending --- */

/* A reset reaches the client as ECONNRESET, not as an orderly end. */
static enum MHD_Result cut(struct rest_call *call)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    int fd =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    return MHD_NO;
}

/* https://docs.discord.com/developers/topics/rate-limits#exceeding-a-rate-limit */
static void add_limit_headers(struct rest_call *call, struct MHD_Response *response)
{
    char text[32];
    if (call->status == 429) {
        int64_t seconds = (call->retry_after_ms + 999) / 1000; /* Discord's is a whole number */
        snprintf(text, sizeof(text), "%" PRId64, seconds);
        MHD_add_response_header(response, "Retry-After", text);
    }
    if (call->is_cloudflare)
        return;
    if (call->status == 429) {
        MHD_add_response_header(response, "X-RateLimit-Scope", call->scope);
        if (strcmp(call->scope, "global") == 0) {
            MHD_add_response_header(response, "X-RateLimit-Global", "true");
            return;
        }
    }
    rest_bucket_tell(call, response);
}

/* The clock of Discord's front is not the bot's. */
static void add_date(const struct rest_call *call, struct MHD_Response *response)
{
    char text[64];
    struct tm parts;
    time_t now = (rest_wall_ms(call->server) + call->server->clock_error_ms) / 1000;
    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    MHD_add_response_header(response, "Date", text);
}

enum MHD_Result rest_answer_send(struct rest_call *call)
{
    struct rest_server *server = call->server;
    if (call->is_cut)
        return cut(call);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        call->answer.length, call->answer.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        abort();
    if (call->is_cloudflare) {
        MHD_add_response_header(response, "Content-Type", "text/html");
    } else {
        MHD_add_response_header(response, "Via", "1.1 google");
        if (call->answer.length > 0)
            MHD_add_response_header(response, "Content-Type", "application/json");
    }
    pthread_mutex_lock(&server->lock);
    add_date(call, response);
    add_limit_headers(call, response);
    pthread_mutex_unlock(&server->lock);
    enum MHD_Result result = MHD_queue_response(call->connection, (unsigned)call->status, response);
    MHD_destroy_response(response);
    return result;
}
