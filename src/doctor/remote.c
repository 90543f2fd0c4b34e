/* Checks against Discord's API: can it be reached, and does it know us by the credentials we have?
 * The bot's token is for the REST client alone and never shown. */
#include "doctor/check.h"

#include "discord/interaction_json.h"
#include "discord/rest.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An HTTP date has whole seconds, and the answer takes its time. */
#define CLOCK_OFF_MS          INT64_C(5000)
/* What the wall clock may differ from the monotonic one while the doctor looks. */
#define CLOCK_STEP_MS         INT64_C(1000)
/* https://docs.discord.com/developers/resources/application#application-object-application-event-webhook-status
 */
#define EVENTS_ON             2
#define EVENTS_OFF_BY_DISCORD 3

/* The one request without the token: how it fails is looked at closely. */
static void ask_gateway(struct doctor *doctor)
{
    char url[2 * CONFIG_TEXT_MAX];
    snprintf(url, sizeof(url), "%s/gateway", doctor->config.api_url);
    const struct fetch_request request = { .url = url,
                                           .method = "GET",
                                           .ca_file = doctor->config.ca_file };
    fetch(&request, &doctor->gateway);
}

/* As the bot; `response` is to be freed in any case. */
static void ask_discord(const struct doctor *doctor, struct str_view path,
                        struct rest_response *response)
{
    const struct rest_settings settings = { .api_url = doctor->config.api_url,
                                            .bot_token = doctor->config.bot_token,
                                            .ca_file = doctor->config.ca_file,
                                            .connect_ms = FETCH_TIMEOUT_MS,
                                            .total_ms = FETCH_TIMEOUT_MS,
                                            .body_max = FETCH_BODY_MAX };
    const struct rest_request request = { .method = REST_GET, .path = path, .is_as_bot = true };
    (void)!rest_request(&settings, &request, response, NULL); /* it says so itself: no status */
}

void check_dns(struct doctor *doctor, struct finding *finding)
{
    ask_gateway(doctor);
    if (doctor->gateway.result == FETCH_NO_ADDRESS)
        finding_add(finding, FINDING_FAIL,
                    "mend the resolver (/etc/resolv.conf), or DISCORD_API_URL", "%s",
                    doctor->gateway.reason);
    else
        finding_add(finding, FINDING_OK, NULL, "%s has an address", doctor->config.api_url);
}

/* Whether the bot's token may travel there. */
static bool is_safe(const struct doctor *doctor)
{
    const char *url = doctor->config.api_url;
    return str_starts_with(str_from(url), STR("https://")) || config_is_on_this_host(url);
}

void check_tls(struct doctor *doctor, struct finding *finding)
{
    const struct fetch_answer *answer = &doctor->gateway;
    bool is_tls = str_starts_with(str_from(doctor->config.api_url), STR("https://"));
    if (!is_safe(doctor)) {
        finding_add(finding, FINDING_FAIL, "set DISCORD_API_URL to an https:// address",
                    "the bot's token would travel unencrypted to %s", doctor->config.api_url);
        return;
    }
    switch (answer->result) {
    case FETCH_NO_ADDRESS:
        finding_add(finding, FINDING_WARN, NULL, "not checked: no address");
        break;
    case FETCH_NO_TLS:
        finding_add(finding, FINDING_FAIL,
                    "install ca-certificates, look at the clock, and at who sits in between", "%s",
                    answer->reason);
        break;
    case FETCH_NO_CONNECTION:
    case FETCH_NO_ANSWER:
        finding_add(finding, FINDING_FAIL, "let this machine reach Discord's API (port 443)", "%s",
                    answer->reason);
        break;
    case FETCH_ANSWERED:
        finding_add(finding, FINDING_OK, NULL, "%s, answered in %" PRId64 " ms",
                    is_tls ? "certificate verified" : "none, a simulated Discord on this host",
                    answer->elapsed_ms);
        break;
    }
}

void check_clock(struct doctor *doctor, struct finding *finding)
{
    static const char advice[] = "synchronise it (systemd-timesyncd, chrony): Discord's requests "
                                 "are refused when they look too old or too new";
    const struct clock *clock = &doctor->clock.clock;
    int64_t now_ms = clock_wall_ms(clock);
    int64_t monotonic_ms = (clock_monotonic_us(clock) - doctor->started_us) / 1000;
    int64_t step_ms = now_ms - doctor->started_wall_ms - monotonic_ms;
    if (monotonic_ms < 0)
        finding_add(finding, FINDING_FAIL, "look at the machine", "monotonic time runs backwards");
    if (llabs(step_ms) > CLOCK_STEP_MS)
        finding_add(finding, FINDING_WARN, advice, "set by %" PRId64 " ms while being looked at",
                    step_ms);
    if (doctor->gateway.date_ms == 0) {
        finding_add(finding, FINDING_WARN, NULL, "not compared: Discord's API tells no time");
        return;
    }
    /* Positive: ours is ahead, requests look old to it. */
    int64_t off_ms = doctor->started_wall_ms + monotonic_ms - doctor->gateway.date_ms;
    bool is_bad = off_ms > doctor->config.signature_max_age_seconds * 1000 ||
                  -off_ms > doctor->config.signature_max_skew_seconds * 1000;
    enum finding_state state = is_bad                         ? FINDING_FAIL
                               : llabs(off_ms) > CLOCK_OFF_MS ? FINDING_WARN
                                                              : FINDING_OK;
    finding_add(finding, state, state == FINDING_OK ? NULL : advice,
                "%" PRId64 " s %s of Discord's", (int64_t)llabs(off_ms) / 1000,
                off_ms < 0 ? "behind" : "ahead");
}

/* --- The token ---------------------------------------------------------------------------------
 */

static bool is_base64url(struct str_view text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < text.length; i++)
        if (!memchr(letters, text.data[i], sizeof(letters) - 1))
            return false;
    return text.length > 0;
}

/* Three words separated by dots, the first the bot's id in base 64. */
static bool token_id(struct str_view token, int64_t *id)
{
    struct str_view parts[3];
    char decimal[32];
    size_t length;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (!str_split(&token, '.', &parts[i]) || !is_base64url(parts[i]))
            return false;
    return token.length == 0 && token.data == NULL &&
           sodium_base642bin((unsigned char *)decimal, sizeof(decimal), parts[0].data,
                             parts[0].length, NULL, &length, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           str_to_uint63((struct str_view){ decimal, length }, id) == 0;
}

void check_token_form(struct doctor *doctor, struct finding *finding)
{
    int64_t id;
    if (!doctor->config.bot_token[0])
        finding_add(finding, FINDING_WARN,
                    "set it, or DISCORD_BOT_TOKEN_FILE: `bronxbot register` "
                    "needs it",
                    "DISCORD_BOT_TOKEN is not set");
    else if (!token_id(str_from(doctor->config.bot_token), &id))
        finding_add(finding, FINDING_FAIL,
                    "copy it again from the Developer Portal, page Bot (\"Reset Token\"); the "
                    "client secret is something else",
                    "DISCORD_BOT_TOKEN does not look like a bot's token");
    else
        finding_add(finding, FINDING_OK, NULL, "of bot %" PRId64, id);
}

/* One JSON object into a tree; false when the answer is none. */
static bool read_object(const struct rest_response *answer, struct arena *arena,
                        struct json_tree *tree)
{
    return answer->status == 200 &&
           json_read_tree(buf_view(&answer->body), arena, arena, tree, NULL) == 0;
}

static void complain_of_answer(struct finding *finding, const struct rest_response *answer)
{
    if (answer->status == 0)
        finding_add(finding, FINDING_FAIL, "see the lines above", "no answer: %s",
                    answer->reason ? answer->reason : "no memory");
    else if (answer->status == 401)
        finding_add(finding, FINDING_FAIL,
                    "reset the token in the Developer Portal, page Bot, and set the new one",
                    "Discord refuses the token (401)");
    else
        finding_add(finding, FINDING_FAIL, "try again later; https://discordstatus.com",
                    "Discord answered %d", answer->status);
}

/* False, and said so, when Discord can't be asked as the bot. */
static bool can_use_token(const struct doctor *doctor, struct finding *finding)
{
    const char *why_not = NULL;
    if (!doctor->config.bot_token[0])
        why_not = "DISCORD_BOT_TOKEN is not set";
    else if (!is_safe(doctor) || doctor->gateway.result != FETCH_ANSWERED)
        why_not = "Discord's API can't be reached safely";
    if (why_not)
        finding_add(finding, FINDING_WARN, NULL, "not checked: %s", why_not);
    return !why_not;
}

void check_token(struct doctor *doctor, struct finding *finding)
{
    static const struct json_field fields[] = { { .name = "username", .kind = JSON_TEXT } };
    if (!can_use_token(doctor, finding))
        return;
    CLEANUP(rest_response_free) struct rest_response answer = { 0 };
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct json_tree tree = { 0 };
    struct str_view name = STR_NONE;
    ask_discord(doctor, STR("/users/@me"), &answer);
    if (!read_object(&answer, &arena, &tree)) {
        complain_of_answer(finding, &answer);
        return;
    }
    const struct json_reader reader = { .arena = &arena };
    const struct json_place root = { .value = tree.root };
    (void)!json_get_fields(&reader, &root, fields, ARRAY_LENGTH(fields), &name);
    finding_add(finding, FINDING_OK, NULL, "Discord knows it as %.*s", STR_ARGS(name));
}

/* --- The application ---------------------------------------------------------------------------
 */

struct application_text {
    struct str_view verify_key, interactions_endpoint_url, event_webhooks_url;
    int64_t id, event_webhooks_status;
};

static void keep(char *place, size_t size, struct str_view text)
{
    snprintf(place, size, "%.*s", STR_ARGS(text));
}

static bool read_application(const struct rest_response *answer, struct application *application)
{
    static const struct json_field fields[] = {
        JSON_NEEDED(struct application_text, id, JSON_ID),
        JSON_NEEDED(struct application_text, verify_key, JSON_TEXT),
        JSON_FIELD(struct application_text, interactions_endpoint_url, JSON_TEXT),
        JSON_FIELD(struct application_text, event_webhooks_url, JSON_TEXT),
        JSON_FIELD(struct application_text, event_webhooks_status, JSON_INT64),
    };
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct json_tree tree = { 0 };
    struct application_text text = { 0 };
    const struct json_reader reader = { .arena = &arena };
    if (!read_object(answer, &arena, &tree))
        return false;
    const struct json_place root = { .value = tree.root };
    if (json_get_fields(&reader, &root, fields, ARRAY_LENGTH(fields), &text) != 0)
        return false;
    application->is_known = true;
    application->id = text.id;
    application->events_status = text.event_webhooks_status;
    keep(application->verify_key, sizeof(application->verify_key), text.verify_key);
    keep(application->interactions_url, sizeof(application->interactions_url),
         text.interactions_endpoint_url);
    keep(application->events_url, sizeof(application->events_url), text.event_webhooks_url);
    return true;
}

void check_application(struct doctor *doctor, struct finding *finding)
{
    if (!can_use_token(doctor, finding))
        return;
    CLEANUP(rest_response_free) struct rest_response answer = { 0 };
    ask_discord(doctor, STR("/applications/@me"), &answer);
    if (!read_application(&answer, &doctor->application))
        complain_of_answer(finding, &answer);
    else if (doctor->application.id != doctor->config.application_id)
        finding_add(finding, FINDING_FAIL,
                    "take DISCORD_APPLICATION_ID and DISCORD_BOT_TOKEN from the same application",
                    "the token is of application %" PRId64 ", DISCORD_APPLICATION_ID is %" PRId64,
                    doctor->application.id, doctor->config.application_id);
    else
        finding_add(finding, FINDING_OK, NULL, "%" PRId64, doctor->application.id);
}

void check_public_key(struct doctor *doctor, struct finding *finding)
{
    const struct public_keys *keys = &doctor->config.public_keys;
    bool is_there = false;
    if (!doctor->application.is_known) {
        finding_add(finding, FINDING_WARN, NULL, "not compared: the application is not known");
        return;
    }
    for (int i = 0; i < keys->count; i++) {
        char hex[2 * ED25519_KEY_BYTES + 1];
        sodium_bin2hex(hex, sizeof(hex), keys->bytes[i], ED25519_KEY_BYTES);
        is_there |=
            str_equal_ignoring_case(str_from(hex), str_from(doctor->application.verify_key));
    }
    if (!is_there)
        finding_add(finding, FINDING_FAIL,
                    "copy the key from the Developer Portal, page General Information",
                    "DISCORD_PUBLIC_KEY is not the one Discord signs with (%s)",
                    doctor->application.verify_key);
    else if (keys->count > 1)
        finding_add(finding, FINDING_WARN, "when the rotation is over, leave only the new one",
                    "%d keys are accepted, one is Discord's", keys->count);
    else
        finding_add(finding, FINDING_OK, NULL, "the one Discord signs with");
}

/* Whether the path of `url` is `path`, with no more behind it. */
static bool has_path(const char *url, struct str_view path)
{
    const char *host = strstr(url, "://");
    const char *start = host ? strchr(host + 3, '/') : NULL;
    struct str_view found = str_from(start);
    return found.length >= path.length && memcmp(found.data, path.data, path.length) == 0 &&
           (found.length == path.length || found.data[path.length] == '?');
}

void check_interactions_url(struct doctor *doctor, struct finding *finding)
{
    const struct application *application = &doctor->application;
    const char *asked = doctor->options->url;
    if (!application->is_known)
        finding_add(finding, FINDING_WARN, NULL, "not checked: the application is not known");
    else if (!application->interactions_url[0])
        finding_add(finding, FINDING_WARN,
                    "when all else is ok, set https://HOST/interactions in the Developer Portal, "
                    "page General Information",
                    "unset: Discord sends this bot nothing");
    else if (!has_path(application->interactions_url, STR("/interactions")))
        finding_add(finding, FINDING_FAIL,
                    "correct it in the Developer Portal, or map the path in the front",
                    "Discord posts to %s, the bot serves /interactions",
                    application->interactions_url);
    else if (asked && strncmp(application->interactions_url, asked, strlen(asked)) != 0)
        finding_add(finding, FINDING_WARN, "give --url the address Discord uses",
                    "Discord posts to %s", application->interactions_url);
    else
        finding_add(finding, FINDING_OK, NULL, "%s", application->interactions_url);
}

void check_events_url(struct doctor *doctor, struct finding *finding)
{
    const struct application *application = &doctor->application;
    if (!application->is_known)
        finding_add(finding, FINDING_WARN, NULL, "not checked: the application is not known");
    else if (!application->events_url[0])
        finding_add(finding, FINDING_OK, NULL, "unset: no webhook events");
    else if (application->events_status == EVENTS_OFF_BY_DISCORD)
        finding_add(finding, FINDING_FAIL,
                    "mend what is wrong below, then enable them in the Developer Portal, page "
                    "Webhooks",
                    "Discord has switched webhook events off after too many failures");
    else if (!has_path(application->events_url, STR("/events")))
        finding_add(finding, FINDING_FAIL,
                    "correct it in the Developer Portal, or map the path in the front",
                    "Discord posts to %s, the bot serves /events", application->events_url);
    else
        finding_add(finding, FINDING_OK, NULL, "%s (%s)", application->events_url,
                    application->events_status == EVENTS_ON ? "on" : "off");
}
