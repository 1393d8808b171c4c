#!/usr/bin/env python3
"""Who is told how a run went: pings, a webhook, a command and mails, against a server on this machine and a sendmail of the
test's own. A failure is told once, as is a recovery and what became stale; a server that hangs, fails or is not there
changes neither what is saved nor the exit status; and no part of a secret URL is printed anywhere."""

import email
import email.policy
import http.server
import json
import pathlib
import re
import signal
import threading
import time

from support import Cairn, Workspace, check, main, run_steps

PING = "ping-5f1c9a2e"
HOOK = "hook-77ab01dd"
PASSWORD = "pass-3c90ffe1"


class Server:
    """Keeps what it is sent; answers what it is told to, once each, and else 200."""

    def __init__(self):
        self.seen: list[tuple[str, bytes]] = []
        self.answers: list[int | str] = []
        self.hangs = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = outer.answers.pop(0) if outer.answers else 200
                outer.seen.append((self.path, body))
                if answer == "hang":
                    outer.hangs.wait(60)
                    return
                self.send_response(int(answer))
                if answer == 302:
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self) -> list[tuple[str, bytes]]:
        seen, self.seen = self.seen, []
        return seen


class Site:
    """A host with a store, a source that can be spoilt, and everybody who can be told."""

    def __init__(self, binary: str, work: pathlib.Path):
        self.work = work
        self.server = Server()
        self.cairn = Cairn(binary, work)
        self.store = work / "store"
        self.source = work / "source"
        self.source.mkdir()
        (self.source / "file").write_text("content" * 1000)
        self.mails = work / "mails"
        self.mails.mkdir()
        self.sendmail = work / "sendmail"
        self.sendmail.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{self.mails}/arguments"\n'
                                 f'exec cat >"{self.mails}/$(date +%s%N)"\n')
        self.sendmail.chmod(0o755)
        self.commands = work / "commands"
        self.commands.mkdir()
        self.command = work / "tell"
        self.command.write_text(f'#!/bin/sh\nenv >"{self.commands}/environment"\ncat >"{self.commands}/$(date +%s%N)"\n')
        self.command.chmod(0o755)
        self.said = b""
        self.configure()
        self.cairn.environment["CAIRN_CONFIG"] = str(work / "cairn.toml")
        self.cairn.run("init", "--store", self.store, "--no-encryption")

    def configure(self, notify: str | None = None, source: str = "") -> None:
        base = f"http://user:{PASSWORD}@127.0.0.1:{self.server.port}"
        if notify is None:
            notify = (f'ping = "{base}/{PING}?token={PING}"\nwebhook = "{base}/{HOOK}"\n'
                      f'command = ["{self.command}"]\nmail = ["root", "ops@example.org"]\nsendmail = "{self.sendmail}"\n')
        (self.work / "cairn.toml").write_text(
            f'default_store = "here"\n[stores.here]\nurl = "{self.store}"\n'
            f'[sources.app]\ntype = "directory"\npath = "{self.source}"\n{source}\n[notify]\n{notify}')

    def run(self, *args: str, expect: int = 0) -> bytes:
        done = self.cairn.run(*(args or ("run",)), expect=expect)
        self.said += done.stdout + done.stderr
        return done.stderr

    def spoil(self) -> None:
        self.source.rename(self.work / "away")

    def mend(self) -> None:
        (self.work / "away").rename(self.source)

    def pings(self) -> list[str]:
        """The paths in order, without the options; nothing else is left at the server."""
        return [path for path, _ in self.server.take() if path.startswith(f"/{PING}")]

    def take_all(self) -> tuple[list[str], list[dict], list[dict], list]:
        """Pings, webhooks, what the command got, and mails, since the last time."""
        seen = self.server.take()
        pings = [path for path, _ in seen if path.startswith(f"/{PING}")]
        hooks = [json.loads(body) for path, body in seen if path == f"/{HOOK}"]
        told = []
        for file in sorted(p for p in self.commands.iterdir() if p.name.isdigit()):
            told.append(json.loads(file.read_bytes()))
            file.unlink()
        mails = []
        for file in sorted(p for p in self.mails.iterdir() if p.name.isdigit()):
            mails.append(email.message_from_bytes(file.read_bytes(), policy=email.policy.default))
            file.unlink()
        return pings, hooks, told, mails


START, SUCCESS, FAIL = f"/{PING}/start?token={PING}", f"/{PING}?token={PING}", f"/{PING}/fail?token={PING}"


def told_once(site: Site) -> None:
    """Good, bad, bad, good: one failure and one recovery, by every way."""
    site.run()
    check(site.take_all() == ([START, SUCCESS], [], [], []), "a run that goes well told somebody")
    site.spoil()
    site.run(expect=1)
    pings, hooks, told, mails = site.take_all()
    check(pings == [START, FAIL], f"pings of a failing run: {pings}")
    check([h["event"] for h in hooks] == ["failure"], f"webhooks: {hooks}")
    check(hooks == told, f"the command was told something else: {told}")
    item = hooks[0]["items"][0]
    check(len(hooks[0]["items"]) == 1 and item["source"] == "app" and item["exit_status"] == 1, f"items: {hooks}")
    check(str(site.source) in item["message"], f"the message does not say why: {item}")
    check(re.fullmatch("[0-9a-f]{8}", hooks[0]["run"]) is not None, f"run id: {hooks[0]}")
    check(len(mails) == 1 and mails[0]["To"] == "root, ops@example.org", f"mails: {mails}")
    check("failure" in mails[0]["Subject"] and str(site.source) in mails[0].get_content(), f"mail: {mails[0]}")
    check((site.mails / "arguments").read_text() == "-t\n-i\n", "arguments of sendmail")
    environment = dict(line.split("=", 1) for line in (site.commands / "environment").read_text().splitlines() if "=" in line)
    check(environment["CAIRN_EVENT"] == "failure" and environment["CAIRN_SOURCE"] == "app", f"{environment}")
    check(environment["CAIRN_RUN_ID"] == hooks[0]["run"], "run id of the command")
    site.run(expect=1)
    pings, *others = site.take_all()
    check(pings == [START, FAIL] and others == [[], [], []], f"the second night: {pings} {others}")
    site.mend()
    site.run()
    pings, hooks, told, mails = site.take_all()
    check(pings == [START, SUCCESS], f"pings of a run that goes well again: {pings}")
    check([h["event"] for h in hooks] == ["recovery"] and hooks == told and len(mails) == 1, f"recovery: {hooks} {mails}")
    site.run()
    check(site.take_all()[1:] == ([], [], []), "a recovery was told twice")


def reminded(site: Site) -> None:
    site.configure(f'on = ["failure"]\ncommand = ["{site.command}"]\nremind = "1m"\n')
    site.spoil()
    site.run(expect=1)
    site.run(expect=1)
    check(len(site.take_all()[2]) == 1, "a failure was told again at once")
    states = list((site.work / "state" / "notify").iterdir())
    check(len(states) == 1 and states[0].stat().st_mode & 0o777 == 0o600, f"what is remembered: {states}")
    state = json.loads(states[0].read_text())
    state["told"] = "2026-01-01T00:00:00.000000000Z"
    states[0].write_text(json.dumps(state))
    site.run(expect=1)
    check(len(site.take_all()[2]) == 1, "a failure that went on was not told again")
    site.mend()
    site.run()
    check(site.take_all()[2] == [], "a recovery was told that nobody wanted to hear of")
    site.configure()


def incomplete_is_a_failure(site: Site) -> None:
    """Exit 3, as the source has lost most of what it had: the success ping stays out."""
    (site.source / "file").rename(site.work / "file")
    (site.source / "small").write_text("s")
    site.run(expect=3)
    (site.work / "file").rename(site.source / "file")
    pings, hooks, *_ = site.take_all()
    check(pings == [START, FAIL] and hooks[0]["items"][0]["outcome"] == "incomplete", f"{pings} {hooks}")
    check("in doubt" in hooks[0]["items"][0]["message"], f"{hooks}")
    site.run()
    check([h["event"] for h in site.take_all()[1]] == ["recovery"], "whole again")


def stale_is_told(site: Site) -> None:
    """By status --notify, and by a run that leaves its source alone; both know of each other."""
    site.run()
    site.take_all()
    site.configure(source='max_age = "1s"')
    time.sleep(1.5)
    site.run("status", "--notify", expect=5)
    pings, hooks, *_ = site.take_all()
    check(pings == [] and [h["event"] for h in hooks] == ["stale"], f"{pings} {hooks}")
    check(hooks[0]["items"][0]["series"] == "app" and hooks[0]["items"][0]["store"] == "here", f"{hooks}")
    site.run("status", "--notify", expect=5)
    check(site.take_all()[1] == [], "stale was told twice")
    site.run("status", expect=5)
    site.run("run", "--if-older-than", "1h")
    pings, hooks, *_ = site.take_all()
    check(pings == [START, SUCCESS] and hooks == [], f"the run told again what status had told: {hooks}")
    site.configure(source='max_age = "1h"')
    site.run("run")
    check([h["event"] for h in site.take_all()[1]] == ["recovery"], "a fresh snapshot is no recovery")
    site.configure()


def stale_of_a_run(site: Site) -> None:
    site.configure(source='max_age = "1s"')
    time.sleep(1.5)
    site.run("run", "--if-older-than", "1h")
    check([h["event"] for h in site.take_all()[1]] == ["stale"], "a run that left a stale source alone told nobody")
    site.configure()
    site.run("status", "--notify")
    check([h["event"] for h in site.take_all()[1]] == ["recovery"], "status told of no recovery")


def lost_store_is_told(site: Site) -> None:
    site.store.rename(site.work / "store-away")
    site.run("status", "--notify", expect=10)
    hooks = site.take_all()[1]
    check([h["event"] for h in hooks] == ["failure"] and hooks[0]["items"][0]["outcome"] == "not_found", f"{hooks}")
    (site.work / "store-away").rename(site.store)
    site.run("status", "--notify")
    check([h["event"] for h in site.take_all()[1]] == ["recovery"], "a store that is back was not told")


def tried_again(site: Site) -> None:
    site.server.answers = [500, 200, 503]
    errors = site.run()
    paths = [path for path, _ in site.server.take()]
    check(paths == [START, START, SUCCESS, SUCCESS], f"an answer 500 was not tried again: {paths}")
    check(errors == b"", f"what went well in the end was told: {errors}")
    site.server.answers = [404, 302]
    errors = site.run().decode()
    paths = [path for path, _ in site.server.take()]
    check(paths == [START, SUCCESS], f"404 and a redirect: {paths}")
    check("it answered 404" in errors and "no redirect is followed" in errors, errors)


def not_there(site: Site) -> None:
    """Nobody is reached: warnings, the status is that of the work, and the failure is told once somebody can be."""
    base = f"http://user:{PASSWORD}@127.0.0.1:1/"
    site.configure(f'ping = "{base}{PING}"\nwebhook = "{base}{HOOK}"\nmail = ["root"]\nsendmail = "/nowhere/sendmail"\n'
                   f'command = ["/bin/false", "{HOOK}"]\ntimeout = "2s"\n')
    errors = site.run().decode()
    check(errors.count("warning") == 2 and "http://127.0.0.1:1:" in errors, errors)
    site.spoil()
    errors = site.run(expect=1).decode()
    for part in ("start ping", "fail ping", "a message to", "'/bin/false' exited with status 1", "/nowhere/sendmail"):
        check(part in errors, f"no warning of {part}: {errors}")
    site.configure()
    site.run(expect=1)
    hooks = site.take_all()[1]
    check([h["event"] for h in hooks] == ["failure"], f"a failure that reached nobody was not told again: {hooks}")
    site.mend()
    site.run()
    check([h["event"] for h in site.take_all()[1]] == ["recovery"], "recovery")


def hangs(site: Site) -> None:
    site.configure(f'ping = "http://127.0.0.1:{site.server.port}/{PING}"\ntimeout = "2s"\n')
    site.server.answers = ["hang", "hang"]
    began = time.monotonic()
    errors = site.run().decode()
    took = time.monotonic() - began
    site.server.hangs.set()
    check(errors.count("unable to send") == 2, errors)
    check(took < 30, f"a server that hangs held the run for {took} s")
    site.server.take()
    site.configure()


def stopped(site: Site) -> None:
    """SIGTERM in the middle of a run: the fail ping and the message go out all the same."""
    site.configure(source='before = [["sleep", "60"]]')
    process = site.cairn.start("run")
    deadline = time.monotonic() + 30
    while not site.server.seen and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    site.said += out + errors
    check(process.returncode == 143, f"exit {process.returncode}: {errors}")
    pings, hooks, *_ = site.take_all()
    check(pings == [START, FAIL], f"pings of a run that was stopped: {pings}")
    check(hooks and hooks[0]["items"][0]["outcome"] == "interrupted", f"{hooks}")
    site.configure()
    site.run()
    site.take_all()


def from_a_file(site: Site) -> None:
    base = f"http://127.0.0.1:{site.server.port}"
    (site.work / "ping").write_text(f"{base}/{PING}\n")
    site.configure(f'ping_file = "{site.work}/ping"\n')
    site.run()
    check(site.pings() == [f"/{PING}/start", f"/{PING}"], "the URL of a file")
    site.cairn.environment["CAIRN_PING_URL"] = f"{base}/{PING}/of-the-environment"
    site.run()
    check(site.pings() == [f"/{PING}/of-the-environment/start", f"/{PING}/of-the-environment"], "the environment's URL")
    site.cairn.environment["CAIRN_PING_URL"] = f"ftp://{PASSWORD}/{PING}"
    errors = site.run().decode()
    check(site.pings() == [] and "CAIRN_PING_URL has an invalid URL" in errors, errors)
    del site.cairn.environment["CAIRN_PING_URL"]
    (site.work / "ping").unlink()
    errors = site.run().decode()
    check("nobody is told that way" in errors, errors)
    site.configure()


def no_secret_of_the_environment(site: Site) -> None:
    site.cairn.environment |= {"CAIRN_PING_URL": f"http://127.0.0.1:{site.server.port}/{PING}",
                               "CAIRN_WEBHOOK_URL": f"http://127.0.0.1:{site.server.port}/{HOOK}",
                               "AWS_SECRET_ACCESS_KEY": PASSWORD}
    site.spoil()
    site.run(expect=1)
    site.mend()
    site.run()
    for name in ("CAIRN_PING_URL", "CAIRN_WEBHOOK_URL", "AWS_SECRET_ACCESS_KEY"):
        del site.cairn.environment[name]
    told = (site.commands / "environment").read_text()
    for secret in (PING, HOOK, PASSWORD):
        check(secret not in told, f"the command inherited {secret}")
    check(len(site.take_all()[1]) == 2, "the webhook of the environment")


def run(binary: str, _: list[str]) -> None:
    with Workspace("notify") as work:
        site = Site(binary, work)
        steps = [told_once, reminded, incomplete_is_a_failure, stale_is_told, stale_of_a_run, lost_store_is_told, tried_again,
                 not_there, hangs, stopped, from_a_file, no_secret_of_the_environment]

        def step(each):
            def call():
                try:
                    each(site)
                finally:  # what a step that failed left does not fail the next one
                    if (work / "away").exists():
                        site.mend()

            call.__qualname__ = each.__qualname__
            return call

        def secrets_stay():
            said = site.said
            for path in (work / "state").rglob("*"):
                said += path.read_bytes() if path.is_file() else b""
            for secret in (PING, HOOK, PASSWORD, "user:"):
                check(secret.encode() not in said, f"{secret} was printed or kept: {said.decode(errors='replace')}")

        run_steps([*map(step, steps), secrets_stay])


if __name__ == "__main__":
    main(run)
