"""What the acceptance tests share: running the program in a directory of its own."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from clean_environment import clean_environment, clean_own_environment  # noqa: E402

clean_own_environment()


class Cairn:
    """The program under test with a private cache and state and no configuration."""

    def __init__(self, binary: str, home: pathlib.Path):
        self.binary = os.path.abspath(binary)
        self.home = home
        self.environment = clean_environment(home, TMPDIR=str(home))

    def start(self, *args: str, **kwargs) -> subprocess.Popen:
        return subprocess.Popen(
            [self.binary, *map(str, args)], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs
        )

    def run(self, *args, expect: int | None = 0) -> subprocess.CompletedProcess:
        done = subprocess.run([self.binary, *map(str, args)], env=self.environment, capture_output=True)
        if expect is not None and done.returncode != expect:
            raise AssertionError(
                f"cairn {' '.join(map(str, args))}: exit {done.returncode}, expected {expect}\n"
                f"{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}"
            )
        return done

    def json(self, *args, expect: int = 0) -> dict:
        return json.loads(self.run("--json", *args, expect=expect).stdout)

    def peak_of(self, *args) -> float:
        """Runs it; the peak resident set in MB, as the kernel counted it, below a small process: that of the one who forks
        is inherited."""
        launcher = pathlib.Path(__file__).resolve().parent.parent / "bench" / "measuring.py"
        command = [sys.executable, "-I", "-S", launcher, self.binary, *args]
        done = subprocess.run(list(map(str, command)), env=self.environment, capture_output=True)
        told = json.loads(done.stdout)
        check(told["exit"] == 0, f"{args}: exit {told['exit']}: {done.stderr.decode(errors='replace')}")
        return told["peak_kib"] * 1024 / 1_000_000


class Workspace:
    """A temporary directory that is gone afterwards."""

    def __init__(self, name: str):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"cairn-{name}-", dir=os.environ.get("CAIRN_TEST_DIR")))

    def __enter__(self) -> pathlib.Path:
        return self.path

    def __exit__(self, *_):
        subprocess.run(["chmod", "-R", "u+rwX", str(self.path)], check=False)
        shutil.rmtree(self.path, ignore_errors=True)


def build_shim(work: pathlib.Path, source: pathlib.Path | str) -> pathlib.Path:
    """A library for LD_PRELOAD, from a file or from one of tests/crash by its name."""
    if isinstance(source, str):
        source = pathlib.Path(__file__).resolve().parent.parent / "crash" / f"{source}.c"
    shim = (work / source.name).with_suffix(".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl", "-lpthread"], check=True)
    return shim


def check(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def tree_differences(left: pathlib.Path, right: pathlib.Path) -> str:
    done = subprocess.run(
        ["rsync", "-naHAXc", "-@-1", "--numeric-ids", "--delete", "--itemize-changes", f"{left}/", f"{right}/"],
        capture_output=True,
        check=True,
    )
    return done.stdout.decode(errors="replace")


def read_tree(path: pathlib.Path) -> dict:
    """The content of each file, and the same of each directory, by name."""
    return {p.name: read_tree(p) if p.is_dir() else p.read_bytes() for p in path.iterdir()}


def store_bytes(store: pathlib.Path, below: str = "packs") -> int:
    """Of objects; what killed writers left under temporary names is none."""
    files = (p for p in (store / below).rglob("*") if p.is_file() and not p.name.startswith(".tmp-"))
    return sum(p.stat().st_size for p in files)


def sqlite_header(page: int, count: int) -> bytes:
    """The first 100 bytes of a database of so many pages, none of them of use to SQLite."""
    header = bytearray(100)
    header[:16] = b"SQLite format 3\0"
    struct.pack_into(">HBBBBBBIIIIIIIII", header, 16, page, 2, 2, 0, 64, 32, 32, 1, count, 0, 0, 0, 4, 0, 0, 1)
    return bytes(header)


def run_steps(steps) -> None:
    """Each of them, whatever became of the one before; fails at the end with all that failed."""
    failures = []
    for step in steps:
        try:
            step()
            print(f"passed: {step.__qualname__}", flush=True)
        except AssertionError as failure:
            failures.append(f"{step.__qualname__}: {failure}")
            print(f"FAILED: {failures[-1]}", file=sys.stderr, flush=True)
    check(failures == [], f"{len(failures)} of {len(steps)} steps: {', '.join(f.split(':')[0] for f in failures)}")


def main(run) -> None:
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} CAIRN-BINARY [ARG...]")
    try:
        run(sys.argv[1], sys.argv[2:])
    except AssertionError as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        sys.exit(1)
    print("passed")
