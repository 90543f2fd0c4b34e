#!/usr/bin/env python3
"""The script that builds migrations in: what it accepts and what stops the build.

    test_embed_migrations.py PATH_OF_embed_migrations.py"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = sys.argv.pop(1)


class EmbedMigrations(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.folder = self.root / "migrations"
        self.output = self.root / "out.c"

    def embed(self, **files):
        """Names are given with "__" for the dots before the suffix."""
        self.folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (self.folder / (name.replace("__", ".")[1:] + ".sql")).write_bytes(text.encode())
        return self.run_script()

    def run_script(self):
        return subprocess.run([sys.executable, SCRIPT, self.folder, self.output,
                               self.root / "out.c.d"], capture_output=True, text=True)

    def refused(self, word, **files):
        result = self.embed(**files)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(word, result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertFalse(self.output.exists())

    def test_no_folder_and_no_files_give_an_empty_list(self):
        self.assertEqual(self.run_script().returncode, 0)
        self.assertEqual(self.embed().returncode, 0)
        self.assertIn(".version = 0", self.output.read_text())

    def test_texts_survive_the_compiler(self):
        text = 'CREATE TABLE "t" (a); -- \\ ??/ \u20ac7\n\n\tSELECT \'x\';'
        self.assertEqual(self.embed(_0001_a=text).returncode, 0)
        check = self.root / "check.c"
        check.write_text(
            "#include <stdio.h>\n"
            "struct migration { int version; const char *name, *engine, *sql; char sha256[65]; };\n"
            + self.output.read_text().replace('#include "db/migrate.h"', "")
            + "int main(void) { fputs(built_in_migrations[0].sql, stdout);"
              " fputs(built_in_migrations[0].sha256, stderr); return 0; }\n")
        program = self.root / "check"
        subprocess.run(["cc", "-std=c17", "-o", program, check], check=True)
        ran = subprocess.run([program], capture_output=True, check=True)
        self.assertEqual(ran.stdout.decode(), text)
        self.assertEqual(ran.stderr.decode(), hashlib.sha256(text.encode()).hexdigest())

    def test_one_number_may_have_a_file_for_each_engine(self):
        result = self.embed(_0001_a="x", _0002_b__sqlite="x", _0002_b__postgres="x",
                            _0003_c__postgres="x")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_number_used_twice_is_refused(self):
        self.refused("same number", _0001_a="x", _0001_b="x")

    def test_a_number_used_by_all_and_by_one_engine_is_refused(self):
        self.refused("same number", _0001_a="x", _0001_b__sqlite="x")

    def test_a_gap_is_refused(self):
        self.refused("0002 is missing", _0001_a="x", _0003_b="x")

    def test_a_start_other_than_one_is_refused(self):
        self.refused("0001 is missing", _0002_a="x")

    def test_wrong_names_are_refused(self):
        for name in ("_1_a", "_0001_A", "_0001", "_0001_a__mysql", "_0001_a-b"):
            with self.subTest(name):
                self.refused("is called", **{name: "x"})
                (self.folder / (name.replace("__", ".")[1:] + ".sql")).unlink()

    def test_an_empty_file_is_refused(self):
        self.refused("empty", _0001_a=" \n")

    def test_the_folder_and_each_file_are_dependencies(self):
        self.assertEqual(self.embed(_0001_a="x").returncode, 0)
        names = (self.root / "out.c.d").read_text().split(": ")[1].split()
        self.assertEqual(names, [str(self.folder), str(self.folder / "0001_a.sql")])


if __name__ == "__main__":
    unittest.main()
