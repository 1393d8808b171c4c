#!/usr/bin/python3
"""Snapshots, pushes, lists, verifies, restores and prunes through a proxy that spoils some of what passes between them and
a real S3 server (tests/servers/fault_proxy.py): each kind of fault alone, then all of them mixed. What a retry cures must
not be seen; what it cannot cure ends with a clear error. Then the proxy is taken away: everything that was reported and
everything that is listed restores byte for byte, and each pack is what its name says. Besides, a spool that is full or fails.
Arguments: rounds for each kind of fault; rounds of all mixed; first seed."""

import collections
import concurrent.futures
import errno
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys

from gateway import Gateway
from support import Cairn, Workspace, build_shim, check, main, read_tree

SERVERS = pathlib.Path(__file__).resolve().parent.parent / "servers"
sys.path.insert(0, str(SERVERS))
from fault_proxy import FAULTS, FaultProxy  # noqa: E402

KEPT = 2
STALL_SECONDS = 1
# The share of the requests that a fault alone spoils; of a stall, which takes long, and of those that it fits, where few
# do.
RATE = 0.12
RATES = {
    "stall before": 0.04,
    "stall in the upload": 0.1,
    "stall in the answer": 0.04,
    "reset in the upload": 0.3,
    "upload corrupted": 0.15,
    "request duplicated": 0.3,
    "200 with an error": 0.3,
    "200 with an error after the effect": 0.3,
    "200 that deletes nothing": 0.7,
}
# What no retry cures, or what cannot be told from the truth: these may end in an error.
MAY_FAIL = {
    "answer shortened",
    "answer corrupted",
    "upload corrupted",
    "200 that deletes nothing",
    "request duplicated",
}
# Failed, damage found, nothing there, busy: the last two are what a corrupted listing or a lease taken twice look like.
ERRORS = {1, 4, 10, 11}


class Host:
    """One host behind a proxy of its own, with a part of the bucket of its own."""

    def __init__(self, binary: str, work: pathlib.Path, gateway: Gateway, bucket: str, name: str, seed: int):
        self.name = name
        self.gateway = gateway
        self.bucket = bucket
        self.prefix = name.replace(" ", "-")
        self.work = work / self.prefix
        self.work.mkdir()
        self.random = random.Random(seed)
        self.direct = gateway.give_keys(Cairn(binary, self.work))
        self.direct.environment.update(CAIRN_CACHE_DIR="", CAIRN_STATE_DIR="")
        self.url = gateway.url(bucket, self.prefix)
        self.behind = gateway.give_keys(Cairn(binary, self.work))
        self.behind.environment.update(LD_PRELOAD=str(work / "impatient.so"), STALL_SECONDS=str(STALL_SECONDS))
        self.local = self.work / "local"
        self.sources = {"s": self.work / "s", "p": self.work / "p"}
        for source in self.sources.values():
            source.mkdir()
        self.trees: dict[str, dict] = {}
        self.required: set[str] = set()
        self.statuses: collections.Counter[int] = collections.Counter()
        self.direct.run("init", "--store", self.url, "--no-encryption")
        self.direct.run("init", "--store", self.local, "--no-encryption")

    def change(self) -> None:
        for source in self.sources.values():
            for _ in range(3):
                content = self.random.randbytes(self.random.randrange(1, 150_000))
                (source / f"f{self.random.randrange(6)}").write_bytes(content)

    def run(self, may_fail: bool, *command) -> int:
        """The exit status; one that it may not have is an assertion's failure."""
        done = self.behind.run("--json", *command, expect=None)
        self.statuses[done.returncode] += 1
        told = done.stderr.decode(errors="replace")
        allowed = {0} | ERRORS if may_fail else {0}
        check(done.returncode in allowed, f"{self.name}: {command[0]}: exit {done.returncode}: {told}{done.stdout.decode()}")
        check(done.returncode == 0 or "cairn: error: " in told, f"{self.name}: exit {done.returncode} without a word: {told}")
        return done.returncode

    def newest(self, series: str, store: object) -> list[str]:
        """Newest last."""
        entries = self.direct.json("list", "--store", store)["snapshots"]
        return [e["id"] for e in sorted(entries, key=lambda e: e["cut_point"]) if e["series"] == series]

    def round(self, proxy: FaultProxy) -> None:
        url = f"s3://{self.bucket}/{self.prefix}?endpoint={proxy.endpoint}"
        may_fail = bool(MAY_FAIL & set(proxy.faults))
        self.change()
        tree = read_tree(self.sources["s"])
        before = set(self.newest("s", self.url))
        status = self.run(may_fail, "snapshot", "--store", url, self.sources["s"])
        made = set(self.newest("s", self.url)) - before
        check(len(made) == 1 if status == 0 else len(made) <= 1, f"{self.name}: {len(made)} snapshots were made")
        # One that was committed although its run failed, because the last answer was spoilt, is as good.
        self.required |= made
        self.trees.update(dict.fromkeys(made, tree))
        pushed = self.direct.json("snapshot", "--store", self.local, self.sources["p"])["id"]
        self.trees[pushed] = read_tree(self.sources["p"])
        if self.run(may_fail, "push", "--from", self.local, "--to", url, "--all") == 0:
            self.required |= set(self.newest("p", self.local))
        self.run(may_fail, "list", "--store", url)
        self.run(may_fail, "verify", "--store", url, "--level", "full")
        back = self.work / "back"
        shutil.rmtree(back, ignore_errors=True)
        if made:
            status = self.run(may_fail, "restore", "--store", url, *made, back)
            restored = read_tree(back) if back.exists() else {}
            # Where it finds damage it restores the files that have none.
            allowed = restored == tree if status == 0 else restored.items() <= tree.items() if status == 4 else restored == {}
            check(allowed, f"{self.name}: exit {status}, and restored something else")
        self.prune(url, may_fail)

    def prune(self, url: str, may_fail: bool) -> None:
        for series in self.sources:
            kept = self.newest(series, self.url)
            self.required -= set(kept[:-KEPT])
        for series in self.sources:
            # A lease that a failed run left behind: or wait for an hour.
            self.gateway.client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/lease/prune.json")
            command = ("prune", "--store", url, "--series", series, "--keep-last", str(KEPT), "--grace", "0s")
            self.run(may_fail, *command, "--exclusive", "--apply")

    def whole(self) -> int:
        """Without the proxy. Returns how many snapshots were restored."""
        self.direct.run("verify", "--store", self.url, "--level", "full")
        listed = self.newest("s", self.url) + self.newest("p", self.url)
        check(self.required <= set(listed), f"{self.name}: lost {sorted(self.required - set(listed))}")
        back = self.work / "back"
        for snapshot in listed:
            shutil.rmtree(back, ignore_errors=True)
            self.direct.run("restore", "--store", self.url, snapshot, back)
            check(read_tree(back) == self.trees[snapshot], f"{self.name}: {snapshot} restores something else")
        for key in self.gateway.objects(self.bucket):
            if key.startswith(f"{self.prefix}/packs/"):
                body = self.gateway.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                check(hashlib.sha256(body).hexdigest() == key[-64:], f"{self.name}: {key} is not what its name says")
        return len(listed)


class FullSpool:
    """A spool, on this host's own disk, that is full or fails while a snapshot goes to the server."""

    def __init__(self, host: Host, shim: pathlib.Path, most: int):
        self.host = host
        self.shim = shim
        self.most = most
        self.spool = host.work / "spool"
        self.spool.mkdir()

    def run(self, **settings: str) -> subprocess.CompletedProcess:
        environment = dict(
            self.host.direct.environment,
            TMPDIR=str(self.spool),
            LD_PRELOAD=str(self.shim),
            FAIL_UNDER=str(self.spool),
            FAIL_KIND="change",
            **settings,
        )
        # Larger than what is kept in memory.
        (self.host.sources["s"] / "large").write_bytes(self.host.random.randbytes(3_000_000))
        command = [self.host.direct.binary, "snapshot", "--store", self.host.url, str(self.host.sources["s"])]
        return subprocess.run(command, env=environment, capture_output=True)

    def play(self) -> int:
        """Returns how many calls failed."""
        count = self.host.work / "count"
        done = self.run(FAIL_COUNT=str(count))
        check(done.returncode == 0, f"snapshot: {done.stderr.decode()}")
        calls = sum(map(int, count.read_text().split()))
        check(calls > 5, f"{calls} calls in the spool: not the test it should be")
        points = range(1, calls + 1)
        chosen = points if self.most == 0 else sorted(random.Random(4).sample(points, min(self.most, calls)))
        for number in (errno.ENOSPC, errno.EIO):
            for point in chosen:
                before = self.host.newest("s", self.host.url)
                done = self.run(FAIL_AT=str(point), FAIL_ERRNO=str(number))
                text = done.stderr.decode()
                what = f"spool, {errno.errorcode[number]} at call {point} of {calls}: exit {done.returncode}: {text}"
                check(done.returncode in (0, 1), what)
                check(done.returncode == 0 or os.strerror(number) in text, what)
                listed = self.host.newest("s", self.host.url)
                check(len(listed) - len(before) == (done.returncode == 0), f"{what}: {len(listed)} are listed")
        self.host.direct.run("snapshot", "--store", self.host.url, self.host.sources["s"])
        self.host.direct.run("verify", "--store", self.host.url, "--level", "full")
        back = self.host.work / "back"
        self.host.direct.run("restore", "--store", self.host.url, "s", back)
        check(read_tree(back) == read_tree(self.host.sources["s"]), "the next snapshot restores something else")
        check(list(self.spool.iterdir()) == [], f"left in the spool: {list(self.spool.iterdir())}")
        return 2 * len(chosen)


class Faults:
    def __init__(self, binary: str, work: pathlib.Path, gateway: Gateway, seed: int):
        self.binary = binary
        self.work = work
        self.gateway = gateway
        self.seed = seed
        self.bucket = gateway.make_bucket("faults")
        self.counts: collections.Counter[str] = collections.Counter()
        for source in (SERVERS / "impatient.c", SERVERS.parent / "crash" / "fail_at.c"):
            build_shim(work, source)

    def play(self, name: str, faults: list[str], rate: float, rounds: int, seed: int) -> tuple[str, dict]:
        """What to tell, and how often each fault was injected."""
        host = Host(self.binary, self.work, self.gateway, self.bucket, name, seed)
        with FaultProxy(self.gateway.endpoint, seed, rate, faults) as proxy:
            done = 0
            # At least as many as asked for, and until the fault was met and something was stored in spite of it.
            while done < rounds or ((proxy.counts.total() == 0 or not host.required) and done < rounds + 20):
                host.round(proxy)
                done += 1
        restored = host.whole()
        check(proxy.counts.total() > 0, f"{name}: never injected: not the test it should be")
        check(restored > 0, f"{name}: nothing was stored")
        seen = ", ".join(f"exit {status} {times} times" for status, times in sorted(host.statuses.items()))
        spoilt = f"{proxy.counts.total()} of {proxy.requests} requests spoilt"
        return f"{name}: {spoilt}; {seen}; {restored} restored", proxy.counts

    def full_spool(self, most: int) -> tuple[str, dict]:
        host = Host(self.binary, self.work, self.gateway, self.bucket, "spool", self.seed)
        failed = FullSpool(host, self.work / "fail_at.so", most).play()
        return f"spool that is full or fails: {failed} calls failed", {}

    def all(self, rounds: int, mixed: int) -> None:
        jobs = [(name, [name], RATES.get(name, RATE), rounds) for name in FAULTS]
        curable = [name for name in FAULTS if name not in MAY_FAIL]
        jobs.append(("all that retries cure", curable, RATE, mixed))
        jobs.append(("all", list(FAULTS), RATE, mixed))
        failures = []
        # They mostly wait for the time of the next attempt.
        with concurrent.futures.ThreadPoolExecutor(len(jobs) + 1) as pool:
            running = {pool.submit(self.play, *job, 100 * self.seed + i): job[0] for i, job in enumerate(jobs)}
            running[pool.submit(self.full_spool, 4 if rounds == 1 else 0)] = "full spool"
            for future in concurrent.futures.as_completed(running):
                try:
                    told, counts = future.result()
                    print(told, flush=True)
                    self.counts.update(counts)
                except AssertionError as failure:
                    failures.append(running[future])
                    print(f"FAILED: {running[future]}: {failure}", file=sys.stderr, flush=True)
        for name in FAULTS:
            print(f"  {self.counts[name]:5} {name}")
        check(failures == [], f"{len(failures)} of {len(running)}: {', '.join(failures)}")
        print(f"{self.counts.total()} faults injected, 0 lost")


def run(binary: str, args: list[str]) -> None:
    rounds = int(args[0]) if args else 3
    mixed = int(args[1]) if len(args) > 1 else 10
    seed = int(args[2]) if len(args) > 2 else 1
    gateway = Gateway()
    with Workspace("s3faults") as work:
        faults = Faults(binary, work, gateway, seed)
        try:
            faults.all(rounds, mixed)
        finally:
            gateway.remove_bucket(faults.bucket)


main(run)
