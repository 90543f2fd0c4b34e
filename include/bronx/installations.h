/* Installations: which people and servers have authorised the application, as told by Discord's
 * webhook events. https://docs.discord.com/developers/events/webhook-events#application-authorized
 *
 * Discord delivers these events in any order, repeatedly, and without an id of their own. Recording
 * one takes, field by field, the later of what is stored and what the event says, by the event's
 * own time: the outcome is the same for every order and any number of repetitions, so nothing has
 * to remember which events were seen.
 *
 * Once somebody has taken the application away, nothing is kept of their authorisation but when it
 * was, and what waited for them is forgotten. Their coins, terms and settings stay: they may still
 * use the bot in servers, and `/privacy delete` erases them. */
#ifndef BRONX_INSTALLATIONS_H
#define BRONX_INSTALLATIONS_H

#include "bronx/arena.h"
#include "bronx/db.h"
#include "bronx/erasure.h"

struct installation_change {
    bool is_authorized; /* else deauthorized, and only the first two fields below count */
    int64_t user_id;
    int64_t occurred_at_ms; /* when it happened, by Discord's clock */
    int integration_type;   /* 0 to a server, 1 to the person's account, -1 unknown */
    int64_t guild_id;       /* the server it was added to; 0: none */
    struct str_view scopes; /* separated by spaces */
};

/* Durable on return. Of somebody who has deleted their data since, nothing is recorded. Errors as
 * for db_atomic. */
int installations_record(struct db *db, const struct erasure_key *key,
                         const struct installation_change *change, struct err *err) MUST_CHECK;

struct known_user {
    int64_t authorized_at_ms, deauthorized_at_ms; /* the latest ones; 0: none */
    int integration_type;   /* of the latest authorisation; -1: unknown, or it has ended */
    struct str_view scopes; /* of that one, in the arena; absent once it has ended */
    bool is_authorized;     /* the latest of both was an authorisation; not so when equally late */
};

struct known_guild {
    int64_t authorized_at_ms;
    int64_t authorized_by; /* user id */
    struct str_view scopes;
};

/* 1 when an event about the person or server was seen, else 0. */
int installations_find_user(struct db *db, int64_t user_id, struct arena *arena,
                            struct known_user *user, struct err *err) MUST_CHECK;
int installations_find_guild(struct db *db, int64_t guild_id, struct arena *arena,
                             struct known_guild *guild, struct err *err) MUST_CHECK;

#endif
