/* What time zones are made of, inside: the names that embed_time_zones.py found, and the reader of
 * their rules. See bronx/time_zone.h. */
#ifndef SERVICES_TIME_ZONES_H
#define SERVICES_TIME_ZONES_H

#include "bronx/text.h"

/* In the order of strcmp. */
extern const int time_zone_count;
extern const char *const time_zone_names[];
/* Beside each: the zone of which it is only another name; NULL: it is a zone. */
extern const char *const time_zone_targets[];

/* What a file of rules (TZif, RFC 8536) says: seconds to add to UTC at `seconds` since 1970. False
 * when it is broken. */
bool time_zone_rules_offset(struct str_view file, int64_t seconds, int64_t *offset);

#endif
