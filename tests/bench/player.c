#include "player.h"

#include "bronx/interaction.h"
#include "harness/http_client.h"
#include "harness/interaction_json.h"
#include "harness/memory.h"

#include <stdlib.h>
#include <string.h>

#define PLAYER_ID   INT64_C(200000000000000001)
#define GUILD_ID    INT64_C(300000000000000001)
#define CHANNEL_ID  INT64_C(400000000000000001)
#define COMMAND_ID  INT64_C(500000000000000001)
/* View Channel, Send Messages, Use Application Commands. */
#define PERMISSIONS UINT64_C(2147486720)
/* More components than any reply of ours has. */
#define SEARCH_MAX  256

static const struct person person = { .id = PLAYER_ID, .name = "alice" };

static struct envelope make_envelope(struct player *player)
{
    return (struct envelope){
        .id = snowflake_at(harness_bot_now_ms(player->bot), player->sequence++),
        .application_id = HARNESS_APPLICATION_ID,
        .person = person,
        .place = { GUILD_ID, CHANNEL_ID, "general", "en-US" },
        .permissions = PERMISSIONS,
    };
}

static void make_body(struct player *player, enum player_request kind, struct buf *out)
{
    struct envelope envelope = make_envelope(player);
    CLEANUP(json_release)
    json_object *interaction =
        kind == REQUEST_BALANCE ? command_interaction(&envelope, COMMAND_ID, "balance", NULL, NULL)
                                : ping_interaction(&envelope);
    interaction_bytes(interaction, out);
    must_hold(out);
}

void player_signed_bytes(struct player *player, enum player_request kind, struct buf *out)
{
    buf_append_format(out, "%lld", (long long)(harness_bot_now_ms(player->bot) / 1000));
    make_body(player, kind, out);
}

static void make_request(struct player *player, const struct harness_keys *keys,
                         enum player_request kind, struct buf *out)
{
    struct harness_signature signature;
    CLEANUP(buf_free) struct buf body = { 0 };
    make_body(player, kind, &body);
    harness_sign(keys, harness_bot_now_ms(player->bot) / 1000, buf_view(&body), &signature);
    /* The headers nginx hands on. */
    buf_append_format(out,
                      "POST /interactions HTTP/1.1\r\nHost: bot\r\n"
                      "X-Real-IP: 35.237.4.214\r\nX-Forwarded-For: 35.237.4.214\r\n"
                      "Content-Length: %zu\r\nContent-Type: application/json\r\n"
                      "X-Signature-Ed25519: %s\r\nX-Signature-Timestamp: %s\r\n"
                      "User-Agent: Discord-Interactions/1.0 (+https://discord.com)\r\n\r\n",
                      body.length, signature.hex, signature.timestamp);
    buf_append(out, buf_view(&body));
}

int player_requests(struct player *player, enum player_request kind, size_t count,
                    struct load_requests *requests, struct err *err)
{
    struct harness_keys other;
    harness_keys_make(&other, NULL);
    const struct harness_keys *keys = kind == REQUEST_REFUSED ? &other : &player->bot->keys;
    *requests = (struct load_requests){ calloc(count, sizeof(struct buf)), count };
    if (!requests->requests) {
        *requests = (struct load_requests){ 0 };
        return err_set(err, ERR_MEMORY, "requests");
    }
    for (size_t i = 0; i < count; i++) {
        make_request(player, keys, kind, &requests->requests[i]);
        if (requests->requests[i].has_failed)
            return err_set(err, ERR_MEMORY, "requests");
    }
    return 0;
}

/* --- the terms --- */

static int deliver(struct player *player, json_object *interaction, json_object **answer,
                   struct err *err)
{
    CLEANUP(http_client_release) struct http_client *client = http_client_new(&player->bot->listen);
    CLEANUP(http_answer_free) struct http_answer http = { 0 };
    CLEANUP(buf_free) struct buf body = { 0 };
    struct harness_signature signature;
    interaction_bytes(interaction, &body);
    must_hold(&body);
    harness_sign(&player->bot->keys, harness_bot_now_ms(player->bot) / 1000, buf_view(&body),
                 &signature);
    int result = http_client_post_signed(client, &signature, buf_view(&body), &http, err);
    if (result != 0)
        return result;
    buf_append_char(&http.body, '\0');
    must_hold(&http.body);
    *answer = json_tokener_parse(http.body.data);
    if (http.status != 200 || !*answer)
        return err_set(err, ERR_INVALID, "answer %d: %.150s", http.status, http.body.data);
    return 0;
}

static int number_of(json_object *object, const char *key)
{
    return json_object_get_int(json_object_object_get(object, key));
}

static const char *text_of(json_object *object, const char *key)
{
    return json_object_get_string(json_object_object_get(object, key));
}

/* Discord numbers components that come without an id, in order; bots get the numbers back. */
static int id_of(json_object *component, int position)
{
    return json_object_object_get(component, "id") ? number_of(component, "id") : position + 1;
}

struct found {
    json_object *component; /* borrowed */
    int id;
};

/* The first component of `type` in what hangs under `data`, looked for level by level. */
static struct found find_component(json_object *data, int type)
{
    static const char *const places[] = { "components", "component", "accessory" };
    json_object *waiting[SEARCH_MAX] = { data };
    int count = 1;
    for (int i = 0; i < count; i++) {
        if (i > 0 && number_of(waiting[i], "type") == type)
            return (struct found){ waiting[i], id_of(waiting[i], i) };
        for (size_t place = 0; place < ARRAY_LENGTH(places); place++) {
            json_object *below = json_object_object_get(waiting[i], places[place]);
            bool is_list = json_object_is_type(below, json_type_array);
            size_t more = is_list ? json_object_array_length(below) : below ? 1 : 0;
            for (size_t k = 0; k < more && count < SEARCH_MAX; k++)
                waiting[count++] = is_list ? json_object_array_get_idx(below, k) : below;
        }
    }
    return (struct found){ 0 };
}

static json_object *press(struct player *player, json_object *prompt)
{
    json_object *data = json_object_object_get(prompt, "data");
    struct found button = find_component(data, COMPONENT_BUTTON);
    if (!button.component)
        return NULL;
    const struct bot_message message = {
        .id = snowflake_at(harness_bot_now_ms(player->bot), player->sequence++),
        .application_id = HARNESS_APPLICATION_ID,
        .channel_id = CHANNEL_ID,
        .flags = number_of(data, "flags"),
        .components = json_object_object_get(data, "components"),
        .interaction_id = snowflake_at(harness_bot_now_ms(player->bot), player->sequence++),
        .interaction_type = INTERACTION_COMMAND,
        .command_name = "balance",
        .invoker = person,
        .created_ms = harness_bot_now_ms(player->bot),
    };
    struct envelope envelope = make_envelope(player);
    return component_interaction(&envelope, message_json(&message),
                                 text_of(button.component, "custom_id"), COMPONENT_BUTTON,
                                 button.id, NULL, NULL);
}

static json_object *submit(struct player *player, json_object *modal)
{
    json_object *data = json_object_object_get(modal, "data");
    struct found group = find_component(data, COMPONENT_CHECKBOX_GROUP);
    struct found label = find_component(data, COMPONENT_LABEL);
    if (!group.component || !label.component)
        return NULL;
    json_object *option =
        json_object_array_get_idx(json_object_object_get(group.component, "options"), 0);
    json_object *values = must_array(), *components = must_array();
    must_append(values, json_object_get(json_object_object_get(option, "value")));
    must_append(components,
                submitted_label(label.id, submitted_field(COMPONENT_CHECKBOX_GROUP, group.id,
                                                          text_of(group.component, "custom_id"),
                                                          "values", values)));
    struct envelope envelope = make_envelope(player);
    return modal_interaction(&envelope, text_of(data, "custom_id"), components, NULL, NULL);
}

int player_accept_terms(struct player *player, struct err *err)
{
    CLEANUP(json_release) json_object *prompt = NULL;
    CLEANUP(json_release) json_object *modal = NULL;
    CLEANUP(json_release) json_object *end = NULL;
    struct envelope envelope = make_envelope(player);
    CLEANUP(json_release)
    json_object *command = command_interaction(&envelope, COMMAND_ID, "balance", NULL, NULL);
    int result = deliver(player, command, &prompt, err);
    if (result != 0)
        return result;
    CLEANUP(json_release) json_object *click = press(player, prompt);
    if (!click)
        return err_set(err, ERR_INVALID, "no button: %.180s", json_object_to_json_string(prompt));
    result = deliver(player, click, &modal, err);
    if (result != 0)
        return result;
    CLEANUP(json_release) json_object *acceptance = submit(player, modal);
    if (!acceptance)
        return err_set(err, ERR_INVALID, "no modal: %.180s", json_object_to_json_string(modal));
    result = deliver(player, acceptance, &end, err);
    if (result == 0 && !strstr(json_object_to_json_string(end), "1,000"))
        return err_set(err, ERR_INVALID, "no bonus: %.180s", json_object_to_json_string(end));
    return result;
}
