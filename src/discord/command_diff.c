/* A walk through two trees at once. As deep as command_set.c lets commands nest. */
#include "discord/command_diff.h"

#include <string.h>

/* Where the walk is, and what it has found in this command. */
struct walk {
    struct buf path;
    struct json_object *paths; /* array of differences */
    bool has_failed;           /* no memory */
};

static void release(struct json_object **value)
{
    json_object_put(*value);
}

/* Takes the reference of `value`; false without memory. NULL is JSON's null. */
static bool put(struct json_object *object, const char *key, struct json_object *value)
{
    if (json_object_object_add(object, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

static bool append(struct json_object *array, struct json_object *value)
{
    if (value && json_object_array_add(array, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

/* Takes the references of `before` and `after`. */
static void note(struct walk *walk, struct json_object *before, struct json_object *after)
{
    struct json_object *entry = json_object_new_object();
    struct json_object *path =
        json_object_new_string_len(walk->path.data ? walk->path.data : "", (int)walk->path.length);
    bool is_complete = entry && path && put(entry, "path", STEAL(path));
    is_complete = is_complete && put(entry, "before", STEAL(before));
    is_complete = is_complete && put(entry, "after", STEAL(after));
    json_object_put(path);
    json_object_put(before);
    json_object_put(after);
    if (!is_complete) {
        json_object_put(entry);
        walk->has_failed = true;
    } else if (!append(walk->paths, entry)) {
        walk->has_failed = true;
    }
}

static void compare(struct walk *walk, struct json_object *before, struct json_object *after);

static void leave(struct walk *walk, size_t length)
{
    walk->path.length = length;
    if (walk->path.data)
        walk->path.data[length] = '\0';
}

static void compare_objects(struct walk *walk, struct json_object *before,
                            struct json_object *after)
{
    size_t length = walk->path.length;
    json_object_object_foreach(before, old_key, old_value)
    {
        buf_append_format(&walk->path, "%s%s", length ? "." : "", old_key);
        compare(walk, old_value, json_object_object_get(after, old_key));
        leave(walk, length);
    }
    json_object_object_foreach(after, new_key, new_value)
    {
        if (json_object_object_get_ex(before, new_key, NULL))
            continue;
        buf_append_format(&walk->path, "%s%s", length ? "." : "", new_key);
        compare(walk, NULL, new_value);
        leave(walk, length);
    }
}

/* --- Lists of named things --- */

static struct json_object *name_of(const struct json_object *item)
{
    return json_object_is_type(item, json_type_object) ? json_object_object_get(item, "name")
                                                       : NULL;
}

static bool has_names(const struct json_object *list)
{
    return json_object_is_type(list, json_type_array) && json_object_array_length(list) > 0 &&
           name_of(json_object_array_get_idx(list, 0));
}

static struct json_object *find_named(const struct json_object *list,
                                      const struct json_object *item)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *candidate = json_object_array_get_idx(list, i);
        if (json_object_equal(name_of(candidate), name_of(item)))
            return candidate;
    }
    return NULL;
}

/* The names of those items of `list` that are also in `other`. */
static struct json_object *common_names(struct walk *walk, const struct json_object *list,
                                        const struct json_object *other)
{
    struct json_object *names = json_object_new_array();
    for (size_t i = 0; names && i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        if (find_named(other, item) && !append(names, json_object_get(name_of(item))))
            walk->has_failed = true;
    }
    walk->has_failed |= !names;
    return names;
}

static void compare_lists(struct walk *walk, struct json_object *before, struct json_object *after)
{
    size_t length = walk->path.length;
    for (size_t i = 0; i < json_object_array_length(before); i++) {
        struct json_object *item = json_object_array_get_idx(before, i);
        buf_append_format(&walk->path, "[%s]", json_object_get_string(name_of(item)));
        compare(walk, item, find_named(after, item));
        leave(walk, length);
    }
    for (size_t i = 0; i < json_object_array_length(after); i++) {
        struct json_object *item = json_object_array_get_idx(after, i);
        if (find_named(before, item))
            continue;
        buf_append_format(&walk->path, "[%s]", json_object_get_string(name_of(item)));
        compare(walk, NULL, item);
        leave(walk, length);
    }
    CLEANUP(release) struct json_object *old_order = common_names(walk, before, after);
    CLEANUP(release) struct json_object *new_order = common_names(walk, after, before);
    if (!walk->has_failed && !json_object_equal(old_order, new_order))
        note(walk, STEAL(old_order), STEAL(new_order));
}

static void compare(struct walk *walk, struct json_object *before, struct json_object *after)
{
    if (json_object_is_type(before, json_type_object) &&
        json_object_is_type(after, json_type_object))
        compare_objects(walk, before, after);
    else if (has_names(before) && has_names(after))
        compare_lists(walk, before, after);
    else if (!json_object_equal(before, after))
        note(walk, json_object_get(before), json_object_get(after));
}

/* --- Whole sets --- */

static struct json_object *title_of(const struct json_object *command)
{
    CLEANUP(buf_free) struct buf title = { 0 };
    command_title(command, &title);
    return title.has_failed ? NULL : json_object_new_string_len(title.data, (int)title.length);
}

/* Appends the titles of those of `set` that `other` lacks. */
static bool list_missing(struct json_object *list, const struct json_object *set,
                         const struct json_object *other)
{
    for (size_t i = 0; i < json_object_array_length(set); i++) {
        struct json_object *command = json_object_array_get_idx(set, i);
        if (!command_set_find(other, command) && !append(list, title_of(command)))
            return false;
    }
    return true;
}

/* Adds to `changed` what differs in one command; `*is_changed` tells whether anything does. */
static bool list_change(struct json_object *changed, struct json_object *before,
                        struct json_object *after, bool *is_changed)
{
    struct walk walk = { .paths = json_object_new_array() };
    if (!walk.paths)
        return false;
    compare_objects(&walk, before, after);
    bool is_complete = !walk.has_failed && !walk.path.has_failed;
    *is_changed = json_object_array_length(walk.paths) > 0;
    if (is_complete && *is_changed) {
        struct json_object *entry = json_object_new_object();
        struct json_object *title = title_of(after);
        is_complete = entry && title && put(entry, "command", STEAL(title)) &&
                      put(entry, "paths", STEAL(walk.paths)) && append(changed, STEAL(entry));
        json_object_put(title);
        json_object_put(entry);
    }
    json_object_put(walk.paths);
    buf_free(&walk.path);
    return is_complete;
}

static bool list_changes(struct json_object *changed, const struct json_object *before,
                         const struct json_object *after, int64_t *unchanged)
{
    for (size_t i = 0; i < json_object_array_length(after); i++) {
        struct json_object *command = json_object_array_get_idx(after, i);
        struct json_object *old = command_set_find(before, command);
        bool is_changed = false;
        if (!old)
            continue;
        if (!list_change(changed, old, command, &is_changed))
            return false;
        *unchanged += !is_changed;
    }
    return true;
}

int command_diff(const struct json_object *before, const struct json_object *after,
                 struct json_object **difference, struct err *err)
{
    static const char *const keys[] = { "added", "changed", "deleted" };
    CLEANUP(release) struct json_object *made = json_object_new_object();
    struct json_object *lists[ARRAY_LENGTH(keys)] = { NULL };
    bool is_complete = made != NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(keys) && is_complete; i++) {
        lists[i] = json_object_new_array();
        is_complete = lists[i] && put(made, keys[i], lists[i]);
    }
    int64_t unchanged = 0;
    is_complete = is_complete && list_missing(lists[0], after, before) &&
                  list_changes(lists[1], before, after, &unchanged) &&
                  list_missing(lists[2], before, after);
    if (is_complete) {
        struct json_object *count = json_object_new_int64(unchanged);
        is_complete = count && put(made, "unchanged", count);
    }
    if (!is_complete)
        return err_set(err, ERR_MEMORY, "comparing commands");
    *difference = STEAL(made);
    return 0;
}

size_t command_diff_count(const struct json_object *difference, const char *key)
{
    return json_object_array_length(json_object_object_get(difference, key));
}

bool command_diff_is_empty(const struct json_object *difference)
{
    return command_diff_count(difference, "added") == 0 &&
           command_diff_count(difference, "changed") == 0 &&
           command_diff_count(difference, "deleted") == 0;
}

static void print_titles(const struct json_object *difference, const char *key, char sign,
                         struct buf *out)
{
    const struct json_object *list = json_object_object_get(difference, key);
    for (size_t i = 0; i < json_object_array_length(list); i++)
        buf_append_format(out, "%c %s\n", sign,
                          json_object_get_string(json_object_array_get_idx(list, i)));
}

static const char *words_of(struct json_object *value)
{
    return value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE)
                 : "(none)";
}

void command_diff_print(const struct json_object *difference, struct buf *out)
{
    print_titles(difference, "added", '+', out);
    const struct json_object *changed = json_object_object_get(difference, "changed");
    for (size_t i = 0; i < json_object_array_length(changed); i++) {
        const struct json_object *entry = json_object_array_get_idx(changed, i);
        const struct json_object *paths = json_object_object_get(entry, "paths");
        buf_append_format(out, "~ %s\n",
                          json_object_get_string(json_object_object_get(entry, "command")));
        for (size_t at = 0; at < json_object_array_length(paths); at++) {
            const struct json_object *path = json_object_array_get_idx(paths, at);
            buf_append_format(out, "    %s: %s -> ",
                              json_object_get_string(json_object_object_get(path, "path")),
                              words_of(json_object_object_get(path, "before")));
            buf_append_format(out, "%s\n", words_of(json_object_object_get(path, "after")));
        }
    }
    print_titles(difference, "deleted", '-', out);
}
