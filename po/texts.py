#!/usr/bin/env python3
"""The texts of the sources against the catalogues po/*.po.

    texts.py update BRONXBOT     brings new texts into every catalogue and drops those that are gone
    texts.py check BRONXBOT      what is missing, unsure or wrong, in TAP; changes nothing

Texts come from the sources by xgettext; names of commands and options from the program itself."""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import catalogue

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS = ["TR:1", "TR_PLURAL:1,2", "tr:2", "tr_view:2", "tr_plural:2,3", "language_text:2",
            "language_plural:2,3"]
SPAN = re.compile(r"`/([a-z_-]+(?: [a-z_-]+)*)")


def run(*command, text=None):
    result = subprocess.run(command, input=text, check=False, capture_output=True, text=True,
                            cwd=ROOT, encoding="utf-8")
    if result.returncode != 0:
        sys.exit(result.stderr)
    return result.stdout


def registered(program):
    """What the program registers: the names of commands, sub-commands and options, and the texts of
    their descriptions and choices; each once, in its order."""
    names = {}
    texts = {}

    def walk(part):
        names[part["name"]] = None
        texts[part.get("description")] = None
        texts.update((choice["name"], None) for choice in part.get("choices", []))
        for option in part.get("options", []):
            walk(option)

    for scope in ([], ["--owner"]):
        for command in json.loads(run(program, "commands", "--json", *scope)):
            walk(command)
    texts.pop(None, None)
    return list(names), list(texts)


def template(program):
    """What has to be translated, as the text of a .pot file."""
    sources = sorted(str(path.relative_to(ROOT)) for folder in ("handlers", "src")
                     for path in (ROOT / folder).rglob("*.c"))
    pot = run("xgettext", "--language=C", "--from-code=UTF-8", "--keyword",
              *(f"--keyword={keyword}" for keyword in KEYWORDS), "--add-location=file",
              "--add-comments=TRANSLATORS:", "--no-wrap", "--output=-", *sources)
    pot = re.sub('^"(POT-Creation-Date|Report-Msgid-Bugs-To).*\n', "", pot, flags=re.MULTILINE)
    for name in registered(program)[0]:
        pot += f'\n#: names\nmsgctxt "name"\nmsgid "{name}"\nmsgstr ""\n'
    return pot


def update(program):
    with tempfile.TemporaryDirectory() as folder:
        pot = Path(folder) / "bronxbot.pot"
        pot.write_text(template(program), encoding="utf-8")
        for path in sorted((ROOT / "po").glob("*.po")):
            merged = run("msgmerge", "--quiet", "--previous", "--no-wrap", "--add-location=file",
                         "--output-file=-", str(path), str(pot))
            path.write_text(run("msgattrib", "--no-obsolete", "--no-wrap", "-", text=merged),
                            encoding="utf-8")
    faults = [fault for path in sorted((ROOT / "po").glob("*.po"))
              for fault in faults_of(path, template(program), registered(program))]
    print("\n".join(faults) or "Every text is translated.")


def short(text):
    return json.dumps(text if len(text) <= 70 else text[:67] + "...", ensure_ascii=False)


def faults_of_entry(entry, names):
    """What msgfmt does not look at: marks of Markdown, and commands by the names people see."""
    for form in entry.forms.values():
        for mark in ("**", "`", "<t:", "\n"):
            if form.count(mark) not in (entry.english.count(mark),
                                        (entry.plural or entry.english).count(mark)):
                yield f"not as many {json.dumps(mark)} as in the English"
        if form.strip() != form and entry.english.strip() == entry.english:
            yield "a blank at an end"
        for path in SPAN.findall(entry.english):
            shown = [names.get(name, name) for name in path.split()]
            if path.split()[0] in names and f"`/{' '.join(shown)}" not in form:
                yield f"`/{path}` is shown to people as `/{' '.join(shown)}`"


def faults_of(path, pot, registered_words):
    names, texts = registered_words
    with tempfile.TemporaryDirectory() as folder:
        pot_path = Path(folder) / "bronxbot.pot"
        pot_path.write_text(pot, encoding="utf-8")
        wanted = {entry.key: entry for entry in catalogue.read(pot_path)[1:]}
    for text in texts:
        if (None, text) not in wanted:
            yield f"not marked with TR in its table: {short(text)}"
    entries = catalogue.read(path)[1:]
    present = {entry.key: entry for entry in entries if not entry.is_obsolete}
    translated = {name: present[("name", name)].forms.get(0) or name
                  for name in names if ("name", name) in present}
    for key, entry in wanted.items():
        there = present.get(key)
        if there is None or not there.is_translated or there.plural != entry.plural:
            yield f"{path.name}: not translated: {short(entry.english)}"
        elif "fuzzy" in there.flags:
            yield f"{path.name}: unsure (fuzzy): {short(entry.english)}"
        else:
            for fault in faults_of_entry(there, translated):
                yield f"{path.name}: {fault}: {short(entry.english)}"
    for entry in entries:
        if entry.is_obsolete or entry.key not in wanted:
            yield f"{path.name}: not in the sources any more: {short(entry.english)}"
    result = subprocess.run(["msgfmt", "--check-format", "--check-domain", "--output-file=/dev/null", str(path)],
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        yield f"{path.name}: {result.stderr.strip()}"


def check(program):
    pot = template(program)
    words = registered(program)
    paths = sorted((ROOT / "po").glob("*.po"))
    print(f"1..{len(paths)}")
    for number, path in enumerate(paths, 1):
        faults = list(faults_of(path, pot, words))
        print(f"{'not ' if faults else ''}ok {number} - {path.name} has every text")
        for fault in faults:
            print("# " + fault.replace("\n", "\n# "))


{"update": update, "check": check}[sys.argv[1]](str(Path(sys.argv[2]).resolve()))
