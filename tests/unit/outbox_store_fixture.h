/* A migrated database and ready-made jobs, for tests of the outbox. */
#ifndef TESTS_OUTBOX_STORE_FIXTURE_H
#define TESTS_OUTBOX_STORE_FIXTURE_H

#include "db_fixture.h"

#include "outbox/outbox_store.h"

extern const unsigned char outbox_store_fixture_key[OUTBOX_KEY_BYTES];

/* Fit for cmocka: *state becomes a struct db_fixture, open and migrated. */
int outbox_store_fixture_setup(void **state);

/* A job whose token began now: `number` tells jobs apart and is the id of row and interaction. */
struct outbox_record outbox_store_fixture_record(const struct db_fixture *fixture,
                                                 enum outbox_kind kind, int64_t number);

/* What such a job has in its row; the caller frees. */
struct buf outbox_store_fixture_seal(const struct outbox_content *content);

/* An id whose snowflake says that it was made at `at_ms`. */
int64_t outbox_store_fixture_snowflake(int64_t at_ms, int64_t number);

#endif
