/* Command lines: options by their declared types, sub-commands, what Discord's client refuses. */
#include "simulator/prepare.h"

#include "harness/memory.h"
#include "simulator/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_WORDS 3 /* command, group, sub-command */
#define SAFE_INTEGER   INT64_C(9007199254740991)

/* --- Option values --- */

struct option_source {
    struct session *session;
    const struct actor *actor;
    json_object *option;   /* as declared */
    json_object *resolved; /* what mentions add to */
    struct str_view text;  /* as typed */
};

typedef json_object *value_reader(struct option_source *source, struct err *err);

static const char *option_name(const struct option_source *source)
{
    return get_text(source->option, "name");
}

static json_object *refuse(const struct option_source *source, const char *what, struct err *err)
{
    err_set(err, ERR_CHECK, "option %s: '%.*s' is not %s", option_name(source),
            STR_ARGS(source->text), what);
    return NULL;
}

/* The value of the choice with that name or value; NULL when there are none or none fits. */
static json_object *choice_value(const struct option_source *source)
{
    json_object *choices = get(source->option, "choices");
    for (size_t i = 0; i < list_length(choices); i++) {
        json_object *choice = list_item(choices, i), *value = get(choice, "value");
        if (str_equal(str_from(catalogue_shown(choice, source->actor->person->locale)),
                      source->text) ||
            str_equal(str_from(get_text(choice, "name")), source->text) ||
            str_equal(str_from(json_object_get_string(value)), source->text))
            return json_object_get(value);
    }
    return NULL;
}

static json_object *read_string(struct option_source *source, struct err *err)
{
    int64_t units = (int64_t)utf8_units(source->text);
    if (units < get_integer(source->option, "min_length", 0) ||
        units > get_integer(source->option, "max_length", 6000))
        return refuse(source, "of the allowed length", err);
    return must_text(source->text);
}

static double bound(const struct option_source *source, const char *name, double fallback)
{
    json_object *value = get(source->option, name);
    return value ? json_object_get_double(value) : fallback;
}

static json_object *read_integer(struct option_source *source, struct err *err)
{
    int64_t value;
    if (str_to_int64(source->text, &value) != 0)
        return refuse(source, "an integer", err);
    if (value < -SAFE_INTEGER || value > SAFE_INTEGER ||
        (double)value < bound(source, "min_value", -INFINITY) ||
        (double)value > bound(source, "max_value", INFINITY))
        return refuse(source, "within the bounds", err);
    return must_integer(value);
}

static json_object *read_number(struct option_source *source, struct err *err)
{
    char *text = must_copy(source->text), *end = NULL;
    double value = strtod(text, &end);
    bool is_number = end > text && *end == '\0' && isfinite(value);
    free(text);
    if (!is_number)
        return refuse(source, "a number", err);
    if (value < bound(source, "min_value", -INFINITY) ||
        value > bound(source, "max_value", INFINITY))
        return refuse(source, "within the bounds", err);
    return json_object_new_double(value);
}

static json_object *read_boolean(struct option_source *source, struct err *err)
{
    bool is_true = str_equal_ignoring_case(source->text, STR("true"));
    if (!is_true && !str_equal_ignoring_case(source->text, STR("false")))
        return refuse(source, "true or false", err);
    return must_boolean(is_true);
}

static struct str_view name_after(const struct option_source *source, char mark)
{
    if (source->text.length < 2 || source->text.data[0] != mark)
        return STR_NONE;
    return (struct str_view){ source->text.data + 1, source->text.length - 1 };
}

static json_object *read_user(struct option_source *source, struct err *err)
{
    const struct person *person = world_person(&source->session->world, name_after(source, '@'));
    if (!person)
        return refuse(source, "a person such as @bob", err);
    resolved_add_user(source->resolved, person, &source->actor->place);
    return must_id(person->id);
}

static json_object *read_channel(struct option_source *source, struct err *err)
{
    const struct place *channel = world_channel(
        &source->session->world, source->actor->place.guild_id, name_after(source, '#'));
    if (!channel)
        return refuse(source, "a channel such as #general", err);
    resolved_add_channel(source->resolved, channel);
    return must_id(channel->channel_id);
}

static json_object *read_role(struct option_source *source, struct err *err)
{
    const struct guild_role *role = world_role(&source->session->world, name_after(source, '&'));
    if (!role)
        return refuse(source, "a role such as &mods", err);
    resolved_add_role(source->resolved, role);
    return must_id(role->id);
}

static json_object *read_mentionable(struct option_source *source, struct err *err)
{
    return name_after(source, '&').data ? read_role(source, err) : read_user(source, err);
}

static value_reader *const readers[] = {
    [KIND_STRING] = read_string,   [KIND_INTEGER] = read_integer,
    [KIND_BOOLEAN] = read_boolean, [KIND_USER] = read_user,
    [KIND_CHANNEL] = read_channel, [KIND_ROLE] = read_role,
    [KIND_NUMBER] = read_number,   [KIND_MENTIONABLE] = read_mentionable,
};

static json_object *read_value(struct option_source *source, int kind, struct err *err)
{
    json_object *chosen = choice_value(source);
    if (chosen)
        return chosen;
    if (get(source->option, "choices"))
        return refuse(source, "one of the choices", err);
    if (kind < 0 || (size_t)kind >= ARRAY_LENGTH(readers) || !readers[kind])
        return refuse(source, "a kind of value the simulator can type", err);
    return readers[kind](source, err);
}

/* --- Commands --- */

struct command_line {
    json_object *path[PATH_MAX_WORDS]; /* declarations: command, (group,) sub-command */
    size_t path_length;
    const struct word *options;
    size_t option_count;
    int focused_option_type;
};

static int read_path(struct session *session, const struct actor *actor, const struct word *words,
                     size_t count, struct command_line *line, struct err *err)
{
    const char *locale = actor->person->locale;
    json_object *owner = catalogue_command(session->catalogue, str_from(words[0].text + 1), locale);
    if (!owner)
        return err_set(err, ERR_NOT_FOUND, "the bot has no command %s", words[0].text);
    line->path[0] = owner;
    line->path_length = 1;
    while (catalogue_has_sub_commands(owner)) {
        size_t next = line->path_length;
        if (next >= count || next >= PATH_MAX_WORDS)
            return err_set(err, ERR_CHECK, "%s needs a sub-command", words[0].text);
        owner = catalogue_option(owner, word_text(&words[next]), locale);
        if (!owner)
            return err_set(err, ERR_NOT_FOUND, "%s has no sub-command %s", words[0].text,
                           words[next].text);
        line->path[line->path_length++] = owner;
    }
    line->options = words + line->path_length;
    line->option_count = count - line->path_length;
    return 0;
}

static json_object *read_option(struct session *session, const struct actor *actor,
                                struct command_line *line, const struct word *word, bool is_focused,
                                json_object *resolved, struct err *err)
{
    json_object *leaf = line->path[line->path_length - 1];
    struct str_view value = word_text(word), name;
    if (!strchr(word->text, ':')) {
        err_set(err, ERR_INVALID, "'%s': an option is written name:value", word->text);
        return NULL;
    }
    str_split(&value, ':', &name);
    json_object *declared = catalogue_option(leaf, name, actor->person->locale);
    struct option_source source = { session, actor, declared, resolved, value };
    if (!source.option) {
        err_set(err, ERR_NOT_FOUND, "there is no option %.*s", STR_ARGS(name));
        return NULL;
    }
    int kind = (int)get_integer(source.option, "type", 0);
    if (is_focused) /* sent as it is, however unfinished */
        line->focused_option_type = kind;
    json_object *json =
        is_focused ? must_text(value.data ? value : STR("")) : read_value(&source, kind, err);
    if (!json)
        return NULL;
    json_object *option = option_json(option_name(&source), kind, json);
    if (is_focused)
        must_put(option, "focused", must_boolean(true));
    return option;
}

static int check_required(const struct command_line *line, json_object *given, struct err *err)
{
    json_object *declared = get(line->path[line->path_length - 1], "options");
    for (size_t i = 0; i < list_length(declared); i++) {
        json_object *option = list_item(declared, i);
        bool is_given = !get_boolean(option, "required", false);
        for (size_t g = 0; g < list_length(given) && !is_given; g++)
            is_given = strcmp(get_text(list_item(given, g), "name"), get_text(option, "name")) == 0;
        if (!is_given)
            return err_set(err, ERR_CHECK, "option %s is required", get_text(option, "name"));
    }
    return 0;
}

static int read_options(struct session *session, const struct actor *actor,
                        struct command_line *line, bool is_autocomplete, json_object *given,
                        json_object *resolved, struct err *err)
{
    for (size_t i = 0; i < line->option_count; i++) {
        struct err problem = { 0 };
        bool is_focused = is_autocomplete && i + 1 == line->option_count;
        json_object *option =
            read_option(session, actor, line, &line->options[i], is_focused, resolved, &problem);
        if (!option)
            return err_set(err, problem.code, "%s", problem.message);
        must_append(given, option);
    }
    if (is_autocomplete && line->option_count == 0)
        return err_set(err, ERR_INVALID, "which option is being completed?");
    return is_autocomplete ? 0 : check_required(line, given, err);
}

/* Wraps the options in their sub-command and group, innermost first. */
static json_object *wrap_options(const struct command_line *line, json_object *options_taken)
{
    for (size_t i = line->path_length; i-- > 1;) {
        json_object *sub =
            sub_command_json(get_text(line->path[i], "name"),
                             (int)get_integer(line->path[i], "type", 0), options_taken);
        options_taken = must_array();
        must_append(options_taken, sub);
    }
    return options_taken;
}

static char *full_name(const struct command_line *line)
{
    struct buf name = { 0 };
    for (size_t i = 0; i < line->path_length; i++)
        buf_append_format(&name, "%s%s", i > 0 ? " " : "", get_text(line->path[i], "name"));
    must_hold(&name);
    return name.data;
}

static int prepare_line(struct session *session, const struct actor *actor,
                        const struct word *words, size_t count, bool is_autocomplete,
                        struct delivery *delivery, struct err *err)
{
    struct command_line line = { .path_length = 0 };
    CLEANUP(json_release) json_object *resolved = must_object();
    CLEANUP(json_release) json_object *given = must_array();
    int result = read_path(session, actor, words, count, &line, err);
    if (result == 0)
        result = read_options(session, actor, &line, is_autocomplete, given, resolved, err);
    if (result != 0)
        return result;
    struct envelope envelope = prepare_start(
        session, actor, is_autocomplete ? INTERACTION_AUTOCOMPLETE : INTERACTION_COMMAND, delivery);
    const char *name = get_text(line.path[0], "name");
    int64_t command_id = catalogue_id(session->catalogue, line.path[0]);
    delivery->command_name = full_name(&line);
    delivery->focused_option_type = line.focused_option_type;
    json_object *options = wrap_options(&line, STEAL(given));
    if (list_length(options) == 0)
        json_release(&options);
    bool has_resolved = json_object_object_length(resolved) > 0;
    prepare_finish(session,
                   is_autocomplete
                       ? autocomplete_interaction(&envelope, command_id, name, options)
                       : command_interaction(&envelope, command_id, name, options,
                                             has_resolved ? json_object_get(resolved) : NULL),
                   delivery);
    return 0;
}

int prepare_command(struct session *session, const struct actor *actor, const struct word *words,
                    size_t count, struct delivery *delivery, struct err *err)
{
    return prepare_line(session, actor, words, count, false, delivery, err);
}

int prepare_complete(struct session *session, const struct actor *actor, const struct word *words,
                     size_t count, struct delivery *delivery, struct err *err)
{
    if (count < 2 || words[1].text[0] != '/')
        return err_set(err, ERR_INVALID, "usage: complete /command option:text");
    return prepare_line(session, actor, words + 1, count - 1, true, delivery, err);
}
