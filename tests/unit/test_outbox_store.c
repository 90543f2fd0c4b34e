/* Jobs as rows: every way from one state to another, every way that is barred, and the seal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/outbox.h"
#include "outbox_store_fixture.h"

#include "core/system_clock.h"
#include "outbox/outbox_admin.h"

#include <stdlib.h>
#include <string.h>

#define ME    INT64_C(100)
#define OTHER INT64_C(200)
#define DEAD  INT64_C(300) /* never alive: what it holds is anybody's */
#define NOW   INT64_C(1800000000000)

static const struct outbox_content content = { .token = { "a-token", sizeof("a-token") - 1 },
                                               .json = { "{\"a\":1}", 7 } };

/* Runs a statement; the number of rows it returned, or a negative code. */
static int run(struct db_fixture *fixture, struct db_statement statement)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct err err = { 0 };
    int result = db_query(fixture->db, &statement, &rows, &err);
    if (result != 0)
        print_error("%s\n", err.message);
    return result == 0 ? (int)db_rows_touched(rows) : result;
}

static int claim(struct db_fixture *fixture, int64_t owner, int limit, int64_t now_ms)
{
    return run(fixture, outbox_store_claim(fixture->db, owner, limit, now_ms));
}

static void alive(struct db_fixture *fixture, int64_t id, int64_t until_ms)
{
    const struct outbox_instance instance = { .id = id, .role = "serve", .host = "here" };
    assert_int_equal(run(fixture, outbox_store_heartbeat(&instance, until_ms)), 1);
}

static int store_run(struct db_fixture *fixture, int64_t number, int64_t row_id, int64_t owner)
{
    struct outbox_record record = outbox_store_fixture_record(fixture, OUTBOX_KIND_RUN, number);
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    record.id = row_id;
    record.expires_at_ms = NOW + 60000;
    return run(fixture, outbox_store_run(&record, buf_view(&sealed), owner, NOW));
}

static int store_edit(struct db_fixture *fixture, int64_t message, int64_t version, bool is_final,
                      int64_t owner)
{
    struct outbox_record record = outbox_store_fixture_record(fixture, OUTBOX_KIND_EDIT, message);
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    record.id = version; /* a new one is made for each call; the row keeps its first */
    record.version = version;
    record.is_final = is_final;
    record.expires_at_ms = NOW + 60000;
    return run(fixture, outbox_store_edit(&record, buf_view(&sealed), owner, NOW));
}

static struct outbox_record row_of(int64_t id, int64_t version)
{
    return (struct outbox_record){ .id = id, .version = version };
}

static bool is_in(struct db_fixture *fixture, int64_t id, const char *state)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct db_statement statement = { .sql = "SELECT state FROM outbox WHERE id = $1",
                                      .parameters = { DB_INT(id) },
                                      .parameter_count = 1 };
    assert_int_equal(db_query(fixture->db, &statement, &rows, NULL), 0);
    return str_equal(db_rows_text(rows, 0, 0), str_from(state));
}

static void a_run_is_stored_once(void **state)
{
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(store_run(*state, 1, 12, OTHER), 0);
    assert_true(is_in(*state, 11, "leased"));
}

static void a_run_that_was_given_up_may_come_again(void **state)
{
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_end(&row, "token_dead", 1, ME, NOW)), 1);
    assert_int_equal(store_run(*state, 1, 12, OTHER), 1);
    row = row_of(12, 0);
    assert_int_equal(run(*state, outbox_store_done(&row, 1, OTHER, NOW)), 1);
    assert_true(is_in(*state, 12, "done"));
}

static void a_run_whose_commit_was_not_heard_of_is_still_ours(void **state)
{
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(claim(*state, OTHER, 10, NOW), 1);
    assert_int_equal(store_run(*state, 1, 11, ME), 0);
    assert_int_equal(run(*state, outbox_store_done(&row, 1, OTHER, NOW)), 1);
}

static void a_job_its_owner_forgot_expires_a_little_later(void **state)
{
    alive(*state, ME, INT64_MAX);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_expire(NOW + 60000)), 0);
    assert_int_equal(run(*state, outbox_store_expire(NOW + 60000 + OUTBOX_FORGOTTEN_MS)), 1);
    assert_true(is_in(*state, 11, "expired"));
}

static void what_is_held_is_read_in_order_and_piece_by_piece(void **state)
{
    struct db_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    struct outbox_record last = { .created_at_ms = INT64_MIN };
    for (int64_t i = 0; i < 5; i++) {
        struct outbox_record record =
            outbox_store_fixture_record(fixture, OUTBOX_KIND_FOLLOW_UP, 1);
        record.id = 20 + i;
        assert_int_equal(run(fixture, outbox_store_post(&record, buf_view(&sealed),
                                                        i == 2 ? OTHER : ME, NOW + i / 2)),
                         1);
    }
    const int64_t expected[] = { 20, 21, 23, 24 };
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
        struct db_statement held = outbox_store_held(ME, &last, 1);
        struct str_view unread;
        assert_int_equal(db_query(fixture->db, &held, &rows, NULL), 0);
        assert_int_equal(db_rows_count(rows), 1);
        outbox_store_read_row(rows, 0, &last, &unread);
        assert_int_equal(last.id, expected[i]);
    }
    assert_int_equal(run(fixture, outbox_store_held(ME, &last, 1)), 0);
}

static void a_finished_run_stays_finished(void **state)
{
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_done(&row, 1, ME, NOW)), 1);
    assert_int_equal(store_run(*state, 1, 12, ME), 0);
    assert_true(is_in(*state, 11, "done"));
}

static void nothing_is_left_of_what_was_sent(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(fixture, 1, 11, ME), 1);
    assert_int_equal(run(fixture, outbox_store_done(&row, 1, ME, NOW)), 1);
    assert_int_equal(
        db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox WHERE content IS NOT NULL"), 0);
}

static void only_the_owner_ends_a_job(void **state)
{
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_done(&row, 1, OTHER, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_end(&row, NULL, 1, OTHER, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_end(&row, "refused", 1, OTHER, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_started(&row, true, NOW, OTHER, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_release(&row, NOW, 1, OTHER, NOW)), 0);
    assert_true(is_in(*state, 11, "leased"));
}

/* From `state`, none of the ways that lead out of "leased" is open. */
static void assert_over(struct db_fixture *fixture, int64_t id)
{
    struct outbox_record row = row_of(id, 0);
    assert_int_equal(run(fixture, outbox_store_done(&row, 1, ME, NOW)), 0);
    assert_int_equal(run(fixture, outbox_store_end(&row, NULL, 1, ME, NOW)), 0);
    assert_int_equal(run(fixture, outbox_store_end(&row, "refused", 1, ME, NOW)), 0);
    assert_int_equal(run(fixture, outbox_store_started(&row, true, NOW, ME, NOW)), 0);
    assert_int_equal(run(fixture, outbox_store_release(&row, NOW, 1, ME, NOW)), 0);
}

static void what_is_over_stays_over(void **state)
{
    struct outbox_record done = row_of(11, 0), expired = row_of(12, 0), dead = row_of(13, 0);
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(store_run(*state, i, 10 + i, ME), 1);
    assert_int_equal(run(*state, outbox_store_done(&done, 1, ME, NOW)), 1);
    assert_int_equal(run(*state, outbox_store_end(&expired, NULL, 1, ME, NOW)), 1);
    assert_int_equal(run(*state, outbox_store_end(&dead, "refused", 1, ME, NOW)), 1);
    for (int64_t i = 1; i <= 3; i++)
        assert_over(*state, 10 + i);
    assert_true(is_in(*state, 11, "done") && is_in(*state, 12, "expired") &&
                is_in(*state, 13, "dead"));
}

static void a_queued_job_is_nobodys_to_end(void **state)
{
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_release(&row, NOW + 500, 3, ME, NOW)), 1);
    assert_over(*state, 11);
    assert_true(is_in(*state, 11, "queued"));
}

static void a_queued_job_is_claimed_when_its_time_has_come(void **state)
{
    struct outbox_record row = row_of(11, 0);
    alive(*state, ME, NOW + 99999);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_release(&row, NOW + 500, 3, ME, NOW)), 1);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 499), 0);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 500), 1);
    assert_true(is_in(*state, 11, "leased"));
}

static void the_jobs_of_the_dead_are_claimed_those_of_the_living_not(void **state)
{
    alive(*state, ME, NOW + 1000);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 999), 0);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 1000), 1);
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(run(*state, outbox_store_done(&row, 1, ME, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_done(&row, 1, OTHER, NOW)), 1);
}

static void a_wait_outlives_whoever_was_told_to_wait(void **state)
{
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(run(*state, outbox_store_started(&row, false, NOW + 700, ME, NOW)), 1);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 699), 0);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 700), 1);
}

static void nothing_is_claimed_whose_token_is_over(void **state)
{
    assert_int_equal(store_run(*state, 1, 11, ME), 1);
    assert_int_equal(claim(*state, OTHER, 10, NOW + 60000), 0);
    assert_int_equal(run(*state, outbox_store_expire(NOW + 59999)), 0);
    assert_int_equal(run(*state, outbox_store_expire(NOW + 60000)), 1);
    assert_true(is_in(*state, 11, "expired"));
}

static void of_an_interaction_the_oldest_is_claimed(void **state)
{
    struct db_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    for (int64_t i = 0; i < 3; i++) {
        struct outbox_record record =
            outbox_store_fixture_record(fixture, OUTBOX_KIND_FOLLOW_UP, 1);
        record.id = 20 + i;
        record.expires_at_ms = NOW + 60000;
        assert_int_equal(run(fixture, outbox_store_post(&record, buf_view(&sealed), ME, NOW + i)),
                         1);
    }
    assert_int_equal(claim(fixture, OTHER, 10, NOW + 10), 1);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT id FROM outbox WHERE owner = 200"), 20);
    alive(fixture, OTHER, NOW + 99999);
    assert_int_equal(claim(fixture, OTHER, 10, NOW + 10), 0);
    struct outbox_record first = row_of(20, 0);
    assert_int_equal(run(fixture, outbox_store_done(&first, 1, OTHER, NOW)), 1);
    assert_int_equal(claim(fixture, OTHER, 10, NOW + 10), 1);
}

static void store_post(struct db_fixture *fixture, int64_t id, int64_t interaction_id,
                       int64_t channel_id)
{
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    enum outbox_kind kind = channel_id ? OUTBOX_KIND_CHANNEL_MESSAGE : OUTBOX_KIND_FOLLOW_UP;
    struct outbox_record record = outbox_store_fixture_record(fixture, kind, interaction_id);
    record.id = id;
    record.channel_id = channel_id;
    record.expires_at_ms = NOW + 60000;
    assert_int_equal(run(fixture, outbox_store_post(&record, buf_view(&sealed), DEAD, NOW + id)),
                     1);
}

static void of_a_channel_the_oldest_is_claimed_whoever_caused_it(void **state)
{
    struct db_fixture *fixture = *state;
    alive(fixture, ME, NOW + 99999);
    store_post(fixture, 20, 1, 7);
    store_post(fixture, 21, 2, 7);
    store_post(fixture, 22, 2, 8);
    assert_int_equal(claim(fixture, ME, 10, NOW + 100), 2);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT id FROM outbox WHERE owner = 300"), 21);
    struct outbox_record first = row_of(20, 0);
    assert_int_equal(run(fixture, outbox_store_done(&first, 1, ME, NOW)), 1);
    assert_int_equal(claim(fixture, ME, 10, NOW + 100), 1);
}

static void channels_and_answers_of_an_interaction_do_not_wait_for_each_other(void **state)
{
    struct db_fixture *fixture = *state;
    alive(fixture, ME, NOW + 99999);
    store_post(fixture, 20, 1, 7);
    store_post(fixture, 21, 1, 0);
    store_post(fixture, 22, 1, 8);
    assert_int_equal(claim(fixture, ME, 10, NOW + 100), 3);
}

static void a_newer_edit_replaces_the_waiting_one(void **state)
{
    struct db_fixture *fixture = *state;
    alive(fixture, ME, NOW + 99999);
    assert_int_equal(store_edit(fixture, 1, 71, false, ME), 1);
    assert_int_equal(store_edit(fixture, 1, 72, false, OTHER), 1);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox"), 1);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT version FROM outbox"), 72);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT owner FROM outbox"), ME);
}

static void an_edit_of_the_dead_goes_to_whoever_edits_next(void **state)
{
    struct db_fixture *fixture = *state;
    alive(fixture, OTHER, NOW + 99999);
    assert_int_equal(store_edit(fixture, 1, 71, false, ME), 1);
    assert_int_equal(store_edit(fixture, 1, 72, false, OTHER), 1);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT owner FROM outbox"), OTHER);
}

static void an_older_version_is_not_the_end_of_an_edit(void **state)
{
    struct outbox_record older = row_of(71, 71), newer = row_of(71, 72);
    alive(*state, ME, NOW + 99999);
    assert_int_equal(store_edit(*state, 1, 71, false, ME), 1);
    assert_int_equal(store_edit(*state, 1, 72, false, ME), 1);
    assert_int_equal(run(*state, outbox_store_done(&older, 1, ME, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_end(&older, "refused", 1, ME, NOW)), 0);
    assert_int_equal(run(*state, outbox_store_reload(ME, 71)), 1);
    assert_int_equal(run(*state, outbox_store_done(&newer, 1, ME, NOW)), 1);
}

static void a_frame_after_the_final_state_is_dropped(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record final = row_of(71, 72);
    alive(fixture, ME, NOW + 99999);
    assert_int_equal(store_edit(fixture, 1, 71, false, ME), 1);
    assert_int_equal(store_edit(fixture, 1, 72, true, ME), 1);
    assert_int_equal(store_edit(fixture, 1, 73, false, ME), 0);
    assert_int_equal(run(fixture, outbox_store_done(&final, 1, ME, NOW)), 1);
    assert_int_equal(store_edit(fixture, 1, 74, false, ME), 0);
    assert_int_equal(db_fixture_number(fixture->db, "SELECT version FROM outbox"), 72);
    assert_int_equal(store_edit(fixture, 1, 75, true, ME), 1);
}

static void an_edit_comes_back_for_the_next_state(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record first = row_of(71, 71);
    alive(fixture, ME, NOW + 99999);
    assert_int_equal(store_edit(fixture, 1, 71, false, ME), 1);
    assert_int_equal(run(fixture, outbox_store_done(&first, 1, ME, NOW)), 1);
    assert_int_equal(store_edit(fixture, 1, 72, false, OTHER), 1);
    assert_true(is_in(fixture, 71, "leased"));
    assert_int_equal(db_fixture_number(fixture->db, "SELECT owner FROM outbox"), OTHER);
    assert_true(db_fixture_number(fixture->db, "SELECT sent_at FROM outbox") == NOW);
}

static void rows_read_as_they_were_written(void **state)
{
    struct db_fixture *fixture = *state;
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    struct outbox_record written = outbox_store_fixture_record(fixture, OUTBOX_KIND_EDIT, 1), read;
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    written.version = 9;
    written.is_reposted = true;
    assert_int_equal(run(fixture, outbox_store_edit(&written, buf_view(&sealed), ME, NOW)), 1);
    struct db_statement load = outbox_store_load(ME, 1);
    assert_int_equal(db_query(fixture->db, &load, &rows, NULL), 0);
    struct str_view stored;
    outbox_store_read_row(rows, 0, &read, &stored);
    assert_true(read.id == written.id && read.kind == written.kind);
    assert_true(read.subject == written.subject && read.version == written.version);
    assert_true(read.interaction_id == written.interaction_id);
    assert_true(read.application_id == written.application_id);
    assert_true(read.guild_id == written.guild_id);
    assert_string_equal(read.request_id, written.request_id);
    assert_true(read.is_reposted && !read.is_final && !read.is_started);
    assert_true(read.tries == 0 && read.created_at_ms == NOW && read.sent_at_ms == 0);
    assert_true(read.expires_at_ms == written.expires_at_ms);
    struct outbox_record *opened = NULL;
    assert_int_equal(outbox_record_open(outbox_store_fixture_key, &read, stored, &opened, NULL), 0);
    assert_true(str_equal(opened->content.token, content.token));
    assert_true(str_equal(opened->content.json, content.json));
    outbox_record_free(opened);
}

static void what_is_over_is_kept_for_a_while(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record done = row_of(11, 0), dead = row_of(12, 0);
    assert_int_equal(store_run(fixture, 1, 11, ME), 1);
    assert_int_equal(store_run(fixture, 2, 12, ME), 1);
    assert_int_equal(run(fixture, outbox_store_done(&done, 1, ME, NOW)), 1);
    assert_int_equal(run(fixture, outbox_store_end(&dead, "refused", 1, ME, NOW)), 1);
    run(fixture, outbox_store_purge_content(NOW + 59999));
    assert_int_equal(
        db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox WHERE content IS NOT NULL"), 1);
    run(fixture, outbox_store_purge_content(NOW + 60000));
    assert_int_equal(
        db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox WHERE content IS NOT NULL"), 0);
    run(fixture, outbox_store_purge_rows(NOW + OUTBOX_KEEP_DONE_MS - 1));
    assert_int_equal(db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox"), 2);
    run(fixture, outbox_store_purge_rows(NOW + OUTBOX_KEEP_DONE_MS));
    assert_int_equal(db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox"), 1);
    run(fixture, outbox_store_purge_rows(NOW + OUTBOX_KEEP_DEAD_MS));
    assert_int_equal(db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox"), 0);
}

static void that_a_channel_is_open_is_known_as_long_as_that_it_was_closed(void **state)
{
    struct db_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    struct outbox_record record =
        outbox_store_fixture_record(fixture, OUTBOX_KIND_CHANNEL_MESSAGE, 11);
    struct outbox_channel channels[OUTBOX_CHANNELS_ASKED] = { { .id = 40 } };
    record.subject = 0;
    record.channel_id = 40;
    for (; record.id <= 12; record.id++)
        assert_int_equal(run(fixture, outbox_store_post(&record, buf_view(&sealed), ME, NOW)), 1);
    const struct outbox_record closed = row_of(11, 0), open = row_of(12, 0);
    assert_int_equal(run(fixture, outbox_store_end(&closed, "channel_closed", 1, ME, NOW)), 1);
    assert_int_equal(run(fixture, outbox_store_done(&open, 1, ME, NOW + 1)), 1);
    for (int64_t ms = 0; ms <= OUTBOX_KEEP_DEAD_MS + 1; ms += OUTBOX_KEEP_DEAD_MS / 7) {
        run(fixture, outbox_store_purge_rows(NOW + ms));
        assert_int_equal(outbox_ask_channels(fixture->db, channels, INT64_MAX, NULL), 0);
        assert_int_equal(channels[0].obstacle, OUTBOX_NO_OBSTACLE);
    }
    run(fixture, outbox_store_purge_rows(NOW + OUTBOX_KEEP_DEAD_MS + 1));
    assert_int_equal(db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox"), 0);
}

/* --- What operators do --- */

static void a_dead_job_is_tried_again_while_its_token_lives(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record row = row_of(11, 0);
    struct err err = { 0 };
    assert_int_equal(store_run(fixture, 1, 11, ME), 1);
    assert_int_equal(run(fixture, outbox_store_started(&row, true, NOW, ME, NOW)), 1);
    assert_int_equal(outbox_admin_retry(fixture->db, 11, NOW, &err), ERR_INVALID);
    assert_int_equal(run(fixture, outbox_store_end(&row, "uncertain", 1, ME, NOW)), 1);
    assert_int_equal(outbox_admin_retry(fixture->db, 11, NOW + 60000, &err), ERR_INVALID);
    assert_int_equal(outbox_admin_retry(fixture->db, 12, NOW, &err), ERR_NOT_FOUND);
    assert_int_equal(outbox_admin_retry(fixture->db, 11, NOW + 59999, &err), 0);
    assert_true(is_in(fixture, 11, "queued"));
    assert_int_equal(db_fixture_number(fixture->db, "SELECT is_started + tries FROM outbox"), 0);
    assert_int_equal(claim(fixture, OTHER, 10, NOW + 59999), 1);
}

static void a_job_without_content_is_not_tried_again(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record row = row_of(11, 0);
    assert_int_equal(store_run(fixture, 1, 11, ME), 1);
    assert_int_equal(run(fixture, outbox_store_end(&row, "refused", 1, ME, NOW)), 1);
    assert_int_equal(db_fixture_run(fixture->db, "UPDATE outbox SET content = NULL"), 0);
    assert_int_equal(outbox_admin_retry(fixture->db, 11, NOW, NULL), ERR_INVALID);
}

static void any_job_is_dropped_but_one_that_is_being_sent(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record row = row_of(12, 0);
    alive(fixture, ME, NOW + 1000);
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(store_run(fixture, i, 10 + i, i < 3 ? ME : DEAD), 1);
    assert_int_equal(run(fixture, outbox_store_end(&row, "refused", 1, ME, NOW)), 1);
    assert_int_equal(outbox_admin_drop(fixture->db, 11, NOW, NULL), ERR_BUSY);
    assert_int_equal(outbox_admin_drop(fixture->db, 12, NOW, NULL), 0);
    assert_int_equal(outbox_admin_drop(fixture->db, 12, NOW, NULL), ERR_NOT_FOUND);
    assert_int_equal(outbox_admin_drop(fixture->db, 13, NOW, NULL), 0);
    assert_int_equal(outbox_admin_drop(fixture->db, 11, NOW + 1000, NULL), 0); /* ME is dead */
    assert_int_equal(db_fixture_number(fixture->db, "SELECT COUNT(*) FROM outbox"), 0);
}

static void assert_listed(struct db_fixture *fixture, struct str_view state, int64_t now_ms,
                          const char *expected)
{
    CLEANUP(buf_free) struct buf json = { 0 };
    assert_int_equal(outbox_admin_list(fixture->db, state, now_ms, &json, NULL), 0);
    assert_string_equal(json.data, expected);
}

static void a_list_shows_everything_but_content(void **state)
{
    struct db_fixture *fixture = *state;
    struct outbox_record row = row_of(11, 0), done = row_of(12, 0);
    CLEANUP(buf_free) struct buf json = { 0 };
    alive(fixture, ME, NOW + 1000);
    assert_int_equal(store_run(fixture, 1, 11, ME), 1);
    assert_int_equal(store_run(fixture, 2, 12, ME), 1);
    assert_int_equal(run(fixture, outbox_store_done(&done, 1, ME, NOW)), 1);
    assert_listed(fixture, STR("queued"), NOW, "{\"jobs\":[],\"has_more\":false}");
    assert_int_equal(run(fixture, outbox_store_end(&row, "refused", 4, ME, NOW + 5)), 1);
    const char dead[] = "{\"jobs\":[{\"id\":\"11\",\"kind\":\"run\",\"state\":\"dead\","
                        "\"reason\":\"refused\",\"tries\":4,\"is_started\":false,"
                        "\"interaction_id\":\"1\",\"guild_id\":\"7\","
                        "\"request_id\":\"abcdefghijk\",\"created_at\":1800000000000,"
                        "\"changed_at\":1800000000005,\"expires_at\":1800000060000}],"
                        "\"has_more\":false}";
    assert_listed(fixture, STR_NONE, NOW, dead);
    assert_listed(fixture, STR("dead"), NOW, dead);
    store_post(fixture, 20, 3, 77);
    assert_listed(fixture, STR("queued"), NOW,
                  "{\"jobs\":[{\"id\":\"20\",\"kind\":\"channel_message\",\"state\":\"queued\","
                  "\"tries\":0,\"is_started\":false,\"interaction_id\":\"3\",\"guild_id\":\"7\","
                  "\"channel_id\":\"77\",\"request_id\":\"abcdefghijk\","
                  "\"created_at\":1800000000020,\"changed_at\":1800000000020,"
                  "\"expires_at\":1800000060000}],\"has_more\":false}");
    assert_int_equal(outbox_admin_list(fixture->db, STR("gone"), NOW, &json, NULL), ERR_INVALID);
    assert_int_equal(outbox_admin_list(fixture->db, STR(""), NOW, &json, NULL), ERR_INVALID);
}

static void what_a_dead_process_holds_is_listed_as_queued(void **state)
{
    struct db_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf alive_json = { 0 }, dead_json = { 0 };
    alive(fixture, ME, NOW + 1000);
    assert_int_equal(store_run(fixture, 1, 11, ME), 1);
    assert_int_equal(outbox_admin_list(fixture->db, STR("leased"), NOW, &alive_json, NULL), 0);
    assert_non_null(strstr(alive_json.data, "\"state\":\"leased\""));
    assert_int_equal(outbox_admin_list(fixture->db, STR("queued"), NOW + 1000, &dead_json, NULL),
                     0);
    assert_non_null(strstr(dead_json.data, "\"state\":\"queued\""));
}

static void a_long_list_says_that_there_is_more(void **state)
{
    struct db_fixture *fixture = *state;
    CLEANUP(buf_free) struct buf json = { 0 };
    for (int64_t i = 1; i <= OUTBOX_LIST_MAX + 1; i++)
        assert_int_equal(store_run(fixture, i, i, ME), 1);
    assert_int_equal(outbox_admin_list(fixture->db, STR_NONE, NOW, &json, NULL), 0);
    assert_non_null(strstr(json.data, "\"has_more\":true}"));
    int count = 0;
    for (const char *place = json.data; (place = strstr(place, "{\"id\":")); place++)
        count++;
    assert_int_equal(count, OUTBOX_LIST_MAX);
}

/* --- The seal --- */

static void a_sealed_content_opens_to_what_it_was(void **state)
{
    (void)state;
    const struct reply_attachment files[] = { { STR("a.json"), STR("{}") },
                                              { STR("empty.txt"), STR_NONE } };
    const struct outbox_content whole = { .token = STR("t"),
                                          .json = STR("{\"x\":\"y\"}"),
                                          .method = OUTBOX_DELETE,
                                          .message_id = INT64_MAX,
                                          .files = files,
                                          .file_count = 2 };
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&whole);
    struct outbox_record row = { .id = 3 }, *record = NULL;
    assert_int_equal(
        outbox_record_open(outbox_store_fixture_key, &row, buf_view(&sealed), &record, NULL), 0);
    assert_true(str_equal(record->content.json, whole.json));
    assert_true(str_equal(record->content.token, whole.token));
    assert_int_equal(record->content.method, OUTBOX_DELETE);
    assert_true(record->content.message_id == INT64_MAX);
    assert_int_equal(record->content.file_count, 2);
    assert_true(str_equal(record->content.files[0].filename, STR("a.json")));
    assert_true(str_equal(record->content.files[0].bytes, STR("{}")));
    assert_int_equal(record->content.files[1].bytes.length, 0);
    outbox_record_free(record);
}

static void a_sealed_token_can_not_be_read(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    assert_null(memmem(sealed.data, sealed.length, content.token.data, content.token.length));
    assert_null(memmem(sealed.data, sealed.length, content.json.data, content.json.length));
}

static void what_was_tampered_with_does_not_open(void **state)
{
    (void)state;
    CLEANUP(buf_free) struct buf sealed = outbox_store_fixture_seal(&content);
    struct outbox_record row = { 0 }, *record = NULL;
    for (size_t i = 0; i < sealed.length; i++) {
        sealed.data[i] ^= 1;
        assert_int_equal(
            outbox_record_open(outbox_store_fixture_key, &row, buf_view(&sealed), &record, NULL),
            ERR_INVALID);
        sealed.data[i] ^= 1;
    }
    for (size_t length = 0; length < sealed.length; length++)
        assert_int_equal(outbox_record_open(outbox_store_fixture_key, &row,
                                            (struct str_view){ sealed.data, length }, &record,
                                            NULL),
                         ERR_INVALID);
    unsigned char other_key[OUTBOX_KEY_BYTES] = "another";
    assert_int_equal(outbox_record_open(other_key, &row, buf_view(&sealed), &record, NULL),
                     ERR_INVALID);
    assert_null(record);
}

int main(void)
{
#define IN_DATABASE(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, outbox_store_fixture_setup, db_fixture_teardown)
    const struct CMUnitTest tests[] = {
        IN_DATABASE(a_run_is_stored_once),
        IN_DATABASE(a_run_that_was_given_up_may_come_again),
        IN_DATABASE(a_run_whose_commit_was_not_heard_of_is_still_ours),
        IN_DATABASE(a_job_its_owner_forgot_expires_a_little_later),
        IN_DATABASE(what_is_held_is_read_in_order_and_piece_by_piece),
        IN_DATABASE(a_finished_run_stays_finished),
        IN_DATABASE(nothing_is_left_of_what_was_sent),
        IN_DATABASE(only_the_owner_ends_a_job),
        IN_DATABASE(what_is_over_stays_over),
        IN_DATABASE(a_queued_job_is_nobodys_to_end),
        IN_DATABASE(a_queued_job_is_claimed_when_its_time_has_come),
        IN_DATABASE(the_jobs_of_the_dead_are_claimed_those_of_the_living_not),
        IN_DATABASE(a_wait_outlives_whoever_was_told_to_wait),
        IN_DATABASE(nothing_is_claimed_whose_token_is_over),
        IN_DATABASE(of_an_interaction_the_oldest_is_claimed),
        IN_DATABASE(of_a_channel_the_oldest_is_claimed_whoever_caused_it),
        IN_DATABASE(channels_and_answers_of_an_interaction_do_not_wait_for_each_other),
        IN_DATABASE(a_newer_edit_replaces_the_waiting_one),
        IN_DATABASE(an_edit_of_the_dead_goes_to_whoever_edits_next),
        IN_DATABASE(an_older_version_is_not_the_end_of_an_edit),
        IN_DATABASE(a_frame_after_the_final_state_is_dropped),
        IN_DATABASE(an_edit_comes_back_for_the_next_state),
        IN_DATABASE(rows_read_as_they_were_written),
        IN_DATABASE(what_is_over_is_kept_for_a_while),
        IN_DATABASE(that_a_channel_is_open_is_known_as_long_as_that_it_was_closed),
        IN_DATABASE(a_dead_job_is_tried_again_while_its_token_lives),
        IN_DATABASE(a_job_without_content_is_not_tried_again),
        IN_DATABASE(any_job_is_dropped_but_one_that_is_being_sent),
        IN_DATABASE(a_list_shows_everything_but_content),
        IN_DATABASE(what_a_dead_process_holds_is_listed_as_queued),
        IN_DATABASE(a_long_list_says_that_there_is_more),
        cmocka_unit_test(a_sealed_content_opens_to_what_it_was),
        cmocka_unit_test(a_sealed_token_can_not_be_read),
        cmocka_unit_test(what_was_tampered_with_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
