#!/usr/bin/env python3
"""Includes may point only downward: each layer of src may include itself and the layers below it."""

import pathlib
import re
import sys

LAYERS = ["cli", "engine", "capture", "repo", "store", "codec", "util"]
# capture hands out entries, whose type is the format's; store names its objects by digests.
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z0-9_]+)/', re.MULTILINE)


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2] / "src"
    wrong = []
    checked = 0
    for path in sorted(root.rglob("*.[ch]pp")):
        layer = path.relative_to(root).parts[0]
        if layer not in LAYERS:
            wrong.append(f"{path.relative_to(root)}: not in a layer")
            continue
        checked += 1
        for target in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if target not in LAYERS:
                wrong.append(f"{path.relative_to(root)}: includes unknown layer {target}")
            elif LAYERS.index(target) < LAYERS.index(layer):
                wrong.append(f"{path.relative_to(root)}: includes {target}, which is above {layer}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"layers: {checked} files checked, {len(wrong)} wrong")
    return 1 if wrong or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
