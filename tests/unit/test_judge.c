/* The simulator's judge is really strict: each good answer passes without a word, each bad one is
 * refused for the reason named, with the path of the culprit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/memory.h"
#include "simulator/judge.h"

#include <stdlib.h>
#include <string.h>

enum { PING = 1, COMMAND = 2, COMPONENT = 3, AUTOCOMPLETE = 4, SUBMIT = 5 };

struct answer_case {
    int interaction_type;
    const char *body;     /* @ stands for ", so that JSON stays readable */
    const char *expected; /* part of a violation; NULL: none at all */
};

/* The envelope of a Components V2 message around `components`. */
#define V2(components)                                                                             \
    "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{@parse@:[]},@components@:[" components    \
    "]}}"
#define MODAL(components)                                                                          \
    "{@type@:9,@data@:{@custom_id@:@m@,@title@:@T@,@components@:[" components "]}}"
#define TEXT          "{@type@:10,@content@:@hello@}"
#define ROW(children) "{@type@:1,@components@:[" children "]}"
#define BUTTON(id)    "{@type@:2,@style@:1,@label@:@Go@,@custom_id@:@" id "@}"
#define OPTION(v)     "{@label@:@" v "@,@value@:@" v "@}"
#define SELECT(more)                                                                               \
    "{@type@:3,@custom_id@:@s@,@options@:[" OPTION("a") "," OPTION("b") "]" more "}"
#define LABEL(child) "{@type@:18,@label@:@L@,@component@:" child "}"
#define INPUT(more)  "{@type@:4,@custom_id@:@i@,@style@:1" more "}"
#define CHOICES(v)   "{@type@:8,@data@:{@choices@:[{@name@:@n@,@value@:" v "}]}}"

static const struct answer_case good[] = {
    { PING, "{@type@:1}", NULL },
    { COMMAND, V2(TEXT), NULL },
    { COMMAND, V2(TEXT "," ROW(BUTTON("a") "," BUTTON("b"))), NULL },
    { COMMAND, V2("{@type@:17,@accent_color@:255,@components@:[" TEXT "," ROW(SELECT("")) "]}"),
      NULL },
    { COMMAND, V2("{@type@:9,@components@:[" TEXT "," TEXT "],@accessory@:" BUTTON("a") "}"),
      NULL },
    { COMMAND,
      V2("{@type@:9,@components@:[" TEXT
         "],@accessory@:{@type@:11,@media@:{@url@:@https://x/y@}}}"),
      NULL },
    { COMMAND, V2("{@type@:12,@items@:[{@media@:{@url@:@https://x/y.png@},@description@:@d@}]}"),
      NULL },
    { COMMAND, V2("{@type@:14,@divider@:false,@spacing@:2}"), NULL },
    { COMMAND, V2(ROW("{@type@:2,@style@:5,@label@:@x@,@url@:@https://x/@}")), NULL },
    { COMMAND, V2(ROW("{@type@:5,@custom_id@:@u@,@default_values@:[{@id@:@5@,@type@:@user@}]}")),
      NULL },
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{@parse@:[]}}}", NULL },
    { COMMAND,
      "{@type@:4,@data@:{@embeds@:[{@title@:@t@,@fields@:[{@name@:@n@,@value@:@v@}]}],"
      "@allowed_mentions@:{@parse@:[],@users@:[@5@]}}}",
      NULL },
    { COMMAND, "{@type@:5}", NULL },
    { COMMAND, "{@type@:5,@data@:{@flags@:64}}", NULL },
    { COMPONENT, "{@type@:6}", NULL },
    { COMPONENT,
      "{@type@:7,@data@:{@flags@:32768,@allowed_mentions@:{@parse@:[]},@components@:[" TEXT "]}}",
      NULL },
    { COMMAND, MODAL(LABEL(INPUT(",@min_length@:1,@max_length@:5,@value@:@abc@"))), NULL },
    { COMMAND, MODAL(TEXT "," LABEL(SELECT(",@required@:false,@min_values@:0"))), NULL },
    { COMPONENT, MODAL(LABEL("{@type@:22,@custom_id@:@c@,@options@:[" OPTION("a") "]}")), NULL },
    { COMMAND,
      MODAL(LABEL("{@type@:21,@custom_id@:@c@,@options@:[" OPTION("a") "," OPTION(
          "b") "]}") "," LABEL("{@type@:23,@custom_id@:@k@,@default@:true}")),
      NULL },
    { AUTOCOMPLETE, CHOICES("@v@"), NULL },
    { AUTOCOMPLETE, CHOICES("17"), NULL },
    { AUTOCOMPLETE, "{@type@:8,@data@:{@choices@:[]}}", NULL },
};

static const struct answer_case bad_envelopes[] = {
    { PING, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{}}}", "can't answer" },
    { PING, "{@type@:1,@data@:{}}", "data: this callback has no data" },
    { COMMAND, "", "empty" },
    { COMMAND, "{@type@:5", "not JSON" },
    { COMMAND, "{@type@:5} x", "not JSON" },
    { COMMAND, "{'type':5}", "not JSON at byte 1" },
    { COMMAND, "{@type@:05}", "not JSON" },
    { COMMAND, "{@type@:+5}", "not JSON" },
    { COMMAND, "{@type@:5,}", "not JSON" },
    { COMMAND, "{@type@:5]", "not JSON" },
    { COMMAND, "{@type@ 5}", "not JSON" },
    { COMMAND, "{@type@:5,@a@:@\\x@}", "not JSON" },
    { COMMAND, "{@type@:5,@a@:@\n@}", "not JSON" },
    { COMMAND, "{@type@:5,@a@:[1 2]}", "not JSON" },
    { COMMAND, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "not JSON" },
    { COMMAND, "{@type@:4,@type@:5}", "a key is repeated" },
    { COMMAND, "[5]", "is not an object" },
    { COMMAND, "{}", "type: is missing" },
    { COMMAND, "{@type@:@4@}", "type: is not an integer" },
    { COMMAND, "{@type@:4.0}", "type: is not an integer" },
    { COMMAND, "{@type@:4}", "data: is missing" },
    { COMMAND, "{@type@:2}", "callback type 2 can't answer" },
    { COMMAND, "{@type@:6}", "callback type 6 can't answer" },
    { COMMAND, "{@type@:7,@data@:{}}", "callback type 7 can't answer" },
    { COMMAND, "{@type@:8,@data@:{@choices@:[]}}", "callback type 8 can't answer" },
    { COMMAND, "{@type@:5,@extra@:1}", "extra: is not a field" },
    { COMMAND, "{@type@:5,@data@:{@flags@:32832}}", "data.flags: 32768 has bits" },
    { COMMAND, "{@type@:5,@data@:{@content@:@hi@}}", "data.content: is not a field" },
    { COMPONENT, "{@type@:6,@data@:{}}", "this callback has no data" },
    { SUBMIT, MODAL(LABEL(INPUT(""))), "callback type 9 can't answer" },
    { SUBMIT, "{@type@:6}", "callback type 6 can't answer" },
    { AUTOCOMPLETE, V2(TEXT), "callback type 4 can't answer" },
    { AUTOCOMPLETE, "{@type@:8,@data@:{}}", "data.choices: is missing" },
    { AUTOCOMPLETE, CHOICES("@@"), "data.choices[0].value: 0 characters" },
    { AUTOCOMPLETE, CHOICES("true"), "neither a string nor a number" },
    { AUTOCOMPLETE, CHOICES("9007199254740992"), "beyond 2^53-1" },
    { AUTOCOMPLETE, "{@type@:8,@data@:{@choices@:[{@name@:@@,@value@:@v@}]}}",
      "data.choices[0].name: 0 characters, at least 1" },
    { AUTOCOMPLETE, "{@type@:8,@data@:{@choices@:[{@value@:@v@}]}}", "name: is missing" },
};

static const struct answer_case bad_messages[] = {
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@}}", "data.allowed_mentions: is missing" },
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{@parse@:[@everyone@]}}}",
      "mass ping of \"everyone\"" },
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{@parse@:[@users@]}}}",
      "mass ping" },
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{@users@:[5]}}}",
      "data.allowed_mentions.users: item 0 is not a snowflake" },
    { COMMAND, "{@type@:4,@data@:{@content@:@@,@allowed_mentions@:{}}}", "an empty message" },
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{},@nonce@:1}}",
      "data.nonce: is not a field" },
    { COMMAND, "{@type@:4,@data@:{@content@:@hi@,@allowed_mentions@:{},@flags@:1}}",
      "data.flags: 1 has bits" },
    { COMMAND,
      "{@type@:4,@data@:{@content@:@hi@,@flags@:32768,@allowed_mentions@:{},@components@:[" TEXT
      "]}}",
      "content can't be used with IS_COMPONENTS_V2" },
    { COMMAND, "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[]}}",
      "no components" },
    { COMMAND, "{@type@:4,@data@:{@allowed_mentions@:{},@components@:[" TEXT "]}}",
      "data.components[0]: a text display can't be in a message without IS_COMPONENTS_V2" },
    { COMMAND, "{@type@:4,@data@:{@embeds@:[{@titel@:@t@}],@allowed_mentions@:{}}}",
      "data.embeds[0].titel: is not a field" },
    { COMMAND, "{@type@:4,@data@:{@embeds@:[{@fields@:[{@name@:@n@}]}],@allowed_mentions@:{}}}",
      "data.embeds[0].fields[0].value: is missing" },
    { COMMAND, "{@type@:4,@data@:{@content@:@a@,@attachments@:[{@id@:0}],@allowed_mentions@:{}}}",
      "multipart" },
};

static const struct answer_case bad_components[] = {
    { COMMAND, V2("{@type@:2,@style@:1,@label@:@x@,@custom_id@:@a@}"),
      "data.components[0]: a button can't be in a message" },
    { COMMAND, V2("{@type@:99}"), "is not a component" },
    { COMMAND, V2("{@type@:15}"), "is not a component" },
    { COMMAND, V2("null"), "is not a component" },
    { COMMAND, V2("7"), "is not a component" },
    { COMMAND, V2("{@type@:10}"), "data.components[0].content: is missing" },
    { COMMAND, V2("{@type@:10,@content@:@@}"), "content: 0 characters" },
    { COMMAND, V2("{@type@:10,@content@:@a\\u0000b@}"), "zero character" },
    { COMMAND, V2("{@type@:10,@content@:@a@,@style@:1}"), "style: is not a field" },
    { COMMAND, V2(ROW("")), "0 items, at least 1" },
    { COMMAND, V2(ROW(BUTTON("a") "," BUTTON("a"))),
      "data.components[0].components[1]: custom_id 'a' is used twice" },
    { COMMAND,
      V2(ROW(BUTTON("1") "," BUTTON("2") "," BUTTON("3") "," BUTTON("4") "," BUTTON("5") "," BUTTON(
          "6"))),
      "6 items, at most 5" },
    { COMMAND, V2(ROW(BUTTON("a") "," SELECT(""))), "action row of its own" },
    { COMMAND, V2(ROW(TEXT)), "a text display can't be in an action row" },
    { COMMAND, V2("{@type@:17,@components@:[{@type@:17,@components@:[" TEXT "]}]}"),
      "data.components[0].components[0]: a container can't be in a container" },
    { COMMAND, V2("{@type@:9,@components@:[" TEXT "]}"), "accessory: is missing" },
    { COMMAND, V2("{@type@:9,@components@:[" TEXT "],@accessory@:" SELECT("") "}"),
      "data.components[0].accessory: a string select can't be in a section's accessory" },
    { COMMAND, V2("{@type@:9,@components@:[" ROW(BUTTON("a")) "],@accessory@:" BUTTON("b") "}"),
      "can't be in a section" },
    { COMMAND, V2("{@type@:11,@media@:{@url@:@https://x@}}"), "a thumbnail can't be in a message" },
    { COMMAND, V2(LABEL(INPUT(""))), "a label can't be in a message" },
    { COMMAND, V2("{@type@:12,@items@:[{@media@:{@url@:@ftp://x@}}]}"),
      "data.components[0].items[0].media.url: 'ftp://x' is not" },
    { COMMAND, V2("{@type@:13,@file@:{@url@:@attachment://a.png@}}"), "no file was uploaded" },
    { COMMAND, V2("{@type@:14,@spacing@:3}"), "spacing: 3 is not within 1..2" },
    { COMMAND, V2("{@type@:17,@accent_color@:16777216,@components@:[" TEXT "]}"),
      "accent_color: 16777216 is not within" },
    { COMMAND,
      V2("{@type@:10,@content@:@a@,@id@:5},"
         "{@type@:10,@content@:@a@,@id@:5}"),
      "id 5 is used twice" },
    { COMMAND, V2(ROW("{@type@:2,@style@:1,@label@:@x@}")), "style 1 needs custom_id" },
    { COMMAND, V2(ROW("{@type@:2,@style@:5,@label@:@x@,@custom_id@:@a@,@url@:@https://x@}")),
      "style 5 can't have custom_id" },
    { COMMAND, V2(ROW("{@type@:2,@style@:5,@label@:@x@}")), "style 5 needs url" },
    { COMMAND, V2(ROW("{@type@:2,@style@:5,@label@:@x@,@url@:@javascript:1@}")), "none of http" },
    { COMMAND, V2(ROW("{@type@:2,@style@:1,@label@:@x@,@custom_id@:@a@,@url@:@https://x@}")),
      "style 1 can't have url" },
    { COMMAND, V2(ROW("{@type@:2,@style@:7,@label@:@x@,@custom_id@:@a@}")), "7 is not within" },
    { COMMAND, V2(ROW("{@type@:2,@style@:1,@custom_id@:@a@}")), "without label and emoji" },
    { COMMAND, V2(ROW("{@type@:2,@style@:1,@custom_id@:@a@,@emoji@:{}}")), "neither id nor name" },
    { COMMAND, V2(ROW(SELECT(",@min_values@:2"))), "min_values 2 is above max_values 1" },
    { COMMAND, V2(ROW(SELECT(",@max_values@:3"))), "above the 2 options" },
    { COMMAND, V2(ROW("{@type@:3,@custom_id@:@s@,@options@:[" OPTION("a") "," OPTION("a") "]}")),
      "data.components[0].components[0].options[1]: has the same value as option 0" },
    { COMMAND, V2(ROW("{@type@:3,@custom_id@:@s@}")), "options: is missing" },
    { COMMAND, V2(ROW("{@type@:3,@custom_id@:@@,@options@:[" OPTION("a") "]}")),
      "custom_id: 0 characters" },
    { COMMAND, V2(ROW("{@type@:5,@custom_id@:@u@,@default_values@:[{@id@:@5@,@type@:@role@}]}")),
      "'role' is not a type" },
    { COMMAND, V2(ROW("{@type@:5,@custom_id@:@u@,@options@:[]}")), "options: is not a field" },
};

static const struct answer_case bad_modals[] = {
    { COMMAND, "{@type@:9,@data@:{@custom_id@:@m@,@title@:@T@,@components@:[]}}", "0 items" },
    { COMMAND, "{@type@:9,@data@:{@title@:@T@,@components@:[" TEXT "]}}", "custom_id: is missing" },
    { COMMAND, "{@type@:9,@data@:{@custom_id@:@m@,@title@:@@,@components@:[" TEXT "]}}",
      "title: 0 characters" },
    { COMMAND, MODAL(ROW(BUTTON("a"))), "an action row can't be in a modal" },
    { COMMAND, MODAL(INPUT("")), "a text input can't be in a modal" },
    { COMMAND, MODAL(LABEL(BUTTON("a"))),
      "data.components[0].component: a button can't be in a label" },
    { COMMAND, MODAL("{@type@:18,@label@:@L@}"), "component: is missing" },
    { COMMAND, MODAL(LABEL(INPUT(",@label@:@x@"))), "label: is not a field" },
    { COMMAND, MODAL(LABEL(INPUT(",@min_length@:5,@max_length@:2"))), "min_length 5 is above" },
    { COMMAND, MODAL(LABEL(INPUT(",@max_length@:2,@value@:@abc@"))), "not within its lengths" },
    { COMMAND, MODAL(LABEL(INPUT("")) "," LABEL(INPUT(""))), "custom_id 'i' is used twice" },
    { COMMAND, MODAL(LABEL(SELECT(",@disabled@:false"))), "disabled is an error" },
    { COMMAND, MODAL(LABEL(SELECT(",@min_values@:0"))), "min_values 0 needs required false" },
    { COMMAND, MODAL(LABEL("{@type@:21,@custom_id@:@c@,@options@:[" OPTION("a") "]}")),
      "1 items, at least 2" },
    { COMMAND, MODAL(LABEL("{@type@:22,@custom_id@:@c@,@options@:[]}")), "0 items, at least 1" },
    { COMMAND, MODAL(LABEL("{@type@:23,@custom_id@:@c@,@required@:true}")), "is not a field" },
    { COMMAND, MODAL(TEXT "," TEXT "," TEXT "," TEXT "," TEXT "," TEXT), "6 items, at most 5" },
};

static void judge_text(const struct judge_question *question, const char *text,
                       struct violations *violations)
{
    char *body = must_copy(str_from(text));
    for (char *mark = body; (mark = strchr(mark, '@')); mark++)
        *mark = '"';
    const struct judge_answer answer = { 200, "application/json", str_from(body), 5 };
    json_object *json = judge(question, &answer, violations);
    json_object_put(json);
    free(body);
}

static void check_cases(const struct answer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(violations_free) struct violations violations = { 0 };
        const struct judge_question question = { .interaction_type = cases[i].interaction_type };
        judge_text(&question, cases[i].body, &violations);
        if (!cases[i].expected && violations.count > 0)
            fail_msg("%s\nis good, but: %s", cases[i].body, violations.items[0].text);
        if (cases[i].expected && violations_expect(&violations, str_from(cases[i].expected)) == 0)
            fail_msg("%s\nis not refused for '%s' but for: %s", cases[i].body, cases[i].expected,
                     violations.count > 0 ? violations.items[0].text : "nothing");
    }
}

static void good_answers_pass_without_a_word(void **state)
{
    (void)state;
    check_cases(good, ARRAY_LENGTH(good));
}

static void callbacks_must_fit_the_interaction(void **state)
{
    (void)state;
    check_cases(bad_envelopes, ARRAY_LENGTH(bad_envelopes));
}

static void messages_keep_discords_rules(void **state)
{
    (void)state;
    check_cases(bad_messages, ARRAY_LENGTH(bad_messages));
}

static void components_keep_their_places_and_fields(void **state)
{
    (void)state;
    check_cases(bad_components, ARRAY_LENGTH(bad_components));
}

static void modals_keep_their_rules(void **state)
{
    (void)state;
    check_cases(bad_modals, ARRAY_LENGTH(bad_modals));
}

/* `head`, then `unit` `count` times, then `tail`: how long texts and lists are made. */
static size_t violations_of_repeated(const char *head, const char *unit, int count,
                                     const char *tail, const char *expected)
{
    CLEANUP(buf_free) struct buf body = { 0 };
    CLEANUP(violations_free) struct violations violations = { 0 };
    const struct judge_question question = { .interaction_type = COMMAND };
    buf_append(&body, str_from(head));
    for (int i = 0; i < count; i++)
        buf_append(&body, str_from(unit));
    buf_append(&body, str_from(tail));
    judge_text(&question, body.data, &violations);
    if (expected && violations_expect(&violations, str_from(expected)) == 0)
        fail_msg("%d of '%s': no '%s' among %zu", count, unit, expected, violations.count);
    return violations.count;
}

static void every_length_is_allowed_up_to_its_limit_and_not_beyond(void **state)
{
    (void)state;
    static const struct {
        const char *head, *tail;
        int limit;
    } texts[] = {
        { "{@type@:4,@data@:{@content@:@", "@,@allowed_mentions@:{}}}", 2000 },
        { "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[{@type@:10,"
          "@content@:@",
          "@}]}}", 4000 },
        { "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[{@type@:1,"
          "@components@:[{@type@:2,@style@:1,@custom_id@:@a@,@label@:@",
          "@}]}]}}", 80 },
        { "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[{@type@:1,"
          "@components@:[{@type@:2,@style@:1,@label@:@a@,@custom_id@:@",
          "@}]}]}}", 100 },
        { "{@type@:9,@data@:{@custom_id@:@m@,@components@:[" TEXT "],@title@:@", "@}}", 45 },
        { "{@type@:9,@data@:{@title@:@m@,@components@:[" TEXT "],@custom_id@:@", "@}}", 100 },
        { "{@type@:9,@data@:{@title@:@m@,@custom_id@:@c@,@components@:[{@type@:18,@component@"
          ":" INPUT("") ",@label@:@",
          "@}]}}", 45 },
        { "{@type@:9,@data@:{@title@:@m@,@custom_id@:@c@,@components@:[{@type@:18,@component@"
          ":" INPUT("") ",@label@:@a@,@description@:@",
          "@}]}}", 100 },
        { "{@type@:4,@data@:{@embeds@:[{@title@:@", "@}],@allowed_mentions@:{}}}", 256 },
        { "{@type@:4,@data@:{@embeds@:[{@description@:@", "@}],@allowed_mentions@:{}}}", 4096 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        int limit = texts[i].limit;
        assert_int_equal(violations_of_repeated(texts[i].head, "x", limit, texts[i].tail, NULL), 0);
        violations_of_repeated(texts[i].head, "x", limit + 1, texts[i].tail, "characters, at most");
    }
}

static void characters_are_counted_in_utf16_units(void **state)
{
    (void)state;
    const char *head = "{@type@:4,@data@:{@content@:@", *tail = "@,@allowed_mentions@:{}}}";
    assert_int_equal(violations_of_repeated(head, "\xc3\xa9", 2000, tail, NULL), 0);
    assert_int_equal(violations_of_repeated(head, "\xf0\x9f\x98\x80", 1000, tail, NULL), 0);
    violations_of_repeated(head, "\xf0\x9f\x98\x80", 1001, tail, "2002 characters");
}

static void a_message_has_forty_components_and_four_thousand_characters(void **state)
{
    (void)state;
    const char *head = "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[" TEXT;
    assert_int_equal(violations_of_repeated(head, ",{@type@:14}", 39, "]}}", NULL), 0);
    violations_of_repeated(head, ",{@type@:14}", 40, "]}}", "41 items, at most 40");
    violations_of_repeated(
        "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[" TEXT
        ",{@type@:17,@components@:[" TEXT,
        "," TEXT, 38, "]}]}}", "41 components in all");
    violations_of_repeated(
        "{@type@:4,@data@:{@flags@:32768,@allowed_mentions@:{},@components@:[" TEXT
        ",{@type@:10,@content@:@",
        "x", 3996, "@}]}}", "4001 characters of text in all");
}

static void lists_are_bounded(void **state)
{
    (void)state;
    violations_of_repeated("{@type@:4,@data@:{@allowed_mentions@:{},@embeds@:[{@title@:@a@}",
                           ",{@title@:@a@}", 10, "]}}", "11 items, at most 10");
    char filler[1001] = { 0 };
    memset(filler, 'x', sizeof(filler) - 1);
    char *embed = must_format(",{@description@:@%s@}", filler);
    const char *head = "{@type@:4,@data@:{@allowed_mentions@:{},@embeds@:[{@title@:@a@}";
    assert_int_equal(violations_of_repeated(head, embed, 5, "]}}", NULL), 0);
    violations_of_repeated(head, embed, 6, "]}}", "6001 characters together, at most 6000");
    free(embed);
}

static void transport_is_part_of_the_answer(void **state)
{
    (void)state;
    static const struct {
        struct judge_answer answer;
        const char *expected;
    } cases[] = {
        { { 401, "application/json", STR_NONE, 1 }, "HTTP status 401" },
        { { 204, "", STR_NONE, 1 }, "HTTP status 204" },
        { { 200, "text/plain", { "{\"type\":5}", 10 }, 1 }, "Content-Type is 'text/plain'" },
        { { 200, "", { "{\"type\":5}", 10 }, 1 }, "Content-Type is ''" },
        { { 200, "application/jsonp", { "{\"type\":5}", 10 }, 1 }, "Content-Type" },
        { { 200, "application/json", { "{\"type\":5}", 10 }, 3000 }, "the deadline is 3000 ms" },
        { { 200, "application/json", { "{\"t\xff\":5}", 9 }, 1 }, "not valid UTF-8" },
        { { 200, "application/json", { "{\"type\":5}\0", 11 }, 1 }, "not JSON" },
        { { 200, "application/json; charset=utf-8", { "{\"type\":5}", 10 }, 2999 }, NULL },
    };
    const struct judge_question question = { .interaction_type = COMMAND };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(violations_free) struct violations violations = { 0 };
        json_object_put(judge(&question, &cases[i].answer, &violations));
        if (!cases[i].expected)
            assert_int_equal(violations.count, 0);
        else
            assert_true(violations_expect(&violations, str_from(cases[i].expected)) > 0);
    }
    assert_true(violations_of_repeated("{@type@:4,@data@:{@content@:@", "x", JUDGE_BODY_MAX,
                                       "@,@allowed_mentions@:{}}}", "a body of ") > 0);
}

static void updates_and_choices_fit_what_they_answer(void **state)
{
    (void)state;
    CLEANUP(violations_free) struct violations violations = { 0 };
    struct judge_question question = { .interaction_type = SUBMIT, .has_message = true };
    judge_text(&question, "{@type@:6}", &violations);
    assert_int_equal(violations.count, 0);
    question = (struct judge_question){ .interaction_type = COMPONENT, .message_is_v2 = true };
    judge_text(&question, "{@type@:7,@data@:{@content@:@x@,@allowed_mentions@:{}}}", &violations);
    assert_int_equal(violations_expect(&violations, STR("IS_COMPONENTS_V2 away")), 1);
    question =
        (struct judge_question){ .interaction_type = AUTOCOMPLETE, .focused_option_type = 4 };
    judge_text(&question, CHOICES("@v@"), &violations);
    assert_int_equal(violations_expect(&violations, STR("does not fit the type")), 1);
    judge_text(&question, CHOICES("5"), &violations);
    assert_null(violations_unexpected(&violations));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_answers_pass_without_a_word),
        cmocka_unit_test(callbacks_must_fit_the_interaction),
        cmocka_unit_test(messages_keep_discords_rules),
        cmocka_unit_test(components_keep_their_places_and_fields),
        cmocka_unit_test(modals_keep_their_rules),
        cmocka_unit_test(every_length_is_allowed_up_to_its_limit_and_not_beyond),
        cmocka_unit_test(characters_are_counted_in_utf16_units),
        cmocka_unit_test(a_message_has_forty_components_and_four_thousand_characters),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(transport_is_part_of_the_answer),
        cmocka_unit_test(updates_and_choices_fit_what_they_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
