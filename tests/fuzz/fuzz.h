/* What fuzz targets share. A target is one function, LLVMFuzzerTestOneInput, that feeds bytes to a
 * part of the bot and ends the program when a promise of that part is broken. libFuzzer calls it
 * with bytes it makes up (./dev fuzz NAME), replay.c with the files of the corpus (./dev test). */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "bronx/text.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise. Also in builds without assertions. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Bytes taken from the front of an input; zeros when it is used up. */
struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

/* A number below `limit` (1-256). */
static inline int fuzz_below(struct fuzz_input *input, int limit)
{
    return fuzz_byte(input) % limit;
}

static inline int64_t fuzz_int64(struct fuzz_input *input)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | fuzz_byte(input);
    return (int64_t)value;
}

/* At most `max` of the bytes that are left. */
static inline struct str_view fuzz_text(struct fuzz_input *input, size_t max)
{
    size_t length = max < input->left ? max : input->left;
    struct str_view text = { (const char *)input->data, length };
    input->data += length;
    input->left -= length;
    return text;
}

/* A text whose length is the next byte. */
static inline struct str_view fuzz_short_text(struct fuzz_input *input)
{
    return fuzz_text(input, fuzz_byte(input));
}

/* A malloc'ed copy of exactly its size, so that ASan sees a read past its end. `*copy` is to be
 * freed. */
static inline struct str_view fuzz_exact_copy(struct str_view text, char **copy)
{
    *copy = malloc(text.length ? text.length : 1);
    FUZZ_CHECK(*copy);
    for (size_t i = 0; i < text.length; i++)
        (*copy)[i] = text.data[i];
    return (struct str_view){ *copy, text.length };
}

#endif
