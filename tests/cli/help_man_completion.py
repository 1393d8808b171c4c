#!/usr/bin/env python3
"""Holds help, man pages and completions to each other, in both directions.

  help_man_completion.py PROGRAM SOURCE-DIRECTORY

The program's --help comes from the option tree that parses; so a page that says too much or too little is wrong. The
committed completions have to be what the program prints, and to work in the real shells.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from clean_environment import clean_own_environment  # noqa: E402

clean_own_environment()
failures = []


def check(truth: bool, message: str) -> None:
    if not truth:
        failures.append(message)


def check_same(what: str, left_name: str, left: set, right_name: str, right: set) -> None:
    check(left == right, f"{what}: only in {left_name}: {sorted(map(str, left - right))}, "
                         f"only in {right_name}: {sorted(map(str, right - left))}")


def run(*words, **options) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60, **options).stdout


def section(text: str, title: str) -> list:
    """The left sides of a listing in the help."""
    out = []
    inside = False
    for line in text.splitlines():
        if line == title + ":":
            inside = True
        elif inside and not line:
            break
        elif inside and re.match(r"  \S", line):
            out.append(re.split(r" {2,}", line.strip())[0])
    return out


def options_of(lines: list) -> set:
    """(name, value name or None) of each option: '-h, --help', '--store STORE'."""
    out = set()
    for line in lines:
        words = line.replace(",", "").split()
        value = words[-1] if not words[-1].startswith("-") else None
        out |= {(word, value) for word in words if word.startswith("-")}
    return out


def man_options(page: str) -> set:
    out = set()
    for line in page.splitlines():
        if not line.startswith(".It Fl "):
            continue
        words = line[4:].replace(",", "").split()
        value = words[words.index("Ar") + 1] if "Ar" in words else None
        out |= {("-" + words[i + 1], value) for i, word in enumerate(words) if word == "Fl"}
    return out


def lint(page: pathlib.Path) -> None:
    if shutil.which("mandoc"):
        seen = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True,
                              check=False)
        check(not seen.stdout and not seen.stderr, f"mandoc: {seen.stdout}{seen.stderr}")
    else:
        print("SKIPPED: mandoc is not installed")
    if shutil.which("groff"):
        # It ends with status 0 whatever it finds.
        seen = subprocess.run(["groff", "-mdoc", "-ww", "-z", page], capture_output=True, text=True, check=False)
        check(not seen.stderr, f"groff: {page.name}: {seen.stderr}")
    else:
        print("SKIPPED: groff is not installed")


def check_bash(script: pathlib.Path, words: list) -> set:
    """What bash offers for the words, the last of which is under the cursor."""
    quoted = " ".join(f"'{w}'" for w in words)
    return set(run("bash", "--norc", "-c", f"source '{script}'; COMP_WORDS=({quoted}); "
                   f"COMP_CWORD={len(words) - 1}; _cairn; printf '%s\\n' \"${{COMPREPLY[@]}}\"").split())


def check_fish(script: pathlib.Path, line: str, home: str) -> set:
    out = run("fish", "--no-config", "-c", f"source '{script}'; complete -C '{line}'",
              env={"HOME": home, "PATH": "/usr/bin:/bin", "TERM": "dumb"})
    return {entry.split("\t")[0] for entry in out.splitlines()}


def main() -> int:
    program = str(pathlib.Path(sys.argv[1]).resolve())
    source = pathlib.Path(sys.argv[2])
    man = source / "man"
    help_text = run(program, "--help")
    commands = section(help_text, "commands")
    check(len(commands) >= 10, f"few commands in the help: {commands}")
    pages = {page.stem.removeprefix("cairn-") for page in man.glob("cairn-*.1")}
    check_same("commands", "help", set(commands), "man/", pages)
    overview = (man / "cairn.1").read_text()
    listed = {line.split()[2] for line in overview.splitlines() if line.startswith(".It Cm ")}
    check_same("commands", "help", set(commands), "cairn.1", listed)
    global_options = options_of(section(help_text, "options, before or after the command"))
    check_same("global options", "help", global_options, "cairn.1", man_options(overview))

    names = {name for name, _ in global_options} - {"-h", "--help", "--version"}
    scripts = {}
    for shell in ("bash", "zsh", "fish"):
        script = source / "completions" / {"bash": "cairn.bash", "zsh": "_cairn", "fish": "cairn.fish"}[shell]
        scripts[shell] = script
        check(script.exists() and script.read_text() == run(program, "completion", shell),
              f"{script.name} is not current: cairn completion {shell} > completions/{script.name}")

    with tempfile.TemporaryDirectory() as home:
        for command in commands:
            text = run(program, command, "--help")
            options = options_of(section(text, "options"))
            page = (man / f"cairn-{command}.1").read_text()
            check_same(f"options of {command}", "help", options, "man page", man_options(page))
            for operand in section(text, "operands"):
                check(re.search(rf"Ar {re.escape(operand)}\b", page) is not None,
                      f"operand {operand} of {command} is not in its man page")
            summary = text.split("\n\n")[1].strip()
            check(f".Nd {summary}" in page, f"cairn-{command}.1 does not say: {summary}")
            check(".Sh EXIT STATUS" in page and ".Sh EXAMPLES" in page, f"cairn-{command}.1 lacks a section")
            wanted = {name for name, _ in options} | names
            check_same(f"options of {command}", "help", wanted, "bash",
                       check_bash(scripts["bash"], ["cairn", command, "-"]))
            if shutil.which("fish"):
                offered = check_fish(scripts["fish"], f"cairn {command} --", home)
                check_same(f"long options of {command}", "help", {n for n in wanted if n.startswith("--")}, "fish",
                           offered)
        check_same("commands", "help", set(commands), "bash", check_bash(scripts["bash"], ["cairn", ""]))
        check_same("levels", "help", {"quick"}, "bash",
                   check_bash(scripts["bash"], ["cairn", "verify", "--level", "=", "q"]))
        if shutil.which("zsh"):
            # Loaded by the completion system, and registered for the command.
            seen = run("zsh", "-f", "-c", f"autoload -Uz compinit; compinit -u -d '{home}/dump'; "
                       f"source '{scripts['zsh']}'; print -r -- $_comps[cairn] ${{+functions[_cairn]}}")
            check(seen.split() == ["_cairn", "1"], f"zsh does not know the completion: {seen}")
            zsh = scripts["zsh"].read_text()
            for command in commands:
                check(f"'{command}:" in zsh, f"zsh does not complete {command}")
        for shell in ("fish", "zsh"):
            if not shutil.which(shell):
                print(f"SKIPPED: {shell} is not installed")

    for page in sorted(man.glob("*.[0-9]")):
        lint(page)
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(commands)} commands, {len(list(man.glob('*.[0-9]')))} pages, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
