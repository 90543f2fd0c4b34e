#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wizard_fixture.h"

#include "reply_checker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define IS_FORM 9 /* the callback's type */

void visitor_init(struct visitor *visitor, struct router_fixture *fixture, int64_t user_id)
{
    *visitor = (struct visitor){ .fixture = fixture,
                                 .ask = { .user_id = user_id,
                                          .guild_id = FIXTURE_GUILD,
                                          .permissions = PERMISSION_MANAGE_GUILD } };
}

void visitor_fini(struct visitor *visitor)
{
    json_object_put(visitor->page);
    json_object_put(visitor->form);
    buf_free(&visitor->data);
    buf_free(&visitor->body);
}

int64_t visitor_fresh_id(const struct router_fixture *fixture)
{
    static int64_t sequence;
    return snowflake_first_of(fixture->base.now_ms) + ++sequence;
}

/* --- What came back --- */

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static void keep_answer(struct visitor *visitor)
{
    json_object *answer = json_tokener_parse(visitor->body.data);
    visitor->is_form = json_object_get_int(get(answer, "type")) == IS_FORM;
    json_object **place = visitor->is_form ? &visitor->form : &visitor->page;
    bool is_refusal =
        !visitor->is_form && visitor->page && !strstr(visitor->body.data, "custom_id");
    bool is_update = json_object_get_int(get(answer, "type")) == CALLBACK_UPDATE_MESSAGE;
    /* A refusal is a message of its own: the page stays as it is. */
    if (is_refusal && !is_update) {
        json_object_put(answer);
        return;
    }
    json_object_put(*place);
    *place = json_object_get(get(answer, "data"));
    json_object_put(answer);
}

static void interact(struct visitor *visitor, int type)
{
    struct ask *ask = &visitor->ask;
    ask->type = type;
    ask->id = visitor_fresh_id(visitor->fixture);
    ask->invoker_id = type == INTERACTION_COMMAND ? 0 : ask->user_id;
    ask->data = visitor->data.data;
    buf_free(&visitor->body);
    router_fixture_ask(visitor->fixture, ask, &visitor->body);
    assert_non_null(visitor->body.data);
    const char *problem = checked_answer(visitor->body.data);
    if (problem)
        fail_msg("%s: %s", problem, visitor->body.data);
    visitor_assert_hides(visitor, "Error id");
    keep_answer(visitor);
    if (!visitor->is_form && visitor->body.length > PAGE_BYTES_MAX)
        fail_msg("%zu bytes: %s", visitor->body.length, visitor->body.data);
}

void visitor_replay(struct visitor *visitor)
{
    CLEANUP(buf_free) struct buf again = { 0 };
    router_fixture_ask(visitor->fixture, &visitor->ask, &again);
    assert_string_equal(again.data, visitor->body.data);
}

/* --- What people do --- */

void visitor_run(struct visitor *visitor, const char *command, const char *sub_command)
{
    buf_clear(&visitor->data);
    buf_append_format(&visitor->data,
                      "{\"id\":\"1\",\"type\":1,\"name\":\"%s\",\"options\":[{\"type\":1,\"name\":"
                      "\"%s\",\"options\":[]}]}",
                      command, sub_command);
    interact(visitor, INTERACTION_COMMAND);
}

void visitor_press_id(struct visitor *visitor, const char *custom_id)
{
    buf_clear(&visitor->data);
    buf_append_format(&visitor->data, "{\"component_type\":2,\"custom_id\":\"%s\"}", custom_id);
    interact(visitor, INTERACTION_COMPONENT);
}

/* Rows are in the container, which is the message's one component. */
const char *visitor_button(const struct visitor *visitor, const char *action)
{
    json_object *parts =
        get(json_object_array_get_idx(get(visitor->page, "components"), 0), "components");
    for (size_t i = 0; parts && i < json_object_array_length(parts); i++) {
        json_object *buttons = get(json_object_array_get_idx(parts, i), "components");
        for (size_t j = 0; buttons && j < json_object_array_length(buttons); j++) {
            json_object *button = json_object_array_get_idx(buttons, j);
            const char *id = json_object_get_string(get(button, "custom_id"));
            const char *word = id ? strrchr(id, ':') : NULL;
            if (word && strcmp(word + 1, action) == 0 &&
                !json_object_get_boolean(get(button, "disabled")))
                return id;
        }
    }
    return NULL;
}

void visitor_press(struct visitor *visitor, const char *action)
{
    const char *custom_id = visitor_button(visitor, action);
    if (!custom_id)
        fail_msg("nothing to press for %s: %s", action, visitor->body.data);
    visitor_press_id(visitor, custom_id);
}

void visitor_submit(struct visitor *visitor, const char *fields)
{
    assert_non_null(visitor->form);
    buf_clear(&visitor->data);
    buf_append_format(&visitor->data, "{\"custom_id\":\"%s\",\"components\":[%s],\"resolved\":%s}",
                      json_object_get_string(get(visitor->form, "custom_id")), fields,
                      visitor->resolved ? visitor->resolved : "{}");
    interact(visitor, INTERACTION_MODAL_SUBMIT);
}

void visitor_type(struct visitor *visitor, const char *key, const char *text)
{
    CLEANUP(buf_free) struct buf field = { 0 };
    json_object *value = json_object_new_string(text);
    buf_append_format(&field,
                      "{\"type\":18,\"id\":1,\"component\":{\"type\":4,\"id\":2,\"custom_id\":"
                      "\"%s\",\"value\":%s}}",
                      key, json_object_to_json_string(value));
    json_object_put(value);
    visitor_submit(visitor, field.data);
}

/* --- What they see --- */

void visitor_assert_shows(const struct visitor *visitor, const char *text)
{
    if (!strstr(visitor->body.data, text))
        fail_msg("\"%s\" is not in %s", text, visitor->body.data);
}

void visitor_assert_hides(const struct visitor *visitor, const char *text)
{
    if (strstr(visitor->body.data, text))
        fail_msg("\"%s\" is in %s", text, visitor->body.data);
}
