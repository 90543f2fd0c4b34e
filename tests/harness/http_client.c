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

struct http_client {
    CURL *curl;
    struct listen_address address;
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
    free(client);
}

void http_client_release(struct http_client **client)
{
    http_client_free(*client);
    *client = NULL;
}

static size_t receive(char *data, size_t size, size_t count, void *context)
{
    buf_append_bytes(context, data, size * count);
    return size * count;
}

static char *url_of(const struct listen_address *address, const char *path)
{
    if (address->is_unix)
        return must_format("http://bronxbot%s", path);
    return must_format(address->is_ipv6 ? "http://[%s]:%u%s" : "http://%s:%u%s", address->text,
                       (unsigned)address->port, path);
}

static struct curl_slist *header_list(const struct http_request *request)
{
    /* Without this curl asks for a "100 Continue" before large bodies; Discord does not. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
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
    char *url = url_of(&client->address, request->path);
    struct curl_slist *headers = header_list(request);
    buf_clear(&answer->body);

    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (client->address.is_unix)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->address.text);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_CLIENT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->body.data) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    CURLcode result = curl_easy_perform(curl);

    long status = 0;
    const char *content_type = NULL;
    curl_off_t elapsed_us = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &content_type);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    answer->status = (int)status;
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
