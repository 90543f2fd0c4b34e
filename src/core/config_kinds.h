/* The kinds of settings: how each is read from text and shown again. The table that uses them is in
 * config.c. */
#ifndef CORE_CONFIG_KINDS_H
#define CORE_CONFIG_KINDS_H

#include "core/config.h"

struct setting;

/* Reads `text` into the setting's field; false when it is not acceptable. */
typedef bool parse_function(const struct setting *setting, struct str_view text, void *field);
typedef void print_function(const void *field, struct buf *out);

struct setting {
    const char *name;
    parse_function *parse;
    print_function *print;
    size_t offset;        /* of the field in struct config */
    int64_t min, max;     /* integers */
    const char *standard; /* the value when unset; NULL: may stay unset */
    const char *accepted; /* what is accepted, in words */
    const char *help;
    bool is_secret;
    bool is_discord; /* required by whatever serves Discord */
};

parse_function setting_parse_text, setting_parse_secret, setting_parse_integer, setting_parse_id,
    setting_parse_ids, setting_parse_keys, setting_parse_listen, setting_parse_level,
    setting_parse_format, setting_parse_readable_file, setting_parse_url, setting_parse_database,
    setting_parse_redis;
print_function setting_print_text, setting_print_integer, setting_print_ids, setting_print_keys,
    setting_print_listen, setting_print_level, setting_print_format;

#endif
