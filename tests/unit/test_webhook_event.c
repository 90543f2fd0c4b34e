/* Reading webhook events: documented shapes, unknown ones, broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discord/webhook_event.h"

#include <stdio.h>
#include <string.h>

#define HEAD  "{\"version\":1,\"application_id\":\"1234560123453231555\",\"type\":1,\"event\":"
#define AT    "\"timestamp\":\"2024-10-18T14:42:53.064834\""
/* 2024-10-18 14:42:53.064 UTC */
#define AT_MS INT64_C(1729262573064)
#define USER  "\"user\":{\"id\":\"80351110224678912\",\"username\":\"nelly\"}"

static struct webhook_event *parse(const char *body)
{
    struct webhook_event *event = NULL;
    struct err err = { 0 };
    if (webhook_event_parse(str_from(body), &event, &err) != 0)
        fail_msg("%s: %s", body, err.message);
    return event;
}

static void a_ping_needs_nothing_but_its_type(void **state)
{
    (void)state;
    struct webhook_event *event =
        parse("{\"version\":1,\"application_id\":\"1234560123453231555\",\"type\":0}");
    assert_int_equal(event->type, EVENT_PING);
    webhook_event_free(event);
}

static void an_authorisation_tells_who_when_where_and_what_for(void **state)
{
    (void)state;
    struct webhook_event *event = parse(
        HEAD "{\"type\":\"APPLICATION_AUTHORIZED\"," AT ",\"data\":{\"integration_type\":0,"
             "\"scopes\":[\"applications.commands\",\"bot\"]," USER
             ",\"guild\":{\"id\":\"9\",\"name\":\"x\",\"roles\":[{\"id\":\"9\"}]},\"new\":[1]}}}");
    assert_int_equal(event->type, EVENT_HAPPENED);
    assert_int_equal(event->kind, EVENT_APPLICATION_AUTHORIZED);
    assert_true(event->occurred_at_ms == AT_MS);
    assert_true(event->user_id == INT64_C(80351110224678912));
    assert_int_equal(event->integration_type, 0);
    assert_int_equal(event->guild_id, 9);
    assert_true(str_equal(event->scopes, STR("applications.commands bot")));
    webhook_event_free(event);
}

static void an_authorisation_by_a_user_has_no_guild(void **state)
{
    (void)state;
    struct webhook_event *event =
        parse(HEAD "{\"type\":\"APPLICATION_AUTHORIZED\"," AT ",\"data\":{" USER "}}}");
    assert_int_equal(event->guild_id, 0);
    assert_int_equal(event->integration_type, INTEGRATION_UNKNOWN);
    assert_int_equal(event->scopes.length, 0);
    webhook_event_free(event);
}

static void a_deauthorisation_tells_who_and_when(void **state)
{
    (void)state;
    struct webhook_event *event =
        parse(HEAD "{\"type\":\"APPLICATION_DEAUTHORIZED\"," AT ",\"data\":{" USER "}}}");
    assert_int_equal(event->kind, EVENT_APPLICATION_DEAUTHORIZED);
    assert_true(event->occurred_at_ms == AT_MS);
    assert_true(event->user_id == INT64_C(80351110224678912));
    webhook_event_free(event);
}

static void other_events_are_known_by_name_only(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum webhook_event_kind kind;
    } rows[] = {
        { "ENTITLEMENT_CREATE", EVENT_ENTITLEMENT_CREATE },
        { "ENTITLEMENT_UPDATE", EVENT_ENTITLEMENT_UPDATE },
        { "ENTITLEMENT_DELETE", EVENT_ENTITLEMENT_DELETE },
        { "LOBBY_MESSAGE_CREATE", EVENT_OTHER },
        { "APPLICATION_AUTHORIZED_V2", EVENT_OTHER },
        { "", EVENT_OTHER },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char body[512];
        snprintf(body, sizeof(body), HEAD "{\"type\":\"%s\",\"data\":\"of any shape\"}}",
                 rows[i].name);
        struct webhook_event *event = parse(body);
        assert_int_equal(event->kind, rows[i].kind);
        assert_true(str_equal(event->name, str_from(rows[i].name)));
        webhook_event_free(event);
    }
}

static void what_is_wrong_is_named_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *body, *reason;
    } rows[] = {
        { "", "" },
        { "[]", "" },
        { "{}", "type: missing" },
        { "{\"type\":2}", "type: events of type 2 are not supported" },
        { "{\"type\":\"1\"}", "type: " },
        { "{\"type\":1}", "event: missing" },
        { HEAD "1}", "event: an object is needed" },
        { HEAD "{}}", "event.type: missing" },
        { HEAD "{\"type\":7}}", "event.type: " },
        { HEAD "{\"type\":\"APPLICATION_DEAUTHORIZED\"}}", "event.timestamp: missing" },
        { HEAD "{\"type\":\"APPLICATION_DEAUTHORIZED\",\"timestamp\":\"yesterday\"}}",
          "event.timestamp: an ISO 8601 time is needed" },
        { HEAD "{\"type\":\"APPLICATION_DEAUTHORIZED\"," AT "}}", "event.data: missing" },
        { HEAD "{\"type\":\"APPLICATION_DEAUTHORIZED\"," AT ",\"data\":{}}}",
          "event.data.user: missing" },
        { HEAD "{\"type\":\"APPLICATION_DEAUTHORIZED\"," AT ",\"data\":{\"user\":{}}}}",
          "event.data.user.id: missing" },
        { HEAD "{\"type\":\"APPLICATION_AUTHORIZED\"," AT ",\"data\":{" USER ",\"guild\":{}}}}",
          "event.data.guild.id: missing" },
        { HEAD "{\"type\":\"APPLICATION_AUTHORIZED\"," AT ",\"data\":{" USER
               ",\"scopes\":[\"bot\",\"a b\"]}}}",
          "event.data.scopes[1]: a word" },
        { HEAD "{\"type\":\"APPLICATION_AUTHORIZED\"," AT ",\"data\":{" USER
               ",\"scopes\":\"bot\"}}}",
          "event.data.scopes: a list is needed" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct webhook_event *event = NULL;
        struct err err = { 0 };
        assert_int_equal(webhook_event_parse(str_from(rows[i].body), &event, &err), ERR_INVALID);
        assert_null(event);
        if (strncmp(err.message, rows[i].reason, strlen(rows[i].reason)) != 0)
            fail_msg("%s: '%s', expected '%s'", rows[i].body, err.message, rows[i].reason);
    }
}

static void more_scopes_than_anybody_has_are_refused(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf body = { 0 };
    struct webhook_event *event = NULL;
    buf_append(&body, STR(HEAD "{\"type\":\"APPLICATION_AUTHORIZED\"," AT ",\"data\":{" USER
                               ",\"scopes\":[\"s\""));
    for (int i = 0; i < EVENT_SCOPES_MAX; i++)
        buf_append(&body, STR(",\"s\""));
    buf_append(&body, STR("]}}}"));
    assert_int_equal(webhook_event_parse(buf_view(&body), &event, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_needs_nothing_but_its_type),
        cmocka_unit_test(an_authorisation_tells_who_when_where_and_what_for),
        cmocka_unit_test(an_authorisation_by_a_user_has_no_guild),
        cmocka_unit_test(a_deauthorisation_tells_who_and_when),
        cmocka_unit_test(other_events_are_known_by_name_only),
        cmocka_unit_test(what_is_wrong_is_named_by_its_path),
        cmocka_unit_test(more_scopes_than_anybody_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
