/* Every row of the table in docs/operating.md, "When something is away", done to the real thing.
 * `test_degradation PART [ROW]` does it for one. BRONXBOT_DEGRADATION_ASKERS=100 makes a crowd of
 * the people who ask. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *part;
    const struct trouble *troubles; /* NULL: no rows, but what is said about all of them */
} parts[] = {
    { "redis", redis_troubles },
    { "postgres", postgres_troubles },
    { "disk", disk_troubles },
    { "discord", discord_troubles },
    { "stop", NULL },
};

#define TESTS_MAX 8
#define SKIPPED   77 /* as meson counts it */

static void run_row(void **state)
{
    degradation_run(*state);
}

static void a_stop_while_the_database_hangs_loses_no_row(void **state)
{
    (void)state;
    degradation_run_stop(&stop_meanwhile);
}

static int run_stop(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_while_the_database_hangs_loses_no_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

/* `only` (NULL: all) of a part's rows, on this process. An exit code. */
static int run_rows(const struct trouble *troubles, const char *only)
{
    struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    bool is_skipping = false;
    if (!troubles)
        return run_stop();
    for (const struct trouble *trouble = troubles; trouble->row; trouble++) {
        if (only && strcmp(only, trouble->row) != 0)
            continue;
        if (trouble->parts & STAGE_SMALL_DISK && !stage_can_mount()) {
            print_message("%s: not done, mounting is not allowed here\n", trouble->row);
            is_skipping = true;
            continue;
        }
        assert_true(count < TESTS_MAX);
        tests[count++] = (struct CMUnitTest){ .name = trouble->row,
                                              .test_func = run_row,
                                              .initial_state = (void *)(uintptr_t)trouble };
    }
    if (count > 0 && _cmocka_run_group_tests("degradation", tests, count, NULL, NULL) != 0)
        return 1;
    return is_skipping ? SKIPPED : 0;
}

/* The parts at once, each in a process of its own: they mostly wait. */
static int run_all(void)
{
    pid_t children[ARRAY_LENGTH(parts)];
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        children[i] = fork();
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            exit(run_rows(parts[i].troubles, NULL));
        }
        if (children[i] < 0)
            return 1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        int status = 0;
        bool is_over = waitpid(children[i], &status, 0) == children[i];
        bool is_skipped = is_over && WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
        if (is_skipped && result == 0)
            result = SKIPPED;
        else if (!is_skipped && (!is_over || status != 0))
            result = 1;
    }
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return run_all();
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (strcmp(argv[1], parts[i].part) == 0)
            return run_rows(parts[i].troubles, argc > 2 ? argv[2] : NULL);
    fprintf(stderr, "test_degradation [redis | postgres | disk | discord | stop [ROW]]\n");
    return 64;
}
