/* A form that is open on somebody's screen: what is filled in, what Discord's client refuses to
 * submit, and what a submission looks like.
 * https://docs.discord.com/developers/components/using-modal-components */
#ifndef SIMULATOR_MODAL_H
#define SIMULATOR_MODAL_H

#include "bronx/err.h"
#include "simulator/world.h"

/* `values` maps a custom_id to what a submission carries for it: text or null (text input, radio
 * group), a list of texts (selects, checkbox groups, uploads) or a boolean (checkbox). */
struct modal {
    json_object *data;   /* of the callback; owned */
    json_object *values; /* owned */
    int64_t message_id;  /* whose component opened it; 0: none */
};

/* Opens the form with the values it starts with; `data` gets a reference more. */
void modal_open(struct modal *modal, json_object *data, int64_t message_id);
bool modal_is_open(const struct modal *modal);
void modal_close(struct modal *modal); /* fit for CLEANUP */

/* What a person does. `label` is a label's text. ERR_NOT_FOUND names what there is instead. */
int modal_type(struct modal *modal, struct str_view label, struct str_view text,
               struct err *err) MUST_CHECK;
/* An option of a checkbox group (by its own label, whatever group), or a checkbox (by its label).
 */
int modal_check(struct modal *modal, struct str_view label, bool is_checked,
                struct err *err) MUST_CHECK;
/* Options of a select or radio group by their labels; people, roles and channels as @bob, &mods,
 * #general. A select then has exactly these. */
int modal_choose(struct modal *modal, struct world *world, int64_t guild_id, struct str_view label,
                 const struct str_view *options, size_t count, struct err *err) MUST_CHECK;

/* ERR_CHECK with the reason when the client would not let this form go. */
int modal_check_complete(const struct modal *modal, struct err *err) MUST_CHECK;

/* The submitted labels; the caller owns the list. Chosen people and the like go to `resolved`. */
json_object *modal_components(const struct modal *modal, const struct world *world,
                              const struct place *place, json_object *resolved);

/* The value of a select's option: its `value`, or the id of whom "@bob" names. False when it has
 * no such option. Shared with selects in messages. */
bool select_value(json_object *select, struct world *world, int64_t guild_id,
                  struct str_view option, struct buf *value);

/* Adds whatever the ids in `values` name to `resolved`. */
void resolve_values(int select_type, json_object *values, const struct world *world,
                    const struct place *place, json_object *resolved);

#endif
