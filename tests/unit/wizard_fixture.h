/* Somebody in front of a wizard: runs its command, presses what is on the page that came last,
 * fills in forms. Everything goes through the real router; every answer is one Discord would take.
 */
#ifndef TESTS_WIZARD_FIXTURE_H
#define TESTS_WIZARD_FIXTURE_H

#include "router_fixture.h"

#include <json-c/json.h>

#define ALICE          INT64_C(412345678901234567)
#define BOB            INT64_C(498765432109876543)
/* Larger messages (not forms) have failed at Discord. */
#define PAGE_BYTES_MAX 10000

struct visitor {
    struct router_fixture *fixture;
    struct ask ask;       /* who, where, with what; `id` and `data` are of the last interaction */
    const char *resolved; /* JSON of what forms pick from; NULL: none */
    struct buf data;      /* of it */
    struct buf body;      /* its answer */
    json_object *page;    /* the last answer that was a message; owned */
    json_object *form;    /* the last that was a form; owned */
    bool is_form;         /* what the last answer was */
};

/* In the fixture's server, with Manage Server. */
void visitor_init(struct visitor *visitor, struct router_fixture *fixture, int64_t user_id);
void visitor_fini(struct visitor *visitor);

/* An id that is new, and as old as the fixture's clock says. */
int64_t visitor_fresh_id(const struct router_fixture *fixture);

/* Each is a new interaction; fails the test when the answer is none Discord would take, or a fault
 * of ours. */
void visitor_run(struct visitor *visitor, const char *command, const char *sub_command);
void visitor_press(struct visitor *visitor, const char *action); /* "next", on the last page */
void visitor_press_id(struct visitor *visitor, const char *custom_id);
/* The last form; `fields` (JSON of labels, separated by commas) with what was filled in. */
void visitor_submit(struct visitor *visitor, const char *fields);
/* The same form with one text typed in, and nothing said of the other fields. */
void visitor_type(struct visitor *visitor, const char *key, const char *text);
/* The last interaction once more: fails unless the answer is the same. */
void visitor_replay(struct visitor *visitor);

/* The custom_id of the last page's button for that action; NULL when there is none to press. */
const char *visitor_button(const struct visitor *visitor, const char *action);

void visitor_assert_shows(const struct visitor *visitor, const char *text);
void visitor_assert_hides(const struct visitor *visitor, const char *text);

#endif
