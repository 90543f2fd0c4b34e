/* What came of a registration, for people or as JSON. */
#ifndef REGISTRATION_REPORT_H
#define REGISTRATION_REPORT_H

#include "registration/memory.h"
#include "registration/register.h"

#include <json-c/json.h>

#define SCOPE_NAME_SIZE 32

enum scope_outcome {
    SCOPE_UNTOUCHED,  /* not come to */
    SCOPE_REMEMBERED, /* as it was last registered: Discord was not asked */
    SCOPE_EQUAL,      /* Discord has what is wanted */
    SCOPE_PLANNED,    /* --dry-run */
    SCOPE_REFUSED,    /* too much would be deleted */
    SCOPE_FAILED,     /* whether Discord has replaced it is unknown */
    SCOPE_REPLACED,
};

/* The commands of everybody, or of one guild. Sets are in normal form (command_set.h). */
struct scope {
    int64_t guild_id;           /* 0: global */
    char name[SCOPE_NAME_SIZE]; /* "global", or the guild's id */
    bool has_global, has_owner; /* which commands of the tables belong here */
    struct json_object *wanted;
    struct json_object *existing;   /* NULL: Discord was not asked */
    struct json_object *difference; /* of those two: command_diff.h */
    struct json_object *doubled;    /* titles of commands that people see twice; NULL: unknown */
    char hash[COMMANDS_HASH_SIZE];  /* of what is wanted */
    bool needs_prune;               /* more would be deleted than goes without saying */
    enum scope_outcome outcome;
};

struct register_report {
    const struct register_options *options;
    const struct scope *scopes;
    int scope_count;
    int request_count; /* made to Discord */
};

/* To stdout; warnings to stderr. */
void register_report_print(const struct register_report *report);

#endif
