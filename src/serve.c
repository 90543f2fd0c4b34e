/* Putting the parts together, for `bronxbot serve` and `bronxbot worker`. Everything here runs on
 * the main thread: it starts the parts in the order of the table, waits for a signal, and stops
 * them in reverse. Each part may use those before it. */
#include "serve.h"

#include "bronx/services.h"

#include "cache/cache.h"
#include "cache/cache_admin.h"
#include "commands.h"
#include "core/checker.h"
#include "core/executor.h"
#include "core/supervisor.h"
#include "core/system_clock.h"
#include "db/migrate.h"
#include "http/admin.h"
#include "http/listener.h"
#include "http/webhook.h"
#include "outbox/outbox_admin.h"
#include "router/events.h"
#include "router/router.h"
#include "services/secret.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The 10 s between SIGTERM and the end: for answering what is in flight, for sending what is due
 * and giving the rest back; the remainder is for closing the database. */
#define DRAIN_MS             6000
#define OUTBOX_STOP_MS       1500
/* Workers kept when idle: two block on the disk while two others compute. */
#define EXECUTOR_THREADS_MIN 4
/* Tasks waiting for a thread: at 1 ms each a full queue is worked off well within 3 s. */
#define EXECUTOR_QUEUE_MAX   1024
#define ADMIN_CONNECTIONS    32
#define ADMIN_PARTS          4
/* Who watches /readyz waits a few seconds; a database that says nothing for so long is down. */
#define CHECK_PATIENCE_MS    1000

static_assert(OUTBOX_KEY_BYTES == SERVER_KEY_BYTES,
              "the outbox's key is derived from the server's");

enum bot_role { ROLE_SERVE, ROLE_WORKER };

static const char *const role_words[] = { [ROLE_SERVE] = "serve", [ROLE_WORKER] = "worker" };

struct bot {
    const struct config *config;
    enum bot_role role;
    struct system_clock clock;
    struct log_sink *sink;
    struct log log;
    struct metrics *metrics;
    struct probe probe;
    struct admin admin;
    pthread_mutex_t probe_lock; /* guards the following, and is held by probes */
    bool are_parts_complete;
    struct admin_part admin_parts[ADMIN_PARTS];
    struct http_route admin_routes[ADMIN_ROUTES];
    struct server *admin_server;
    struct listener admin_listener;
    struct db *db;
    struct checker *db_checker;
    char name_space[32]; /* of this bot on a Redis that others may use */
    struct cache *cache;
    struct chance chance;
    struct erasure_key erasure_key;
    struct services services; /* services.outbox is stop_outbox's to free */
    unsigned char outbox_key[SERVER_KEY_BYTES];
    struct executor *executor;
    struct router *router;
    struct events events;
    struct peer_limiter *limiter;
    struct webhook webhook;
    struct http_route routes[WEBHOOK_ROUTES];
    struct server *server;
    struct listener listener;
};

/* --- Before all others --- */

static int start_clock(struct bot *bot, struct err *err)
{
    const char *path = bot->config->clock_shift_file;
    return system_clock_init(&bot->clock, path[0] ? path : NULL, err);
}

static void stop_clock(struct bot *bot)
{
    system_clock_fini(&bot->clock);
}

static int start_log(struct bot *bot, struct err *err)
{
    const struct config *config = bot->config;
    const char *const secrets[] = { config->bot_token, config->server_secret };
    const char *const urls[] = { config->redis_url, config->database_url };
    bot->sink =
        log_sink_new(STDERR_FILENO, config->log_level, config->log_format, &bot->clock.clock);
    bot->metrics = metrics_new();
    if (!bot->sink || !bot->metrics)
        return err_set(err, ERR_MEMORY, "log and metrics");
    bot->log = log_of(bot->sink);
    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++)
        if (log_sink_hide(bot->sink, str_from(secrets[i])) != 0)
            return err_set(err, ERR_MEMORY, "log");
    /* A URL of a file is no secret and helps to find it; others may carry a password. */
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++)
        if (!str_starts_with(str_from(urls[i]), STR("sqlite:")) &&
            log_sink_hide_url(bot->sink, str_from(urls[i])) != 0)
            return err_set(err, ERR_MEMORY, "log");
    return 0;
}

static void stop_log(struct bot *bot)
{
    log_sink_free(bot->sink);
    metrics_free(bot->metrics);
}

/* --- What /readyz shows. Parts come and go while the admin server runs. --- */

static bool begin_probe(struct bot *bot, struct buf *detail)
{
    pthread_mutex_lock(&bot->probe_lock);
    if (bot->are_parts_complete)
        return true;
    pthread_mutex_unlock(&bot->probe_lock);
    bool is_starting = atomic_load(&bot->admin.readiness) == READINESS_STARTING;
    buf_append(detail, is_starting ? STR("starting") : STR("stopped"));
    return false;
}

static void end_probe(struct bot *bot)
{
    pthread_mutex_unlock(&bot->probe_lock);
}

static void set_parts_complete(struct bot *bot, bool are_complete)
{
    pthread_mutex_lock(&bot->probe_lock);
    bot->are_parts_complete = are_complete;
    pthread_mutex_unlock(&bot->probe_lock);
}

static enum part_state probe_database(void *context, struct buf *detail)
{
    struct bot *bot = context;
    struct err err = { 0 };
    if (!begin_probe(bot, detail))
        return PART_DOWN;
    int result = checker_ask(bot->db_checker, CHECK_PATIENCE_MS, &err);
    bool takes_writes = db_takes_writes(bot->db);
    end_probe(bot);
    if (result != 0) {
        buf_append(detail, str_from(err_code_word(err.code)));
        return PART_DOWN;
    }
    if (takes_writes)
        return PART_OK;
    buf_append(detail, STR("it takes no writes: is its disk full?"));
    return PART_DEGRADED;
}

static enum part_state probe_outbox(void *context, struct buf *detail)
{
    static const char *const words[] = {
        [OUTBOX_WELL] = "",
        [OUTBOX_LEASE_LOST] = "the database was away for too long: nothing is sent",
        [OUTBOX_SHUT] = "Discord wants silence: nothing is sent for a while",
        [OUTBOX_UNREACHED] = "Discord can't be reached: messages wait",
    };
    struct bot *bot = context;
    if (!begin_probe(bot, detail))
        return PART_DOWN;
    enum outbox_condition condition = outbox_condition(bot->services.outbox);
    end_probe(bot);
    buf_append(detail, str_from(words[condition]));
    return condition == OUTBOX_WELL ? PART_OK : PART_DEGRADED;
}

static enum part_state probe_cache(void *context, struct buf *detail)
{
    struct bot *bot = context;
    if (!begin_probe(bot, detail))
        return PART_DOWN;
    enum cache_state state = cache_state(bot->cache);
    end_probe(bot);
    if (state != CACHE_OK)
        buf_append(detail, str_from(cache_state_word(state)));
    return state == CACHE_DEGRADED ? PART_DEGRADED : PART_OK;
}

static enum part_state probe_limits(void *context, struct buf *detail)
{
    static const char *const words[] = {
        [OUTBOX_SHARED] = "shared by Redis",
        [OUTBOX_DIVIDED] = "divided",
        [OUTBOX_DIVIDED_FOR_NOW] = "Redis is away: divided",
    };
    struct bot *bot = context;
    int instances = 0;
    if (!begin_probe(bot, detail))
        return PART_DOWN;
    enum outbox_sharing sharing = outbox_sharing(bot->services.outbox, &instances);
    end_probe(bot);
    buf_append_format(detail, "%s among %d", words[sharing], instances);
    return sharing == OUTBOX_DIVIDED_FOR_NOW ? PART_DEGRADED : PART_OK;
}

/* --- What /outbox does --- */

/* False while there is no database; else end_probe follows. */
static bool begin_admin(struct bot *bot, struct err *err)
{
    CLEANUP(buf_free) struct buf detail = { 0 };
    if (begin_probe(bot, &detail))
        return true;
    err_set(err, ERR_UNAVAILABLE, "the bot is %.*s", STR_ARGS(buf_view(&detail)));
    return false;
}

static int list_jobs(void *context, struct str_view state, struct buf *json, struct err *err)
{
    struct bot *bot = context;
    if (!begin_admin(bot, err))
        return ERR_UNAVAILABLE;
    int result = outbox_admin_list(bot->db, state, clock_wall_ms(&bot->clock.clock), json, err);
    end_probe(bot);
    return result;
}

static int retry_job(void *context, int64_t id, struct err *err)
{
    struct bot *bot = context;
    if (!begin_admin(bot, err))
        return ERR_UNAVAILABLE;
    int result = outbox_admin_retry(bot->db, id, clock_wall_ms(&bot->clock.clock), err);
    end_probe(bot);
    return result;
}

static int drop_job(void *context, int64_t id, struct err *err)
{
    struct bot *bot = context;
    if (!begin_admin(bot, err))
        return ERR_UNAVAILABLE;
    int result = outbox_admin_drop(bot->db, id, clock_wall_ms(&bot->clock.clock), err);
    end_probe(bot);
    return result;
}

/* --- What /cache does --- */

static int list_cache(void *context, struct buf *json, struct err *err)
{
    struct bot *bot = context;
    if (!begin_admin(bot, err))
        return ERR_UNAVAILABLE;
    int result = cache_admin_list(bot->cache, json, err);
    end_probe(bot);
    return result;
}

static int clear_cache(void *context, struct str_view pattern, struct buf *json, struct err *err)
{
    struct bot *bot = context;
    if (!begin_admin(bot, err))
        return ERR_UNAVAILABLE;
    int result = cache_admin_clear(bot->cache, pattern, json, err);
    end_probe(bot);
    return result;
}

/* --- The parts --- */

/* First, so that whoever watches sees "starting" while migrations run. */
static int start_admin(struct bot *bot, struct err *err)
{
    /* A server that is away is away for all instances: none is better off without traffic. */
    bool is_own = str_starts_with(str_from(bot->config->database_url), STR("sqlite:"));
    bot->admin_parts[0] = (struct admin_part){ "database", probe_database, bot, .is_own = is_own };
    bot->admin_parts[1] = (struct admin_part){ "outbox", probe_outbox, bot, .is_own = is_own };
    bot->admin_parts[2] = (struct admin_part){ "cache", probe_cache, bot, .is_own = false };
    bot->admin_parts[3] = (struct admin_part){ "limits", probe_limits, bot, .is_own = false };
    bot->admin.parts = bot->admin_parts;
    bot->admin.part_count = ADMIN_PARTS;
    bot->admin.started_ms = clock_wall_ms(&bot->clock.clock);
    probe_init(&bot->probe);
    bot->admin.metrics = bot->metrics;
    bot->admin.probe = &bot->probe;
    bot->admin.outbox = (struct admin_outbox){ list_jobs, retry_job, drop_job, bot };
    bot->admin.cache = (struct admin_cache){ list_cache, clear_cache, bot };
    bot->admin.clock = &bot->clock.clock;
    admin_routes(&bot->admin, bot->admin_routes);
    int result =
        listener_acquire(&bot->admin_listener, LISTENER_ADMIN, &bot->config->admin_listen, err);
    if (result != 0)
        return err_wrap(err, "ADMIN_LISTEN");
    const struct server_settings settings = {
        .listen_fd = bot->admin_listener.fd,
        .threads = 1,
        .connections = ADMIN_CONNECTIONS,
        .routes = bot->admin_routes,
        .route_count = ADMIN_ROUTES,
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &bot->clock.clock,
        .log = bot->sink,
    };
    return server_new(&bot->admin_server, &settings, err);
}

static void stop_admin(struct bot *bot)
{
    server_free(bot->admin_server);
    probe_fini(&bot->probe);
    listener_release(&bot->admin_listener);
}

static int check_database(void *context, struct err *err)
{
    const struct bot *bot = context;
    return db_check(bot->db, err);
}

static int start_database(struct bot *bot, struct err *err)
{
    const struct db_settings settings = {
        .url = bot->config->database_url,
        .pool_min = (int)bot->config->db_pool_min,
        .pool_max = (int)bot->config->db_pool_max,
        .clock = &bot->clock.clock,
        .metrics = bot->metrics,
        .log = bot->sink,
    };
    struct migration_result migrated;
    int result = db_open(&bot->db, &settings, err);
    if (result == ERR_UNAVAILABLE && bot->role == ROLE_WORKER &&
        str_starts_with(str_from(settings.url), STR("sqlite:")))
        err_wrap(err, "with SQLite a worker runs only while `bronxbot serve`, which contains one, "
                      "does not");
    if (result == 0)
        result = db_migrate(bot->db, built_in_migrations, clock_wall_ms(&bot->clock.clock),
                            &migrated, err);
    if (result == 0 && migrated.applied_count > 0)
        log_info(&bot->log, "database migrated", LOG_INT("from", migrated.version_before),
                 LOG_INT("to", migrated.version_after));
    if (result == 0)
        result = checker_new(&bot->db_checker, check_database, bot, err);
    return result;
}

static void stop_database(struct bot *bot)
{
    checker_free(bot->db_checker);
    db_close(bot->db);
}

static int start_cache(struct bot *bot, struct err *err)
{
    const struct config *config = bot->config;
    snprintf(bot->name_space, sizeof(bot->name_space), "bronxbot:%" PRId64, config->application_id);
    const struct cache_settings settings = {
        .redis_url = config->redis_url,
        .name_space = bot->name_space,
        .memory_bytes = cache_memory_for(config->guild_count),
        /* A second process on the file is refused. */
        .is_only_process = str_starts_with(str_from(config->database_url), STR("sqlite:")),
        .clock = &bot->clock.clock,
        .metrics = bot->metrics,
        .log = bot->sink,
    };
    return cache_new(&bot->cache, &settings, err);
}

static void stop_cache(struct bot *bot)
{
    cache_free(bot->cache);
}

static int start_services(struct bot *bot, struct err *err)
{
    unsigned char key[SERVER_KEY_BYTES];
    int result = server_key_load(bot->db, bot->config->server_secret, key, err);
    if (result != 0)
        return result;
    chance_init(&bot->chance, key);
    erasure_key_derive(&bot->erasure_key, key);
    outbox_key_derive(bot->outbox_key, key);
    sodium_memzero(key, sizeof(key));
    bot->services = (struct services){
        .db = bot->db,
        .cache = bot->cache,
        .clock = &bot->clock.clock,
        .chance = &bot->chance,
        .erasure_key = &bot->erasure_key,
        .commands = all_commands,
    };
    return 0;
}

static void stop_services(struct bot *bot)
{
    sodium_memzero(&bot->chance, sizeof(bot->chance));
    sodium_memzero(&bot->erasure_key, sizeof(bot->erasure_key));
    sodium_memzero(bot->outbox_key, sizeof(bot->outbox_key));
}

static int start_outbox(struct bot *bot, struct err *err)
{
    struct outbox_settings settings = {
        .db = bot->db,
        .api_url = bot->config->api_url,
        .ca_file = bot->config->ca_file,
        .bot_token = bot->config->bot_token,
        .role = role_words[bot->role],
        .edit_floor_ms = bot->config->edit_floor_ms,
        .redis_url = bot->config->redis_url,
        .name_space = bot->name_space,
        .clock = &bot->clock.clock,
        .metrics = bot->metrics,
        .log = bot->sink,
    };
    memcpy(settings.key, bot->outbox_key, sizeof(settings.key));
    int result = outbox_new(&bot->services.outbox, &settings, err);
    sodium_memzero(settings.key, sizeof(settings.key));
    return result;
}

static void stop_outbox(struct bot *bot)
{
    outbox_free(bot->services.outbox, OUTBOX_STOP_MS);
}

static int start_router(struct bot *bot, struct err *err)
{
    const struct executor_settings threads = {
        .threads_min = EXECUTOR_THREADS_MIN < bot->config->executor_threads
                           ? EXECUTOR_THREADS_MIN
                           : (int)bot->config->executor_threads,
        .threads_max = (int)bot->config->executor_threads,
        .queue_max = EXECUTOR_QUEUE_MAX,
        .clock = &bot->clock.clock,
        .metrics = bot->metrics,
    };
    int result = executor_new(&bot->executor, &threads, err);
    if (result != 0)
        return result;
    const struct router_settings settings = {
        .commands = all_commands,
        .ask_for_terms = ask_for_terms,
        .services = &bot->services,
        .owners = &bot->config->owner_ids,
        .executor = bot->executor,
        .defer_after_ms = bot->config->defer_after_ms,
        .metrics = bot->metrics,
        .log = bot->sink,
    };
    return router_new(&bot->router, &settings, err);
}

static void stop_router(struct bot *bot)
{
    executor_free(bot->executor);
    router_free(bot->router);
}

/* Not before there is a router, and no longer than it runs. */
static int start_runs(struct bot *bot, struct err *err)
{
    (void)err;
    outbox_open_runs(bot->services.outbox, router_run, bot->router);
    return 0;
}

static void stop_runs(struct bot *bot)
{
    outbox_close_runs(bot->services.outbox);
}

static int start_webhook(struct bot *bot, struct err *err)
{
    const struct config *config = bot->config;
    bot->events = (struct events){
        .db = bot->db,
        .erasure_key = &bot->erasure_key,
        .executor = bot->executor,
        .metrics = bot->metrics,
        .log = bot->sink,
    };
    bot->limiter = peer_limiter_new();
    if (!bot->limiter)
        return err_set(err, ERR_MEMORY, "peer limiter");
    bot->webhook = (struct webhook){
        .admission = { .policy = { .keys = config->public_keys,
                                   .max_age_seconds = config->signature_max_age_seconds,
                                   .max_skew_seconds = config->signature_max_skew_seconds },
                       .limiter = bot->limiter,
                       .probe = &bot->probe,
                       .clock = &bot->clock.clock,
                       .metrics = bot->metrics },
        .router = bot->router,
        .events = &bot->events,
        .max_body = (size_t)config->max_body_bytes,
        .clock = &bot->clock.clock,
        .metrics = bot->metrics,
        .log = bot->sink,
    };
    webhook_routes(&bot->webhook, bot->routes);
    int result = listener_raise_file_limit(config->http_connections, SERVE_OTHER_FILES, err);
    if (result != 0)
        return result;
    result = listener_acquire(&bot->listener, LISTENER_WEBHOOK, &config->listen, err);
    if (result != 0)
        return err_wrap(err, "LISTEN");
    const struct server_settings settings = {
        .listen_fd = bot->listener.fd,
        .threads = (int)config->http_threads,
        .connections = config->http_connections,
        .routes = bot->routes,
        .route_count = WEBHOOK_ROUTES,
        .timeouts = HTTP_TIMEOUTS_DEFAULT,
        .clock = &bot->clock.clock,
        .log = bot->sink,
        .metrics = bot->metrics,
    };
    return server_new(&bot->server, &settings, err);
}

static void stop_webhook(struct bot *bot)
{
    server_free(bot->server);
    peer_limiter_free(bot->limiter);
    listener_release(&bot->listener);
}

struct part {
    const char *name;
    int (*start)(struct bot *bot, struct err *err);
    void (*stop)(struct bot *bot); /* also after a start that failed halfway */
    bool is_for_serving;           /* a worker does without it */
};

static const struct part parts[] = {
    { .name = "clock", .start = start_clock, .stop = stop_clock },
    { .name = "log", .start = start_log, .stop = stop_log },
    { .name = "admin endpoints", .start = start_admin, .stop = stop_admin },
    { .name = "database", .start = start_database, .stop = stop_database },
    { .name = "cache", .start = start_cache, .stop = stop_cache },
    { .name = "services", .start = start_services, .stop = stop_services },
    { .name = "outbox", .start = start_outbox, .stop = stop_outbox },
    { .name = "router", .start = start_router, .stop = stop_router },
    { .name = "stored runs", .start = start_runs, .stop = stop_runs },
    { .name = "webhook", .start = start_webhook, .stop = stop_webhook, .is_for_serving = true },
};

/* --- The run --- */

/* Nothing we do depends on whether it was heard. */
static void tell_supervisor(const struct bot *bot, const char *state)
{
    struct err err = { 0 };
    if (supervisor_notify(state, &err) != 0)
        log_warning(&bot->log, "the supervisor did not hear us",
                    LOG_TEXT("reason", str_from(err.message)));
}

static void log_ready(const struct bot *bot)
{
    CLEANUP(buf_free) struct buf listen = { 0 };
    CLEANUP(buf_free) struct buf admin = { 0 };
    if (bot->role == ROLE_SERVE)
        listen_address_print(&bot->listener.address, &listen);
    listen_address_print(&bot->admin_listener.address, &admin);
    log_info(&bot->log, "ready", LOG_TEXT("role", str_from(role_words[bot->role])),
             LOG_TEXT("version", str_from(BRONX_VERSION)), LOG_TEXT("listen", buf_view(&listen)),
             LOG_TEXT("admin", buf_view(&admin)));
}

static void wait_for_signal(const struct bot *bot)
{
    sigset_t signals;
    int number = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigwait(&signals, &number);
    log_info(&bot->log, "stopping", LOG_INT("signal", number));
}

static void drain(struct bot *bot)
{
    atomic_store(&bot->admin.readiness, READINESS_DRAINING);
    tell_supervisor(bot, "STOPPING=1\nSTATUS=Finishing what is under way");
    if (!bot->server)
        return;
    server_stop_accepting(bot->server);
    if (!server_drain(bot->server, DRAIN_MS))
        log_warning(&bot->log, "requests in flight were left unanswered", LOG_NOTHING);
}

static bool is_part_of(const struct bot *bot, const struct part *part)
{
    return bot->role == ROLE_SERVE || !part->is_for_serving;
}

static int run_parts(struct bot *bot, struct err *err)
{
    size_t started = 0;
    int result = 0;
    for (; started < ARRAY_LENGTH(parts) && result == 0; started++) {
        if (is_part_of(bot, &parts[started]))
            result = parts[started].start(bot, err);
        if (result != 0)
            err_wrap(err, "%s", parts[started].name);
    }
    if (result == 0) {
        set_parts_complete(bot, true);
        atomic_store(&bot->admin.readiness, READINESS_READY);
        log_ready(bot);
        tell_supervisor(bot, bot->role == ROLE_SERVE ? "READY=1\nSTATUS=Serving"
                                                     : "READY=1\nSTATUS=Working");
        wait_for_signal(bot);
        drain(bot);
        set_parts_complete(bot, false);
    }
    while (started-- > 0)
        if (is_part_of(bot, &parts[started]))
            parts[started].stop(bot);
    return result;
}

static int run_as(enum bot_role role, const struct config *config, struct err *err)
{
    struct bot bot = { .config = config,
                       .role = role,
                       .probe_lock = PTHREAD_MUTEX_INITIALIZER,
                       .admin_listener = LISTENER_NONE,
                       .listener = LISTENER_NONE };
    return run_parts(&bot, err);
}

int serve(const struct config *config, struct err *err)
{
    return run_as(ROLE_SERVE, config, err);
}

int work(const struct config *config, struct err *err)
{
    return run_as(ROLE_WORKER, config, err);
}
