/* Walks through wizards at random: every button, old ones too, every kind of field, values as long
 * and as odd as they can be, time that passes, in every language. Whatever happens, each answer is
 * one that Discord takes, there is a way on from each page, and no answer is a fault of ours.
 *
 * A walk is a function of its seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/settings.h"
#include "bronx/wizard.h"

#include "commands.h"
#include "large_wizard.h"
#include "wizard_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALKS       2 /* of each wizard in each language */
#define CLICKS      120
#define OLD_IDS     16
#define FIRST_ID    INT64_C(1234567890123456701)
#define TYPED_MAX   6000 /* bytes; more than any form lets through */
#define FIELD_UNITS 4    /* that a form lets through for each character of a text */

static const struct command *const commands[] = { &large_command, &setup_command, NULL };

/* --- Chance --- */

static uint64_t chance_state;

/* https://prng.di.unimi.it/splitmix64.c */
static uint64_t draw(uint64_t below)
{
    uint64_t z = (chance_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* --- Filling in forms --- */

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static const char *const good_texts[] = {
    "1k",
    "250",
    "7 days",
    "Europe/Madrid",
    "none",
    "gems",
    "2",
    "",
    "<a:abcdefghijklmnopqrstuvwxyz_ABCDE:9223372036854775807>"
};
static const char *const odd_pieces[] = { "*",
                                          "\\",
                                          "\"",
                                          "`",
                                          "_",
                                          "|",
                                          "~",
                                          "<@1234567890>",
                                          "x",
                                          " ",
                                          "7",
                                          "\xf0\x9f\x92\x8e",
                                          "\xd9\x82",
                                          "e\xcc\x81",
                                          "\xe5\x86\x86",
                                          "[a](https://b.c)",
                                          "\n",
                                          "\xe2\x80\xae",
                                          "=",
                                          "@everyone",
                                          "\xe2\x80\x8b" };

/* How forms are filled in: at random, or each field with as much of one piece as fits, or with more
 * than is possible. */
static enum { AT_RANDOM, LONGEST, TOO_LONG } filling;
static const char *filling_piece;

static json_object *longest_text(int64_t max)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    size_t units = utf8_units(str_from(filling_piece));
    size_t wanted = filling == TOO_LONG ? (size_t)max : (size_t)max / FIELD_UNITS;
    for (size_t i = 0; i < wanted && (i + 1) * units <= (size_t)max; i++)
        buf_append(&text, str_from(filling_piece));
    return json_object_new_string_len(text.data, (int)text.length);
}

/* As many pieces of one kind, or of all, as the form lets through; now and then more. */
static json_object *typed_text(int64_t max)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    if (filling != AT_RANDOM)
        return longest_text(max);
    if (draw(3) == 0)
        return json_object_new_string(good_texts[draw(ARRAY_LENGTH(good_texts))]);
    size_t wanted = draw(8) == 0 ? TYPED_MAX : draw(2) ? (size_t)max : (size_t)draw((uint64_t)max);
    bool is_mixed = draw(2);
    uint64_t kind = draw(ARRAY_LENGTH(odd_pieces));
    buf_append(&text, STR(""));
    while (utf8_units(buf_view(&text)) < wanted)
        buf_append(&text, str_from(odd_pieces[is_mixed ? draw(ARRAY_LENGTH(odd_pieces)) : kind]));
    struct str_view cut =
        wanted == TYPED_MAX ? buf_view(&text) : utf8_prefix(buf_view(&text), wanted);
    return json_object_new_string_len(cut.data, (int)cut.length);
}

static json_object *picked_options(json_object *field, bool is_single)
{
    json_object *options = get(field, "options"), *list = json_object_new_array();
    size_t count = json_object_array_length(options), only = draw(count);
    bool is_all = !is_single && (filling == LONGEST || draw(2));
    for (size_t i = 0; i < count; i++)
        if (is_all || (is_single ? i == only : draw(2)))
            json_object_array_add(
                list, json_object_get(get(json_object_array_get_idx(options, i), "value")));
    return list;
}

static json_object *picked_ids(void)
{
    json_object *list = json_object_new_array();
    char text[32];
    size_t count = filling == LONGEST || draw(2) ? IDS_MAX : draw(IDS_MAX);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%" PRId64, FIRST_ID + (int64_t)i);
        json_object_array_add(list, json_object_new_string(text));
    }
    return list;
}

static void fill_in(json_object *field)
{
    json_object *max = get(field, "max_length");
    switch (json_object_get_int(get(field, "type"))) {
    case COMPONENT_TEXT_INPUT:
        json_object_object_add(field, "value", typed_text(max ? json_object_get_int64(max) : 4000));
        break;
    case COMPONENT_STRING_SELECT:
        json_object_object_add(field, "values", picked_options(field, true));
        break;
    case COMPONENT_CHECKBOX_GROUP:
        json_object_object_add(field, "values", picked_options(field, false));
        break;
    case COMPONENT_RADIO_GROUP: {
        json_object *list = picked_options(field, true);
        json_object_object_add(field, "value", json_object_get(json_object_array_get_idx(list, 0)));
        json_object_put(list);
        break;
    }
    case COMPONENT_CHECKBOX:
        json_object_object_add(field, "value", json_object_new_boolean(draw(2) != 0));
        break;
    default:
        json_object_object_add(field, "values", picked_ids());
    }
    json_object_object_del(field, "options");
}

static void fill_in_and_submit(struct visitor *visitor)
{
    CLEANUP(buf_free) struct buf filled = { 0 };
    json_object *labels = get(visitor->form, "components");
    for (size_t i = 0; i < json_object_array_length(labels); i++) {
        json_object *field = NULL;
        json_object_deep_copy(get(json_object_array_get_idx(labels, i), "component"), &field, NULL);
        json_object_object_add(field, "id", json_object_new_int((int)i + 10));
        fill_in(field);
        buf_append_format(&filled, "%s{\"type\":18,\"id\":%zu,\"component\":%s}", i ? "," : "",
                          i + 1, json_object_to_json_string_ext(field, JSON_C_TO_STRING_PLAIN));
        json_object_put(field);
    }
    visitor_submit(visitor, filled.data);
}

static void append_resolved(struct buf *resolved)
{
    buf_append(resolved, STR("{\"roles\":{"));
    for (int i = 0; i < IDS_MAX; i++)
        buf_append_format(resolved, "%s\"%" PRId64 "\":{\"id\":\"%" PRId64 "\",\"name\":\"r\"}",
                          i ? "," : "", FIRST_ID + i, FIRST_ID + i);
    buf_append(resolved, STR("},\"channels\":{"));
    for (int i = 0; i < IDS_MAX; i++)
        buf_append_format(resolved, "%s\"%" PRId64 "\":{\"id\":\"%" PRId64 "\",\"type\":0}",
                          i ? "," : "", FIRST_ID + i, FIRST_ID + i);
    buf_append(resolved, STR("}}"));
}

/* --- What pages must show --- */

/* How many fields: none is lost because those before it are long. */
static size_t fields_shown(json_object *page)
{
    size_t count = 0;
    const char *text = json_object_to_json_string(page);
    while ((text = strstr(text, LABEL_45 ":"))) {
        count++;
        text++;
    }
    return count;
}

static void open_form(struct visitor *visitor)
{
    size_t count = fields_shown(visitor->page);
    visitor_press(visitor, "edit");
    if (visitor->is_form)
        assert_int_equal(count, json_object_array_length(get(visitor->form, "components")));
}

/* At least those that always apply. */
static void assert_review_is_whole(const struct visitor *visitor)
{
    size_t always = 0;
    for (size_t i = 0; large_fields[i].key; i++)
        always += !large_fields[i].applies;
    assert_true(fields_shown(visitor->page) >= always);
}

/* --- Walking --- */

struct walk {
    struct visitor visitor;
    const char *command, *sub_command;
    char old_ids[OLD_IDS][128];
    size_t old_count;
    int end_count;
};

static const char *const actions[] = { "edit", "edit", "edit",   "next", "next",  "save",
                                       "save", "back", "cancel", "skip", "rebase" };

static bool has_a_way_on(const struct visitor *visitor)
{
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
        if (visitor_button(visitor, actions[i]))
            return true;
    return false;
}

static void press_something(struct walk *walk)
{
    struct visitor *visitor = &walk->visitor;
    const char *custom_id = NULL;
    while (!custom_id) {
        size_t choice = draw(ARRAY_LENGTH(actions));
        /* The way to the end is long: fewer walks stop in the middle. */
        if (strcmp(actions[choice], "cancel") != 0 || draw(8) == 0)
            custom_id = visitor_button(visitor, actions[choice]);
    }
    snprintf(walk->old_ids[walk->old_count++ % OLD_IDS], sizeof(walk->old_ids[0]), "%s", custom_id);
    visitor_press_id(visitor, custom_id);
}

static void step(struct walk *walk)
{
    struct visitor *visitor = &walk->visitor;
    if (draw(40) == 0)
        visitor->fixture->base.now_ms += WIZARD_EXPIRY_MS;
    else
        visitor->fixture->base.now_ms += (int64_t)draw(60) * MS_PER_SECOND;
    if (visitor->is_form)
        fill_in_and_submit(visitor);
    else if (walk->old_count > 0 && draw(20) == 0)
        visitor_press_id(
            visitor, walk->old_ids[draw(walk->old_count < OLD_IDS ? walk->old_count : OLD_IDS)]);
    else if (has_a_way_on(visitor))
        press_something(walk);
    else {
        walk->end_count++;
        visitor_run(visitor, walk->command, walk->sub_command);
    }
    visitor_replay(visitor);
}

static void go(struct router_fixture *fixture, const char *command, const char *sub_command,
               const char *locale, uint64_t seed)
{
    CLEANUP(buf_free) struct buf resolved = { 0 };
    struct walk walk = { .command = command, .sub_command = sub_command };
    append_resolved(&resolved);
    chance_state = seed;
    filling = AT_RANDOM;
    visitor_init(&walk.visitor, fixture, ALICE);
    walk.visitor.ask.locale = locale;
    walk.visitor.resolved = resolved.data;
    print_message("/%s %s in %s, seed %" PRIu64 "\n", command, sub_command, locale, seed);
    visitor_run(&walk.visitor, command, sub_command);
    for (int i = 0; i < CLICKS; i++)
        step(&walk);
    assert_true(walk.end_count > 0);
    visitor_fini(&walk.visitor);
}

static int64_t count_drafts(struct router_fixture *fixture, const char *sql)
{
    return service_fixture_count(&fixture->base, sql);
}

static void every_answer_of_a_walk_is_whole(void **state)
{
    static const char *const locales[] = { "en-US", "es-ES" };
    static const char *const of_setup[] = { "server", "user", "quick" };
    struct router_fixture *fixture = *state;
    uint64_t seed = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(locales) * WALKS; i++) {
        const char *locale = locales[i % ARRAY_LENGTH(locales)];
        go(fixture, "large", "wizard", locale, ++seed);
        for (size_t j = 0; j < ARRAY_LENGTH(of_setup); j++)
            go(fixture, "setup", of_setup[j], locale, ++seed);
    }
    assert_true(large_wizard_revision() > 0);
    assert_true(count_drafts(fixture, "SELECT COUNT(*) FROM server_settings_change") > 0);
    assert_true(count_drafts(fixture, "SELECT COUNT(*) FROM user_settings_change") > 0);
}

/* Each page in turn with too long answers to all of its fields, then the longest possible to those
 * that take any. */
static void fill_all_pages(struct visitor *visitor, const char *piece)
{
    filling_piece = piece;
    visitor_run(visitor, "large", "wizard");
    while (!visitor_button(visitor, "save")) {
        filling = TOO_LONG;
        open_form(visitor);
        fill_in_and_submit(visitor);
        if (visitor_button(visitor, "save"))
            break;
        filling = LONGEST;
        open_form(visitor);
        fill_in_and_submit(visitor);
        if (!visitor_button(visitor, "save") && !visitor_button(visitor, "next"))
            visitor_press(visitor, "skip");
    }
    assert_review_is_whole(visitor);
    visitor_press(visitor, "save");
    if (visitor_button(visitor, "rebase")) {
        visitor_press(visitor, "rebase");
        assert_review_is_whole(visitor);
        visitor_press(visitor, "save");
    }
    filling = AT_RANDOM;
}

/* Once as what is new, once more as what was there before. */
static void every_page_takes_the_longest_values(void **state)
{
    CLEANUP(buf_free) struct buf resolved = { 0 };
    struct visitor visitor;
    append_resolved(&resolved);
    visitor_init(&visitor, *state, ALICE);
    visitor.resolved = resolved.data;
    for (size_t i = 0; i < ARRAY_LENGTH(odd_pieces); i++)
        fill_all_pages(&visitor, odd_pieces[i]);
    assert_true(large_wizard_revision() > 0);
    visitor_fini(&visitor);
}

static int open_fixture(void **state)
{
    static struct router_fixture fixture;
    *state = &fixture;
    return router_fixture_open(&fixture, commands, 1, 4);
}

static int close_fixture(void **state)
{
    router_fixture_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_page_takes_the_longest_values, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(every_answer_of_a_walk_is_whole, open_fixture,
                                        close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
