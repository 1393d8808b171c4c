#!/usr/bin/env python3
"""Kills snapshots and prunes at every call that changes the store (enumerated), and at random times: every listed
snapshot still verifies, and what was interrupted is stored once. Arguments: most points per kind, random kills."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

from support import Cairn, Workspace, check, main, store_bytes


def build_shim(work: pathlib.Path) -> pathlib.Path:
    source = pathlib.Path(__file__).resolve().parent.parent / "crash" / "kill_at.c"
    shim = work / "kill_at.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True)
    return shim


class Kills:
    def __init__(self, binary: str, work: pathlib.Path):
        self.work = work
        self.shim = build_shim(work)
        self.cairn = Cairn(binary, work)
        self.source = work / "source"
        self.base = work / "base"
        self.killed = 0
        self.verified = 0
        rng = random.Random(3)
        self.source.mkdir()
        for i in range(30):
            (self.source / f"a{i}").write_bytes(rng.randbytes(200_000))
        self.cairn.run("init", "--store", self.base, "--no-encryption")
        self.cairn.run("snapshot", "--store", self.base, self.source, "--series", "s")
        for i in range(60):
            (self.source / f"b{i}").write_bytes(rng.randbytes(800_000))
        time.sleep(2.1)  # files touched at the time of a snapshot are read again by the next

    def fresh(self) -> pathlib.Path:
        store = self.work / "store"
        shutil.rmtree(store, ignore_errors=True)
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        shutil.copytree(self.base, store, symlinks=True)
        return store

    def count(self, *command) -> int:
        environment = dict(self.cairn.environment, LD_PRELOAD=str(self.shim), KILL_COUNT=str(self.work / "count"))
        subprocess.run([self.cairn.binary, *map(str, command)], env=environment, capture_output=True, check=True)
        return int((self.work / "count").read_text())

    def kill_at(self, number: int, when: str, number_of_signal: int, *command) -> None:
        environment = dict(
            self.cairn.environment,
            LD_PRELOAD=str(self.shim),
            KILL_AT=str(number),
            KILL_WHEN=when,
            KILL_SIGNAL=str(int(number_of_signal)),
        )
        done = subprocess.run([self.cairn.binary, *map(str, command)], env=environment, capture_output=True)
        expected = {
            signal.SIGKILL: {-9},
            # The signal may come when there is nothing left to interrupt.
            signal.SIGINT: {130, 0},
            signal.SIGTERM: {143, 0},
        }[number_of_signal]
        if done.returncode not in expected:
            raise AssertionError(f"{command}: call {number} {when}, signal {number_of_signal}: exit {done.returncode}: {done.stderr}")
        self.killed += 1

    def verify(self, store: pathlib.Path, what: str) -> None:
        done = self.cairn.run("verify", "--store", store, "--level", "full", expect=None)
        check(done.returncode == 0, f"{what}: verify exit {done.returncode}: {done.stderr.decode()}")
        self.verified += 1

    def snapshots(self, most: int) -> None:
        store = self.fresh()
        snapshot = ("snapshot", "--store", store, self.source, "--series", "s")
        calls = self.count(*snapshot)
        once = store_bytes(store)
        points = list(range(1, calls + 1))
        if len(points) > most:
            points = sorted(random.Random(4).sample(points, most))
        for number_of_signal in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            for i, number in enumerate(points):
                when = "before" if i % 2 == 0 else "after"
                what = f"snapshot, call {number} of {calls}, {when}, signal {int(number_of_signal)}"
                store = self.fresh()
                self.kill_at(number, when, number_of_signal, *snapshot)
                self.verify(store, what)
                self.cairn.run(*snapshot)
                self.verify(store, f"{what}, the run after")
                grown = store_bytes(store)
                # Finished packs are found again. The one that was being built, up to 16 MiB, had not been stored.
                check(grown <= once * 1.02 + 200_000, f"{what}: {grown} bytes after the next run, {once} without a kill")
        print(f"snapshot: {calls} calls, {len(points)} points, each killed by three signals")

    def random_times(self, rounds: int) -> None:
        rng = random.Random(5)
        for i in range(rounds):
            store = self.fresh()
            process = self.cairn.start("snapshot", "--store", store, self.source, "--series", "s")
            time.sleep(rng.uniform(0, 0.6))
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            process.communicate()
            self.killed += 1
            self.verify(store, f"random kill {i}")

    def restores(self, most: int) -> None:
        store = self.fresh()
        target = self.work / "target"
        restore = ("restore", "--store", store, "s", target)
        self.cairn.run(*restore)  # fills the cache, whose files are calls, too
        shutil.rmtree(target)
        calls = self.count(*restore)
        points = list(range(1, calls + 1))
        if len(points) > most:
            points = sorted(random.Random(6).sample(points, most))
        for number in points:
            shutil.rmtree(target, ignore_errors=True)
            self.kill_at(number, "before", signal.SIGKILL, *restore)
            names = sorted(os.listdir(target)) if target.exists() else []
            check(names in ([], sorted(f"a{i}" for i in range(30))), f"restore killed at {number} left {names[:3]}")
        print(f"restore: {calls} calls, {len(points)} points: the target was whole or not there")


def run(binary: str, args: list[str]) -> None:
    most = int(args[0]) if args else 40
    rounds = int(args[1]) if len(args) > 1 else 30
    with Workspace("kills") as work:
        kills = Kills(binary, work)
        kills.snapshots(most)
        kills.random_times(rounds)
        kills.restores(most)
        print(f"{kills.killed} killed, {kills.verified} verified")


main(run)
