#!/usr/bin/python3
"""Restores into a database that others use (restore --live), in WAL and in rollback mode. Beside readers and writers that
never stop, each a process of its own with SQLite's own library, nobody ever sees anything but one committed state, and each
user goes on with the connection that it has. What comes is the snapshot but for a few bytes of the header, whatever page
sizes, vacuum modes and reserved bytes meet; where users could not go on, it is refused, and nothing is touched. The program
or its child killed at its calls beside users: the old or the new state, and the same command then goes through.
Arguments: how many restores beside users (0: none), and at how many calls to kill (0: at none, -1: at every one)."""

import itertools
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from support import Cairn, Workspace, build_shim, check, main, run_steps

MODES = ("wal", "delete")
READERS = 4
WRITERS = 2
# What sqlite3_backup makes anew: versions, change counter, schema version, version-valid-for and library version.
MADE_ANEW = {18, 19, *range(24, 28), *range(40, 44), *range(92, 100)}
USER = "user-of-a-database"


# The state of a database: all rows of t are of one generation, s says which, and what they are together.
def make(path: pathlib.Path, mode: str, origin: str, rows: int, page: int = 4096, before: str = "") -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"PRAGMA page_size = {page}; {before}; PRAGMA journal_mode = {mode}; BEGIN;"
                             "CREATE TABLE t(id INTEGER PRIMARY KEY, generation, v); CREATE INDEX i ON t(generation);"
                             "CREATE TABLE s(origin, generation, rows, bytes)")
    connection.executemany("INSERT INTO t VALUES (?, 0, ?)", ((i, f"{origin}{i}" * (i % 40)) for i in range(rows)))
    connection.execute("INSERT INTO s SELECT ?, 0, count(*), sum(length(v)) FROM t", (origin,))
    connection.execute("COMMIT")
    connection.close()


def see(connection: sqlite3.Connection) -> str:
    """The origin of the state; raises AssertionError where it is not one state."""
    connection.execute("BEGIN")
    try:
        origin, generation, rows, size = connection.execute("SELECT * FROM s").fetchone()
        found = connection.execute("SELECT min(generation), max(generation), count(*), sum(length(v)) FROM t").fetchone()
        by_index = connection.execute("SELECT count(*) FROM t WHERE generation = ?", (generation,)).fetchone()
        other = connection.execute("SELECT count(*) FROM t WHERE v <> '' AND substr(v, 1, 1) <> ?", (origin,)).fetchone()
        check(found == (generation, generation, rows, size), f"{origin} {generation} {rows} {size}: {found}")
        check(by_index == (rows,) and other == (0,), f"{origin} {generation}: {by_index} by index, {other} of another")
        return origin
    finally:
        connection.execute("COMMIT")


def change(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE t SET generation = generation + 1")
        connection.execute("UPDATE s SET generation = generation + 1")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def use(path: str, kind: str) -> None:
    """A user until its input ends: one connection, with its statements kept; every other one maps the file. Says how often
    it was served, or was told that the database is busy, and what was wrong."""
    os.set_blocking(0, False)
    # In rollback mode readers keep a writer out that does not wait.
    connection = sqlite3.connect(path, isolation_level=None, timeout=0 if kind == "reader" else 2)
    if os.getpid() % 2 == 0:
        connection.execute("PRAGMA mmap_size = 268435456")
    served = busy = 0
    while True:
        try:
            if os.read(0, 1) == b"":
                break
        except BlockingIOError:
            pass
        try:
            see(connection) if kind == "reader" else change(connection)
            served += 1
            if kind == "writer":
                time.sleep(0.003)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            busy += 1
            time.sleep(0.001)
    connection.close()
    print(served, busy)


class Users:
    def __init__(self, path: pathlib.Path, readers: int = READERS, writers: int = WRITERS):
        kinds = ["reader"] * readers + ["writer"] * writers
        self.kinds = kinds
        command = [sys.executable, str(pathlib.Path(__file__).resolve()), USER, str(path)]
        self.processes = [
            subprocess.Popen([*command, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for kind in kinds
        ]

    def __enter__(self) -> "Users":
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()

    def check_alive(self) -> None:
        for process in self.processes:
            if process.poll() is not None:
                raise AssertionError(f"a user ended: {process.stderr.read().decode()}")

    def finish(self) -> tuple[int, int, int]:
        """How often readers and writers were served, and how often either was told that it is busy."""
        self.check_alive()
        reads = writes = busy = 0
        for process, kind in zip(self.processes, self.kinds):
            process.stdin.close()
            out, errors = process.stdout.read(), process.stderr.read()
            check(process.wait() == 0, f"a {kind} failed: {errors.decode()}")
            served, told = map(int, out.split())
            check(served > 0, f"a {kind} was never served")
            reads += served * (kind == "reader")
            writes += served * (kind == "writer")
            busy += told
        return reads, writes, busy


def patiently(step, seconds: float = 60):
    """Beside others one has to wait for one's turn."""
    end = time.monotonic() + seconds
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.001)


def look(path: pathlib.Path) -> str:
    """What a new user finds; all of it is sound."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        found = patiently(lambda: connection.execute("PRAGMA integrity_check").fetchall())
        check(found == [("ok",)], f"integrity_check: {found[:3]}")
        return patiently(lambda: see(connection))
    finally:
        connection.close()


def is_running(process: str) -> bool:
    try:
        return ") Z " not in pathlib.Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def read(path: pathlib.Path) -> bytes:
    """By another process: to close a file here would drop the locks of this process on it."""
    return subprocess.run(["cat", path], capture_output=True, check=True).stdout


class Live:
    def __init__(self, binary: str, work: pathlib.Path, restores: int, kills: int):
        self.work = work
        self.restores = restores
        self.kills = kills
        self.cairn = Cairn(binary, work)
        self.store = work / "store"
        self.place = work / "place"
        self.live = self.place / "app.db"
        self.random = random.Random(11)
        self.cairn.run("init", "--store", self.store, "--no-encryption")
        self.images: dict[str, pathlib.Path] = {}

    def take(self, name: str, mode: str, origin: str, rows: int, page: int = 4096, before: str = "") -> str:
        """A snapshot; self.images has what is in it."""
        source = self.work / f"{name}.db"
        make(source, mode, origin, rows, page, before)
        self.images[name] = source
        return self.cairn.json("snapshot", "--store", self.store, source, "--series", name)["id"]

    def fresh(self, mode: str, rows: int = 200, page: int = 4096, before: str = "") -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        make(self.live, mode, "o", rows, page, before)

    def restore(self, snapshot: str, *options, cairn: Cairn | None = None, expect: int | None = 0):
        return (cairn or self.cairn).run("restore", "--store", self.store, snapshot, self.live, "--live", *options, expect=expect)

    def beside(self) -> None:
        """Restores in turn of a small and of a large snapshot, each of another mode than the other."""
        snapshots = {"a": self.take("a", "delete", "a", 100), "b": self.take("b", "wal", "b", 3000)}
        for mode in MODES:
            self.fresh(mode)
            done = refused = 0
            waited = []
            with Users(self.live) as users:
                for number in range((self.restores + (mode == "wal")) // 2):
                    origin = "ab"[number % 2]
                    for _ in range(5):
                        said = self.restore(snapshots[origin], "--json", expect=None)
                        check(said.returncode in (0, 11), f"exit {said.returncode}: {said.stderr.decode()}")
                        if said.returncode == 0:
                            break
                        refused += 1
                    check(said.returncode == 0, "its turn never came")
                    check(look(self.live) == origin, "a restore that was reported is not there")
                    users.check_alive()
                    done += 1
                    waited.append(int(said.stdout.split(b'"wait_ms":')[1].split(b",")[0]))
                reads, writes, busy = users.finish()
            connection = sqlite3.connect(self.live)
            found = connection.execute("PRAGMA journal_mode").fetchone()[0]
            connection.close()
            check(found == mode, f"it is in {found} mode by now")
            print(f"{mode}: {done} restores ({refused} busy, users waited {max(waited, default=0)} ms at most) beside {READERS} "
                  f"readers ({reads} reads) and {WRITERS} writers ({writes} commits), told {busy} times that it is busy")

    def equal(self) -> None:
        """Whatever it was before, it is the snapshot then; and who has it open goes on, in the mode that it had."""
        pages = ((4096, 4096), (512, 4096), (4096, 512), (65536, 1024))
        vacuum = ("", "PRAGMA auto_vacuum = 1", "PRAGMA auto_vacuum = 2")
        tried = 0
        for number, (image_mode, live_mode, (page, live_page), image_rows) in enumerate(
            itertools.product(MODES, MODES, pages, (20, 1500))
        ):
            if live_mode == "wal" and page != live_page:
                continue
            before, live_before = vacuum[number % 3], vacuum[number // 3 % 3]
            snapshot = self.take(f"n{number}", image_mode, "n", image_rows, page, before)
            self.fresh(live_mode, 700, live_page, live_before)
            os.chmod(self.live, 0o640)
            user = sqlite3.connect(self.live, isolation_level=None)
            check(see(user) == "o", "not the old one")
            was = os.stat(self.live)
            self.restore(snapshot)
            what = f"{image_mode} {page} {before} into {live_mode} {live_page} {live_before}"
            check(see(user) == "n", f"{what}: its user does not see it")
            check(user.execute("PRAGMA journal_mode").fetchone() == (live_mode,), f"{what}: in another mode")
            change(user)
            self.restore(snapshot)
            user.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.same_bytes(f"n{number}", what)
            now = os.stat(self.live)
            check((was.st_ino, was.st_mode, was.st_uid) == (now.st_ino, now.st_mode, now.st_uid), f"{what}: another file")
            check(look(self.live) == "n", what)
            change(user)
            user.close()
            left = sorted(os.listdir(self.place))
            check(left == ["app.db"], f"{what}: left {left}")
            tried += 1
        print(f"{tried} combinations of modes, page sizes, vacuum modes and sizes")

    def same_bytes(self, name: str, what: str) -> None:
        image, now = self.images[name].read_bytes(), read(self.live)
        check(len(image) == len(now), f"{what}: {len(now)} bytes, not {len(image)}")
        differing = {i for i in range(len(image)) if image[i] != now[i]} if image != now else set()
        check(differing <= MADE_ANEW, f"{what}: differs at {sorted(differing - MADE_ANEW)[:10]}")

    def reserved(self) -> None:
        """Bytes at the end of each page, as for checksums: they come with the snapshot."""
        if shutil.which("sqlite3") is None:
            print("SKIPPED: there is no sqlite3 program")
            return
        snapshot = self.take("plain", "delete", "n", 300)
        source = self.work / "reserving.db"
        make(source, "delete", "r", 300)
        subprocess.run(["sqlite3", source, ".filectrl reserve_bytes 32", "VACUUM"], check=True, capture_output=True)
        check(source.read_bytes()[20] == 32, "nothing is reserved")
        self.images["reserving"] = source
        reserving = self.cairn.json("snapshot", "--store", self.store, source, "--series", "reserving")["id"]
        for mode in MODES:
            self.fresh(mode)
            user = sqlite3.connect(self.live, isolation_level=None)
            for name, taken, origin in (("reserving", reserving, "r"), ("plain", snapshot, "n"), ("reserving", reserving, "r")):
                see(user)
                self.restore(taken)
                check(see(user) == origin, f"{mode}: {name} is not there")
                user.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self.same_bytes(name, f"{mode}, {name}")
                change(user)
                check(look(self.live) == origin, name)
            user.close()

    def damaged_before(self) -> None:
        """A live database that is damaged is what a restore is for."""
        snapshot = self.take("whole", "wal", "n", 2000)

        def cut(content: bytearray) -> None:
            del content[len(content) // 8 * 4 :]

        def no_schema(content: bytearray) -> None:
            content[100:3000] = b"\xff" * 2900

        def no_pages(content: bytearray) -> None:
            content[4096:] = bytes(len(content) - 4096)

        for mode, damage in itertools.product(MODES, (cut, no_schema, no_pages)):
            self.fresh(mode, 900)
            user = sqlite3.connect(self.live, isolation_level=None)
            see(user)
            content = bytearray(read(self.live))
            damage(content)
            # As a disk does it, beside its users.
            subprocess.run(["dd", f"of={self.live}", "bs=1M"], input=content, capture_output=True, check=True)
            self.restore(snapshot)
            check(see(user) == "n", f"{mode}, {damage.__name__}: its user does not see it")
            check(look(self.live) == "n", damage.__name__)
            user.close()

    def state(self) -> dict:
        files = (p for p in self.place.iterdir() if p.is_file() and not p.name.endswith("-shm"))
        return {p.name: (p.stat().st_ino, read(p)) for p in files}

    def refused(self) -> None:
        """Before anything is touched, and with advice."""
        taken = {
            "plain": self.take("fits", "wal", "n", 50),
            "page": self.take("page", "wal", "n", 50, 8192),
            "text": self.take("text", "wal", "n", 50, 4096, "PRAGMA encoding = 'UTF-16le'"),
        }
        tree = self.work / "tree"
        tree.mkdir()
        shutil.copyfile(self.images["fits"], tree / "app.db")
        taken["tree"] = self.cairn.json("snapshot", "--store", self.store, tree)["id"]

        def absent() -> None:
            self.live.unlink()

        def plain_file() -> None:
            self.live.write_bytes(b"no database" * 100)

        def directory() -> None:
            self.live.unlink()
            self.live.mkdir()

        def two_names() -> None:
            os.link(self.live, self.place / "other.db")

        def nothing() -> None:
            pass

        cases = (
            ("plain", absent, (), "without --live"),
            ("plain", plain_file, (), "no SQLite database"),
            ("plain", directory, (), "it is a directory"),
            ("plain", two_names, (), "several names"),
            ("page", nothing, (), "page size"),
            ("text", nothing, (), "text encoding"),
            ("tree", nothing, (), "single database"),
            ("plain", nothing, ("--path", "fits.db"), "a part of"),
        )
        for name, prepare, options, words in cases:
            for more in ((), ("--plan",)):
                self.fresh("wal")
                prepare()
                before = self.state() if not self.live.is_dir() else {}
                said = self.restore(taken[name], *options, *more, expect=2).stderr.decode()
                check(words in said and "hint: " in said, f"{name}, {prepare.__name__}: {said}")
                check(self.live.is_dir() or self.state() == before, f"{name}, {prepare.__name__}: touched")
        self.fresh("wal")
        planned = self.cairn.json("restore", "--store", self.store, taken["plain"], self.live, "--live", "--plan")["plan"]["live"]
        user = sqlite3.connect(self.live, isolation_level=None)
        see(user)
        done = self.cairn.json("restore", "--store", self.store, taken["plain"], self.live, "--live")["live"]
        check(planned["wal"] and planned["log_bytes"] >= done["log_bytes"] > 0 and done["log_copied"], f"{planned}, then {done}")
        user.close()

    def owned(self) -> None:
        """Root restores into a database of somebody else's, who has it open: all that is made there is his."""
        if os.geteuid() != 0:
            print("SKIPPED: a database of another user: needs root")
            return
        snapshot = self.take("owned", "wal", "n", 500)
        for mode in MODES:
            self.fresh(mode)
            os.chmod(self.work, 0o755)
            for path in (self.place, self.live):
                os.chown(path, 65534, 65534)
            os.chmod(self.live, 0o600)
            # SQLite gives what it makes as root to the owner of the database.
            user = sqlite3.connect(self.live, isolation_level=None)
            see(user)
            change(user)
            self.restore(snapshot)
            check(see(user) == "n", "not restored")
            owners = {p.name: (p.stat().st_uid, p.stat().st_gid, p.stat().st_mode & 0o777) for p in self.place.iterdir()}
            check(set(owners.values()) == {(65534, 65534, 0o600)}, f"{mode}: {owners}")
            user.close()
            # What lies there under the name of a log is never followed.
            victim = self.work / "victim"
            victim.write_bytes(b"mine")
            for suffix in ("-journal", "-wal"):
                link = self.live.with_name(self.live.name + suffix)
                link.symlink_to(victim)
                self.restore(snapshot, expect=None)
                check(victim.read_bytes() == b"mine" and link.is_symlink(), f"{mode}: {suffix} was followed")
                link.unlink()

    def too_small(self) -> None:
        """A disk that has room for the snapshot, and none for the log that it goes through: refused before."""
        snapshot = self.take("large", "wal", "n", 9000)
        size = self.images["large"].stat().st_size
        for mode in MODES:
            shutil.rmtree(self.place, ignore_errors=True)
            self.place.mkdir()
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size * 2}", "tmpfs", self.place], capture_output=True)
            if mounted.returncode != 0:
                print(f"SKIPPED: a small disk: {mounted.stderr.decode().strip()}")
                return
            try:
                make(self.live, mode, "o", 9000)
                user = sqlite3.connect(self.live, isolation_level=None)
                see(user)
                before = self.state()
                said = self.restore(snapshot, expect=1).stderr
                check(b"too small" in said, f"{said}")
                check(self.state() == before and see(user) == "o", "touched")
                subprocess.run(["mount", "-o", f"remount,size={size * 5}", self.place], check=True)
                self.restore(snapshot)
                check(see(user) == "n", "not restored")
                user.close()
            finally:
                subprocess.run(["umount", self.place], check=True)

    def busy(self) -> None:
        """One that lets nobody in, and one that reads on: told after some seconds, nothing changed, and then it works."""
        snapshot = self.take("later", "wal", "n", 50)
        for mode, hold in (("wal", "BEGIN IMMEDIATE"), ("delete", "BEGIN"), ("wal", "exclusive"), ("delete", "exclusive")):
            self.fresh(mode)
            user = sqlite3.connect(self.live, isolation_level=None)
            if hold == "exclusive":
                user.execute("PRAGMA locking_mode = EXCLUSIVE")
                user.execute("UPDATE s SET origin = origin")
            else:
                user.execute(hold)
                user.execute("SELECT * FROM s").fetchall()
            before = self.state()
            said = self.restore(snapshot, expect=11)
            check(self.state() == before, f"{mode}, {hold}: changed")
            if hold != "exclusive":
                user.execute("COMMIT")
                check(see(user) == "o", "it is not the old one")
            else:
                user.close()
                user = sqlite3.connect(self.live, isolation_level=None)
                check(see(user) == "o", "it is not the old one")
            check(b"hint: " in said.stderr, f"{said.stderr}")
            self.restore(snapshot)
            check(see(user) == "n" and look(self.live) == "n", "not restored")
            user.close()
        # Whoever reads a log is in nobody's way.
        self.fresh("wal")
        user = sqlite3.connect(self.live, isolation_level=None)
        user.execute("BEGIN")
        user.execute("SELECT * FROM s").fetchall()
        said = self.cairn.json("restore", "--store", self.store, snapshot, self.live, "--live")["live"]
        check(not said["log_copied"], "a log was copied under a reader")
        check(user.execute("SELECT origin FROM s").fetchone() == ("o",), "a reader's state changed under it")
        user.execute("COMMIT")
        check(see(user) == "n", "not restored")
        user.close()

    def killed(self) -> None:
        """The program, or its child, at its calls, beside a reader and a writer."""
        shim = build_shim(self.work, "kill_at")
        snapshot = self.take("kills", "wal", "n", 1200)
        count = self.work / "count"
        for mode, prefix in itertools.product(MODES, ("", "LD_")):
            def prepared(**settings) -> Cairn:
                cairn = Cairn(self.cairn.binary, self.work)
                told = {"KILL_CALLS": "writes", **settings}
                cairn.environment.update({"LD_PRELOAD": str(shim), **{prefix + name: str(value) for name, value in told.items()}})
                return cairn

            # As it will be each time: the number of calls follows what is there.
            self.fresh(mode, 1000)
            self.restore(snapshot)
            connection = sqlite3.connect(self.live, isolation_level=None)
            self.mark_old(connection)
            connection.close()
            count.unlink(missing_ok=True)
            with Users(self.live, 1, 1):
                self.restore(snapshot, cairn=prepared(KILL_COUNT=count))
            calls = sum(map(int, count.read_text().split()))
            points = range(1, calls + 1)
            chosen = sorted(self.random.sample(points, self.kills)) if 0 <= self.kills < calls else points
            olds = news = 0
            self.fresh(mode, 1000)
            with Users(self.live, 1, 1) as users:
                for point in chosen:
                    # The old one by another name, so that it is seen which one it is.
                    connection = sqlite3.connect(self.live, isolation_level=None, timeout=60)
                    patiently(lambda: self.mark_old(connection))
                    connection.close()
                    done = self.restore(snapshot, cairn=prepared(KILL_AT=point), expect=None)
                    where = f"{mode}: {prefix or 'own '}call {point} of {calls}"
                    allowed = (0, 1) if prefix else (0, -signal.SIGKILL)
                    check(done.returncode in allowed, f"{where}: exit {done.returncode}: {done.stderr.decode()}")
                    found = self.look_once_alone()
                    check(done.returncode != 0 or found == "n", f"{where}: reported, and not there")
                    olds += found == "o"
                    news += found == "n"
                    users.check_alive()
                    self.restore(snapshot)
                    check(look(self.live) == "n", f"{where}: not restored by the same command")
                    left = [name for name in os.listdir(self.place) if name.startswith(".cairn")]
                    check(left == [], f"{where}: left {left}")
                users.finish()
            who = "the child" if prefix else "the program"
            print(f"{mode}: {who} killed at {len(chosen)} of {calls} calls: {olds} times the old state, {news} times the new one")

    def ended(self) -> None:
        """The program ended in the middle of the transaction: its child takes that back, and nobody else has to."""
        snapshot = self.take("ended", "wal", "n", 150_000)
        olds = 0
        for mode, number in itertools.product(MODES, (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)):
            self.fresh(mode, 60_000)
            user = sqlite3.connect(self.live, isolation_level=None)
            check(see(user) == "o", "not the old one")
            log = self.live.with_name(self.live.name + ("-wal" if mode == "wal" else "-journal"))
            begin = log.stat().st_size if log.exists() else 0
            process = self.cairn.start("restore", "--store", self.store, snapshot, self.live, "--live")
            while process.poll() is None and (not log.exists() or log.stat().st_size < begin + 500_000):
                time.sleep(0.001)
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            process.send_signal(number)
            said = process.communicate()[1].decode()
            allowed = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 143}[number]
            check(process.returncode in (0, allowed), f"{number.name}: exit {process.returncode}: {said}")
            for child in children:
                while is_running(child):
                    time.sleep(0.01)
            # Before anybody looks, who would take it back himself.
            check(mode == "wal" or not log.exists(), f"{mode}, {number.name}: a journal is left")
            found = see(user)
            check(found == "o" or number == signal.SIGKILL or process.returncode == 0, f"{number.name}: {process.returncode}, {found}")
            olds += found == "o"
            user.close()
            self.restore(snapshot)
            check(look(self.live) == "n", f"{mode}, {number.name}: not restored by the same command")
        check(olds > 0, "it was through each time")
        print(f"ended {len(MODES) * 3} times in the middle: {olds} times the old state")

    def mark_old(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM t")
        connection.executemany("INSERT INTO t VALUES (?, 0, ?)", ((i, f"o{i}" * (i % 40)) for i in range(1000)))
        connection.execute("DELETE FROM s")
        connection.execute("INSERT INTO s SELECT 'o', 0, count(*), sum(length(v)) FROM t")
        connection.execute("COMMIT")

    def look_once_alone(self) -> str:
        """When a child that was left behind is through, too."""
        connection = sqlite3.connect(self.live, isolation_level=None)

        def alone() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")

        patiently(alone)
        connection.close()
        return look(self.live)


def run(binary: str, args: list[str]) -> None:
    restores = int(args[0]) if args else 20
    kills = int(args[1]) if len(args) > 1 else 8
    with Workspace("live") as work:
        live = Live(binary, pathlib.Path(os.path.realpath(work)), restores, kills)
        steps = [live.equal, live.reserved, live.damaged_before, live.refused, live.owned, live.too_small, live.busy]
        if restores:
            steps.append(live.beside)
        if kills:
            steps += [live.killed, live.ended]
        run_steps(steps)


if sys.argv[1:2] == [USER]:
    use(*sys.argv[2:4])
else:
    main(run)
