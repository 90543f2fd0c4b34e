/* Reading lines with libedit's readline interface. That interface knows no context argument, so
 * the one session a prompt talks to is kept in a static pointer while prompt_run runs; main thread
 * only. */
#include "simulator/prompt.h"

#include "harness/memory.h"
#include "simulator/record.h"

#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_MAX 500
#define WATCH_MS    15000 /* how long a deferred answer is waited for */

struct prompt {
    struct session *session;
    struct recorder recorder;
    bool is_over;
};

static struct session *prompted;

static const char greeting[] =
    "You are alice, in a simulated Discord server called harlem; bronxbot is here.\n"
    "Type /daily and press Enter to begin. Tab completes, `help` explains.\n"
    "Ctrl-D leaves.\n\n";

static const char help[] =
    "  /pay user:@bob amount:250      run a command (Tab shows what there is)\n"
    "  click \"Read and accept\"        press a button of the newest message that has it\n"
    "  select \"placeholder\" \"option\"  choose in a select\n"
    "  type \"field\" \"text\", check \"box\", choose \"label\" \"option\", submit, cancel   in a "
    "form\n"
    "  as bob                         be somebody else; `as bob click \"...\"` for one step\n"
    "  as alice in dm                 go to a direct message; `as alice in guild harlem` back\n"
    "  as alice with manage_guild     have a permission; `as owner` owns the bot\n"
    "  as alice speaking es-ES        have Discord in Spanish\n"
    "  wait 24h                       let time pass (s, m, h, d)\n"
    "  restart, kill                  stop or crash the bot and start it again\n"
    "  fault 2 edits status 502       break what the bot sends to Discord; `fault none` ends that\n"
    "  record FILE ... record end     write what you do as a scene, from a fresh bot on\n"
    "  expect \"text\"                  check the newest answer, as scenes do; quit or Ctrl-D "
    "ends\n";

/* --- Completion --- */

/* Where the last word begins: after the last space that is not within quotes. */
static size_t last_word(struct str_view line)
{
    size_t start = 0;
    bool is_quoted = false;
    for (size_t i = 0; i < line.length; i++) {
        if (line.data[i] == '"')
            is_quoted = !is_quoted;
        if (line.data[i] == ' ' && !is_quoted)
            start = i + 1;
    }
    return start;
}

static size_t common_length(char *const *words, size_t count)
{
    size_t length = strlen(words[0]);
    for (size_t i = 1; i < count; i++)
        for (size_t at = 0; at < length; at++)
            if (words[0][at] != words[i][at])
                length = at;
    return utf8_prefix((struct str_view){ words[0], length }, length).length;
}

/* Readline's contract: the common beginning, then the words, then NULL; freed by readline. */
static char **matches_of(const struct completions *found, size_t cut)
{
    char **matches = must_allocate(found->count + 2, sizeof(*matches));
    size_t length = common_length(found->words, found->count);
    matches[0] = must_copy((struct str_view){ found->words[0] + cut, length - cut });
    for (size_t i = 0; found->count > 1 && i < found->count; i++)
        matches[i + 1] = must_copy(str_from(found->words[i] + cut));
    return matches;
}

static char **complete_word(const char *text, int start, int end)
{
    struct str_view line = { rl_line_buffer, (size_t)end };
    struct completions found = { 0 };
    size_t word = last_word(line);
    (void)text;
    rl_attempted_completion_over = 1; /* no file names */
    completions_find(prompted, line, word, &found);
    char **matches = NULL;
    /* No space after "option:": its value follows. */
    const char *single = found.count == 1 ? found.words[0] : "";
    rl_completion_append_character = *single && single[strlen(single) - 1] == ':' ? '\0' : ' ';
    if (found.count > 0 && (size_t)start >= word)
        matches = matches_of(&found, (size_t)start - word);
    completions_free(&found);
    return matches;
}

/* --- Lines --- */

static void print_hint(struct session *session)
{
    CLEANUP(buf_free) struct buf hint = { 0 };
    CLEANUP(buf_free) struct buf line = { 0 };
    struct view view = session_view(session);
    hint_find(session, &hint);
    if (hint.length == 0)
        return;
    buf_append_format(&line, "(next, for example: %s)\n", hint.data);
    must_hold(&line);
    buf_clear(&hint);
    render_styled(&view, STYLE_DIM, buf_view(&line), &hint);
    fputs(hint.data, stdout);
}

/* A scene begins with an empty database: so does what is recorded. */
static int begin_recording(struct prompt *prompt, const char *path, struct err *err)
{
    struct session *session = prompt->session;
    const char *binary = session->bot.options.binary;
    const struct catalogue *offered = session->offered;
    bool has_colour = session->has_colour;
    int result = session->sequence > 0 ? session_end(session, err) : 0;
    if (result == 0 && !session->offered)
        result = session_start(session, binary, offered, err);
    session->has_colour = has_colour;
    if (result == 0)
        result = record_begin(&prompt->recorder, session, path, err);
    if (result == 0)
        printf("(recording, with a fresh bot and an empty database; `record end` ends it)\n");
    return result;
}

static int end_recording(struct prompt *prompt, struct err *err)
{
    char *path = must_copy(str_from(prompt->recorder.path));
    printf("(playing it once more on a fresh bot)\n");
    int result = record_end(&prompt->recorder, prompt->session, err);
    if (result == 0)
        printf("(%s is written, and passes)\n", path);
    free(path);
    return result;
}

static int run_record(struct prompt *prompt, const struct step *step, struct err *err)
{
    bool is_end = step->count == 2 && word_is(&step->words[1], "end");
    if (step->count != 2)
        return err_set(err, ERR_INVALID, "usage: record FILE, record end");
    if (is_end != (prompt->recorder.path != NULL))
        return err_set(err, ERR_INVALID,
                       is_end ? "nothing is being recorded"
                              : "a recording is under way: `record end` ends it");
    return is_end ? end_recording(prompt, err) : begin_recording(prompt, step->words[1].text, err);
}

/* What came since the last line, and what the newest answer still owes. */
static void watch(struct prompt *prompt, int timeout_ms)
{
    CLEANUP(buf_free) struct buf shown = { 0 };
    session_watch(prompt->session, timeout_ms, &shown);
    record_changes(&prompt->recorder, prompt->session);
    if (shown.length > 0)
        fputs(shown.data, stdout);
}

static int run_step(struct prompt *prompt, const struct step *step, struct err *err)
{
    CLEANUP(buf_free) struct buf shown = { 0 };
    int result = session_step(prompt->session, step, &shown, err);
    if (result == 0)
        record_step(&prompt->recorder, prompt->session, step->source);
    if (shown.length == 0)
        return result;
    fputs(shown.data, stdout);
    fflush(stdout);
    watch(prompt, WATCH_MS);
    print_hint(prompt->session);
    return result;
}

/* False when the line could not be done; the reason has been printed. */
static bool run_line(struct prompt *prompt, const char *line, struct err *err)
{
    struct step step = { 0 };
    int result = step_parse(&step, str_from(line), err);
    watch(prompt, 0);
    if (result == 0 && step.count > 0 && word_is(&step.words[0], "help"))
        fputs(help, stdout);
    else if (result == 0 && step.count > 0 && word_is(&step.words[0], "quit"))
        prompt->is_over = true;
    else if (result == 0 && step.count > 0 && word_is(&step.words[0], "record"))
        result = run_record(prompt, &step, err);
    else if (result == 0 && step.count > 0)
        result = run_step(prompt, &step, err);
    step_free(&step);
    if (result != 0)
        printf("%s\n", err->message);
    /* Whoever sits at the prompt has seen what was broken. */
    violations_expect(&prompt->session->violations, STR_NONE);
    fflush(stdout);
    return result == 0;
}

static void prompt_text(const struct session *session, char *text, size_t size)
{
    const struct actor *actor = &session->actor;
    snprintf(text, size, "%s%s%s> ", actor->person->name, actor->place.guild_id ? " #" : " ",
             actor->place.guild_id ? actor->place.channel_name : "dm");
}

static char *history_path(void)
{
    const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");
    if (!home || !*home)
        return NULL;
    char *folder =
        state && *state ? must_copy(str_from(state)) : must_format("%s/.local/state", home);
    char *parent = must_format("%s/.local", home);
    mkdir(parent, 0700); /* that they exist already is fine; that they can't be made, too */
    mkdir(folder, 0700);
    char *path = must_format("%s/bronxbot_history", folder);
    free(parent);
    free(folder);
    return path;
}

static void run_terminal(struct prompt *prompt)
{
    static char separators[] = " ";
    char *history = history_path(), text[96];
    using_history();
    stifle_history(HISTORY_MAX);
    if (history)
        read_history(history);
    rl_attempted_completion_function = complete_word;
    rl_completer_word_break_characters = separators;
    while (!prompt->is_over) {
        struct err err = { 0 };
        prompt_text(prompt->session, text, sizeof(text));
        char *line = readline(text);
        if (!line)
            break;
        if (*line)
            add_history(line);
        run_line(prompt, line, &err);
        free(line);
    }
    if (history)
        write_history(history);
    free(history);
    putchar('\n');
}

static int run_pipe(struct prompt *prompt, struct err *err)
{
    char *line = NULL;
    size_t size = 0;
    bool is_good = true;
    while (!prompt->is_over && is_good && getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        printf("%s> %s\n", prompt->session->actor.person->name, line);
        is_good = run_line(prompt, line, err);
    }
    free(line);
    return is_good ? 0 : err->code;
}

int prompt_run(struct session *session, struct err *err)
{
    struct prompt prompt = { .session = session };
    prompted = session;
    fputs(greeting, stdout);
    fflush(stdout);
    int result = 0;
    if (isatty(STDIN_FILENO))
        run_terminal(&prompt);
    else
        result = run_pipe(&prompt, err);
    if (result == 0 && prompt.recorder.path)
        result = end_recording(&prompt, err);
    record_free(&prompt.recorder);
    prompted = NULL;
    return result;
}
