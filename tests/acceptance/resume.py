#!/usr/bin/python3
"""Kills restores at many moments, and runs the same command again until it is through: the result is the snapshot,
nothing half-written has a final name, and what a try has written is not fetched again by the next. Arguments: kills for
each kind of restore (20)."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

from support import Cairn, Workspace, build_shim, check, main, tree_differences

BLOCK = 1 << 20
# A frame that is fetched for some of its chunks is fetched as a whole; a directory of a pack may be fetched again.
SLACK = 6_000_000


class Resume:
    def __init__(self, cairn: Cairn, work: pathlib.Path):
        self.cairn = cairn
        self.work = work
        self.random = random.Random(7)
        self.shim = build_shim(work, "kill_at")
        self.source = work / "source"
        self.store = work / "store"
        self.make_source()
        cairn.run("init", "--store", self.store, "--no-encryption")
        cairn.run("snapshot", "--store", self.store, "--series", "tree", self.source)
        cairn.run("snapshot", "--store", self.store, "--series", "file", self.source / "large")
        self.killed = self.resumed = 0

    def make_source(self) -> None:
        for number in range(150):
            directory = self.source / f"d{number % 7}"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"f{number}").write_bytes(self.random.randbytes(self.random.choice([0, 100, 50_000, 300_000])))
        (self.source / "large").write_bytes(self.random.randbytes(60_000_000))
        os.link(self.source / "d1" / "f1", self.source / "d2" / "link")
        os.symlink("nowhere", self.source / "link")

    def staged(self, target: pathlib.Path) -> list[pathlib.Path]:
        places = [target] if target.is_dir() else []
        return [p for place in [*places, target.parent] for p in place.glob(".cairn-restore-*")]

    def intact(self, target: pathlib.Path, source: pathlib.Path) -> int:
        """Bytes in staging that are what they are to be, block by block."""
        best: dict[str, set[int]] = {}
        for staging in self.staged(target):
            for path in staging.rglob("*"):
                if not path.is_file() or path.is_symlink():
                    continue
                name = "" if source.is_file() else str(path.relative_to(staging))
                wanted = (source / name if name else source).read_bytes()
                have = path.read_bytes()
                same = {
                    i for i in range(0, len(wanted), BLOCK) if have[i : i + BLOCK] == wanted[i : i + BLOCK]
                }
                best.setdefault(name, set()).update(same)
        sizes = {name: (source / name if name else source).stat().st_size for name in best}
        return sum(min(BLOCK, sizes[name] - i) for name, blocks in best.items() for i in blocks)

    def try_killed(self, command: list, number: int | None) -> int:
        """By a call of the shim, or at any moment; the status, or what killed it."""
        environment = dict(self.cairn.environment)
        if number is not None:
            environment.update(LD_PRELOAD=str(self.shim), KILL_AT=str(number), KILL_SIGNAL=str(int(signal.SIGKILL)))
        process = subprocess.Popen(
            [self.cairn.binary, *map(str, command)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if number is None:
            time.sleep(self.random.random() * self.duration)
            process.kill()
        return process.wait()

    def look(self, target: pathlib.Path, source: pathlib.Path) -> None:
        """Whatever has a name at the target is whole."""
        if source.is_file():
            check(not target.exists() or target.read_bytes() == source.read_bytes(), "half a file has the final name")
            return
        for path in target.rglob("*") if target.is_dir() else []:
            parts = path.relative_to(target).parts
            if parts[0].startswith(".cairn-restore-") or path.is_symlink() or not path.is_file():
                continue
            check(path.read_bytes() == (source / path.relative_to(target)).read_bytes(), f"half of {path} has its name")

    def play(self, series: str, source: pathlib.Path, target: pathlib.Path, kills: int, options: list[str]) -> None:
        command = ["restore", "--store", self.store, series, target, *options]
        self.clear(target)
        began = time.monotonic()
        fresh = self.cairn.json(*command)
        self.duration = time.monotonic() - began
        total = fresh["bytes_fetched"]
        count = dict(self.cairn.environment, LD_PRELOAD=str(self.shim), KILL_COUNT=str(self.work / "count"))
        self.clear(target)
        subprocess.run([self.cairn.binary, *map(str, command)], env=count, capture_output=True, check=True)
        calls = int((self.work / "count").read_text())
        for number in range(kills):
            self.clear(target)
            tries = self.random.randint(1, 4)
            for _ in range(tries):
                at = self.random.randint(1, calls) if self.random.random() < 0.5 else None
                status = self.try_killed(command, at)
                self.killed += status == -signal.SIGKILL
                self.look(target, source)
            have = self.intact(target, source)
            done = self.cairn.run("--json", *command, expect=None)
            if done.returncode == 2 and not options:
                # It was killed when all of it was done.
                check(b"not empty" in done.stderr or b"exists already" in done.stderr, done.stderr.decode())
            else:
                check(done.returncode == 0, f"{options} {number}: exit {done.returncode}: {done.stderr.decode()}")
                told = json.loads(done.stdout)
                most = max(total - have, 0) + SLACK
                check(told["bytes_fetched"] <= most, f"{options}: {told['bytes_fetched']} fetched, {have} of {total} were there")
                self.resumed += told["bytes_reused"]
            if source.is_dir():
                different = tree_differences(source, target)
                check(different == "", f"{options}: {different}")
            self.look(target, source)
            left = self.staged(target)
            check(left == [] or done.returncode == 2, f"left behind: {left}")
        print(f"{series} {' '.join(options)}: {total} bytes in all")

    def kill_at_the_end(self, target: pathlib.Path) -> None:
        """Before and after each of the last calls: those that move it into place, and what comes then."""
        command = ["restore", "--store", self.store, "tree", target]
        count = dict(self.cairn.environment, LD_PRELOAD=str(self.shim), KILL_COUNT=str(self.work / "count"))
        self.clear(target)
        subprocess.run([self.cairn.binary, *map(str, command)], env=count, capture_output=True, check=True)
        calls = int((self.work / "count").read_text())
        finished = 0
        for number in range(calls, calls - 8, -1):
            for when in ("before", "after"):
                self.clear(target)
                self.cairn.environment["KILL_WHEN"] = when
                status = self.try_killed(command, number)
                del self.cairn.environment["KILL_WHEN"]
                if status != -signal.SIGKILL:
                    # What is written early is synced once more or less often.
                    continue
                moved = target.exists()
                done = self.cairn.run("--json", *command, expect=None)
                check(done.returncode in (0, 2 if moved else 0), f"{when} call {number} of {calls}: {done.stderr.decode()}")
                different = tree_differences(self.source, target)
                check(different == "", f"{when} call {number} of {calls}, moved {moved}: {different}")
                finished += moved and done.returncode == 0
        check(finished > 0, "it was never killed between the move and the end")

    def clear(self, target: pathlib.Path) -> None:
        for staging in self.staged(target):
            shutil.rmtree(staging)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def discard(self, target: pathlib.Path) -> None:
        """--discard begins anew, and leaves nothing."""
        command = ["restore", "--store", self.store, "tree", target]
        while not self.staged(target):
            self.clear(target)
            self.try_killed(command, None)
        if target.exists():
            return
        told = self.cairn.json(*command, "--discard")
        check(told["bytes_reused"] == 0, f"--discard reused {told['bytes_reused']} bytes")
        check(self.staged(target) == [], "--discard left something")


def run(binary: str, args: list[str]) -> None:
    kills = int(args[0]) if args else 20
    with Workspace("resume") as work:
        resume = Resume(Cairn(binary, work), work)
        target = work / "target"
        resume.play("tree", resume.source, target, kills, [])
        resume.play("tree", resume.source, target, kills, ["--in-place", "--delete"])
        resume.play("tree", resume.source, target, kills, ["--overwrite"])
        resume.play("file", resume.source / "large", work / "one", kills, ["--overwrite"])
        resume.kill_at_the_end(work / "end")
        resume.discard(work / "anew")
        check(resume.killed > 2 * kills, f"only {resume.killed} tries were killed")
        check(resume.resumed > 0, "nothing was ever gone on from")
        print(f"{resume.killed} killed, {resume.resumed} bytes not fetched again")


if __name__ == "__main__":
    main(run)
