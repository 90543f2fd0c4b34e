/* Sets of commands: what Discord adds is no difference, what people see is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/command_diff.h"

#include <string.h>

static struct json_object *read_set(const char *json, bool is_guild)
{
    struct json_object *set = NULL;
    struct err err = { 0 };
    if (command_set_read(str_from(json), is_guild, &set, &err) != 0)
        fail_msg("%s", err.message);
    return set;
}

/* The difference as lines; freed by the caller. */
static struct buf diff(const char *before, const char *after, bool is_guild)
{
    struct json_object *old = read_set(before, is_guild), *new = read_set(after, is_guild);
    struct json_object *difference = NULL;
    struct buf text = { 0 };
    assert_int_equal(command_diff(old, new, &difference, NULL), 0);
    buf_append(&text, STR(""));
    command_diff_print(difference, &text);
    assert_int_equal(command_diff_is_empty(difference), text.length == 0);
    json_object_put(difference);
    json_object_put(old);
    json_object_put(new);
    return text;
}

static void expect_diff(const char *before, const char *after, const char *lines)
{
    struct buf text = diff(before, after, false);
    assert_string_equal(text.data, lines);
    buf_free(&text);
}

static const char ours[] =
    "[{\"type\":1,\"name\":\"pay\",\"description\":\"Pay\",\"options\":["
    "{\"type\":6,\"name\":\"user\",\"description\":\"Whom\",\"required\":true},"
    "{\"type\":4,\"name\":\"amount\",\"description\":\"How much\",\"min_value\":1,"
    "\"choices\":[{\"name\":\"One\",\"value\":1},{\"name\":\"Two\",\"value\":2}]},"
    "{\"type\":7,\"name\":\"where\",\"description\":\"Where\",\"channel_types\":[0,5]}],"
    "\"default_member_permissions\":\"32\",\"contexts\":[0,1],\"integration_types\":[0]},"
    "{\"type\":2,\"name\":\"Report\",\"contexts\":[0],\"integration_types\":[0]}]";

/* The same as Discord returns it. */
static const char theirs[] =
    "[{\"id\":\"9\",\"application_id\":\"1\",\"version\":\"5\",\"default_permission\":true,"
    "\"type\":2,\"name\":\"Report\",\"name_localizations\":null,\"description\":\"\","
    "\"description_localizations\":null,\"dm_permission\":false,\"contexts\":[0],"
    "\"integration_types\":[0],\"nsfw\":false,\"default_member_permissions\":null,\"options\":[]},"
    "{\"id\":\"8\",\"application_id\":\"1\",\"version\":\"5\",\"name\":\"pay\","
    "\"name_localizations\":{},\"description\":\"Pay\",\"dm_permission\":true,\"nsfw\":false,"
    "\"contexts\":[1,0],\"integration_types\":[0],\"default_member_permissions\":\"32\","
    "\"options\":[{\"name\":\"user\",\"type\":6,\"description\":\"Whom\",\"required\":true,"
    "\"name_localizations\":null,\"description_localizations\":null},"
    "{\"description\":\"How much\",\"type\":4,\"name\":\"amount\",\"required\":false,"
    "\"autocomplete\":false,\"min_value\":1.0,\"choices\":[{\"name\":\"One\",\"value\":1.0,"
    "\"name_localizations\":null},{\"name\":\"Two\",\"value\":2}]},"
    "{\"type\":7,\"name\":\"where\",\"description\":\"Where\",\"channel_types\":[5,0],"
    "\"options\":[]}]}]";

static void what_discord_adds_is_no_difference(void **state)
{
    (void)state;
    expect_diff(ours, theirs, "");
    expect_diff(theirs, ours, "");
    expect_diff(ours, ours, "");
}

static void the_normal_form_is_one_text(void **state)
{
    (void)state;
    struct json_object *one = read_set(ours, false), *other = read_set(theirs, false);
    assert_string_equal(json_object_to_json_string(one), json_object_to_json_string(other));
    json_object_put(one);
    json_object_put(other);
}

static void commands_come_and_go(void **state)
{
    (void)state;
    expect_diff("[{\"name\":\"a\"},{\"name\":\"b\",\"type\":2},{\"name\":\"b\"}]",
                "[{\"name\":\"b\",\"type\":3},{\"name\":\"c\"},{\"name\":\"b\"}]",
                "+ /c\n+ b (message)\n- /a\n- b (user)\n");
}

static void a_change_names_its_path(void **state)
{
    (void)state;
    static const char before[] = "[{\"name\":\"pay\",\"description\":\"Pay\",\"options\":["
                                 "{\"name\":\"a\",\"type\":4,\"min_value\":1},"
                                 "{\"name\":\"b\",\"type\":3,\"required\":true,\"choices\":["
                                 "{\"name\":\"x\",\"value\":\"1\"}]}]}]";
    static const char after[] =
        "[{\"name\":\"pay\",\"description\":\"Pay \\\"her\\\"\",\"nsfw\":true,\"options\":["
        "{\"name\":\"b\",\"type\":3,\"choices\":[{\"name\":\"x\",\"value\":\"2\"},"
        "{\"name\":\"y\",\"value\":\"3\"}]},{\"name\":\"a\",\"type\":4,\"min_value\":5},"
        "{\"name\":\"c\",\"type\":5}],\"name_localizations\":{\"de\":\"zahle\"}}]";
    expect_diff(before, after,
                "~ /pay\n"
                "    description: \"Pay\" -> \"Pay \\\"her\\\"\"\n"
                "    options[a].min_value: 1 -> 5\n"
                "    options[b].required: true -> (none)\n"
                "    options[b].choices[x].value: \"1\" -> \"2\"\n"
                "    options[b].choices[y]: (none) -> {\"name\":\"y\",\"value\":\"3\"}\n"
                "    options[c]: (none) -> {\"type\":5,\"name\":\"c\"}\n"
                "    options: [\"a\",\"b\"] -> [\"b\",\"a\"]\n"
                "    name_localizations: (none) -> {\"de\":\"zahle\"}\n"
                "    nsfw: (none) -> true\n");
}

static void each_field_people_see_is_compared(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "\"description\":\"x\"",
        "\"name_localizations\":{\"de\":\"x\"}",
        "\"description_localizations\":{\"de\":\"x\"}",
        "\"options\":[{\"name\":\"x\",\"type\":3}]",
        "\"default_member_permissions\":\"0\"",
        "\"nsfw\":true",
        "\"contexts\":[0]",
        "\"integration_types\":[1]",
        ("\"options\":[{\"name\":\"x\",\"type\":1,\"options\":[{\"name\":\"y\",\"type\":3,"
         "\"max_length\":5}]}]"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        CLEANUP(buf_free) struct buf set = { 0 };
        buf_append_format(&set, "[{\"name\":\"a\",%s}]", fields[i]);
        struct buf text = diff("[{\"name\":\"a\"}]", set.data, false);
        assert_true(str_starts_with(buf_view(&text), STR("~ /a\n")));
        buf_free(&text);
    }
}

static void where_a_guilds_command_can_be_used_means_nothing(void **state)
{
    (void)state;
    struct buf text = diff("[{\"name\":\"a\",\"contexts\":[0],\"integration_types\":[0]}]",
                           "[{\"name\":\"a\",\"contexts\":null}]", true);
    assert_int_equal(text.length, 0);
    buf_free(&text);
}

static void answers_of_another_shape_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "{}",
        "null",
        "[",
        "[] []",
        "[1]",
        "[{}]",
        "[{\"name\":5}]",
        "[{\"name\":\"a\",\"options\":{}}]",
        "[{\"name\":\"a\",\"options\":[5]}]",
        "[{\"name\":\"a\",\"options\":[{\"type\":1}]}]",
        "[{\"name\":\"a\",\"nsfw\":\"no\"}]",
        "[{\"name\":\"a\",\"contexts\":3}]",
        "[{\"name\":\"a\",\"name_localizations\":[]}]",
        ("[{\"name\":\"a\",\"options\":[{\"name\":\"b\",\"options\":[{\"name\":\"c\",\"options\":["
         "{\"name\":\"d\",\"options\":[{\"name\":\"e\"}]}]}]}]}]"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        struct json_object *set = NULL;
        struct err err = { 0 };
        if (command_set_read(str_from(broken[i]), false, &set, &err) != ERR_INVALID)
            fail_msg("accepted: %s", broken[i]);
        assert_null(set);
        assert_true(err.message[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_discord_adds_is_no_difference),
        cmocka_unit_test(the_normal_form_is_one_text),
        cmocka_unit_test(commands_come_and_go),
        cmocka_unit_test(a_change_names_its_path),
        cmocka_unit_test(each_field_people_see_is_compared),
        cmocka_unit_test(where_a_guilds_command_can_be_used_means_nothing),
        cmocka_unit_test(answers_of_another_shape_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
