#!/usr/bin/env python3
"""Writes the C file that holds every migration, and the list of files it depends on.

    embed_migrations.py MIGRATIONS_FOLDER OUTPUT.c OUTPUT.c.d

Names are NNNN_name.sql, NNNN_name.sqlite.sql or NNNN_name.postgres.sql. A number belongs to one
file of each engine, and no number is left out. What breaks a rule stops the build with one line."""

import hashlib
import pathlib
import re
import sys

ENGINES = ("sqlite", "postgres")
NAME = re.compile(r"([0-9]{4})_([a-z0-9]+(?:_[a-z0-9]+)*)(?:\.(%s))?\.sql" % "|".join(ENGINES))

HEAD = """/* Made by src/db/embed_migrations.py from the folder migrations/. */
#include "db/migrate.h"

const struct migration built_in_migrations[] = {
"""
TAIL = """    { .version = 0 },
};
"""


class Refused(Exception):
    """A file that breaks a rule; the text is the line to show."""


class Migration:
    def __init__(self, path):
        match = NAME.fullmatch(path.name)
        if not match:
            raise Refused(f"{path}: a migration is called NNNN_name.sql, NNNN_name.sqlite.sql or "
                          "NNNN_name.postgres.sql, the name of a-z, 0-9 and _")
        self.path = path
        self.version = int(match[1])
        self.name = match[2]
        self.engine = match[3]
        self.text = path.read_bytes()
        try:
            self.text.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(f"{path}: not UTF-8") from None
        if b"\0" in self.text or not self.text.strip():
            raise Refused(f"{path}: empty, or with a zero byte")

    def engines(self):
        return (self.engine,) if self.engine else ENGINES


def check_numbers(migrations):
    owners = {}
    for migration in migrations:
        for engine in migration.engines():
            other = owners.setdefault((migration.version, engine), migration)
            if other is not migration:
                raise Refused(f"{migration.path}: {other.path.name} has the same number")
    versions = sorted({migration.version for migration in migrations})
    for expected, version in enumerate(versions, start=1):
        if version != expected:
            raise Refused(f"migrations: {version:04d} comes where {expected:04d} is missing")


def c_literal(line):
    """A line of bytes as a C string; octal, for hexadecimal escapes have no end."""
    out = []
    for byte in line:
        if byte == 0x0A:
            out.append("\\n")
        elif byte in b'"\\':
            out.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F and byte != ord("?"):  # no trigraphs
            out.append(chr(byte))
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def c_row(migration):
    engine = f'"{migration.engine}"' if migration.engine else "NULL"
    lines = "\n".join("            " + c_literal(line)
                      for line in migration.text.splitlines(keepends=True))
    digest = hashlib.sha256(migration.text).hexdigest()
    return (f"    {{\n        .version = {migration.version},\n"
            f'        .name = "{migration.name}",\n        .engine = {engine},\n'
            f"        .sql =\n{lines},\n"
            f'        .sha256 = "{digest}",\n    }},\n')


def embed(folder):
    """The C text, and the paths a change of which changes it."""
    paths = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    migrations = [Migration(path) for path in paths]
    migrations.sort(key=lambda migration: (migration.version, migration.engine or ""))
    check_numbers(migrations)
    # The folder's own time changes when a file comes or goes.
    return HEAD + "".join(map(c_row, migrations)) + TAIL, [folder, *paths]


def main(folder, output, depfile):
    try:
        text, dependencies = embed(pathlib.Path(folder))
    except Refused as refused:
        sys.exit(str(refused))
    pathlib.Path(output).write_text(text, encoding="ascii")
    names = " ".join(str(path).replace(" ", "\\ ") for path in dependencies)
    pathlib.Path(depfile).write_text(f"{output}: {names}\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
