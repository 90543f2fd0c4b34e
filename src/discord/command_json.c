/* Pure functions over constant tables; translations come from the catalogues. Options nest at most
 * three levels deep (group, sub-command, option), so the functions call each other to that depth.
 */
#include "discord/command_json.h"

#include "bronx/language.h"

#include "core/json_out.h"

#include <inttypes.h>
#include <string.h>

static void write_text(struct json_out *out, const char *key, const char *text)
{
    json_key(out, key);
    json_text(out, str_from(text));
}

typedef const char *translator(const struct language *language, const char *english);

/* `text` in every language that has another word for it, for each of its locales. */
static void write_localizations(struct json_out *out, const char *key, const char *text,
                                translator *translate)
{
    bool has_any = false;
    for (const struct language *const *language = languages; *language; language++) {
        const char *translated = translate(*language, text);
        if (strcmp(translated, text) == 0)
            continue;
        if (!has_any) {
            json_key(out, key);
            json_object_begin(out);
        }
        has_any = true;
        for (const char *const *locale = language_locales(*language); *locale; locale++)
            write_text(out, *locale, translated);
    }
    if (has_any)
        json_object_end(out);
}

static void write_name(struct json_out *out, const char *name)
{
    write_text(out, "name", name);
    write_localizations(out, "name_localizations", name, language_name);
}

static void write_description(struct json_out *out, const char *description)
{
    write_text(out, "description", description);
    write_localizations(out, "description_localizations", description, language_text);
}

static void write_choices(struct json_out *out, const struct option *option)
{
    if (!option->choices)
        return;
    json_key(out, "choices");
    json_array_begin(out);
    for (const struct choice *choice = option->choices; choice->name; choice++) {
        json_object_begin(out);
        write_text(out, "name", choice->name);
        write_localizations(out, "name_localizations", choice->name, language_text);
        json_key(out, "value");
        if (option->type == OPTION_STRING)
            json_text(out, str_from(choice->text));
        else if (option->type == OPTION_INTEGER)
            json_int(out, choice->integer);
        else
            json_number(out, choice->number);
        json_object_end(out);
    }
    json_array_end(out);
}

static void write_bounds(struct json_out *out, const struct option *option)
{
    bool is_text = option->type == OPTION_STRING;
    if (option->has_min) {
        json_key(out, is_text ? "min_length" : "min_value");
        json_int(out, option->min);
    }
    if (option->has_max) {
        json_key(out, is_text ? "max_length" : "max_value");
        json_int(out, option->max);
    }
}

static void write_channel_types(struct json_out *out, const int *types)
{
    if (!types)
        return;
    json_key(out, "channel_types");
    json_array_begin(out);
    for (; *types >= 0; types++)
        json_int(out, *types);
    json_array_end(out);
}

static void write_options(struct json_out *out, const struct option *options);

static void write_option(struct json_out *out, const struct option *option)
{
    json_object_begin(out);
    json_key(out, "type");
    json_int(out, option->type);
    write_name(out, option->name);
    write_description(out, option->description);
    if (option->is_required) {
        json_key(out, "required");
        json_bool(out, true);
    }
    if (option->has_autocomplete) {
        json_key(out, "autocomplete");
        json_bool(out, true);
    }
    write_bounds(out, option);
    write_choices(out, option);
    write_channel_types(out, option->channel_types);
    write_options(out, option->options);
    json_object_end(out);
}

static void write_options(struct json_out *out, const struct option *options)
{
    if (!options || !options->name)
        return;
    json_key(out, "options");
    json_array_begin(out);
    for (; options->name; options++)
        write_option(out, options);
    json_array_end(out);
}

/* Bits of `set`, as the numbers of the bits. */
static void write_bits(struct json_out *out, const char *key, unsigned set)
{
    json_key(out, key);
    json_array_begin(out);
    for (int bit = 0; set >> bit; bit++)
        if (set >> bit & 1)
            json_int(out, bit);
    json_array_end(out);
}

static void write_command(struct json_out *out, const struct command *command)
{
    enum command_type type = command->type ? command->type : COMMAND_CHAT_INPUT;
    json_object_begin(out);
    json_key(out, "type");
    json_int(out, type);
    write_name(out, command->name);
    if (type == COMMAND_CHAT_INPUT)
        write_description(out, command->description);
    write_options(out, command->options);
    if (command->default_member_permissions) {
        json_key(out, "default_member_permissions");
        json_id(out, (int64_t)command->default_member_permissions);
    }
    write_bits(out, "contexts", command->contexts ? command->contexts : IN_GUILD_AND_DM);
    write_bits(out, "integration_types",
               command->integration_types ? command->integration_types : INSTALLED_IN_GUILD);
    json_object_end(out);
}

void command_list_json(const struct command *const *commands, enum command_scope scope,
                       struct buf *out)
{
    struct json_out json = { .buf = out };
    json_array_begin(&json);
    for (; *commands; commands++)
        if ((*commands)->is_owner_only == (scope == SCOPE_OWNER))
            write_command(&json, *commands);
    json_array_end(&json);
}
