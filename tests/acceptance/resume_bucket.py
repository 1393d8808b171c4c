#!/usr/bin/python3
"""Kills restores of the kernel's sources and of a file of 2 GB from the S3 server of the environment, at moments spread
over their whole time, and runs the same command again: it finishes, the result is the snapshot, nothing half-written has
a final name, and both tries together fetch what one restore fetches, and what was under way when the first one was
killed. Arguments: moments of each (20), a directory to keep the data in (else the data is made anew)."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent.parent / place) for place in ("servers", "bench")]

from delay_proxy import DelayProxy  # noqa: E402
from gateway import Gateway  # noqa: E402
from support import Cairn, Workspace, check, main, tree_differences  # noqa: E402

import corpora  # noqa: E402

FILE_BYTES = 2_000_000_000
# Ten connections each have a range of at most 8 MiB under way, and frames of 64 MiB are decoded and not written yet.
UNDER_WAY = 10 * (8 << 20) + (64 << 20)


class ResumeBucket:
    def __init__(self, cairn: Cairn, work: pathlib.Path, moments: int, proxy: DelayProxy, store: str):
        self.cairn = cairn
        self.target = work / "target"
        self.moments = moments
        self.proxy = proxy
        self.store = store

    def clear(self) -> None:
        if self.target.is_dir():
            shutil.rmtree(self.target)
        self.target.unlink(missing_ok=True)
        for left in self.target.parent.glob(".cairn-restore-*"):
            shutil.rmtree(left)

    def fetched(self) -> int:
        return self.proxy.take()["bytes_down"]

    def equal(self, source: pathlib.Path) -> None:
        if source.is_dir():
            check(not (lines := tree_differences(source, self.target)), f"the tree is another: {lines[:5]}")
        else:
            check(subprocess.run(["cmp", source, self.target]).returncode == 0, "the file is another")

    def play(self, series: str, source: pathlib.Path) -> None:
        self.cairn.run("snapshot", "--store", self.store, "--series", series, source)
        command = ["restore", "--store", self.store, series, self.target]
        self.fetched()
        began = time.monotonic()
        self.cairn.run(*command)
        took = time.monotonic() - began
        once = self.fetched()
        self.equal(source)
        worst = 0
        killed = 0
        for moment in range(self.moments):
            self.clear()
            self.fetched()
            process = self.cairn.start(*command)
            try:
                process.wait(took * (moment + 0.5) / self.moments)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.communicate()
            first = self.fetched()
            if process.returncode == -signal.SIGKILL:
                killed += 1
                # Of the tree or file, nothing has its final name before all of it is there.
                if there := self.target.exists():
                    self.equal(source)
                done = self.cairn.run(*command, expect=None)
                # One that was through but for the last call or two is there already.
                check(done.returncode in ([0, 2] if there else [0]), f"{series}: {done.returncode}: {done.stderr.decode()}")
            else:
                check(process.returncode == 0, f"{series}: the restore failed by itself: {process.returncode}")
            both = first + self.fetched()
            self.equal(source)
            over = both - once
            worst = max(worst, over)
            print(f"{series}: killed after {first / 1e6:.0f} of {once / 1e6:.0f} MB, fetched twice: {over / 1e6:.1f} MB", flush=True)
            check(over <= 0.05 * once + UNDER_WAY, f"{series}: {both} bytes were fetched, {once} by one restore")
        check(killed >= self.moments * 2 // 3, f"{series}: only {killed} restores were killed in time")
        print(f"{series}: {killed} kills; at most {worst / 1e6:.1f} MB fetched twice, one restore fetches {once / 1e6:.1f} MB")
        self.clear()


def run(binary: str, args: list[str]) -> None:
    moments = int(args[0]) if args else 20
    server = Gateway()
    bucket = server.make_bucket("resume")
    with Workspace("resume-bucket") as work:
        cache = pathlib.Path(args[1]) if len(args) > 1 else work / "corpora"
        cache.mkdir(parents=True, exist_ok=True)
        try:
            tree = corpora.Corpora(cache, quick=False).tree(newer=False)
        except corpora.Missing as missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
            sys.exit(77)
        file = work / "file"
        corpora.make_random(file, FILE_BYTES // 1_000_000)
        cairn = server.give_keys(Cairn(binary, work))
        with DelayProxy(server.endpoint, 0) as proxy:
            store = f"s3://{bucket}/resume?endpoint={proxy.endpoint}"
            cairn.run("init", "--store", store, "--no-encryption")
            resume = ResumeBucket(cairn, work, moments, proxy, store)
            resume.play("file", file)
            resume.play("tree", tree)
    server.remove_bucket(bucket)


if __name__ == "__main__":
    main(run)
