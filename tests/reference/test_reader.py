#!/usr/bin/env python3
"""Test cairn_reader.py with small stores that are written here, by hand, from the page cairn-format(5).

Run it with `python3 tests/reference/test_reader.py`; it needs the programs zstd, age and minisign. As root it tests
devices and owners too.
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


def age(data: bytes, recipients: list[str]) -> bytes:
    command = ["age", "-e"]
    for recipient in recipients:
        command += ["-r", recipient]
    return subprocess.run(command, input=data, stdout=-1, check=True).stdout


def new_identity(path: str) -> str:
    """Make an identity; its recipient."""
    subprocess.run(["age-keygen", "-o", path], check=True, stderr=subprocess.DEVNULL)
    return subprocess.run(["age-keygen", "-y", path], check=True, stdout=-1).stdout.decode().strip()


def seal_of(recipients: list[str]) -> str:
    return "age:" + sha256("".join(recipient + "\n" for recipient in sorted(recipients)).encode())[:16]


def skippable(size: int) -> bytes:
    return struct.pack("<II", 0x184D2A50, size) + bytes(size)


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
    """A pack as a manifest speaks of it, and its bytes. With recipients it is sealed."""

    def __init__(self, frames: list[list[bytes]], **change: Any) -> None:
        recipients, host = change.get("recipients", []), change.get("host", [])
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
        seal = change.get("header_seal", 1 if recipients else 0)
        header = struct.pack("<8sII16s", b"CAIRNPAK", 1, seal, change.get("random", os.urandom(16)))
        data = b"".join(stored)
        if recipients:
            data = age(data + change.get("padding", skippable(100)), recipients)
            end = data.index(b"\n--- ") + 5 + 43 + 1 + 16
            table += change.get("preamble", lambda preamble: preamble)(data[:end])
            directory = age(zstd(table) + change.get("directory_padding", skippable(9)), recipients + host)
        else:
            directory = zstd(table)
        data = change.get("edit_data", lambda data: data)(data)
        directory = change.get("edit_directory", lambda directory: directory)(directory)
        self.seal = seal_of(recipients) if recipients else "none"
        self.directory = [32 + len(data), len(directory)]
        trailer = struct.pack("<QQII8s", *self.directory, 1, 0, b"CAIRNEND")
        self.bytes = change.get("header", header) + data + directory + change.get("trailer", trailer)
        self.name = sha256(self.bytes)
        self.key = f"packs/{self.name[:2]}/{self.name}"
        self.raw = sum(lengths)
        logical = b"".join(d + struct.pack("<I", n) for d, n in zip(digests, lengths))
        self.logical_id = sha256(logical)
        self.holds_list = False

    def extent(self, first: int = 0, count: int = 1) -> list[Any]:
        return [self.logical_id[:16], first, count]

    def item(self) -> dict[str, Any]:
        return {"name": self.name, "size": len(self.bytes), "directory": self.directory, "seal": self.seal}


class StoreWriter:
    """Writes objects into a directory, and complete snapshots; seals all where there are recipients."""

    def __init__(self, root: str, recipients: list[str] = [], host: list[str] = []) -> None:
        self.root = pathlib.Path(root)
        self.recipients = sorted(recipients)
        self.host = host  # the key of the host that writes
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
        value.update(encryption="age" if self.recipients else "none", recipients=self.recipients, create_only=True)
        value.update(change)
        data = lines(value)
        return self.put(f"config/{number}-{sha256(data)}.json", data)

    def pack(self, frames: list[list[bytes]], **change: Any) -> Pack:
        result = Pack(frames, **{"recipients": self.recipients, "host": self.host, **change})
        self.put(result.key, result.bytes)
        return result

    def text(self, text: str, spaces: int = 40) -> str:
        """A private text as a manifest holds it."""
        if not self.recipients:
            return text
        sealed = age(text.encode() + b" " * spaces, self.recipients + self.host)
        return base64.b64encode(sealed).decode()

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
        lists: dict[str, Any] = {},
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
                both = self.recipients + self.host
                frames = [chunks[i : i + 3] for i in range(0, len(chunks), 3)]
                table = self.pack(frames, recipients=both, host=[])
                table.seal = seal_of(self.recipients) if both else "none"
                table.holds_list = True
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
        fact.update(single_file=single_file, tags={"why": "test"}, stats=dict.fromkeys(reader.STATS, 0), content={})
        fact.update(facts)
        records = {"format": "cairn-record", "version": 1, "series": series, "cut_point": STAMP}
        records.update(sequence=1, previous=None, incomplete=False)
        records.update(facts=sha256(compact(fact).encode()), root=sha256(compact(roots).encode()))
        records.update(record)
        value = {"format": "cairn-manifest", "version": 1, "requires_read": [], "requires_write": []}
        seal = seal_of(self.recipients) if self.recipients else "none"
        value.update(requires_prune=[], record=compact(records), signatures=[], seal=seal)
        value.update(facts=self.text(compact(fact)), root=self.text(compact(roots)))
        arrays = {"logical_ids": [pack.logical_id for pack in packs]}
        arrays.update(raw_bytes=[pack.raw for pack in packs], live_bytes=[pack.raw for pack in packs])
        arrays.update(holds_list=[pack.holds_list for pack in packs])
        arrays.update(lists)
        value.update({"lists": self.text(compact(arrays))} if self.recipients else arrays)
        value.update(packs=[pack.item() for pack in packs])
        edit(value)
        text = compact(value)
        for key in ("root", "lists", "logical_ids", "raw_bytes", "packs"):
            text = text.replace(f',"{key}":', f'\n,"{key}":')
        data = form((text + "\n").encode())
        identity = sha256(value["record"].encode())
        plain = f"snapshots/{series}/{compact_time(STAMP)}-{identity[:16]}-{sha256(data)[:16]}.json"
        return self.put(name(plain), data)


class Case(unittest.TestCase):
    sealed = False

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(self.clean)
        self.number = 0
        self.recipients: list[str] = []
        self.host: list[str] = []
        self.options: list[str] = []  # of every run of the reader
        if self.sealed:
            self.identity, self.host_identity = (os.path.join(self.folder, name) for name in ("identity", "host"))
            other = new_identity(os.path.join(self.folder, "other"))
            self.recipients = [new_identity(self.identity), other]
            self.host = [new_identity(self.host_identity)]
            self.options = ["--identity", self.identity]

    def clean(self) -> None:
        for path, _, _ in os.walk(self.folder):
            os.chmod(path, 0o700)
        shutil.rmtree(self.folder)

    def new_store(self) -> StoreWriter:
        self.number += 1
        return StoreWriter(os.path.join(self.folder, f"store{self.number}"), self.recipients, self.host)

    def run_reader(self, *arguments: Any) -> tuple[int, str]:
        """Exit status and all output of the reader."""
        output = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = reader.main([os.fspath(argument) for argument in (*arguments, *self.options)])
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
        self.assertEqual(facts.copy, (name, 268, 0x53, 0x99, False))
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

    def test_of_two_snapshots_of_one_instant_the_greater_id_is_the_newest(self) -> None:
        store = self.new_store()
        names = [store.snapshot(lines(ROOT)), store.snapshot(lines(ROOT, entry("a")))]
        self.expect(0, f"good: {max(names)}", "verify", store.root, "demo")
        self.expect(0, f"good: {max(names)}", "verify", store.root, "latest")

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
            for key in ("raw_bytes", "live_bytes", "holds_list", "packs"):
                value[key].append(value[key][0])

        def other_lines(data: bytes) -> bytes:
            return data.replace(b'\n,"raw_bytes"', b',"raw_bytes"').replace(b',"live_bytes"', b'\n,"live_bytes"')

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
            ("facts tags", 4, "tags", {"facts": {"tags": {"a": 1}}}),
            ("facts stats", 4, "entries", {"facts": {"stats": {}}}),
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
            ("seal of no set", 1, "seal", {"edit": put("seal", "age:0123")}),
            ("holds_list", 4, "holds_list", {"lists": {"holds_list": [1, 1]}}),
            ("holds_list shorter", 4, "equally long", {"lists": {"holds_list": [False]}}),
            ("four lines", 4, "5 lines", {"form": lambda data: data.replace(b'\n,"root"', b',"root"')}),
            ("other lines", 4, "line 3", {"form": other_lines}),
            ("no final newline", 4, "5 lines", {"form": lambda data: data[:-1]}),
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
        store = self.new_store()
        first, later = (b"{", b'{"y":2,', 1), (b'\n,"root"', b'\n,"x":1,"root"')
        store.snapshot(lines(ROOT), form=lambda data: data.replace(*first).replace(*later))
        self.expect(0, "good", "verify", store.root)

    def test_a_pack_of_content_that_is_called_one_of_lists(self) -> None:
        store = self.new_store()
        pack = store.pack([[HELLO]])
        pack.holds_list = True
        store.snapshot(lines(ROOT, entry("f", size=len(HELLO), extents=[pack.extent()])), [pack])
        self.expect(4, "holds content", "verify", store.root)

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
            ("encryption", 1, "encryption", {"encryption": "rot13"}),
            ("no recipients", 4, "recipients", {"encryption": "age"}),
            ("recipients alone", 4, "recipients", {"recipients": ["age1" + "q" * 58]}),
            ("recipients twice", 4, "order", {"encryption": "age", "recipients": ["age1" + "q" * 58] * 2}),
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
        store.descriptor(2)
        store.descriptor(1, store_id="1" * 32)
        self.expect(4, "another generation", "verify", store.root)
        name = store.descriptor(3)
        (store.root / name).write_bytes((store.root / name).read_bytes() + b"\n")
        self.refused(store, "digest of its name")

    def test_packs(self) -> None:
        chunks = [HELLO, BYTES]
        frame = zstd(HELLO + BYTES)
        skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
        header = struct.pack("<8sII16s", b"CAIRNPAK", 1, 0, bytes(16))
        size = len(HELLO + BYTES)  # one raw block in a window of 18 MiB
        wide = b"\x28\xb5\x2f\xfd\x80" + bytes([14 << 3 | 1]) + struct.pack("<I", size)
        wide += (size << 3 | 1).to_bytes(3, "little") + HELLO + BYTES
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
            "cut": ("cut short", {"stored": [frame[:-1]]}),
            "window": ("window", {"stored": [wide]}),
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
        pack = Pack([[HELLO]], recipients=self.recipients)
        run, identity, when = "ab" * 16, "cd" * 32, compact_time(STAMP)
        private = {"host": "h", "logical_ids": [pack.logical_id], "holds_list": [False]}
        pending = {"format": "cairn-pending", "version": 1, "run": run, "number": 1}
        pending.update(created=STAMP, packs=[pack.item()], seal="none" if not self.sealed else pack.seal)
        pending.update(private=store.text(compact(private)))
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
        short = store.text(compact(dict(private, holds_list=[])))
        store.put(f"pending/{run}-1.json", lines(dict(pending, private=short)))
        self.expect(4, "equally long", "verify", store.root)
        store.put(f"pending/{run}-1.json", lines(pending))
        store.put(f"pending/{run}-2.json", lines(pending))
        self.expect(4, "number", "verify", store.root)


class SealedObjects(OtherObjects):
    sealed = True


class Sealed(Good):
    """All that is good, in a sealed store, and what only such a store can have."""

    sealed = True

    def one(self, store: StoreWriter, **change: Any) -> tuple[str, Pack]:
        """A snapshot with one file; its manifest and the pack of the file."""
        pack = store.pack([[HELLO], [BYTES]], **change)
        value = entry("f", size=len(HELLO + BYTES), extents=[pack.extent(0, 2)])
        return store.snapshot(lines(ROOT, value), [pack]), pack

    def restored(self, store: StoreWriter) -> None:
        target = self.target()
        self.expect(0, "restored", "restore", store.root, "demo", target)
        self.assertEqual(pathlib.Path(target, "f").read_bytes(), HELLO + BYTES)

    def test_identities(self) -> None:
        store = self.new_store()
        name, pack = self.one(store)
        self.restored(store)
        wrong = os.path.join(self.folder, "wrong")
        new_identity(wrong)
        self.options = ["--identity", wrong, "--identity", os.path.join(self.folder, "other")]
        self.restored(store)
        for options, text in (([], "give --identity"), (["--identity", wrong], "none of the identities opens it")):
            with self.subTest(text):
                self.options = options
                self.refused(store, text, 12)
                self.expect(12, text, "files", store.root, "demo")
                status, output = self.run_reader("list", store.root)
                self.assertEqual(status, 12 if options else 0)
                self.assertIn(" demo sealed", output)
        self.options = ["--identity", os.path.join(self.folder, "nothing")]
        self.expect(1, "No such file", "verify", store.root)
        for content in ("", "not an identity"):
            pathlib.Path(wrong).write_text(content)
            self.options = ["--identity", wrong]
            status, output = self.run_reader("verify", store.root)
            self.assertEqual(status, 1, output)
            self.assertIn("wrong", output)
        self.options = []
        data = bytearray(pack.bytes)
        data[-40] ^= 1
        store.put(pack.key, data)
        self.expect(12, f"{pack.key}: has not the digest", "verify", store.root)  # needs no identity

    def test_the_key_of_the_host_opens_all_but_content(self) -> None:
        store = self.new_store()
        name, pack = self.one(store)
        self.options = ["--identity", self.host_identity]
        self.expect(0, " f\n", "files", store.root, "demo")
        self.expect(12, f"{pack.key}: none of", "restore", store.root, "demo", self.target())
        self.expect(12, f"{pack.key}: none of", "verify", store.root)

    def test_only_some_packs_are_sealed(self) -> None:
        store = self.new_store()
        self.one(store, recipients=[])
        self.expect(0, "good", "verify", store.root)
        self.restored(store)
        store = StoreWriter(os.path.join(self.folder, "plain"))
        self.one(store, recipients=self.recipients)
        self.expect(0, "good", "verify", store.root)
        self.restored(store)
        self.options = []
        self.expect(0, "h:/srv", "list", store.root)
        self.expect(12, "give --identity", "restore", store.root, "demo", self.target())

    def test_many_segments(self) -> None:
        store = self.new_store()
        noise = [os.urandom(65536) for _ in range(5)]
        for size, padding in ((5, b""), (5, skippable(0)), (4, skippable(70000)), (1, b"")):
            pack = store.pack([[chunk] for chunk in noise[:size]], padding=padding, directory_padding=b"")
            value = entry("f", size=65536 * size, extents=[pack.extent(0, size)])
            store.snapshot(lines(ROOT, value), [pack], series=f"s{len(padding)}{size}")
            target = self.target()
            self.expect(0, "restored", "restore", store.root, f"s{len(padding)}{size}", target)
            self.assertEqual(pathlib.Path(target, "f").read_bytes(), b"".join(noise[:size]))
        self.expect(0, "good", "verify", store.root)

    def test_packs_that_are_wrong(self) -> None:
        def flip(position: int) -> Callable[[bytes], bytes]:
            def result(data: bytes) -> bytes:
                changed = bytearray(data)
                changed[position] ^= 1
                return bytes(changed)

            return result

        def armored(data: bytes) -> bytes:
            text = base64.encodebytes(data).decode().replace("\n", "")
            rows = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
            return f"-----BEGIN AGE ENCRYPTED FILE-----\n{rows}\n-----END AGE ENCRYPTED FILE-----\n".encode()

        ending = "something else than its padding"
        other = age(HELLO, self.recipients)
        cases: dict[str, tuple[str, dict[str, Any]]] = {
            "data part": ("payload", {"edit_data": flip(-20)}),
            "data part is cut": ("payload", {"edit_data": lambda data: data[:-1]}),
            "data part without tag": ("", {"edit_data": lambda data: data[:-16]}),
            "directory": ("payload", {"edit_directory": flip(-20)}),
            "directory is cut": ("open", {"edit_directory": lambda data: data[:60]}),
            "directory is armored": ("open", {"edit_directory": armored}),
            "no preamble": ("preamble", {"preamble": lambda preamble: b""}),
            "preamble": ("preamble in the directory", {"preamble": flip(40)}),
            "nonce": ("preamble in the directory", {"preamble": flip(-1)}),
            "preamble of another file": ("preamble in", {"preamble": lambda p: other[: len(p)]}),
            "preamble is cut": ("with a preamble", {"preamble": lambda preamble: preamble[:-1]}),
            "preamble and more": ("with a preamble", {"preamble": lambda preamble: preamble + b"x"}),
            "long preamble": ("", {"preamble": lambda preamble: preamble[:-86] + bytes(1048592) + preamble[-86:]}),
            "header of the data part": ("preamble in the directory", {"edit_data": flip(60)}),
            "padding is no frame": (ending, {"padding": bytes(50)}),
            "padding of another kind": (ending, {"padding": b"\x51" + skippable(20)[1:]}),
            "padding with content": (ending, {"padding": skippable(20)[:-1] + b"x"}),
            "padding is cut": (ending, {"padding": skippable(20)[:-1]}),
            "padding is short": (ending, {"padding": skippable(20)[:7]}),
            "two paddings": (ending, {"padding": skippable(20) * 2}),
            "padding is a frame": (ending, {"padding": zstd(b"hidden")}),
            "padding of the directory": (ending, {"directory_padding": bytes(50)}),
            "two of the directory": (ending, {"directory_padding": skippable(5) * 2}),
            "stored sizes": ("stored sizes", {"sizes": [len(zstd(HELLO)), 100000]}),
            "chunk": ("digest", {"digests": [hashlib.sha256(b"x").digest()] * 2}),
        }
        for name, (text, change) in cases.items():
            with self.subTest(name):
                store = self.new_store()
                _, pack = self.one(store, **change)
                target = self.target()
                self.expect(4, text, "restore", store.root, "demo", target)
                self.assertFalse(os.path.exists(os.path.join(target, "f")))
                self.expect(4, pack.key, "verify", store.root)
        for seal, status in ((0, 4), (2, 1)):
            with self.subTest(seal=seal):  # only a verification of the whole pack sees it
                store = self.new_store()
                self.one(store, header_seal=seal)
                self.assertEqual(self.run_reader("verify", store.root)[0], status)
                self.restored(store)

    def test_manifests_that_are_wrong(self) -> None:
        def text(key: str, content: bytes, change: Callable[[bytes], bytes] = lambda data: data) -> dict[str, Any]:
            sealed = base64.b64encode(change(age(content, self.recipients))).decode()
            return {"edit": lambda value: value.update({key: sealed})}

        def flipped(data: bytes) -> bytes:
            return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]

        for name, message, options in (
            ("facts", "digest that the record", text("facts", b"{}")),
            ("root", "digest that the record", text("root", b"{}")),
            ("other white space", "digest that the record", {"edit": lambda value: self.respace(value, b"\n")}),
            ("lists", "logical_ids", text("lists", b"{}")),
            ("no JSON", "JSON", text("lists", b"")),
            ("flipped byte", "payload", text("lists", b"{}", flipped)),
            ("cut", "open", text("lists", b"{}", lambda data: data[:-1])),
            ("no age file", "open", text("root", b"{}", lambda data: b"{}")),
            ("not sealed", "base64", {"edit": lambda value: value.update(facts="{}")}),
            ("line breaks", "base64", {"edit": lambda value: value.update(facts=value["facts"][:76] + "\n")}),
            ("no string", "string", {"edit": lambda value: value.update(lists={})}),
            ("lists that are not sealed", "4 lines", {"edit": lambda value: value.update(logical_ids=[])}),
            ("digest of packs", "digest that the root", {"root": {"packs": "0" * 64}}),
            ("array shorter", "equally long", {"lists": {"live_bytes": []}}),
            ("logical id", "malformed", {"lists": {"logical_ids": ["x"]}}),
            ("a line more", "4 lines", {"form": lambda data: data.replace(b',"seal"', b'\n,"seal"', 1)}),
        ):
            with self.subTest(name):
                store = self.new_store()
                store.snapshot(lines(ROOT), **options)
                self.refused(store, message)
                self.expect(4, message, "list", store.root)

    def respace(self, value: dict[str, Any], more: bytes) -> None:
        """Put something else than spaces behind a text."""
        keys = reader.Keys([self.identity])
        text = keys.open_text(value["facts"])
        value["facts"] = base64.b64encode(age(text + more, self.recipients)).decode()

    def test_a_flipped_byte_of_any_part_is_damage(self) -> None:
        store = self.new_store()
        _, pack = self.one(store)
        data = pack.bytes
        for position in range(32, len(data) - 32, 23):
            with self.subTest(position=position):
                changed = bytearray(data)
                changed[position] ^= 1 << position % 8
                store.put(pack.key, changed)
                target = self.target()
                self.expect(4, "", "restore", store.root, "demo", target)
                self.assertFalse(os.path.exists(os.path.join(target, "f")))
        store.put(pack.key, data)
        self.restored(store)

    def test_another_copy_serves_where_one_does_not_open(self) -> None:
        store = self.new_store()
        stranger = new_identity(os.path.join(self.folder, "stranger"))
        for change in ({"recipients": [stranger]}, {"edit_data": lambda data: data[:-1]}, {}):
            self.one(store, **change)
        target = self.target()
        self.expect(0, "restored", "restore", store.root, "demo", target)
        self.assertEqual(pathlib.Path(target, "f").read_bytes(), HELLO + BYTES)

    def test_opened_packs_are_closed_again(self) -> None:
        store = self.new_store()
        packs = [store.pack([[bytes([i]) * 100]]) for i in range(5)]
        extents = [pack.extent() for pack in packs] * 2
        store.snapshot(lines(ROOT, entry("f", size=1000, extents=extents)), packs)
        target = self.target()
        with unittest.mock.patch.multiple(reader, OPENED_CACHE=150, FRAME_CACHE=150):
            self.expect(0, "restored", "restore", store.root, "demo", target)
        wanted = b"".join(bytes([i]) * 100 for i in range(5)) * 2
        self.assertEqual(pathlib.Path(target, "f").read_bytes(), wanted)

    def test_without_age_nothing_is_called_damage(self) -> None:
        store = self.new_store()
        self.one(store)
        programs = os.path.join(self.folder, "programs")
        os.mkdir(programs)
        os.symlink(shutil.which("zstd"), os.path.join(programs, "zstd"))
        with unittest.mock.patch.dict(os.environ, PATH=programs):
            self.expect(1, "age is not in PATH", "verify", store.root)
            self.options = []
            self.expect(0, "sealed", "list", store.root)


class Signatures(Case):
    def setUp(self) -> None:
        super().setUp()
        self.keys = []
        for name in ("ours", "theirs"):
            path = os.path.join(self.folder, name)
            command = ["minisign", "-G", "-W", "-p", path + ".pub", "-s", path]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            self.keys.append(pathlib.Path(path + ".pub").read_text().split("\n")[1])

    def sign(self, line: str, name: str = "ours") -> str:
        path = os.path.join(self.folder, "line")
        pathlib.Path(path).write_text(line)
        command = ["minisign", "-S", "-s", os.path.join(self.folder, name), "-m", path, "-x", path + ".minisig"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return pathlib.Path(path + ".minisig").read_text()

    def put(self, store: StoreWriter, signatures: Callable[[str], list[Any]]) -> str:
        """A snapshot with some signatures over its line."""

        def edit(value: dict[str, Any]) -> None:
            identity = sha256(value["record"].encode())
            value["signatures"] = signatures(f"cairn-snapshot 1 demo {STAMP} {identity}\n")

        return store.snapshot(lines(ROOT), edit=edit)

    def test_who_signed(self) -> None:
        ours, theirs = self.keys

        def item(line: str, name: str = "ours", key: str = ours) -> dict[str, str]:
            return {"key": key, "minisig": self.sign(line, name)}

        wrong = "0123456789abcdef"
        junk: list[Any] = [None, 5, {}, {"key": ours}, {"key": 1, "minisig": 2}, {"key": ours, "minisig": "x"}]
        for name, good, signatures in (
            ("ours", True, lambda line: [item(line)]),
            ("among others", True, lambda line: junk + [item(line, "theirs", theirs), dict(item(line), more=1)]),
            ("nobody", False, lambda line: []),
            ("junk", False, lambda line: junk),
            ("theirs", False, lambda line: [item(line, "theirs", theirs)]),
            ("theirs as ours", False, lambda line: [item(line, "theirs")]),
            ("without newline", False, lambda line: [item(line[:-1])]),
            ("another id", False, lambda line: [item(line[:-17] + wrong + "\n")]),
            ("another series", False, lambda line: [item(line.replace("demo", "omed"))]),
            ("another time", False, lambda line: [item(line.replace("03:24", "03:25"))]),
        ):
            with self.subTest(name):
                store = self.new_store()
                self.put(store, signatures)
                self.options = []
                self.expect(0, "good", "verify", store.root)
                self.expect(0, "restored", "restore", store.root, "demo", self.target())
                for key in (ours, os.path.join(self.folder, "ours.pub")):
                    self.options = ["--trusted-key", key]
                    self.expect(0, "test signed" if good else "not-signed", "list", store.root)
                    if good:
                        self.expect(0, "good", "verify", store.root)
                        self.expect(0, "restored", "restore", store.root, "demo", self.target())
                    else:
                        self.refused(store, "no trusted key has signed", 13)
        self.options += ["--trusted-key", theirs]
        store = self.new_store()
        self.put(store, lambda line: [item(line, "theirs", theirs)])
        self.expect(0, "restored", "restore", store.root, "demo", self.target())

    def test_one_of_the_manifests_of_a_snapshot_is_enough(self) -> None:
        store = self.new_store()
        self.put(store, lambda line: [])
        self.put(store, lambda line: [{"key": self.keys[0], "minisig": self.sign(line)}])
        self.options = ["--trusted-key", self.keys[0]]
        self.expect(0, "restored", "restore", store.root, "demo", self.target())

    def test_trusted_keys(self) -> None:
        store = self.new_store()
        self.put(store, lambda line: [])
        for key in ("RW", os.path.join(self.folder, "ours"), os.path.join(self.folder, "nothing")):
            self.options = ["--trusted-key", key]
            self.expect(2, "neither a minisign public key", "list", store.root)


class SealedSignatures(Signatures):
    sealed = True

    def setUp(self) -> None:
        super().setUp()
        self.sealed_options = self.options

    def run_reader(self, *arguments: Any) -> tuple[int, str]:
        return super().run_reader(*arguments, *self.sealed_options)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIPPED: needs root: owners, devices and access control lists")
    unittest.main()
