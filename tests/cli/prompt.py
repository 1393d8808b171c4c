#!/usr/bin/env python3
"""What is asked on a terminal: prompt.py PROGRAM

The prompt for a passphrase. Answered, it goes on; the first ^C or SIGTERM ends the program with 130 or 143. Either way
the terminal shows again what is typed.

A command whose output is stored has no terminal to ask on: it is ended, and told why.
"""
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from clean_environment import clean_environment  # noqa: E402

PATIENCE = 20.0


def check(condition, message):
    if not condition:
        print(f"FAILED {message}")
        sys.exit(1)


class Terminal:
    """A program whose controlling terminal is ours."""

    def __init__(self, environment, *command):
        self.shown = ""
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.execve(command[0], [str(word) for word in command], environment)

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def wait_for_prompt(self, text):
        """Until it asks, and hides what is typed."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown or self.echoes():
            check(time.monotonic() < end, f"no {text!r} in {self.shown!r}")
            if select.select([self.master], [], [], 0.05)[0]:
                self.shown += os.read(self.master, 4096).decode()
        self.shown = ""

    def wait_for_question(self, text):
        """Until it asks, and shows what is typed."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            check(time.monotonic() < end, f"no {text!r} in {self.shown!r}")
            if select.select([self.master], [], [], 0.05)[0]:
                self.shown += os.read(self.master, 4096).decode()
        self.shown = self.shown[self.shown.index(text) + len(text) :]

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Its status, None where it had to be killed, and whether the terminal shows what is typed."""
        end = time.monotonic() + PATIENCE
        process = 0
        echoes = self.echoes()
        while process == 0 and time.monotonic() < end:
            # The terminal is gone with its last user, so it is looked at while there is one.
            try:
                if select.select([self.master], [], [], 0.05)[0]:
                    self.shown += os.read(self.master, 4096).decode()
                echoes = self.echoes()
            except OSError:
                pass
            process, status = os.waitpid(self.process, os.WNOHANG)
        if process == 0:
            os.kill(self.process, signal.SIGKILL)
            status = None
            os.waitpid(self.process, 0)
        os.close(self.master)
        return None if status is None else os.waitstatus_to_exitcode(status), echoes


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="cairn-prompt-") as name:
        directory = pathlib.Path(name)
        environment = clean_environment(name)

        identity = directory / "identity"
        terminal = Terminal(environment, program, "key", "generate", "-p", identity)
        terminal.wait_for_prompt("new passphrase: ")
        terminal.type("correct horse\n")
        terminal.wait_for_prompt("the same again: ")
        terminal.type("correct horse\n")
        ended = terminal.end()
        check(ended == (0, True), f"answered: {ended}: {terminal.shown}")
        recipient = re.search(r"age1[a-z0-9]{58}", terminal.shown)[0]

        (directory / "file").write_text("text\n")
        store = directory / "store"
        for command in (["init", "--store", store, "--recipient", recipient],
                        ["snapshot", "--store", store, directory / "file"]):
            subprocess.run([program, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
        back = directory / "back"
        asking = (
            ("new passphrase: ", ["key", "generate", "-p", directory / "another"]),
            ("passphrase of ", ["restore", "--store", store, "file", back, "--identity", identity]),
        )
        leaving = (
            ("^C", signal.SIGINT, lambda t: t.type("\x03")),
            ("SIGTERM", signal.SIGTERM, lambda t: os.kill(t.process, signal.SIGTERM)),
        )
        for prompt, command in asking:
            for what, number, leave in leaving:
                terminal = Terminal(environment, program, *command)
                terminal.wait_for_prompt(prompt)
                leave(terminal)
                ended = terminal.end()
                check(ended == (128 + number, True),
                      f"{what} at {prompt!r}: status and echo are {ended}: {terminal.shown}")
        check(not back.exists() and not (directory / "another").exists(), "something was made all the same")

        producers = (
            ("reads", ["sh", "-c", "read answer </dev/tty; echo data"]),
            ("hides what is typed", ["sh", "-c", "stty -echo </dev/tty; echo data"]),
            ("asks in the middle", ["sh", "-c", "echo data; cat /dev/tty; echo data"]),
        )
        for what, producer in producers:
            terminal = Terminal(environment, program, "snapshot", "--store", store, "--series", "asked", "--", *producer)
            ended = terminal.end()
            check(ended == (1, True), f"a producer that {what}: {ended}: {terminal.shown}")
            check("producer 'sh' wants the terminal" in terminal.shown, f"a producer that {what}: {terminal.shown}")
        terminal = Terminal(environment | {"CAIRN_IDENTITY_COMMAND": "sh -c 'read answer </dev/tty'"},
                            program, "restore", "--store", store, "file", back)
        ended = terminal.end()
        check(ended == (12, True) and "'sh' wants the terminal" in terminal.shown,
              f"an identity command that reads: {ended}: {terminal.shown}")
        # The five questions of setup: a wrong answer is asked for again, and ^C leaves nothing.
        setup = ["--config", directory / "etc" / "cairn.toml", "setup", "--timer", "none"]
        terminal = Terminal(environment, program, *setup)
        for question, answer in (("1/5", "nowhere"), ("there is no", str(directory / "file")), ("2/5", str(directory / "new")),
                                 ("3/5", ""), ("4/5", "maybe"), ("yes or no", "no"), ("5/5", "")):
            terminal.wait_for_question(question)
            terminal.type(answer + "\n")
        ended = terminal.end()
        check(ended == (0, True) and "next:" in terminal.shown, f"setup: {ended}: {terminal.shown}")
        text = (directory / "etc" / "cairn.toml").read_text()
        check(f'url = "{directory / "new"}"' in text and 'max_age = "3h"' in text, f"setup wrote {text}")
        for what, number, leave in leaving:
            terminal = Terminal(environment, program, "--config", directory / "none" / "cairn.toml", "setup")
            terminal.wait_for_question("1/5")
            leave(terminal)
            ended = terminal.end()
            check(ended == (128 + number, True), f"{what} in setup: {ended}: {terminal.shown}")
        check(not (directory / "none").exists(), "setup left something")
        # Who is stopped by hand goes on later.
        terminal = Terminal(environment, program, "snapshot", "--store", store, "--series", "paused", "--", "sh", "-c",
                            "(sleep 1; kill -CONT $$) & kill -STOP $$; echo data")
        ended = terminal.end()
        check(ended == (0, True), f"a producer that was stopped by hand: {ended}: {terminal.shown}")
    print("the prompt was answered, and left by signals; who asks without a terminal is told")


if __name__ == "__main__":
    main()
