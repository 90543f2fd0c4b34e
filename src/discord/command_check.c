/* Whether Discord and our router will take the command tables. Run once at the start, by one
 * thread; reads constant tables only. The path of a fault is given in words ("pay.amount"), the
 * first fault ends the check.
 * https://docs.discord.com/developers/interactions/application-commands */
#include "bronx/command.h"

#include "bronx/language.h"

#include <inttypes.h>
#include <string.h>

/* https://docs.discord.com/developers/interactions/application-commands#application-command-object
 */
#define NAME_MAX_UNITS        32
#define DESCRIPTION_MAX_UNITS 100
#define OPTIONS_MAX           25
#define CHOICES_MAX           25
#define CHOICE_MAX_UNITS      100
#define STRING_LENGTH_MAX     6000
/* https://docs.discord.com/developers/interactions/application-commands#slash-commands */
#define COMMAND_MAX_UNITS     8000
/* https://docs.discord.com/developers/interactions/application-commands#registering-a-command */
#define CHAT_COMMANDS_MAX     100

#define CHECK_DEPTH_MAX       (COMMAND_PATH_MAX + 1) /* command, group, sub-command, option */

/* Where in the tables we are. */
struct check {
    const struct command *command;
    const char *path[CHECK_DEPTH_MAX];
    int depth;
    size_t units; /* characters of the command so far */
    struct err *err;
};

static int fault(const struct check *check, const char *format, ...) PRINTF_LIKE(2, 3);

static int fault(const struct check *check, const char *format, ...)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    for (int i = 0; i < check->depth; i++)
        buf_append_format(&text, "%s%s", i > 0 ? "." : "", check->path[i]);
    buf_append(&text, STR(": "));
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(&text, format, arguments);
    va_end(arguments);
    return err_set(check->err, ERR_INVALID, "%s", text.data ? text.data : format);
}

static bool is_plain_character(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
           character == '_' || character == '-';
}

static bool is_plain_name(struct str_view name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!is_plain_character(name.data[i]))
            return false;
    return name.length >= 1 && name.length <= NAME_MAX_UNITS;
}

/* Names in other languages: what can be told without a table of all letters. */
static bool is_localized_name(struct str_view name)
{
    for (size_t i = 0; i < name.length; i++) {
        bool is_ascii = (unsigned char)name.data[i] < 0x80;
        if (is_ascii && !is_plain_character(name.data[i]) && name.data[i] != '\'')
            return false;
    }
    return name.length > 0 && utf8_is_valid(name) && utf8_units(name) <= NAME_MAX_UNITS;
}

/* User and message commands: shown in a menu, so mixed case and spaces. */
static bool is_menu_name(struct str_view name)
{
    for (size_t i = 0; i < name.length; i++)
        if ((unsigned char)name.data[i] < ' ' || name.data[i] == ':')
            return false;
    return str_trim(name).length == name.length && name.length > 0 && utf8_is_valid(name) &&
           utf8_units(name) <= NAME_MAX_UNITS;
}

static bool is_short_text(struct str_view text, size_t max)
{
    return str_trim(text).length > 0 && utf8_is_valid(text) && utf8_units(text) <= max;
}

static bool is_description(struct str_view text)
{
    return is_short_text(text, DESCRIPTION_MAX_UNITS);
}

static bool is_choice_text(struct str_view text)
{
    return is_short_text(text, CHOICE_MAX_UNITS);
}

/* https://docs.discord.com/developers/reference#locales */
static bool is_locale(const char *locale)
{
    static const char *const locales[] = {
        "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr",    "hr",    "it", "lt",
        "hu", "nl", "no", "pl",    "pt-BR", "ro",    "fi",     "sv-SE", "vi",    "tr", "cs",
        "el", "bg", "ru", "uk",    "hi",    "th",    "zh-CN",  "ja",    "zh-TW", "ko",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(locales); i++)
        if (strcmp(locales[i], locale) == 0)
            return true;
    return false;
}

typedef const char *translator(const struct language *language, const char *english);

/* Checks the translations of a text and counts its longest form: Discord counts no other. */
static int check_translations(struct check *check, const char *what, const char *text,
                              translator *translate, bool (*is_fine)(struct str_view))
{
    size_t longest = utf8_units(str_from(text));
    for (const struct language *const *language = languages; *language; language++) {
        struct str_view translated = str_from(translate(*language, text));
        if (!is_fine(translated))
            return fault(check, "a bad translation of the %s for %s", what,
                         *language_locales(*language));
        size_t units = utf8_units(translated);
        longest = units > longest ? units : longest;
    }
    check->units += longest;
    return 0;
}

static int check_locales(const struct check *check)
{
    for (const struct language *const *language = languages; *language; language++)
        for (const char *const *locale = language_locales(*language); *locale; locale++)
            if (!is_locale(*locale))
                return fault(check, "Discord has no locale \"%s\"", *locale);
    return 0;
}

/* Discord takes no two of one name, in any language. */
static int check_twins(const struct check *check, const char *name, const char *other,
                       const char *what)
{
    if (strcmp(name, other) == 0)
        return fault(check, "two %s of that name", what);
    for (const struct language *const *language = languages; *language; language++)
        if (strcmp(language_name(*language, name), language_name(*language, other)) == 0)
            return fault(check, "called \"%s\" like %s for %s", language_name(*language, name),
                         other, *language_locales(*language));
    return 0;
}

static int check_description(struct check *check, const char *description)
{
    if (!is_description(str_from(description)))
        return fault(check, "a description of 1-%d characters is needed", DESCRIPTION_MAX_UNITS);
    return check_translations(check, "description", description, language_text, is_description);
}

static bool is_sub_command(enum option_type type)
{
    return type == OPTION_SUB_COMMAND || type == OPTION_SUB_COMMAND_GROUP;
}

/* Options that are typed in: they can have bounds, choices or suggestions. */
static bool is_typed_in(enum option_type type)
{
    return type == OPTION_STRING || type == OPTION_INTEGER || type == OPTION_NUMBER;
}

static int check_bounds(const struct check *check, const struct option *option)
{
    int64_t lowest = option->type == OPTION_STRING ? 0 : -DISCORD_INTEGER_MAX;
    int64_t highest = option->type == OPTION_STRING ? STRING_LENGTH_MAX : DISCORD_INTEGER_MAX;
    if ((option->has_min || option->has_max) && !is_typed_in(option->type))
        return fault(check, "min and max are for texts and numbers");
    if (option->has_min && (option->min < lowest || option->min > highest))
        return fault(check, "min %" PRId64 " is out of range", option->min);
    /* A text of at most 0 characters can't be given. */
    if (option->has_max &&
        (option->max < lowest + (option->type == OPTION_STRING) || option->max > highest))
        return fault(check, "max %" PRId64 " is out of range", option->max);
    if (option->has_min && option->has_max && option->min > option->max)
        return fault(check, "min is larger than max");
    return 0;
}

static bool is_same_choice(enum option_type type, const struct choice *a, const struct choice *b)
{
    if (strcmp(a->name, b->name) == 0)
        return true;
    if (type == OPTION_STRING)
        return strcmp(a->text, b->text) == 0;
    return type == OPTION_INTEGER ? a->integer == b->integer
                                  : !(a->number < b->number) && !(a->number > b->number);
}

static int check_choice(struct check *check, const struct option *option, size_t index)
{
    const struct choice *choice = &option->choices[index];
    if (!is_choice_text(str_from(choice->name)))
        return fault(check, "choice %zu needs a name of 1-%d characters", index, CHOICE_MAX_UNITS);
    if (option->type == OPTION_STRING && !is_choice_text(str_from(choice->text)))
        return fault(check, "choice \"%s\" needs a value of 1-%d characters", choice->name,
                     CHOICE_MAX_UNITS);
    if (option->type == OPTION_INTEGER &&
        (choice->integer > DISCORD_INTEGER_MAX || choice->integer < -DISCORD_INTEGER_MAX))
        return fault(check, "choice \"%s\" is beyond 2^53-1", choice->name);
    if (option->type == OPTION_NUMBER && !(choice->number <= (double)DISCORD_INTEGER_MAX &&
                                           choice->number >= -(double)DISCORD_INTEGER_MAX))
        return fault(check, "choice \"%s\" is beyond 2^53-1", choice->name);
    for (size_t i = 0; i < index; i++)
        if (is_same_choice(option->type, &option->choices[i], choice))
            return fault(check, "choice \"%s\" is there twice", choice->name);
    check->units += option->type == OPTION_STRING ? utf8_units(str_from(choice->text)) : 0;
    return check_translations(check, "choice", choice->name, language_text, is_choice_text);
}

static int check_choices(struct check *check, const struct option *option)
{
    if (!option->choices)
        return 0;
    if (!is_typed_in(option->type))
        return fault(check, "choices are for texts and numbers");
    if (option->has_autocomplete)
        return fault(check, "choices and autocomplete exclude each other");
    for (size_t i = 0; option->choices[i].name; i++) {
        if (i == CHOICES_MAX)
            return fault(check, "more than %d choices", CHOICES_MAX);
        int code = check_choice(check, option, i);
        if (code < 0)
            return code;
    }
    return 0;
}

/* A plain option; `autocomplete` is the handler its suggestions would come from. */
static int check_value_option(struct check *check, const struct option *option,
                              handler *autocomplete)
{
    if (option->type < OPTION_STRING || option->type > OPTION_ATTACHMENT)
        return fault(check, "%d is no type of option", (int)option->type);
    if (option->options || option->run || option->autocomplete || option->cooldown_ms != 0 ||
        option->has_deferral)
        return fault(check, "only a sub-command has options, handlers, cooldown or deferral");
    if (option->channel_types && option->type != OPTION_CHANNEL)
        return fault(check, "channel types are for channels");
    if (option->has_autocomplete && !is_typed_in(option->type))
        return fault(check, "autocomplete is for texts and numbers");
    if (option->has_autocomplete && !autocomplete)
        return fault(check, "autocomplete without a handler");
    int code = check_bounds(check, option);
    return code < 0 ? code : check_choices(check, option);
}

static int check_names(struct check *check, const struct option *options, size_t index)
{
    const struct option *option = &options[index];
    if (!is_plain_name(str_from(option->name)))
        return fault(check, "a name is 1-%d of a-z, 0-9, '_', '-'", NAME_MAX_UNITS);
    int code = check_translations(check, "name", option->name, language_name, is_localized_name);
    for (size_t i = 0; i < index && code == 0; i++)
        code = check_twins(check, option->name, options[i].name, "options");
    return code < 0 ? code : check_description(check, option->description);
}

/* The options of a command or sub-command: plain ones, required before optional. */
static int check_value_options(struct check *check, const struct option *options,
                               handler *autocomplete)
{
    bool has_optional = false;
    int code = 0;
    check->depth++;
    for (size_t i = 0; options && options[i].name && code == 0; i++) {
        check->path[check->depth - 1] = options[i].name;
        if (i == OPTIONS_MAX)
            return fault(check, "more than %d options", OPTIONS_MAX);
        if (is_sub_command(options[i].type))
            return fault(check, "a sub-command has no place here");
        if (options[i].is_required && has_optional)
            return fault(check, "required after an optional option");
        has_optional = has_optional || !options[i].is_required;
        code = check_names(check, options, i);
        if (code == 0)
            code = check_value_option(check, &options[i], autocomplete);
    }
    check->depth--;
    return code;
}

static int check_sub_command(struct check *check, const struct option *sub_command)
{
    const struct command *command = check->command;
    if (sub_command->is_required || sub_command->has_autocomplete || sub_command->has_min ||
        sub_command->has_max || sub_command->choices || sub_command->channel_types)
        return fault(check, "a sub-command is no value");
    if (sub_command->cooldown_ms < 0)
        return fault(check, "a negative cooldown");
    if (sub_command->type == OPTION_SUB_COMMAND_GROUP)
        return sub_command->run || sub_command->autocomplete
                   ? fault(check, "a group has no handler")
                   : 0;
    if (!sub_command->run && !command->run)
        return fault(check, "no run handler");
    return check_value_options(check, sub_command->options,
                               sub_command->autocomplete ? sub_command->autocomplete
                                                         : command->autocomplete);
}

/* A list of sub-commands: of a command (groups allowed) or of a group. */
static int check_sub_command_list(struct check *check, const struct option *options, bool is_group)
{
    int code = 0;
    check->depth++;
    for (size_t i = 0; options[i].name && code == 0; i++) {
        check->path[check->depth - 1] = options[i].name;
        if (i == OPTIONS_MAX)
            return fault(check, "more than %d options", OPTIONS_MAX);
        if (!is_sub_command(options[i].type))
            return fault(check, "sub-commands and plain options exclude each other");
        if (is_group && options[i].type == OPTION_SUB_COMMAND_GROUP)
            return fault(check, "a group inside a group");
        code = check_names(check, options, i);
        if (code == 0)
            code = check_sub_command(check, &options[i]);
        if (code < 0 || options[i].type == OPTION_SUB_COMMAND)
            continue;
        if (!options[i].options || !options[i].options[0].name)
            return fault(check, "a group without sub-commands");
        code = check_sub_command_list(check, options[i].options, true); /* once: see above */
    }
    check->depth--;
    return code;
}

static int check_chat_command(struct check *check)
{
    const struct command *command = check->command;
    if (!is_plain_name(str_from(command->name)))
        return fault(check, "a name is 1-%d of a-z, 0-9, '_', '-'", NAME_MAX_UNITS);
    int code = check_translations(check, "name", command->name, language_name, is_localized_name);
    if (code == 0)
        code = check_description(check, command->description);
    if (code < 0)
        return code;
    const struct option *options = command->options;
    if (options && options[0].name && is_sub_command(options[0].type))
        return check_sub_command_list(check, options, false);
    if (!command->run)
        return fault(check, "no run handler");
    return check_value_options(check, options, command->autocomplete);
}

static int check_menu_command(struct check *check)
{
    const struct command *command = check->command;
    if (!is_menu_name(str_from(command->name)))
        return fault(check, "a name is 1-%d characters without ':'", NAME_MAX_UNITS);
    if (command->options)
        return fault(check, "only chat commands have options");
    if (command->description && command->description[0] != '\0')
        return fault(check, "only chat commands have a description");
    if (!command->run)
        return fault(check, "no run handler");
    return check_translations(check, "name", command->name, language_name, is_menu_name);
}

static enum command_type type_of(const struct command *command)
{
    return command->type == 0 ? COMMAND_CHAT_INPUT : command->type;
}

static int check_command(struct check *check)
{
    const struct command *command = check->command;
    enum command_type type = type_of(command);
    if (type != COMMAND_CHAT_INPUT && type != COMMAND_USER && type != COMMAND_MESSAGE)
        return fault(check, "%d is no type of command", (int)command->type);
    int code = type == COMMAND_CHAT_INPUT ? check_chat_command(check) : check_menu_command(check);
    if (code < 0)
        return code;
    if (command->contexts & ~(unsigned)IN_ALL)
        return fault(check, "an unknown context");
    if (command->integration_types & ~(unsigned)(INSTALLED_IN_GUILD | INSTALLED_BY_USER))
        return fault(check, "an unknown type of installation");
    if (command->category < CATEGORY_START || command->category > CATEGORY_OWNER)
        return fault(check, "an unknown category");
    if (command->cooldown_ms < 0)
        return fault(check, "a negative cooldown");
    if (command->component_version < 0)
        return fault(check, "a negative component_version");
    if (check->units > COMMAND_MAX_UNITS)
        return fault(check, "%zu characters in all, at most %d", check->units, COMMAND_MAX_UNITS);
    return 0;
}

/* Whatever their types: clicks find their command by its name alone. */
static int check_name_is_new(const struct check *check, const struct command *const *commands,
                             const struct command *const *at)
{
    int code = 0;
    for (; commands != at && code == 0; commands++)
        code = check_twins(check, (*at)->name, (*commands)->name, "commands");
    return code;
}

int command_list_check(const struct command *const *commands, struct err *err)
{
    int chat_commands[2] = { 0 }; /* everywhere, and in the owner guild */
    for (const struct command *const *at = commands; *at; at++) {
        struct check check = { .command = *at, .err = err, .depth = 1 };
        check.path[0] = (*at)->name ? (*at)->name : "(a command without a name)";
        int code = check_locales(&check);
        if (code == 0)
            code = check_command(&check);
        if (code == 0)
            code = check_name_is_new(&check, commands, at);
        if (code < 0)
            return code;
        if (type_of(*at) == COMMAND_CHAT_INPUT &&
            ++chat_commands[(*at)->is_owner_only] > CHAT_COMMANDS_MAX)
            return fault(&check, "more than %d chat commands in one scope", CHAT_COMMANDS_MAX);
    }
    return 0;
}
