/* libcurl easy handle per client; plain sockets for the raw exchange. A client is used by one
 * thread at a time; different clients are independent. */
#include "harness/http_client.h"

#include "harness/memory.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* MAX_BODY_BYTES of the configuration: a program answers larger bodies at their headers. */
#define BODY_TAKEN_MAX 262144

struct http_client {
    CURL *curl;
    struct listen_address address;
    const struct http_tls *tls;
    struct curl_slist *resolve; /* leads the certificate's name to `address` */
};

static void curl_start(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        abort();
}

struct http_client *http_client_new(const struct listen_address *address)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* libcurl's own state needs it */
    pthread_once(&once, curl_start);
    struct http_client *client = must_allocate(1, sizeof(*client));
    client->address = *address;
    client->curl = curl_easy_init();
    if (!client->curl)
        abort();
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->resolve);
    free(client);
}

void http_client_release(struct http_client **client)
{
    http_client_free(*client);
    *client = NULL;
}

void http_client_use_tls(struct http_client *client, const struct http_tls *tls)
{
    char *line =
        must_format("%s:%u:%s", tls->host, (unsigned)client->address.port, client->address.text);
    client->tls = tls;
    client->resolve = curl_slist_append(NULL, line);
    free(line);
    if (!client->resolve)
        abort();
}

static void set_tls(const struct http_client *client)
{
    static const struct {
        int version;
        long option;
    } versions[] = {
        { 0, CURL_SSLVERSION_DEFAULT },
        { 11, CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1 },
        { 12, CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2 },
        { 13, CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3 },
    };
    CURL *curl = client->curl;
    for (size_t i = 0; i < ARRAY_LENGTH(versions); i++)
        if (versions[i].version == client->tls->only_version)
            curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions[i].option);
    /* OpenSSL itself would not even offer TLS 1.1 otherwise, and prove nothing. */
    if (client->tls->only_version == 11)
        curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "ALL:@SECLEVEL=0");
    curl_easy_setopt(curl, CURLOPT_CAINFO, client->tls->ca_path);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, client->resolve);
}

static size_t receive(char *data, size_t size, size_t count, void *context)
{
    buf_append_bytes(context, data, size * count);
    return size * count;
}

static char *url_of(const struct http_client *client, const char *path)
{
    const struct listen_address *address = &client->address;
    if (client->tls)
        return must_format("https://%s:%u%s", client->tls->host, (unsigned)address->port, path);
    if (address->is_unix)
        return must_format("http://bronxbot%s", path);
    return must_format(address->is_ipv6 ? "http://[%s]:%u%s" : "http://%s:%u%s", address->text,
                       (unsigned)address->port, path);
}

static struct curl_slist *header_list(const struct http_request *request)
{
    /* Discord asks for no "100 Continue", so neither may curl; but a body that is refused by its
     * length would be reset while it is sent, and take the answer with it. */
    bool is_refused = request->body.length > BODY_TAKEN_MAX;
    struct curl_slist *list =
        curl_slist_append(NULL, is_refused ? "Expect: 100-continue" : "Expect:");
    for (const char *const *header = request->headers; header && *header; header++)
        list = curl_slist_append(list, *header);
    if (!list)
        abort();
    return list;
}

int http_client_send(struct http_client *client, const struct http_request *request,
                     struct http_answer *answer, struct err *err)
{
    CURL *curl = client->curl;
    char *url = url_of(client, request->path);
    struct curl_slist *headers = header_list(request);
    buf_clear(&answer->body);

    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (client->address.is_unix)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->address.text);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_CLIENT_TIMEOUT_MS);
    bool uses_http2 = client->tls && client->tls->uses_http2;
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                     (long)(uses_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (client->tls)
        set_tls(client);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->body.data) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    CURLcode result = curl_easy_perform(curl);

    long status = 0, version = 0;
    const char *content_type = NULL;
    curl_off_t elapsed_us = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &content_type);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    answer->status = (int)status;
    answer->http_version = version == CURL_HTTP_VERSION_2_0   ? 20
                           : version == CURL_HTTP_VERSION_1_1 ? 11
                                                              : 10;
    answer->elapsed_us = elapsed_us;
    snprintf(answer->content_type, sizeof(answer->content_type), "%s",
             content_type ? content_type : "");
    must_hold(&answer->body);
    curl_slist_free_all(headers);
    free(url);
    if (result != CURLE_OK)
        return err_set(err, ERR_UNAVAILABLE, "%s %s: %s", request->method, request->path,
                       curl_easy_strerror(result));
    return 0;
}

int http_client_post_signed(struct http_client *client, const struct harness_signature *signature,
                            struct str_view body, struct http_answer *answer, struct err *err)
{
    char signature_line[sizeof(signature->hex) + 32];
    char timestamp_line[sizeof(signature->timestamp) + 32];
    snprintf(signature_line, sizeof(signature_line), "X-Signature-Ed25519: %s", signature->hex);
    snprintf(timestamp_line, sizeof(timestamp_line), "X-Signature-Timestamp: %s",
             signature->timestamp);
    const char *const headers[] = { "Content-Type: application/json",
                                    "User-Agent: Discord-Interactions/1.0 (+https://discord.com)",
                                    signature_line, timestamp_line, NULL };
    const struct http_request request = { "POST", "/interactions", headers, body };
    return http_client_send(client, &request, answer, err);
}

void http_answer_free(struct http_answer *answer)
{
    buf_free(&answer->body);
}

static socklen_t socket_address(const struct listen_address *address,
                                struct sockaddr_storage *storage)
{
    memset(storage, 0, sizeof(*storage));
    if (address->is_unix) {
        struct sockaddr_un *unix_address = (struct sockaddr_un *)storage;
        unix_address->sun_family = AF_UNIX;
        snprintf(unix_address->sun_path, sizeof(unix_address->sun_path), "%s", address->text);
        return sizeof(*unix_address);
    }
    if (address->is_ipv6) {
        struct sockaddr_in6 *tcp6 = (struct sockaddr_in6 *)storage;
        tcp6->sin6_family = AF_INET6;
        tcp6->sin6_port = htons(address->port);
        return inet_pton(AF_INET6, address->text, &tcp6->sin6_addr) == 1 ? sizeof(*tcp6) : 0;
    }
    struct sockaddr_in *tcp = (struct sockaddr_in *)storage;
    tcp->sin_family = AF_INET;
    tcp->sin_port = htons(address->port);
    return inet_pton(AF_INET, address->text, &tcp->sin_addr) == 1 ? sizeof(*tcp) : 0;
}

int http_raw_connect(const struct listen_address *address, struct err *err)
{
    struct sockaddr_storage storage;
    socklen_t length = socket_address(address, &storage);
    if (length == 0)
        return err_set(err, ERR_INVALID, "not an address: %s", address->text);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "socket");
    if (connect(fd, (const struct sockaddr *)&storage, length) != 0) {
        int number = errno;
        close(fd);
        return err_set_errno(err, ERR_UNAVAILABLE, number, "connect to %s", address->text);
    }
    return fd;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void receive_until(int fd, int64_t deadline_ms, struct buf *answer)
{
    for (;;) {
        int64_t left = deadline_ms - monotonic_ms();
        struct pollfd waiting = { .fd = fd, .events = POLLIN };
        if (left <= 0 || poll(&waiting, 1, (int)left) <= 0)
            return;
        char bytes[4096];
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got <= 0)
            return;
        buf_append_bytes(answer, bytes, (size_t)got);
    }
}

int http_raw_exchange(const struct listen_address *address, struct str_view bytes,
                      bool ends_sending, int timeout_ms, struct buf *answer, struct err *err)
{
    int fd = http_raw_connect(address, err);
    if (fd < 0)
        return fd;
    size_t sent = 0;
    /* A server may refuse and close before all is sent: that is an answer, not an error. */
    while (sent < bytes.length) {
        ssize_t count = send(fd, bytes.data + sent, bytes.length - sent, MSG_NOSIGNAL);
        if (count <= 0)
            break;
        sent += (size_t)count;
    }
    if (ends_sending)
        shutdown(fd, SHUT_WR);
    receive_until(fd, monotonic_ms() + timeout_ms, answer);
    close(fd);
    must_hold(answer);
    return 0;
}

/* Waits until the TLS connection's socket can be read or written; false at the deadline. */
static bool await_socket(CURL *curl, short events, int64_t deadline_ms)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
    int64_t left = deadline_ms - monotonic_ms();
    struct pollfd waiting = { .fd = fd, .events = events };
    return fd != CURL_SOCKET_BAD && left > 0 && poll(&waiting, 1, (int)left) > 0;
}

static void talk_over_tls(CURL *curl, struct str_view bytes, int64_t deadline_ms,
                          struct buf *answer)
{
    size_t sent = 0, count;
    while (sent < bytes.length) {
        CURLcode code = curl_easy_send(curl, bytes.data + sent, bytes.length - sent, &count);
        if (code == CURLE_OK)
            sent += count;
        else if (code != CURLE_AGAIN || !await_socket(curl, POLLOUT, deadline_ms))
            break;
    }
    for (;;) {
        char block[4096];
        CURLcode code = curl_easy_recv(curl, block, sizeof(block), &count);
        if (code == CURLE_OK && count > 0)
            buf_append_bytes(answer, block, count);
        else if (code != CURLE_AGAIN || !await_socket(curl, POLLIN, deadline_ms))
            return;
    }
}

int http_raw_exchange_tls(const struct listen_address *address, const struct http_tls *tls,
                          struct str_view bytes, int timeout_ms, struct buf *answer,
                          struct err *err)
{
    CLEANUP(http_client_release) struct http_client *client = http_client_new(address);
    http_client_use_tls(client, tls);
    char *url = url_of(client, "/");
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(client->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(client->curl, CURLOPT_CONNECT_ONLY, 1L);
    set_tls(client);
    CURLcode result = curl_easy_perform(client->curl);
    free(url);
    if (result != CURLE_OK)
        return err_set(err, ERR_UNAVAILABLE, "TLS: %s", curl_easy_strerror(result));
    talk_over_tls(client->curl, bytes, monotonic_ms() + timeout_ms, answer);
    must_hold(answer);
    return 0;
}
