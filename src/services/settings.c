/* Settings as the rest of the bot reads them: through the cache, as a struct. What is cached is the
 * row as text, its revision on the first line; it becomes a struct in each call's arena. Any
 * thread.
 *
 * The defaults are made from the tables once and never change. */
#include "services/field_internal.h"
#include "services/settings_internal.h"

#include "bronx/services.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

static struct server_settings server_defaults;
static struct user_settings user_defaults;
static pthread_once_t are_defaults_made = PTHREAD_ONCE_INIT;

static void make_defaults(void)
{
    const struct field_values none = { 0 };
    struct arena arena = { 0 }; /* defaults are no lists of ids: nothing is allocated */
    int result = field_fill(server_fields, &none, &arena, &server_defaults, NULL);
    result |= field_fill(user_fields, &none, &arena, &user_defaults, NULL);
    assert(result == 0 && arena.used == 0);
}

void settings_defaults(struct call *call)
{
    pthread_once(&are_defaults_made, make_defaults);
    call->server = &server_defaults;
    call->person = &user_defaults;
}

/* --- Reading --- */

#define CACHE_KEY_SIZE 40

/* On the caller's stack: forgetting must not fail for want of memory. */
static struct str_view cache_key(struct settings_owner owner, char key[CACHE_KEY_SIZE])
{
    const char *scope = owner.scope == SETTINGS_OF_SERVER ? "server" : "user";
    int length = snprintf(key, CACHE_KEY_SIZE, "%s:%" PRId64, scope, owner.id);
    return (struct str_view){ key, (size_t)length };
}

void settings_forget(const struct services *services, struct settings_owner owner)
{
    char key[CACHE_KEY_SIZE];
    cache_invalidate(services->cache, CACHE_SETTINGS, cache_key(owner, key));
}

struct loading {
    const struct call *call;
    struct settings_owner owner;
};

static int load_row(void *context, struct arena *arena, struct str_view *value, struct err *err)
{
    static const char *const sql[] = {
        [SETTINGS_OF_SERVER] = "SELECT revision, content FROM server_settings WHERE guild_id = $1",
        [SETTINGS_OF_USER] = "SELECT revision, content FROM user_settings WHERE user_id = $1",
    };
    const struct loading *loading = context;
    CLEANUP(cleanup_db_rows) struct db_rows *rows = NULL;
    const struct db_statement statement = { .sql = sql[loading->owner.scope],
                                            .parameters = { DB_INT(loading->owner.id) },
                                            .parameter_count = 1 };
    int result = db_query(loading->call->services->db, &statement, &rows, err);
    if (result != 0 || db_rows_count(rows) == 0)
        return result;
    *value = arena_format(arena, "%" PRId64 "\n%.*s", db_rows_int(rows, 0, 0),
                          STR_ARGS(db_rows_text(rows, 0, 1)));
    return value->data ? 1 : err_set(err, ERR_MEMORY, "settings");
}

/* Revision 0 and no values when nothing was ever saved. */
static int load(struct call *call, struct settings_owner owner, int64_t *revision,
                struct field_values *values, struct err *err)
{
    char key[CACHE_KEY_SIZE];
    struct loading loading = { call, owner };
    struct str_view row, first;
    *revision = 0;
    *values = (struct field_values){ 0 };
    int result = cache_get(call->services->cache, CACHE_SETTINGS, cache_key(owner, key), load_row,
                           &loading, call->arena, &row, err);
    if (result < 0)
        return err_wrap(err, "reading settings");
    if (result == 1 && str_split(&row, '\n', &first) && str_to_uint63(first, revision) == 0)
        field_lines_read(settings_fields(owner.scope), row, values);
    return 0;
}

/* What the table describes, filled in; NULL without memory. */
static void *make(struct call *call, const struct field *fields, const struct field_values *values,
                  size_t size, struct err *err)
{
    void *made = arena_allocate(call->arena, size);
    if (!made)
        err_set(err, ERR_MEMORY, "settings");
    return made && field_fill(fields, values, call->arena, made, err) == 0 ? made : NULL;
}

static int make_server(struct call *call, int64_t revision, const struct field_values *values,
                       const struct server_settings **settings, struct err *err)
{
    struct server_settings *made = make(call, server_fields, values, sizeof(*made), err);
    if (!made)
        return ERR_MEMORY;
    made->revision = revision;
    *settings = made;
    return 0;
}

static int make_user(struct call *call, int64_t revision, const struct field_values *values,
                     const struct user_settings **settings, struct err *err)
{
    struct user_settings *made = make(call, user_fields, values, sizeof(*made), err);
    if (!made)
        return ERR_MEMORY;
    made->revision = revision;
    *settings = made;
    return 0;
}

static int load_server(struct call *call, struct err *err)
{
    const struct settings_owner owner = { SETTINGS_OF_SERVER, call->interaction->guild_id };
    int64_t revision;
    struct field_values values;
    int result = load(call, owner, &revision, &values, err);
    return result == 0 ? make_server(call, revision, &values, &call->server, err) : result;
}

int settings_of_user(struct call *call, int64_t user_id, const struct user_settings **settings,
                     struct err *err)
{
    const struct settings_owner owner = { SETTINGS_OF_USER, user_id };
    int64_t revision;
    struct field_values values;
    int result = load(call, owner, &revision, &values, err);
    return result == 0 ? make_user(call, revision, &values, settings, err) : result;
}

int settings_load(struct call *call, struct err *err)
{
    int result = 0;
    if (call->server == &server_defaults && call->interaction->guild_id != 0)
        result = load_server(call, err);
    if (result == 0 && call->person == &user_defaults)
        result = settings_of_user(call, call->interaction->user.id, &call->person, err);
    return result;
}

int settings_adopt(struct call *call, struct settings_owner owner, int64_t revision,
                   const struct field_values *values, struct err *err)
{
    if (owner.scope == SETTINGS_OF_SERVER && owner.id == call->interaction->guild_id)
        return make_server(call, revision, values, &call->server, err);
    if (owner.scope == SETTINGS_OF_USER && owner.id == call->interaction->user.id)
        return make_user(call, revision, values, &call->person, err);
    return 0;
}
