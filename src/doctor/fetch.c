/* Fetching. Blocking, on the main thread; a connection of its own for each request, as a stranger
 * would have. Certificates are always verified. */
#include "doctor/fetch.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define URL_SIZE   1024
#define USER_AGENT "DiscordBot (https://github.com/bronxbot/bronxbot, " BRONX_VERSION ")"

static_assert(FETCH_REASON_SIZE >= CURL_ERROR_SIZE, "libcurl writes that much");

static void free_curl(CURL **curl)
{
    if (*curl)
        curl_easy_cleanup(*curl);
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static size_t take_body(const char *bytes, size_t size, size_t count, void *context)
{
    struct buf *body = context;
    size_t length = size * count, room = FETCH_BODY_MAX - body->length;
    buf_append_bytes(body, bytes, length < room ? length : room);
    return length;
}

static size_t take_header(const char *bytes, size_t size, size_t count, void *context)
{
    struct fetch_answer *answer = context;
    struct str_view line = { bytes, size * count }, name;
    if (str_split(&line, ':', &name) && str_equal_ignoring_case(name, STR("Date"))) {
        char value[64];
        line = str_trim(line);
        if (line.length > 0 && line.length < sizeof(value)) {
            memcpy(value, line.data, line.length);
            value[line.length] = '\0';
            int64_t seconds = curl_getdate(value, NULL);
            answer->date_ms = seconds > 0 ? seconds * 1000 : 0;
        }
    }
    return size * count;
}

static enum fetch_result result_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return FETCH_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return FETCH_NO_ADDRESS;
    case CURLE_COULDNT_CONNECT:
        return FETCH_NO_CONNECTION;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return FETCH_NO_TLS;
    default:
        return FETCH_NO_ANSWER;
    }
}

/* False without memory. */
static bool make_headers(const struct fetch_request *request, struct curl_slist **list)
{
    const char *own = request->body.data ? "Content-Type: application/json" : "Accept: */*";
    *list = curl_slist_append(NULL, own);
    for (size_t i = 0; *list && i < FETCH_HEADERS_MAX && request->headers[i]; i++) {
        struct curl_slist *longer = curl_slist_append(*list, request->headers[i]);
        if (!longer)
            return false;
        *list = longer;
    }
    return *list != NULL;
}

static void set_options(CURL *curl, const struct fetch_request *request,
                        struct fetch_answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, FETCH_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    if (request->unix_path)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
    if (request->ca_file && request->ca_file[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    if (request->is_local)
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (request->body.data) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    }
}

static void look_at(CURL *curl, struct fetch_answer *answer)
{
    long status = 0;
    curl_off_t elapsed_us = 0;
    char *content_type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &content_type);
    answer->status = (int)status;
    answer->elapsed_ms = elapsed_us / 1000;
    answer->is_json = str_starts_with(str_from(content_type), STR("application/json"));
}

void fetch(const struct fetch_request *request, struct fetch_answer *answer)
{
    CLEANUP(free_list) struct curl_slist *headers = NULL;
    fetch_free(answer);
    *answer = (struct fetch_answer){ .result = FETCH_NO_ANSWER };
    CLEANUP(free_curl) CURL *curl = curl_easy_init();
    if (!curl || !make_headers(request, &headers))
        return;
    set_options(curl, request, answer);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    answer->result = result_of(code);
    if (code != CURLE_OK && !answer->reason[0])
        strncpy(answer->reason, curl_easy_strerror(code), sizeof(answer->reason) - 1);
    look_at(curl, answer);
    if (answer->body.has_failed)
        answer->result = FETCH_NO_ANSWER;
}

void fetch_at(const struct listen_address *address, const char *path,
              const struct fetch_request *request, struct fetch_answer *answer)
{
    char url[URL_SIZE];
    CLEANUP(buf_free) struct buf host = { 0 };
    struct fetch_request whole = *request;
    listen_address_print(address, &host);
    if (address->is_unix)
        snprintf(url, sizeof(url), "http://localhost%s", path);
    else
        snprintf(url, sizeof(url), "http://%.*s%s", STR_ARGS(buf_view(&host)), path);
    whole.url = url;
    whole.unix_path = address->is_unix ? address->text : NULL;
    whole.is_local = true;
    fetch(&whole, answer);
}

void fetch_free(struct fetch_answer *answer)
{
    buf_free(&answer->body);
}
