/* Reading Discord's JSON: a strict check of the text, then typed access to the tree that names the
 * JSON path of whatever is wrong. Used by the interaction_*.c files only. */
#ifndef DISCORD_INTERACTION_JSON_H
#define DISCORD_INTERACTION_JSON_H

#include "bronx/arena.h"
#include "bronx/err.h"
#include "bronx/interaction.h"

#include <json-c/json.h>

/* Largest text that is looked at; the HTTP server's own bound is far below. */
#define JSON_TEXT_MAX ((size_t)16 * 1024 * 1024)

/* What the strict check found out about a text. */
struct json_scan {
    size_t member_count;  /* "key": value pairs, at any depth */
    struct str_view data; /* the value of the outermost object's "data" as it was written */
    bool has_other_bytes; /* bytes above ASCII: whether they are UTF-8 is still to be checked */
};

/* Refuses what json-c would let through: control characters in texts, zero characters, single
 * quotes, NaN and Infinity, "1." and everything after a zero byte. */
int json_scan_text(struct str_view text, struct json_scan *scan, struct err *err) MUST_CHECK;

/* The tree of `text`; the caller frees it with json_object_put. Refuses everything that is not one
 * object in strict JSON, duplicate keys included. */
int json_read_tree(struct str_view text, struct json_object **tree, struct str_view *data,
                   struct err *err) MUST_CHECK;

void json_tree_free(struct json_object **tree); /* for CLEANUP */

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
    struct json_object *value; /* NULL: absent or null */
};

/* Always returns ERR_INVALID: "data.options[2].name: <reason>". */
int json_fault(const struct json_reader *reader, const struct json_place *place, const char *format,
               ...) PRINTF_LIKE(3, 4);

struct json_place json_member(const struct json_place *parent, const char *key);
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
                  struct str_view *text) MUST_CHECK; /* copied into the arena */
int json_get_id(const struct json_reader *reader, const struct json_place *place,
                int64_t *id) MUST_CHECK;
int json_parse_id(const struct json_reader *reader, const struct json_place *place,
                  struct str_view text, int64_t *id) MUST_CHECK;
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

#endif
