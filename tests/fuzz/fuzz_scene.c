/* The reader of scenes. */
#include "fuzz.h"

#include "simulator/script.h"

#include <string.h>

static void check_step(const struct step *step)
{
    struct step again;
    struct err err = { 0 };
    FUZZ_CHECK(step->line >= 1 && step->count >= 1 && step->count <= SCRIPT_WORDS_MAX);
    FUZZ_CHECK(step->source && step->source[0]);
    for (size_t i = 0; i < step->count; i++)
        FUZZ_CHECK(step->words[i].text);
    /* The line a failure shows says what was read. */
    FUZZ_CHECK(step_parse(&again, str_from(step->source), &err) == 0);
    FUZZ_CHECK(again.count == step->count);
    for (size_t i = 0; i < step->count; i++) {
        FUZZ_CHECK(strcmp(again.words[i].text, step->words[i].text) == 0);
        FUZZ_CHECK(again.words[i].is_quoted == step->words[i].is_quoted);
    }
    step_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(script_free) struct script script = { 0 };
    struct err err = { 0 };
    char *copy;
    struct str_view text = fuzz_exact_copy((struct str_view){ (const char *)data, size }, &copy);
    if (script_parse(&script, "input", text, &err) == 0) {
        for (size_t i = 0; i < script.count; i++)
            check_step(&script.steps[i]);
    } else {
        FUZZ_CHECK(err.code == ERR_INVALID || err.code == ERR_LIMIT);
        FUZZ_CHECK(strncmp(err.message, "input:", 6) == 0);
    }
    free(copy);
    return 0;
}
