#!/usr/bin/python3
"""A standby that is kept at the newest snapshot by restore --follow: checkpoint after checkpoint of a database, at the
price of few requests and equal to a fresh restore each time; a tree, with all that comes and goes in it; what was written
at the standby is not lost without being told to; damage, an untrusted snapshot and a store that is away leave it as it is;
killed before and after every call it goes on. Arguments: megabytes of the database, checkpoints, moments of the kills
(0: all)."""

import fcntl
import json
import os
import pathlib
import queue
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

from sealing import SigningKey
from support import Cairn, Workspace, build_shim, check, main, read_tree, run_steps, tree_differences

FICLONE = 0x40049409
PATIENCE = 300  # seconds until something has gone wrong; nothing is judged by its time


class Database:
    """Rows that are changed here and there, in a database that stays open."""

    def __init__(self, path: pathlib.Path, megabytes: int):
        self.path = path
        self.rng = random.Random(17)
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = wal")
        self.connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
        self.rows = megabytes * 250
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO t VALUES (?, ?)", ((i, self.value()) for i in range(self.rows)))
        self.connection.execute("COMMIT")

    def value(self) -> bytes:
        return self.rng.randbytes(1800) + bytes(1800)

    def change(self, rows: int) -> None:
        self.connection.execute("BEGIN")
        for _ in range(rows):
            self.connection.execute("UPDATE t SET v = ? WHERE id = ?", (self.value(), self.rng.randrange(self.rows)))
        self.connection.execute("COMMIT")


def read_rows(path: pathlib.Path) -> list:
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        check(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], f"{path} is broken")
        return connection.execute("SELECT * FROM t ORDER BY id").fetchall()
    finally:
        connection.close()


def clones(directory: pathlib.Path) -> bool:
    """Whether files there can share their blocks."""
    one, other = directory / "clone-one", directory / "clone-other"
    one.write_bytes(b"x" * 4096)
    with open(one, "rb") as source, open(other, "wb") as target:
        try:
            fcntl.ioctl(target, FICLONE, source.fileno())
            return True
        except OSError:
            return False
        finally:
            one.unlink()
            other.unlink()


class Follower:
    """A follow that goes on and on, and what it prints."""

    started: list[subprocess.Popen] = []

    def __init__(self, host: Cairn, *args, told_by: list[str] | None = None):
        last = ["--exec", *told_by] if told_by else []
        self.process = host.start("restore", *args, "--follow", "--interval", "1s", "--json", *last)
        self.started.append(self.process)
        self.said: queue.Queue = queue.Queue()
        self.errors: list[str] = []
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.read_errors, daemon=True).start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.said.put((time.monotonic(), json.loads(line)))
        self.said.put((time.monotonic(), None))

    def read_errors(self) -> None:
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace").rstrip())

    def wait(self, fits) -> tuple[float, dict]:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                at, told = self.said.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"nothing came: {self.errors}") from None
            check(told is not None, f"it ended: {self.errors}")
            if fits(told):
                return at, told

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        check(status == 143, f"SIGTERM ended it with {status}: {self.errors}")


class Follow:
    def __init__(self, binary: str, work: pathlib.Path, megabytes: int, checkpoints: int, moments: int):
        self.binary = binary
        self.work = work
        self.megabytes = megabytes
        self.checkpoints_wanted = checkpoints
        self.moments = moments
        self.shim = build_shim(work, "kill_at")
        self.number = 0

    def place(self, name: str) -> pathlib.Path:
        self.number += 1
        path = self.work / f"{self.number}-{name}"
        path.mkdir()
        return path

    def hosts(self, at: pathlib.Path) -> tuple[Cairn, Cairn, pathlib.Path]:
        """Two of them that have nothing in common but the store."""
        for name in ("primary", "standby"):
            (at / name).mkdir()
        primary, standby = Cairn(self.binary, at / "primary"), Cairn(self.binary, at / "standby")
        store = at / "store"
        primary.run("init", "--store", store, "--no-encryption")
        return primary, standby, store

    @staticmethod
    def snapshot(host: Cairn, store: pathlib.Path, path: pathlib.Path) -> dict:
        return host.json("snapshot", "--store", store, "--series", "s", path)

    @staticmethod
    def once(host: Cairn, store: pathlib.Path, target: pathlib.Path, *args, expect: int = 0) -> dict:
        return host.json("restore", "--store", store, "s", target, "--follow", "--once", *args, expect=expect)

    def fresh(self, host: Cairn, store: pathlib.Path) -> pathlib.Path:
        self.number += 1
        target = host.home / f"fresh-{self.number}"
        host.run("restore", "--quiet", "--store", store, "s", target)
        return target

    def check_equal(self, host: Cairn, store: pathlib.Path, target: pathlib.Path) -> None:
        fresh = self.fresh(host, store)
        if fresh.is_dir():
            check(tree_differences(fresh, target) == "", f"not as a fresh restore:\n{tree_differences(fresh, target)}")
            shutil.rmtree(fresh)
        else:
            check(fresh.read_bytes() == target.read_bytes(), f"{target} is not as a fresh restore has it")
            a, b = fresh.stat(), target.stat()
            check((a.st_mode, a.st_mtime_ns) == (b.st_mode, b.st_mtime_ns), f"{target}: {a} {b}")
            fresh.unlink()

    def checkpoints(self) -> None:
        at = self.place("checkpoints")
        primary, standby, store = self.hosts(at)
        database = Database(at / "state.db", self.megabytes)
        target = at / "warm" / "state.db"
        status, log = at / "status.json", at / "log"
        newest = self.snapshot(primary, store, database.path)
        told_by = ["sh", "-c", f'echo "$CAIRN_SNAPSHOT $CAIRN_SERIES $CAIRN_LAG_SECONDS $CAIRN_TARGET" >>{log}']
        options = ("--store", store, "s", target, "--status-file", status)
        process = Follower(standby, *options)
        process.wait(lambda told: told["id"] == newest["id"])
        process.stop()
        # One that begins where another one ended.
        follower = Follower(standby, *options, told_by=told_by)
        inodes, lags, requests, fetched, durations = [target.stat().st_ino], [], [], [], []
        for number in range(self.checkpoints_wanted):
            database.change(20 + number % 30)
            newest = self.snapshot(primary, store, database.path)
            published = time.monotonic()
            seen, told = follower.wait(lambda told, id=newest["id"]: told["id"] == id)
            check(told["outcome"] == "applied", f"{told}")
            lags.append(seen - published)
            durations.append(told["result"]["duration_ms"])
            requests.append(told["requests"] - newest["packs_written"])
            fetched.append(told["result"]["bytes_fetched"] / max(1, newest["stored_bytes"]))
            # The first one of a process has yet to read what it keeps from then on.
            if number > 0:
                check(requests[-1] <= 4, f"checkpoint {number}: {told}, {newest}")
            self.check_equal(standby, store, target)
            inodes.append(target.stat().st_ino)
            check(json.loads(status.read_text())["id"] == newest["id"], "the status file is not of now")
        follower.stop()
        lines = log.read_text().splitlines()
        check(len(lines) == self.checkpoints_wanted, f"--exec ran {len(lines)} times")
        check(lines[-1].split()[:2] == [newest["id"], "s"] and lines[-1].endswith(f" {target}"), lines[-1])
        if not clones(at):
            # Two files that take turns.
            check(len(set(inodes)) == 2 and all(a != b for a, b in zip(inodes, inodes[1:])), f"inodes {inodes}")
        print(
            f"{self.checkpoints_wanted} checkpoints of {database.path.stat().st_size >> 20} MiB: lag behind the publication"
            f" at most {max(lags):.1f} s, on average {sum(lags) / len(lags):.1f} s, with an interval of 1 s; a restore took"
            f" {sum(durations) / len(durations) / 1000:.2f} s; requests beyond new packs: first {requests[0]}, then at most"
            f" {max(requests[1:], default=0)}; fetched {max(fetched):.2f} of what was stored at most",
            flush=True,
        )
        # Nothing new: one listing.
        idle = Follower(standby, *options)
        first = None
        while first is None or json.loads(status.read_text())["looked_at"] == first:
            first = first or json.loads(status.read_text())["looked_at"]
            time.sleep(0.1)
        time.sleep(1.5)
        check(json.loads(status.read_text())["requests"] == 1, status.read_text())
        idle.stop()

    def trees(self) -> None:
        at = self.place("trees")
        primary, standby, store = self.hosts(at)
        source, target = at / "source", at / "warm"
        (source / "sub").mkdir(parents=True)
        database = Database(source / "app.db", 2)
        rng = random.Random(3)
        for i in range(30):
            (source / "sub" / f"f{i}").write_bytes(rng.randbytes(20_000 + i))
        os.link(source / "sub" / "f1", source / "second-name")
        os.symlink("app.db", source / "link")
        self.snapshot(primary, store, source)
        self.once(standby, store, target)
        for number in range(12):
            database.change(5)
            (source / "sub" / f"f{number}").write_bytes(rng.randbytes(10_000))
            (source / "sub" / f"new{number}").write_bytes(rng.randbytes(500))
            (source / "sub" / f"f{number + 12}").unlink()
            if number == 3:
                (source / "second-name").unlink()
                (source / "link").unlink()
                (source / "link").mkdir()
                (source / "link" / "file").write_bytes(b"x")
            if number == 6:
                shutil.rmtree(source / "link")
                os.symlink("elsewhere", source / "link")
                (source / "sub" / "f29").rename(source / "moved")
                (source / "sub" / "f28").chmod(0o600)
            newest = self.snapshot(primary, store, source)
            told = self.once(standby, store, target)
            check(told["outcome"] == "applied" and told["id"] == newest["id"], f"{told}")
            self.check_equal(standby, store, target)
        check(self.once(standby, store, target)["outcome"] == "current", "it is current")

    def refused_and_taken(self, name: str, build, write, unchanged) -> None:
        """write(target): what somebody does at the standby. Refused as long as there is something new, and then taken."""
        at = self.place(name)
        primary, standby, store = self.hosts(at)
        source, change = build(at)
        target = at / "warm"
        self.snapshot(primary, store, source)
        self.once(standby, store, target)
        write(target)
        change()
        self.snapshot(primary, store, source)
        told = self.once(standby, store, target, expect=2)
        check(told["outcome"] == "refused" and "written here" in told["error"]["message"], f"{name}: {told}")
        unchanged(target)
        told = self.once(standby, store, target, expect=2)
        check(told["outcome"] == "refused", f"{name}, once more: {told}")
        self.once(standby, store, target, "--discard-local")
        self.check_equal(standby, store, target)
        for suffix in ("-wal", "-journal"):
            check(not pathlib.Path(f"{target}{suffix}").exists(), f"{name}: a log is left")
        change()
        self.snapshot(primary, store, source)
        self.once(standby, store, target)
        self.check_equal(standby, store, target)

    @staticmethod
    def build_database(at: pathlib.Path):
        database = Database(at / "state.db", 2)
        return database.path, lambda: database.change(5)

    @staticmethod
    def build_tree(at: pathlib.Path):
        source = at / "source"
        source.mkdir()
        numbers = iter(range(100))
        for name in "abc":
            (source / name).write_bytes(name.encode() * 50_000)

        def change() -> None:
            (source / "a").write_bytes(b"%d" % next(numbers) + b"a" * 50_000)
            (source / "b").unlink(missing_ok=True)

        return source, change

    def local_writes(self) -> None:
        def committed(target: pathlib.Path) -> None:
            connection = sqlite3.connect(target)
            connection.execute("INSERT INTO t VALUES (1000000, 'mine')")
            connection.commit()
            connection.close()

        def in_log(target: pathlib.Path) -> None:
            script = (
                "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint = 0');"
                "c.execute(\"INSERT INTO t VALUES (1000000, 'mine')\"); c.commit(); os._exit(0)"
            )
            subprocess.run(["python3", "-c", script, target], check=True)
            check(pathlib.Path(f"{target}-wal").stat().st_size > 0, "there is no log")

        def has_mine(target: pathlib.Path) -> None:
            copy = target.with_name("copy.db")
            for suffix in ("", "-wal"):
                if pathlib.Path(f"{target}{suffix}").exists():
                    shutil.copyfile(f"{target}{suffix}", f"{copy}{suffix}")
            connection = sqlite3.connect(copy)
            rows = connection.execute("SELECT v FROM t WHERE id = 1000000").fetchall()
            connection.close()
            check(rows == [("mine",)], f"what was committed at the standby is lost: {rows}")

        self.refused_and_taken("committed", self.build_database, committed, has_mine)
        self.refused_and_taken("in-log", self.build_database, in_log, has_mine)

        def file_written(target: pathlib.Path) -> None:
            (target / "a").write_bytes(b"mine")

        def removed_here(target: pathlib.Path) -> None:
            (target / "b").write_bytes(b"mine")

        def extra(target: pathlib.Path) -> None:
            (target / "extra").mkdir()
            (target / "extra" / "file").write_bytes(b"mine")

        def is_mine(name: str):
            def look(target: pathlib.Path) -> None:
                check((target / name).read_bytes() == b"mine", f"{name} is lost")

            return look

        self.refused_and_taken("file", self.build_tree, file_written, is_mine("a"))
        self.refused_and_taken("goes", self.build_tree, removed_here, is_mine("b"))
        self.refused_and_taken("extra", self.build_tree, extra, is_mine("extra/file"))
        # What is there already, and nobody put there by a follow.
        at = self.place("not-ours")
        primary, standby, store = self.hosts(at)
        source, change = self.build_tree(at)
        self.snapshot(primary, store, source)
        target = at / "live"
        target.mkdir()
        (target / "a").write_bytes(b"mine")
        told = self.once(standby, store, target, expect=2)
        check("was not restored here" in told["error"]["message"], f"{told}")
        done = standby.run("restore", "--store", store, "s", target, "--follow", expect=2)
        check(b"would be lost" in done.stderr and b"--discard-local" in done.stderr, done.stderr.decode())
        check((target / "a").read_bytes() == b"mine", "it is lost")
        # What has gone is no loss.
        self.once(standby, store, target, "--discard-local")
        (target / "c").unlink()
        change()
        self.snapshot(primary, store, source)
        self.once(standby, store, target)
        self.check_equal(standby, store, target)

    def touched(self) -> None:
        """A file whose size and time are as they were is not what it was: its ctime tells. What was touched and no more is
        read, and nothing else."""
        for name, build, file in (("database", self.build_database, ""), ("tree", self.build_tree, "c")):
            at = self.place(f"touched-{name}")
            primary, standby, store = self.hosts(at)
            source, change = build(at)
            target = at / "warm"
            self.snapshot(primary, store, source)
            self.once(standby, store, target)
            path = target / file if file else target
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
            change()
            self.snapshot(primary, store, source)
            self.once(standby, store, target)
            self.check_equal(standby, store, target)
            before = path.stat()
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            check(path.stat().st_size == before.st_size and path.stat().st_mtime_ns == before.st_mtime_ns, "no trace")
            change()
            self.snapshot(primary, store, source)
            told = self.once(standby, store, target, expect=2)
            check(told["outcome"] == "refused", f"{name}: {told}")
            self.once(standby, store, target, "--discard-local")
            self.check_equal(standby, store, target)

    def damage(self) -> None:
        at = self.place("damage")
        primary, standby, store = self.hosts(at)
        source, change = self.build_tree(at)
        target, status = at / "warm", at / "status.json"
        good = self.snapshot(primary, store, source)
        self.once(standby, store, target)
        before = tree_differences(source, target)
        check(before == "", before)
        packs = {p for p in (store / "packs").rglob("*") if p.is_file()}
        (source / "c").write_bytes(random.Random(5).randbytes(100_000))
        change()
        as_good = self.fresh(standby, store)
        self.snapshot(primary, store, source)
        new = [p for p in (store / "packs").rglob("*") if p.is_file() and p not in packs]
        largest = max(new, key=lambda p: p.stat().st_size)
        whole = largest.read_bytes()
        for what, content in (("cut off", whole[: len(whole) // 2]), ("other", bytes(len(whole)))):
            largest.chmod(0o600)
            largest.write_bytes(content)
            told = self.once(standby, store, target, "--status-file", status, expect=4)
            check(told["outcome"] == "damaged" and told["id"] in (None, good["id"]), f"{what}: {told}")
            check(json.loads(status.read_text())["outcome"] == "damaged", status.read_text())
            check(read_tree(as_good) == read_tree(target), f"{what}: the standby is not as it was")
        follower = Follower(standby, "--store", store, "s", target)
        follower.wait(lambda told: told["outcome"] == "damaged")
        time.sleep(2.5)
        check(sum("damaged" in line for line in follower.errors) <= 2, f"said again and again: {follower.errors}")
        largest.write_bytes(whole)
        _, told = follower.wait(lambda told: told["outcome"] == "applied")
        self.check_equal(standby, store, target)
        follower.stop()

    def untrusted(self) -> None:
        at = self.place("untrusted")
        primary, standby, store = self.hosts(at)
        source, change = self.build_tree(at)
        key = SigningKey.make(primary, at / "sign.pem")
        target = at / "warm"
        trust = ("--trusted-key", key.public)
        primary.environment["CAIRN_SIGNING_KEY"] = str(key.file)
        good = self.snapshot(primary, store, source)
        self.once(standby, store, target, *trust)
        as_good = self.fresh(standby, store)
        del primary.environment["CAIRN_SIGNING_KEY"]
        change()
        self.snapshot(primary, store, source)
        told = self.once(standby, store, target, *trust, expect=13)
        check(told["outcome"] == "untrusted" and told["id"] == good["id"], f"{told}")
        check(read_tree(as_good) == read_tree(target), "the standby is not as it was")
        primary.environment["CAIRN_SIGNING_KEY"] = str(key.file)
        change()
        newest = self.snapshot(primary, store, source)
        told = self.once(standby, store, target, *trust)
        check(told["outcome"] == "applied" and told["id"] == newest["id"], f"{told}")
        self.check_equal(standby, store, target)

    def store_away(self) -> None:
        at = self.place("away")
        primary, standby, store = self.hosts(at)
        source, change = self.build_tree(at)
        target = at / "warm"
        self.snapshot(primary, store, source)
        # One that was never there is a mistake.
        standby.run("restore", "--store", at / "none", "s", target, "--follow", expect=10)
        standby.run("restore", "--store", store, "t", target, "--follow", expect=10)
        self.once(standby, store, target)
        store.rename(at / "elsewhere")
        follower = Follower(standby, "--store", store, "s", target)
        follower.wait(lambda told: told["outcome"] == "store_away")
        time.sleep(3)
        check(len(follower.errors) == 1 and "is looked at every 1" in follower.errors[0], f"{follower.errors}")
        (at / "elsewhere").rename(store)
        follower.wait(lambda told: told["outcome"] == "current")
        check(len(follower.errors) == 2 and "all is well again" in follower.errors[1], f"{follower.errors}")
        change()
        newest = self.snapshot(primary, store, source)
        follower.wait(lambda told: told["id"] == newest["id"])
        other = standby.run("restore", "--store", store, "s", target, "--follow", "--once", expect=11)
        check(b"does already" in other.stderr, other.stderr.decode())
        follower.stop()

    def state_lost(self) -> None:
        at = self.place("state-lost")
        primary, standby, store = self.hosts(at)
        source, change = self.build_tree(at)
        target = at / "warm"
        self.snapshot(primary, store, source)
        self.once(standby, store, target)
        for number in range(3):
            states = [p for p in standby.home.rglob("follow/*") if p.suffix == ""]
            check(len(states) == 1, f"{states}")
            if number == 0:
                states[0].unlink()
            elif number == 1:
                states[0].write_bytes(states[0].read_bytes()[:-40] + bytes(40))
            else:
                states[0].write_bytes(b"")
            change()
            self.snapshot(primary, store, source)
            check(self.once(standby, store, target)["outcome"] == "applied", f"state {number}")
            self.check_equal(standby, store, target)

    def in_use(self) -> None:
        """Whoever has the file open that was replaced last keeps it as it was."""
        at = self.place("in-use")
        primary, standby, store = self.hosts(at)
        source, target = at / "file", at / "warm"
        rng = random.Random(9)
        content = bytearray(rng.randbytes(3_000_000))

        def change() -> None:
            content[rng.randrange(len(content))] ^= 1
            source.write_bytes(content)
            self.snapshot(primary, store, source)

        change()
        self.once(standby, store, target)
        with open(target, "rb") as reader:
            as_opened = target.read_bytes()
            for number in range(3):
                change()
                done = standby.run("restore", "--store", store, "s", target, "--follow", "--once")
                self.check_equal(standby, store, target)
                if number == 1 and not clones(at):
                    check(b"is copied as a whole" in done.stderr, f"it does not say so: {done.stderr.decode()}")
                reader.seek(0)
                check(reader.read() == as_opened, "an open file became another one under its reader")

    def kills(self) -> None:
        at = self.place("kills")
        primary, standby, store = self.hosts(at)
        for name, build in (("database", self.build_database), ("tree", self.build_tree)):
            here = at / name
            here.mkdir()
            source, change = build(here)
            series = ("--store", store, "--series", name)
            restore = ("restore", "--store", store, name)
            primary.run("snapshot", *series, source)
            target = here / "warm"
            standby.run(*restore, target, "--follow", "--once")
            before = here / "before"
            standby.run(*restore, before)
            earlier = here / "earlier"
            shutil.copytree(store, earlier)
            change()
            primary.run("snapshot", *series, source)
            after = here / "after"
            standby.run(*restore, after)
            def reset(with_state: bool) -> None:
                for path in here.glob(".cairn-*"):
                    shutil.rmtree(path)
                shutil.rmtree(target) if target.is_dir() else target.unlink()
                for path in standby.home.rglob("follow/*"):
                    path.unlink()
                if with_state:
                    standby.run("restore", "--store", earlier, name, target, "--follow", "--once")
                else:
                    subprocess.run(["cp", "-a", before, target], check=True)

            def run(**environment) -> subprocess.CompletedProcess:
                command = [standby.binary, *map(str, (*restore, target, "--follow", "--once"))]
                more = {k: str(v) for k, v in environment.items()}
                return subprocess.run(command, env=dict(standby.environment, **more), capture_output=True)

            def same(a: pathlib.Path, b: pathlib.Path) -> bool:
                return a.read_bytes() == b.read_bytes()

            def names(root: pathlib.Path) -> set:
                return {p.relative_to(root).as_posix() for p in root.rglob("*") if ".cairn-" not in p.as_posix()}

            def check_old_or_new(when: str) -> None:
                if not target.is_dir():
                    check(same(target, before) or same(target, after), f"{when}: neither old nor new")
                    return
                for path in names(before) | names(after):
                    there = target / path
                    old = (before / path).read_bytes() if (before / path).is_file() else None
                    new = (after / path).read_bytes() if (after / path).is_file() else None
                    is_now = there.read_bytes() if there.is_file() else None
                    check(is_now in (old, new), f"{when}: {path} is neither old nor new")

            reset(True)
            count = here / "count"
            done = run(LD_PRELOAD=self.shim, KILL_COUNT=count)
            check(done.returncode == 0, done.stderr.decode())
            calls = int(count.read_text())
            chosen = range(1, calls + 1)
            if self.moments and calls > self.moments:
                chosen = sorted({1 + i * (calls - 1) // (self.moments - 1) for i in range(self.moments)})
            tried = 0
            for number in chosen:
                for when in ("before", "after"):
                    # What it remembers may be lost as well.
                    reset(tried % 4 < 2)
                    done = run(LD_PRELOAD=self.shim, KILL_AT=number, KILL_WHEN=when, KILL_SIGNAL=int(signal.SIGKILL))
                    check(done.returncode in (0, -9), f"{name} {number} {when}: {done.stderr.decode()}")
                    check_old_or_new(f"{name}, killed {when} call {number}")
                    done = run()
                    check(done.returncode == 0, f"{name}, after a kill {when} call {number}: {done.stderr.decode()}")
                    self.number += 1
                    if target.is_dir():
                        check(tree_differences(after, target) == "", tree_differences(after, target))
                    else:
                        check(same(target, after), f"{name} {number} {when}: not as a fresh restore")
                    tried += 1
            print(f"{name}: killed at {tried} of {2 * calls} moments", flush=True)


def run(binary: str, args: list[str]) -> None:
    megabytes = int(args[0]) if args else 24
    checkpoints = int(args[1]) if len(args) > 1 else 12
    moments = int(args[2]) if len(args) > 2 else 12
    with Workspace("follow") as work:
        rig = Follow(binary, work, megabytes, checkpoints, moments)
        steps = [rig.checkpoints, rig.trees, rig.local_writes, rig.touched, rig.damage, rig.untrusted, rig.store_away,
                 rig.state_lost, rig.in_use, rig.kills]
        wanted = args[3:]
        try:
            run_steps([step for step in steps if not wanted or step.__name__ in wanted])
        finally:
            for process in Follower.started:
                process.kill()


if __name__ == "__main__":
    main(run)
