"""What is measured: groups of works, each run by one program from an empty store on. A group yields what each work took, by
name, in the order of the table."""

import contextlib
import dataclasses
import itertools
import os
import pathlib
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import corpora
from measuring import Failed, Measured, measure, stored_bytes
from programs import Program

GB = 1_000_000_000
MOST_RESTORED = 10 * GB  # of what grows: there has to be room for it
HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "acceptance"), str(HERE.parent / "servers")]

FORGOTTEN = 300  # seconds: RECENTCY_DIRTY in that file, see put_aside()

Yields = Iterator[tuple[str, Measured]]


class Place:
    """One program with an empty home and store, gone afterwards."""

    def __init__(self, data: corpora.Corpora, program: Program, directory: pathlib.Path, keys: dict[str, str] | None = None):
        self.data = data
        self.program = program
        self.directory = directory
        self.keys = keys or {}
        shutil.rmtree(directory, ignore_errors=True)
        (directory / "home").mkdir(parents=True)
        program.settle(directory / "home", self.keys)
        self.store = program.store(directory)
        self.size: Callable[[], int] = lambda: stored_bytes(pathlib.Path(self.store).parent) - stored_bytes(directory / "home")
        self.count: Callable[[], dict] = dict  # of the proxy, since the last call

    def forget_home(self) -> None:
        shutil.rmtree(self.directory / "home")
        (self.directory / "home").mkdir()
        self.program.settle(self.directory / "home", self.keys)

    def init(self) -> None:
        for command in self.program.init(self.store):
            done = subprocess.run(list(map(str, command)), env=self.program.environment, capture_output=True, text=True)
            if done.returncode != 0:
                raise Failed(f"{command}: {done.stderr}")

    def measure(self, command: list | None, stores: bool = False) -> Measured | None:
        if command is None:
            return None
        before = self.size() if stores else 0
        self.count()
        taken = measure(command, self.program.environment, self.directory)
        if counts := self.count():
            taken.requests = sum(counts["requests"].values())
            taken.connections = counts["connections"]
            taken.transferred = counts["bytes_up"] + counts["bytes_down"]
        if stores:
            taken.stored = self.size() - before
        return taken

    def snapshot(self, path: pathlib.Path, series: str) -> Measured | None:
        return self.measure(self.program.snapshot(self.store, path, series), stores=True)

    def stream(self, command: list[str]) -> Measured | None:
        return self.measure(self.program.stream(self.store, command, "dump"), stores=True)

    def restore(self, work: str, source: pathlib.Path, series: str) -> Measured | None:
        """The first time that the program does this work, all that it restored is compared."""
        target = self.directory / "restored"
        taken = self.measure(self.program.restore(self.store, source, series, target))
        if taken is not None:
            check_restored(source, target, compares=(work, self.program.name) not in self.data.compared)
            self.data.compared.add((work, self.program.name))
            put_aside(target)
        return taken

    def restore_stream(self, size: int) -> Measured | None:
        target = self.directory / "restored"
        taken = self.measure(self.program.restore_stream(self.store, "dump", target))
        if taken is not None:
            check_size(size, target)
            put_aside(target)
        return taken


def aside(work: pathlib.Path) -> pathlib.Path:
    return work / "aside"


def put_aside(restored: pathlib.Path) -> None:
    """Gives the space back, but the names only when the benchmark ends: for minutes after many files were removed, ext4
    looks at each of them again whenever a file is created, which the next program would pay for. (recently_deleted() in
    Linux's fs/ext4/ialloc.c.)"""
    if not restored.is_dir():
        restored.unlink()
        return
    place = aside(restored.parent.parent)
    place.mkdir(exist_ok=True)
    for directory, _, names in os.walk(restored):
        for name in names:
            path = os.path.join(directory, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                os.chmod(path, 0o600)
                os.truncate(path, 0)
    restored.rename(place / str(len(os.listdir(place))))
    room = os.statvfs(place)
    if room.f_favail < room.f_files / 4:
        print("  removes what was restored so far: no room for more names", flush=True)
        forget_aside(place.parent)


def remove_aside(work: pathlib.Path) -> float:
    """Returns the seconds until ext4 has forgotten it."""
    removed = work / "removed"
    if aside(work).exists():
        shutil.rmtree(aside(work))
        removed.touch()
    return max(0.0, removed.stat().st_mtime + FORGOTTEN - time.time()) if removed.exists() else 0.0


def forget_aside(work: pathlib.Path) -> None:
    """Removes it and waits: before the first round, and where there is no room for more."""
    if (wait := remove_aside(work)) > 0:
        print(f"waits {wait:.0f} s: files were removed, which files made soon after would be slower for", flush=True)
        time.sleep(wait)


def check_restored(source: pathlib.Path, target: pathlib.Path, compares: bool) -> None:
    """The right number of bytes in all; or else the same names, types, sizes, contents and targets of links."""
    if target.is_dir():
        # Some programs restore a file with the folders above it.
        below = [path for path in target.rglob(source.name)] or [target]
        target = below[0]
    check_size(corpora.size_of(source), target)
    if compares:
        for wanted, found in itertools.zip_longest(corpora.entries(source), corpora.entries(target)):
            if wanted != found:
                raise Failed(f"restored {found}, to be was {wanted}")


def check_size(wanted: int, target: pathlib.Path) -> None:
    if (found := corpora.size_of(target)) != wanted:
        raise Failed(f"restored {found} bytes, {wanted} were to be")


def of_directory(place: Place, source: pathlib.Path, name: str) -> Yields:
    place.init()
    yield f"{name}: first snapshot", place.snapshot(source, "tree")
    yield f"{name}: the same again, unchanged", place.snapshot(source, "tree")
    work = f"{name}: restore"
    yield work, place.restore(work, source, "tree")
    yield f"{name}: verify", place.measure(place.program.verify(place.store))


def tree(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    place = Place(data, program, directory)
    yield from of_directory(place, data.tree(newer=False), "tree")
    if program.keeps_stores:
        yield "newer tree on top of it", place.snapshot(data.tree(newer=True), "tree")


def small_files(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    name = "20,000 small files" if data.quick else "1,000,000 small files"
    yield from of_directory(Place(data, program, directory), data.small_files(), name)


def database(wal: bool):
    """At one path before and after, as a database is. Most are in WAL mode while a service writes them; those with a rollback
    journal are captured another way."""
    name = "database in WAL mode" if wal else "database"

    def run(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
        place = Place(data, program, directory)
        place.init()
        path = directory / "source" / "state.db"
        path.parent.mkdir()
        base = place.size
        place.size = lambda: base() - stored_bytes(path.parent)
        put_database(data.database(after=False), path, wal)
        yield f"{name}: first snapshot", place.snapshot(path, "db")
        if not wal:
            work = f"{name}: restore"
            yield work, place.restore(work, path, "db")
            yield f"{name}: verify", place.measure(program.verify(place.store))
        if program.keeps_stores:
            put_database(data.database(after=True), path, wal)
            yield f"{name}: again after 9.2 % of its pages changed", place.snapshot(path, "db")

    return run


def put_database(database: pathlib.Path, path: pathlib.Path, wal: bool) -> None:
    shutil.copyfile(database, path)
    if wal:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()


def stream(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    place = Place(data, program, directory)
    place.init()
    yield "dump stream: first snapshot", place.stream(["cat", str(data.stream())])


def growth(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    """What memory does as a source grows. The clock of a stream is that of the one who makes it, and that of pages depends on
    what of them is in memory: neither is told."""
    if not program.keeps_stores:
        return
    for grow, sizes in ((growing_stream, (GB, 10 * GB, 100 * GB)), (growing_pages, (GB, 10 * GB))):
        for size in (GB // 10,) if data.quick else sizes:
            place = Place(data, program, directory)
            place.init()
            for work, taken in grow(place, size):
                yield work, taken and dataclasses.replace(taken, seconds=None, cpu=None)


def growing_stream(place: Place, size: int) -> Yields:
    """A dump that is made on the way, then again with one block in a hundred changed."""
    name = f"stream of {size / GB:g} GB"
    yield f"{name}: first snapshot", place.stream(corpora.generator("stream", size, changed=False))
    yield f"{name}: again, 1 % changed", place.stream(corpora.generator("stream", size, changed=True))
    yield f"{name}: verify", place.measure(place.program.verify(place.store))
    if size <= MOST_RESTORED:
        yield f"{name}: restore", place.restore_stream(size)


def growing_pages(place: Place, size: int) -> Yields:
    """A file of pages as those of a database, then again with one page in a hundred changed."""
    name = f"pages of {size / GB:g} GB"
    path = place.directory / "source" / "image"
    path.parent.mkdir()
    with lent(place.data.pages(size, changed=False), path):
        yield f"{name}: first snapshot", place.snapshot(path, "pages")
    with lent(place.data.pages(size, changed=True), path):
        yield f"{name}: again, 1 % changed", place.snapshot(path, "pages")
        yield f"{name}: verify", place.measure(place.program.verify(place.store))
        work = f"{name}: restore"
        yield work, place.restore(work, path, "pages")


@contextlib.contextmanager
def lent(file: pathlib.Path, path: pathlib.Path) -> Iterator[None]:
    """The file is there meanwhile: a copy would need the room."""
    file.rename(path)
    try:
        yield
    finally:
        path.rename(file)


def incompressible(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    place = Place(data, program, directory)
    place.init()
    yield "incompressible file: first snapshot", place.snapshot(data.incompressible(), "random")


class Bucket:
    """A place whose store is a bucket of the server that the environment names, so far away; None: not even counted. A
    context."""

    def __init__(self, data: corpora.Corpora, program: Program, directory: pathlib.Path, milliseconds: int | None, kind=Place):
        from gateway import Gateway

        self.server = Gateway()
        self.bucket = self.server.make_bucket("bench")
        self.keys = {"AWS_ACCESS_KEY_ID": self.server.access_key, "AWS_SECRET_ACCESS_KEY": self.server.secret_key}
        self.place = kind(data, program, directory, self.keys)
        self.milliseconds = milliseconds
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> Place:
        from delay_proxy import DelayProxy

        endpoint = self.server.endpoint
        if self.milliseconds is not None:
            proxy = self.stack.enter_context(DelayProxy(endpoint, self.milliseconds / 1000))
            endpoint = proxy.endpoint
            self.place.count = proxy.take
        self.place.store = self.place.program.bucket(endpoint, self.bucket)
        self.place.size = lambda: sum(self.server.objects(self.bucket).values())
        return self.place

    def __exit__(self, *_) -> None:
        self.stack.close()
        keys = sorted(self.server.objects(self.bucket))
        for at in range(0, len(keys), 1000):
            some = [{"Key": key} for key in keys[at : at + 1000]]
            self.server.client.delete_objects(Bucket=self.bucket, Delete={"Objects": some, "Quiet": True})
        self.server.client.delete_bucket(Bucket=self.bucket)


def gateway(milliseconds: int | None):
    """The tree to and from an S3 server."""

    def run(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
        if not program.speaks_s3:
            return
        where = "S3" if milliseconds is None else f"S3 at {milliseconds} ms"
        with Bucket(data, program, directory, milliseconds) as place:
            place.init()
            source = data.tree(newer=False)
            yield f"tree to {where}: first snapshot", place.snapshot(source, "tree")
            # As on a machine that knows nothing yet.
            place.forget_home()
            work = f"tree from {where}: restore"
            yield work, place.restore(work, source, "tree")

    return run


class ManySnapshots(Place):
    """A store of 1,000 snapshots of 100 GB each in 100 series, and commands that look at all of it. Peers have none: their
    stores cannot be made without the data."""

    def __init__(self, data: corpora.Corpora, program: Program, directory: pathlib.Path, keys: dict[str, str] | None = None):
        super().__init__(data, program, directory, keys)
        config = directory / "home" / "cairn.toml"
        config.write_text("[retention]\nkeep_last = 5\n")
        program.environment["CAIRN_CONFIG"] = str(config)

    def make(self) -> None:
        shape = (100, 10) if self.data.quick else (1000, 100, 100)
        generator = pathlib.Path(self.program.binary).parent / "tests" / "bench" / "cairn_many_snapshots"
        if not generator.exists():
            raise Failed(f"{generator} is not built")
        command = [generator, self.store, *map(str, shape)]
        done = subprocess.run(command, env=self.program.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{command}: {done.stderr}")
        self.data.facts["many snapshots"] = self.name = done.stdout.strip()

    def command(self, *args: str) -> Measured:
        return self.measure([self.program.binary, "--json", *args, "--store", self.store])

    def works(self, where: str) -> Yields:
        yield f"{where}: list, nothing in the cache", self.command("list")
        yield f"{where}: list again", self.command("list")
        shutil.rmtree(self.directory / "home" / "cache")
        yield f"{where}: prune's plan, nothing in the cache", self.command("prune")
        yield f"{where}: prune's plan again", self.command("prune")
        yield f"{where}: prune, half of the snapshots go", self.command("prune", "--apply", "--grace", "0s", "--exclusive")
        yield f"{where}: prune, their packs go", self.command("prune", "--apply", "--grace", "0s", "--exclusive")


def many(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    if program.name != "cairn":
        return
    place = ManySnapshots(data, program, directory)
    place.make()
    yield from place.works(place.name)


def many_on_server(data: corpora.Corpora, program: Program, directory: pathlib.Path) -> Yields:
    """With requests and bytes, which a directory does not count."""
    if program.name != "cairn":
        return
    with Bucket(data, program, directory, 0, ManySnapshots) as place:
        place.make()
        yield from place.works(f"{place.name} on S3")


GROUPS: dict[str, Callable[[corpora.Corpora, Program, pathlib.Path], Yields]] = {
    "tree": tree,
    "database": database(wal=False),
    "database-wal": database(wal=True),
    "stream": stream,
    "incompressible": incompressible,
    "growth": growth,
    "small-files": small_files,
    "s3": gateway(None),
    "s3-20ms": gateway(20),
    "s3-80ms": gateway(80),
    "many": many,
    "s3-many": many_on_server,
}


def needs_server(group: str) -> bool:
    return group.startswith("s3")


def warm(data: corpora.Corpora, group: str) -> None:
    """Makes what the group reads and brings it into the cache."""
    if "many" in group or group == "growth":
        return
    if group.startswith("database"):
        paths = [data.database(after=False), data.database(after=True)]
    elif group == "stream":
        paths = [data.stream()]
    elif group == "incompressible":
        paths = [data.incompressible()]
    elif group == "small-files":
        paths = [data.small_files()]
    else:
        paths = [data.tree(newer=False)] + ([data.tree(newer=True)] if group == "tree" else [])
    for path in paths:
        files, size = corpora.read_all(path)
        data.facts[name_of(path)] = f"{files:,} files, {size / 1e6:,.1f} MB" if files > 1 else f"{size / 1e6:,.1f} MB"


def name_of(path: pathlib.Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.is_file() and path.suffix == ".db" else path.name
