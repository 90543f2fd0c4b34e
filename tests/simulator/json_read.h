/* Reading fields of JSON that the judge has let pass: an absent field gives an empty value. */
#ifndef SIMULATOR_JSON_READ_H
#define SIMULATOR_JSON_READ_H

#include "bronx/text.h"

#include <json-c/json.h>

json_object *get(json_object *object, const char *name); /* borrowed; NULL when absent or null */
const char *get_text(json_object *object, const char *name); /* "" when absent */
int64_t get_integer(json_object *object, const char *name, int64_t fallback);
bool get_boolean(json_object *object, const char *name, bool fallback);

/* Items of a list; 0 and NULL when there is no list. */
size_t list_length(json_object *list);
json_object *list_item(json_object *list, size_t index);

#endif
