#!/usr/bin/env python3
"""Pushes into a sealed store: two hosts push the same snapshot at once while a third prunes; and a push from a plain
local store that is killed again and again stores no finished pack twice. Argument: directory or s3."""

import collections
import pathlib
import random
import shutil
import signal
import time

from gateway import Gateway
from sealing import Identity, Pack, host, logical_id, need, packs_of
from support import Workspace, check, main, run_steps, tree_differences

PRUNE = ("--grace", "30s", "--exclusive", "--apply")


class Pushes:
    def __init__(self, binary: str, work: pathlib.Path, gateway: Gateway | None):
        self.binary = binary
        self.work = work
        self.gateway = gateway
        self.rng = random.Random(12)
        self.buckets: list[str] = []
        self.local = host(binary, work / "local")
        self.identity = Identity.make(self.local, work / "identity.txt")
        self.plain = work / "plain"
        self.tree = work / "tree"
        self.tree.mkdir()
        self.local.run("init", "--store", self.plain, "--no-encryption")

    def store(self, name: str) -> str:
        if self.gateway is None:
            return str(self.work / name)
        self.buckets.append(self.gateway.make_bucket(name))
        return self.gateway.url(self.buckets[-1], "p")

    def host(self, name: str):
        made = host(self.binary, self.work / name)
        return made if self.gateway is None else self.gateway.give_keys(made)

    def pack_bytes(self, store: str) -> list[bytes]:
        if self.gateway is None:
            return [path.read_bytes() for path in packs_of(pathlib.Path(store))]
        bucket = self.buckets[-1]
        keys = [key for key in self.gateway.objects(bucket) if "/packs/" in key]
        return [self.gateway.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]

    def count(self, store: str) -> int:
        if self.gateway is None:
            return len(packs_of(pathlib.Path(store)))
        return sum("/packs/" in key for key in self.gateway.objects(self.buckets[-1]))

    def restores(self, store: str, reference: str, like: pathlib.Path) -> None:
        rescue = self.host(f"rescue{self.rng.random()}")
        back = self.work / "back"
        rescue.run("verify", "--store", store, "--level", "full", "--identity", self.identity.file)
        rescue.run("restore", "--store", store, reference, back, "--identity", self.identity.file)
        check(tree_differences(like, back) == "", f"restored otherwise: {tree_differences(like, back)}")
        shutil.rmtree(back)

    def two_hosts_and_a_prune(self) -> None:
        store = self.store("shared")
        hosts = [self.host("first"), self.host("second"), self.host("pruner")]
        hosts[0].run("init", "--store", store, "--recipient", self.identity.recipient)
        # The second host has a plain store of its own that holds the same snapshot.
        copy = self.work / "plain2"
        for i in range(6):
            for name in self.rng.sample(range(40), 12):
                (self.tree / f"f{name}").write_bytes(self.rng.randbytes(self.rng.randrange(1000, 1_500_000)))
            taken = self.local.json("snapshot", "--store", self.plain, self.tree, "--series", "s")["id"]
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.plain, copy)
            jobs = [("push", hosts[0].start("push", "--from", self.plain, "--to", store)),
                    ("push", hosts[1].start("push", "--from", copy, "--to", store))]
            time.sleep(self.rng.uniform(0, 0.1))
            for _ in range(2):
                jobs.append(("prune", hosts[2].start("prune", "--store", store, "--series", "s", "--keep-last", "2", *PRUNE)))
                time.sleep(self.rng.uniform(0, 0.1))
            for name, process in jobs:
                out, error = process.communicate()
                # 11: another prune holds the lease; 10: nothing was there yet.
                allowed = (0,) if name == "push" else (0, 11, 10) if i == 0 else (0, 11)
                check(process.returncode in allowed, f"round {i}: {name}: exit {process.returncode}: {error.decode()}")
            listed = [entry["id"] for entry in hosts[2].json("list", "--store", store)["snapshots"]]
            check(listed.count(taken) == 1, f"round {i}: {taken} is listed {listed.count(taken)} times")
            self.restores(store, taken, self.tree)
        print(f"6 rounds: {self.count(store)} packs")

    def killed_and_resumed(self) -> None:
        source = self.work / "source"
        source.mkdir()
        for i in range(30):
            (source / f"a{i}").write_bytes(self.rng.randbytes(7_000_000))
        plain = self.work / "big"
        self.local.run("init", "--store", plain, "--no-encryption")
        taken = self.local.json("snapshot", "--store", plain, source, "--series", "s")
        store = self.store("resumed")
        pusher = self.host("pusher")
        pusher.run("init", "--store", store, "--recipient", self.identity.recipient)
        finished = []
        for step, how in enumerate((signal.SIGTERM, signal.SIGTERM, signal.SIGKILL, signal.SIGINT)):
            before = self.count(store)
            process = pusher.start("push", "--from", plain, "--to", store)
            while process.poll() is None and self.count(store) == before:
                time.sleep(0.005)
            process.send_signal(how)
            process.communicate()
            finished.append((how.name, process.returncode, self.count(store)))
            if process.returncode == 0:
                break
        check(any(status != 0 for _, status, _ in finished), "no push was interrupted")
        pusher.run("push", "--from", plain, "--to", store)
        stored = collections.Counter(logical_id(Pack(data).chunks(self.identity.file)) for data in self.pack_bytes(store))
        twice = {each: count for each, count in stored.items() if count > 1}
        print(f"{taken['packs_written']} packs pushed, interrupted at {finished}; {sum(stored.values())} stored, {len(twice)} twice")
        self.restores(store, "s", source)
        # A signal leaves a pending record; SIGKILL loses what it had not yet written down: at most what one record names.
        allowed = 2 if any(name == "SIGKILL" and status != 0 for name, status, _ in finished) else 0
        # Those that the killed run stored after its last record.
        check(sum(twice.values()) - len(twice) <= allowed, f"stored twice: {twice}")


def run(binary: str, args: list[str]) -> None:
    need("age", "zstd")
    gateway = Gateway() if args[:1] == ["s3"] else None
    with Workspace("sealed-push") as work:
        pushes = Pushes(binary, work, gateway)
        try:
            run_steps([pushes.two_hosts_and_a_prune, pushes.killed_and_resumed])
        finally:
            for bucket in pushes.buckets:
                gateway.remove_bucket(bucket)


main(run)
