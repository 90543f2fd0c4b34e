/* Clicks on wizards. One click is: read the draft, ask whether this person may, change it, write it
 * where it still is the version that was read, and draw what it then is. Whoever finds at the
 * writing that another click was faster begins again and sees its result. Stateless; any executor
 * thread, of any instance.
 *
 * Buttons carry the version they were drawn with: an older one changes nothing and brings the page
 * up to date. Forms do not compare it, since what somebody typed should not be lost; they say which
 * page they are of. Only a form that comes again, late, changes nothing either.
 *
 * Saving is claimed first (DRAFT_SAVING), then done, keyed by the draft's id, then noted: if the
 * process ends anywhere between, the next click, whatever it is, finishes it, and nothing is saved
 * twice. */
#include "bronx/wizard.h"

#include "services/wizard_draft.h"
#include "services/wizard_page.h"

#include <string.h>

/* Each try lost is a click won by somebody; a person does not click so often in a moment. */
#define TRIES_MAX 10

/* What a custom_id says: WIZARD:VERSION:ACTION, of forms with :PAGE. */
struct click {
    const struct wizard *wizard;
    int64_t version;
    const struct action *action;
    int page;
};

/* Changes the draft in memory. 1 when there is something to write, 0 when not, or negative. */
typedef int action_function(struct call *call, struct wizard_draft *draft,
                            const struct click *click, struct err *err);

struct action {
    const char *word;
    unsigned states;        /* IN(...): when it can be done */
    action_function *apply; /* NULL: it opens the form */
    const char *notice;     /* TR: said on the page it leads to */
};

/* --- What each action does --- */

static int go_back(struct call *call, struct wizard_draft *draft, const struct click *click,
                   struct err *err)
{
    (void)click, (void)err;
    draft->page = draft_page_beside(call, draft, draft->page, -1);
    return 1;
}

static int go_on(struct call *call, struct wizard_draft *draft, const struct click *click,
                 struct err *err)
{
    (void)click, (void)err;
    if (draft_has_mistakes(call, draft, draft->page))
        return 0;
    draft->page = draft_page_beside(call, draft, draft->page, 1);
    return 1;
}

/* Leaves the page as it was; where something is wrong, only that: what was answered well beside it
 * counts. The button's label says which. */
static int skip(struct call *call, struct wizard_draft *draft, const struct click *click,
                struct err *err)
{
    bool is_wrong = draft_has_mistakes(call, draft, draft->page);
    for (int i = 0; draft->wizard->fields[i].key; i++) {
        if (draft->wizard->fields[i].step != draft->page)
            continue;
        draft->mistakes.values[i] = STR_NONE;
        if (!is_wrong)
            draft->answers.values[i] = STR_NONE;
    }
    return go_on(call, draft, click, err);
}

static int cancel(struct call *call, struct wizard_draft *draft, const struct click *click,
                  struct err *err)
{
    (void)click, (void)err;
    return draft_move(call, draft, DRAFT_CANCELLED);
}

/* What was possible when it was answered may not be any more: it is a mistake then. What is not
 * asked any more was not shown, and is not saved. */
static void look_over(const struct call *call, struct wizard_draft *draft)
{
    for (int i = 0; draft->wizard->fields[i].key; i++) {
        struct str_view *answer = &draft->answers.values[i], *mistake = &draft->mistakes.values[i];
        if (!draft_is_asked(call, draft, i)) {
            *answer = *mistake = STR_NONE;
        } else if (answer->data && !field_is_valid(&draft->wizard->fields[i], call, *answer)) {
            *mistake = *answer;
            *answer = STR_NONE;
        }
    }
}

static int save(struct call *call, struct wizard_draft *draft, const struct click *click,
                struct err *err)
{
    (void)click, (void)err;
    int review = draft_review_page(draft->wizard);
    if (draft->page != review)
        return 0;
    look_over(call, draft);
    for (int page = 0; page < review; page++)
        if (draft_has_mistakes(call, draft, page)) {
            draft->page = page;
            return 1;
        }
    return draft_move(call, draft, DRAFT_SAVING);
}

static int rebase(struct call *call, struct wizard_draft *draft, const struct click *click,
                  struct err *err)
{
    (void)click;
    int result = draft_load_base(call, draft, err);
    if (result != 0)
        return result;
    draft->page = draft_review_page(draft->wizard);
    return draft_move(call, draft, DRAFT_OPEN);
}

static int take_form(struct call *call, struct wizard_draft *draft, const struct click *click,
                     struct err *err)
{
    const struct field *fields = draft->wizard->fields;
    for (int i = 0; fields[i].key; i++) {
        struct str_view typed =
            fields[i].step == click->page ? field_answer(&fields[i], call) : STR_NONE;
        int result = typed.data ? draft_answer(call, draft, i, typed, err) : 0;
        if (result != 0)
            return result;
    }
    draft->page = click->page;
    go_on(call, draft, click, err); /* without a mistake */
    return 1;
}

#define IN(state) (1U << (state))

static const struct action actions[] = {
    { ACTION_EDIT, IN(DRAFT_OPEN), NULL, NULL },
    { ACTION_BACK, IN(DRAFT_OPEN), go_back, NULL },
    { ACTION_NEXT, IN(DRAFT_OPEN), go_on, NULL },
    { ACTION_SKIP, IN(DRAFT_OPEN), skip, NULL },
    { ACTION_CANCEL, IN(DRAFT_OPEN) | IN(DRAFT_CONFLICT), cancel, NULL },
    { ACTION_SAVE, IN(DRAFT_OPEN), save, NULL },
    { ACTION_REBASE, IN(DRAFT_CONFLICT), rebase,
      TR("This is what is there now, with your answers on top. Look it over once more.") },
    { ACTION_FORM, IN(DRAFT_OPEN), take_form, NULL },
};

/* --- One click --- */

static bool read_number(struct str_view *rest, int64_t *number)
{
    struct str_view part;
    return str_split(rest, ':', &part) && str_to_uint63(part, number) == 0;
}

/* False for anything that this engine does not write. */
static bool read_click(const struct call *call, struct click *click)
{
    struct str_view rest = call->custom_id.argument, name, word;
    int64_t page = 0;
    bool is_form = call->interaction->type == INTERACTION_MODAL_SUBMIT;
    *click = (struct click){ 0 };
    if (!str_split(&rest, ':', &name) || !read_number(&rest, &click->version) ||
        !str_split(&rest, ':', &word))
        return false;
    for (const struct wizard *const *wizard = call->command->wizards; *wizard; wizard++)
        if (str_equal(name, str_from((*wizard)->name)))
            click->wizard = *wizard;
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
        if (str_equal(word, str_from(actions[i].word)))
            click->action = &actions[i];
    if (!click->wizard || !click->action || is_form != (click->action->apply == take_form) ||
        (is_form && (!read_number(&rest, &page) || page >= draft_review_page(click->wizard))))
        return false;
    click->page = (int)page;
    return true;
}

/* Saves what was claimed, whoever claimed it. ERR_EXPECTATION when somebody else has noted it. */
static int finish_saving(struct call *call, struct wizard_draft *draft, struct err *err)
{
    int result = draft_save(call, draft, err);
    if (result < 0)
        return err_wrap(err, "saving a draft");
    if (!draft_move(call, draft, result == WIZARD_CONFLICT ? DRAFT_CONFLICT : DRAFT_SAVED))
        return err_set(err, ERR_INTERNAL, "a draft that was saved");
    return draft_update(call, draft, err);
}

static int show_form(struct call *call, const struct wizard_draft *draft, struct err *err)
{
    int result = draft_touch(call, draft, err);
    if (result == 0)
        wizard_show_form(call, draft);
    return result;
}

static int change(struct call *call, struct wizard_draft *draft, const struct click *click,
                  struct err *err)
{
    int result = click->action->apply(call, draft, click, err);
    if (result > 0)
        result = draft_update(call, draft, err);
    if (result == 0 && draft->state == DRAFT_SAVING)
        result = finish_saving(call, draft, err);
    return result != 0 ? result : wizard_show(call, draft, click->action->notice, err);
}

/* A form that was sent before the click we saw last has been overtaken by it, or was answered
 * before. In that case its own click raised the version as well. */
static bool comes_again(const struct call *call, const struct wizard_draft *draft,
                        const struct click *form)
{
    return call->effect_id < draft->interaction_id && draft->version > form->version + 1;
}

/* ERR_EXPECTATION when another click was faster than this one. */
static int answer_click(struct call *call, struct wizard_draft *draft, const struct click *click,
                        struct err *err)
{
    const struct action *action = click->action;
    bool is_replay = draft->interaction_id == call->effect_id;
    bool is_form = action->apply == take_form;
    if (draft->state == DRAFT_SAVING) {
        int result = finish_saving(call, draft, err);
        return result != 0 ? result : wizard_show(call, draft, NULL, err);
    }
    if (is_replay || !(action->states & IN(draft->state)))
        return wizard_show(call, draft, is_replay ? action->notice : NULL, err);
    if (is_form ? comes_again(call, draft, click) : click->version != draft->version)
        return wizard_show(call, draft,
                           TR("Something was clicked here before: this is how it is now."), err);
    if (action->apply)
        return change(call, draft, click, err);
    return draft->page < draft_review_page(draft->wizard) ? show_form(call, draft, err)
                                                          : wizard_show(call, draft, NULL, err);
}

static bool may(const struct call *call, const struct wizard *wizard)
{
    return wizard->needed_permissions == 0 ||
           call_has_permissions(call, wizard->needed_permissions);
}

static int try_click(struct call *call, const struct click *click, struct err *err)
{
    struct wizard_draft draft;
    int found = draft_find(call, click->wizard, call->custom_id.row_id, &draft, err);
    if (found < 0)
        return found;
    if (found == 0 || draft.guild_id != call->interaction->guild_id) {
        wizard_show_expired(call, click->wizard);
        return 0;
    }
    if (draft.user_id != call->interaction->user.id)
        return call_refuse(call,
                           tr(call, "This belongs to somebody else. Run `/%s %s` to get your own."),
                           tr_name(call, call->command->name), tr_name(call, click->wizard->name));
    if (!may(call, click->wizard))
        return call_refuse_permissions(call, click->wizard->needed_permissions,
                                       click->wizard->name);
    return answer_click(call, &draft, click, err);
}

/* --- Public --- */

static int fill_draft(struct call *call, struct wizard_draft *draft,
                      const struct field_values *answers, struct err *err)
{
    const struct wizard *wizard = draft->wizard;
    int result = draft_load_base(call, draft, err);
    for (int i = 0; result == 0 && answers && wizard->fields[i].key; i++)
        if (answers->values[i].data)
            result = draft_answer(call, draft, i, answers->values[i], err);
    draft->page = wizard->is_reviewed_at_once ? draft_review_page(wizard)
                                              : draft_page_beside(call, draft, -1, 1);
    return result;
}

int wizard_start(struct call *call, const struct wizard *wizard, const struct field_values *answers,
                 struct err *err)
{
    struct wizard_draft draft = {
        .wizard = wizard,
        .id = call->effect_id,
        .user_id = call->interaction->user.id,
        .guild_id = call->interaction->guild_id,
        .state = DRAFT_OPEN,
        .version = 1,
        .interaction_id = call->effect_id,
        .expires_at_ms = call->now_ms + WIZARD_EXPIRY_MS,
    };
    if (!may(call, wizard))
        return call_refuse_permissions(call, wizard->needed_permissions, wizard->name);
    int result = fill_draft(call, &draft, answers, err);
    if (result == 0)
        result = draft_insert(call, &draft, err);
    /* What is in the row now, for this may be a replay. */
    int found = result == 0 ? draft_find(call, wizard, draft.id, &draft, err) : result;
    if (found < 0)
        return found;
    if (found == 0) {
        wizard_show_expired(call, wizard);
        return 0;
    }
    return wizard_show(call, &draft, NULL, err);
}

int wizard_click(struct call *call, struct err *err)
{
    struct click click;
    int result = ERR_EXPECTATION;
    if (!read_click(call, &click))
        return call_refuse(call,
                           tr(call, "This button belongs to something I no longer offer. Run the "
                                    "command again to get a fresh message."));
    for (int tries = 0; tries < TRIES_MAX && result == ERR_EXPECTATION; tries++)
        result = try_click(call, &click, err);
    return result;
}
