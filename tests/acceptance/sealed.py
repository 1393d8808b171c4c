#!/usr/bin/env python3
"""A host that has recipients and its own writer key, no identity: it snapshots, pushes, lists, prunes and verifies, and
cannot restore; whoever has the identity can. The writer key is lost, recipients change, and what was planted in names,
content, host, path and tags is found in no stored object."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import time

from sealing import (
    Identity,
    Pack,
    fingerprint,
    host,
    logical_id,
    manifests_of,
    need,
    packs_of,
    read_manifest,
    recovery_material,
    run_as_host,
    sealed_manifest_logical_ids,
    what_leaks,
)
from support import Cairn, Workspace, check, main, run_steps, store_bytes, tree_differences

PRUNE = ("--grace", "0s", "--exclusive", "--apply")


def text_of(done) -> str:
    return done.stdout.decode() + done.stderr.decode()


class Sealed:
    def __init__(self, binary: str, work: pathlib.Path):
        self.binary = binary
        self.work = work
        self.writer = host(binary, work / "writer")
        self.rescue = host(binary, work / "rescue")
        self.identity = Identity.make(self.rescue, work / "identity.txt")
        self.store = work / "store"
        self.tree = work / "tree"
        self.tree.mkdir()
        rng = random.Random(1)
        for i in range(20):
            (self.tree / f"f{i}").write_bytes(rng.randbytes(300_000))
        (self.tree / "sub").mkdir()
        (self.tree / "sub" / "text").write_text("line of text\n" * 5000)
        self.writer.run("init", "--store", self.store, "--recipient", self.identity.recipient)

    def with_identity(self, *args, identity: Identity | None = None, cairn: Cairn | None = None, expect: int = 0):
        cairn = cairn or self.rescue
        return cairn.run(*args, "--identity", (identity or self.identity).file, expect=expect)

    def restores(self, reference: str, like: pathlib.Path, store: pathlib.Path | None = None, identity: Identity | None = None):
        back = self.work / "back"
        self.with_identity("restore", "--store", store or self.store, reference, back, identity=identity)
        check(tree_differences(like, back) == "", tree_differences(like, back))
        shutil.rmtree(back)

    def no_key(self, *command, cairn: Cairn | None = None) -> None:
        done = (cairn or self.writer).run(*command, expect=12)
        check(b"\nhint: " in done.stderr, f"{command}: no hint in {done.stderr}")

    def writes_without_reading(self) -> None:
        snapshot = ("snapshot", "--store", self.store, self.tree, "--series", "s")
        first = self.writer.json(*snapshot)
        time.sleep(2.1)  # files that were touched at the time of a snapshot are read again
        second = self.writer.json(*snapshot)
        check(second["new_bytes"] <= first["new_bytes"] // 100, f"an unchanged tree: {second['new_bytes']} new bytes")
        check(second["stored_bytes"] <= first["stored_bytes"] // 100, f"an unchanged tree stored {second['stored_bytes']}")
        old = self.work / "old"
        shutil.copytree(self.tree, old, symlinks=True, copy_function=shutil.copy2)
        with open(self.tree / "sub" / "text", "ab") as file:
            file.write(b"and a bit more\n")
        (self.tree / "f3").rename(self.tree / "moved")
        third = self.writer.json(*snapshot)
        check(third["new_bytes"] < 400_000, f"a line and a rename: {third['new_bytes']} new bytes")
        print(f"snapshots: {first['stored_bytes']}, {second['stored_bytes']}, {third['stored_bytes']} bytes stored")
        self.taken = [first, second, third]

        # The host sees its own; a stranger sees what is public, the rest as null.
        own = self.writer.json("list", "--store", self.store)["snapshots"]
        check(all(entry["host"] and entry["bytes"] for entry in own) and len(own) == 3, f"its own: {own}")
        stranger = host(self.binary, self.work / "stranger")
        for entry, taken in zip(stranger.json("list", "--store", self.store)["snapshots"], self.taken):
            check(entry["id"] == taken["id"] and entry["cut_point"] == taken["cut_point"], f"public: {entry}")
            for name in ("host", "kind", "source", "bytes", "files", "new_bytes", "stored_bytes", "tags"):
                check(entry[name] is None, f"a stranger sees {name}: {entry}")
        check(stranger.run("list", "--store", self.store).returncode == 0, "list for people")
        self.no_key("list", "--store", self.store, "s", "--files", cairn=stranger)

        for who in (self.writer, stranger):
            target = self.work / "target"
            self.no_key("restore", "--store", self.store, "s", target, cairn=who)
            check(not target.exists(), "a restore without a key left something")
        self.no_key("diff", "--store", self.store, first["id"], third["id"], cairn=stranger)
        self.restores(first["id"], old)
        self.restores(third["id"], self.tree)
        # One file, and its bytes alone: not the whole pack.
        some = self.rescue.json(
            "restore", "--store", self.store, "s", self.work / "some", "--path", "f7", "--identity", self.identity.file
        )
        check((self.work / "some" / "f7").read_bytes() == (self.tree / "f7").read_bytes(), "--path differs")
        plain = self.work / "ranges"
        self.rescue.run("init", "--store", plain, "--no-encryption")
        self.rescue.run("snapshot", "--store", plain, old, "--series", "s")
        like = self.rescue.json("restore", "--store", plain, "s", self.work / "some2", "--path", "f7")
        print(f"one file of 300000 bytes: {some['bytes_fetched']} bytes fetched in {some['requests']} requests, "
              f"{like['bytes_fetched']} from a plain store")
        # Two segments that begin or end elsewhere for each range, and the padding of the directories.
        check(some["bytes_fetched"] < like["bytes_fetched"] + 300_000, "more is fetched than the segments of the file")

    def verifies(self) -> None:
        stranger = host(self.binary, self.work / "stranger2")
        for who in (self.writer, stranger):
            for level in ("quick", "sample", "full"):
                done = who.run("verify", "--store", self.store, "--level", level)
                said = "not decoded" in text_of(done)
                check(said == (level == "full") or level == "sample", f"verify {level}: {text_of(done)}")
        opened = self.with_identity("verify", "--store", self.store, "--level", "full")
        check("not decoded" not in text_of(opened), text_of(opened))
        numbers = self.writer.json("verify", "--store", self.store, "--level", "full")
        check(numbers["packs_closed"] >= 1 and numbers["problems"] == [], f"{numbers}")
        # Damage is found by the hash alone, by name.
        pack = max(packs_of(self.store), key=lambda path: path.stat().st_size)
        good = pack.read_bytes()
        pack.write_bytes(good[:70_000] + bytes([good[70_000] ^ 1]) + good[70_001:])
        for who in (self.writer, stranger):
            done = who.run("verify", "--store", self.store, "--level", "full", expect=4)
            check(pack.name in text_of(done), f"the damaged pack is not named: {text_of(done)}")
        pack.write_bytes(good)

    def pushes(self) -> None:
        # Between stores of the same recipients the host needs to read nothing; also from a plain one into a sealed one.
        other = self.work / "other"
        self.writer.run("init", "--store", other, "--recipient", self.identity.recipient)
        self.writer.run("push", "--from", self.store, "--to", other, "--all")
        check(len(manifests_of(other)) == 3, "push --all left out something")
        self.restores(self.taken[2]["id"], self.tree, store=other)
        seen = fingerprint(other)
        self.writer.run("push", "--from", self.store, "--to", other, "--all")
        check(fingerprint(other) == seen, "a second push stored something")

        plain = self.work / "plain"
        bucket = self.work / "bucket"
        self.writer.run("init", "--store", plain, "--no-encryption")
        taken = self.writer.json("snapshot", "--store", plain, self.tree, "--series", "p")
        self.writer.run("init", "--store", bucket, "--recipient", self.identity.recipient)
        self.writer.run("push", "--from", plain, "--to", bucket)
        check([read_manifest(path)["record"] for path in manifests_of(bucket)] ==
              [read_manifest(path)["record"] for path in manifests_of(plain)], "push changed the record")
        self.restores(taken["id"], self.tree, store=bucket)

        # Other recipients: the content has to be opened, so it takes an identity.
        second = Identity.make(self.rescue, self.work / "second.txt")
        moved = self.work / "moved"
        self.rescue.run("init", "--store", moved, "--recipient", second.recipient)
        self.no_key("push", "--from", self.store, "--to", moved, "--all", cairn=self.writer)
        check(manifests_of(moved) == [], "a push without a key committed something")
        self.with_identity("push", "--from", self.store, "--to", moved, "--all")
        self.restores(self.taken[2]["id"], self.tree, store=moved, identity=second)
        names = [{path.name for path in packs_of(store)} for store in (self.store, moved)]
        check(names[1] != set() and not names[0] & names[1], "packs for other recipients are those of before")
        self.with_identity("restore", "--store", moved, "s", self.work / "none", expect=12)

    def prunes(self) -> None:
        stranger = host(self.binary, self.work / "pruner")
        for _ in range(3):
            stranger.run("prune", "--store", self.store, "--series", "s", "--keep-last", "1", *PRUNE)
            time.sleep(0.02)
        left = self.writer.json("list", "--store", self.store)["snapshots"]
        check([entry["id"] for entry in left] == [self.taken[2]["id"]], f"prune left {left}")
        self.restores("s", self.tree)

    def loses_its_key(self) -> None:
        sequence = json.loads(read_manifest(manifests_of(self.store, "s")[-1])["record"])["sequence"]
        before = store_bytes(self.store)
        for what in (["state/writer.key"], ["state/writer.key", "cache"]):
            for name in what:
                path = self.writer.home / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            taken = self.writer.json("snapshot", "--store", self.store, self.tree, "--series", "s")
            sequence += 1
            record = json.loads(read_manifest(manifests_of(self.store, "s")[-1])["record"])
            check(record["sequence"] == sequence, f"sequence {record['sequence']}, expected {sequence}")
            check(record["previous"] is not None, "no predecessor")
            if len(what) == 2:
                check(taken["new_bytes"] > 5_900_000, f"without key and cache: {taken['new_bytes']} new bytes")
                check(store_bytes(self.store) - before > 5_900_000, "no second copy was stored")
            print(f"without {' and '.join(what)}: {taken['new_bytes']} new bytes")
            for entry in self.rescue.json("list", "--store", self.store)["snapshots"]:
                self.restores(entry["id"], self.tree)
            time.sleep(2.1)
            again = self.writer.json("snapshot", "--store", self.store, self.tree, "--series", "s")
            sequence += 1
            check(again["stored_bytes"] < 100_000, f"the run after stored {again['stored_bytes']}")

    def changes_recipients(self) -> None:
        new = Identity.make(self.rescue, self.work / "new.txt")
        old_id = self.writer.json("list", "--store", self.store)["snapshots"][-1]["id"]
        snapshot = ("snapshot", "--store", self.store, self.tree, "--series", "s")
        done = self.writer.run("key", "add", "--store", self.store, new.recipient)
        check("stored already is not" in text_of(done), f"key add: {text_of(done)}")
        # Every other host refuses what it was not told of.
        self.rescue.run("list", "--store", self.store, expect=13)
        self.rescue.run("key", "accept", "--store", self.store, expect=2)
        self.rescue.run("key", "accept", "--store", self.store, self.identity.recipient, new.recipient)
        done = self.writer.run(*snapshot)
        # "the first one after a change of keys is full, and says so"
        said = "sealed to other recipients than now: what they hold is stored again"
        check(said in text_of(done), f"the snapshot after key add does not say that it is full: {text_of(done)}")
        both = self.writer.json("list", "--store", self.store)["snapshots"][-1]
        check(both["new_bytes"] > 5_900_000, f"after key add: {both['new_bytes']} new bytes")
        self.restores(both["id"], self.tree)
        self.restores(both["id"], self.tree, identity=new)
        self.with_identity("restore", "--store", self.store, old_id, self.work / "none", identity=new, expect=12)

        done = self.writer.run("key", "remove", "--store", self.store, self.identity.recipient)
        self.rescue.run("key", "accept", "--store", self.store, new.recipient)
        check("can still be opened" in text_of(done), f"key remove: {text_of(done)}")
        done = self.writer.run(*snapshot)
        check(said in text_of(done), f"the snapshot after key remove does not say that it is full: {text_of(done)}")
        last = self.writer.json("list", "--store", self.store)["snapshots"][-1]
        check(last["new_bytes"] > 5_900_000, f"after key remove: {last['new_bytes']} new bytes")
        self.restores(last["id"], self.tree, identity=new)
        self.with_identity("restore", "--store", self.store, last["id"], self.work / "none", expect=12)
        self.restores(old_id, self.tree)
        time.sleep(2.1)
        again = self.writer.json(*snapshot)
        check(again["stored_bytes"] < 100_000, f"the run after stored {again['stored_bytes']}")
        check(said not in text_of(self.writer.run(*snapshot)), "a later snapshot says that it is full")
        listed = self.writer.json("key", "list", "--store", self.store)
        check(listed["recipients"] == [new.recipient] and listed["generation"] == 3, f"key list: {listed}")
        self.writer.run("key", "remove", "--store", self.store, new.recipient, expect=2)
        self.writer.run("key", "remove", "--store", self.store, self.identity.recipient, expect=2)


class Secrets:
    """Everything that can be planted, in sources of every kind, then searched for in what is stored."""

    def __init__(self, sealed: Sealed):
        self.sealed = sealed
        self.work = sealed.work
        self.tree = self.work / "Planted-Source-Path"
        self.store = self.work / "searched"

    def plant(self) -> None:
        tree = self.tree
        tree.mkdir()
        (tree / "planted-directory-name").mkdir()
        (tree / "planted-directory-name" / "planted-file-name").write_text("planted-compressible-content\n" * 4000)
        (tree / "incompressible").write_bytes(os.urandom(3000) + b"planted-random-content" + os.urandom(300_000))
        (tree / "small").write_bytes(b"a small file, one chunk: planted-small-content\n")
        os.symlink("planted-link-target", tree / "link")
        os.setxattr(tree / "small", "user.planted-attribute", b"planted-attribute-value")
        connection = sqlite3.connect(tree / "rows.db")
        connection.execute("CREATE TABLE planted_table (planted_column TEXT)")
        connection.executemany("INSERT INTO planted_table VALUES (?)", ((f"planted-row {i}",) for i in range(3000)))
        connection.commit()
        connection.close()

    def search(self) -> None:
        sealed = self.sealed
        writer = sealed.writer
        plain = self.work / "searched-plain"
        writer.run("init", "--store", self.store, "--recipient", sealed.identity.recipient)
        writer.run("init", "--store", plain, "--no-encryption")
        tag = ("--tag", "Planted-Tag-Key=planted-tag-value")
        for store in (self.store, plain):
            run_as_host(writer, "planted-host", "snapshot", "--store", store, self.tree, "--series", "s", *tag)
            run_as_host(writer, "planted-host", "snapshot", "--store", store, self.tree / "rows.db", "--series", "d", *tag)
            command = ("--", "sh", "-c", "cat planted-command-argument; seq 200000; echo planted-command-output")
            subprocess.run(["touch", "planted-command-argument"], cwd=self.work, check=True)
            os.chdir(self.work)
            run_as_host(writer, "planted-host", "snapshot", "--store", store, "--series", "c", *command)
            # A removed manifest lives on in a mark, and pending records come from a run that is stopped.
            writer.run("snapshot", "--store", store, self.tree, "--series", "s")
            writer.run("prune", "--store", store, "--series", "s", "--keep-last", "1", *PRUNE)
            self.interrupt(store)
        check(list((self.store / "marks").iterdir()) != [], "no mark was written")
        check(list((self.store / "pending").iterdir()) != [], "no pending record was written")

        needles = {}
        for text in ("Planted-Source-Path", "planted-directory-name", "planted-file-name", "planted-compressible-content",
                     "planted-random-content", "planted-small-content", "planted-link-target", "planted-attribute",
                     "planted_table", "planted-row", "Planted-Tag-Key", "planted-tag-value", "planted-command-output",
                     "pending-name", "single_file", "rows.db"):
            needles[text] = text.encode()
        if os.geteuid() == 0:
            needles["planted-host"] = b"planted-host"
        visible = what_leaks(plain, needles, self.work)
        check(visible.keys() == needles.keys(), f"the search finds only {visible.keys()} in a plain store")

        digests = {}
        for series in ("s", "d", "c"):
            shown = json.loads(sealed.with_identity("--json", "show", "--store", self.store, series).stdout)
            for pack in shown["packs"]:
                digests[f"logical id {pack['logical_id'][:8]}"] = pack["logical_id"]
        for manifest in manifests_of(self.store):
            ids = sealed_manifest_logical_ids(sealed.identity.file, read_manifest(manifest))
            digests |= {f"logical id {each[:8]} (manifest)": each for each in ids}
        count = 0
        for path in packs_of(self.store):
            chunks = Pack(path.read_bytes()).chunks(sealed.identity.file)
            digests[f"logical id of {path.name[:8]}"] = logical_id(chunks)
            count += len(chunks)
            for digest, _ in random.Random(2).sample(chunks, min(30, len(chunks))):
                digests[f"chunk {digest.hex()[:8]}"] = digest.hex()
        for path in self.tree.rglob("*"):
            if path.is_file() and not path.is_symlink():
                digests[f"file {path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        pages = (self.tree / "rows.db").read_bytes()
        for at in range(0, len(pages), 4096):
            digests[f"page {at}"] = hashlib.sha256(pages[at : at + 4096]).hexdigest()
        for name, digest in digests.items():
            needles[f"{name} as hex"] = digest[:16].encode()  # as much as extents have
            needles[f"{name} as bytes"] = bytes.fromhex(digest)[:12]
        found = what_leaks(plain, needles, self.work)
        check(any("chunk" in name or "page" in name for name in found), "the search finds no digest in a plain store")
        check(recovery_material(self.store) == recovery_material(plain) != {}, "recover/ depends on the store")
        leaks = what_leaks(self.store, needles, self.work)
        check(leaks == {}, f"found in a sealed store: {leaks}")
        objects = sum(path.is_file() for path in self.store.rglob("*"))
        print(f"{len(needles)} strings and digests (of {count} chunks) are in none of {objects} objects; "
              f"{len(found)} of them are in a plain store")

    def interrupt(self, store: pathlib.Path) -> None:
        big = self.work / "big"
        big.mkdir(exist_ok=True)
        for i in range(3):
            (big / f"pending-name-{i}").write_bytes(os.urandom(25_000_000))
        before = len(packs_of(store))
        # It does not end by itself, however slow this test looks.
        process = self.sealed.writer.start("snapshot", "--store", store, "--series", "big", "--", "sh", "-c",
                                           f"cat {big}/*; exec sleep 600")
        while process.poll() is None and len(packs_of(store)) == before:
            time.sleep(0.002)
        process.terminate()
        process.communicate()
        check(process.returncode == 143, f"an interrupted snapshot: exit {process.returncode}")
        self.sealed.writer.run("snapshot", "--store", store, big, "--series", "big")
        shutil.rmtree(big)


def run(binary: str, args: list[str]) -> None:
    need("age", "zstd")
    with Workspace("sealed") as work:
        sealed = Sealed(binary, work)
        steps = [sealed.writes_without_reading, sealed.verifies, sealed.pushes, sealed.prunes, sealed.loses_its_key,
                 sealed.changes_recipients]
        secrets = Secrets(sealed)
        steps += [secrets.plant, secrets.search]
        run_steps(steps)


main(run)
