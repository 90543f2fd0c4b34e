/* Whose turn it is: rules by example, and random operations compared with a model that looks at
 * every entry each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox/outbox_schedule.h"

#include <stdlib.h>

#define FAR_MS       INT64_C(900000)
#define GUILD_CROWD  10000
#define MODEL_SIZE   64
#define MODEL_STEPS  200000
#define MODEL_TOKENS 24
#define MODEL_GUILDS 5
#define SEEDS        4

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32) % bound;
}

static struct schedule *make_schedule(size_t capacity)
{
    struct schedule *schedule = NULL;
    assert_int_equal(schedule_new(&schedule, capacity, NULL), 0);
    return schedule;
}

static void free_schedule(struct schedule **schedule)
{
    schedule_free(*schedule);
}

static struct schedule_entry *add(struct schedule *schedule, struct schedule_entry *entry)
{
    assert_true(schedule_add(schedule, entry));
    return entry;
}

/* --- Rules --- */

static void nothing_is_taken_before_its_time(void **state)
{
    (void)state;
    CLEANUP(free_schedule) struct schedule *schedule = make_schedule(2);
    struct schedule_entry entry = { 1, 1, FAR_MS, 100 };
    struct schedule_entry held = { 2, 1, FAR_MS, INT64_MAX };
    assert_int_equal(schedule_next_us(schedule), INT64_MAX);
    add(schedule, &held);
    assert_int_equal(schedule_next_us(schedule), INT64_MAX);
    add(schedule, &entry);
    assert_int_equal(schedule_next_us(schedule), 100);
    assert_null(schedule_take(schedule, 99, 0));
    assert_ptr_equal(schedule_take(schedule, 100, 0), &entry);
    assert_int_equal(entry.place, SCHEDULE_TAKEN);
    assert_null(schedule_take(schedule, INT64_MAX - 1, 0));
    schedule_set_due(schedule, &held, 7);
    assert_int_equal(schedule_next_us(schedule), 7);
    assert_ptr_equal(schedule_take(schedule, 7, 0), &held);
}

static void a_guild_with_one_job_is_second_at_the_latest(void **state)
{
    (void)state;
    CLEANUP(free_schedule) struct schedule *schedule = make_schedule(GUILD_CROWD + 1);
    struct schedule_entry *crowd = calloc(GUILD_CROWD, sizeof(*crowd));
    assert_non_null(crowd);
    for (int i = 0; i < GUILD_CROWD; i++) {
        crowd[i] = (struct schedule_entry){ i + 1, 1, FAR_MS + i, 0 };
        add(schedule, &crowd[i]);
    }
    for (int i = 0; i < 100; i++)
        schedule_remove(schedule, schedule_take(schedule, 1, 0));
    struct schedule_entry alone = { 999999, 2, 2 * FAR_MS, 1 };
    add(schedule, &alone);
    struct schedule_entry *first = schedule_take(schedule, 1, 0);
    struct schedule_entry *second = schedule_take(schedule, 1, 0);
    assert_true(first == &alone || second == &alone);
    free(crowd);
}

static void guilds_take_turns(void **state)
{
    (void)state;
    CLEANUP(free_schedule) struct schedule *schedule = make_schedule(30);
    struct schedule_entry entries[30];
    for (int i = 0; i < 30; i++) { /* 10 of each guild, one guild after the other */
        entries[i] = (struct schedule_entry){ i + 1, i / 10, FAR_MS + i, 0 };
        add(schedule, &entries[i]);
    }
    for (int turn = 0; turn < 10; turn++) {
        int seen = 0;
        for (int i = 0; i < 3; i++) {
            const struct schedule_entry *entry = schedule_take(schedule, 0, 0);
            assert_int_equal(entry->sequence % 10, (turn + 1) % 10); /* the earliest */
            seen |= 1 << entry->guild_id;
        }
        assert_int_equal(seen, 7);
    }
}

static void urgent_tokens_go_before_all_turns_earliest_first(void **state)
{
    (void)state;
    CLEANUP(free_schedule) struct schedule *schedule = make_schedule(5);
    struct schedule_entry calm = { 1, 1, SCHEDULE_URGENT_MS + 1, 0 };
    struct schedule_entry later = { 2, 2, 3000, 0 };
    struct schedule_entry earlier = { 3, 2, 2000, 0 };
    struct schedule_entry last = { 4, 3, SCHEDULE_URGENT_MS, 0 };
    add(schedule, &calm);
    add(schedule, &last);
    add(schedule, &later);
    add(schedule, &earlier);
    assert_ptr_equal(schedule_first_to_expire(schedule), &earlier);
    assert_ptr_equal(schedule_take(schedule, 0, 0), &earlier);
    assert_ptr_equal(schedule_take(schedule, 0, 0), &later);
    assert_ptr_equal(schedule_take(schedule, 0, 0), &last);
    assert_ptr_equal(schedule_first_to_expire(schedule), &calm);
    assert_ptr_equal(schedule_take(schedule, 0, 0), &calm);
    assert_null(schedule_first_to_expire(schedule));
}

static void jobs_of_a_token_go_one_at_a_time_in_their_order(void **state)
{
    (void)state;
    CLEANUP(free_schedule) struct schedule *schedule = make_schedule(3);
    struct schedule_entry first = { 1, 1, FAR_MS, 50 };
    struct schedule_entry second = { 1, 1, FAR_MS, 0 };
    struct schedule_entry third = { 1, 1, FAR_MS, 60 };
    add(schedule, &first);
    add(schedule, &second);
    add(schedule, &third);
    assert_int_equal(second.place, SCHEDULE_BEHIND);
    assert_null(schedule_take(schedule, 49, 0));
    assert_ptr_equal(schedule_take(schedule, 50, 0), &first);
    assert_null(schedule_take(schedule, 100, 0));
    schedule_put_back(schedule, &first, 70);
    assert_null(schedule_take(schedule, 69, 0));
    assert_ptr_equal(schedule_take(schedule, 70, 0), &first);
    schedule_remove(schedule, &first);
    assert_int_equal(first.place, SCHEDULE_OUT);
    assert_ptr_equal(schedule_take(schedule, 70, 0), &second);
    schedule_remove(schedule, &third); /* from behind */
    schedule_remove(schedule, &second);
    assert_int_equal(schedule_count(schedule), 0);
    assert_int_equal(schedule_next_us(schedule), INT64_MAX);
}

static void a_full_schedule_refuses_and_has_room_again(void **state)
{
    (void)state;
    CLEANUP(free_schedule) struct schedule *schedule = make_schedule(1);
    struct schedule_entry entry = { 1, 1, FAR_MS, 0 }, other = { 2, 1, FAR_MS, 0 };
    add(schedule, &entry);
    assert_false(schedule_add(schedule, &other));
    schedule_remove(schedule, &entry);
    add(schedule, &other);
    assert_ptr_equal(schedule_take(schedule, 0, 0), &other);
}

static void a_schedule_of_no_size_is_refused(void **state)
{
    (void)state;
    struct schedule *schedule;
    struct err err;
    assert_int_equal(schedule_new(&schedule, 0, &err), ERR_LIMIT);
    assert_null(schedule);
    assert_int_equal(schedule_new(&schedule, SIZE_MAX, &err), ERR_LIMIT);
    schedule_free(NULL);
}

/* --- The model --- */

struct model {
    struct schedule_entry entries[MODEL_SIZE];
    uint64_t order[MODEL_SIZE]; /* in which they were added; 0: out */
    bool is_taken[MODEL_SIZE];
    uint64_t added;
    int64_t passed_over[MODEL_GUILDS]; /* turns others had while somebody of it was ready */
    int64_t now_us, now_ms;
    uint64_t random;
};

/* Whether nobody of the same token was added before. */
static bool is_first(const struct model *model, int index)
{
    for (int i = 0; i < MODEL_SIZE; i++)
        if (model->order[i] && model->order[i] < model->order[index] &&
            model->entries[i].sequence == model->entries[index].sequence)
            return false;
    return model->order[index] != 0;
}

static bool is_waiting(const struct model *model, int index)
{
    return is_first(model, index) && !model->is_taken[index];
}

static bool is_ready(const struct model *model, int index)
{
    return is_waiting(model, index) && model->entries[index].due_us <= model->now_us;
}

static bool ends_before(const struct schedule_entry *a, const struct schedule_entry *b)
{
    if (a->expires_at_ms != b->expires_at_ms)
        return a->expires_at_ms < b->expires_at_ms;
    return a->sequence < b->sequence;
}

static int64_t model_next_us(const struct model *model)
{
    int64_t next_us = INT64_MAX;
    for (int i = 0; i < MODEL_SIZE; i++)
        if (is_waiting(model, i) && model->entries[i].due_us < next_us)
            next_us = model->entries[i].due_us;
    return next_us;
}

static int random_of(struct model *model, bool (*is_wanted)(const struct model *model, int index))
{
    int start = (int)random_below(&model->random, MODEL_SIZE);
    for (int i = 0; i < MODEL_SIZE; i++) {
        int index = (start + i) % MODEL_SIZE;
        if (is_wanted(model, index))
            return index;
    }
    return -1;
}

static bool is_out(const struct model *model, int index)
{
    return model->order[index] == 0;
}

static bool is_in(const struct model *model, int index)
{
    return !is_out(model, index);
}

static bool is_taken(const struct model *model, int index)
{
    return model->is_taken[index];
}

static int64_t random_due(struct model *model)
{
    return random_below(&model->random, 20) == 0
               ? INT64_MAX
               : model->now_us + random_below(&model->random, 200) - 20;
}

static void add_one(struct model *model, struct schedule *schedule)
{
    int index = random_of(model, is_out);
    if (index < 0)
        return;
    int64_t token = random_below(&model->random, MODEL_TOKENS);
    model->entries[index] = (struct schedule_entry){
        .sequence = (token + 1) << 22, /* everything else of a token is the same */
        .guild_id = token % MODEL_GUILDS,
        .expires_at_ms = (token * 7919) % MODEL_TOKENS * 40000,
        .due_us = random_due(model),
    };
    assert_true(schedule_add(schedule, &model->entries[index]));
    model->order[index] = ++model->added;
}

static void check_turn(struct model *model, int taken)
{
    const struct schedule_entry *entry = &model->entries[taken];
    int earliest = -1;
    bool has_ready[MODEL_GUILDS] = { false };
    for (int i = 0; i < MODEL_SIZE; i++) {
        if (!is_ready(model, i))
            continue;
        has_ready[model->entries[i].guild_id] = true;
        if (earliest < 0 || ends_before(&model->entries[i], &model->entries[earliest]))
            earliest = i;
        if (model->entries[i].guild_id == entry->guild_id) /* the first of its guild */
            assert_false(ends_before(&model->entries[i], entry));
    }
    if (model->entries[earliest].expires_at_ms - model->now_ms <= SCHEDULE_URGENT_MS) {
        assert_int_equal(taken, earliest);
        return;
    }
    for (int guild = 0; guild < MODEL_GUILDS; guild++)
        model->passed_over[guild] = has_ready[guild] ? model->passed_over[guild] + 1 : 0;
    model->passed_over[entry->guild_id] = 0;
}

static void take_one(struct model *model, struct schedule *schedule)
{
    struct schedule_entry *entry = schedule_take(schedule, model->now_us, model->now_ms);
    if (!entry) {
        assert_true(model_next_us(model) > model->now_us);
        return;
    }
    int index = (int)(entry - model->entries);
    assert_true(is_ready(model, index));
    check_turn(model, index);
    for (int guild = 0; guild < MODEL_GUILDS; guild++)
        assert_true(model->passed_over[guild] < MODEL_GUILDS);
    model->is_taken[index] = true;
}

static void put_back_one(struct model *model, struct schedule *schedule)
{
    int index = random_of(model, is_taken);
    if (index < 0)
        return;
    model->is_taken[index] = false;
    schedule_put_back(schedule, &model->entries[index], random_due(model));
    model->passed_over[model->entries[index].guild_id] = 0;
}

static void remove_one(struct model *model, struct schedule *schedule)
{
    int index = random_of(model, random_below(&model->random, 2) ? is_taken : is_in);
    if (index < 0)
        return;
    schedule_remove(schedule, &model->entries[index]);
    assert_int_equal(model->entries[index].place, SCHEDULE_OUT);
    model->order[index] = 0;
    model->is_taken[index] = false;
    model->passed_over[model->entries[index].guild_id] = 0;
}

static void set_due_of_one(struct model *model, struct schedule *schedule)
{
    int index = random_of(model, is_in);
    if (index < 0)
        return;
    schedule_set_due(schedule, &model->entries[index], random_due(model));
    model->passed_over[model->entries[index].guild_id] = 0; /* its turn may have been lost */
}

static void let_time_pass(struct model *model, struct schedule *schedule)
{
    (void)schedule;
    model->now_us += random_below(&model->random, 100);
    model->now_ms += random_below(&model->random, 100);
    if (random_below(&model->random, 1000) == 0)
        model->now_ms = random_below(&model->random, 1000000); /* a clock may be set back */
}

static void compare(const struct model *model, const struct schedule *schedule)
{
    size_t count = 0;
    const struct schedule_entry *first = NULL;
    bool is_any_ready = false;
    for (int i = 0; i < MODEL_SIZE; i++) {
        const struct schedule_entry *entry = &model->entries[i];
        count += model->order[i] != 0;
        is_any_ready |= is_in(model, i) && entry->place == SCHEDULE_READY;
        if (is_waiting(model, i) && (!first || ends_before(entry, first)))
            first = entry;
        if (is_in(model, i) && !is_waiting(model, i))
            assert_int_equal(entry->place, is_taken(model, i) ? SCHEDULE_TAKEN : SCHEDULE_BEHIND);
    }
    assert_int_equal(schedule_count(schedule), count);
    assert_ptr_equal(schedule_first_to_expire(schedule), first);
    assert_int_equal(schedule_next_us(schedule), is_any_ready ? INT64_MIN : model_next_us(model));
}

static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    static void (*const operations[])(struct model *, struct schedule *) = {
        add_one,      add_one,    take_one,       take_one,
        put_back_one, remove_one, set_due_of_one, let_time_pass,
    };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        CLEANUP(free_schedule) struct schedule *schedule = make_schedule(MODEL_SIZE);
        print_message("seed %d\n", (int)seed);
        struct model model = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) };
        for (int step = 0; step < MODEL_STEPS / SEEDS; step++) {
            operations[random_below(&model.random, ARRAY_LENGTH(operations))](&model, schedule);
            compare(&model, schedule);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_taken_before_its_time),
        cmocka_unit_test(a_guild_with_one_job_is_second_at_the_latest),
        cmocka_unit_test(guilds_take_turns),
        cmocka_unit_test(urgent_tokens_go_before_all_turns_earliest_first),
        cmocka_unit_test(jobs_of_a_token_go_one_at_a_time_in_their_order),
        cmocka_unit_test(a_full_schedule_refuses_and_has_room_again),
        cmocka_unit_test(a_schedule_of_no_size_is_refused),
        cmocka_unit_test(random_operations_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
