#!/usr/bin/env python3
"""Makes golden stores that are not there yet with the program as it is now: NAME.tar and NAME.json, which says what the
store must give. What is there stays for ever: it was written by the program of its time, and is never written over.

  make.py CAIRN-BINARY [NAME...]      all by default
"""

import base64
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "acceptance"), str(HERE.parent / "reference")]
from support import Cairn, Workspace, check  # noqa: E402
from sealing import manifests_of, put_manifest, put_pack, read_manifest, snapshot_id  # noqa: E402
from test_reader import StoreWriter, entry, lines  # noqa: E402

# Of the tests alone: whoever has this tree can read what is sealed to them.
IDENTITY = HERE / "identity.txt"
SIGNING_KEY = HERE / "sign.pem"
INSTANT = 1_700_000_000_123_456_789


def describe(root: pathlib.Path) -> dict[str, dict]:
    """Everything about a restored tree that does not depend on who restores it where."""
    found = {}
    first_name: dict[int, str] = {}
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        name = os.fsencode(path.relative_to(root))
        try:
            key = name.decode()
        except UnicodeDecodeError:
            key = "base64:" + base64.b64encode(name).decode()
        entry: dict = {"type": oct(status.st_mode >> 12), "mtime": status.st_mtime_ns}
        if path.is_symlink():
            entry["target"] = os.readlink(path)
        else:
            entry["mode"] = oct(status.st_mode & 0o7777)
            names = [name for name in os.listxattr(path) if name.startswith(("user.", "system.posix_acl"))]
            entry["attributes"] = {name: os.getxattr(path, name).hex() for name in sorted(names)}
        if path.is_file() and not path.is_symlink():
            entry["size"] = status.st_size
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            entry["same as"] = first_name.setdefault(status.st_ino, key)
        found[key] = entry
    return found


class Maker:
    """One store while it is made, and the snapshots that it must give."""

    def __init__(self, binary: str, work: pathlib.Path):
        self.work = work
        self.store = work / "store"
        self.cairn = Cairn(binary, work / "home")
        self.cairn.home.mkdir()
        self.rng = random.Random(11)
        self.expected: dict[str, dict] = {}

    def init(self, *args: str) -> None:
        self.cairn.run("init", "--store", self.store, *(args or ("--no-encryption",)))

    def tree(self, name: str = "tree") -> pathlib.Path:
        root = self.work / name
        root.mkdir()
        (root / "empty").touch()
        (root / "text").write_text("".join(f"line {i}\n" for i in range(2000)))
        (root / "folder").mkdir(mode=0o750)
        for i in range(3):
            (root / "folder" / f"bytes{i}").write_bytes(self.rng.randbytes(1500))
        self.settle(root)
        return root

    def settle(self, root: pathlib.Path) -> None:
        """Times that do not depend on when the store is made."""
        for path in [*root.rglob("*"), root] if root.is_dir() else [root]:
            os.utime(path, ns=(INSTANT, INSTANT), follow_symlinks=False)

    def snapshot(self, *args, tree: pathlib.Path | None = None, **facts) -> str:
        operands = (tree,) if tree is not None else ()
        taken = self.cairn.json("snapshot", "--store", self.store, *operands, *args)["id"]
        self.expect(taken, **facts)
        if tree is not None and tree.is_dir():
            check(self.expected[taken]["entries"] == describe(tree), f"{taken} is restored otherwise")
        return taken

    def expect(self, identifier: str, **facts) -> None:
        back = self.work / "back"
        self.cairn.run("restore", "--store", self.store, identifier, back, "--identity", IDENTITY)
        entries = describe(back)
        self.expected[identifier] = {"entries": entries, "pinned": False, "tags": {}, "signer": None, **facts}
        shutil.rmtree(back) if back.is_dir() else back.unlink()


def plain(make: Maker) -> None:
    """one snapshot of a directory, not encrypted"""
    make.init()
    make.snapshot(tree=make.tree())


def kinds(make: Maker) -> None:
    """every kind of entry that needs no privilege, odd names, attributes, a sparse file, a hard link; not encrypted"""
    make.init()
    root = make.tree()
    os.chmod(root / "text", 0o4755)
    (root / "new\nline").write_text("newline")
    pathlib.Path(os.fsdecode(os.fsencode(root) + b"/not-utf8-\xff\xfe")).write_text("bytes")
    (root / ("x" * 255)).write_text("long")
    (root / "sticky").mkdir()
    os.chmod(root / "sticky", 0o1777)
    os.symlink("../nowhere", root / "folder" / "symlink")
    os.mkfifo(root / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
    os.link(root / "folder" / "bytes0", root / "hard link")
    with open(root / "sparse", "wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"in the middle")
    os.setxattr(root / "text", "user.note", b"\x00value\xff")
    subprocess.run(["setfacl", "-m", "u:1234:rwx", str(root / "empty")], check=True)
    make.settle(root)
    make.snapshot(tree=root)


def sealed(make: Maker) -> None:
    """two snapshots, encrypted to the identity of this folder"""
    recipient = make.cairn.environment["RECIPIENT"]
    make.init("--recipient", recipient)
    root = make.tree()
    make.snapshot(tree=root)
    (root / "folder" / "bytes1").write_bytes(make.rng.randbytes(2000))
    make.settle(root)
    make.snapshot(tree=root)


def signed(make: Maker) -> None:
    """encrypted to the identity and signed with the key of this folder"""
    make.cairn.environment["CAIRN_SIGNING_KEY"] = str(SIGNING_KEY)
    key = (HERE / "sign.pem.pub").read_text().split()[-1]
    make.init("--recipient", make.cairn.environment["RECIPIENT"])
    make.snapshot(tree=make.tree(), signer=key)


def signed_packs(make: Maker) -> None:
    """encrypted and signed, and the key of this folder vouches for the packs too; two snapshots, and a copy of the newer
    manifest with other names of packs, as somebody without the key can put it there"""
    make.cairn.environment["CAIRN_SIGNING_KEY"] = str(SIGNING_KEY)
    key = (HERE / "sign.pem.pub").read_text().split()[-1]
    make.init("--recipient", make.cairn.environment["RECIPIENT"])
    root = make.tree()
    make.snapshot(tree=root, signer=key)
    (root / "folder" / "bytes1").write_bytes(make.rng.randbytes(2000))
    make.settle(root)
    newest = make.snapshot(tree=root, signer=key)
    manifest = read_manifest(manifests_of(make.store)[-1])
    check("pack_signatures" in manifest and snapshot_id(manifest) == newest, "the list of packs is not signed")
    packs = [entry | {"name": put_pack(make.store, path_of(make.store, entry).read_bytes()[:16] + make.rng.randbytes(16)
                                       + path_of(make.store, entry).read_bytes()[32:])} for entry in manifest["packs"]]
    put_manifest(make.store, manifest | {"packs": packs})


def path_of(store: pathlib.Path, entry: dict) -> pathlib.Path:
    return store / "packs" / entry["name"][:2] / entry["name"]


def pinned(make: Maker) -> None:
    """three snapshots of which the first is pinned, and one that was pinned and unpinned; tags"""
    make.init()
    root = make.tree()
    first = make.snapshot("--tag", "why=golden", "--tag", "umlaut=\u00fc", tree=root, tags={"why": "golden", "umlaut": "\u00fc"}, pinned=True)
    make.cairn.run("pin", first, "--store", make.store)
    second = make.snapshot(tree=root)
    make.cairn.run("pin", second, "--store", make.store)
    make.cairn.run("unpin", second, "--store", make.store)
    make.snapshot(tree=root)


def forgotten(make: Maker) -> None:
    """two snapshots; a third was forgotten, so there is a mark that names its packs and holds its manifest"""
    make.init()
    root = make.tree()
    gone = make.snapshot(tree=root)
    (root / "folder" / "bytes1").write_bytes(make.rng.randbytes(2000))
    make.settle(root)
    make.snapshot(tree=root)
    make.snapshot(tree=root)
    make.cairn.run("forget", gone, "--store", make.store, "--apply")
    del make.expected[gone]
    check(any((make.store / "marks").iterdir()), "there is no mark")


def pending(make: Maker) -> None:
    """one snapshot, and the pending record of a run that did not end (made by hand from a manifest that was removed)"""
    make.init()
    make.snapshot("--series", "whole", tree=make.tree("one"))
    gone = make.snapshot("--series", "begun", tree=make.tree("two"))
    del make.expected[gone]
    path = manifests_of(make.store, "begun")[0]
    manifest = read_manifest(path)
    private = {"host": json.loads(manifest["facts"])["host"], "logical_ids": manifest["logical_ids"], "holds_list": manifest["holds_list"]}
    record = {"format": "cairn-pending", "version": 1, "run": "0123456789abcdef" * 2, "number": 1,
              "created": json.loads(manifest["record"])["cut_point"], "packs": manifest["packs"], "seal": "none",
              "private": json.dumps(private, separators=(",", ":"))}
    (make.store / "pending").mkdir()
    text = json.dumps(record, separators=(",", ":")) + "\n"
    (make.store / "pending" / f"{record['run']}-1.json").write_text(text)
    path.unlink()
    path.parent.rmdir()


def sqlite(make: Maker) -> None:
    """a database as one file, in two states; its content is stored in parts"""
    make.init()
    path = make.work / "rows.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, text)")
    database.executemany("INSERT INTO rows (text) VALUES (?)", ((f"row {i} " * 40,) for i in range(2500)))
    database.commit()
    make.settle(path)
    make.snapshot("--series", "rows", tree=path)
    database.execute("UPDATE rows SET text = 'changed' WHERE number % 500 = 7")
    database.commit()
    database.close()
    make.settle(path)
    make.snapshot("--series", "rows", tree=path)


def command(make: Maker) -> None:
    """the output of a program"""
    make.init()
    make.snapshot("--series", "dump", "--", "seq", "20000")


def levels(make: Maker) -> None:
    """an entry list of two further levels (written by hand from the format page: the program needs them for large ones)"""
    shutil.rmtree(make.store, ignore_errors=True)
    writer = StoreWriter(str(make.store))
    content = writer.pack([[b"hello, world\n", b"x" * 5000]])
    here = entry(".", "directory") | {"uid": 0, "gid": 0}
    files = [entry(f"f{i:04}", size=13, extents=[content.extent()]) | {"uid": 0, "gid": 0} for i in range(60)]
    writer.snapshot(lines(here, *files), [content], levels=2)
    make.expect(json.loads(make.cairn.run("--json", "list", "--store", make.store).stdout)["snapshots"][0]["id"], tags={"why": "test"})


STORES = (plain, kinds, sealed, signed, signed_packs, pinned, forgotten, pending, sqlite, command, levels)


def archive(store: pathlib.Path, to: pathlib.Path) -> None:
    """The same bytes for the same store: sorted, without owners and times."""
    with tarfile.open(to, "x", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(store.rglob("*")):
            if path.is_file():
                info = tarfile.TarInfo(str(path.relative_to(store)))
                data = path.read_bytes()
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary, *wanted = sys.argv[1:]
    by_name = {make.__name__: make for make in STORES}
    for name in wanted or by_name:
        if name not in by_name:
            sys.exit(f"no store is called {name}: {', '.join(by_name)}")
        tar, facts = HERE / f"{name}.tar", HERE / f"{name}.json"
        if tar.exists() or facts.exists():
            print(f"{name}: is there, and stays as it is")
            continue
        with Workspace("golden") as work:
            make = Maker(binary, work)
            recipient = next(line for line in IDENTITY.read_text().split() if line.startswith("age1"))
            make.cairn.environment["RECIPIENT"] = recipient
            by_name[name](make)
            make.cairn.run("verify", "--store", make.store, "--level", "full", "--identity", IDENTITY)
            version = make.cairn.run("--version").stdout.decode().strip()
            says = {"what": by_name[name].__doc__, "format": 1, "program": version, "snapshots": make.expected}
            archive(make.store, tar)
            facts.write_text(json.dumps(says, indent=1, sort_keys=True) + "\n")
            print(f"{name}: {tar.stat().st_size} bytes, {len(make.expected)} snapshots")


if __name__ == "__main__":
    main()
