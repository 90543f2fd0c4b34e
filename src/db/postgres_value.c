/* The binary formats of the few types the common SQL subset has; types are known by their object
 * ids, which are the same in every PostgreSQL since 8 (src/include/catalog/pg_type.dat). */
#include "db/postgres_value.h"

#include "db/rows.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <string.h>

enum type_oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_CHAR = 18,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_UNKNOWN = 705,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_NUMERIC = 1700,
};

#define FORMAT_BINARY 1

static_assert(2 * DB_MAX_PARAMETERS <= 32, "a signature has two bits for each parameter");
static_assert(DB_TYPE_BLOB < 4, "a type fits two bits");

static int fill_bytes(struct postgres_parameters *parameters, int position, Oid type,
                      struct str_view bytes, struct err *err)
{
    if (bytes.length > INT_MAX)
        return err_set(err, ERR_LIMIT, "parameter $%d: too long", position + 1);
    parameters->types[position] = type;
    parameters->values[position] = bytes.data; /* absent bytes are NULL */
    parameters->lengths[position] = (int)bytes.length;
    return 0;
}

static void fill_integer(struct postgres_parameters *parameters, int position, int64_t value)
{
    parameters->integers[position] = htobe64((uint64_t)value);
    parameters->types[position] = OID_INT8;
    parameters->values[position] = (const char *)&parameters->integers[position];
    parameters->lengths[position] = sizeof(parameters->integers[position]);
}

int postgres_parameters_fill(struct postgres_parameters *parameters,
                             const struct db_statement *statement, struct err *err)
{
    parameters->count = statement->parameter_count;
    parameters->signature = 0;
    int result = 0;
    for (int i = 0; i < parameters->count && result == 0; i++) {
        const struct db_value *value = &statement->parameters[i];
        parameters->formats[i] = FORMAT_BINARY;
        parameters->signature |= (uint32_t)value->type << (2 * i);
        switch (value->type) {
        case DB_TYPE_NULL:
            parameters->types[i] = 0;
            parameters->values[i] = NULL;
            parameters->lengths[i] = 0;
            break;
        case DB_TYPE_INT:
            fill_integer(parameters, i, value->integer);
            break;
        case DB_TYPE_TEXT:
            result = fill_bytes(parameters, i, OID_TEXT, value->bytes, err);
            break;
        case DB_TYPE_BLOB:
            result = fill_bytes(parameters, i, OID_BYTEA, value->bytes, err);
            break;
        }
    }
    return result;
}

static uint16_t read_uint16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static int64_t read_integer(const unsigned char *bytes, size_t length)
{
    uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

#define NUMERIC_HEAD     8 /* digits, weight, sign, scale: 16 bits each */
#define NUMERIC_BASE     10000
#define NUMERIC_NEGATIVE 0x4000

/* Digits to the base 10000, the first one's place being 10000^weight. */
static int put_numeric(struct db_rows *rows, const unsigned char *bytes, size_t length,
                       struct err *err)
{
    int digits = length >= NUMERIC_HEAD ? read_uint16(bytes) : 0;
    if (length < NUMERIC_HEAD || length < NUMERIC_HEAD + 2 * (size_t)digits)
        return err_set(err, ERR_INTERNAL, "a numeric of %zu bytes", length);
    int weight = (int16_t)read_uint16(bytes + 2);
    int sign = read_uint16(bytes + 4);
    if ((sign != 0 && sign != NUMERIC_NEGATIVE) || digits > weight + 1)
        return err_set(err, ERR_INTERNAL, "a fraction; db.h has integers only");
    int64_t value = 0;
    for (int place = 0; digits > 0 && place <= weight; place++) {
        int64_t digit = place < digits ? read_uint16(bytes + NUMERIC_HEAD + 2 * (size_t)place) : 0;
        if (__builtin_mul_overflow(value, NUMERIC_BASE, &value) ||
            __builtin_add_overflow(value, sign == 0 ? digit : -digit, &value))
            return err_set(err, ERR_INTERNAL, "a sum that no 64-bit integer holds");
    }
    return rows_put_int(rows, value, err);
}

static int put_value(struct db_rows *rows, const PGresult *result, int row, int column,
                     struct err *err)
{
    if (PQgetisnull(result, row, column))
        return rows_put_null(rows, err);
    const char *data = PQgetvalue(result, row, column);
    const unsigned char *bytes = (const unsigned char *)data;
    size_t length = (size_t)PQgetlength(result, row, column);
    switch (PQftype(result, column)) {
    case OID_BOOL:
        return rows_put_int(rows, length > 0 && bytes[0] != 0, err);
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        if (length == 0 || length > sizeof(int64_t))
            break;
        return rows_put_int(rows, read_integer(bytes, length), err);
    case OID_OID:
        if (length != sizeof(uint32_t))
            break;
        return rows_put_int(rows, read_integer(bytes, length) & UINT32_MAX, err);
    case OID_NUMERIC:
        return put_numeric(rows, bytes, length, err);
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_NAME:
    case OID_CHAR:
    case OID_UNKNOWN:
        return rows_put_bytes(rows, DB_TYPE_TEXT, (struct str_view){ data, length }, err);
    case OID_BYTEA:
        return rows_put_bytes(rows, DB_TYPE_BLOB, (struct str_view){ data, length }, err);
    default:
        break;
    }
    return err_set(err, ERR_INTERNAL, "column %d has type %u; db.h has integers, text and bytes",
                   column, PQftype(result, column));
}

int postgres_rows_append(struct db_rows *rows, const PGresult *result, struct err *err)
{
    int count = PQntuples(result), columns = PQnfields(result);
    for (int row = 0; row < count; row++) {
        int status = rows_begin_row(rows, err);
        for (int column = 0; column < columns && status == 0; column++)
            status = put_value(rows, result, row, column, err);
        if (status != 0)
            return status;
    }
    return 0;
}
