/* People who pay each other in turn, one coin at a time, for tests in which no payment may be lost
 * or doubled. */
#ifndef TESTS_PAYMENTS_H
#define TESTS_PAYMENTS_H

#include "service_fixture.h"

#include "harness/lookup.h"

#include <json-c/json.h>

#define PAYMENTS_FIRST_PERSON INT64_C(7000000000000000001)
#define PAYMENTS_RICHES       INT64_C(1000000)

/* The number-th /pay as interaction `id`, in `guild_id`: of `people`, each pays the next. The
 * caller owns it. */
json_object *payment(int64_t number, int64_t id, int people, int64_t guild_id);

/* Everybody has accepted the terms and is rich. */
void payments_prepare(struct service_fixture *fixture, int people);

/* Adds the interactions that have paid: each once, and one coin. */
void payments_read(struct service_fixture *fixture, struct lookup *paid);

/* No coin was lost, none was made. */
void assert_books_balance(struct service_fixture *fixture, int people);

#endif
