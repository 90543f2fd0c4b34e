/* Reading lines with libedit's readline interface. That interface knows no context argument, so
 * the one session a prompt talks to is kept in a static pointer while prompt_run runs; main thread
 * only. */
#include "simulator/prompt.h"

#include "harness/memory.h"

#include <editline/readline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_MAX 500

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
    "  wait 24h                       let time pass (s, m, h, d)\n"
    "  restart, kill                  stop or crash the bot and start it again\n"
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

/* False when the line could not be done; the reason has been printed. */
static bool run_line(struct session *session, const char *line, bool *is_over, struct err *err)
{
    struct step step = { 0 };
    CLEANUP(buf_free) struct buf shown = { 0 };
    int result = step_parse(&step, str_from(line), err);
    if (result == 0 && step.count > 0 && word_is(&step.words[0], "help")) {
        fputs(help, stdout);
    } else if (result == 0 && step.count > 0 && word_is(&step.words[0], "quit")) {
        *is_over = true;
    } else if (result == 0 && step.count > 0) {
        result = session_step(session, &step, &shown, err);
        if (shown.length > 0) {
            fputs(shown.data, stdout);
            print_hint(session);
        }
    }
    step_free(&step);
    if (result != 0)
        printf("%s\n", err->message);
    /* Whoever sits at the prompt has seen what was broken. */
    violations_expect(&session->violations, STR_NONE);
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

static void run_terminal(struct session *session)
{
    static char separators[] = " ";
    char *history = history_path(), text[96];
    bool is_over = false;
    using_history();
    stifle_history(HISTORY_MAX);
    if (history)
        read_history(history);
    rl_attempted_completion_function = complete_word;
    rl_completer_word_break_characters = separators;
    while (!is_over) {
        struct err err = { 0 };
        prompt_text(session, text, sizeof(text));
        char *line = readline(text);
        if (!line)
            break;
        if (*line)
            add_history(line);
        run_line(session, line, &is_over, &err);
        free(line);
    }
    if (history)
        write_history(history);
    free(history);
    putchar('\n');
}

static int run_pipe(struct session *session, struct err *err)
{
    char *line = NULL;
    size_t size = 0;
    bool is_over = false, is_good = true;
    while (!is_over && is_good && getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        printf("%s> %s\n", session->actor.person->name, line);
        is_good = run_line(session, line, &is_over, err);
    }
    free(line);
    return is_good ? 0 : err->code;
}

int prompt_run(struct session *session, struct err *err)
{
    prompted = session;
    fputs(greeting, stdout);
    fflush(stdout);
    int result = 0;
    if (isatty(STDIN_FILENO))
        run_terminal(session);
    else
        result = run_pipe(session, err);
    prompted = NULL;
    return result;
}
