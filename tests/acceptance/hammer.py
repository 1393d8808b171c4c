#!/usr/bin/env python3
"""A WAL database with four writers, snapshotted while they write, with each mode of checkpoints besides: every restored
copy passes integrity_check and is exactly one state that was committed while its snapshot ran. Prints what the writers
noticed beside the same phase without snapshots, in turn. Arguments: MB, seconds a phase, rounds, modes by commas,
milliseconds that a writer rests between two commits (with 0 they take all processors from whatever runs beside them).

The oracle: a row's blob is made from its id and version alone. The one row of `ledger` holds a sum of hashes of all
rows and the number of commits. A transaction moves four rows and the ledger: what mixes two states does not add up."""

import hashlib
import json
import os
import pathlib
import random
import sqlite3
import statistics
import subprocess
import sys
import time

from support import Cairn, Workspace, check, main

WRITERS = 4
SNAPSHOTS = 4  # in a phase
MODES = ("auto", "full", "restart", "truncate")
MASK = (1 << 62) - 1


def blob(row: int, version: int) -> bytes:
    return hashlib.shake_128(b"%d.%d" % (row, version)).digest(3900)


def row_hash(row: int, version: int) -> int:
    return int.from_bytes(hashlib.blake2b(b"%d.%d" % (row, version), digest_size=8).digest(), "big") & MASK


def make_database(path: pathlib.Path, megabytes: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE data (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, v BLOB NOT NULL)")
    connection.execute("CREATE TABLE ledger (sum INTEGER NOT NULL, commits INTEGER NOT NULL)")
    count = megabytes * 1_000_000 // 4096
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO data VALUES (?, 0, ?)", ((row, blob(row, 0)) for row in range(count)))
    connection.execute("INSERT INTO ledger VALUES (?, 0)", (sum(row_hash(row, 0) for row in range(count)) & MASK,))
    connection.execute("COMMIT")
    connection.close()


def commits_of(connection: sqlite3.Connection) -> int:
    return connection.execute("SELECT commits FROM ledger").fetchone()[0]


def check_copy(path: pathlib.Path) -> int:
    """Returns the number of commits that the copy holds."""
    connection = sqlite3.connect(path)
    found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    check(found == "ok", f"{path}: {found}")
    total = 0
    for row, version, value in connection.execute("SELECT id, version, v FROM data"):
        check(value == blob(row, version), f"{path}: row {row} is not of version {version}")
        total += row_hash(row, version)
    noted, commits = connection.execute("SELECT sum, commits FROM ledger").fetchone()
    check(noted == total & MASK, f"{path}: the rows are not those of commit {commits}")
    connection.close()
    return commits


class Tally:
    """What one writer noticed in a phase."""

    def __init__(self):
        self.commits: list[float] = []
        self.slowest = 0.0
        self.busy = 0


def write(path: str, seed: int, pause: float) -> None:
    """A writer process: for each line with a time it writes until then, and prints what it noticed."""
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    count = connection.execute("SELECT max(id) + 1 FROM data").fetchone()[0]
    rng = random.Random(seed)

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        change = 0
        for row in rng.sample(range(count), 4):
            version = connection.execute("SELECT version FROM data WHERE id = ?", (row,)).fetchone()[0]
            values = (version + 1, blob(row, version + 1), row)
            connection.execute("UPDATE data SET version = ?, v = ? WHERE id = ?", values)
            change += row_hash(row, version + 1) - row_hash(row, version)
        connection.execute("UPDATE ledger SET sum = (sum + ?) & ?, commits = commits + 1", (change & MASK, MASK))
        connection.execute("COMMIT")

    print("ready", flush=True)
    for line in sys.stdin:
        tally = Tally()
        until = float(line)
        while (begin := time.monotonic()) < until:
            try:
                commit()
                tally.commits.append(time.monotonic())
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                tally.busy += 1
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            tally.slowest = max(tally.slowest, time.monotonic() - begin)
            time.sleep(pause)
        print(json.dumps(vars(tally)), flush=True)


def checkpoint(path: str) -> None:
    """A process that checkpoints: for each line with a mode and a time it does so until then."""
    connection = sqlite3.connect(path, timeout=1, isolation_level=None)
    print("ready", flush=True)
    for line in sys.stdin:
        mode, until = line.split()
        blocked = 0
        while time.monotonic() < float(until):
            if mode != "auto":
                blocked += connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]
            time.sleep(0.2)
        print(blocked, flush=True)


class Worker:
    def __init__(self, *args):
        command = [sys.executable, os.path.abspath(__file__), *map(str, args)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def ask(self, question: str) -> None:
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        line = self.process.stdout.readline()
        check(line != "", "a writer failed")
        return line

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Hammer:
    def __init__(self, binary: str, work: pathlib.Path, megabytes: int, seconds: float, pause: float):
        self.work = work
        self.seconds = seconds
        self.cairn = Cairn(binary, work)
        self.store = work / "store"
        self.database = work / "app.db"
        make_database(self.database, megabytes)
        self.cairn.run("init", "--store", self.store, "--no-encryption")
        self.workers = [Worker("--write", self.database, seed, pause) for seed in range(WRITERS)]
        self.checkpointer = Worker("--checkpoint", self.database)
        self.reader = sqlite3.connect(self.database)
        self.good = 0
        self.snapshot()  # the first stores everything, and is like no other

    def snapshot(self) -> tuple[str, int, int]:
        """Its id, and how many commits there were before and after."""
        before = commits_of(self.reader)
        taken = self.cairn.json("snapshot", "--store", self.store, self.database)
        return taken["id"], before, commits_of(self.reader)

    def phase(self, mode: str, snapshots: int) -> dict[str, float]:
        begin = time.monotonic()
        until = begin + self.seconds
        for worker in self.workers:
            worker.ask(str(until))
        self.checkpointer.ask(f"{mode} {until}")
        taken = []
        for i in range(snapshots):
            time.sleep(max(0.0, begin + self.seconds * (i + 0.2) / snapshots - time.monotonic()))
            taken.append(self.snapshot())
        tallies = [json.loads(worker.answer()) for worker in self.workers]
        blocked = int(self.checkpointer.answer())
        ends = sorted(end for tally in tallies for end in tally["commits"])
        for snapshot in taken:
            self.check_snapshot(*snapshot)
        return {
            "commits/s": len(ends) / self.seconds,
            "longest gap ms": 1000 * max((b - a for a, b in zip(ends, ends[1:])), default=self.seconds),
            "slowest ms": 1000 * max(tally["slowest"] for tally in tallies),
            "BUSY": sum(tally["busy"] for tally in tallies),
            "checkpoints blocked": blocked,
        }

    def check_snapshot(self, snapshot: str, before: int, after: int) -> None:
        back = self.work / "back.db"
        self.cairn.run("restore", "--store", self.store, snapshot, back)
        commits = check_copy(back)
        check(before <= commits <= after, f"the copy holds {commits} commits, not {before} to {after}")
        back.unlink()
        self.good += 1

    def end(self) -> None:
        for worker in (*self.workers, self.checkpointer):
            worker.end()
        self.reader.close()
        check_copy(self.database)


def summary(results: list[dict[str, float]]) -> str:
    """The median of each figure, and behind it all of them."""
    figures = {name: [result[name] for result in results] for name in results[0]}
    return "; ".join(
        f"{name} {statistics.median(values):.0f} ({' '.join(f'{value:.0f}' for value in values)})"
        for name, values in figures.items()
    )


def run(binary: str, args: list[str]) -> None:
    megabytes, seconds, rounds = (int(arg) for arg in (*args[:3], *("400", "20", "3")[len(args) :]))
    modes = args[3].split(",") if len(args) > 3 else MODES
    pause = float(args[4]) / 1000 if len(args) > 4 else 0.01
    with Workspace("hammer") as work:
        hammer = Hammer(binary, work, megabytes, seconds, pause)
        for mode in modes:
            seen: dict[int, list[dict[str, float]]] = {0: [], SNAPSHOTS: []}
            for round_number in range(rounds):
                for snapshots in (0, SNAPSHOTS) if round_number % 2 == 0 else (SNAPSHOTS, 0):
                    seen[snapshots].append(hammer.phase(mode, snapshots))
            for snapshots, results in seen.items():
                print(f"{mode}, {snapshots} snapshots a phase: {summary(results)}", flush=True)
            # Automatic checkpoints block nobody. The others hold writers back for as long as a reader is there, up to
            # their own timeout of a second: less than the writers' five.
            busy = sum(result["BUSY"] for results in seen.values() for result in results)
            check(busy == 0, f"{mode}: writers saw BUSY {busy} times")
        hammer.end()
        print(f"{megabytes} MB, {WRITERS} writers: {hammer.good} copies, each exactly one committed state")


if sys.argv[1:2] == ["--write"]:
    write(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
elif sys.argv[1:2] == ["--checkpoint"]:
    checkpoint(sys.argv[2])
else:
    main(run)
