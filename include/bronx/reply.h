/* The reply builder: the one way to answer an interaction.
 *
 * A handler describes what people shall see; the builder knows Discord's limits. Texts that may be
 * cut are cut between characters and end in an ellipsis; whatever can't be cut (a custom_id, too
 * many components, a wrong nesting) makes reply_serialize fail and name the JSON path of what is
 * wrong. Builder functions return nothing: the first fault is remembered, so handlers read like the
 * message. All texts are copied. `allowed_mentions` is empty unless a reply_mention_* function is
 * called.
 *
 * Messages use Components V2: https://docs.discord.com/developers/components/reference
 * Answers: https://docs.discord.com/developers/interactions/receiving-and-responding */
#ifndef BRONX_REPLY_H
#define BRONX_REPLY_H

#include "bronx/arena.h"
#include "bronx/err.h"
#include "bronx/interaction.h"

struct reply;

/* Discord refuses larger inline answers; such a message must be deferred and sent as an edit. */
#define REPLY_INLINE_MAX_BYTES 150000

/* https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object-interaction-callback-type
 */
enum callback_type {
    CALLBACK_PONG = 1,
    CALLBACK_MESSAGE = 4,
    CALLBACK_DEFERRED_MESSAGE = 5,
    CALLBACK_DEFERRED_UPDATE = 6,
    CALLBACK_UPDATE_MESSAGE = 7,
    CALLBACK_AUTOCOMPLETE = 8,
    CALLBACK_MODAL = 9,
};

enum button_style {
    BUTTON_PRIMARY = 1,
    BUTTON_SECONDARY = 2,
    BUTTON_SUCCESS = 3,
    BUTTON_DANGER = 4,
    BUTTON_LINK = 5,
};

struct reply_button {
    enum button_style style;
    struct str_view label;     /* cut at 80 */
    const char *emoji;         /* one Unicode emoji, or NULL */
    struct str_view custom_id; /* 1-100; not for BUTTON_LINK */
    struct str_view url;       /* BUTTON_LINK only, <= 512 */
    bool is_disabled;
};

struct reply_select_option {
    struct str_view label;       /* cut at 100 */
    struct str_view value;       /* 1-100 */
    struct str_view description; /* cut at 100; absent allowed */
    bool is_default;
};

/* A select in a message's row or in a modal's label; `type` says which of the five. */
struct reply_select {
    enum component_type type; /* COMPONENT_STRING_SELECT ... COMPONENT_CHANNEL_SELECT */
    struct str_view custom_id;
    struct str_view placeholder;               /* cut at 150; absent allowed */
    const struct reply_select_option *options; /* STRING_SELECT: 1-25 */
    int option_count;
    const int64_t *default_ids; /* USER, ROLE, CHANNEL selects: chosen already */
    int default_id_count;
    const int *channel_types; /* CHANNEL_SELECT: restrict to these; NULL for all */
    int channel_type_count;
    int min_values;   /* 0-25 */
    int max_values;   /* 1-25; 0 means 1 */
    bool is_disabled; /* messages only */
    bool is_optional; /* modals only; the default is required */
};

struct reply_text_input {
    struct str_view custom_id;
    bool is_paragraph;          /* several lines */
    int min_length, max_length; /* 0-4000, 1-4000; max 0 means 4000 */
    bool is_optional;
    struct str_view value;       /* filled in already; <= max_length */
    struct str_view placeholder; /* cut at 100 */
};

/* Options of a radio group (2-10), a checkbox group (1-10). */
struct reply_choice_group {
    enum component_type type; /* COMPONENT_RADIO_GROUP or COMPONENT_CHECKBOX_GROUP */
    struct str_view custom_id;
    const struct reply_select_option *options;
    int option_count;
    int min_values, max_values; /* checkbox groups; max 0 means all */
    bool is_optional;
};

/* --- What kind of answer this is. A reply starts as a new message. --- */

void reply_ephemeral(struct reply *reply);    /* only the person who asked sees it */
void reply_update(struct reply *reply);       /* change the message the component is on */
void reply_defer(struct reply *reply);        /* "thinking…": the message follows as an edit */
void reply_defer_update(struct reply *reply); /* components only: acknowledge, change later */
/* A form. `title` is cut at 45. Not allowed in answer to a modal. */
void reply_modal(struct reply *reply, struct str_view custom_id, struct str_view title);
/* One suggestion for the focused option (at most 25; both cut or refused at 100). */
void reply_suggest(struct reply *reply, struct str_view name, struct str_view value);
void reply_suggest_integer(struct reply *reply, struct str_view name, int64_t value);
/* An autocomplete answer, possibly without any suggestion. */
void reply_suggest_nothing(struct reply *reply);

/* Forgets all that was built: the reply is again an empty new message. */
void reply_reset(struct reply *reply);
bool reply_is_empty(const struct reply *reply);
bool reply_is_ephemeral(const struct reply *reply);
enum callback_type reply_callback_type(const struct reply *reply);

/* --- What the message shows. --- */

/* Markdown text, a component of its own. In a message all texts together have 4000 characters. */
void reply_text(struct reply *reply, const char *format, ...) PRINTF_LIKE(2, 3);
void reply_text_view(struct reply *reply, struct str_view text);

/* A box with a coloured bar; `colour` 0xRRGGBB, or -1 for none. */
void reply_container_begin(struct reply *reply, int colour);
void reply_container_end(struct reply *reply);

/* One to three texts beside an accessory: one button or one thumbnail, added inside it last. */
void reply_section_begin(struct reply *reply);
void reply_section_end(struct reply *reply);

/* A row of up to five buttons, or of one select. */
void reply_row_begin(struct reply *reply);
void reply_row_end(struct reply *reply);
void reply_button(struct reply *reply, const struct reply_button *button);
void reply_select(struct reply *reply, const struct reply_select *select);

void reply_separator(struct reply *reply, bool has_line);
void reply_thumbnail(struct reply *reply, struct str_view url, struct str_view description);
/* Up to ten pictures; call once per picture, consecutive calls share one gallery. */
void reply_picture(struct reply *reply, struct str_view url, struct str_view description);

/* Attaches bytes (copied) as `filename` ([A-Za-z0-9._-]) and shows them as a file. At most 10 files
 * and 10 MiB together. A reply with files can't be sent inline: see reply_has_files. */
void reply_file(struct reply *reply, struct str_view filename, struct str_view bytes);

/* Lets this message ping one user or role. The text must mention it as well. */
void reply_mention_user(struct reply *reply, int64_t user_id);
void reply_mention_role(struct reply *reply, int64_t role_id);

/* --- What a modal shows (after reply_modal): 1-5 of these. reply_text adds plain text. --- */

void reply_text_input(struct reply *reply, struct str_view label, struct str_view description,
                      const struct reply_text_input *input);
void reply_labelled_select(struct reply *reply, struct str_view label, struct str_view description,
                           const struct reply_select *select);
void reply_choice_group(struct reply *reply, struct str_view label, struct str_view description,
                        const struct reply_choice_group *group);
void reply_checkbox(struct reply *reply, struct str_view label, struct str_view description,
                    struct str_view custom_id, bool is_checked);
void reply_file_upload(struct reply *reply, struct str_view label, struct str_view description,
                       struct str_view custom_id, int min_files, int max_files);

/* --- For the router and for senders of edits. --- */

/* An empty reply to `interaction` (borrowed; decides which answers are allowed: a modal can't
 * answer a modal, an update needs a component's message). Lives in `arena`; NULL without memory. */
struct reply *reply_new(struct arena *arena, const struct interaction *interaction);

/* The body of the HTTP answer, checked against every limit, appended to `out`. ERR_LIMIT or
 * ERR_INVALID with the JSON path in the reason ("data.components[0].custom_id: 104 characters, at
 * most 100"), ERR_MEMORY. A reply with files, or of more than REPLY_INLINE_MAX_BYTES, fails with
 * ERR_DEFERRAL: it can only be sent as an edit. Nothing is appended on failure. */
int reply_serialize(const struct reply *reply, struct buf *out, struct err *err) MUST_CHECK;

/* The same message as the JSON of an edit (`payload_json` when there are files), or of a new one in
 * a channel. EPHEMERAL is not in it: an edit can't change it, and a channel has no such messages.
 */
int reply_serialize_edit(const struct reply *reply, struct buf *out, struct err *err) MUST_CHECK;

/* The same message as the JSON of a follow-up, a new message with its own visibility. */
int reply_serialize_follow_up(const struct reply *reply, struct buf *out,
                              struct err *err) MUST_CHECK;

struct reply_attachment {
    struct str_view filename;
    struct str_view bytes;
};

bool reply_has_files(const struct reply *reply);
/* Borrowed from the reply; `*count` places. files[n] belongs to the attachment with id n. */
const struct reply_attachment *reply_files(const struct reply *reply, int *count);

#endif
