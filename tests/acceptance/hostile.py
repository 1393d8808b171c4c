#!/usr/bin/env python3
"""Stores made by hand that are consistent in every digest and lie in everything else: frames and directories that expand
beyond all bounds, sizes near 2^63, names that lead out of the target, entries below symbolic links, lists that do not
end. Each command says what is wrong with an exit status of the design, writes nothing outside the target and keeps its
memory bounded. Arguments: short or long (ten million entries), then the
steps, if not all."""

import base64
import contextlib
import hashlib
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys

from support import Cairn, Workspace, check, main

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
from test_reader import STAMP, StoreWriter, compact, entry, lines, sha256, zstd  # noqa: E402

MEMORY = 512 << 20
MACHINE = 8 << 30  # of addresses: where the program does not keep its bounds, the machine survives the test
ROOT = entry(".", "directory")
HELLO = b"hello, world\n"


def frame_header(size: int) -> bytes:
    """Of a Zstandard frame in one segment that claims so many bytes."""
    return b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", size)


def repeated_block(size: int, last: bool) -> bytes:
    """A block that stands for so many equal bytes."""
    return (size << 3 | 1 << 1 | int(last)).to_bytes(3, "little") + b"x"


def bomb(claimed: int, blocks: int, size: int = 128 << 10) -> bytes:
    """A frame that says what it likes and expands to blocks * size."""
    body = repeated_block(size, False) * (blocks - 1) + repeated_block(size, True)
    return frame_header(claimed) + body


def without_path(value: dict) -> dict:
    return {key: member for key, member in value.items() if key != "path"}


def remove(path: pathlib.Path) -> None:
    """Whatever its depth, which shutil.rmtree does not like."""
    subprocess.run(["rm", "-rf", str(path)], check=True)


class Hostile:
    def __init__(self, binary: str, work: pathlib.Path):
        self.binary = binary
        self.work = work
        self.cairn = Cairn(binary, work / "home")
        self.cairn.home.mkdir()
        self.cairn.environment["CAIRN_CACHE_DIR"] = ""
        self.canary = work / "canary"
        self.canary.mkdir()
        (self.canary / "file").write_text("not to be touched\n")
        (self.canary / "folder").mkdir()
        self.number = 0
        self.depth = 0  # of folders
        self.memory = MEMORY
        self.peak = 0
        self.runs = 0
        self.statuses: dict[int, int] = {}
        self.failures: list[str] = []

    def fail(self, message: str) -> None:
        self.failures.append(message)
        print(f"FAILED: {message}", file=sys.stderr, flush=True)

    def store(self) -> StoreWriter:
        self.number += 1
        return StoreWriter(str(self.work / f"store{self.number}"))

    def outside(self) -> dict[str, object]:
        """Everything near the target that a store must not reach."""
        found = {}
        for path in [self.work, *self.canary.rglob("*"), self.canary]:
            status = path.lstat()
            mtime = 0 if path == self.work else status.st_mtime_ns
            found[str(path)] = (status.st_mode, status.st_uid, status.st_nlink if path != self.work else 0, mtime,
                                path.read_bytes() if path.is_file() else sorted(os.listdir(path)) if path != self.work else b"")
        found["work"] = sorted(name for name in os.listdir(self.work) if not name.startswith(("store", "home", "back")))
        return found

    def run(self, what: str, allowed: tuple[int, ...], *args) -> tuple[int, str]:
        """Status and all output; the peak of its memory is checked."""
        before = self.outside()
        with open(self.work / "home" / "out", "w+b") as out:
            process = subprocess.Popen([self.binary, *map(str, args)], env=self.cairn.environment, stdout=out, stderr=out,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MACHINE, MACHINE)))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            text = out.read(1 << 20).decode(errors="replace")
        peak = usage.ru_maxrss << 10
        self.peak = max(self.peak, peak)
        self.runs += 1
        status = process.returncode
        self.statuses[status] = self.statuses.get(status, 0) + 1
        command = f"{what}: {args[0]}"
        if peak > self.memory:
            self.fail(f"{command}: a peak of {peak >> 20} MiB")
        if status not in allowed:
            self.fail(f"{command}: exit {status}: {text[:300]}")
        elif status != 0 and "cairn: error: " not in text and "cairn: warning: " not in text:
            self.fail(f"{command}: exit {status} without an error: {text[:300]}")
        if self.outside() != before:
            self.fail(f"{command}: something outside the target changed")
        return status, text

    def all_commands(self, what: str, store: StoreWriter, refused: tuple[int, ...] = (4,), partial: bool = False) -> None:
        """Restore and verify refuse; whoever else reads the store ends in good order."""
        back = self.work / "back"
        any_end = (0, 1, 2, 3, 4, 10, 11, 13)
        self.run(what, refused, "restore", "--store", store.root, "demo", back)
        if not partial and back.exists() and any(back.iterdir()):
            self.fail(f"{what}: restore left {sorted(os.listdir(back))}")
        left = [name for name in os.listdir(self.work) if name.startswith((".", "back")) and name != "back"]
        if left:
            self.fail(f"{what}: restore left {left} beside the target")
        remove(back)
        self.run(what, refused, "verify", "--store", store.root, "--level", "full")
        self.run(what, (*refused, 0), "restore", "--store", store.root, "demo", back, "--plan")
        self.run(what, any_end, "list", "--store", store.root)
        self.run(what, any_end, "list", "demo", "--files", "--store", store.root)
        self.run(what, any_end, "show", "demo", "--store", store.root)
        self.run(what, any_end, "diff", "demo", self.canary, "--store", store.root)
        self.run(what, any_end, "snapshot", "--store", store.root, self.canary, "--series", "demo")
        self.run(what, any_end, "prune", "--store", store.root, "--series", "demo", "--keep-last", "1", "--apply")
        target = self.work / "store-target"
        self.cairn.run("init", "--store", target, "--no-encryption")
        self.run(what, any_end, "push", "--from", store.root, "--to", target, "--all")
        shutil.rmtree(target)
        shutil.rmtree(store.root)

    # What it is made of -----------------------------------------------------------------------------------------------

    def bombs(self) -> None:
        size = 1 << 20
        digest = [hashlib.sha256(b"x" * size).digest()]
        frames = {
            "a frame that claims 2^40 bytes": bomb(1 << 40, 8),
            "a frame that claims 2^63 bytes": bomb(1 << 63, 8),
            "a frame that claims 2^64 - 1 bytes": bomb((1 << 64) - 1, 8),
            "a frame of 16 GiB that claims what the directory says": bomb(size, 1 << 17),
            "a frame of nothing": bomb(size, 1, 0),
            "a frame without its size": b"\x28\xb5\x2f\xfd\x00\x58" + repeated_block(size >> 3, True),
            "two frames for one": bomb(size // 2, 4) * 2,
        }
        for what, stored in frames.items():
            store = self.store()
            content = store.pack([[b"x"]], stored=[stored], lengths=[size], digests=digest)
            store.snapshot(lines(ROOT, entry("bad", size=size, extents=[content.extent()]), entry("good")), [content])
            self.all_commands(what, store, partial=True)
        for what, change in {
            "a directory that claims 2^40 bytes": bomb(1 << 40, 8),
            "a directory of 16 GiB": bomb(1000, 1 << 17),
            "a directory of the most that the format allows, all x": bomb(738197524, 738197524 // (128 << 10)),
            "a directory with a window of 2^41": b"\x28\xb5\x2f\xfd\xc0\xf8" + struct.pack("<Q", 1 << 41) + repeated_block(100, True),
        }.items():
            store = self.store()
            content = store.pack([[HELLO]], edit_directory=lambda directory, new=change: new)
            store.snapshot(lines(ROOT, entry("bad", size=13, extents=[content.extent()])), [content])
            # The format allows a directory that large.
            self.memory = 768 << 20 if "the most" in what else MEMORY
            self.all_commands(what, store, partial=True)
        self.memory = MEMORY

    def directories(self) -> None:
        """Counts and sizes that a directory only claims."""
        for what, change in {
            "2^32 - 1 chunks": lambda table: table[:16] + struct.pack("<I", (1 << 32) - 1) + table[20:],
            "2^24 chunks": lambda table: table[:16] + struct.pack("<I", 1 << 24) + table[20:],
            "2^32 - 1 frames": lambda table: table[:12] + struct.pack("<I", (1 << 32) - 1) + table[16:],
            "no frame": lambda table: table[:12] + struct.pack("<I", 0) + table[16:],
            "no chunk": lambda table: table[:16] + struct.pack("<I", 0) + table[20:],
            "a stored size of 2^32 - 1": lambda table: table[:20] + struct.pack("<I", (1 << 32) - 1) + table[24:],
            "a chunk of 2^32 - 1 bytes": lambda table: table[:28] + struct.pack("<I", (1 << 32) - 1) + table[32:],
            "a chunk of no bytes": lambda table: table[:28] + struct.pack("<I", 0) + table[32:],
        }.items():
            store = self.store()
            stored = zstd(HELLO)
            table = struct.pack("<8sIIIIII", b"CAIRNDIR", 1, 1, 1, len(stored), 1, 13) + hashlib.sha256(HELLO).digest()
            content = store.pack([[HELLO]], edit_directory=lambda directory, new=change(table): zstd(new))
            store.snapshot(lines(ROOT, entry("bad", size=13, extents=[content.extent()])), [content])
            self.all_commands(f"a directory with {what}", store, partial=True)

    def places(self) -> None:
        """Sizes and offsets in the manifest's list of packs, up to the largest integer."""
        big = (1 << 53) - 1
        for what, change in {
            "a pack of 2^53 - 1 bytes": {"size": big, "directory": [32, big - 64]},
            "a directory of 2^40 bytes": {"size": (1 << 40) + 64, "directory": [32, 1 << 40]},
            "a directory at 2^53 - 100": {"size": big, "directory": [big - 100, 68]},
            "a directory at 2^64": {"directory": [1 << 64, 10]},
            "a directory at 2^63": {"size": (1 << 63) + 42, "directory": [1 << 63, 10]},
            "a negative size": {"size": -1},
            "a size of 1e300": {"size": 1e300},
            "a directory in the header": {"directory": [0, 10]},
        }.items():
            store = self.store()
            content = store.pack([[HELLO]])
            store.snapshot(lines(ROOT, entry("bad", size=13, extents=[content.extent()])), [content],
                           edit=lambda value, change=change: value["packs"][0].update(change))
            self.all_commands(what, store, partial=True)

    def extents(self) -> None:
        for what, make in {
            "2^40 chunks": lambda content: [content.extent(0, 1 << 40)],
            "2^53 - 1 chunks": lambda content: [content.extent(0, (1 << 53) - 1)],
            "a first chunk of 2^53 - 1": lambda content: [content.extent((1 << 53) - 1, 1)],
            "first and count that add to 2^64": lambda content: [[content.logical_id[:16], (1 << 63), 1 << 63]],
            "a first chunk behind the last": lambda content: [content.extent(2, 1)],
            "one chunk too many": lambda content: [content.extent(0, 3)],
            "no chunk": lambda content: [content.extent(0, 0)],
            "another pack": lambda content: [["0" * 16, 0, 1]],
            "no pack": lambda content: [["", 0, 1]],
            "a hole of 2^53 - 1 bytes": lambda content: [[(1 << 53) - 1]],
            "holes that add to more than 2^64": lambda content: [[(1 << 53) - 1]] * 3000,
            "a hole of none": lambda content: [[0], content.extent(0, 1)],
            "a negative hole": lambda content: [[-13]],
            "one chunk twice in the place of one": lambda content: [content.extent(), content.extent()],
            "one chunk a million times": lambda content: [content.extent()] * 1_000_000,
        }.items():
            store = self.store()
            content = store.pack([[HELLO, b"again"]])
            store.snapshot(lines(ROOT, entry("bad", size=13, extents=make(content)), entry("good")), [content], piece=1 << 20)
            self.all_commands(f"extents: {what}", store, partial=True)
        # What is claimed can be true of a file full of holes: it takes no space, and no memory.
        store = self.store()
        huge = (1 << 43) + 1
        store.snapshot(lines(ROOT, entry("sparse", size=huge, extents=[[huge]]), entry("z")), [])
        self.all_commands("a file of 8 TiB that is a hole", store, refused=(0, 1, 4), partial=True)
        store = self.store()
        store.snapshot(lines(ROOT, entry("sparse", size=(1 << 53) - 1, extents=[[(1 << 53) - 1]]), entry("z")), [])
        self.all_commands("a file of 2^53 - 1 bytes that is a hole", store, refused=(0, 1, 4), partial=True)
        # Content that is truly there, but once in the store: no lie, but no reason to run out of anything either.
        store = self.store()
        content = store.pack([[b"y" * (1 << 20)]])
        store.snapshot(lines(ROOT, entry("parts", size=1 << 40, parts=1 << 40)), [content])
        self.all_commands("2^40 parts that do not follow", store, partial=True)

    def names(self) -> None:
        """No name reaches what is outside."""
        evil: dict[str, list] = {
            "..": [entry("..", "directory")],
            "../file": [entry("../file")],
            "a path with .. within": [entry("a", "directory"), entry("a/../../canary/file")],
            "an absolute path": [entry(f"{self.canary}/file")],
            "an absolute root": [entry("/", "directory")],
            "an empty path": [entry("")],
            "an empty component": [entry("a", "directory"), entry("a//b")],
            "a slash at the end": [entry("a/", "directory")],
            "a component .": [entry("a", "directory"), entry("a/./b")],
            "a NUL": [entry("a\0b")],
            "a NUL in base64": [entry(b"\xff\0b")],
            ".. in base64": [{"path_b64": base64.b64encode(b"../file").decode(), **without_path(entry("x"))}],
            "a component of 256 bytes": [entry("x" * 256)],
            "a path of 70,000 bytes": [entry("/".join(["y" * 200] * 350))],
            "a parent that is not there": [entry("a/b")],
            "a parent that is a file": [entry("a"), entry("a/b")],
            "below a symbolic link": [entry("a", "symlink", target=str(self.canary)), entry("a/file")],
            "a folder below a symbolic link": [entry("a", "symlink", target=".."), entry("a/canary", "directory"), entry("a/canary/file")],
            "a link and then a folder of its name": [entry("a", "symlink", target=str(self.canary)), entry("a", "directory"), entry("a/file")],
            "a folder and then a link of its name": [entry("a", "directory"), entry("a", "symlink", target=str(self.canary)), entry("a/file")],
            "a link and then a file of its name": [entry("a", "symlink", target=str(self.canary / "file")), entry("a")],
            "a hard link to the outside": [entry("a", "hardlink", target="../canary/file")],
            "a hard link to an absolute path": [entry("a", "hardlink", target=str(self.canary / "file"))],
            "a hard link through a symbolic link": [entry("a", "symlink", target=str(self.canary)), entry("b", "hardlink", target="a/file")],
            "a hard link to itself": [entry("a", "hardlink", target="a")],
            "a hard link to a later entry": [entry("a", "hardlink", target="b"), entry("b")],
            "a hard link to a hard link": [entry("a"), entry("b", "hardlink", target="a"), entry("c", "hardlink", target="b")],
            "a hard link to a folder": [entry("a", "directory"), entry("b", "hardlink", target="a")],
            "a hard link to the root": [entry("a", "hardlink", target=".")],
            "an entry twice": [entry("a"), entry("a")],
            "entries out of order": [entry("b"), entry("a")],
            "a folder after what it holds": [entry("a/b"), entry("a", "directory")],
            "a second root": [entry(".", "directory")],
            "a symlink without a target": [entry("a", "symlink", target="")],
            "a symlink with a NUL": [entry("a", "symlink", target="a\0b")],
            "a mode of 2^31": [entry("a", mode=1 << 31)],
            "a file with the type of a device": [entry("a", "blockdevice", size=0, extents=[])],
            "a type that is unknown": [entry("a", "door")],
            "a member that is unknown": [entry("a", evil=1)],
            "an attribute without a name": [entry("a", xattrs=[{"name": "", "value_b64": ""}])],
            "a time in the year 9999": [entry("a", mtime="9999-01-01T00:00:00.000000000Z")],
        }
        for what, values in evil.items():
            store = self.store()
            store.snapshot(lines(ROOT, entry("0-before"), *values), piece=1 << 16)
            self.all_commands(f"entries: {what}", store)
        store = self.store()
        store.snapshot(lines(entry("..", size=0)), single_file=True)
        self.all_commands("a single file ..", store)
        store = self.store()
        store.snapshot(lines(entry("a/b", size=0)), single_file=True)
        self.all_commands("a single file below a folder", store)
        store = self.store()
        store.snapshot(lines(entry("a", "symlink", target=str(self.canary / "file"))), single_file=True)
        self.all_commands("a single file that is a symbolic link", store)

    def links_that_are_allowed(self) -> None:
        """A link out of the tree is content; nothing is written through it, by a second restore neither."""
        store = self.store()
        content = store.pack([[HELLO]])
        store.snapshot(lines(ROOT, entry("file", "symlink", target=str(self.canary / "file")),
                             entry("folder", "symlink", target=str(self.canary))), [content])
        store.snapshot(lines(ROOT, entry("file", size=13, extents=[content.extent()]), entry("folder", "directory"),
                             entry("folder/file", size=13, extents=[content.extent()])), [content], series="over")
        back = self.work / "back"
        self.run("links", (0,), "restore", "--store", store.root, "demo", back)
        check(os.readlink(back / "folder") == str(self.canary), "the link is not restored")
        self.run("files over links", (2,), "restore", "--store", store.root, "over", back)
        # A link in the place of a folder, or the other way round, is replaced or refused, never followed.
        self.run("files over links", (0, 2), "restore", "--store", store.root, "over", back, "--overwrite")
        shutil.rmtree(back)
        self.run("files", (0,), "restore", "--store", store.root, "over", back)
        self.run("links over files", (0, 2), "restore", "--store", store.root, "demo", back, "--overwrite")
        # Planted at the target, not in the store.
        shutil.rmtree(back)
        back.mkdir()
        (back / "folder").symlink_to(self.canary)
        self.run("a link at the target", (0, 2), "restore", "--store", store.root, "over", back, "--overwrite")
        self.run("a part below a link", (0, 2), "restore", "--store", store.root, "over", back, "--path", "folder/file", "--overwrite")
        shutil.rmtree(back)
        shutil.rmtree(store.root)

    def lists(self) -> None:
        for levels in (9, 1 << 20, (1 << 53) - 1, -1):
            store = self.store()
            store.snapshot(lines(ROOT, entry("a")), root={"levels": levels})
            self.all_commands(f"{levels} levels", store)
        for what, root in {
            "a list of 2^53 - 1 bytes": {"size": (1 << 53) - 1},
            "a list of 2^40 bytes": {"size": 1 << 40},
            "a list of no bytes": {"size": 0},
            "a hole in the list": {"extents": [[1 << 40]], "size": 1 << 40},
            "a list of a pack that is not there": {"extents": [["1" * 16, 0, 1]]},
        }.items():
            store = self.store()
            store.snapshot(lines(ROOT, entry("a")), root=root)
            self.all_commands(what, store)
        # No list can name itself, for its pack would have to hold its own id; but each level can name the one below 2000
        # times.
        store = self.store()
        listing = lines(ROOT, entry("a"))
        content = store.pack([[listing]])
        content.holds_list = True
        packs = [content]
        for _ in range(8):
            packs.append(store.pack([[lines({"part": 1, "extents": [packs[-1].extent()] * 2000})]]))
            packs[-1].holds_list = True
        store.snapshot(b"", packs, root={"levels": 8, "size": len(listing), "extents": [packs[-1].extent()]})
        self.all_commands("2000^8 times the same list", store)
        store = self.store()
        store.snapshot(b"\n" * 100_000, piece=1 << 16)
        self.all_commands("a list of empty lines", store)
        store = self.store()
        store.snapshot(b"x" * (70 << 20), piece=1 << 20)
        self.all_commands("a line of 70 MiB", store)

    def json(self) -> None:
        deep = "[" * 100_000 + "]" * 100_000
        for what, text in {
            "a bomb of depth": '{"a":' + deep + "}\n",
            "an open bomb of depth": '{"a":' * 1_000_000,
            "nothing but [": "[" * 10_000_000,
            "a number of a million digits": '{"a":' + "9" * 1_000_000 + "}\n",
            "a key a million times": "{" + '"a":1,' * 1_000_000 + '"a":1}\n',
            "a string of 64 MiB": '{"a":"' + "x" * (64 << 20) + '"}\n',
            "NUL": "\0" * 1000,
            "nothing": "",
        }.items():
            store = self.store()
            store.snapshot(lines(ROOT, entry("a")), form=lambda data, text=text: text.encode())
            self.all_commands(f"a manifest: {what}", store)
            store = self.store()
            store.snapshot((lines(ROOT) + text.encode())[: 32 << 20], piece=1 << 20)
            if text:
                self.all_commands(f"an entry list: {what}", store)
            else:
                shutil.rmtree(store.root)
            store = self.store()
            store.snapshot(lines(ROOT, entry("a")))
            data = text.encode()
            store.put(f"marks/20261121T032410.123456789Z-{'0' * 32}.json", data)
            store.put(f"pending/{'0' * 32}-1.json", data)
            store.put(f"pins/{'0' * 64}/20261121T032410.123456789Z-pin-{'0' * 16}.json", data)
            store.put("lease/prune.json", data)
            self.all_commands(f"mark, pending record and pin: {what}", store, refused=(0, 4), partial=True)
            store = self.store()
            store.snapshot(lines(ROOT, entry("a")))
            shutil.rmtree(store.root / "config")
            store.put(f"config/1-{sha256(data)}.json", data)
            self.all_commands(f"a descriptor: {what}", store)

    def huge_manifest(self) -> None:
        """A manifest of a GiB and more: a sparse file costs the store nothing, and must cost the reader nothing."""
        for size in ((1 << 30) + 1, 1 << 40):
            store = self.store()
            store.snapshot(lines(ROOT, entry("a")))
            path = next((store.root / "snapshots" / "demo").iterdir())
            os.truncate(path, size)
            self.all_commands(f"a manifest of {size} bytes", store)
        store = self.store()
        store.snapshot(lines(ROOT, entry("a")))
        path = next((store.root / "packs").rglob("*/*"))
        os.truncate(path, 1 << 43)
        self.all_commands("a pack of 8 TiB", store, refused=(0, 4), partial=True)  # read by ranges, it is whole
        store = self.store()
        store.snapshot(lines(ROOT, entry("a")))
        path = next((store.root / "config").iterdir())
        os.truncate(path, 1 << 40)
        self.all_commands("a descriptor of 1 TiB", store)

    def deep(self) -> None:
        """Far beyond PATH_MAX. It is restored all the same."""
        store = self.store()
        depth = self.depth
        paths = ["/".join(["d"] * (i + 1)) for i in range(depth)]
        listing = lines(ROOT, *(entry(path, "directory") for path in paths), entry(paths[-1] + "/file"))
        store.snapshot(listing, piece=1 << 18)
        back = self.work / "back"
        status, text = self.run(f"{depth} folders", (0,), "restore", "--store", store.root, "demo", back)
        if status == 0:
            found = 0
            inside = os.open(back, os.O_RDONLY)
            with contextlib.suppress(FileNotFoundError):
                while True:
                    below = os.open("d", os.O_RDONLY, dir_fd=inside)
                    os.close(inside)
                    inside = below
                    found += 1
            check(found == depth and os.listdir(inside) == ["file"], f"only {found} of {depth} folders are restored")
            os.close(inside)
        remove(back)
        self.all_commands(f"{depth} folders", store, refused=(0,), partial=True)
        remove(back)

    def object_names(self) -> None:
        """Objects of names that are none, links and devices in the store."""
        store = self.store()
        store.snapshot(lines(ROOT, entry("a")))
        os.symlink(self.canary, store.root / "snapshots" / "canary")
        os.symlink(self.canary / "file", store.root / "packs" / ("0" * 64))
        os.symlink("/dev/zero", store.root / "marks")
        os.mkfifo(store.root / "snapshots" / "demo" / "fifo.json")
        (store.root / "snapshots" / "demo" / "..json").write_text("x")
        (store.root / "snapshots" / "a\nb").mkdir()
        (store.root / "snapshots" / "a\nb" / "x\x1b[31m.json").write_text("x")
        self.all_commands("odd names in the store", store, refused=(0, 4), partial=True)

    def many(self, number: int) -> None:
        """So many entries, in a list that is consistent: memory does not follow their number."""
        store = self.store()
        packs = []
        size = 0
        levels = []
        tail = compact(without_path(entry("x", "directory")))[1:]
        first = compact(ROOT) + "\n"
        batch = 100_000
        for begin in range(0, number, batch):
            text = "".join(f'{{"path":"e{i:09}",{tail}\n' for i in range(begin, min(begin + batch, number)))
            data = ((first if begin == 0 else "") + text).encode()
            size += len(data)
            chunks = [data[i : i + 65536] for i in range(0, len(data), 65536)]
            frames = [chunks[i : i + 16] for i in range(0, len(chunks), 16)]
            pack = store.pack(frames)
            pack.holds_list = True
            packs.append(pack)
            levels.append({"part": len(data), "extents": [pack.extent(0, len(chunks))]})
        table_text = lines(*levels)
        table = store.pack([[table_text]])
        table.holds_list = True
        store.snapshot(b"", [*packs, table], root={"levels": 1, "size": size, "extents": [table.extent()]})
        stored = sum(path.stat().st_size for path in store.root.rglob("*") if path.is_file())
        print(f"{number} entries: {size >> 20} MiB of list, {stored >> 20} MiB of store", flush=True)
        before, self.peak = self.peak, 0
        for command in (("verify", "--level", "full"), ("list", "demo", "--files"), ("show", "demo")):
            self.run(f"{number} entries", (0,), *command, "--store", store.root)
            print(f"{number} entries: {command[0]}: a peak of {self.peak >> 20} MiB", flush=True)
        back = self.work / "back"
        self.run(f"{number} entries", (0,), "restore", "--store", store.root, "demo", back, "--plan")
        self.run(f"{number} entries", (0,), "restore", "--store", store.root, "demo", back, "--path", f"e{number - 1:09}")
        check((back / f"e{number - 1:09}").is_dir(), "the last entry is not restored")
        shutil.rmtree(back)
        self.run(f"{number} entries", (0,), "snapshot", "--store", store.root, self.canary, "--series", "demo")
        print(f"{number} entries: a peak of {self.peak >> 20} MiB in all", flush=True)
        self.peak = max(before, self.peak)
        shutil.rmtree(store.root)


def run(binary: str, args: list[str]) -> None:
    long = args[:1] == ["long"]
    with Workspace("hostile") as work:
        hostile = Hostile(binary, work)
        hostile.depth = 10_000 if long else 2000
        wanted = args[1:]
        steps = [hostile.bombs, hostile.directories, hostile.places, hostile.extents, hostile.names,
                 hostile.links_that_are_allowed, hostile.lists, hostile.json, hostile.huge_manifest, hostile.deep,
                 hostile.object_names]
        for step in steps:
            if wanted and step.__name__ not in wanted:
                continue
            runs, failures = hostile.runs, len(hostile.failures)
            step()
            print(f"{step.__name__}: {hostile.runs - runs} runs, {len(hostile.failures) - failures} failures", flush=True)
        if not wanted or "many" in wanted:
            hostile.many(10_000_000 if long else 200_000)
        print(f"{hostile.number} stores, {hostile.runs} runs, by exit status: {dict(sorted(hostile.statuses.items()))}")
        print(f"peak of memory: {hostile.peak >> 20} MiB")
        check(hostile.failures == [], f"{len(hostile.failures)} failures")


main(run)
