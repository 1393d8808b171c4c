#!/usr/bin/env python3
"""Runs the table of bad input, bad_input.table, against the built program: bad_input.py PROGRAM [NAME...]

Each row gets a fresh directory with a store "st" that holds one snapshot of series "tree" and one of "dump", and the
tree "tree"; there is no configuration. Rows of kind s3 need CAIRN_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY, rows
of kind root need root; they are skipped, and counted, elsewhere.
"""
import concurrent.futures
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "support"))
from clean_environment import clean_environment  # noqa: E402
TEMPLATE = r"""
mkdir -p tree/sub && echo hello >tree/a && echo world >tree/sub/b && head -c 200000 /dev/urandom >tree/sub/c
cairn init --quiet --store st --no-encryption
cairn snapshot --quiet --store st ./tree
cairn snapshot --quiet --store st --series dump -- echo text
"""
# Holds a database by a statement while a command runs: FILE SQL COMMAND...
HOLD = """
import sqlite3, subprocess, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2].split(";"):
    connection.execute(statement).fetchall()
sys.exit(subprocess.call(sys.argv[3:]))
"""


def read_table() -> list:
    rows = []
    for line in (HERE / "bad_input.table").read_text().splitlines():
        text = line.strip()
        if not text:
            continue
        if text.startswith("#"):
            continue
        if text.startswith("["):
            rows.append({"name": text[1:-1], "kind": "any", "prepare": "", "unchanged": "yes", "stderr": ""})
            continue
        key, _, value = text.partition(":")
        rows[-1][key.strip()] = value.strip()
    return rows


def fingerprint(store: pathlib.Path) -> dict:
    out = {}
    for path in sorted(store.rglob("*")):
        if path.is_file() and not any(part.startswith(".tmp-") for part in path.parts):
            out[str(path.relative_to(store))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


def shell(text: str, cwd: pathlib.Path, env: dict):
    return subprocess.run(["bash", "-eu", "-c", text], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=300, check=False)


def run_row(row: dict, template: pathlib.Path, tools: pathlib.Path) -> list:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="cairn-bad-"))
    try:
        work = directory / "work"
        shutil.copytree(template, work, symlinks=True)
        for path in (directory, work):
            path.chmod(0o755)
        (directory / "home").mkdir()
        env = clean_environment(directory / "home", PATH=f"{tools}:/usr/bin:/bin:/usr/sbin:/sbin", TESTS=str(HERE), HOLD=HOLD,
                                CAIRN_CACHE_DIR="", CAIRN_STATE_DIR=str(directory / "state"), LC_ALL="C.UTF-8")
        if row["prepare"]:
            prepared = shell(row["prepare"], work, env)
            if prepared.returncode != 0:
                return [f"unable to prepare: {prepared.stderr.decode()}"]
        before = fingerprint(work / "st")
        done = shell(row["command"], work, env)
        problems = []
        first = done.stderr.decode(errors="backslashreplace").split("\n", 1)[0].replace(str(work), "WORK")
        if str(done.returncode) != row["exit"]:
            problems.append(f"exit {done.returncode}, expected {row['exit']}; {done.stderr.decode(errors='replace')}")
        # A pattern: * for what differs from run to run; brackets mean themselves.
        pattern = re.sub(r"[\[?]", lambda found: f"[{found[0]}]", row["stderr"])
        if not fnmatch.fnmatchcase(first, pattern):
            problems.append(f"stderr: {first}\n    expected: {row['stderr']}")
        if row["unchanged"] == "yes" and fingerprint(work / "st") != before:
            problems.append("the store was changed")
        return problems
    finally:
        if "small" in row["prepare"]:
            subprocess.run(["umount", directory / "work/small"], capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    program = pathlib.Path(sys.argv[1]).resolve()
    rows = [row for row in read_table() if not sys.argv[2:] or row["name"] in sys.argv[2:]]
    have = {"any": True, "root": os.geteuid() == 0, "s3": "CAIRN_TEST_S3_ENDPOINT" in os.environ}
    failed = skipped = 0
    with tempfile.TemporaryDirectory(prefix="cairn-bad-") as base:
        os.chmod(base, 0o755)
        tools = pathlib.Path(base) / "bin"
        tools.mkdir()
        (tools / "cairn").symlink_to(program)
        template = pathlib.Path(base) / "template"
        template.mkdir()
        made = shell(TEMPLATE, template, clean_environment(base, PATH=f"{tools}:/usr/bin:/bin", CAIRN_CACHE_DIR=""))
        if made.returncode != 0:
            print(made.stderr.decode())
            return 1
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            results = [(row, pool.submit(run_row, row, template, tools) if have[row["kind"]] else None) for row in rows]
            for row, result in results:
                if result is None:
                    skipped += 1
                    print(f"SKIPPED: {row['name']}: needs {row['kind']}")
                    continue
                problems = result.result()
                failed += bool(problems)
                for problem in problems:
                    print(f"FAILED {row['name']}: {problem}")
    print(f"{len(rows)} rows, {failed} failed, {skipped} skipped")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
