#!/usr/bin/python3
"""Kills snapshots, pushes, prunes and restores at every call that changes the store (enumerated) by SIGINT,
SIGTERM and SIGKILL, and snapshots at random times: what is listed still verifies, the next run succeeds, and what was
interrupted is stored once. Arguments: directory or s3; most points for each signal (0: every one); random kills."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

from gateway import Gateway
from support import Cairn, Workspace, build_shim, check, main, store_bytes

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
OLD = {f"a{i}" for i in range(30)}


class DirectoryStores:
    """Stores in a directory, by name."""

    calls = "files"

    def __init__(self, work: pathlib.Path):
        self.work = work

    def url(self, name: str) -> str:
        return str(self.work / name)

    def remove(self, name: str) -> None:
        shutil.rmtree(self.work / name, ignore_errors=True)

    def copy(self, name: str, to: str) -> None:
        shutil.copytree(self.work / name, self.work / to, symlinks=True)

    def pack_bytes(self, name: str) -> int:
        return store_bytes(self.work / name)


class BucketStores:
    """Stores in a bucket, by prefix."""

    calls = "http"

    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.bucket = gateway.make_bucket("kills")

    def url(self, name: str) -> str:
        return self.gateway.url(self.bucket, name)

    def remove(self, name: str) -> None:
        for key in self.gateway.objects(self.bucket):
            if key.startswith(f"{name}/"):
                self.gateway.client.delete_object(Bucket=self.bucket, Key=key)

    def copy(self, name: str, to: str) -> None:
        for key in self.gateway.objects(self.bucket):
            if key.startswith(f"{name}/"):
                source = {"Bucket": self.bucket, "Key": key}
                self.gateway.client.copy_object(Bucket=self.bucket, Key=to + key[len(name) :], CopySource=source)

    def pack_bytes(self, name: str) -> int:
        return sum(size for key, size in self.gateway.objects(self.bucket).items() if key.startswith(f"{name}/packs/"))


class Kills:
    def __init__(self, cairn: Cairn, work: pathlib.Path, stores, most: int):
        self.work = work
        self.stores = stores
        self.most = most
        self.shim = build_shim(work, "kill_at")
        self.cairn = cairn
        self.source = work / "source"
        self.killed = 0
        self.verified = 0
        self.random = random.Random(3)
        self.source.mkdir()
        self.add(OLD, 200_000)
        self.base = stores.url("base")
        self.store = stores.url("store")
        # What prunes() leaves in the source is much less than what was there.
        self.snapshot = ("snapshot", "--store", self.store, self.source, "--series", "s", "--max-drop", "100%")
        self.cairn.run("init", "--store", self.base, "--no-encryption")
        self.cairn.run("snapshot", "--store", self.base, self.source, "--series", "s")

    def add(self, names, size: int) -> None:
        for name in names:
            (self.source / name).write_bytes(self.random.randbytes(size))

    def fresh(self, base: str = "base") -> None:
        """A copy of that store; nothing of an earlier run is known."""
        self.stores.remove("store")
        shutil.rmtree(self.work / "cache", ignore_errors=True)
        self.stores.copy(base, "store")

    def shimmed(self, **more) -> dict[str, str]:
        return dict(self.cairn.environment, LD_PRELOAD=str(self.shim), KILL_CALLS=self.stores.calls, **more)

    def count(self, command: tuple) -> int:
        environment = self.shimmed(KILL_COUNT=str(self.work / "count"))
        subprocess.run([self.cairn.binary, *map(str, command)], env=environment, capture_output=True, check=True)
        return int((self.work / "count").read_text())

    def kill_at(self, number: int, when: str, sent: int, command: tuple) -> bool:
        """False where the run made fewer calls: one more or less depends on which thread is first to make a directory."""
        environment = self.shimmed(KILL_AT=str(number), KILL_WHEN=when, KILL_SIGNAL=str(int(sent)))
        done = subprocess.run([self.cairn.binary, *map(str, command)], env=environment, capture_output=True)
        # The signal may come when there is nothing left to interrupt; a snapshot may be complete, but not its push.
        expected = {signal.SIGKILL: {-9}, signal.SIGINT: {130, 0}, signal.SIGTERM: {143, 0}}[sent]
        if sent == signal.SIGKILL and done.returncode == 0:
            return False
        check(done.returncode in expected, f"{command[0]}, call {number} {when}, {sent}: exit {done.returncode}: {done.stderr}")
        self.killed += 1
        return True

    def verify(self, store: str, what: str) -> None:
        done = self.cairn.run("verify", "--store", store, "--level", "full", expect=None)
        check(done.returncode == 0, f"{what}: verify exit {done.returncode}: {done.stderr.decode()}")
        self.verified += 1

    def every_call(self, name: str, prepare, command: tuple, look) -> None:
        """Kills the command after each preparation, then calls look with a text that says where it was killed."""
        counts = []
        for _ in range(3):
            prepare()
            counts.append(self.count(command))
        calls = min(counts)
        # After a call is before the next; only the last has an end of its own.
        points = [(number, "before") for number in range(1, calls + 1)] + [(calls, "after")]
        if 0 < self.most < len(points):
            points = sorted(random.Random(4).sample(points, self.most))
        for sent in SIGNALS:
            for number, when in points:
                for tries in range(10):
                    prepare()
                    if self.kill_at(number, when, sent, command):
                        break
                else:
                    # Threads that made a directory at the same time were counted, and that hardly happens again.
                    prepare()
                    check(self.count(command) < number, f"{name}: there was no call {number} {when} in ten runs")
                    continue
                look(f"{name}, {when} call {number} of {calls}, {sent.name}")
        print(f"{name}: {calls} calls, {len(points)} points, killed there by each of three signals", flush=True)

    def check_once(self, name: str, once: int, what: str) -> None:
        grown = self.stores.pack_bytes(name)
        # The pack that was being built had not been stored; those before it are found again.
        check(grown <= once * 1.02 + 200_000, f"{what}: {grown} bytes after the next run, {once} without a kill")

    def snapshots(self, rounds: int) -> None:
        self.add((f"b{i}" for i in range(60)), 500_000)
        time.sleep(2.1)  # files touched at the time of a snapshot are read again by the next
        self.fresh()
        self.cairn.run(*self.snapshot)
        once = self.stores.pack_bytes("store")

        def look(what: str) -> None:
            self.verify(self.store, what)
            self.cairn.run(*self.snapshot)
            self.verify(self.store, f"{what}, the run after")
            self.check_once("store", once, what)

        self.every_call("snapshot", self.fresh, self.snapshot, look)
        for i in range(rounds):
            self.fresh()
            process = self.cairn.start(*self.snapshot)
            time.sleep(self.random.uniform(0, 0.6))
            process.send_signal(self.random.choice(SIGNALS))
            process.communicate()
            self.killed += 1
            look(f"random kill {i}")

    def pushes(self) -> None:
        """From a store with both snapshots into one that has the older."""
        self.fresh()
        self.cairn.run(*self.snapshot)
        self.stores.copy("store", "full")
        away = self.stores.url("away")
        self.cairn.run("init", "--store", away, "--no-encryption")
        self.cairn.run("push", "--from", self.base, "--to", away)
        push = ("push", "--from", self.stores.url("full"), "--to", self.store)
        self.fresh("away")
        self.cairn.run(*push)
        once = self.stores.pack_bytes("store")

        def look(what: str) -> None:
            self.verify(self.store, what)
            self.cairn.run(*push)
            check(len(self.cairn.json("list", "--store", self.store)["snapshots"]) == 2, f"{what}: not both are there")
            self.verify(self.store, f"{what}, the run after")
            self.check_once("store", once, what)

        self.every_call("push", lambda: self.fresh("away"), push, look)

    def prunes(self) -> None:
        """One that removes a snapshot and marks its packs, and one that deletes what another marked."""
        prune = ("prune", "--store", self.store, "--series", "s", "--keep-last", "1", "--grace", "0s", "--exclusive", "--apply")
        for name in OLD:
            (self.source / name).unlink()
        self.add(("new",), 100_000)
        self.fresh("full")
        self.cairn.run(*self.snapshot)
        self.stores.copy("store", "three")
        self.cairn.run(*prune)
        self.stores.copy("store", "marked")
        self.cairn.run(*prune)
        kept = self.stores.pack_bytes("store")
        check(kept < self.stores.pack_bytes("three") - 4_000_000, "prune deleted nothing: not the test it should be")

        def look(what: str) -> None:
            self.verify(self.store, what)
            self.cairn.run(*prune)
            for _ in range(5):
                self.cairn.run(*prune)
                if self.stores.pack_bytes("store") == kept:
                    break
                time.sleep(1)  # no grace, but a gateway's clock counts seconds: a mark of this second is not older than now
            self.verify(self.store, f"{what}, the runs after")
            check(len(self.cairn.json("list", "--store", self.store)["snapshots"]) == 1, f"{what}: not one snapshot is left")
            check(self.stores.pack_bytes("store") == kept, f"{what}: not what prunes leave that nobody kills")

        self.every_call("prune that marks", lambda: self.fresh("three"), prune, look)
        self.every_call("prune that deletes", lambda: self.fresh("marked"), prune, look)

    def restores(self) -> None:
        target = self.work / "target"
        restore = ("restore", "--store", self.base, "s", target)

        def prepare() -> None:
            shutil.rmtree(target, ignore_errors=True)

        def look(what: str) -> None:
            names = set(os.listdir(target)) if target.exists() else set()
            check(names in (set(), OLD), f"{what}: left {sorted(names)[:3]}")
            if not names:
                shutil.rmtree(target, ignore_errors=True)
                self.cairn.run(*restore)
                check(set(os.listdir(target)) == OLD, f"{what}: the run after restored something else")

        prepare()
        self.cairn.run(*restore)  # fills the cache, whose files are calls, too
        self.every_call("restore", prepare, restore, look)


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "directory"
    most = int(args[1]) if len(args) > 1 else 0
    rounds = int(args[2]) if len(args) > 2 else 60
    gateway = Gateway() if kind == "s3" else None
    stores = None
    with Workspace("kills") as work:
        try:
            stores = BucketStores(gateway) if gateway else DirectoryStores(work)
            cairn = Cairn(binary, work)
            # Other stores take the place of those that were killed: no address is to be remembered.
            cairn.environment["CAIRN_STATE_DIR"] = ""
            kills = Kills(gateway.give_keys(cairn) if gateway else cairn, work, stores, most)
            kills.restores()
            kills.snapshots(rounds)
            kills.pushes()
            kills.prunes()
            print(f"{kind}: {kills.killed} killed, {kills.verified} verified")
        finally:
            if gateway and stores:
                gateway.remove_bucket(stores.bucket)


main(run)
