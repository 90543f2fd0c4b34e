/* What came back: how a transfer ended, the headers we use, what the body says. */
#include "discord/rest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than Discord's answers, whose deepest is a command's option in a sub-command of a group.
 */
#define JSON_DEPTH_MAX 32
#define NUMBER_SIZE    32

/* --- Headers --- */

static const char *header_of(CURL *easy, const char *name)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* Seconds, maybe with a fraction, as milliseconds rounded up; -1 when they are not understood. */
static int64_t milliseconds_of(double seconds)
{
    if (!isfinite(seconds) || seconds < 0)
        return -1;
    double milliseconds = ceil(seconds * 1000);
    return milliseconds > (double)REST_WAIT_MAX_MS ? REST_WAIT_MAX_MS : (int64_t)milliseconds;
}

static int64_t seconds_header(CURL *easy, const char *name)
{
    const char *text = header_of(easy, name);
    if (!text || text[0] < '0' || text[0] > '9' || strlen(text) >= NUMBER_SIZE)
        return -1;
    char *end = NULL;
    double seconds = strtod(text, &end);
    return *end == '\0' ? milliseconds_of(seconds) : -1;
}

static int64_t number_header(CURL *easy, const char *name)
{
    int64_t value;
    const char *text = header_of(easy, name);
    return text && str_to_uint63(str_from(text), &value) == 0 ? value : -1;
}

static void text_header(CURL *easy, const char *name, char *target, size_t size)
{
    const char *text = header_of(easy, name);
    if (!text || strlen(text) >= size)
        return;
    memcpy(target, text, strlen(text) + 1);
}

/* What comes with refusals only. */
static void read_headers_of_refusal(CURL *easy, struct rest_response *response)
{
    response->retry_after_ms = seconds_header(easy, "Retry-After");
    text_header(easy, "X-RateLimit-Scope", response->scope, sizeof(response->scope));
    const char *is_global = header_of(easy, "X-RateLimit-Global");
    response->is_global = is_global && strcmp(is_global, "true") == 0;
    response->has_via = header_of(easy, "Via") != NULL;
}

static void read_headers(CURL *easy, struct rest_response *response)
{
    response->limit = number_header(easy, "X-RateLimit-Limit");
    response->remaining = number_header(easy, "X-RateLimit-Remaining");
    response->reset_after_ms = seconds_header(easy, "X-RateLimit-Reset-After");
    text_header(easy, "X-RateLimit-Bucket", response->bucket, sizeof(response->bucket));
    if (response->status >= 400)
        read_headers_of_refusal(easy, response);
}

/* --- The end of a transfer --- */

static enum rest_result result_of(CURL *easy, CURLcode code)
{
    /* An answer whose body was lost on the way is none: what it said is unknown. */
    if (code == CURLE_OK)
        return REST_ANSWERED;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
        code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR ||
        code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        return REST_NOT_CONNECTED;
    long sent = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return sent == 0 ? REST_NOT_CONNECTED : REST_TIMED_OUT;
    return sent == 0 ? REST_LOST_BEFORE_SENDING : REST_LOST_AFTER_SENDING;
}

void rest_transfer_finish(struct rest_transfer *transfer, CURLcode code)
{
    struct rest_response *response = &transfer->response;
    response->result = result_of(transfer->easy, code);
    if (response->result != REST_ANSWERED) {
        response->reason = curl_easy_strerror(code);
        return;
    }
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    read_headers(transfer->easy, response);
}

/* --- The body --- */

static bool has_only_blanks(struct str_view text)
{
    return str_trim(text).length == 0;
}

int rest_parse_json(struct str_view text, struct json_object **value, struct err *err)
{
    *value = NULL;
    if (text.length == 0 || text.length > INT32_MAX)
        return err_set(err, ERR_INVALID, "not JSON by its length");
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener)
        return err_set(err, ERR_MEMORY, "JSON");
    json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *parsed = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    size_t end = json_tokener_get_parse_end(tokener);
    struct str_view rest = { text.data + end, text.length - end };
    json_tokener_free(tokener);
    if (!parsed || !has_only_blanks(rest)) {
        json_object_put(parsed);
        return err_set(err, ERR_INVALID, "not JSON");
    }
    *value = parsed;
    return 0;
}

static void copy_message(struct json_object *value, char message[REST_MESSAGE_SIZE])
{
    struct str_view text = { json_object_get_string(value),
                             (size_t)json_object_get_string_len(value) };
    text = utf8_prefix_bytes(text, REST_MESSAGE_SIZE - 1);
    memcpy(message, text.data, text.length);
}

void rest_read_error(const struct rest_response *response, struct rest_error *error)
{
    *error = (struct rest_error){ .retry_after_ms = -1 };
    struct json_object *body = NULL, *value;
    if (response->is_cut || rest_parse_json(buf_view(&response->body), &body, NULL) != 0)
        return;
    error->is_json = json_object_is_type(body, json_type_object);
    if (error->is_json) {
        if (json_object_object_get_ex(body, "code", &value))
            error->code = json_object_get_int64(value);
        if (json_object_object_get_ex(body, "message", &value) &&
            json_object_is_type(value, json_type_string))
            copy_message(value, error->message);
        if (json_object_object_get_ex(body, "retry_after", &value) &&
            (json_object_is_type(value, json_type_double) ||
             json_object_is_type(value, json_type_int)))
            error->retry_after_ms = milliseconds_of(json_object_get_double(value));
        error->has_global = json_object_object_get_ex(body, "global", &value);
        error->is_global = error->has_global && json_object_get_boolean(value);
    }
    json_object_put(body);
}

/* Discord's own 429 is an object that says whether the limit is a global one; what Cloudflare sends
 * is a page or an object of another kind, without the header Via.
 * https://docs.discord.com/developers/topics/rate-limits#exceeding-a-rate-limit */
bool rest_is_banned(const struct rest_response *response, const struct rest_error *error)
{
    if (response->result != REST_ANSWERED || response->status != 429)
        return false;
    return !error->is_json || (!error->has_global && !response->has_via);
}

int64_t rest_wait_ms(const struct rest_response *response, const struct rest_error *error)
{
    return error->retry_after_ms >= 0 ? error->retry_after_ms : response->retry_after_ms;
}
