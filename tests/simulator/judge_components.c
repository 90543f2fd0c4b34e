/* Where components may be, and the walk over all of a message or modal. The tree is walked with a
 * stack of fixed depth; a component in a place where it may not be is refused and not looked into,
 * so the depth of the input does not matter. */
#include "simulator/judge_kinds.h"

#include <inttypes.h>

#define IDS_MAX (2 * JUDGE_COMPONENTS_MAX)

static const struct {
    const char *name;
    uint32_t allowed;
} places[] = {
    [IN_MESSAGE] = { "a message", BIT(ROW) | BIT(SECTION) | BIT(TEXT_DISPLAY) | BIT(GALLERY) |
                                      BIT(FILE_DISPLAY) | BIT(SEPARATOR) | BIT(CONTAINER) },
    [IN_LEGACY_MESSAGE] = { "a message without IS_COMPONENTS_V2", BIT(ROW) },
    [IN_CONTAINER] = { "a container", BIT(ROW) | BIT(SECTION) | BIT(TEXT_DISPLAY) | BIT(GALLERY) |
                                          BIT(FILE_DISPLAY) | BIT(SEPARATOR) },
    [IN_ROW] = { "an action row", BIT(BUTTON) | SELECTS },
    [IN_SECTION] = { "a section", BIT(TEXT_DISPLAY) },
    [IN_ACCESSORY] = { "a section's accessory", BIT(BUTTON) | BIT(THUMBNAIL) },
    [IN_MODAL] = { "a modal", BIT(LABEL) | BIT(TEXT_DISPLAY) },
    [IN_LABEL] = { "a label", BIT(TEXT_INPUT) | SELECTS | BIT(FILE_UPLOAD) | BIT(RADIO_GROUP) |
                                  BIT(CHECKBOX_GROUP) | BIT(CHECKBOX) },
};

/* --- The walk --- */

/* What is counted over the whole tree. */
struct tree {
    size_t count, units;
    struct str_view custom_ids[IDS_MAX];
    size_t custom_id_count;
    int64_t ids[IDS_MAX];
    size_t id_count;
};

static void note_custom_id(struct judgement *judgement, struct tree *tree, json_object *component)
{
    struct str_view custom_id = field_text(component, "custom_id");
    if (!custom_id.data)
        return;
    for (size_t i = 0; i < tree->custom_id_count; i++)
        if (str_equal(tree->custom_ids[i], custom_id))
            judge_complain(judgement, "custom_id '%.*s' is used twice", STR_ARGS(custom_id));
    if (tree->custom_id_count < IDS_MAX)
        tree->custom_ids[tree->custom_id_count++] = custom_id;
}

static void note_id(struct judgement *judgement, struct tree *tree, json_object *component)
{
    int64_t id = get_integer(component, "id", 0);
    if (id == 0) /* treated as absent by Discord */
        return;
    for (size_t i = 0; i < tree->id_count; i++)
        if (tree->ids[i] == id)
            judge_complain(judgement, "id %" PRId64 " is used twice", id);
    if (tree->id_count < IDS_MAX)
        tree->ids[tree->id_count++] = id;
}

/* The component itself, not what is inside; false when there is no point in looking inside. */
static bool judge_component(struct judgement *judgement, struct tree *tree, json_object *component,
                            enum place_kind place)
{
    int64_t kind = get_integer(component, "type", 0);
    tree->count++;
    const struct component_rule *rule = component_rule_of(kind);
    if (!rule) {
        judge_complain(judgement, "is not a component (type %" PRId64 ")", kind);
        return false;
    }
    if (!(places[place].allowed & BIT(kind))) {
        judge_complain(judgement, "%s can't be in %s", rule->name, places[place].name);
        return false;
    }
    judge_object(judgement, component, rule->rules);
    if (rule->check)
        rule->check(judgement, component, place);
    if (kind == TEXT_DISPLAY)
        tree->units += utf8_units(field_text(component, "content"));
    note_custom_id(judgement, tree, component);
    note_id(judgement, tree, component);
    return true;
}

/* A list that is being walked, or one component (accessory, a label's component). */
struct level {
    json_object *list, *single;
    size_t next;
    enum place_kind place;
    size_t path_mark; /* path length to go back to when the level is done */
};

#define LEVELS_MAX 8 /* message, container, section or row, accessory: the tables allow no more */

struct walk {
    struct level levels[LEVELS_MAX];
    size_t depth;
};

static void walk_into(struct judgement *judgement, struct walk *walk, json_object *component)
{
    int64_t kind = get_integer(component, "type", 0);
    enum place_kind inside = component_rule_of(kind)->inside;
    json_object *children = get(component, "components");
    json_object *single = get(component, kind == LABEL ? "component" : "accessory");
    if (inside == IN_NOTHING)
        return;
    if (single)
        walk->levels[walk->depth++] = (struct level){
            .single = single,
            .place = kind == LABEL ? IN_LABEL : IN_ACCESSORY,
            .path_mark = judgement->path.length,
        };
    if (json_object_is_type(children, json_type_array))
        walk->levels[walk->depth++] = (struct level){
            .list = children,
            .place = inside,
            .path_mark = judgement->path.length,
        };
}

/* Enters the next component of the level (NULL for JSON's null); false when the level is done. */
static bool walk_next(struct judgement *judgement, struct level *level, json_object **component)
{
    size_t index = level->next++;
    if (judgement->path.length > level->path_mark)
        judge_leave(judgement, level->path_mark);
    size_t count = level->single ? 1 : json_object_array_length(level->list);
    if (index >= count)
        return false;
    if (level->single) {
        judge_enter(judgement, level->place == IN_LABEL ? "component" : "accessory");
        *component = level->single;
        return true;
    }
    judge_enter(judgement, "components");
    judge_enter_index(judgement, index);
    *component = json_object_array_get_idx(level->list, index);
    return true;
}

static void judge_tree(struct judgement *judgement, struct tree *tree, json_object *list,
                       enum place_kind place)
{
    struct walk walk = { .depth = 1 };
    walk.levels[0] =
        (struct level){ .list = list, .place = place, .path_mark = judgement->path.length };
    while (walk.depth > 0) {
        struct level *level = &walk.levels[walk.depth - 1];
        enum place_kind here = level->place;
        json_object *component;
        if (!walk_next(judgement, level, &component))
            walk.depth--;
        else if (judge_component(judgement, tree, component, here))
            walk_into(judgement, &walk, component);
    }
}

void judge_message_components(struct judgement *judgement, json_object *list, bool is_v2)
{
    struct tree tree = { 0 };
    if (!json_object_is_type(list, json_type_array))
        return;
    judge_tree(judgement, &tree, list, is_v2 ? IN_MESSAGE : IN_LEGACY_MESSAGE);
    if (!is_v2 && json_object_array_length(list) > 5)
        judge_complain(judgement, "more than 5 action rows");
    if (tree.count > JUDGE_COMPONENTS_MAX)
        judge_complain(judgement, "%zu components in all, at most %d", tree.count,
                       JUDGE_COMPONENTS_MAX);
    if (tree.units > JUDGE_TEXT_MAX)
        judge_complain(judgement, "%zu characters of text in all, at most %d", tree.units,
                       JUDGE_TEXT_MAX);
}

void judge_modal_components(struct judgement *judgement, json_object *list)
{
    struct tree tree = { 0 };
    if (json_object_is_type(list, json_type_array))
        judge_tree(judgement, &tree, list, IN_MODAL);
    if (tree.units > JUDGE_TEXT_MAX)
        judge_complain(judgement, "%zu characters of text in all, at most %d", tree.units,
                       JUDGE_TEXT_MAX);
}
