#!/usr/bin/env python3
"""The stores in tests/golden, which were written by earlier programs: each is listed, shown, verified and restored, and
gives what it gave then; a copy takes a new snapshot, and a copy is pruned."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time

from support import Cairn, Workspace, check, main, run_steps

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
READER = GOLDEN.parent / "reference" / "cairn_reader.py"
sys.path.insert(0, str(GOLDEN))
from make import describe  # noqa: E402


class Golden:
    """One of them."""

    def __init__(self, binary: str, work: pathlib.Path, name: str):
        self.__qualname__ = name
        self.name = name
        self.work = work / name
        self.work.mkdir()
        self.says = json.loads((GOLDEN / f"{name}.json").read_text())
        self.snapshots: dict[str, dict] = self.says["snapshots"]
        self.cairn = Cairn(binary, self.work / "home")
        self.cairn.home.mkdir()
        self.identity = self.work / "identity.txt"
        shutil.copyfile(GOLDEN / "identity.txt", self.identity)
        self.identity.chmod(0o600)
        self.restored = 0

    def unpack(self, name: str) -> pathlib.Path:
        store = self.work / name
        with tarfile.open(GOLDEN / f"{self.name}.tar") as tar:
            tar.extractall(store)
        # Older than the grace that is used here.
        for path in store.rglob("*"):
            os.utime(path, (time.time() - 60, time.time() - 60))
        return store

    def listed(self, store: pathlib.Path) -> dict[str, dict]:
        found = self.cairn.json("list", "--store", store, "--identity", self.identity)["snapshots"]
        return {entry["id"]: entry for entry in found}

    def restore(self, store: pathlib.Path, identifier: str, *args) -> None:
        back = self.work / "back"
        self.cairn.run("restore", "--store", store, identifier, back, "--identity", self.identity, *args)
        wanted, found = self.snapshots[identifier]["entries"], describe(back)
        if os.geteuid() != 0:  # the owner is not restored, and so no set-id bit
            for entry in (*wanted.values(), *found.values()):
                entry["mode"] = oct(int(entry.get("mode", "0"), 8) & 0o1777)
        different = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
        check(different == [], f"{identifier}: " + ", ".join(f"{path}: {found.get(path)} instead of {wanted.get(path)}" for path in different))
        shutil.rmtree(back) if back.is_dir() else back.unlink()
        self.restored += 1

    def verify(self, store: pathlib.Path) -> dict:
        return self.cairn.json("verify", "--store", store, "--level", "full", "--identity", self.identity)

    def reading(self) -> None:
        store = self.unpack("store")
        listed = self.listed(store)
        check(set(listed) == set(self.snapshots), f"{sorted(listed)} are listed")
        for identifier, wanted in self.snapshots.items():
            shown = self.cairn.json("show", "--store", store, identifier, "--identity", self.identity)
            for key in ("pinned", "tags", "signer"):
                for found in (listed[identifier][key], shown[key]):
                    check(found == wanted[key], f"{identifier}: {key} is {found}")
            trusted = ("--trusted-key", wanted["signer"]) if wanted["signer"] else ()
            self.restore(store, identifier, *trusted)
            done = self.cairn.run("list", "--store", store, identifier, "--files", "--json", "--identity", self.identity)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            check(len(lines) == len(wanted["entries"]), f"{identifier}: {len(lines)} entries are listed")
        verified = self.verify(store)
        check(verified["snapshots"] == len(self.snapshots), f"{verified['snapshots']} snapshots are verified")
        check(verified["packs_closed"] == 0 == verified["snapshots_closed"], "not everything could be opened")

    def vouched_for(self) -> None:
        """With the signer's key program and reader tell the same manifests whose list of packs it did not sign."""
        signer = next((says["signer"] for says in self.snapshots.values() if says["signer"]), None)
        if signer is None:
            return
        store = self.unpack("vouched")
        manifests = {path.relative_to(store).as_posix(): json.loads(path.read_text()) for path in store.glob("snapshots/*/*")}
        done = self.cairn.json("verify", "--store", store, "--trusted-key", signer)
        doubtful = set(done["unvouched_packs"])
        by_program = {name for name, manifest in manifests.items()
                      if any(f"packs/{entry['name'][:2]}/{entry['name']}" in doubtful for entry in manifest["packs"])}
        check(len(by_program) == 1, f"without a word for their packs are {sorted(by_program)}")
        if not all(map(shutil.which, ("age", "minisign", "zstd"))):
            return
        read = subprocess.run([sys.executable, READER, "verify", store, "--identity", self.identity, "--trusted-key", signer],
                              capture_output=True, text=True)
        check(read.returncode == 0, read.stdout + read.stderr)
        by_reader = {name for name in manifests if f"{name}: no trusted key has signed which packs it names" in read.stderr}
        check(by_reader == by_program, f"the reader says so of {sorted(by_reader)}, the program of {sorted(by_program)}")

    def on_top(self) -> None:
        """A newer program writes into the store; what was there stays as it is, and it can lean on it."""
        store = self.unpack("on-top")
        tree = self.work / "tree"
        newest = list(self.snapshots)[-1]
        self.cairn.run("restore", "--store", store, newest, tree, "--identity", self.identity)
        series = self.listed(store)[newest]["series"]
        taken = self.cairn.json("snapshot", "--store", store, tree, "--series", f"{series}-again")
        back = self.work / "again"
        self.cairn.run("restore", "--store", store, taken["id"], back, "--identity", self.identity)
        check(describe(back) == describe(tree), "what was taken on top is restored otherwise")
        for identifier in self.snapshots:
            self.restore(store, identifier)
        self.verify(store)

    def pruned(self) -> None:
        store = self.unpack("pruned")
        series = {entry["series"] for entry in self.listed(store).values()}
        deleted = 0
        for wait in (0, 1.1):  # of the second run: the grace
            time.sleep(wait)
            for name in series:
                done = self.cairn.json("prune", "--store", store, "--series", name, "--keep-last", "1", "--grace", "1s", "--exclusive",
                                       "--apply", "--clock-ok")
                deleted += done["result"]["packs_deleted"]
        left = self.listed(store)
        newest = {max((entry["cut_point"], identifier) for identifier, entry in left.items() if entry["series"] == name)[1] for name in series}
        wanted = {identifier for identifier, says in self.snapshots.items() if says["pinned"]} | newest
        # Cut points that are still to come displace nothing: a machine may stand before the day on which a store was made.
        behind = any(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) < entry["cut_point"] for entry in left.values())
        check(set(left) == wanted or behind and wanted <= set(left), f"prune left {sorted(left)}, not {sorted(wanted)}")
        for identifier in left:
            self.restore(store, identifier)
        self.verify(store)
        print(f"{self.name}: prune left {len(left)} of {len(self.snapshots)} snapshots and deleted {deleted} packs")

    def __call__(self) -> None:
        self.reading()
        self.vouched_for()
        self.on_top()
        self.pruned()
        print(f"{self.name}: format {self.says['format']}, by {self.says['program']}: {self.says['what']}: {self.restored} restores")


def run(binary: str, args: list[str]) -> None:
    names = sorted(path.stem for path in GOLDEN.glob("*.tar"))
    check({path.stem for path in GOLDEN.glob("*.json")} == set(names) != set(), "each store has its description")
    with Workspace("golden") as work:
        run_steps([Golden(binary, work, name) for name in args or names])


main(run)
