/* Time zones of the tz database, by name. The names are built in; the rules are read from the
 * system's /usr/share/zoneinfo at every call, so that an upgrade of it counts at once. A zone whose
 * rules can't be read is UTC.
 *
 * Not localtime and TZ, which are the whole process's. Stateless, any thread; nothing allocates. */
#ifndef BRONX_TIME_ZONE_H
#define BRONX_TIME_ZONE_H

#include "bronx/text.h"

#define TIME_ZONE_SUGGESTIONS 25

/* By its exact name, "Europe/Madrid". */
bool time_zone_is_known(struct str_view name);

/* What somebody means who types "europe/madrid", "New York", "Bogotá" or "Mexico": a whole name, or
 * the one city of that name, or whose name begins with that word. STR_NONE when nobody can tell.
 * Lives for ever. */
struct str_view time_zone_find(struct str_view typed);

/* Names for what has been typed so far, the best first, and for nothing some from all over the
 * world; returns how many. Not among them are other names of what is among them, nor Etc/GMT+5 and
 * the like, whose sign misleads. They live for ever. */
int time_zone_suggest(struct str_view typed, struct str_view names[TIME_ZONE_SUGGESTIONS]);

/* Seconds to add to UTC at that instant. */
int64_t time_zone_offset(struct str_view name, int64_t now_ms);

/* The local day there, in days since 1970-01-01. */
int64_t time_zone_day(struct str_view name, int64_t now_ms);

#endif
