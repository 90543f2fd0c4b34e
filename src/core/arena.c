/* Bump allocation in blocks. Blocks grow up to ARENA_BLOCK_MAX, so that a small call costs one
 * malloc and a large one few. */
#include "bronx/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_MIN ((size_t)4 * 1024 - 64)
#define ARENA_BLOCK_MAX ((size_t)64 * 1024 - 64)

struct arena_block {
    struct arena_block *older;
    size_t size, used; /* of `memory`, in bytes */
    alignas(max_align_t) char memory[];
};

static struct arena_block *grow(struct arena *arena, size_t size)
{
    size_t block_size = arena->newest ? arena->newest->size * 2 : ARENA_BLOCK_MIN;
    if (block_size > ARENA_BLOCK_MAX)
        block_size = ARENA_BLOCK_MAX;
    if (block_size < size)
        block_size = size;
    struct arena_block *block = malloc(sizeof(*block) + block_size);
    if (!block)
        return NULL;
    block->size = block_size;
    block->used = 0;
    block->older = arena->newest;
    arena->newest = block;
    return block;
}

static void *fail(struct arena *arena)
{
    arena->has_failed = true;
    return NULL;
}

void *arena_allocate(struct arena *arena, size_t size)
{
    size_t limit = arena->limit ? arena->limit : ARENA_DEFAULT_LIMIT;
    const size_t alignment = alignof(max_align_t);
    if (size > limit)
        return fail(arena);
    size = size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
    if (size > limit - arena->used)
        return fail(arena);
    struct arena_block *block = arena->newest;
    if (!block || block->size - block->used < size)
        block = grow(arena, size);
    if (!block)
        return fail(arena);
    void *memory = block->memory + block->used;
    block->used += size;
    arena->used += size;
    return memset(memory, 0, size);
}

void *arena_allocate_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return fail(arena);
    return arena_allocate(arena, total);
}

struct str_view arena_copy(struct arena *arena, struct str_view text)
{
    char *copy = arena_allocate(arena, text.length + 1);
    if (!copy)
        return STR_NONE;
    if (text.length > 0)
        memcpy(copy, text.data, text.length);
    return (struct str_view){ copy, text.length };
}

struct str_view arena_format_list(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : arena_allocate(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text ? (struct str_view){ text, (size_t)length } : STR_NONE;
}

struct str_view arena_keep(struct arena *arena, const struct buf *buf)
{
    if (buf->has_failed) {
        fail(arena);
        return STR_NONE;
    }
    return buf->length > 0 ? arena_copy(arena, buf_view(buf)) : STR("");
}

struct str_view arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct str_view text = arena_format_list(arena, format, arguments);
    va_end(arguments);
    return text;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->newest; block;) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    *arena = (struct arena){ .limit = arena->limit };
}
