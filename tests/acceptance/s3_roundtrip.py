#!/usr/bin/python3
"""Snapshots taken into a directory and pushed to a real S3 server survive the loss of everything else: a host with an
empty HOME, no configuration and no cache lists, verifies and restores them, data and metadata. Then the same without a
directory between, prune in the bucket, and what the program says when the server refuses."""

import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess

from gateway import Gateway
from kinds import make_tree
from support import Cairn, Workspace, check, main, tree_differences


def make_database(path: pathlib.Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
    connection.executemany("INSERT INTO t (b) VALUES (?)", ((os.urandom(1000),) for _ in range(20_000)))
    connection.commit()
    connection.close()


def rows(path: pathlib.Path) -> list:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT id, b FROM t ORDER BY id").fetchall()
    check(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{path} is corrupt")
    connection.close()
    return found


def rescue_host(binary: str, gateway: Gateway, home: pathlib.Path) -> Cairn:
    """The program where it never ran: an empty HOME, keys in the environment, nothing else."""
    home.mkdir()
    cairn = gateway.give_keys(Cairn(binary, home))
    del cairn.environment["CAIRN_CACHE_DIR"]
    cairn.environment["TMPDIR"] = str(home.parent)
    return cairn


class RoundTrip:
    def __init__(self, binary: str, work: pathlib.Path, gateway: Gateway):
        self.binary = binary
        self.work = work
        self.gateway = gateway
        self.bucket = gateway.make_bucket("roundtrip")
        self.url = gateway.url(self.bucket, "deep/prefix")
        self.tree = work / "tree"
        self.database = work / "state.db"
        make_tree(self.tree, sparse=1_000_000_000)
        make_database(self.database)
        (work / "home").mkdir()
        self.cairn = gateway.give_keys(Cairn(binary, work / "home"))

    def same_tree(self, back: pathlib.Path) -> None:
        differences = tree_differences(self.tree, back)
        check(differences == "", f"the restored tree differs:\n{differences}")

    def push_and_lose_everything(self) -> None:
        local = self.work / "local"
        self.cairn.run("init", "--store", local, "--no-encryption")
        taken = {
            self.cairn.json("snapshot", "--store", local, self.tree)["id"],
            self.cairn.json("snapshot", "--store", local, self.database)["id"],
        }
        self.cairn.run("init", "--store", self.url, "--no-encryption")
        self.cairn.run("push", "--from", local, "--to", self.url)
        pushed = self.gateway.objects(self.bucket)
        check(all(key.startswith("deep/prefix/") for key in pushed), "an object outside of the prefix")
        for again in ([], ["--all"]):
            self.cairn.run("push", "--from", local, "--to", self.url, *again)
            check(self.gateway.objects(self.bucket) == pushed, f"a second push {again} stored something")
        print(f"pushed {len(pushed)} objects, {sum(pushed.values())} bytes")
        shutil.rmtree(local)
        shutil.rmtree(self.work / "home")

        rescue = rescue_host(self.binary, self.gateway, self.work / "rescue")
        listed = rescue.json("list", "--store", self.url)["snapshots"]
        check({entry["id"] for entry in listed} == taken, f"listed {listed}, taken {taken}")
        verified = rescue.json("verify", "--store", self.url, "--level", "full")
        check(verified["bytes_verified"] > 10_000_000, f"verified {verified}")
        back = self.work / "back"
        result = rescue.json("restore", "--store", self.url, "tree", back)
        print(f"restored {result['bytes_written']} bytes in {result['requests']} requests")
        self.same_tree(back)
        rescue.run("restore", "--store", self.url, "state.db", self.work / "back.db")
        check(rows(self.work / "back.db") == rows(self.database), "the restored database differs")
        rescue.run("restore", "--store", self.url, "tree", self.work / "some", "--path", "links/0007", "--path", "text")
        check((self.work / "some" / "links" / "0007").read_bytes() == (self.tree / "hard").read_bytes(), "--path differs")
        shutil.rmtree(back)

    def snapshot_to_bucket(self) -> None:
        (self.work / "home").mkdir()
        (self.tree / "more").write_bytes(os.urandom(3_000_000))
        before = self.gateway.objects(self.bucket)
        # The cache went with HOME: what was stored is found in the bucket all the same.
        result = self.cairn.json("snapshot", "--store", self.url, self.tree)
        after = self.gateway.objects(self.bucket)
        check(before.items() <= after.items(), "a snapshot changed or removed objects")
        grown = sum(after.values()) - sum(before.values())
        print(f"snapshot to the bucket: {result['new_bytes']} new bytes, {grown} stored")
        check(3_000_000 <= grown <= 3_300_000, f"3 MB of news grew the bucket by {grown}")
        self.cairn.run("restore", "--store", self.url, "tree", self.work / "direct")
        self.same_tree(self.work / "direct")

    def prune(self) -> None:
        # Grace 0: nobody else uses this bucket.
        prune = ("prune", "--store", self.url, "--series", "tree", "--keep-last", "1", "--grace", "0s", "--exclusive")
        (self.tree / "more").unlink()
        self.cairn.run("snapshot", "--store", self.url, self.tree)
        before = self.gateway.objects(self.bucket)
        self.cairn.run(*prune)
        check(self.gateway.objects(self.bucket) == before, "prune without --apply changed the bucket")
        # One run marks, a later one deletes; the store's clock counts in seconds.
        for _ in range(3):
            self.cairn.run(*prune, "--apply")
            subprocess.run(["sleep", "1.1"], check=True)
        after = self.gateway.objects(self.bucket)
        manifests = [key for key in after if "/snapshots/tree/" in key]
        check(len(manifests) == 1, f"prune left {manifests}")
        packs_before = sum(size for key, size in before.items() if "/packs/" in key)
        packs_after = sum(size for key, size in after.items() if "/packs/" in key)
        print(f"prune: {len(before)} objects to {len(after)}, packs {packs_before} bytes to {packs_after}")
        check(packs_after <= packs_before - 3_000_000, "the pruned file's packs are still there")
        rescue = rescue_host(self.binary, self.gateway, self.work / "rescue2")
        rescue.run("verify", "--store", self.url, "--level", "full")
        rescue.run("restore", "--store", self.url, "tree", self.work / "pruned")
        self.same_tree(self.work / "pruned")
        rescue.run("restore", "--store", self.url, "state.db", self.work / "pruned.db")
        check(rows(self.work / "pruned.db") == rows(self.database), "the restored database differs")

    def refused(self, cairn: Cairn, status: int, first_line: str, hint: str, *command) -> None:
        done = cairn.run(*command, expect=status)
        lines = done.stderr.decode().splitlines()
        errors = [line for line in lines if line.startswith("cairn: error: ")]
        check(len(errors) == 1 and errors[0] == lines[0], f"{command}: not one error first: {lines}")
        check(first_line in errors[0], f"{command}: {errors[0]!r} does not say {first_line!r}")
        hints = [line for line in lines if line.startswith("hint: ")]
        check(len(hints) == 1 and hint in hints[0], f"{command}: hints {hints}, expected {hint!r}")
        check(self.gateway.secret_key not in done.stderr.decode(), f"{command}: the secret key is in the message")
        print(f"exit {status}: {errors[0]}; {hints[0]}")

    def bad_input(self) -> None:
        before = self.gateway.objects(self.bucket)
        commands = (
            ("list", "--store"),
            ("verify", "--store"),
            ("snapshot", self.database, "--store"),
            ("init", "--no-encryption", "--store"),
        )
        keys = "AWS_SECRET_ACCESS_KEY"
        for command in commands:
            cairn = rescue_host(self.binary, self.gateway, self.work / "refused")
            cairn.environment[keys] = "0" * 32
            self.refused(cairn, 1, "SignatureDoesNotMatch", "environment", *command, self.url)
            cairn.environment["AWS_ACCESS_KEY_ID"] = "nobody"
            self.refused(cairn, 1, "InvalidAccessKeyId", "environment", *command, self.url)
            del cairn.environment["AWS_ACCESS_KEY_ID"]
            done = cairn.run(*command, self.url, expect=None)
            check(done.returncode in (1, 2), f"half a key pair: exit {done.returncode}")

            self.gateway.give_keys(cairn)
            missing = self.gateway.url("no-such-bucket-" + self.bucket, "x")
            self.refused(cairn, 10, "NoSuchBucket", "bucket", *command, missing)
            with socket.socket() as closed:  # bound and not listening: nothing else takes the port meanwhile
                closed.bind(("127.0.0.1", 0))
                port = closed.getsockname()[1]
                cairn.environment["CAIRN_RETRY_BUDGET"] = "1"
                unreachable = f"s3://{self.bucket}/x?endpoint=http://127.0.0.1:{port}"
                self.refused(cairn, 1, "", f"http://127.0.0.1:{port}", *command, unreachable)
            del cairn.environment["CAIRN_RETRY_BUDGET"]
            if command[0] != "init":
                done = cairn.run(*command, self.gateway.url(self.bucket, "empty"), expect=10)
                check(done.stderr.startswith(b"cairn: error: "), f"{command}: {done.stderr}")
            shutil.rmtree(self.work / "refused")
        self.cairn.run("init", "--no-encryption", "--store", self.url, expect=2)
        self.cairn.run("init", "--no-encryption", "--store", self.url, "--if-missing")
        check(self.gateway.objects(self.bucket) == before, "what was refused changed the bucket")


def run(binary: str, args: list[str]) -> None:
    gateway = Gateway()
    with Workspace("s3") as work:
        trip = RoundTrip(binary, work, gateway)
        try:
            trip.push_and_lose_everything()
            trip.snapshot_to_bucket()
            trip.prune()
            trip.bad_input()
        finally:
            gateway.remove_bucket(trip.bucket)


main(run)
