/* The pseudo-language: a build of the bot in which every text of the catalogue is its English in
 * brackets, U+27E6 and U+27E7. Scenes run with it as they do in English, for the brackets are taken
 * off whatever it sends; letters that stood outside of them never went through the catalogue, and
 * are a violation. */
#ifndef SIMULATOR_PSEUDO_H
#define SIMULATOR_PSEUDO_H

#include "simulator/violations.h"

#include <json-c/json.h>

/* Takes the brackets off all texts in `json`. Outside of them may stand mentions, code and what
 * `spoken` contains: what people typed, and texts that are shown as they are. */
void pseudo_unwrap(json_object *json, struct str_view spoken, struct violations *violations);

#endif
