#!/usr/bin/env python3
"""The store alone: somebody who has a bucket or a directory, a key and Python restores by what lies in recover/, without
this program. Arguments: `directory` or `s3` (see gateway.py)."""

import base64
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

from gateway import Gateway
from support import Cairn, Workspace, check, main

# What the README of a store says that it takes.
TOOLS = ("python3", "zstd", "age", "minisign")


def make_source(root: pathlib.Path) -> None:
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "service.toml").write_text("port = 1\n")
    (root / "state.bin").write_bytes(os.urandom(300_000))
    (root / "current").symlink_to("conf/service.toml")


def files_below(root: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            for path in root.rglob("*") if path.is_symlink() or path.is_file()}


class Stranger:
    """Has a copy of the store, the key, and the tools: no program, no configuration, no state."""

    def __init__(self, store: pathlib.Path, home: pathlib.Path):
        self.store = store
        self.home = home
        tools = home / "tools"
        tools.mkdir(parents=True)
        for tool in TOOLS:
            found = shutil.which(tool, path="/usr/bin:/bin")
            check(found is not None, f"{tool} is not installed")
            (tools / tool).symlink_to(found)
        self.environment = {"PATH": str(tools), "HOME": str(home), "TMPDIR": str(home)}
        versions = sorted((store / "recover").iterdir())
        check(len(versions) == 1, f"recover/ has {versions}")
        self.directory = versions[0]

    def file(self, name: str) -> pathlib.Path:
        found = [path for path in self.directory.glob(f"{name}-*") if re.fullmatch(name + "-[0-9a-f]{64}", path.name)]
        check(len(found) == 1, f"{name} is there {len(found)} times")
        return found[0]

    def run(self, *command) -> subprocess.CompletedProcess:
        return subprocess.run(list(map(str, command)), env=self.environment, cwd=self.home, capture_output=True, text=True)

    def restore(self, series: str, keys: list) -> dict[str, bytes]:
        reader = self.home / "cairn_reader.py"
        shutil.copyfile(self.file("cairn_reader.py"), reader)
        target = self.home / f"restored-{series}"
        done = self.run("python3", reader, "restore", *keys, self.store, series, target)
        check(done.returncode == 0, f"the reader ends with {done.returncode}: {done.stderr}")
        return files_below(target)


def check_material(stranger: Stranger, private: list[str]) -> None:
    readme = stranger.file("README.txt").read_text()
    named = set(re.findall(r"^  ([\w.-]+\.(?:txt|py|json)) ", readme, re.MULTILINE))
    there = {re.sub("-[0-9a-f]{64}$", "", path.name) for path in stranger.directory.iterdir() if path.suffix != ".minisig"}
    check(named == there, f"README.txt names {named}, there is {there}")
    for command in ("list", "restore"):
        check(f"cairn_reader.py {command} " in readme, f"README.txt does not say how to {command}")
    for path in stranger.directory.iterdir():
        content = path.read_bytes()
        for word in private:
            for form in (word.encode(), base64.b64encode(word.encode())):
                check(form not in content and form not in path.name.encode(), f"{path.name} tells {word}")


def check_signatures(stranger: Stranger, public_key: str) -> None:
    signed = [path for path in stranger.directory.iterdir() if path.suffix == ".minisig"]
    files = [path for path in stranger.directory.iterdir() if path.suffix != ".minisig"]
    check(len(signed) == len(files), f"{len(signed)} signatures of {len(files)} files")
    for path in files:
        signature = next(iter(stranger.directory.glob(path.name + "-*.minisig")))
        done = stranger.run("minisign", "-V", "-P", public_key, "-m", path, "-x", signature)
        check(done.returncode == 0, f"minisign refuses {path.name}: {done.stdout}{done.stderr}")
    # It can fail: another file's signature.
    done = stranger.run("minisign", "-V", "-P", public_key, "-m", files[0],
                        "-x", next(iter(stranger.directory.glob(files[1].name + "-*.minisig"))))
    check(done.returncode != 0, "minisign takes the signature of another file")


class Place:
    """Where stores are made: below a directory, or in a bucket of the gateway."""

    def __init__(self, kind: str, work: pathlib.Path, cairn: Cairn):
        self.work = work
        self.gateway = None
        if kind == "s3":
            self.gateway = Gateway()
            self.gateway.give_keys(cairn)
            self.bucket = self.gateway.make_bucket("stranger")

    def address(self, name: str) -> str:
        return self.gateway.url(self.bucket, name) if self.gateway else str(self.work / name)

    def copy(self, name: str) -> pathlib.Path:
        """As any client copies a bucket: each object in a file under its key."""
        if self.gateway is None:
            return self.work / name
        to = self.work / f"copy-{name}"
        for key in self.gateway.objects(self.bucket):
            if key.startswith(name + "/"):
                path = to / key.removeprefix(name + "/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.gateway.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return to

    def forget(self) -> None:
        if self.gateway is not None:
            self.gateway.remove_bucket(self.bucket)


def plain(cairn: Cairn, place: Place, work: pathlib.Path, source: pathlib.Path) -> None:
    cairn.run("init", "--no-encryption", "--store", place.address("plain"))
    cairn.run("snapshot", "--store", place.address("plain"), "--series", "svc", source)
    stranger = Stranger(place.copy("plain"), work / "stranger-plain")
    check_material(stranger, [])
    check(stranger.restore("svc", []) == files_below(source), "the stranger restored something else")
    check(not list(stranger.directory.glob("*.minisig")), "something is signed without a key")


def sealed(cairn: Cairn, place: Place, work: pathlib.Path, source: pathlib.Path) -> None:
    """A store of before, as far as recover/ goes: `cairn run` puts what is missing, once, and signs it."""
    identity = work / "owner.key"
    recipient = cairn.run("key", "generate", identity).stdout.decode().split()[-1]
    recipient = re.search(r"age1[0-9a-z]+", recipient + identity.read_text()).group()
    cairn.run("init", "--recipient", recipient, "--store", place.address("sealed"))
    if place.gateway is None:
        shutil.rmtree(work / "sealed" / "recover")
    else:
        for key in place.gateway.objects(place.bucket):
            if key.startswith("sealed/recover/"):
                place.gateway.client.delete_object(Bucket=place.bucket, Key=key)
    cairn.run("key", "generate", "--signing", work / "sign.pem")
    public_key = re.search(r"RW\S{54}", (work / "sign.pem.pub").read_text()).group()
    config = work / "cairn.toml"
    config.write_text(f'signing_key = "{work}/sign.pem"\n[stores.vault]\nurl = "{place.address("sealed")}"\n'
                      f'[sources.svc]\ntype = "directory"\nstore = "vault"\npath = "{source}"\n')
    trace = work / "trace"
    cairn.run("--config", config, "run")
    cairn.environment["CAIRN_TRACE"] = str(trace)
    cairn.run("--config", config, "run")
    del cairn.environment["CAIRN_TRACE"]
    check(trace.stat().st_size > 0 and "recover/" not in trace.read_text(), "a second run asks for recover/")
    stranger = Stranger(place.copy("sealed"), work / "stranger-sealed")
    check_material(stranger, [socket.gethostname() + ".", str(source), str(identity), recipient, "service.toml"])
    check_signatures(stranger, public_key)
    check(stranger.restore("svc", ["--identity", identity]) == files_below(source), "the stranger restored something else")


def run(binary: str, args: list[str]) -> None:
    with Workspace("stranger") as work:
        cairn = Cairn(binary, work / "home")
        cairn.home.mkdir()
        place = Place(args[0], work, cairn)
        source = work / "source"
        make_source(source)
        plain(cairn, place, work, source)
        sealed(cairn, place, work, source)
        place.forget()


main(run)
