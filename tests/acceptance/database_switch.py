#!/usr/bin/python3
"""Restores over a database, with the power cut at every call that the restore and SQLite's child make, and with every such
call failing (ENOSPC, EIO). Whatever is left is opened with SQLite itself, as the next user would: it is what was committed
before, or what the snapshot has, and integrity_check says ok. For databases in WAL and in rollback mode, of several page
sizes, closed as they should be, with commits in the log (with and without its index), with a hot journal, in mixtures of
these, without a main file. And of a directory that is swapped as a whole. Arguments: power and mixtures of losses at each
point, or errors and few or all of these; with a third, live, of restores with --live."""

import errno
import itertools
import os
import pathlib
import shutil
import sqlite3
import subprocess

from power_model import (
    Disk,
    LeavesZeros,
    Loss,
    LosesData,
    LosesNothing,
    Mixes,
    digest,
    lose_names_one_by_one,
    parse_journal,
    write_tree,
)
from support import Cairn, Workspace, build_shim, check, main, run_steps

LIVE = "app.db"
ROWS = 120
SUFFIXES = ("", "-wal", "-shm", "-journal")
PAGES = ((512, 4096), (4096, 65536), (65536, 512), (4096, 4096))
STATES = ("closed", "log", "log without index", "hot journal", "kept journal", "old log beside", "absent", "empty")


def connect(path: pathlib.Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def copy_files(source: pathlib.Path, to: pathlib.Path, suffixes=SUFFIXES) -> None:
    for suffix in suffixes:
        path = source.with_name(source.name + suffix)
        if path.exists():
            shutil.copyfile(path, to.with_name(to.name + suffix))


def make(path: pathlib.Path, mode: str, page: int, text: str) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute(f"PRAGMA page_size = {page}")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    connection.execute("CREATE INDEX i ON t(v)")
    fill(connection, text)
    return connection


def fill(connection: sqlite3.Connection, text: str, rows: int = ROWS) -> None:
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t(v) VALUES (?)", ((f"{text} {i} {'x' * (i % 97)}",) for i in range(rows)))
    connection.execute("COMMIT")


def change_half_way(connection: sqlite3.Connection) -> None:
    """Pages of an uncommitted transaction get into the main file, and its journal is durable before."""
    connection.execute("PRAGMA cache_size = 4")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN")
    for _ in range(3):
        connection.execute("UPDATE t SET v = v || ' not committed, ' || hex(randomblob(900))")


def build(work: pathlib.Path, to: pathlib.Path, state: str, mode: str, page: int) -> bool:
    """The files of a database in that state; False where there is no such state."""
    is_log = state in ("log", "log without index", "old log beside")
    if (mode == "wal" and state in ("hot journal", "kept journal")) or (mode != "wal" and is_log):
        return False
    if mode != "wal" and state in ("absent", "empty"):
        return False
    built = work / "built"
    shutil.rmtree(built, ignore_errors=True)
    built.mkdir()
    source = built / "source.db"
    connection = make(source, mode, page, "old")
    if state == "closed":
        connection.close()
        copy_files(source, to)
    elif is_log or state in ("absent", "empty"):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # Most pages are in the main file alone: without it the log is not the old database either.
        fill(connection, "old, in the log", 8)
        connection.execute("DELETE FROM t WHERE id < 8")
        suffixes = ("", "-wal") if state == "log without index" else ("-wal", "-shm") if state in ("absent", "empty") else SUFFIXES
        copy_files(source, to, suffixes)
        if state == "empty":
            to.write_bytes(b"")
        if state == "old log beside":
            # Its last frames were lost: what is before them counts.
            log = to.with_name(to.name + "-wal")
            log.write_bytes(log.read_bytes()[:-100])
    elif state == "hot journal":
        change_half_way(connection)
        copy_files(source, to)
        check(to.with_name(to.name + "-journal").stat().st_size > 512, "the journal is not hot")
        check(to.read_bytes() != make_clean(built, page).read_bytes(), "nothing was written yet")
    elif state == "kept journal":
        connection.execute("PRAGMA journal_mode = PERSIST")
        fill(connection, "old, again")
        connection.close()
        copy_files(source, to)
    connection.close()
    return True


def make_clean(directory: pathlib.Path, page: int) -> pathlib.Path:
    clean = directory / "clean.db"
    make(clean, "delete", page, "old").close()
    return clean


def committed(path: pathlib.Path) -> str:
    """The state that the next user sees."""
    connection = connect(path)
    try:
        tables = connection.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
        rows = connection.execute("SELECT id, v FROM t ORDER BY id").fetchall() if tables else []
        found = connection.execute("PRAGMA integrity_check").fetchall()
        check(found == [("ok",)], f"integrity_check: {found[:3]}")
        # Through what was a log, too: everything goes into the main file, and is there still.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        check(not tables or rows == connection.execute("SELECT id, v FROM t ORDER BY id").fetchall(), "changed by a checkpoint")
        return repr((tables, rows))
    finally:
        connection.close()


class Switches:
    def __init__(self, binary: str, work: pathlib.Path, mixtures: int, states=STATES, way: str = "--overwrite"):
        self.way = way
        self.work = work
        self.states = states
        self.mixtures = mixtures
        self.live = work / "live"
        self.seen = work / "seen"
        self.journal = work / "journal"
        self.cairn = Cairn(binary, work)
        self.looked = 0
        self.olds = 0
        self.shims = {name: build_shim(work, name) for name in ("record", "fail_at")}
        self.store = work / "store"
        self.cairn.run("init", "--store", self.store, "--no-encryption")
        self.images: dict[tuple[str, int], tuple[str, str]] = {}
        for mode, page in itertools.product(("wal", "delete"), sorted({new for _, new in PAGES})):
            path = work / f"new-{mode}-{page}.db"
            make(path, mode, page, "new").close()
            taken = self.cairn.json("snapshot", "--store", self.store, path)["id"]
            self.images[mode, page] = taken, committed(path)

    def combinations(self, states=STATES, new_modes=("wal", "delete"), pages=PAGES):
        for state, old_mode, new_mode, (old_page, new_page) in itertools.product(states, ("wal", "delete"), new_modes, pages):
            shutil.rmtree(self.live, ignore_errors=True)
            self.live.mkdir()
            # Which is refused while it is used: cases of tests/cli have it.
            if self.way == "--live" and old_mode == "wal" and old_page != new_page:
                continue
            if not build(self.work, self.live / LIVE, state, old_mode, old_page):
                continue
            shutil.rmtree(self.seen, ignore_errors=True)
            shutil.copytree(self.live, self.seen)
            old = committed(self.seen / LIVE)
            snapshot, new = self.images[new_mode, new_page]
            check(old != new, "old and new cannot be told apart")
            yield f"{state}: {old_mode} {old_page} to {new_mode} {new_page}", snapshot, old, new

    def restore(self, snapshot: str, *options: str, expect: int | None = 0, **environment) -> subprocess.CompletedProcess:
        cairn = Cairn(self.cairn.binary, self.work)
        cairn.environment.update({name: str(value) for name, value in environment.items()})
        return cairn.run("restore", "--store", self.store, snapshot, self.live / LIVE, self.way, *options, expect=expect)

    def look(self, what: str, tree: dict, old: str, new: str, kept: str | None) -> str:
        shutil.rmtree(self.seen, ignore_errors=True)
        write_tree(self.seen, tree)
        self.looked += 1
        try:
            found = committed(self.seen / LIVE)
        except sqlite3.Error as error:
            raise AssertionError(f"{what}: {error}; {sorted(tree)}") from None
        check(found in (old, new), f"{what}: neither old nor new; {sorted(tree)}: {found[:300]}")
        self.olds += found == old
        if kept is not None and found == new:
            check(kept in tree, f"{what}: what was to be kept is not there: {sorted(tree)}")
            check(committed(self.seen / kept) == old, f"{what}: what was kept is something else")
        return found

    def play(self, disk: Disk, what: str):
        """Each distinct state that a cut may leave, and where."""
        seen: set[bytes] = set()
        calls = parse_journal(self.journal)
        for at, (_, fields, data) in enumerate(calls):
            disk.play(fields, data)
            losses = [Loss(), LosesNothing(), LosesData(), LeavesZeros(), *lose_names_one_by_one(disk.root)]
            for loss in losses + [Mixes(1000 * at + i) for i in range(self.mixtures)]:
                tree = loss.left(disk.root)
                if digest(tree) not in seen:
                    seen.add(digest(tree))
                    yield f"{what}, call {at} of {len(calls)} ({' '.join(fields)}), {type(loss).__name__}", tree

    def record(self) -> dict:
        self.journal.write_bytes(b"")
        return {"LD_PRELOAD": self.shims["record"], "LD_RECORD_UNDER": self.live, "LD_RECORD_TO": self.journal}

    def tree(self) -> None:
        """A directory that is swapped is the old one as a whole or the new one, at every moment."""
        source = self.work / "source"
        new = {"a": b"new a", "sub": {"b": b"new b" * 1000, "empty": {}}, "only-new": b"x"}
        old = {"a": b"old a", "sub": {"b": b"old b" * 1000, "mine": b"mine"}, "only-old": {"c": b"c"}}
        write_tree(source, new)
        taken = self.cairn.json("snapshot", "--store", self.store, source)["id"]
        for keep in (False, True):
            shutil.rmtree(self.live, ignore_errors=True)
            self.live.mkdir()
            write_tree(self.live / "tree", old)
            disk = Disk(self.live.stat().st_ino)
            disk.put_tree(self.live)
            recorder = Cairn(self.cairn.binary, self.work)
            recorder.environment.update({name: str(value) for name, value in self.record().items()})
            options = ("--keep-old",) if keep else ()
            recorder.run("restore", "--store", self.store, taken, self.live / "tree", "--swap", *options)
            olds = news = 0
            for what, left in self.play(disk, f"a tree, keep {keep}"):
                self.looked += 1
                olds += left["tree"] == old
                news += left["tree"] == new
                check(left["tree"] in (old, new), f"{what}: neither old nor new: {left['tree'].keys()}")
                kept = [name for name, inner in left.items() if name != "tree" and inner == old]
                check(not keep or left["tree"] == old or len(kept) == 1, f"{what}: the old one is not kept: {left.keys()}")
                check(left["tree"] != old or f"tree.before-{taken[:12]}" not in left, f"{what}: kept before it was replaced")
            check(olds > 0 and news > 0, "one of them was never seen")
            self.olds += olds
            last = Loss().left(disk.root)
            names = {"tree", f"tree.before-{taken[:12]}"} if keep else {"tree"}
            check(last["tree"] == new and last.keys() >= names, "not durable at the end")
            check(set(os.listdir(self.live)) == names, f"left: {os.listdir(self.live)}")

    def power(self) -> None:
        """Every call, and what a cut after it may leave."""
        failures = []
        for number, (what, snapshot, old, new) in enumerate(self.combinations(self.states)):
            keep = number % 3 == 0 and LIVE in os.listdir(self.live) and self.way != "--live"
            disk = Disk(self.live.stat().st_ino)
            disk.put_tree(self.live)
            self.restore(snapshot, *(("--keep-old",) if keep else ()), **self.record())
            kept = f"{LIVE}.before-{snapshot[:12]}" if keep else None
            for where, tree in self.play(disk, what):
                try:
                    self.look(where, tree, old, new, kept)
                except AssertionError as failure:
                    failures.append(str(failure))
            # A restore that was reported is there, whatever was not synced; and no log is left beside it.
            last = Loss().left(disk.root)
            check(self.look(f"{what}, at the end", last, old, new, kept) == new, f"{what}: not durable at the end")
            logs = {name for name in os.listdir(self.live) if name.startswith(LIVE + "-") and "aside" not in name}
            # A live database keeps what its users have open; no user there wrote the journal of one that has a log.
            may_be_left = {LIVE + suffix for suffix in ("-wal", "-shm")} if self.way == "--live" else set()
            check(not logs - may_be_left, f"{what}: {logs} are left")
            # SQLite writes the index of a log through a memory map, which is not recorded.
            check(digest({n: t for n, t in LosesNothing().left(disk.root).items() if not n.endswith("-shm")}) == digest(
                {p.name: p.read_bytes() for p in self.live.iterdir() if not p.name.endswith("-shm")}),
                f"{what}: the journal misses changes")
        for failure in failures[:20]:
            print(failure)
        check(not failures, f"{len(failures)} of {self.looked} states")
        check(self.olds > self.looked // 10, "the old state was hardly ever seen")

    def errors(self) -> None:
        """Each call fails, in the program and in its child: a disk that stays full, and one bad moment."""
        failed = 0
        for what, snapshot, old, new in self.combinations(self.states, ("wal",), PAGES[-1:] if self.way == "--live" else PAGES[:1]):
            begin = {path.name: path.read_bytes() for path in self.live.iterdir()}
            for prefix, number, stays in ((p, n, n == errno.ENOSPC) for p in ("", "LD_") for n in (errno.ENOSPC, errno.EIO)):
                at = 0
                while True:
                    at += 1
                    shutil.rmtree(self.live)
                    write_tree(self.live, begin)
                    count = self.work / "count"
                    count.unlink(missing_ok=True)
                    told = {"FAIL_UNDER": self.live, "FAIL_KIND": "change", "FAIL_ERRNO": number, "FAIL_AT": at, "FAIL_COUNT": count}
                    if stays:
                        told["FAIL_ON"] = 1
                    fault = {prefix + name: value for name, value in told.items()}
                    done = self.restore(snapshot, expect=None, LD_PRELOAD=self.shims["fail_at"], **fault)
                    made = sum(map(int, count.read_text().split())) if count.exists() else 0
                    if made < at:
                        break
                    where = f"{what}: {prefix or 'own '}call {at} fails with {number}"
                    tree = {path.name: path.read_bytes() for path in self.live.iterdir() if path.is_file()}
                    found = self.look(where, tree, old, new, None)
                    errors = done.stderr.decode()
                    check(done.returncode in (0, 1), f"{where}: exit {done.returncode}: {errors}")
                    check(done.returncode == 1 or found == new, f"{where}: reported as done: {errors}")
                    if done.returncode == 1:
                        failed += 1
                        check("error: " in errors, f"{where}: no error is named: {errors}")
                        if self.way != "--live":
                            continue
                        self.restore(snapshot)
                        tree = {path.name: path.read_bytes() for path in self.live.iterdir() if path.is_file()}
                        check(self.look(f"{where}, again", tree, old, new, None) == new, f"{where}: not restored again")
        check(failed > 0, "nothing ever failed")


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "power"
    detail = args[1] if len(args) > 1 else ""
    way = f"--{args[2]}" if len(args) > 2 else "--overwrite"
    states = STATES if detail == "all" or kind == "power" else ("log", "hot journal")
    # One that has no main file is not live.
    states = tuple(state for state in states if way != "--live" or state not in ("absent", "empty"))
    with Workspace("switch") as work:
        # Links would hide from the recorder what is below the directory.
        root = pathlib.Path(os.path.realpath(work))
        switches = Switches(binary, root, int(detail) if detail.isdigit() else 2, states, way)
        with_trees = (switches.power, switches.tree) if way != "--live" else (switches.power,)
        run_steps(with_trees if kind == "power" else (switches.errors,))
        print(f"{switches.looked} states looked at, {switches.olds} of them the old one")


main(run)
