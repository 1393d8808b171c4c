#!/usr/bin/python3
"""A random tree at the target, a snapshot of another one: restore --in-place --delete gives exactly the other one, by
rsync's comparison of everything; without --delete that and what was there besides. What lies outside of the target, and
what had other names there, is never changed. A second run changes nothing. Arguments: seeds; first seed (0); "owner" to
run as a user (where the test runs as root)."""

import json
import os
import pathlib
import random
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys

from support import Cairn, Workspace, check, main, tree_differences

NAMES = [f"n{i}" for i in range(12)]
USER = 12345
SIZES = [0, 1, 4096, 10_000, 70_000, 200_000]
SUFFIXES = ("-wal", "-shm", "-journal")


class TreeMaker:
    """Fills directories by chance; both trees of a seed take their names and contents from the same few."""

    def __init__(self, seed: int, outside: pathlib.Path):
        self.random = random.Random(seed)
        self.outside = outside
        self.root = os.getuid() == 0
        # One owner of all directories: a restore does not give away one of root's that lies in another user's.
        self.directory_owner = None
        self.contents = [random.Random(f"{seed} {i}").randbytes(self.random.choice(SIZES)) for i in range(8)]

    def make(self, root: pathlib.Path) -> None:
        root.mkdir()
        self.files: list[pathlib.Path] = []
        self.fill(root, 0)
        self.finish(root, writable=True)

    def fill(self, directory: pathlib.Path, depth: int) -> None:
        for name in self.random.sample(NAMES, self.random.randint(2, 8)):
            self.add(directory / name, depth)

    def add(self, path: pathlib.Path, depth: int) -> None:
        kinds = ["file"] * 8 + ["directory"] * 4 + ["symlink", "outward", "link", "link", "fifo", "sparse", "database"]
        if self.root:
            kinds += ["device", "socket"]
        kind = self.random.choice(kinds)
        self.files = [file for file in self.files if file.is_file() and not file.is_symlink()]
        if kind == "directory" and depth < 3:
            path.mkdir()
            self.fill(path, depth + 1)
        elif kind == "symlink":
            path.symlink_to(self.random.choice(NAMES))
        elif kind == "outward":
            path.symlink_to(self.outside / self.random.choice(["d", "f", "none"]))
        elif kind == "link" and self.files:
            os.link(self.random.choice(self.files), path)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket" and len(os.fsencode(path)) < 100:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
        elif kind == "device":
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, self.random.choice([3, 5])))
        elif kind == "sparse":
            self.add_sparse(path)
        elif kind == "database":
            self.add_database(path)
        else:
            self.add_file(path)
        if path.is_symlink() or path.is_dir() or not path.exists():
            return
        if self.random.random() < 0.2 and stat.S_ISREG(path.lstat().st_mode):
            os.setxattr(path, f"user.{self.random.choice('ab')}", self.random.choice([b"", b"x", b"\xff\0y"]))
        if path not in self.files and not path.name.endswith(SUFFIXES):
            self.files.append(path)

    def add_file(self, path: pathlib.Path) -> None:
        content = bytearray(self.random.choice(self.contents))
        change = self.random.random()
        if content and change < 0.3:
            at = self.random.randrange(len(content))
            content[at : at + 1] = self.random.randbytes(self.random.choice([1, 5]))
        elif change < 0.4:
            content = content[: len(content) // 2]
        path.write_bytes(content)

    def add_sparse(self, path: pathlib.Path) -> None:
        with open(path, "wb") as file:
            file.truncate(self.random.choice([300_000, 1_000_000]))
            for _ in range(self.random.randrange(3)):
                file.seek(self.random.randrange(0, 200_000, 4096))
                file.write(self.contents[self.random.randrange(8)][:50_000])

    def add_database(self, path: pathlib.Path) -> None:
        """Some of them with a log whose last transaction is not in the database."""
        work = self.outside / "database"
        for suffix in ("", *SUFFIXES):
            (self.outside / f"database{suffix}").unlink(missing_ok=True)
        connection = sqlite3.connect(work)
        logged = self.random.random() < 0.5
        connection.execute(f"PRAGMA journal_mode = {'wal' if logged else 'delete'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE t (a, b)")
        for i in range(self.random.randrange(40)):
            connection.execute("INSERT INTO t VALUES (?, ?)", (i, self.random.randbytes(200)))
        connection.commit()
        for suffix in ("", "-wal"):
            if pathlib.Path(f"{work}{suffix}").exists():
                shutil.copyfile(f"{work}{suffix}", f"{path}{suffix}")
        connection.close()

    def finish(self, root: pathlib.Path, writable: bool = False) -> None:
        """Modes, owners and times, deepest first."""
        for directory, directories, files in os.walk(root, topdown=False):
            for name in files + directories:
                self.dress(pathlib.Path(directory) / name)
            for name in files:
                self.let_read(pathlib.Path(directory) / name)
        self.dress(root, writable)

    def let_read(self, log: pathlib.Path) -> None:
        """Who owns a database may read its log: else nobody can capture the two."""
        if not log.name.endswith(SUFFIXES) or not stat.S_ISREG(log.lstat().st_mode):
            return
        database = pathlib.Path(str(log)[: log.name.rindex("-") - len(log.name)])
        if database.is_file() and not database.is_symlink():
            os.chown(log, database.stat().st_uid, database.stat().st_gid)

    def dress(self, path: pathlib.Path, writable: bool = False) -> None:
        status = path.lstat()
        link = stat.S_ISLNK(status.st_mode)
        if self.directory_owner is not None and stat.S_ISDIR(status.st_mode):
            os.chown(path, self.directory_owner, self.directory_owner)
        elif self.root and self.random.random() < 0.3:
            os.lchown(path, self.random.choice([0, 1, 1000]), self.random.choice([0, 1000]))
        if stat.S_ISDIR(status.st_mode):
            os.chmod(path, 0o755 if writable else self.random.choice([0o755, 0o700, 0o555, 0o500, 0o1755]))
        elif not link:
            os.chmod(path, self.random.choice([0o644, 0o600, 0o444, 0o755, 0o4755]))
        time = self.random.choice([1, 10**18, 1_234_567_890_123_456_789])
        os.utime(path, ns=(time, time), follow_symlinks=False)


def listing(path: pathlib.Path) -> dict:
    """All that may not change of what lies outside, but for the number of names."""
    out = {}
    for item in [path, *sorted(path.rglob("*"))]:
        status = item.lstat()
        content = item.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        out[str(item)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
    return out


class Property:
    def __init__(self, cairn: Cairn, work: pathlib.Path):
        self.cairn = cairn
        self.work = work
        self.reused = 0
        self.fetched = 0

    def play(self, seed: int) -> None:
        place = self.work / str(seed)
        place.mkdir()
        self.outside = place / "outside"
        self.make_outside()
        maker = TreeMaker(seed, self.outside)
        before = place / "before"
        maker.directory_owner = maker.random.choice([0, 1000]) if maker.root else None
        maker.make(before)
        maker.directory_owner = None
        after = place / "after"
        if maker.random.random() < 0.5:
            # The other tree is this one with some changes.
            subprocess.run(["cp", "-a", before, after], check=True)
            self.change(maker, after)
        else:
            maker.make(after)
        # A name of a file in the target that lies outside of it.
        logged = {f.lstat().st_ino for f in before.rglob("*") if has_log(f)}  # by whichever name
        shared = [f for f in before.rglob("*") if stat.S_ISREG(f.lstat().st_mode) and f.lstat().st_ino not in logged][:2]
        for i, file in enumerate(shared):
            os.link(file, self.outside / f"name{i}")
        store = place / "store"
        self.cairn.run("init", "--store", store, "--no-encryption")
        taken = self.cairn.run("snapshot", "--store", store, "--series", "s", after, expect=None)
        # By chance a file stands beside what looks like its log.
        odd = taken.returncode == 3 and b"unable" not in taken.stderr
        check(taken.returncode == 0 or odd, f"seed {seed}: exit {taken.returncode}: {taken.stderr.decode()}")
        # The snapshot of a database has its log in it: what a restore makes is what is compared with.
        wanted = place / "wanted"
        self.cairn.run("restore", "--store", store, "s", wanted)
        copy = place / "copy"
        subprocess.run(["cp", "-a", before, copy], check=True)
        outside = listing(self.outside)
        self.restore_exactly(seed, store, before, wanted)
        self.check_outside(seed, outside)
        self.restore_besides(seed, store, copy, wanted)
        self.check_outside(seed, outside)
        subprocess.run(["chmod", "-R", "u+rwX", str(place)], check=True)
        shutil.rmtree(place)

    def check_outside(self, seed: int, before: dict) -> None:
        now = listing(self.outside)
        changed = [f"{path}: {what[:4]} is {now.get(path, ())[:4]}" for path, what in before.items() if now.get(path) != what]
        check(now == before, f"seed {seed}: something outside of the target was changed: {changed}")

    def make_outside(self) -> None:
        (self.outside / "d").mkdir(parents=True)
        (self.outside / "d" / "kept").write_text("kept")
        (self.outside / "f").write_text("kept")

    def change(self, maker: TreeMaker, root: pathlib.Path) -> None:
        subprocess.run(["chmod", "-R", "u+rwX", str(root)], check=True)
        maker.files = []
        for _ in range(maker.random.randint(1, 8)):
            paths = sorted(root.rglob("*"))
            directories = [p for p in paths if p.is_dir() and not p.is_symlink()] + [root]
            if paths and maker.random.random() < 0.6:
                victim = maker.random.choice(paths)
                if victim.is_dir() and not victim.is_symlink():
                    shutil.rmtree(victim)
                else:
                    victim.unlink()
            at = maker.random.choice([d for d in directories if d.exists()]) / maker.random.choice(NAMES)
            if not os.path.lexists(at):
                maker.add(at, 2)
        for path in sorted(root.rglob("*")):
            if maker.random.random() < 0.2:
                maker.dress(path)
            elif maker.random.random() < 0.2:
                self.change_in_secret(path)
        for path in root.rglob("*"):
            maker.let_read(path)

    def change_in_secret(self, path: pathlib.Path) -> None:
        """Another content of the same size, at the same time."""
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size < 200 or path.read_bytes()[:6] == b"SQLite":
            return
        with open(path, "r+b") as file:
            file.seek(status.st_size // 2)
            byte = file.read(1)
            file.seek(status.st_size // 2)
            file.write(bytes([byte[0] ^ 1]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def restore(self, seed: int, *args) -> dict:
        done = self.cairn.run("--json", "restore", *args, expect=None)
        check(done.returncode == 0, f"seed {seed}: {args}: exit {done.returncode}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def restore_exactly(self, seed: int, store, target, wanted) -> None:
        plan = self.cairn.json("restore", "--store", store, "s", target, "--in-place", "--delete", "--plan")
        told = self.restore(seed, "--store", store, "s", target, "--in-place", "--delete")
        self.reused += told["bytes_reused"]
        self.fetched += told["bytes_fetched"]
        different = tree_differences(wanted, target)
        check(different == "", f"seed {seed}: it is not the snapshot:\n{different}")
        check(links_of(wanted) == links_of(target), f"seed {seed}: names do not belong together as in the snapshot")
        removed = [entry for entry in plan["entries"] if entry["action"] == "delete"] if "entries" in plan else []
        check(told["deleted"] == len(removed), f"seed {seed}: {told['deleted']} went, the plan had {len(removed)}")
        inodes = {p: p.lstat().st_ino for p in target.rglob("*")}
        again = self.cairn.json("restore", "--store", store, "s", target, "--in-place", "--delete")
        check(tree_differences(wanted, target) == "", f"seed {seed}: a second run changed something")
        changed = [p for p, inode in inodes.items() if p.lstat().st_ino != inode and not may_be_log(p)]
        check(changed == [] and again["deleted"] == 0, f"seed {seed}: made anew although nothing differs: {changed}")

    def restore_besides(self, seed: int, store, target, wanted) -> None:
        """What the snapshot lacks stays; what cannot be had besides is refused before anything is changed."""
        before = listing(target)
        blocked = [
            p for p in wanted.rglob("*")
            if os.path.lexists(t := target / p.relative_to(wanted)) and t.is_dir() and not t.is_symlink()
            and any(t.iterdir()) and (p.is_symlink() or not p.is_dir())
        ]
        done = self.cairn.run("restore", "--store", store, "s", target, "--in-place", expect=None)
        if blocked:
            check(done.returncode == 2, f"seed {seed}: exit {done.returncode} where {blocked} is in the way")
            check(listing(target) == before, f"seed {seed}: refused, and changed all the same")
            return
        check(done.returncode == 0, f"seed {seed}: exit {done.returncode}: {done.stderr.decode()}")
        rsync = ["rsync", "-naHAXc", "-@-1", "--numeric-ids", "--itemize-changes", f"{wanted}/", f"{target}/"]
        told = subprocess.run(rsync, capture_output=True, check=True, text=True).stdout
        check(told == "", f"seed {seed}: the snapshot is not there besides:\n{told}")
        lost = [
            p for p, what in before.items()
            if not os.path.lexists(p) and not pathlib.Path(p).name.endswith(SUFFIXES)
            and not gave_way(pathlib.Path(p), target, wanted)
        ]
        check(lost == [], f"seed {seed}: what the snapshot does not have is gone: {lost}")


def may_be_log(path: pathlib.Path) -> bool:
    """Or what it may be the log of: they are replaced together."""
    return path.name.endswith(SUFFIXES) or has_log(path)


def has_log(path: pathlib.Path) -> bool:
    """What a log holds goes into its database before that is replaced, whatever other names it has."""
    return any(os.path.lexists(f"{path}{suffix}") for suffix in SUFFIXES)


def gave_way(path: pathlib.Path, target: pathlib.Path, wanted: pathlib.Path) -> bool:
    """Below what is no directory in the snapshot nothing can stay."""
    below = path.relative_to(target)
    return any(os.path.lexists(w := wanted / parent) and (w.is_symlink() or not w.is_dir()) for parent in below.parents)


def links_of(root: pathlib.Path) -> set:
    """Names that belong together, and how many names each file has anywhere."""
    groups: dict[int, list[str]] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            groups.setdefault(status.st_ino, [str(status.st_nlink)]).append(str(path.relative_to(root)))
    return {tuple(sorted(group)) for group in groups.values()}


def run(binary: str, args: list[str]) -> None:
    seeds = int(args[0]) if args else 40
    first = int(args[1]) if len(args) > 1 else 0
    if "owner" in args and os.getuid() == 0:
        with Workspace("in-place-owner") as work:
            os.chmod(work, 0o755)
            mine = work / "mine"
            mine.mkdir()
            os.chown(mine, USER, USER)
            setpriv = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
            environment = dict(os.environ, CAIRN_TEST_DIR=str(mine), HOME=str(mine), PYTHONDONTWRITEBYTECODE="1")
            done = subprocess.run([*setpriv, sys.executable, __file__, binary, str(seeds), str(first)], env=environment)
            check(done.returncode == 0, "as an owner")
        return
    with Workspace("in-place") as work:
        property_ = Property(Cairn(binary, work), work)
        for seed in range(first, first + seeds):
            property_.play(seed)
        print(f"{seeds} seeds: {property_.reused} bytes reused, {property_.fetched} fetched")


if __name__ == "__main__":
    main(run)
