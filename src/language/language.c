/* Which catalogue speaks a locale, and look-ups in it. Constant data; any thread. */
#include "bronx/language.h"

#include "bronx/command.h"

struct language {
    const char *code;
};

static const struct language english = { .code = "en" };

const struct language *language_of(struct str_view locale)
{
    (void)locale;
    return &english;
}

const char *language_text(const struct language *language, const char *text)
{
    (void)language;
    return text;
}

const char *language_plural(const struct language *language, const char *one, const char *many,
                            int64_t count)
{
    (void)language;
    return count == 1 ? one : many;
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
