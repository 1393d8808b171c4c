#!/usr/bin/env python3
"""A user beside root: while root takes snapshots of a directory that the user owns, compares with it, restores into it and
makes it equal to a snapshot in place, the user swaps directories with links, plants FIFOs, sparse files and links, holds SQLite's locks and cuts mapped files
(attacker.c). In rounds, each with some of these, told by its seed. After each: nothing was made, changed, removed or given
away outside of the user's directory and the program's own; no content of others is in a snapshot; the run ended in time,
by itself or at SIGTERM, with a status and not by a signal; and what the user left alone is in the snapshot.

    attack.py CAIRN SECONDS [SEED [KIND,KIND...]]

SEED: of the first round, one more for each that follows. With KINDs each round has just these. As root."""

import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time

from support import Workspace, check, clean_environment, main

KINDS = ("swap", "ambush", "fifo", "shm", "sparse", "lock", "mess", "restore")
PLACES = 4
MARKER = b"the others' secret 7f3a9c"
# No run needs more than some seconds, whatever is locked: this is for a machine under load.
BOUND = 60
AT_SIGTERM = 15
TEMPORARY = "48m"
SNAPSHOT, DATABASE, DIFF, RESTORE, IN_PLACE = "snapshot", "database", "diff", "restore", "restore in place"
# Incomplete is as it should be. A single database may be gone, replaced or busy; a target may be taken, or refused.
ALLOWED = {SNAPSHOT: (0, 3), DATABASE: (0, 1, 3, 11), DIFF: (0, 3), RESTORE: (0, 1, 2, 3), IN_PLACE: (0, 1, 2, 11)}


def facts_of(path: pathlib.Path) -> dict:
    """Of a file: who owns it, what it is, what is in it, and when that was changed."""
    status = path.lstat()
    content = ""
    if stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    names = ("ino", "mode", "nlink", "uid", "gid", "size", "mtime_ns", "ctime_ns")
    return {name: getattr(status, f"st_{name}") for name in names} | {"content": content}


def holds(path: pathlib.Path, text: bytes) -> bool:
    """Whether a file does. It may have holes of a terabyte."""
    with open(path, "rb") as file:
        at, end = 0, os.fstat(file.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
                hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            except OSError:
                return False
            before = b""
            while at < hole:
                piece = os.pread(file.fileno(), min(1 << 20, hole - at), at)
                if not piece:
                    break
                if text in before + piece:
                    return True
                before = piece[-len(text) :]
                at += len(piece)
            at = hole
    return False


@dataclasses.dataclass
class Ended:
    status: int | None  # None: not in time
    output: bytes
    error: str
    told: bool = False  # it was sent SIGTERM
    where: str = ""  # of what did not end: what its threads waited in


class Battle:
    def __init__(self, binary: str, work: pathlib.Path, seed: int):
        self.work = work
        self.seed = seed
        self.user = pwd.getpwnam("nobody")
        self.home = work / "home" / "user"
        self.play = self.home / "play"
        self.quiet = self.home / "quiet"
        self.check = work / "check"
        self.binary = os.path.abspath(binary)
        self.environment = clean_environment(
            work / "own", TMPDIR=str(work / "tmp"), CAIRN_CONFIG=str(work / "own" / "cairn.toml"))
        self.attacker = work / "attacker"
        self.violations: collections.Counter[str] = collections.Counter()
        self.shown: list[str] = []
        self.runs: collections.Counter[tuple] = collections.Counter()
        self.slowest: collections.defaultdict[str, float] = collections.defaultdict(float)

    # What is there.

    def prepare(self) -> None:
        work = self.work
        work.chmod(0o755)
        source = pathlib.Path(__file__).resolve().parent / "attacker.c"
        subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-o", self.attacker, source], check=True)
        for name in ("home", "home/user", "cron.d", "source"):
            (work / name).mkdir(mode=0o755)
        for name in ("others", "own", "own/state", "own/cache", "check", "templates", "tmp"):
            (work / name).mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TEMPORARY},mode=1777", "attack", work / "tmp"], check=True)
        (work / "cron.d" / "e2scrub_all").write_text("# only root writes here\n")
        (work / "others" / "secret").write_bytes(MARKER)
        (work / "others" / "secret").chmod(0o600)
        self.templates()
        for name in ("e2scrub_all", "x.db"):
            self.lay("secret", work / "others" / name)
        self.quiet.mkdir()
        for i in range(30):
            (self.quiet / f"file{i}").write_bytes(random.Random(i).randbytes(1000 * i))
        for name, template in (("wal.db", "live"), ("rollback.db", "delete")):
            self.lay(template, self.quiet / name)
        for i in range(30):
            below = work / "source" / f"dir{i % 3}"
            below.mkdir(exist_ok=True)
            (below / f"file{i}").write_bytes(random.Random(100 + i).randbytes(100_000))
        self.own(self.home)
        (work / "own" / "cairn.toml").write_text(
            f'default_store = "it"\n[stores.it]\nurl = "{work}/own/store"\n'
            f'[sources.user]\ntype = "directory"\npath = "{self.home}"\nbusy_timeout = "1s"\n'
            + "".join(f'[sources.one{n}]\ntype = "sqlite"\npath = "{self.play}/a{n}/d/e2scrub_all"\nbusy_timeout = "2s"\n'
                      for n in range(PLACES))
        )
        (work / "own" / "cairn.toml").chmod(0o600)
        self.quietly("init", "--store", "it", "--no-encryption")
        self.quietly("snapshot", "--series", "base", work / "source")
        self.quietly("snapshot", "--series", "single", work / "source" / "dir0" / "file0")
        self.reset()
        self.quietly("snapshot", "user")
        self.outside = self.look_outside()

    def quietly(self, *args) -> bytes:
        done = subprocess.run([self.binary, "--quiet", *map(str, args)], env=self.environment, capture_output=True)
        check(done.returncode == 0, f"{args}: exit {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def database(self, path: pathlib.Path, mode: str, text: str, rows: int) -> sqlite3.Connection:
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE t(a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{text} {i}",) for i in range(rows)])
        connection.commit()
        connection.close()

    def templates(self) -> None:
        """delete, wal: at rest. live, secret: with a log that somebody writes. small: of two pages."""
        at = self.work / "templates"
        self.database(at / "delete", "DELETE", "row", 500)
        self.database(at / "wal", "WAL", "row", 500)
        self.database(at / "small", "DELETE", "row", 1)
        for name, text, count in (("live", "in the log", 1), ("secret", MARKER.decode(), 50)):
            self.database(at / "written", "WAL", "row", 500)
            writer = sqlite3.connect(at / "written")
            writer.executemany("INSERT INTO t VALUES (?)", [(text,)] * count)
            writer.commit()
            for suffix in ("", "-wal", "-shm"):
                shutil.copy(f"{at}/written{suffix}", f"{at}/{name}{suffix}")
            writer.close()
            (at / "written").unlink()

    def lay(self, template: str, path: pathlib.Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(f"{self.work}/templates/{template}{suffix}"):
                shutil.copy(f"{self.work}/templates/{template}{suffix}", f"{path}{suffix}")

    def own(self, top: pathlib.Path) -> None:
        for path in (top, *top.rglob("*")):
            os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def reset(self) -> None:
        """The user's playground as it is at first. Nobody else is there."""
        shutil.rmtree(self.play, ignore_errors=True)
        for left in self.home.glob(".cairn-restore-*"):
            shutil.rmtree(left)
        self.play.mkdir()
        for n in range(PLACES):
            for name in ("a", "f", "s", "p", "k"):
                (self.play / f"{name}{n}").mkdir()
            (self.play / f"a{n}" / "d").mkdir()
            self.lay(("wal", "delete", "live", "wal")[n], self.play / f"a{n}" / "d" / "e2scrub_all")
            (self.play / f"a{n}" / "l").symlink_to(self.work / "cron.d")
            (self.play / f"a{n}" / "m").symlink_to(self.work / "others")
            self.lay(("live", "delete", "wal", "live")[n], self.play / f"f{n}" / "x.db")
            self.lay("live", self.play / f"s{n}" / "x.db")
            self.lay("small", self.play / f"p{n}" / "x.db")
            self.lay(("wal", "delete")[n % 2], self.play / f"k{n}" / "x.db")
        (self.play / "m").mkdir()
        for name in ("quiet", "play/m"):
            (self.play / "back" / "keep" / name).mkdir(parents=True)
        for i in range(20):
            (self.play / "m" / f"file{i}").write_text(f"file {i}\n" * 100)
        for i in range(5):
            (self.play / "m" / f"dir{i}").mkdir()
            (self.play / "m" / f"dir{i}" / "inner").write_text("inner\n")
        self.own(self.play)

    # What is held to be true.

    def look_outside(self) -> dict[str, dict]:
        found = {str(top): {"names": sorted(os.listdir(top))} for top in (self.work, self.work / "home")}
        for top in ("cron.d", "others", "source", "templates"):
            for path in (self.work / top, *(self.work / top).rglob("*")):
                found[str(path)] = facts_of(path)
        return found

    def violated(self, what: str, details: str = "") -> None:
        self.violations[what] += 1
        if self.violations[what] <= 3:
            print(f"round {self.round} ({','.join(self.kinds)}): {what}: {details}", flush=True)

    def check_outside(self) -> None:
        now = self.look_outside()
        for path in sorted(self.outside.keys() | now.keys()):
            before, after = self.outside.get(path, {}), now.get(path, {})
            if before == after:
                continue
            kind = "changed" if before and after else "removed" if before else "made"
            told = {name: after.get(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            self.violated(f"{kind} outside", f"{path}: {told}")
        if now == self.outside:
            return
        # The next round is to see what it does itself.
        for path in now.keys() - self.outside.keys():
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.lexists(path):
                os.unlink(path)
        self.outside = self.look_outside()

    def check_snapshot(self, reference: str, whole: bool) -> None:
        """By what a restore of it, where nobody else goes, gives back."""
        target = self.check / "it"
        done = subprocess.run([self.binary, "--quiet", "restore", "--no-check", reference, target], env=self.environment, capture_output=True)
        try:
            if done.returncode != 0:
                self.violated("a snapshot does not restore", f"exit {done.returncode}: {done.stderr.decode()}")
                return
            for path in (target, *target.rglob("*")):
                if path.is_file() and not path.is_symlink() and holds(path, MARKER):
                    self.violated("the content of others is in a snapshot", str(path.relative_to(target)))
            if whole:
                self.check_quiet(target / "quiet")
        finally:
            subprocess.run(["rm", "-rf", target], check=True)

    def check_home(self) -> None:
        """Nothing of the others' has come to the user, nor is anything root's that root did not put there."""
        for above, _, names in os.walk(self.home):
            for path in (pathlib.Path(above, name) for name in names):
                try:
                    if stat.S_ISREG(path.lstat().st_mode) and holds(path, MARKER):
                        self.violated("the content of others is the user's", str(path))
                except FileNotFoundError:
                    pass

    def check_quiet(self, restored: pathlib.Path) -> None:
        names = sorted(path.name for path in self.quiet.iterdir() if not path.name.endswith(("-wal", "-shm")))
        there = sorted(path.name for path in restored.iterdir()) if restored.is_dir() else []
        if there != names:
            self.violated("what was left alone is not in the snapshot", f"{there}")
            return
        for name in names:
            if not name.endswith(".db"):
                if (restored / name).read_bytes() != (self.quiet / name).read_bytes():
                    self.violated("what was left alone is otherwise in the snapshot", name)
                continue
            connection = sqlite3.connect(restored / name)
            rows = connection.execute("SELECT count(*) FROM t").fetchone()[0]
            if rows != (501 if name == "wal.db" else 500):
                self.violated("a database that was left alone is otherwise in the snapshot", f"{name}: {rows} rows")
            connection.close()

    # What happens.

    def command(self, rng: random.Random) -> tuple[str, list]:
        if "restore" in self.kinds and (self.kinds == ("restore",) or rng.random() < 0.5):
            place = self.play / "back" / f"new{rng.randrange(4)}"
            # What belongs to root, and what belongs to the user as soon as it is there.
            what = rng.choice(("base", "single", "user"))
            new = self.play / "back" / f"at{rng.randrange(1000)}"
            target = rng.choice((place / "sub", place / "further" / "below", new, place))
            if what == "user" and rng.random() < 0.5:
                return RESTORE, ["restore", "--quiet", "--no-check", "--overwrite", what, self.play / "back" / "keep"]
            return RESTORE, ["restore", "--quiet", "--no-check", what, target]
        if rng.random() < 0.3:
            options = rng.choice((("--in-place",), ("--in-place", "--delete")))
            return IN_PLACE, ["restore", "--quiet", "--no-check", *options, "user", self.home]
        chance = rng.random()
        if chance < 0.25 and {"swap", "ambush"} & set(self.kinds):
            return DATABASE, ["snapshot", "--json", f"one{rng.randrange(PLACES)}"]
        if chance < 0.4:
            return DIFF, ["diff", "--quiet", "user", self.home]
        return SNAPSHOT, ["snapshot", "--json", "user"]

    def run(self, command: list, stop_after: float | None) -> Ended:
        begin = time.monotonic()
        process = subprocess.Popen([self.binary, *map(str, command)], env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        told = False
        if stop_after is not None:
            try:
                output, error = process.communicate(timeout=stop_after)
                return Ended(process.returncode, output, error.decode(errors="replace"))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                told = True
        try:
            output, error = process.communicate(timeout=AT_SIGTERM if told else BOUND)
            self.slowest[command[0]] = max(self.slowest[command[0]], time.monotonic() - begin)
            return Ended(process.returncode, output, error.decode(errors="replace"), told)
        except subprocess.TimeoutExpired:
            where = self.where(process.pid)
        ignored = told
        if not told:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=AT_SIGTERM)
            except subprocess.TimeoutExpired:
                ignored = True
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        return Ended(None, b"", "SIGTERM was ignored" if ignored else "it ended at SIGTERM", told, where)

    @staticmethod
    def where(pid: int) -> str:
        waits = collections.Counter()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                waits[(task / "wchan").read_text()] += 1
            except OSError:
                pass
        return ", ".join(sorted(waits))

    def judge(self, what: str, command: list, ended: Ended) -> None:
        self.runs[what, "hang" if ended.status is None else ended.status] += 1
        shown = " ".join(map(str, command))
        if ended.status is None:
            self.violated(f"{what}: does not end", f"{shown}: in {ended.where}; {ended.error}")
        elif ended.told and ended.status in (128 + signal.SIGTERM, -signal.SIGTERM):
            pass
        elif ended.status < 0:
            self.violated(f"{what}: killed by {signal.Signals(-ended.status).name}", shown)
        elif ended.status not in ALLOWED[what]:
            self.violated(f"{what}: lost with exit {ended.status}", f"{shown}: {ended.error[-600:]}")
        self.check_outside()
        if what == IN_PLACE:
            self.check_home()
        if what in (SNAPSHOT, DATABASE) and ended.status in (0, 3):
            self.check_snapshot(json.loads(ended.output)["id"], what == SNAPSHOT)

    def fight(self, number: int, kinds: tuple) -> None:
        rng = random.Random(number)
        self.round = number
        # Each of them in turn, alone and with others.
        others = rng.sample(KINDS, rng.choice((0, 0, 1, 1, 2, len(KINDS))))
        self.kinds = kinds or tuple(sorted({KINDS[number % len(KINDS)], *others}))
        self.reset()
        attacker = subprocess.Popen(
            [self.attacker, self.play, self.work, str(number), *self.kinds], stdout=subprocess.PIPE, cwd="/",
            user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        try:
            check(attacker.stdout.readline() == b"armed\n", "the attacker did not start")
            time.sleep(rng.random() * 0.1)
            for _ in range(2):
                what, command = self.command(rng)
                ended = self.run(command, rng.random() * 0.5 if rng.random() < 0.15 else None)
                check(attacker.poll() is None, "the attacker ended")
                self.judge(what, command, ended)
        finally:
            attacker.terminate()
            attacker.communicate()
        if (left := [name for name in os.listdir(self.work / "tmp")]) and ended.status is not None and not ended.told:
            size = sum(path.lstat().st_blocks * 512 for path in (self.work / "tmp").rglob("*"))
            if size > 1 << 20:
                self.violated("left in the temporary directory", f"{left}: {size} bytes")
        subprocess.run(["find", self.work / "tmp", "-mindepth", "1", "-delete"], check=True)

    def last(self, seconds: float, kinds: tuple) -> None:
        until = time.monotonic() + seconds
        number = self.seed
        while time.monotonic() < until:
            self.fight(number, kinds)
            number += 1
        runs = ", ".join(f"{what} {status}: {count}" for (what, status), count in sorted(self.runs.items(), key=str))
        slowest = ", ".join(f"{name} {took:.1f} s" for name, took in sorted(self.slowest.items()))
        print(f"{number - self.seed} rounds from seed {self.seed}; runs by exit status: {runs}; the slowest: {slowest}")
        for what, count in sorted(self.violations.items()):
            print(f"{count} times: {what}")
        check(not self.violations, f"{sum(self.violations.values())} violations; a round again: its seed, and its kinds")


def run(binary: str, args: list[str]) -> None:
    seconds = float(args[0])
    seed = int(args[1]) if len(args) > 1 else int(time.time()) % 1_000_000 * 1000
    kinds = tuple(args[2].split(",")) if len(args) > 2 else ()
    check(set(kinds) <= set(KINDS), f"the kinds are {', '.join(KINDS)}")
    with Workspace("attack") as work:
        battle = Battle(binary, work, seed)
        try:
            battle.prepare()
            battle.last(seconds, kinds)
        finally:
            subprocess.run(["umount", work / "tmp"], check=False)


if os.geteuid() != 0:
    print("SKIPPED: needs root: only root can be attacked this way", file=sys.stderr)
    sys.exit(77)
if os.environ.get("CAIRN_TEST_ATTACK_NAMESPACE") is None:
    # Mounts of its own, which go with it.
    os.environ["CAIRN_TEST_ATTACK_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--", sys.executable, *sys.argv])
main(run)
