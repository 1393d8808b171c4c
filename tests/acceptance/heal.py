#!/usr/bin/env python3
"""A new snapshot of an unchanged source heals what the source still has: whatever became of packs, manifests and lists
before, and whichever host takes it, it restores whole. (In kopia, issue 3492, it does not.) Arguments: gone or damaged,
which is what becomes of the objects: missing and cut short, or changed in place and found by verify."""

import os
import pathlib
import random
import shutil

from needs import needs_of
from sealing import Identity, host, manifests_of, need, packs_of
from support import Workspace, check, main, run_steps, tree_differences


class Heal:
    def __init__(self, binary: str, work: pathlib.Path, sealed: bool):
        self.binary = binary
        self.work = work
        self.owner = host(binary, work / "owner")
        self.clean = work / "clean"
        self.store = work / "store"
        self.identity = Identity.make(self.owner, work / "identity.txt")
        self.sealed = sealed
        self.healed = 0
        encryption = ("--recipient", self.identity.recipient) if sealed else ("--no-encryption",)
        self.owner.run("init", "--store", self.store, *encryption)
        rng = random.Random(9)
        self.tree = work / "tree"
        self.tree.mkdir()
        for i in range(3):
            (self.tree / f"bytes{i}").write_bytes(rng.randbytes(100_000))
            (self.tree / f"text{i}").write_text(f"line {i}\n" * 3000)
            self.snapshot()
        shutil.copytree(self.store, self.clean)
        shutil.copytree(self.owner.home, work / "owner-clean")
        self.needs = needs_of(self.clean, self.identity.file)

    def fresh(self) -> None:
        shutil.rmtree(self.work / "back", ignore_errors=True)
        for path, clean in ((self.store, self.clean), (self.owner.home, self.work / "owner-clean")):
            shutil.rmtree(path)
            shutil.copytree(clean, path)

    def snapshot(self, *args) -> dict:
        return self.owner.json("snapshot", "--store", self.store, self.tree, "--series", "s", *args)

    def restores(self, reference: str) -> None:
        back = self.work / "back"
        self.owner.run("restore", "--store", self.store, reference, back, "--identity", self.identity.file)
        check(tree_differences(self.tree, back) == "", "restored otherwise")
        shutil.rmtree(back)

    def heals(self, what: str) -> None:
        """After verify has said what is wrong, as it would to whoever runs both in turn."""
        done = self.owner.run("verify", "--store", self.store, "--level", "full", "--identity", self.identity.file, expect=4)
        taken = self.snapshot()
        check(taken["incomplete"] is False, f"{what}: the new snapshot is incomplete")
        self.restores(taken["id"])
        self.owner.run("verify", "--store", self.store, taken["id"], "--level", "full", "--identity", self.identity.file)
        # It is healed, not only stored twice: the next one is cheap again.
        again = self.snapshot()
        check(again["new_bytes"] == 0, f"{what}: the snapshot after it stored {again['new_bytes']} bytes again: {done.stdout.decode()}")
        self.restores(again["id"])
        self.healed += 1

    def each_pack(self, change) -> None:
        for path in packs_of(self.clean):
            name = path.relative_to(self.clean)
            self.fresh()
            change(self.store / name)
            self.heals(f"{change.__name__}: {name}")

    def missing(self) -> None:
        self.each_pack(pathlib.Path.unlink)

    def cut_short(self) -> None:
        def half(path: pathlib.Path) -> None:
            os.truncate(path, path.stat().st_size // 2)

        def empty(path: pathlib.Path) -> None:
            os.truncate(path, 0)

        self.each_pack(half)
        self.each_pack(empty)

    def manifests(self) -> None:
        for number in range(len(self.needs)):
            self.fresh()
            path = manifests_of(self.store)[number]
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(data[:100] + b"?" + data[101:])
            self.heals(f"damaged {path.name}")
        self.fresh()
        for path in manifests_of(self.store):
            path.unlink()
        self.restores(self.snapshot()["id"])

    def all_packs(self) -> None:
        self.fresh()
        for path in packs_of(self.store):
            path.unlink()
        self.heals("all packs")

    def changed_in_place(self) -> None:
        """One bit, the size as it was: nothing but reading tells."""
        for place in (0.05, 0.3, 0.7, 0.99):
            def bit(path: pathlib.Path, place: float = place) -> None:
                data = bytearray(path.read_bytes())
                data[32 + int((len(data) - 64) * place)] ^= 1
                path.unlink()
                path.write_bytes(data)

            self.each_pack(bit)

    def found_by_restore(self) -> None:
        """Who restores learns of the damage, too."""
        self.fresh()
        path = max(packs_of(self.store), key=lambda path: path.stat().st_size)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        path.write_bytes(data)
        self.owner.run("restore", "--store", self.store, "s", self.work / "back", "--identity", self.identity.file, expect=4)
        shutil.rmtree(self.work / "back")
        self.restores(self.snapshot()["id"])


def run(binary: str, args: list[str]) -> None:
    need("age", "zstd")
    for sealed in (False, True):
        with Workspace("heal") as work:
            heal = Heal(binary, work, sealed)
            if args == ["damaged"]:
                run_steps([heal.changed_in_place, heal.found_by_restore])
            else:
                run_steps([heal.missing, heal.cut_short, heal.manifests, heal.all_packs])
            print(f"{'sealed' if sealed else 'plain'}: {heal.healed} damaged stores healed by a new snapshot")


main(run)
