"""Builds time_zones.c, the names of all time zones in order, from tzdata.zi: embed_time_zones.py OUT IN

Lines that begin with Z are zones, with L links to them ("L target name"): mostly names of earlier times. The rules are not built in: they
change several times a year, and are read from the system's own files.
"""
import pathlib
import re
import sys

FEWEST = 400
NOBODYS = {"Factory"}


def main() -> None:
    out, source = map(pathlib.Path, sys.argv[1:])
    lines = [line.split() for line in source.read_text().splitlines()]
    names = {words[1] for words in lines if words[0] == "Z"} | {words[2] for words in lines if words[0] == "L"}
    targets = {words[2]: words[1] for words in lines if words[0] == "L"}
    # A package of old names may not be installed.
    names = sorted(name for name in names - NOBODYS if (source.parent / name).is_file())
    if len(names) < FEWEST:
        sys.exit(f"{source}: only {len(names)} time zones beside it")
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", name) or len(name) > 40:
            sys.exit(f"{source}: not a name for a zone: {name}")
    out.write_text('#include "services/time_zones.h"\n\n'
                   f"const int time_zone_count = {len(names)};\n\n"
                   "const char *const time_zone_names[] = {\n" +
                   "".join(f'    "{name}",\n' for name in names) + "};\n\n"
                   "const char *const time_zone_targets[] = {\n" +
                   "".join(f'    "{targets[name]}",\n' if name in targets else "    0,\n" for name in names) + "};\n")


main()
