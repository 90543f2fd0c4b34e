/* Drafts of wizards as rows, and the one function through which they change their state. Stateless:
 * any executor thread, of any instance, may have the next click.
 *
 * A row is only written where it still is the version that was read, so of two clicks at the same
 * instant one finds that the other was faster. The click that wrote a version is kept with it: when
 * a commit's outcome is unknown, or a request comes twice, that tells whose it is. */
#include "services/wizard_draft.h"

#include "bronx/services.h"

#include "services/field_internal.h"

/* A zero-width space: stands for an answer of which cleaning left nothing. It is refused for the
 * same reason; an empty one would be no answer. */
#define INVISIBLE "\u200b"

static const char *const state_words[] = {
    [DRAFT_OPEN] = "open",   [DRAFT_SAVING] = "saving",       [DRAFT_CONFLICT] = "conflict",
    [DRAFT_SAVED] = "saved", [DRAFT_CANCELLED] = "cancelled",
};

/* --- Moving --- */

#define TO(state) (1U << (state))

static const unsigned possible_moves[] = {
    [DRAFT_OPEN] = TO(DRAFT_SAVING) | TO(DRAFT_CANCELLED) | TO(DRAFT_EXPIRED),
    [DRAFT_SAVING] = TO(DRAFT_SAVED) | TO(DRAFT_CONFLICT),
    [DRAFT_CONFLICT] = TO(DRAFT_OPEN) | TO(DRAFT_CANCELLED) | TO(DRAFT_EXPIRED),
    [DRAFT_SAVED] = 0,
    [DRAFT_CANCELLED] = 0,
    [DRAFT_EXPIRED] = 0,
};

bool draft_move(const struct call *call, struct wizard_draft *draft, enum draft_state state)
{
    if (possible_moves[draft->state] & TO(state)) {
        draft->state = state;
        return true;
    }
    log_error(&call->log, "a draft can't move there", LOG_INT("draft", draft->id),
              LOG_INT("from", draft->state), LOG_INT("to", state));
    return false;
}

/* --- Values --- */

void draft_values(const struct wizard_draft *draft, struct field_values *values)
{
    *values = draft->base;
    for (int i = 0; draft->wizard->fields[i].key; i++)
        if (draft->answers.values[i].data)
            values->values[i] = draft->answers.values[i];
}

static void drop_if_unchanged(struct wizard_draft *draft, int place)
{
    const struct field *fields = draft->wizard->fields;
    struct str_view *answer = &draft->answers.values[place];
    if (answer->data && str_equal(*answer, field_value_of(fields, &draft->base, place)))
        *answer = STR_NONE;
}

int draft_load_base(struct call *call, struct wizard_draft *draft, struct err *err)
{
    int result =
        draft->wizard->load(call, draft->wizard->about, &draft->revision, &draft->base, err);
    for (int i = 0; result == 0 && draft->wizard->fields[i].key; i++)
        drop_if_unchanged(draft, i);
    return result;
}

int draft_answer(const struct call *call, struct wizard_draft *draft, int place,
                 struct str_view typed, struct err *err)
{
    struct str_view value, problem;
    if (field_parse(&draft->wizard->fields[place], call, typed, &value, &problem)) {
        draft->answers.values[place] = value;
        draft->mistakes.values[place] = STR_NONE;
        drop_if_unchanged(draft, place);
        return 0;
    }
    /* As a line, for that is what the row has: the answer to a replay is drawn from there. */
    typed = utf8_is_valid(typed) ? utf8_prefix_bytes(typed, FIELD_VALUE_MAX) : STR("");
    struct str_view clean = field_text_clean(call->arena, typed);
    bool is_lost = clean.data && clean.length == 0 && str_trim(typed).length > 0;
    draft->mistakes.values[place] = is_lost ? STR(INVISIBLE) : clean;
    return problem.data && clean.data ? 0 : err_set(err, ERR_MEMORY, "an answer to a wizard");
}

struct str_view draft_problem(const struct call *call, const struct wizard_draft *draft, int place)
{
    struct str_view value, problem;
    bool is_possible_now = field_parse(&draft->wizard->fields[place], call,
                                       draft->mistakes.values[place], &value, &problem);
    return is_possible_now ? tr_view(call, TR("Please give this answer once more.")) : problem;
}

/* --- Saving --- */

/* Its effects are the draft's until `call->effect_id` is the click's again, which is returned. */
static int64_t act_as(struct call *call, const struct wizard_draft *draft)
{
    int64_t click_id = call->effect_id;
    call->effect_id = draft->id;
    return click_id;
}

int draft_save(struct call *call, const struct wizard_draft *draft, struct err *err)
{
    struct field_values values;
    draft_values(draft, &values);
    int64_t click_id = act_as(call, draft);
    int result = draft->wizard->save(call, draft->wizard->about, draft->revision, &values, err);
    call->effect_id = click_id;
    return result;
}

int draft_add_saved(struct call *call, const struct wizard_draft *draft, struct err *err)
{
    if (!draft->wizard->add_saved)
        return 0;
    int64_t click_id = act_as(call, draft);
    int result = draft->wizard->add_saved(call, draft->wizard->about, err);
    call->effect_id = click_id;
    return result;
}

/* --- Pages --- */

int draft_review_page(const struct wizard *wizard)
{
    int count = 0;
    while (wizard->steps[count].title)
        count++;
    return count;
}

bool draft_is_asked(const struct call *call, const struct wizard_draft *draft, int place)
{
    struct field_values values;
    draft_values(draft, &values);
    return field_applies(&draft->wizard->fields[place], call, &values);
}

bool draft_is_on_page(const struct call *call, const struct wizard_draft *draft, int place,
                      int page)
{
    return draft->wizard->fields[place].step == page && draft_is_asked(call, draft, place);
}

static bool is_page(const struct call *call, const struct wizard_draft *draft, int page)
{
    for (int i = 0; draft->wizard->fields[i].key; i++)
        if (draft_is_on_page(call, draft, i, page))
            return true;
    return page == draft_review_page(draft->wizard);
}

int draft_page_beside(const struct call *call, const struct wizard_draft *draft, int from,
                      int direction)
{
    int review = draft_review_page(draft->wizard);
    for (int page = from + direction; page >= 0 && page <= review; page += direction)
        if (is_page(call, draft, page))
            return page;
    return from;
}

bool draft_has_mistakes(const struct call *call, const struct wizard_draft *draft, int page)
{
    for (int i = 0; draft->wizard->fields[i].key; i++)
        if (draft->mistakes.values[i].data && draft_is_on_page(call, draft, i, page))
            return true;
    return false;
}

/* --- The row --- */

static const char sql_insert[] =
    "INSERT INTO wizard_draft (id, wizard, user_id, guild_id, state, page, version, "
    "interaction_id, base_revision, base, answers, mistakes, expires_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING";

static const char sql_find[] =
    "SELECT user_id, guild_id, state, page, version, interaction_id, base_revision, base, answers, "
    "mistakes, expires_at FROM wizard_draft WHERE id = $1 AND wizard = $2";

static const char sql_update[] =
    "UPDATE wizard_draft SET state = $3, page = $4, version = version + 1, interaction_id = $5, "
    "base_revision = $6, base = $7, answers = $8, mistakes = $9, expires_at = $10 "
    "WHERE id = $1 AND version = $2";

struct draft_lines {
    struct str_view base, answers, mistakes;
};

static int write_lines(const struct call *call, const struct wizard_draft *draft,
                       struct draft_lines *lines, struct err *err)
{
    const struct field *fields = draft->wizard->fields;
    lines->base = field_lines(fields, &draft->base, call->arena);
    lines->answers = field_lines(fields, &draft->answers, call->arena);
    lines->mistakes = field_lines(fields, &draft->mistakes, call->arena);
    return lines->base.data && lines->answers.data && lines->mistakes.data
               ? 0
               : err_set(err, ERR_MEMORY, "a draft's lines");
}

int draft_insert(struct call *call, const struct wizard_draft *draft, struct err *err)
{
    struct draft_lines lines;
    int result = write_lines(call, draft, &lines, err);
    if (result != 0)
        return result;
    const struct db_statement statements[] = {
        { .sql = sql_insert,
          .parameters = { DB_INT(draft->id), DB_TEXT(str_from(draft->wizard->name)),
                          DB_INT(draft->user_id), DB_INT(draft->guild_id),
                          DB_TEXT(str_from(state_words[draft->state])), DB_INT(draft->page),
                          DB_INT(draft->version), DB_INT(draft->interaction_id),
                          DB_INT(draft->revision), DB_TEXT(lines.base), DB_TEXT(lines.answers),
                          DB_TEXT(lines.mistakes), DB_INT(draft->expires_at_ms) },
          .parameter_count = 13 },
        { .sql = "DELETE FROM wizard_draft WHERE expires_at < $1",
          .parameters = { DB_INT(call->now_ms) },
          .parameter_count = 1 },
    };
    result = db_settle(call->services->db, statements, ARRAY_LENGTH(statements), NULL, err);
    return result != 0 ? err_wrap(err, "opening a draft") : 0;
}

static bool read_state(struct str_view word, enum draft_state *state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(state_words); i++)
        if (str_equal(word, str_from(state_words[i]))) {
            *state = (enum draft_state)i;
            return true;
        }
    return false;
}

static int read_values(const struct call *call, const struct wizard_draft *draft,
                       struct str_view lines, struct field_values *values, struct err *err)
{
    struct str_view copy = arena_copy(call->arena, lines);
    if (!copy.data)
        return err_set(err, ERR_MEMORY, "a draft's lines");
    field_lines_read(draft->wizard->fields, copy, values);
    return 0;
}

static int read_row(const struct call *call, const struct db_rows *rows, struct wizard_draft *draft,
                    struct err *err)
{
    int review = draft_review_page(draft->wizard);
    int64_t page = db_rows_int(rows, 0, 3);
    draft->user_id = db_rows_int(rows, 0, 0);
    draft->guild_id = db_rows_int(rows, 0, 1);
    draft->page = page < review ? (int)page : review; /* an earlier version had more */
    draft->version = db_rows_int(rows, 0, 4);
    draft->interaction_id = db_rows_int(rows, 0, 5);
    draft->revision = db_rows_int(rows, 0, 6);
    draft->expires_at_ms = db_rows_int(rows, 0, 10);
    if (!read_state(db_rows_text(rows, 0, 2), &draft->state))
        return err_set(err, ERR_INTERNAL, "a draft's state");
    int result = read_values(call, draft, db_rows_text(rows, 0, 7), &draft->base, err);
    field_drop_invalid(draft->wizard->fields, &draft->base);
    if (result == 0)
        result = read_values(call, draft, db_rows_text(rows, 0, 8), &draft->answers, err);
    if (result == 0)
        result = read_values(call, draft, db_rows_text(rows, 0, 9), &draft->mistakes, err);
    bool is_over = draft->expires_at_ms <= call->now_ms;
    if (result == 0 && is_over && (draft->state == DRAFT_OPEN || draft->state == DRAFT_CONFLICT))
        draft_move(call, draft, DRAFT_EXPIRED);
    return result;
}

int draft_find(struct call *call, const struct wizard *wizard, int64_t id,
               struct wizard_draft *draft, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = sql_find,
        .parameters = { DB_INT(id), DB_TEXT(str_from(wizard->name)) },
        .parameter_count = 2,
    };
    *draft = (struct wizard_draft){ .wizard = wizard, .id = id };
    int result = db_query(call->services->db, &statement, &rows, err);
    if (result != 0)
        return err_wrap(err, "reading a draft");
    if (db_rows_count(rows) == 0)
        return 0;
    result = read_row(call, rows, draft, err);
    return result != 0 ? result : 1;
}

int draft_update(struct call *call, struct wizard_draft *draft, struct err *err)
{
    struct draft_lines lines;
    int result = write_lines(call, draft, &lines, err);
    if (result != 0)
        return result;
    draft->expires_at_ms = call->now_ms + WIZARD_EXPIRY_MS;
    const struct db_statement statement = {
        .sql = sql_update,
        .parameters = { DB_INT(draft->id), DB_INT(draft->version),
                        DB_TEXT(str_from(state_words[draft->state])), DB_INT(draft->page),
                        DB_INT(call->effect_id), DB_INT(draft->revision), DB_TEXT(lines.base),
                        DB_TEXT(lines.answers), DB_TEXT(lines.mistakes),
                        DB_INT(draft->expires_at_ms) },
        .parameter_count = 10,
        .expect = DB_ONE_ROW,
    };
    result = db_settle(call->services->db, &statement, 1, NULL, err);
    if (result != 0)
        return err_wrap(err, "writing a draft");
    draft->version++;
    draft->interaction_id = call->effect_id;
    return 0;
}

int draft_touch(struct call *call, const struct wizard_draft *draft, struct err *err)
{
    const struct db_statement statement = {
        .sql = "UPDATE wizard_draft SET expires_at = $2 WHERE id = $1 AND expires_at < $2",
        .parameters = { DB_INT(draft->id), DB_INT(call->now_ms + WIZARD_EXPIRY_MS) },
        .parameter_count = 2,
    };
    int result = db_settle(call->services->db, &statement, 1, NULL, err);
    return result != 0 ? err_wrap(err, "a click on a draft") : 0;
}
