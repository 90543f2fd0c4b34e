/* Names of time zones, and the file each stands for. Stateless; any thread.
 *
 * Only built-in names are ever part of a path. */
#include "bronx/time_zone.h"

#include "bronx/clock.h"

#include "services/latin.h"
#include "services/time_zones.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER        "/usr/share/zoneinfo/"
#define PATH_SIZE     80
#define FILE_SIZE_MAX 8192 /* the largest has less than half of that */

/* --- Names --- */

/* The built-in name; NULL when there is none. */
static const char *built_in(struct str_view name)
{
    int low = 0, high = time_zone_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        struct str_view here = str_from(time_zone_names[middle]);
        size_t shared = here.length < name.length ? here.length : name.length;
        int order = shared ? memcmp(here.data, name.data, shared) : 0;
        if (order == 0 && here.length == name.length)
            return time_zone_names[middle];
        if (order < 0 || (order == 0 && here.length < name.length))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool time_zone_is_known(struct str_view name)
{
    return built_in(name) != NULL;
}

/* --- What people type --- */

#define TYPED_MAX 100 /* bytes; no name is so long */

/* As names are compared with what people type: "New York" is "new_york". */
static int folded(char character)
{
    if (character == ' ')
        return '_';
    return character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character;
}

static bool begins_with(struct str_view text, struct str_view start)
{
    if (text.length < start.length)
        return false;
    for (size_t i = 0; i < start.length; i++)
        if (folded(text.data[i]) != folded(start.data[i]))
            return false;
    return true;
}

static bool contains(struct str_view text, struct str_view part)
{
    for (size_t i = 0; i + part.length <= text.length; i++)
        if (begins_with((struct str_view){ text.data + i, text.length - i }, part))
            return true;
    return false;
}

/* "New_York" of "America/New_York". */
static struct str_view city_of(struct str_view name)
{
    const char *slash = memrchr(name.data, '/', name.length);
    if (!slash)
        return name;
    return (struct str_view){ slash + 1, name.length - (size_t)(slash + 1 - name.data) };
}

/* Places where people live, and UTC: not a computer's or an old program's name for one. */
static bool is_place(struct str_view name)
{
    return str_equal(name, STR("UTC")) ||
           (memchr(name.data, '/', name.length) && !str_starts_with(name, STR("Etc/")));
}

/* Etc/GMT+5 is five hours behind Greenwich, and nobody who picks it means that. */
static bool is_trap(struct str_view name)
{
    return str_starts_with(name, STR("Etc/GMT+")) || str_starts_with(name, STR("Etc/GMT-"));
}

/* How well a name fits what was typed: the lower the better; RANKS: not at all. */
enum {
    RANK_WHOLE,
    RANK_CITY,
    RANK_CITY_WORD, /* "mexico" of Mexico_City */
    RANK_CITY_BEGINS,
    RANK_BEGINS,
    RANK_CONTAINS,
    RANK_OTHER,
    RANKS
};

static int rank_of_city(struct str_view city, struct str_view typed)
{
    if (city.length == typed.length)
        return RANK_CITY;
    return city.data[typed.length] == '_' ? RANK_CITY_WORD : RANK_CITY_BEGINS;
}

static int rank_of(int zone, struct str_view typed)
{
    struct str_view name = str_from(time_zone_names[zone]), city = city_of(name);
    struct str_view target = str_from(time_zone_targets[zone]);
    if (begins_with(name, typed) && name.length == typed.length)
        return RANK_WHOLE;
    /* Another name of what is found anyway is only one more to choose from. */
    if (!contains(name, typed) || (target.data && contains(target, typed)))
        return RANKS;
    if (!is_place(name))
        return RANK_OTHER;
    if (begins_with(city, typed))
        return rank_of_city(city, typed);
    return begins_with(name, typed) ? RANK_BEGINS : RANK_CONTAINS;
}

/* The only zone of that rank; STR_NONE when there are others, or none. */
static struct str_view only_one(struct str_view typed, int rank)
{
    struct str_view found = STR_NONE;
    int count = 0;
    for (int i = 0; i < time_zone_count; i++) {
        if (rank_of(i, typed) != rank)
            continue;
        found = str_from(time_zone_names[i]);
        count++;
    }
    return count == 1 ? found : STR_NONE;
}

struct str_view time_zone_find(struct str_view typed)
{
    char bytes[TYPED_MAX];
    typed = str_trim(typed);
    if (typed.length == 0 || typed.length > sizeof(bytes))
        return STR_NONE;
    typed = latin_fold(typed, bytes);
    for (int rank = RANK_WHOLE; rank <= RANK_CITY_WORD; rank++) {
        struct str_view found = only_one(typed, rank);
        if (found.data)
            return found;
    }
    return STR_NONE;
}

/* Something for everybody to begin with, from west to east. */
static const char *const spread[] = {
    "UTC",
    "Pacific/Honolulu",
    "America/Anchorage",
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/Mexico_City",
    "America/New_York",
    "America/Bogota",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "Atlantic/Azores",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Athens",
    "Europe/Moscow",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
};

static_assert(ARRAY_LENGTH(spread) <= TIME_ZONE_SUGGESTIONS, "the spread fits");

static int suggest_spread(struct str_view names[TIME_ZONE_SUGGESTIONS])
{
    for (size_t i = 0; i < ARRAY_LENGTH(spread); i++)
        names[i] = str_from(spread[i]);
    return (int)ARRAY_LENGTH(spread);
}

int time_zone_suggest(struct str_view typed, struct str_view names[TIME_ZONE_SUGGESTIONS])
{
    char bytes[TYPED_MAX];
    int count = 0;
    typed = str_trim(typed);
    if (typed.length > sizeof(bytes))
        return 0;
    typed = latin_fold(typed, bytes);
    if (typed.length == 0)
        return suggest_spread(names);
    for (int rank = 0; rank < RANKS; rank++)
        for (int i = 0; i < time_zone_count && count < TIME_ZONE_SUGGESTIONS; i++)
            if (rank_of(i, typed) == rank && !is_trap(str_from(time_zone_names[i])))
                names[count++] = str_from(time_zone_names[i]);
    return count;
}

/* --- Rules --- */

/* The whole file; its length, or 0 when it can't be read or is too long to be one. */
static size_t read_file(const char *name, char bytes[FILE_SIZE_MAX])
{
    char path[PATH_SIZE];
    size_t length = 0;
    snprintf(path, sizeof(path), FOLDER "%s", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    for (ssize_t got; length < FILE_SIZE_MAX; length += (size_t)got) {
        got = read(file, bytes + length, FILE_SIZE_MAX - length);
        if (got <= 0)
            break;
    }
    close(file);
    return length < FILE_SIZE_MAX ? length : 0;
}

int64_t time_zone_offset(struct str_view name, int64_t now_ms)
{
    char bytes[FILE_SIZE_MAX];
    int64_t offset;
    const char *known = str_equal(name, STR("UTC")) ? NULL : built_in(name);
    size_t length = known ? read_file(known, bytes) : 0;
    if (length == 0 || !time_zone_rules_offset((struct str_view){ bytes, length },
                                               now_ms / MS_PER_SECOND, &offset))
        return 0;
    return offset;
}

int64_t time_zone_day(struct str_view name, int64_t now_ms)
{
    return (now_ms + time_zone_offset(name, now_ms) * MS_PER_SECOND) / MS_PER_DAY;
}
