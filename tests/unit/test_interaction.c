/* Interactions: what Discord posts becomes typed fields, and nothing else gets through. Bodies are
 * of the shapes Discord documents; the larger ones are in data/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/arena.h"
#include "discord/interaction_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const data_files[] = { "ping",       "command_guild",
                                          "command_dm", "component_select",
                                          "modal",      "autocomplete" };

static void free_interaction(struct interaction **interaction)
{
    interaction_free(*interaction);
}

static void read_data(const char *name, struct buf *body)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.json", TEST_DATA_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char chunk[4096];
    for (size_t length; (length = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        buf_append_bytes(body, chunk, length);
    fclose(file);
    assert_false(body->has_failed);
}

static struct interaction *parse_view(struct str_view body)
{
    struct interaction *interaction = NULL;
    struct err err = { 0 };
    int code = interaction_parse(body, &interaction, &err);
    if (code < 0)
        fail_msg("%s", err.message);
    return interaction;
}

static struct interaction *parse_file(const char *name)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    read_data(name, &body);
    return parse_view(buf_view(&body));
}

static void assert_text(struct str_view text, const char *expected)
{
    if (!str_equal(text, str_from(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARGS(text), expected);
}

static void a_ping_needs_only_its_type(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *ping = parse_file("ping");
    assert_int_equal(ping->type, INTERACTION_PING);
    assert_true(ping->id == INT64_C(1190000000000000001));
    CLEANUP(free_interaction) struct interaction *bare = parse_view(STR(" {\"type\":1}\r\n"));
    assert_int_equal(bare->type, INTERACTION_PING);
    assert_int_equal(bare->id, 0);
}

static void a_guild_command_has_its_envelope(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("command_guild");
    assert_int_equal(in->type, INTERACTION_COMMAND);
    assert_true(in->application_id == INT64_C(1180000000000000001));
    assert_true(in->guild_id == INT64_C(41771983423143937));
    assert_true(in->channel_id == INT64_C(645027906669510667));
    assert_text(in->channel.name, "general");
    assert_true(in->channel.parent_id == INT64_C(645027906669510666));
    assert_true(in->user.id == INT64_C(80351110224678912));
    assert_text(in->user.global_name, "Nelly \xe2\x9c\xa8");
    assert_non_null(in->member);
    assert_null(in->member->nick.data);
    assert_true(in->member->permissions == UINT64_C(1) << 63);
    assert_int_equal(in->member->role_count, 1);
    assert_true(in->member->joined_at_ms == INT64_C(1430029616936));
    assert_int_equal(in->member->timed_out_until_ms, 0);
    assert_text(in->locale, "es-ES");
    assert_text(in->guild_locale, "en-GB");
    assert_int_equal(in->context, CONTEXT_GUILD);
    assert_true(in->installed_by_user_id == INT64_C(80351110224678912));
    assert_true(in->installed_in_guild_id == INT64_C(41771983423143937));
    assert_true(in->app_permissions == UINT64_C(2251799813685247));
    assert_int_equal(in->entitlement_count, 1);
    assert_true(in->entitlements[0].sku_id == INT64_C(1019475255913222144));
    assert_int_equal(in->entitlements[0].type, 8);
    assert_null(in->message);
}

static void sub_commands_unwrap_into_the_path(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("command_guild");
    assert_int_equal(in->command.path_length, 3);
    assert_text(in->command.path[0], "setup");
    assert_text(in->command.path[1], "server");
    assert_text(in->command.path[2], "limits");
    assert_int_equal(in->command.option_count, 10);
    assert_text(interaction_option(in, "note")->text, "caf\xc3\xa9 \xf0\x9f\x98\x80 \"quoted\"");
    assert_true(interaction_option(in, "max")->integer == INT64_C(9007199254740991));
    assert_true(interaction_option(in, "max")->number > 9e15);
    assert_int_equal(interaction_option(in, "strict")->integer, 1);
    assert_true(interaction_option(in, "who")->integer == INT64_C(53908232506183680));
    assert_true(interaction_option(in, "where")->integer == INT64_C(645027906669510668));
    assert_true(interaction_option(in, "role")->integer == INT64_C(41771983423143938));
    assert_true(interaction_option(in, "whom")->integer == INT64_C(53908232506183681));
    assert_true(interaction_option(in, "share")->number > 2.4 &&
                interaction_option(in, "share")->number < 2.6);
    assert_true(interaction_option(in, "rules")->integer == INT64_C(1190000000000000005));
    assert_int_equal(interaction_option(in, "future")->type, 12);
    assert_null(interaction_option(in, "server"));
}

static void resolved_things_are_typed(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("command_guild");
    const struct resolved_user *mason = interaction_resolved_user(in, INT64_C(53908232506183680));
    assert_non_null(mason);
    assert_text(mason->user.username, "mason");
    assert_text(mason->member->nick, "Mason");
    assert_int_equal(mason->member->role_count, 2);
    assert_true(mason->member->timed_out_until_ms == INT64_C(1785542400000));
    const struct resolved_user *robot = interaction_resolved_user(in, INT64_C(53908232506183681));
    assert_true(robot->user.is_bot);
    assert_null(robot->member);
    assert_null(robot->user.global_name.data);
    assert_null(interaction_resolved_user(in, 1));
    assert_int_equal(in->resolved.role_count, 1);
    assert_text(in->resolved.roles[0].name, "Dealer");
    assert_int_equal(in->resolved.roles[0].position, 3);
    assert_int_equal(in->resolved.channel_count, 1);
    assert_int_equal(in->resolved.channels[0].type, 99);
    assert_true(in->resolved.channels[0].permissions == UINT64_MAX);
    assert_int_equal(in->resolved.attachment_count, 1);
    assert_int_equal(in->resolved.attachments[0].size, 241394);
    assert_text(in->resolved.attachments[0].content_type, "image/png");
    assert_int_equal(in->resolved.message_count, 1);
    assert_text(in->resolved.messages[0].content, "hello");
    assert_true(in->resolved.messages[0].author_id == INT64_C(53908232506183680));
}

static void a_dm_has_a_user_and_no_member(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("command_dm");
    assert_null(in->member);
    assert_true(in->user.id == INT64_C(80351110224678912));
    assert_int_equal(in->guild_id, 0);
    assert_true(in->channel_id == INT64_C(1100000000000000123));
    assert_int_equal(in->context, CONTEXT_BOT_DM);
    assert_int_equal(in->installed_in_guild_id, 0);
    assert_int_equal(in->command.path_length, 1);
    assert_int_equal(in->command.option_count, 0);
}

static void a_component_says_who_asked_first(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("component_select");
    assert_text(in->custom_id, "pay:1:77:who");
    const struct field_value *field = interaction_field(in, "pay:1:77:who");
    assert_int_equal(field->type, COMPONENT_USER_SELECT);
    assert_int_equal(field->value_count, 1);
    assert_text(field->values[0], "53908232506183680");
    assert_non_null(interaction_resolved_user(in, INT64_C(53908232506183680))->member);
    assert_true(in->message->id == INT64_C(1190000000000000400));
    assert_int_equal(in->message->flags, 32832);
    assert_true(in->message->author_id == INT64_C(1180000000000000001));
    assert_true(in->message->invoker_id == INT64_C(80351110224678912));
}

static void modal_fields_come_out_of_labels_and_rows(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("modal");
    assert_text(in->custom_id, "tos:3:0:accept");
    assert_int_equal(in->field_count, 13);
    assert_text(interaction_field(in, "title")->value, "Gr\xc3\xbc\xc3\x9f"
                                                       "e");
    assert_int_equal(interaction_field(in, "fruit")->value_count, 2);
    assert_text(interaction_field(in, "fruit")->values[1], "pear");
    assert_int_equal(interaction_field(in, "people")->value_count, 1);
    assert_text(interaction_field(in, "files")->values[0], "1190000000000000005");
    assert_null(interaction_field(in, "class")->value.data);
    assert_text(interaction_field(in, "class2")->value, "wizard");
    assert_int_equal(interaction_field(in, "days")->value_count, 0);
    assert_true(interaction_field(in, "agree")->is_checked);
    assert_int_equal(interaction_field(in, "users")->value_count, 0);
    assert_int_equal(interaction_field(in, "roles")->value_count, 2);
    assert_int_equal(interaction_field(in, "places")->value_count, 1);
    assert_int_equal(interaction_field(in, "dial")->type, 42);
    assert_text(interaction_field(in, "dial")->value, "north");
    assert_non_null(interaction_field(in, "old")->value.data);
    assert_int_equal(interaction_field(in, "old")->value.length, 0);
    assert_null(interaction_field(in, "nothing"));
    assert_true(in->message->invoker_id == INT64_C(80351110224678912));
}

static void an_autocomplete_may_be_unfinished(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *in = parse_file("autocomplete");
    assert_int_equal(in->context, CONTEXT_UNKNOWN);
    assert_int_equal(in->command.path_length, 2);
    assert_null(interaction_option(in, "count"));
    const struct option_value *focused = interaction_option(in, "amount");
    assert_true(focused->is_focused);
    assert_int_equal(focused->type, OPTION_INTEGER);
    assert_text(focused->text, "12a");
    assert_text(interaction_option(in, "field")->text, "max");
}

#define USER                  "\"user\":{\"id\":\"7\",\"username\":\"u\"}"
#define HEAD                  "\"id\":\"1\",\"application_id\":\"2\",\"token\":\"t\","
#define WITH_DATA(type, data) "{" HEAD USER ",\"type\":" type ",\"data\":{" data "}}"
#define COMMAND(rest)         WITH_DATA("2", "\"id\":\"3\",\"name\":\"pay\",\"type\":1" rest)
#define OPTION(rest)          COMMAND(",\"options\":[{\"name\":\"a\"," rest "}]")

#define CLICK_ON(components)                                                                       \
    "{" HEAD USER ",\"type\":3,\"data\":{\"custom_id\":\"a\",\"component_type\":2},"               \
    "\"message\":{\"id\":\"9\"," components "}}"

/* What is not made as expected is passed over: it is no reason to refuse a click. */
static void a_message_tells_the_last_of_its_texts(void **state)
{
    (void)state;
    static const struct {
        struct str_view body;
        const char *text;
    } rows[] = {
        { STR(CLICK_ON("\"components\":[{\"type\":10,\"content\":\"first\"},"
                       "{\"type\":10,\"content\":\"last\"},{\"type\":1,\"components\":[]}]")),
          "last" },
        { STR(CLICK_ON("\"components\":[{\"type\":10,\"content\":\"top\"},{\"type\":17,"
                       "\"components\":[{\"type\":10,\"content\":\"inside\"}]}]")),
          "top" },
        { STR(CLICK_ON("\"components\":[5,null,[],{\"content\":7},{}]")), NULL },
        { STR(CLICK_ON("\"components\":{\"content\":\"x\"}")), NULL },
        { STR(CLICK_ON("\"components\":null")), NULL },
        { STR(CLICK_ON("\"flags\":0")), NULL },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        CLEANUP(free_interaction) struct interaction *in = parse_view(rows[i].body);
        if (rows[i].text)
            assert_text(in->message->last_text, rows[i].text);
        else
            assert_null(in->message->last_text.data);
    }
}

static void a_focused_number_is_kept_both_ways(void **state)
{
    (void)state;
    CLEANUP(free_interaction)
    struct interaction *in = parse_view(
        STR(WITH_DATA("4", "\"id\":\"3\",\"name\":\"pay\",\"type\":1,\"options\":[{\"name\":\"a\","
                           "\"type\":4,\"focused\":true,\"value\":12}]")));
    assert_text(interaction_option(in, "a")->text, "12");
    assert_int_equal(interaction_option(in, "a")->integer, 12);
}

static void newer_things_are_tolerated(void **state)
{
    (void)state;
    CLEANUP(free_interaction)
    struct interaction *type =
        parse_view(STR("{" HEAD "\"type\":77,\"data\":[1,2],\"new\":{\"a\":[{}]}}"));
    assert_int_equal(type->type, 77);
    CLEANUP(free_interaction)
    struct interaction *component =
        parse_view(STR(WITH_DATA("3", "\"component_type\":88,\"custom_id\":\"x\"")));
    assert_int_equal(component->fields[0].type, 88);
    CLEANUP(free_interaction)
    struct interaction *command =
        parse_view(STR(WITH_DATA("2", "\"id\":\"3\",\"name\":\"start\",\"type\":4")));
    assert_int_equal(command->command.type, 4);
}

/* Each body is refused, and the reason begins like this. */
static const struct {
    const char *body, *reason;
} broken[] = {
    { "", "the JSON ends too early" },
    { "  ", "the JSON ends too early" },
    { "{", "the JSON ends too early" },
    { "null", "a JSON object is needed" },
    { "[]", "a JSON object is needed" },
    { "\"{}\"", "a JSON object is needed" },
    { "{}", "type: missing" },
    { "{\"type\":1}x", "text after the JSON at byte 10" },
    { "{\"type\":1}{}", "" },
    { "{\"type\":1},", "" },
    { "{\"type\":1", "the JSON ends too early" },
    { "{'type':1}", "a key is needed at byte 1" },
    { "{\"type\":1,\"type\":1}", "a key is there twice" },
    { "{\"type\":1,\"a\":{\"b\":1,\"b\":{\"c\":2}}}", "a key is there twice" },
    { "{\"type\":1,\"ty\\u0070e\":2}", "a key is there twice" },
    { "{\"type\":NaN}", "not JSON" },
    { "{\"type\":1,\"x\":-Infinity}", "not a number" },
    { "{\"type\":1.}", "not a number" },
    { "{\"type\":01}", "not a number" },
    { "{\"type\":1,}", "a key is needed" },
    { "{\"type\":1 \"x\":1}", "a comma is needed" },
    { "{\"type\" 1}", "a colon is needed" },
    { "{\"type\":1,\"x\":[1,]}", "not JSON" },
    { "{\"type\":1,\"x\":[1 2]}", "a comma is needed" },
    { "{\"type\":1,\"x\":[}", "not JSON" },
    { "{\"type\":1,\"x\":]}", "not JSON" },
    { "{\"type\":1,\"x\":-}", "not a number" },
    { "{\"type\":1,\"x\":.5}", "not JSON" },
    { "{\"type\":1,\"x\":+1}", "not JSON" },
    { "{\"type\":1,\"x\":1e}", "not a number" },
    { "{\"type\":1,\"x\":0x10}", "a comma is needed" },
    { "{\"type\":1,\"x\":True}", "not JSON" },
    { "{\"type\":1,\"x\":nul}", "not JSON" },
    { "{\"type\":1,\"x\":truer}", "a comma is needed" },
    { "{\"type\":1,\"x\":\"\\x\"}", "a broken escape" },
    { "{\"type\":1,\"x\":\"\\u12g4\"}", "a broken escape" },
    { "/**/{\"type\":1}", "a JSON object is needed" },
    { "{\"type\":1,\"x\":\"\t\"}", "a control character" },
    { "{\"type\":1,\"x\":\"\\u0000\"}", "a zero character" },
    { "{\"type\\u0000\":1}", "a zero character" },
    { "{\"type\":1,\"x\":\"\xff\"}", "invalid UTF-8" },
    { "{\"type\":1,\"x\":\"\xc0\x80\"}", "invalid UTF-8" },
    { "{\"type\":1,\"x\":\"\xed\xa0\x80\"}", "invalid UTF-8" },
    { "{\"type\":1,\"x\":\"\xf4\x90\x80\x80\"}", "invalid UTF-8" },
    { "\xef\xbb\xbf{\"type\":1}", "a JSON object is needed" },
    { "{\"type\":\"1\"}", "type: a whole number is needed" },
    { "{\"type\":1.0}", "type: a whole number is needed" },
    { "{\"type\":99999999999999999999}", "type: a number out of range" },
    { "{\"type\":-99999999999999999999}", "type: a number out of range" },
    { "{\"type\":1,\"id\":1}", "id: a text is needed" },
    { "{\"type\":2,\"id\":null}", "id: missing" },
    { "{\"type\":2,\"id\":\"0\"}", "id: an id is needed" },
    { "{\"type\":2,\"id\":\"-1\"}", "id: an id is needed" },
    { "{\"type\":2,\"id\":\"9223372036854775808\"}", "id: an id is needed" },
    { "{\"type\":2,\"id\":\"1\"}", "application_id: missing" },
    { "{\"type\":2,\"id\":\"1\",\"application_id\":\"2\"}", "token: missing" },
    { "{" HEAD "\"type\":2}", "user: missing" },
    { "{" HEAD "\"type\":2,\"user\":5}", "user: an object is needed" },
    { "{" HEAD "\"type\":2,\"user\":{\"id\":\"x\"}}", "user.id: an id is needed" },
    { "{" HEAD "\"type\":2,\"user\":{\"id\":\"7\"}}", "user.username: missing" },
    { "{" HEAD "\"type\":2,\"member\":{}}", "member.user: missing" },
    { "{" HEAD "\"type\":2,\"member\":{\"permissions\":8}}", "member.permissions: a text" },
    { "{" HEAD "\"type\":2,\"member\":{\"permissions\":\"18446744073709551616\"}}",
      "member.permissions: a decimal number" },
    { "{" HEAD "\"type\":2,\"member\":{\"permissions\":\"\"}}", "member.permissions: a decimal" },
    { "{" HEAD "\"type\":2,\"member\":{\"roles\":{}}}", "member.roles: a list is needed" },
    { "{" HEAD "\"type\":2,\"member\":{\"roles\":[\"1\",2]}}", "member.roles[1]: a text" },
    { "{" HEAD USER ",\"type\":2}", "data: missing" },
    { "{" HEAD USER ",\"type\":5}", "data: missing" },
    { "{" HEAD USER ",\"type\":3,\"data\":[]}", "data: an object is needed" },
    { "{" HEAD USER ",\"type\":2,\"channel\":{\"id\":\"5\",\"type\":\"0\"}}",
      "channel.type: a whole number" },
    { "{" HEAD USER ",\"type\":2,\"entitlements\":[{\"id\":\"1\"}]}",
      "entitlements[0].sku_id: missing" },
    { "{" HEAD USER ",\"type\":2,\"entitlements\":{}}", "entitlements: a list is needed" },
    { "{" HEAD USER ",\"type\":2,\"authorizing_integration_owners\":{\"1\":5}}",
      "authorizing_integration_owners.1: a text is needed" },
    { "{" HEAD USER ",\"type\":3,\"message\":{\"id\":\"4\",\"flags\":-1}}",
      "message.flags: a number out of range" },
    { "{" HEAD USER
      ",\"type\":3,\"message\":{\"id\":\"4\",\"interaction_metadata\":{\"user\":{}}}}",
      "message.interaction_metadata.user.id: missing" },
    { WITH_DATA("2", "\"id\":\"3\",\"type\":1"), "data.name: missing" },
    { WITH_DATA("2", "\"id\":\"3\",\"name\":\"Who\",\"type\":2"), "data.target_id: missing" },
    { COMMAND(",\"options\":{}"), "data.options: a list is needed" },
    { COMMAND(",\"options\":[7]"), "data.options[0]: an object is needed" },
    { COMMAND(",\"options\":[{\"type\":3,\"value\":\"x\"}]"), "data.options[0].name: missing" },
    { OPTION("\"value\":1"), "data.options[0].type: missing" },
    { OPTION("\"type\":3"), "data.options[0].value: missing" },
    { OPTION("\"type\":3,\"value\":1"), "data.options[0].value: a text is needed" },
    { OPTION("\"type\":4,\"value\":9007199254740992"), "data.options[0].value: a number out of" },
    { OPTION("\"type\":4,\"value\":-9007199254740992"), "data.options[0].value: a number out of" },
    { OPTION("\"type\":4,\"value\":99999999999999999999"), "data.options[0].value: a number out" },
    { OPTION("\"type\":4,\"value\":1.5"), "data.options[0].value: a whole number is needed" },
    { OPTION("\"type\":5,\"value\":1"), "data.options[0].value: true or false is needed" },
    { OPTION("\"type\":6,\"value\":\"me\""), "data.options[0].value: an id is needed" },
    { OPTION("\"type\":10,\"value\":1e999"), "data.options[0].value: a number out of range" },
    { OPTION("\"type\":10,\"value\":\"1\""), "data.options[0].value: a number is needed" },
    { OPTION("\"type\":2"), "data.options[0].options: a sub-command is needed" },
    { OPTION("\"type\":2,\"options\":[{\"name\":\"b\",\"type\":3,\"value\":\"x\"}]"),
      "data.options[0].options[0]: a sub-command is needed" },
    { OPTION("\"type\":1,\"options\":[{\"name\":\"b\",\"type\":1}]"),
      "data.options[0].options[0]: a sub-command has no place" },
    { OPTION("\"type\":2,\"options\":[{\"name\":\"b\",\"type\":2}]"),
      "data.options[0].options[0]: a sub-command has no place" },
    { COMMAND(",\"options\":[{\"name\":\"b\",\"type\":1},{\"name\":\"c\",\"type\":1}]"),
      "data.options: 2 entries beside a sub-command" },
    { COMMAND(",\"options\":[{\"name\":\"b\",\"type\":4,\"value\":1},{\"name\":\"c\",\"type\":1}]"),
      "data.options[1]: a sub-command has no place" },
    { COMMAND(",\"resolved\":[]"), "data.resolved: an object is needed" },
    { COMMAND(",\"resolved\":{\"users\":[]}"), "data.resolved.users: an object is needed" },
    { COMMAND(",\"resolved\":{\"users\":{\"x\":{}}}"), "data.resolved.users.x: an id is needed" },
    { COMMAND(",\"resolved\":{\"users\":{\"5\":{\"id\":\"6\",\"username\":\"u\"}}}"),
      "data.resolved.users.5: the id inside is another one" },
    { COMMAND(",\"resolved\":{\"attachments\":{\"5\":{\"id\":\"5\",\"filename\":\"f\","
              "\"url\":\"u\",\"size\":-1}}}"),
      "data.resolved.attachments.5.size: a number out of range" },
    { WITH_DATA("3", "\"component_type\":2"), "data.custom_id: missing" },
    { WITH_DATA("3", "\"custom_id\":\"x\""), "data.component_type: missing" },
    { WITH_DATA("3", "\"custom_id\":\"x\",\"component_type\":3"), "data.values: missing" },
    { WITH_DATA("3", "\"custom_id\":\"x\",\"component_type\":3,\"values\":[1]"),
      "data.values[0]: a text is needed" },
    { WITH_DATA("5", "\"components\":[]"), "data.custom_id: missing" },
    { WITH_DATA("5", "\"custom_id\":\"x\""), "data.components: missing" },
    { WITH_DATA("5", "\"custom_id\":\"x\",\"components\":[1]"),
      "data.components[0]: an object is needed" },
    { WITH_DATA("5", "\"custom_id\":\"x\",\"components\":[{\"type\":18,\"component\":1}]"),
      "data.components[0].component: an object is needed" },
    { WITH_DATA("5", "\"custom_id\":\"x\",\"components\":[{\"type\":18,\"component\":"
                     "{\"type\":4,\"custom_id\":\"y\"}}]"),
      "data.components[0].component.value: missing" },
    { WITH_DATA("5", "\"custom_id\":\"x\",\"components\":[{\"type\":18,\"component\":"
                     "{\"type\":23,\"custom_id\":\"y\",\"value\":\"true\"}}]"),
      "data.components[0].component.value: true or false" },
    { WITH_DATA("5", "\"custom_id\":\"x\",\"components\":[{\"type\":1,\"components\":"
                     "[{\"type\":4,\"value\":\"\"}]}]"),
      "data.components[0].components[0].custom_id: missing" },
};

static void a_broken_body_is_refused_with_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        struct interaction *interaction = NULL;
        struct err err = { 0 };
        int code = interaction_parse(str_from(broken[i].body), &interaction, &err);
        assert_null(interaction);
        if (code != ERR_INVALID ||
            strncmp(err.message, broken[i].reason, strlen(broken[i].reason)) != 0)
            fail_msg("%s\n  gave %d \"%s\"\n  not \"%s\"", broken[i].body, code, err.message,
                     broken[i].reason);
    }
}

static void bytes_after_a_zero_byte_are_not_overlooked(void **state)
{
    (void)state;
    struct interaction *interaction = NULL;
    assert_int_equal(interaction_parse(STR("{\"type\":1}\0"), &interaction, NULL), ERR_INVALID);
    assert_int_equal(interaction_parse(STR("{\"type\":1}\0{}"), &interaction, NULL), ERR_INVALID);
    assert_int_equal(interaction_parse(STR("{\"type\":1,\"x\":\"a\0b\"}"), &interaction, NULL),
                     ERR_INVALID);
}

/* `count` times `item`, separated by commas, between `before` and `after`. */
static int parse_repeated(const char *before, const char *item, int count, const char *after,
                          struct err *err)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    buf_append(&body, str_from(before));
    for (int i = 0; i < count; i++)
        buf_append_format(&body, "%s%s", i > 0 ? "," : "", item);
    buf_append(&body, str_from(after));
    struct interaction *interaction = NULL;
    int code = interaction_parse(buf_view(&body), &interaction, err);
    interaction_free(interaction);
    return code;
}

static void escapes_become_characters(void **state)
{
    (void)state;
    static const struct {
        const char *escaped, *text;
    } cases[] = {
        { "", "" },
        { "\\\"\\\\\\/", "\"\\/" },
        { "\\b\\f\\n\\r\\t", "\b\f\n\r\t" },
        { "\\u0041\\u00e9\\u20AC\\uffff", "A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf" },
        { "\\ud83d\\ude00x", "\xf0\x9f\x98\x80x" },
        { "\\udbff\\udfff", "\xf4\x8f\xbf\xbf" },
        { "\\ud83d", "\xef\xbf\xbd" },
        { "\\ude00!", "\xef\xbf\xbd!" },
        { "\\ud83d\\u0041", "\xef\xbf\xbd"
                            "A" },
        { "\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80" },
        { "\xc3\xa9\\n\xf0\x9f\x98\x80", "\xc3\xa9\n\xf0\x9f\x98\x80" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(buf_free) struct buf body = { 0 };
        buf_append_format(&body, "{\"type\":1,\"token\":\"%s\"}", cases[i].escaped);
        CLEANUP(free_interaction) struct interaction *in = parse_view(buf_view(&body));
        assert_text(in->token, cases[i].text);
    }
}

static void numbers_may_be_written_in_every_way(void **state)
{
    (void)state;
    static const struct {
        const char *written;
        double number;
    } cases[] = {
        { "0", 0 },      { "-0", 0 },         { "-0.5", -0.5 }, { "1e2", 100 },
        { "1E+2", 100 }, { "12.5e-1", 1.25 }, { "1e-400", 0 },  { "99999999999999999999", 1e20 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(buf_free) struct buf body = { 0 };
        buf_append_format(&body,
                          "{" HEAD USER ",\"type\":2,\"data\":{\"id\":\"3\",\"name\":"
                          "\"p\",\"type\":1,\"options\":[{\"name\":\"n\",\"type\":10,"
                          "\"value\":%s}]}}",
                          cases[i].written);
        CLEANUP(free_interaction) struct interaction *in = parse_view(buf_view(&body));
        double number = interaction_option(in, "n")->number;
        assert_false(number < cases[i].number || number > cases[i].number);
    }
}

static void lists_have_an_end(void **state)
{
    (void)state;
    struct err err = { 0 };
    const char *before = "{" HEAD USER ",\"type\":2,\"data\":{\"id\":\"3\",\"name\":\"p\","
                         "\"type\":1,\"options\":[";
    const char *item = "{\"name\":\"a\",\"type\":3,\"value\":\"x\"}";
    assert_int_equal(parse_repeated(before, item, 100, "]}}", &err), 0);
    assert_int_equal(parse_repeated(before, item, 101, "]}}", &err), ERR_INVALID);
    assert_string_equal(err.message, "data.options: 101 entries, at most 100");
    before = "{" HEAD USER ",\"type\":5,\"data\":{\"custom_id\":\"m\",\"components\":[";
    item = "{\"type\":1,\"components\":[{\"type\":4,\"custom_id\":\"a\",\"value\":\"\"},"
           "{\"type\":4,\"custom_id\":\"b\",\"value\":\"\"}]}";
    assert_int_equal(parse_repeated(before, item, 50, "]}}", &err), 0);
    assert_int_equal(parse_repeated(before, item, 51, "]}}", &err), ERR_INVALID);
    assert_string_equal(err.message, "data.components: 102 fields, at most 100");
    assert_int_equal(parse_repeated("{\"type\":1,\"x\":[", "1", 19900, "]}", &err), 0);
    assert_int_equal(parse_repeated("{\"type\":1,\"x\":[", "1", 20000, "]}", &err), ERR_INVALID);
    assert_memory_equal(err.message, "too many values", 15);
}

static void an_object_has_a_thousand_members_at_most(void **state)
{
    (void)state;
    for (int count = 999; count <= 1000; count++) {
        CLEANUP(buf_free) struct buf body = { 0 };
        buf_append(&body, STR("{\"type\":1"));
        for (int i = 0; i < count; i++)
            buf_append_format(&body, ",\"%d\":%d", i, i);
        buf_append_char(&body, '}');
        struct interaction *interaction = NULL;
        int code = interaction_parse(buf_view(&body), &interaction, NULL);
        assert_int_equal(code, count < 1000 ? 0 : ERR_INVALID);
        interaction_free(interaction);
    }
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    for (int depth = 1; depth < 5000; depth *= 2) {
        CLEANUP(buf_free) struct buf body = { 0 };
        buf_append(&body, STR("{\"type\":1,\"x\":"));
        for (int i = 0; i < depth; i++)
            buf_append_char(&body, '[');
        for (int i = 0; i < depth; i++)
            buf_append_char(&body, ']');
        buf_append_char(&body, '}');
        struct interaction *interaction = NULL;
        int code = interaction_parse(buf_view(&body), &interaction, NULL);
        assert_int_equal(code, depth < INTERACTION_DEPTH_MAX ? 0 : ERR_INVALID);
        interaction_free(interaction);
    }
}

/* An exact copy on the heap, so that a sanitizer sees a read beyond the end. */
static int parse_copy(const char *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    struct interaction *interaction = NULL;
    int code = interaction_parse((struct str_view){ copy, length }, &interaction, NULL);
    interaction_free(interaction);
    free(copy);
    return code;
}

static void every_truncated_body_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(data_files); i++) {
        CLEANUP(buf_free) struct buf body = { 0 };
        read_data(data_files[i], &body);
        size_t whole = str_trim(buf_view(&body)).length;
        for (size_t length = 0; length < whole; length++)
            assert_int_equal(parse_copy(body.data, length), ERR_INVALID);
        assert_int_equal(parse_copy(body.data, whole), 0);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    uint64_t random = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < ARRAY_LENGTH(data_files); i++) {
        CLEANUP(buf_free) struct buf body = { 0 };
        read_data(data_files[i], &body);
        for (int round = 0; round < 2000; round++) {
            CLEANUP(buf_free) struct buf mutated = { 0 };
            buf_append(&mutated, buf_view(&body));
            for (uint64_t flips = next_random(&random) % 3; flips < 3; flips++)
                mutated.data[next_random(&random) % mutated.length] ^=
                    (char)(1u << (next_random(&random) % 8));
            int code = parse_copy(mutated.data, mutated.length);
            assert_true(code == 0 || code == ERR_INVALID);
        }
    }
}

static void a_stored_command_runs_as_if_sent_now(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *blocked = parse_file("command_guild");
    CLEANUP(free_interaction) struct interaction *modal = parse_file("modal");
    CLEANUP(buf_free) struct buf data = { 0 };
    interaction_data_json(blocked, &data);
    struct interaction *again = NULL;
    struct err err = { 0 };
    assert_int_equal(interaction_parse_data(buf_view(&data), modal, &again, &err), 0);
    assert_int_equal(again->id, modal->id);
    assert_int_equal(again->type, INTERACTION_COMMAND);
    assert_text(again->token, "dG9rZW4tMw");
    assert_int_equal(again->command.path_length, 3);
    assert_text(interaction_option(again, "note")->text, "caf\xc3\xa9 \xf0\x9f\x98\x80 \"quoted\"");
    assert_non_null(interaction_resolved_user(again, INT64_C(53908232506183680))->member);
    assert_int_equal(again->resolved.attachment_count, 1);
    assert_int_equal(again->field_count, 0);
    assert_null(again->custom_id.data);
    assert_null(again->message);
    CLEANUP(buf_free) struct buf data_again = { 0 };
    interaction_data_json(again, &data_again);
    assert_true(str_equal(buf_view(&data), buf_view(&data_again)));
    interaction_free(again);
}

static void an_interaction_is_kept_as_discord_sent_it(void **state)
{
    (void)state;
    static const char *const names[] = { "command_guild", "modal" };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        CLEANUP(buf_free) struct buf body = { 0 };
        read_data(names[i], &body);
        CLEANUP(free_interaction) struct interaction *first = parse_view(buf_view(&body));
        assert_true(str_equal(interaction_json(first), buf_view(&body)));
        CLEANUP(free_interaction)
        struct interaction *again = parse_view(interaction_json(first));
        assert_int_equal(again->id, first->id);
        assert_true(str_equal(again->token, first->token));
        assert_true(str_equal(interaction_json(again), buf_view(&body)));
    }
    CLEANUP(free_interaction) struct interaction *ping = parse_file("ping");
    assert_null(interaction_json(ping).data);
}

static void broken_stored_data_is_refused_with_its_path(void **state)
{
    (void)state;
    CLEANUP(free_interaction) struct interaction *by = parse_file("modal");
    CLEANUP(buf_free) struct buf none = { 0 };
    interaction_data_json(by, &none);
    assert_string_equal(none.data, "null");
    const struct {
        const char *data, *reason;
    } cases[] = {
        { "null", "a JSON object is needed" },
        { "{\"id\":\"1\",\"name\":5,\"type\":1}", "data.name: a text is needed" },
        { "{\"id\":\"1\",\"name\":\"a\",\"type\":1,\"options\":[{\"name\":\"x\",\"type\":3}]}",
          "data.options[0].value: missing" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct interaction *interaction = NULL;
        struct err err = { 0 };
        int code = interaction_parse_data(str_from(cases[i].data), by, &interaction, &err);
        assert_int_equal(code, ERR_INVALID);
        assert_null(interaction);
        assert_memory_equal(err.message, cases[i].reason, strlen(cases[i].reason));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_needs_only_its_type),
        cmocka_unit_test(a_guild_command_has_its_envelope),
        cmocka_unit_test(sub_commands_unwrap_into_the_path),
        cmocka_unit_test(resolved_things_are_typed),
        cmocka_unit_test(a_dm_has_a_user_and_no_member),
        cmocka_unit_test(a_component_says_who_asked_first),
        cmocka_unit_test(modal_fields_come_out_of_labels_and_rows),
        cmocka_unit_test(an_autocomplete_may_be_unfinished),
        cmocka_unit_test(a_message_tells_the_last_of_its_texts),
        cmocka_unit_test(a_focused_number_is_kept_both_ways),
        cmocka_unit_test(newer_things_are_tolerated),
        cmocka_unit_test(a_broken_body_is_refused_with_its_path),
        cmocka_unit_test(bytes_after_a_zero_byte_are_not_overlooked),
        cmocka_unit_test(escapes_become_characters),
        cmocka_unit_test(numbers_may_be_written_in_every_way),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(an_object_has_a_thousand_members_at_most),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(every_truncated_body_is_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(a_stored_command_runs_as_if_sent_now),
        cmocka_unit_test(an_interaction_is_kept_as_discord_sent_it),
        cmocka_unit_test(broken_stored_data_is_refused_with_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
