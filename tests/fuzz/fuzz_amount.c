/* Amounts as people type them: eight bytes of what `all` means, then the text. */
#include "fuzz.h"

#include "bronx/amount.h"
#include "bronx/command.h"
#include "bronx/language.h"
#include "bronx/ledger.h"

#include <string.h>

static bool is_all_digits(struct str_view text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.length > 0 && text.length <= 18;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena arena = { 0 };
    struct fuzz_input input = { data, size };
    int64_t whole = fuzz_int64(&input) & INT64_MAX;
    char *copy;
    struct str_view text = fuzz_exact_copy(fuzz_text(&input, input.left), &copy);
    int64_t amount = -7, again = -7, plain;
    enum amount_refusal refusal = amount_parse(text, whole, &amount);
    if (refusal == AMOUNT_OK) {
        FUZZ_CHECK(amount >= 1 && amount <= LEDGER_AMOUNT_MAX);
        const struct language *const readers[] = { NULL, language_of(STR("es-ES")) };
        for (size_t i = 0; i < ARRAY_LENGTH(readers); i++) {
            const struct call call = { .arena = &arena, .language = readers[i] };
            struct str_view shown = amount_show(&call, amount);
            FUZZ_CHECK(amount_parse(shown, whole, &again) == AMOUNT_OK && again == amount);
        }
    } else {
        FUZZ_CHECK(refusal >= AMOUNT_NOT_UNDERSTOOD && refusal <= AMOUNT_TOO_LARGE);
        FUZZ_CHECK(amount == -7);
    }
    /* No share is more than the whole. */
    if (refusal == AMOUNT_OK && text.length > 0 && memchr(text.data, '%', text.length))
        FUZZ_CHECK(amount <= whole);
    if (is_all_digits(text) && str_to_uint63(text, &plain) == 0) {
        bool is_good = plain >= 1 && plain <= LEDGER_AMOUNT_MAX;
        FUZZ_CHECK((refusal == AMOUNT_OK) == is_good);
        FUZZ_CHECK(!is_good || amount == plain);
    }
    free(copy);
    return 0;
}
