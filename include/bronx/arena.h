/* An arena: memory that is freed all at once. Everything a call allocates comes from its arena, so
 * handlers never free. Not thread-safe; one owner at a time. */
#ifndef BRONX_ARENA_H
#define BRONX_ARENA_H

#include "bronx/text.h"

struct arena_block;

struct arena {
    struct arena_block *newest;
    size_t used;     /* bytes handed out */
    size_t limit;    /* largest `used` allowed; 0 = ARENA_DEFAULT_LIMIT */
    bool has_failed; /* something was asked for in vain; a reply built from it is not whole */
};

#define ARENA_DEFAULT_LIMIT ((size_t)8 * 1024 * 1024)

/* Zeroed memory aligned for any type, or NULL when memory or the limit is exhausted. */
void *arena_allocate(struct arena *arena, size_t size);

/* Zeroed array of `count` items of `size` bytes; NULL also when the product overflows. */
void *arena_allocate_array(struct arena *arena, size_t count, size_t size);

/* A zero-terminated copy; STR_NONE when memory is exhausted. */
struct str_view arena_copy(struct arena *arena, struct str_view text);
/* A copy of what was built. STR_NONE when the arena or `buf` had no memory: the arena has failed
 * then, so that no reply goes out without it. */
struct str_view arena_keep(struct arena *arena, const struct buf *buf);
struct str_view arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
struct str_view arena_format_list(struct arena *arena, const char *format, va_list arguments)
    PRINTF_LIKE(2, 0);

void arena_free(struct arena *arena); /* fit for CLEANUP; leaves an empty arena */

#endif
