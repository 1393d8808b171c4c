#!/usr/bin/python3
"""Disks that are full, that fail, and stores that vanish: each call of init, snapshot, push, restore, prune, pin and
verify that touches a local store, a target, the spool, the cache or the state fails once (tests/crash/fail_at.c), alone
or with all that follow. The exit status and the message tell it, what was stored before is there and whole, nothing half
is published, and the same command then succeeds. Then a real file system of a few MB fills up (as root).
Argument: most calls to fail for each way of failing (0: every one)."""

import errno
import functools
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess

from support import Cairn, Workspace, build_shim, check, main, run_steps, tree_differences

ONCE: dict[str, str] = {}
ON = {"FAIL_ON": "1"}
SHORT = {"FAIL_SHORT": "1"}


def remove(path: pathlib.Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


class DiskFaults:
    def __init__(self, binary: str, work: pathlib.Path, most: int):
        self.work = work
        self.most = most
        self.cairn = Cairn(binary, work)
        self.spool = work / "spool"
        self.cairn.environment["TMPDIR"] = str(self.spool)
        self.spool.mkdir()
        self.shim = build_shim(work, "fail_at")
        self.random = random.Random(21)
        self.source = work / "source"
        self.source.mkdir()
        self.store = work / "store"
        self.away = work / "away"
        self.target = work / "place" / "target"
        self.failed = 0
        self.wrong = 0
        self.build()

    def fill(self, names, size: int = 60_000) -> None:
        for name in names:
            (self.source / name).write_bytes(self.random.randbytes(size))

    def build(self) -> None:
        """Stores to begin with: `one` snapshot, `two`, `three` of which the first is to go, and what prunes make of it."""
        self.fill(f"a{i}" for i in range(8))
        run = self.cairn.run
        run("init", "--store", self.store, "--no-encryption")
        self.take()
        self.keep("one")
        run("init", "--store", self.away, "--no-encryption")
        run("push", "--from", self.store, "--to", self.away)
        shutil.copytree(self.away, self.work / "base-away")
        self.fill(f"b{i}" for i in range(4))
        self.take()
        self.keep("two")
        for i in range(8):
            (self.source / f"a{i}").unlink()
        self.fill(("c",))
        self.take()
        self.keep("three")
        run(*self.prune())
        self.keep("marked")
        # A change that no store has seen.
        self.fill((f"d{i}" for i in range(3)))

    def take(self) -> None:
        # Of the third there is much less than of the second.
        self.cairn.run("snapshot", "--store", self.store, self.source, "--series", "s", "--max-drop", "100%")

    def keep(self, name: str) -> None:
        shutil.copytree(self.store, self.work / f"base-{name}")

    def prune(self) -> tuple:
        keep_one = ("--series", "s", "--keep-last", "1", "--grace", "0s", "--exclusive", "--apply")
        return ("prune", "--store", self.store, *keep_one)

    def prepare(self, base: str) -> None:
        for path in (self.store, self.away, self.target.parent, self.spool, *(self.work / n for n in ("cache", "state", "gone"))):
            remove(path)
        shutil.copytree(self.work / f"base-{base}", self.store)
        shutil.copytree(self.work / "base-away", self.away)
        self.target.parent.mkdir()
        self.spool.mkdir()

    def listed(self, store: pathlib.Path) -> set[str]:
        return {entry["id"] for entry in self.cairn.json("list", "--store", store)["snapshots"]}

    def shimmed(self, under: pathlib.Path, kind: str, number: int, **more) -> dict[str, str]:
        settings = {"FAIL_UNDER": str(under), "FAIL_KIND": kind, "FAIL_ERRNO": str(number)}
        return dict(self.cairn.environment, LD_PRELOAD=str(self.shim), **settings, **more)

    def run_failing(self, command: tuple, environment: dict[str, str]) -> subprocess.CompletedProcess:
        return subprocess.run([self.cairn.binary, *map(str, command)], env=environment, capture_output=True)

    def every(self, what: str, base: str, command: tuple, under: pathlib.Path, kind: str, number: int, how, look) -> None:
        """Fails each call; look is told the exit status and the message, and says what has to be so."""
        self.prepare(base)
        count = self.work / "count"
        count.unlink(missing_ok=True)
        self.run_failing(command, self.shimmed(under, kind, number, FAIL_COUNT=str(count)))
        calls = sum(map(int, count.read_text().split()))
        points = range(1, calls + 1)
        chosen = sorted(self.random.sample(points, self.most)) if 0 < self.most < calls else points
        statuses: dict[int, int] = {}
        failures = []
        for point in chosen:
            self.prepare(base)
            done = self.run_failing(command, self.shimmed(under, kind, number, FAIL_AT=str(point), **how))
            where = f"{what}: {errno.errorcode[number]} at call {point} of {calls} {' '.join(how)}"
            text = done.stderr.decode(errors="replace")
            try:
                check(done.returncode >= 0, f"died of signal {-done.returncode}")
                check(done.returncode == 0 or "cairn: " in text, "no message")
                if done.returncode == 4:  # verify's report of damage
                    text += done.stdout.decode(errors="replace")
                look(done.returncode, text)
            except AssertionError as failure:
                failures.append(f"{where}: exit {done.returncode}: {text.strip()}: {failure}")
            statuses[done.returncode] = statuses.get(done.returncode, 0) + 1
            self.failed += 1
        seen = ", ".join(f"exit {status} {times} times" for status, times in sorted(statuses.items()))
        way = " ".join([errno.errorcode[number], *how])
        print(f"{what}, {way} on {kind}: {len(chosen)} of {calls} calls failed: {seen}", flush=True)
        for failure in failures[:20]:
            print(failure)
        self.wrong += len(failures)

    def whole(self, store: pathlib.Path, at_least: set[str]) -> None:
        lost = at_least - self.listed(store)
        check(not lost, f"lost {sorted(lost)}")
        self.cairn.run("verify", "--store", store, "--level", "full")

    def told(self, status: int, text: str, number: int, allowed: tuple[int, ...] = (1,)) -> None:
        """A failure names its cause."""
        check(status in (0, *allowed), f"not one of {allowed}")
        check(status == 0 or os.strerror(number).lower() in text.lower(), "the cause is not named")

    def ways(self, step) -> None:
        for how in (ONCE, SHORT, ON):
            step(errno.ENOSPC, how)
        for how in (ONCE, ON):
            step(errno.EIO, how)

    # Writing.

    def init_in(self) -> None:
        fresh = self.store / "deep" / "fresh"
        command = ("init", "--store", fresh, "--no-encryption", "--if-missing")

        def step(number: int, how: dict) -> None:
            def look(status: int, text: str) -> None:
                self.told(status, text, number)
                self.cairn.run(*command)
                self.cairn.run("snapshot", "--store", fresh, self.source, "--series", "s")
                self.whole(fresh, set())

            self.every("init", "one", command, self.store, "change", number, how, look)

        self.ways(step)

    def snapshot_into(self) -> None:
        command = ("snapshot", "--store", self.store, self.source, "--series", "s")
        self.prepare("two")
        before = self.listed(self.store)

        def step(number: int, how: dict) -> None:
            def look(status: int, text: str) -> None:
                self.told(status, text, number)
                self.whole(self.store, before)
                if status == 0:
                    self.restores_source("s")
                self.cairn.run(*command)
                self.whole(self.store, before)
                self.restores_source("s")
                if number == errno.ENOSPC:  # what fails otherwise cannot be cleared away, either: a later run does it
                    left = [str(p.relative_to(self.store)) for p in self.store.rglob(".tmp-*") if p.is_file()]
                    check(left == [], f"left behind: {left}")

            self.every("snapshot, store", "two", command, self.store, "change", number, how, look)

        self.ways(step)

    def restores_source(self, reference: str) -> None:
        remove(self.target)
        self.cairn.run("restore", "--store", self.store, reference, self.target)
        check(tree_differences(self.source, self.target) == "", "restores something else")
        remove(self.target)

    def push_into(self) -> None:
        command = ("push", "--from", self.store, "--to", self.away)
        self.prepare("three")
        before = self.listed(self.away)
        after = self.listed(self.store)

        def step(number: int, how: dict) -> None:
            def look(status: int, text: str) -> None:
                self.told(status, text, number)
                self.whole(self.away, after if status == 0 else before)
                self.cairn.run(*command)
                self.whole(self.away, after)

            self.every("push, target store", "three", command, self.away, "change", number, how, look)

        self.ways(step)

    def prune_in(self) -> None:
        for base in ("three", "marked"):
            self.prepare(base)
            self.cairn.run(*self.prune())
            kept = self.listed(self.store)

            def step(number: int, how: dict, base: str = base, kept: set = kept) -> None:
                def look(status: int, text: str) -> None:
                    # Objects that could not be removed are a failure that is told for each.
                    self.told(status, text, number)
                    self.whole(self.store, kept)
                    (self.store / "lease" / "prune.json").unlink(missing_ok=True)
                    for _ in range(2):
                        self.cairn.run(*self.prune())
                    self.whole(self.store, kept)
                    check(self.listed(self.store) == kept, "prune does not get on")

                self.every(f"prune ({base})", base, self.prune(), self.store, "change", number, how, look)

            self.ways(step)

    def pin_in(self) -> None:
        self.prepare("two")
        before = self.listed(self.store)
        command = ("pin", "--store", self.store, "s")

        def pins() -> int:
            return sum(entry["pinned"] for entry in self.cairn.json("list", "--store", self.store)["snapshots"])

        def step(number: int, how: dict) -> None:
            def look(status: int, text: str) -> None:
                self.told(status, text, number)
                check(status != 0 or pins() == 1, "not pinned")
                self.whole(self.store, before)
                self.cairn.run(*command)
                check(pins() == 1, "not pinned the second time")

            self.every("pin", "two", command, self.store, "change", number, how, look)

        self.ways(step)

    def restore_onto(self) -> None:
        command = ("restore", "--store", self.store, "s", self.target)
        self.prepare("two")
        good = self.work / "good"
        self.cairn.run("restore", "--store", self.store, "s", good)

        def step(number: int, how: dict) -> None:
            def look(status: int, text: str) -> None:
                self.told(status, text, number)
                there = self.target.exists() and any(self.target.iterdir())
                check(there or status != 0, "restored nothing")
                if there:
                    check(tree_differences(good, self.target) == "", "half a restore has the target's name")
                remove(self.target)
                self.cairn.run(*command)
                check(tree_differences(good, self.target) == "", "the run after restores something else")

            self.every("restore, target", "two", command, self.target.parent, "change", number, how, look)

        self.ways(step)

    # What a run can do without.

    def without_cache(self) -> None:
        """A cache that is full, fails, or holds rubbish costs time, never the run."""
        cache = self.work / "cache"
        commands = {
            "snapshot": ("snapshot", "--store", self.store, self.source, "--series", "s"),
            "push": ("push", "--from", self.store, "--to", self.away),
            "restore": ("restore", "--store", self.store, "s", self.target),
            "prune": self.prune(),
        }

        def look(status: int, text: str) -> None:
            check(status == 0, "a cache that fails must not fail the run")
            self.cairn.run("verify", "--store", self.store, "--level", "full")

        for name, command in commands.items():
            for number, how in ((errno.ENOSPC, ONCE), (errno.ENOSPC, SHORT), (errno.ENOSPC, ON), (errno.EIO, ON)):
                self.every(f"{name}, cache", "two", command, cache, "change", number, how, look)
            self.every(f"{name}, cache", "two", command, cache, "read", errno.EIO, ONCE, look)

    def without_state(self) -> None:
        state = self.work / "state"
        command = ("snapshot", "--store", self.store, self.source, "--series", "s")
        for number, how in ((errno.ENOSPC, ONCE), (errno.ENOSPC, ON), (errno.EIO, ONCE)):

            def look(status: int, text: str, number: int = number) -> None:
                self.told(status, text, number)
                self.cairn.run(*command)
                self.restores_source("s")
                self.whole(self.store, set())

            self.every("snapshot, state", "two", command, state, "change", number, how, look)

    def without_spool(self) -> None:
        """Spools that are not on the store's own file system."""
        command = ("push", "--from", self.store, "--to", self.away)
        for number, how in ((errno.ENOSPC, ONCE), (errno.ENOSPC, SHORT), (errno.EIO, ON)):

            def look(status: int, text: str, number: int = number) -> None:
                self.told(status, text, number)
                self.cairn.run(*command)
                self.whole(self.away, self.listed(self.store))

            self.every("push, spool", "three", command, self.spool, "change", number, how, look)

    # Reading.

    def unreadable_source(self) -> None:
        """What cannot be read is named and makes the snapshot incomplete; everything else is in it; the next has all."""
        command = ("snapshot", "--store", self.store, self.source, "--series", "s")

        def look(status: int, text: str) -> None:
            check(status in (0, 1, 3), "not one of 0, 1, 3")
            self.cairn.run("verify", "--store", self.store, "--level", "full")
            if status != 1:
                self.cairn.run("restore", "--store", self.store, "s", self.target)
                differing = tree_differences(self.source, self.target)
                named = set(re.findall(r"^\S+ (\S+)$", differing, re.M)) - {"./"}
                check(status == 3 or differing == "", f"complete, but it restores differently: {differing}")
                if f"read directory '{self.source}'" not in text:
                    check(all(name in text for name in named), f"not all are told: {differing}")
                    check(len(named) <= 1, f"one read failed, {len(named)} files are missing")
                check(status == 0 or os.strerror(errno.EIO).lower() in text.lower(), "the cause is not named")
                remove(self.target)
            self.cairn.run(*command)
            self.restores_source("s")

        self.every("snapshot, source", "two", command, self.source, "read", errno.EIO, ONCE, look)

    def unreadable_database(self) -> None:
        """A snapshot of a database is whole or is not made."""
        place = self.work / "database"
        place.mkdir()
        path = place / "state.db"
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
        database.executemany("INSERT INTO t (b) VALUES (?)", ((self.random.randbytes(900),) for _ in range(300)))
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # In the WAL only; the connection stays open, so it stays there.
        database.executemany("INSERT INTO t (b) VALUES (?)", ((self.random.randbytes(900),) for _ in range(50)))
        database.commit()
        wanted = database.execute("SELECT id, b FROM t ORDER BY id").fetchall()
        command = ("snapshot", "--store", self.store, path, "--series", "db")

        def restores() -> bool:
            remove(self.target.parent)
            self.target.parent.mkdir()
            self.cairn.run("restore", "--store", self.store, "db", self.target)
            restored = sqlite3.connect(self.target)
            found = restored.execute("SELECT id, b FROM t ORDER BY id").fetchall()
            restored.close()
            return found == wanted

        def look(status: int, text: str) -> None:
            check(status in (0, 1), "neither 0 nor 1")
            taken = [e for e in self.cairn.json("list", "--store", self.store)["snapshots"] if e["series"] == "db"]
            check(len(taken) == (status == 0), f"{len(taken)} snapshots")
            check(status != 0 or restores(), "restores something else")
            self.cairn.run(*command)
            check(restores(), "the next one restores something else")

        for how in (ONCE, ON):
            self.every("snapshot, database", "one", command, place, "read", errno.EIO, how, look)
        database.close()

    def unreadable_store(self) -> None:
        whole = self.work / "whole"
        commands = {
            "snapshot": ("snapshot", "--store", self.store, self.source, "--series", "s"),
            "push": ("push", "--from", self.store, "--to", self.away),
            "restore": ("restore", "--store", self.store, "s", self.target),
            "list": ("list", "--store", self.store),
            "verify": ("verify", "--store", self.store, "--level", "full"),
            "prune": self.prune(),
        }
        for name, command in commands.items():
            base = "marked" if name == "prune" else "three"
            self.prepare(base)
            before = self.listed(self.store)
            if name == "prune":
                self.cairn.run(*command)
                before = self.listed(self.store)
            if name == "restore":
                self.cairn.run("restore", "--store", self.store, "s", whole)

            def look(status: int, text: str, how: dict, name: str = name, before: set = before) -> None:
                # What the disk does not give back is damage: of an object, while the others are there.
                self.told(status, text, errno.EIO, (1, 4))
                # What fails once may be right when it is read again.
                check(status != 0 or name != "verify" or how is ONCE, "verify found nothing")
                self.whole(self.store, before)
                self.whole(self.away, set())
                if name == "restore" and self.target.exists() and any(self.target.iterdir()):
                    differing = tree_differences(whole, self.target)
                    left_out = set(re.findall(r"^\S+ (\S+)$", differing, re.M)) - {"./"}
                    check(status in (0, 4), "half a restore has the target's name")
                    check((status == 0) == (differing == ""), f"it differs: {differing}")
                    check(all(path in text for path in left_out), f"not all are told: {differing}")

            for how in (ONCE, ON):
                self.every(f"{name}, store", base, command, self.store, "read", errno.EIO, how, functools.partial(look, how=how))

    # Going away.

    def store_gone(self) -> None:
        """From one call on the store answers nothing any more; then it is back."""
        commands = {
            "snapshot": ("snapshot", "--store", self.store, self.source, "--series", "s"),
            "prune": self.prune(),
            "push": ("push", "--from", self.store, "--to", self.away),
        }
        for name, command in commands.items():
            base = "marked" if name == "prune" else "three"
            store = self.away if name == "push" else self.store
            self.prepare(base)
            before = self.listed(store)
            if name == "prune":
                self.cairn.run(*command)
                before = self.listed(store)

            def look(status: int, text: str, command: tuple = command, before: set = before, store=store) -> None:
                self.told(status, text, errno.ESTALE)
                self.whole(store, before)
                (store / "lease" / "prune.json").unlink(missing_ok=True)
                self.cairn.run(*command)
                self.whole(store, before)

            for kind in ("change", "read"):
                self.every(f"{name}, store gone", base, command, store, kind, errno.ESTALE, ON, look)

    def store_moved(self) -> None:
        """Renamed in the middle, with nothing or an empty directory (a bare mount point) in its place; then back."""
        command = ("snapshot", "--store", self.store, self.source, "--series", "s")
        self.prepare("two")
        before = self.listed(self.store)
        gone = self.work / "gone"
        for kind in ("change", "read"):
            for more in ({}, {"FAIL_EMPTY": "1"}):

                def look(status: int, text: str) -> None:
                    check(status in (0, 1, 10), "not one of 0, 1, 10")
                    if not gone.exists():
                        check(status == 0, "it was not moved")  # threads: this time it took a call less
                        return
                    if self.store.exists():
                        left = [str(p.relative_to(self.store)) for p in self.store.rglob("*") if p.is_file()]
                        check(left == [], f"written where no store is: {left}")
                        check(self.cairn.run("list", "--store", self.store, expect=None).returncode == 10, "a store is seen")
                        remove(self.store)
                    gone.rename(self.store)
                    self.whole(self.store, before)
                    if status == 0:
                        self.restores_source("s")
                    self.cairn.run(*command)
                    self.restores_source("s")
                    self.whole(self.store, before)

                how = {"FAIL_MOVE": str(gone), **more}
                self.every("snapshot, store moved", "two", command, self.store, kind, errno.ENOENT, how, look)

    # A real one.

    def full_file_system(self) -> None:
        """A file system too small for what comes, for the store and for a target; freed, the same command succeeds."""
        small = self.work / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], capture_output=True)
        if mounted.returncode != 0:
            print(f"SKIPPED: full file system: {mounted.stderr.decode().strip()}")
            return
        try:
            cairn = self.cairn
            store = small / "store"
            cairn.run("init", "--store", store, "--no-encryption")
            big = self.work / "big"
            big.mkdir()
            (big / "first").write_bytes(self.random.randbytes(600_000))
            snapshot = ("snapshot", "--store", store, big, "--series", "big")
            first = cairn.json(*snapshot)["id"]
            for i in range(40):
                (big / f"f{i}").write_bytes(self.random.randbytes(100_000))
            for _ in range(3):
                done = cairn.run(*snapshot, expect=1)
                check("No space left" in done.stderr.decode() and "hint:" in done.stderr.decode(), f"{done.stderr}")
                cairn.run("verify", "--store", store, "--level", "full")
                check({e["id"] for e in cairn.json("list", "--store", store)["snapshots"]} == {first}, "not the one")
            # Nothing grows with the failures: there is as much room as after the first.
            subprocess.run(["mount", "-o", "remount,size=16m", small], check=True)
            cairn.run(*snapshot)
            cairn.run("verify", "--store", store, "--level", "full")
            # A target of too small a file system is refused before anything is touched.
            subprocess.run(["mount", "-o", "remount,size=6m", small], check=True)
            done = cairn.run("restore", "--store", store, "big", small / "back", expect=None)
            check(done.returncode == 1, f"restore onto a small disk: exit {done.returncode}: {done.stderr}")
            check(not (small / "back").exists(), "half a restore has the target's name")
            subprocess.run(["mount", "-o", "remount,size=32m", small], check=True)
            cairn.run("restore", "--store", store, "big", small / "back")
            check(tree_differences(big, small / "back") == "", "restores something else")
            self.failed += 4
        finally:
            subprocess.run(["umount", small], check=True)
        # The mount is gone: a bare directory is no store and does not become one.
        cairn.run("snapshot", "--store", store, big, "--series", "big", expect=10)
        check(list(small.iterdir()) == [], "written below a bare mount point")


def run(binary: str, args: list[str]) -> None:
    most = int(args[0]) if args else 0
    with Workspace("faults") as work:
        # Links would hide from the shim what is below a directory.
        faults = DiskFaults(binary, pathlib.Path(os.path.realpath(work)), most)
        steps = (
            faults.full_file_system,
            faults.init_in,
            faults.snapshot_into,
            faults.push_into,
            faults.prune_in,
            faults.pin_in,
            faults.restore_onto,
            faults.without_cache,
            faults.without_state,
            faults.without_spool,
            faults.unreadable_source,
            faults.unreadable_database,
            faults.unreadable_store,
            faults.store_gone,
            faults.store_moved,
        )
        try:
            run_steps(steps)
            check(faults.wrong == 0, f"{faults.wrong} of {faults.failed} failures ended wrongly")
        finally:
            print(f"{faults.failed} failures injected, {faults.wrong} ended wrongly")


main(run)
