/* Time zones: our reader of the rules against the C library's, and the names people type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bronx/clock.h"
#include "bronx/time_zone.h"

#include "services/time_zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INSTANTS      400                 /* tried in each zone */
#define LAST_SECOND   INT64_C(4102444800) /* 2100-01-01 */
#define SECONDS_A_DAY INT64_C(86400)

static int64_t random_below(unsigned *seed, int64_t bound)
{
    return (((int64_t)rand_r(seed) << 31) ^ rand_r(seed)) % bound;
}

static int64_t offset_of_libc(int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm parts;
    assert_non_null(localtime_r(&time, &parts));
    return parts.tm_gmtoff;
}

/* At random, and around every change that the C library knows near there. */
static void every_zone_is_what_the_c_library_says(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int i = 0; i < time_zone_count; i++) {
        char variable[64];
        snprintf(variable, sizeof(variable), ":%s", time_zone_names[i]);
        assert_int_equal(setenv("TZ", variable, 1), 0);
        tzset();
        for (int k = 0; k < INSTANTS; k++) {
            int64_t low = random_below(&seed, LAST_SECOND);
            int64_t high = low + 200 * SECONDS_A_DAY;
            if (offset_of_libc(low) != offset_of_libc(high))
                while (high - low > 1) { /* to the two seconds between which it changes */
                    int64_t middle = low + (high - low) / 2;
                    if (offset_of_libc(middle) == offset_of_libc(low))
                        low = middle;
                    else
                        high = middle;
                }
            int64_t instants[] = { low, high };
            for (int j = 0; j < 2; j++) {
                int64_t offset =
                    time_zone_offset(str_from(time_zone_names[i]), instants[j] * MS_PER_SECOND);
                if (offset != offset_of_libc(instants[j]))
                    fail_msg("%s at %lld: %lld and not %lld", time_zone_names[i],
                             (long long)instants[j], (long long)offset,
                             (long long)offset_of_libc(instants[j]));
            }
        }
    }
    unsetenv("TZ");
    tzset();
}

static void a_day_begins_at_local_midnight(void **state)
{
    (void)state;
    /* 2026-06-30 22:00 UTC is midnight in Madrid, 2026-07-01 04:00 UTC in New York. */
    int64_t midnight = INT64_C(1782856800000);
    struct str_view madrid = STR("Europe/Madrid"), new_york = STR("America/New_York");
    assert_int_equal(time_zone_day(madrid, midnight), time_zone_day(madrid, midnight - 1) + 1);
    assert_int_equal(time_zone_day(STR("UTC"), midnight), midnight / MS_PER_DAY);
    assert_int_equal(time_zone_day(STR("UTC"), midnight - 1), midnight / MS_PER_DAY);
    midnight += 6 * 60 * 60 * MS_PER_SECOND;
    assert_int_equal(time_zone_day(new_york, midnight), time_zone_day(new_york, midnight - 1) + 1);
}

static void a_zone_that_is_not_known_is_utc(void **state)
{
    (void)state;
    static const char *const names[] = { "Europe/Atlantis", "",       "../../../etc/passwd", "/",
                                         "europe/madrid",   "Europe", "Europe/Madrid/" };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_false(time_zone_is_known(str_from(names[i])));
        assert_int_equal(time_zone_offset(str_from(names[i]), INT64_C(1782856800000)), 0);
    }
    for (int i = 0; i < time_zone_count; i++)
        assert_true(time_zone_is_known(str_from(time_zone_names[i])));
}

static void a_zone_is_found_by_what_people_type(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "Europe/Madrid", "Europe/Madrid" },
        { "europe/madrid", "Europe/Madrid" },
        { "  madrid ", "Europe/Madrid" },
        { "New York", "America/New_York" },
        { "america/new york", "America/New_York" },
        { "tokyo", "Asia/Tokyo" },
        { "utc", "UTC" },
        { "Buenos Aires", "America/Argentina/Buenos_Aires" }, /* and an old name of the same */
        { "america/buenos aires", "America/Buenos_Aires" },
        { "bogotá", "America/Bogota" },
        { "BOGOTA\u0301", "America/Bogota" }, /* an accent of its own */
        { "Asunción", "America/Asuncion" },
        { "São Paulo", "America/Sao_Paulo" },
        { "méxico", "America/Mexico_City" },
        { "new", NULL },   /* York, or Salem */
        { "mexic", NULL }, /* no whole word */
        { "etc/gmt+5", "Etc/GMT+5" },
        { "gmt+5", NULL },
        { "atlantis", NULL },
        { "", NULL },
        { "Europe/", NULL },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        struct str_view found = time_zone_find(str_from(pairs[i][0]));
        if (!str_equal(found, str_from(pairs[i][1])) || !found.data != !pairs[i][1])
            fail_msg("\"%s\" is \"%.*s\"", pairs[i][0], STR_ARGS(found));
    }
}

static void suggestions_contain_what_was_typed_the_best_first(void **state)
{
    (void)state;
    struct str_view names[TIME_ZONE_SUGGESTIONS];
    assert_true(time_zone_suggest(STR("new y"), names) >= 1);
    assert_true(str_equal(names[0], STR("America/New_York")));
    assert_int_equal(time_zone_suggest(STR("atlantis"), names), 0);
    assert_int_equal(time_zone_suggest(STR("a"), names), TIME_ZONE_SUGGESTIONS);
    int count = time_zone_suggest(STR("europe/b"), names);
    assert_true(count > 3);
    for (int i = 0; i < count; i++)
        assert_true(str_starts_with(names[i], STR("Europe/B")));
}

static bool is_suggested(const char *typed, const char *name)
{
    struct str_view names[TIME_ZONE_SUGGESTIONS];
    int count = time_zone_suggest(str_from(typed), names);
    for (int i = 0; i < count; i++)
        if (str_equal(names[i], str_from(name)))
            return true;
    return false;
}

static void suggested_is_no_trap_and_nothing_twice(void **state)
{
    (void)state;
    assert_true(is_suggested("bogotá", "America/Bogota"));
    assert_true(is_suggested("gmt", "GMT"));
    assert_false(is_suggested("gmt", "Etc/GMT+5"));
    assert_false(is_suggested("Etc/GMT-5", "Etc/GMT-5"));
    assert_true(is_suggested("buenos", "America/Argentina/Buenos_Aires"));
    assert_false(is_suggested("buenos", "America/Buenos_Aires"));
    assert_true(is_suggested("saigon", "Asia/Saigon")); /* the only one that fits */
}

static void with_nothing_typed_the_whole_world_is_suggested(void **state)
{
    (void)state;
    struct str_view names[TIME_ZONE_SUGGESTIONS];
    int count = time_zone_suggest(STR(" "), names), hours = 0;
    bool is_seen[24] = { false };
    assert_true(count > 20 && str_equal(names[0], STR("UTC")));
    for (int i = 0; i < count; i++) {
        assert_true(time_zone_is_known(names[i]));
        int64_t offset = time_zone_offset(names[i], INT64_C(1768435200000)); /* in January */
        is_seen[(offset / 3600 + 24) % 24] = true;
    }
    for (int i = 0; i < 24; i++)
        hours += is_seen[i];
    assert_true(hours >= 18);
}

/* Whatever bytes there are where a file should be. */
static void a_broken_file_is_refused_and_read_within_its_bounds(void **state)
{
    (void)state;
    char whole[8192];
    int64_t offset;
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Madrid", "rb");
    assert_non_null(file);
    size_t length = fread(whole, 1, sizeof(whole), file);
    fclose(file);
    unsigned seed = 2;
    for (size_t cut = 0; cut < length; cut++) {
        /* Of its own size, so that a sanitizer sees a byte too many. */
        char *part = malloc(cut + 1);
        memcpy(part, whole, cut);
        time_zone_rules_offset((struct str_view){ part, cut }, INT64_C(1782856800), &offset);
        for (int k = 0; k < 4 && cut > 0; k++)
            part[random_below(&seed, (int64_t)cut)] = (char)rand_r(&seed);
        time_zone_rules_offset((struct str_view){ part, cut }, INT64_C(4000000000), &offset);
        free(part);
    }
    assert_false(time_zone_rules_offset((struct str_view){ whole, 43 }, 1, &offset));
    assert_true(
        time_zone_rules_offset((struct str_view){ whole, length }, INT64_C(1782856800), &offset));
    assert_int_equal(offset, 7200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_zone_is_what_the_c_library_says),
        cmocka_unit_test(a_day_begins_at_local_midnight),
        cmocka_unit_test(a_zone_that_is_not_known_is_utc),
        cmocka_unit_test(a_zone_is_found_by_what_people_type),
        cmocka_unit_test(suggestions_contain_what_was_typed_the_best_first),
        cmocka_unit_test(suggested_is_no_trap_and_nothing_twice),
        cmocka_unit_test(with_nothing_typed_the_whole_world_is_suggested),
        cmocka_unit_test(a_broken_file_is_refused_and_read_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
