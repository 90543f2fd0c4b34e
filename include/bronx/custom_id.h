/* custom_id of buttons, selects and modals: `route:version:row-id:argument`.
 *
 * Wizards and games keep no state in memory; all a click says is which command's message it is on,
 * which version of that command made it, which database row it is about and what was pressed.
 * Discord allows 1-100 characters. */
#ifndef BRONX_CUSTOM_ID_H
#define BRONX_CUSTOM_ID_H

#include "bronx/arena.h"
#include "bronx/err.h"

struct custom_id {
    struct str_view route; /* a command's name */
    int version;
    int64_t row_id;           /* 0: none */
    struct str_view argument; /* the rest, colons included; may be empty */
};

#define CUSTOM_ID_MAX 100

/* Views into `text`. ERR_INVALID for anything that custom_id_format does not make. */
int custom_id_parse(struct str_view text, struct custom_id *id) MUST_CHECK;

/* STR_NONE when it would be longer than CUSTOM_ID_MAX or memory is exhausted. */
struct str_view custom_id_format(struct arena *arena, const struct custom_id *id);

#endif
