/* The pseudo-language: a build of the bot in which every text of the catalogue is its English in
 * brackets, U+27E6 and U+27E7, and every name of a command or option is, too. What is filled into a
 * format stands outside of the format's brackets: "⟦Voting: ⟧⟦On⟧". Scenes run with it as they do
 * in English, for the brackets are taken off whatever it sends; letters that stood outside of them
 * never went through the catalogue, and are a violation. */
#ifndef SIMULATOR_PSEUDO_H
#define SIMULATOR_PSEUDO_H

#include "simulator/violations.h"

#include <json-c/json.h>

/* What may stand outside of brackets, beside mentions, times and code that is no command. */
struct pseudo_allowed {
    struct str_view spoken;   /* what people typed: whole words of it */
    struct str_view verbatim; /* texts that are shown as they are: whole lines of them */
};

/* Takes the brackets off all texts in `json`. */
void pseudo_unwrap(json_object *json, const struct pseudo_allowed *allowed,
                   struct violations *violations);

#endif
