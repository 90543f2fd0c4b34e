#!/usr/bin/env python3
"""The table of docs/operating.md, "When something is away", and the tests of test_degradation have the same rows.

test_degradation_table.py OPERATING_MD FOLDER_OF_TESTS"""
import pathlib
import re
import sys

HEADING = "## When something is away"


def rows_of_table(text):
    section = text.split(HEADING + "\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| **")]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 5 and all(cells), f"an empty cell: {row}"
    return [re.match(r"\| \*\*(.+?)\*\*", row).group(1) for row in rows]


def rows_of_tests(folder):
    return [row for file in sorted(folder.glob("degradation_*.c"))
            for row in re.findall(r'\.row = "([^(].+?)"', file.read_text())]


def main():
    table = rows_of_table(pathlib.Path(sys.argv[1]).read_text())
    tests = rows_of_tests(pathlib.Path(sys.argv[2]))
    print(f"{len(table)} rows")
    assert table, "no rows: the heading or the form of the table has changed"
    assert len(set(table)) == len(table) and len(set(tests)) == len(tests), "a row twice"
    assert not set(table) - set(tests), f"no test for {set(table) - set(tests)}"
    assert not set(tests) - set(table), f"no row for {set(tests) - set(table)}"


if __name__ == "__main__":
    main()
