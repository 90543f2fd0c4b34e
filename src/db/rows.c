/* A result is one block of memory: cells of 16 bytes fill it from the front, row after row, texts
 * from the back. A cell knows its text by the distance from the block's end, so a block grows by
 * copying its two ends. Small results live inside the struct: one allocation in all. A result is
 * built by one thread and constant afterwards. */
#include "db/rows.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 512 /* a row of a few columns fits */

struct cell {
    int64_t value;   /* integer, or distance of the bytes from the block's end */
    uint32_t length; /* of the bytes */
    enum db_type type;
};
static_assert(sizeof(struct cell) == 16, "a cell is small");
static_assert(DB_MAX_ROW_BYTES <= UINT32_MAX, "a length fits into a cell");

struct db_rows {
    int count, columns;
    int64_t written; /* of a statement that returns nothing */
    size_t cells;    /* used at the front */
    size_t bytes;    /* used at the back */
    size_t capacity;
    unsigned char *block; /* `first`, or allocated */
    alignas(struct cell) unsigned char first[FIRST_BYTES];
};

struct db_rows *rows_new(int columns)
{
    struct db_rows *rows = malloc(sizeof(*rows));
    if (!rows)
        return NULL;
    rows->count = 0;
    rows->written = 0;
    rows->columns = columns;
    rows->cells = rows->bytes = 0;
    rows->capacity = FIRST_BYTES;
    rows->block = rows->first;
    return rows;
}

int rows_begin_row(struct db_rows *rows, struct err *err)
{
    if (rows->count >= DB_MAX_ROWS)
        return err_set(err, ERR_LIMIT, "more than %d rows", DB_MAX_ROWS);
    rows->count++;
    return 0;
}

/* Makes room for one more cell and `length` bytes of text. */
static int reserve(struct db_rows *rows, size_t length, struct err *err)
{
    size_t front = rows->cells * sizeof(struct cell);
    size_t used = front + rows->bytes + sizeof(struct cell); /* bounded by DB_MAX_ROW_BYTES */
    if (length > DB_MAX_ROW_BYTES || used > DB_MAX_ROW_BYTES - length)
        return err_set(err, ERR_LIMIT, "a result of more than %zu bytes", DB_MAX_ROW_BYTES);
    if (used + length <= rows->capacity)
        return 0;
    size_t capacity = 2 * rows->capacity;
    if (capacity < used + length)
        capacity = used + length;
    unsigned char *block = malloc(capacity);
    if (!block)
        return err_set(err, ERR_MEMORY, "a result of %zu bytes", capacity);
    memcpy(block, rows->block, front);
    memcpy(block + capacity - rows->bytes, rows->block + rows->capacity - rows->bytes, rows->bytes);
    if (rows->block != rows->first)
        free(rows->block);
    rows->block = block;
    rows->capacity = capacity;
    return 0;
}

static void put_cell(struct db_rows *rows, struct cell cell)
{
    memcpy(rows->block + rows->cells * sizeof(cell), &cell, sizeof(cell));
    rows->cells++;
}

int rows_put_null(struct db_rows *rows, struct err *err)
{
    int result = reserve(rows, 0, err);
    if (result == 0)
        put_cell(rows, (struct cell){ .type = DB_TYPE_NULL });
    return result;
}

int rows_put_int(struct db_rows *rows, int64_t value, struct err *err)
{
    int result = reserve(rows, 0, err);
    if (result == 0)
        put_cell(rows, (struct cell){ .type = DB_TYPE_INT, .value = value });
    return result;
}

int rows_put_bytes(struct db_rows *rows, enum db_type type, struct str_view bytes, struct err *err)
{
    int result = reserve(rows, bytes.length, err);
    if (result != 0)
        return result;
    rows->bytes += bytes.length;
    if (bytes.length > 0)
        memcpy(rows->block + rows->capacity - rows->bytes, bytes.data, bytes.length);
    put_cell(rows, (struct cell){ .type = type,
                                  .value = (int64_t)rows->bytes,
                                  .length = (uint32_t)bytes.length });
    return 0;
}

void rows_set_written(struct db_rows *rows, int64_t written)
{
    rows->written = written;
}

void rows_free_all(struct db_rows **results, int count)
{
    for (int i = 0; results && i < count; i++) {
        db_rows_free(results[i]);
        results[i] = NULL;
    }
}

int db_rows_count(const struct db_rows *rows)
{
    return rows ? rows->count : 0;
}

int db_rows_columns(const struct db_rows *rows)
{
    return rows ? rows->columns : 0;
}

int64_t db_rows_touched(const struct db_rows *rows)
{
    if (!rows)
        return 0;
    return rows->columns > 0 ? rows->count : rows->written;
}

static struct cell cell_at(const struct db_rows *rows, int row, int column)
{
    assert(rows && row >= 0 && row < rows->count && column >= 0 && column < rows->columns);
    size_t position = (size_t)row * (size_t)rows->columns + (size_t)column;
    struct cell cell;
    memcpy(&cell, rows->block + position * sizeof(cell), sizeof(cell));
    return cell;
}

bool db_rows_is_null(const struct db_rows *rows, int row, int column)
{
    return cell_at(rows, row, column).type == DB_TYPE_NULL;
}

int64_t db_rows_int(const struct db_rows *rows, int row, int column)
{
    struct cell cell = cell_at(rows, row, column);
    assert(cell.type == DB_TYPE_INT || cell.type == DB_TYPE_NULL);
    return cell.value;
}

struct str_view db_rows_text(const struct db_rows *rows, int row, int column)
{
    struct cell cell = cell_at(rows, row, column);
    if (cell.type == DB_TYPE_NULL)
        return STR_NONE;
    assert(cell.type == DB_TYPE_TEXT || cell.type == DB_TYPE_BLOB);
    const unsigned char *data = rows->block + rows->capacity - cell.value;
    return (struct str_view){ (const char *)data, cell.length };
}

void db_rows_free(struct db_rows *rows)
{
    if (!rows)
        return;
    if (rows->block != rows->first)
        free(rows->block);
    free(rows);
}

void cleanup_db_rows(struct db_rows **rows)
{
    db_rows_free(*rows);
}
