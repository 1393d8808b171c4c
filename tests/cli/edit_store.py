#!/usr/bin/env python3
"""Changes objects of a directory store for the table of bad input.

  edit_store.py flip FILE OFFSET         one byte (from the end where OFFSET is negative)
  edit_store.py descriptor STORE TEXT NEW     in the descriptor, renamed to fit its bytes
  edit_store.py manifest STORE TEXT NEW       in the newest manifest, renamed to fit its bytes
  edit_store.py copy STORE               another manifest of the newest one's snapshot, stored later; prints its path
  edit_store.py later STORE              two days later, what the newest manifest's snapshot holds, instead of that one
  edit_store.py namesake STORE           a manifest whose id has the same first 8 digits as the newest one's
  edit_store.py biggest STORE            prints the name of the biggest pack
"""
import datetime
import hashlib
import json
import pathlib
import re
import sys


def newest(folder: pathlib.Path) -> pathlib.Path:
    return sorted(path for path in folder.rglob("*.json"))[-1]


def replace(path: pathlib.Path, text: str, new: str) -> tuple:
    old = path.read_bytes()
    if text.encode() not in old:
        sys.exit(f"{path} has no {text}")
    return old.replace(text.encode(), new.encode(), 1), path


def main() -> None:
    action, target, *rest = sys.argv[1:]
    path = pathlib.Path(target)
    if action == "flip":
        data = bytearray(path.read_bytes())
        data[int(rest[0])] ^= 0x41
        path.write_bytes(data)
    elif action == "descriptor":
        data, old = replace(newest(path / "config"), *rest)
        (old.parent / f"1-{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)
        old.unlink()
    elif action == "manifest":
        data, old = replace(newest(path / "snapshots"), *rest)
        name = old.name.rsplit("-", 1)[0] + "-" + hashlib.sha256(data).hexdigest()[:16] + ".json"
        old.unlink()
        (old.parent / name).write_bytes(data)
    elif action == "copy":
        old = newest(path / "snapshots")
        data = old.read_bytes() + b"\n"
        other = old.parent / (old.name.rsplit("-", 1)[0] + "-" + hashlib.sha256(data).hexdigest()[:16] + ".json")
        other.write_bytes(data)
        print(other)
    elif action == "later":
        old = newest(path / "snapshots")
        manifest = old.read_text()
        record = json.loads(re.search(r'"record":("(?:[^"\\]|\\.)*")', manifest)[1])
        cut_point = re.search(r'"cut_point":"([^"]*)"', record)[1]
        moved = datetime.datetime.fromisoformat(cut_point[:19]) + datetime.timedelta(days=2)
        later = moved.isoformat() + cut_point[19:]
        new = record.replace(cut_point, later)
        data = manifest.replace(json.dumps(record), json.dumps(new)).encode()
        time = later.replace("-", "").replace(":", "")
        snapshot, sha = (hashlib.sha256(text).hexdigest()[:16] for text in (new.encode(), data))
        old.unlink()
        (old.parent / f"{time}-{snapshot}-{sha}.json").write_bytes(data)
    elif action == "namesake":
        old = newest(path / "snapshots")
        time, snapshot, sha = old.stem.split("-")
        other = snapshot[:8] + ("1" if snapshot[8] == "0" else "0") + snapshot[9:]
        (old.parent / f"{time}-{other}-{sha}.json").write_bytes(old.read_bytes())
    elif action == "biggest":
        print(max((path / "packs").rglob("*/*"), key=lambda p: p.stat().st_size if p.is_file() else -1))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
