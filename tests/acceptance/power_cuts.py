#!/usr/bin/python3
"""Cuts the power at every call that changes a local store (tests/crash/record.c writes them down, once), drops what had
not been fsynced, and looks at what may be left: all snapshots that were reported before restore, the stores verify, and
the next runs succeed. The program's cache and state lose their data like the stores. Arguments: calls, most states to look
at (0: every one), mixtures at each point; or killed, most points to kill a run at, mixtures: there the power goes after
a run that ended well, and that followed one which was killed.

What a file system may leave is more than can be tried. At each point: nothing but what was synced; all of it; all names
but no data that was not synced; the same with zeros as the data; and seeded mixtures, in which every name and every
write is kept or lost for itself."""

import os
import pathlib
import random
import shutil
import signal
import subprocess

from power_model import Disk, LeavesZeros, Loss, LosesData, LosesNothing, Mixes, digest, parse_journal, write_tree
from support import Cairn, Workspace, build_shim, check, main, read_tree, run_steps, tree_differences

KEEP_ONE = ("--series", "s", "--keep-last", "1", "--grace", "0s", "--exclusive", "--apply")


class Rig:
    """The program with all that it writes below one directory, `live`, and the journal of what it did there."""

    def __init__(self, binary: str, work: pathlib.Path):
        self.work = work
        self.live = work / "live"
        self.source = work / "source"
        self.cairn = Cairn(binary, work)
        self.cairn.environment.update(
            CAIRN_CACHE_DIR=str(self.live / "cache"), CAIRN_STATE_DIR=str(self.live / "state"), TMPDIR=str(self.live)
        )
        self.recorder = Cairn(binary, work)
        self.journal = work / "journal"
        self.shims = {name: build_shim(work, name) for name in ("record", "kill_at")}
        self.recorder.environment = dict(
            self.cairn.environment,
            LD_PRELOAD=str(self.shims["record"]),
            RECORD_UNDER=str(self.live),
            RECORD_TO=str(self.journal),
        )
        self.random = random.Random(12)
        self.reset()

    def reset(self) -> None:
        """Nothing was ever done."""
        for path in (self.live, self.source):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(mode=0o700)
        self.journal.write_bytes(b"")
        self.disk = Disk(self.live.stat().st_ino)

    def position(self) -> int:
        return self.journal.stat().st_size

    def fill(self, names, size: int = 9000) -> None:
        for name in names:
            (self.source / name).write_bytes(self.random.randbytes(size))

    def put(self, tree: dict) -> None:
        shutil.rmtree(self.live, ignore_errors=True)
        write_tree(self.live, tree)

    def url(self, name: str) -> str:
        return str(self.live / name)

    def states(self, mixtures: int, begin: int = 0):
        """Plays the journal. For each distinct state that a cut after `begin` bytes of it may leave: the length of the
        journal there, the kind of loss, the tree. The last thing is a look at whether the journal tells everything."""
        seen: set[bytes] = set()
        calls = parse_journal(self.journal)
        live = read_tree(self.live)
        self.cuts = 0
        for number, (position, fields, data) in enumerate(calls):
            self.disk.play(fields, data)
            if position < begin:
                continue
            self.cuts += 1
            losses = [Loss(), LosesNothing(), LosesData(), LeavesZeros()]
            losses += [Mixes(1000 * number + i) for i in range(mixtures)]
            for loss in losses:
                tree = loss.left(self.disk.root)
                found = digest(tree)
                if found not in seen:
                    seen.add(found)
                    yield position, f"call {number} of {len(calls)} ({' '.join(fields)}), {type(loss).__name__}", tree
        check(digest(LosesNothing().left(self.disk.root)) == digest(live), "the journal misses changes")


class History:
    """What was reported to the user by when: positions in the journal."""

    def __init__(self):
        self.made: dict[str, int] = {}  # stores that exist, by name
        self.taken: list[tuple[int, str, str, dict]] = []  # position, store, id, what a restore gives
        self.removing: list[tuple[int, str, str]] = []  # from when on it may be gone
        self.pinned: tuple[int, int, str, str] | None = None  # from, to, store, id
        self.restored: tuple[int, dict] | None = None
        self.keeps_one = False  # whichever it is: `store` always has a snapshot

    def required(self, store: str, at: int) -> dict[str, dict]:
        gone = {(name, snapshot) for begin, name, snapshot in self.removing if begin <= at}
        return {i: tree for end, name, i, tree in self.taken if name == store and end <= at and (store, i) not in gone}


def report(failures: list[str], states: int) -> None:
    for failure in failures[:20]:
        print(failure)
    check(failures == [], f"{len(failures)} of {states} states")


class PowerCuts:
    def __init__(self, binary: str, work: pathlib.Path, most: int, mixtures: int):
        self.rig = Rig(binary, work)
        self.most = most
        self.mixtures = mixtures
        self.target = work / "target"
        self.looked = 0
        self.restores = 0

    def snapshot(self, history: History) -> str:
        store = self.rig.url("store")
        # However much of the source is left.
        taken = self.rig.recorder.json("snapshot", "--store", store, self.rig.source, "--series", "s", "--max-drop", "100%")["id"]
        history.taken.append((self.rig.position(), "store", taken, read_tree(self.rig.source)))
        return taken

    def push(self, history: History) -> None:
        self.rig.recorder.run("push", "--from", self.rig.url("store"), "--to", self.rig.url("away"), "--all")
        known = {i for _, name, i, _ in history.taken if name == "away"}
        arrived = [(i, tree) for _, name, i, tree in history.taken if name == "store" and i not in known]
        history.taken += [(self.rig.position(), "away", i, tree) for i, tree in arrived]

    def record(self) -> History:
        """Everything that changes a store, once."""
        rig, run = self.rig, self.rig.recorder.run
        rig.reset()
        history = History()
        for name in ("store", "away"):
            run("init", "--store", rig.url(name), "--no-encryption")
            history.made[name] = rig.position()
        rig.fill((f"a{i}" for i in range(6)))
        first = self.snapshot(history)
        rig.fill((f"b{i}" for i in range(3)))
        second = self.snapshot(history)
        self.push(history)
        run("restore", "--store", rig.url("store"), second, rig.url("restored"))
        history.restored = (rig.position(), read_tree(rig.source))
        run("pin", "--store", rig.url("store"), first)
        pinned = rig.position()
        for i in range(6):
            (rig.source / f"a{i}").unlink()
        rig.fill(("c",))
        self.snapshot(history)
        # One that removes a manifest and marks its packs, and one that deletes what another marked.
        history.removing.append((rig.position(), "store", second))
        for _ in range(2):
            run("prune", "--store", rig.url("store"), *KEEP_ONE)
        self.push(history)
        history.pinned = (pinned, rig.position(), "store", first)
        run("unpin", "--store", rig.url("store"), first)
        history.removing.append((rig.position(), "store", first))
        run("forget", "--store", rig.url("store"), first, "--apply")
        for _ in range(2):
            run("prune", "--store", rig.url("store"), *KEEP_ONE)
        rig.fill(("d",))
        self.snapshot(history)
        return history

    def look_at_store(self, name: str, at: int, history: History, what: str) -> None:
        cairn, url = self.rig.cairn, self.rig.url(name)
        if history.made[name] > at:
            # Its making was cut short; made again, it is there.
            cairn.run("init", "--store", url, "--no-encryption", "--if-missing")
        required = history.required(name, at)
        listed = {entry["id"]: entry for entry in cairn.json("list", "--store", url)["snapshots"]}
        check(required.keys() <= listed.keys(), f"{what}: lost {sorted(required.keys() - listed.keys())} of {name}")
        check(listed or not history.keeps_one, f"{what}: no snapshot is left")
        cairn.run("verify", "--store", url, "--level", "full")
        chosen = sorted(required) if self.most == 0 else random.Random(at).sample(sorted(required), min(1, len(required)))
        for snapshot in chosen:
            shutil.rmtree(self.target, ignore_errors=True)
            cairn.run("restore", "--store", url, snapshot, self.target)
            check(read_tree(self.target) == required[snapshot], f"{what}: {snapshot} of {name} restores differently")
            self.restores += 1
        if history.pinned and history.pinned[0] <= at < history.pinned[1] and history.pinned[2] == name:
            check(listed[history.pinned[3]]["pinned"], f"{what}: the pin is lost")

    def look(self, at: int, tree: dict, history: History, what: str) -> None:
        rig, run = self.rig, self.rig.cairn.run
        rig.put(tree)
        try:
            for name in history.made:
                self.look_at_store(name, at, history, what)
            if history.restored and history.restored[0] <= at:
                check(read_tree(rig.live / "restored") == history.restored[1], f"{what}: what was restored is lost")
            store = rig.url("store")
            run("snapshot", "--store", store, rig.source, "--series", "s", "--max-drop", "100%")
            # Or wait for an hour.
            (rig.live / "store" / "lease" / "prune.json").unlink(missing_ok=True)
            for _ in range(2):
                run("prune", "--store", store, *KEEP_ONE)
            run("verify", "--store", store, "--level", "full")
            shutil.rmtree(self.target, ignore_errors=True)
            run("restore", "--store", store, "s", self.target)
            check(tree_differences(rig.source, self.target) == "", f"{what}: the next snapshot restores differently")
        except AssertionError as failure:
            text = str(failure)
            raise AssertionError(text if text.startswith(what) else f"{what}: {text}") from None
        self.looked += 1

    def every_call(self) -> None:
        history = self.record()
        states = list(self.rig.states(self.mixtures))
        chosen = states
        if 0 < self.most < len(states):
            chosen = random.Random(5).sample(states, self.most)
        failures = []
        for at, what, tree in chosen:
            try:
                self.look(at, tree, history, what)
            except AssertionError as failure:
                failures.append(str(failure))
        report(failures, len(chosen))
        print(f"{self.rig.cuts} power cuts, {len(states)} states, {len(chosen)} looked at, 0 lost", flush=True)

    def killed_and_repeated(self, name: str, prepare, command: tuple, again) -> None:
        """Kills a run at each of its calls and lets the next one end well; then the power goes. What the killed run left
        unsynced and the next one leans on must not be lost."""
        rig = self.rig
        environment = dict(rig.recorder.environment, LD_PRELOAD=f"{rig.shims['kill_at']} {rig.shims['record']}")
        full = [rig.cairn.binary, *map(str, command)]
        prepare()
        count = rig.work / "count"
        subprocess.run(full, env=dict(environment, KILL_COUNT=str(count)), capture_output=True, check=True)
        points = range(1, int(count.read_text()) + 1)
        chosen = sorted(random.Random(6).sample(points, self.most)) if 0 < self.most < len(points) else points
        states = 0
        failures = []
        for number in chosen:
            history = prepare()
            killed = subprocess.run(full, env=dict(environment, KILL_AT=str(number), KILL_WHEN="after"), capture_output=True)
            # Threads make the number of calls differ by a few: it may have ended before.
            check(killed.returncode in (0, -signal.SIGKILL), f"{name}, call {number}: {killed.returncode}, {killed.stderr}")
            again(history)
            last = rig.position()
            for at, what, tree in list(rig.states(self.mixtures, begin=last)):
                states += 1
                what = f"{name} killed after its call {number} of {len(points)} and run again, {what}"
                try:
                    self.look(at, tree, history, what)
                except AssertionError as failure:
                    failures.append(str(failure))
        report(failures, states)
        kills = f"killed at {len(chosen)} of {len(points)} calls, run again"
        print(f"{name}: {kills}, power cut: {states} states, 0 lost", flush=True)

    def killed_snapshot(self) -> None:
        def prepare() -> History:
            self.rig.reset()
            history = History()
            self.rig.recorder.run("init", "--store", self.rig.url("store"), "--no-encryption")
            history.made["store"] = self.rig.position()
            self.rig.fill((f"a{i}" for i in range(6)))
            return history

        command = ("snapshot", "--store", self.rig.url("store"), self.rig.source, "--series", "s")
        self.killed_and_repeated("snapshot", prepare, command, self.snapshot)

    def killed_push(self) -> None:
        def prepare() -> History:
            self.rig.reset()
            history = History()
            for name in ("store", "away"):
                self.rig.recorder.run("init", "--store", self.rig.url(name), "--no-encryption")
                history.made[name] = self.rig.position()
            self.rig.fill((f"a{i}" for i in range(6)))
            self.snapshot(history)
            return history

        command = ("push", "--from", self.rig.url("store"), "--to", self.rig.url("away"), "--all")
        self.killed_and_repeated("push", prepare, command, self.push)

    def killed_prune(self) -> None:
        """What a prune removed must not come back once another has deleted what it needs."""

        def prepare() -> History:
            self.rig.reset()
            history = History()
            self.rig.recorder.run("init", "--store", self.rig.url("store"), "--no-encryption")
            history.made["store"] = self.rig.position()
            for name in ("a", "b"):
                self.rig.fill((name,))
                self.snapshot(history)
                (self.rig.source / name).unlink()
            self.rig.fill(("c",))
            history.removing.append((self.rig.position(), "store", history.taken[0][2]))
            return history

        def again(_: History) -> None:
            # The lease of what was killed: or wait for an hour. By a program, so that it is recorded.
            lease = self.rig.live / "store" / "lease" / "prune.json"
            subprocess.run(["rm", "-f", lease], env=self.rig.recorder.environment, check=True)
            for _ in range(2):
                self.rig.recorder.run(*prune)

        prune = ("prune", "--store", self.rig.url("store"), *KEEP_ONE)
        self.killed_and_repeated("prune", prepare, prune, again)

    def killed_before_prune(self) -> None:
        """What makes prune remove an older snapshot must not vanish itself."""

        def prepare() -> History:
            self.rig.reset()
            history = History()
            self.rig.recorder.run("init", "--store", self.rig.url("store"), "--no-encryption")
            history.made["store"] = self.rig.position()
            self.rig.fill(("a",))
            self.snapshot(history)
            history.removing.append((self.rig.position(), "store", history.taken[0][2]))
            history.keeps_one = True
            self.rig.fill(("b",))
            return history

        def again(_: History) -> None:
            self.rig.recorder.run("prune", "--store", self.rig.url("store"), *KEEP_ONE)

        command = ("snapshot", "--store", self.rig.url("store"), self.rig.source, "--series", "s")
        self.killed_and_repeated("snapshot before a prune", prepare, command, again)


def run(binary: str, args: list[str]) -> None:
    kind = args[0] if args else "calls"
    most = int(args[1]) if len(args) > 1 else 0
    mixtures = int(args[2]) if len(args) > 2 else 4
    with Workspace("power") as work:
        # Links would hide from the recorder what is below the directory.
        cuts = PowerCuts(binary, pathlib.Path(os.path.realpath(work)), most, mixtures)
        killed = (cuts.killed_snapshot, cuts.killed_push, cuts.killed_prune, cuts.killed_before_prune)
        run_steps((cuts.every_call,) if kind == "calls" else killed)
        print(f"{cuts.looked} states looked at, {cuts.restores} restores of what had been reported")


main(run)
