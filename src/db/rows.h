/* Results as engines build them; how they are read is in bronx/db.h. */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include "bronx/db.h"

struct db_rows *rows_new(int columns); /* NULL without memory */

/* Begins a row; exactly one rows_put_* for each column follows. ERR_LIMIT beyond DB_MAX_ROWS or
 * DB_MAX_ROW_BYTES, ERR_MEMORY. */
int rows_begin_row(struct db_rows *rows, struct err *err) MUST_CHECK;
int rows_put_null(struct db_rows *rows, struct err *err) MUST_CHECK;
int rows_put_int(struct db_rows *rows, int64_t value, struct err *err) MUST_CHECK;
/* DB_TYPE_TEXT or DB_TYPE_BLOB; copied. */
int rows_put_bytes(struct db_rows *rows, enum db_type type, struct str_view bytes,
                   struct err *err) MUST_CHECK;

/* Of a result without columns: what db_rows_touched says. */
void rows_set_written(struct db_rows *rows, int64_t written);

/* Frees `count` results and sets their places to NULL. `results` may be NULL. */
void rows_free_all(struct db_rows **results, int count);

#endif
