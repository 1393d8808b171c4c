"""What one run of a program takes: seconds of the clock and of processors, peak memory, bytes stored, requests.

A process inherits the peak memory of whoever forks it, so a command is not started by the benchmark, which may be large,
but by this file run as a program: small, and what it prints is what the kernel counted of its one child, those that the
child waited for included (processor time: all of them; memory: the largest one)."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time

LEAST_MB = 12  # a launcher's own peak: less than this cannot be told


@dataclasses.dataclass
class Measured:
    seconds: float | None = 0.0  # None: not told
    cpu: float | None = 0.0  # user and system
    peak_mb: float = 0.0  # resident, decimal
    stored: int | None = None  # bytes that a store grew by
    requests: int | None = None
    connections: int | None = None
    transferred: int | None = None  # bytes to and from a server, heads included


class Failed(Exception):
    """The program did not do what it was asked for."""


def measure(command: list, environment: dict[str, str], directory: pathlib.Path, accepted=(0,)) -> Measured:
    """Runs the command there, its output discarded, its errors shown where it fails. Dirty pages are written out before, so
    that nobody pays for those of the one before."""
    os.sync()
    errors = directory / "stderr"
    with open(errors, "wb") as to:
        launcher = [sys.executable, "-I", "-S", os.path.abspath(__file__), *map(str, command)]
        done = subprocess.run(launcher, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=to, check=True)
    told = json.loads(done.stdout)
    if told["exit"] not in accepted:
        shown = " ".join(map(str, command))
        raise Failed(f"{shown}: exit {told['exit']}: {errors.read_text(errors='replace')[-2000:]}")
    return Measured(told["seconds"], told["cpu"], told["peak_kib"] * 1024 / 1e6)


def stored_bytes(path: pathlib.Path) -> int:
    """Of all files there."""
    total = 0
    for directory, _, names in os.walk(path):
        total += sum(os.lstat(os.path.join(directory, name)).st_size for name in names)
    return total


def run_child(command: list[str]) -> None:
    result = os.dup(1)
    os.set_inheritable(result, False)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(error, file=sys.stderr)
        os._exit(127)
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - begin
    told = {"exit": os.waitstatus_to_exitcode(status), "seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime,
            "peak_kib": usage.ru_maxrss}
    os.write(result, json.dumps(told).encode())


if __name__ == "__main__":
    run_child(sys.argv[1:])
