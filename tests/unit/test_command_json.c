/* Command tables as Discord registers them.
 * https://docs.discord.com/developers/interactions/application-commands */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/command_json.h"
#include "language/catalogue.h"

#include <string.h>

/* In place of the program's own catalogues. */
static const char *const spanish_locales[] = { "es-ES", "es-419", NULL };
static const char *const spanish_everything[] = { "todo" };
static const char *const spanish_a[] = { "La A" };
static const struct catalogue_text spanish_texts[] = {
    { "A", spanish_a },
    { "everything", spanish_everything },
};
static const struct catalogue_name spanish_names[] = { { "full", "lleno" }, { "word", "palabra" } };
static const struct language spanish = {
    .code = "es",
    .locales = spanish_locales,
    .texts = spanish_texts,
    .text_count = ARRAY_LENGTH(spanish_texts),
    .names = spanish_names,
    .name_count = ARRAY_LENGTH(spanish_names),
};
const struct language *const languages[] = { &spanish, NULL };

static const struct command full_command = {
    .name = "full",
    .description = "everything",
    .default_member_permissions = PERMISSION_MANAGE_GUILD,
    .options =
        (const struct option[]){
            { .name = "word",
              .description = "w",
              .type = OPTION_STRING,
              .is_required = true,
              .choices =
                  (const struct choice[]){ { .name = "A", .text = "a" }, { .name = NULL } } },
            { .name = "count",
              .description = "c",
              .type = OPTION_INTEGER,
              .has_min = true,
              .min = -1,
              .has_max = true,
              .max = 5 },
            { .name = "share",
              .description = "s",
              .type = OPTION_NUMBER,
              .choices =
                  (const struct choice[]){ { .name = "Half", .number = 0.5 }, { .name = NULL } } },
            { .name = "level",
              .description = "l",
              .type = OPTION_INTEGER,
              .choices =
                  (const struct choice[]){ { .name = "One", .integer = 1 }, { .name = NULL } } },
            { .name = "place",
              .description = "p",
              .type = OPTION_CHANNEL,
              .channel_types = (const int[]){ 0, 5, -1 } },
            { .name = "typed",
              .description = "t",
              .type = OPTION_STRING,
              .has_autocomplete = true,
              .has_max = true,
              .max = 9 },
            { .name = NULL } },
};

static const struct command owner_command = { .name = "owner",
                                              .description = "o",
                                              .is_owner_only = true };

static const struct command *const commands[] = { &full_command, &owner_command, NULL };

static void everything_a_table_says_is_registered(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\"name\":\"full\"",
        "\"name\":\"full\",\"name_localizations\":{\"es-ES\":\"lleno\",\"es-419\":\"lleno\"}",
        "\"description_localizations\":{\"es-ES\":\"todo\",\"es-419\":\"todo\"}",
        "\"name\":\"word\",\"name_localizations\":{\"es-ES\":\"palabra\"",
        "\"name\":\"count\",\"description\":\"c\",\"min_value\"",
        "\"default_member_permissions\":\"32\"",
        "\"required\":true",
        "\"choices\":[{\"name\":\"A\",\"name_localizations\":{\"es-ES\":\"La A\",",
        "\"value\":\"a\"}]",
        "\"min_value\":-1,\"max_value\":5",
        "{\"name\":\"Half\",\"value\":0.5}",
        "{\"name\":\"One\",\"value\":1}",
        "\"channel_types\":[0,5]",
        "\"autocomplete\":true,\"max_length\":9",
    };
    CLEANUP(buf_free) struct buf json = { 0 };
    command_list_json(commands, SCOPE_GLOBAL, &json);
    assert_false(json.has_failed);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (!strstr(json.data, parts[i]))
            fail_msg("%s is not in %s", parts[i], json.data);
}

static void a_scope_has_its_own_commands_only(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf global = { 0 };
    CLEANUP(buf_free) struct buf owner = { 0 };
    command_list_json(commands, SCOPE_GLOBAL, &global);
    command_list_json(commands, SCOPE_OWNER, &owner);
    assert_null(strstr(global.data, "\"owner\""));
    assert_non_null(strstr(owner.data, "\"owner\""));
    assert_null(strstr(owner.data, "\"full\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_a_table_says_is_registered),
        cmocka_unit_test(a_scope_has_its_own_commands_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
