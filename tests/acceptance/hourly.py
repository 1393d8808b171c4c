#!/usr/bin/env python3
"""Hourly snapshots of a small changing directory, or of a database with 0.1 % churn, twice: into a store that keeps all of
them, and into one where prune leaves the last two days and a yearly pin. Prints packs a snapshot, bytes written and
stored over the ideal, and bytes read at a restore, and holds them to what the design promises (28 packs; written 4.9,
read 1.52 times; stored 1.7 times). Arguments: directory or database, then how many snapshots.

Ideal is each different file, or page, once: the contents are random bytes, which nothing compresses."""

import hashlib
import pathlib
import random
import sqlite3
import subprocess

from support import Cairn, Workspace, check, main, store_bytes

PAGE = 4096
LAST = 48
MOST_OVER_IDEAL = 1.7
PINNED = 365  # every so many


def make_directory(path: pathlib.Path, rng: random.Random):
    path.mkdir()
    for i in range(200):
        (path / f"f{i:03}").write_bytes(rng.randbytes(rng.randrange(1000, 30000)))

    def change():
        for _ in range(4):
            (path / f"f{rng.randrange(200):03}").write_bytes(rng.randbytes(rng.randrange(1000, 30000)))

    return change


def make_database(path: pathlib.Path, rng: random.Random):
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
    rows = 16_000
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((i, rng.randbytes(3900)) for i in range(rows)))
    connection.commit()

    def change():
        for i in rng.sample(range(rows), rows // 1000):
            connection.execute("UPDATE t SET b = ? WHERE id = ?", (rng.randbytes(3900), i))
        connection.commit()

    return change


def pieces(source: pathlib.Path) -> dict[bytes, int]:
    """The size of each different file of a directory, or page of a file."""
    if source.is_dir():
        parts = [path.read_bytes() for path in source.iterdir()]
    else:
        content = source.read_bytes()
        parts = [content[at : at + PAGE] for at in range(0, len(content), PAGE)]
    return {hashlib.blake2b(part, digest_size=16).digest(): len(part) for part in parts}


def size_of_all(snapshots: list[dict[bytes, int]]) -> int:
    return sum({name: size for snapshot in snapshots for name, size in snapshot.items()}.values())


class History:
    """A store, and what went into it."""

    def __init__(self, cairn: Cairn, store: pathlib.Path, source: pathlib.Path):
        self.cairn = cairn
        self.store = store
        self.source = source
        self.written = 0
        self.packs: list[int] = []
        self.read: list[float] = []
        self.over_ideal: list[float] = []
        cairn.run("init", "--store", store, "--no-encryption")

    def snapshot(self) -> None:
        taken = self.cairn.json("snapshot", "--store", self.store, self.source, "--series", "s")
        self.written += taken["stored_bytes"]
        self.packs.append(len(self.cairn.json("show", "--store", self.store, "s")["packs"]))
        plan = self.cairn.json("restore", "--store", self.store, "s", self.store / "none", "--plan")["plan"]
        self.read.append(plan["bytes_to_fetch"] / taken["bytes"])

    def prune(self) -> None:
        # Once to mark and once to delete.
        for _ in range(2):
            grace = ("--grace", "0s", "--exclusive", "--apply")
            self.cairn.run("prune", "--store", self.store, "--series", "s", "--keep-last", LAST, *grace)

    def report(self, name: str, ideal: int) -> None:
        print(f"{name}: packs a snapshot: mean {sum(self.packs) / len(self.packs):.1f}, most {max(self.packs)}")
        print(f"{name}: written {self.written} bytes, {self.written / ideal:.2f} times the ideal {ideal}")
        read = sum(self.read) / len(self.read)
        print(f"{name}: to read for a restore: mean {read:.2f} times the source, most {max(self.read):.2f}")
        if self.over_ideal:
            mean = sum(self.over_ideal) / len(self.over_ideal)
            last = self.over_ideal[-1]
            print(f"{name}: stored over the ideal: mean {mean:.2f}, most {max(self.over_ideal):.2f}, last {last:.2f}")
            check(mean <= MOST_OVER_IDEAL, "the store holds too much")
        check(sum(self.packs) / len(self.packs) <= 28, "too many packs a snapshot")
        check(self.written <= 4.9 * ideal, "too much was written")
        check(read <= 1.52, "restores read too much")

    def whole(self, back: pathlib.Path) -> None:
        self.cairn.run("verify", "--store", self.store, "--level", "full")
        self.cairn.run("restore", "--store", self.store, "s", back)
        subprocess.run(["diff", "-r", self.source, back], check=True)


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "directory"
    count = int(args[1]) if len(args) > 1 else 365
    with Workspace("hourly") as work:
        cairn = Cairn(binary, work)
        rng = random.Random(2)
        source = work / "source"
        change = make_directory(source, rng) if kind == "directory" else make_database(source, rng)
        all_kept = History(cairn, work / "all", source)
        pruned = History(cairn, work / "pruned", source)
        contents: list[dict[bytes, int]] = []
        for i in range(count):
            change()
            contents.append(pieces(source))
            all_kept.snapshot()
            pruned.snapshot()
            if i % PINNED == 0:
                cairn.run("pin", "--store", pruned.store, "s")
            if i % 24 == 23:
                pruned.prune()
                kept = [content for j, content in enumerate(contents) if j % PINNED == 0 or i - j < LAST]
                listed = len(cairn.json("list", "--store", pruned.store)["snapshots"])
                check(listed == len(kept), f"prune left {listed} snapshots, not {len(kept)}")
                pruned.over_ideal.append(store_bytes(pruned.store) / size_of_all(kept))
        print(f"{kind}: {count} snapshots of {sum(contents[-1].values())} bytes")
        ideal = size_of_all(contents)
        all_kept.report("all kept", ideal)
        pruned.report("pruned", ideal)
        all_kept.whole(work / "back")
        pruned.whole(work / "again")


main(run)
