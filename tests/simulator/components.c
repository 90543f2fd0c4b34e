/* One walk serves numbering, finding and rendering. */
#include "simulator/components.h"

#include "harness/memory.h"
#include "simulator/json_read.h"

struct component_walk component_walk_start(json_object *list)
{
    struct component_walk walk = { .depth = 1 };
    walk.levels[0].list = list;
    return walk;
}

static void push(struct component_walk *walk, json_object *list, json_object *single)
{
    if ((!list && !single) || walk->depth == WALK_DEPTH_MAX)
        return;
    walk->levels[walk->depth].list = list;
    walk->levels[walk->depth].single = single;
    walk->levels[walk->depth++].next = 0;
}

json_object *component_next(struct component_walk *walk)
{
    while (walk->depth > 0) {
        size_t top = walk->depth - 1, index = walk->levels[top].next++;
        json_object *single = walk->levels[top].single;
        json_object *component =
            index == 0 && single ? single : list_item(walk->levels[top].list, index);
        if (!component) {
            walk->depth--;
            continue;
        }
        push(walk, NULL, get(component, "accessory"));
        push(walk, NULL, get(component, "component"));
        push(walk, get(component, "components"), NULL);
        return component;
    }
    return NULL;
}

static bool is_id_used(json_object *list, int64_t id)
{
    struct component_walk walk = component_walk_start(list);
    for (json_object *component; (component = component_next(&walk));)
        if (get_integer(component, "id", 0) == id)
            return true;
    return false;
}

void components_number(json_object *list)
{
    int64_t next = 1;
    struct component_walk walk = component_walk_start(list);
    for (json_object *component; (component = component_next(&walk));) {
        if (get_integer(component, "id", 0) != 0)
            continue;
        while (is_id_used(list, next))
            next++;
        must_put(component, "id", must_integer(next++));
    }
}

int component_type(json_object *component)
{
    return (int)get_integer(component, "type", 0);
}

bool is_select(json_object *component)
{
    int type = component_type(component);
    return type == COMPONENT_STRING_SELECT ||
           (type >= COMPONENT_USER_SELECT && type <= COMPONENT_CHANNEL_SELECT);
}

void button_text(json_object *button, struct buf *out)
{
    const char *emoji = get_text(get(button, "emoji"), "name");
    const char *label = get_text(button, "label");
    buf_append_format(out, "%s%s%s", emoji, *emoji && *label ? " " : "", label);
    must_hold(out);
}

static bool is_button_named(json_object *component, struct str_view label)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    if (component_type(component) != COMPONENT_BUTTON)
        return false;
    button_text(component, &text);
    return str_equal(buf_view(&text), label) ||
           str_equal(str_from(get_text(component, "label")), label);
}

json_object *find_button(json_object *list, struct str_view label)
{
    struct component_walk walk = component_walk_start(list);
    for (json_object *component; (component = component_next(&walk));)
        if (is_button_named(component, label))
            return component;
    return NULL;
}

json_object *find_select(json_object *list, struct str_view name)
{
    struct component_walk walk = component_walk_start(list);
    for (json_object *component; (component = component_next(&walk));)
        if (is_select(component) &&
            (name.length == 0 || str_equal(str_from(get_text(component, "placeholder")), name) ||
             str_equal(str_from(get_text(component, "custom_id")), name)))
            return component;
    return NULL;
}
