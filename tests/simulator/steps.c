/* What the words of the scene language do that send nothing new: a table names the verbs. */
#include "simulator/steps.h"

#include "harness/memory.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_MAX  100000
#define AT_ONCE_MAX 256

typedef int verb_function(struct stage *stage, const struct word *words, size_t count,
                          struct err *err);

void stage_note(struct stage *stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_append_format_list(stage->out, format, arguments);
    va_end(arguments);
    must_hold(stage->out);
}

/* --- Who and where --- */

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

/* `speaking LOCALE`: the language of this person's client from here on. */
static int read_locale(struct stage *stage, const struct word **words, size_t *count,
                       struct err *err)
{
    if (*count < 2 || !word_is(&(*words)[0], "speaking"))
        return 0;
    struct str_view locale = word_text(&(*words)[1]);
    if (!world_set_locale(&stage->session->world, stage->actor.person, locale))
        return err_set(err, ERR_INVALID, "Discord has no locale '%.*s'", STR_ARGS(locale));
    *words += 2, *count -= 2;
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
                       "usage: as NAME [speaking LOCALE] [in guild G [channel #C] | in dm] "
                       "[with PERMISSION...]");
    return read_permissions(words + used + 1, count - used - 1, &stage->actor.permissions, err);
}

int stage_read_person(struct stage *stage, const struct word *word, struct err *err)
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
    int result = stage_read_person(stage, &words[1], err);
    words += 2, count -= 2;
    if (result == 0)
        result = read_locale(stage, &words, &count, err);
    if (result == 0)
        result = read_place(stage, words, count, err);
    if (result == 0)
        stage->session->actor = stage->actor;
    return result;
}

/* `guild NAME speaks LOCALE` */
static int do_guild(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    struct world *world = &stage->session->world;
    const struct guild *guild = world_guild(world, word_text(&words[1]));
    (void)count;
    if (!guild || !word_is(&words[2], "speaks"))
        return err_set(err, ERR_INVALID, "usage: guild NAME speaks LOCALE");
    if (!world_set_guild_locale(world, guild, word_text(&words[3])))
        return err_set(err, ERR_INVALID, "Discord has no locale '%s'", words[3].text);
    if (stage->actor.place.guild_id == guild->id)
        stage->session->actor.place.guild_locale = guild->locale;
    return 0;
}

/* --- Forms --- */

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

/* --- Time and the bot's life --- */

static int do_wait(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    int64_t milliseconds;
    (void)count;
    if (!read_duration(word_text(&words[1]), &milliseconds))
        return err_set(err, ERR_INVALID, "'%s' is not a time such as 90s, 24h or 3d",
                       words[1].text);
    harness_bot_shift(&stage->session->bot, milliseconds);
    return 0;
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

/* --- Again --- */

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
    if (session->newest.count != 1 || session->newest.items[0].body.length == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no single interaction to replay");
    struct delivery *original = &session->newest.items[0];
    /* What it would have been is not known before it is sent again. */
    bool is_late = answer_is_late_deferral(&original->answer);
    if (is_late && times > 1)
        deliveries_send(session, original, 1);
    if (times == 1) {
        /* A single replay may be refused (too old): its status can be expected. */
        struct buf before = original->answer.body;
        int status = original->answer.status;
        original->answer.body = (struct buf){ 0 };
        deliveries_send(session, original, 1);
        bool is_same =
            is_late || original->answer.status != 200 ||
            answer_is_late_deferral(&original->answer) ||
            (status == 200 && str_equal(buf_view(&before), buf_view(&original->answer.body)));
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
    stage_note(stage, "(%" PRId64 " times the same answer, byte for byte)\n", times);
    return 0;
}

static int do_expect(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    int result = session_expect(stage->session, words + 1, count - 1, err);
    if (result == ERR_CHECK && session_await_late(stage->session))
        result = session_expect(stage->session, words + 1, count - 1, err);
    return result;
}

static int do_await(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    return session_await(stage->session, &stage->actor, words, count, stage->out, err);
}

static int do_fault(struct stage *stage, const struct word *words, size_t count, struct err *err)
{
    const char *texts[SCRIPT_WORDS_MAX];
    for (size_t i = 1; i < count; i++)
        texts[i - 1] = words[i].text;
    return rest_server_read_fault(stage->session->rest, texts, count - 1, err);
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
    { "as", 2, SCRIPT_WORDS_MAX, do_as,
      "as NAME [speaking LOCALE] [in guild G | in dm] [with PERMISSION...]" },
    { "guild", 4, 4, do_guild, "guild NAME speaks LOCALE" },
    { "expect", 2, SCRIPT_WORDS_MAX, do_expect, "expect [ephemeral | not | button ...] \"text\"" },
    { "type", 3, 3, do_type, "type \"field label\" \"value\"" },
    { "check", 2, 2, do_check, "check \"label\"" },
    { "uncheck", 2, 2, do_check, "uncheck \"label\"" },
    { "choose", 3, SCRIPT_WORDS_MAX, do_choose, "choose \"label\" \"option\"..." },
    { "cancel", 1, 1, do_cancel, "cancel" },
    { "await", 2, 6, do_await,
      "await [ephemeral | public | violation | in #channel] \"text\" [within 30s]" },
    { "fault", 2, SCRIPT_WORDS_MAX, do_fault,
      "fault [N] WHAT HOW, such as fault 3 edits status 502" },
    { "wait", 2, 2, do_wait, "wait 24h" },
    { "restart", 1, 1, do_restart, "restart" },
    { "kill", 1, 1, do_restart, "kill" },
    { "replay", 1, 6, do_replay, "replay [N times] [M at once]" },
    { "remember", 4, 4, do_remember, "remember \"regex with one (group)\" as NAME" },
};

int stage_run_verb(struct stage *stage, const struct word *words, size_t count, struct err *err)
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
