/* What a newcomer at the prompt could type next. */
#include "simulator/prompt.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

/* The first field of an open form that keeps it from being submitted, as the line that fills it. */
static void hint_form(const struct modal *modal, struct buf *out)
{
    json_object *list = get(modal->data, "components");
    if (modal_check_complete(modal, NULL) == 0) {
        buf_append(out, STR("submit"));
        return;
    }
    for (size_t i = 0; i < list_length(list); i++) {
        json_object *label = list_item(list, i), *field = get(label, "component");
        json_object *value = get(modal->values, get_text(field, "custom_id"));
        json_object *option = list_item(get(field, "options"), 0);
        const char *name = get_text(label, "label");
        int type = component_type(field);
        bool is_empty = json_object_is_type(value, json_type_array)
                            ? list_length(value) == 0
                            : !value || json_object_get_string_len(value) == 0;
        if (!field || type == COMPONENT_CHECKBOX || !is_empty ||
            !get_boolean(field, "required", true))
            continue;
        if (type == COMPONENT_CHECKBOX_GROUP)
            buf_append_format(out, "check \"%s\"", get_text(option, "label"));
        else if (type == COMPONENT_TEXT_INPUT)
            buf_append_format(out, "type \"%s\" \"...\"", name);
        else
            buf_append_format(out, "choose \"%s\" \"%s\"", name, get_text(option, "label"));
        return;
    }
}

/* The first thing on the message that can be pressed. */
static void hint_message(const struct stored_message *message, struct buf *out)
{
    struct component_walk walk = component_walk_start(get(message->data, "components"));
    for (json_object *component; (component = component_next(&walk));) {
        if (get_boolean(component, "disabled", false) || !get(component, "custom_id"))
            continue;
        if (component_type(component) == COMPONENT_BUTTON) {
            buf_append_format(out, "click \"%s\"", get_text(component, "label"));
            return;
        }
        if (component_type(component) == COMPONENT_STRING_SELECT) {
            json_object *option = list_item(get(component, "options"), 0);
            buf_append_format(out, "select \"%s\" \"%s\"", get_text(component, "placeholder"),
                              get_text(option, "label"));
            return;
        }
    }
}

void hint_find(struct session *session, struct buf *out)
{
    const struct modal *modal = session_form(session, session->actor.person->id);
    const struct delivery *newest =
        session->newest.count > 0 ? &session->newest.items[session->newest.count - 1] : NULL;
    const struct stored_message *message =
        newest ? store_find(&session->store, newest->shown_message_id) : NULL;
    if (modal_is_open(modal))
        hint_form(modal, out);
    else if (message)
        hint_message(message, out);
    must_hold(out);
}
