"""The data that is measured with, made once and kept: two kernel source trees, a database before and after a change of some
of its pages, a dump stream, and what does not compress. All but the trees follow from fixed seeds."""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator

PAGE = 4096
CHANGED_SHARE = 0.092
QUICK_PARTS = ("kernel", "fs", "net", "include/linux")  # of a kernel tree, for a quick look
FORMAT = 1  # of the corpora: another number makes all anew


class Missing(Exception):
    """A corpus cannot be made here; what needs it is skipped."""


class Corpora:
    """Paths of the corpora below a directory, each made when it is first asked for."""

    def __init__(self, cache: pathlib.Path, quick: bool):
        self.quick = quick
        self.packages = cache / "packages"
        self.path = cache / f"corpora-{FORMAT}{'-quick' if quick else ''}"
        self.path.mkdir(parents=True, exist_ok=True)
        self.packages.mkdir(exist_ok=True)
        self.facts: dict[str, str] = {}
        self.compared: set[tuple[str, str]] = set()  # works and programs whose restores were like the source, see works.py

    def make(self, name: str, make) -> pathlib.Path:
        """What make(path) writes to a path, whole or not at all."""
        path = self.path / name
        if not path.exists():
            print(f"making {name}", flush=True)
            unfinished = self.path / f".unfinished-{name}"
            remove(unfinished)
            make(unfinished)
            unfinished.rename(path)
        return path

    def database(self, after: bool) -> pathlib.Path:
        rows = 90_000 if self.quick else 938_000
        before = self.make("database-before", lambda path: make_database(path, rows))
        if not after:
            return before / "state.db"
        return self.make("database-after", lambda path: change_database(before, path)) / "state.db"

    def changed_bytes(self) -> int:
        return json.loads((self.database(True).parent / "changed.json").read_text())["bytes"]

    def stream(self) -> pathlib.Path:
        return self.make("dump.sql", lambda path: make_dump(path, 40_000_000 if self.quick else 400_000_000))

    def incompressible(self) -> pathlib.Path:
        return self.make("random", lambda path: make_random(path, 32 if self.quick else 256))

    def small_files(self) -> pathlib.Path:
        return self.make("small-files", lambda path: make_small_files(path, 20 if self.quick else 1000))

    def pages(self, size: int, changed: bool) -> pathlib.Path:
        """Not kept: see remove_pages()."""
        return self.make(f"pages-{size}{'-changed' if changed else ''}", lambda path: make_pages(path, size, changed))

    def remove_pages(self) -> None:
        for path in self.path.glob("pages-*"):
            path.unlink()

    def tree(self, newer: bool) -> pathlib.Path:
        made = [tree.name.removeprefix("linux-") for tree in self.path.glob("linux-*")]
        versions = in_order(made) if len(made) > 1 else kernel_versions()
        version = versions[-1] if newer else versions[0]
        path = self.make(f"linux-{version}", lambda path: self.make_tree(version, path))
        self.facts["newer tree" if newer else "tree"] = f"linux-source-6.1 {version}{', parts of it' if self.quick else ''}"
        return path

    def make_tree(self, version: str, path: pathlib.Path) -> None:
        packages = list(self.packages.glob(f"linux-source-6.1_{version}_*.deb"))
        if not packages:
            run(["apt-get", "download", f"linux-source-6.1={version}"], cwd=self.packages)
            packages = list(self.packages.glob(f"linux-source-6.1_{version}_*.deb"))
        unpacked = self.path / ".unpacked"
        remove(unpacked)
        path.mkdir()
        run(["dpkg-deb", "-x", packages[0], unpacked])
        tarball = next((unpacked / "usr/src").glob("linux-source-*.tar.xz"))
        root = tarball.name.removesuffix(".tar.xz")
        parts = [f"{root}/{part}" for part in QUICK_PARTS] if self.quick else []
        run(["tar", "-xf", tarball, "-C", path, "--strip-components=1", *parts])
        remove(unpacked)


def remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run(command: list, **kwargs) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise Missing(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:]}")
    return done.stdout


def kernel_versions() -> list[str]:
    """Of Debian's package of the 6.1 sources, oldest first."""
    if shutil.which("apt-cache") is None:
        raise Missing("no kernel sources: apt is not installed")
    lines = run(["apt-cache", "madison", "linux-source-6.1"]).splitlines()
    versions = {line.split("|")[1].strip() for line in lines if line.count("|") == 2}
    if len(versions) < 2:
        raise Missing("no kernel sources: the archive has fewer than two versions of linux-source-6.1; apt-get update?")
    return in_order(versions)


def in_order(versions) -> list[str]:
    return sorted(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])


class Words:
    """Text whose words are as unevenly frequent as those of real text."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        weights = [120, 91, 81, 77, 73, 70, 63, 60, 59, 43, 40, 29, 27, 26, 23, 21, 20, 18, 15, 11, 10, 7, 2, 2, 1, 1]
        words = ["".join(rng.choices(letters, weights, k=rng.randrange(2, 11))) for _ in range(8000)]
        self.pool = rng.choices(words, [1 / (rank + 5) for rank in range(len(words))], k=400_000)

    def text(self, count: int) -> str:
        at = self.rng.randrange(len(self.pool) - count)
        return " ".join(self.pool[at : at + count])


def make_row(number: int, rng: random.Random, words: Words) -> tuple:
    token = rng.getrandbits(512).to_bytes(64, "big")
    body = json.dumps({"subject": words.text(rng.randrange(3, 8)), "text": words.text(rng.randrange(8, 40)),
                       "trace": f"{rng.getrandbits(128):032x}", "score": round(rng.random(), 6)})
    return (number, f"{rng.getrandbits(64):016x}", 1_700_000_000 + number * 7 + rng.randrange(7), rng.randrange(5000),
            rng.choice(("created", "updated", "closed", "opened again")), body, token)


def make_database(path: pathlib.Path, rows: int) -> None:
    """A log of events with two indexes, as services keep them: about 400 bytes a row, half of them text."""
    path.mkdir()
    rng = random.Random(1)
    words = Words(rng)
    connection = sqlite3.connect(path / "state.db")
    connection.executescript(f"""PRAGMA page_size = {PAGE}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        CREATE TABLE event (id INTEGER PRIMARY KEY, uid TEXT, at INTEGER, actor INTEGER, kind TEXT, body TEXT, token BLOB);""")
    connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)",
                           (make_row(number, rng, words) for number in range(rows)))
    connection.executescript("CREATE INDEX event_actor ON event (actor, at); CREATE INDEX event_uid ON event (uid);")
    connection.commit()
    connection.close()


def change_database(before: pathlib.Path, path: pathlib.Path) -> None:
    """Rows here and there get a new kind, time and token, until so many pages differ."""
    path.mkdir()
    shutil.copyfile(before / "state.db", path / "state.db")
    rng = random.Random(2)
    connection = sqlite3.connect(path / "state.db")
    rows = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    pages = (path / "state.db").stat().st_size // PAGE
    changed = 0
    while changed < CHANGED_SHARE * pages:
        few = max(50, int((CHANGED_SHARE * pages - changed) * 0.9))
        connection.executemany("UPDATE event SET token = ?, kind = 'closed' WHERE id = ?",
                               ((rng.getrandbits(512).to_bytes(64, "big"), rng.randrange(rows)) for _ in range(few)))
        connection.commit()
        changed = count_changed(before / "state.db", path / "state.db")
    connection.close()
    (path / "changed.json").write_text(json.dumps({"pages": changed, "bytes": changed * PAGE, "of": pages}))


def count_changed(before: pathlib.Path, after: pathlib.Path) -> int:
    with open(before, "rb") as left, open(after, "rb") as right:
        return sum(left.read(PAGE) != page for page in iter(lambda: right.read(PAGE), b""))


def make_dump(path: pathlib.Path, size: int) -> None:
    """As pg_dump writes it: tables, one after the other, rows as lines of tab-separated values."""
    rng = random.Random(3)
    words = Words(rng)
    written = 0
    with open(path, "w", encoding="ascii") as to:
        written += to.write("--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nSET lock_timeout = 0;\n\n")
        for table in range(8):
            columns = "id, customer, created_at, state, amount, comment, reference"
            written += to.write(f"COPY public.table_{table} ({columns}) FROM stdin;\n")
            number = 0
            while written < size * (table + 1) // 8:
                number += 1
                state = rng.choice(("new", "paid", "shipped", "returned"))
                written += to.write(
                    f"{number}\t{rng.randrange(40_000)}\t2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02} "
                    f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(10**6):06}+00\t"
                    f"{state}\t{rng.randrange(10**6) / 100}\t{words.text(rng.randrange(2, 20))}\t"
                    f"{rng.getrandbits(64):016x}\n")
            written += to.write("\\.\n\n\n")


def make_random(path: pathlib.Path, megabytes: int) -> None:
    rng = random.Random(4)
    with open(path, "wb") as to:
        for _ in range(megabytes):
            to.write(rng.randbytes(1_000_000))


def generator(kind: str, size: int, changed: bool) -> list[str]:
    """The command that writes so many bytes of a stream or of pages, one in a hundred changed."""
    memory = pathlib.Path(__file__).resolve().parents[1] / "acceptance" / "memory.py"
    return [sys.executable, str(memory), "--generate", kind, str(size), "10" if changed else "0"]


def make_pages(path: pathlib.Path, size: int, changed: bool) -> None:
    with open(path, "wb") as to:
        subprocess.run(generator("pages", size, changed), stdout=to, check=True)


def make_small_files(path: pathlib.Path, directories: int) -> None:
    """A thousand in each directory, no two alike."""
    rng = random.Random(5)
    words = Words(rng)
    for directory in range(directories):
        below = path / f"{directory:03}"
        below.mkdir(parents=True)
        for number in range(1000):
            (below / f"{rng.getrandbits(32):08x}-{number:03}.txt").write_text(words.text(rng.randrange(5, 200)))


def read_all(path: pathlib.Path) -> tuple[int, int]:
    """Brings it into the cache. Files and bytes."""
    files = size = 0
    paths = [path] if path.is_file() else (pathlib.Path(d) / name for d, _, names in os.walk(path) for name in names)
    for file in paths:
        if file.is_symlink() or not file.is_file():
            continue
        files += 1
        with open(file, "rb", buffering=0) as stream:
            while got := stream.read(1 << 20):
                size += len(got)
    return files, size


def size_of(path: pathlib.Path) -> int:
    """Bytes of all regular files there."""
    if path.is_file():
        return path.stat().st_size
    paths = (os.path.join(directory, name) for directory, _, names in os.walk(path) for name in names)
    return sum(os.lstat(file).st_size for file in paths if not os.path.islink(file))


def entries(path: pathlib.Path) -> Iterator[tuple]:
    """All that is there, in the same order wherever it is: name, type, and size and digest of a file or target of a link."""
    if not path.is_dir():
        yield entry("", str(path))
        return
    for directory, below, names in os.walk(path):
        below.sort()
        for name in sorted(below + names):
            file = os.path.join(directory, name)
            yield entry(os.path.relpath(file, path), file)


def entry(name: str, path: str) -> tuple:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        return name, kind, os.readlink(path)
    if kind != stat.S_IFREG:
        return name, kind
    with open(path, "rb") as file:
        return name, kind, status.st_size, hashlib.file_digest(file, "sha256").hexdigest()
