#!/usr/bin/env python3
"""The stock programs age, zstd and minisign with what is in a sealed store: packs are opened, signatures are verified,
and a signature that minisign made is accepted like one of ours."""

import base64
import hashlib
import json
import pathlib
import random
import shutil
import subprocess

from sealing import (
    Identity,
    Pack,
    SigningKey,
    age_decrypt,
    host,
    logical_id,
    manifests_of,
    need,
    packs_of,
    put_manifest,
    read_manifest,
    snapshot_id,
    unzstd,
)
from support import Workspace, check, main, run_steps, tree_differences


def minisign(*args, expect: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run(["minisign", *map(str, args)], input=b"", capture_output=True)
    check((done.returncode == 0) == (expect == 0), f"minisign {args}: {done.returncode} {done.stdout} {done.stderr}")
    return done


class Stock:
    def __init__(self, binary: str, work: pathlib.Path):
        self.work = work
        self.cairn = host(binary, work / "host")
        self.identity = Identity.make(self.cairn, work / "identity.txt")
        self.key = SigningKey.make(self.cairn, work / "sign.pem")
        self.store = work / "store"
        self.tree = work / "tree"
        self.tree.mkdir()
        rng = random.Random(6)
        for i in range(12):
            (self.tree / f"f{i}").write_bytes(rng.randbytes(2_000_000) + b"text " * 40_000)
        self.cairn.run("init", "--store", self.store, "--recipient", self.identity.recipient)
        self.cairn.environment["CAIRN_SIGNING_KEY"] = str(self.key.file)
        self.taken = self.cairn.json("snapshot", "--store", self.store, self.tree, "--series", "s")
        self.cairn.environment["CAIRN_IDENTITY"] = str(self.identity.file)

    def age_opens_packs(self) -> None:
        shown = {pack["object"]: pack for pack in self.cairn.json("show", "--store", self.store, "s")["packs"]}
        check(len(shown) >= 3, "the test wants several packs")
        for path in packs_of(self.store):
            pack = Pack(path.read_bytes())
            content = unzstd(age_decrypt(self.identity.file, pack.data))
            chunks = pack.chunks(self.identity.file)
            at = 0
            for digest, length in chunks:
                check(hashlib.sha256(content[at : at + length]).digest() == digest, f"a chunk of {path.name} at {at}")
                at += length
            check(at == len(content), f"{path.name}: {len(content) - at} bytes more than its chunks")
            name = f"packs/{path.parent.name}/{path.name}"
            check(logical_id(chunks) == shown[name]["logical_id"], f"logical id of {name}")
        manifest = read_manifest(manifests_of(self.store)[0])
        record = json.loads(manifest["record"])
        for part in ("facts", "root"):
            text = age_decrypt(self.identity.file, base64.b64decode(manifest[part])).rstrip(b" ")
            check(hashlib.sha256(text).hexdigest() == record[part], f"{part} is not what the record names")

    def minisign_verifies_ours(self) -> None:
        shown = self.cairn.json("show", "--store", self.store, "s")
        record = json.loads(read_manifest(manifests_of(self.store)[0])["record"])
        line = f"cairn-snapshot 1 s {record['cut_point']} {self.taken['id']}\n"
        check(shown["signed_line"] == line, f"the line is {shown['signed_line']!r}, expected {line!r}")
        (self.work / "line").write_text(line)
        (self.work / "line.minisig").write_text(shown["signatures"][0]["minisig"])
        verify = ("-V", "-m", self.work / "line", "-x", self.work / "line.minisig")
        minisign(*verify, "-P", shown["signatures"][0]["key"])
        minisign(*verify, "-p", f"{self.key.file}.pub")
        (self.work / "line").write_text(line.replace(" s ", " t "))
        minisign(*verify, "-P", self.key.public, expect=1)

    def ours_verifies_minisign(self) -> None:
        minisign("-G", "-W", "-f", "-p", self.work / "ms.pub", "-s", self.work / "ms.key")
        public = (self.work / "ms.pub").read_text().split("\n")[1]
        shown = self.cairn.json("show", "--store", self.store, "s")
        (self.work / "line").write_text(shown["signed_line"])
        old = manifests_of(self.store)[0]
        manifest = read_manifest(old)
        # Prehashed (what minisign makes by default) and legacy signatures are both minisign's.
        for flags in ([], ["-l"]):
            minisign("-S", *flags, "-W", "-s", self.work / "ms.key", "-m", self.work / "line", "-x", self.work / "sig",
                     "-t", "by hand")
            signature = {"key": public, "minisig": (self.work / "sig").read_text()}
            for signatures, signers in (([signature], {public}), ([*manifest["signatures"], signature], {public})):
                store = self.work / "signed"
                shutil.copytree(self.store, store)
                (store / "snapshots" / "s" / old.name).unlink()
                put_manifest(store, manifest | {"signatures": signatures})
                self.cairn.run("key", "accept", "--store", store)
                seen = self.cairn.json("show", "--store", store, "s", "--trusted-key", public)
                check(seen["signer"] in signers and seen["trusted"], f"{flags}: signer {seen['signer']}")
                back = self.work / "back"
                self.cairn.run("restore", "--store", store, "s", back, "--trusted-key", public)
                check(tree_differences(self.tree, back) == "", "restored otherwise")
                shutil.rmtree(back)
                # The file that minisign -G wrote is a key, too.
                self.cairn.run("show", "--store", store, "s", "--trusted-key", self.work / "ms.pub")
                if len(signatures) == 1:
                    self.cairn.run("restore", "--store", store, self.taken["id"], back, "--trusted-key", self.key.public, expect=13)
                    check(not back.exists(), "an untrusted restore left something")
                shutil.rmtree(store)
        # Over another line, or with one byte wrong, it counts for nothing.
        (self.work / "line").write_text(shown["signed_line"].replace(" s ", " t "))
        minisign("-S", "-W", "-s", self.work / "ms.key", "-m", self.work / "line", "-x", self.work / "sig", "-t", "x")
        other = (self.work / "sig").read_text()
        minisign_lines = signature["minisig"].split("\n")
        raw = bytearray(base64.b64decode(minisign_lines[1]))
        raw[40] ^= 1
        broken = "\n".join([minisign_lines[0], base64.b64encode(raw).decode(), *minisign_lines[2:]])
        for text in (other, broken, "", "nonsense", signature["minisig"][:60]):
            store = self.work / "signed"
            shutil.copytree(self.store, store)
            (store / "snapshots" / "s" / old.name).unlink()
            put_manifest(store, manifest | {"signatures": [{"key": public, "minisig": text}]})
            for reference, status in ((snapshot_id(manifest), 13), ("latest", 10)):
                self.cairn.run("restore", "--store", store, reference, self.work / "back", "--trusted-key", public, expect=status)
            check(not (self.work / "back").exists(), "a refused restore left something")
            shutil.rmtree(store)


def run(binary: str, args: list[str]) -> None:
    need("age", "zstd", "minisign")
    with Workspace("stock") as work:
        stock = Stock(binary, work)
        run_steps([stock.age_opens_packs, stock.minisign_verifies_ours, stock.ours_verifies_minisign])


main(run)
