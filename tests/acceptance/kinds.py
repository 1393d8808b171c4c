#!/usr/bin/env python3
"""Every kind of entry, odd names, and the sizes at the edges: restored with all metadata (as root: owners and devices)."""

import os
import pathlib
import socket
import sqlite3
import stat
import subprocess

from support import Cairn, Workspace, check, main, tree_differences


def make_tree(root: pathlib.Path, sparse: int = 20_000_000_000) -> None:
    root.mkdir()
    (root / "empty").write_bytes(b"")
    (root / "text").write_text("hello\n")
    os.chmod(root / "text", 0o4755)
    (root / "new\nline").write_text("newline")
    pathlib.Path(os.fsdecode(os.fsencode(root) + b"/not-utf8-\xff\xfe")).write_text("bytes")
    (root / ("x" * 255)).write_text("long")
    (root / "sub").mkdir(mode=0o1777)
    os.chmod(root / "sub", 0o1777)
    (root / "sub" / "empty-directory").mkdir()
    os.symlink("../nowhere/at all", root / "sub" / "symlink")
    os.symlink("sub", root / "link-to-directory")
    os.mkfifo(root / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(root / "socket"))
    (root / "hard").write_bytes(os.urandom(100_000))
    (root / "links").mkdir()
    for i in range(2000):
        os.link(root / "hard", root / "links" / f"{i:04}")
    with open(root / "sparse", "wb") as f:
        f.truncate(sparse)
        f.seek(sparse // 2)
        f.write(os.urandom(200_000))
    subprocess.run(["setfattr", "-n", "user.note", "-v", "value", str(root / "text")], check=True)
    subprocess.run(["setfacl", "-m", "u:1234:rwx", str(root / "text")], check=True)
    subprocess.run(["setfacl", "-d", "-m", "g:4321:r-x", str(root / "sub")], check=True)
    for pages in range(4):
        connection = sqlite3.connect(root / f"pages{pages}.db")
        for table in range(pages):
            connection.execute(f"CREATE TABLE t{table} (a)" if table else "PRAGMA user_version = 1")
        connection.commit()
        connection.close()
    if os.getuid() == 0:
        os.chown(root / "empty", 12345, 23456)
        os.mknod(root / "char", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(root / "block", 0o600 | stat.S_IFBLK, os.makedev(7, 99))
    os.utime(root / "text", ns=(1, 1_234_567_890_123_456_789))
    os.utime(root / "links", ns=(1, 987_654_321_000_000_001))


def run(binary: str, args: list[str]) -> None:
    with Workspace("kinds") as work:
        cairn = Cairn(binary, work)
        source = work / "source"
        make_tree(source)
        store = work / "store"
        cairn.run("init", "--store", store, "--no-encryption")
        first = cairn.json("snapshot", "--store", store, source)
        print(f"{first['files']} files, {first['bytes']} bytes, {first['stored_bytes']} stored")
        check(first["stored_bytes"] < 2_000_000, "holes were stored")
        cairn.run("restore", "--store", store, "source", work / "back")
        check(tree_differences(source, work / "back") == "", tree_differences(source, work / "back"))
        blocks = (work / "back" / "sparse").stat().st_blocks * 512
        check(blocks < 1_000_000, f"the sparse file takes {blocks} bytes")
        check((work / "back" / "hard").stat().st_nlink == 2001, "hard links were lost")
        again = cairn.json("snapshot", "--store", store, source)
        check(again["new_bytes"] == 0, f"an unchanged tree stored {again['new_bytes']} bytes")
        inside = source / "store"
        cairn.run("init", "--store", inside, "--no-encryption")
        nested = cairn.json("snapshot", "--store", inside, source, "--series", "nested")
        check(nested["files"] == first["files"], "a store inside the source was stored in itself")
        checked = cairn.json("verify", "--store", store, "--level", "full")
        print(f"verified {checked['bytes_verified']} bytes")


if __name__ == "__main__":
    main(run)
