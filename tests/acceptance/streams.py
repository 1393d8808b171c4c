#!/usr/bin/env python3
"""A tree of every kind of entry as a tar archive, unpacked by GNU tar and by bsdtar: equal to the source in all that pax
carries. Then damage in each pack and at many places: the status is not 0, and an archive that was cut is broken to who
reads it; a file is never anything but a beginning of what it was."""

import os
import pathlib
import random
import shutil
import stat
import subprocess

from kinds import make_tree
from support import Cairn, Workspace, check, main, tree_differences

PROGRAMS = {
    "tar": ["tar", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-xpf", "-"],
    "bsdtar": ["bsdtar", "--xattrs", "--acls", "--numeric-owner", "-xpf", "-"],
}
# Where a snapshot of the tree is damaged.
PLACES = 16


def more_kinds(root: pathlib.Path) -> None:
    """What an archive has to be careful with."""
    where = os.fsencode(root)
    deep = b"/links/" + b"d" * 120
    os.mkdir(where + deep)
    for name in (deep + b"/" + b"\xff" * 150, b"/" + "ä".encode() * 110, b"/a name ", b"/-x"):
        with open(where + name, "wb") as f:
            f.write(name)
    os.setxattr(root / "text", b"user.binary%q", b"v=\0\n")
    os.symlink("x" * 300, root / "long-symlink")
    os.symlink(b"\xff\xfe" * 80, where + b"/bad-symlink")
    for name, pieces, size in (
        (b"/odd-sparse", [(28772, 5000), (2_990_000, 1001)], 3_000_001),
        (b"/sparse-\xff", [(100_000, 1)], 300_000),
        (b"/many-holes", [(i * 2_000_000, 4096) for i in range(40)], 80_000_000),
        (b"/all-hole", [], 5_000_000),
    ):
        with open(where + name, "wb") as f:
            f.truncate(size)
            for at, length in pieces:
                f.seek(at)
                f.write(os.urandom(length))
    if os.getuid() == 0:
        os.chown(root / "odd-sparse", 3_000_000, 4_000_000)


def unpack(archive: bytes, program: str, to: pathlib.Path) -> int:
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    return subprocess.run(PROGRAMS[program], cwd=to, input=archive, stderr=subprocess.DEVNULL).returncode


def read_back(cairn: Cairn, store: pathlib.Path, source: pathlib.Path, work: pathlib.Path) -> None:
    archive = cairn.run("restore", "--store", store, "source", "-", "--tar").stdout
    check(len(archive) < 25_000_000, f"holes were sent: {len(archive)} bytes")
    (source / "socket").unlink()
    root = os.stat(source)
    os.utime(source, ns=(root.st_atime_ns, 1_700_000_000_000_000_000))
    for program in PROGRAMS:
        if shutil.which(program) is None:
            print(f"{program}: not here")
            continue
        check(unpack(archive, program, work / "out") == 0, f"{program} failed")
        # The root's time is that before the socket went; bsdtar puts none on it at all.
        os.utime(work / "out", ns=(root.st_atime_ns, 1_700_000_000_000_000_000))
        different = tree_differences(source, work / "out")
        check(different == "", f"{program}: {different[:2000]}")
        for name in ("sparse", "many-holes", "all-hole"):
            took = (work / "out" / name).stat().st_blocks
            check(took * 512 < 20_000_000, f"{program}: {name} takes {took} blocks")
        print(f"{program}: equal")


def regular_files(root: pathlib.Path) -> list[pathlib.Path]:
    """Nothing follows a symlink here: rglob does, and one whose target is too long ends it."""
    found = (pathlib.Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return [path for path in found if stat.S_ISREG(path.lstat().st_mode)]


def damaged(cairn: Cairn, store: pathlib.Path, source: pathlib.Path, work: pathlib.Path) -> None:
    rng = random.Random(5)
    packs = sorted(path for path in (store / "packs").rglob("*") if path.is_file())
    outcomes = {"cut": 0, "left out": 0, "nothing": 0}
    for _ in range(PLACES):
        pack = rng.choices(packs, [path.stat().st_size for path in packs])[0]
        whole = pack.read_bytes()
        at = rng.randrange(len(whole))
        os.chmod(pack, 0o600)
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        shutil.rmtree(work / ".cache", ignore_errors=True)
        done = cairn.run("restore", "--store", store, "source", "-", "--tar", expect=None)
        status = unpack(done.stdout, "tar", work / "out")
        if done.returncode == 0:
            # A second copy or an unused byte: then everything is there.
            check(status == 0, f"{pack} at {at}: exit 0, and tar fails")
        else:
            check(done.returncode == 4, f"{pack} at {at}: exit {done.returncode}: {done.stderr[-500:]!r}")
            told = b"damaged" in done.stderr or b"unable to restore" in done.stderr
            check(b"cairn: error: " in done.stderr and told, f"what is damaged is not told: {done.stderr!r}")
            cut = b"is cut short" in done.stderr
            check(not cut or status != 0, f"{pack} at {at}: what was cut is whole to tar")
            check(cut or not done.stdout or status == 0, f"{pack} at {at}: what was not cut is broken to tar")
            outcomes["cut" if cut else "left out" if done.stdout else "nothing"] += 1
        for path in regular_files(work / "out"):
            original = (source / path.relative_to(work / "out")).read_bytes()
            check(original.startswith(path.read_bytes()) or path.stat().st_size > 1_000_000, f"{path} is another file")
            if done.returncode == 0 or status == 0:
                check(path.read_bytes() == original, f"{path} differs in an archive that is whole")
        pack.write_bytes(whole)
    print(", ".join(f"{count} {name}" for name, count in outcomes.items()))
    check(sum(outcomes.values()) > PLACES // 2, "the damage was hardly met")


def run(binary: str, args: list[str]) -> None:
    with Workspace("streams") as work:
        cairn = Cairn(binary, work)
        source = work / "source"
        make_tree(source, sparse=200_000_000)
        more_kinds(source)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        cairn.run("snapshot", "--store", store, source)
        read_back(cairn, store, source, work)
        small = work / "small"
        slow_or_odd = shutil.ignore_patterns("sparse", "many-holes", "links", "fifo", "char", "block")
        shutil.copytree(source, small / "source", symlinks=True, ignore=slow_or_odd)
        with open(small / "source" / "large", "wb") as f:
            f.write(os.urandom(24_000_000))
        other = work / "other"
        cairn.run("init", "--store", other, "--no-encryption")
        cairn.run("snapshot", "--store", other, small / "source")
        damaged(cairn, other, small / "source", work)


if __name__ == "__main__":
    main(run)
