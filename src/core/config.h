/* Settings: one table (config.c) says for each its name, kind, range, default and help. They come
 * from the environment, from `NAME_FILE` for secrets, and from a `.env` file in the working
 * directory; the environment wins. A wrong value is one line that names the variable, what was
 * given (never a secret's value) and what is accepted. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "bronx/err.h"
#include "bronx/text.h"

#include "core/log_sink.h"

#include <netinet/in.h>

#define CONFIG_TEXT_MAX      512
#define CONFIG_PUBLIC_KEYS   4 /* more than two are only there while keys are rotated */
#define CONFIG_OWNERS        32
#define ED25519_KEY_BYTES    32
#define UNIX_SOCKET_PATH_MAX 107 /* sizeof(sockaddr_un.sun_path) - 1 */

struct listen_address {
    bool is_unix;
    char text[UNIX_SOCKET_PATH_MAX + 1]; /* host (no brackets) or path */
    uint16_t port;                       /* TCP; 0 lets the system choose */
    bool is_ipv6;
};

struct public_keys {
    unsigned char bytes[CONFIG_PUBLIC_KEYS][ED25519_KEY_BYTES];
    int count;
};

struct owner_ids {
    int64_t ids[CONFIG_OWNERS];
    int count;
};

struct config {
    int64_t application_id;
    struct public_keys public_keys;
    char bot_token[CONFIG_TEXT_MAX]; /* secret; "" when unset */
    char api_url[CONFIG_TEXT_MAX];
    struct owner_ids owner_ids;
    int64_t owner_guild_id; /* 0 when unset */
    struct listen_address listen, admin_listen;
    char database_url[CONFIG_TEXT_MAX]; /* secret: may carry a password */
    char redis_url[CONFIG_TEXT_MAX];    /* secret; "" when unset */
    int64_t guild_count;
    int64_t db_pool_min, db_pool_max;
    int64_t defer_after_ms;
    int64_t signature_max_age_seconds, signature_max_skew_seconds;
    int64_t max_body_bytes;
    int64_t usage_flush_seconds;
    int64_t edit_floor_ms;
    char server_secret[CONFIG_TEXT_MAX]; /* secret; "" when unset: kept in the database */
    enum log_level log_level;
    enum log_format log_format;
    int64_t http_threads;                   /* 0: one for each core this process may use */
    int64_t http_connections;               /* open at once on LISTEN */
    int64_t executor_threads;               /* at most */
    char clock_shift_file[CONFIG_TEXT_MAX]; /* "" when unset */
};

/* Where values are looked up, in this order. */
struct config_sources {
    const char *const *environment; /* "NAME=value", ended by NULL */
    struct str_view dotenv;         /* text of the .env file; absent when there is none */
};

/* Every problem there is, each a line of its own. */
struct config_report {
    struct buf errors;   /* lines; empty when all is well */
    struct buf warnings; /* lines: unknown names in .env */
};

/* Fills `config` from defaults and sources. ERR_CONFIG when anything is wrong; err names the first
 * problem, `report` (may be NULL) all of them. `needs_discord` false accepts a missing application
 * id and public key (for what Discord does not call). */
int config_load(struct config *config, const struct config_sources *sources, bool needs_discord,
                struct config_report *report, struct err *err) MUST_CHECK;

/* The effective settings as `NAME=value  # help` lines; secrets as `(set)` or `(unset)`. */
void config_print(const struct config *config, struct buf *out);

/* The file a secret is kept in (NAME_FILE). */
struct config_secret_file {
    char name[64]; /* "DISCORD_BOT_TOKEN_FILE" */
    char path[CONFIG_TEXT_MAX];
};

/* Goes through those that are set: begins with `*position` 0, false after the last. */
bool config_next_secret_file(const struct config_sources *sources, size_t *position,
                             struct config_secret_file *file);

void config_report_free(struct config_report *report);

/* Whether an http:// URL stays on this host, as that of a simulated Discord does. */
bool config_is_on_this_host(const char *url);

/* `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`. */
int listen_address_parse(struct str_view text, struct listen_address *address) MUST_CHECK;
void listen_address_print(const struct listen_address *address, struct buf *out);

#endif
