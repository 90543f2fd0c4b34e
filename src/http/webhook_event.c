/* Reading webhook events. On the HTTP threads; keeps nothing. */
#include "http/webhook_event.h"

#include <json-c/json.h>
#include <limits.h>

/* The deepest real one is a role in a member in data in event. */
#define EVENT_DEPTH_MAX 32

static struct json_object *parse_whole(struct json_tokener *tokener, struct str_view body)
{
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tokener, body.data, (int)body.length);
    if (object && json_tokener_get_parse_end(tokener) == body.length &&
        json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

int webhook_event_type(struct str_view body, int *type, struct err *err)
{
    if (body.length > INT_MAX)
        return err_set(err, ERR_INVALID, "too large");
    struct json_tokener *tokener = json_tokener_new_ex(EVENT_DEPTH_MAX);
    if (!tokener)
        return err_set(err, ERR_MEMORY, "webhook event");
    struct json_object *event = parse_whole(tokener, body);
    json_tokener_free(tokener);
    if (!event)
        return err_set(err, ERR_INVALID, "a JSON object is needed");
    struct json_object *value = NULL;
    int result = 0;
    if (!json_object_object_get_ex(event, "type", &value) ||
        !json_object_is_type(value, json_type_int))
        result = err_set(err, ERR_INVALID, "type: a number is needed");
    else {
        *type = json_object_get_int(value);
        if (*type != EVENT_PING && *type != EVENT_HAPPENED)
            result = err_set(err, ERR_INVALID, "type: events of type %d are not supported", *type);
    }
    json_object_put(event);
    return result;
}
