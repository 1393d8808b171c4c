#!/usr/bin/env python3
"""Whoever can write to the store, and has its public keys but no signing key, plants forged snapshots: each is refused or
harmless for hosts that trust a key."""

import json
import pathlib
import random
import shutil
import time

from sealing import (
    Identity,
    Pack,
    SigningKey,
    age_decrypt,
    age_encrypt,
    change_record,
    host,
    join_pack,
    manifests_of,
    need,
    packs_of,
    put_manifest,
    put_pack,
    read_manifest,
    sealed_manifest_logical_ids,
    snapshot_id,
)
from support import Workspace, check, main, run_steps, tree_differences

PRUNE = ("--grace", "0s", "--exclusive", "--apply")
FUTURE = "2031-01-0{}T00:00:00.000000000Z"


class Forged:
    def __init__(self, binary: str, work: pathlib.Path):
        self.binary = binary
        self.work = work
        self.owner = host(binary, work / "owner")
        self.attacker = host(binary, work / "attacker")
        self.identity = Identity.make(self.owner, work / "identity.txt")
        self.key = SigningKey.make(self.owner, work / "sign.pem")
        self.foreign = SigningKey.make(self.attacker, work / "foreign.pem")
        self.clean = work / "clean"
        self.store = work / "store"
        self.configuration = work / "cairn.toml"
        self.configuration.write_text(
            f'[stores.it]\nurl = "{self.store}"\nrecipients = ["{self.identity.recipient}"]\n'
            f'trusted_keys = [{{ key = "{self.key.public}", series = "*" }}]\n'
        )
        self.owner.environment |= {
            "CAIRN_CONFIG": str(self.configuration),
            "CAIRN_IDENTITY": str(self.identity.file),
            "CAIRN_SIGNING_KEY": str(self.key.file),
        }
        self.tree = work / "tree"
        self.tree.mkdir()
        rng = random.Random(9)
        for i in range(10):
            (self.tree / f"f{i}").write_bytes(rng.randbytes(100_000))
        self.evil = work / "evil"
        self.evil.mkdir()
        (self.evil / "f0").write_bytes(b"evil" * 30_000)
        self.owner.run("init", "--store", "it")
        self.trees = {}
        for i in range(3):
            (self.tree / f"new{i}").write_bytes(rng.randbytes(50_000))
            taken = self.owner.json("snapshot", "--store", "it", self.tree, "--series", "s")["id"]
            self.trees[taken] = work / f"tree{i}"
            shutil.copytree(self.tree, self.trees[taken], copy_function=shutil.copy2)
        self.real = list(self.trees)
        self.other_series = self.owner.json("snapshot", "--store", "it", self.evil, "--series", "other")["id"]
        self.store.rename(self.clean)

    def fresh(self) -> None:
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.rmtree(self.work / "back", ignore_errors=True)
        shutil.copytree(self.clean, self.store, copy_function=shutil.copy2)
        shutil.rmtree(self.owner.home / "cache", ignore_errors=True)

    def listed(self) -> dict:
        return {entry["id"]: entry for entry in self.owner.json("list", "--store", "it")["snapshots"]}

    def all_is_well(self, forged: list[str], newest: str | None = None, noted: bool = True) -> None:
        """The real snapshots are whole, nothing of what is forged is taken for one."""
        newest = newest or self.real[-1]
        listed = self.listed()
        for each in forged:
            check(each not in listed or not listed[each]["trusted"], f"list takes {each} for real: {listed.get(each)}")
            if noted:
                check(each in listed, f"list does not show {each}")
            back = self.work / "back"
            done = self.owner.run("restore", "--store", "it", each, back, expect=None)
            check(done.returncode in ((13,) if noted else (13, 10, 4)), f"restore of {each}: exit {done.returncode}: {done.stderr.decode()}")
            check(not back.exists(), f"the refused restore of {each} left something")
        for reference in (("latest", "--series", "s"), ("s",)):
            shown = self.owner.json("show", "--store", "it", *reference)
            check(shown["id"] == newest, f"{reference} is {shown['id']}, expected {newest}")
        # Retention keeps as many real ones as without the forged.
        self.owner.run("prune", "--store", "it", "--series", "s", "--keep-last", "2", *PRUNE)
        time.sleep(0.02)
        self.owner.run("prune", "--store", "it", "--series", "s", "--keep-last", "2", *PRUNE)
        kept = [each for each, entry in self.listed().items() if each in self.trees and entry["trusted"]]
        check(kept == self.real[: self.real.index(newest) + 1][-2:], f"prune kept {kept} of {self.real}")
        for each in kept:
            self.restores(each, self.trees[each])
        # A snapshot leans on none of it.
        taken = self.owner.json("snapshot", "--store", "it", self.tree, "--series", "s")
        shown = self.owner.json("show", "--store", "it", taken["id"])
        check(shown["previous"] == newest, f"the next snapshot follows {shown['previous']}, expected {newest}")
        self.restores(taken["id"], self.tree)

    def restores(self, reference: str, like: pathlib.Path) -> None:
        back = self.work / "back"
        self.owner.run("restore", "--store", "it", reference, back)
        check(tree_differences(like, back) == "", f"{reference} restored otherwise: {tree_differences(like, back)}")
        shutil.rmtree(back)

    def attack(self, *args, signed: bool, series: str = "s") -> str:
        """The program itself, run by somebody else."""
        if signed:
            self.attacker.environment["CAIRN_SIGNING_KEY"] = str(self.foreign.file)
        else:
            self.attacker.environment.pop("CAIRN_SIGNING_KEY", None)
        return self.attacker.json("snapshot", "--store", self.store, self.evil, "--series", series, *args)["id"]

    def seven_from_the_future(self) -> None:
        self.fresh()
        newest = read_manifest(manifests_of(self.store, "s")[-1])
        forged = []
        for i in range(1, 8):
            # With the signature of the real one, which does not fit, with none, and with a stranger's.
            signatures = newest["signatures"] if i % 2 else []
            manifest = change_record(newest | {"signatures": signatures}, cut_point=FUTURE.format(i), sequence=3 + i)
            put_manifest(self.store, manifest)
            forged.append(snapshot_id(manifest))
        self.all_is_well(forged)

    def future_without_trust(self) -> None:
        """Where no key is trusted, what is dated more than an hour past the store's time displaces nothing."""
        self.fresh()
        newest = read_manifest(manifests_of(self.store, "s")[-1])
        for i in range(1, 8):
            put_manifest(self.store, change_record(newest | {"signatures": []}, cut_point=FUTURE.format(i)))
        pruner = host(self.binary, self.work / "pruner")
        for _ in range(2):
            pruner.run("prune", "--store", self.store, "--series", "s", "--keep-last", "2", *PRUNE)
            time.sleep(0.02)
        kept = [each for each in self.listed() if each in self.trees]
        check(kept == self.real[-2:], f"prune kept {kept} of {self.real}")

    def strangers_snapshots(self) -> None:
        self.fresh()
        forged = [self.attack(signed=False), self.attack(signed=True)]
        self.all_is_well(forged)

    def renamed_newer(self) -> None:
        self.fresh()
        oldest = read_manifest(manifests_of(self.store, "s")[0])
        path = put_manifest(self.store, oldest, cut_point="2026-11-30T00:00:00.000000000Z")
        # Name and record differ: it is damage, not a snapshot; and it stops prune until it is set aside.
        for reference, like in (("s", self.trees[self.real[-1]]),):
            done = self.owner.run("restore", "--store", "it", reference, self.work / "back", expect=None)
            if done.returncode == 0:
                check(tree_differences(like, self.work / "back") == "", "the renamed snapshot was restored as the newest")
                shutil.rmtree(self.work / "back")
            else:
                check(done.returncode in (4, 13), f"exit {done.returncode}: {done.stderr.decode()}")
                print(f"renamed newer: {done.stderr.decode().splitlines()[0]}")
        check(not (self.work / "back").exists(), "a refused restore left something")
        done = self.owner.run("list", "--store", "it", expect=None)
        check(path.name in done.stderr.decode(), f"list does not name {path.name}: {done.stderr.decode()}")
        self.owner.run("verify", "--store", "it", expect=4)
        before = sorted(path.name for path in packs_of(self.store))
        self.owner.run("prune", "--store", "it", "--series", "s", "--keep-last", "1", *PRUNE, expect=4)
        check(sorted(path.name for path in packs_of(self.store)) == before, "prune went on over a damaged manifest")
        path.unlink()
        self.all_is_well([])

    def from_another_series(self) -> None:
        self.fresh()
        other = read_manifest(manifests_of(self.store, "other")[-1])
        # As it is, under another series' name: name and record disagree.
        path = put_manifest(self.store, other, series="s")
        done = self.owner.run("show", "--store", "it", "latest", "--series", "s", expect=None)
        if done.returncode == 0:
            check(self.real[-1].encode()[:12] in done.stdout, f"latest is {done.stdout}")
        else:
            check(done.returncode in (4, 13), f"exit {done.returncode}")
        path.unlink()
        # With the record changed to fit: the signature does not.
        manifest = change_record(other, series="s")
        put_manifest(self.store, manifest)
        self.all_is_well([snapshot_id(manifest)])

    def from_another_store(self) -> None:
        """The attacker's own store, signed by his own key, with all its packs."""
        self.fresh()
        theirs = self.work / "theirs"
        shutil.rmtree(theirs, ignore_errors=True)
        self.attacker.environment["CAIRN_SIGNING_KEY"] = str(self.foreign.file)
        self.attacker.run("init", "--store", theirs, "--recipient", self.identity.recipient)
        taken = self.attacker.json("snapshot", "--store", theirs, self.evil, "--series", "s")["id"]
        for path in packs_of(theirs):
            put_pack(self.store, path.read_bytes())
        put_manifest(self.store, read_manifest(manifests_of(theirs)[0]))
        self.attacker.run("key", "accept", "--store", theirs)
        self.all_is_well([taken])
        shutil.rmtree(theirs)

    def signatures_stripped(self) -> None:
        self.fresh()
        path = manifests_of(self.store, "s")[-1]
        manifest = read_manifest(path)
        # A second copy without the signature takes nothing from the real one,
        put_manifest(self.store, manifest | {"signatures": []})
        check(self.listed()[self.real[-1]]["trusted"], "an unsigned copy hides the signed one")
        self.restores(self.real[-1], self.trees[self.real[-1]])
        self.restores("s", self.trees[self.real[-1]])
        self.all_is_well([])
        # and alone it is refused.
        self.fresh()
        path.unlink()
        put_manifest(self.store, manifest | {"signatures": []})
        self.all_is_well([self.real[-1]], newest=self.real[-2])

    def poisoned_directory(self) -> None:
        """A pack whose directory claims the chunks of a file that the owner is about to store, over other content."""
        self.fresh()
        manifest = read_manifest(manifests_of(self.store, "s")[-1])
        lists = sealed_manifest_logical_ids(self.identity.file, manifest)
        sizes = {path.name: path.stat().st_size for path in packs_of(self.store)}
        biggest = max(range(len(lists)), key=lambda i: sizes[manifest["packs"][i]["name"]])
        pack = Pack((self.store / "packs" / manifest["packs"][biggest]["name"][:2] / manifest["packs"][biggest]["name"]).read_bytes())
        # Same directory, hence same logical id, but other content: frames of the right stored sizes full of rubbish.
        plain = age_decrypt(self.identity.file, pack.data)
        rubbish = bytearray(plain)
        for at in range(200, len(rubbish) - 200):
            rubbish[at] ^= 0x55
        data = age_encrypt([self.identity.recipient], bytes(rubbish))
        forged = Pack(join_pack(pack.header, data, pack.directory))
        preamble = data[: forged.preamble()]
        inner = age_decrypt(self.identity.file, pack.directory)
        at = inner.rindex(b"age-encryption.org/v1")
        directory = age_encrypt([self.identity.recipient], inner[:at] + preamble) if at > 0 else pack.directory
        poisoned = join_pack(pack.header, data, directory)
        name = put_pack(self.store, poisoned)
        entry = manifest["packs"][biggest] | {
            "name": name, "size": len(poisoned), "directory": [32 + len(data), len(directory)],
        }
        packs = [*manifest["packs"]]
        packs[biggest] = entry
        # The record is the real one and so is its signature: only the pack list leads elsewhere.
        put_manifest(self.store, manifest | {"packs": packs})
        # Content is proven by its chunks. Nothing wrong is restored; the real pack of the other manifest serves.
        back = self.work / "back"
        done = self.owner.run("restore", "--store", "it", "s", back, expect=None)
        check(done.returncode in (0, 4), f"exit {done.returncode}: {done.stderr.decode()}")
        for path in back.rglob("*"):
            like = self.trees[self.real[-1]] / path.name
            check(path.is_dir() or path.read_bytes() == like.read_bytes(), f"rubbish was restored: {path.name}")
        shutil.rmtree(back, ignore_errors=True)
        fallen_back = done.returncode == 0
        # Offered in a snapshot of the attacker's own: nobody leans on it.
        self.fresh()
        put_pack(self.store, poisoned)
        forged_manifest = change_record(manifest | {"packs": packs, "signatures": []}, cut_point="2026-11-21T23:00:00.000000000Z")
        put_manifest(self.store, forged_manifest)
        shutil.rmtree(self.owner.home / "cache", ignore_errors=True)
        taken = self.owner.json("snapshot", "--store", "it", self.tree, "--series", "s", "--reread")
        newest = next(read_manifest(path) for path in manifests_of(self.store, "s")
                      if snapshot_id(read_manifest(path)) == taken["id"])
        check(name not in [each["name"] for each in newest["packs"]], "a snapshot leans on the poisoned pack")
        self.restores(taken["id"], self.tree)
        taken = self.owner.json("snapshot", "--store", "it", self.tree, "--series", "fresh")
        self.restores(taken["id"], self.tree)
        # Two manifests of one id: where a pack of one is damaged, that of the other serves.
        check(fallen_back, f"restore took the poisoned manifest for the only one: {done.stderr.decode()[:300]}")

    def garbage(self, entry: dict, store: pathlib.Path | None = None) -> dict:
        """A pack with the same directory and rubbish for its content: what whoever has no key can make."""
        store = store or self.store
        data = bytearray((store / "packs" / entry["name"][:2] / entry["name"]).read_bytes())
        begin = 32 + (400 if data[12] else 0)  # the header of the data part's age file stays
        for at in range(begin, entry["directory"][0]):
            data[at] ^= 0x55
        return entry | {"name": put_pack(store, bytes(data))}

    def copy_with_other_packs(self, path: pathlib.Path, store: pathlib.Path | None = None, first: bool = True) -> pathlib.Path:
        """The signed manifest, with all signatures, and with the names of other packs; by name before it, or behind."""
        manifest = read_manifest(path)
        big = max(entry["size"] for entry in manifest["packs"])
        packs = [self.garbage(entry, store) if entry["size"] > big // 3 else entry for entry in manifest["packs"]]
        for number in range(100):
            copy = put_manifest(store or self.store, manifest | {"packs": [packs[0] | {"x": number}, *packs[1:]]})
            if (copy.name < path.name) == first:
                return copy
            copy.unlink()
        raise AssertionError("no name sorts so")

    def copied_manifest(self) -> None:
        """What a snapshot leans on is not taken from a copy of the newest manifest that names other packs."""
        for first in (True, False):
            for cache in (True, False):
                self.fresh()
                if cache:
                    self.owner.run("snapshot", "--store", "it", self.tree, "--series", "s")
                path = manifests_of(self.store, "s")[-1]
                planted = self.copy_with_other_packs(path, first=first)
                if not cache:
                    shutil.rmtree(self.owner.home / "cache", ignore_errors=True)
                taken = self.owner.run("--json", "snapshot", "--store", "it", self.tree, "--series", "s", "--reread")
                check(planted.name in taken.stderr.decode(), f"the copy is not warned of: {taken.stderr.decode()}")
                taken = json.loads(taken.stdout)
                check(taken["new_bytes"] == 0, f"a snapshot stores again what it could lean on: {taken}")
                self.restores(taken["id"], self.tree)
                self.restores("s", self.tree)
                done = self.owner.run("verify", "--store", "it")
                check(b"no list of packs that a trusted key signed names" in done.stderr, f"verify: {done.stderr.decode()}")
                # A mark that condemns the real packs does not have prune take the copy for a repair.
                self.planted_mark(path)
                time.sleep(0.02)
                for _ in range(3):
                    self.owner.run("prune", "--store", "it", "--series", "s", "--keep-last", "9", *PRUNE)
                    time.sleep(0.02)
                check(path.exists(), "prune removed the real manifest")
                self.restores(taken["id"], self.tree)

    def planted_mark(self, path: pathlib.Path) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(time.time() - 1))
        mark = {"format": "cairn-mark", "version": 1, "time": now, "newest_object": now,
                "packs": [entry["name"] for entry in read_manifest(path)["packs"]], "seen": [], "removed": [], "restored": []}
        marks = self.store / "marks"
        marks.mkdir(exist_ok=True)
        name = now.replace("-", "").replace(":", "") + "-" + "0" * 32 + ".json"
        (marks / name).write_text(json.dumps(mark, separators=(",", ":")) + "\n")

    def copied_manifest_of_a_target(self) -> None:
        """The same against push."""
        local = self.work / "local"
        for first in (True, False):
            self.fresh()
            shutil.rmtree(local, ignore_errors=True)
            tree = self.work / "pushed"
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(self.tree, tree, copy_function=shutil.copy2)
            self.owner.run("init", "--store", local, "--no-encryption")
            self.owner.run("snapshot", "--store", local, tree, "--series", "p")
            self.owner.run("push", "--from", local, "--to", "it")
            self.copy_with_other_packs(manifests_of(self.store, "p")[-1], first=first)
            (tree / "new").write_text("new")
            self.owner.run("snapshot", "--store", local, tree, "--series", "p")
            pushed = self.owner.json("push", "--from", local, "--to", "it")
            check(pushed["packs_reused"] > 0, f"nothing is leaned on: {pushed}")
            self.restores("p", tree)
        shutil.rmtree(local)

    def planted_pending(self) -> None:
        """A pending record with the host's name, of packs with rubbish."""
        plain = self.work / "plain"
        theirs = self.work / "their-plain"
        foreseen = self.work / "foreseen"
        foreseen.mkdir(exist_ok=True)
        (foreseen / "release").write_bytes(random.Random(3).randbytes(400_000))
        configuration = self.configuration.read_text()
        self.configuration.write_text(configuration + (
            f'[stores.plain]\nurl = "{plain}"\ntrusted_keys = [{{ key = "{self.key.public}" }}]\n'))
        self.owner.run("init", "--store", "plain", "--no-encryption")
        self.owner.run("snapshot", "--store", "plain", self.tree, "--series", "own")
        name = json.loads(read_manifest(manifests_of(plain, "own")[0])["facts"])["host"]
        self.attacker.run("init", "--store", theirs, "--no-encryption")
        self.attacker.run("snapshot", "--store", theirs, foreseen, "--series", "e")
        manifest = read_manifest(manifests_of(theirs)[0])
        (plain / "pending").mkdir(exist_ok=True)
        for i, entry in enumerate(manifest["packs"]):
            forged = self.garbage(entry, theirs)
            put_pack(plain, (theirs / "packs" / forged["name"][:2] / forged["name"]).read_bytes())
            private = {"host": name, "logical_ids": [manifest["logical_ids"][i]], "holds_list": [False]}
            record = {"format": "cairn-pending", "version": 1, "run": f"{i:032x}", "number": 1,
                      "created": "2026-11-30T16:00:00.000000000Z", "packs": [forged], "seal": "none",
                      "private": json.dumps(private, separators=(",", ":"))}
            (plain / "pending" / f"{i:032x}-1.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")
        taken = self.owner.json("snapshot", "--store", "plain", foreseen, "--series", "rel")
        back = self.work / "back"
        self.owner.run("restore", "--store", "plain", taken["id"], back)
        check(tree_differences(foreseen, back) == "", "restored otherwise")
        for path in (back, plain, theirs):
            shutil.rmtree(path)
        self.configuration.write_text(configuration)

    def before_lists_were_signed(self) -> None:
        """A store of a program that did not sign lists: the next snapshot says what that costs; verify --sign-packs
        saves it."""
        def unsign() -> None:
            self.fresh()
            shutil.rmtree(state, ignore_errors=True)
            for path in manifests_of(self.store):
                manifest = read_manifest(path)
                del manifest["pack_signatures"]
                path.unlink()
                put_manifest(self.store, manifest)
        state = self.owner.home / "state" / "packs"
        check(any(state.iterdir()), "the host's state does not know what it stored")
        unsign()
        without = self.owner.environment.pop("CAIRN_IDENTITY")
        taken = self.owner.run("--json", "snapshot", "--store", "it", self.tree, "--series", "s")
        check(b"no key at hand opens them: what they hold is stored again" in taken.stderr, taken.stderr.decode())
        self.owner.environment["CAIRN_IDENTITY"] = without
        self.restores(json.loads(taken.stdout)["id"], self.tree)
        # With the identity it is read, once.
        unsign()
        taken = self.owner.run("--json", "snapshot", "--store", "it", self.tree, "--series", "s")
        check(b"they are read whole, once" in taken.stderr, taken.stderr.decode())
        check(json.loads(taken.stdout)["new_bytes"] == 0, taken.stdout.decode())
        shutil.rmtree(state, ignore_errors=True)
        taken = self.owner.run("--json", "snapshot", "--store", "it", self.tree, "--series", "s")
        check(b"vouches" not in taken.stderr, taken.stderr.decode())
        # Or signed.
        unsign()
        self.owner.run("verify", "--store", "it", "--sign-packs", "--level", "quick", expect=2)
        signed = self.owner.json("verify", "--store", "it", "--sign-packs")
        check(signed["signed"] == {"snapshots": 4, "left": []}, f"{signed}")
        check(self.owner.json("verify", "--store", "it")["unvouched_packs"] == [], "something was not signed")
        shutil.rmtree(state, ignore_errors=True)
        del self.owner.environment["CAIRN_IDENTITY"]
        taken = self.owner.run("--json", "snapshot", "--store", "it", self.tree, "--series", "s")
        self.owner.environment["CAIRN_IDENTITY"] = without
        check(b"vouches" not in taken.stderr, taken.stderr.decode())
        check(json.loads(taken.stdout)["new_bytes"] == 0, taken.stdout.decode())
        # The unsigned ones go then.
        self.owner.run("prune", "--store", "it", "--series", "s", "--keep-last", "9", *PRUNE)
        check(all("pack_signatures" in read_manifest(path) for path in manifests_of(self.store, "s")), "unsigned ones stay")

    def newest_removed(self) -> None:
        self.fresh()
        for path in manifests_of(self.store, "s")[-2:]:
            path.unlink()
        done = self.owner.run("list", "--store", "it")
        check([each for each in self.listed() if each in self.trees] == self.real[:1], "list")
        taken = self.owner.run("snapshot", "--store", "it", self.tree, "--series", "s")
        print(f"newest removed: list says {done.stderr.decode()!r}, snapshot says {taken.stderr.decode()!r}")
        shown = self.owner.json("show", "--store", "it", "s")
        # The packs are still there, and the host remembers nothing: the gap is not hidden by what it does next.
        check(shown["previous"] == self.real[0] and shown["sequence"] == 2, f"sequence {shown['sequence']}")
        self.restores("s", self.tree)
        # A gap in the middle shows in the numbers.
        self.fresh()
        manifests_of(self.store, "s")[1].unlink()
        third = self.owner.json("show", "--store", "it", self.real[2])
        check(third["sequence"] == 3 and third["previous"] == self.real[1] not in self.listed(), "the gap does not show")
        self.restores(self.real[2], self.trees[self.real[2]])

    def trust_by_series(self) -> None:
        self.fresh()
        text = self.configuration.read_text()
        # Whoever may sign series x cannot sign for s.
        self.configuration.write_text(text.replace(
            "trusted_keys = [", f'trusted_keys = [{{ key = "{self.foreign.public}", series = "x*" }}, '))
        allowed = self.attack(signed=True, series="x1")
        forged = self.attack(signed=True)
        check(self.listed()[allowed]["trusted"], "a key that is trusted for x* is not for x1")
        self.restores("x1", self.evil)
        self.all_is_well([forged])
        self.configuration.write_text(text)

    def revoked(self) -> None:
        self.fresh()
        self.owner.run("key", "revoke", self.key.public)
        check(not any(entry["trusted"] for entry in self.listed().values()), "a revoked key is trusted")
        self.owner.run("restore", "--store", "it", self.real[0], self.work / "back", expect=13)
        self.owner.run("restore", "--store", "it", "s", self.work / "back", expect=10)
        check(not (self.work / "back").exists(), "a refused restore left something")
        # Since a time after they came, those of before stand.
        self.owner.run("key", "revoke", self.key.public, "--since", FUTURE.format(1))
        self.restores("s", self.trees[self.real[-1]])

    def nothing_trusted(self) -> None:
        """A rescue host that has no key pinned: it goes on and names the signer."""
        self.fresh()
        rescue = host(self.binary, self.work / "rescue")
        done = rescue.run("restore", "--store", self.store, "s", self.work / "back", "--identity", self.identity.file)
        check(tree_differences(self.trees[self.real[-1]], self.work / "back") == "", "restored otherwise")
        shutil.rmtree(self.work / "back")
        text = done.stdout.decode() + done.stderr.decode()
        names = (self.key.public, "signed by")
        check(any(name in text for name in names), f"restore does not name the signer: {text}")


def run(binary: str, args: list[str]) -> None:
    need("age", "zstd")
    with Workspace("forged") as work:
        forged = Forged(binary, work)
        run_steps([
            forged.seven_from_the_future, forged.future_without_trust, forged.strangers_snapshots, forged.renamed_newer,
            forged.from_another_series, forged.from_another_store, forged.signatures_stripped, forged.poisoned_directory,
            forged.copied_manifest, forged.copied_manifest_of_a_target, forged.planted_pending,
            forged.before_lists_were_signed, forged.newest_removed, forged.trust_by_series, forged.nothing_trusted,
            forged.revoked,
        ])


main(run)
