#!/usr/bin/env python3
"""Includes may point only downward: each layer of src may include itself and the layers below it, and each room of
src/engine itself, what lies flat there, and the rooms that are named here."""

import pathlib
import re
import sys

LAYERS = ["cli", "engine", "capture", "repo", "store", "codec", "util"]
# capture hands out entries, whose type is the format's; store names its objects by digests.
ROOMS = {
    "choose": set(),
    "commit": set(),
    "diff": set(),
    "follow": {"restore"},
    "inside": set(),
    "prune": set(),
    "recover": set(),
    "restore": set(),
    "verify": {"commit"},
    "push": {"choose", "commit", "verify"},
    "snapshot": {"choose", "commit"},
    "doctor": set(),
    "drill": {"restore"},
    "run": {"choose", "commit", "drill", "prune", "push", "snapshot", "status", "verify"},
    "status": {"choose"},
    "notify": {"choose", "commit", "prune", "push", "run", "snapshot", "status", "verify"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z0-9_/]+)', re.MULTILINE)


def room_of(path: str) -> str:
    """The room of a file below src, or of an include; nothing for what lies flat in engine or in another layer."""
    parts = path.split("/")
    return parts[1] if parts[0] == "engine" and len(parts) == 3 else ""


def check_rooms() -> list[str]:
    """Nobody may use a room that uses it."""
    wrong = []

    def visit(room: str, above: tuple[str, ...]) -> None:
        if room in above:
            wrong.append(f"engine/{room} uses itself: {' '.join((*above, room))}")
            return
        for used in sorted(ROOMS[room]):
            visit(used, (*above, room))

    for room in ROOMS:
        visit(room, ())
    return wrong


def wrong_includes(path: str, text: str) -> list[str]:
    """What a file below src may not include."""
    layer = path.split("/")[0]
    room = room_of(path)
    if layer not in LAYERS or (room and room not in ROOMS):
        return [f"{path}: not in a layer or room"]
    wrong = []
    for target in INCLUDE.findall(text):
        below = target.split("/")[0]
        if below not in LAYERS:
            wrong.append(f"{path}: includes unknown layer {below}")
        elif LAYERS.index(below) < LAYERS.index(layer):
            wrong.append(f"{path}: includes {below}, which is above {layer}")
        elif layer == "engine" and room_of(target) not in {"", room, *ROOMS.get(room, set())}:
            wrong.append(f"{path}: includes engine/{room_of(target)}, which engine/{room or '(flat)'} may not use")
    return wrong


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2] / "src"
    wrong = check_rooms()
    checked = 0
    for path in sorted(root.rglob("*.[ch]pp")):
        wrong += wrong_includes(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        checked += 1
    # It has to find what it is for.
    planted = [("repo/pack.cpp", "engine/context.hpp"), ("engine/prune/lease.cpp", "engine/restore/restorer.hpp"),
               ("engine/context.hpp", "engine/prune/lease.hpp"), ("engine/restorer/a.cpp", "util/file.hpp")]
    for path, target in planted:
        if not wrong_includes(path, f'#include "{target}"\n'):
            wrong.append(f"layers.py: does not see that {path} includes {target}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"layers: {checked} files checked, {len(wrong)} wrong")
    return 1 if wrong or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
