/* /help [command]: everything the bot can do, from the command tables themselves. */
#include "commands.h"
#include "economy.h"

#include "bronx/clock.h"
#include "bronx/language.h"
#include "bronx/services.h"

#include <inttypes.h>

#define SELECT_COMMAND "command"
#define SELECT_MAX     25

static bool is_shown(const struct command *command)
{
    return !command->is_owner_only;
}

static bool has_sub_commands(const struct command *command)
{
    return command->options && command->options->name &&
           command->options->type <= OPTION_SUB_COMMAND_GROUP;
}

/* "settings view | edit | reset": one of them is typed. */
static struct str_view usage_of_sub_commands(struct call *call, const struct command *command)
{
    struct str_view text = str_from(tr_name(call, command->name));
    for (const struct option *option = command->options; option->name; option++)
        text = arena_format(call->arena, option == command->options ? "%.*s %s" : "%.*s | %s",
                            STR_ARGS(text), tr_name(call, option->name));
    return text;
}

/* "pay <user> <amount> [note]" */
static struct str_view usage(struct call *call, const struct command *command)
{
    struct str_view text = str_from(tr_name(call, command->name));
    for (const struct option *option = command->options; option && option->name; option++)
        text = arena_format(call->arena, option->is_required ? "%.*s <%s>" : "%.*s [%s]",
                            STR_ARGS(text), tr_name(call, option->name));
    return text;
}

/* Lines that are not whole must not be shown as if they were. */
static int show_lines(struct call *call, const char *title, const struct buf *lines,
                      struct err *err)
{
    if (lines->has_failed)
        return err_set(err, ERR_MEMORY, "lines of /help");
    if (lines->length > 0)
        reply_text(call->reply, "%s%s", title, lines->data);
    return 0;
}

static int list_category(struct call *call, enum command_category category, struct err *err)
{
    CLEANUP(buf_free) struct buf lines = { 0 };
    for (const struct command *const *list = call->services->commands; *list; list++) {
        const struct command *command = *list;
        if (command->category != category || !is_shown(command))
            continue;
        struct str_view name = has_sub_commands(command) ? str_from(tr_name(call, command->name))
                                                         : usage(call, command);
        buf_append_format(&lines, "`/%.*s` %s\n", STR_ARGS(name), tr(call, command->description));
    }
    struct str_view title =
        arena_format(call->arena, "**%s**\n", tr(call, command_category_name(category)));
    return title.data ? show_lines(call, title.data, &lines, err)
                      : err_set(err, ERR_MEMORY, "lines of /help");
}

static void show_select(struct call *call)
{
    struct reply_select_option options[SELECT_MAX];
    int count = 0;
    for (const struct command *const *list = call->services->commands; *list && count < SELECT_MAX;
         list++) {
        if (!is_shown(*list))
            continue;
        options[count++] = (struct reply_select_option){
            .label = arena_format(call->arena, "/%s", tr_name(call, (*list)->name)),
            .value = str_from((*list)->name),
            .description = tr_view(call, (*list)->description),
        };
    }
    reply_row_begin(call->reply);
    reply_select(call->reply,
                 &(struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                         .custom_id = call_custom_id(call, 0, SELECT_COMMAND),
                                         .placeholder = tr_view(call, "More about a command…"),
                                         .options = options,
                                         .option_count = count,
                                         .min_values = 1,
                                         .max_values = 1 });
    reply_row_end(call->reply);
}

static int show_list(struct call *call, struct err *err)
{
    int result = 0;
    reply_container_begin(call->reply, COLOUR_GOLD);
    reply_text(call->reply, tr(call, "## What I can do"));
    for (enum command_category category = CATEGORY_START; category < CATEGORY_OWNER && result == 0;
         category++)
        result = list_category(call, category, err);
    show_select(call);
    reply_container_end(call->reply);
    return result;
}

static int show_options(struct call *call, const struct command *command, struct err *err)
{
    CLEANUP(buf_free) struct buf lines = { 0 };
    bool can_be_required = !has_sub_commands(command);
    for (const struct option *option = command->options; option && option->name; option++)
        buf_append_format(&lines, "`%s` %s%s\n", tr_name(call, option->name),
                          tr(call, option->description),
                          can_be_required && !option->is_required ? tr(call, " (optional)") : "");
    return show_lines(call, "", &lines, err);
}

static struct str_view duration(struct call *call, int64_t milliseconds)
{
    int64_t hours = milliseconds / MS_PER_HOUR, minutes = milliseconds / MS_PER_MINUTE,
            seconds = (milliseconds + MS_PER_SECOND - 1) / MS_PER_SECOND;
    if (milliseconds % MS_PER_HOUR == 0)
        return arena_format(call->arena,
                            tr_plural(call, "%" PRId64 " hour", "%" PRId64 " hours", hours), hours);
    if (milliseconds % MS_PER_MINUTE == 0)
        return arena_format(call->arena,
                            tr_plural(call, "%" PRId64 " minute", "%" PRId64 " minutes", minutes),
                            minutes);
    return arena_format(call->arena,
                        tr_plural(call, "%" PRId64 " second", "%" PRId64 " seconds", seconds),
                        seconds);
}

static int show_command(struct call *call, const struct command *command, struct err *err)
{
    reply_container_begin(call->reply, COLOUR_GOLD);
    struct str_view line =
        has_sub_commands(command) ? usage_of_sub_commands(call, command) : usage(call, command);
    reply_text(call->reply, "## `/%.*s`\n%s", STR_ARGS(line), tr(call, command->description));
    if (command->details)
        reply_text(call->reply, "%s", tr(call, command->details));
    int result = show_options(call, command, err);
    if (command->cooldown_ms > 0)
        reply_text(call->reply, tr(call, "-# Once every %.*s."),
                   STR_ARGS(duration(call, command->cooldown_ms)));
    if (command->needs_tos)
        reply_text(call->reply, tr(call, "-# Needs the Terms of Service to be accepted: `/tos`."));
    show_select(call);
    reply_container_end(call->reply);
    return result;
}

/* By the name that this person's Discord shows, or by the one in the tables. Phones begin with a
 * capital letter. */
static const struct command *find(const struct call *call, struct str_view name)
{
    const struct command *found = NULL;
    for (const struct command *const *list = call->services->commands; *list; list++) {
        if (str_equal_ignoring_case(name, str_from(tr_name(call, (*list)->name))))
            return *list;
        if (str_equal_ignoring_case(name, str_from((*list)->name)))
            found = *list;
    }
    return found;
}

/* "/setup server" is about /setup. */
static struct str_view name_in(struct str_view typed)
{
    struct str_view rest = str_trim(typed), name = STR("");
    if (str_starts_with(rest, STR("/")))
        rest = (struct str_view){ rest.data + 1, rest.length - 1 };
    return str_split(&rest, ' ', &name) ? name : STR("");
}

static int show(struct call *call, struct str_view name, struct err *err)
{
    const struct command *command = find(call, name);
    if (!command || !is_shown(command))
        return call_refuse(
            call, tr(call, "There is no command of that name. `/help` lists all of them."));
    return show_command(call, command, err);
}

static int run(struct call *call, struct err *err)
{
    reply_ephemeral(call->reply);
    if (call_has_option(call, "command"))
        return show(call, name_in(call_text(call, "command")), err);
    return show_list(call, err);
}

static int component(struct call *call, struct err *err)
{
    const struct field_value *field = &call->interaction->fields[0];
    if (field->value_count != 1)
        return call_refuse(call, tr(call, "Choose one command from the list."));
    reply_update(call->reply);
    return show(call, field->values[0], err);
}

static bool begins_with(struct str_view name, struct str_view typed)
{
    return typed.length <= name.length &&
           str_equal_ignoring_case((struct str_view){ name.data, typed.length }, typed);
}

static int autocomplete(struct call *call, struct err *err)
{
    (void)err;
    struct str_view typed;
    call_focused(call, &typed);
    if (str_starts_with(typed, STR("/")))
        typed = (struct str_view){ typed.data + 1, typed.length - 1 };
    reply_suggest_nothing(call->reply);
    int count = 0;
    for (const struct command *const *list = call->services->commands; *list && count < SELECT_MAX;
         list++) {
        struct str_view name = str_from((*list)->name);
        struct str_view shown = str_from(tr_name(call, (*list)->name));
        if (!is_shown(*list) || !(begins_with(shown, typed) || begins_with(name, typed)))
            continue;
        reply_suggest(call->reply, arena_format(call->arena, "/%.*s", STR_ARGS(shown)), name);
        count++;
    }
    return 0;
}

const struct command help_command = {
    .name = "help",
    .description = TR("What I can do, and how"),
    .category = CATEGORY_START,
    .contexts = IN_ALL,
    .is_ephemeral = true,
    .options =
        (const struct option[]){
            { .name = "command",
              .description = TR("The command you want to know about"),
              .type = OPTION_STRING,
              .has_autocomplete = true,
              .has_max = true,
              .max = 100 },
            { .name = NULL },
        },
    .run = run,
    .component = component,
    .autocomplete = autocomplete,
    .component_version = 1,
};
