/* A reader of the tz database's compiled files: RFC 8536, https://www.rfc-editor.org/rfc/rfc8536
 *
 *     header, data with 32-bit times      skipped
 *     header, data with 64-bit times      instants of change, each with the number of a type; types
 *     "\n" rule "\n"                      what holds after the last instant: "CET-1CEST,M3.5.0,…"
 *
 * A file is input like any other: every count is checked against its length. Pure functions. */
#include "services/time_zones.h"

#include <string.h>

#define HEADER_SIZE     44
#define TYPE_SIZE       6 /* offset, is_daylight, name */
#define SECONDS_A_DAY   INT64_C(86400)
#define SECONDS_AN_HOUR INT64_C(3600)
#define CHANGE_AT       (2 * SECONDS_AN_HOUR) /* when a rule names no time */

struct header {
    int64_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
};

static int64_t read_big_endian(const char *bytes, int size)
{
    uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < size; i++)
        value = (value << 8) | (unsigned char)bytes[i];
    return (int64_t)value;
}

static bool read_header(struct str_view *rest, struct header *header)
{
    int64_t *const counts[] = { &header->utc_count,  &header->standard_count, &header->leap_count,
                                &header->time_count, &header->type_count,     &header->char_count };
    if (rest->length < HEADER_SIZE || !str_starts_with(*rest, STR("TZif")))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        *counts[i] = read_big_endian(rest->data + 20 + 4 * i, 4);
        if (*counts[i] < 0 || *counts[i] > (int64_t)rest->length)
            return false;
    }
    *rest = (struct str_view){ rest->data + HEADER_SIZE, rest->length - HEADER_SIZE };
    return header->type_count > 0;
}

static bool skip(struct str_view *rest, int64_t bytes)
{
    if (bytes > (int64_t)rest->length)
        return false;
    *rest = (struct str_view){ rest->data + bytes, rest->length - (size_t)bytes };
    return true;
}

static int64_t data_size(const struct header *header, int time_size)
{
    return header->time_count * (time_size + 1) + header->type_count * TYPE_SIZE +
           header->char_count + header->leap_count * (time_size + 4) + header->standard_count +
           header->utc_count;
}

/* --- The rule at the end --- */

struct change {
    char form; /* 'M': month, week, day; 'J': a day of 1-365 without 29 February; 'N': of 0-365 */
    int64_t month, week, day;
    int64_t at; /* seconds after midnight */
};

static bool is_digit(struct str_view text)
{
    return text.length > 0 && char_is_digit(text.data[0]);
}

static bool take(struct str_view *text, char character)
{
    return text->length > 0 && text->data[0] == character && skip(text, 1);
}

static bool read_number(struct str_view *text, int64_t *number)
{
    if (!is_digit(*text))
        return false;
    for (*number = 0; is_digit(*text) && *number < 1000; skip(text, 1))
        *number = *number * 10 + text->data[0] - '0';
    return true;
}

/* "-3:30" */
static bool read_time(struct str_view *text, int64_t *seconds)
{
    int64_t sign = take(text, '-') ? -1 : 1, part, unit = SECONDS_AN_HOUR;
    if (sign > 0)
        take(text, '+');
    if (!read_number(text, &part))
        return false;
    *seconds = part * unit;
    while (unit > 1 && take(text, ':')) {
        unit /= 60;
        if (!read_number(text, &part))
            return false;
        *seconds += part * unit;
    }
    *seconds *= sign;
    return true;
}

/* "CEST" or "<+03>" */
static bool skip_name(struct str_view *text)
{
    size_t before = text->length;
    if (take(text, '<')) {
        while (text->length > 0 && text->data[0] != '>')
            skip(text, 1);
        return take(text, '>');
    }
    while (text->length > 0 && ((text->data[0] | 0x20) >= 'a' && (text->data[0] | 0x20) <= 'z'))
        skip(text, 1);
    return text->length < before;
}

/* ",M3.5.0/2" */
static bool read_change(struct str_view *text, struct change *change)
{
    if (!take(text, ','))
        return false;
    *change = (struct change){ .form = 'N', .at = CHANGE_AT };
    bool is_read;
    if (take(text, 'M')) {
        change->form = 'M';
        is_read = read_number(text, &change->month) && take(text, '.') &&
                  read_number(text, &change->week) && take(text, '.') &&
                  read_number(text, &change->day) && change->month >= 1 && change->month <= 12;
    } else {
        if (take(text, 'J'))
            change->form = 'J';
        is_read = read_number(text, &change->day);
    }
    return is_read && (!take(text, '/') || read_time(text, &change->at));
}

/* --- Days --- */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Of 1 January, since 1970-01-01; years from 1. */
static int64_t day_of_year(int64_t year)
{
    int64_t before = year - 1;
    return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

static int64_t year_of_day(int64_t day)
{
    int64_t year = 1970 + day / 366 - 1;
    while (day_of_year(year + 1) <= day)
        year++;
    return year;
}

static int64_t day_of_month(int64_t year, int64_t month)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
    return day_of_year(year) + before[month - 1] + (month > 2 && is_leap(year));
}

/* The local midnight before the change, in days since 1970. */
static int64_t day_of_change(const struct change *change, int64_t year)
{
    if (change->form == 'N')
        return day_of_year(year) + change->day;
    if (change->form == 'J')
        return day_of_year(year) + change->day - 1 + (is_leap(year) && change->day >= 60);
    int64_t first = day_of_month(year, change->month);
    int64_t end =
        change->month == 12 ? day_of_year(year + 1) : day_of_month(year, change->month + 1);
    /* 1970-01-01 was a Thursday; Sunday is 0. */
    int64_t day = first + (change->day - (first + 4) % 7 + 7) % 7 + (change->week - 1) * 7;
    while (day >= end)
        day -= 7;
    return day;
}

/* Signs are POSIX's: hours to add to local time for UTC. */
static bool rule_offset(struct str_view rule, int64_t seconds, int64_t *offset)
{
    int64_t standard, daylight;
    struct change begin, end;
    if (!skip_name(&rule) || !read_time(&rule, &standard))
        return false;
    *offset = -standard;
    if (rule.length == 0)
        return true;
    daylight = standard - SECONDS_AN_HOUR;
    if (!skip_name(&rule) ||
        (rule.length > 0 && rule.data[0] != ',' && !read_time(&rule, &daylight)))
        return false;
    if (!read_change(&rule, &begin) || !read_change(&rule, &end))
        return false;
    int64_t year = year_of_day((seconds - standard) / SECONDS_A_DAY);
    int64_t from = day_of_change(&begin, year) * SECONDS_A_DAY + begin.at + standard;
    int64_t to = day_of_change(&end, year) * SECONDS_A_DAY + end.at + daylight;
    bool is_daylight =
        from < to ? seconds >= from && seconds < to : seconds >= from || seconds < to;
    *offset = is_daylight ? -daylight : -standard;
    return true;
}

/* --- The file --- */

/* The last change at or before that instant; -1: before all. */
static int64_t find_change(const char *times, int64_t count, int64_t seconds)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (read_big_endian(times + 8 * middle, 8) <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static bool rule_of(struct str_view rest, struct str_view *rule)
{
    struct str_view line;
    return str_split(&rest, '\n', &line) && line.length == 0 && str_split(&rest, '\n', rule) &&
           rule->length > 0;
}

bool time_zone_rules_offset(struct str_view file, int64_t seconds, int64_t *offset)
{
    struct header header;
    struct str_view rest = file, rule;
    if (seconds < 0 || !read_header(&rest, &header) || !skip(&rest, data_size(&header, 4)) ||
        !read_header(&rest, &header))
        return false;
    const char *times = rest.data;
    if (!skip(&rest, data_size(&header, 8)))
        return false;
    const char *places = times + 8 * header.time_count;
    const char *types = places + header.time_count;
    int64_t change = find_change(times, header.time_count, seconds);
    if (change == header.time_count - 1 && rule_of(rest, &rule))
        return rule_offset(rule, seconds, offset);
    int64_t type = change < 0 ? 0 : (unsigned char)places[change];
    if (type >= header.type_count)
        return false;
    *offset = read_big_endian(types + TYPE_SIZE * type, 4);
    return true;
}
