/* Life and state of a session. */
#include "simulator/session.h"

#include "harness/memory.h"
#include "harness/yardstick.h"
#include "simulator/pseudo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fixed, so that chance falls the same way in every run of a scene. */
#define SCENE_SECRET "SERVER_SECRET=a-fixed-secret-for-scenes-0001"
/* A bot's edit may arrive before we have said that its interaction is answered: on a busy machine
 * by this much. One that is really early waits as long for its refusal. */
#define CLOSE_MS     1500

/* The REST API reads the bot's clock and shows its key. */
static int start_rest(struct session *session, struct err *err)
{
    const struct rest_server_settings settings = { .shift_ms = session->bot.shift_ms,
                                                   .close_ms = CLOSE_MS,
                                                   .verify_key = session->bot.keys.public_key_hex };
    int result = rest_server_start(&session->rest, &settings, err);
    if (result == 0)
        snprintf(session->api_line, sizeof(session->api_line), "DISCORD_API_URL=%s",
                 rest_server_url(session->rest));
    return result;
}

int session_start(struct session *session, const char *bot_binary,
                  const struct catalogue *catalogue, struct err *err)
{
    static const unsigned char seed[HARNESS_SEED_BYTES] = "a fixed key pair for the scenes";
    *session = (struct session){ .offered = catalogue, .catalogue = catalogue };
    const struct person *owner = world_person(&session->world, STR(OWNER_NAME));
    const struct guild *guild = world_guild(&session->world, STR("harlem"));
    snprintf(session->owner_line, sizeof(session->owner_line), "OWNER_IDS=%" PRId64, owner->id);
    session->environment[0] = SCENE_SECRET;
    session->environment[1] = session->owner_line;
    session->environment[2] = "LOG_LEVEL=debug";
    session->environment[3] = "DISCORD_BOT_TOKEN=" REST_SERVER_BOT_TOKEN;
    session->environment[4] = session->api_line;
    snprintf(session->defer_line, sizeof(session->defer_line), "DEFER_AFTER_MS=%d",
             SESSION_DEFER_MS);
    session->environment[5] = session->defer_line;
    session->actor = (struct actor){
        .person = world_person(&session->world, STR("alice")),
        .place = *world_channel(&session->world, guild->id, STR(DEFAULT_CHANNEL)),
        .permissions = PERMISSIONS_EVERYONE,
    };
    const struct harness_bot_options options = { .binary = bot_binary,
                                                 .key_seed = seed,
                                                 .environment = session->environment };
    int result = harness_bot_init(&session->bot, &options, err);
    if (result == 0)
        result = start_rest(session, err);
    if (result == 0)
        result = harness_bot_launch(&session->bot, err);
    if (result == 0)
        session->client = http_client_new(&session->bot.listen);
    return result;
}

static void free_state(struct session *session)
{
    http_client_free(session->client);
    deliveries_free(&session->newest);
    for (size_t i = 0; i < session->form_count; i++) {
        modal_close(&session->forms[i]->modal);
        free(session->forms[i]);
    }
    free(session->forms);
    for (size_t i = 0; i < session->variable_count; i++) {
        free(session->variables[i].name);
        free(session->variables[i].value);
    }
    free(session->variables);
    buf_free(&session->spoken);
    buf_free(&session->verbatim);
    violations_free(&session->violations);
    catalogue_free(&session->registered);
    store_free(&session->store);
    world_free(&session->world);
}

int session_end(struct session *session, struct err *err)
{
    int exit_code = 0, result = 0;
    if (session->bot.pid != 0)
        result = harness_bot_stop(&session->bot, &exit_code, err);
    if (result == 0 && exit_code != 0)
        result = err_set(err, ERR_INTERNAL, "the bot's exit code was %d, not 0", exit_code);
    rest_server_stop(session->rest);
    yardstick_free(session->yardstick);
    harness_bot_fini(&session->bot);
    free_state(session);
    *session = (struct session){ 0 };
    return result;
}

int64_t session_snowflake(struct session *session)
{
    return snowflake_at(harness_bot_now_ms(&session->bot), ++session->sequence);
}

struct view session_view(const struct session *session)
{
    return (struct view){ .world = &session->world,
                          .now_ms = harness_bot_now_ms(&session->bot),
                          .has_colour = session->has_colour };
}

struct modal *session_form(struct session *session, int64_t person_id)
{
    for (size_t i = 0; i < session->form_count; i++)
        if (session->forms[i]->person_id == person_id)
            return &session->forms[i]->modal;
    must_grow(&session->forms, session->form_count, sizeof(struct open_form *));
    struct open_form *form = must_allocate(1, sizeof(*form));
    form->person_id = person_id;
    session->forms[session->form_count++] = form;
    return &form->modal;
}

const char *session_variable(const struct session *session, struct str_view name)
{
    for (size_t i = 0; i < session->variable_count; i++)
        if (str_equal(str_from(session->variables[i].name), name))
            return session->variables[i].value;
    return NULL;
}

void session_remember(struct session *session, struct str_view name, struct str_view value)
{
    for (size_t i = 0; i < session->variable_count; i++) {
        if (!str_equal(str_from(session->variables[i].name), name))
            continue;
        free(session->variables[i].value);
        session->variables[i].value = must_copy(value);
        return;
    }
    must_grow(&session->variables, session->variable_count, sizeof(struct variable));
    session->variables[session->variable_count++] =
        (struct variable){ must_copy(name), must_copy(value) };
}

void session_expect_pseudo(struct session *session, struct str_view verbatim)
{
    session->is_pseudo = true;
    buf_append(&session->verbatim, verbatim);
    must_hold(&session->verbatim);
}

void session_hear(struct session *session, const struct word *words, size_t count)
{
    bool is_form = word_is(&words[0], "type");
    bool is_command = words[0].text[0] == '/' || word_is(&words[0], "complete");
    for (size_t i = is_form ? 2 : 1; i < count && (is_form || is_command); i++) {
        /* Not the names of sub-commands and options. */
        const char *value = is_form ? words[i].text : strchr(words[i].text, ':');
        if (value)
            buf_append_format(&session->spoken, "\n%s", value);
    }
    must_hold(&session->spoken);
}

void session_unwrap(struct session *session, json_object *json)
{
    if (session->is_pseudo)
        pseudo_unwrap(json,
                      &(struct pseudo_allowed){ .spoken = buf_view(&session->spoken),
                                                .verbatim = buf_view(&session->verbatim) },
                      &session->violations);
}

void session_take_newest(struct session *session, struct deliveries *deliveries)
{
    deliveries_free(&session->newest);
    session->newest = *deliveries;
    *deliveries = (struct deliveries){ 0 };
}

void deliveries_free(struct deliveries *deliveries)
{
    for (size_t i = 0; i < deliveries->count; i++) {
        struct delivery *delivery = &deliveries->items[i];
        free(delivery->command_name);
        buf_free(&delivery->body);
        http_answer_free(&delivery->answer);
        json_object_put(delivery->json);
    }
    free(deliveries->items);
    *deliveries = (struct deliveries){ 0 };
}
