#!/usr/bin/env python3
"""Restores to file systems that cannot have everything: content is in place all the same, each kind of what is missing is
told once, and what cannot be there at all is named. Then again in place: nothing is written that is there, and what is
the file system's own stays. Arguments: the file systems (all). Needs root, and loop devices; those whose programs or
drivers are not here are skipped."""

import contextlib
import filecmp
import os
import pathlib
import shutil
import stat
import subprocess

from kinds import make_tree
from support import Cairn, Workspace, check, main, tree_differences

# How each is made on a block device, and mounted; which of the tree it cannot have.
MAKE = {
    "ramfs": (None, ["mount", "-t", "ramfs", "none"]),
    "ext4": (["mkfs.ext4", "-q"], ["mount", "-t", "ext4"]),
    "xfs": (["mkfs.xfs", "-q", "-f"], ["mount", "-t", "xfs"]),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], ["mount", "-t", "btrfs"]),
    "ntfs": (["mkfs.ntfs", "-q", "-F", "-f"], ["ntfs-3g"]),
    "exfat": (["mkfs.exfat"], ["mount.exfat-fuse"]),
}
UNFIT = {
    "ntfs": {"not-utf8-\udcff\udcfe"},
    "exfat": {
        "not-utf8-\udcff\udcfe", "new\nline", "block", "char", "fifo", "socket", "link-to-directory", "sub/symlink",
    },
}
# What warnings tell of: their kinds, which is what no number and no name is.
KINDS = ["extended attribute", "access control list", "owner of", "mode of", "times of", "hard link"]
TOLD = {
    "ramfs": {"extended attribute", "access control list"},
    "ntfs": {"owner of", "mode of"},
    "exfat": {"extended attribute", "access control list", "owner of", "mode of", "hard link"},
}
# XFS shows an ACL as an attribute, too, which rsync takes for a difference.
WHOLE = {"ext4", "btrfs"}


@contextlib.contextmanager
def mounted(name: str, work: pathlib.Path):
    """The mount point; nothing where it cannot be had here."""
    make, mount = MAKE[name]
    missing = [program for program in [*(make or [])[:1], mount[0]] if shutil.which(program) is None]
    if missing:
        print(f"SKIPPED: {name}: no {missing[0]}", flush=True)
        yield None
        return
    point = work / f"mounted-{name}"
    point.mkdir()
    device = []
    if make:
        image = work / f"{name}.img"
        with open(image, "wb") as file:
            file.truncate(400_000_000)
        done = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"SKIPPED: {name}: no loop device: {done.stderr.strip()}", flush=True)
            yield None
            return
        device = [done.stdout.strip()]
    try:
        if make:
            subprocess.run([*make, *device], check=True, capture_output=True)
        done = subprocess.run([*mount, *device, point], capture_output=True, text=True)
        if done.returncode != 0 or not os.path.ismount(point):
            print(f"SKIPPED: {name}: not mounted: {done.stderr.strip()}", flush=True)
            yield None
            return
        try:
            yield point
        finally:
            subprocess.run(["umount", point], check=True)
    finally:
        if device:
            subprocess.run(["losetup", "-d", *device], check=True)


def regular_files(root: pathlib.Path) -> set[str]:
    found = (pathlib.Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return {str(path.relative_to(root)) for path in found if stat.S_ISREG(path.lstat().st_mode)}


def check_told(name: str, done: subprocess.CompletedProcess) -> None:
    text = done.stderr.decode(errors="replace")
    check(done.returncode == (1 if UNFIT.get(name) else 0), f"{name}: exit {done.returncode}: {text}")
    warnings = [line for line in text.splitlines() if line.startswith("cairn: warning: ")]
    told = [next((kind for kind in KINDS if kind in line), line) for line in warnings]
    check(len(told) == len(set(told)), f"{name}: a kind is told more than once: {warnings}")
    check(set(told) == TOLD.get(name, set()), f"{name}: told of {sorted(told)}: {text}")
    left_out = text.count("cairn: error: unable to restore ")
    check(left_out == len(UNFIT.get(name, set())), f"{name}: {left_out} left out: {text}")


def play(name: str, cairn: Cairn, source: pathlib.Path, store: pathlib.Path, point: pathlib.Path) -> None:
    own = {p.name for p in point.iterdir()}
    done = cairn.run("restore", "--store", store, "s", point, expect=None)
    check_told(name, done)
    wanted = regular_files(source) - UNFIT.get(name, set())
    check(regular_files(point) == wanted, f"{name}: {sorted(regular_files(point) ^ wanted)[:5]}")
    different = [path for path in wanted if not filecmp.cmp(source / path, point / path, shallow=False)]
    check(different == [], f"{name}: another content: {different[:5]}")
    if name in WHOLE:
        changed = [line for line in tree_differences(source, point).splitlines() if "lost+found" not in line]
        check([line for line in changed if not line.endswith(" ./")] == [], f"{name}: {changed[:5]}")
    again = cairn.run("restore", "--store", store, "s", point, "--in-place", "--delete", expect=None)
    check_told(name, again)
    check(own <= {p.name for p in point.iterdir()}, f"{name}: what is the file system's own is gone")
    check(regular_files(point) == wanted, f"{name}: in place: {sorted(regular_files(point) ^ wanted)[:5]}")
    if not TOLD.get(name):
        plan = cairn.json("restore", "--store", store, "s", point, "--in-place", "--delete", "--plan")["plan"]
        made = {key: plan[key] for key in ("create", "change", "metadata", "delete") if plan[key]}
        check(made == {}, f"{name}: nothing differs, and yet it would make {made}")
    print(f"{name}: {len(wanted)} files, {len(UNFIT.get(name, set()))} left out", flush=True)


def run(binary: str, args: list[str]) -> None:
    if os.getuid() != 0:
        print("SKIPPED: needs root", flush=True)
        return
    with Workspace("file-systems") as work:
        cairn = Cairn(binary, work)
        source = work / "source"
        make_tree(source, sparse=20_000_000)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        cairn.run("snapshot", "--store", store, "--series", "s", source)
        for name in args or MAKE:
            with mounted(name, work) as point:
                if point:
                    play(name, cairn, source, store, point)


if __name__ == "__main__":
    main(run)
