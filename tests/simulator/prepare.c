/* From words to signed bytes: what Discord's client does with a click or a form, including what it
 * refuses to send. Command lines are in prepare_command.c. */
#include "simulator/prepare.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <inttypes.h>

struct envelope prepare_start(struct session *session, const struct actor *actor, int type,
                              struct delivery *delivery)
{
    *delivery = (struct delivery){ .actor = *actor,
                                   .type = type,
                                   .interaction_id = session_snowflake(session) };
    return (struct envelope){ .id = delivery->interaction_id,
                              .application_id = HARNESS_APPLICATION_ID,
                              .person = *actor->person,
                              .place = actor->place,
                              .permissions = actor->permissions };
}

void prepare_finish(struct session *session, json_object *interaction_taken,
                    struct delivery *delivery)
{
    interaction_bytes(interaction_taken, &delivery->body);
    json_object_put(interaction_taken);
    harness_sign(&session->bot.keys, harness_bot_now_ms(&session->bot) / 1000,
                 buf_view(&delivery->body), &delivery->signature);
}

void delivery_forge(struct delivery *delivery)
{
    char *digit = &delivery->signature.hex[17];
    *digit = *digit == '0' ? '1' : '0';
}

/* --- Components --- */

static bool has_button(const struct stored_message *message, struct str_view label)
{
    return find_button(get(message->data, "components"), label) != NULL;
}

static bool has_select(const struct stored_message *message, struct str_view name)
{
    return find_select(get(message->data, "components"), name) != NULL;
}

static void list_buttons(const struct session *session, const struct actor *actor, struct buf *out)
{
    const struct stored_message *message =
        store_newest(&session->store, actor->place.channel_id, actor->person->id, NULL, STR_NONE);
    if (!message)
        return;
    struct component_walk walk = component_walk_start(get(message->data, "components"));
    for (json_object *component; (component = component_next(&walk));) {
        if (component_type(component) != COMPONENT_BUTTON)
            continue;
        buf_append(out, STR(" \""));
        button_text(component, out);
        buf_append(out, STR("\""));
    }
    must_hold(out);
}

static void prepare_component(struct session *session, const struct actor *actor,
                              const struct stored_message *message, json_object *component,
                              json_object *values_taken, json_object *resolved_taken,
                              struct delivery *delivery)
{
    struct envelope envelope = prepare_start(session, actor, INTERACTION_COMPONENT, delivery);
    delivery->message_id = message->id;
    prepare_finish(
        session,
        component_interaction(&envelope, store_message_json(message),
                              get_text(component, "custom_id"), component_type(component),
                              (int)get_integer(component, "id", 0), values_taken, resolved_taken),
        delivery);
}

/* The message meant by `click "label"` or `click "label" on message N`. */
static int find_clicked(struct session *session, const struct actor *actor,
                        const struct word *words, size_t count, const struct stored_message **found,
                        struct err *err)
{
    int64_t channel_id = actor->place.channel_id, person_id = actor->person->id, number;
    struct str_view label = word_text(&words[1]);
    if (count == 2) {
        *found = store_newest(&session->store, channel_id, person_id, has_button, label);
    } else if (count == 5 && word_is(&words[2], "on") && word_is(&words[3], "message") &&
               str_to_uint63(word_text(&words[4]), &number) == 0 && number > 0) {
        *found = store_numbered(&session->store, channel_id, person_id, (size_t)number);
    } else {
        return err_set(err, ERR_INVALID, "usage: click \"label\" [on message N]");
    }
    if (*found && has_button(*found, label))
        return 0;
    CLEANUP(buf_free) struct buf labels = { 0 };
    list_buttons(session, actor, &labels);
    return err_set(err, ERR_NOT_FOUND, "%s sees no button \"%.*s\"; the newest message has%s",
                   actor->person->name, STR_ARGS(label), labels.length > 0 ? labels.data : " none");
}

static int prepare_click(struct session *session, const struct actor *actor,
                         const struct word *words, size_t count, struct delivery *delivery,
                         struct err *err)
{
    const struct stored_message *message = NULL;
    if (count < 2)
        return err_set(err, ERR_INVALID, "usage: click \"label\" [on message N]");
    int result = find_clicked(session, actor, words, count, &message, err);
    if (result != 0)
        return result;
    json_object *button = find_button(get(message->data, "components"), word_text(&words[1]));
    if (get_boolean(button, "disabled", false))
        return err_set(err, ERR_CHECK, "the button \"%s\" is disabled", words[1].text);
    if (!get(button, "custom_id"))
        return err_set(err, ERR_CHECK, "the button \"%s\" is a link", words[1].text);
    prepare_component(session, actor, message, button, NULL, NULL, delivery);
    return 0;
}

static int prepare_select(struct session *session, const struct actor *actor,
                          const struct word *words, size_t count, struct delivery *delivery,
                          struct err *err)
{
    if (count < 2)
        return err_set(err, ERR_INVALID, "usage: select \"placeholder\" \"option\"...");
    const struct stored_message *message =
        store_newest(&session->store, actor->place.channel_id, actor->person->id, has_select,
                     word_text(&words[1]));
    if (!message)
        return err_set(err, ERR_NOT_FOUND, "%s sees no select \"%s\"", actor->person->name,
                       words[1].text);
    json_object *select = find_select(get(message->data, "components"), word_text(&words[1]));
    if (get_boolean(select, "disabled", false))
        return err_set(err, ERR_CHECK, "the select \"%s\" is disabled", words[1].text);
    int64_t chosen = (int64_t)count - 2;
    if (chosen < get_integer(select, "min_values", 1) ||
        chosen > get_integer(select, "max_values", 1))
        return err_set(err, ERR_CHECK, "the select does not take %" PRId64 " choices", chosen);
    CLEANUP(buf_free) struct buf value = { 0 };
    CLEANUP(json_release) json_object *values = must_array();
    for (size_t i = 2; i < count; i++) {
        if (!select_value(select, &session->world, actor->place.guild_id, word_text(&words[i]),
                          &value))
            return err_set(err, ERR_NOT_FOUND, "no option \"%s\" there", words[i].text);
        must_append(values, must_text(buf_view(&value)));
    }
    json_object *resolved = NULL;
    if (component_type(select) != COMPONENT_STRING_SELECT) {
        resolved = must_object();
        resolve_values(component_type(select), values, &session->world, &actor->place, resolved);
    }
    prepare_component(session, actor, message, select, STEAL(values), resolved, delivery);
    return 0;
}

static int prepare_submit(struct session *session, const struct actor *actor,
                          const struct word *words, size_t count, struct delivery *delivery,
                          struct err *err)
{
    (void)words, (void)count;
    struct modal *modal = session_form(session, actor->person->id);
    if (!modal_is_open(modal))
        return err_set(err, ERR_NOT_FOUND, "%s has no form open", actor->person->name);
    int result = modal_check_complete(modal, err);
    if (result != 0)
        return result;
    struct envelope envelope = prepare_start(session, actor, INTERACTION_MODAL_SUBMIT, delivery);
    const struct stored_message *message = store_find(&session->store, modal->message_id);
    delivery->message_id = modal->message_id;
    json_object *resolved = must_object();
    json_object *components = modal_components(modal, &session->world, &actor->place, resolved);
    if (json_object_object_length(resolved) == 0)
        json_release(&resolved);
    prepare_finish(session,
                   modal_interaction(&envelope, get_text(modal->data, "custom_id"), components,
                                     resolved, message ? store_message_json(message) : NULL),
                   delivery);
    return 0;
}

static const struct {
    const char *word;
    prepare_function *prepare;
} delivery_verbs[] = {
    { "click", prepare_click },
    { "select", prepare_select },
    { "submit", prepare_submit },
    { "complete", prepare_complete },
};

static size_t find_delivery_verb(const struct word *word)
{
    size_t i = 0;
    while (i < ARRAY_LENGTH(delivery_verbs) && !word_is(word, delivery_verbs[i].word))
        i++;
    return i;
}

bool is_delivery_verb(const struct word *word)
{
    return (!word->is_quoted && word->text[0] == '/') ||
           find_delivery_verb(word) < ARRAY_LENGTH(delivery_verbs);
}

int delivery_prepare(struct session *session, const struct actor *actor, const struct word *words,
                     size_t count, struct delivery *delivery, struct err *err)
{
    size_t verb = find_delivery_verb(&words[0]);
    if (verb == ARRAY_LENGTH(delivery_verbs))
        return prepare_command(session, actor, words, count, delivery, err);
    return delivery_verbs[verb].prepare(session, actor, words, count, delivery, err);
}
