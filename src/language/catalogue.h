/* One language's texts, as po/embed.py writes them from po/LANGUAGE.po when the bot is built.
 * Constant data. */
#ifndef LANGUAGE_CATALOGUE_H
#define LANGUAGE_CATALOGUE_H

#include "bronx/language.h"

#include <assert.h>
#include <stddef.h>

struct catalogue_text {
    const char *english;
    const char *const *forms; /* one, or one for each form of the plural */
};

struct catalogue_name {
    const char *english;
    const char *translated;
};

static_assert(offsetof(struct catalogue_text, english) == 0, "what both are found by");
static_assert(offsetof(struct catalogue_name, english) == 0, "what both are found by");

struct language {
    const char *code;                   /* "es" */
    const char *const *locales;         /* Discord's, ended by NULL */
    const struct catalogue_text *texts; /* in the order of strcmp, by their English */
    size_t text_count;
    const struct catalogue_name *names; /* of commands and options; the same order */
    size_t name_count;
    size_t (*form_of)(uint64_t count); /* which form says this count */
    struct language_digits digits;
};

#endif
