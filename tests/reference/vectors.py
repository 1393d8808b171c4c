#!/usr/bin/env python3
"""Whole tiny stores as data, for whoever writes a reader of the format: vectors.json, and what holds two readers to it.

  vectors.py CAIRN-BINARY             both readers, this project's and the independent one, give what vectors.json says
  vectors.py --make CAIRN-BINARY      writes vectors.json anew (for a new kind of vector: else it stays as it is)

vectors.json is one object. `stores` is an array; an item has a `name`, `about` in words, `objects` (name to bytes in
base64), `identity` where it is sealed, and `result`: `whole`, then `files` has the content of each regular file in base64
and `links` the target of each symbolic link; `damaged`; or `unknown`: of a later version, which is not damage. The one
series is `demo`."""

import base64
import copy
import hashlib
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "acceptance"))
from support import Cairn, Workspace, check  # noqa: E402

VECTORS = HERE / "vectors.json"
READER = HERE / "cairn_reader.py"
IDENTITY = HERE.parent / "golden" / "identity.txt"
STATUS = {"whole": 0, "damaged": 4, "unknown": 1}
SERIES = "demo"

Objects = dict[str, bytes]


def make_source(root: pathlib.Path) -> None:
    (root / "d").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"hello, world\n")
    (root / "d" / "empty").write_bytes(b"")
    (root / "d" / "same.txt").write_bytes(b"hello, world\n")
    (root / "d" / "link").symlink_to("../a.txt")
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(1_700_000_000_123_456_789,) * 2, follow_symlinks=False)


def objects_of(store: pathlib.Path) -> Objects:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def base64_of(objects: Objects) -> dict[str, str]:
    return {name: base64.b64encode(content).decode() for name, content in objects.items()}


def put(store: pathlib.Path, objects: dict[str, str]) -> None:
    for name, content in objects.items():
        path = store / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Plain:
    """The plain store, to be damaged."""

    def __init__(self, objects: Objects):
        self.objects = dict(objects)
        self.key = next(name for name in objects if name.startswith("snapshots/"))
        self.text = objects[self.key].decode()

    def copy(self) -> "Plain":
        return copy.deepcopy(self)

    def pack_of_content(self) -> str:
        """The name of the object: the pack that holds no entry list."""
        manifest = json.loads(self.text)
        return manifest["packs"][manifest["holds_list"].index(False)]["name"]

    def put_manifest(self, text: str) -> "Plain":
        """Under the name that fits its bytes."""
        self.objects.pop(self.key)
        record = json.loads(text)["record"].encode()
        stem = self.key.rsplit("/", 1)[0] + "/" + self.key.rsplit("/", 1)[1].split("-", 1)[0]
        self.key = f"{stem}-{sha256(record)[:16]}-{sha256(text.encode())[:16]}.json"
        self.objects[self.key] = text.encode()
        return self

    def exchange(self, old: str, new: str) -> "Plain":
        check(self.text.count(old) == 1, f"{old} occurs {self.text.count(old)} times")
        return self.put_manifest(self.text.replace(old, new))


def flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def damaged(plain: Plain) -> list[tuple[str, str, Objects, str]]:
    pack = plain.pack_of_content()
    name = f"packs/{pack[:2]}/{pack}"
    content = plain.objects[name]
    at = content.index(b"hello") + 1
    found = []

    def add(what: str, about: str, of: Plain, result: str = "damaged") -> None:
        found.append((what, about, of.objects, result))

    bit = plain.copy()
    bit.objects[name] = flip(content, at)
    add("bit", "a bit of a file's content is wrong", bit)
    planted = plain.copy()
    wrong = flip(content, at)
    planted.objects[f"packs/{sha256(wrong)[:2]}/{sha256(wrong)}"] = wrong
    del planted.objects[name]
    add("planted-pack", "the same, and the pack has the name of its bytes, which the manifest gives: only the chunk's digest "
        "tells", planted.exchange(pack, sha256(wrong)))
    cut = plain.copy()
    cut.objects[name] = content[:-40]
    add("cut-pack", "the end of a pack is missing", cut)
    gone = plain.copy()
    del gone.objects[name]
    add("lost-pack", "a pack is missing", gone)
    manifest = json.loads(plain.text)
    offset, size = next(p["directory"] for p in manifest["packs"] if p["name"] == pack)
    add("directory", "a directory is said to begin a byte early", plain.copy().exchange(
        f"[{offset},{size}]", f"[{offset - 1},{size + 1}]"))
    logical = manifest["logical_ids"][manifest["holds_list"].index(False)]
    add("logical-id", "the last digit of a logical id is wrong: the root does not bind it", plain.copy().exchange(
        logical, logical[:-1] + ("0" if logical[-1] != "0" else "1")))
    add("twice", "a member is there twice", plain.copy().exchange('"seal":"none","facts"',
                                                                  '"seal":"none","seal":"none","facts"'))
    half = plain.copy()
    half.objects[half.key] = half.objects[half.key][:200]
    add("cut-manifest", "a manifest ends after 200 bytes", half)
    record = json.loads(manifest["record"])
    quoted = json.dumps(json.dumps(record | {"series": "other"}, separators=(",", ":")))
    add("other-series", "the record names another series than the object's name", plain.copy().exchange(
        json.dumps(manifest["record"]), quoted))
    add("later", "a manifest of version 2", plain.copy().exchange('"cairn-manifest","version":1',
                                                                  '"cairn-manifest","version":2'), "unknown")
    return found


def make(binary: str) -> None:
    with Workspace("vectors") as work:
        cairn = Cairn(binary, work)
        source = work / "source"
        make_source(source)
        regular = [path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink()]
        files = base64_of({str(path.relative_to(source)): path.read_bytes() for path in regular})
        links = {str(path.relative_to(source)): os.readlink(path) for path in source.rglob("*") if path.is_symlink()}
        identity = IDENTITY.read_text()
        recipient = subprocess.run(["age-keygen", "-y", IDENTITY], capture_output=True, check=True, text=True).stdout.strip()
        stores = []
        for name, about, how in (("plain", "not encrypted", ["--no-encryption"]),
                                 ("sealed", "sealed to one recipient", ["--recipient", recipient])):
            store = work / name
            cairn.run("init", "--store", store, *how)
            cairn.run("snapshot", "--store", store, "--series", SERIES, source)
            item = {"name": name, "about": about, "result": "whole", "files": files, "links": links}
            if name == "sealed":
                item["identity"] = identity
            stores.append(item | {"objects": base64_of(objects_of(store))})
        plain = Plain(objects_of(work / "plain"))
        for name, about, objects, result in damaged(plain):
            stores.append({"name": name, "about": about, "result": result, "objects": base64_of(objects)})
        VECTORS.write_text(json.dumps({"format": "cairn-vectors", "version": 1, "stores": stores}, indent=1) + "\n")


def check_store(store: dict, cairn: Cairn, work: pathlib.Path) -> None:
    where = work / "store"
    put(where, store["objects"])
    keys = []
    if "identity" in store:
        (work / "identity").write_text(store["identity"])
        (work / "identity").chmod(0o600)
        keys = ["--identity", work / "identity"]
    readers = {
        "cairn": lambda to: [cairn.binary, "restore", "--store", where, *keys, SERIES, to],
        "reader": lambda to: [sys.executable, READER, "restore", *keys, where, SERIES, to],
    }
    for reader, command in readers.items():
        target = work / f"target-{reader}"
        done = subprocess.run([str(part) for part in command(target)], env=cairn.environment, capture_output=True, text=True)
        check(done.returncode == STATUS[store["result"]],
              f"{store['name']}: {reader} ends with {done.returncode}: {done.stderr}")
        if store["result"] != "whole":
            # What is damaged is not written: at most another file beside it.
            for path in target.rglob("*") if target.is_dir() else ():
                check(path.is_dir() or path.is_symlink() or path.read_bytes() in (b"", b"hello, world\n"),
                      f"{store['name']}: {reader} wrote {path}")
            continue
        for name, content in store["files"].items():
            check((target / name).read_bytes() == base64.b64decode(content), f"{store['name']}: {reader}: {name} differs")
        for name, to in store["links"].items():
            check(os.readlink(target / name) == to, f"{store['name']}: {reader}: {name} leads elsewhere")


def run(binary: str) -> None:
    vectors = json.loads(VECTORS.read_text())
    check(vectors["format"] == "cairn-vectors" and vectors["version"] == 1, "these are other vectors")
    with Workspace("vectors") as work:
        for store in vectors["stores"]:
            # A home of its own: they are one store with one id, and caches know what is the same in all of them.
            (work / store["name"]).mkdir()
            check_store(store, Cairn(binary, work / store["name"]), work / store["name"])
    print(f"passed: {len(vectors['stores'])} stores, two readers each")


if sys.argv[1:2] == ["--make"]:
    make(os.path.abspath(sys.argv[2]))
else:
    run(os.path.abspath(sys.argv[1]))
