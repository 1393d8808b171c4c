"""The programs that are compared: one small class each, which says how a user of it does what is measured. A class returns
commands; who runs and measures them is the benchmark's matter. Every program gets a home of its own, its defaults, and a
store on the same file system or in the same bucket."""

import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from clean_environment import clean_environment  # noqa: E402


class Program:
    """name: as on the command line and in tables; file: what is run, where that has another name. Commands are lists; None:
    the program does not do that."""

    name = ""
    file = ""
    keeps_stores = True  # else each work is a tool of its own
    speaks_s3 = False

    def __init__(self, binary: str):
        self.binary = os.path.abspath(binary) if "/" in binary else binary
        self.environment: dict[str, str] = {}

    def version(self) -> str:
        return first_line([self.binary, "--version"])

    def settle(self, home: pathlib.Path, keys: dict[str, str]) -> None:
        """A fresh home; keys: those of the S3 server."""
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8", **keys}

    def store(self, directory: pathlib.Path) -> str:
        return str(directory / "store")

    def bucket(self, endpoint: str, bucket: str) -> str | None:
        return None

    def init(self, store: str) -> list[list]:
        return []

    def snapshot(self, store: str, path: pathlib.Path, series: str) -> list | None:
        return None

    def stream(self, store: str, command: list[str], series: str) -> list | None:
        """Of what the command writes."""
        return None

    def restore(self, store: str, source: pathlib.Path, series: str, target: pathlib.Path) -> list | None:
        return None

    def restore_stream(self, store: str, series: str, target: pathlib.Path) -> list | None:
        """Of the newest in a series of streams, as a file or as the only one below the target."""
        return None

    def verify(self, store: str) -> list | None:
        return None


class Cairn(Program):
    name = "cairn"
    speaks_s3 = True

    def version(self):
        with open(self.binary, "rb") as file:
            return f"{super().version()}, sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"

    def settle(self, home, keys):
        super().settle(home, keys)
        self.environment |= clean_environment(home, TMPDIR=str(home))

    def bucket(self, endpoint, bucket):
        return f"s3://{bucket}/cairn?endpoint={endpoint}"

    def init(self, store):
        return [[self.binary, "init", "--store", store, "--no-encryption"]]

    def snapshot(self, store, path, series):
        return [self.binary, "--json", "snapshot", "--store", store, path, "--series", series]

    def stream(self, store, command, series):
        return [self.binary, "--json", "snapshot", "--store", store, "--series", series, "--", *command]

    def restore(self, store, source, series, target):
        return [self.binary, "--json", "restore", "--store", store, series, target]

    def restore_stream(self, store, series, target):
        return self.restore(store, target, series, target)

    def verify(self, store):
        return [self.binary, "--json", "verify", "--store", store, "--level", "full"]


class CairnSealed(Cairn):
    """Sealed for a recipient. Snapshots are taken without the identity, which a saved host does not have; it lies beside the
    home, for what reads content."""

    name = "cairn, encrypted"
    file = "cairn"

    def settle(self, home, keys):
        super().settle(home, keys)
        self.identity = home.parent / "identity"

    def init(self, store):
        script = 'recipient=$("$0" key generate "$2") && "$0" init --store "$1" --recipient "$recipient"'
        return [["bash", "-c", script, self.binary, store, self.identity]]

    def restore(self, store, source, series, target):
        return [*super().restore(store, source, series, target), "--identity", self.identity]

    def verify(self, store):
        return [*super().verify(store), "--identity", self.identity]


class Restic(Program):
    name = "restic"
    speaks_s3 = True

    def version(self):
        return first_line([self.binary, "version"])

    def settle(self, home, keys):
        super().settle(home, keys)
        self.environment |= {"RESTIC_PASSWORD": "password", "RESTIC_CACHE_DIR": f"{home}/cache"}

    def bucket(self, endpoint, bucket):
        return f"s3:{endpoint}/{bucket}/restic"

    def command(self, store, *args):
        return [self.binary, "--repo", store, *args]

    def init(self, store):
        return [self.command(store, "init")]

    def snapshot(self, store, path, series):
        return self.command(store, "backup", "--tag", series, path)

    def stream(self, store, command, series):
        return self.command(store, "backup", "--tag", series, "--stdin-filename", series, "--stdin-from-command", "--",
                            *command)

    def restore(self, store, source, series, target):
        return self.command(store, "restore", "--tag", series, "--target", target, f"latest:{inside(source)}")

    def restore_stream(self, store, series, target):
        return self.command(store, "restore", "--tag", series, "--target", target, "latest")

    def verify(self, store):
        return self.command(store, "check", "--read-data")


class Rustic(Restic):
    name = "rustic"
    speaks_s3 = False

    def version(self):
        return first_line([self.binary, "--version"])

    def settle(self, home, keys):
        super().settle(home, keys)
        self.environment |= {"RUSTIC_PASSWORD": "password", "RUSTIC_CACHE_DIR": f"{home}/cache"}

    def stream(self, store, command, series):
        return self.command(store, "backup", "--tag", series, "--stdin-filename", series, "--stdin-command",
                            shlex.join(command), "-")

    def restore(self, store, source, series, target):
        return self.command(store, "restore", f"latest:{inside(source)}", target)

    def restore_stream(self, store, series, target):
        return None


class Borg(Program):
    name = "borg"

    def settle(self, home, keys):
        super().settle(home, keys)
        self.environment |= {"BORG_BASE_DIR": str(home), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
                             "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}

    def init(self, store):
        return [[self.binary, "init", "--encryption", "none", store]]

    def snapshot(self, store, path, series):
        return [self.binary, "create", "--compression", "zstd,3", f"{store}::{series}-{{utcnow:%s%f}}", path]

    def stream(self, store, command, series):
        return [self.binary, "create", "--compression", "zstd,3", "--content-from-command", "--",
                f"{store}::{series}-{{utcnow:%s%f}}", *command]

    def restore(self, store, source, series, target):
        # It extracts where it stands, the newest archive first asked for by name.
        script = 'mkdir "$2" && cd "$2" && "$0" extract "$1::$("$0" list --short --glob-archives "$3-*" --last 1 "$1")"'
        return ["bash", "-c", script, self.binary, store, target, series]

    def verify(self, store):
        return [self.binary, "check", "--verify-data", store]


class Kopia(Program):
    name = "kopia"
    speaks_s3 = True

    def settle(self, home, keys):
        super().settle(home, keys)
        self.environment |= {"KOPIA_PASSWORD": "password", "KOPIA_CONFIG_PATH": f"{home}/kopia.config",
                             "KOPIA_CHECK_FOR_UPDATES": "false"}

    def bucket(self, endpoint, bucket):
        return f"{endpoint} {bucket}"

    def place(self, store):
        if not store.startswith("http"):
            return ["filesystem", "--path", store]
        endpoint, bucket = store.split()
        parts = urllib.parse.urlsplit(endpoint)
        return ["s3", "--bucket", bucket, "--prefix", "kopia/", "--endpoint", parts.netloc, "--disable-tls",
                "--access-key", self.environment["AWS_ACCESS_KEY_ID"],
                "--secret-access-key", self.environment["AWS_SECRET_ACCESS_KEY"]]

    def init(self, store):
        if not store.startswith("http"):
            os.makedirs(store)
        return [[self.binary, "repository", "create", *self.place(store)],
                [self.binary, "policy", "set", "--global", "--compression", "zstd"]]

    def snapshot(self, store, path, series):
        return [self.binary, "snapshot", "create", path]

    def stream(self, store, command, series):
        return ["bash", "-c", f'{shlex.join(command)} | "$0" snapshot create --stdin-file {series} /stream', self.binary]

    def restore(self, store, source, series, target):
        return [self.binary, "snapshot", "restore", source, target]

    def verify(self, store):
        return [self.binary, "snapshot", "verify", "--verify-files-percent", "100"]


class Desync(Program):
    """Stores of chunks for one file or archive: it has no snapshots, so what is measured is `tar` and `make`."""

    name = "desync"

    def version(self):
        return first_line(["dpkg-query", "-W", "-f", "${Version}", "desync"])

    def init(self, store):
        os.makedirs(store)
        return []

    def snapshot(self, store, path, series):
        if path.is_dir():
            return [self.binary, "tar", "-i", "-s", store, f"{store}.{series}.caidx", path]
        return [self.binary, "make", "-s", store, f"{store}.{series}.caibx", path]

    def restore(self, store, source, series, target):
        if source.is_dir():
            return ["bash", "-c", 'mkdir "$3" && "$0" untar -i -s "$1" "$2" "$3"', self.binary, store,
                    f"{store}.{series}.caidx", target]
        return [self.binary, "extract", "-s", store, f"{store}.{series}.caibx", target]

    def verify(self, store):
        return [self.binary, "verify", "-s", store]


class Plain(Program):
    """What the system's own tools take for the same bytes: less than what a backup program does, a mark to go by."""

    name = "plain tools"
    file = "zstd"
    keeps_stores = False

    def version(self):
        return f"tar {first_line(['tar', '--version']).split()[-1]}, zstd {first_line(['zstd', '-qV'])}"

    def init(self, store):
        os.makedirs(store)
        return []

    def snapshot(self, store, path, series):
        if os.path.exists(f"{store}/{series}") and path.is_dir():
            return ["find", path, "-printf", "%p %s %T@ %C@ %i\\n"]
        if path.is_dir():
            return ["bash", "-c", f'set -o pipefail; tar -C "$0" -c . | zstd -3 -T2 -q -o "{store}/{series}"', path]
        return ["zstd", "-3", "-T2", "-q", "-f", path, "-o", f"{store}/{series}"]

    def stream(self, store, command, series):
        return ["bash", "-c", f'set -o pipefail; {shlex.join(command)} | zstd -3 -T2 -q -f -o "{store}/{series}"']

    def restore(self, store, source, series, target):
        return ["cp", "-a", source, target]

    def verify(self, store):
        return ["zstd", "-q", "-t", *sorted(pathlib.Path(store).iterdir())]


ALL = (Cairn, CairnSealed, Restic, Borg, Kopia, Rustic, Desync, Plain)


def first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().split("\n")[0]


def inside(source: pathlib.Path) -> str:
    """What a program that stores absolute paths is asked for; of a file its folder."""
    return str(source if source.is_dir() else source.parent)


def installed(paths: dict[str, str]) -> tuple[list[Program], list[str]]:
    """Those that are there, and the names of the others."""
    found, missing = [], []
    for kind in ALL:
        file = kind.file or kind.name
        binary = paths.get(kind.name) or paths.get(file) or shutil.which(file)
        if binary and os.access(binary, os.X_OK):
            found.append(kind(binary))
        else:
            missing.append(kind.name)
    return found, missing
