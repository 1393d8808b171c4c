#!/usr/bin/env python3
"""What sealing costs: snapshot and restore of the same data, plain and sealed in turn, as ratios of the medians.

  sealed_ratio.py CAIRN [MEGABYTES [ROUNDS]]

Half of the data compresses, half does not. The bound is 1.25. CPU time (user and system) is what to go by on a machine
that does other things, too. Exits 1 where a ratio of CPU time is above the bound."""

import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from clean_environment import clean_environment  # noqa: E402

BOUND = 1.25


def measured(command: list, environment: dict) -> tuple[float, float]:
    """Seconds of CPU and of the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run(list(map(str, command)), env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def make_data(path: pathlib.Path, megabytes: int) -> None:
    rng = random.Random(3)
    words = [rng.randbytes(rng.randrange(3, 10)).hex().encode() for _ in range(5000)]
    path.mkdir()
    for i in range(megabytes // 2):
        (path / f"r{i}").write_bytes(rng.randbytes(1_000_000))
        text = b" ".join(rng.choices(words, k=80_000))
        (path / f"t{i}").write_bytes(text[:1_000_000])


def main() -> int:
    cairn = os.path.abspath(sys.argv[1])
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with tempfile.TemporaryDirectory(prefix="cairn-ratio-", dir=os.environ.get("CAIRN_TEST_DIR")) as directory:
        work = pathlib.Path(directory)
        environment = clean_environment(directory, CAIRN_CACHE_DIR="")

        def run(*args) -> str:
            return subprocess.run([cairn, *map(str, args)], env=environment, check=True, capture_output=True, text=True).stdout

        recipient = run("key", "generate", work / "identity").strip()
        kinds = {"plain": ("--no-encryption",), "sealed": ("--recipient", recipient)}
        make_data(work / "data", megabytes)
        times: dict[tuple[str, str], list] = {}
        for number in range(rounds):
            order = list(kinds) if number % 2 == 0 else list(kinds)[::-1]
            for kind in order:
                store, back = work / f"{kind}{number}", work / "back"
                run("init", "--store", store, *kinds[kind])
                snapshot = [cairn, "snapshot", "--store", store, work / "data", "--series", "s"]
                times.setdefault(("snapshot", kind), []).append(measured(snapshot, environment))
                restore = [cairn, "restore", "--store", store, "s", back, "--identity", work / "identity"]
                times.setdefault(("restore", kind), []).append(measured(restore, environment))
                shutil.rmtree(back)
                shutil.rmtree(store)
    worst = 0.0
    for what in ("snapshot", "restore"):
        medians = {kind: [statistics.median(each) for each in zip(*times[what, kind])] for kind in kinds}
        cpu, wall = (sealed / plain for sealed, plain in zip(medians["sealed"], medians["plain"]))
        worst = max(worst, cpu)
        print(f"{what}: plain {medians['plain'][0]:.2f} s CPU, {medians['plain'][1]:.2f} s; sealed {medians['sealed'][0]:.2f} s CPU, "
              f"{medians['sealed'][1]:.2f} s; ratio {cpu:.3f} CPU, {wall:.3f} wall")
    print(f"bound {BOUND}: {'kept' if worst <= BOUND else 'EXCEEDED'} ({megabytes} MB, {rounds} rounds)")
    return 0 if worst <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
