/* The wizard engine: pages of fields, asked one after the other in one ephemeral message, with a
 * review and one atomic save at the end. A wizard is a table of fields and of steps; the engine
 * draws pages, opens forms, checks answers, keeps the draft and words every refusal.
 *
 * A draft is a row: it survives restarts, and any instance takes the next click. It expires
 * WIZARD_EXPIRY_MS after its last click, belongs to one person, and has a version that each click
 * raises: two clicks at the same instant are one, the other is told. A field's present value is
 * what the draft says, else what was saved when it was opened.
 *
 *     page <-> form        "Edit" opens the step's form, filled in; good answers lead on to the
 *      | ^                 next page, a wrong one comes back with its reason and what was typed
 *      v |  Next, Skip, Back
 *     review -> saved      or "changed by somebody else meanwhile", which keeps the draft
 *     any -> cancelled */
#ifndef BRONX_WIZARD_H
#define BRONX_WIZARD_H

#include "bronx/clock.h"
#include "bronx/field.h"

#define WIZARD_EXPIRY_MS  (300 * MS_PER_SECOND)
#define WIZARD_FIELDS_MAX 5 /* of one step: what a modal holds */

struct wizard_step {
    const char *title; /* TR; NULL ends the list */
    const char *help;  /* TR: a sentence or two above the fields */
};

enum wizard_saving { WIZARD_SAVED, WIZARD_UNCHANGED, WIZARD_CONFLICT };

struct wizard {
    const char *name;  /* stored in drafts, and the sub-command that opens it: "server" */
    const char *title; /* TR: "Set up this server" */
    const struct field *fields;
    const struct wizard_step *steps; /* field.step is the place in here; a step none of whose fields
                                        apply is left out */
    uint64_t needed_permissions;     /* PERMISSION_*, checked at every click; 0: none */
    bool is_reviewed_at_once;        /* opens on the review: its answers are a proposal */
    const char *done;                /* TR: what is said after saving */
    int about; /* passed to the functions below, which several wizards may share: whose values */
    /* What is in force, valid, with the revision that `save` compares. */
    int (*load)(struct call *call, int about, int64_t *revision, struct field_values *values,
                struct err *err);
    /* An enum wizard_saving, or a negative code. Keyed by call->effect_id, which is the draft's: it
     * may run twice, by two clicks, and saves once. */
    int (*save)(struct call *call, int about, int64_t revision, const struct field_values *values,
                struct err *err);
    /* What is said below the changes after saving. call->effect_id is the draft's again. NULL:
     * nothing. */
    int (*add_saved)(struct call *call, int about, struct err *err);
    /* The sentence after WIZARD_CONFLICT: who saved, and when. */
    int (*explain_conflict)(struct call *call, int about, struct str_view *sentence,
                            struct err *err);
};

/* Opens a draft for this call's person and shows the first page, or the review. `answers` (may be
 * NULL) are put into it as if they had been typed. A replay shows the same draft. */
int wizard_start(struct call *call, const struct wizard *wizard, const struct field_values *answers,
                 struct err *err) MUST_CHECK;

/* A click on, or a submitted form of, any of the command's `wizards`: its `component` and its
 * `modal`. Its component_version is theirs. */
handler wizard_click;

/* Finds what Discord or the engine would refuse in the wizards of the list's commands: the first
 * fault as ERR_INVALID with the path in words ("setup.server: ..."). Asked at the start. */
int wizard_list_check(const struct command *const *commands, struct err *err) MUST_CHECK;

#endif
