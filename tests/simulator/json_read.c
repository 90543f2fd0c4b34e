/* Thin shells around json-c that forgive what is absent. */
#include "simulator/json_read.h"

json_object *get(json_object *object, const char *name)
{
    json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &value);
    return value;
}

const char *get_text(json_object *object, const char *name)
{
    json_object *value = get(object, name);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int64_t get_integer(json_object *object, const char *name, int64_t fallback)
{
    json_object *value = get(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

bool get_boolean(json_object *object, const char *name, bool fallback)
{
    json_object *value = get(object, name);
    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
                                                         : fallback;
}

size_t list_length(json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

json_object *list_item(json_object *list, size_t index)
{
    return index < list_length(list) ? json_object_array_get_idx(list, index) : NULL;
}
