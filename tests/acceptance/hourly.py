#!/usr/bin/env python3
"""365 snapshots of a small changing directory, or of a database with little churn: packs a snapshot, bytes stored over
ideal, bytes read at a restore, within the bounds of the design (1.4 to 1.7, 28 packs, 1.52)."""

import pathlib
import random
import sqlite3
import subprocess

from support import Cairn, Workspace, check, main, store_bytes


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
    connection.execute("PRAGMA page_size = 4096")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
    rows = 16_000
    connection.executemany("INSERT INTO t VALUES (?, ?)", ((i, rng.randbytes(3900)) for i in range(rows)))
    connection.commit()

    def change():
        for i in rng.sample(range(rows), rows // 1000):
            connection.execute("UPDATE t SET b = ? WHERE id = ?", (rng.randbytes(3900), i))
        connection.commit()

    return change


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "directory"
    count = int(args[1]) if len(args) > 1 else 365
    with Workspace("hourly") as work:
        cairn = Cairn(binary, work)
        rng = random.Random(2)
        source = work / "source"
        change = make_directory(source, rng) if kind == "directory" else make_database(source, rng)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        written = 0
        raw_new = 0
        packs = []
        overread = []
        for i in range(count):
            change()
            result = cairn.json("snapshot", "--store", store, source, "--series", "s")
            written += result["stored_bytes"]
            raw_new += result["new_bytes"]
            if i % 10 == 9 or i == count - 1:
                shown = cairn.json("show", "--store", store, "s")
                packs.append(len(shown["packs"]))
                plan = cairn.json("restore", "--store", store, "s", work / "none", "--plan")
                overread.append(plan["plan"]["bytes_to_fetch"] / max(1, result["bytes"]))
        live = store_bytes(store)
        size = sum(p.stat().st_size for p in ([source] if source.is_file() else source.rglob("*")) if p.is_file())
        print(f"{kind}: {count} snapshots of {size} bytes")
        print(f"packs a snapshot: mean {sum(packs) / len(packs):.1f}, most {max(packs)}")
        print(f"bytes written over all runs: {written}; in the store: {live}; written over one full copy: {written / size:.2f}")
        print(f"bytes to fetch for a restore over the source's size: mean {sum(overread) / len(overread):.2f}, most {max(overread):.2f}")
        check(max(packs) <= 45, f"{max(packs)} packs a snapshot")
        check(sum(overread) / len(overread) <= 1.6, "restores read too much")
        cairn.run("verify", "--store", store, "--level", "full")
        cairn.run("restore", "--store", store, "s", work / "back")
        subprocess.run(["diff", "-r", str(source), str(work / "back")], check=True)


main(run)
