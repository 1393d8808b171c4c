#!/usr/bin/python3
"""A tree at the target, an older and a newer state of the same, and restore --in-place --delete from one to the other:
files that changed, hard links that are made and taken apart, databases with a log, files that become directories and the
other way round, what goes and what comes. It is killed before and after every call; every call fails (ENOSPC, EIO); the
power is cut at every call. Afterwards each name has its old or its new content, databases are as they were committed or
the new ones, and the same command, run again, makes it the new tree and leaves nothing. Arguments: killed, errors or
power, and how many moments are tried (0: all)."""

import errno
import os
import pathlib
import shutil
import signal
import sqlite3
import stat
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
from support import Cairn, Workspace, build_shim, check, main, run_steps, tree_differences

DATABASES = ("app.db", "sub/other.db", "gone.db")
LARGE = bytes(range(256)) * 300
SUFFIXES = ("-wal", "-shm", "-journal")
# What the table in cairn-restore(1) promises but for these, of which neither may be there.
CHANGES_TYPE = ("to-file", "to-directory")


def make_database(path: pathlib.Path, text: str, log: str | None = None) -> None:
    """log: what was committed last is in a log alone."""
    work = path.with_name("work.db")
    connection = sqlite3.connect(work, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {'wal' if log else 'delete'}")
    connection.execute("CREATE TABLE t(v)")
    connection.executemany("INSERT INTO t VALUES (?)", [(f"{text} {i}",) for i in range(200)])
    if log:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO t VALUES (?)", (log,))
        shutil.copyfile(f"{work}-wal", f"{path}-wal")
    shutil.copyfile(work, path)
    connection.close()
    work.unlink()


def committed(path: pathlib.Path) -> str:
    connection = sqlite3.connect(path, timeout=0)
    try:
        check(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], f"{path} is broken")
        return repr(connection.execute("SELECT v FROM t ORDER BY rowid").fetchall())
    finally:
        connection.close()


def make_old(root: pathlib.Path) -> None:
    for name in ("sub", "to-file", "extra/deep", "same"):
        (root / name).mkdir(parents=True)
    files = {
        "same/file": b"same",
        "changed": b"old" + LARGE,
        "sub/changed": b"old again",
        "mode": b"its mode differs",
        "pair-a": b"old pair",
        "stays": b"gets a name more",
        "were-two-a": b"two names",
        "to-file/inside": b"inside",
        "to-directory": b"a file",
        "extra/file": b"extra",
        "extra/deep/file": b"extra",
        "gone": b"gone",
    }
    for name, content in files.items():
        (root / name).write_bytes(content)
    os.link(root / "pair-a", root / "sub" / "pair-b")
    os.link(root / "were-two-a", root / "sub" / "were-two-b")
    make_database(root / "app.db", "old", "old, in the log")
    make_database(root / "sub" / "other.db", "old")
    make_database(root / "gone.db", "old", "old, in the log")


def make_new(root: pathlib.Path) -> None:
    for name in ("sub", "to-directory", "new/deep", "same"):
        (root / name).mkdir(parents=True)
    files = {
        "same/file": b"same",
        "changed": b"new" + LARGE,
        "sub/changed": b"new, and longer",
        "mode": b"its mode differs",
        "pair-a": b"new pair",
        "stays": b"gets a name more",
        "were-two-a": b"two names",
        "sub/were-two-b": b"two names",
        "to-file": b"a file now",
        "to-directory/inside": b"inside now",
        "new/file": b"new",
        "new/deep/file": LARGE,
    }
    for name, content in files.items():
        (root / name).write_bytes(content)
    (root / "mode").chmod(0o600)
    (root / "sub").chmod(0o750)
    os.link(root / "pair-a", root / "sub" / "pair-b")
    os.link(root / "stays", root / "new" / "name-more")
    make_database(root / "app.db", "new")
    make_database(root / "sub" / "other.db", "new")


def flat(tree: dict, above: str = "") -> dict:
    """By path: the content of files, None of directories."""
    out: dict = {}
    for name, inner in tree.items():
        if not above and name.startswith(".cairn-restore-"):
            continue
        out[above + name] = None if isinstance(inner, dict) else inner
        if isinstance(inner, dict):
            out.update(flat(inner, f"{above}{name}/"))
    return out


def read(path: pathlib.Path) -> dict:
    """What is no file and no directory as what it is."""
    out = {}
    for item in path.iterdir():
        status = item.lstat()
        if stat.S_ISDIR(status.st_mode):
            out[item.name] = read(item)
        else:
            out[item.name] = item.read_bytes() if stat.S_ISREG(status.st_mode) else repr(status.st_mode).encode()
    return out


def belongs_to_database(path: str) -> bool:
    return any(path == name or path.startswith(name + "-") for name in DATABASES)


class Faults:
    def __init__(self, binary: str, work: pathlib.Path, most: int):
        self.work = work
        self.most = most
        self.cairn = Cairn(binary, work)
        self.live = work / "live"
        self.target = self.live / "target"
        self.seen = work / "seen"
        self.new = work / "new"
        self.old = work / "old"
        self.store = work / "store"
        self.journal = work / "journal"
        self.looked = self.again = self.unfinished = 0
        self.shims = {name: build_shim(work, name) for name in ("record", "fail_at", "kill_at")}
        make_old(self.old)
        make_new(self.new)
        self.cairn.run("init", "--store", self.store, "--no-encryption")
        self.cairn.run("snapshot", "--store", self.store, "--series", "s", self.new)
        self.before, self.after = flat(read(self.old)), flat(read(self.new))
        self.states: dict[str, set] = {}
        for name in DATABASES:
            self.states[name] = set()
            for root in (self.old, self.new):
                if (root / name).exists():
                    copy = work / "copy.db"
                    for suffix in ("", *SUFFIXES):
                        pathlib.Path(f"{copy}{suffix}").unlink(missing_ok=True)
                        if pathlib.Path(f"{root / name}{suffix}").exists():
                            shutil.copyfile(f"{root / name}{suffix}", f"{copy}{suffix}")
                    self.states[name].add(committed(copy))
            check(len(self.states[name]) == (name in self.after) + 1, "old and new cannot be told apart")

    def lay(self) -> None:
        subprocess.run(["rm", "-rf", self.live], check=True)
        self.live.mkdir()
        subprocess.run(["cp", "-a", self.old, self.target], check=True)

    def restore(self, target: pathlib.Path, **environment) -> subprocess.CompletedProcess:
        cairn = Cairn(self.cairn.binary, self.work)
        cairn.environment.update({name: str(value) for name, value in environment.items()})
        return cairn.run("restore", "--store", self.store, "s", target, "--in-place", "--delete", expect=None)

    def look(self, what: str, tree: dict, at: pathlib.Path) -> None:
        """tree: what is at a directory, which may be changed."""
        self.looked += 1
        found = flat(tree)
        for path, content in found.items():
            if belongs_to_database(path) or "cairn-aside" in path:
                continue
            allowed = [state[path] for state in (self.before, self.after) if path in state]
            check(content in allowed, f"{what}: {path} is neither old nor new: {str(content)[:60]}")
        for path in self.before.keys() & self.after.keys():
            if not belongs_to_database(path):
                check(path in found or path in CHANGES_TYPE, f"{what}: {path} is gone")
        for name in DATABASES:
            if name in found:
                try:
                    state = committed(at / name)
                except sqlite3.Error as failure:
                    raise AssertionError(f"{what}: {name}: {failure}; {sorted(found)}") from None
                check(state in self.states[name], f"{what}: {name} is neither old nor new; {sorted(found)}: {state[-200:]}")
            else:
                check(name not in self.after, f"{what}: {name} is gone: {sorted(found)}")
        self.unfinished += found != self.after

    def finish(self, what: str, target: pathlib.Path) -> None:
        """The same command again."""
        self.again += 1
        done = self.restore(target)
        check(done.returncode == 0, f"{what}: again: exit {done.returncode}: {done.stderr.decode()}")
        # A log that could not be brought into its database is set aside, and is nothing of the snapshot's.
        different = tree_differences(self.new, target)
        check(different == "", f"{what}: again: {different}")

    def chosen(self, count: int, shift: int = 0) -> list[int]:
        """From one on."""
        step = max(1, count // self.most) if self.most else 1
        return list(range(1 + shift % step, count + 1, step))

    def killed(self) -> None:
        """Before and after each call that changes names, or makes them durable."""
        self.lay()
        counted = self.work / "count"
        done = self.restore(self.target, LD_PRELOAD=self.shims["kill_at"], KILL_COUNT=counted)
        check(done.returncode == 0, done.stderr.decode())
        self.finish("not killed at all", self.target)
        calls = int(counted.read_text())
        kills = 0
        for when in ("before", "after"):
            for number in self.chosen(calls + 2, when == "after"):
                self.lay()
                environment = {"KILL_AT": number, "KILL_SIGNAL": int(signal.SIGKILL), "KILL_WHEN": when}
                done = self.restore(self.target, LD_PRELOAD=self.shims["kill_at"], **environment)
                check(done.returncode in (0, -signal.SIGKILL), f"exit {done.returncode}: {done.stderr.decode()}")
                kills += done.returncode != 0
                what = f"killed {when} call {number} of {calls}"
                shutil.rmtree(self.seen, ignore_errors=True)
                subprocess.run(["cp", "-a", self.target, self.seen], check=True)
                self.look(what, read(self.seen), self.seen)
                self.finish(what, self.target)
        check(kills > 10, f"only {kills} were killed")

    def errors(self) -> None:
        """Each call fails, in the program and in its child: a disk that stays full, and one bad moment."""
        failed = 0
        failures = []
        kinds = [("change", errno.ENOSPC, True), ("change", errno.ENOSPC, False), ("change", errno.EIO, False)]
        kinds += [("other", errno.EIO, False), ("read", errno.EIO, False), ("read", errno.EIO, True)]
        # The child that checks what was restored may not even count what it reads.
        cases = [("", kind) for kind in kinds] + [("LD_", kind) for kind in kinds if kind[0] == "change"]
        for shift, (prefix, (kind, number, stays)) in enumerate(cases):
            counted = self.work / "count"
            told = {"FAIL_UNDER": self.target, "FAIL_KIND": kind, "FAIL_ERRNO": number, "FAIL_COUNT": counted}
            told = {prefix + name: value for name, value in told.items()}
            counted.unlink(missing_ok=True)
            self.lay()
            done = self.restore(self.target, LD_PRELOAD=self.shims["fail_at"], **told)
            check(done.returncode == 0, f"nothing fails yet: {done.stderr.decode()}")
            calls = sum(map(int, counted.read_text().split())) if counted.exists() else 0
            for at in self.chosen(calls, 7 * shift):
                self.lay()
                fault = told | {f"{prefix}FAIL_AT": at} | ({f"{prefix}FAIL_ON": 1} if stays else {})
                done = self.restore(self.target, LD_PRELOAD=self.shims["fail_at"], **fault)
                what = f"{prefix}{kind} call {at} of {calls} fails with {number}{', and all that follow' if stays else ''}"
                try:
                    failed += self.judge(what, kind, done)
                except AssertionError as failure:
                    failures.append(str(failure))
        for failure in failures[:20]:
            print(failure)
        check(not failures, f"{len(failures)} of {self.looked} states")
        check(failed > 10, f"only {failed} failed")

    def judge(self, what: str, kind: str, done: subprocess.CompletedProcess) -> bool:
        """What a restore left of which a call failed; whether it failed for it."""
        errors = done.stderr.decode()
        shutil.rmtree(self.seen, ignore_errors=True)
        subprocess.run(["cp", "-a", self.target, self.seen], check=True)
        self.look(what, read(self.seen), self.seen)
        check(done.returncode in (0, 1, 4), f"{what}: exit {done.returncode}: {errors}")
        if done.returncode == 0:
            # But for what a file system may be unable to take, which is told; and staging that could not be removed is
            # for the next restore.
            different = tree_differences(self.new, self.target)
            different = "".join(line for line in different.splitlines() if " .cairn-restore-" not in line)
            check(different == "" or kind == "other" and "warning" in errors, f"{what}: done: {different}{errors}")
        else:
            check("error: " in errors or "damaged" in errors or "warning" in errors, f"{what}: nothing is told: {errors}")
        self.finish(f"{what} (exit {done.returncode}: {errors})", self.target)
        return done.returncode != 0

    def power(self) -> None:
        """Every call, and what a cut after it may leave."""
        self.lay()
        disk = Disk(self.live.stat().st_ino)
        disk.put_tree(self.live)
        self.journal.write_bytes(b"")
        environment = {"LD_PRELOAD": self.shims["record"], "LD_RECORD_UNDER": self.live, "LD_RECORD_TO": self.journal}
        done = self.restore(self.target, **environment)
        check(done.returncode == 0, done.stderr.decode())
        calls = parse_journal(self.journal)
        played: set[bytes] = set()
        states = 0
        chosen = set(self.chosen(len(calls)))
        failures = []
        for at, (_, fields, data) in enumerate(calls, 1):
            disk.play(fields, data)
            if at not in chosen:
                continue
            top = disk.root.synced.get("target") or disk.root.now["target"]
            losses = [Loss(), LosesNothing(), LosesData(), LeavesZeros(), *lose_names_one_by_one(top)]
            for number, loss in enumerate(losses + [Mixes(1000 * at + i) for i in range(4)]):
                tree = loss.left(disk.root)["target"]
                if digest(tree) in played:
                    continue
                played.add(digest(tree))
                states += 1
                what = f"call {at} of {len(calls)} ({' '.join(fields)}), {type(loss).__name__} {number}"
                shutil.rmtree(self.seen, ignore_errors=True)
                write_tree(self.seen, tree)
                try:
                    self.look(what, tree, self.seen)
                    # SQLite has been there: what a restore meets is what was left.
                    shutil.rmtree(self.seen)
                    write_tree(self.seen, tree)
                    if self.most == 0 or states % 8 == 0:
                        self.finish(what, self.seen)
                except AssertionError as failure:
                    failures.append(str(failure))
        for failure in failures[:20]:
            print(failure)
        check(not failures, f"{len(failures)} of {states} states")
        last = flat(Loss().left(disk.root)["target"])
        check({p: c for p, c in last.items() if not belongs_to_database(p)} ==
              {p: c for p, c in self.after.items() if not belongs_to_database(p)}, "not durable at the end")
        now = flat(read(self.target))
        check(flat(LosesNothing().left(disk.root)["target"]) == now, "the journal misses changes")


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "killed"
    with Workspace("in-place-faults") as work:
        # Links would hide from the recorder what is below the directory.
        faults = Faults(binary, pathlib.Path(os.path.realpath(work)), int(args[1]) if len(args) > 1 else 20)
        run_steps((getattr(faults, kind),))
        print(f"{faults.looked} states looked at, {faults.unfinished} of them on the way; {faults.again} restored again")


if __name__ == "__main__":
    main(run)
