/* A scene as a list of lines; which of them are guesses decides what a replay may change. */
#include "simulator/record.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_UNITS 60 /* of a text in an expectation */
#define BUTTONS_MAX 3
#define CHOICES_MAX 3
#define REPLAYS_MAX 50

static void add_line(struct recorder *recorder, bool is_guess, char *text_taken)
{
    must_grow(&recorder->lines, recorder->count, sizeof(struct recorded_line));
    recorder->lines[recorder->count++] = (struct recorded_line){ text_taken, is_guess };
}

/* A guess: `before` and a quoted text. */
static void add_quoted(struct recorder *recorder, const char *before, struct str_view text)
{
    CLEANUP(buf_free) struct buf line = { 0 };
    text = utf8_prefix(text, SHOWN_UNITS);
    buf_append_format(&line, "%s \"", before);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buf_append_char(&line, '\\');
        buf_append_char(&line, text.data[i]);
    }
    buf_append_char(&line, '"');
    must_hold(&line);
    add_line(recorder, true, must_copy(buf_view(&line)));
}

/* --- What is seen --- */

/* The first line of the message below its author. */
static struct str_view telling_line(const struct session *session,
                                    const struct stored_message *message, struct buf *shown)
{
    struct view view = session_view(session);
    struct str_view rest, line;
    view.has_colour = false;
    view.is_bare = true;
    render_message(&view, message, shown);
    rest = buf_view(shown);
    str_split(&rest, '\n', &line);
    while (str_split(&rest, '\n', &line))
        if (str_trim(line).length > 0)
            return str_trim(line);
    return STR("");
}

static void record_message(struct recorder *recorder, const struct session *session,
                           const char *verb, const struct stored_message *message)
{
    CLEANUP(buf_free) struct buf shown = { 0 };
    char *before = must_format("%s %s", verb, message->viewer_id != 0 ? "ephemeral" : "public");
    add_quoted(recorder, before, telling_line(session, message, &shown));
    free(before);
}

static void record_buttons(struct recorder *recorder, const struct stored_message *message)
{
    struct component_walk walk = component_walk_start(get(message->data, "components"));
    int found = 0;
    for (json_object *component; (component = component_next(&walk)) && found < BUTTONS_MAX;) {
        CLEANUP(buf_free) struct buf label = { 0 };
        if (component_type(component) != COMPONENT_BUTTON ||
            get_boolean(component, "disabled", false))
            continue;
        button_text(component, &label);
        must_hold(&label);
        add_quoted(recorder, "expect button", buf_view(&label));
        found++;
    }
}

static void record_choices(struct recorder *recorder, const struct delivery *answer)
{
    json_object *choices = get(get(answer->json, "data"), "choices");
    if (list_length(choices) == 0)
        add_line(recorder, true, must_copy(STR("expect choices")));
    for (size_t i = 0; i < list_length(choices) && i < CHOICES_MAX; i++)
        add_quoted(recorder, "expect choices", str_from(get_text(list_item(choices, i), "name")));
}

static void record_answer(struct recorder *recorder, struct session *session,
                          const struct delivery *answer)
{
    const struct stored_message *message = store_find(&session->store, answer->shown_message_id);
    const struct modal *modal = session_form(session, answer->actor.person->id);
    if (answer->answer.status != 200)
        return; /* a violation says so */
    if (answer->type == INTERACTION_AUTOCOMPLETE)
        record_choices(recorder, answer);
    else if (answer->has_opened_form && modal_is_open(modal))
        add_quoted(recorder, "expect modal", str_from(get_text(modal->data, "title")));
    else if (message && message->is_thinking)
        add_line(recorder, false, must_copy(STR("expect thinking")));
    else if (message) {
        record_message(recorder, session, "expect", message);
        record_buttons(recorder, message);
    }
}

/* Each must be expected, or the scene fails: these are no guesses. */
static void record_violations(struct recorder *recorder, const struct session *session)
{
    static const char refusal[] = "Discord's client refuses: ";
    static const char status[] = "HTTP status ";
    for (; recorder->violation_count < session->violations.count; recorder->violation_count++) {
        const char *text = session->violations.items[recorder->violation_count].text;
        if (session->violations.items[recorder->violation_count].is_expected)
            continue;
        if (str_starts_with(str_from(text), STR("HTTP status ")))
            add_line(recorder, false, must_format("expect status %.3s", text + strlen(status)));
        else if (str_starts_with(str_from(text), str_from(refusal)))
            add_quoted(recorder, "expect refused", str_from(text + strlen(refusal)));
        else
            add_quoted(recorder, "expect violation", str_from(text));
        recorder->lines[recorder->count - 1].is_guess = false;
    }
}

static const struct delivery *newest_answer(const struct session *session)
{
    return session->newest.count > 0 ? &session->newest.items[0] : NULL;
}

static bool is_thinking(const struct session *session)
{
    const struct delivery *answer = newest_answer(session);
    const struct stored_message *message =
        answer ? store_find(&session->store, answer->shown_message_id) : NULL;
    return message && message->is_thinking && !message->is_deleted;
}

static void look(struct recorder *recorder, const struct session *session)
{
    const struct delivery *answer = newest_answer(session);
    recorder->interaction_id = answer ? answer->interaction_id : 0;
    recorder->message_count = session->store.count;
    recorder->violation_count = session->violations.count;
    recorder->was_thinking = is_thinking(session);
}

int record_begin(struct recorder *recorder, const struct session *session, const char *path,
                 struct err *err)
{
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_DUPLICATE, "%s exists already", path);
    *recorder = (struct recorder){ .path = must_copy(str_from(path)) };
    add_line(recorder, false, must_copy(STR("# Recorded at the prompt.")));
    add_line(recorder, false, must_copy(STR("as alice in guild harlem")));
    look(recorder, session);
    return 0;
}

void record_step(struct recorder *recorder, struct session *session, const char *source)
{
    const struct delivery *answer = newest_answer(session);
    if (!recorder->path)
        return;
    add_line(recorder, false, must_copy(str_from(source)));
    record_violations(recorder, session);
    if (answer && answer->interaction_id != recorder->interaction_id)
        record_answer(recorder, session, answer);
    look(recorder, session);
}

void record_changes(struct recorder *recorder, struct session *session)
{
    const struct delivery *answer = newest_answer(session);
    if (!recorder->path)
        return;
    const struct stored_message *message =
        answer ? store_find(&session->store, answer->shown_message_id) : NULL;
    if (recorder->was_thinking && message && message->is_deleted)
        add_quoted(recorder, "await", STR("(deleted)"));
    else if (recorder->was_thinking && message && !message->is_thinking)
        record_message(recorder, session, "await", message);
    for (size_t i = recorder->message_count; answer && i < session->store.count; i++)
        if (session->store.messages[i]->interaction_id == answer->interaction_id)
            record_message(recorder, session, "await", session->store.messages[i]);
    record_violations(recorder, session);
    look(recorder, session);
}

/* --- Playing it again --- */

static void scene_text(const struct recorder *recorder, struct buf *text)
{
    buf_clear(text);
    for (size_t i = 0; i < recorder->count; i++)
        buf_append_format(text, "%s\n", recorder->lines[i].text);
    must_hold(text);
}

/* `*failed_line` gets the line (from 0) that failed. */
static int play(const struct recorder *recorder, const struct session *original,
                size_t *failed_line, struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    CLEANUP(buf_free) struct buf transcript = { 0 };
    CLEANUP(script_free) struct script script = { 0 };
    struct session session = { 0 };
    struct err end_err = { 0 };
    const struct step *failed = NULL;
    scene_text(recorder, &text);
    int result = script_parse(&script, recorder->path, buf_view(&text), err);
    if (result != 0)
        return result;
    result = session_start(&session, original->bot.options.binary, original->offered, err);
    if (result == 0)
        result = session_run(&session, &script, false, &transcript, &failed, err);
    int end_result = session_end(&session, &end_err);
    if (result == 0 && end_result != 0) {
        *err = end_err;
        result = end_result;
    }
    *failed_line = failed ? (size_t)failed->line - 1 : 0;
    return result;
}

static void drop_line(struct recorder *recorder, size_t index)
{
    free(recorder->lines[index].text);
    memmove(&recorder->lines[index], &recorder->lines[index + 1],
            (recorder->count - index - 1) * sizeof(struct recorded_line));
    recorder->count--;
}

static int write_scene(const struct recorder *recorder, struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    FILE *file = fopen(recorder->path, "wxe");
    if (!file)
        return err_set_errno(err, ERR_IO, errno, "%s", recorder->path);
    scene_text(recorder, &text);
    bool is_written = fwrite(text.data, 1, text.length, file) == text.length;
    if (fclose(file) != 0 || !is_written)
        return err_set_errno(err, ERR_IO, errno, "%s", recorder->path);
    return 0;
}

int record_end(struct recorder *recorder, const struct session *session, struct err *err)
{
    struct err problem = { 0 };
    int played = ERR_CHECK;
    for (int i = 0; i < REPLAYS_MAX; i++) {
        size_t line = 0;
        problem = (struct err){ 0 };
        played = play(recorder, session, &line, &problem);
        if (played == 0 || line >= recorder->count || !recorder->lines[line].is_guess)
            break;
        drop_line(recorder, line);
    }
    int result = write_scene(recorder, err);
    if (result == 0 && played != 0)
        result = err_set(err, ERR_CHECK, "%s was written, but fails when replayed: %s",
                         recorder->path, problem.message);
    record_free(recorder);
    return result;
}

void record_free(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->count; i++)
        free(recorder->lines[i].text);
    free(recorder->lines);
    free(recorder->path);
    *recorder = (struct recorder){ 0 };
}
