/* Replies: what leaves is within Discord's limits, and what can't be is refused by name. An
 * independent checker (reply_checker.h) reads the JSON of every reply that was let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/reply.h"
#include "reply_checker.h"

#include <stdio.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

static const struct interaction command = { .type = INTERACTION_COMMAND };
static const struct interaction component = { .type = INTERACTION_COMPONENT };
static const struct message message = { .id = 1 };
static const struct interaction ping = { .type = INTERACTION_PING };
static const struct interaction modal_submit = { .type = INTERACTION_MODAL_SUBMIT };
static const struct interaction modal_on_message = { .type = INTERACTION_MODAL_SUBMIT,
                                                     .message = &message };
static const struct interaction autocomplete = { .type = INTERACTION_AUTOCOMPLETE };

static void assert_serialized(const struct reply *reply, const char *expected)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    struct err err = { 0 };
    if (reply_serialize(reply, &out, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(out.data, expected);
    const char *fault = checked_answer(out.data);
    if (fault)
        fail_msg("%s\n%s", fault, out.data);
}

static void assert_refused(const struct reply *reply, int expected_code, const char *expected)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    buf_append(&out, STR("kept"));
    struct err err = { 0 };
    int code = reply_serialize(reply, &out, &err);
    assert_string_equal(err.message, expected);
    assert_int_equal(code, expected_code);
    assert_string_equal(out.data, "kept");
}

#define V2      "\"flags\":32768,"
#define SILENT  "\"allowed_mentions\":{\"parse\":[],\"users\":[],\"roles\":[]},"
#define TEXT(t) "{\"type\":10,\"content\":\"" t "\"}"

static void a_message_pings_nobody_unless_asked(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &command);
    assert_true(reply_is_empty(reply));
    reply_text(reply, "<@%d> has %d", 5, 250);
    assert_false(reply_is_empty(reply));
    assert_serialized(reply, "{\"type\":4,\"data\":{" V2 SILENT
                             "\"components\":[" TEXT("<@5> has 250") "]}}");
    reply_mention_user(reply, 5);
    reply_mention_user(reply, 5);
    reply_mention_role(reply, 6);
    reply_ephemeral(reply);
    assert_true(reply_is_ephemeral(reply));
    assert_serialized(reply,
                      "{\"type\":4,\"data\":{\"flags\":32832,\"allowed_mentions\":{"
                      "\"parse\":[],\"users\":[\"5\"],\"roles\":[\"6\"]},\"components\":[" TEXT(
                          "<@5> has 250") "]}}");
}

static void everything_a_message_can_show_is_written_as_documented(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &command);
    reply_container_begin(reply, 0xffcc00);
    reply_section_begin(reply);
    reply_text(reply, "a");
    reply_thumbnail(reply, STR("https://x/y.png"), STR("alt"));
    reply_section_end(reply);
    reply_separator(reply, true);
    reply_picture(reply, STR("https://x/1.png"), STR_NONE);
    reply_picture(reply, STR("https://x/2.png"), STR("two"));
    reply_row_begin(reply);
    reply_button(reply, &(struct reply_button){ BUTTON_PRIMARY, STR("Go"), NULL, STR("a:1:0:"),
                                                STR_NONE, false });
    reply_button(reply, &(struct reply_button){ BUTTON_LINK, STR("Web"), "\xf0\x9f\x8e\xb2",
                                                STR_NONE, STR("https://x"), true });
    reply_row_end(reply);
    reply_container_end(reply);
    reply_row_begin(reply);
    const struct reply_select_option options[] = { { STR("One"), STR("1"), STR("first"), true },
                                                   { STR("Two"), STR("2"), STR_NONE, false } };
    reply_select(reply, &(struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                .custom_id = STR("s"),
                                                .placeholder = STR("Which?"),
                                                .options = options,
                                                .option_count = 2 });
    reply_row_end(reply);
    reply_row_begin(reply);
    const int64_t ids[] = { 7, 8 };
    const int types[] = { 0, 5 };
    reply_select(reply, &(struct reply_select){ .type = COMPONENT_CHANNEL_SELECT,
                                                .custom_id = STR("c"),
                                                .default_ids = ids,
                                                .default_id_count = 2,
                                                .channel_types = types,
                                                .channel_type_count = 2,
                                                .min_values = 1,
                                                .max_values = 3,
                                                .is_disabled = true });
    reply_row_end(reply);
    assert_serialized(
        reply,
        "{\"type\":4,\"data\":{" V2 SILENT "\"components\":["
        "{\"type\":17,\"accent_color\":16763904,\"components\":["
        "{\"type\":9,\"components\":[" TEXT(
            "a") "],\"accessory\":{\"type\":11,"
                 "\"media\":{\"url\":\"https://x/y.png\"},\"description\":\"alt\"}},"
                 "{\"type\":14,\"divider\":true},"
                 "{\"type\":12,\"items\":[{\"media\":{\"url\":\"https://x/1.png\"}},"
                 "{\"media\":{\"url\":\"https://x/2.png\"},\"description\":\"two\"}]},"
                 "{\"type\":1,\"components\":[{\"type\":2,\"style\":1,\"label\":\"Go\","
                 "\"custom_id\":\"a:1:0:\"},{\"type\":2,\"style\":5,\"label\":\"Web\",\"emoji\":{"
                 "\"name\":\"\xf0\x9f\x8e\xb2\"},\"url\":\"https://x\",\"disabled\":true}]}]},"
                 "{\"type\":1,\"components\":[{\"type\":3,\"custom_id\":\"s\",\"placeholder\":"
                 "\"Which?\","
                 "\"min_values\":0,\"max_values\":1,\"options\":[{\"label\":\"One\",\"value\":"
                 "\"1\","
                 "\"description\":\"first\",\"default\":true},{\"label\":\"Two\",\"value\":\"2\"}]}"
                 "]},"
                 "{\"type\":1,\"components\":[{\"type\":8,\"custom_id\":\"c\",\"min_values\":1,"
                 "\"max_values\":3,\"disabled\":true,\"default_values\":[{\"id\":\"7\",\"type\":"
                 "\"channel\"}"
                 ",{\"id\":\"8\",\"type\":\"channel\"}],\"channel_types\":[0,5]}]}]}}");
}

static void a_modal_is_written_as_documented(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &component);
    reply_modal(reply, STR("m:1:0:"), STR("Terms"));
    reply_text(reply, "Read this.");
    reply_text_input(reply, STR("Name"), STR("yours"),
                     &(struct reply_text_input){ .custom_id = STR("n"),
                                                 .min_length = 1,
                                                 .max_length = 20,
                                                 .value = STR("Bo"),
                                                 .placeholder = STR("?") });
    const struct reply_select_option options[] = { { STR("Yes"), STR("y"), STR_NONE, false },
                                                   { STR("No"), STR("n"), STR_NONE, false } };
    reply_choice_group(reply, STR("Agree"), STR_NONE,
                       &(struct reply_choice_group){ .type = COMPONENT_CHECKBOX_GROUP,
                                                     .custom_id = STR("g"),
                                                     .options = options,
                                                     .option_count = 1 });
    reply_checkbox(reply, STR("Mail"), STR_NONE, STR("b"), true);
    reply_file_upload(reply, STR("Proof"), STR_NONE, STR("f"), 0, 2);
    assert_int_equal(reply_callback_type(reply), CALLBACK_MODAL);
    assert_serialized(
        reply,
        "{\"type\":9,\"data\":{\"custom_id\":\"m:1:0:\",\"title\":\"Terms\",\"components\":[" TEXT(
            "Read this.") ",{\"type\":18,\"label\":\"Name\",\"description\":\"yours\","
                          "\"component\":{\"type\":4,\"custom_id\":\"n\",\"style\":1,\"min_"
                          "length\":1,"
                          "\"max_length\":20,\"required\":true,\"value\":\"Bo\",\"placeholder\":\"?"
                          "\"}},"
                          "{\"type\":18,\"label\":\"Agree\",\"component\":{\"type\":22,\"custom_"
                          "id\":\"g\","
                          "\"required\":true,\"options\":[{\"label\":\"Yes\",\"value\":\"y\"}]}},"
                          "{\"type\":18,\"label\":\"Mail\",\"component\":{\"type\":23,\"custom_"
                          "id\":\"b\","
                          "\"default\":true}},{\"type\":18,\"label\":\"Proof\",\"component\":{"
                          "\"type\":19,"
                          "\"custom_id\":\"f\",\"required\":false,\"min_values\":0,\"max_values\":"
                          "2}}]}}");
    reply_reset(reply);
    reply_modal(reply, STR("m:1:0:"), STR("Pick"));
    reply_choice_group(reply, STR("Class"), STR_NONE,
                       &(struct reply_choice_group){ .type = COMPONENT_RADIO_GROUP,
                                                     .custom_id = STR("r"),
                                                     .options = options,
                                                     .option_count = 2,
                                                     .is_optional = true });
    reply_labelled_select(reply, STR("Who"), STR_NONE,
                          &(struct reply_select){ .type = COMPONENT_USER_SELECT,
                                                  .custom_id = STR("u"),
                                                  .is_optional = true });
    assert_serialized(
        reply,
        "{\"type\":9,\"data\":{\"custom_id\":\"m:1:0:\",\"title\":\"Pick\",\"components\":["
        "{\"type\":18,\"label\":\"Class\",\"component\":{\"type\":21,\"custom_id\":\"r\","
        "\"required\":false,\"options\":[{\"label\":\"Yes\",\"value\":\"y\"},"
        "{\"label\":\"No\",\"value\":\"n\"}]}},{\"type\":18,\"label\":\"Who\",\"component\":{"
        "\"type\":5,\"custom_id\":\"u\",\"required\":false,\"min_values\":0,\"max_values\":1}}]}}");
}

static void short_answers_are_written_as_documented(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &component);
    reply_defer(reply);
    assert_serialized(reply, "{\"type\":5,\"data\":{\"flags\":0}}");
    reply_ephemeral(reply);
    assert_serialized(reply, "{\"type\":5,\"data\":{\"flags\":64}}");
    reply_reset(reply);
    assert_false(reply_is_ephemeral(reply));
    reply_defer_update(reply);
    assert_serialized(reply, "{\"type\":6}");
    reply = reply_new(&arena, &autocomplete);
    reply_suggest_nothing(reply);
    assert_serialized(reply, "{\"type\":8,\"data\":{\"choices\":[]}}");
    reply_suggest(reply, STR("\"A\""), STR("a"));
    assert_serialized(reply, "{\"type\":8,\"data\":{\"choices\":[{\"name\":\"\\\"A\\\"\","
                             "\"value\":\"a\"}]}}");
    const struct option_value focused = { .type = OPTION_INTEGER, .is_focused = true };
    struct interaction number = { .type = INTERACTION_AUTOCOMPLETE };
    number.command.options = &focused;
    number.command.option_count = 1;
    reply = reply_new(&arena, &number);
    reply_suggest_integer(reply, STR("Lots"), -5);
    assert_serialized(reply, "{\"type\":8,\"data\":{\"choices\":[{\"name\":\"Lots\","
                             "\"value\":-5}]}}");
    reply_suggest(reply, STR("A"), STR("a"));
    assert_refused(reply, ERR_INVALID, "data.choices[1].value: of another type than the option");
}

static void texts_that_may_be_cut_end_between_characters(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    CLEANUP(buf_free) struct buf long_text = { 0 };
    for (int i = 0; i < 79; i++)
        buf_append_char(&long_text, 'x');
    buf_append(&long_text, STR("\xf0\x9f\x98\x80")); /* units 80 and 81 */
    struct reply *reply = reply_new(&arena, &command);
    reply_row_begin(reply);
    reply_button(reply, &(struct reply_button){ BUTTON_PRIMARY, buf_view(&long_text), NULL,
                                                STR("a"), STR_NONE, false });
    reply_row_end(reply);
    CLEANUP(buf_free) struct buf out = { 0 };
    assert_int_equal(reply_serialize(reply, &out, NULL), 0);
    assert_non_null(strstr(out.data, "xxx" ELLIPSIS "\",\"custom_id\""));
    assert_null(checked_answer(out.data));
    reply = reply_new(&arena, &command);
    reply_text_view(reply, STR("bad \xff\xc3 bytes"));
    assert_serialized(reply, "{\"type\":4,\"data\":{" V2 SILENT
                             "\"components\":[" TEXT("bad \xef\xbf\xbd\xef\xbf\xbd bytes") "]}}");
}

static void later_texts_give_way_to_earlier_ones(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    CLEANUP(buf_free) struct buf half = { 0 };
    for (int i = 0; i < 2500; i++)
        buf_append_char(&half, 'x');
    struct reply *reply = reply_new(&arena, &command);
    reply_text_view(reply, buf_view(&half));
    reply_text_view(reply, buf_view(&half));
    reply_text(reply, "end");
    CLEANUP(buf_free) struct buf out = { 0 };
    assert_int_equal(reply_serialize(reply, &out, NULL), 0);
    assert_null(checked_answer(out.data));
    const char *second = strstr(strstr(out.data, "content") + 1, "content");
    /* 4000 - 2500 - 1 for the last: 1498 letters and an ellipsis. */
    assert_int_equal(strspn(second + strlen("content\":\""), "x"), 1498);
    assert_non_null(strstr(out.data, TEXT(ELLIPSIS)));
    CLEANUP(buf_free) struct buf again = { 0 };
    assert_int_equal(reply_serialize(reply, &again, NULL), 0);
    assert_string_equal(out.data, again.data);
}

static void a_kind_of_answer_fits_its_interaction(void **state)
{
    (void)state;
    static const struct {
        const struct interaction *interaction;
        const char *allowed; /* callback types */
    } cases[] = {
        { &ping, "" },          { &command, "4,5,9" },    { &component, "4,5,6,7,9" },
        { &autocomplete, "8" }, { &modal_submit, "4,5" }, { &modal_on_message, "4,5,6,7" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (int kind = 4; kind <= 9; kind++) {
            CLEANUP(arena_free) struct arena arena = { 0 };
            struct reply *reply = reply_new(&arena, cases[i].interaction);
            if (kind == CALLBACK_DEFERRED_MESSAGE)
                reply_defer(reply);
            else if (kind == CALLBACK_DEFERRED_UPDATE)
                reply_defer_update(reply);
            else if (kind == CALLBACK_UPDATE_MESSAGE)
                reply_update(reply);
            else if (kind == CALLBACK_AUTOCOMPLETE)
                reply_suggest_nothing(reply);
            else if (kind == CALLBACK_MODAL)
                reply_modal(reply, STR("m"), STR("t"));
            if (kind == CALLBACK_MESSAGE || kind == CALLBACK_UPDATE_MESSAGE ||
                kind == CALLBACK_MODAL)
                reply_text(reply, "x");
            CLEANUP(buf_free) struct buf out = { 0 };
            bool is_allowed = strchr(cases[i].allowed, '0' + kind) != NULL;
            assert_int_equal(reply_serialize(reply, &out, NULL), is_allowed ? 0 : ERR_INVALID);
        }
    }
}

static void an_edit_has_no_envelope_and_lists_its_files(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &command);
    reply_ephemeral(reply);
    reply_text(reply, "x");
    CLEANUP(buf_free) struct buf out = { 0 };
    assert_int_equal(reply_serialize_edit(reply, &out, NULL), 0);
    assert_string_equal(out.data,
                        "{" V2 SILENT "\"attachments\":[],\"components\":[" TEXT("x") "]}");
    reply_file(reply, STR("data.json"), STR("{}\0x"));
    reply_file(reply, STR("b.png"), STR("png"));
    reply_picture(reply, STR("attachment://b.png"), STR_NONE);
    buf_clear(&out);
    assert_int_equal(reply_serialize_edit(reply, &out, NULL), 0);
    assert_string_equal(
        out.data,
        "{" V2 SILENT "\"attachments\":[{\"id\":0,\"filename\":\"data.json\"},{\"id\":1,"
        "\"filename\":\"b.png\"}],\"components\":[" TEXT(
            "x") ",{\"type\":13,\"file\":{\"url\":\"attachment://data.json\"}}"
                 ",{\"type\":13,\"file\":{\"url\":\"attachment://b.png\"}}"
                 ",{\"type\":12,\"items\":[{\"media\":{\"url\":\"attachment://b.png\"}}]}]}");
    int count;
    const struct reply_attachment *files = reply_files(reply, &count);
    assert_true(reply_has_files(reply));
    assert_int_equal(count, 2);
    assert_int_equal(files[0].bytes.length, 4);
    assert_memory_equal(files[0].bytes.data, "{}\0x", 4);
    assert_refused(reply, ERR_DEFERRAL, "data.attachments: files can't be sent inline");
    reply = reply_new(&arena, &command);
    reply_modal(reply, STR("m"), STR("t"));
    reply_text(reply, "x");
    struct err err = { 0 };
    assert_int_equal(reply_serialize_edit(reply, &out, &err), ERR_INVALID);
    assert_string_equal(err.message, "type: 9 can't be sent as an edit");
}

/* --- One broken reply each: how it is built, and the reason. --- */

static const struct reply_button good_button = { BUTTON_PRIMARY, { "B", 1 },  NULL,
                                                 { "b", 1 },     { NULL, 0 }, false };

static void build_nothing(struct reply *reply)
{
    (void)reply;
}

static void build_blank_text(struct reply *reply)
{
    reply_text(reply, " \n");
}

static void build_row_end(struct reply *reply)
{
    reply_text(reply, "x");
    reply_row_end(reply);
}

static void build_crossed_ends(struct reply *reply)
{
    reply_container_begin(reply, -1);
    reply_row_begin(reply);
    reply_container_end(reply);
    reply_row_end(reply);
}

static void build_open_row(struct reply *reply)
{
    reply_text(reply, "x");
    reply_row_begin(reply);
    reply_button(reply, &good_button);
}

static void build_loose_button(struct reply *reply)
{
    reply_button(reply, &good_button);
}

static void build_empty_row(struct reply *reply)
{
    reply_row_begin(reply);
    reply_row_end(reply);
}

static void add_buttons(struct reply *reply, int count)
{
    char id[16];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "b%d", i);
        struct reply_button button = good_button;
        button.custom_id = str_from(id);
        reply_button(reply, &button);
    }
}

static void build_six_buttons(struct reply *reply)
{
    reply_row_begin(reply);
    add_buttons(reply, 6);
    reply_row_end(reply);
}

static void add_select(struct reply *reply, struct reply_select select)
{
    select.custom_id = STR("s");
    reply_select(reply, &select);
}

static void build_select_beside_button(struct reply *reply)
{
    reply_row_begin(reply);
    add_buttons(reply, 1);
    add_select(reply, (struct reply_select){ .type = COMPONENT_USER_SELECT });
    reply_row_end(reply);
}

static void build_one_button(struct reply *reply, struct reply_button button)
{
    reply_row_begin(reply);
    reply_button(reply, &button);
    reply_row_end(reply);
}

static const char hundred_and_four[] =
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "5678901234";

static void build_long_custom_id(struct reply *reply)
{
    struct reply_button button = good_button;
    button.custom_id = str_from(hundred_and_four);
    build_one_button(reply, button);
}

static void build_no_custom_id(struct reply *reply)
{
    struct reply_button button = good_button;
    button.custom_id = STR_NONE;
    build_one_button(reply, button);
}

static void build_same_custom_id(struct reply *reply)
{
    build_one_button(reply, good_button);
    reply_container_begin(reply, -1);
    build_one_button(reply, good_button);
    reply_container_end(reply);
}

static void build_no_label(struct reply *reply)
{
    struct reply_button button = good_button;
    button.label = STR_NONE;
    build_one_button(reply, button);
}

static void build_bad_style(struct reply *reply)
{
    struct reply_button button = good_button;
    button.style = (enum button_style)6;
    build_one_button(reply, button);
}

static void build_link_without_url(struct reply *reply)
{
    build_one_button(reply, (struct reply_button){ .style = BUTTON_LINK, .label = STR("x") });
}

static void build_link_to_elsewhere(struct reply *reply)
{
    build_one_button(reply, (struct reply_button){ .style = BUTTON_LINK,
                                                   .label = STR("x"),
                                                   .url = STR("javascript:alert(1)") });
}

static void build_button_with_url(struct reply *reply)
{
    struct reply_button button = good_button;
    button.url = STR("https://x");
    build_one_button(reply, button);
}

static void build_container_in_container(struct reply *reply)
{
    reply_container_begin(reply, -1);
    reply_container_begin(reply, -1);
    reply_text(reply, "x");
    reply_container_end(reply);
    reply_container_end(reply);
}

static void build_empty_container(struct reply *reply)
{
    reply_container_begin(reply, -1);
    reply_container_end(reply);
}

static void build_bad_colour(struct reply *reply)
{
    reply_container_begin(reply, 0x1000000);
    reply_text(reply, "x");
    reply_container_end(reply);
}

static void build_section_without_accessory(struct reply *reply)
{
    reply_section_begin(reply);
    reply_text(reply, "x");
    reply_section_end(reply);
}

static void build_section_without_text(struct reply *reply)
{
    reply_section_begin(reply);
    reply_button(reply, &good_button);
    reply_section_end(reply);
}

static void build_section_of_four(struct reply *reply)
{
    reply_section_begin(reply);
    for (int i = 0; i < 4; i++)
        reply_text(reply, "x");
    reply_button(reply, &good_button);
    reply_section_end(reply);
}

static void build_text_after_accessory(struct reply *reply)
{
    reply_section_begin(reply);
    reply_text(reply, "x");
    reply_button(reply, &good_button);
    reply_text(reply, "y");
    reply_section_end(reply);
}

static void build_two_accessories(struct reply *reply)
{
    reply_section_begin(reply);
    reply_text(reply, "x");
    reply_button(reply, &good_button);
    reply_thumbnail(reply, STR("https://x"), STR_NONE);
    reply_section_end(reply);
}

static void build_loose_thumbnail(struct reply *reply)
{
    reply_thumbnail(reply, STR("https://x"), STR_NONE);
}

static void build_eleven_pictures(struct reply *reply)
{
    for (int i = 0; i < 11; i++)
        reply_picture(reply, STR("https://x"), STR_NONE);
}

static void build_picture_of_nothing(struct reply *reply)
{
    reply_text(reply, "x");
    reply_picture(reply, STR("attachment://x.png"), STR_NONE);
}

static void build_forty_one(struct reply *reply)
{
    reply_container_begin(reply, -1);
    for (int i = 0; i < 40; i++)
        reply_text(reply, "x");
    reply_container_end(reply);
}

static void build_one_select(struct reply *reply, struct reply_select select)
{
    reply_row_begin(reply);
    add_select(reply, select);
    reply_row_end(reply);
}

static const struct reply_select_option two_options[] = { { { "A", 1 }, { "a", 1 }, { 0 }, true },
                                                          { { "B", 1 }, { "b", 1 }, { 0 }, true } };
static const struct reply_select_option same_options[] = {
    { { "A", 1 }, { "a", 1 }, { 0 }, false }, { { "B", 1 }, { "a", 1 }, { 0 }, false }
};

static void build_select_of_nothing(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){ .type = COMPONENT_STRING_SELECT });
}

/* Counts without lists are handlers' bugs that must not become ours. */
static void build_select_of_missing_lists(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                   .option_count = 3,
                                                   .default_id_count = 3,
                                                   .channel_type_count = 3 });
}

static void build_select_min_above_max(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){
                                .type = COMPONENT_USER_SELECT, .min_values = 3, .max_values = 2 });
}

static void build_select_max_above_options(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                   .options = two_options,
                                                   .option_count = 2,
                                                   .max_values = 3 });
}

static void build_select_too_many_defaults(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                   .options = two_options,
                                                   .option_count = 2 });
}

static void build_select_same_values(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                   .options = same_options,
                                                   .option_count = 2 });
}

static void build_select_of_button_type(struct reply *reply)
{
    build_one_select(reply, (struct reply_select){ .type = (enum component_type)99 });
}

static void build_label_in_message(struct reply *reply)
{
    reply_checkbox(reply, STR("x"), STR_NONE, STR("y"), false);
}

static void build_defer_with_text(struct reply *reply)
{
    reply_defer(reply);
    reply_text(reply, "x");
}

static void build_two_kinds(struct reply *reply)
{
    reply_defer(reply);
    reply_modal(reply, STR("m"), STR("t"));
}

static void build_bad_filename(struct reply *reply)
{
    reply_text(reply, "x");
    reply_file(reply, STR("a/b"), STR("x"));
}

static void build_same_filename(struct reply *reply)
{
    reply_file(reply, STR("a"), STR("x"));
    reply_file(reply, STR("a"), STR("y"));
}

static void start_modal(struct reply *reply)
{
    reply_modal(reply, STR("m"), STR("t"));
}

static void build_modal_without_title(struct reply *reply)
{
    reply_modal(reply, STR("m"), STR(""));
    reply_text(reply, "x");
}

static void build_modal_long_id(struct reply *reply)
{
    reply_modal(reply, str_from(hundred_and_four), STR("t"));
    reply_text(reply, "x");
}

static void build_modal_row(struct reply *reply)
{
    start_modal(reply);
    build_one_button(reply, good_button);
}

static void build_modal_of_six(struct reply *reply)
{
    start_modal(reply);
    for (int i = 0; i < 6; i++)
        reply_text(reply, "x");
}

static void build_modal_no_label(struct reply *reply)
{
    start_modal(reply);
    reply_checkbox(reply, STR_NONE, STR_NONE, STR("y"), false);
}

static void build_input_long_value(struct reply *reply)
{
    start_modal(reply);
    reply_text_input(
        reply, STR("l"), STR_NONE,
        &(struct reply_text_input){ .custom_id = STR("i"), .max_length = 2, .value = STR("abc") });
}

static void build_input_min_above_max(struct reply *reply)
{
    start_modal(reply);
    reply_text_input(
        reply, STR("l"), STR_NONE,
        &(struct reply_text_input){ .custom_id = STR("i"), .min_length = 3, .max_length = 2 });
}

static void build_input_too_long(struct reply *reply)
{
    start_modal(reply);
    reply_text_input(reply, STR("l"), STR_NONE,
                     &(struct reply_text_input){ .custom_id = STR("i"), .max_length = 4001 });
}

static void build_radio_of_one(struct reply *reply)
{
    start_modal(reply);
    reply_choice_group(reply, STR("l"), STR_NONE,
                       &(struct reply_choice_group){ .type = COMPONENT_RADIO_GROUP,
                                                     .custom_id = STR("r"),
                                                     .options = two_options,
                                                     .option_count = 1 });
}

static void build_radio_two_defaults(struct reply *reply)
{
    start_modal(reply);
    reply_choice_group(reply, STR("l"), STR_NONE,
                       &(struct reply_choice_group){ .type = COMPONENT_RADIO_GROUP,
                                                     .custom_id = STR("r"),
                                                     .options = two_options,
                                                     .option_count = 2 });
}

static void build_checkboxes_max(struct reply *reply)
{
    start_modal(reply);
    reply_choice_group(reply, STR("l"), STR_NONE,
                       &(struct reply_choice_group){ .type = COMPONENT_CHECKBOX_GROUP,
                                                     .custom_id = STR("r"),
                                                     .options = two_options,
                                                     .option_count = 2,
                                                     .max_values = 3 });
}

static void build_disabled_in_modal(struct reply *reply)
{
    start_modal(reply);
    reply_labelled_select(reply, STR("l"), STR_NONE,
                          &(struct reply_select){ .type = COMPONENT_ROLE_SELECT,
                                                  .custom_id = STR("r"),
                                                  .is_disabled = true });
}

static void build_eleven_uploads(struct reply *reply)
{
    start_modal(reply);
    reply_file_upload(reply, STR("l"), STR_NONE, STR("f"), 1, 11);
}

static void build_modal_file(struct reply *reply)
{
    start_modal(reply);
    reply_file(reply, STR("a"), STR("x"));
}

static void build_mentions(struct reply *reply)
{
    reply_text(reply, "x");
    for (int i = 1; i <= 101; i++)
        reply_mention_user(reply, i);
}

static const struct {
    void (*build)(struct reply *reply);
    int code;
    const char *reason;
} faults[] = {
    { build_nothing, ERR_LIMIT, "data.components: 0, allowed are 1 to 40" },
    { build_blank_text, ERR_INVALID, "data.components[0].content: empty" },
    { build_row_end, ERR_INVALID, "data: reply_row_end, but no row is open here" },
    { build_crossed_ends, ERR_INVALID,
      "data.components[0].components[0]: reply_container_end, but no container is open here" },
    { build_open_row, ERR_INVALID, "data.components[1]: begun but not ended" },
    { build_loose_button, ERR_INVALID, "data.components[0]: a button has no place in a message" },
    { build_empty_row, ERR_LIMIT, "data.components[0].components: 0, allowed are 1 to 5" },
    { build_six_buttons, ERR_LIMIT, "data.components[0].components: 6, allowed are 1 to 5" },
    { build_select_beside_button, ERR_INVALID,
      "data.components[0].components[1]: a select needs a row of its own" },
    { build_long_custom_id, ERR_LIMIT,
      "data.components[0].components[0].custom_id: 104 characters, at most 100" },
    { build_no_custom_id, ERR_INVALID, "data.components[0].components[0].custom_id: empty" },
    { build_same_custom_id, ERR_INVALID,
      "data.components[1].components[0].components[0].custom_id: another component has it too" },
    { build_no_label, ERR_INVALID,
      "data.components[0].components[0].label: empty, and there is no emoji" },
    { build_bad_style, ERR_LIMIT, "data.components[0].components[0].style: 6, allowed are 1 to 5" },
    { build_link_without_url, ERR_INVALID, "data.components[0].components[0].url: empty" },
    { build_link_to_elsewhere, ERR_INVALID,
      "data.components[0].components[0].url: not a URL of the web" },
    { build_button_with_url, ERR_INVALID,
      "data.components[0].components[0].url: only a link button has one" },
    { build_container_in_container, ERR_INVALID,
      "data.components[0].components[0]: a container has no place in a container" },
    { build_empty_container, ERR_LIMIT, "data.components[0].components: 0, allowed are 1 to 40" },
    { build_bad_colour, ERR_LIMIT,
      "data.components[0].accent_color: 16777216, allowed are -1 to 16777215" },
    { build_section_without_accessory, ERR_INVALID, "data.components[0].accessory: missing" },
    { build_section_without_text, ERR_LIMIT,
      "data.components[0].components: 0, allowed are 1 to 3" },
    { build_section_of_four, ERR_LIMIT, "data.components[0].components: 4, allowed are 1 to 3" },
    { build_text_after_accessory, ERR_INVALID,
      "data.components[0].components[1]: nothing may follow a section's accessory" },
    { build_two_accessories, ERR_INVALID,
      "data.components[0].accessory: nothing may follow a section's accessory" },
    { build_loose_thumbnail, ERR_INVALID,
      "data.components[0]: a thumbnail has no place in a message" },
    { build_eleven_pictures, ERR_LIMIT, "data.components[0].items: 11, allowed are 1 to 10" },
    { build_picture_of_nothing, ERR_INVALID,
      "data.components[1].items[0].media.url: no file of that name is attached" },
    { build_forty_one, ERR_LIMIT, "data.components: 41 with nested ones, at most 40" },
    { build_select_of_nothing, ERR_LIMIT,
      "data.components[0].components[0].options: 0, allowed are 1 to 25" },
    { build_select_of_missing_lists, ERR_LIMIT,
      "data.components[0].components[0].options: 0, allowed are 1 to 25" },
    { build_select_min_above_max, ERR_INVALID,
      "data.components[0].components[0].min_values: 3, but max_values is 2" },
    { build_select_max_above_options, ERR_INVALID,
      "data.components[0].components[0].max_values: 3, but there are 2 options" },
    { build_select_too_many_defaults, ERR_LIMIT,
      "data.components[0].components[0].options: 2 are chosen already, at most 1" },
    { build_select_same_values, ERR_INVALID,
      "data.components[0].components[0].options[1].value: the value of options[0] too" },
    { build_select_of_button_type, ERR_INVALID,
      "data.components[0].components[0].type: 99 is no component" },
    { build_label_in_message, ERR_INVALID,
      "data.components[0]: a label has no place in a message" },
    { build_defer_with_text, ERR_INVALID, "data.components: not in an answer of type 5" },
    { build_two_kinds, ERR_INVALID, "data: two kinds of answer in one reply" },
    { build_bad_filename, ERR_INVALID,
      "data.components[1]: a file name needs 1-100 of A-Z, a-z, 0-9, '.', '_', '-'" },
    { build_same_filename, ERR_INVALID, "data.components[1]: two files of the same name" },
    { build_modal_without_title, ERR_INVALID, "data.title: empty" },
    { build_modal_long_id, ERR_LIMIT, "data.custom_id: 104 characters, at most 100" },
    { start_modal, ERR_LIMIT, "data.components: 0, allowed are 1 to 5" },
    { build_modal_row, ERR_INVALID, "data.components[0]: a row has no place in a modal" },
    { build_modal_of_six, ERR_LIMIT, "data.components: 6, allowed are 1 to 5" },
    { build_modal_no_label, ERR_INVALID, "data.components[0].label: empty" },
    { build_input_long_value, ERR_LIMIT,
      "data.components[0].component.value: 3 characters, at most 2" },
    { build_input_min_above_max, ERR_INVALID,
      "data.components[0].component.min_length: 3, but max_length is 2" },
    { build_input_too_long, ERR_LIMIT,
      "data.components[0].component.max_length: 4001, allowed are 1 to 4000" },
    { build_radio_of_one, ERR_LIMIT,
      "data.components[0].component.options: 1, allowed are 2 to 10" },
    { build_radio_two_defaults, ERR_LIMIT,
      "data.components[0].component.options: 2 are chosen already, at most 1" },
    { build_checkboxes_max, ERR_LIMIT,
      "data.components[0].component.max_values: 3, allowed are 1 to 2" },
    { build_disabled_in_modal, ERR_INVALID,
      "data.components[0].component.disabled: not in a modal" },
    { build_eleven_uploads, ERR_LIMIT,
      "data.components[0].component.max_values: 11, allowed are 1 to 10" },
    { build_modal_file, ERR_INVALID, "data.attachments: only a message has files" },
    { build_mentions, ERR_LIMIT, "data: more than 100 users or roles are mentioned" },
};

static void what_discord_would_refuse_is_named_by_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        CLEANUP(arena_free) struct arena arena = { 0 };
        struct reply *reply = reply_new(&arena, &component);
        faults[i].build(reply);
        assert_refused(reply, faults[i].code, faults[i].reason);
        reply_reset(reply);
        assert_true(reply_is_empty(reply));
        reply_text(reply, "x");
        assert_serialized(reply,
                          "{\"type\":4,\"data\":{" V2 SILENT "\"components\":[" TEXT("x") "]}}");
    }
}

static void suggestions_keep_their_limits(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &autocomplete);
    for (int i = 0; i < 26; i++)
        reply_suggest(reply, STR("n"), STR("v"));
    assert_refused(reply, ERR_LIMIT, "data: more than 25 suggestions");
    reply_reset(reply);
    reply_suggest(reply, str_from(hundred_and_four), STR("v"));
    CLEANUP(buf_free) struct buf out = { 0 };
    assert_int_equal(reply_serialize(reply, &out, NULL), 0);
    assert_null(checked_answer(out.data));
    reply_suggest(reply, STR("n"), str_from(hundred_and_four));
    assert_refused(reply, ERR_LIMIT, "data.choices[1].value: 104 characters, at most 100");
    reply_reset(reply);
    reply_suggest(reply, STR(""), STR("v"));
    assert_refused(reply, ERR_INVALID, "data.choices[0].name: empty");
}

static void an_answer_too_large_for_inline_is_refused(void **state)
{
    (void)state;
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &command);
    /* 25 options of 300 four-byte characters each, in 5 rows and more. */
    CLEANUP(buf_free) struct buf emojis = { 0 };
    for (int i = 0; i < 49; i++)
        buf_append(&emojis, STR("\x01\x01"));
    struct reply_select_option options[25] = { 0 };
    char values[25][8];
    for (int i = 0; i < 25; i++) {
        snprintf(values[i], sizeof(values[i]), "v%d", i);
        options[i] = (struct reply_select_option){ .label = buf_view(&emojis),
                                                   .value = str_from(values[i]),
                                                   .description = buf_view(&emojis) };
    }
    for (int i = 0; i < 20; i++) {
        reply_row_begin(reply);
        reply_select(reply, &(struct reply_select){ .type = COMPONENT_STRING_SELECT,
                                                    .custom_id = str_from(values[i]),
                                                    .options = options,
                                                    .option_count = 25 });
        reply_row_end(reply);
    }
    CLEANUP(buf_free) struct buf out = { 0 };
    struct err err = { 0 };
    assert_int_equal(reply_serialize(reply, &out, &err), ERR_DEFERRAL);
    assert_non_null(strstr(err.message, "at most 150000 inline"));
    assert_int_equal(out.length, 0);
    assert_int_equal(reply_serialize_edit(reply, &out, &err), 0);
    assert_true(out.length > REPLY_INLINE_MAX_BYTES);
}

static void without_memory_a_reply_says_so(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 12000; limit += 16) {
        CLEANUP(arena_free) struct arena arena = { .limit = limit ? limit : 1 };
        struct reply *reply = reply_new(&arena, &component);
        if (!reply)
            continue;
        reply_container_begin(reply, 1);
        reply_section_begin(reply);
        reply_text(reply, "x");
        reply_button(reply, &good_button);
        reply_section_end(reply);
        build_select_max_above_options(reply);
        reply_container_end(reply);
        CLEANUP(buf_free) struct buf out = { 0 };
        int code = reply_serialize(reply, &out, NULL);
        assert_true(code == ERR_MEMORY || code == ERR_INVALID);
        assert_int_equal(out.length, 0);
    }
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct reply *reply = reply_new(&arena, &command);
    reply_text(reply, "x");
    CLEANUP(buf_free) struct buf small = { .limit = 20 };
    assert_int_equal(reply_serialize(reply, &small, NULL), ERR_MEMORY);
}

/* --- Property: whatever is built is either refused with a path or within all limits. --- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int below(uint64_t *random, int bound)
{
    return (int)(next_random(random) % (uint64_t)bound);
}

/* Random text, seldom longer than `usual` characters, sometimes invalid UTF-8. */
static struct str_view random_text(struct arena *arena, uint64_t *random, int usual)
{
    static const char *const characters[] = {
        "a", "Z", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"", "\n"
    };
    int kind = below(random, 40);
    if (kind == 0)
        return STR_NONE;
    if (kind == 1)
        return STR("\xff\xc0 bad");
    int length = kind == 2 ? usual * 2 : 1 + below(random, usual);
    char *text = arena_allocate(arena, (size_t)length * 4 + 1);
    assert_non_null(text);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        const char *character = characters[below(random, 8)];
        memcpy(text + used, character, strlen(character));
        used += strlen(character);
    }
    return (struct str_view){ text, used };
}

/* Ids are mostly different, seldom too long or missing. */
static struct str_view random_id(struct arena *arena, uint64_t *random)
{
    int kind = below(random, 60);
    if (kind == 0)
        return STR_NONE;
    if (kind == 1)
        return str_from(hundred_and_four);
    return arena_format(arena, "id:%d", below(random, 100000));
}

static struct reply_select random_select(struct arena *arena, uint64_t *random)
{
    static const int types[] = { 3, 5, 6, 7, 8 };
    struct reply_select select = {
        .type = (enum component_type)types[below(random, 5)],
        .custom_id = random_id(arena, random),
        .placeholder = random_text(arena, random, 150),
        .min_values = below(random, 10) == 0 ? 2 : below(random, 2),
        .max_values = below(random, 10) == 0 ? 26 : below(random, 2),
        .is_disabled = below(random, 20) == 0,
        .is_optional = below(random, 2) == 0,
    };
    if (select.type != COMPONENT_STRING_SELECT)
        return select;
    select.option_count = below(random, 20) == 0 ? below(random, 30) : 1 + below(random, 5);
    struct reply_select_option *options =
        arena_allocate_array(arena, (size_t)select.option_count, sizeof(*options));
    for (int i = 0; i < select.option_count; i++)
        options[i] =
            (struct reply_select_option){ random_text(arena, random, 100), random_id(arena, random),
                                          random_text(arena, random, 100), below(random, 20) == 0 };
    select.options = options;
    return select;
}

static struct reply_button random_button(struct arena *arena, uint64_t *random)
{
    bool is_link = below(random, 5) == 0;
    bool is_odd = below(random, 50) == 0;
    return (struct reply_button){
        .style = is_link ? BUTTON_LINK : (enum button_style)(1 + below(random, 4)),
        .label = random_text(arena, random, 80),
        .emoji = below(random, 4) == 0 ? "\xf0\x9f\x8e\xb2" : NULL,
        .custom_id = is_link != is_odd ? STR_NONE : random_id(arena, random),
        .url = is_link != is_odd ? STR("https://example.com/x") : STR_NONE,
        .is_disabled = below(random, 3) == 0,
    };
}

/* Mostly sensible parts of a message in a container or at the top, some of them misplaced. */
static void add_random_part(struct arena *arena, struct reply *reply, uint64_t *random)
{
    struct reply_button button = random_button(arena, random);
    struct reply_select select = random_select(arena, random);
    switch (below(random, 12)) {
    case 0:
    case 1:
    case 2:
        reply_text_view(reply, random_text(arena, random, below(random, 8) == 0 ? 3000 : 200));
        break;
    case 3:
        reply_section_begin(reply);
        for (int i = below(random, 4) + (below(random, 10) != 0); i > 0; i--)
            reply_text_view(reply, random_text(arena, random, 100));
        if (below(random, 2) == 0)
            reply_thumbnail(reply, STR("https://example.com/t.png"),
                            random_text(arena, random, 900));
        else
            reply_button(reply, &button);
        reply_section_end(reply);
        break;
    case 4:
    case 5:
        reply_row_begin(reply);
        for (int i = 1 + below(random, below(random, 10) == 0 ? 7 : 5); i > 0; i--) {
            button = random_button(arena, random);
            reply_button(reply, &button);
        }
        reply_row_end(reply);
        break;
    case 6:
    case 7:
        reply_row_begin(reply);
        reply_select(reply, &select);
        reply_row_end(reply);
        break;
    case 8:
        reply_separator(reply, below(random, 2) == 0);
        break;
    case 9:
        for (int i = 1 + below(random, below(random, 10) == 0 ? 14 : 4); i > 0; i--)
            reply_picture(reply, STR("https://example.com/p.png"), random_text(arena, random, 50));
        break;
    case 10:
        if (below(random, 10) == 0)
            reply_button(reply, &button);
        break;
    default:
        if (below(random, 10) == 0)
            reply_row_end(reply);
        break;
    }
}

static void build_random_message(struct arena *arena, struct reply *reply, uint64_t *random)
{
    for (int i = 1 + below(random, 6); i > 0; i--) {
        bool is_boxed = below(random, 4) == 0;
        if (is_boxed)
            reply_container_begin(reply, below(random, 0x1000010) - 1);
        for (int j = 1 + below(random, is_boxed ? 6 : 1); j > 0; j--)
            add_random_part(arena, reply, random);
        if (is_boxed)
            reply_container_end(reply);
    }
}

static void build_random_modal(struct arena *arena, struct reply *reply, uint64_t *random)
{
    reply_modal(reply, random_id(arena, random), random_text(arena, random, 45));
    for (int i = 1 + below(random, below(random, 10) == 0 ? 7 : 5); i > 0; i--) {
        struct str_view label = random_text(arena, random, 45);
        struct str_view description = random_text(arena, random, 100);
        struct str_view id = random_id(arena, random);
        struct reply_select select = random_select(arena, random);
        switch (below(random, 6)) {
        case 0:
            reply_text_view(reply, random_text(arena, random, 3000));
            break;
        case 1:
            reply_text_input(reply, label, description,
                             &(struct reply_text_input){ id, below(random, 2) == 0,
                                                         below(random, 5), below(random, 5000),
                                                         false, random_text(arena, random, 20),
                                                         random_text(arena, random, 100) });
            break;
        case 2:
            reply_labelled_select(reply, label, description, &select);
            break;
        case 3:
            reply_choice_group(reply, label, description,
                               &(struct reply_choice_group){ .type = below(random, 2)
                                                                         ? COMPONENT_RADIO_GROUP
                                                                         : COMPONENT_CHECKBOX_GROUP,
                                                             .custom_id = id,
                                                             .options = select.options,
                                                             .option_count = select.option_count,
                                                             .max_values = below(random, 3) });
            break;
        case 4:
            reply_checkbox(reply, label, description, id, below(random, 2) == 0);
            break;
        default:
            reply_file_upload(reply, label, description, id, below(random, 2),
                              1 + below(random, 11));
            break;
        }
    }
}

static void a_random_reply_is_fine_or_named(void **state)
{
    (void)state;
    uint64_t random = 0x2545f4914f6cdd1d;
    int fine = 0, refused = 0;
    for (int round = 0; round < 4000; round++) {
        CLEANUP(arena_free) struct arena arena = { 0 };
        struct reply *reply = reply_new(&arena, &component);
        if (below(&random, 3) == 0)
            build_random_modal(&arena, reply, &random);
        else
            build_random_message(&arena, reply, &random);
        CLEANUP(buf_free) struct buf out = { 0 };
        struct err err = { 0 };
        int code = reply_serialize(reply, &out, &err);
        if (code < 0) {
            refused++;
            assert_true(code == ERR_INVALID || code == ERR_LIMIT);
            assert_memory_equal(err.message, "data", 4);
            assert_int_equal(out.length, 0);
            continue;
        }
        fine++;
        const char *fault = checked_answer(out.data);
        if (fault)
            fail_msg("round %d: %s\n%s", round, fault, out.data);
    }
    /* Both ways were taken often, or the test has lost its point. */
    assert_true(fine > 500);
    assert_true(refused > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_pings_nobody_unless_asked),
        cmocka_unit_test(everything_a_message_can_show_is_written_as_documented),
        cmocka_unit_test(a_modal_is_written_as_documented),
        cmocka_unit_test(short_answers_are_written_as_documented),
        cmocka_unit_test(texts_that_may_be_cut_end_between_characters),
        cmocka_unit_test(later_texts_give_way_to_earlier_ones),
        cmocka_unit_test(a_kind_of_answer_fits_its_interaction),
        cmocka_unit_test(an_edit_has_no_envelope_and_lists_its_files),
        cmocka_unit_test(what_discord_would_refuse_is_named_by_its_path),
        cmocka_unit_test(suggestions_keep_their_limits),
        cmocka_unit_test(an_answer_too_large_for_inline_is_refused),
        cmocka_unit_test(without_memory_a_reply_says_so),
        cmocka_unit_test(a_random_reply_is_fine_or_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
