/* Scope-bound ownership: a variable marked CLEANUP(fn) is handed to fn when it goes out of scope,
 * so an early return never leaks. STEAL moves a pointer out, so that the caller owns it. */
#ifndef BRONX_CLEANUP_H
#define BRONX_CLEANUP_H

#include <stddef.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

/* The value of `pointer`, which becomes NULL: ownership has moved to the reader. */
#define STEAL(pointer)                                                                             \
    __extension__({                                                                                \
        __typeof__(pointer) stolen_ = (pointer);                                                   \
        (pointer) = NULL;                                                                          \
        stolen_;                                                                                   \
    })

#define ARRAY_LENGTH(array)                 (sizeof(array) / sizeof((array)[0]))

/* The struct of `type` that contains, as its `member`, the thing `pointer` points at. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* For CLEANUP on a malloc'ed pointer of any type. */
void cleanup_free(void *pointer_to_pointer);

#endif
