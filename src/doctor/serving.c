/* Checks of the serving bot: on ADMIN_LISTEN, and of what strangers and Discord meet, directly at
 * LISTEN or through the public URL. The good PING is signed by a key that process made for this
 * purpose (http/probe.h). */
#include "doctor/check.h"

#include "discord/interaction_json.h"
#include "http/probe.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define URL_SIZE          1024
/* Behind one front there may be several instances, and only one knows the key of its probe. */
#define PING_ATTEMPTS     6
/* An answer that takes a third of Discord's patience. */
#define PING_SLOW_MS      1000
/* So much beyond SIGNATURE_MAX_AGE_SECONDS that no clock is to blame. */
#define STALE_BY_SECONDS  100
#define INTERACTIONS_PATH "/interactions"
#define NOBODYS_PATH      "/bronxbot-doctor"

static const char unprobed[] = "not checked: the bot handed out no signed PING on ADMIN_LISTEN";
static const char unreached[] = "not checked: the front does not answer";
static const char look_above[] = "mend the lines above first";

void doctor_ask_admin(const struct doctor *doctor, const char *path, struct fetch_answer *answer)
{
    const struct fetch_request request = { .method = "GET" };
    fetch_at(&doctor->config.admin_listen, path, &request, answer);
}

void check_health(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    doctor_ask_admin(doctor, "/healthz", &answer);
    if (answer.result == FETCH_ANSWERED && answer.status == 200)
        finding_add(finding, FINDING_OK, NULL, "the bot lives");
    else
        finding_add(finding, FINDING_FAIL, "start the bot, or correct ADMIN_LISTEN",
                    "ADMIN_LISTEN: %s", answer.reason[0] ? answer.reason : "a wrong answer");
}

void check_readiness(struct doctor *doctor, struct finding *finding)
{
    const struct fetch_answer *answer = &doctor->readiness;
    if (answer->result != FETCH_ANSWERED)
        finding_add(finding, FINDING_FAIL, "start the bot, or correct ADMIN_LISTEN",
                    "ADMIN_LISTEN: %s", answer->reason);
    else if (answer->status != 200)
        finding_add(finding, FINDING_FAIL, "wait while it starts; else look into its log",
                    "%d %.*s", answer->status, STR_ARGS(buf_view(&answer->body)));
    else
        finding_add(finding, FINDING_OK, NULL, "the bot is ready");
}

/* --- The front ---------------------------------------------------------------------------------
 */

/* The base of --url: "https://bot.example", whatever of the endpoint's path was given with it. */
static struct str_view front_base(const char *url)
{
    struct str_view base = str_from(url), path = STR(INTERACTIONS_PATH);
    while (base.length > 0 && base.data[base.length - 1] == '/')
        base.length--;
    if (base.length > path.length &&
        memcmp(base.data + base.length - path.length, path.data, path.length) == 0)
        base.length -= path.length;
    return base;
}

static void ask_front(const struct doctor *doctor, const char *path,
                      const struct fetch_request *request, struct fetch_answer *answer)
{
    char url[URL_SIZE];
    struct fetch_request whole = *request;
    if (!doctor->options->url) {
        fetch_at(&doctor->config.listen, path, request, answer);
        return;
    }
    snprintf(url, sizeof(url), "%.*s%s", STR_ARGS(front_base(doctor->options->url)), path);
    whole.url = url;
    fetch(&whole, answer);
}

void check_front(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    CLEANUP(buf_free) struct buf name = { 0 };
    const struct fetch_request request = { .method = "GET" };
    ask_front(doctor, INTERACTIONS_PATH, &request, &answer);
    if (doctor->options->url)
        buf_append(&name, front_base(doctor->options->url));
    else
        listen_address_print(&doctor->config.listen, &name);
    struct str_view shown = buf_view(&name);
    doctor->is_front_up = answer.result == FETCH_ANSWERED;
    if (answer.result != FETCH_ANSWERED)
        finding_add(finding, FINDING_FAIL,
                    answer.result == FETCH_NO_TLS
                        ? "mend the certificate: Discord wants one it can verify, and TLS 1.2"
                        : "start what should listen there, open the firewall",
                    "%.*s: %s", STR_ARGS(shown), answer.reason);
    else if (doctor->options->url && !str_starts_with(shown, STR("https://")))
        finding_add(finding, FINDING_WARN, "give --url the https:// address Discord uses",
                    "%.*s answers, but not over TLS", STR_ARGS(shown));
    else
        finding_add(finding, FINDING_OK, NULL, "%.*s answers in %" PRId64 " ms", STR_ARGS(shown),
                    answer.elapsed_ms);
}

/* --- Requests to it ----------------------------------------------------------------------------
 */

/* False, and said so, when there is nothing to send a request to. */
static bool can_ask(const struct doctor *doctor, struct finding *finding)
{
    if (!doctor->is_front_up)
        finding_add(finding, FINDING_WARN, look_above, "%s", unreached);
    return doctor->is_front_up;
}

/* "401", or why there was no answer. */
static const char *words_of(const struct fetch_answer *answer, char words[FETCH_REASON_SIZE + 16])
{
    if (answer->result == FETCH_ANSWERED)
        snprintf(words, FETCH_REASON_SIZE + 16, "%d", answer->status);
    else
        snprintf(words, FETCH_REASON_SIZE + 16, "no answer (%s)", answer->reason);
    return words;
}

struct probe_views {
    struct str_view timestamp, signature, body;
};

/* A PING signed `age` seconds ago; false when the bot hands out none. */
static bool take_probe(const struct doctor *doctor, int64_t age, struct probe_text *probe)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct probe_views, timestamp, JSON_TEXT),
        JSON_NEEDED(struct probe_views, signature, JSON_TEXT),
        JSON_NEEDED(struct probe_views, body, JSON_TEXT),
    };
    char path[64];
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct json_tree tree = { 0 };
    struct probe_views views = { 0 };
    const struct json_reader reader = { .arena = &arena };
    snprintf(path, sizeof(path), "/probe?age=%" PRId64, age);
    doctor_ask_admin(doctor, path, &answer);
    if (answer.result != FETCH_ANSWERED || answer.status != 200 ||
        json_read_tree(buf_view(&answer.body), &arena, &arena, &tree, NULL) != 0)
        return false;
    const struct json_place root = { .value = tree.root };
    if (json_get_fields(&reader, &root, fields, ARRAY_LENGTH(fields), &views) != 0)
        return false;
    snprintf(probe->timestamp, sizeof(probe->timestamp), "%.*s", STR_ARGS(views.timestamp));
    snprintf(probe->signature, sizeof(probe->signature), "%.*s", STR_ARGS(views.signature));
    snprintf(probe->body, sizeof(probe->body), "%.*s", STR_ARGS(views.body));
    return true;
}

/* Absent headers are left out. */
static void post_ping(const struct doctor *doctor, const struct probe_text *probe,
                      bool has_signature, struct fetch_answer *answer)
{
    char timestamp[64], signature[192];
    snprintf(timestamp, sizeof(timestamp), "X-Signature-Timestamp: %s", probe->timestamp);
    snprintf(signature, sizeof(signature), "X-Signature-Ed25519: %s", probe->signature);
    struct fetch_request request = { .method = "POST", .body = str_from(probe->body) };
    if (has_signature) {
        request.headers[0] = timestamp;
        request.headers[1] = signature;
    }
    ask_front(doctor, INTERACTIONS_PATH, &request, answer);
}

void check_good_ping(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    struct probe_text probe;
    char words[FETCH_REASON_SIZE + 16];
    int attempts = 0;
    if (!can_ask(doctor, finding))
        return;
    do {
        if (!take_probe(doctor, 0, &probe)) {
            finding_add(finding, FINDING_WARN, look_above, "%s", unprobed);
            return;
        }
        post_ping(doctor, &probe, true, &answer);
        attempts++;
    } while (answer.status == 401 && doctor->options->url && attempts < PING_ATTEMPTS);
    bool is_good = answer.result == FETCH_ANSWERED && answer.status == 200 && answer.is_json &&
                   str_equal(buf_view(&answer.body), STR("{\"type\":1}"));
    bool is_slow = answer.elapsed_ms > PING_SLOW_MS;
    if (!is_good)
        finding_add(finding, FINDING_FAIL,
                    answer.status == 401
                        ? "the front must pass body, X-Signature-Ed25519 and X-Signature-Timestamp "
                          "on unchanged, to this bot"
                        : "look into the logs of front and bot",
                    "a signed PING got %s %.*s, not 200 {\"type\":1} as JSON",
                    words_of(&answer, words), STR_ARGS(utf8_prefix(buf_view(&answer.body), 80)));
    else
        finding_add(finding, is_slow ? FINDING_WARN : FINDING_OK,
                    is_slow ? "Discord waits 3 seconds; find out what takes so long" : NULL,
                    "answered in %" PRId64 " ms%s", answer.elapsed_ms,
                    attempts > 1 ? " by one of several instances" : "");
}

/* What every unsigned or badly signed request must get. */
static void expect_401(const struct fetch_answer *answer, const char *what, struct finding *finding)
{
    char words[FETCH_REASON_SIZE + 16];
    if (answer->result == FETCH_ANSWERED && answer->status == 401)
        finding_add(finding, FINDING_OK, NULL, "401");
    else
        finding_add(finding, FINDING_FAIL,
                    "the answer must be 401: Discord tests this and removes the URL of a bot that "
                    "fails; let the front pass the bot's own answer on",
                    "%s got %s", what, words_of(answer, words));
}

/* A PING of this moment with a random signature. */
static void forge(const struct doctor *doctor, struct probe_text *probe)
{
    unsigned char bytes[SIGNATURE_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2hex(probe->signature, sizeof(probe->signature), bytes, sizeof(bytes));
    snprintf(probe->timestamp, sizeof(probe->timestamp), "%" PRId64,
             clock_wall_ms(&doctor->clock.clock) / MS_PER_SECOND);
    snprintf(probe->body, sizeof(probe->body), "%s", PROBE_BODY);
}

void check_bad_signature(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    struct probe_text probe;
    if (!can_ask(doctor, finding))
        return;
    forge(doctor, &probe);
    post_ping(doctor, &probe, true, &answer);
    expect_401(&answer, "a wrong signature", finding);
}

void check_missing_headers(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    struct probe_text probe;
    if (!can_ask(doctor, finding))
        return;
    forge(doctor, &probe);
    post_ping(doctor, &probe, false, &answer);
    expect_401(&answer, "a request without signature headers", finding);
}

void check_stale_timestamp(struct doctor *doctor, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    struct probe_text probe;
    if (!can_ask(doctor, finding))
        return;
    if (!take_probe(doctor, doctor->config.signature_max_age_seconds + STALE_BY_SECONDS, &probe)) {
        finding_add(finding, FINDING_WARN, look_above, "%s", unprobed);
        return;
    }
    post_ping(doctor, &probe, true, &answer);
    expect_401(&answer, "a PING signed long ago", finding);
}

/* --- What is no interaction --------------------------------------------------------------------
 */

static void expect_get(struct doctor *doctor, const char *path, int status, struct finding *finding)
{
    CLEANUP(fetch_free) struct fetch_answer answer = { 0 };
    const struct fetch_request request = { .method = "GET" };
    char words[FETCH_REASON_SIZE + 16];
    if (!can_ask(doctor, finding))
        return;
    ask_front(doctor, path, &request, &answer);
    if (answer.result == FETCH_ANSWERED && answer.status == status)
        finding_add(finding, FINDING_OK, NULL, "%d", status);
    else
        finding_add(finding, FINDING_FAIL,
                    "something else answers there: pass the bot's two paths on, and 404 the rest",
                    "GET %s got %s, not %d", path, words_of(&answer, words), status);
}

void check_wrong_method(struct doctor *doctor, struct finding *finding)
{
    expect_get(doctor, INTERACTIONS_PATH, 405, finding);
}

void check_unknown_path(struct doctor *doctor, struct finding *finding)
{
    expect_get(doctor, NOBODYS_PATH, 404, finding);
}
