/* Expectations about the newest answers. After a `together` there are several: a text is expected
 * in at least one of them, a "not" in none. */
#include "simulator/session.h"

#include "harness/memory.h"
#include "simulator/components.h"
#include "simulator/json_read.h"

#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 160 /* bytes of what there was instead; a reason is short */

/* What one answer shows, as the person who acted sees it now, white space folded. */
static void shown_text(const struct session *session, const struct delivery *delivery,
                       struct buf *folded)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    struct view view = session_view(session);
    view.has_colour = false;
    view.is_bare = true;
    delivery_show(session, delivery, &view, &text);
    must_hold(&text);
    buf_clear(folded);
    fold_space(buf_view(&text), folded);
}

static bool has_text(struct str_view text, struct str_view wanted)
{
    CLEANUP(buf_free) struct buf folded = { 0 };
    fold_space(wanted, &folded);
    return memmem(text.data ? text.data : "", text.length, folded.data ? folded.data : "",
                  folded.length) != NULL;
}

static const struct stored_message *shown_message(const struct session *session,
                                                  const struct delivery *delivery)
{
    return store_find(&session->store, delivery->shown_message_id);
}

typedef bool answer_filter(const struct session *session, const struct delivery *delivery,
                           struct str_view text);

static bool is_anything(const struct session *session, const struct delivery *delivery,
                        struct str_view text)
{
    (void)session, (void)delivery, (void)text;
    return true;
}

static bool is_ephemeral(const struct session *session, const struct delivery *delivery,
                         struct str_view text)
{
    const struct stored_message *message = shown_message(session, delivery);
    (void)text;
    return message && message->viewer_id != 0;
}

static bool is_public(const struct session *session, const struct delivery *delivery,
                      struct str_view text)
{
    const struct stored_message *message = shown_message(session, delivery);
    (void)text;
    return message && message->viewer_id == 0;
}

/* "error" and, near it, an id of at least four letters or digits, one of them a digit. */
static bool is_error(const struct session *session, const struct delivery *delivery,
                     struct str_view text)
{
    static const char pattern[] = "[Ee]rror[^0-9A-Za-z]*([Ii][Dd][^0-9A-Za-z]*)?"
                                  "[A-Za-z-]*[0-9][0-9A-Za-z-]{3,}";
    regex_t regex;
    if (!is_ephemeral(session, delivery, text) || regcomp(&regex, pattern, REG_EXTENDED) != 0)
        return false;
    bool is_match = regexec(&regex, text.data, 0, NULL, 0) == 0;
    regfree(&regex);
    return is_match;
}

static bool is_form(const struct session *session, const struct delivery *delivery,
                    struct str_view text)
{
    (void)session, (void)text;
    return delivery->has_opened_form;
}

static bool is_thinking(const struct session *session, const struct delivery *delivery,
                        struct str_view text)
{
    const struct stored_message *message = shown_message(session, delivery);
    (void)text;
    return message && message->is_thinking;
}

/* How many of the newest answers pass the filter and contain the text; `last` gets the last text
 * looked at. */
static size_t count_answers(const struct session *session, answer_filter *fits,
                            struct str_view wanted, struct buf *last)
{
    size_t found = 0;
    for (size_t i = 0; i < session->newest.count; i++) {
        shown_text(session, &session->newest.items[i], last);
        if (fits(session, &session->newest.items[i], buf_view(last)) &&
            has_text(buf_view(last), wanted))
            found++;
    }
    return found;
}

static int disappoint(const struct buf *last, const char *what, struct str_view wanted,
                      struct err *err)
{
    struct str_view shown = utf8_prefix(buf_view(last), SHOWN_MAX);
    return err_set(err, ERR_CHECK, "expected %s \"%.*s\"; there is: %.*s", what, STR_ARGS(wanted),
                   STR_ARGS(shown));
}

/* --- Expectations with a text --- */

static const struct {
    const char *word;
    answer_filter *fits;
} text_kinds[] = {
    { "text", is_anything }, { "ephemeral", is_ephemeral }, { "public", is_public },
    { "error", is_error },   { "modal", is_form },          { "thinking", is_thinking },
};

static int expect_text(const struct session *session, size_t kind, struct str_view wanted,
                       struct err *err)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    if (session->newest.count == 0)
        return err_set(err, ERR_CHECK, "there is no answer yet");
    if (count_answers(session, text_kinds[kind].fits, wanted, &last) > 0)
        return 0;
    return disappoint(&last, text_kinds[kind].word, wanted, err);
}

static int expect_absent(const struct session *session, struct str_view wanted, struct err *err)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    if (session->newest.count > 0 && count_answers(session, is_anything, wanted, &last) == 0)
        return 0;
    return disappoint(&last, "no", wanted, err);
}

static int expect_once(const struct session *session, struct str_view wanted, struct err *err)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    size_t found = count_answers(session, is_anything, wanted, &last);
    return found == 1
               ? 0
               : err_set(err, ERR_CHECK, "expected once \"%.*s\"; it is in %zu of %zu answers",
                         STR_ARGS(wanted), found, session->newest.count);
}

/* --- Others --- */

/* Buttons of the newest message this person sees that an answer created or changed. */
static bool is_button_shown(const struct session *session, struct str_view label)
{
    for (size_t i = 0; i < session->newest.count; i++) {
        const struct stored_message *message = shown_message(session, &session->newest.items[i]);
        json_object *button = message ? find_button(get(message->data, "components"), label) : NULL;
        if (button && !get_boolean(button, "disabled", false))
            return true;
    }
    return false;
}

static int expect_button(const struct session *session, struct str_view label, bool is_wanted,
                         struct err *err)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    if (is_button_shown(session, label) == is_wanted)
        return 0;
    count_answers(session, is_anything, label, &last);
    return disappoint(&last, is_wanted ? "button" : "no button", label, err);
}

/* Files of the newest answers whose name and content contain the texts. */
static size_t count_files(const struct session *session, const char *name, const char *content)
{
    size_t found = 0;
    for (size_t i = 0; i < session->newest.count; i++) {
        const struct stored_message *message = shown_message(session, &session->newest.items[i]);
        json_object *files = message ? get(message->data, "files") : NULL;
        if (!files)
            continue;
        json_object_object_foreach(files, filename, bytes)
        {
            found += strstr(filename, name) && strstr(json_object_get_string(bytes), content);
        }
    }
    return found;
}

static int expect_file(const struct session *session, const struct word *words, size_t count,
                       bool is_wanted, struct err *err)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    if (count < 1 || count > 2)
        return err_set(err, ERR_INVALID, "usage: expect [no] file \"name\" [\"content\"]");
    const char *content = count > 1 ? words[1].text : "";
    if (session->newest.count > 0 &&
        (count_files(session, words[0].text, content) > 0) == is_wanted)
        return 0;
    count_answers(session, is_anything, STR(""), &last);
    return disappoint(&last, is_wanted ? "a file with" : "no file with",
                      str_from(count > 1 ? content : words[0].text), err);
}

static int expect_choices(const struct session *session, const struct word *words, size_t count,
                          struct err *err)
{
    const struct delivery *delivery = session->newest.count == 1 ? session->newest.items : NULL;
    if (!delivery || delivery->type != INTERACTION_AUTOCOMPLETE)
        return err_set(err, ERR_CHECK, "nothing was completed");
    json_object *choices = get(get(delivery->json, "data"), "choices");
    for (size_t i = 0; i < count; i++) {
        bool is_found = false;
        for (size_t c = 0; c < list_length(choices) && !is_found; c++)
            is_found = strcmp(get_text(list_item(choices, c), "name"), words[i].text) == 0;
        if (!is_found)
            return err_set(err, ERR_CHECK, "expected the choice \"%s\" among %zu", words[i].text,
                           list_length(choices));
    }
    return count > 0 || list_length(choices) == 0
               ? 0
               : err_set(err, ERR_CHECK, "expected no choices; there are %zu",
                         list_length(choices));
}

static int expect_status(struct session *session, struct str_view wanted, struct err *err)
{
    int64_t status;
    if (str_to_uint63(wanted, &status) != 0)
        return err_set(err, ERR_INVALID, "usage: expect status 401");
    for (size_t i = 0; i < session->newest.count; i++)
        if (session->newest.items[i].answer.status != status)
            return err_set(err, ERR_CHECK, "expected status %" PRId64 "; it is %d", status,
                           session->newest.items[i].answer.status);
    violations_expect(&session->violations, STR("HTTP status"));
    return session->newest.count > 0 ? 0 : err_set(err, ERR_CHECK, "there is no answer yet");
}

static int expect_violation(struct session *session, struct str_view wanted, struct err *err)
{
    if (violations_expect(&session->violations, wanted) > 0)
        return 0;
    return err_set(err, ERR_CHECK, "expected a violation \"%.*s\"; there are %zu others",
                   STR_ARGS(wanted), session->violations.count);
}

static int expect_no(struct session *session, const struct word *words, size_t count,
                     struct err *err)
{
    if (count == 2 && word_is(&words[0], "button"))
        return expect_button(session, word_text(&words[1]), false, err);
    if (word_is(&words[0], "file"))
        return expect_file(session, words + 1, count - 1, false, err);
    if (count == 1 && word_is(&words[0], "violations")) {
        const struct violation *violation = violations_unexpected(&session->violations);
        return violation ? err_set(err, ERR_CHECK, "%s", violation->text) : 0;
    }
    return err_set(err, ERR_INVALID,
                   "usage: expect no button \"label\" | expect no file \"name\" [\"content\"] | "
                   "expect no violations");
}

bool session_shows(const struct session *session, const char *kind, struct str_view text)
{
    CLEANUP(buf_free) struct buf last = { 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(text_kinds); i++)
        if (strcmp(text_kinds[i].word, kind) == 0)
            return count_answers(session, text_kinds[i].fits, text, &last) > 0;
    return false;
}

/* `in #channel "text"`, after what came before it. */
static bool is_in_channel(const struct word *words, size_t count)
{
    return count == 3 && word_is(&words[0], "in") && words[2].is_quoted;
}

int session_expect(struct session *session, const struct word *words, size_t count, struct err *err)
{
    bool has_mode = word_is(&words[0], "not") || word_is(&words[0], "once");
    if (is_in_channel(words + has_mode, count - has_mode))
        return session_expect_in_channel(session, has_mode ? words[0].text : "",
                                         &words[has_mode + 1], &words[has_mode + 2], err);
    if (count == 1 && words[0].is_quoted)
        return expect_text(session, 0, word_text(&words[0]), err);
    if (word_is(&words[0], "no"))
        return expect_no(session, words + 1, count - 1, err);
    if (word_is(&words[0], "file"))
        return expect_file(session, words + 1, count - 1, true, err);
    if (word_is(&words[0], "choices"))
        return expect_choices(session, words + 1, count - 1, err);
    if (word_is(&words[0], "thinking") && count == 1)
        return expect_text(session, ARRAY_LENGTH(text_kinds) - 1, STR(""), err);
    if (count != 2)
        return err_set(err, ERR_INVALID,
                       "usage: expect [ephemeral|public|error|modal|not|once|"
                       "button|violation|status] \"text\"");
    struct str_view text = word_text(&words[1]);
    if (word_is(&words[0], "not"))
        return expect_absent(session, text, err);
    if (word_is(&words[0], "once"))
        return expect_once(session, text, err);
    if (word_is(&words[0], "button"))
        return expect_button(session, text, true, err);
    if (word_is(&words[0], "status"))
        return expect_status(session, text, err);
    if (word_is(&words[0], "violation") || word_is(&words[0], "refused"))
        return expect_violation(session, text, err);
    for (size_t kind = 0; kind < ARRAY_LENGTH(text_kinds); kind++)
        if (word_is(&words[0], text_kinds[kind].word))
            return expect_text(session, kind, text, err);
    return err_set(err, ERR_INVALID, "'expect %s' is not known", words[0].text);
}

int session_remember_match(struct session *session, const struct word *words, size_t count,
                           struct err *err)
{
    CLEANUP(buf_free) struct buf text = { 0 };
    regmatch_t matches[2];
    regex_t regex;
    if (count != 4 || !word_is(&words[2], "as"))
        return err_set(err, ERR_INVALID, "usage: remember \"regex with one (group)\" as NAME");
    if (session->newest.count == 0)
        return err_set(err, ERR_CHECK, "there is no answer yet");
    if (regcomp(&regex, words[1].text, REG_EXTENDED) != 0)
        return err_set(err, ERR_INVALID, "'%s' is not a regular expression", words[1].text);
    shown_text(session, &session->newest.items[session->newest.count - 1], &text);
    bool is_match =
        regexec(&regex, text.data ? text.data : "", 2, matches, 0) == 0 && matches[1].rm_so >= 0;
    regfree(&regex);
    if (!is_match)
        return disappoint(&text, "a match of", word_text(&words[1]), err);
    session_remember(session, word_text(&words[3]),
                     (struct str_view){ text.data + matches[1].rm_so,
                                        (size_t)(matches[1].rm_eo - matches[1].rm_so) });
    return 0;
}
