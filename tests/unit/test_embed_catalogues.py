#!/usr/bin/env python3
"""The script that builds catalogues in: a translator's slip stops the build with the line it is in.

    test_embed_catalogues.py PATH_OF_embed.py PATH_OF_es.po"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CATALOGUE = pathlib.Path(sys.argv.pop()).read_text(encoding="utf-8")
SCRIPT = sys.argv.pop()


class EmbedCatalogues(unittest.TestCase):
    def embed(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "es.po"
            path.write_text(text, encoding="utf-8")
            return subprocess.run([sys.executable, SCRIPT, pathlib.Path(folder) / "out.c", path],
                                  check=False, capture_output=True, text=True)

    def refused(self, old, new, reason):
        self.assertIn(old, CATALOGUE)
        result = self.embed(CATALOGUE.replace(old, new, 1))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(reason, result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_the_catalogue_is_accepted(self):
        self.assertEqual(self.embed(CATALOGUE).returncode, 0)

    def test_a_quote_that_is_not_closed(self):
        self.refused('monedas."\n', "monedas.\n", "es.po:")

    def test_an_argument_that_got_lost(self):
        self.refused('msgstr "-# Recibo %<PRId64>"', 'msgstr "-# Recibo"', "es.po:")

    def test_a_header_that_is_missing(self):
        for name in ("X-Discord-Locales", "Plural-Forms", "X-Digit-Groups"):
            self.refused(f'"{name}:', f'"X-{name}:', name)

    def test_a_plural_without_all_its_forms(self):
        self.refused("nplurals=2", "nplurals=3", "has not 3 forms")


unittest.main()
