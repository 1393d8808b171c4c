#!/usr/bin/env python3
"""Damage in one store is mended from another one, or from the source: packs and manifests that are flipped, cut short or
missing, in plain and in sealed stores."""

import os
import pathlib
import random
import shutil

from sealing import Identity
from support import Cairn, Workspace, check, main, run_steps, tree_differences

FIND_ALL = ("verify", "--level", "full")
PRUNE = ("--keep-last", 9, "--grace", "0s", "--exclusive", "--apply")


def flip(path: pathlib.Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    os.chmod(path, 0o600)
    path.write_bytes(data)


def cut(path: pathlib.Path) -> None:
    data = path.read_bytes()
    os.chmod(path, 0o600)
    path.write_bytes(data[: len(data) * 2 // 3])


class Scene:
    """Three snapshots of a changing tree in a store, and all of them in another one."""

    def __init__(self, binary: str, work: pathlib.Path, identity: Identity | None):
        self.work = work
        self.cairn = Cairn(binary, work)
        options = ["--no-encryption"]
        if identity:
            options = ["--recipient", identity.recipient]
            self.cairn.environment["CAIRN_IDENTITY"] = str(identity.file)
        self.store = work / "store"
        self.other = work / "other"
        self.source = work / "source"
        self.copies: dict[str, pathlib.Path] = {}
        self.rng = random.Random(5)
        self.source.mkdir()
        for i in range(12):
            (self.source / f"f{i:02}").write_bytes(self.rng.randbytes(150_000))
        for store in (self.store, self.other):
            self.cairn.run("init", "--store", store, *options)
        for _ in range(3):
            self.snapshot()
        self.cairn.run("push", "--from", self.store, "--to", self.other, "--all")

    def snapshot(self) -> str:
        changed = self.source / f"f{len(self.copies):02}"
        changed.write_bytes(self.rng.randbytes(150_000))
        taken = self.cairn.json("snapshot", "--store", self.store, self.source, "--series", "s")["id"]
        self.copies[taken] = self.work / f"copy-{len(self.copies)}"
        shutil.copytree(self.source, self.copies[taken])
        return taken

    def pack_files(self, content: str = "files", snapshot: str = "latest") -> list[pathlib.Path]:
        """Of a snapshot, the largest first."""
        packs = self.cairn.json("show", "--store", self.store, snapshot, "--series", "s")["packs"]
        paths = [self.store / pack["object"] for pack in packs]
        listed = [path for path in paths if path.exists()]
        return sorted(listed, key=lambda path: -path.stat().st_size)

    def manifest_files(self) -> list[pathlib.Path]:
        return sorted(path for path in (self.store / "snapshots").rglob("*") if path.is_file())

    def everything_restores(self, but: tuple = ()) -> None:
        for number, (taken, copy) in enumerate(self.copies.items()):
            if taken in but:
                continue
            back = self.work / "back"
            self.cairn.run("restore", "--store", self.store, taken, back)
            check(tree_differences(copy, back) == "", f"snapshot {number} differs")
            shutil.rmtree(back)

    def repaired(self) -> None:
        """From the other store, and nothing is left of it once prune has run."""
        self.cairn.run(*FIND_ALL, "--store", self.store, expect=4)
        done = self.cairn.run(*FIND_ALL, "--store", self.store, "--repair-from", self.other)
        check(b"repaired: s@" in done.stdout, done.stdout.decode())
        self.cairn.run(*FIND_ALL, "--store", self.store)
        self.everything_restores()
        listed = self.cairn.json("list", "--store", self.store)["snapshots"]
        check([item["id"] for item in listed] == list(self.copies), "other snapshots are listed now")
        for _ in range(2):
            self.cairn.run("prune", "--store", self.store, "--series", "s", *PRUNE)
        done = self.cairn.run(*FIND_ALL, "--store", self.store)
        check(b"warning" not in done.stderr, f"after prune: {done.stderr.decode()}")
        check(len(self.manifest_files()) == len(self.copies), "prune left manifests that were superseded")
        self.everything_restores()
        # The host goes on as if nothing had been.
        self.snapshot()
        self.everything_restores()


def in_scenes(binary: str, identity: Identity | None, steps) -> None:
    def one(step):
        def run() -> None:
            with Workspace("repair") as work:
                step(Scene(binary, work, identity))

        run.__qualname__ = f"{step.__name__} {'sealed' if identity else 'plain'}"
        return run

    run_steps([one(step) for step in steps])


def flipped_frame(scene: Scene) -> None:
    pack = scene.pack_files()[0]
    flip(pack, pack.stat().st_size // 2)
    scene.repaired()


def missing_pack(scene: Scene) -> None:
    scene.pack_files()[0].unlink()
    scene.cairn.run("verify", "--store", scene.store, expect=4)
    scene.repaired()


def cut_pack(scene: Scene) -> None:
    cut(scene.pack_files()[0])
    scene.repaired()


def flipped_list(scene: Scene) -> None:
    pack = scene.pack_files()[-1]
    flip(pack, 40)
    scene.repaired()


def every_pack_gone(scene: Scene) -> None:
    for taken in scene.copies:
        for pack in scene.pack_files(snapshot=taken):
            pack.unlink()
    shutil.rmtree(scene.work / "cache")
    scene.repaired()


def cut_manifest(scene: Scene) -> None:
    cut(scene.manifest_files()[1])
    scene.repaired()


def flipped_manifest_and_pack(scene: Scene) -> None:
    manifest = scene.manifest_files()[0]
    flip(manifest, manifest.stat().st_size - 40)
    pack = scene.pack_files()[0]
    flip(pack, pack.stat().st_size // 2)
    scene.repaired()


def other_store_lacks_it(scene: Scene) -> None:
    alone = scene.snapshot()
    fresh = [pack for pack in scene.pack_files() if pack not in scene.pack_files(snapshot=list(scene.copies)[2])]
    flip(fresh[0], fresh[0].stat().st_size // 2)
    shared = scene.pack_files(snapshot=list(scene.copies)[0])[0]
    flip(shared, shared.stat().st_size // 2)
    done = scene.cairn.run(*FIND_ALL, "--store", scene.store, "--repair-from", scene.other, expect=4)
    check(done.stdout.count(b"\nrepaired: ") == 3, done.stdout.decode())
    check(done.stdout.count(b"\nnot repaired: ") == 1, done.stdout.decode())
    scene.everything_restores(but=(alone,))
    scene.cairn.run("restore", "--store", scene.store, alone, scene.work / "back", expect=4)
    report = scene.cairn.json(*FIND_ALL, "--store", scene.store, "--repair-from", scene.other, expect=4)
    check([item["repaired"] for item in report["repair"]["snapshots"]] == [False], str(report["repair"]))


def both_are_damaged(scene: Scene) -> None:
    pack = scene.pack_files()[0]
    flip(pack, pack.stat().st_size // 2)
    theirs = max((p for p in (scene.other / "packs").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    flip(theirs, theirs.stat().st_size // 2)
    done = scene.cairn.run(*FIND_ALL, "--store", scene.store, "--repair-from", scene.other, expect=4)
    check(b"not repaired: s@" in done.stdout, done.stdout.decode())
    scene.cairn.run(*FIND_ALL, "--store", scene.store, expect=4)


def from_the_source(scene: Scene) -> None:
    pack = scene.pack_files()[0]
    flip(pack, pack.stat().st_size // 2)
    scene.cairn.run(*FIND_ALL, "--store", scene.store, "--condemn", expect=4)
    # Nothing in the source has changed, and what it has is stored again all the same.
    taken = scene.cairn.json("snapshot", "--store", scene.store, scene.source, "--series", "s")
    check(taken["new_bytes"] > 1_000_000, f"only {taken['new_bytes']} bytes were stored again")
    back = scene.work / "back"
    scene.cairn.run("restore", "--store", scene.store, taken["id"], back)
    check(tree_differences(scene.source, back) == "", "the new snapshot differs")
    scene.cairn.run(*FIND_ALL, "--store", scene.store, taken["id"])


def refusals(scene: Scene) -> None:
    before = sorted(scene.store.rglob("*"))
    scene.cairn.run("verify", "--store", scene.store, "--repair-from", scene.work / "nowhere")
    pack = scene.pack_files()[0]
    pack.unlink()
    scene.cairn.run("verify", "--store", scene.store, "--repair-from", scene.work / "nowhere", expect=10)
    scene.cairn.run("verify", "--store", scene.store, "--repair-from", scene.store, expect=2)
    check(set(before) - set(scene.store.rglob("*")) == {pack}, "a refused repair changed the store")


def run(binary: str, args: list[str]) -> None:
    steps = [
        flipped_frame,
        missing_pack,
        cut_pack,
        flipped_list,
        every_pack_gone,
        cut_manifest,
        flipped_manifest_and_pack,
        other_store_lacks_it,
        both_are_damaged,
        from_the_source,
    ]
    in_scenes(binary, None, [*steps, refusals])
    with Workspace("repair-key") as work:
        in_scenes(binary, Identity.make(Cairn(binary, work), work / "identity"), steps)


main(run)
