/* The order of things. One thread; everything is owned by struct import and closed in one place.
 *
 *      source: locked, newest version, books in order
 *      target: empty, or migrated and never used      -> migrated
 *      BEGIN, no other writer                          a table at a time: seeds out, rows in
 *      compare                                         digests of all rows, the books
 *      COMMIT                                          lost? look again what became of it */
#include "importer/importer.h"

#include "core/backoff.h"
#include "db/engine.h"
#include "db/migrate.h"
#include "importer/destination.h"
#include "services/ledger_audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A server that was restarted is back by then. */
#define SETTLE_TRIES    30
#define SETTLE_PAUSE_MS 1000

static const char sql_coins[] = "SELECT COALESCE(SUM(balance), 0) FROM account";

struct import {
    const struct import_options *options;
    const struct clock *clock;
    FILE *progress;
    struct import_source source;
    struct import_catalogue catalogue;
    struct import_catalogue model; /* of a new database */
    struct postgres_target *target;
    struct import_destination destination;
    struct import_digest digests[IMPORT_TABLES_MAX]; /* of the source's tables */
    int64_t rows, coins;
};

int import_options_parse(int argument_count, char **arguments, struct import_options *options)
{
    *options = (struct import_options){ 0 };
    for (int i = 0; i + 1 < argument_count; i += 2) {
        if (strcmp(arguments[i], "--from") == 0 && !options->from)
            options->from = arguments[i + 1];
        else if (strcmp(arguments[i], "--to") == 0 && !options->to)
            options->to = arguments[i + 1];
        else
            return ERR_INVALID;
    }
    return argument_count == 4 && options->from && options->to ? 0 : ERR_INVALID;
}

/* --- The books --- */

static int ask_source(void *side, const char *sql, int64_t *number, struct err *err)
{
    return import_source_number(side, sql, number, err);
}

static int ask_destination(void *side, const char *sql, int64_t *number, struct err *err)
{
    return import_destination_number(side, sql, number, err);
}

/* That the books are in order, and how much money there is. */
static int audit(ledger_ask *ask, void *side, int64_t *coins, struct err *err)
{
    int result = ledger_audit(ask, side, err);
    return result == 0 ? ask(side, sql_coins, coins, err) : result;
}

/* --- The two ends --- */

static int open_source(struct import *self, struct err *err)
{
    static const struct str_view scheme = { "sqlite:", 7 };
    struct str_view url = str_from(self->options->from);
    if (!str_starts_with(url, scheme))
        return err_set(err, ERR_CONFIG, "accepted is sqlite:PATH");
    const struct str_view path = { url.data + scheme.length, url.length - scheme.length };
    int result = import_source_open(&self->source, path, err);
    if (result == 0)
        result = import_catalogue_read(&self->catalogue, &self->source.connection, err);
    return result == 0 ? audit(ask_source, &self->source, &self->coins, err) : result;
}

/* Before its schema is made: somebody else's database must not get our tables. */
static int refuse_foreign(struct db *db, struct err *err)
{
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = {
        .sql = "SELECT COUNT(*), COUNT(CASE WHEN relname = 'schema_migration' THEN 1 END) "
               "FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
               "AND relkind IN ('r', 'p')",
        .expect = DB_ONE_ROW,
    };
    int result = db_query(db, &statement, &rows, err);
    if (result == 0 && db_rows_int(rows, 0, 0) > 0 && db_rows_int(rows, 0, 1) == 0)
        result = err_set(err, ERR_CONFIG,
                         "the database has tables that are none of ours; take an empty one");
    return result;
}

static int migrate_target(struct import *self, struct err *err)
{
    struct db *db = NULL;
    struct migration_result migrated;
    const struct db_settings settings = {
        .url = self->options->to, .pool_min = 1, .pool_max = 1, .clock = self->clock
    };
    int result = db_open(&db, &settings, err);
    if (result == 0)
        result = refuse_foreign(db, err);
    if (result == 0)
        result = db_migrate(db, built_in_migrations, clock_wall_ms(self->clock), &migrated, err);
    db_close(db);
    return result;
}

static int begin(struct import *self, struct err *err)
{
    int result = import_destination_open(&self->destination, self->target, err);
    if (result == 0)
        result = import_destination_match(&self->destination, &self->catalogue, err);
    return result == 0 ? import_destination_lock(&self->destination, &self->catalogue, err)
                       : result;
}

static int open_target(struct import *self, struct err *err)
{
    struct str_view url = str_from(self->options->to);
    if (!str_starts_with(url, STR("postgresql://")) && !str_starts_with(url, STR("postgres://")))
        return err_set(err, ERR_CONFIG, "accepted is postgresql://...");
    int result = postgres_target_new(&self->target, self->options->to, err);
    if (result == 0)
        result = migrate_target(self, err);
    return result == 0 ? begin(self, err) : result;
}

/* --- A target that was never used --- */

/* Whether `table` has what migrations leave in it and nothing else. */
static int is_new(struct import *self, struct import_source *model,
                  const struct import_table *table, bool *has_seeds, struct err *err)
{
    struct import_digest expected, found;
    int result = import_source_stream(model, table, NULL, NULL, &expected, err);
    /* One row too many says enough of a database that is full. */
    if (result == 0)
        result =
            import_destination_digest(&self->destination, table, expected.rows + 1, &found, err);
    if (result != 0)
        return result;
    *has_seeds = expected.rows > 0;
    if (import_digest_equal(&expected, &found))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "the database is not empty: %s has rows; take an empty one, or one that only "
                   "`bronxbot migrate` has seen",
                   table->name);
}

/* The source's rows include what the migrations had left there. */
static int clear_seeds(struct import *self, const bool *has_seeds, struct err *err)
{
    int result = 0;
    for (int i = self->catalogue.count - 1; i >= 0 && result == 0; i--)
        if (has_seeds[i] && !self->catalogue.tables[i].left_because)
            result = import_destination_clear(&self->destination, &self->catalogue.tables[i], err);
    return result;
}

static int compare_with_model(struct import *self, struct import_source *model, bool *has_seeds,
                              struct err *err)
{
    int result = import_catalogue_read(&self->model, &model->connection, err);
    for (int i = 0; i < self->catalogue.count && result == 0; i++) {
        const struct import_table *table = &self->catalogue.tables[i];
        /* The list of migrations is none of their work. */
        if (import_catalogue_find(&self->model, str_from(table->name)))
            result = is_new(self, model, table, &has_seeds[i], err);
    }
    return result;
}

static int make_empty(struct import *self, struct err *err)
{
    struct import_source model;
    bool has_seeds[IMPORT_TABLES_MAX] = { false };
    int result = import_source_open_new(&model, err);
    if (result == 0)
        result = compare_with_model(self, &model, has_seeds, err);
    import_source_close(&model);
    return result == 0 ? clear_seeds(self, has_seeds, err) : result;
}

/* --- Rows --- */

static int copy_all(struct import *self, struct err *err)
{
    for (int i = 0; i < self->catalogue.count; i++) {
        const struct import_table *table = &self->catalogue.tables[i];
        if (table->left_because) {
            fprintf(self->progress, "%s: left out, %s\n", table->name, table->left_because);
            continue;
        }
        struct import_digest *digest = &self->digests[i];
        int result = import_destination_fill(&self->destination, table, &self->source, digest, err);
        if (result != 0)
            return err_wrap(err, "%s", table->name);
        self->rows += digest->rows;
        fprintf(self->progress, "%s: %" PRId64 " rows\n", table->name, digest->rows);
    }
    return import_destination_advance(&self->destination, err);
}

/* All that the new database has against all that the old one has. */
static int compare(struct import *self, struct err *err)
{
    for (int i = 0; i < self->catalogue.count; i++) {
        const struct import_table *table = &self->catalogue.tables[i];
        struct import_digest found;
        if (table->left_because)
            continue;
        int result = import_destination_digest(&self->destination, table, 0, &found, err);
        if (result == 0 && !import_digest_equal(&found, &self->digests[i]))
            result = err_set(err, ERR_INTERNAL,
                             "the new database has other rows (%" PRId64 ") than the old one "
                             "(%" PRId64 ")",
                             found.rows, self->digests[i].rows);
        if (result != 0)
            return err_wrap(err, "comparing %s", table->name);
    }
    int64_t coins = 0;
    int result = audit(ask_destination, &self->destination, &coins, err);
    if (result == 0 && coins != self->coins)
        result = err_set(err, ERR_INTERNAL, "balances sum to %" PRId64 " instead of %" PRId64,
                         coins, self->coins);
    return result;
}

/* --- The end --- */

static void pause_before(int try)
{
    int64_t milliseconds = backoff_draw(SETTLE_PAUSE_MS, SETTLE_PAUSE_MS, 0);
    struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
    if (try > 0)
        nanosleep(&pause, NULL);
}

/* Locking waits for the transaction whose end is unknown. Then either all is there, or nothing. */
static int compare_again(struct import *self, struct err *err)
{
    int result = ERR_UNAVAILABLE;
    for (int try = 0; try < SETTLE_TRIES && (result == ERR_UNAVAILABLE || result == ERR_BUSY);
         try++) {
        pause_before(try);
        import_destination_close(&self->destination);
        result = begin(self, err);
        if (result == 0)
            result = compare(self, err);
    }
    return result;
}

static int look_again(struct import *self, struct err *err)
{
    int result = compare_again(self, err);
    if (result == 0)
        return 0;
    if (result == ERR_INTERNAL && make_empty(self, err) == 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "the connection was lost at the commit, and nothing was imported: run this "
                       "again");
    return err_set(err, ERR_UNKNOWN,
                   "the connection was lost at the commit, and whether it happened can't be seen "
                   "now: run this again; if the database is \"not empty\" then, it did");
}

static int finish(struct import *self, struct err *err)
{
    int result = import_destination_commit(&self->destination, err);
    if (result == ERR_UNKNOWN)
        result = look_again(self, err);
    if (result == 0)
        fprintf(self->progress,
                "imported and compared: %" PRId64 " rows, balances of %" PRId64 " coins\n",
                self->rows, self->coins);
    return result;
}

static int run(struct import *self, struct err *err)
{
    int result = open_source(self, err);
    if (result != 0)
        return err_wrap(err, "--from");
    result = open_target(self, err);
    if (result == 0)
        result = make_empty(self, err);
    if (result != 0)
        return err_wrap(err, "--to");
    result = copy_all(self, err);
    if (result == 0)
        result = compare(self, err);
    return result == 0 ? finish(self, err) : result;
}

int import_run(const struct import_options *options, const struct clock *clock, FILE *progress,
               struct err *err)
{
    struct import *self = calloc(1, sizeof(*self));
    struct err unread = { 0 };
    if (!self)
        return err_set(err, ERR_MEMORY, "an import");
    self->options = options;
    self->clock = clock;
    self->progress = progress;
    self->source.file.lock_fd = -1;
    int result = run(self, err ? err : &unread);
    import_destination_close(&self->destination);
    postgres_target_free(self->target);
    import_source_close(&self->source);
    free(self);
    return result;
}
