/* A wizard's draft: its row, and what its parts say about fields and pages. See bronx/wizard.h and
 * migrations/0012_wizard.sql. Everything lives in the arena of the call that read it. */
#ifndef SERVICES_WIZARD_DRAFT_H
#define SERVICES_WIZARD_DRAFT_H

#include "bronx/wizard.h"

enum draft_state {
    DRAFT_OPEN,
    DRAFT_SAVING,
    DRAFT_CONFLICT,
    DRAFT_SAVED,
    DRAFT_CANCELLED,
    DRAFT_EXPIRED, /* never stored: what is left of an open one after its time */
};

struct wizard_draft {
    const struct wizard *wizard;
    int64_t id, user_id, guild_id;
    enum draft_state state;
    int page;               /* a step, or draft_review_page */
    int64_t version;        /* of the row as it was read */
    int64_t interaction_id; /* the click that made this version */
    int64_t revision;       /* of `base` */
    int64_t expires_at_ms;
    struct field_values base;     /* in force when it was opened */
    struct field_values answers;  /* canonical, only what differs from `base` */
    struct field_values mistakes; /* as typed */
};

/* --- Values --- */

/* What would be saved: answers, else what is in force. */
void draft_values(const struct wizard_draft *draft, struct field_values *values);
/* Takes what is in force now as the base; answers that say the same are dropped. */
int draft_load_base(struct call *call, struct wizard_draft *draft, struct err *err) MUST_CHECK;
/* One field as typed: an answer, or a mistake. ERR_MEMORY. */
int draft_answer(const struct call *call, struct wizard_draft *draft, int place,
                 struct str_view typed, struct err *err) MUST_CHECK;
/* What is wrong with the mistake at `place`, in the reader's language. */
struct str_view draft_problem(const struct call *call, const struct wizard_draft *draft, int place);

/* --- Saving: whichever click does it, the wizard's functions are keyed by the draft --- */

/* As wizard.save. */
int draft_save(struct call *call, const struct wizard_draft *draft, struct err *err) MUST_CHECK;
/* What the wizard says below what was saved. */
int draft_add_saved(struct call *call, const struct wizard_draft *draft,
                    struct err *err) MUST_CHECK;

/* --- Pages --- */

int draft_review_page(const struct wizard *wizard);
/* Whether the field is asked for at all, and on which page. */
bool draft_is_asked(const struct call *call, const struct wizard_draft *draft, int place);
bool draft_is_on_page(const struct call *call, const struct wizard_draft *draft, int place,
                      int page);
/* The page after, or before (`direction` -1), leaving out those on which nothing is asked; `from`
 * itself when there is none before. */
int draft_page_beside(const struct call *call, const struct wizard_draft *draft, int from,
                      int direction);
/* Whether something typed on the page is not possible. */
bool draft_has_mistakes(const struct call *call, const struct wizard_draft *draft, int page);

/* --- The row --- */

/* Every change of state goes through here: false, and nothing changed, when it is not possible. */
bool draft_move(const struct call *call, struct wizard_draft *draft, enum draft_state state);

/* Inserts a new one, unless it is there, and deletes what has expired. */
int draft_insert(struct call *call, const struct wizard_draft *draft, struct err *err) MUST_CHECK;
/* 1, or 0 when there is none of this wizard with that id. */
int draft_find(struct call *call, const struct wizard *wizard, int64_t id,
               struct wizard_draft *draft, struct err *err) MUST_CHECK;
/* Writes it as this call's click. ERR_EXPECTATION when the row is not the version that was read:
 * by another click, or by this one and nobody knew. */
int draft_update(struct call *call, struct wizard_draft *draft, struct err *err) MUST_CHECK;
/* A click that changes nothing but the expiry. */
int draft_touch(struct call *call, const struct wizard_draft *draft, struct err *err) MUST_CHECK;

#endif
