/* What there is to import: the tables of the source's own catalogue, so that a table that a
 * migration adds is imported without a word here. */
#ifndef IMPORTER_CATALOGUE_H
#define IMPORTER_CATALOGUE_H

#include "db/sqlite_connection.h"

#define IMPORT_NAME_SIZE   64 /* PostgreSQL's NAMEDATALEN */
#define IMPORT_TABLES_MAX  64
#define IMPORT_COLUMNS_MAX 64

/* As the destination keeps it. */
enum import_type { IMPORT_UNKNOWN, IMPORT_INT4, IMPORT_INT8, IMPORT_TEXT, IMPORT_BYTES };

struct import_column {
    char name[IMPORT_NAME_SIZE];
    enum import_type type; /* set by the destination */
    int key;               /* its place in the primary key, from 1; 0: not in it */
};

struct import_table {
    char name[IMPORT_NAME_SIZE];
    struct import_column columns[IMPORT_COLUMNS_MAX];
    int column_count;
    const char *left_because; /* it is about the source alone; NULL: it is imported */
};

struct import_catalogue {
    struct import_table tables[IMPORT_TABLES_MAX]; /* none before those it refers to */
    int count;
};

/* Fills `catalogue`. */
int import_catalogue_read(struct import_catalogue *catalogue, struct sqlite_connection *source,
                          struct err *err) MUST_CHECK;

struct import_table *import_catalogue_find(struct import_catalogue *catalogue,
                                           struct str_view name); /* NULL when unknown */
struct import_column *import_table_find(struct import_table *table, struct str_view name);

enum import_dialect { IMPORT_FROM_SQLITE, IMPORT_FROM_POSTGRES };

/* Appends the SELECT of all columns in the order of the key, the same on both sides. `limit` 0: all
 * rows. */
void import_table_select(const struct import_table *table, enum import_dialect dialect,
                         int64_t limit, struct buf *sql);
/* Appends the names of its columns, separated by commas. */
void import_table_columns(const struct import_table *table, struct buf *sql);

#endif
