#!/usr/bin/env python3
"""Test cairn_reader.py with small stores that are written here, by hand, from the page cairn-format(5).

Run it with `python3 tests/reference/test_reader.py`; it needs the program zstd. As root it tests devices and
owners too.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from typing import Any, Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cairn_reader as reader  # noqa: E402

STAMP = "2026-11-21T03:24:10.123456789Z"
MTIME = 1795231450123456789


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zstd(data: bytes, *options: str) -> bytes:
    options = options or ("--no-check", f"--stream-size={len(data)}")
    return subprocess.run(["zstd", "-3", "-q", "-c", *options], input=data, stdout=-1, check=True).stdout


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def compact_time(text: str) -> str:
    return text.replace("-", "").replace(":", "")


def entry(path: str | bytes, kind: str = "file", /, **members: Any) -> dict[str, Any]:
    """An entry with plausible members; those given as None are left out."""
    value: dict[str, Any] = {}
    if isinstance(path, bytes):
        value["path_b64"] = base64.b64encode(path).decode()
    else:
        value["path"] = path
    value["type"] = kind
    if kind != "hardlink":
        value.update(mode=0o755 if kind == "directory" else 0o640, mtime=STAMP)
        value.update(uid=os.getuid(), gid=os.getgid())
    if kind == "file":
        value.update(size=0)
        if "parts" not in members:
            value["extents"] = []
    value.update(members)
    return {key: member for key, member in value.items() if member is not None}


def lines(*values: Any) -> bytes:
    return "".join(compact(value) + "\n" for value in values).encode()


class Pack:
    """A pack as a manifest speaks of it, and its bytes."""

    def __init__(self, frames: list[list[bytes]], **change: Any) -> None:
        chunks = [chunk for frame in frames for chunk in frame]
        stored = change.get("stored", [zstd(b"".join(frame)) for frame in frames])
        lengths = change.get("lengths", [len(chunk) for chunk in chunks])
        digests = change.get("digests", [hashlib.sha256(chunk).digest() for chunk in chunks])
        sizes = change.get("sizes", [len(frame) for frame in stored])
        counts = change.get("counts", [len(frame) for frame in frames])
        version = change.get("directory_version", 1)
        table = struct.pack("<8sIII", b"CAIRNDIR", version, len(sizes), len(digests))
        table += struct.pack(f"<{len(sizes) + len(counts) + len(lengths)}I", *sizes, *counts, *lengths)
        table += b"".join(digests) + change.get("more", b"")
        directory = zstd(table)
        header = struct.pack("<8sII16s", b"CAIRNPAK", 1, 0, change.get("random", os.urandom(16)))
        data = b"".join(stored)
        self.directory = [32 + len(data), len(directory)]
        trailer = struct.pack("<QQII8s", *self.directory, 1, 0, b"CAIRNEND")
        self.bytes = change.get("header", header) + data + directory + change.get("trailer", trailer)
        self.name = sha256(self.bytes)
        self.key = f"packs/{self.name[:2]}/{self.name}"
        self.raw = sum(lengths)
        logical = b"".join(d + struct.pack("<I", n) for d, n in zip(digests, lengths))
        self.logical_id = sha256(logical)

    def extent(self, first: int = 0, count: int = 1) -> list[Any]:
        return [self.logical_id[:16], first, count]

    def item(self) -> dict[str, Any]:
        return {"name": self.name, "size": len(self.bytes), "directory": self.directory, "seal": "none"}


class StoreWriter:
    """Writes objects into a directory, and complete snapshots."""

    def __init__(self, root: str) -> None:
        self.root = pathlib.Path(root)
        self.root.mkdir()
        self.descriptor()

    def put(self, name: str, data: bytes) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def descriptor(self, number: int = 1, **change: Any) -> str:
        value = {"format": "cairn-store", "version": 1, "requires_read": [], "requires_write": []}
        value.update(requires_prune=[], generation=number, store_id="0" * 32, created=STAMP)
        value.update(encryption="none", recipients=[], create_only=True)
        value.update(change)
        data = lines(value)
        return self.put(f"config/{number}-{sha256(data)}.json", data)

    def pack(self, frames: list[list[bytes]], **change: Any) -> Pack:
        result = Pack(frames, **change)
        self.put(result.key, result.bytes)
        return result

    def snapshot(
        self,
        listing: bytes,
        packs: list[Pack] = [],
        *,
        series: str = "demo",
        single_file: bool = False,
        levels: int = 0,
        piece: int = 100,
        root: dict[str, Any] = {},
        facts: dict[str, Any] = {},
        record: dict[str, Any] = {},
        edit: Callable[[dict[str, Any]], None] = lambda value: None,
        form: Callable[[bytes], bytes] = lambda data: data,
        name: Callable[[str], str] = lambda name: name,
    ) -> str:
        """Write a snapshot whose entry list has these bytes; the other arguments make it wrong."""
        packs = list(packs)
        level = listing
        for step in range(levels + 1):
            chunks = [level[i : i + piece] for i in range(0, len(level), piece)]
            if chunks:
                table = self.pack([chunks[i : i + 3] for i in range(0, len(chunks), 3)])
                packs.append(table)
            if step < levels:
                groups = [(i, chunks[i : i + 5]) for i in range(0, len(chunks), 5)]
                parts = [(sum(map(len, group)), table.extent(i, len(group))) for i, group in groups]
                level = lines(*({"part": size, "extents": [extent]} for size, extent in parts))
        ids = sorted(pack.logical_id for pack in packs)
        extents = [table.extent(0, len(chunks))] if chunks else []
        roots = {"salt": "r", "levels": levels, "size": len(listing), "extents": extents}
        roots.update(packs=sha256(bytes.fromhex("".join(ids))))
        roots.update(root)
        fact = {"salt": "f", "host": "h", "kind": "directory", "source": "/srv", "started": STAMP}
        fact.update(single_file=single_file, content={})
        fact.update(facts)
        records = {"format": "cairn-record", "version": 1, "series": series, "cut_point": STAMP}
        records.update(sequence=1, previous=None, tags={"why": "test"}, incomplete=False)
        records["stats"] = dict.fromkeys(reader.STATS, 0)
        records.update(facts=sha256(compact(fact).encode()), root=sha256(compact(roots).encode()))
        records.update(record)
        value = {"format": "cairn-manifest", "version": 1, "requires_read": [], "requires_write": []}
        value.update(requires_prune=[], record=compact(records), signatures=[], seal="none")
        value.update(facts=compact(fact), root=compact(roots))
        value.update(logical_ids=[pack.logical_id for pack in packs])
        value.update(raw_bytes=[pack.raw for pack in packs], live_bytes=[pack.raw for pack in packs])
        value.update(packs=[pack.item() for pack in packs])
        edit(value)
        text = compact(value)
        for key in ("root", "logical_ids", "raw_bytes", "packs"):
            text = text.replace(f',"{key}":', f'\n,"{key}":')
        data = form((text + "\n").encode())
        identity = sha256(value["record"].encode())
        plain = f"snapshots/{series}/{compact_time(STAMP)}-{identity[:16]}-{sha256(data)[:16]}.json"
        return self.put(name(plain), data)


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(self.clean)
        self.number = 0

    def clean(self) -> None:
        for path, _, _ in os.walk(self.folder):
            os.chmod(path, 0o700)
        shutil.rmtree(self.folder)

    def new_store(self) -> StoreWriter:
        self.number += 1
        return StoreWriter(os.path.join(self.folder, f"store{self.number}"))

    def run_reader(self, *arguments: Any) -> tuple[int, str]:
        """Exit status and all output of the reader."""
        output = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = reader.main([os.fspath(argument) for argument in arguments])
        return status, output.buffer.getvalue().decode()

    def expect(self, status: int, text: str, *arguments: Any) -> str:
        found, output = self.run_reader(*arguments)
        self.assertEqual(found, status, output)
        self.assertIn(text, output)
        return output

    def target(self) -> str:
        self.number += 1
        return os.path.join(self.folder, f"target{self.number}")

    def refused(self, store: StoreWriter, text: str, status: int = 4) -> None:
        """Neither restore nor verify accepts the store, and nothing is written."""
        target = self.target()
        self.expect(status, text, "restore", store.root, "demo", target)
        self.assertFalse(os.path.lexists(target))
        self.expect(status, text, "verify", store.root)


HELLO, BYTES = b"hello, world\n", bytes(range(256)) * 40
ROOT = entry(".", "directory")


class Good(Case):
    def tree(self, store: StoreWriter, **options: Any) -> str:
        content = self.content = store.pack([[HELLO, b"x" * 5000], [BYTES]])
        attributes = [{"name": "user.a", "value_b64": "AAH/"}, {"name_b64": "dXNlci7/", "value_b64": ""}]
        list_of = [
            entry(".", "directory", mode=0o750, user="no-such-user", group="no-such-group"),
            entry("a", "directory", mode=0o2555, mtime="1966-03-01T00:00:00.000000001Z"),
            entry("a/b", size=13, extents=[content.extent()], ctime=STAMP, inode="12", xattrs=attributes),
            entry("a/c", "directory"),
            entry("a/c/fifo", "fifo", mode=0o604),
            entry("a/c/socket", "socket"),
            entry("a-b", size=0),
            entry("again", "hardlink", target="a/b"),
            entry("big", size=70000 + len(BYTES) + 1, parts=2),
            {"part": 65536, "extents": [[65536]]},
            {"part": 4465 + len(BYTES), "extents": [[4464], content.extent(2), [1]]},
            entry("link", "symlink", target="../outside"),
            entry("link2", "symlink", target_b64=base64.b64encode(b"\xff/x").decode()),
            entry("mixed", size=5026, mode=0o4711, extents=[content.extent(0, 2), content.extent()]),
            entry("uml\u00e4ut \U0001f642\n", mode=0),
            entry(b"\xff\xfe"),
        ]
        return store.snapshot(lines(*list_of), [content], **options)

    def check_tree(self, target: str) -> None:
        def path(name: str | bytes) -> bytes:
            return os.path.join(os.fsencode(target), os.fsencode(name))

        def read(name: str) -> bytes:
            with open(path(name), "rb") as file:
                return file.read()

        self.assertEqual(sorted(os.listdir(os.fsencode(target)))[-1], b"\xff\xfe")
        self.assertEqual(len(os.listdir(target)), 9)
        self.assertEqual(read("a/b"), HELLO)
        self.assertEqual(read("big"), bytes(70000) + BYTES + b"\0")
        self.assertLess(os.stat(path("big")).st_blocks * 512, 40000)
        self.assertEqual(read("mixed"), HELLO + b"x" * 5000 + HELLO)
        self.assertEqual(os.stat(path("mixed")).st_mode, stat.S_IFREG | 0o4711)
        self.assertEqual(read("a-b"), b"")
        self.assertTrue(os.path.samefile(path("a/b"), path("again")))
        self.assertEqual(os.readlink(path("link")), b"../outside")
        self.assertEqual(os.readlink(path("link2")), b"\xff/x")
        self.assertEqual(os.stat(path("a/c/fifo")).st_mode, stat.S_IFIFO | 0o604)
        self.assertEqual(os.stat(path("a/c/socket")).st_mode, stat.S_IFSOCK | 0o640)
        self.assertEqual(os.stat(path("a")).st_mode, stat.S_IFDIR | 0o2555)
        self.assertEqual(os.stat(target).st_mode, stat.S_IFDIR | 0o750)
        self.assertEqual(os.stat(path("a")).st_mtime_ns, -121132799999999999)
        for name in (".", "a/b", "a/c", "a/c/fifo", "link", "uml\u00e4ut \U0001f642\n"):
            self.assertEqual(os.stat(path(name), follow_symlinks=False).st_mtime_ns, MTIME, name)
        self.assertEqual(os.getxattr(path("a/b"), "user.a"), b"\0\1\xff")
        self.assertEqual(os.getxattr(path("a/b"), b"user.\xff"), b"")

    def test_tree_is_listed_verified_and_restored(self) -> None:
        for levels in (0, 1, 3):
            with self.subTest(levels=levels):
                store = self.new_store()
                name = self.tree(store, levels=levels)
                identity = sha256(json.loads((store.root / name).read_bytes())["record"].encode())
                output = self.expect(0, "demo directory h:/srv", "list", store.root)
                self.assertIn("why=test", output)
                self.expect(0, f"good: {name} {identity}", "verify", store.root)
                self.expect(0, f"good: {name}", "verify", store.root, identity)
                self.assertEqual(self.expect(0, "a/c/fifo", "files", store.root, "demo").count("\n"), 14)
                for reference in ("latest", "demo", identity[:8], identity):
                    target = self.target()
                    self.expect(0, "restored", "restore", store.root, reference, target)
                    self.check_tree(target)
                empty = self.target()
                os.mkdir(empty)
                self.expect(0, "restored", "restore", store.root, "demo", empty)
                self.check_tree(empty)
                self.assertEqual(self.expect(0, "", "cat", store.root, "demo", "a/b"), HELLO.decode())
                self.assertEqual(self.expect(0, "", "cat", store.root, "demo", "again"), HELLO.decode())
                self.expect(10, "no nothing", "cat", store.root, "demo", "nothing")
                self.expect(2, "not a file", "cat", store.root, "demo", "a")

    def test_one_file(self) -> None:
        store = self.new_store()
        pack = store.pack([[HELLO]])
        value = entry("app.db", size=len(HELLO) + 9, extents=[pack.extent(), [9]])
        store.snapshot(lines(value), [pack], single_file=True)
        target = self.target()
        self.expect(0, "restored", "restore", store.root, "latest", target)
        self.assertEqual(pathlib.Path(target).read_bytes(), HELLO + bytes(9))
        self.assertEqual(os.stat(target).st_mtime_ns, MTIME)
        self.assertEqual(self.expect(0, "", "cat", store.root, "demo"), HELLO.decode() + "\0" * 9)
        self.expect(2, "exists", "restore", store.root, "latest", target)
        other = self.target()
        pathlib.Path(other + "-wal").write_bytes(b"old")
        self.expect(2, "-wal exists", "restore", store.root, "latest", other)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_owners_devices_and_access_control_lists(self) -> None:
        store = self.new_store()
        acl = struct.pack("<I", 2)
        for tag, permissions, who in ((1, 6, -1), (2, 4, 1), (4, 4, -1), (16, 4, -1), (32, 0, -1)):
            acl += struct.pack("<HHi", tag, permissions, who)
        access = [{"name": "system.posix_acl_access", "value_b64": base64.b64encode(acl).decode()}]
        default = [{"name": "system.posix_acl_default", "value_b64": access[0]["value_b64"]}]
        values = [
            entry(".", "directory", xattrs=default),
            entry("block", "blockdevice", device=[7, 300]),
            entry("char", "chardevice", device=[259, 1048575], uid=12345, gid=54321, user="no-such-user"),
            entry("named", uid=12345, gid=54321, user="root", group="root"),
            entry("set-id", uid=12345, gid=54321, mode=0o6755, xattrs=access),
            entry("symlink", "symlink", uid=12345, gid=54321, target="set-id"),
        ]
        values[4]["mode"] = 0o6640
        store.snapshot(lines(*values))
        target = self.target()
        self.expect(0, "restored", "restore", store.root, "demo", target)
        found = {name: os.lstat(os.path.join(target, name)) for name in os.listdir(target)}
        self.assertEqual(found["block"].st_rdev, os.makedev(7, 300))
        self.assertEqual(found["char"].st_rdev, os.makedev(259, 1048575))
        self.assertTrue(stat.S_ISCHR(found["char"].st_mode) and stat.S_ISBLK(found["block"].st_mode))
        self.assertEqual((found["named"].st_uid, found["named"].st_gid), (0, 0))
        for name in ("char", "set-id", "symlink"):
            self.assertEqual((found[name].st_uid, found[name].st_gid), (12345, 54321))
        self.assertEqual(found["set-id"].st_mode & 0o7777, 0o6640)
        self.assertEqual(os.getxattr(target + "/set-id", "system.posix_acl_access"), acl)
        self.assertEqual(os.getxattr(target, "system.posix_acl_default"), acl)
        self.assertNotIn("system.posix_acl_access", os.listxattr(target + "/named"))

    def test_the_example_of_the_page(self) -> None:
        example = """
            43 41 49 52 4e 50 41 4b 01 00 00 00 00 00 00 00 8f 5a ba 73 c6 31 17 26 56 04 89 bf 52 31 a5 ed
            28 b5 2f fd 20 19 c9 00 00 68 65 6c 6c 6f 2c 20 77 6f 72 6c 64 0a 68 65 6c 6c 6f 20 61 67 61 69
            6e 0a 28 b5 2f fd 20 28 45 00 00 10 61 61 01 00 1f 80 05 28 b5 2f fd 20 90 81 04 00 43 41 49 52
            4e 44 49 52 01 00 00 00 02 00 00 00 03 00 00 00 22 00 00 00 11 00 00 00 02 00 00 00 01 00 00 00
            0d 00 00 00 0c 00 00 00 28 00 00 00 85 3f f9 37 62 a0 6d db f7 22 c4 eb e9 dd d6 6d 8f 63 dd ae
            a9 7f 52 1c 3e cc 20 da 7c 97 60 20 d9 a4 c6 67 6a 62 cb 3b 8c a0 b8 45 9a b3 41 83 7c db a8 54
            33 16 c8 57 4b 45 4c cc 24 d4 c6 90 e3 3c df 9c 7f 71 20 b9 8e 8c 78 40 89 53 e0 7f 2e cd 18 30
            06 b5 60 6d f3 49 b4 c2 12 ac f4 3e 53 00 00 00 00 00 00 00 99 00 00 00 00 00 00 00 01 00 00 00
            00 00 00 00 43 41 49 52 4e 45 4e 44"""
        name = "08603817356b99a2c36b106ac653894cbeed20db2d4ffc55ca518f69bcb8fcb9"
        store = self.new_store()
        store.put(f"packs/08/{name}", bytes.fromhex(example))
        facts = reader.verify_pack(reader.Store(str(store.root)), name)
        self.assertEqual(facts.copy, (name, 268, 0x53, 0x99))
        self.assertEqual(facts.logical_id, "5664d6652f2bf6665b131d979a73789e28612aa810479e312564b5a56341fa03")
        self.expect(0, "", "verify", store.root)


class Choice(Case):
    def test_references(self) -> None:
        store = self.new_store()
        store.snapshot(lines(ROOT))
        self.expect(10, "no snapshot nobody", "verify", store.root, "nobody")
        self.expect(10, "no snapshot 00000000", "verify", store.root, "0" * 8)
        store.snapshot(lines(ROOT), series="other")
        self.expect(2, "demo, other", "verify", store.root, "latest")
        self.expect(0, "good: snapshots/other/", "verify", store.root, "other")
        self.expect(10, "no store", "list", self.folder)
        self.expect(2, "exists", "restore", store.root, "demo", self.folder)
        self.expect(2, "in the store", "restore", store.root, "demo", store.root / "x")

    def test_without_zstd_nothing_is_called_damage(self) -> None:
        store = self.new_store()
        store.snapshot(lines(ROOT))
        with unittest.mock.patch.dict(os.environ, PATH="/nowhere"):
            self.expect(1, "zstd is not in PATH", "verify", store.root)
            self.expect(1, "zstd is not in PATH", "restore", store.root, "demo", self.target())
            self.expect(0, "demo", "list", store.root)

    def test_two_snapshots_of_one_instant_are_ambiguous(self) -> None:
        store = self.new_store()
        store.snapshot(lines(ROOT))
        store.snapshot(lines(ROOT, entry("a")))
        self.expect(2, "ambiguous", "restore", store.root, "demo", self.target())

    def test_another_manifest_serves_where_a_pack_of_the_first_is_gone_or_bad(self) -> None:
        store = self.new_store()
        pack = store.pack([[HELLO], [BYTES]])
        twin = store.pack([[HELLO, BYTES]], random=bytes(16))
        value = entry("f", size=len(HELLO + BYTES), extents=[pack.extent(0, 2)])
        names = [store.snapshot(lines(ROOT, value), [which]) for which in (pack, twin)]
        self.assertEqual(names[0][:58], names[1][:58])
        self.assertEqual(self.expect(0, "demo", "list", store.root).count("\n"), 1)
        for which in (pack, twin):
            data = bytearray(which.bytes)
            data[40] ^= 1
            for damaged in (None, which.bytes[:-9], data):
                if damaged is None:
                    (store.root / which.key).unlink()
                else:
                    store.put(which.key, damaged)
                target = self.target()
                self.expect(0, "restored", "restore", store.root, "demo", target)
                self.assertEqual(pathlib.Path(target, "f").read_bytes(), HELLO + BYTES)
                self.expect(4, which.key, "verify", store.root)
            store.put(which.key, which.bytes)
        self.expect(0, "", "verify", store.root)
        store.put(names[0], b"{}")
        self.expect(0, "another manifest", "restore", store.root, "demo", self.target())
        self.expect(4, names[0], "list", store.root)


class Refusals(Case):
    """Everything that the page makes damage, or that a reader does not know."""

    def test_entries(self) -> None:
        f, d = entry("f"), entry("d", "directory")
        attribute = {"name": "user.a", "value_b64": ""}
        cases: dict[str, tuple[str, list[Any]]] = {
            "no entry": ("empty", []),
            "no root": ("first entry", [f]),
            "root that is a file": ("not valid", [entry(".")]),
            "twice": ("order", [ROOT, f, f]),
            "root again": ("order", [ROOT, ROOT]),
            "order": ("order", [ROOT, entry("g"), f]),
            "a-b before a/b": ("order", [ROOT, entry("a", "directory"), entry("a-b"), entry("a/b")]),
            "no parent": ("parent", [ROOT, entry("d/f")]),
            "parent is a file": ("parent", [ROOT, f, entry("f/g")]),
            "parent is a link": ("parent", [ROOT, entry("l", "symlink", target="/etc"), entry("l/passwd")]),
            "parent of a parent": ("parent", [ROOT, d, entry("d/e/f")]),
            "unknown type": ("type", [ROOT, entry("f", "door")]),
            "foreign member": ("members", [ROOT, entry("d", "directory", size=1)]),
            "unknown member": ("members", [ROOT, entry("f", colour="red")]),
            "member left out": ("members", [ROOT, entry("f", mode=None)]),
            "members of a link": ("members", [ROOT, f, entry("g", "hardlink", target="f", mode=1)]),
            "both kinds of name": ("both", [ROOT, entry("f", path_b64="Zg==")]),
            "needless base64": ("valid UTF-8", [ROOT, entry(b"f")]),
            "base64 with unused bits": ("base64", [ROOT, entry("f", path=None, path_b64="/x==")]),
            "base64 unpadded": ("base64", [ROOT, entry("f", path=None, path_b64="/w")]),
            "mode": ("mode", [ROOT, entry("f", mode=4096)]),
            "mode is true": ("mode", [ROOT, entry("f", mode=True)]),
            "mode is 1.0": ("mode", [ROOT, entry("f", mode=1.0)]),
            "uid": ("uid", [ROOT, entry("f", uid=2**32)]),
            "time": ("mtime", [ROOT, entry("f", mtime="2026-02-30T03:24:10.123456789Z")]),
            "leap second": ("mtime", [ROOT, entry("f", mtime="2026-11-21T03:24:60.123456789Z")]),
            "time zone": ("mtime", [ROOT, entry("f", mtime="2026-11-21T03:24:10.123456789+01:00")]),
            "time out of range": ("mtime", [ROOT, entry("f", mtime="2300-11-21T03:24:10.123456789Z")]),
            "inode": ("inode", [ROOT, entry("f", inode="0x1")]),
            "no xattrs": ("attributes", [ROOT, entry("f", xattrs=[])]),
            "xattr twice": ("attributes", [ROOT, entry("f", xattrs=[attribute, attribute])]),
            "xattr more": ("attribute", [ROOT, entry("f", xattrs=[dict(attribute, more=1)])]),
            "xattr without name": ("attribute", [ROOT, entry("f", xattrs=[dict(attribute, name="")])]),
            "device": ("device", [ROOT, entry("c", "chardevice", device=[1])]),
            "empty target": ("target", [ROOT, entry("l", "symlink", target="")]),
            "target with NUL": ("target", [ROOT, entry("l", "symlink", target="a\0b")]),
            "link to nothing": ("hard link", [ROOT, f, entry("g", "hardlink", target="a")]),
            "link to a later one": ("earlier", [ROOT, entry("e", "hardlink", target="f"), f]),
            "link to itself": ("earlier", [ROOT, entry("e", "hardlink", target="e")]),
            "link to a directory": ("hard link", [ROOT, d, entry("e", "hardlink", target="d")]),
            "link to the root": ("not valid", [ROOT, entry("e", "hardlink", target=".")]),
            "link to a link": (
                "hard link",
                [ROOT, f, entry("g", "hardlink", target="f"), entry("h", "hardlink", target="g")],
            ),
            "size without content": ("content has", [ROOT, entry("f", size=1)]),
            "hole too large": ("content has", [ROOT, entry("f", size=1, extents=[[2]])]),
            "empty hole": ("integer", [ROOT, entry("f", extents=[[0]])]),
            "both extents and parts": ("either", [ROOT, entry("f", size=1, extents=[], parts=1)]),
            "neither": ("either", [ROOT, entry("f", extents=None)]),
            "no parts": ("parts", [ROOT, entry("f", parts=0)]),
            "parts end": ("not a part", [ROOT, entry("f", size=2, parts=2), {"part": 2, "extents": [[2]]}]),
            "part too many": ("type", [ROOT, f, {"part": 2, "extents": [[2]]}]),
            "part is an entry": ("not a part", [ROOT, entry("f", parts=1), entry("g")]),
            "size of a part": ("part 0", [ROOT, entry("f", size=3, parts=1), {"part": 2, "extents": [[3]]}]),
            "sizes of parts": ("content", [ROOT, entry("f", size=3, parts=1), {"part": 2, "extents": [[2]]}]),
            "empty part": ("part", [ROOT, entry("f", parts=1), {"part": 0, "extents": []}]),
            "unknown pack": ("not in the manifest", [ROOT, entry("f", size=1, extents=[["0" * 16, 0, 1]])]),
            "extent": ("extent", [ROOT, entry("f", size=1, extents=[[1, 2]])]),
        }
        for bad in ("/f", "f/", "d//f", "d/../f", "..", "../f", "d/.", "", "a\0b", "x" * 256):
            cases[f"path {bad[:8]!r}"] = ("", [ROOT, d, entry(bad)])
        cases["long path"] = ("not valid", [ROOT, entry("/".join(["x" * 255] * 257))])
        for name, (text, values) in cases.items():
            with self.subTest(name):
                store = self.new_store()
                store.snapshot(lines(*values), piece=4096)
                self.refused(store, text)

    def test_entry_lists(self) -> None:
        good = lines(ROOT, entry("f"))
        for name, text, listing, options in (
            ("duplicate key", "twice", good.replace(b'"size":0', b'"size":0,"size":0'), {}),
            ("no newline", "within a line", good[:-1], {}),
            ("empty line", "JSON", good + b"\n", {}),
            ("no object", "object", good + b"[]\n", {}),
            ("NaN", "NaN", good.replace(b'"size":0', b'"size":NaN'), {}),
            ("-0", "size", good.replace(b'"size":0', b'"size":-0'), {}),
            ("0.0", "size", good.replace(b'"size":0', b'"size":0.0'), {}),
            ("2^53", "size", good.replace(b'"size":0', b'"size":9007199254740992'), {}),
            ("not UTF-8", "JSON", good.replace(b'"f"', b'"\xff"'), {}),
            ("surrogate", "JSON", good.replace(b'"f"', b'"\\ud800"'), {}),
            ("byte order mark", "JSON", b"\xef\xbb\xbf" + good, {}),
            ("deep", "JSON", good + b'{"a":' * 70 + b"1" + b"}" * 70 + b"\n", {}),
            ("very deep", "JSON", good + b"[" * 200000 + b"]" * 200000 + b"\n", {}),
            ("shorter", "has not the size", good, {"root": {"size": len(good) + 1}}),
            ("longer", "has not the size", good, {"root": {"size": len(good) - 1}}),
            ("hole", "not an extent", good, {"root": {"extents": [[5]]}}),
            ("levels", "levels", good, {"root": {"levels": 9}}),
            ("level is no list", "not a part", good, {"root": {"levels": 1}}),
            ("two files", "something else", good, {"single_file": True}),
            ("directory", "something else", lines(ROOT), {"single_file": True}),
            ("file below", "something else", lines(entry("d/f")), {"single_file": True}),
            ("two files", "something else", lines(entry("f"), entry("g")), {"single_file": True}),
        ):
            with self.subTest(name):
                store = self.new_store()
                store.snapshot(listing, piece=100000, **options)
                self.refused(store, text)

    def test_line_beyond_the_limit(self) -> None:
        with self.assertRaisesRegex(reader.Damage, "beyond the limits"):
            list(reader.split_lines(memoryview(bytes(1 << 20)) for _ in range(65)))

    def test_manifests(self) -> None:
        def put(key: str, member: Any) -> Callable[[dict[str, Any]], None]:
            return lambda value: value.update({key: member})

        def item(key: str, member: Any) -> Callable[[dict[str, Any]], None]:
            return lambda value: value["packs"][0].update({key: member})

        def collide(value: dict[str, Any]) -> None:
            value["logical_ids"].append(value["logical_ids"][0][:16] + "0" * 48)
            for key in ("raw_bytes", "live_bytes", "packs"):
                value[key].append(value[key][0])

        def shift(value: dict[str, Any]) -> None:
            value["packs"][0]["directory"][0] -= 1

        for name, status, text, options in (
            ("version", 1, "version 2", {"edit": put("version", 2)}),
            ("version first", 1, "version 2", {"edit": lambda v: v.update(version=2, seal=1, root=5)}),
            ("version is true", 4, "version", {"edit": put("version", True)}),
            ("format", 4, "format", {"edit": put("format", "cairn-store")}),
            ("feature", 1, "later", {"edit": put("requires_read", ["later"])}),
            ("features", 4, "requires_prune", {"edit": put("requires_prune", "later")}),
            ("seal", 1, "seal", {"edit": lambda v: v.update(seal="age", facts=[])}),
            ("signatures", 4, "signatures", {"edit": put("signatures", {})}),
            ("record", 4, "record", {"edit": put("record", '{"a":1,"a":1}')}),
            ("facts", 4, "facts", {"edit": put("facts", "{}")}),
            ("root", 4, "root", {"edit": put("root", "{}")}),
            ("record version", 1, "version 2", {"record": {"version": 2}}),
            ("record format", 4, "format", {"record": {"format": "x"}}),
            ("record series", 4, "series and cut point", {"record": {"series": "x"}}),
            ("record cut point", 4, "cut point", {"record": {"cut_point": STAMP.replace("9Z", "8Z")}}),
            ("record sequence", 4, "sequence", {"record": {"sequence": 0}}),
            ("record previous", 4, "previous", {"record": {"previous": "1"}}),
            ("record tags", 4, "tags", {"record": {"tags": {"a": 1}}}),
            ("record stats", 4, "entries", {"record": {"stats": {}}}),
            ("facts started", 4, "started", {"facts": {"started": "today"}}),
            ("facts source", 4, "source", {"facts": {"source_b64": "/w=="}}),
            ("digest of packs", 4, "digest that the root", {"root": {"packs": "0" * 64}}),
            ("array longer", 4, "equally long", {"edit": lambda v: v["live_bytes"].append(1)}),
            ("pack left out", 4, "equally long", {"edit": lambda v: v["packs"].pop()}),
            ("same prefix", 4, "same first 16", {"edit": collide}),
            ("directory outside", 4, "is not where", {"edit": shift}),
            ("directory in the header", 4, "is not where", {"edit": item("directory", [31, 1])}),
            ("pack seal", 1, "seal", {"edit": item("seal", "age")}),
            ("pack name", 4, "name", {"edit": item("name", "../../../etc/passwd")}),
            ("four lines", 4, "five lines", {"form": lambda data: data.replace(b'\n,"root"', b',"root"')}),
            ("no final newline", 4, "five lines", {"form": lambda data: data[:-1]}),
            ("deep", 4, "deep", {"edit": put("signatures", json.loads("[" * 64 + "]" * 64))}),
        ):
            with self.subTest(name):
                store = self.new_store()
                store.snapshot(lines(ROOT), [store.pack([[HELLO]])], **options)
                self.refused(store, text, status)
                self.expect(status, text, "list", store.root)

    def test_members_that_are_not_known_are_ignored(self) -> None:
        store = self.new_store()
        more = {"later": [1.5e3, -7, None, {"x": []}]}
        store.descriptor(2, **more)
        store.snapshot(lines(ROOT), root=more, facts=more, record=more, edit=lambda value: value.update(more))
        self.expect(0, "good", "verify", store.root)
        self.expect(0, "restored", "restore", store.root, "demo", self.target())

    def test_names(self) -> None:
        def swapped(name: str) -> str:
            return name[:-6] + ("0" if name[-6] != "0" else "1") + ".json"

        for name, change in (
            ("digest", swapped),
            ("id", lambda name: re.sub("Z-.{16}", "Z-" + "0" * 16, name)),
            ("cut point", lambda name: name.replace("032410", "032411")),
            ("series", lambda name: name.replace("/demo/", "/demo2/")),
        ):
            with self.subTest(name):
                store = self.new_store()
                store.snapshot(lines(ROOT), name=change)
                self.expect(4, "has not", "verify", store.root)
                self.assertNotEqual(self.run_reader("restore", store.root, "latest", self.target())[0], 0)
        store = self.new_store()
        store.snapshot(lines(ROOT))
        store.put("snapshots/demo/.tmp-1", b"unfinished")
        self.expect(0, "", "verify", store.root)
        for name in ("snapshots/x", "snapshots/latest/y.json", "packs/00/x", "marks/x", "pins/x", "other"):
            with self.subTest(name):
                store.put(name, b"{}")
                status, output = self.run_reader("verify", store.root)
                self.assertNotEqual(status, 0)
                self.assertIn(name, output)
                (store.root / name).unlink()
        store.put("snapshots/demo/what is this", b"")
        self.expect(0, "what is this", "list", store.root)

    def test_descriptors(self) -> None:
        for name, status, text, change in (
            ("version", 1, "version 2", {"version": 2}),
            ("encryption", 1, "encryption", {"encryption": "age"}),
            ("feature", 1, "later", {"requires_read": ["later"]}),
            ("generation", 4, "generation", {"generation": 7}),
            ("store id", 4, "store_id", {"store_id": "x"}),
            ("recipients", 4, "recipients", {"recipients": ["someone"]}),
            ("created", 4, "created", {"created": 1}),
        ):
            with self.subTest(name):
                store = self.new_store()
                store.snapshot(lines(ROOT))
                store.descriptor(10, **change)
                self.refused(store, text, status)
                store.descriptor(11)
                self.expect(0, "restored", "restore", store.root, "demo", self.target())
        store = self.new_store()
        store.snapshot(lines(ROOT))
        store.descriptor(1, store_id="1" * 32)
        self.refused(store, "two descriptors")
        shutil.rmtree(store.root / "config")
        self.expect(0, "no descriptor", "restore", store.root, "demo", self.target())
        name = store.descriptor(3)
        (store.root / name).write_bytes((store.root / name).read_bytes() + b"\n")
        self.refused(store, "digest of its name")

    def test_packs(self) -> None:
        chunks = [HELLO, BYTES]
        frame = zstd(HELLO + BYTES)
        skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
        header = struct.pack("<8sII16s", b"CAIRNPAK", 1, 0, bytes(16))
        cases: dict[str, tuple[str, dict[str, Any]]] = {
            "chunk": ("digest", {"digests": [hashlib.sha256(b"x").digest()] * 2}),
            "lengths": ("not hold", {"lengths": [len(HELLO) + 1, len(BYTES)]}),
            "empty chunk": ("length", {"lengths": [0, len(HELLO + BYTES)]}),
            "long chunk": ("length", {"lengths": [len(HELLO), 1048577]}),
            "stored size": ("stored sizes", {"sizes": [len(frame) - 1]}),
            "no frame": ("counts", {"sizes": [], "counts": []}),
            "count": ("chunks", {"counts": [3]}),
            "two counts": ("chunks", {"sizes": [len(frame) - 1, 1], "counts": [2, 0]}),
            "more": ("counts", {"more": b"x"}),
            "two frames": ("size that it should", {"stored": [zstd(HELLO) + zstd(BYTES)]}),
            "skippable": ("begin", {"stored": [skippable + frame]}),
            "skippable after": ("size that it should", {"stored": [frame + skippable]}),
            "no content size": ("content size", {"stored": [zstd(HELLO + BYTES, "--no-content-size")]}),
            "cut": ("size that it should", {"stored": [frame[:-1]]}),
            "other content": ("digest", {"stored": [zstd(HELLO + BYTES[::-1])]}),
            "garbage": ("decode", {"stored": [frame[:12] + bytes(len(frame) - 12)]}),
            "directory version": ("version 2", {"directory_version": 2}),
        }
        for name, (text, change) in cases.items():
            with self.subTest(name):
                store = self.new_store()
                pack = store.pack([chunks], **change)
                value = entry("f", size=len(HELLO + BYTES), extents=[pack.extent(0, 2)])
                store.snapshot(lines(ROOT, value), [pack])
                status, output = self.run_reader("verify", store.root)
                self.assertIn(status, (1, 4))
                if name != "garbage":
                    self.assertIn(text, output)
                target = self.target()
                self.assertIn(self.run_reader("restore", store.root, "demo", target)[0], (1, 4))
                self.assertFalse(os.path.exists(os.path.join(target, "f")))
        for name, change in (
            ("header", {"header": header.replace(b"PAK", b"PAC")}),
            ("version", {"header": header.replace(b"\1", b"\2")}),
            ("trailer", {"trailer": bytes(32)}),
        ):
            with self.subTest(name):  # only a verification of the whole pack sees it
                store = self.new_store()
                store.snapshot(lines(ROOT), [store.pack([chunks], **change)])
                self.assertIn(self.run_reader("verify", store.root)[0], (1, 4))
                self.expect(0, "restored", "restore", store.root, "demo", self.target())
        store = self.new_store()
        one, two = store.pack([[HELLO]]), store.pack([[BYTES]])
        value = entry("f", size=len(HELLO), extents=[one.extent()])
        one.logical_id, one.item = one.logical_id, two.item  # the id of one, the bytes of the other
        store.snapshot(lines(ROOT, value), [one])
        self.refused(store, "")
        store = self.new_store()
        one = store.pack([[HELLO]])
        store.snapshot(lines(ROOT, entry("f", size=2 * len(HELLO), extents=[one.extent(0, 2)])), [one])
        self.refused(store, "has no chunks 0 to 1")
        store.put("packs/00/" + "0" * 64, one.bytes)
        self.expect(4, "packs/00/", "verify", store.root)

    def test_no_flipped_byte_goes_unnoticed(self) -> None:
        store = self.new_store()
        pack = store.pack([[HELLO, HELLO * 2]])
        value = entry("f", size=len(HELLO) * 3, extents=[pack.extent(0, 2)])
        store.snapshot(lines(ROOT, value), [pack])
        for path in sorted(p for p in store.root.rglob("*") if p.is_file()):
            data = path.read_bytes()
            for position in range(0, len(data), max(1, len(data) // 40)):
                with self.subTest(str(path), position=position):
                    changed = bytearray(data)
                    changed[position] ^= 1 << position % 8
                    path.write_bytes(changed)
                    self.assertIn(self.run_reader("verify", store.root)[0], (1, 4))
                    target = self.target()
                    status, _ = self.run_reader("restore", store.root, "demo", target)
                    if status == 0:  # header or trailer
                        self.assertEqual(pathlib.Path(target, "f").read_bytes(), HELLO * 3)
                    else:
                        self.assertFalse(os.path.exists(os.path.join(target, "f")))
            for end in (0, 1, len(data) // 2, len(data) - 1):
                path.write_bytes(data[:end])
                self.assertIn(self.run_reader("verify", store.root)[0], (1, 4))
            path.write_bytes(data)
        self.expect(0, "good", "verify", store.root)


class OtherObjects(Case):
    def test_pending_records_marks_and_pins(self) -> None:
        store = self.new_store()
        name = store.snapshot(lines(ROOT))
        pack = Pack([[HELLO]])
        run, identity, when = "ab" * 16, "cd" * 32, compact_time(STAMP)
        pending = {"format": "cairn-pending", "version": 1, "run": run, "number": 1, "host": "h"}
        pending.update(created=STAMP, packs=[dict(pack.item(), logical_id=pack.logical_id)])
        store.put(f"pending/{run}-1.json", lines(pending))
        mark = {"format": "cairn-mark", "version": 1, "time": STAMP, "newest_object": STAMP}
        mark["packs"] = [pack.name]
        removed = {"key": name, "bytes_b64": base64.b64encode((store.root / name).read_bytes()).decode()}
        mark.update(seen=[name], removed=[removed, {"key": "snapshots/x", "bytes_b64": ""}], restored=[name])
        store.put(f"marks/{when}-{run}.json", lines(mark))
        pin = {"format": "cairn-pin", "version": 1, "id": identity, "pinned": False}
        pin_name = store.put(f"pins/{identity}/{when}-unpin-{run[:16]}.json", lines(pin))
        store.put("lease/prune.json", b"anything")
        store.put("drills/demo/x.json", b"anything")
        self.expect(0, "good", "verify", store.root)
        store.put(pin_name, lines(dict(pin, pinned=True)))
        self.expect(4, "does not say", "verify", store.root)
        store.put(pin_name, lines(pin))
        store.put(f"pending/{run}-2.json", lines(pending))
        self.expect(4, "number", "verify", store.root)


if __name__ == "__main__":
    unittest.main()
