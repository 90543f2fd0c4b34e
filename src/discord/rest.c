/* One request as a libcurl handle. Everything a handle needs is copied into it or owned by its
 * transfer, except the body, which the caller keeps. Our own copies of tokens are wiped.
 *
 * libcurl repeats a request by itself when a connection it used before turns out to be dead and
 * nothing came back. That is harmless for all methods but POST, whose effect may have happened: a
 * POST always opens a connection of its own (others may use it afterwards). */
#include "discord/rest.h"

#include <sodium.h>
#include <string.h>

static const char *const method_words[] = {
    [REST_GET] = "GET",     [REST_POST] = "POST",     [REST_PUT] = "PUT",
    [REST_PATCH] = "PATCH", [REST_DELETE] = "DELETE",
};

int rest_request(const struct rest_settings *settings, const struct rest_request *request,
                 struct rest_response *response, struct err *err)
{
    CLEANUP(rest_transfer_fini) struct rest_transfer transfer = { 0 };
    *response = (struct rest_response){ 0 };
    int result = rest_transfer_init(&transfer, settings, request, err);
    if (result != 0)
        return result;
    rest_transfer_finish(&transfer, curl_easy_perform(transfer.easy));
    *response = transfer.response;
    transfer.response = (struct rest_response){ 0 };
    if (response->result != REST_ANSWERED)
        return err_set(err, ERR_UNAVAILABLE, "Discord's API can't be reached (DISCORD_API_URL): %s",
                       response->reason);
    return 0;
}

void rest_idle_free(struct rest_idle *idle)
{
    while (idle->count > 0)
        curl_easy_cleanup(idle->handles[--idle->count].easy);
    curl_slist_free_all(STEAL(idle->headers));
}

void rest_response_free(struct rest_response *response)
{
    buf_free(&response->body);
}

bool rest_was_without_effect(enum rest_result result)
{
    return result == REST_NOT_CONNECTED || result == REST_LOST_BEFORE_SENDING;
}

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~@", byte));
}

void rest_append_segment(struct buf *path, struct str_view segment)
{
    buf_append_char(path, '/');
    for (size_t i = 0; i < segment.length; i++) {
        unsigned char byte = (unsigned char)segment.data[i];
        if (is_unreserved(byte))
            buf_append_char(path, (char)byte);
        else
            buf_append_format(path, "%%%02X", byte);
    }
}

void rest_append_id(struct buf *path, int64_t id)
{
    buf_append_format(path, "/%lld", (long long)id);
}

/* --- Parts of a request --- */

static void wipe(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    buf_free(buf);
}

static int add_header(struct curl_slist **headers, const char *line, struct err *err)
{
    struct curl_slist *longer = curl_slist_append(*headers, line);
    if (!longer)
        return err_set(err, ERR_MEMORY, "a request's headers");
    *headers = longer;
    return 0;
}

static int add_authorization(struct curl_slist **headers, const char *token, struct err *err)
{
    if (!token || !token[0])
        return err_set(err, ERR_CONFIG, "DISCORD_BOT_TOKEN is not set");
    CLEANUP(wipe) struct buf line = { 0 };
    buf_append_format(&line, "Authorization: Bot %s", token);
    if (line.has_failed)
        return err_set(err, ERR_MEMORY, "a request's headers");
    return add_header(headers, line.data, err);
}

static int add_headers(struct curl_slist **headers, bool is_json, struct err *err)
{
    /* "Expect: 100-continue" costs a second wherever it is not understood. */
    int result = add_header(headers, "Expect:", err);
    if (result == 0)
        result = add_header(headers, "Accept: application/json", err);
    if (result == 0 && is_json)
        result = add_header(headers, "Content-Type: application/json", err);
    return result;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct rest_transfer *transfer = context;
    struct buf *body = &transfer->response.body;
    size_t length = size * count; /* libcurl promises size 1 */
    size_t room = transfer->body_max - body->length;
    buf_append_bytes(body, bytes, length < room ? length : room);
    transfer->response.is_cut |= length > room || body->has_failed;
    return length; /* what is cut off is read all the same: the connection can be used again */
}

/* https://docs.discord.com/developers/reference#uploading-files */
static CURLcode add_parts(struct rest_transfer *transfer, const struct rest_request *request)
{
    transfer->mime = curl_mime_init(transfer->easy);
    curl_mimepart *part = transfer->mime ? curl_mime_addpart(transfer->mime) : NULL;
    if (!part)
        return CURLE_OUT_OF_MEMORY;
    CURLcode code = curl_mime_name(part, "payload_json");
    if (code == CURLE_OK)
        code = curl_mime_type(part, "application/json");
    if (code == CURLE_OK)
        code = curl_mime_data(part, request->body.data, request->body.length);
    for (int i = 0; i < request->file_count && code == CURLE_OK; i++) {
        CLEANUP(buf_free) struct buf name = { 0 };
        CLEANUP(buf_free) struct buf filename = { 0 };
        const struct reply_attachment *file = &request->files[i];
        buf_append_format(&name, "files[%d]", i);
        buf_append(&filename, file->filename);
        part = curl_mime_addpart(transfer->mime);
        if (!part || !name.data || !filename.data)
            return CURLE_OUT_OF_MEMORY;
        code = curl_mime_name(part, name.data);
        if (code == CURLE_OK)
            code = curl_mime_filename(part, filename.data);
        if (code == CURLE_OK)
            code = curl_mime_type(part, "application/octet-stream");
        if (code == CURLE_OK)
            code =
                curl_mime_data(part, file->bytes.data ? file->bytes.data : "", file->bytes.length);
    }
    if (code == CURLE_OK)
        code = curl_easy_setopt(transfer->easy, CURLOPT_MIMEPOST, transfer->mime);
    return code;
}

/* Of a handle that was set up for such a request before, only the body changes. */
static CURLcode set_body(CURL *easy, CURLoption how, struct str_view body)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    return code == CURLE_OK ? curl_easy_setopt(easy, how, body.data ? body.data : "") : code;
}

static CURLcode set_content(struct rest_transfer *transfer, const struct rest_request *request)
{
    if (request->file_count > 0)
        return add_parts(transfer, request);
    if (request->body.data || request->method == REST_POST)
        return set_body(transfer->easy,
                        request->is_body_copied ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS,
                        request->body);
    return CURLE_OK;
}

static CURLcode set_url(CURL *easy, const struct rest_settings *settings,
                        const struct rest_request *request)
{
    CLEANUP(wipe) struct buf url = { 0 };
    struct str_view base = str_from(settings->api_url);
    while (base.length > 0 && base.data[base.length - 1] == '/')
        base.length--;
    /* All at once, so that no outgrown copy of the token stays behind. */
    buf_append_format(&url, "%.*s%.*s", STR_ARGS(base), STR_ARGS(request->path));
    return url.has_failed ? CURLE_OUT_OF_MEMORY : curl_easy_setopt(easy, CURLOPT_URL, url.data);
}

/* --- What is the same for all requests of a struct rest_settings --- */

struct long_option {
    CURLoption option;
    long value;
};

static CURLcode set_longs(CURL *easy, const struct rest_settings *settings)
{
    bool is_tls = str_starts_with(str_from(settings->api_url), STR("https:"));
    const struct long_option options[] = {
        { CURLOPT_SSL_VERIFYPEER, 1 },
        { CURLOPT_SSL_VERIFYHOST, 2 },
        { CURLOPT_FOLLOWLOCATION, 0 }, /* a redirect would carry the token elsewhere */
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS },
        { CURLOPT_PIPEWAIT, is_tls }, /* rather share a connection than open many at once */
        { CURLOPT_CONNECTTIMEOUT_MS,
          (long)(settings->connect_ms ? settings->connect_ms : REST_CONNECT_MS) },
        { CURLOPT_TIMEOUT_MS, (long)(settings->total_ms ? settings->total_ms : REST_TOTAL_MS) },
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(options) && code == CURLE_OK; i++)
        code = curl_easy_setopt(easy, options[i].option, options[i].value);
    return code;
}

static CURLcode set_texts(CURL *easy, const struct rest_settings *settings)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_USERAGENT, REST_USER_AGENT);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (code == CURLE_OK && settings->ca_file && settings->ca_file[0])
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    return code;
}

/* --- Handles between two requests --- */

/* What most requests are: an edit or a follow-up without files. */
static bool is_common(const struct rest_settings *settings, const struct rest_request *request)
{
    return settings->idle && request->body.data && request->file_count == 0 &&
           !request->is_as_bot && !request->is_body_copied;
}

/* Into `transfer`: one whose last request was of the same kind, if there is one on top. */
static CURL *take_handle(struct rest_transfer *transfer, const struct rest_request *request)
{
    struct rest_idle *idle = transfer->idle;
    if (!idle || idle->count == 0)
        return curl_easy_init();
    struct rest_idle_handle *handle = &idle->handles[--idle->count];
    if (handle->is_set_up && transfer->is_common && handle->method == request->method)
        transfer->is_set_up = true;
    else
        curl_easy_reset(handle->easy);
    return handle->easy;
}

/* An idle handle holds nothing of its last request: the URL with the token is freed. */
static void put_handle(struct rest_transfer *transfer)
{
    struct rest_idle *idle = transfer->idle;
    CURL *easy = transfer->easy;
    if (!easy || !idle || idle->count == REST_IDLE_MAX) {
        curl_easy_cleanup(easy);
        return;
    }
    bool is_kept = transfer->is_set_up && curl_easy_setopt(easy, CURLOPT_URL, NULL) == CURLE_OK &&
                   set_body(easy, CURLOPT_POSTFIELDS, STR("")) == CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_WRITEDATA, NULL) == CURLE_OK;
    if (!is_kept)
        curl_easy_reset(easy);
    idle->handles[idle->count++] =
        (struct rest_idle_handle){ .easy = easy, .is_set_up = is_kept, .method = transfer->method };
}

/* --- A request becomes a handle --- */

static int find_headers(struct rest_transfer *transfer, const struct rest_settings *settings,
                        const struct rest_request *request, struct curl_slist **headers,
                        struct err *err)
{
    bool is_json = request->body.data && request->file_count == 0;
    if (transfer->is_common && settings->idle->headers) {
        *headers = settings->idle->headers;
        return 0;
    }
    struct curl_slist **made = transfer->is_common ? &settings->idle->headers : &transfer->headers;
    int result = add_headers(made, is_json, err);
    if (result == 0 && request->is_as_bot)
        result = add_authorization(made, settings->bot_token, err);
    if (result != 0 && transfer->is_common)
        curl_slist_free_all(STEAL(*made));
    *headers = *made;
    return result;
}

static CURLcode set_up(struct rest_transfer *transfer, const struct rest_settings *settings,
                       const struct rest_request *request, struct curl_slist *headers)
{
    CURL *easy = transfer->easy;
    CURLcode code = set_longs(easy, settings);
    if (code == CURLE_OK)
        code = set_texts(easy, settings);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method_words[request->method]);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)(request->method == REST_POST));
    return code;
}

static int set_request(struct rest_transfer *transfer, const struct rest_settings *settings,
                       const struct rest_request *request, struct err *err)
{
    CURLcode code = CURLE_OK;
    if (!transfer->is_set_up) {
        struct curl_slist *headers = NULL;
        int result = find_headers(transfer, settings, request, &headers, err);
        if (result != 0)
            return result;
        code = set_up(transfer, settings, request, headers);
    }
    if (code == CURLE_OK)
        transfer->is_set_up = transfer->is_common;
    if (code == CURLE_OK)
        code = set_url(transfer->easy, settings, request);
    if (code == CURLE_OK)
        code = curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    if (code == CURLE_OK)
        code = set_content(transfer, request);
    if (code == CURLE_OK)
        return 0;
    return err_set(err, code == CURLE_OUT_OF_MEMORY ? ERR_MEMORY : ERR_INTERNAL, "a request: %s",
                   curl_easy_strerror(code));
}

int rest_transfer_init(struct rest_transfer *transfer, const struct rest_settings *settings,
                       const struct rest_request *request, struct err *err)
{
    *transfer = (struct rest_transfer){
        .idle = settings->idle,
        .is_common = is_common(settings, request),
        .method = request->method,
        .body_max = settings->body_max ? settings->body_max : REST_BODY_MAX,
        .response = { .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_after_ms = -1 },
    };
    transfer->easy = take_handle(transfer, request);
    return transfer->easy ? set_request(transfer, settings, request, err)
                          : err_set(err, ERR_MEMORY, "a request");
}

void rest_transfer_fini(struct rest_transfer *transfer)
{
    for (struct curl_slist *header = transfer->headers; header; header = header->next)
        sodium_memzero(header->data, strlen(header->data));
    put_handle(transfer);
    curl_mime_free(transfer->mime);
    curl_slist_free_all(transfer->headers);
    rest_response_free(&transfer->response);
    *transfer = (struct rest_transfer){ 0 };
}
