/* Amounts: exact integer arithmetic on decimal text, no floating point. Pure functions. */
#include "bronx/amount.h"

#include "bronx/command.h"
#include "bronx/language.h"
#include "bronx/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *word;
    int64_t factor;
};

static const struct unit units[] = {
    { "k", 1000 },
    { "m", 1000000 },
    { "b", 1000000000 },
};

/* --- Points and groups --- */

#define GROUP 3 /* digits */

static size_t count_digits(struct str_view text)
{
    size_t count = 0;
    while (count < text.length && char_is_digit(text.data[count]))
        count++;
    return count;
}

/* The mark `text` begins with, which may separate groups of digits: a comma, a point, a space, or
 * one of the spaces that don't break a line. STR_NONE when there is none. */
static struct str_view mark_at(struct str_view text)
{
    static const char *const marks[] = { ",", ".", " ", "\u00a0", "\u202f" };
    for (size_t i = 0; i < ARRAY_LENGTH(marks); i++)
        if (str_starts_with(text, str_from(marks[i])))
            return (struct str_view){ text.data, strlen(marks[i]) };
    return STR_NONE;
}

static struct str_view after(struct str_view text, size_t length)
{
    return (struct str_view){ text.data + length, text.length - length };
}

struct decimal {
    struct str_view whole, fraction;
};

/* Half of the world writes "1.000,5" for what the other half writes as "1,000.5". Which mark is the
 * point follows from the number itself: the last one, if it is the only one of its kind. "1,000"
 * and "1.000" are a thousand where only whole numbers count, for nobody writes thousandths of a
 * coin; with a unit, "1.500k" has a point, and "1,500k" could mean both: false. */
static bool split_at_point(struct str_view text, bool has_unit, struct decimal *decimal)
{
    size_t points = 0, commas = 0, marks = 0, last = text.length;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '.' || text.data[i] == ',')
            last = i;
        points += text.data[i] == '.';
        commas += text.data[i] == ',';
        marks += mark_at(after(text, i)).length > 0;
    }
    *decimal = (struct decimal){ text, STR_NONE };
    if (last == text.length)
        return true;
    bool is_point = text.data[last] == '.';
    if ((is_point ? points : commas) > 1)
        return true;
    bool could_group = marks == 1 && last > 0 && last <= GROUP && text.data[0] != '0' &&
                       text.length - last - 1 == GROUP;
    if (could_group && (!has_unit || !is_point))
        return !has_unit;
    *decimal = (struct decimal){ { text.data, last }, after(text, last + 1) };
    return true;
}

/* Digits, in groups of three or not at all, and of one kind of mark. */
static enum amount_refusal parse_whole(struct str_view text, int64_t *value)
{
    struct str_view kind = STR_NONE;
    size_t digits = count_digits(text);
    *value = 0;
    for (;;) {
        for (size_t i = 0; i < digits; i++)
            if (__builtin_mul_overflow(*value, (int64_t)10, value) ||
                __builtin_add_overflow(*value, text.data[i] - '0', value))
                return AMOUNT_TOO_LARGE;
        text = after(text, digits);
        if (text.length == 0)
            return AMOUNT_OK;
        struct str_view mark = mark_at(text);
        bool is_first = kind.length == 0;
        if (mark.length == 0 || (is_first ? digits < 1 || digits > GROUP : !str_equal(mark, kind)))
            return AMOUNT_NOT_UNDERSTOOD;
        kind = mark;
        text = after(text, mark.length);
        digits = count_digits(text);
        if (digits != GROUP)
            return AMOUNT_NOT_UNDERSTOOD;
    }
}

#define WHOLE_FRACTION_MAX 2 /* "5.00" is five; "1,0000" is somebody's slip */

/* Digits beyond the scale must be zeros: half a coin is refused. */
static enum amount_refusal parse_fraction(struct str_view digits, int64_t scale, int64_t *value)
{
    *value = 0;
    if (count_digits(digits) != digits.length || (scale == 1 && digits.length > WHOLE_FRACTION_MAX))
        return AMOUNT_NOT_UNDERSTOOD;
    for (size_t i = 0; i < digits.length; i++) {
        if (scale < 10 && digits.data[i] != '0')
            return AMOUNT_NOT_UNDERSTOOD;
        scale /= 10;
        *value += (digits.data[i] - '0') * scale;
    }
    return AMOUNT_OK;
}

/* "2.5" with `scale` 1000 is 2500. */
static enum amount_refusal parse_decimal(struct str_view text, int64_t scale, int64_t *value)
{
    struct decimal decimal;
    int64_t whole, fraction;
    if (!split_at_point(text, scale > 1, &decimal) ||
        decimal.whole.length + decimal.fraction.length == 0)
        return AMOUNT_NOT_UNDERSTOOD;
    enum amount_refusal refusal = parse_whole(decimal.whole, &whole);
    if (refusal == AMOUNT_OK)
        refusal = parse_fraction(decimal.fraction, scale, &fraction);
    if (refusal != AMOUNT_OK)
        return refusal;
    bool is_too_large = __builtin_mul_overflow(whole, scale, &whole) ||
                        __builtin_add_overflow(whole, fraction, value);
    return is_too_large ? AMOUNT_TOO_LARGE : AMOUNT_OK;
}

/* --- Shares, units and words --- */

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
    return parse_decimal(text, 1, amount);
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

/* --- Showing --- */

struct str_view amount_show(const struct call *call, int64_t amount)
{
    struct language_digits style = language_digits(call->language);
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRId64, amount);
    int first = amount < 0;
    bool is_grouped = length - first >= style.grouped_from;
    char shown[sizeof(digits) * 4];
    struct str_view mark = str_from(style.mark);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (is_grouped && i > first && (length - i) % GROUP == 0) {
            memcpy(shown + at, mark.data, mark.length);
            at += mark.length;
        }
        shown[at++] = digits[i];
    }
    return arena_copy(call->arena, (struct str_view){ shown, at });
}
