#!/usr/bin/env python3
"""Every kind of object of a store, flipped in every region, cut, emptied, grown, removed, swapped, doubled and replaced by
an older one. Verify names the object and the snapshots that need it; restore leaves out exactly the files that the damage
concerns and gives all others back byte for byte; list, snapshot and prune work or say why not, and lose nothing.
Arguments: plain or sealed, then short or long (short takes a share of the places of each kind)."""

import collections
import dataclasses
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from typing import Callable

from needs import Needs, needs_of
from sealing import HEADER, SEGMENT, TRAILER, Identity, Pack, SigningKey, host, manifests_of, need, packs_of
from support import Cairn, Workspace, check, main

BATCH = 24
FAILED = b"cairn: error: "


@dataclasses.dataclass
class Case:
    """One change of one object. Of a pack, the bytes that it concerns: of what they hold, files may be left out."""

    kind: str
    what: str
    key: str
    change: Callable[[pathlib.Path], None]
    begin: int = 0
    end: int = 1 << 63
    harmless: bool = False  # no snapshot needs what was changed

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}: {self.key}"


def put(path: pathlib.Path, data: bytes) -> None:
    """In place of what is there, which is shared with the clean store by a hard link."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def regions_of_pack(data: bytes, sealed: bool) -> list[tuple[str, int]]:
    """Name and offset of at least one byte of each region."""
    pack = Pack(data)
    places = [("magic", 0), ("version", 8), ("seal", 12), ("random bytes", 20)]

    def part(name: str, at: int, content: bytes) -> None:
        begin = 0
        if sealed:
            mac = content.index(b"\n--- ") + 1
            begin = content.index(b"\n", mac) + 17
            places.append((f"{name}: age header", at + 30))
            places.append((f"{name}: age MAC", at + mac + 10))
            places.append((f"{name}: age nonce", at + begin - 8))
        size = SEGMENT if sealed else 65536
        while begin < len(content):
            end = min(begin + size, len(content))
            places.append((f"{name}: begin", at + begin))
            places.append((f"{name}: middle", at + (begin + end) // 2))
            places.append((f"{name}: end", at + end - 1))
            if sealed:  # what is before the tag of the last segment is padding
                places.append((f"{name}: before the tag", at + end - 17))
            begin = end

    part("data", HEADER, pack.data)
    part("directory", pack.at, pack.directory)
    places += [(f"trailer: {name}", len(data) - TRAILER + at) for name, at in
               (("offset", 0), ("size", 8), ("version", 16), ("zero", 20), ("magic", 24))]
    return places


class Matrix:
    def __init__(self, binary: str, work: pathlib.Path, sealed: bool):
        self.binary = binary
        self.work = work
        self.sealed = sealed
        self.rng = random.Random(6)
        self.clean = work / "clean"
        self.trees: dict[str, pathlib.Path] = {}
        self.series: dict[str, str] = {}
        self.counts: collections.Counter = collections.Counter()
        self.failures: list[str] = []
        self.owner = host(binary, work / "owner")
        self.reader_flags: tuple = ()
        self.make()

    def make(self) -> None:
        encryption = ("--no-encryption",)
        identity = None
        if self.sealed:
            identity = Identity.make(self.owner, self.work / "identity.txt")
            second = Identity.make(self.owner, self.work / "second.txt")
            key = SigningKey.make(self.owner, self.work / "sign.pem")
            self.owner.environment["CAIRN_SIGNING_KEY"] = str(key.file)
            self.reader_flags = ("--identity", identity.file, "--trusted-key", key.public)
            encryption = ("--recipient", identity.recipient)
        self.owner.run("init", "--store", self.clean, *encryption)
        tree = self.work / "tree"
        tree.mkdir()
        (tree / "random").write_bytes(self.rng.randbytes(300_000))
        (tree / "text").write_text("".join(f"line {i * 7919}\n" for i in range(20_000)))
        (tree / "zeros").write_bytes(bytes(200_000))
        (tree / "folder").mkdir()
        for i in range(5):
            (tree / "folder" / f"small{i}").write_bytes(self.rng.randbytes(3000))
        os.link(tree / "random", tree / "same")
        os.symlink("text", tree / "symlink")
        database = sqlite3.connect(tree / "rows.db")
        database.execute("CREATE TABLE rows (a)")
        database.executemany("INSERT INTO rows VALUES (?)", ((self.rng.randbytes(100),) for _ in range(500)))
        database.commit()
        database.close()
        self.take("s", tree)  # goes: its manifest is in a mark
        for number in range(2):
            (tree / "folder" / "small1").write_bytes(self.rng.randbytes(4000))
            (tree / f"new{number}").write_bytes(self.rng.randbytes(70_000))
            self.take("s", tree)
            if self.sealed and number == 0:
                self.owner.run("key", "add", "--store", self.clean, second.recipient)  # a second generation
        other = self.work / "other"
        other.mkdir()
        (other / "alone").write_bytes(self.rng.randbytes(50_000))
        shutil.copy2(tree / "random", other / "random")
        self.take("t", other)
        first, second_id, _ = (i for i, series in self.series.items() if series == "s")
        self.owner.run("pin", second_id, "--store", self.clean)
        self.owner.run("forget", first, "--store", self.clean, "--apply")
        del self.series[first]
        self.interrupt()
        (self.clean / "lease").mkdir(exist_ok=True)
        text = '{"format":"cairn-lease","version":1,"host":"elsewhere","process":1,"time":"2026-01-01T00:00:00.000000000Z"}\n'
        (self.clean / "lease" / "prune.json").write_text(text)
        # The lease ran out and nothing is younger than the grace.
        for path in self.clean.rglob("*"):
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 7200 * 10**9))
        self.needs = needs_of(self.clean, identity.file if identity else None)
        check(set(self.needs) == set(self.series), "the reader sees other snapshots")

    def take(self, series: str, tree: pathlib.Path) -> None:
        taken = self.owner.json("snapshot", "--store", self.clean, tree, "--series", series)["id"]
        self.trees[taken] = self.work / f"tree-{len(self.trees)}"
        shutil.copytree(tree, self.trees[taken], symlinks=True)
        self.series[taken] = series

    def interrupt(self) -> None:
        """Leaves a pending record and the packs it speaks of."""
        feed = f"{self.work}/fifo"
        os.mkfifo(feed)
        process = self.owner.start("snapshot", "--store", self.clean, "--series", "late", "--", "cat", feed)
        with open(feed, "wb", buffering=0) as to:
            data = self.rng.randbytes(1 << 20)
            packs = len(packs_of(self.clean))
            while len(packs_of(self.clean)) == packs:
                for _ in range(4):
                    to.write(self.rng.randbytes(64) + data)
            process.send_signal(signal.SIGTERM)
            process.wait()
        process.communicate()
        check(process.returncode == 143, f"the interrupted run ended with {process.returncode}")
        check(any((self.clean / "pending").glob("*.json")), "the interrupted run left no pending record")

    # Cases ------------------------------------------------------------------------------------------------------------

    def common(self, kind: str, path: pathlib.Path, others: list[pathlib.Path], twin: str) -> list[Case]:
        key = str(path.relative_to(self.clean))
        good = path.read_bytes()

        def write(data: bytes) -> Callable[[pathlib.Path], None]:
            return lambda store: put(store / key, data)

        def swap(other: pathlib.Path) -> Callable[[pathlib.Path], None]:
            def change(store: pathlib.Path) -> None:
                put(store / key, other.read_bytes())
                put(store / other.relative_to(self.clean), good)
            return change

        cases = [Case(kind, f"cut to {length} of {len(good)} bytes", key, write(good[:length]), length)
                 for length in sorted({0, 1, len(good) // 2, len(good) - 1})]
        cases.append(Case(kind, "grown by a byte", key, write(good + b"\0")))
        cases.append(Case(kind, "removed", key, lambda store: (store / key).unlink()))
        cases.append(Case(kind, "doubled under another name", twin, lambda store: put(store / twin, good), harmless=True))
        for other in others[:2]:
            cases.append(Case(kind, f"replaced by {other.relative_to(self.clean)}", key, write(other.read_bytes())))
        if others:
            cases.append(Case(kind, f"swapped with {others[0].relative_to(self.clean)}", key, swap(others[0])))
        return cases

    def cases(self) -> list[Case]:
        cases = []

        def flips(kind: str, path: pathlib.Path, places: list[tuple[str, int]]) -> list[Case]:
            key = str(path.relative_to(self.clean))
            good = path.read_bytes()
            return [Case(kind, f"a bit of {name} at {at}", key,
                         lambda store, at=at: put(store / key, flipped(good, at)), at, at + 1) for name, at in places]

        lists = set.union(*(needs.lists for needs in self.needs.values()))
        used = set.union(*(needs.packs for needs in self.needs.values()))
        packs = packs_of(self.clean)
        for path in packs:
            kind = "list pack" if path.name in lists else "pack" if path.name in used else "unreferenced pack"
            like = [other for other in packs if other != path and (other.name in lists) == (path.name in lists)]
            data = path.read_bytes()
            regions = regions_of_pack(data, self.sealed)
            if kind == "unreferenced pack":
                regions = regions[:6]
            twin = path.name[:-1] + ("1" if path.name[-1] == "0" else "0")
            these = self.common(kind, path, like, f"packs/{twin[:2]}/{twin}") + flips(kind, path, regions)
            # A cut in the directory leaves no frame that can be found; elsewhere ranges before it may do.
            for case in these:
                if "a bit of directory" in case.what or "cut to" in case.what and case.begin > HEADER:
                    case.begin, case.end = 0, 1 << 63
                if "a bit of data: age" in case.what:
                    case.begin, case.end = 0, 1 << 63
                case.harmless = case.harmless or kind == "unreferenced pack" and "swapped" not in case.what
            cases += these
        manifests = manifests_of(self.clean)
        for path in manifests:
            data = path.read_bytes()
            places = [(match[1].decode(), match.start() + 1) for match in re.finditer(rb'"([a-z_]+)":', data)]
            places += [(f"value of {match[1].decode()}", match.end() + 1) for match in re.finditer(rb'"([a-z_]+)":', data)]
            places += [("line end", match.start()) for match in re.finditer(rb"\n", data)]
            others = [other for other in manifests if other != path]
            twin = path.with_name(path.name.replace(".json", "")[:-1] + "x.json")
            twin = str(twin.relative_to(self.clean))
            cases += self.common("manifest", path, others, twin) + flips("manifest", path, places)
        for folder, kind in (("config", "descriptor"), ("pins", "pin"), ("marks", "mark"), ("pending", "pending"), ("lease", "lease")):
            paths = sorted(path for path in (self.clean / folder).rglob("*") if path.is_file())
            check(paths != [], f"the store has no {kind}")
            for path in paths:
                data = path.read_bytes()
                places = [("some byte", at) for at in range(0, len(data), max(1, len(data) // 12))]
                twin = f"{path.relative_to(self.clean)}.copy"
                cases += self.common(kind, path, [other for other in paths if other != path], twin) + flips(kind, path, places)
        return cases

    # Checks -----------------------------------------------------------------------------------------------------------

    def fresh(self, path: pathlib.Path) -> None:
        subprocess.run(["cp", "-al", str(self.clean), str(path)], check=True)

    def fail(self, case: Case, message: str) -> None:
        self.failures.append(f"{case}: {message}")

    def concerned(self, case: Case, needs: Needs) -> tuple[bool, set[str]]:
        """Whether nothing of the snapshot can be promised, and else which files may be left out."""
        keys = {case.key}
        if "swapped with " in case.what:
            keys.add(case.what.partition("swapped with ")[2])
        if case.harmless:
            return needs.manifest in keys, set()
        if keys & {needs.manifest} or case.kind == "descriptor":
            return True, set()
        names = {key.rsplit("/", 1)[1] for key in keys if key.startswith("packs/")}
        if names & needs.lists:
            return True, set()
        places = (case.begin, case.end) if len(names) == 1 else (0, 1 << 63)
        return False, set().union(*(needs.files_that_need(name, *places) for name in names))

    def run(self, cairn: Cairn, case: Case, *args, allowed: tuple[int, ...]) -> subprocess.CompletedProcess:
        done = cairn.run(*args, expect=None)
        command = args[1] if args[0] == "--json" else args[0]
        self.counts[f"a changed {case.kind}: {command} ends with {done.returncode}"] += 1
        if done.returncode not in allowed:
            self.fail(case, f"{' '.join(map(str, args))}: exit {done.returncode}: {done.stderr.decode(errors='replace')[:400]}")
        elif done.returncode != 0 and FAILED not in done.stderr and b'"cairn.error/1"' not in done.stdout:
            self.fail(case, f"{' '.join(map(str, args))}: exit {done.returncode} without an error")
        return done

    def restores(self, cairn: Cairn, store: pathlib.Path, case: Case, when: str) -> None:
        for identifier, needs in self.needs.items():
            if not (store / needs.manifest).exists() and when != "at once":
                continue
            everything, files = self.concerned(case, needs)
            back = self.work / "back"
            allowed = (0, 1, 4, 10, 12, 13) if everything else (0, 4) if files else (0,)
            done = self.run(cairn, case, "--json", "restore", "--store", store, identifier, back, *self.reader_flags, allowed=allowed)
            tree = self.trees[identifier]
            missing = set()
            if back.exists():
                for path in back.rglob("*"):
                    like = tree / path.relative_to(back)
                    if not os.path.lexists(like):
                        self.fail(case, f"{when}: restore left {path.name}")
                    elif path.is_symlink() != like.is_symlink() or path.is_dir() != like.is_dir():
                        self.fail(case, f"{when}: restore made {path.name} something else")
                    elif path.is_file() and path.read_bytes() != like.read_bytes():
                        self.fail(case, f"{when}: restore wrote wrong bytes to {path.name}")
                missing = {str(path.relative_to(tree)) for path in tree.rglob("*") if not os.path.lexists(back / path.relative_to(tree))}
            elif done.returncode == 0:
                self.fail(case, f"{when}: restore wrote nothing")
            if not everything:
                self.counts["files that were left out"] += len(missing)
                if not back.exists() or missing - files:
                    self.fail(case, f"{when}: {sorted(missing - files) or 'everything'} of {self.series[identifier]} is not restored")
                if (done.returncode == 4) != bool(missing):
                    self.fail(case, f"{when}: restore left out {sorted(missing)} and ended with {done.returncode}")
                named = set(re.findall(rb'"path":"([^"]+)"', done.stdout))
                if named != {name.encode() for name in missing}:
                    self.fail(case, f"{when}: restore left out {sorted(missing)} and names {sorted(named)}")
            elif done.returncode == 0 and missing:
                self.fail(case, f"{when}: {sorted(missing)} is missing, and the exit status 0")
            self.counts["restores"] += 1
            shutil.rmtree(back, ignore_errors=True)

    def verifies(self, cairn: Cairn, store: pathlib.Path, case: Case) -> None:
        done = self.run(cairn, case, "--json", "verify", "--store", store, "--level", "full", *self.reader_flags,
                        allowed=(0, 1, 4, 10, 12, 13) if case.kind == "descriptor" else (0, 4))
        text = done.stdout.decode() + done.stderr.decode()
        cut = re.fullmatch(r"cut to (\d+) of (\d+) bytes", case.what)
        if cut and int(cut[1]) < int(cut[2]) - 1 and case.kind in ("mark", "pending") and (done.returncode != 4 or case.key not in text):
            self.fail(case, f"verify ends with {done.returncode} and does not name {case.key}: {text[:300]}")
        keys = [case.key] + ([case.what.partition("swapped with ")[2]] if "swapped with " in case.what else [])
        for key in keys:
            users = [needs for needs in self.needs.values()
                     if key == needs.manifest or key.rsplit("/", 1)[1] in needs.packs]
            if case.harmless or not users or case.what == "removed" and case.kind == "manifest":
                continue
            if done.returncode != 4 or key not in text:
                self.fail(case, f"verify ends with {done.returncode} and does not name {key}: {text[:300]}")
            for needs in users:
                if needs.id[:16] not in text:
                    self.fail(case, f"verify does not name the snapshot {needs.id[:16]}: {text[:300]}")

    def batch(self, cases: list[Case], number: int) -> None:
        stores = []
        for index, case in enumerate(cases):
            store = self.work / f"store-{number}-{index}"
            self.fresh(store)
            case.change(store)
            stranger = Cairn(self.binary, self.work / "stranger")
            stranger.environment.update(CAIRN_CACHE_DIR="", CAIRN_STATE_DIR=str(self.work / f"state-{number}-{index}"))
            if "CAIRN_SIGNING_KEY" in self.owner.environment:
                stranger.environment["CAIRN_SIGNING_KEY"] = self.owner.environment["CAIRN_SIGNING_KEY"]
            self.verifies(stranger, store, case)
            self.restores(stranger, store, case, "at once")
            refused = (0, 1, 4, 10, 12, 13)
            self.run(stranger, case, "list", "--store", store, allowed=refused)
            new = self.run(stranger, case, "--json", "snapshot", "--store", store, self.work / "tree", "--series", "s", allowed=refused)
            self.prune(stranger, store, case)
            stores.append((store, case, stranger, new))
            self.counts[f"cases of a {case.kind}"] += 1
        time.sleep(1.1)  # the grace of the marks
        for store, case, stranger, new in stores:
            packs = len(packs_of(store))
            self.prune(stranger, store, case)
            self.counts["packs that prunes deleted"] += packs - len(packs_of(store))
            gone = {needs.manifest for needs in self.needs.values() if not (store / needs.manifest).exists()}
            gone -= {case.key} if case.what == "removed" else set()
            for needs in self.needs.values():
                if needs.manifest in gone and (self.series[needs.id] != "s" or needs.id == self.pinned() and case.kind != "pin"):
                    self.fail(case, f"prune removed {needs.manifest}")
            self.restores(stranger, store, case, "after snapshot and prune")
            shutil.rmtree(store)

    def pinned(self) -> str:
        return next((self.clean / "pins").iterdir()).name

    def prune(self, cairn: Cairn, store: pathlib.Path, case: Case) -> None:
        self.run(cairn, case, "prune", "--store", store, "--series", "s", "--keep-last", "1", "--grace", "1s", "--exclusive",
                 "--apply", allowed=(0, 1, 4, 10, 11, 12, 13))


def share_of(cases: list[Case], rng: random.Random, most: int) -> list[Case]:
    """So many, all ways to change an object of a kind among them."""
    chosen = {}
    rng.shuffle(cases)
    for case in cases:
        chosen.setdefault((case.kind, re.sub(r"\d+| [a-z]+/\S+", "", case.what)), case)
    wanted = {id(case) for case in chosen.values()}
    rest = [case for case in cases if id(case) not in wanted]
    return list(chosen.values()) + rest[: max(0, most - len(chosen))]


def run(binary: str, args: list[str]) -> None:
    sealed = args[:1] == ["sealed"]
    need("age", "zstd")
    with Workspace("tamper") as work:
        matrix = Matrix(binary, work, sealed)
        cases = matrix.cases()
        everything = len(cases)
        if args[1:2] != ["long"]:
            cases = share_of(cases, matrix.rng, int(args[2]) if len(args) > 2 else 0)
        (work / "stranger").mkdir()
        for number, begin in enumerate(range(0, len(cases), BATCH)):
            matrix.batch(cases[begin : begin + BATCH], number)
        for name, count in sorted(matrix.counts.items()):
            print(f"{count:7} {name}")
        print(f"{len(cases)} changes of {everything} in a {'sealed and signed' if sealed else 'plain'} store with {len(matrix.needs)} snapshots")
        check(matrix.failures == [], f"{len(matrix.failures)} failures:\n" + "\n".join(matrix.failures))


main(run)
