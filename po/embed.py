#!/usr/bin/env python3
"""Writes po/*.po as constant C tables: src/language/catalogue.h says how they look.

    embed.py OUTPUT PO...            refuses what gettext's own checks refuse
    embed.py --pseudo OUTPUT PO      a language for tests: every text is its English in brackets, and
                                     so is every name; a format's conversions stand outside of them
"""
import re
import subprocess
import sys
from pathlib import Path

import catalogue

NAME = "name"  # the msgctxt of names of commands and options
PLURAL = re.compile(r"nplurals=(\d+);\s*plural=([n0-9 ()?:!=<>%&|]+);?")
CONVERSION = re.compile(r"((?<!%)%[-+ #0]*(?:[0-9]+|\*)?(?:\.(?:[0-9]+|\*)?)?(?:hh|h|ll|l|j|z|t)?"
                        r"(?:[a-zA-Z]|<PRI[a-z]+[0-9]+>))")
PSEUDO_LOCALES = ["en-US", "en-GB", "es-ES", "es-419"]


def literal(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + re.sub(r"<(PRI[a-z]+[0-9]+)>", r'" \1 "', escaped) + '"'


def order(text):
    """As strcmp sorts it once the macros are expanded, which a static_assert makes sure of."""
    return text.replace("<PRId64>", "ld").encode()


def bracketed(text):
    return f"\u27e6{text}\u27e7" if text else ""


def pseudo(entry):
    """What is filled into a format brings brackets of its own, or never went through the catalogue."""
    forms = [entry.english] + ([entry.plural] if entry.plural else [])
    if "c-format" not in entry.flags:
        return [bracketed(form) for form in forms]
    return ["".join(part if i % 2 else bracketed(part)
                    for i, part in enumerate(CONVERSION.split(form))) for form in forms]


def table(code, entries, is_pseudo):
    fields = catalogue.headers(entries)
    locales = PSEUDO_LOCALES if is_pseudo else fields["X-Discord-Locales"].split()
    count, rule = PLURAL.fullmatch("nplurals=2; plural=n!=1;" if is_pseudo else
                                   fields["Plural-Forms"]).groups()
    point, least = ("U+002C", "4") if is_pseudo else fields["X-Digit-Groups"].split()
    mark = chr(int(point.removeprefix("U+"), 16))
    lines = []
    texts = []
    names = []
    for entry in sorted(entries[1:], key=lambda entry: order(entry.english)):
        if entry.is_obsolete or "fuzzy" in entry.flags or not entry.is_translated:
            continue
        if entry.context == NAME:
            name = bracketed(entry.english) if is_pseudo else entry.forms[0]
            names.append(f"    {{ {literal(entry.english)}, {literal(name)} }},")
            continue
        if entry.context is not None:
            sys.exit(f"{code}: unknown context {entry.context}")
        forms = pseudo(entry) if is_pseudo else [text for _, text in sorted(entry.forms.items())]
        if entry.plural and len(forms) != int(count):
            sys.exit(f"{code}: {entry.english} has not {count} forms")
        lines.append(f"static const char *const {code}_{len(texts)}[] = {{ "
                     + ", ".join(map(literal, forms)) + " };")
        texts.append(f"    {{ {literal(entry.english)}, {code}_{len(texts)} }},")
    lines += [f"static const struct catalogue_text {code}_texts[] = {{", *texts, "    { NULL, NULL },",
              "};", f"static const struct catalogue_name {code}_names[] = {{", *names,
              "    { NULL, NULL },", "};",
              f"static const char *const {code}_locales[] = {{ "
              + "".join(f'"{locale}", ' for locale in locales) + "NULL };",
              f"static size_t {code}_form_of(uint64_t n)", "{", f"    return (size_t)({rule});", "}",
              f"static const struct language {code} = {{", f'    .code = "{code}",',
              f"    .locales = {code}_locales,", f"    .texts = {code}_texts,",
              f"    .text_count = {len(texts)},", f"    .names = {code}_names,",
              f"    .name_count = {len(names)},", f"    .form_of = {code}_form_of,",
              f"    .digits = {{ {literal(mark)}, {int(least)} }},", "};",
              f"static_assert(sizeof({literal(mark)}) - 1 <= LANGUAGE_MARK_MAX, "
              '"a mark of a group of digits");']
    return lines


def main(arguments):
    is_pseudo = arguments[0] == "--pseudo"
    output, *paths = arguments[is_pseudo:]
    codes = []
    lines = ['/* Written by po/embed.py. */', '#include "language/catalogue.h"', "",
             "#include <assert.h>", "#include <inttypes.h>", "",
             'static_assert(sizeof(PRId64) == sizeof("ld"), "the order of the texts");', ""]
    for path in sorted(map(Path, paths)):
        subprocess.run(["msgfmt", "--check-format", "--check-domain", "--output-file=/dev/null",
                        str(path)], check=True)
        code = "pseudo" if is_pseudo else path.stem.lower()
        codes.append(code)
        lines += table(code, catalogue.read(path), is_pseudo)
    lines += ["", "const struct language *const languages[] = { "
              + "".join(f"&{code}, " for code in codes) + "NULL };"]
    Path(output).write_text("\n".join(lines) + "\n", encoding="utf-8")


main(sys.argv[1:])
