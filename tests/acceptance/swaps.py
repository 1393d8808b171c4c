#!/usr/bin/python3
"""A user who owns the directory that root restores to: before each system call of the restore, one at a time
(tests/crash/stop_at.c), he puts a link, or another directory, in the place of one that the restore uses. Whatever comes
of the restore, nothing outside the target is made, changed or removed, and no directory of root's becomes his. As root.
Argument: at most so many of the calls for each way of swapping (0: every one)."""

import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from support import Cairn, Workspace, check, main, run_steps

NOBODY = 65534
STALE = ".cairn-restore-00112233aabbccdd"

# What the user does, in his directory. `$victim` is a directory of root's outside.
SWAPS = {
    "a link in place of a new parent": """
        [ ! -e new ] || mv new new.away; ln -s "$victim" new""",
    "a link in place of staging": """
        for at in . place place/target; do
          for name in $(cd $at && ls -d .cairn-restore-* 2>/dev/null); do mv $at/$name $at/away-$name; ln -s "$victim" $at/$name
          done
        done""",
    "another directory in place of staging": """
        for at in . place place/target; do
          for name in $(cd $at && ls -d .cairn-restore-* 2>/dev/null); do
            mv $at/$name $at/away-$name; mkdir -m 777 $at/$name; ln -s "$victim" $at/$name/sub
            ln -s "$victim" $at/$name/mode; ln -s "$victim/kept" $at/$name/content
          done
        done""",
    "root's directory in place of staging": """
        for at in . place place/target; do
          for name in $(cd $at && ls -d .cairn-restore-* 2>/dev/null); do
            [ -e $at/private ] || continue
            mv $at/$name $at/away-$name; mv $at/private $at/$name
          done
        done""",
    "a link in place of what is above the target": """
        mv place place.away; ln -s "$victim" place""",
    "a link in place of a directory in the target": """
        [ ! -e place/target/sub ] || { mv place/target/sub place/target/sub.away; ln -s "$victim" place/target/sub; }""",
    "root's directory in place of one in the target": """
        [ ! -e place/target/sub ] || {
          mv place/target/sub place/target/sub.away; mv place/target/private place/target/sub; }""",
    "root's directory in place of one in which nothing changes": """
        mv place/target/quiet place/target/quiet.away; mv place/target/private place/target/quiet""",
    "his file in place of one that gets a name more": """
        mv place/target/quiet/same place/target/quiet/same.away; echo his >place/target/quiet/same""",
    "another of root's in place of one that gets a name more": """
        mv place/target/quiet/same place/target/quiet/same.away; mv place/target/quiet/other place/target/quiet/same""",
    "other content through a map": """
        touch away; kill -USR1 "$(cat mapper)"; while ! [ -e mapped ]; do sleep 0.01; done""",
}
# Has a file mapped that is the user's, and writes it when it is told to; no time of the file tells of it.
MAPPER = """
import mmap, os, signal, sys
file = open("place/target/tool", "r+b")
view = mmap.mmap(file.fileno(), 0)
def write(*_):
    view[:4] = b"evil"
    open("mapped", "w").close()
signal.signal(signal.SIGUSR1, write)
view[0] = view[0]
with open("mapper.new", "w") as out:
    out.write(str(os.getpid()))
os.rename("mapper.new", "mapper")
while True:
    signal.pause()
"""
IN_PLACE = tuple(SWAPS)[7:]
TOOL = b"#!/bin/sh\necho the tool of the snapshot\n"


class Swaps:
    def __init__(self, binary: str, work: pathlib.Path, most: int):
        self.work = work
        self.most = most
        self.cairn = Cairn(binary, work)
        self.stop_at = work / "stop_at"
        source = pathlib.Path(__file__).resolve().parent.parent / "crash" / "stop_at.c"
        subprocess.run(["cc", "-O1", "-o", self.stop_at, source], check=True)
        work.chmod(0o755)
        self.home = work / "home-of-nobody"
        self.victim = work / "etc"
        self.runs = 0
        self.succeeded = 0
        self.swapped = 0  # restores during which the user had something to swap
        self.build()

    def build(self) -> None:
        tree = self.work / "tree"
        (tree / "sub" / "deep").mkdir(parents=True)
        for name in ("passwd", "sub/passwd", "sub/deep/passwd"):
            (tree / name).write_text(f"of the snapshot: {name}\n")
        os.symlink("passwd", tree / "sub" / "link")
        os.link(tree / "passwd", tree / "sub" / "second")
        for path in (tree / "sub", tree / "sub" / "passwd", tree / "sub" / "deep"):
            os.chown(path, NOBODY, NOBODY)
        (tree / "sub").chmod(0o777)
        (tree / "quiet").mkdir()
        (tree / "quiet" / "same").write_text("root's, and the same\n")
        os.chown(tree / "quiet", NOBODY, NOBODY)
        (tree / "roots").mkdir()
        os.link(tree / "quiet" / "same", tree / "roots" / "second")
        (tree / "tool").write_bytes(TOOL)
        (tree / "tool").chmod(0o4755)
        os.setxattr(tree / "sub", "user.note", b"of the snapshot")
        with sqlite3.connect(tree / "app.db") as database:
            database.execute("create table t (a)")
        self.store = self.work / "store"
        self.cairn.run("init", "--store", self.store, "--no-encryption")
        self.cairn.run("snapshot", "--store", self.store, "--series", "tree", tree)
        self.cairn.run("snapshot", "--store", self.store, "--series", "one", tree / "app.db")

    def as_user(self, *paths: pathlib.Path) -> None:
        for path in paths:
            os.chown(path, NOBODY, NOBODY)

    def prepare(self) -> None:
        """The user's directory as it is before a restore, and what must not change, outside and in it."""
        for path in (self.home, self.victim):
            shutil.rmtree(path, ignore_errors=True)
        target = self.home / "place" / "target"
        (target / "sub" / "deep").mkdir(parents=True)
        (target / "sub" / "passwd").write_text("his\n")
        (target / "app.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(28))
        stale = self.home / "place" / "target" / STALE
        (target / "quiet").mkdir()
        (target / "tool").write_bytes(TOOL)
        self.as_user(self.home, self.home / "place", target, *target.rglob("*"))
        (target / "quiet" / "same").write_text("root's, and the same\n")
        (target / "quiet" / "other").write_text("root's, and another\n")
        (target / "roots").mkdir()
        self.roots = (target / "roots").stat().st_ino
        stale.mkdir(0o700)
        (stale / "sub").mkdir()
        (stale / "sub" / "passwd").write_text("left\n")
        self.private = []
        for above in (self.home, self.home / "place", target):
            private = above / "private"
            private.mkdir(0o700)
            (private / "secret").write_text("root's\n")
            self.private.append(private.stat().st_ino)
        self.victim.mkdir(0o755)
        (self.victim / "sub").mkdir(0o755)
        for name in ("passwd", "kept", "sub/passwd", "app.db-wal"):
            (self.victim / name).write_text("not the user's\n")
        (self.victim / STALE).mkdir(0o700)
        (self.victim / STALE / "kept").write_text("of another restore\n")
        self.before = self.seen(self.victim)

    @staticmethod
    def seen(path: pathlib.Path) -> dict:
        def one(at: pathlib.Path) -> tuple:
            status = at.lstat()
            content = at.read_bytes() if at.is_file() else b""
            return (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)

        return {str(at): (one(at), tuple(os.listxattr(at))) for at in (path, *sorted(path.rglob("*")))}

    def private_now(self) -> dict:
        """Root's directories in the user's, wherever they are by now."""
        found = {}
        for at in self.home.rglob("*"):
            if at.is_dir() and not at.is_symlink() and at.stat().st_ino in self.private:
                found[at.stat().st_ino] = at
        return found

    def check_nothing_outside(self, what: str) -> None:
        now = self.seen(self.victim)
        check(now == self.before, f"{what}: outside of the target: {sorted(set(now.items()) ^ set(self.before.items()))}")
        found = self.private_now()
        for inode in self.private:
            check(inode in found, f"{what}: a directory of root's is gone")
            at = found[inode]
            status = at.stat()
            check((status.st_uid, status.st_mode & 0o777) == (0, 0o700), f"{what}: {at} has become {status}")
            check([p.name for p in at.iterdir()] == ["secret"], f"{what}: {at} has other content")

    def check_roots(self, what: str) -> None:
        """What root's directory in the target has got, and whatever is root's in the user's."""
        for at in self.home.rglob("*"):
            if at.is_symlink() or not at.is_file():
                continue
            second = at.parent.stat().st_ino == self.roots
            check(not second or at.stat().st_uid == 0, f"{what}: {at} is the user's")
            check(not second or at.read_bytes() == b"root's, and the same\n", f"{what}: {at} is something else")
            if at.stat().st_uid == 0:
                check(not at.read_bytes().startswith(b"evil"), f"{what}: root's {at} is what the user wrote")

    def one(self, arguments: tuple, number: int, swap: str) -> int:
        self.prepare()
        mapper = self.start_mapper() if "map" in swap else None
        try:
            return self.one_beside(arguments, number, swap, mapper)
        finally:
            if mapper:
                mapper.kill()
                mapper.wait()

    def start_mapper(self) -> subprocess.Popen:
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        mapper = subprocess.Popen(["/usr/bin/python3", "-I", "-c", MAPPER], cwd=self.home, **identity)
        while not (self.home / "mapper").exists():
            check(mapper.poll() is None, "the user's program ended")
            time.sleep(0.01)
        return mapper

    def one_beside(self, arguments: tuple, number: int, swap: str, mapper: subprocess.Popen | None) -> int:
        user = self.work / "swap.sh"
        user.write_text(f"cd {self.home} && victim={self.victim}\n{SWAPS[swap]}\n:\n" if number else ":\n")
        command = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups sh -e {user} 2>/dev/null; :"
        counted = self.work / "count"
        done = subprocess.run(
            list(map(str, (self.stop_at, self.home.name, number, counted, command, self.cairn.binary, "restore",
                           "--quiet", "--store", self.store, *arguments))),
            env=dict(self.cairn.environment, ASAN_OPTIONS="detect_leaks=0"), capture_output=True, timeout=120)
        what = f"{' '.join(map(str, arguments))}, {swap} before call {number}"
        check(done.returncode in (0, 1, 2, 11), f"{what}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
        self.check_nothing_outside(what)
        if mapper:
            # Once more, when it is through: what he has mapped may be root's by now.
            (self.home / "mapped").unlink(missing_ok=True)
            mapper.send_signal(signal.SIGUSR1)
            while not (self.home / "mapped").exists():
                time.sleep(0.01)
        self.check_roots(what)
        self.runs += 1
        self.swapped += any("away" in path.name for path in self.home.rglob("*")) or (self.home / "new").is_symlink()
        if done.returncode == 0:
            self.succeeded += 1
        elif number == 0:
            raise AssertionError(f"{what}: {done.stderr.decode(errors='replace')}")
        return int(counted.read_text())

    def restore(self, arguments: tuple, swaps: tuple) -> None:
        calls = self.one(arguments, 0, swaps[0])
        check(calls > 20, f"{arguments}: only {calls} calls")
        step = max(1, calls // self.most) if self.most else 1
        failures = []
        for offset, swap in enumerate(swaps):
            before = self.swapped
            for number in range(1 + offset % step, calls + 1, step):
                try:
                    self.one(arguments, number, swap)
                except AssertionError as failure:
                    failures.append(str(failure))
            check(self.swapped > before, f"{arguments}: {swap}: the user never came to it")
        check(not failures, f"{len(failures)} failed, the first: {failures[0] if failures else ''}")

    def new_tree(self) -> None:
        names = list(SWAPS)
        self.restore(("tree", self.home / "new" / "fresh"), tuple(names[:4]))

    def new_tree_beside(self) -> None:
        self.restore(("tree", self.home / "place" / "fresh"), tuple(SWAPS)[1:5])

    def into_a_tree(self) -> None:
        self.restore(("--overwrite", "tree", self.home / "place" / "target"), tuple(SWAPS)[1:])

    def in_place(self) -> None:
        self.restore(("--in-place", "tree", self.home / "place" / "target"), (*tuple(SWAPS)[1:7], *IN_PLACE))

    def in_place_deleting(self) -> None:
        options = ("--in-place", "--delete", "--exclude", "private", "--exclude", "other")
        self.restore((*options, "tree", self.home / "place" / "target"), (*tuple(SWAPS)[1:7], *IN_PLACE))

    def new_file(self) -> None:
        self.restore(("one", self.home / "new" / "fresh" / "file"), tuple(SWAPS)[:4])

    def over_a_file(self) -> None:
        self.restore(("one", self.home / "place" / "target" / "app.db"), tuple(SWAPS)[1:5])

    def planted_before(self) -> None:
        """A link that was there when the command began leads root to nowhere but what is the user's own."""
        self.prepare()
        link = self.home / "data"
        os.symlink(self.victim, link)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        for arguments in (("tree", link / "fresh"), ("--overwrite", "tree", link), ("one", link / "file")):
            done = self.cairn.run("restore", "--quiet", "--store", self.store, *arguments, expect=1)
            check(b"which is another's" in done.stderr, done.stderr.decode())
            self.check_nothing_outside(f"{arguments}")
        link.unlink()
        os.symlink(self.home / "place", link)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        self.cairn.run("restore", "--quiet", "--store", self.store, "tree", link / "fresh")
        check((self.home / "place" / "fresh" / "passwd").exists(), "a user's link to what is his was not followed")
        self.check_nothing_outside("a link to what is his")


def run(binary: str, arguments: list) -> None:
    if os.geteuid() != 0:
        print("SKIPPED: needs root: only root has anything to lose here")
        sys.exit(77)
    with Workspace("swaps") as work:
        swaps = Swaps(binary, work, int(arguments[0]) if arguments else 12)
        run_steps([swaps.new_tree, swaps.new_tree_beside, swaps.into_a_tree, swaps.in_place, swaps.in_place_deleting,
                   swaps.new_file, swaps.over_a_file, swaps.planted_before])
        print(f"{swaps.runs} restores, {swaps.swapped} with a swap; {swaps.succeeded} went through")


main(run)
