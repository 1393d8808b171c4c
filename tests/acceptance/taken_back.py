#!/usr/bin/python3
"""A restore over a tree that fails in the middle: each call that makes or moves a name at the target fails once
(tests/crash/fail_at.c), alone or with all that follow, also where the file system can exchange no names. The message is
true: the target is as it was where it says so, names of the snapshot are all in place where it says that, and else what
it could not put back lies in the directory that it names. Directories that were opened for the time have their modes
again. As nobody where this is root. Argument: at most so many of the calls for each way of failing (0: every one)."""

import errno
import os
import pathlib
import re
import shutil
import sqlite3
import stat
import subprocess

from support import Cairn, Workspace, build_shim, check, main, run_steps

AS_IT_WAS = "the target is as it was"
IN_PLACE = "all files are in place"
NOBODY = 65534


def state(root: pathlib.Path) -> dict:
    """Of everything below: kind and mode, and what it holds."""
    seen = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        status = path.lstat()
        held = ""
        if stat.S_ISREG(status.st_mode):
            held = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            held = os.readlink(path)
        seen[name] = (stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), held)
    return seen


class TakenBack:
    def __init__(self, binary: str, work: pathlib.Path, most: int):
        self.work = work
        self.most = most
        self.cairn = Cairn(binary, work)
        self.shim = build_shim(work, "fail_at")
        self.store = work / "store"
        self.target = work / "target"
        self.before_tree = work / "before"
        self.cairn.run("init", "--store", self.store, "--no-encryption")
        self.make_snapshot(work / "source")
        self.make_before(self.before_tree)
        shutil.copytree(self.before_tree, self.target, symlinks=True)
        self.before = state(self.target)
        check(self.restore({}).returncode == 0, "the restore itself fails")
        self.after = state(self.target)
        check(self.before != self.after, "the restore changes nothing")

    def make_snapshot(self, source: pathlib.Path) -> None:
        for directory in ("aa", "mm", "zz/deep", "fresh/tree"):
            (source / directory).mkdir(parents=True)
        for name in ("aa/one", "aa/two", "mm/gone", "mm/there", "zz/deep/f", "fresh/tree/g"):
            (source / name).write_text(f"new {name}")
        os.symlink("new", source / "aa/link")
        database = sqlite3.connect(source / "zz/app.db")
        database.execute("CREATE TABLE t (a)")
        database.commit()
        database.close()
        (source / "mm").chmod(0o555)
        self.cairn.run("snapshot", "--store", self.store, source, "--series", "s")
        (source / "mm").chmod(0o755)

    def make_before(self, tree: pathlib.Path) -> None:
        for directory in ("aa", "mm", "zz/deep", "kept/in"):
            (tree / directory).mkdir(parents=True)
        for name in ("aa/one", "mm/there", "mm/mine", "zz/deep/f", "zz/deep/mine", "kept/in/x"):
            (tree / name).write_text(f"old {name}")
        os.symlink("old", tree / "aa/link")
        (tree / "zz/app.db").write_bytes(sqlite_image(self.work / "old.db"))
        (tree / "zz/app.db-wal").write_bytes(b"\x37\x7f\x06\x82" + b"frames" * 100)
        (tree / "zz/deep").chmod(0o555)
        (tree / "mm").chmod(0o511)

    def restore(self, environment: dict) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.cairn.binary, "restore", "--store", str(self.store), "s", str(self.target), "--overwrite"],
            env=self.cairn.environment | environment, capture_output=True, text=True)

    def reset(self) -> None:
        make_removable(self.target)
        shutil.rmtree(self.target)
        shutil.copytree(self.before_tree, self.target, symlinks=True)

    def calls(self, more: dict) -> int:
        count = self.work / "count"
        count.unlink(missing_ok=True)
        self.reset()
        shim = {"LD_PRELOAD": str(self.shim), "FAIL_UNDER": str(self.target), "FAIL_COUNT": str(count)}
        check(self.restore(shim | more).returncode == 0, "the restore fails where no call does")
        check(without_asides(state(self.target)) == without_asides(self.after), "another result without exchange")
        return max(int(line) for line in count.read_text().split())

    def run_one(self, at: int, more: dict) -> str:
        self.reset()
        shim = {"LD_PRELOAD": str(self.shim), "FAIL_UNDER": str(self.target), "FAIL_AT": str(at),
                "FAIL_ERRNO": str(errno.EIO)}
        done = self.restore(shim | more)
        said = done.stdout + done.stderr
        seen = state(self.target)
        where = f"call {at} {more}: exit {done.returncode}, {said}"
        if done.returncode == 0:
            check(without_asides(without_staging(seen)) == without_asides(self.after), f"not all of it: {where}")
            return "succeeded"
        check(done.returncode == 1, where)
        if IN_PLACE in said:
            # Modes of directories are what may be missing.
            check(contents(without_asides(without_staging(seen))) == contents(without_asides(self.after)), where)
            return "in place"
        if "could not be put back" in said:
            self.check_kept(said, where)
            return "kept"
        self.check_as_it_was(without_staging(seen), said, where)
        check(AS_IT_WAS in said or not moved(said), f"it does not say in which state the target is: {where}")
        return "as it was"

    def check_as_it_was(self, seen: dict, said: str, where: str) -> None:
        before = dict(self.before)
        # SQLite has brought the database into its main file: the log said nothing more.
        if "zz/app.db-wal" not in seen:
            check(before.pop("zz/app.db-wal") is not None, where)
        # With every call that follows failing, a mode can only be told of.
        for path in re.findall(r"unable to give directory '([^']*)' its mode", said):
            name = str(pathlib.Path(path).relative_to(self.target))
            seen[name] = (seen[name][0], before[name][1], seen[name][2])
        check(seen == before, f"the target is not as it was: {where}")

    def check_kept(self, said: str, where: str) -> None:
        kept = re.search(r"the files that were there before them are in '([^']*)'", said)
        if kept is None:
            return
        there = [path.read_bytes() for root in (self.target, pathlib.Path(kept.group(1)))
                 for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        for name, (_, _, held) in self.before.items():
            # SQLite brings the log into the main file first.
            if name != "zz/app.db-wal":
                check(not isinstance(held, bytes) or held in there, f"{name} is lost: {where}")

    def fail_each(self, more: dict, needed: set) -> None:
        count = self.calls({key: value for key, value in more.items() if key == "FAIL_EXCHANGE"})
        step = max(1, count // self.most) if self.most else 1
        seen = {self.run_one(at, more) for at in range(1, count + 1, step)}
        print(f"{count} calls, every {step}th failed {more}: {', '.join(sorted(seen))}")
        check(needed <= seen, f"not seen: {needed - seen}")

    def alone(self) -> None:
        self.fail_each({}, {"as it was"})

    def with_all_that_follow(self) -> None:
        self.fail_each({"FAIL_ON": "1"}, {"as it was"})

    def without_exchange(self) -> None:
        self.fail_each({"FAIL_EXCHANGE": "1"}, {"as it was"})


def moved(said: str) -> bool:
    return "unable to replace" in said


def contents(seen: dict) -> dict:
    return {name: (kind, held) for name, (kind, _, held) in seen.items()}


def without_staging(seen: dict) -> dict:
    return {name: value for name, value in seen.items() if not name.startswith((".cairn-restore-", "cairn-kept-"))}


def without_asides(seen: dict) -> dict:
    return {name: value for name, value in seen.items() if ".cairn-aside-" not in name}


def make_removable(tree: pathlib.Path) -> None:
    for root, directories, _ in os.walk(tree):
        for name in directories:
            if not os.path.islink(os.path.join(root, name)):
                os.chmod(os.path.join(root, name), 0o755)


def sqlite_image(path: pathlib.Path) -> bytes:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE old (a)")
    database.commit()
    database.close()
    return path.read_bytes()


def run(binary: str, arguments: list) -> None:
    with Workspace("taken-back") as work:
        if os.geteuid() == 0:
            # Modes mean nothing to root.
            work.chmod(0o755)
            os.chown(work, NOBODY, NOBODY)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        tried = TakenBack(binary, work, int(arguments[0]) if arguments else 25)
        run_steps([tried.alone, tried.with_all_that_follow, tried.without_exchange])


main(run)
