/* The register of user data: every table, what in it is about a person, why it is kept and for how
 * long, how it is exported and how it is erased. A test compares it with the real schema, so a
 * migration can't add a column that nobody has classified. */
#ifndef BRONX_USER_DATA_H
#define BRONX_USER_DATA_H

#include "bronx/command.h"

enum user_data_kind {
    USER_DATA_HIDDEN, /* part of the key only */
    USER_DATA_INTEGER,
    USER_DATA_TEXT,
    USER_DATA_ID,      /* a snowflake or another large number: a string in JSON */
    USER_DATA_TIME,    /* UTC milliseconds: shown as ISO 8601, and as they are in NAME_ms */
    USER_DATA_DAY,     /* days since 1970-01-01 */
    USER_DATA_COMMAND, /* a command as Discord sent it, without what it says of other people */
};

struct user_data_field {
    const char *name; /* in the export; NULL ends a list */
    enum user_data_kind kind;
};

#define USER_DATA_KEY_MAX    4
#define USER_DATA_FIELDS_MAX 16

struct user_data_export {
    /* $1 the user or their fingerprint, $2 the most rows wanted; then the last row's key, if there
     * is one: `(key) > ($3, ...)`, ordered by it. Integers of a key are never negative, texts never
     * empty. */
    const char *sql;
    int key_columns;     /* the first columns; 0: there is never more than one row */
    int page_rows;       /* so many rows fit DB_MAX_ROW_BYTES */
    bool is_continuable; /* the key begins with an interaction's id: another file may go on there */
    struct user_data_field fields[USER_DATA_FIELDS_MAX]; /* the columns of the result */
};

struct user_data_table {
    const char *name;
    const char *purpose;   /* NULL: nothing about a person */
    const char *retention; /* how long, in words */

    /* Every column is in one of these lists, separated by spaces; NULL: none. */
    const char *owner;      /* whose row it is: ids of users, of accounts of theirs, or hashes */
    const char *personal;   /* about that person */
    const char *impersonal; /* about nobody */
    const char *sealed;     /* encrypted, so that no query can tell whose; gone after `retention` */

    const struct user_data_export *export; /* NULL: see the next */
    const char *exported_with;             /* the table whose export has these rows, too */
    const char *erase;                     /* SQL, $1 the user; NULL: nothing here names the user */
    bool is_aliased;       /* the rows stay, under an alias ($2) that nobody can trace back */
    bool is_fingerprinted; /* the owner is an erasure_fingerprint */

    /* What only waits for the person to go on, and so goes when they take the application away
     * from their account: SQL, $1 the user, $2 the first interaction id of that moment. NULL: it
     * stays, for they may use the bot in servers all the same. */
    const char *forget;
};

/* The register, ended by a name of NULL. */
extern const struct user_data_table user_data_tables[];

const struct user_data_table *user_data_find(struct str_view name); /* NULL when unknown */

/* What one file carries.
 * https://docs.discord.com/developers/reference#uploading-files */
#define USER_DATA_FILE_MAX ((size_t)10 * 1024 * 1024)

struct user_data_request {
    int64_t user_id;
    int64_t now_ms;
    int64_t from;     /* 0: everything; else only the ledger, from this interaction on */
    size_t max_bytes; /* of the document */
};

struct user_data_result {
    bool is_whole;     /* everything that was asked for is there */
    int64_t next_from; /* else the first interaction that is not; 0: not only of the ledger */
};

/* Appends the JSON document of everything stored about a person. */
int user_data_export(const struct services *services, const struct user_data_request *request,
                     struct buf *json, struct user_data_result *result, struct err *err) MUST_CHECK;

/* How many rows of each table of the register are about the person, in its order. */
#define USER_DATA_TABLES_MAX 24
struct user_data_counts {
    int64_t rows[USER_DATA_TABLES_MAX];
};
int user_data_count(const struct services *services, int64_t user_id,
                    struct user_data_counts *counts, struct err *err) MUST_CHECK;

/* The statements of `forget`, for the transaction that records that somebody took the application
 * away at `gone_at_ms`, behind the one that records it. They change nothing when the person has
 * given it back since. Returns how many. */
int user_data_forget(int64_t user_id, int64_t gone_at_ms,
                     struct db_statement statements[USER_DATA_TABLES_MAX]);

/* Erases the person of this call, all or nothing. Ledger accounts go on under a random alias that
 * is stored nowhere else, so that the books still balance. What the cache has of the person is
 * forgotten. That they did it is remembered for a while, see erasure.h: doing it again changes only
 * that. */
int user_data_erase(struct call *call, struct err *err) MUST_CHECK;

#endif
