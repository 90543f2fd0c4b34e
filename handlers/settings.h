/* What the files of /settings share, and others who speak of settings may use. */
#ifndef HANDLERS_SETTINGS_H
#define HANDLERS_SETTINGS_H

#include "bronx/outbox.h"
#include "bronx/settings.h"

/* One setting, or all of somebody's. */
struct setting {
    struct settings_owner owner;
    const struct field *field; /* NULL: all of them */
};

/* A click on a button about a setting. Whether the person may change it was asked before. */
typedef int settings_click(struct call *call, const struct setting *setting, struct err *err);

/* --- settings_show.c --- */

int settings_show_view(struct call *call, enum settings_scope scope, struct err *err);
int settings_show_history(struct call *call, enum settings_scope scope, int64_t offset,
                          struct err *err);
/* "**Highest bet**: 100,000 coins → no limit". */
struct str_view settings_show_change(struct call *call, enum settings_scope scope,
                                     const struct settings_change *change);
/* Who saved meanwhile, and when; that nothing of this was. */
int settings_explain_conflict(struct call *call, struct settings_owner owner,
                              struct str_view *sentence, struct err *err);

/* Shows what this interaction has saved, by the history: so an earlier run of it, too. 1, or 0 when
 * it has saved nothing. */
int settings_answer_saved(struct call *call, struct settings_owner owner, struct err *err);

/* --- settings_edit.c, settings_reset.c --- */

handler settings_run_edit, settings_run_reset;
settings_click settings_click_edit, settings_click_retry, settings_submit, settings_click_reset;

/* --- settings_channels.c --- */

/* Those a server wants posts in, and what stood in the way of the newest one. */
struct settings_channels {
    struct outbox_channel channels[OUTBOX_CHANNELS_ASKED];
};

/* As far as it was known before `before_ms`. */
int settings_ask_channels(struct call *call, const struct field_values *values, int64_t before_ms,
                          struct settings_channels *asked, struct err *err);
/* To be shown beside that setting of a server; absent when there is nothing to say. */
struct str_view settings_channel_warning(const struct call *call,
                                         const struct settings_channels *asked,
                                         const struct field *field);
/* Below what was saved in this server, of which `saved` is one: the channels with a warning. */
int settings_show_closed_channels(struct call *call, const struct settings_change *saved,
                                  struct err *err);

/* --- settings_names.c --- */

/* In commands and custom_ids: "server.max_bet", "me.time_zone", "server". Also the label, as people
 * may type it. False when there is no such setting. */
bool settings_find(const struct call *call, struct str_view text, struct setting *setting);

/* Fills an autocomplete answer with the settings that fit what was typed; for a reset only those
 * that differ from their default, and all of somebody's at once. */
int settings_suggest(struct call *call, struct str_view typed, bool is_reset, struct err *err);

/* Whether this person may change them here; and else, to say so. */
bool settings_may_change(const struct call *call, enum settings_scope scope);
int settings_refuse_change(struct call *call);

struct settings_owner settings_owner_of(const struct call *call, enum settings_scope scope);

/* Of a button or form: "settings:1:<number>:<verb>.server.max_bet". */
struct str_view settings_custom_id(const struct call *call, int64_t number, const char *verb,
                                   const struct setting *setting);
void settings_show_button(struct call *call, enum button_style style, const char *label,
                          struct str_view custom_id);

#endif
