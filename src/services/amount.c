/* Amounts: exact integer arithmetic on decimal text, no floating point. Pure functions. */
#include "bronx/amount.h"

#include "bronx/ledger.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *word;
    int64_t factor;
};

static const struct unit units[] = {
    { "k", 1000 },
    { "m", 1000000 },
    { "b", 1000000000 },
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* "1,000": a comma groups exactly three digits. "2,5" is a fraction to some and refused. */
static bool is_group(struct str_view text, size_t comma)
{
    if (comma == 0 || text.length - comma < 4)
        return false;
    for (size_t i = 1; i <= 3; i++)
        if (!is_digit(text.data[comma + i]))
            return false;
    return text.length - comma == 4 || !is_digit(text.data[comma + 4]);
}

/* "2.5" with `scale` 1000 is 2500. Digits beyond the scale must be zeros: half a coin is refused.
 */
static enum amount_refusal parse_decimal(struct str_view text, int64_t scale, int64_t *value)
{
    int64_t whole = 0, fraction = 0, place = scale;
    bool has_digit = false, is_fraction = false;
    for (size_t i = 0; i < text.length; i++) {
        char character = text.data[i];
        if (character == '.' && !is_fraction) {
            is_fraction = true;
            continue;
        }
        if (character == ',' && !is_fraction && is_group(text, i))
            continue;
        if (!is_digit(character))
            return AMOUNT_NOT_UNDERSTOOD;
        has_digit = true;
        int64_t digit = character - '0';
        if (is_fraction) {
            if (place < 10 && digit != 0)
                return AMOUNT_NOT_UNDERSTOOD;
            place /= 10;
            fraction += digit * place;
        } else if (__builtin_mul_overflow(whole, (int64_t)10, &whole) ||
                   __builtin_add_overflow(whole, digit, &whole)) {
            return AMOUNT_TOO_LARGE;
        }
    }
    if (!has_digit)
        return AMOUNT_NOT_UNDERSTOOD;
    if (__builtin_mul_overflow(whole, scale, &whole) ||
        __builtin_add_overflow(whole, fraction, value))
        return AMOUNT_TOO_LARGE;
    return AMOUNT_OK;
}

/* `part` of `of`, rounded down, without overflow for any `whole`. */
static int64_t share(int64_t whole, int64_t part, int64_t of)
{
    return whole / of * part + whole % of * part / of;
}

#define PERCENT_SCALE INT64_C(100) /* hundredths of a percent */

static enum amount_refusal parse_percent(struct str_view number, int64_t whole, int64_t *amount)
{
    int64_t hundredths;
    enum amount_refusal refusal = parse_decimal(number, PERCENT_SCALE, &hundredths);
    if (refusal != AMOUNT_OK)
        return refusal;
    if (hundredths > 100 * PERCENT_SCALE)
        return AMOUNT_NOT_UNDERSTOOD;
    *amount = share(whole, hundredths, 100 * PERCENT_SCALE);
    return AMOUNT_OK;
}

/* "1.000", which is a thousand to some and one to others: neither is guessed. */
static bool is_point_ambiguous(struct str_view text)
{
    return text.length > 4 && text.data[text.length - 4] == '.';
}

static enum amount_refusal parse(struct str_view text, int64_t whole, int64_t *amount)
{
    if (str_equal_ignoring_case(text, STR("all")) || str_equal_ignoring_case(text, STR("max"))) {
        *amount = whole;
        return AMOUNT_OK;
    }
    if (str_equal_ignoring_case(text, STR("half"))) {
        *amount = whole / 2;
        return AMOUNT_OK;
    }
    if (text.length == 0)
        return AMOUNT_NOT_UNDERSTOOD;
    struct str_view number = { text.data, text.length - 1 };
    struct str_view last = { text.data + text.length - 1, 1 };
    if (str_equal(last, STR("%")))
        return parse_percent(str_trim(number), whole, amount);
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (str_equal_ignoring_case(last, str_from(units[i].word)))
            return parse_decimal(str_trim(number), units[i].factor, amount);
    return is_point_ambiguous(text) ? AMOUNT_NOT_UNDERSTOOD : parse_decimal(text, 1, amount);
}

enum amount_refusal amount_parse(struct str_view text, int64_t whole, int64_t *amount)
{
    text = str_trim(text);
    if (text.length > 1 && text.data[0] == '-')
        return AMOUNT_NOT_POSITIVE;
    int64_t value;
    enum amount_refusal refusal = parse(text, whole, &value);
    if (refusal != AMOUNT_OK)
        return refusal;
    if (value < 1)
        return AMOUNT_NOT_POSITIVE;
    if (value > LEDGER_AMOUNT_MAX)
        return AMOUNT_TOO_LARGE;
    *amount = value;
    return AMOUNT_OK;
}

struct str_view amount_format(struct arena *arena, int64_t amount)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRId64, amount);
    char grouped[40];
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            grouped[at++] = ',';
        grouped[at++] = digits[i];
    }
    return arena_copy(arena, (struct str_view){ grouped, at });
}
