/* Requests to Discord's REST API, over libcurl.
 * https://docs.discord.com/developers/reference#http-api
 *
 * A request is described by a struct rest_request; rest_transfer_init turns it into a libcurl
 * handle that is performed here (rest_request, for the command line) or in a loop of the caller's
 * (the outbox). Certificates are always verified. Neither paths, which may hold interaction tokens,
 * nor tokens are ever part of an error's text.
 *
 * Any thread; a transfer is used by one thread at a time. */
#ifndef DISCORD_REST_H
#define DISCORD_REST_H

#include "bronx/err.h"
#include "bronx/reply.h"
#include "bronx/text.h"

#include <curl/curl.h>
#include <json-c/json.h>

/* A connection across the world takes well below a second; three tries of the first packet fit. */
#define REST_CONNECT_MS   5000
/* 10 MiB of files at 4 Mbit/s fit. */
#define REST_TOTAL_MS     30000
/* More of an answer's body is dropped: enough for 100 commands with all their translations. */
#define REST_BODY_MAX     ((size_t)16 * 1024 * 1024)
/* What Discord asks us to wait is believed up to a day. */
#define REST_WAIT_MAX_MS  INT64_C(86400000)

#define REST_USER_AGENT   "DiscordBot (https://github.com/bronxbot/bronxbot, " BRONX_VERSION ")"

#define REST_BUCKET_SIZE  64
#define REST_SCOPE_SIZE   16
#define REST_MESSAGE_SIZE 128

/* Codes in the body of an answer.
 * https://docs.discord.com/developers/topics/opcodes-and-status-codes#json */
enum rest_error_code {
    REST_UNKNOWN_APPLICATION = 10002,
    REST_UNKNOWN_MESSAGE = 10008,
    REST_UNKNOWN_WEBHOOK = 10015,
    REST_INVALID_WEBHOOK_TOKEN = 50027,
};

enum rest_method { REST_GET, REST_POST, REST_PUT, REST_PATCH, REST_DELETE };

/* How a request ended. */
enum rest_result {
    REST_ANSWERED,            /* with any status */
    REST_NOT_CONNECTED,       /* no connection, or no TLS that can be trusted */
    REST_LOST_BEFORE_SENDING, /* the connection went before a byte of the request was sent */
    REST_LOST_AFTER_SENDING,
    REST_TIMED_OUT, /* after something was sent */
};

/* Handles of libcurl between two requests: making one costs more than a request does, setting one
 * up nearly as much, so one that has sent JSON stays set up for the next of the same method. Used
 * by one thread and with one struct rest_settings; to be zeroed before its first use. */
#define REST_IDLE_MAX 256
struct rest_idle_handle {
    CURL *easy;
    bool is_set_up; /* for JSON by `method`; else it was reset */
    enum rest_method method;
};
struct rest_idle {
    struct rest_idle_handle handles[REST_IDLE_MAX];
    int count;
    struct curl_slist *headers; /* of those set up; NULL: none yet */
};
void rest_idle_free(struct rest_idle *idle);

struct rest_settings {
    const char *api_url;   /* DISCORD_API_URL; borrowed */
    const char *bot_token; /* "" or NULL: requests as the bot fail with ERR_CONFIG; borrowed */
    const char *ca_file;   /* DISCORD_CA_FILE; "" or NULL: the system's authorities; borrowed */
    int64_t connect_ms, total_ms; /* 0: REST_CONNECT_MS, REST_TOTAL_MS */
    size_t body_max;              /* 0: REST_BODY_MAX */
    struct rest_idle *idle;       /* borrowed; NULL: each request has a handle of its own */
};

struct rest_request {
    enum rest_method method;
    struct str_view path; /* below the API's URL, from its '/' on: see rest_append_segment */
    bool is_as_bot;       /* carries the bot's token */
    struct str_view body; /* JSON; absent: none. Borrowed until the transfer has ended ... */
    bool is_body_copied;  /* ... or only until rest_transfer_init returns */
    const struct reply_attachment *files; /* with any, the body is their payload_json */
    int file_count;
};

struct rest_response {
    enum rest_result result;
    const char *reason;     /* why there was no answer, in words; static storage */
    int status;             /* 0 without an answer */
    int64_t retry_after_ms; /* header Retry-After; -1 when absent */
    int64_t limit, remaining, reset_after_ms; /* X-RateLimit-*; -1 when absent */
    char bucket[REST_BUCKET_SIZE];
    char scope[REST_SCOPE_SIZE]; /* "user", "global" or "shared" */
    bool is_global;              /* X-RateLimit-Global */
    bool has_via;                /* Discord's own servers were reached, not only Cloudflare's */
    struct buf body;
    bool is_cut; /* the body was longer than body_max */
};

/* What the body of an answer says. */
struct rest_error {
    bool is_json; /* an object; else the rest is empty */
    int64_t code; /* 0 when absent */
    char message[REST_MESSAGE_SIZE];
    int64_t retry_after_ms; /* -1 when absent */
    bool has_global;        /* every 429 of Discord itself says whether it is ... */
    bool is_global;         /* ... for all requests */
};

/* Sends one request and waits for the answer: 0 when there is one, whatever its status;
 * ERR_UNAVAILABLE when there is none (`response` says how it ended), ERR_CONFIG, ERR_MEMORY.
 * `response` is to be freed in any case. */
int rest_request(const struct rest_settings *settings, const struct rest_request *request,
                 struct rest_response *response, struct err *err) MUST_CHECK;

void rest_response_free(struct rest_response *response); /* fit for CLEANUP */

/* A request that failed this way certainly had no effect. */
bool rest_was_without_effect(enum rest_result result);

void rest_read_error(const struct rest_response *response, struct rest_error *error);

/* A 429 that comes from Cloudflare, which bans the address for a while, not from Discord. */
bool rest_is_banned(const struct rest_response *response, const struct rest_error *error);

/* How long a 429 asks to wait: the body knows it more finely than the header. -1 when neither
 * says. */
int64_t rest_wait_ms(const struct rest_response *response, const struct rest_error *error);

/* Any JSON text of bounded depth; the caller frees `*value` with json_object_put. ERR_INVALID. */
int rest_parse_json(struct str_view text, struct json_object **value, struct err *err) MUST_CHECK;

/* Appends '/' and one segment of a path, escaped. */
void rest_append_segment(struct buf *path, struct str_view segment);
void rest_append_id(struct buf *path, int64_t id);

/* --- For loops of one's own --- */

/* A request under way; at one address from init to fini. */
struct rest_transfer {
    CURL *easy; /* CURLINFO_PRIVATE is the caller's */
    struct curl_slist *headers;
    curl_mime *mime;
    struct rest_idle *idle; /* where `easy` goes afterwards; NULL: nowhere */
    bool is_common;         /* of the kind that idle handles are set up for ... */
    bool is_set_up;         /* ... and this one is */
    enum rest_method method;
    size_t body_max;
    struct rest_response response;
};

/* Prepares `transfer->easy`. After a failure rest_transfer_fini is still due. */
int rest_transfer_init(struct rest_transfer *transfer, const struct rest_settings *settings,
                       const struct rest_request *request, struct err *err) MUST_CHECK;

/* Fills in the response after the handle was performed with `code`. */
void rest_transfer_finish(struct rest_transfer *transfer, CURLcode code);

/* The handle must have left its multi handle. Fit for CLEANUP. */
void rest_transfer_fini(struct rest_transfer *transfer);

#endif
