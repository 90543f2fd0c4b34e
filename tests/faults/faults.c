/* The switch, the overridden allocator and the wrapped engine. Any thread. */
#include "faults.h"

#include "db/rows.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const char *const fault_words[FAULT_KINDS] = {
    [FAULT_ALLOCATION] = "allocation",
    [FAULT_STATEMENT_BEFORE] = "statement, before",
    [FAULT_STATEMENT_AFTER] = "statement, after",
    [FAULT_DISK] = "disk",
};

static struct {
    atomic_int kind; /* FAULT_KINDS: disarmed */
    atomic_bool is_lasting;
    _Atomic int64_t left; /* events before the one that fails */
    atomic_int struck;
} armed = { .kind = FAULT_KINDS };

/* Not set while a thread comes to life: sanitizers do not survive a failed allocation there. */
static _Thread_local bool is_under_test;

void faults_arm(enum fault_kind kind, int64_t nth, bool is_lasting)
{
    is_under_test = true;
    armed.is_lasting = is_lasting;
    armed.left = nth - 1;
    armed.struck = 0;
    armed.kind = (int)kind;
}

bool faults_disarm(void)
{
    armed.kind = FAULT_KINDS;
    return armed.struck > 0;
}

bool faults_strike(enum fault_kind kind)
{
    if (armed.kind != (int)kind)
        return false;
    int64_t left = atomic_fetch_sub(&armed.left, 1);
    bool strikes = left == 0 || (left < 0 && armed.is_lasting);
    if (strikes)
        armed.struck++;
    return strikes;
}

/* --- Allocation --------------------------------------------------------------------------------
 * A program's own malloc wins over every library's, json-c's and SQLite's calls included. Below it
 * is the sanitizer's, where there is one, or glibc's. */

#define LOWER(result, name, ...)                                                                   \
    result __interceptor_##name(__VA_ARGS__) __attribute__((weak));                                \
    result __libc_##name(__VA_ARGS__)

LOWER(void *, malloc, size_t);
LOWER(void *, calloc, size_t, size_t);
LOWER(void *, realloc, void *, size_t);

static bool fails(void)
{
    if (!is_under_test || !faults_strike(FAULT_ALLOCATION))
        return false;
    errno = ENOMEM;
    return true;
}

static void *lower_malloc(size_t size)
{
    return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *malloc(size_t size)
{
    return fails() ? NULL : lower_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (fails())
        return NULL;
    return __interceptor_calloc ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    return __interceptor_realloc ? __interceptor_realloc(memory, size)
                                 : __libc_realloc(memory, size);
}

static char *copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

/* A sanitizer's own would not come by malloc. */
char *strdup(const char *text)
{
    return copy_text(text, strlen(text));
}

char *strndup(const char *text, size_t max)
{
    return copy_text(text, strnlen(text, max));
}

typedef int create_thread(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);

create_thread __interceptor_pthread_create __attribute__((weak));

struct beginning {
    void *(*function)(void *);
    void *argument;
};

static void *begin(void *memory)
{
    struct beginning beginning = *(struct beginning *)memory;
    free(memory);
    is_under_test = true;
    return beginning.function(beginning.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
    create_thread *create = __interceptor_pthread_create;
    if (!create)
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    struct beginning *beginning = fails() ? NULL : lower_malloc(sizeof(*beginning));
    if (!beginning)
        return EAGAIN;
    *beginning = (struct beginning){ function, argument };
    int result = create(thread, attributes, begin, beginning);
    if (result != 0)
        free(beginning);
    return result;
}

/* --- Statements --------------------------------------------------------------------------------
 */

static const struct db_engine *lower_engine;
static struct db_engine upper_engine;

static int fail(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "a fault on demand");
}

static int lose(int result, struct db_rows **rows, int count, struct err *err)
{
    if (result != 0 || !faults_strike(FAULT_STATEMENT_AFTER))
        return result;
    rows_free_all(rows, count);
    return err_set(err, ERR_UNKNOWN, "a fault on demand");
}

static int query(struct db *db, const struct db_statement *statement, struct db_rows **rows,
                 struct err *err)
{
    if (faults_strike(FAULT_STATEMENT_BEFORE))
        return fail(err);
    return lose(lower_engine->query(db, statement, rows, err), rows, 1, err);
}

static int atomic(struct db *db, const struct db_statement *statements, int count,
                  struct db_rows **results, struct err *err)
{
    if (faults_strike(FAULT_STATEMENT_BEFORE))
        return fail(err);
    return lose(lower_engine->atomic(db, statements, count, results, err), results, count, err);
}

void faults_wrap_engine(struct db *db)
{
    lower_engine = db->engine;
    upper_engine = *lower_engine;
    upper_engine.query = query;
    upper_engine.atomic = atomic;
    db->engine = &upper_engine;
}
