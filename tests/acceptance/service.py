#!/usr/bin/env python3
"""What a run tells the service manager and its logs: messages of sd_notify on a real socket, priorities and run ids for the
journal, JSON on standard error, the log file; and that nothing a run starts speaks in its name."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time

from support import Cairn, Workspace, check, main, run_steps

ID = "[0-9a-f]{8}"


class Site:
    def __init__(self, binary: str, work: pathlib.Path):
        self.work = work
        self.cairn = Cairn(binary, work)
        self.source = work / "source"
        self.source.mkdir()
        (self.source / "file").write_bytes(os.urandom(1 << 20))
        self.cairn.environment["CAIRN_CONFIG"] = str(work / "cairn.toml")
        self.configure()
        self.cairn.run("init", "--store", work / "store", "--no-encryption")

    def configure(self, before: str = "true") -> None:
        (self.work / "cairn.toml").write_text(
            f'default_store = "here"\n[stores.here]\nurl = "{self.work}/store"\n'
            f'[sources.app]\ntype = "directory"\npath = "{self.source}"\nbefore = [["sh", "-c", "{before}"]]\n'
            '[sources.dump]\ntype = "command"\ncommand = ["sh", "-c", "echo said by the dump >&2; printf unended >&2; echo data"]\n')

    def spoil(self) -> None:
        self.source.rename(self.work / "away")

    def mend(self) -> None:
        (self.work / "away").rename(self.source)


class Manager:
    """A service manager's end of the socket."""

    def __init__(self, site: Site, name: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1))
        self.socket.settimeout(20)
        self.site = site
        site.cairn.environment["NOTIFY_SOCKET"] = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for variable in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            self.site.cairn.environment.pop(variable, None)

    def take(self) -> list[str]:
        self.socket.setblocking(False)
        out = []
        try:
            while True:
                out.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            self.socket.settimeout(20)
            return out


def notified(site: Site) -> None:
    """Ready first, then where the work is; by a path and by an abstract name."""
    for name in (str(site.work / "notify"), f"@cairn-{os.getpid()}"):
        with Manager(site, name) as manager:
            site.cairn.run("--quiet", "run")
            told = manager.take()
            check(told[0] == "READY=1" and told[1] == "STATUS=run", f"{told}")
            check("STATUS=app" in told and "STATUS=dump" in told, f"no source is told of: {told}")
            check(any(re.match(r"STATUS=app: .*\(\d+ %\)", line) for line in told), f"no percent: {told}")
            check("EXTEND_TIMEOUT_USEC=3600000000" in told, f"{told}")
            check(not any(line.startswith("WATCHDOG") for line in told), "a watchdog that nobody has was fed")
            check(told[-1] == "STATUS=done", f"the last of it: {told[-1]}")
            site.cairn.run("restore", "app", site.work / f"back{len(name)}", "--store", site.work / "store")
            told = manager.take()
            check(told[:2] == ["READY=1", "STATUS=restore"] and told[-1] == "STATUS=done", f"{told}")
            site.cairn.run("list", "--store", site.work / "nothing", expect=10)
            check(manager.take()[-1].startswith("STATUS=failed: "), "a failure is no status")


def watched(site: Site) -> None:
    """The watchdog is fed while a program runs that says nothing; after SIGTERM no more time is asked for."""
    site.configure("exec sleep 60")
    with Manager(site, str(site.work / "watched")) as manager:
        site.cairn.environment["WATCHDOG_USEC"] = "600000"
        process = site.cairn.start("run", "app")
        fed = 0
        deadline = time.monotonic() + 20
        while fed < 4 and time.monotonic() < deadline:
            fed += manager.socket.recv(4096) == b"WATCHDOG=1"
        check(fed == 4, "the watchdog starves while a program runs")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        check(process.returncode == 143, f"exit {process.returncode}")
        told = manager.take()
        check("STOPPING=1" in told, f"{told}")
        after = told[told.index("STOPPING=1") :]
        check(not any(line.startswith("EXTEND") for line in after), f"time was asked for on the way out: {after}")
    with Manager(site, str(site.work / "not-ours")) as manager:
        site.cairn.environment |= {"WATCHDOG_USEC": "600000", "WATCHDOG_PID": "1"}
        site.configure()
        site.cairn.run("run", "app")
        check("WATCHDOG=1" not in manager.take(), "another process's watchdog was fed")


def children_are_silent(site: Site) -> None:
    site.configure("env >$HOME/seen")
    with Manager(site, str(site.work / "children")) as manager:
        site.cairn.environment["WATCHDOG_USEC"] = "600000000"
        site.cairn.run("run")
        manager.take()
    seen = dict(line.split("=", 1) for line in (site.work / "seen").read_text().splitlines() if "=" in line)
    for variable in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        check(variable not in seen, f"a hook inherits {variable}")
    check(re.fullmatch(ID, seen["CAIRN_RUN_ID"]) is not None, f"{seen}")
    site.configure()


def journal(site: Site) -> None:
    """Standard error, or both streams, are a socket that JOURNAL_STREAM names."""

    def run(*args: str, both: bool = False, right: bool = True) -> list[str]:
        ours, theirs = socket.socketpair()
        seen = os.fstat(theirs.fileno())
        environment = site.cairn.environment | {"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino + (0 if right else 1)}"}
        process = subprocess.Popen([site.cairn.binary, *args], env=environment, stderr=theirs,
                                   stdout=theirs if both else subprocess.DEVNULL)
        theirs.close()
        text = b""
        while piece := ours.recv(65536):
            text += piece
        process.wait()
        return text.decode().splitlines()

    site.spoil()
    lines = run("run")
    site.mend()
    check(any(re.match(rf"<3>cairn\[{ID}\]: error: ", line) for line in lines), f"{lines}")
    check(any(re.match(rf"<6>cairn\[{ID}\]: \[dump\] said by the dump$", line) for line in lines), f"{lines}")
    check(any(line.endswith("[dump] unended") for line in lines), f"a line without an end: {lines}")
    check(all(re.match(rf"<[346]>cairn\[{ID}\]: ", line) for line in lines), f"{lines}")
    check(len({line.split("]")[0][3:] for line in lines}) == 1, f"one run, several ids: {lines}")
    lines = run("run", both=True)
    check(any("took snapshot" in line for line in lines), f"{lines}")
    check(any("OUTCOME" in line for line in lines), f"the summary: {lines}")
    check(all(re.match(rf"<6>cairn\[{ID}\]: ", line) for line in lines), f"a line without an id: {lines}")
    lines = run("--quiet", "list", "--store", "/nowhere", right=False)
    check(lines[0].startswith("cairn: error: "), f"another stream than the journal's: {lines}")
    lines = run("run", "--log-json")
    check(all(json.loads(line) for line in lines), f"{lines}")


def log_json(site: Site) -> None:
    site.spoil()
    done = site.cairn.run("--log-json", "run", expect=1)
    site.mend()
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    error = [line for line in lines if line["level"] == "error"][0]
    check(error["source"] == "app" and str(site.source) in error["message"], f"{error}")
    check(any(line["source"] == "dump" and line["message"] == "[dump] said by the dump" for line in lines), f"{lines}")
    check(all(set(line) == {"time", "level", "run", "source", "message", "hint"} for line in lines), f"{lines}")
    for args in (["--log-json", "lsit"], ["list", "--log-json", "--stroe", "x"], ["--log-json", "list", "--store", "/nowhere"]):
        done = site.cairn.run(*args, expect=None)
        check(json.loads(done.stderr)["level"] == "error", f"{args}: {done.stderr}")


def log_file(site: Site) -> None:
    file = site.work / "log"
    done = site.cairn.run("--quiet", "--log-file", file, "run")
    check(done.stdout == b"" and b"cairn: [dump] said by the dump\n" in done.stderr, f"{done}")
    check(stat.S_IMODE(file.stat().st_mode) == 0o600, "anybody can read the log")
    lines = file.read_text().splitlines()
    stamp = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{9}}Z ({ID}) "
    check(all(re.match(stamp, line) for line in lines), f"{lines}")
    for part in ("took snapshot", "verified snapshot", "[dump] said by the dump", "2 sources: 2 done", "app     done"):
        check(any(part in line for line in lines), f"the log says nothing of {part!r}: {lines}")
    site.spoil()
    site.cairn.run("run", "--log-file", file, expect=1)
    site.mend()
    more = file.read_text().splitlines()
    check(more[: len(lines)] == lines and any(" error: " in line for line in more[len(lines) :]), f"{more}")
    check(len({re.match(stamp, line)[1] for line in more}) == 2, "two runs have one id")
    program = json.loads(site.cairn.run("--json", "--log-file", file, "run").stdout)
    check(any(f" {program['run_id']} took snapshot" in line for line in file.read_text().splitlines()), "the id of JSON")


def log_file_that_cannot_be(site: Site) -> None:
    before = site.cairn.json("list", "--store", site.work / "store")
    done = site.cairn.run("run", "--log-file", site.work / "nowhere" / "log", expect=2)
    check(b"--log-file names it" in done.stderr, f"{done.stderr}")
    check(before == site.cairn.json("list", "--store", site.work / "store"), "something was begun all the same")
    done = site.cairn.run("run", "--log-file", "/dev/full")
    check(done.stderr.count(b"it is not complete") == 1, f"{done.stderr}")


def run(binary: str, _: list[str]) -> None:
    with Workspace("service") as work:
        site = Site(binary, work)

        def step(each):
            def call():
                each(site)

            call.__qualname__ = each.__qualname__
            return call

        run_steps([*map(step, [notified, watched, children_are_silent, journal, log_json, log_file,
                               log_file_that_cannot_be])])


if __name__ == "__main__":
    main(run)
