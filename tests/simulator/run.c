/* Running steps and scripts: prefixes, variables, `together`, and what has to be expected before
 * the next step. Whatever talks to the bot goes through delivery_prepare, _send and _absorb. */
#include "simulator/steps.h"

#include "harness/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_MAX 256 /* requests of one `together` */

/* --- Deliveries --- */

/* Adds a prepared delivery. What Discord's client refuses to send is a violation that a scene may
 * expect, and nothing is sent. */
static int add_delivery(struct stage *stage, const struct word *words, size_t count, bool is_forged,
                        struct deliveries *deliveries, struct err *err)
{
    struct delivery delivery = { 0 };
    struct err problem = { 0 };
    int result = delivery_prepare(stage->session, &stage->actor, words, count, &delivery, &problem);
    if (result == ERR_CHECK) {
        violations_add(&stage->session->violations, "Discord's client refuses: %s",
                       problem.message);
        stage_note(stage, "(Discord does not send this: %s)\n", problem.message);
        return 0;
    }
    if (result != 0)
        return err_set(err, result, "%s", problem.message);
    if (is_forged)
        delivery_forge(&delivery);
    must_grow(&deliveries->items, deliveries->count, sizeof(struct delivery));
    deliveries->items[deliveries->count++] = delivery;
    return 0;
}

static void send_and_show(struct stage *stage, struct deliveries *deliveries)
{
    struct session *session = stage->session;
    if (deliveries->count > 0)
        deliveries_send(session, deliveries->items, deliveries->count);
    for (size_t i = 0; i < deliveries->count; i++) {
        struct view view = session_view(session);
        size_t before = session->violations.count;
        delivery_absorb(session, &deliveries->items[i]);
        delivery_show(session, &deliveries->items[i], &view, stage->out);
        for (size_t v = before; v < session->violations.count; v++)
            stage_note(stage, "!! %s\n", session->violations.items[v].text);
    }
    session_take_newest(session, deliveries);
}

/* --- One step --- */

/* What was broken must have been expected before anything else happens. */
static int check_violations(const struct session *session, struct err *err)
{
    const struct violation *violation = violations_unexpected(&session->violations);
    return violation ? err_set(err, ERR_CHECK, "%s", violation->text) : 0;
}

/* `$NAME` anywhere in a word becomes what was remembered; unknown names stay as they are. */
static char *substitute(const struct session *session, const char *text)
{
    CLEANUP(buf_free) struct buf out = { 0 };
    for (const char *at = text; *at;) {
        size_t length = *at == '$' ? strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;
        const char *value =
            length > 0 ? session_variable(session, (struct str_view){ at + 1, length }) : NULL;
        if (value) {
            buf_append(&out, str_from(value));
            at += length + 1;
        } else {
            buf_append_char(&out, *at++);
        }
    }
    must_hold(&out);
    return must_copy(buf_view(&out));
}

struct prefix {
    bool is_forged;
    size_t length; /* words before the verb */
};

static bool is_place_word(const struct word *word)
{
    return word_is(word, "in") || word_is(word, "speaking") || word_is(word, "with");
}

/* `as NAME` before another verb acts once as somebody else; `forged` breaks the signature. */
static int read_prefix(struct stage *stage, const struct word *words, size_t count,
                       struct prefix *prefix, struct err *err)
{
    *prefix = (struct prefix){ 0 };
    if (count > 2 && word_is(&words[0], "as") && !is_place_word(&words[2])) {
        int result = stage_read_person(stage, &words[1], err);
        if (result != 0)
            return result;
        prefix->length = 2;
    }
    if (count > prefix->length + 1 && word_is(&words[prefix->length], "forged")) {
        prefix->is_forged = true;
        prefix->length++;
    }
    return 0;
}

/* `together N STEP`: N of the same; otherwise one. Adds to `deliveries` or runs the verb. */
static int run_words(struct stage *stage, const struct word *words, size_t count,
                     struct deliveries *deliveries, struct err *err)
{
    struct prefix prefix;
    int64_t times = 1;
    bool is_together = count > 2 && word_is(&words[0], "together");
    if (is_together) {
        if (str_to_uint63(word_text(&words[1]), &times) != 0 || times < 1 || times > REPEAT_MAX)
            return err_set(err, ERR_INVALID, "usage: together N STEP, N at most %d", REPEAT_MAX);
        words += 2, count -= 2;
    }
    int result = read_prefix(stage, words, count, &prefix, err);
    words += prefix.length, count -= prefix.length;
    if (result != 0)
        return result;
    session_hear(stage->session, words, count);
    if (!is_delivery_verb(&words[0]))
        return is_together || prefix.is_forged
                   ? err_set(err, ERR_INVALID, "'%s' sends nothing", words[0].text)
                   : stage_run_verb(stage, words, count, err);
    for (int64_t i = 0; i < times && result == 0; i++)
        result = add_delivery(stage, words, count, prefix.is_forged, deliveries, err);
    return result;
}

/* With its variables replaced; `deliveries` collects what is to be sent. */
static int run_step(struct session *session, const struct step *step, struct buf *out,
                    struct deliveries *deliveries, struct err *err)
{
    struct word words[SCRIPT_WORDS_MAX];
    struct stage stage = { session, session->actor, out };
    session_take_violations(session, out);
    if (!word_is(&step->words[0], "expect")) {
        session_await_late(session);
        session_take_changes(session, 0);
        int result = check_violations(session, err);
        if (result != 0)
            return result;
    }
    for (size_t i = 0; i < step->count; i++)
        words[i] =
            (struct word){ substitute(session, step->words[i].text), step->words[i].is_quoted };
    int result = run_words(&stage, words, step->count, deliveries, err);
    for (size_t i = 0; i < step->count; i++)
        free(words[i].text);
    return result;
}

int session_step(struct session *session, const struct step *step, struct buf *out, struct err *err)
{
    CLEANUP(deliveries_free) struct deliveries deliveries = { 0 };
    int result = run_step(session, step, out, &deliveries, err);
    struct stage stage = { session, session->actor, out };
    if (result == 0 && deliveries.count > 0)
        send_and_show(&stage, &deliveries);
    return result;
}

/* --- A script --- */

/* The steps between `together` and `end` are sent at the same instant. `*index` moves to `end`. */
static int run_block(struct session *session, const struct script *script, size_t *index,
                     struct buf *out, struct err *err)
{
    CLEANUP(deliveries_free) struct deliveries deliveries = { 0 };
    struct stage stage = { session, session->actor, out };
    for ((*index)++; *index < script->count; (*index)++) {
        const struct step *step = &script->steps[*index];
        size_t before = deliveries.count;
        if (word_is(&step->words[0], "end")) {
            send_and_show(&stage, &deliveries);
            return 0;
        }
        stage_note(&stage, "    > %s\n", step->source);
        int result = run_step(session, step, out, &deliveries, err);
        if (result != 0)
            return result;
        if (deliveries.count == before)
            return err_set(err, ERR_INVALID, "only what sends something can be done together");
    }
    *index = script->count - 1;
    return err_set(err, ERR_INVALID, "`together` without `end`");
}

static int run_at(struct session *session, const struct script *script, size_t *index,
                  struct buf *out, struct err *err)
{
    const struct step *step = &script->steps[*index];
    buf_append_format(out, "%s> %s\n", session->actor.person->name, step->source);
    if (step->count == 1 && word_is(&step->words[0], "together"))
        return run_block(session, script, index, out, err);
    return session_step(session, step, out, err);
}

int session_run(struct session *session, const struct script *script, bool is_live, struct buf *out,
                const struct step **failed, struct err *err)
{
    int result = 0;
    size_t index = 0;
    for (; index < script->count && result == 0; index++) {
        size_t before = out->length;
        result = run_at(session, script, &index, out, err);
        if (is_live && out->length > before)
            fputs(out->data + before, stdout);
    }
    session_take_violations(session, out);
    if (result == 0)
        result = check_violations(session, err);
    if (failed)
        *failed = index > 0 ? &script->steps[index - 1] : NULL;
    return result;
}
