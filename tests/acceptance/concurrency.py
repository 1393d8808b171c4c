#!/usr/bin/python3
"""Snapshots of several series, pushes into and out of the store, restores and several prunes at once on one store, round
after round, until prune has deleted packs meanwhile: what retention keeps is all there and whole. Arguments: directory or
s3, then the least number of rounds, or `hosts` and seconds: as long as that eight hosts take snapshots without ever waiting
for each other, each of a series of its own and of one that all share, while others prune and verify.

A week of grace is played in seconds. What the grace promises holds for runs that are shorter than it, so it grows with
the longest round that was seen, and a slow machine only takes longer."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import threading
import time

from gateway import Gateway
from support import Cairn, Workspace, check, main, tree_differences

SHORTEST_GRACE = 30  # seconds
KEPT = 3
SERIES = ("a", "b", "c", "d")


class Source:
    """A directory that changes: files come, go, move to other sources, and come back after rounds of absence."""

    def __init__(self, path: pathlib.Path, rng: random.Random):
        self.path = path
        self.rng = rng
        self.gone: list[tuple[str, bytes]] = []
        path.mkdir()
        for i in range(30):
            (path / f"f{i}").write_bytes(rng.randbytes(rng.randrange(1000, 400_000)))

    def change(self, others: list["Source"]) -> None:
        names = sorted(p.name for p in self.path.iterdir())
        for name in self.rng.sample(names, len(names) // 3):
            self.gone.append((name, (self.path / name).read_bytes()))
            (self.path / name).unlink()
        for _ in range(6):
            name, content = self.rng.choice(self.gone)
            (self.path / name).write_bytes(content)
        for i in self.rng.sample(range(30), 4):
            (self.path / f"f{i}").write_bytes(self.rng.randbytes(self.rng.randrange(1000, 400_000)))
        other = self.rng.choice(others)
        for name in self.rng.sample(sorted(p.name for p in other.path.iterdir()), 3):
            shutil.copyfile(other.path / name, self.path / f"from-{other.path.name}-{name}")


class Crowd:
    def __init__(self, binary: str, work: pathlib.Path, store: str, environment: dict[str, str]):
        self.work = work
        self.rng = random.Random(8)
        self.store = store
        self.other = str(work / "other")
        self.away = str(work / "away")
        configuration = work / "cairn.toml"
        configuration.write_text(f"[retention]\nkeep_last = {KEPT}\n")
        # Three hosts: each knows only what its own cache tells of the others.
        self.hosts = []
        for i in range(3):
            home = work / f"host{i}"
            home.mkdir()
            host = Cairn(binary, home)
            host.environment.update(environment, CAIRN_CONFIG=str(configuration))
            self.hosts.append(host)
        for name in (self.store, self.other, self.away):
            self.hosts[0].run("init", "--store", name, "--no-encryption")
        self.sources = {name: Source(work / name, self.rng) for name in (*SERIES, "pushed")}
        self.taken: dict[str, list[str]] = {name: [] for name in self.sources}
        # Prune rightly refuses a store that shows packs and not one manifest, as it would while the first is being taken.
        first = self.hosts[0].json("snapshot", "--store", self.store, self.sources["a"].path)
        self.taken["a"].append(first["id"])
        self.deleted = 0
        self.busy = 0
        self.longest = 0.0

    def grace(self) -> int:
        return max(SHORTEST_GRACE, round(5 * self.longest))

    def host(self) -> Cairn:
        return self.rng.choice(self.hosts)

    def round(self, number: int) -> None:
        for source in self.sources.values():
            source.change([other for other in self.sources.values() if other is not source])
        pushed = self.host().json("snapshot", "--store", self.other, self.sources["pushed"].path)
        self.taken["pushed"].append(pushed["id"])
        grace = self.grace()
        prune = ("prune", "--store", self.store, "--grace", f"{grace}s", "--exclusive", "--apply")
        jobs = [(f"snapshot {name}", ("snapshot", "--store", self.store, self.sources[name].path)) for name in SERIES]
        jobs.append(("push", ("push", "--from", self.other, "--to", self.store)))
        jobs += [("prune", prune)] * 3
        if number > 0:
            jobs.append(("push", ("push", "--from", self.store, "--to", self.away, "--series", "a")))
            jobs.append(("restore", ("restore", "--store", self.store, self.taken["b"][-1], self.work / f"back{number}")))
        self.rng.shuffle(jobs)
        begin = time.monotonic()
        running = []
        for name, command in jobs:
            running.append((name, self.host().start("--json", *command)))
            time.sleep(self.rng.uniform(0, 0.2))
        finished = [(name, *process.communicate(), process.returncode) for name, process in running]
        took = time.monotonic() - begin
        check(took < grace, f"inconclusive: a round took {took:.0f} s, which {grace} s of grace do not cover")
        self.longest = max(self.longest, took)
        for name, out, err, status in finished:
            self.finished(name, status, out.decode(), err.decode())
        shutil.rmtree(self.work / f"back{number}", ignore_errors=True)

    def finished(self, name: str, status: int, out: str, err: str) -> None:
        if name == "prune" and status == 11:
            self.busy += 1
            return
        check(status == 0, f"{name}: exit {status}: {out}{err}")
        result = json.loads(out)
        if name == "prune":
            self.deleted += result["result"]["packs_deleted"]
        elif name.startswith("snapshot"):
            self.taken[result["series"]].append(result["id"])

    def survivors(self) -> None:
        listed = {name: [] for name in self.sources}
        for entry in self.hosts[0].json("list", "--store", self.store)["snapshots"]:
            listed[entry["series"]].append(entry["id"])
        for name, ids in self.taken.items():
            check(set(ids[-KEPT:]) <= set(listed[name]), f"series {name}: took {ids}, listed {listed[name]}")
            check(set(listed[name]) <= set(ids), f"series {name}: {listed[name]} lists what nobody took")
        check(len({i for ids in self.taken.values() for i in ids}) == sum(map(len, self.taken.values())), "equal ids")

    def whole(self) -> None:
        """By a host that knows nothing."""
        home = self.work / "stranger"
        home.mkdir()
        stranger = Cairn(self.hosts[0].binary, home)
        stranger.environment = dict(self.hosts[0].environment, CAIRN_CACHE_DIR="", CAIRN_STATE_DIR="", HOME=str(home))
        for store in (self.store, self.away, self.other):
            stranger.run("verify", "--store", store, "--level", "full")
        for name, source in self.sources.items():
            back = home / name
            stranger.run("restore", "--store", self.store, name, back)
            check(tree_differences(source.path, back) == "", f"series {name} differs")
        shutil.rmtree(home)


class Hosts:
    """Machines that share nothing but the store; each snapshot is remembered by the digests of what it must hold."""

    COUNT = 8
    SHARED = "shared"

    def __init__(self, binary: str, work: pathlib.Path, store: str, environment: dict[str, str]):
        self.binary = binary
        self.work = work
        self.store = store
        self.environment = environment
        self.configuration = work / "cairn.toml"
        self.configuration.write_text(f"[retention]\nkeep_last = {KEPT}\n")
        self.lock = threading.Lock()
        self.failures: list[str] = []
        self.taken: dict[str, tuple[str, dict[str, str]]] = {}  # by id: series and content
        self.order: dict[str, list[str]] = {}
        self.counts: dict[str, int] = {"snapshots": 0, "prunes": 0, "busy prunes": 0, "packs deleted": 0, "verifications": 0}
        self.longest = 0.0
        self.least_grace = float("inf")
        self.stop = threading.Event()
        first = self.host("first")
        first.run("init", "--store", self.store, "--no-encryption")
        # Prune refuses a store that shows packs and not one manifest, as it would while the first is being taken.
        tree = work / "tree-first"
        tree.mkdir()
        (tree / "file").write_text("first\n")
        self.snapshot(first, "first", tree)

    def host(self, name: str) -> Cairn:
        """With a name for the machine of its own, where this user may give one."""
        home = self.work / name
        home.mkdir()
        binary = pathlib.Path(self.binary).resolve()
        if os.geteuid() == 0:
            program = home / "cairn"
            program.write_text(f"#!/bin/sh\nexec unshare --uts sh -c 'hostname {name} && exec {binary} \"$@\"' sh \"$@\"\n")
            program.chmod(0o755)
            binary = program
        cairn = Cairn(str(binary), home)
        cairn.environment.update(self.environment, CAIRN_CONFIG=str(self.configuration))
        return cairn

    def grace(self) -> int:
        grace = max(SHORTEST_GRACE, round(5 * self.longest))
        self.least_grace = min(self.least_grace, grace)
        return grace

    def timed(self, cairn: Cairn, *args, expect: int | None = 0):
        begin = time.monotonic()
        done = cairn.run("--json", *args, expect=expect)
        with self.lock:
            self.longest = max(self.longest, time.monotonic() - begin)
        return done

    def snapshot(self, cairn: Cairn, series: str, tree: pathlib.Path) -> None:
        content = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tree.iterdir()}
        taken = json.loads(self.timed(cairn, "snapshot", "--store", self.store, tree, "--series", series).stdout)
        check(taken["incomplete"] is False, f"{series}: incomplete")
        with self.lock:
            check(taken["id"] not in self.taken, f"two snapshots have the id {taken['id']}")
            self.taken[taken["id"]] = (series, content)
            self.order.setdefault(series, []).append(taken["id"])
            self.counts["snapshots"] += 1

    def takes_snapshots(self, number: int) -> None:
        rng = random.Random(number)
        cairn = self.host(f"host{number}")
        tree = self.work / f"tree{number}"
        tree.mkdir()
        common = random.Random(99)  # content that all of them have: they lean on each other's packs
        for i in range(10):
            (tree / f"common{i}").write_bytes(common.randbytes(60_000))
            (tree / f"own{i}").write_bytes(rng.randbytes(rng.randrange(1000, 200_000)))
        while not self.stop.is_set():
            for i in rng.sample(range(10), 3):
                (tree / f"own{i}").write_bytes(rng.randbytes(rng.randrange(1000, 200_000)))
            common_name = tree / f"common{rng.randrange(10)}"
            if common_name.exists() and rng.random() < 0.5:
                common_name.rename(self.work / f"away{number}-{common_name.name}")
            for path in self.work.glob(f"away{number}-common*"):
                if rng.random() < 0.3:
                    path.rename(tree / path.name.split("-", 1)[1])
            self.snapshot(cairn, f"own{number}", tree)
            self.snapshot(cairn, self.SHARED, tree)

    def prunes(self) -> None:
        cairn = self.host("pruner")
        while not self.stop.is_set():
            done = self.timed(cairn, "prune", "--store", self.store, "--grace", f"{self.grace()}s", "--exclusive", "--apply", expect=None)
            check(done.returncode in (0, 11), f"prune: exit {done.returncode}: {done.stderr.decode()}")
            with self.lock:
                self.counts["prunes"] += 1
                if done.returncode == 11:
                    self.counts["busy prunes"] += 1
                else:
                    self.counts["packs deleted"] += json.loads(done.stdout)["result"]["packs_deleted"]
            self.stop.wait(1)

    def verifies(self) -> None:
        cairn = self.host("verifier")
        while not self.stop.is_set():
            for level in ("quick", "full"):
                self.timed(cairn, "verify", "--store", self.store, "--level", level)
                with self.lock:
                    self.counts["verifications"] += 1

    def guarded(self, action, *args) -> None:
        try:
            action(*args)
        except Exception as failure:  # of a thread: it must not get lost
            with self.lock:
                self.failures.append(f"{action.__name__}{args}: {failure}")
            self.stop.set()

    def run(self, seconds: float) -> None:
        threads = [threading.Thread(target=self.guarded, args=(self.takes_snapshots, i)) for i in range(self.COUNT)]
        threads += [threading.Thread(target=self.guarded, args=(action,)) for action in (self.prunes, self.verifies)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while not self.stop.wait(0.2) and (time.monotonic() < end or self.counts["packs deleted"] == 0):
            pass
        self.stop.set()
        for thread in threads:
            thread.join()
        check(self.failures == [], "\n".join(self.failures))
        check(self.longest < self.least_grace, f"inconclusive: a run took {self.longest:.0f} s, the least grace was {self.least_grace} s")

    def survivors(self) -> int:
        """Everything that is listed is whole, by a host that knows nothing; and of each series the newest are listed."""
        stranger = self.host("stranger")
        stranger.environment.update(CAIRN_CACHE_DIR="")
        stranger.run("verify", "--store", self.store, "--level", "full")
        listed: dict[str, list[str]] = {}
        for entry in sorted(stranger.json("list", "--store", self.store)["snapshots"], key=lambda entry: entry["cut_point"]):
            listed.setdefault(entry["series"], []).append(entry["id"])
        back = self.work / "back"
        restored = 0
        for series, ids in self.order.items():
            check(len(listed[series]) >= min(KEPT, len(ids)), f"{series}: {len(ids)} were taken, {len(listed[series])} are listed")
            if series != self.SHARED:  # of that one, who was first to end says nothing of whose cut point is first
                check(listed[series][-KEPT:] == ids[-KEPT:], f"{series}: took {ids}, listed {listed[series]}")
            for identifier in listed[series]:
                check(identifier in self.taken and self.taken[identifier][0] == series, f"{identifier} was not taken")
                stranger.run("restore", "--store", self.store, identifier, back)
                found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in back.iterdir()}
                check(found == self.taken[identifier][1], f"{series}: {identifier} is restored otherwise")
                shutil.rmtree(back)
                restored += 1
        return restored


def run_hosts(binary: str, work: pathlib.Path, kind: str, store: str, environment: dict[str, str], seconds: float) -> None:
    hosts = Hosts(binary, work, store, environment)
    hosts.run(seconds)
    restored = hosts.survivors()
    print(f"{kind}: {hosts.COUNT} hosts: " + ", ".join(f"{count} {name}" for name, count in hosts.counts.items()))
    print(f"{kind}: {len(hosts.order)} series; {restored} snapshots were kept and restored; the longest run took {hosts.longest:.1f} s")


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "directory"
    hosts = args[1:2] == ["hosts"]
    least = 0 if hosts else int(args[1]) if len(args) > 1 else 15
    gateway = Gateway() if kind == "s3" else None
    with Workspace("concurrency") as work:
        store = str(work / "store")
        environment = {}
        bucket = ""
        if gateway:
            bucket = gateway.make_bucket("concurrency")
            store = gateway.url(bucket, "store")
            environment = {"AWS_ACCESS_KEY_ID": gateway.access_key, "AWS_SECRET_ACCESS_KEY": gateway.secret_key}
        try:
            if hosts:
                run_hosts(binary, work, kind, store, environment, float(args[2]))
                return
            crowd = Crowd(binary, work, store, environment)
            rounds = 0
            while rounds < least or crowd.deleted == 0:
                crowd.round(rounds)
                crowd.survivors()
                rounds += 1
            crowd.whole()
            taken = sum(map(len, crowd.taken.values()))
            print(f"{kind}: {rounds} rounds of at most {crowd.longest:.1f} s with {crowd.grace()} s of grace")
            print(f"{kind}: {taken} snapshots, all survived")
            print(f"{crowd.deleted} packs deleted meanwhile; {crowd.busy} prunes gave way to another")
        finally:
            if gateway:
                gateway.remove_bucket(bucket)


main(run)
