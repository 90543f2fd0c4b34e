"""Reading gettext's .po files: what po/embed.py and po/texts.py share."""
import ast
import re


class Entry:
    """One message: its context, its English, what it becomes, and what is said of it."""

    def __init__(self):
        self.context = None
        self.english = None
        self.plural = None
        self.forms = {}
        self.flags = set()
        self.is_obsolete = False

    @property
    def key(self):
        return self.context, self.english

    @property
    def is_translated(self):
        return bool(self.forms) and all(self.forms.values())


LINE = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)?\s*("(?:[^"\\]|\\.)*")$')


def read(path):
    """The entries of a .po file in its order; the first one is the header."""
    entries = []
    entry = None
    place = None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            is_obsolete = line.startswith("#~")
            if is_obsolete:
                line = line[2:].lstrip("| ")
            if not line:
                entry = None
                continue
            if entry is None:
                entry = Entry()
                entries.append(entry)
            if line.startswith("#,"):
                entry.flags.update(flag.strip() for flag in line[2:].split(","))
            if line.startswith("#"):
                continue
            match = LINE.match(line)
            if not match:
                raise ValueError(f"{path}:{number}: not a line of a .po file")
            keyword, index, quoted = match.groups()
            text = ast.literal_eval(quoted)
            entry.is_obsolete = entry.is_obsolete or is_obsolete
            place = (keyword, index) if keyword else place
            if place[0] == "msgctxt":
                entry.context = (entry.context or "") + text
            elif place[0] == "msgid":
                entry.english = (entry.english or "") + text
            elif place[0] == "msgid_plural":
                entry.plural = (entry.plural or "") + text
            else:
                form = int(place[1] or 0)
                entry.forms[form] = entry.forms.get(form, "") + text
    return [entry for entry in entries if entry.english is not None]


def headers(entries):
    """The fields of the header."""
    lines = entries[0].forms[0].splitlines()
    return {name.strip(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
