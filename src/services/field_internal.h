/* What the files of fields share: see bronx/field.h. */
#ifndef SERVICES_FIELD_INTERNAL_H
#define SERVICES_FIELD_INTERNAL_H

#include "bronx/field.h"

/* CHOICE, RADIO, CHECKBOXES and UNTIL: how many there are; the place of a value, -1 when it is
 * none. */
int field_choice_count(const struct field *field);
int field_choice_place(const struct field *field, struct str_view value);

/* Whether it is kept as a number, where "0" is "none". */
bool field_is_number(const struct field *field);
/* Whether this canonical value is "none". */
bool field_is_none(const struct field *field, struct str_view value);

/* Of a canonical value that is kept as a number, or an id; 0 for anything else. */
int64_t field_number_of(struct str_view value);

/* Whether the value is a custom emoji, and the field may be one. */
bool field_is_emoji(const struct field *field, struct str_view value);

/* How many ids or choices there may be; at least 1. */
int field_most(const struct field *field);

/* Whether it is canonical and within the table's bounds; the field's own rule is not asked. */
bool field_is_allowed(const struct field *field, struct str_view value);

/* UNTIL: when what is begun by this interaction would be over; 0 for the choice of nothing.
 * field_parse.c */
int64_t field_until_of(const struct call *call, const struct field_choice *choice);

/* --- Text: field_text.c --- */

/* Discord's units that one character may have: a letter and three marks, an emoji, its tone. */
#define FIELD_TEXT_UNITS 4

/* Without what would disorder a line, white space made single; STR_NONE without memory. */
struct str_view field_text_clean(struct arena *arena, struct str_view typed);
bool field_text_is_clean(struct str_view text);
int64_t field_text_characters(struct str_view text);
/* Whether there is anything to see, clean or not. */
bool field_text_is_visible(struct str_view text);

/* --- Numbers: field_number.c --- */

/* The number, with or without its unit: not whether it is within the field's bounds. */
bool field_number_parse(const struct field *field, const struct call *call, struct str_view typed,
                        int64_t *number);
bool field_number_is_zero(struct str_view typed);
/* With its unit, for messages. */
struct str_view field_number_show(const struct field *field, const struct call *call,
                                  int64_t number);
/* What can be typed, and would be accepted. */
struct str_view field_number_example(const struct field *field, const struct call *call);

/* --- Durations: field_duration.c --- */

/* "7 days", "1d 12h", "90m", "90": minutes. False when it is none of these. */
bool field_duration_parse(struct str_view typed, int64_t *minutes);
struct str_view field_duration_show(const struct call *call, int64_t minutes);

/* Values that are not allowed any more become absent. */
void field_drop_invalid(const struct field *fields, struct field_values *values);

#endif
