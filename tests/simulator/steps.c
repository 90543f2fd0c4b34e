/* What the words of the scene language do. A table names the verbs; whatever talks to the bot goes
 * through delivery_prepare, _send and _absorb. */
#include "simulator/session.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_MAX  256 /* requests of one `together` */
#define REPLAY_MAX  100000
#define AT_ONCE_MAX 256

struct stage {
    struct session *session;
    struct actor actor; /* of this step */
    struct buf *out;
};

typedef int verb_function(struct stage *stage, const struct word *words, size_t count,
                          struct err *err);

static void note(struct stage *stage, const char *format, ...) PRINTF_LIKE(2, 3);

static void note(struct stage *stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(stage->out, format, arguments);
    va_end(arguments);
    must_hold(stage->out);
}

/* --- Who and where ---------------------------------------------------------------------------- */

static int read_permissions(const struct word *words, size_t count, uint64_t *permissions,
                            struct err *err)
{
    *permissions = PERMISSIONS_EVERYONE;
    for (size_t i = 0; i < count; i++) {
        uint64_t bit = permission_bit(word_text(&words[i]));
        if (bit == 0)
            return err_set(err, ERR_INVALID, "'%s' is not a permission", words[i].text);
        *permissions |= bit;
    }
    return 0;
}

/* `in guild G [channel #C] [with PERMISSION...]` or `in dm`, or nothing at all. */
static int read_place(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    struct session *session = stage->session;
    size_t used = 0;
    if (count >= 2 && word_is(&words[0], "in") && word_is(&words[1], "dm")) {
        stage->actor.place = world_direct(stage->actor.person);
        stage->actor.permissions = 0;
        return count == 2 ? 0 : err_set(err, ERR_INVALID, "there are no permissions in a dm");
    }
    if (count >= 3 && word_is(&words[0], "in") && word_is(&words[1], "guild")) {
        const struct guild *guild = world_guild(&session->world, word_text(&words[2]));
        struct str_view channel = STR(DEFAULT_CHANNEL);
        used = 3;
        if (count >= 5 && word_is(&words[3], "channel")) {
            channel = word_text(&words[4]);
            if (str_starts_with(channel, STR("#")))
                channel = (struct str_view){ channel.data + 1, channel.length - 1 };
            used = 5;
        }
        const struct place *place =
            guild ? world_channel(&session->world, guild->id, channel) : NULL;
        if (!place)
            return err_set(err, ERR_INVALID, "names are lower case letters, digits, _ . -");
        stage->actor.place = *place;
        stage->actor.permissions = PERMISSIONS_EVERYONE;
    }
    if (used == count)
        return 0;
    if (!word_is(&words[used], "with"))
        return err_set(err, ERR_INVALID,
                       "usage: as NAME [in guild G [channel #C] | in dm] [with PERMISSION...]");
    return read_permissions(words + used + 1, count - used - 1, &stage->actor.permissions, err);
}

static bool is_place_word(const struct word *word)
{
    return word_is(word, "in") || word_is(word, "with");
}

static int read_person(struct stage *stage, const struct word *word, struct err *err)
{
    const struct person *person = world_person(&stage->session->world, word_text(word));
    if (!person)
        return err_set(err, ERR_INVALID, "'%s' is not a name", word->text);
    bool was_direct = stage->actor.place.guild_id == 0;
    if (person != stage->actor.person) {
        stage->actor.permissions = PERMISSIONS_EVERYONE;
        if (was_direct) /* everybody has a direct channel of their own */
            stage->actor.place = world_direct(person);
    }
    stage->actor.person = person;
    return 0;
}

static int do_as(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    int result = read_person(stage, &words[1], err);
    if (result == 0)
        result = read_place(stage, words + 2, count - 2, err);
    if (result == 0)
        stage->session->actor = stage->actor;
    return result;
}

/* --- Forms ------------------------------------------------------------------------------------ */

static struct modal *open_form(struct stage *stage, struct err *err)
{
    struct modal *modal = session_form(stage->session, stage->actor.person->id);
    if (modal_is_open(modal))
        return modal;
    err_set(err, ERR_NOT_FOUND, "%s has no form open", stage->actor.person->name);
    return NULL;
}

/* The form as it now stands. */
static int show_form(struct stage *stage, const struct modal *modal, int result)
{
    struct view view = session_view(stage->session);
    if (result == 0)
        render_fields(&view, modal, stage->out);
    return result;
}

static int do_type(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    (void)count;
    struct modal *modal = open_form(stage, err);
    if (!modal)
        return ERR_NOT_FOUND;
    return show_form(stage, modal,
                     modal_type(modal, word_text(&words[1]), word_text(&words[2]), err));
}

static int do_check(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    (void)count;
    struct modal *modal = open_form(stage, err);
    bool is_checked = word_is(&words[0], "check");
    if (!modal)
        return ERR_NOT_FOUND;
    return show_form(stage, modal, modal_check(modal, word_text(&words[1]), is_checked, err));
}

static int do_choose(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    struct str_view options[SCRIPT_WORDS_MAX];
    struct modal *modal = open_form(stage, err);
    if (!modal)
        return ERR_NOT_FOUND;
    for (size_t i = 2; i < count; i++)
        options[i - 2] = word_text(&words[i]);
    return show_form(stage, modal,
                     modal_choose(modal, &stage->session->world, stage->actor.place.guild_id,
                                  word_text(&words[1]), options, count - 2, err));
}

static int do_cancel(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    (void)words, (void)count;
    struct modal *modal = open_form(stage, err);
    if (!modal)
        return ERR_NOT_FOUND;
    modal_close(modal);
    return 0;
}

/* --- Time and the bot's life ------------------------------------------------------------------ */

static int do_wait(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    static const struct {
        const char *unit;
        int64_t milliseconds;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    char *unit = NULL;
    int64_t number = strtoll(words[1].text, &unit, 10), milliseconds;
    (void)count;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (unit == words[1].text || number < 0 || strcmp(unit, units[i].unit) != 0 ||
            __builtin_mul_overflow(number, units[i].milliseconds, &milliseconds))
            continue;
        harness_bot_shift(&stage->session->bot, milliseconds);
        return 0;
    }
    return err_set(err, ERR_INVALID, "'%s' is not a time such as 90s, 24h or 3d", words[1].text);
}

static int do_restart(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    struct session *session = stage->session;
    int exit_code = 0;
    (void)count;
    if (word_is(&words[0], "kill")) {
        harness_bot_kill(&session->bot, SIGKILL);
    } else {
        int result = harness_bot_stop(&session->bot, &exit_code, err);
        if (result != 0)
            return result;
        if (exit_code != 0)
            return err_set(err, ERR_INTERNAL, "the bot's exit code was %d, not 0", exit_code);
    }
    return harness_bot_launch(&session->bot, err);
}

/* --- Again ------------------------------------------------------------------------------------ */

/* `replay [N times] [M at once]` */
static int do_replay(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    struct session *session = stage->session;
    int64_t times = 1, at_once = 1;
    int different = 0;
    size_t used = 1;
    if (count >= used + 2 && word_is(&words[used + 1], "times") &&
        str_to_uint63(word_text(&words[used]), &times) == 0)
        used += 2;
    if (count >= used + 3 && word_is(&words[used + 1], "at") && word_is(&words[used + 2], "once") &&
        str_to_uint63(word_text(&words[used]), &at_once) == 0)
        used += 3;
    if (used != count || times < 1 || times > REPLAY_MAX || at_once < 1 || at_once > AT_ONCE_MAX)
        return err_set(err, ERR_INVALID, "usage: replay [N times] [M at once]");
    if (session->newest.count != 1)
        return err_set(err, ERR_NOT_FOUND, "there is no single interaction to replay");
    struct delivery *original = &session->newest.items[0];
    if (times == 1) {
        /* A single replay may be refused (too old): its status can be expected. */
        struct buf before = original->answer.body;
        int status = original->answer.status;
        original->answer.body = (struct buf){ 0 };
        deliveries_send(session, original, 1);
        bool is_same = original->answer.status != 200 || status != 200 ||
                       str_equal(buf_view(&before), buf_view(&original->answer.body));
        buf_free(&before);
        if (original->answer.status != 200)
            violations_add(&session->violations, "HTTP status %d to a replay",
                           original->answer.status);
        different = !is_same;
    } else {
        delivery_replay(session, original, (int)times, (int)at_once, &different);
    }
    if (different > 0)
        return err_set(err, ERR_CHECK,
                       "%d of %" PRId64 " answers to the same bytes differ from the first",
                       different, times);
    note(stage, "(%" PRId64 " times the same answer, byte for byte)\n", times);
    return 0;
}

static int do_expect(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    return session_expect(stage->session, &stage->actor, words + 1, count - 1, err);
}

static int do_remember(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    return session_remember_match(stage->session, words, count, err);
}

static const struct {
    const char *word;
    size_t min_words, max_words;
    verb_function *run;
    const char *usage;
} verbs[] = {
    { "as", 2, SCRIPT_WORDS_MAX, do_as, "as NAME [in guild G | in dm] [with PERMISSION...]" },
    { "expect", 2, SCRIPT_WORDS_MAX, do_expect, "expect [ephemeral | not | button ...] \"text\"" },
    { "type", 3, 3, do_type, "type \"field label\" \"value\"" },
    { "check", 2, 2, do_check, "check \"label\"" },
    { "uncheck", 2, 2, do_check, "uncheck \"label\"" },
    { "choose", 3, SCRIPT_WORDS_MAX, do_choose, "choose \"label\" \"option\"..." },
    { "cancel", 1, 1, do_cancel, "cancel" },
    { "wait", 2, 2, do_wait, "wait 24h" },
    { "restart", 1, 1, do_restart, "restart" },
    { "kill", 1, 1, do_restart, "kill" },
    { "replay", 1, 6, do_replay, "replay [N times] [M at once]" },
    { "remember", 4, 4, do_remember, "remember \"regex with one (group)\" as NAME" },
};

/* --- Deliveries ------------------------------------------------------------------------------- */

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
        note(stage, "(Discord does not send this: %s)\n", problem.message);
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
            note(stage, "!! %s\n", session->violations.items[v].text);
    }
    session_take_newest(session, deliveries);
}

/* --- One step --------------------------------------------------------------------------------- */

/* What was broken must have been expected before anything else happens. */
static int check_violations(const struct session *session, struct err *err)
{
    const struct violation *violation = violations_unexpected(&session->violations);
    return violation ? err_set(err, ERR_CHECK, "%s", violation->text) : 0;
}

/* `$NAME` at the beginning of a word or after its first colon or within quotes: everywhere. */
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

/* `as NAME` before another verb acts once as somebody else; `forged` breaks the signature. */
static int read_prefix(struct stage *stage, const struct word *words, size_t count,
                       struct prefix *prefix, struct err *err)
{
    *prefix = (struct prefix){ 0 };
    if (count > 2 && word_is(&words[0], "as") && !is_place_word(&words[2])) {
        int result = read_person(stage, &words[1], err);
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

static int run_verb(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(verbs); i++) {
        if (!word_is(&words[0], verbs[i].word))
            continue;
        if (count < verbs[i].min_words || count > verbs[i].max_words)
            return err_set(err, ERR_INVALID, "usage: %s", verbs[i].usage);
        return verbs[i].run(stage, words, count, err);
    }
    return err_set(err, ERR_INVALID, "'%s' is not a word of the scene language", words[0].text);
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
    if (!is_delivery_verb(&words[0]))
        return is_together || prefix.is_forged
                   ? err_set(err, ERR_INVALID, "'%s' sends nothing", words[0].text)
                   : run_verb(stage, words, count, err);
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
    if (!word_is(&step->words[0], "expect")) {
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

/* --- A script --------------------------------------------------------------------------------- */

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
        note(&stage, "    > %s\n", step->source);
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
    if (result == 0)
        result = check_violations(session, err);
    if (failed)
        *failed = index > 0 ? &script->steps[index - 1] : NULL;
    return result;
}
