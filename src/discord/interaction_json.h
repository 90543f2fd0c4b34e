/* Reading Discord's JSON: a strict check of the text, then typed access to the tree that names the
 * JSON path of whatever is wrong. Used within src/discord and by the doctor. */
#ifndef DISCORD_INTERACTION_JSON_H
#define DISCORD_INTERACTION_JSON_H

#include "bronx/arena.h"
#include "bronx/err.h"
#include "bronx/interaction.h"

/* Bounds of what is looked at; the HTTP server's own bound on a body is far below. */
#define JSON_TEXT_MAX    ((size_t)4 * 1024 * 1024)
#define JSON_VALUES_MAX  20000
#define JSON_MEMBERS_MAX 1000 /* of one object: keys are compared one by one */

enum json_value_type {
    JSON_TYPE_NULL,
    JSON_TYPE_BOOLEAN,
    JSON_TYPE_NUMBER,
    JSON_TYPE_TEXT,
    JSON_TYPE_ARRAY,
    JSON_TYPE_OBJECT,
};

struct json_value {
    enum json_value_type type;
    bool is_true;         /* BOOLEAN */
    bool is_integer;      /* NUMBER: without fraction and exponent */
    struct str_view key;  /* zero-terminated; absent in arrays and at the top */
    struct str_view text; /* TEXT: decoded, zero-terminated; NUMBER, BOOLEAN: as written */
    struct json_value *first, *last, *next;
    size_t count;              /* of children */
    struct json_value *cursor; /* where json_item was last, so that a loop is one walk */
    size_t cursor_index;
};

struct json_tree {
    struct json_value *root; /* an object */
    struct str_view data;    /* its "data" as it was written, when that is an object or array */
};

/* Refuses everything that is not one object in strict JSON without equal keys and zero characters.
 * Texts of the tree live in `text_arena`, its nodes in `node_arena`; tree->data borrows from
 * `text`.
 */
int json_read_tree(struct str_view text, struct arena *text_arena, struct arena *node_arena,
                   struct json_tree *tree, struct err *err) MUST_CHECK;

/* One read from a tree into an arena. */
struct json_reader {
    struct arena *arena;
    struct err *err;
};

/* Where in the tree we are: a chain on the stack, turned into words only when something is wrong.
 */
struct json_place {
    const struct json_place *parent; /* NULL: the outermost object */
    const char *key;                 /* NULL in an array */
    size_t index;
    struct json_value *value; /* NULL: absent or null */
};

/* Always returns ERR_INVALID: "data.options[2].name: <reason>". */
int json_fault(const struct json_reader *reader, const struct json_place *place, const char *format,
               ...) PRINTF_LIKE(3, 4);

bool json_is(const struct json_place *place, enum json_value_type type); /* false when absent */

struct json_place json_member(const struct json_place *parent, const char *key);
/* An entry of an array or object; `index` below its count. */
struct json_place json_item(const struct json_place *parent, size_t index);

/* An object that must be there. */
int json_need_object(const struct json_reader *reader, const struct json_place *place) MUST_CHECK;

/* The number of entries of an array or object; 0 when absent, refused above `max`. */
int json_count_items(const struct json_reader *reader, const struct json_place *place, size_t max,
                     size_t *count) MUST_CHECK;
int json_count_members(const struct json_reader *reader, const struct json_place *place, size_t max,
                       size_t *count) MUST_CHECK;

/* Single values. All refuse an absent one. */
int json_get_text(const struct json_reader *reader, const struct json_place *place,
                  struct str_view *text) MUST_CHECK; /* lives in the tree's text arena */
int json_get_id(const struct json_reader *reader, const struct json_place *place,
                int64_t *id) MUST_CHECK;
int json_parse_id(const struct json_reader *reader, const struct json_place *place,
                  struct str_view text, int64_t *id) MUST_CHECK;
int json_get_bool(const struct json_reader *reader, const struct json_place *place,
                  bool *value) MUST_CHECK;
int json_get_number(const struct json_reader *reader, const struct json_place *place,
                    double *value) MUST_CHECK;
int json_get_int64(const struct json_reader *reader, const struct json_place *place, int64_t min,
                   int64_t max, int64_t *value) MUST_CHECK;

/* An object's fields as a table: which member goes where in a struct. */
enum json_kind {
    JSON_ID,        /* int64_t: decimal text, 1..2^63-1 */
    JSON_ID_OR_0,   /* int64_t: the same, or "0" */
    JSON_TEXT,      /* struct str_view */
    JSON_INT,       /* int */
    JSON_INT64,     /* int64_t, 0 or more */
    JSON_FLAGS,     /* uint64_t, a JSON number */
    JSON_BITS,      /* uint64_t, a decimal text (permissions) */
    JSON_BOOL,      /* bool */
    JSON_TIMESTAMP, /* int64_t: ISO 8601 to milliseconds; 0 when it is not understood */
};

struct json_field {
    const char *name;
    enum json_kind kind;
    bool is_required;
    size_t offset;
};

#define JSON_FIELD(type, member, json_kind)                                                        \
    {                                                                                              \
        .name = #member, .kind = (json_kind), .offset = offsetof(type, member)                     \
    }
#define JSON_NEEDED(type, member, json_kind)                                                       \
    {                                                                                              \
        .name = #member, .kind = (json_kind), .is_required = true,                                 \
        .offset = offsetof(type, member)                                                           \
    }

/* Absent and null members leave the target as it is. */
int json_get_fields(const struct json_reader *reader, const struct json_place *object,
                    const struct json_field *fields, size_t count, void *target) MUST_CHECK;

/* The same for an object that must be there. */
int json_get_object(const struct json_reader *reader, const struct json_place *object,
                    const struct json_field *fields, size_t count, void *target) MUST_CHECK;

#endif
