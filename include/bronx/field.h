/* Fields: one value a person can be asked for, as data. A table of fields is what settings and
 * wizards are made of; parsing, forms, display, storage and help are derived from it, so that a new
 * field is one line of a table.
 *
 * A value is text in its canonical form, which is also how it is stored:
 *
 *     TEXT, TIME_ZONE, CHOICE, RADIO   the text, the zone's name, the choice's value; a custom
 *                                      emoji, where it may be one, as messages write it
 *     NUMBER                           decimal digits
 *     DURATION                         minutes, in decimal digits
 *     UNTIL                            UTC milliseconds, in decimal digits: a length was chosen
 *     TOGGLE                           "on" or "off"
 *     CHECKBOXES                       values of choices, joined by commas in the table's order
 *     USER, ROLE, CHANNEL              ids joined by commas: one, or several where max says so
 *
 * An absent value (STR_NONE) means the default. An empty one is allowed where `is_optional` and
 * means "none", which for a NUMBER, DURATION and UNTIL is written "0".
 *
 * Stateless; texts live in the call's arena; sentences are in the reader's language. */
#ifndef BRONX_FIELD_H
#define BRONX_FIELD_H

#include "bronx/command.h"
#include "bronx/language.h"

enum field_kind {
    FIELD_TEXT,
    FIELD_NUMBER,
    FIELD_DURATION, /* "7 days", "1d 12h", "90m" */
    FIELD_UNTIL,    /* a select of days, "0" for none; the time they are over is kept */
    FIELD_TOGGLE,
    FIELD_CHOICE,     /* a select: up to 25 */
    FIELD_RADIO,      /* all visible at once: 2-10 */
    FIELD_CHECKBOXES, /* any number of 1-10 */
    FIELD_USER,
    FIELD_ROLE,
    FIELD_CHANNEL,
    FIELD_TIME_ZONE, /* a name of the tz database: bronx/time_zone.h */
};

/* What a number counts; shown behind it in the right plural. */
enum field_unit { UNIT_NONE, UNIT_COINS, UNIT_DAYS, UNIT_VOTES };

struct field_choice {
    const char *value;       /* NULL ends the list; [a-z0-9_]+ */
    const char *label;       /* TR, at most 100 characters */
    const char *description; /* TR, at most 100, or NULL */
};

struct field_values;

struct field {
    const char *key;   /* NULL ends a table; [a-z_]+, for ever: it is stored */
    const char *label; /* TR, at most 45 characters: the label of a modal's component */
    const char *help;  /* TR, at most 100: what it does, and for whom */
    enum field_kind kind;
    int step;             /* the wizard's page that asks for it, from 0 */
    const char *initial;  /* the default, in canonical form; "" for none */
    int64_t min, max;     /* NUMBER: the value; DURATION: minutes; TEXT: characters that take
                             room (at most 4 UTF-16 units each); CHECKBOXES, USER, ROLE, CHANNEL: how
                             many (max 0 means 1) */
    enum field_unit unit; /* NUMBER */
    bool may_be_emoji;    /* TEXT: or one custom emoji instead of such a text */
    bool is_optional;     /* may be left empty, which means `none` */
    const char *none;     /* TR: how an empty value or a 0 is shown: "no limit"; or NULL */
    const struct field_choice *choices;
    const int *channel_types; /* CHANNEL: ended by -1 */
    size_t member;            /* where settings keep it: offset in the struct its table describes */
    /* Whether it is asked for and shown at all; NULL: always. */
    bool (*applies)(const struct call *call, const struct field_values *values);
    /* A rule of its own, after those above: NULL when `value` is good, else the sentence (TR).
     * Asked where there is a call: not by field_fill. */
    const char *(*reject)(const struct call *call, struct str_view value);
};

#define FIELDS_MAX      32   /* in one table */
#define FIELD_VALUE_MAX 1000 /* bytes of one canonical value */

/* Values by their fields' places in the table. */
struct field_values {
    struct str_view values[FIELDS_MAX];
    struct str_view unknown; /* stored lines of fields this version does not know; kept */
};

int field_count(const struct field *fields);
/* By key; NULL when unknown. */
const struct field *field_find(const struct field *fields, struct str_view key);
/* Whether it is asked for and shown, with these values. */
bool field_applies(const struct field *field, const struct call *call,
                   const struct field_values *values);
/* The value, or the default when absent. Never absent. */
struct str_view field_value_of(const struct field *fields, const struct field_values *values,
                               int place);

/* Finds what Discord, or a form, would refuse in a table, in any language: the first fault as
 * ERR_INVALID ("max_bet: its label has 50 characters in es-ES, 45 fit"). */
int field_list_check(const struct field *fields, struct err *err) MUST_CHECK;

/* What a person typed, or picked in a form, as a canonical value. True, or false and a sentence
 * that says what is allowed. Numbers may be written "1,000", "1k", "2.5m",
 * with or without their unit; toggles in words; choices by label or value; channels, roles and
 * users as mentions or ids; "none" where it is optional. Channels and roles must come with the
 * interaction (picked in a form, or where it happened): an id that was merely typed may be of
 * another server. False, and no sentence, without memory. */
bool field_parse(const struct field *field, const struct call *call, struct str_view typed,
                 struct str_view *value, struct str_view *problem);

/* Whether a canonical value (of storage, of a row) still is what the table allows. */
bool field_is_valid(const struct field *field, const struct call *call, struct str_view value);

/* For people: "1,000 coins", "On", "<#123>, <#456>", "no limit". Markdown of what people typed is
 * disarmed. */
struct str_view field_show(const struct field *field, const struct call *call,
                           struct str_view value);

/* As it was to be shown at that time: a break that is over by now had been one then. */
struct str_view field_show_at(const struct field *field, const struct call *call,
                              struct str_view value, int64_t at_ms);

/* What field_show shows as plain text without mentions' names, at most 100 characters: for
 * suggestions. */
struct str_view field_show_plain(const struct field *field, const struct call *call,
                                 struct str_view value);

/* Whether its form offers what there is, and nothing has to be typed. */
bool field_is_picked(const struct field *field);

/* An answer that was refused, for messages: what was picked by its label, else what was typed as it
 * was typed, its Markdown disarmed. */
struct str_view field_quote(const struct field *field, const struct call *call,
                            struct str_view answer);

/* One component of the open modal (reply_modal came before), its custom_id the field's key.
 * `present` fills it in: a canonical value, or after a mistake what was typed; not a wrong pick.
 * `problem` (absent allowed) takes the place of the help. Of UNTIL only those choices are offered
 * that the field does not reject. */
void field_ask(const struct field *field, struct call *call, struct str_view present,
               struct str_view problem);

/* What the submitted modal says about the field: as text for field_parse. STR_NONE when the modal
 * had no such field. */
struct str_view field_answer(const struct field *field, const struct call *call);

/* Suggestions for a value that is being typed (choices, toggles, time zones): fills
 * call->reply. */
void field_suggest(const struct field *field, struct call *call, struct str_view typed);

/* Whether somebody who typed that means the word, or a part of it: case and accents don't count.
 * False without memory. */
bool field_is_same_word(const struct call *call, struct str_view typed, struct str_view word);
bool field_is_part_of(const struct call *call, struct str_view typed, struct str_view words);

/* --- Storage: "key=value" lines in the table's order; values have no line breaks. --- */

/* STR_NONE without memory. Absent values have no line. */
struct str_view field_lines(const struct field *fields, const struct field_values *values,
                            struct arena *arena);
/* Values borrow from `lines`. What is not a line is ignored; a value is taken as it is: readers
 * that need it valid ask field_is_valid or use field_fill. */
void field_lines_read(const struct field *fields, struct str_view lines,
                      struct field_values *values);

/* Writes typed values at their members' places in `target`, defaults where a value is absent or not
 * allowed any more: bool for TOGGLE, int64_t for NUMBER, DURATION and UNTIL, int (the choice's
 * place) for CHOICE and RADIO, uint64_t (bits by place) for CHECKBOXES, struct str_view (borrowed)
 * for TEXT and TIME_ZONE, struct field_ids for USER, ROLE and CHANNEL. ERR_MEMORY. */
struct field_ids {
    const int64_t *ids;
    int count;
};
int field_fill(const struct field *fields, const struct field_values *values, struct arena *arena,
               void *target, struct err *err) MUST_CHECK;

#endif
