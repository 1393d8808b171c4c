#!/usr/bin/env python3
"""The pages for contributors name files; each of them has to be there, and each room of src/engine has to be named."""

import itertools
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["src/ARCHITECTURE.md", "CONTRIBUTING.md"]
CODE = re.compile(r"`([^`\n]+)`")
# A path below the top or below src, perhaps with {a,b} in it; what has CAPITALS in it stands for a name to be chosen.
PATH = re.compile(r"[a-z0-9_.@/{},-]+(/|\.(?:[a-z]+|[0-9]|\{[a-z,]+\}))")


def spellings(text: str) -> list[str]:
    """file.{a,b} means two files."""
    parts = re.split(r"\{([^}]*)\}", text)
    choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def missing(page: str, text: str) -> list[str]:
    """Names of files that are not there. A bare name may be of any folder that was named before it."""
    folders = [TOP, TOP / "src"]
    wrong = []
    for word in (word for code in CODE.findall(text) for word in code.split()):
        for name in spellings(word) if PATH.fullmatch(word) else []:
            found = next((folder / name for folder in folders if (folder / name).exists()), None)
            if found is not None:
                folders.append(found if found.is_dir() else found.parent)
            elif "/" in name or name.endswith((".cpp", ".hpp", ".py", ".5", ".1")):
                wrong.append(f"{page}: there is no {name}")
    return wrong


def main() -> int:
    wrong = []
    for page in PAGES:
        wrong += missing(page, (TOP / page).read_text(encoding="utf-8"))
    architecture = (TOP / "src/ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = sorted(path.name for path in (TOP / "src/engine").iterdir() if path.is_dir())
    wrong += [f"src/ARCHITECTURE.md: does not name engine/{room}" for room in rooms
              if f"`engine/{room}`" not in architecture]
    # It has to find what it is for.
    if not missing("planted", "`engine/nowhere/nothing.cpp`") or not missing("planted", "`repo/pack.cpp`, `packing.cpp`"):
        wrong.append("pages.py: does not see a file that is not there")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"pages: {len(PAGES)} checked, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
