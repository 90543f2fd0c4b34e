#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payments.h"

#include "harness/interaction_json.h"
#include "harness/lookup.h"
#include "harness/memory.h"
#include "harness/metric.h"
#include "harness/yardstick.h"

#include "core/thread.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* People ask so many at once, or as BRONXBOT_DEGRADATION_ASKERS says. */
#define ASKERS          8
#define ASK_PAUSE_MS    200
#define PEOPLE_OF_ASKER 20 /* so that nobody's cooldown of 3 s is in the way */
#define GUILD           INT64_C(500)
/* In each phase each asks so often before it may end. */
#define ASKED_IN_PHASE  3
#define LOOK_MS         20
/* What broke while the machine stood still, such as a time that was over, is whole again. */
#define AFTERMATH_MS    5000
/* "Memory < 512 MB": the target for a bot of 100 servers. */
#define MEMORY_MAX      INT64_C(512000000)
/* Lines of the log that belong to no request: start, stop, the trouble, and a few that come of it.
 */
#define GENERAL_LINES   40
#define LOG_MAX         ((size_t)16 * 1024 * 1024)
#define SMALL_DISK      "size=12m"
#define POSTGRES_DISK   "size=96m"

void stage_pause(int milliseconds)
{
    const struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    nanosleep(&pause, NULL);
}

static int64_t now_ms(void)
{
    return thread_now_us() / 1000;
}

/* Within Discord's deadline; or nobody could be, on a machine that stood still. */
static bool is_in_time(const struct stage *stage, int64_t began_ms)
{
    int64_t ended_ms = now_ms();
    return ended_ms - began_ms < DEGRADATION_DEADLINE_MS ||
           yardstick_was_busy(stage->yardstick, began_ms, ended_ms);
}

/* --- People --- */

static int count_askers(void)
{
    const char *text = getenv("BRONXBOT_DEGRADATION_ASKERS");
    int64_t count;
    if (!text || str_to_int64(str_from(text), &count) != 0 || count < 1 ||
        count > DEGRADATION_ASKERS_MAX)
        return ASKERS;
    return (int)count;
}

static int people_of(const struct stage *stage)
{
    return stage->asker_count * PEOPLE_OF_ASKER;
}

static const char *const question_words[QUESTION_KINDS] = {
    [ASK_PING] = "PING",        [ASK_HELP] = "/help",
    [ASK_BALANCE] = "/balance", [ASK_EXPORT] = "/privacy export",
    [ASK_PAY] = "/pay",
};

static const enum question_kind turns[] = {
    ASK_PING, ASK_PAY, ASK_BALANCE, ASK_PAY, ASK_EXPORT, ASK_PAY, ASK_HELP, ASK_BALANCE,
};

static json_object *question_json(const struct stage *stage, const struct question *question,
                                  int number)
{
    const struct envelope envelope = {
        .id = question->id,
        .application_id = HARNESS_APPLICATION_ID,
        .person = { .id = PAYMENTS_FIRST_PERSON + number % people_of(stage), .name = "somebody" },
        .place = { .guild_id = GUILD,
                   .channel_id = 501,
                   .channel_name = "general",
                   .guild_locale = "en-US" },
    };
    json_object *options;
    switch (question->kind) {
    case ASK_PING:
        return ping_interaction(&envelope);
    case ASK_PAY:
        return payment(number, question->id, people_of(stage), GUILD);
    case ASK_EXPORT:
        options = must_array();
        must_append(options, sub_command_json("export", 1, NULL));
        return command_interaction(&envelope, 42, "privacy", options, NULL);
    default:
        return command_interaction(&envelope, 42, question->kind == ASK_HELP ? "help" : "balance",
                                   NULL, NULL);
    }
}

static bool has(struct str_view text, const char *word)
{
    return memmem(text.data, text.length, word, strlen(word)) != NULL;
}

static enum answer_kind judge(enum question_kind kind, struct str_view body)
{
    static const char *const words[QUESTION_KINDS] = {
        [ASK_PING] = "{\"type\":1}",   [ASK_HELP] = "\"type\":4", [ASK_BALANCE] = "Net worth",
        [ASK_EXPORT] = "never inline", [ASK_PAY] = " receipt ",
    };
    if (str_starts_with(body, STR("{\"type\":5")))
        return ANSWER_DEFERRED;
    /* Ephemeral, and Components V2. */
    if (str_starts_with(body, STR("{\"type\":4")) && has(body, "\"flags\":32832") &&
        has(body, "Error id: "))
        return ANSWER_POLITE;
    return has(body, words[kind]) ? ANSWER_NORMAL : ANSWER_WRONG;
}

static void note_wrong(struct stage *stage, const struct question *question, int64_t took_ms,
                       const struct http_answer *answer)
{
    pthread_mutex_lock(&stage->lock);
    if (!stage->first_wrong[0])
        snprintf(stage->first_wrong, sizeof(stage->first_wrong),
                 "%s in phase %d after %" PRId64 " ms: %d %.600s", question_words[question->kind],
                 atomic_load(&stage->phase), took_ms, answer->status,
                 answer->body.data ? answer->body.data : "");
    pthread_mutex_unlock(&stage->lock);
}

/* One question with its answer, as Discord sees it. */
static void ask(struct stage *stage, struct http_client *client, int number)
{
    struct question *question = &stage->questions[number];
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    CLEANUP(buf_free) struct buf body = { 0 };
    struct harness_signature signature;
    question->kind = turns[(size_t)number % ARRAY_LENGTH(turns)];
    question->id = snowflake_at(harness_bot_now_ms(&stage->bot), (unsigned)number);
    const struct rest_interaction asked = {
        .id = question->id,
        .type = 2,
        .channel_id = 501,
        .person = { .id = PAYMENTS_FIRST_PERSON + number % people_of(stage), .name = "somebody" },
    };
    CLEANUP(json_release) json_object *interaction = question_json(stage, question, number);
    interaction_bytes(interaction, &body);
    harness_sign(&stage->bot.keys, harness_bot_now_ms(&stage->bot) / 1000, buf_view(&body),
                 &signature);
    if (question->kind != ASK_PING)
        rest_server_ask(stage->discord, &asked);
    int64_t began_ms = now_ms();
    int result = http_client_post_signed(client, &signature, buf_view(&body), &answer, NULL);
    int64_t took_ms = now_ms() - began_ms;
    enum answer_kind kind = ANSWER_WRONG;
    if (result == 0 && answer.status == 200 && is_in_time(stage, began_ms))
        kind = judge(question->kind, buf_view(&answer.body));
    if (kind == ANSWER_WRONG)
        note_wrong(stage, question, took_ms, &answer);
    else if (question->kind != ASK_PING)
        rest_server_answered(stage->discord, question->id, buf_view(&answer.body));
    question->answer = kind;
}

/* Whether people who ask this may be asked to try again. */
static bool may_apologise(const struct trouble *trouble, int phase, int kind)
{
    if (phase != PHASE_TROUBLE || !(trouble->flags & APOLOGIES))
        return false;
    return kind == ASK_PAY || kind == ASK_EXPORT ||
           (kind == ASK_BALANCE && !(trouble->flags & READS_GO_ON));
}

/* What its answer counts as. An apology that only the machine owes counts as none. */
static enum answer_kind judge_apology(struct stage *stage, const struct question *question,
                                      int phase, int64_t began_ms)
{
    bool is_excused = question->answer == ANSWER_POLITE &&
                      !may_apologise(stage->trouble, phase, (int)question->kind) &&
                      yardstick_was_busy(stage->yardstick, began_ms - AFTERMATH_MS, now_ms());
    return is_excused ? ANSWER_NONE : question->answer;
}

static void *ask_in_turn(void *argument)
{
    struct stage *stage = argument;
    struct http_client *client = http_client_new(&stage->bot.listen);
    int number;
    while (!atomic_load(&stage->is_over) &&
           (number = atomic_fetch_add(&stage->next, 1)) < DEGRADATION_QUESTIONS) {
        int phase = atomic_load(&stage->phase);
        int64_t began_ms = now_ms();
        ask(stage, client, number);
        /* What was under way when the trouble began or ended has met it. */
        if (atomic_load(&stage->phase) != phase)
            phase = PHASE_TROUBLE;
        const struct question *question = &stage->questions[number];
        enum answer_kind answer = judge_apology(stage, question, phase, began_ms);
        atomic_fetch_add(&stage->answers[phase][question->kind][answer], 1);
        stage_pause(ASK_PAUSE_MS);
    }
    http_client_free(client);
    return NULL;
}

static int count_of(struct stage *stage, int phase, enum answer_kind answer)
{
    int count = 0;
    for (int kind = 0; kind < QUESTION_KINDS; kind++)
        count += atomic_load(&stage->answers[phase][kind][answer]);
    return count;
}

static int count_answers(struct stage *stage, int phase)
{
    int count = 0;
    for (int answer = 0; answer < ANSWER_KINDS; answer++)
        count += count_of(stage, phase, (enum answer_kind)answer);
    return count;
}

void stage_wait_apologies(struct stage *stage, int count)
{
    int64_t until_ms = now_ms() + DEGRADATION_WAIT_MS;
    while (count_of(stage, PHASE_TROUBLE, ANSWER_POLITE) < count) {
        if (now_ms() > until_ms)
            fail_msg("%s: nobody notices", stage->trouble->row);
        stage_pause(LOOK_MS);
    }
}

void stage_wait_answers(struct stage *stage, int count)
{
    int phase = atomic_load(&stage->phase);
    int wanted = count_answers(stage, phase) + count;
    int64_t until_ms = now_ms() + DEGRADATION_WAIT_MS;
    while (count_answers(stage, phase) < wanted) {
        if (now_ms() > until_ms)
            fail_msg("%s: people are not answered any more", stage->trouble->row);
        stage_pause(LOOK_MS);
    }
}

/* --- What operators see --- */

/* Whoever watches has given up long before, so it must be quick, whatever hangs behind it. */
static void look(struct stage *stage, const char *path, struct http_answer *answer)
{
    const struct http_request request = { .method = "GET", .path = path };
    struct err err = { 0 };
    int64_t began_ms = now_ms();
    if (http_client_send(stage->admin, &request, answer, &err) != 0)
        fail_msg("%s: %s: %s", stage->trouble->row, path, err.message);
    if (!is_in_time(stage, began_ms))
        fail_msg("%s: %s took %" PRId64 " ms", stage->trouble->row, path, now_ms() - began_ms);
    if (answer->status != 200)
        fail_msg("%s: %s: %d %s", stage->trouble->row, path, answer->status,
                 answer->body.data ? answer->body.data : "");
}

static bool is_in_state(struct stage *stage, const char *part, const char *state, struct buf *seen)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    look(stage, "/healthz", &answer);
    look(stage, "/readyz", &answer);
    buf_clear(seen);
    buf_append(seen, buf_view(&answer.body));
    if (!part)
        return !has(buf_view(&answer.body), "\"degraded\"") &&
               !has(buf_view(&answer.body), "\"down\"");
    CLEANUP(json_release) json_object *json = json_tokener_parse(answer.body.data);
    json_object *parts = json_object_object_get(json, "parts");
    json_object *found = json_object_object_get(json_object_object_get(parts, part), "state");
    const char *seen_state = json_object_get_string(found);
    return state ? strcmp(seen_state, state) == 0 : strcmp(seen_state, "ok") != 0;
}

void stage_wait_state(struct stage *stage, const char *part, const char *state)
{
    CLEANUP(buf_free) struct buf seen = { 0 };
    int64_t until_ms = now_ms() + DEGRADATION_WAIT_MS;
    while (!is_in_state(stage, part, state, &seen)) {
        if (now_ms() > until_ms)
            fail_msg("%s: %s is not %s but %s", stage->trouble->row, part ? part : "everything",
                     part ? state : "ok", seen.data);
        stage_pause(LOOK_MS);
    }
}

int64_t stage_metric(struct stage *stage, const char *name)
{
    CLEANUP(http_answer_free) struct http_answer answer = { 0 };
    int64_t value = -1;
    look(stage, "/metrics", &answer);
    if (!metric_find(answer.body.data, name, &value))
        fail_msg("there is no metric %s", name);
    return value;
}

/* --- The stage --- */

static void add_line(struct stage *stage, char *line)
{
    for (int i = 0; i < DEGRADATION_LINES_MAX; i++) {
        if (!stage->lines[i]) {
            stage->lines[i] = line;
            return;
        }
    }
    fail_msg("more than %d lines", DEGRADATION_LINES_MAX);
}

bool stage_can_mount(void)
{
    static bool is_known, is_allowed;
    /* A name space of our own: whatever happens, the mounts go with us. */
    if (!is_known)
        is_allowed =
            unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    is_known = true;
    return is_allowed;
}

void stage_fill_disk(struct stage *stage, const char *folder)
{
    static const char block[65536];
    char path[160];
    (void)stage;
    snprintf(path, sizeof(path), "%s/ballast", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    /* In ever smaller pieces, until not even a byte fits. */
    for (size_t size = sizeof(block); size > 0;)
        if (write(fd, block, size) < 0)
            size /= 2;
    close(fd);
}

void stage_free_disk(struct stage *stage, const char *folder)
{
    char path[160];
    (void)stage;
    snprintf(path, sizeof(path), "%s/ballast", folder);
    unlink(path);
}

static void build_database(struct stage *stage)
{
    unsigned parts = stage->trouble->parts;
    if (parts & STAGE_POSTGRES) {
        const char *disk = parts & STAGE_SMALL_DISK ? POSTGRES_DISK : NULL;
        if (!harness_postgres_start_on(&stage->postgres, false, disk))
            fail_msg("no PostgreSQL");
        snprintf(stage->disk, sizeof(stage->disk), "%s/data", stage->postgres.folder);
        snprintf(stage->database_url, sizeof(stage->database_url),
                 "postgresql://bronxbot@/postgres?host=%s", stage->postgres.folder);
        return;
    }
    const char *folder = stage->bot.folder;
    if (parts & STAGE_SMALL_DISK) {
        snprintf(stage->disk, sizeof(stage->disk), "%s/disk", stage->bot.folder);
        assert_int_equal(mkdir(stage->disk, 0700), 0);
        assert_int_equal(mount("none", stage->disk, "tmpfs", 0, SMALL_DISK), 0);
        folder = stage->disk;
    }
    snprintf(stage->database_url, sizeof(stage->database_url), "sqlite:%s/bronxbot.db", folder);
}

static void build_redis(struct stage *stage)
{
    static const struct harness_redis_options options = { 0 };
    char url[160];
    struct err err = { 0 };
    if (!(stage->trouble->parts & STAGE_REDIS))
        return;
    if (harness_redis_init(&stage->redis, &options, &err) != 0 ||
        harness_redis_launch(&stage->redis, &err) != 0)
        fail_msg("%s", err.message);
    harness_redis_url(&stage->redis, 0, url, sizeof(url));
    add_line(stage, must_format("REDIS_URL=%s", url));
}

static struct stage *build(const struct trouble *trouble)
{
    struct stage *stage = must_allocate(1, sizeof(*stage));
    /* So many askers on a busy machine may be late to say that the bot has answered. */
    struct rest_server_settings settings = { .close_ms = DEGRADATION_DEADLINE_MS };
    const struct harness_bot_options options = { .binary = BRONXBOT_BINARY,
                                                 .environment = (const char *const *)stage->lines };
    struct service_fixture fixture;
    struct err err = { 0 };
    assert_true(sodium_init() >= 0);
    stage->trouble = trouble;
    stage->asker_count = count_askers();
    pthread_mutex_init(&stage->lock, NULL);
    if (harness_bot_init(&stage->bot, &options, &err) != 0)
        fail_msg("%s", err.message);
    build_database(stage);
    build_redis(stage);
    settings.shift_ms = stage->bot.shift_ms;
    assert_int_equal(rest_server_start(&stage->discord, &settings, &err), 0);
    add_line(stage, must_format("DATABASE_URL=%s", stage->database_url));
    add_line(stage, must_format("DISCORD_API_URL=%s", rest_server_url(stage->discord)));
    assert_int_equal(
        service_fixture_open_at(&fixture, stage->database_url, harness_bot_now_ms(&stage->bot)), 0);
    payments_prepare(&fixture, people_of(stage));
    service_fixture_close(&fixture);
    stage->admin = http_client_new(&stage->bot.admin_listen);
    return stage;
}

static void launch(struct stage *stage)
{
    struct err err = { 0 };
    if (harness_bot_launch(&stage->bot, &err) != 0)
        fail_msg("%s", err.message);
    stage->yardstick = yardstick_start(NULL);
    for (int i = 0; i < stage->asker_count; i++)
        assert_int_equal(pthread_create(&stage->askers[i], NULL, ask_in_turn, stage), 0);
}

static void stop_asking(struct stage *stage)
{
    atomic_store(&stage->is_over, true);
    for (int i = 0; i < stage->asker_count; i++)
        pthread_join(stage->askers[i], NULL);
}

static void dismantle(struct stage *stage)
{
    yardstick_stop(stage->yardstick);
    yardstick_free(stage->yardstick);
    http_client_free(stage->admin);
    rest_server_stop(stage->discord);
    if (stage->trouble->parts & STAGE_POSTGRES)
        harness_postgres_fini(&stage->postgres);
    else if (stage->disk[0])
        umount2(stage->disk, MNT_DETACH);
    harness_bot_fini(&stage->bot);
    if (stage->trouble->parts & STAGE_REDIS)
        harness_redis_fini(&stage->redis);
    for (int i = 0; i < DEGRADATION_LINES_MAX; i++)
        free(stage->lines[i]);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
}

/* --- What must be true in the end --- */

static int sum_answers(struct stage *stage, enum answer_kind answer)
{
    int count = 0;
    for (int phase = 0; phase < PHASES; phase++)
        count += count_of(stage, phase, answer);
    return count;
}

static void assert_everybody_was_answered(struct stage *stage)
{
    const struct trouble *trouble = stage->trouble;
    if (sum_answers(stage, ANSWER_WRONG) > 0)
        fail_msg("%s: %d wrong answers; %s", trouble->row, sum_answers(stage, ANSWER_WRONG),
                 stage->first_wrong);
    for (int phase = 0; phase < PHASES; phase++) {
        if (atomic_load(&stage->answers[phase][ASK_PING][ANSWER_NORMAL]) == 0)
            fail_msg("%s: no PING in phase %d", trouble->row, phase);
        for (int kind = 0; kind < QUESTION_KINDS; kind++)
            if (atomic_load(&stage->answers[phase][kind][ANSWER_POLITE]) > 0 &&
                !may_apologise(trouble, phase, kind))
                fail_msg("%s: %s in phase %d was asked to try again", trouble->row,
                         question_words[kind], phase);
    }
}

/* Discord may have an edit of which the bot did not hear so. */
static void wait_until_nothing_waits(struct stage *stage)
{
    int64_t until_ms = now_ms() + DEGRADATION_WAIT_MS;
    while (stage_metric(stage, "bronxbot_outbox_waiting") > 0) {
        if (now_ms() > until_ms)
            fail_msg("%s: messages wait for ever", stage->trouble->row);
        stage_pause(LOOK_MS);
    }
}

/* @original was edited, or something took its place. */
static bool wait_edit(struct stage *stage, int64_t id)
{
    int64_t until_ms = now_ms() + DEGRADATION_WAIT_MS;
    while (rest_server_edits(stage->discord, id) == 0 &&
           rest_server_follow_ups(stage->discord, id) == 0) {
        if (now_ms() > until_ms)
            return false;
        stage_pause(LOOK_MS);
    }
    return true;
}

static int assert_every_edit_arrives(struct stage *stage)
{
    int count = 0;
    for (int i = 0; i < DEGRADATION_QUESTIONS; i++) {
        const struct question *question = &stage->questions[i];
        if (question->answer != ANSWER_DEFERRED)
            continue;
        count++;
        if (wait_edit(stage, question->id))
            continue;
        CLEANUP(buf_free) struct buf tail = { 0 };
        harness_bot_log_tail(&stage->bot, 20, &tail);
        fail_msg("%s: the edit of %" PRId64 " is missing; %s", stage->trouble->row, question->id,
                 tail.data);
    }
    return count;
}

static bool is_confirmed(struct stage *stage, const struct question *question)
{
    CLEANUP(buf_free) struct buf edit = { 0 };
    if (question->kind != ASK_PAY)
        return false;
    if (question->answer == ANSWER_NORMAL)
        return true;
    return question->answer == ANSWER_DEFERRED &&
           rest_server_original(stage->discord, question->id, &edit) &&
           has(buf_view(&edit), "receipt");
}

static void assert_all_rows_are_done(struct stage *stage, struct service_fixture *fixture)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT state, COALESCE(reason, ''), COUNT(*) FROM outbox WHERE state <> 'done' "
               "GROUP BY state, reason",
    };
    assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), 0);
    if (db_rows_count(rows) > 0)
        fail_msg("%s: %" PRId64 " rows are %.*s; %.*s", stage->trouble->row,
                 db_rows_int(rows, 0, 2), STR_ARGS(db_rows_text(rows, 0, 0)),
                 STR_ARGS(db_rows_text(rows, 0, 1)));
}

static int assert_no_coin_was_lost(struct stage *stage)
{
    struct service_fixture fixture;
    struct lookup paid = { 0 };
    int confirmed = 0;
    assert_int_equal(
        service_fixture_open_at(&fixture, stage->database_url, harness_bot_now_ms(&stage->bot)), 0);
    assert_books_balance(&fixture, people_of(stage));
    assert_all_rows_are_done(stage, &fixture);
    payments_read(&fixture, &paid);
    for (int i = 0; i < DEGRADATION_QUESTIONS; i++) {
        if (!is_confirmed(stage, &stage->questions[i]))
            continue;
        confirmed++;
        if (!lookup_find(&paid, (uint64_t)stage->questions[i].id))
            fail_msg("%s: the payment %" PRId64 " was confirmed and is lost", stage->trouble->row,
                     stage->questions[i].id);
    }
    lookup_free(&paid);
    service_fixture_close(&fixture);
    return confirmed;
}

static void read_log(const struct stage *stage, struct buf *text)
{
    char chunk[65536];
    ssize_t length;
    int fd = open(stage->bot.log_path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((length = read(fd, chunk, sizeof(chunk))) > 0 && text->length < LOG_MAX)
        buf_append_bytes(text, chunk, (size_t)length);
    close(fd);
    must_hold(text);
}

/* What belongs to a request has its line under the error id that its person was shown. Everything
 * else is said once, not once for each who met it. */
static void assert_log_is_calm(struct stage *stage)
{
    const struct trouble *trouble = stage->trouble;
    CLEANUP(buf_free) struct buf log = { 0 };
    int says = 0, general = 0, says_max = trouble->says_max ? trouble->says_max : 1;
    read_log(stage, &log);
    struct str_view rest = buf_view(&log), line;
    while (str_split(&rest, '\n', &line)) {
        if (has(line, " request="))
            continue;
        says += trouble->says && has(line, trouble->says);
        general++;
    }
    bool must_say = trouble->says && !(trouble->flags & FLEETING);
    /* The machine may have made more of the same. */
    says_max += (int)yardstick_busy_moments(stage->yardstick);
    if ((must_say && says == 0) || says > says_max)
        fail_msg("%s: \"%s\" is in the log %d times", trouble->row, trouble->says, says);
    if (general > GENERAL_LINES)
        fail_msg("%s: %d lines in the log, such as %.400s", trouble->row, general,
                 log.data + (log.length > 400 ? log.length - 400 : 0));
}

static void assert_no_rule_was_broken(struct stage *stage)
{
    CLEANUP(buf_free) struct buf violation = { 0 };
    rest_server_first_violation(stage->discord, &violation);
    if (violation.length > 0)
        fail_msg("%s: %s", stage->trouble->row, violation.data);
}

/* --- A row --- */

static void begin_trouble(struct stage *stage)
{
    const struct trouble *trouble = stage->trouble;
    stage_wait_state(stage, NULL, NULL);
    stage_wait_answers(stage, ASKED_IN_PHASE * stage->asker_count);
    atomic_store(&stage->phase, PHASE_TROUBLE);
    trouble->begin(stage);
    if (trouble->part && !(trouble->flags & FLEETING))
        stage_wait_state(stage, trouble->part, trouble->state);
}

static void go_through_trouble(struct stage *stage)
{
    const struct trouble *trouble = stage->trouble;
    begin_trouble(stage);
    if (trouble->end) {
        stage_wait_answers(stage, ASKED_IN_PHASE * stage->asker_count);
        trouble->end(stage);
    }
    stage_wait_state(stage, NULL, NULL);
    atomic_store(&stage->phase, PHASE_AFTER);
    stage_wait_answers(stage, ASKED_IN_PHASE * stage->asker_count);
    stop_asking(stage);
}

static void stop_bot(struct stage *stage)
{
    struct err err = { 0 };
    int exit_code = -1;
    if (harness_bot_stop(&stage->bot, &exit_code, &err) != 0)
        fail_msg("%s: %s", stage->trouble->row, err.message);
    assert_int_equal(exit_code, 0);
}

void degradation_run(const struct trouble *trouble)
{
    struct stage *stage = build(trouble);
    launch(stage);
    go_through_trouble(stage);
    assert_everybody_was_answered(stage);
    int edits = assert_every_edit_arrives(stage);
    wait_until_nothing_waits(stage);
    int64_t memory = stage_metric(stage, "process_resident_memory_bytes");
    assert_true(memory < MEMORY_MAX);
    stop_bot(stage);
    int confirmed = assert_no_coin_was_lost(stage);
    assert_no_rule_was_broken(stage);
    assert_log_is_calm(stage);
    print_message("%-20s %4d answered, %3d deferred, %3d asked to try again; %d payments, %d edits "
                  "arrived; %lld MB\n",
                  trouble->row, sum_answers(stage, ANSWER_NORMAL),
                  sum_answers(stage, ANSWER_DEFERRED), sum_answers(stage, ANSWER_POLITE), confirmed,
                  edits, (long long)(memory / 1000000));
    dismantle(stage);
}

/* Until all rows of the outbox have ended. */
static void wait_until_rows_have_ended(struct stage *stage)
{
    struct service_fixture fixture;
    int64_t until_ms = now_ms() + DEGRADATION_WAIT_MS;
    assert_int_equal(
        service_fixture_open_at(&fixture, stage->database_url, harness_bot_now_ms(&stage->bot)), 0);
    while (service_fixture_count(&fixture, "SELECT COUNT(*) FROM outbox WHERE state <> 'done'") >
           0) {
        if (now_ms() > until_ms)
            fail_msg("%s: rows are left over", stage->trouble->row);
        stage_pause(LOOK_MS);
    }
    service_fixture_close(&fixture);
}

/* Told "deferred" while no row could be written: those alone end with the process. */
static int assert_what_had_a_row_arrives(struct stage *stage)
{
    CLEANUP(buf_free) struct buf log = { 0 };
    int arrived = 0, missing = 0, unstored = 0;
    read_log(stage, &log);
    struct str_view rest = buf_view(&log), line;
    while (str_split(&rest, '\n', &line))
        unstored += has(line, "reason=not_stored");
    for (int i = 0; i < DEGRADATION_QUESTIONS; i++) {
        const struct question *question = &stage->questions[i];
        if (question->answer != ANSWER_DEFERRED)
            continue;
        bool is_there = rest_server_edits(stage->discord, question->id) > 0 ||
                        rest_server_follow_ups(stage->discord, question->id) > 0;
        arrived += is_there;
        missing += !is_there;
    }
    if (missing > unstored)
        fail_msg("%s: %d edits are missing, but only %d are in the log as not stored",
                 stage->trouble->row, missing, unstored);
    print_message("%-20s %d edits arrived, %d ended with the process\n", stage->trouble->row,
                  arrived, missing);
    return arrived;
}

void degradation_run_stop(const struct trouble *trouble)
{
    struct err err = { 0 };
    struct stage *stage = build(trouble);
    launch(stage);
    begin_trouble(stage);
    stage_wait_answers(stage, ASKED_IN_PHASE * stage->asker_count);
    stop_asking(stage);
    stop_bot(stage);
    rest_server_bot_was_killed(stage->discord);
    trouble->end(stage);
    if (harness_bot_launch(&stage->bot, &err) != 0)
        fail_msg("%s", err.message);
    wait_until_rows_have_ended(stage);
    assert_true(assert_what_had_a_row_arrives(stage) > 0);
    stop_bot(stage);
    assert_true(assert_no_coin_was_lost(stage) > 0);
    dismantle(stage);
}
