#!/usr/bin/env python3
"""Peak memory against the size of the source: a database-like page file and a dump stream are snapshotted, snapshotted
again after a change, verified and restored. Arguments: sizes in GB (1 10), then kinds (pages stream). What is generated
compresses 7 (pages) and 23 times (stream), so that 100 GB of it fit small disks; `stream` needs no source on disk."""

import os
import random
import struct
import subprocess
import sys
import time

from support import Cairn, Workspace, check, main, sqlite_header, store_bytes

GB = 1_000_000_000
MOST = 512  # MB, of any size of source
PAGE = 4096
BLOCK_PAGES = 256
LOCK_PAGE = (1 << 30) // PAGE  # SQLite never writes the page that it locks in


def pages(size: int, changed: float) -> None:
    """Writes pages of a SQLite file's shape, no two equal. Of a thousand, `changed` differ from those without."""
    out = sys.stdout.buffer
    rng = random.Random(7)
    texts = [bytes(rng.choices(b"etaoin shrdlu", k=PAGE - 48)) for _ in range(64)]
    count = size // PAGE
    header = sqlite_header(PAGE, count)
    for first in range(0, count, BLOCK_PAGES):
        block = []
        for number in range(first, min(first + BLOCK_PAGES, count)):
            generation = 1 if (number * 2654435761) % 1_000_003 < changed * 1000 else 0
            head = header.ljust(48, b"\0")[:48] if number == 0 else struct.pack(">QQ", number, generation).ljust(48, b"\r")
            block.append(bytes(PAGE) if number == LOCK_PAGE else head + texts[number % 64])
        out.write(b"".join(block))


def stream(size: int, changed: float) -> None:
    """Writes lines as a plain SQL dump has them, none twice. Of a thousand blocks of them, `changed` get new values."""
    out = sys.stdout.buffer
    written = 0
    number = 0
    tail = b"\tthe same words in every row of this table, as rows have them\t\\N\t2026-01-01 00:00:00+00\tf\n"
    while written < size:
        block = number // 2000
        generation = 1 if (block * 2654435761) % 1_000_003 < changed * 1000 else 0
        lines = b"".join(b"%d\towner %d\t%d%s" % (n, n * 7919, generation, tail) for n in range(number, number + 2000))
        lines = lines[: size - written]
        out.write(lines)
        written += len(lines)
        number += 2000


GENERATORS = {"pages": pages, "stream": stream}


def measure(binary: str, kind: str, size: int) -> dict[str, float]:
    """The peak in MB of each step."""
    with Workspace("memory") as work:
        cairn = Cairn(binary, work)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        peaks = {}

        def step(name: str, *args) -> None:
            begin = time.monotonic()
            peaks[name] = cairn.peak_of(*args)
            seconds = time.monotonic() - begin
            print(f"{kind} {size / GB:g} GB, {name}: {peaks[name]:.0f} MB at most, {seconds:.0f} s", flush=True)

        def source(changed: str) -> list:
            generator = [sys.executable, os.path.abspath(__file__), "--generate", kind, str(size), changed]
            if kind == "stream":
                return ["--series", "s", "--", *generator]
            path = work / "source" / "image"
            path.parent.mkdir(exist_ok=True)
            with open(path, "wb") as to:
                subprocess.run(generator, stdout=to, check=True)
            return ["--series", "s", path.parent]

        step("snapshot", "snapshot", "--store", store, *source("0"))
        first = store_bytes(store)
        step("again", "snapshot", "--store", store, *source("10"))
        stored = store_bytes(store)
        step("verify", "verify", "--store", store, "--series", "s", "--level", "full", "latest")
        step("list", "list", "--store", store, "--files", "s")
        if size <= 20 * GB:
            target = work / "back"
            step("restore", "restore", "--store", store, "s", target)
            if kind == "pages":
                subprocess.run(["cmp", work / "source" / "image", target / "image"], check=True)
        print(f"{kind} {size / GB:g} GB: packs hold {first} bytes after the first, {stored} after the second", flush=True)
        return peaks


def run(binary: str, args: list[str]) -> None:
    sizes = [int(float(arg) * GB) for arg in args if arg not in GENERATORS] or [GB, 10 * GB]
    kinds = [arg for arg in args if arg in GENERATORS] or list(GENERATORS)
    for kind in kinds:
        for size in sizes:
            for name, peak in measure(binary, kind, size).items():
                check(peak <= MOST, f"{kind} {size / GB:g} GB, {name}: {peak:.0f} MB")


if sys.argv[1:2] == ["--generate"]:
    GENERATORS[sys.argv[2]](int(sys.argv[3]), float(sys.argv[4]))
else:
    main(run)
