/* The program: sub-commands as a table. Settings are read here, once, and passed down. */
#include "cache_cli.h"
#include "commands.h"
#include "core/config.h"
#include "core/system_clock.h"
#include "db/migrate.h"
#include "discord/command_json.h"
#include "doctor/doctor.h"
#include "importer/importer.h"
#include "outbox_cli.h"
#include "registration/register.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Exit codes of sysexits.h; scripts rely on them. */
enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_USAGE = 64,
    EXIT_UNAVAILABLE = 69, /* a needed service can't be reached */
    EXIT_SOFTWARE = 70,    /* a fault of ours, or no memory */
    EXIT_CONFIG = 78,
};

#define DOTENV_PATH      ".env"
#define DOTENV_MAX_BYTES ((size_t)64 * 1024)

struct sub_command {
    const char *name;
    int (*run)(int argument_count, char **arguments);
    const char *usage; /* arguments, for the help */
    const char *help;
};

static int exit_code_of(int code)
{
    switch (code) {
    case 0:
        return EXIT_CLEAN;
    case ERR_CONFIG:
    case ERR_INVALID:
        return EXIT_CONFIG;
    case ERR_UNAVAILABLE:
    case ERR_UNKNOWN:
    case ERR_IO:
    case ERR_BUSY:
        return EXIT_UNAVAILABLE;
    default:
        return EXIT_SOFTWARE;
    }
}

static int complain(const struct err *err)
{
    fprintf(stderr, "bronxbot: %s\n", err->message);
    return exit_code_of(err->code);
}

/* The .env file of the working directory; an absent one leaves `text` empty. */
static int read_dotenv(struct buf *text, struct err *err)
{
    char block[4096];
    ssize_t got;
    int fd = open(DOTENV_PATH, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_set_errno(err, ERR_CONFIG, errno, "%s", DOTENV_PATH);
    text->limit = DOTENV_MAX_BYTES;
    while ((got = read(fd, block, sizeof(block))) > 0)
        buf_append_bytes(text, block, (size_t)got);
    close(fd);
    if (got < 0 || text->has_failed)
        return err_set(err, ERR_CONFIG, "%s: unreadable, or longer than %zu bytes", DOTENV_PATH,
                       DOTENV_MAX_BYTES);
    return 0;
}

/* `sources` borrows from `dotenv`. */
static int read_sources(struct config_sources *sources, struct buf *dotenv, struct err *err)
{
    int result = read_dotenv(dotenv, err);
    *sources = (struct config_sources){ .environment = (const char *const *)environ,
                                        .dotenv = buf_view(dotenv) };
    return result;
}

static int load_config(struct config *config, bool needs_discord, struct config_report *report,
                       struct err *err)
{
    CLEANUP(buf_free) struct buf dotenv = { 0 };
    struct config_sources sources;
    int result = read_sources(&sources, &dotenv, err);
    if (result != 0)
        return result;
    return config_load(config, &sources, needs_discord, report, err);
}

/* Until a signal; `run` is serve or work. */
static int run_until_signal(int (*run)(const struct config *, struct err *), bool needs_discord)
{
    struct config config;
    struct err err = { 0 };
    if (load_config(&config, needs_discord, NULL, &err) != 0)
        return complain(&err);
    /* Before any thread starts, so that all inherit it: the main thread takes signals by sigwait.
     */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int result = run(&config, &err);
    sodium_memzero(&config, sizeof(config));
    return result == 0 ? EXIT_CLEAN : complain(&err);
}

static int run_serve(int argument_count, char **arguments)
{
    (void)argument_count;
    (void)arguments;
    return run_until_signal(serve, true);
}

/* Nothing is signed for it, and each stored job names its application. */
static int run_worker(int argument_count, char **arguments)
{
    (void)argument_count;
    (void)arguments;
    return run_until_signal(work, false);
}

static int run_check(int argument_count, char **arguments)
{
    (void)argument_count;
    (void)arguments;
    struct config config;
    struct config_report report = { 0 };
    struct err err = { 0 };
    int result = load_config(&config, true, &report, &err);
    CLEANUP(buf_free) struct buf text = { 0 };
    config_print(&config, &text);
    printf("%.*s", STR_ARGS(buf_view(&text)));
    fprintf(stderr, "%.*s", STR_ARGS(buf_view(&report.warnings)));
    if (result != 0 && report.errors.length == 0)
        fprintf(stderr, "%s\n", err.message);
    fprintf(stderr, "%.*s", STR_ARGS(buf_view(&report.errors)));
    config_report_free(&report);
    return result == 0 ? EXIT_CLEAN : EXIT_CONFIG;
}

static int migrate(const struct config *config, const struct clock *clock, struct err *err)
{
    struct db *db = NULL;
    const struct db_settings settings = {
        .url = config->database_url, .pool_min = 1, .pool_max = 1, .clock = clock
    };
    struct migration_result migrated;
    int result = db_open(&db, &settings, err);
    if (result == 0)
        result = db_migrate(db, built_in_migrations, clock_wall_ms(clock), &migrated, err);
    if (result == 0)
        printf("version %d -> %d, %d applied\n", migrated.version_before, migrated.version_after,
               migrated.applied_count);
    db_close(db);
    return result;
}

/* Both databases are named, so no setting is read. */
static int run_import(int argument_count, char **arguments)
{
    struct import_options options;
    struct system_clock clock;
    struct err err = { 0 };
    if (import_options_parse(argument_count, arguments, &options) != 0)
        return EXIT_USAGE;
    int result = system_clock_init(&clock, NULL, &err);
    signal(SIGPIPE, SIG_IGN);
    if (result == 0)
        result = import_run(&options, &clock.clock, stderr, &err);
    return result == 0 ? EXIT_CLEAN : complain(&err);
}

static int run_migrate(int argument_count, char **arguments)
{
    if (argument_count > 0)
        return run_import(argument_count, arguments);
    struct config config;
    struct system_clock clock;
    struct err err = { 0 };
    int result = load_config(&config, false, NULL, &err);
    if (result == 0)
        result = system_clock_init(&clock, NULL, &err);
    if (result == 0)
        result = migrate(&config, &clock.clock, &err);
    return result == 0 ? EXIT_CLEAN : complain(&err);
}

static int run_commands(int argument_count, char **arguments)
{
    enum command_scope scope = SCOPE_GLOBAL;
    for (int i = 0; i < argument_count; i++) {
        if (strcmp(arguments[i], "--owner") == 0)
            scope = SCOPE_OWNER;
        else if (strcmp(arguments[i], "--json") != 0)
            return EXIT_USAGE;
    }
    struct err err = { 0 };
    if (command_list_check(all_commands, &err) != 0)
        return complain(&err);
    CLEANUP(buf_free) struct buf json = { 0 };
    command_list_json(all_commands, scope, &json);
    if (json.has_failed)
        return EXIT_SOFTWARE;
    puts(json.data);
    return EXIT_CLEAN;
}

static int run_doctor(int argument_count, char **arguments)
{
    struct doctor_options options = { 0 };
    for (int i = 0; i < argument_count; i++) {
        if (strcmp(arguments[i], "--json") == 0)
            options.is_json = true;
        else if (strcmp(arguments[i], "--url") == 0 && i + 1 < argument_count)
            options.url = arguments[++i];
        else
            return EXIT_USAGE;
    }
    struct err err = { 0 };
    CLEANUP(buf_free) struct buf dotenv = { 0 };
    CLEANUP(buf_free) struct buf report = { 0 };
    struct config_sources sources;
    if (read_sources(&sources, &dotenv, &err) != 0)
        return complain(&err);
    int result = doctor_run(&sources, &options, &report);
    printf("%.*s", STR_ARGS(buf_view(&report)));
    return exit_code_of(result);
}

static int run_register(int argument_count, char **arguments)
{
    struct register_options options;
    struct config config;
    struct system_clock clock;
    struct err err = { 0 };
    if (register_options_parse(argument_count, arguments, &options) != 0)
        return EXIT_USAGE;
    int result = load_config(&config, false, NULL, &err);
    if (result == 0)
        result = system_clock_init(&clock, NULL, &err);
    if (result == 0)
        result = register_commands(&config, all_commands, &options, &clock.clock, &err);
    sodium_memzero(&config, sizeof(config));
    return result == 0 ? EXIT_CLEAN : complain(&err);
}

static int run_outbox(int argument_count, char **arguments)
{
    struct outbox_cli_options options;
    struct config config;
    struct system_clock clock;
    struct err err = { 0 };
    if (outbox_cli_parse(argument_count, arguments, &options) != 0)
        return EXIT_USAGE;
    int result = load_config(&config, false, NULL, &err);
    if (result == 0)
        result = system_clock_init(&clock, NULL, &err);
    if (result == 0)
        result = outbox_cli_run(&config, &options, &clock.clock, &err);
    sodium_memzero(&config, sizeof(config));
    return result == 0 ? EXIT_CLEAN : complain(&err);
}

static int run_cache(int argument_count, char **arguments)
{
    struct cache_cli_options options;
    struct config config;
    struct err err = { 0 };
    if (cache_cli_parse(argument_count, arguments, &options) != 0)
        return EXIT_USAGE;
    int result = load_config(&config, false, NULL, &err);
    if (result == 0)
        result = cache_cli_run(&config, &options, &err);
    sodium_memzero(&config, sizeof(config));
    return result == 0 ? EXIT_CLEAN : complain(&err);
}

static int run_version(int argument_count, char **arguments)
{
    (void)argument_count;
    (void)arguments;
    puts("bronxbot " BRONX_VERSION);
    return EXIT_CLEAN;
}

static const struct sub_command sub_commands[] = {
    { "serve", run_serve, "", "serve Discord until SIGTERM" },
    { "worker", run_worker, "", "run and send what waits in a shared database, until SIGTERM" },
    { "check", run_check, "", "print the settings in force and what is wrong with them" },
    { "migrate", run_migrate, "[--from sqlite:PATH --to postgresql://...]",
      "bring the database's schema up to date, or move all of a stopped bot to PostgreSQL" },
    { "commands", run_commands, "[--json] [--owner]", "the commands as Discord registers them" },
    { "doctor", run_doctor, "[--url URL] [--json]", "check everything a serving bot depends on" },
    { "register", run_register, "[--guild ID] [--dry-run] [--prune] [--json]",
      "bring the commands Discord has to those of this program" },
    { "outbox", run_outbox, "list [--state STATE] [--json] | retry ID | drop ID",
      "what is still to be sent, and what was given up" },
    { "cache", run_cache, "stats [--json] | clear [PATTERN]",
      "what a running bot's cache holds; drop it on all instances" },
    { "version", run_version, "", "print the version" },
};

static void print_usage(FILE *out, const char *before, const struct sub_command *sub_command)
{
    fprintf(out, "%s%s%s%s\n      %s\n", before, sub_command->name,
            sub_command->usage[0] ? " " : "", sub_command->usage, sub_command->help);
}

static void print_help(FILE *out)
{
    fputs("Usage: bronxbot SUB-COMMAND\n\n", out);
    for (size_t i = 0; i < ARRAY_LENGTH(sub_commands); i++)
        print_usage(out, "  ", &sub_commands[i]);
    fputs("\nSettings come from the environment and from .env: `bronxbot check` lists them.\n",
          out);
}

static const struct sub_command *find_sub_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sub_commands); i++)
        if (strcmp(name, sub_commands[i].name) == 0)
            return &sub_commands[i];
    return NULL;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "help") == 0 || strcmp(argument, "--help") == 0;
}

int main(int argument_count, char **arguments)
{
    if (sodium_init() < 0) {
        fputs("bronxbot: libsodium can't be used on this machine\n", stderr);
        return EXIT_SOFTWARE;
    }
    if (argument_count == 2 && is_help(arguments[1])) {
        print_help(stdout);
        return EXIT_CLEAN;
    }
    const struct sub_command *sub_command =
        argument_count > 1 ? find_sub_command(arguments[1]) : NULL;
    if (!sub_command) {
        if (argument_count > 1)
            fprintf(stderr, "bronxbot: there is no sub-command '%s'\n\n", arguments[1]);
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (argument_count == 3 && is_help(arguments[2])) {
        print_usage(stdout, "Usage: bronxbot ", sub_command);
        return EXIT_CLEAN;
    }
    bool is_understood = argument_count == 2 || sub_command->usage[0];
    int result = is_understood ? sub_command->run(argument_count - 2, arguments + 2) : EXIT_USAGE;
    if (result == EXIT_USAGE)
        print_usage(stderr, "Usage: bronxbot ", sub_command);
    return result;
}
