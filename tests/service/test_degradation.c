/* Every row of the table in docs/operating.md, "When something is away", done to the real thing:
 * the first word of the row is the argument, for meson runs each part as a test of its own. */
#include "degradation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *part;
    const struct trouble *troubles;
} parts[] = {
    { "redis", redis_troubles },
    { "postgres", postgres_troubles },
    { "disk", disk_troubles },
    { "discord", discord_troubles },
};

#define TESTS_MAX 8

static void run_row(void **state)
{
    const struct trouble *trouble = *state;
    degradation_run(trouble);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].part) != 0)
            continue;
        for (const struct trouble *trouble = parts[i].troubles; trouble->row; trouble++) {
            if (argc > 2 && strcmp(argv[2], trouble->row) != 0)
                continue;
            if (trouble->parts & STAGE_SMALL_DISK && !stage_can_mount()) {
                fprintf(stderr, "%s: mounting is not allowed here; skipped\n", trouble->row);
                continue;
            }
            tests[count++] = (struct CMUnitTest){ .name = trouble->row,
                                                  .test_func = run_row,
                                                  .initial_state = (void *)(uintptr_t)trouble };
        }
    }
    return _cmocka_run_group_tests("degradation", tests, count, NULL, NULL);
}
