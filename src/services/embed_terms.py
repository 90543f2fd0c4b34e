"""Builds terms.c from the Markdown files of the terms, oldest first: embed_terms.py OUT IN...

The file's name is the version. Discord shows at most 4,000 characters in one message or modal, of which
the bot needs some for itself.
"""
import hashlib
import pathlib
import sys

TEXT_MAX = 3500


def main() -> None:
    out, *inputs = map(pathlib.Path, sys.argv[1:])
    rows = []
    for path in inputs:
        text = path.read_bytes().strip() + b"\n"
        if len(text.decode("utf-8")) > TEXT_MAX:
            sys.exit(f"{path}: more than {TEXT_MAX} characters")
        literal = "\n".join('        "' + "".join(escape(b) for b in line) + '"'
                            for line in text.splitlines(keepends=True))
        rows.append(f'    {{ "{path.stem}",\n{literal},\n'
                    f'      "{hashlib.sha256(text).hexdigest()}" }},\n')
    out.write_text('#include "services/terms.h"\n\n'
                   "const struct tos_version tos_versions[] = {\n" + "".join(rows) +
                   "    { NULL, NULL, \"\" },\n};\n")


def escape(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    if byte == 10:
        return "\\n"
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


main()
