/* What a wizard's message and forms look like. Draws into the call's reply; changes nothing. */
#ifndef SERVICES_WIZARD_PAGE_H
#define SERVICES_WIZARD_PAGE_H

#include "services/wizard_draft.h"

/* Arguments of the wizard's custom_ids are WIZARD:VERSION:ACTION, of its forms with :PAGE. */
#define ACTION_EDIT   "edit"
#define ACTION_BACK   "back"
#define ACTION_NEXT   "next"
#define ACTION_SKIP   "skip"
#define ACTION_CANCEL "cancel"
#define ACTION_SAVE   "save"
#define ACTION_REBASE "rebase"
#define ACTION_FORM   "form"

/* The draft as it now is: a page, the review, the conflict, or how it ended. `notice` (TR; NULL
 * allowed) stands above a page. */
int wizard_show(struct call *call, const struct wizard_draft *draft, const char *notice,
                struct err *err) MUST_CHECK;

/* The form of the page the draft is on. */
void wizard_show_form(struct call *call, const struct wizard_draft *draft);

/* There is no such draft any more. */
void wizard_show_expired(struct call *call, const struct wizard *wizard);

#endif
