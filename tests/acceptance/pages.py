#!/usr/bin/env python3
"""9 % of a SQLite file's pages changed at random: the second snapshot stores at most 1.3 times those pages compressed."""

import random
import sqlite3
import subprocess

from support import Cairn, Workspace, check, main, store_bytes

ROWS = 110_000  # about 437 MB
PAGE = 4096


def run(binary: str, args: list[str]) -> None:
    rows = int(args[0]) if args else ROWS
    with Workspace("pages") as work:
        cairn = Cairn(binary, work)
        rng = random.Random(1)
        database = work / "state.db"
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, half BLOB, words TEXT)")
        words = [f"word{i} " for i in range(1000)]

        def row(i: int):
            # Half of it random, half text: compresses about two to one, as real rows do. A row fills one page.
            return (i, rng.randbytes(1900), "".join(rng.choices(words, k=250))[:1900])

        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", (row(i) for i in range(rows)))
        connection.commit()
        before = database.read_bytes()
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        first = cairn.json("snapshot", "--store", store, database, "--series", "db")
        chosen = rng.sample(range(rows), rows * 9 // 100)
        connection.executemany(
            "UPDATE t SET half = ?, words = ? WHERE id = ?", ((h, w, i) for i, h, w in (row(i) for i in sorted(chosen)))
        )
        connection.commit()
        after = database.read_bytes()
        changed = b"".join(
            after[at : at + PAGE] for at in range(0, len(after), PAGE) if after[at : at + PAGE] != before[at : at + PAGE]
        )
        compressed = len(subprocess.run(["zstd", "-3", "-c"], input=changed, capture_output=True, check=True).stdout)
        size_before = store_bytes(store)
        second = cairn.json("snapshot", "--store", store, database, "--series", "db")
        grown = store_bytes(store) - size_before
        share = len(changed) / len(after)
        print(
            f"database {len(after)} bytes, {share:.1%} of its pages changed ({len(changed)} bytes, {compressed} as zstd -3)"
        )
        print(f"first snapshot stored {first['stored_bytes']}, second {grown}: {grown / compressed:.3f} of the changed pages")
        check(second["stored_bytes"] == grown, "stored_bytes is not what the store grew by")
        check(grown <= 1.3 * compressed, f"stored {grown}, more than 1.3 times {compressed}")
        cairn.run("restore", "--store", store, "db", work / "back.db")
        check((work / "back.db").read_bytes() == after, "the restored database differs")


main(run)
