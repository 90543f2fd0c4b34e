/* Numbers as people write and read them: "1,000", "1k", "7 days", "500 gems". Stateless; any
 * thread.
 *
 * What is shown can be typed again: the words around a number are taken from how it is shown to the
 * reader, so that every unit, language and currency is understood without a list of words. */
#include "services/field_internal.h"

#include "bronx/amount.h"
#include "bronx/currency.h"

#include "services/latin.h"

#define EXAMPLE          7
#define SMALLEST_EXAMPLE 250
#define LARGEST_EXAMPLE  2500000

/* STR_NONE without memory. */
static struct str_view fold(const struct call *call, struct str_view text)
{
    char *bytes = arena_allocate(call->arena, text.length + 1);
    return bytes ? latin_fold(text, bytes) : STR_NONE;
}

bool field_is_same_word(const struct call *call, struct str_view typed, struct str_view word)
{
    struct str_view folded = fold(call, typed);
    return folded.data && str_equal(folded, fold(call, word));
}

bool field_number_is_zero(struct str_view typed)
{
    size_t zeros = 0;
    while (zeros < typed.length && typed.data[zeros] == '0')
        zeros++;
    return zeros > 0 && zeros == typed.length;
}

/* --- Showing --- */

struct str_view field_number_show(const struct field *field, const struct call *call,
                                  int64_t number)
{
    struct str_view digits = amount_show(call, number);
    switch (field->unit) {
    case UNIT_NONE:
        return digits;
    case UNIT_COINS:
        return currency_show(call, number);
    case UNIT_DAYS:
        return arena_format(call->arena, tr_plural(call, "%.*s day", "%.*s days", number),
                            STR_ARGS(digits));
    case UNIT_VOTES:
        return arena_format(call->arena, tr_plural(call, "%.*s vote", "%.*s votes", number),
                            STR_ARGS(digits));
    }
    return digits;
}

struct str_view field_number_example(const struct field *field, const struct call *call)
{
    if (field->min <= SMALLEST_EXAMPLE && field->max >= LARGEST_EXAMPLE)
        return tr_view(call, "250, 1k or 2.5m");
    bool is_possible = field->min <= EXAMPLE && field->max >= EXAMPLE;
    return field_number_show(field, call, is_possible ? EXAMPLE : field->min);
}

/* --- Parsing --- */

static bool parse_bare(struct str_view typed, int64_t *number)
{
    *number = 0;
    return field_number_is_zero(typed) || amount_parse(typed, 0, number) == AMOUNT_OK;
}

static bool ends_with(struct str_view text, struct str_view end)
{
    return end.length > 0 && text.length > end.length &&
           str_equal((struct str_view){ text.data + text.length - end.length, end.length }, end);
}

/* Cuts the words of `shown`, which has `digit` in it, off both ends of `typed`; both are folded. */
static struct str_view without_words(struct str_view typed, struct str_view shown,
                                     struct str_view digit)
{
    size_t at = 0;
    while (at < shown.length &&
           !str_starts_with((struct str_view){ shown.data + at, shown.length - at }, digit))
        at++;
    if (at == shown.length)
        return typed;
    struct str_view before = str_trim((struct str_view){ shown.data, at });
    struct str_view after = str_trim(
        (struct str_view){ shown.data + at + digit.length, shown.length - at - digit.length });
    if (before.length > 0 && str_starts_with(typed, before))
        typed = (struct str_view){ typed.data + before.length, typed.length - before.length };
    if (ends_with(typed, after))
        typed.length -= after.length;
    return str_trim(typed);
}

/* As the reader is shown it, or in English. */
static bool parse_with_unit(const struct field *field, const struct call *call,
                            struct str_view typed, int64_t *number)
{
    static const int64_t one_and_many[] = { 1, 2 };
    struct call english = *call;
    english.language = NULL;
    const struct call *const readers[] = { call, &english };
    typed = fold(call, typed);
    for (size_t i = 0; i < ARRAY_LENGTH(readers) && typed.data; i++)
        for (size_t k = 0; k < ARRAY_LENGTH(one_and_many); k++) {
            struct str_view shown = field_number_show(field, readers[i], one_and_many[k]);
            struct str_view digit = amount_show(call, one_and_many[k]);
            if (parse_bare(without_words(typed, fold(call, shown), digit), number))
                return true;
        }
    return false;
}

/* "5k" is 5,000 even where coins are called k. */
bool field_number_parse(const struct field *field, const struct call *call, struct str_view typed,
                        int64_t *number)
{
    return parse_bare(typed, number) || parse_with_unit(field, call, typed, number);
}
