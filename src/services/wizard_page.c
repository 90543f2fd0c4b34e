/* Drawing a wizard: pages, review, conflict and ends, always in the one message of the draft.
 *
 * Everything shown is derived from the draft and the reader's language, so that a replayed click is
 * answered the same. Values may be long: what does not fit a message with all of them is drawn
 * again with values cut shorter, until it fits. The whole value is in the form.
 *
 * Discord allows 4000 characters and 40 components, and fails on messages of about 10 KB. */
#include "services/wizard_page.h"

#include "services/field_internal.h"

#include <inttypes.h>
#include <string.h>

#define COLOUR_PAGE    0x5865f2
#define COLOUR_DONE    0x2ecc71
#define COLOUR_ENDED   0x95a5a6
#define COLOUR_WRONG   0xe67e22

/* What the body may take, beside 600 characters of heading and five buttons. */
#define BODY_UNITS_MAX 3200
#define BODY_BYTES_MAX 6500 /* as JSON */
#define VALUE_MAX      1000 /* characters of one value, at first */
#define VALUE_MIN      16

struct drawing {
    struct call *call;
    const struct wizard_draft *draft;
    struct field_values values; /* as they would be saved */
    size_t value_max;
    struct buf text;
};

typedef void body_writer(struct drawing *drawing);

/* --- Values that fit --- */

/* At most so long, and there at all but for want of memory; not in the middle of a list's item when
 * there is a place before, and with no escape left open. */
static void append_cut(struct drawing *drawing, struct str_view text)
{
    struct str_view cut = utf8_prefix(text, drawing->value_max);
    drawing->text.has_failed = drawing->text.has_failed || !text.data;
    if (cut.length == text.length) {
        buf_append(&drawing->text, text);
        return;
    }
    for (size_t end = cut.length; end > cut.length / 2; end--)
        if (cut.data[end - 1] == ' ') {
            cut.length = end;
            break;
        }
    while (cut.length > 0 && (cut.data[cut.length - 1] == '\\' || cut.data[cut.length - 1] == ' '))
        cut.length--;
    buf_append(&drawing->text, cut);
    buf_append(&drawing->text, STR("…"));
}

static size_t json_bytes(struct str_view text)
{
    size_t bytes = text.length;
    for (size_t i = 0; i < text.length; i++)
        bytes += text.data[i] == '"' || text.data[i] == '\\' || text.data[i] == '\n';
    return bytes;
}

static int add_body(struct drawing *drawing, body_writer *write, struct err *err)
{
    struct buf *text = &drawing->text;
    for (drawing->value_max = VALUE_MAX;; drawing->value_max = drawing->value_max * 3 / 4) {
        buf_clear(text);
        write(drawing);
        if (text->has_failed)
            return err_set(err, ERR_MEMORY, "a wizard's page");
        if (drawing->value_max <= VALUE_MIN || (utf8_units(buf_view(text)) <= BODY_UNITS_MAX &&
                                                json_bytes(buf_view(text)) <= BODY_BYTES_MAX))
            break;
    }
    if (text->length > 0)
        reply_text_view(drawing->call->reply, buf_view(text));
    return 0;
}

static struct str_view shown(const struct drawing *drawing, const struct field_values *values,
                             int place)
{
    const struct field *fields = drawing->draft->wizard->fields;
    return field_show(&fields[place], drawing->call, field_value_of(fields, values, place));
}

static bool is_changed(const struct drawing *drawing, int place)
{
    return drawing->draft->answers.values[place].data;
}

/* "Highest bet: no limit → 500 coins" */
static void append_change(struct drawing *drawing, int place)
{
    const struct field *field = &drawing->draft->wizard->fields[place];
    buf_append_format(&drawing->text, "%s: ", tr(drawing->call, field->label));
    if (is_changed(drawing, place)) {
        append_cut(drawing, shown(drawing, &drawing->draft->base, place));
        buf_append(&drawing->text, STR(" → **"));
        append_cut(drawing, shown(drawing, &drawing->values, place));
        buf_append(&drawing->text, STR("**"));
    } else {
        append_cut(drawing, shown(drawing, &drawing->values, place));
    }
    buf_append_char(&drawing->text, '\n');
}

/* --- Buttons --- */

static void add_button(const struct drawing *drawing, enum button_style style, const char *label,
                       const char *action, bool is_disabled)
{
    struct call *call = drawing->call;
    struct str_view argument =
        arena_format(call->arena, "%s:%" PRId64 ":%s", drawing->draft->wizard->name,
                     drawing->draft->version, action);
    if (!argument.data)
        return; /* the arena has failed, and so will the reply */
    reply_button(call->reply,
                 &(struct reply_button){
                     .style = style,
                     .label = tr_view(call, label),
                     .custom_id = call_custom_id(call, drawing->draft->id, argument.data),
                     .is_disabled = is_disabled,
                 });
}

static void add_back_button(const struct drawing *drawing)
{
    const struct wizard_draft *draft = drawing->draft;
    bool is_first = draft_page_beside(drawing->call, draft, draft->page, -1) == draft->page;
    add_button(drawing, BUTTON_SECONDARY, TR("Back"), ACTION_BACK, is_first);
}

static void add_cancel_button(const struct drawing *drawing)
{
    add_button(drawing, BUTTON_DANGER, TR("Cancel"), ACTION_CANCEL, false);
}

/* --- A page --- */

static void add_heading(const struct drawing *drawing, const char *notice)
{
    struct call *call = drawing->call;
    if (notice)
        reply_text(call->reply, "-# %s", tr(call, notice));
    reply_text(call->reply, "### %s", tr(call, drawing->draft->wizard->title));
}

static int add_progress(const struct drawing *drawing, struct err *err)
{
    CLEANUP(buf_free) struct buf bar = { 0 };
    struct call *call = drawing->call;
    const struct wizard_draft *draft = drawing->draft;
    const struct wizard_step *step = &draft->wizard->steps[draft->page];
    int review = draft_review_page(draft->wizard), count = 0, number = 0;
    for (int page = draft_page_beside(call, draft, -1, 1); page < review;
         page = draft_page_beside(call, draft, page, 1)) {
        count++;
        number += page <= draft->page;
        buf_append(&bar, page <= draft->page ? STR("▰") : STR("▱"));
    }
    if (bar.has_failed)
        return err_set(err, ERR_MEMORY, "a progress bar");
    reply_text(call->reply, tr(call, "**%s**\n%.*s Step %d of %d\n%s"), tr(call, step->title),
               STR_ARGS(buf_view(&bar)), number, count, tr(call, step->help));
    return 0;
}

static void append_mistake(struct drawing *drawing, int place)
{
    struct call *call = drawing->call;
    const struct wizard_draft *draft = drawing->draft;
    struct str_view mistake = draft->mistakes.values[place];
    buf_append(&drawing->text, STR("⚠️ "));
    append_cut(drawing, draft_problem(call, draft, place));
    buf_append_char(&drawing->text, '\n');
    if (field_text_is_visible(mistake)) {
        buf_append_format(&drawing->text, "-# %s ", tr(call, "You answered:"));
        append_cut(drawing, field_quote(&draft->wizard->fields[place], call, mistake));
        buf_append_char(&drawing->text, '\n');
    }
}

static void write_fields(struct drawing *drawing)
{
    struct call *call = drawing->call;
    const struct wizard_draft *draft = drawing->draft;
    for (int i = 0; draft->wizard->fields[i].key; i++) {
        const struct field *field = &draft->wizard->fields[i];
        if (!draft_is_on_page(call, draft, i, draft->page))
            continue;
        buf_append_format(&drawing->text, "**%s:** ", tr(call, field->label));
        append_cut(drawing, shown(drawing, &drawing->values, i));
        if (is_changed(drawing, i))
            buf_append_format(&drawing->text, " · *%s*", tr(call, "changed"));
        buf_append_char(&drawing->text, '\n');
        if (draft->mistakes.values[i].data)
            append_mistake(drawing, i);
        else
            buf_append_format(&drawing->text, "-# %s\n", tr(call, field->help));
    }
}

static int show_page(struct drawing *drawing, const char *notice, struct err *err)
{
    struct call *call = drawing->call;
    bool is_wrong = draft_has_mistakes(call, drawing->draft, drawing->draft->page);
    reply_container_begin(call->reply, is_wrong ? COLOUR_WRONG : COLOUR_PAGE);
    add_heading(drawing, notice);
    int result = add_progress(drawing, err);
    reply_separator(call->reply, true);
    if (result == 0)
        result = add_body(drawing, write_fields, err);
    if (result != 0)
        return result;
    reply_row_begin(call->reply);
    add_button(drawing, BUTTON_PRIMARY, TR("Edit"), ACTION_EDIT, false);
    add_back_button(drawing);
    add_button(drawing, BUTTON_SECONDARY, TR("Next"), ACTION_NEXT, is_wrong);
    add_button(drawing, BUTTON_SECONDARY, is_wrong ? TR("Skip what is wrong") : TR("Skip"),
               ACTION_SKIP, false);
    add_cancel_button(drawing);
    reply_row_end(call->reply);
    reply_container_end(call->reply);
    return 0;
}

/* --- The review --- */

static void write_review(struct drawing *drawing)
{
    struct call *call = drawing->call;
    const struct wizard_draft *draft = drawing->draft;
    int review = draft_review_page(draft->wizard);
    for (int page = draft_page_beside(call, draft, -1, 1); page < review;
         page = draft_page_beside(call, draft, page, 1)) {
        buf_append_format(&drawing->text, "**%s**\n", tr(call, draft->wizard->steps[page].title));
        for (int i = 0; draft->wizard->fields[i].key; i++)
            if (draft_is_on_page(call, draft, i, page))
                append_change(drawing, i);
    }
}

static int show_review(struct drawing *drawing, const char *notice, struct err *err)
{
    struct call *call = drawing->call;
    reply_container_begin(call->reply, COLOUR_PAGE);
    add_heading(drawing, notice);
    reply_text(call->reply, "%s", tr(call, "Look it over: nothing is saved before you say so."));
    reply_separator(call->reply, true);
    int result = add_body(drawing, write_review, err);
    if (result != 0)
        return result;
    reply_row_begin(call->reply);
    add_button(drawing, BUTTON_SUCCESS, TR("Save"), ACTION_SAVE, false);
    add_back_button(drawing);
    add_cancel_button(drawing);
    reply_row_end(call->reply);
    reply_container_end(call->reply);
    return 0;
}

/* --- Conflict and ends --- */

static int show_conflict(struct drawing *drawing, struct err *err)
{
    struct call *call = drawing->call;
    struct str_view sentence;
    const struct wizard *wizard = drawing->draft->wizard;
    int result = wizard->explain_conflict(call, wizard->about, &sentence, err);
    if (result != 0)
        return result;
    reply_container_begin(call->reply, COLOUR_WRONG);
    add_heading(drawing, NULL);
    reply_text_view(call->reply, sentence);
    reply_text(call->reply, "%s", tr(call, "Your answers are kept."));
    reply_row_begin(call->reply);
    add_button(drawing, BUTTON_PRIMARY, TR("See what is there now"), ACTION_REBASE, false);
    add_cancel_button(drawing);
    reply_row_end(call->reply);
    reply_container_end(call->reply);
    return 0;
}

static void write_changes(struct drawing *drawing)
{
    for (int i = 0; drawing->draft->wizard->fields[i].key; i++)
        if (is_changed(drawing, i))
            append_change(drawing, i);
}

static bool has_changes(const struct drawing *drawing)
{
    for (int i = 0; drawing->draft->wizard->fields[i].key; i++)
        if (is_changed(drawing, i))
            return true;
    return false;
}

static int show_saved(struct drawing *drawing, struct err *err)
{
    struct call *call = drawing->call;
    const struct wizard *wizard = drawing->draft->wizard;
    reply_container_begin(call->reply, COLOUR_DONE);
    add_heading(drawing, NULL);
    reply_text(call->reply, "%s",
               tr(call, has_changes(drawing) ? wizard->done
                                             : TR("You changed nothing, so all is as it was.")));
    int result = add_body(drawing, write_changes, err);
    if (result == 0)
        result = draft_add_saved(call, drawing->draft, err);
    reply_container_end(call->reply);
    return result;
}

static void show_end(struct call *call, const struct wizard *wizard, const char *sentence)
{
    reply_container_begin(call->reply, COLOUR_ENDED);
    reply_text(call->reply, "### %s", tr(call, wizard->title));
    reply_text(call->reply, "%s", sentence);
    reply_container_end(call->reply);
}

static void add_expiry(struct call *call, const struct wizard *wizard)
{
    long long minutes = WIZARD_EXPIRY_MS / MS_PER_MINUTE;
    struct str_view sentence =
        arena_format(call->arena,
                     tr_plural(call,
                               "This has expired: nobody clicked here for %lld minute. Run "
                               "`/%s %s` again.",
                               "This has expired: nobody clicked here for %lld minutes. Run "
                               "`/%s %s` again.",
                               minutes),
                     minutes, tr_name(call, call->command->name), tr_name(call, wizard->name));
    if (sentence.data)
        show_end(call, wizard, sentence.data);
}

void wizard_show_expired(struct call *call, const struct wizard *wizard)
{
    call_begin_private_answer(call);
    add_expiry(call, wizard);
}

static int show_state(struct drawing *drawing, const char *notice, struct err *err)
{
    const struct wizard_draft *draft = drawing->draft;
    switch (draft->state) {
    case DRAFT_OPEN:
        return draft->page < draft_review_page(draft->wizard) ? show_page(drawing, notice, err)
                                                              : show_review(drawing, notice, err);
    case DRAFT_CONFLICT:
        return show_conflict(drawing, err);
    case DRAFT_SAVED:
        return show_saved(drawing, err);
    case DRAFT_CANCELLED:
        show_end(drawing->call, draft->wizard,
                 tr(drawing->call, "Cancelled: all stays as it was."));
        return 0;
    case DRAFT_EXPIRED:
        add_expiry(drawing->call, draft->wizard);
        return 0;
    case DRAFT_SAVING:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a draft that is being saved is finished, not shown");
}

int wizard_show(struct call *call, const struct wizard_draft *draft, const char *notice,
                struct err *err)
{
    struct drawing drawing = { .call = call, .draft = draft };
    draft_values(draft, &drawing.values);
    call_begin_private_answer(call);
    int result = show_state(&drawing, notice, err);
    buf_free(&drawing.text);
    return result;
}

/* --- The form --- */

void wizard_show_form(struct call *call, const struct wizard_draft *draft)
{
    const struct wizard *wizard = draft->wizard;
    struct field_values values;
    struct str_view argument = arena_format(call->arena, "%s:%" PRId64 ":" ACTION_FORM ":%d",
                                            wizard->name, draft->version, draft->page);
    if (!argument.data)
        return; /* an empty reply is a fault */
    draft_values(draft, &values);
    reply_modal(call->reply, call_custom_id(call, draft->id, argument.data),
                tr_view(call, wizard->steps[draft->page].title));
    for (int i = 0; wizard->fields[i].key; i++) {
        if (!draft_is_on_page(call, draft, i, draft->page))
            continue;
        struct str_view mistake = draft->mistakes.values[i];
        bool is_kept = mistake.data && !field_is_picked(&wizard->fields[i]);
        field_ask(&wizard->fields[i], call,
                  is_kept ? mistake : field_value_of(wizard->fields, &values, i),
                  mistake.data ? draft_problem(call, draft, i) : STR_NONE);
    }
}
