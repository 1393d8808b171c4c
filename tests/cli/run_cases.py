#!/usr/bin/env python3
"""Runs the cases of this directory against the built program.

  run_cases.py [--update] PROGRAM [CASE...]

A case is a shell script cases/NAME.sh that runs in a fresh directory with the program on its PATH, and what it must
give: NAME.stdout, NAME.stderr (empty where the file is not there) and NAME.exit (0 where it is not there). What
differs from run to run is replaced before comparing: ids, times, durations, the host's name. --update writes what was
seen; read the difference before committing it.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "support"))
from clean_environment import clean_environment  # noqa: E402

REPLACEMENTS = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "<SHA256>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<ID32>"),
    (re.compile(r"\b\d{8}T\d{6}\.\d{9}Z-[0-9a-f]{16}-[0-9a-f]{16}\b"), "<MANIFEST>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b|\b\d{12}\b"), "<ID12>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<TIME>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "<TIME>"),
    (re.compile(r'("run_id":)"[0-9a-f]{8}"'), r'\1"<RUN>"'),
    (re.compile(r'("(?:(?:duration|cut_point_spread|wal_pinned|commits_blocked)_ms|age_seconds)":)\d+'), r"\1<MS>"),
    (re.compile(r'("inode":)"\d+"'), r"\1<INODE>"),
    # How well metadata compresses depends on names of users and hosts.
    (re.compile(r'("(?:new_bytes|stored_bytes|bytes_fetched|bytes_read|bytes_copied|bytes_reused|packs_bytes)":)[1-9]\d*'), r"\1<BYTES>"),
    (re.compile(r'("packs":[1-9]\d*,"bytes":)\d+'), r"\1<BYTES>"),
    (re.compile(r'(<SHA256>","size":)\d+'), r"\1<BYTES>"),
    (re.compile(r"(new|stored as|verified,|fetch     |packs,|pack,|copied;) +[1-9][\d.]* [KMG]?i?B\b"), r"\1 <SIZE>"),
    (re.compile(r"(packs/[0-9a-f]{2}/<SHA256>) +[\d.]+ [KMG]?i?B\b"), r"\1 <SIZE>"),
    (re.compile(r"packs/[0-9a-f]{2}/"), "packs/xx/"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|us|ns)\b"), "<DURATION>"),
]


def normalise(text: str, directory: str) -> str:
    text = text.replace(directory, "<TMP>")
    for pattern, replacement in REPLACEMENTS:
        text = pattern.sub(replacement, text)
    host = socket.gethostname()
    # As a word of its own: hosts have names like "vm".
    text = re.sub(rf'("host":"){re.escape(host)}"', r'\1<HOST>"', text)
    text = re.sub(rf"(<TIME> ){re.escape(host)} ([\d.]+ [KMG]?i?B) [\d.]+ [KMG]?i?B", r"\1<HOST> \2 <SIZE>", text)
    text = text.replace(f"on '{host}'", "on '<HOST>'")
    return re.sub(rf"(host +){re.escape(host)}\b", r"\1<HOST>", text)


def environment(directory: pathlib.Path, program: pathlib.Path) -> dict:
    tools = directory / "bin"
    tools.mkdir()
    (tools / "cairn").symlink_to(program)
    # An empty configuration in the place where cases put theirs: found there, it keeps that of /etc away.
    configuration = directory / "home/config/cairn"
    configuration.mkdir(parents=True)
    (configuration / "cairn.toml").touch()
    clean = clean_environment(
        directory / "home",
        PATH=f"{tools}:/usr/bin:/bin:/usr/sbin:/sbin",
        XDG_CONFIG_HOME=str(directory / "home/config"),
        TMPDIR=str(directory / "tmp"),
        TESTS=str(HERE),
        LC_ALL="C.UTF-8",
        TZ="UTC",
    )
    # The cases go the way of users who name no configuration and no cache.
    del clean["CAIRN_CONFIG"], clean["CAIRN_CACHE_DIR"]
    return clean


def run(program: pathlib.Path, case: pathlib.Path):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="cairn-case-"))
    try:
        for name in ("home", "tmp", "work"):
            (directory / name).mkdir()
        done = subprocess.run(["bash", "-u", str(case)], cwd=directory / "work", env=environment(directory, program),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
        return {
            "stdout": normalise(done.stdout.decode(errors="backslashreplace"), str(directory)),
            "stderr": normalise(done.stderr.decode(errors="backslashreplace"), str(directory)),
            "exit": f"{done.returncode}\n",
        }
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def expected(case: pathlib.Path, part: str) -> str:
    file = case.with_suffix("." + part)
    if file.exists():
        return file.read_text()
    return "0\n" if part == "exit" else ""


def main() -> int:
    arguments = sys.argv[1:]
    update = "--update" in arguments
    arguments = [a for a in arguments if a != "--update"]
    program = pathlib.Path(arguments[0]).resolve()
    cases = sorted((HERE / "cases").glob("*.sh"))
    if arguments[1:]:
        cases = [c for c in cases if c.stem in arguments[1:]]
    failed = []
    for case in cases:
        seen = run(program, case)
        for part, text in seen.items():
            wanted = expected(case, part)
            if text == wanted:
                continue
            if update:
                file = case.with_suffix("." + part)
                if text == ("0\n" if part == "exit" else ""):
                    file.unlink(missing_ok=True)
                else:
                    file.write_text(text)
                continue
            failed.append(case.stem)
            print(f"FAILED {case.stem}: {part}\n--- expected\n{wanted}--- seen\n{text}---")
    print(f"{len(cases)} cases, {len(set(failed))} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
