#!/usr/bin/python3
"""Snapshots of several series, pushes into and out of the store, restores and several prunes at once on one store, round
after round, until prune has deleted packs meanwhile: what retention keeps is all there and whole. Arguments: directory or
s3, then the least number of rounds.

A week of grace is played in seconds. What the grace promises holds for runs that are shorter than it, so it grows with
the longest round that was seen, and a slow machine only takes longer."""

import json
import pathlib
import random
import shutil
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


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "directory"
    least = int(args[1]) if len(args) > 1 else 15
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
