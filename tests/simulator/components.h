/* Looking around in the components of a message or a modal. Trees have passed the judge, whose
 * nesting table bounds their depth; deeper parts are not seen. */
#ifndef SIMULATOR_COMPONENTS_H
#define SIMULATOR_COMPONENTS_H

#include "bronx/text.h"

#include <json-c/json.h>

#define WALK_DEPTH_MAX 8

enum {
    COMPONENT_ROW = 1,
    COMPONENT_BUTTON = 2,
    COMPONENT_STRING_SELECT = 3,
    COMPONENT_TEXT_INPUT = 4,
    COMPONENT_USER_SELECT = 5,
    COMPONENT_ROLE_SELECT = 6,
    COMPONENT_MENTIONABLE_SELECT = 7,
    COMPONENT_CHANNEL_SELECT = 8,
    COMPONENT_SECTION = 9,
    COMPONENT_TEXT = 10,
    COMPONENT_THUMBNAIL = 11,
    COMPONENT_GALLERY = 12,
    COMPONENT_FILE = 13,
    COMPONENT_SEPARATOR = 14,
    COMPONENT_CONTAINER = 17,
    COMPONENT_LABEL = 18,
    COMPONENT_FILE_UPLOAD = 19,
    COMPONENT_RADIO_GROUP = 21,
    COMPONENT_CHECKBOX_GROUP = 22,
    COMPONENT_CHECKBOX = 23,
};

/* Depth first, a parent before its children, an accessory after the texts. Start with the list of
 * components: `struct component_walk walk = component_walk_start(list)`. */
struct component_walk {
    struct {
        json_object *list, *single; /* one of them */
        size_t next;
    } levels[WALK_DEPTH_MAX];
    size_t depth;
};

struct component_walk component_walk_start(json_object *list);
json_object *component_next(struct component_walk *walk); /* NULL at the end */

/* Gives every component without an id the next free number, as Discord does. */
void components_number(json_object *list);

/* A button by its label (or emoji), or a select by its placeholder, custom_id or, when `name` is
 * empty, the first there is. */
json_object *find_button(json_object *list, struct str_view label);
json_object *find_select(json_object *list, struct str_view name);

bool is_select(json_object *component);
int component_type(json_object *component);

/* What stands on a button: emoji and label; appended. */
void button_text(json_object *button, struct buf *out);

#endif
