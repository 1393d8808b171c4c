#!/usr/bin/env python3
"""A page file that changed here and there again and again: its neighbours are in different packs nearly everywhere. It is
restored pack by pack, and is what it was. Then a small file of single pages of it, a frame for each; that many frames
are not in memory at one time. Argument: how many thousands of pages."""

import hashlib
import random

from support import Cairn, Workspace, check, main, sqlite_header

PAGE = 4096
LAYERS = 5
MOST = 250  # MB, for the small file


def run(binary: str, args: list[str]) -> None:
    count = int(args[0]) * 1000
    with Workspace("layers") as work:
        cairn = Cairn(binary, work)
        rng = random.Random(1)
        pages = bytearray(b"".join(rng.randbytes(1000 * PAGE) for _ in range(count // 1000)))
        pages[:100] = sqlite_header(PAGE, count)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        states = []
        single = pages[: 15_000_000 // PAGE * PAGE]
        for number in range(1, len(single) // PAGE):
            source = number * count // (len(single) // PAGE)
            single[number * PAGE : (number + 1) * PAGE] = pages[source * PAGE : (source + 1) * PAGE]
        for layer in range(LAYERS):
            if layer:
                for number in rng.sample(range(1, count), count // 4):
                    pages[number * PAGE : (number + 1) * PAGE] = rng.randbytes(PAGE)
            (work / "state.db").write_bytes(pages)
            taken = cairn.json("snapshot", "--store", store, work / "state.db", "--series", "db")
            # A quarter of it was new.
            check(layer == 0 or taken["new_bytes"] < len(pages) * 0.26, f"layer {layer}: {taken['new_bytes']} new bytes")
            states.append((taken["id"], hashlib.sha256(pages).digest()))
        for snapshot, digest in states[1:: LAYERS - 2]:
            back = work / "back.db"
            cairn.run("restore", "--store", store, "--no-check", snapshot, back)
            with open(back, "rb") as restored:
                same = hashlib.file_digest(restored, "sha256").digest() == digest
            check(same, f"snapshot {snapshot} was not restored as it was")
            back.unlink()

        (work / "single.db").write_bytes(single)
        taken = cairn.json("snapshot", "--store", store, work / "single.db", "--series", "single")
        check(taken["new_bytes"] < 1_000_000, f"{taken['new_bytes']} new bytes of pages that were there")
        back = work / "back.db"
        peak = cairn.peak_of("restore", "--store", store, "--no-check", "single", back)
        check(back.read_bytes() == bytes(single), "single pages were not restored as they were")
        print(f"single pages: {peak:.0f} MB at most")
        check(peak < MOST, f"single pages: {peak:.0f} MB")


main(run)
