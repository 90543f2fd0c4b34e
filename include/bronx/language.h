/* Languages: every text people see is written in English where it is used, and passes through the
 * one catalogue of its reader's language on the way out. The catalogues are gettext files,
 * po/LANGUAGE.po; docs/translating.md tells how they are kept.
 *
 * Which one it is says the interaction's `locale`, the language of the reader's own client:
 * https://docs.discord.com/developers/reference#locales
 * Texts that are for a whole server (an announcement) use its `guild_locale`.
 *
 * Constant after start; any thread may call anything. Returned texts live for ever. */
#ifndef BRONX_LANGUAGE_H
#define BRONX_LANGUAGE_H

#include "bronx/text.h"

struct call;
struct language;

/* Marks a text in a table for the catalogue; it is translated where the table is read:
 * `tr(call, row->label)`. */
#define TR(text) text

/* Of a Discord locale ("es-ES", "es-419"); English when there is no catalogue for it. */
const struct language *language_of(struct str_view locale);

/* `english` in that language; itself when it has no translation. NULL stays NULL. A translated
 * format takes the same arguments: msgfmt has checked it. */
const char *language_text(const struct language *language, const char *english)
    __attribute__((format_arg(2)));

/* The form for `count`, by the rules of the language. Both are formats of the same arguments. */
const char *language_plural(const struct language *language, const char *one, const char *many,
                            int64_t count) __attribute__((format_arg(2), format_arg(3)));

/* The most UTF-16 units that a text has in any language, and `*locale`, one that it has them in:
 * what is measured by Discord has to fit in all of them. */
size_t language_longest(const char *english, const char **locale);

/* The name of a command or option as Discord shows it in that language: "diario" for "daily". Texts
 * that name commands in a format take it from here. */
const char *language_name(const struct language *language, const char *name);

/* How the language writes large numbers: `mark` between groups of three digits, in numbers of so
 * many digits or more. */
struct language_digits {
    const char *mark; /* at most LANGUAGE_MARK_MAX bytes */
    int grouped_from;
};

#define LANGUAGE_MARK_MAX 3

struct language_digits language_digits(const struct language *language);

/* All languages but English, ended by NULL, and the Discord locales that one speaks, likewise. */
extern const struct language *const languages[];
const char *const *language_locales(const struct language *language);

/* In the language of the person whose call this is. */
const char *tr(const struct call *call, const char *english) __attribute__((format_arg(2)));
const char *tr_plural(const struct call *call, const char *one, const char *many, int64_t count)
    __attribute__((format_arg(2), format_arg(3)));
struct str_view tr_view(const struct call *call, const char *english);
const char *tr_name(const struct call *call, const char *name);

#endif
