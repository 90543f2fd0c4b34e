/* Messages, forms and suggestions as a person would see them, in plain text for a terminal. */
#ifndef SIMULATOR_RENDER_H
#define SIMULATOR_RENDER_H

#include "simulator/message_store.h"
#include "simulator/modal.h"
#include "simulator/world.h"

struct view {
    const struct world *world; /* names for mentions */
    int64_t now_ms;            /* the shifted clock: what "in 2 hours" counts from */
    bool has_colour;           /* ANSI sequences */
    bool is_bare;              /* without the bars of containers: for comparing */
};

/* Author line, then the message. */
void render_message(const struct view *view, const struct stored_message *message, struct buf *out);
void render_modal(const struct view *view, const struct modal *modal, struct buf *out);
/* Only what can be filled in. */
void render_fields(const struct view *view, const struct modal *modal, struct buf *out);
void render_choices(json_object *choices, struct buf *out);

/* Markdown text: mentions and timestamps become words, marks for bold and the like vanish (or
 * become colours). */
void render_text(const struct view *view, struct str_view text, struct buf *out);

/* All white space folded to single spaces, trimmed: what `expect` compares. */
void fold_space(struct str_view text, struct buf *out);

enum { STYLE_NONE, STYLE_BOLD, STYLE_DIM, STYLE_BUTTON, STYLE_AUTHOR, STYLE_ERROR };
/* `text` in a style when the view has colours. */
void render_styled(const struct view *view, int style, struct str_view text, struct buf *out);

#endif
