#!/usr/bin/env python3
"""Tests use nothing of the machine that they run on: poisoned_machine.py PROGRAM UNIT-TESTS [all]

A machine that is configured, in a mount namespace of its own: a cairn.toml in /etc, HOME, XDG_CONFIG_HOME and
CAIRN_CONFIG, keys and settings in CAIRN_* and AWS_*, a proxy. What they name is below one directory, with a store that
could be written to. Some tests of each kind are run there (with "all": every case, row and unit test). They have to pass,
nobody may have read one of those files, and in that directory nothing may have changed. Needs root.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CASES = ["configured_sources", "init", "list_empty", "several_stores", "snapshot_push", "temporary_directory"]
ROWS = ["unknown key", "configuration missing", "unknown access key"]
UNIT_TESTS = "a store is made*,a failure has*,config:*,process:*"
SKIPPED = 77


def check(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {message}")


class Machine:
    """Its settings, below root; /etc is a copy with a configuration in it."""

    def __init__(self, root: pathlib.Path):
        self.trap = root / "trap"
        self.trap.mkdir()
        subprocess.run(["cp", "-a", "/etc", root / "etc"], check=True)
        subprocess.run(["mount", "--bind", root / "etc", "/etc"], check=True)
        self.system = pathlib.Path("/etc/cairn/cairn.toml")
        home = root / "home"
        self.files = [self.system, root / "named.toml", root / "xdg/cairn/cairn.toml", home / ".config/cairn/cairn.toml"]
        for file in self.files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(
                f'default_store = "trap"\nstate_dir = "{self.trap}/state"\ncache_dir = "{self.trap}/cache"\n'
                f'signing_key = "{self.trap}/sign.pem"\nidentity = "{self.trap}/identity"\n'
                f'spool_dir = "{self.trap}/spool"\n[stores.trap]\nurl = "{self.trap}/store"\n')
        aws = home / ".aws"
        aws.mkdir()
        for name in ("credentials", "config"):
            (aws / name).write_text("[poison]\naws_access_key_id = poison\naws_secret_access_key = poison\n")
            self.files.append(aws / name)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(root / "xdg"),
            "XDG_STATE_HOME": f"{self.trap}/state", "XDG_CACHE_HOME": f"{self.trap}/cache",
            "CAIRN_CONFIG": str(root / "named.toml"), "CAIRN_STORE": f"{self.trap}/store",
            "CAIRN_STATE_DIR": f"{self.trap}/state", "CAIRN_CACHE_DIR": f"{self.trap}/cache",
            "CAIRN_IDENTITY": f"{self.trap}/identity", "CAIRN_SIGNING_KEY": f"{self.trap}/sign.pem",
            "CAIRN_RETRY_BUDGET": "poison", "AWS_PROFILE": "poison", "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_ACCESS_KEY_ID": "poison", "AWS_SECRET_ACCESS_KEY": "poison",
            "AWS_CONFIG_FILE": str(aws / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials"),
            "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        }
        self.forget_readers()

    def forget_readers(self) -> None:
        for file in self.files:
            os.utime(file, (0, 1_700_000_000))

    def read(self) -> list[str]:
        """The files that somebody read since: this file system notes every access."""
        return [str(file) for file in self.files if file.stat().st_atime_ns != 0]

    def trapped(self) -> list[tuple]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in [self.trap, *self.trap.rglob("*")])

    def run(self, *command, without: tuple = ()) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in self.environment.items() if name not in without}
        return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)


def check_that_it_would_be_seen(machine: Machine, program: str) -> None:
    """The poison is one: without a fixture the program finds it in each of its places."""
    ways = ((), ("CAIRN_CONFIG",), ("CAIRN_CONFIG", "XDG_CONFIG_HOME"), ("CAIRN_CONFIG", "XDG_CONFIG_HOME", "HOME"))
    for without in ways:
        machine.forget_readers()
        done = machine.run(program, "list", without=without)
        check(done.returncode == 0, f"no store without {without}: {done.stderr}")
        check(len(machine.read()) == 1, f"without {without} these were read: {machine.read()}")
    check(machine.read() == [str(machine.system)], f"not /etc, but {machine.read()}")


def run_inside(root: pathlib.Path, program: str, units: str, everything: bool) -> None:
    machine = Machine(root)
    made = machine.run(program, "init", "--no-encryption")
    check(made.returncode == 0, f"the store of the machine cannot be made: {made.stderr}")
    check_that_it_would_be_seen(machine, program)
    machine.forget_readers()
    before = machine.trapped()
    python = (sys.executable, "-B")
    commands = [
        (*python, HERE / "run_cases.py", program, *([] if everything else CASES)),
        (*python, HERE / "bad_input.py", program, *([] if everything else ROWS)),
        (units, "--minimal", *([] if everything else [f"--test-case={UNIT_TESTS}"])),
        # As the acceptance tests do.
        (*python, "-c", "import sys; sys.path.append(sys.argv[1]); from support import *\n"
         "with Workspace('poisoned') as work:\n"
         "    cairn = Cairn(sys.argv[2], work)\n"
         "    cairn.run('list', expect=2)\n"
         "    cairn.run('init', '--store', work / 'st', '--no-encryption')\n"
         "    cairn.run('snapshot', '--store', work / 'st', '--series', 's', '--', 'true')\n",
         HERE.parent / "acceptance", program),
    ]
    if everything:
        commands += [(*python, HERE / "prompt.py", program),
                     (*python, HERE / "help_man_completion.py", program, HERE.parent.parent)]
    for command in commands:
        done = machine.run(*command)
        name = pathlib.Path(str(command[2 if command[0] == sys.executable else 0])).name
        if everything:
            print(f"{name}: {done.stdout.strip().splitlines()[-1:]}", flush=True)
        check(done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        check(machine.read() == [], f"{name}: these were read: {machine.read()}")
        check(machine.trapped() == before, f"{name}: something changed in {machine.trap}")
    print("nothing of the machine's was read or changed")


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[0] == "--inside":
        run_inside(pathlib.Path(arguments[1]), arguments[2], arguments[3], arguments[4:] == ["all"])
        return 0
    program, units = (str(pathlib.Path(word).resolve()) for word in arguments[:2])
    if os.geteuid() != 0:
        print("SKIPPED: needs root: a machine with a configuration", file=sys.stderr)
        return SKIPPED
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        print("SKIPPED: no mount namespace can be made here: a machine with a configuration", file=sys.stderr)
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="cairn-machine-") as root:
        os.chmod(root, 0o755)
        # Mounts of its own, which end with it; strictatime: whatever is read shows.
        inside = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o strictatime,mode=755 machine "$1" || exit 77; shift; '
                  'exec "$@"', "sh", root, sys.executable, "-B", __file__, "--inside", root, program, units, *arguments[2:]]
        done = subprocess.run(inside, check=False)
    if done.returncode == SKIPPED:
        print("SKIPPED: no file system can be mounted here: a machine with a configuration", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
