"""Sealed stores taken apart by the stock programs age, zstd and minisign, and put together again by whoever can write
to the store: what the tests of encryption and signatures share."""

import base64
import binascii
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

from support import Cairn, check

HEADER = 32
TRAILER = 32
SEGMENT = 65536 + 16
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PREFIX = re.compile(rb"[A-Za-z0-9+/=\\]{24,}")


def need(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        print(f"SKIPPED: not installed: {', '.join(missing)}", file=sys.stderr)
        sys.exit(77)


def host(binary: str, home: pathlib.Path) -> Cairn:
    """A machine: it shares no file with another."""
    home.mkdir()
    return Cairn(binary, home)


@dataclasses.dataclass
class Identity:
    file: pathlib.Path
    recipient: str

    @staticmethod
    def make(cairn: Cairn, file: pathlib.Path) -> "Identity":
        return Identity(file, cairn.json("key", "generate", file)["recipient"])

    @property
    def secret(self) -> str:
        return re.search(r"AGE-SECRET-KEY-1\S+", self.file.read_text())[0]


@dataclasses.dataclass
class SigningKey:
    file: pathlib.Path
    public: str

    @staticmethod
    def make(cairn: Cairn, file: pathlib.Path) -> "SigningKey":
        return SigningKey(file, cairn.json("key", "generate", "--signing", file)["public_key"])


def age_decrypt(identity: pathlib.Path, sealed: bytes) -> bytes:
    done = subprocess.run(["age", "-d", "-i", identity], input=sealed, capture_output=True)
    check(done.returncode == 0, f"age -d: {done.stderr.decode()}")
    return done.stdout


def age_encrypt(recipients: list[str], plain: bytes) -> bytes:
    flags = [part for recipient in recipients for part in ("-r", recipient)]
    return subprocess.run(["age", *flags], input=plain, capture_output=True, check=True).stdout


def unzstd(data: bytes) -> bytes:
    done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True)
    check(done.returncode == 0, f"zstd -d: {done.stderr.decode()}")
    return done.stdout


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-cq", "--no-check"], input=data, capture_output=True, check=True).stdout


class Pack:
    """The parts of a pack, by its trailer."""

    def __init__(self, data: bytes):
        self.header = data[:HEADER]
        self.at, self.length = struct.unpack("<QQ", data[-TRAILER : -TRAILER + 16])
        self.data = data[HEADER : self.at]
        self.directory = data[self.at : self.at + self.length]
        self.trailer = data[-TRAILER:]
        check(self.at + self.length + TRAILER == len(data), "the trailer does not fit its pack")

    def preamble(self) -> int:
        """Bytes of the data part before its first segment: the header of the age file and a nonce."""
        begin = self.data.index(b"\n--- ")
        return self.data.index(b"\n", begin + 1) + 1 + 16

    def chunks(self, identity: pathlib.Path) -> list[tuple[bytes, int]]:
        """Digest and length of each."""
        plain = unzstd(age_decrypt(identity, self.directory))
        check(plain[:8] == b"CAIRNDIR", "not a directory")
        frames, count = struct.unpack("<II", plain[12:20])
        lengths = struct.unpack(f"<{count}I", plain[20 + 8 * frames : 20 + 8 * frames + 4 * count])
        digests = plain[20 + 8 * frames + 4 * count :]
        return [(digests[32 * i : 32 * i + 32], lengths[i]) for i in range(count)]


def join_pack(header: bytes, data: bytes, directory: bytes) -> bytes:
    trailer = struct.pack("<QQII", HEADER + len(data), len(directory), 1, 0) + b"CAIRNEND"
    return header + data + directory + trailer


def logical_id(chunks: list[tuple[bytes, int]]) -> str:
    return hashlib.sha256(b"".join(digest + struct.pack("<I", length) for digest, length in chunks)).hexdigest()


def packs_of(store: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in (store / "packs").rglob("*") if path.is_file() and not path.name.startswith(".tmp-"))


def manifests_of(store: pathlib.Path, series: str = "*") -> list[pathlib.Path]:
    """Ascending by cut point within a series."""
    return sorted(path for path in (store / "snapshots").glob(f"{series}/*.json"))


def read_manifest(path: pathlib.Path) -> dict:
    return json.loads(path.read_text())


def manifest_text(manifest: dict) -> bytes:
    """In the lines that the format demands."""

    def part(*names: str) -> str:
        return json.dumps({name: manifest[name] for name in names}, separators=(",", ":"))[1:-1]

    private = ("lists",) if "lists" in manifest else ("logical_ids",)
    lines = [
        "{" + part("format", "version", "requires_read", "requires_write", "requires_prune", "record", "signatures", "seal",
                   *(("pack_signatures",) if "pack_signatures" in manifest else ()), "facts"),
        "," + part("root"),
        "," + part(*private),
    ]
    if "lists" not in manifest:
        lines.append("," + part("raw_bytes", "live_bytes", "holds_list"))
    lines.append("," + part("packs") + "}")
    return ("\n".join(lines) + "\n").encode()


def put_manifest(store: pathlib.Path, manifest: dict, series: str | None = None, cut_point: str | None = None) -> pathlib.Path:
    """Stores it under the name that its bytes and its record demand (or another series or cut point: a lie)."""
    record = json.loads(manifest["record"])
    text = manifest_text(manifest)
    time = (cut_point or record["cut_point"]).replace("-", "").replace(":", "")
    identifier = hashlib.sha256(manifest["record"].encode()).hexdigest()
    name = f"{time}-{identifier[:16]}-{hashlib.sha256(text).hexdigest()[:16]}.json"
    path = store / "snapshots" / (series or record["series"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path


def put_pack(store: pathlib.Path, data: bytes) -> str:
    name = hashlib.sha256(data).hexdigest()
    path = store / "packs" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return name


def put_descriptor(store: pathlib.Path, descriptor: dict) -> pathlib.Path:
    text = (json.dumps(descriptor, separators=(",", ":")) + "\n").encode()
    path = store / "config" / f"{descriptor['generation']}-{hashlib.sha256(text).hexdigest()}.json"
    path.write_bytes(text)
    return path


def read_descriptor(store: pathlib.Path) -> dict:
    newest = max((store / "config").glob("*.json"), key=lambda path: int(path.name.split("-")[0]))
    return json.loads(newest.read_text())


def snapshot_id(manifest: dict) -> str:
    return hashlib.sha256(manifest["record"].encode()).hexdigest()


def change_record(manifest: dict, **members) -> dict:
    """Another record over the same content, as whoever can write to the store can make one: no key is needed."""
    record = json.loads(manifest["record"]) | members
    return manifest | {"record": json.dumps(record, separators=(",", ":"))}


def sealed_manifest_logical_ids(identity: pathlib.Path, manifest: dict) -> list[str]:
    lists = json.loads(age_decrypt(identity, base64.b64decode(manifest["lists"])))
    return lists["logical_ids"]


def readings(data: bytes):
    """The bytes, and what zstd and base64 make of any part of them."""
    yield data
    at = data.find(ZSTD_MAGIC)
    while at >= 0:
        done = subprocess.run(["zstd", "-dcq"], input=data[at:], capture_output=True)
        if done.stdout:
            yield done.stdout
        at = data.find(ZSTD_MAGIC, at + 1)
    for found in PREFIX.finditer(data):
        text = found[0].replace(b"\\", b"").rstrip(b"=")
        for shift in range(4):
            part = text[shift:]
            part = part[: len(part) // 4 * 4]
            try:
                decoded = base64.b64decode(part)
            except binascii.Error:  # it has '=' in the middle: a text, which was looked at as it is
                continue
            yield decoded
            if ZSTD_MAGIC in decoded and shift == 0:
                yield from readings(decoded)


def what_leaks(store: pathlib.Path, needles: dict[str, bytes], work: pathlib.Path) -> dict[str, str]:
    """Which needle is found where. grep looks for all of them at once; of digests a part without line ends is taken. Texts of
    recover/ are left out: they name members of the format, and are the same in every store (see recovery_material)."""
    patterns = {}
    for name, needle in needles.items():
        part = next((part for part in (needle, *(needle[i : i + 8] for i in range(len(needle) - 7)))
                     if b"\n" not in part and b"\0" not in part), None)
        if part is not None:
            patterns.setdefault(part, name)
    file = work / "patterns"
    file.write_bytes(b"\n".join(patterns) + b"\n")
    found = {}
    for path in sorted(store.rglob("*")):
        where = str(path.relative_to(store))
        if path.is_file() and not where.startswith("recover/"):
            text = b"\n".join((where.encode(), *readings(path.read_bytes())))
            done = subprocess.run(["grep", "-aoFf", file], input=text, capture_output=True, env={"LC_ALL": "C"} | os.environ)
            check(done.returncode in (0, 1), f"grep: {done.stderr.decode()}")
            for part in set(done.stdout.split(b"\n")) - {b""}:
                found.setdefault(patterns.get(part, repr(part)), where)
    return found


def recovery_material(store: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in (store / "recover").rglob("*") if path.is_file()}


def fingerprint(store: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


def run_as_host(cairn: Cairn, name: str, *args, expect: int = 0) -> subprocess.CompletedProcess:
    """With that name for the machine, where this user may give one."""
    command = [cairn.binary, *map(str, args)]
    if os.geteuid() == 0:
        command = ["unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh", *command]
    done = subprocess.run(command, env=cairn.environment, capture_output=True)
    check(done.returncode == expect, f"{args}: exit {done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")
    return done
