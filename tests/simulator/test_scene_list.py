#!/usr/bin/env python3
"""test_scene_list.py BRONXBOT FOLDER NAME...: every scene of the folder is in the list that is run, and
every command is typed in one of them. What is forgotten in a list would never fail."""
import json
import re
import subprocess
import sys
from pathlib import Path


def main(program, folder, *listed):
    scenes = {path.stem: path.read_text(encoding="utf-8") for path in Path(folder).glob("*.scene")}
    faults = [f"{name}.scene is not in the list of tests/simulator/meson.build"
              for name in sorted(scenes.keys() - set(listed))]
    for command in json.loads(subprocess.check_output([program, "commands", "--json"])):
        typed = re.compile(rf"^(complete |as .*)?/{re.escape(command['name'])}\b(?!-)", re.MULTILINE)
        if not any(typed.search(text) for text in scenes.values()):
            faults.append(f"no scene types /{command['name']}")
    print("\n".join(faults) or "all are there")
    return 1 if faults else 0


sys.exit(main(*sys.argv[1:]))
