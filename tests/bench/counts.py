#!/usr/bin/env python3
"""What three fixed small jobs cost, counted instead of timed: instructions, requests, stored bytes, against counts.json.

  counts.py CAIRN-COUNTED-JOBS [--record]

Requests are the same everywhere and have to be exactly what is recorded. Stored bytes have to be, too, with the zstd that
they were recorded with. Instructions (callgrind) may be a little more: they are compared where compiler, build type and
libraries are those of the record, and the rest is told loudly. --record writes the table anew: after a change that is meant,
with the reason in its commit."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TABLE = pathlib.Path(__file__).with_name("counts.json")
JOBS = ("first", "again", "restore")
MORE = 1.05  # of the recorded instructions: fails above; from run to run they differ by less than 0.001
LESS = 0.97  # says to record anew below
# Which code a library chooses depends on the processor; callgrind's knows neither SHA nor AVX-512 instructions.
NEEDED_FLAGS = {"avx2", "bmi2"}
SKIPPED = 77


def environment(directory: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "TMPDIR": directory, "HOME": directory, "TZ": "UTC"}


def libraries() -> str:
    """Those whose instructions are counted with ours; of versions what matters."""
    names = ("libc6", "libssl3", "libzstd1", "libsimdjson14", "libstdc++6", "valgrind")
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *names], capture_output=True, text=True)
    if done.returncode != 0:
        return "libraries unknown"
    found = re.findall(r"^(\S+) (?:\d+:)?(\d+\.\d+)", done.stdout, re.MULTILINE)
    return ", ".join(f"{name} {version}" for name, version in found)


def processor_flags() -> set[str]:
    with open("/proc/cpuinfo", encoding="ascii") as info:
        return set(next((line for line in info if line.startswith("flags")), "").split())


def count_asked(jobs: str) -> dict:
    with tempfile.TemporaryDirectory(dir=os.environ.get("CAIRN_TEST_DIR")) as directory:
        done = subprocess.run([jobs], env=environment(directory), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"counts: {jobs}: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def count_instructions(jobs: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("CAIRN_TEST_DIR")) as directory:
        out = f"{directory}/callgrind"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", jobs]
        done = subprocess.run(command, env=environment(directory), capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"counts: callgrind: exit {done.returncode}: {done.stderr[-2000:]}")
        command = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--show-percs=no", out]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts = {}
    for job in JOBS:
        found = re.search(rf"^\s*([\d,]+)\s.*:job_{job}\(", shown, re.MULTILINE)
        if not found:
            sys.exit(f"counts: callgrind does not know job_{job}()")
        counts[job] = int(found.group(1).replace(",", ""))
    return counts


def compare_asked(recorded: dict, asked: dict) -> list[str]:
    failures = []
    for job in JOBS:
        for what in sorted(recorded[job]["requests"].keys() | asked[job]["requests"].keys()):
            was, now = recorded[job]["requests"].get(what, 0), asked[job]["requests"].get(what, 0)
            if was != now:
                failures.append(f"{job}: {now} requests to {what}, {was} are recorded")
        was, now = recorded[job]["stored"], asked[job]["stored"]
        if recorded["zstd"] != asked["zstd"]:
            print(f"counts: SKIPPED: stored bytes of {job}: zstd {asked['zstd']}, recorded with {recorded['zstd']}")
        elif was != now:
            failures.append(f"{job}: {now} bytes stored, {was} are recorded")
        else:
            print(f"{job}: {sum(asked[job]['requests'].values())} requests, {now} bytes stored, as recorded")
    return failures


def compare_instructions(recorded: dict[str, int], counted: dict[str, int]) -> list[str]:
    failures = []
    for job in JOBS:
        ratio = counted[job] / recorded[job]
        print(f"{job}: {counted[job]:,} instructions, {ratio:.4f} of what is recorded")
        if ratio > MORE:
            failures.append(f"{job}: {counted[job]:,} instructions, {ratio:.3f} of the recorded {recorded[job]:,}")
        elif ratio < LESS:
            print(f"counts: {job} takes less than it did: record it anew (counts.py --record)")
    return failures


def why_not(recorded: dict, asked: dict) -> str:
    """Instructions are not compared because of this; empty: they are."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    if missing := NEEDED_FLAGS - processor_flags():
        return f"this processor has no {' and no '.join(sorted(missing))}"
    for what, now in (("built_with", asked["built_with"]), ("libraries", libraries())):
        if recorded[what] != now:
            return f"counted with {now}, recorded with {recorded[what]}"
    return ""


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--record"]):
        sys.exit("usage: counts.py CAIRN-COUNTED-JOBS [--record]")
    jobs = os.path.abspath(sys.argv[1])
    asked = count_asked(jobs)
    if sys.argv[2:]:
        table = {"libraries": libraries(), **asked, "instructions": count_instructions(jobs)}
        TABLE.write_text(json.dumps(table, indent=1) + "\n")
        print(f"recorded in {TABLE}")
        return 0
    recorded = json.loads(TABLE.read_text())
    failures = compare_asked(recorded, asked)
    reason = why_not(recorded, asked)
    if not reason:
        failures += compare_instructions(recorded["instructions"], count_instructions(jobs))
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    if failures:
        return 1
    if reason:
        print(f"counts: SKIPPED: instructions: {reason}", file=sys.stderr)
        return SKIPPED
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
