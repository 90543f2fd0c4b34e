/* Which catalogue speaks a locale, and look-ups in it: a binary search in a constant table, so that
 * nothing is allocated and any thread may be in here. English is the language without a catalogue:
 * whatever is not found in one is shown as it is written in the source. */
#include "bronx/language.h"

#include "bronx/command.h"

#include "language/catalogue.h"

#include <stdlib.h>
#include <string.h>

static size_t english_form_of(uint64_t count)
{
    return count != 1;
}

static const char *const no_locales[] = { NULL };

static const struct language english = {
    .code = "en",
    .locales = no_locales,
    .form_of = english_form_of,
    .digits = { ",", 4 },
};

const struct language *language_of(struct str_view locale)
{
    for (const struct language *const *language = languages; *language; language++)
        for (const char *const *spoken = (*language)->locales; *spoken; spoken++)
            if (str_equal(locale, str_from(*spoken)))
                return *language;
    return &english;
}

const char *const *language_locales(const struct language *language)
{
    return language->locales;
}

/* Texts and names both begin with their English. */
static int compare(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

static const void *look_up(const char *english_text, const void *rows, size_t count, size_t size)
{
    return count > 0 ? bsearch(english_text, rows, count, size, compare) : NULL;
}

static const struct catalogue_text *find(const struct language *language, const char *text)
{
    return language && text
               ? look_up(text, language->texts, language->text_count, sizeof(*language->texts))
               : NULL;
}

const char *language_text(const struct language *language, const char *text)
{
    const struct catalogue_text *found = find(language, text);
    return found ? found->forms[0] : text;
}

size_t language_longest(const char *text, const char **locale)
{
    size_t longest = utf8_units(str_from(text));
    *locale = "English";
    for (const struct language *const *language = languages; *language; language++) {
        size_t units = utf8_units(str_from(language_text(*language, text)));
        if (units <= longest)
            continue;
        longest = units;
        *locale = language_locales(*language)[0];
    }
    return longest;
}

const char *language_plural(const struct language *language, const char *one, const char *many,
                            int64_t count)
{
    uint64_t size = count < 0 ? -(uint64_t)count : (uint64_t)count;
    const struct catalogue_text *found = find(language, one);
    if (found)
        return found->forms[language->form_of(size)];
    return english_form_of(size) == 0 ? one : many;
}

const char *language_name(const struct language *language, const char *name)
{
    const struct catalogue_name *found =
        language ? look_up(name, language->names, language->name_count, sizeof(*language->names))
                 : NULL;
    return found ? found->translated : name;
}

struct language_digits language_digits(const struct language *language)
{
    return language ? language->digits : english.digits;
}

const char *tr(const struct call *call, const char *text)
{
    return language_text(call->language, text);
}

const char *tr_plural(const struct call *call, const char *one, const char *many, int64_t count)
{
    return language_plural(call->language, one, many, count);
}

struct str_view tr_view(const struct call *call, const char *text)
{
    return str_from(tr(call, text));
}

const char *tr_name(const struct call *call, const char *name)
{
    return language_name(call->language, name);
}
