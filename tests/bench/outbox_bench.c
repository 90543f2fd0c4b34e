/* How much of libcurl's own rate is left after enqueueing, committing and noting the end of each
 * job: `./dev bench outbox`.
 *
 * The outbox with its database runs on core 0, the other end on core 1. The yardstick is a bare
 * curl_multi loop that PATCHes the same bodies over as many kept connections on core 0, in the same
 * run. On a machine that others use, too, the CPU time of a job says more than the rate: it is
 * that of the whole process, authors' threads included. Idle, what counts is how long after its
 * commit a message reaches the other end. */
#include "bronx/outbox.h"

#include "core/system_clock.h"
#include "core/thread.h"
#include "db/engine.h"
#include "db/migrate.h"
#include "load.h"
#include "outbox/outbox.h"
#include "sink.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <math.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOBS            20000
#define WAITING_JOBS    100000
#define IDLE_JOBS       400
#define CALLERS         16
#define RAW_CONNECTIONS 64
#define UNDER_WAY       1000 /* deferred commands at the same time */
#define IDLE_PAUSE_US   4000
#define REFILL_PAUSE_US 2000 /* some 20 jobs; asking more often is what would be measured */
#define APPLICATION_ID  INT64_C(1000000000000000001)
#define DISCORD_EPOCH   INT64_C(1420070400000)
#define STOP_MS         2000
#define RATE_AIM        0.5
#define BYTES_PER_MIB   (1024.0 * 1024.0)

enum { CORE_OF_OUTBOX = 0, CORE_OF_SINK = 1 };

struct bench {
    struct sink sink;
    char folder[64];
    char database[96];
    struct system_clock clock;
    struct log_sink *log;
    struct db *db;
    struct outbox *outbox;
    atomic_int next_token; /* each job has a token, and so an interaction, of its own */
};

/* --- One job --- */

struct job {
    struct interaction interaction;
    char token[64];
    int number;
};

static void job_begin(struct bench *bench, struct job *job)
{
    *job = (struct job){ .number = atomic_fetch_add(&bench->next_token, 1) };
    snprintf(job->token, sizeof(job->token), SINK_TOKEN_PREFIX "%d", job->number);
    int64_t now_ms = clock_wall_ms(&bench->clock.clock);
    job->interaction = (struct interaction){
        .id = (now_ms - DISCORD_EPOCH) << 22 | (job->number & 0x3fffff),
        .application_id = APPLICATION_ID,
        .type = INTERACTION_COMMAND,
        .guild_id = job->number % 100 + 1,
        .token = str_from(job->token),
    };
}

static int send_job(struct bench *bench, const struct job *job, struct err *err)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &job->interaction);
    if (!reply)
        return err_set(err, ERR_MEMORY, "a reply");
    reply_text(reply, "Job %d has come to its end, and this is what everybody shall see of it.",
               job->number);
    const struct outbox_target target = {
        .interaction_id = job->interaction.id,
        .application_id = APPLICATION_ID,
        .guild_id = job->interaction.guild_id,
        .message_key = job->interaction.id,
        .token = job->interaction.token,
    };
    return outbox_edit_final(bench->outbox, &target, reply, err);
}

/* --- The yardstick --- */

struct raw_request {
    CURL *easy;
    char url[256];
};

static size_t drop_body(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static const char raw_body[] =
    "{\"components\":[{\"type\":10,\"content\":\"Job 12345 has come to its end, and this is what "
    "everybody shall see of it.\"}],\"flags\":32768,\"allowed_mentions\":{\"parse\":[]}}";

static void raw_start(struct bench *bench, CURLM *multi, struct raw_request *request)
{
    snprintf(request->url, sizeof(request->url),
             "%s/webhooks/%lld/" SINK_TOKEN_PREFIX "%d/messages/@original", bench->sink.url,
             (long long)APPLICATION_ID, atomic_fetch_add(&bench->next_token, 1));
    curl_easy_setopt(request->easy, CURLOPT_URL, request->url);
    curl_multi_add_handle(multi, request->easy);
}

static void raw_prepare(struct raw_request *request, struct curl_slist *headers)
{
    request->easy = curl_easy_init();
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, raw_body);
    curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "PATCH");
    curl_easy_setopt(request->easy, CURLOPT_WRITEFUNCTION, drop_body);
    curl_easy_setopt(request->easy, CURLOPT_PRIVATE, (void *)request);
}

struct rate {
    double jobs; /* a second */
    double cpu_us;
    int64_t started_us, started_cpu_us;
};

static int64_t cpu_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct rate rate_begin(void)
{
    return (struct rate){ .started_us = load_now_us(), .started_cpu_us = cpu_now_us() };
}

static struct rate rate_end(struct rate rate, int jobs)
{
    rate.jobs = jobs / ((double)(load_now_us() - rate.started_us) / 1e6);
    rate.cpu_us = (double)(cpu_now_us() - rate.started_cpu_us) / jobs;
    return rate;
}

static struct rate raw_rate(struct bench *bench)
{
    struct raw_request requests[RAW_CONNECTIONS];
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURLM *multi = curl_multi_init();
    int started = 0, ended = 0, running, left;
    struct rate rate = rate_begin();
    for (; started < RAW_CONNECTIONS; started++) {
        raw_prepare(&requests[started], headers);
        raw_start(bench, multi, &requests[started]);
    }
    while (ended < JOBS) {
        CURLMsg *message;
        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left))) {
            struct raw_request *request = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
            curl_multi_remove_handle(multi, request->easy);
            ended++;
            if (started < JOBS) {
                raw_start(bench, multi, request);
                started++;
            }
        }
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    rate = rate_end(rate, JOBS);
    for (int i = 0; i < RAW_CONNECTIONS; i++)
        curl_easy_cleanup(requests[i].easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return rate;
}

/* --- Many at once --- */

struct callers {
    struct bench *bench;
    atomic_int left;
    atomic_int failed;
};

static void *call(void *argument)
{
    struct callers *callers = argument;
    while (atomic_fetch_sub(&callers->left, 1) > 0) {
        struct err err = { 0 };
        struct job job;
        job_begin(callers->bench, &job);
        if (send_job(callers->bench, &job, &err) != 0 && atomic_fetch_add(&callers->failed, 1) == 0)
            fprintf(stderr, "a job was refused: %s\n", err.message);
    }
    return NULL;
}

/* The number of jobs that were refused. */
static int enqueue(struct bench *bench, int count)
{
    pthread_t threads[CALLERS];
    struct callers callers = { .bench = bench, .left = count };
    for (int i = 0; i < CALLERS; i++)
        if (thread_start(&threads[i], THREAD_JOINED, 0, call, &callers) != 0)
            return count;
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    return callers.failed;
}

static int64_t number_of(struct bench *bench, const char *sql)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = { .sql = sql };
    struct err err = { 0 };
    if (db_query(bench->db, &statement, &rows, &err) != 0)
        return -1;
    return db_rows_int(rows, 0, 0);
}

static void wait_until_none_waits(struct bench *bench)
{
    while (number_of(bench, "SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'leased')") != 0)
        usleep(5000);
}

static struct rate outbox_rate(struct bench *bench)
{
    struct rate rate = rate_begin();
    int failed = enqueue(bench, JOBS);
    wait_until_none_waits(bench);
    return rate_end(rate, JOBS - failed);
}

/* --- Deferred commands, as the router has them --- */

struct deferred {
    struct bench *bench;
    struct job job;
    struct outbox_deferred *handle;
    atomic_int *failed;
};

static const char deferred_json[] =
    "{\"id\":\"1\",\"type\":2,\"data\":{\"id\":\"2\",\"name\":\"daily\",\"type\":1}}";

/* On the journal's thread: the answer is "written out", and the command's reply is there. */
static void on_stored(void *context, enum outbox_stored stored)
{
    struct deferred *deferred = context;
    struct outbox *outbox = deferred->bench->outbox;
    const struct outbox_message message = { .method = OUTBOX_EDIT, .body = str_from(raw_body) };
    if (stored != OUTBOX_STORED)
        atomic_fetch_add(deferred->failed, 1);
    outbox_answered(outbox, deferred->handle);
    outbox_finish_run(outbox, deferred->handle, &message);
}

static void defer(struct deferred *deferred)
{
    job_begin(deferred->bench, &deferred->job);
    const struct outbox_deferral deferral = {
        .interaction = &deferred->job.interaction,
        .json = str_from(deferred_json),
        .mode = OUTBOX_RUNS_HERE,
        .request_id = "benchbench0",
        .stored = on_stored,
        .context = deferred,
    };
    outbox_defer(deferred->bench->outbox, &deferral, &deferred->handle);
}

static struct rate deferred_rate(struct bench *bench)
{
    static struct deferred deferred[JOBS];
    atomic_int failed = 0;
    int64_t sent_before = bench->sink.notes->requests;
    struct rate rate = rate_begin();
    for (int i = 0; i < JOBS; i++) {
        while (i - (bench->sink.notes->requests - sent_before) >= UNDER_WAY)
            usleep(REFILL_PAUSE_US);
        deferred[i] = (struct deferred){ .bench = bench, .failed = &failed };
        defer(&deferred[i]);
    }
    wait_until_none_waits(bench);
    return rate_end(rate, JOBS - failed);
}

/* --- One at a time --- */

static int compare_numbers(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return difference > 0 ? 1 : difference < 0 ? -1 : 0;
}

static void print_times(const char *what, double *milliseconds, const char *aim)
{
    qsort(milliseconds, IDLE_JOBS, sizeof(*milliseconds), compare_numbers);
    printf("%-44s p50 %6.2f ms   p99 %6.2f ms%s\n", what, milliseconds[IDLE_JOBS / 2],
           milliseconds[IDLE_JOBS * 99 / 100], aim);
}

static int measure_idle(struct bench *bench, struct err *err)
{
    static double commit_ms[IDLE_JOBS], arrival_ms[IDLE_JOBS];
    for (int i = 0; i < IDLE_JOBS; i++) {
        struct job job;
        job_begin(bench, &job);
        int64_t started_us = load_now_us();
        int result = send_job(bench, &job, err);
        int64_t stored_us = load_now_us();
        if (result != 0)
            return result;
        while (bench->sink.notes->arrived_us[job.number] == 0)
            usleep(100);
        commit_ms[i] = (double)(stored_us - started_us) / 1000;
        arrival_ms[i] = (double)(bench->sink.notes->arrived_us[job.number] - stored_us) / 1000;
        usleep(IDLE_PAUSE_US);
    }
    print_times("idle: enqueue, until its commit", commit_ms, "");
    print_times("idle: from the commit to the other end", arrival_ms, "   aim 2 and 20");
    return 0;
}

/* --- Memory --- */

static double resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / BYTES_PER_MIB;
}

static void measure_memory(struct bench *bench)
{
    struct stat status = { 0 };
    bench->sink.notes->mood = SINK_REFUSES;
    double before = resident_mib();
    int failed = enqueue(bench, WAITING_JOBS);
    usleep(500000);
    double after = resident_mib();
    stat(bench->database, &status);
    printf("%d jobs waiting: %.1f MiB of memory more (%.1f before), %.1f MiB of database\n",
           WAITING_JOBS - failed, after - before, before, (double)status.st_size / BYTES_PER_MIB);
}

/* --- The run --- */

static int open_database(struct bench *bench, struct err *err)
{
    char url[128];
    struct migration_result migrated;
    snprintf(url, sizeof(url), "sqlite:%s", bench->database);
    const struct db_settings settings = {
        .url = url, .pool_min = 2, .pool_max = 8, .clock = &bench->clock.clock, .log = bench->log
    };
    int result = db_open(&bench->db, &settings, err);
    if (result == 0)
        result = db_migrate(bench->db, built_in_migrations, clock_wall_ms(&bench->clock.clock),
                            &migrated, err);
    return result;
}

static int open_all(struct bench *bench, struct err *err)
{
    int result = system_clock_init(&bench->clock, NULL, err);
    if (result == 0)
        bench->log =
            log_sink_new(STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, &bench->clock.clock);
    if (result == 0)
        result = open_database(bench, err);
    struct outbox_settings settings = { .db = bench->db,
                                        .api_url = bench->sink.url,
                                        .role = "bench",
                                        .edit_floor_ms = 1000,
                                        .clock = &bench->clock.clock,
                                        .log = bench->log };
    randombytes_buf(settings.key, sizeof(settings.key));
    return result == 0 ? outbox_new(&bench->outbox, &settings, err) : result;
}

static void close_all(struct bench *bench)
{
    outbox_free(bench->outbox, STOP_MS);
    db_close(bench->db);
    log_sink_free(bench->log);
    system_clock_fini(&bench->clock);
    sink_stop(&bench->sink);
}

static void print_rate(const char *what, struct rate rate, struct rate raw)
{
    printf("%-40s %8.0f a second %6.1f us of CPU a job   %.2f of raw, by CPU %.2f, aim %.1f\n",
           what, rate.jobs, rate.cpu_us, rate.jobs / raw.jobs, raw.cpu_us / rate.cpu_us, RATE_AIM);
}

static int measure(struct bench *bench, struct err *err)
{
    struct rate before = raw_rate(bench);
    struct rate deferred = deferred_rate(bench);
    struct rate edits = outbox_rate(bench);
    struct rate after = raw_rate(bench);
    const struct rate raw = { .jobs = (before.jobs + after.jobs) / 2,
                              .cpu_us = (before.cpu_us + after.cpu_us) / 2 };
    printf("%-40s %8.0f a second %6.1f us of CPU a job\n", "bare libcurl PATCHes", raw.jobs,
           raw.cpu_us);
    print_rate("deferred commands: store, send, done", deferred, raw);
    print_rate("edits: enqueue, commit, send, done", edits, raw);
    fflush(stdout);
    int result = measure_idle(bench, err);
    if (result == 0)
        measure_memory(bench);
    return result;
}

int main(void)
{
    struct bench bench = { .folder = "/tmp/bronx-bench-XXXXXX" };
    struct err err = { 0 };
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        !mkdtemp(bench.folder))
        return 1;
    snprintf(bench.database, sizeof(bench.database), "%s/bench.db", bench.folder);
    int result = sink_start(&bench.sink, CORE_OF_SINK, &err);
    load_run_on_core(CORE_OF_OUTBOX);
    if (result == 0)
        result = open_all(&bench, &err);
    if (result == 0)
        result = measure(&bench, &err);
    close_all(&bench);
    if (result != 0)
        fprintf(stderr, "bench_outbox: %s\n", err.message);
    return result == 0 ? 0 : 1;
}
