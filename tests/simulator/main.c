/* bronxbot-simulator: a Discord in a box.
 *
 *   bronxbot-simulator [--bot PATH] [--verbose] scene FILE...   runs scenes, one fresh bot each
 *                      [--pseudo FILE]                          with a bot that speaks the
 *                                                               pseudo-language; what FILE
 *                                                               holds it may say as it is
 *   bronxbot-simulator [--bot PATH] prompt                      talk to the bot yourself
 *
 * Output of `scene` is TAP: "ok N name" or "not ok N name" with the transcript and the end of the
 * bot's log. Exit codes: 0 all well, 1 a scene failed, 64 usage, 69 the bot can't be started. */
#include "simulator/prompt.h"
#include "simulator/session.h"

#include "harness/memory.h"
#include "harness/yardstick.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINES 15

enum { EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69 };

struct arguments {
    const char *bot;
    const char *verbatim; /* a file; NULL: no pseudo-language */
    bool is_verbose;
    const char *command;
    char **files;
    int file_count;
};

static const char usage[] =
    "usage: bronxbot-simulator [--bot PATH] [--verbose] [--pseudo FILE] scene FILE...\n"
    "       bronxbot-simulator [--bot PATH] prompt\n";

static bool read_arguments(int count, char **words, struct arguments *arguments)
{
    int i = 1;
    for (; i < count; i++) {
        if (strcmp(words[i], "--verbose") == 0)
            arguments->is_verbose = true;
        else if (strcmp(words[i], "--bot") == 0 && i + 1 < count)
            arguments->bot = words[++i];
        else if (strcmp(words[i], "--pseudo") == 0 && i + 1 < count)
            arguments->verbatim = words[++i];
        else if (words[i][0] == '-')
            return false;
        else if (!arguments->command)
            arguments->command = words[i];
        else
            break;
    }
    arguments->files = words + i;
    arguments->file_count = count - i;
    return arguments->command != NULL;
}

/* The bot beside this program: build/tests/simulator/bronxbot-simulator -> build/bronxbot. */
static char *bot_beside(void)
{
    char path[4096] = "";
    if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
        return must_copy(STR("build/bronxbot"));
    return must_format("%s/../../bronxbot", dirname(path));
}

/* --- Scenes --- */

/* As comments of TAP, whose every line is one. */
static void print_comment(const char *indent, struct str_view text)
{
    struct str_view rest = text, line;
    while (str_split(&rest, '\n', &line))
        printf("# %s%.*s\n", indent, STR_ARGS(line));
}

static void report_failure(const char *file, const struct step *step, const struct err *err,
                           const struct buf *transcript, const struct buf *log)
{
    CLEANUP(buf_free) struct buf reason = { 0 };
    print_comment("  ", buf_view(transcript));
    if (step)
        buf_append_format(&reason, "%s:%d: %s\n  in: %s", file, step->line, err->message,
                          step->source);
    else
        buf_append_format(&reason, "%s: %s", file, err->message);
    print_comment("", buf_view(&reason));
    printf("# the end of the bot's log:\n");
    print_comment("  ", buf_view(log));
}

static int expect_pseudo(struct session *session, const char *path, struct err *err)
{
    char text[16384];
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof(text), file) : 0;
    if (file)
        fclose(file);
    session_expect_pseudo(session, (struct str_view){ text, length });
    return length > 0 ? 0 : err_set(err, ERR_IO, "%s can't be read", path);
}

static bool run_scene(const struct arguments *arguments, const struct catalogue *catalogue,
                      const char *file, int number)
{
    CLEANUP(script_free) struct script script = { 0 };
    CLEANUP(buf_free) struct buf transcript = { 0 };
    CLEANUP(buf_free) struct buf log = { 0 };
    struct session session = { 0 };
    struct err err = { 0 }, end_err = { 0 };
    const struct step *failed = NULL;
    char *copy = must_copy(str_from(file)), *name = basename(copy);
    name[strcspn(name, ".")] = '\0';

    int result = script_load(&script, file, &err);
    if (result == 0) {
        result = session_start(&session, arguments->bot, catalogue, &err);
        session.yardstick = yardstick_start(NULL);
        if (result == 0 && arguments->verbatim)
            result = expect_pseudo(&session, arguments->verbatim, &err);
        if (result == 0)
            result =
                session_run(&session, &script, arguments->is_verbose, &transcript, &failed, &err);
        harness_bot_log_tail(&session.bot, LOG_LINES, &log);
        if (session_end(&session, &end_err) != 0 && result == 0) {
            result = end_err.code;
            failed = NULL;
            err = end_err;
        }
    }
    printf("%s %d %s\n", result == 0 ? "ok" : "not ok", number, name);
    if (result != 0)
        report_failure(file, failed, &err, &transcript, &log);
    fflush(stdout);
    free(copy);
    return result == 0;
}

static int run_scenes(const struct arguments *arguments, const struct catalogue *catalogue)
{
    bool is_good = true;
    printf("1..%d\n", arguments->file_count);
    for (int i = 0; i < arguments->file_count; i++)
        is_good = run_scene(arguments, catalogue, arguments->files[i], i + 1) && is_good;
    return is_good ? 0 : 1;
}

/* --- Prompt --- */

static int run_prompt(const struct arguments *arguments, const struct catalogue *catalogue)
{
    struct session session = { 0 };
    struct err err = { 0 };
    int code = EXIT_UNAVAILABLE;
    signal(SIGINT, SIG_IGN); /* Ctrl-C empties the line; the bot must not get it either */
    if (session_start(&session, arguments->bot, catalogue, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        session.yardstick = yardstick_start(NULL);
        session.has_colour = isatty(STDOUT_FILENO);
        code = prompt_run(&session, &err) == 0 ? 0 : 1;
    }
    if (session_end(&session, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        code = code == 0 ? 1 : code;
    }
    return code;
}

int main(int count, char **words)
{
    struct arguments arguments = { 0 };
    struct catalogue catalogue = { 0 };
    struct err err = { 0 };
    bool is_known = read_arguments(count, words, &arguments);
    bool is_scene = is_known && strcmp(arguments.command, "scene") == 0;
    bool is_prompt = is_known && strcmp(arguments.command, "prompt") == 0;
    if ((!is_scene || arguments.file_count == 0) && (!is_prompt || arguments.file_count > 0)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    char *beside = bot_beside();
    if (!arguments.bot)
        arguments.bot = beside;
    int code = EXIT_UNAVAILABLE;
    if (catalogue_load(&catalogue, arguments.bot, &err) != 0)
        fprintf(stderr, "%s\n", err.message);
    else
        code = is_scene ? run_scenes(&arguments, &catalogue) : run_prompt(&arguments, &catalogue);
    catalogue_free(&catalogue);
    free(beside);
    return code;
}
