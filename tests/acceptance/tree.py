#!/usr/bin/env python3
"""A source tree of the shape of a kernel's: snapshot, snapshot again unchanged and changed, verify, restore, compare. Prints
what each stored and took. Argument: how many files."""

import os
import pathlib
import random
import time

from support import Cairn, Workspace, check, main, tree_differences

FILES = 75_000


class Tree:
    """Files of sizes from nothing to a megabyte, most of a few kilobytes, of lines that many of them share."""

    def __init__(self, root: pathlib.Path, count: int):
        self.rng = random.Random(9)
        self.files: list[pathlib.Path] = []
        words = ["".join(self.rng.choices("etaoinshrdlucmfwypvbgkjqxz_", k=self.rng.randrange(2, 12))) for _ in range(3000)]
        lines = ["\t" * self.rng.randrange(4) + " ".join(self.rng.choices(words, k=self.rng.randrange(1, 9))) for _ in range(200_000)]
        self.corpus = "\n".join(lines).encode()
        directories = [root]
        root.mkdir()
        for number in range(count):
            if number % 15 == 0:
                parent = self.rng.choice(directories[-400:])
                directories.append(parent / f"{self.rng.choice(words)}-{number}")
                directories[-1].mkdir()
            path = directories[-1] / f"{self.rng.choice(words)}{number}.{self.rng.choice(('c', 'h', 'S', 'rst', 'dts'))}"
            self.write(path)
            if number % 500 == 0:
                path.chmod(0o755)
                os.symlink(path.name, path.with_suffix(".link"))
            self.files.append(path)

    def write(self, path: pathlib.Path) -> None:
        size = min(1_000_000, int(self.rng.lognormvariate(8.3, 1.5)) if self.rng.random() > 0.005 else 0)
        at = self.rng.randrange(len(self.corpus) - size)
        path.write_bytes(self.corpus[at : at + size])

    def change(self) -> None:
        """One file in a hundred: written, removed or moved."""
        for number, path in enumerate(self.rng.sample(self.files, len(self.files) // 100)):
            if number % 3 == 0:
                self.write(path)
            elif number % 3 == 1:
                path.unlink()
            else:
                path.rename(path.with_name(f"moved-{path.name}"))


def run(binary: str, args: list[str]) -> None:
    with Workspace("tree") as work:
        cairn = Cairn(binary, work)
        source = work / "tree"
        tree = Tree(source, int(args[0]) if args else FILES)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        time.sleep(2.1)  # what was written at the time of a snapshot is read again by the next

        def snapshot(name: str) -> dict:
            taken = cairn.json("snapshot", "--store", store, source)
            print(
                f"{name}: {taken['files']} files, {taken['bytes']} bytes; new {taken['new_bytes']}, stored"
                f" {taken['stored_bytes']} in {taken['packs_written']} packs, {taken['duration_ms']} ms",
                flush=True,
            )
            return taken

        first = snapshot("first")
        check(first["files"] >= len(tree.files), "files are missing")
        check(snapshot("unchanged")["new_bytes"] == 0, "an unchanged tree stored something")
        tree.change()
        check(snapshot("changed")["stored_bytes"] < first["stored_bytes"] // 20, "one file in a hundred stored too much")
        checked = cairn.json("verify", "--store", store, "--level", "full")
        print(f"verify: {checked['bytes_verified']} bytes, {checked['duration_ms']} ms")
        restored = cairn.json("restore", "--store", store, "tree", work / "back")
        print(f"restore: {restored['bytes_written']} bytes, {restored['requests']} requests, {restored['duration_ms']} ms")
        check(tree_differences(source, work / "back") == "", tree_differences(source, work / "back"))


main(run)
