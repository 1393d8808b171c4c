#!/usr/bin/env python3
"""Read a Cairn store of format version 1: list, verify and restore its snapshots.

This program was written from the page cairn-format(5) alone and shares nothing with cairn(1). It needs Python
3.8 or later with nothing but its standard library, and the program zstd in PATH; for a sealed store the program
age, to check signatures minisign. STORE is a directory; of a bucket, make a copy with any S3 client first, each
object in a file under its key. The store is never changed.

    cairn_reader.py list STORE                      one line for each snapshot
    cairn_reader.py files STORE SNAPSHOT            what a snapshot holds
    cairn_reader.py verify STORE [SNAPSHOT]         check every byte of a snapshot, or of the whole store
    cairn_reader.py restore STORE SNAPSHOT TARGET   write a snapshot to a new file or directory
    cairn_reader.py cat STORE SNAPSHOT [PATH]       one file to standard output

SNAPSHOT is an id or the beginning of one (8 digits or more), the name of a series (its newest snapshot), or
`latest` where the store has only one series. TARGET becomes what the source was: a directory, which must not
exist yet or be empty, or a file, which must not exist yet. Restore as root to get owners and devices back.

    --identity FILE      opens a sealed store: a file of identities as `age -d -i` takes it; may be repeated
    --trusted-key KEY    refuse what this minisign key (or the one in this file) has not signed; may be repeated

Without an identity a sealed store can only be listed, and the digests of its objects be checked. Packs are opened
whole into unnamed temporary files (at most 2 GiB at a time, or one pack, in TMPDIR).

Each byte is checked against the id of the snapshot before it is used. But whoever could write to the store
could put another snapshot there that is consistent in itself: use --trusted-key, or compare ids with those noted
elsewhere.

Exit status: 0 done; 1 failed, or written by a later version of the program; 2 wrong usage; 3 restored, but
not everything could be set (see the warnings); 4 the store is damaged; 10 no such store, snapshot or file;
12 no identity opens it; 13 no trusted key has signed it.
"""

from __future__ import annotations

import argparse
import array
import base64
import bisect
import collections
import contextlib
import dataclasses
import datetime
import grp
import hashlib
import itertools
import json
import math
import os
import pwd
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, BinaryIO, Callable, Iterable, Iterator, NamedTuple, NoReturn

# The limits of the format (cairn-format(5), "Limits").
MAX_INTEGER = 2**53 - 1
MAX_CHUNK = 1048576
MAX_FRAME = 16777216
MAX_STORED_FRAME = 17825792
MAX_CHUNKS = 16777216
MAX_DIRECTORY = 738197524
MAX_OBJECT = 1073741824
MAX_LINE = 67108864
MAX_LEVELS = 8
MAX_DEPTH = 64
MAX_PATH = 65535
MAX_PREAMBLE = 1048592

PIECE = 1 << 20
HEADER_SIZE = 32
TRAILER_SIZE = 32
FRAME_CACHE = 128 << 20  # bytes of decoded frames that are kept for the next use
OPENED_CACHE = 2 << 30  # bytes of opened data parts that are kept on disk for the next use

DIGEST = re.compile(r"[0-9a-f]{64}")
SERIES = re.compile(r"(?!latest\Z)(?![0-9A-Fa-f]{8,}\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{9})Z")
NAME_TIME = r"[0-9]{8}T[0-9]{6}\.[0-9]{9}Z"
NUMBER = r"[1-9][0-9]{0,15}"
SEAL = re.compile(r"age:[0-9a-f]{16}")
RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
AGE_INTRO = b"age-encryption.org/v1\n"
MINISIGN_KEY = re.compile(r"RW[A-Za-z0-9+/]{54}")
CONFIG_NAME = re.compile(rf"config/({NUMBER})-([0-9a-f]{{64}})\.json")
MANIFEST_NAME = re.compile(rf"snapshots/([^/]+)/({NAME_TIME})-([0-9a-f]{{16}})-([0-9a-f]{{16}})\.json")
PACK_NAME = re.compile(r"packs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
PENDING_NAME = re.compile(rf"pending/([0-9a-f]{{32}})-({NUMBER})\.json")
MARK_NAME = re.compile(rf"marks/({NAME_TIME})-[0-9a-f]{{32}}\.json")
PIN_NAME = re.compile(rf"pins/([0-9a-f]{{64}})/{NAME_TIME}-(pin|unpin)-[0-9a-f]{{16}}\.json")
OBJECT_NAME = re.compile(r"(?=.{1,1024}\Z)[A-Za-z0-9._-]{1,255}(/[A-Za-z0-9._-]{1,255})*")


class Refused(Exception):
    """Something that this program does not go on with; the status is that of the process."""

    status = 1


class Unknown(Refused):
    """A later version, a feature, an encryption or a seal that this program does not know. Not damage."""


class Misuse(Refused):
    status = 2


class Damage(Refused):
    status = 4


class Absent(Refused):
    status = 10


class Locked(Refused):
    """Sealed, and no identity that was given opens it. Whether it is damaged too cannot be said."""

    status = 12


class Untrusted(Refused):
    status = 13


def show(name: bytes | str) -> str:
    """A name for people: whatever could disturb a terminal is escaped."""
    text = os.fsdecode(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def warn(message: str) -> None:
    print(f"cairn_reader: {message}", file=sys.stderr)


# JSON and its members ---------------------------------------------------------------------------------------


def parse_json(data: bytes) -> dict[str, Any]:
    """The JSON object that data is: strict UTF-8, no key twice, no lone surrogate, not too deep."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key occurs twice")
        return result

    def constant(text: str) -> NoReturn:
        raise ValueError(f"{text} is not JSON")

    def number(text: str) -> int | float:
        value = int(text) if text != "-0" else -0.0  # "-0" is no Integer
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{text} is out of range")
        return value

    def fraction(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"{text} is out of range")
        return value

    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant, parse_int=number, parse_float=fraction)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # fails at a lone surrogate
    except (ValueError, RecursionError) as error:
        raise Damage(f"not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Damage("not a JSON object")
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        deeper = (v.values() if isinstance(v, dict) else v for v in level)
        level = [v for v in itertools.chain.from_iterable(deeper) if isinstance(v, (dict, list))]
        if not level:
            return value
    raise Damage(f"JSON nested more than {MAX_DEPTH} deep")


def take(value: dict[str, Any], key: str, check: Callable[..., Any], *arguments: Any) -> Any:
    """The member key of a JSON object after its check."""
    if key not in value:
        raise Damage(f"member '{key}' is missing")
    try:
        return check(value[key], *arguments)
    except (Damage, Locked) as error:
        raise type(error)(f"member '{key}': {error}") from None


def integer(value: Any, low: int = 0, high: int = MAX_INTEGER) -> int:
    if type(value) is not int or not low <= value <= high:
        raise Damage(f"{ascii(value)[:40]} is not an integer from {low} to {high}")
    return value


def string(value: Any, pattern: re.Pattern[str] | str | None = None) -> str:
    if not isinstance(value, str):
        raise Damage(f"{ascii(value)[:40]} is not a string")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise Damage(f"{ascii(value)[:80]} is malformed")
    return value


def digest(value: Any) -> str:
    return string(value, DIGEST)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Damage(f"{ascii(value)[:40]} is neither true nor false")
    return value


def array_of(value: Any, check: Callable[..., Any] = lambda item: item, *arguments: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Damage(f"{ascii(value)[:40]} is not an array")
    return [check(item, *arguments) for item in value]


def object_of(value: Any, check: Callable[..., Any] = lambda item: item) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Damage(f"{ascii(value)[:40]} is not an object")
    return {key: check(item) for key, item in value.items()}


def instant(value: Any) -> int:
    """A time as nanoseconds since 1970."""
    match = TIME.fullmatch(string(value))
    try:
        *fields, nanoseconds = (int(field) for field in match.groups()) if match else ()
        moment = datetime.datetime(*fields)
    except ValueError:
        raise Damage(f"{ascii(value)[:40]} is not a time") from None
    seconds = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    if not -(2**63) <= seconds * 10**9 < (seconds + 1) * 10**9 <= 2**63:
        raise Damage(f"{value} is out of range")
    return seconds * 10**9 + nanoseconds


def name_time(value: str) -> str:
    """A time in the form of object names, in the form of JSON."""
    return f"{value[0:4]}-{value[4:6]}-{value[6:11]}:{value[11:13]}:{value[13:]}"


def base64_bytes(value: Any) -> bytes:
    try:
        result = base64.b64decode(string(value), validate=True)
    except ValueError:
        result = None
    if result is None or base64.b64encode(result).decode() != value:
        raise Damage(f"{ascii(value)[:40]} is not base64")
    return result


def byte_string(value: dict[str, Any], key: str) -> bytes | None:
    """A byte string: the string under key, or base64 under key_b64 where it is not UTF-8. None: neither."""
    if key in value and key + "_b64" in value:
        raise Damage(f"both '{key}' and '{key}_b64' are there")
    if key in value:
        return take(value, key, string).encode("utf-8")
    if key + "_b64" not in value:
        return None
    result = take(value, key + "_b64", base64_bytes)
    try:
        result.decode("utf-8")
    except UnicodeDecodeError:
        return result
    raise Damage(f"'{key}_b64' is valid UTF-8")


def check_format(value: dict[str, Any], name: str) -> None:
    take(value, "format", string, name)
    version = take(value, "version", integer)
    if version != 1:
        raise Unknown(f"version {version} of {name} is not known, only version 1")


def check_features(value: dict[str, Any]) -> None:
    for key in ("requires_write", "requires_prune"):
        take(value, key, array_of, string)
    features = take(value, "requires_read", array_of, string)
    if features:
        raise Unknown(f"needs features to be read that are not known: {', '.join(map(show, features))}")


def is_sealed(value: dict[str, Any]) -> bool:
    """Whether the member seal names a set of recipients."""
    seal = take(value, "seal", string)
    if seal != "none" and not SEAL.fullmatch(seal):
        raise Unknown(f"seal {ascii(seal)[:40]} is not known")
    return seal != "none"


# Zstandard --------------------------------------------------------------------------------------------------


def content_size(frame: bytes, limit: int) -> int:
    """The content size of the Zstandard frame that fills frame exactly."""
    size, end = measure(frame, limit)
    if end != len(frame):
        raise Damage("a Zstandard frame has not the size that it should have")
    return size


def check_padding(descriptor: int, offset: int, size: int) -> None:
    """What may follow the frames in a sealed part: nothing, or one skippable frame of zeroes."""
    if size == 0:
        return
    wrong = Damage("a sealed part ends with something else than its padding")
    if not 8 <= size < 2**32 + 8 or os.pread(descriptor, 8, offset) != struct.pack("<II", 0x184D2A50, size - 8):
        raise wrong
    for begin in range(offset + 8, offset + size, PIECE):
        piece = os.pread(descriptor, min(PIECE, offset + size - begin), begin)
        if piece.count(0) != len(piece):
            raise wrong


def measure(frame: bytes, limit: int) -> tuple[int, int]:
    """Content size and end of the Zstandard frame that frame begins with (RFC 8878, section 3.1.1).

    Its window must not exceed the limit.
    """

    def number(offset: int, size: int) -> int:
        if offset + size > len(frame):
            raise Damage("a Zstandard frame is cut short")
        return int.from_bytes(frame[offset : offset + size], "little")

    if frame[:4] != b"\x28\xb5\x2f\xfd":
        raise Damage("a Zstandard frame does not begin where it should")
    descriptor = number(4, 1)
    single_segment = descriptor >> 5 & 1
    size_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
    if descriptor & 0x0B or not size_bytes:
        raise Damage("a Zstandard frame has a dictionary, a reserved bit, or no content size")
    offset = 5 if single_segment else 6
    result = number(offset, size_bytes) + (256 if size_bytes == 2 else 0)
    offset += size_bytes
    window = result
    if not single_segment:
        power = 1 << 10 + (number(5, 1) >> 3)
        window = power + power // 8 * (frame[5] & 7)
    if window > limit:
        raise Damage(f"a Zstandard frame needs a window of {window} bytes, beyond the limits")
    last = 0
    while not last:
        block = number(offset, 3)
        last, kind, size = block & 1, block >> 1 & 3, block >> 3
        offset += 3 + (1 if kind == 1 else size)
    offset += 4 if descriptor & 4 else 0
    if offset > len(frame):
        raise Damage("a Zstandard frame is cut short")
    return result, offset


def decode(frame: bytes, size: int, limit: int) -> bytes:
    """What one Zstandard frame holds: exactly size bytes, and never more in memory."""
    if content_size(frame, limit) != size:
        raise Damage(f"a Zstandard frame does not hold {size} bytes")
    command = ["zstd", "-d", "-c", "-q", "--memory=1024MB"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as zstd:

        def feed() -> None:
            try:
                zstd.stdin.write(frame)
                zstd.stdin.close()
            except OSError:  # it has ended: its exit status says why
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        data = zstd.stdout.read(size + 1)
        zstd.stdout.close()
        feeder.join()
        try:
            zstd.stdin.close()
        except OSError:
            pass
    if zstd.returncode != 0 or len(data) != size:
        raise Damage(f"a Zstandard frame does not decode to its {size} bytes")
    return data


# Keys -------------------------------------------------------------------------------------------------------


class Keys:
    """Opens what is sealed, with age, and checks signatures, with minisign."""

    def __init__(self, identities: Iterable[str] = (), trusted: Iterable[str] = ()) -> None:
        self.identities = list(identities)
        self.trusted = {self.trusted_key(key) for key in trusted}
        for path in self.identities:
            with open(path, "rb"):  # says now which file cannot be read
                pass
        for program, needed in (("age", self.identities), ("minisign", self.trusted)):
            if needed and not shutil.which(program):
                raise Refused(f"the program {program} is not in PATH")

    @staticmethod
    def trusted_key(key: str) -> str:
        """A key that was given as it is, or as the name of the file that minisign keeps it in."""
        if MINISIGN_KEY.fullmatch(key):
            return key
        try:
            with open(key, encoding="utf-8") as file:
                keys = [line for line in file.read().split("\n") if MINISIGN_KEY.fullmatch(line)]
        except (OSError, ValueError):
            keys = []
        if len(keys) != 1:
            raise Misuse(f"{show(key)} is neither a minisign public key nor a file with one")
        return keys[0]

    def open(self, pieces: Iterable[bytes], to: BinaryIO | None = None) -> bytes:
        """The plaintext of a binary age file, whole and authentic; where to is given, it goes there."""
        if not self.identities:
            raise Locked("is sealed, give --identity")
        command = ["age", "-d"]
        for path in self.identities:
            command += ["-i", path]
        with tempfile.TemporaryFile() as messages:
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=to or subprocess.PIPE, stderr=messages
            ) as age:

                def feed() -> None:
                    first = b""
                    try:
                        for piece in pieces:
                            first = first or piece[: len(AGE_INTRO)]
                            if first != AGE_INTRO:
                                break  # age itself would also take other forms
                            age.stdin.write(piece)
                    except OSError:  # it has ended: its exit status says why
                        pass
                    except Refused as error:
                        failures.append(error)
                    finally:
                        with contextlib.suppress(OSError):
                            age.stdin.close()

                failures: list[Refused] = []
                feeder = threading.Thread(target=feed)
                feeder.start()
                data = b"" if to else age.stdout.read()
                feeder.join()
            messages.seek(0)
            message = messages.readline().decode("utf-8", "replace").strip()
        if failures:
            raise failures[0]
        if age.returncode != 0:
            if "no identity matched" in message:
                raise Locked("none of the identities opens it")
            if any(f'"{path}"' in message for path in self.identities):
                raise Refused(show(message))
            raise Damage(f"does not open: {show(message)}")
        return data

    def open_text(self, value: Any) -> bytes:
        """The text that a sealed text holds."""
        return self.open([base64_bytes(value)]).rstrip(b" ")

    def signed(self, line: str, signatures: list[Any]) -> bool:
        """Whether a trusted key has signed the line."""
        for item in signatures[:16]:
            key, text = (item.get("key"), item.get("minisig")) if isinstance(item, dict) else (None, None)
            if isinstance(key, str) and key in self.trusted and isinstance(text, str):
                with tempfile.TemporaryDirectory() as folder:
                    names = [os.path.join(folder, name) for name in ("line", "minisig")]
                    for name, content in zip(names, (line, text)):
                        with open(name, "wb") as file:
                            file.write(content.encode("utf-8"))
                    command = ["minisign", "-V", "-q", "-P", key, "-m", names[0], "-x", names[1]]
                    if subprocess.run(command, capture_output=True).returncode == 0:
                        return True
        return False


# The store --------------------------------------------------------------------------------------------------


class Store:
    """A directory whose files are the objects, and the keys for them."""

    def __init__(self, root: str, keys: Keys | None = None) -> None:
        self.root = root
        self.keys = keys or Keys()
        if not any(os.path.isdir(self.path(name)) for name in ("config", "snapshots", "packs")):
            raise Absent(f"no store at {show(root)}")
        self.id = self.find_id()

    def find_id(self) -> str | None:
        """What the descriptor says that counts; nothing where it does not say it."""
        names = sorted((int(m[1]), m[0]) for m in map(CONFIG_NAME.fullmatch, self.names("config")) if m)
        try:
            return take(parse_json(self.read(names[-1][1])), "store_id", string, "[0-9a-f]{32}") if names else None
        except Refused:
            return None

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def names(self, folder: str) -> Iterator[str]:
        """The names of all objects below one folder of the store, in order."""

        def fail(error: OSError) -> NoReturn:
            raise error

        if not os.path.lexists(self.path(folder)):
            return
        for path, folders, files in os.walk(self.path(folder), onerror=fail):
            folders.sort()
            for name in sorted(files):
                if not name.startswith(".tmp-"):
                    yield os.path.join(os.path.relpath(path, self.root), name)

    def size(self, name: str) -> int:
        try:
            return os.stat(self.path(name)).st_size
        except FileNotFoundError:
            raise Damage(f"{name}: missing") from None

    def read(self, name: str) -> bytes:
        size = self.size(name)
        if size > MAX_OBJECT:
            raise Damage(f"{name}: larger than any JSON object of a store")
        return self.read_range(name, 0, size)

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        try:
            with open(self.path(name), "rb") as file:
                file.seek(offset)
                data = file.read(size)
        except FileNotFoundError:
            raise Damage(f"{name}: missing") from None
        except OSError as error:
            raise Refused(f"{name}: {error.strerror}") from None
        if len(data) != size:
            raise Damage(f"{name}: cut short")
        return data

    def pieces(self, name: str, offset: int, size: int) -> Iterator[bytes]:
        """A range in pieces."""
        for begin in range(offset, offset + size, PIECE):
            yield self.read_range(name, begin, min(PIECE, offset + size - begin))

    def digest(self, name: str) -> str:
        result = hashlib.sha256()
        for piece in self.pieces(name, 0, self.size(name)):
            result.update(piece)
        return result.hexdigest()


def check_descriptor(store: Store, name: str) -> dict[str, Any]:
    """Check one descriptor."""
    try:
        match = CONFIG_NAME.fullmatch(name)
        data = store.read(name)
        if hashlib.sha256(data).hexdigest() != match[2]:
            raise Damage("has not the digest of its name")
        value = parse_json(data)
        check_format(value, "cairn-store")
        check_features(value)
        encryption = take(value, "encryption", string)
        if encryption not in ("none", "age"):
            raise Unknown(f"encryption {ascii(encryption)[:40]} is not known")
        if not data.endswith(b"}\n"):
            raise Damage("does not end with one newline")
        if take(value, "generation", integer) != int(match[1]):
            raise Damage("has not the generation of its name")
        take(value, "store_id", string, "[0-9a-f]{32}")
        take(value, "created", instant)
        take(value, "create_only", boolean)
        recipients = take(value, "recipients", array_of, string, RECIPIENT)
        if bool(recipients) != (encryption == "age"):
            raise Damage("has recipients, but no encryption, or the other way round")
        if any(a >= b for a, b in zip(recipients, recipients[1:])):
            raise Damage("the recipients are not in order")
    except Refused as error:
        raise type(error)(f"{name}: {error}") from None
    return value


def check_store(store: Store) -> None:
    """Check the descriptor that counts."""
    names = sorted((int(m[1]), m[0]) for m in map(CONFIG_NAME.fullmatch, store.names("config")) if m)
    if not names:
        warn("warning: the store has no descriptor; going on without it")
        return
    if [number for number, _ in names].count(names[-1][0]) > 1:
        raise Damage(f"config: two descriptors of generation {names[-1][0]}: tampered with")
    check_descriptor(store, names[-1][1])


# Manifests --------------------------------------------------------------------------------------------------


class Copy(NamedTuple):
    """A pack as a manifest names it."""

    name: str
    size: int
    offset: int  # of its directory
    length: int  # of its directory
    sealed: bool

    @property
    def key(self) -> str:
        return f"packs/{self.name[:2]}/{self.name}"


def parse_copy(value: Any) -> Copy:
    value = object_of(value)
    sealed = is_sealed(value)
    place = take(value, "directory", array_of, integer)
    if len(place) != 2:
        raise Damage("member 'directory' is not offset and size")
    copy = Copy(take(value, "name", digest), take(value, "size", integer), *place, sealed)
    if copy.offset < HEADER_SIZE or copy.offset + copy.length + TRAILER_SIZE != copy.size:
        raise Damage(f"the directory of pack {copy.name} is not where it must be")
    return copy


@dataclasses.dataclass
class Manifest:
    """One manifest, checked as far as that goes without any pack."""

    name: str
    id: str
    record: dict[str, Any]
    signed: bool  # by a trusted key
    vouched: bool  # a trusted key has signed which packs it names
    copies: list[Copy]
    # What is private; where it could not be opened, locked says why, and the rest is empty.
    locked: Locked | None
    facts: dict[str, Any]
    root: dict[str, Any]
    logical_ids: list[str]  # in the order of copies, as what follows
    raw_bytes: list[int]
    live_bytes: list[int]
    holds_list: list[bool]


ARRAYS = ["logical_ids", "raw_bytes", "live_bytes", "holds_list"]
FIRST_LINE = ["format", "version", "requires_read", "requires_write", "requires_prune"]
FIRST_LINE += ["record", "signatures", "seal", "facts"]
LINES = {
    False: [FIRST_LINE, ["root"], ARRAYS[:1], ARRAYS[1:], ["packs"]],
    True: [FIRST_LINE, ["root"], ["lists"], ["packs"]],
}
STATS = ("entries", "files", "bytes", "new_bytes", "stored_bytes", "packs_written", "errors")


def check_lines(data: bytes, sealed: bool) -> None:
    """Check the form of a manifest: lines with certain members, each of them nearly an object of its own."""
    *lines, end = data.decode("utf-8").split("\n")
    wanted = LINES[sealed]
    if end or len(lines) != len(wanted) or not lines[-1].endswith("}"):
        raise Damage(f"has not the {len(wanted)} lines of a manifest")
    known = set(itertools.chain.from_iterable(wanted))
    for number, (line, names) in enumerate(zip(lines, wanted)):
        if number > 0:
            line = "{" + line[1:] if line.startswith(",") else ""
        members = parse_json((line + ("" if number + 1 == len(lines) else "}")).encode("utf-8"))
        if [key for key in members if key in known] != names:
            raise Damage(f"line {number + 1} has not the members {', '.join(names)}")


def exact(text: bytes) -> tuple[str, dict[str, Any]]:
    """Digest and content of the JSON text that a member of an object holds."""
    return hashlib.sha256(text).hexdigest(), parse_json(text)


def exact_text(value: Any) -> bytes:
    return string(value).encode("utf-8")


def parse_arrays(value: dict[str, Any], names: Iterable[str], length: int) -> list[list[Any]]:
    """The arrays that say something of each pack."""
    checks = {"logical_ids": digest, "holds_list": boolean}
    result = [take(value, name, array_of, checks.get(name, integer)) for name in names]
    if any(len(found) != length for found in result):
        raise Damage("the arrays of packs are not equally long")
    if len({logical_id[:16] for logical_id in result[0]}) != length:
        raise Damage("two logical ids have the same first 16 digits")
    return result


def check_record(value: dict[str, Any]) -> None:
    check_format(value, "cairn-record")
    take(value, "series", string, SERIES)
    take(value, "cut_point", instant)
    take(value, "sequence", integer, 1)
    take(value, "previous", lambda previous: previous if previous is None else digest(previous))
    take(value, "incomplete", boolean)
    for key in ("facts", "root"):
        take(value, key, digest)


def check_facts(value: dict[str, Any]) -> None:
    for key in ("salt", "host", "kind"):
        take(value, key, string)
    if byte_string(value, "source") is None:
        raise Damage("member 'source' is missing")
    take(value, "started", instant)
    take(value, "single_file", boolean)
    take(value, "tags", object_of, string)
    stats = take(value, "stats", object_of)
    for key in STATS:
        take(stats, key, integer)
    take(value, "content", object_of)


def check_root(value: dict[str, Any]) -> None:
    take(value, "salt", string)
    take(value, "levels", integer, 0, MAX_LEVELS)
    take(value, "size", integer)
    take(value, "extents", array_of)
    take(value, "packs", digest)


def parse_manifest(
    keys: Keys, name: str, data: bytes, locked_too: bool = False, store_id: str | None = None
) -> Manifest:
    """Steps 2 to 6 of "Reading a snapshot"; with locked_too also without a key for what is private."""
    match = MANIFEST_NAME.fullmatch(name)
    if not match or not SERIES.fullmatch(match[1]):
        raise Damage(f"{show(name)}: is not the name of a manifest")
    try:
        if hashlib.sha256(data).hexdigest()[:16] != match[4]:
            raise Damage("has not the digest of its name")
        value = parse_json(data)
        check_format(value, "cairn-manifest")
        check_features(value)
        sealed = is_sealed(value)
        check_lines(data, sealed)
        signatures = take(value, "signatures", array_of)

        identity, record = take(value, "record", lambda text: exact(exact_text(text)))
        if identity[:16] != match[3]:
            raise Damage("the record has not the id of the name")
        check_record(record)
        if record["series"] != match[1] or record["cut_point"] != name_time(match[2]):
            raise Damage("the record has not series and cut point of the name")
        signed = keys.signed(f"cairn-snapshot 1 {record['series']} {record['cut_point']} {identity}\n", signatures)
        vouched = False
        if keys.trusted and store_id and isinstance(value.get("pack_signatures"), list):
            lists = hashlib.sha256(data[data.index(b"\n") + 1 :]).hexdigest()
            vouched = keys.signed(f"cairn-packs 1 {store_id} {identity} {lists}\n", value["pack_signatures"])
        copies = take(value, "packs", array_of, parse_copy)

        private = keys.open_text if sealed else exact_text
        texts, lists = {}, value
        try:
            for key in ("facts", "root"):
                found, texts[key] = take(value, key, lambda text: exact(private(text)))
                if found != record[key]:
                    raise Damage(f"the {key} have not the digest that the record gives")
            if sealed:
                lists = take(value, "lists", lambda text: parse_json(private(text)))
        except Locked as error:
            if not locked_too:
                raise
            reason = Locked(f"{name}: {error}")
            return Manifest(name, identity, record, signed, vouched, copies, reason, {}, {}, [], [], [], [])
        check_facts(texts["facts"])
        check_root(texts["root"])
        arrays = parse_arrays(lists, ARRAYS, len(copies))
        if hashlib.sha256(bytes.fromhex("".join(sorted(arrays[0])))).hexdigest() != texts["root"]["packs"]:
            raise Damage("the logical ids have not the digest that the root gives")
    except Refused as error:
        raise type(error)(f"{name}: {error}") from None
    return Manifest(name, identity, record, signed, vouched, copies, None, texts["facts"], texts["root"], *arrays)


def load_manifest(store: Store, name: str, locked_too: bool = False) -> Manifest:
    return parse_manifest(store.keys, name, store.read(name), locked_too, store.id)


def manifest_names(store: Store) -> list[re.Match[str]]:
    """All manifests by name; what else lies below snapshots/ is reported: it could be a snapshot."""
    result = []
    for name in store.names("snapshots"):
        match = MANIFEST_NAME.fullmatch(name)
        if match and SERIES.fullmatch(match[1]):
            result.append(match)
        else:
            warn(f"warning: {show(name)}: not the name of a manifest; it is left out")
    return result


def choose(store: Store, reference: str) -> list[Manifest]:
    """All good manifests of the snapshot that the user means; at least one."""
    matches = manifest_names(store)
    series = {match[1] for match in matches}
    if reference == "latest" and len(series) > 1:
        raise Misuse(f"'latest' is ambiguous, name a series: {', '.join(sorted(series))}")
    if reference == "latest" or reference in series:
        if reference != "latest":
            matches = [match for match in matches if match[1] == reference]
        newest = max(((match[2], match[3]) for match in matches), default=None)
        matches = [match for match in matches if (match[2], match[3]) == newest]
    elif re.fullmatch("[0-9a-f]{8,64}", reference):
        matches = [match for match in matches if match[3].startswith(reference[:16])]
    else:
        matches = []
    if not matches:
        raise Absent(f"no snapshot {show(reference)}")
    manifests: list[Manifest] = []
    failures: list[Refused] = []
    for match in matches:
        try:
            manifests.append(load_manifest(store, match[0]))
        except Refused as failure:
            failures.append(failure)
    if re.fullmatch("[0-9a-f]{17,64}", reference):
        manifests = [manifest for manifest in manifests if manifest.id.startswith(reference)]
        if not manifests and not failures:
            raise Absent(f"no snapshot {reference}")
    if len({match[3] for match in matches}) > 1 or len({manifest.id for manifest in manifests}) > 1:
        ids = ", ".join(sorted({match[3] for match in matches}))
        raise Misuse(f"'{reference}' is ambiguous, give an id: {ids}")
    if not manifests:
        raise failures[0]
    for error in failures:
        warn(f"warning: {error}; using another manifest of the same snapshot")
    check_trust(store.keys, manifests)
    if len(manifests) > 1:
        manifests.sort(key=lambda manifest: rank(store, manifest))
    if store.keys.trusted and not manifests[0].vouched:
        warn(f"warning: {manifests[0].name}: no trusted key has signed which packs it names")
    return manifests


def rank(store: Store, manifest: Manifest) -> tuple[bool, bool, float]:
    """Of several manifests of a snapshot the lesser is the one to go by: signed, then whole, then the oldest."""

    def is_there(copy: Copy) -> bool:
        try:
            return store.size(copy.key) == copy.size
        except Refused:
            return False

    whole = all(is_there(copy) for copy in manifest.copies)
    return not manifest.vouched, not whole, os.stat(store.path(manifest.name)).st_mtime


def check_trust(keys: Keys, manifests: list[Manifest]) -> None:
    """Refuse a snapshot of which no manifest has the signature of a trusted key, where keys are given."""
    if keys.trusted and not any(manifest.signed for manifest in manifests):
        raise Untrusted(f"{manifests[0].name}: no trusted key has signed the snapshot")


# Packs ------------------------------------------------------------------------------------------------------


class Scratch:
    """An unnamed temporary file for tables that would be too large to keep in memory."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(buffering=0)
        self.end = 0

    def __del__(self) -> None:
        self.file.close()

    def put(self, data: bytes) -> int:
        offset = self.end
        write_all(self.file.fileno(), data, offset)
        self.end += len(data)
        return offset

    def get(self, offset: int, size: int) -> bytes:
        return os.pread(self.file.fileno(), size, offset)


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def words(data: bytes) -> array.array[int]:
    """Little-endian integers of 4 bytes each."""
    result = array.array("I")
    assert result.itemsize == 4
    result.frombytes(data)
    if sys.byteorder == "big":
        result.byteswap()
    return result


class Directory:
    """What the directory of a pack says. Lengths and digests of chunks are kept in the scratch file."""

    def __init__(self, store: Store, copy: Copy, scratch: Scratch) -> None:
        stored = store.read_range(copy.key, copy.offset, copy.length)
        limit = MAX_DIRECTORY + (MAX_PREAMBLE if copy.sealed else 0)
        if copy.sealed:
            with tempfile.TemporaryFile(buffering=0) as file:
                store.keys.open([stored], file)
                file.seek(0)
                stored = file.read()
                _, end = measure(stored, limit)
                check_padding(file.fileno(), end, len(stored) - end)
                stored = stored[:end]
        size = content_size(stored, limit)
        if not 20 + 8 + 36 <= size <= limit:
            raise Damage(f"a directory of {size} bytes is beyond the limits")
        data = decode(stored, size, limit)
        magic, version, frames, chunks = struct.unpack_from("<8sIII", data)
        if magic != b"CAIRNDIR":
            raise Damage("the directory does not begin with CAIRNDIR")
        if version != 1:
            raise Unknown(f"version {version} of a directory is not known, only version 1")
        table_size = 20 + 8 * frames + 36 * chunks
        if not 1 <= frames <= chunks <= MAX_CHUNKS or (size < table_size if copy.sealed else size != table_size):
            raise Damage("the directory has not the size that its counts give")
        room = data_size = copy.offset - HEADER_SIZE
        if copy.sealed:
            preamble = data[table_size:]
            self.check_preamble(store, copy, preamble)
            room -= len(preamble)
            room -= 16 * -(-room // 65552)  # the tag of each segment
        first_length, first_digest = 20 + 8 * frames, 20 + 8 * frames + 4 * chunks
        stored_sizes = words(data[20 : 20 + 4 * frames])
        counts = words(data[20 + 4 * frames : first_length])
        lengths = words(data[first_length:first_digest])
        if min(stored_sizes) < 1 or max(stored_sizes) > MAX_STORED_FRAME:
            raise Damage("the directory has wrong stored sizes of frames")
        if sum(stored_sizes) > room or not copy.sealed and sum(stored_sizes) != data_size:
            raise Damage("the directory has wrong stored sizes of frames")
        if min(counts) < 1 or sum(counts) != chunks:
            raise Damage("the directory has wrong numbers of chunks")
        if min(lengths) < 1 or max(lengths) > MAX_CHUNK:
            raise Damage("the directory has a wrong length of a chunk")
        self.chunks = chunks
        self.raw_size = sum(lengths)
        self.copy = copy
        # Of each frame: in the pack, or in the plaintext of its data part.
        start = 0 if copy.sealed else HEADER_SIZE
        self.offsets = array.array("Q", itertools.accumulate(stored_sizes, initial=start))
        self.firsts = array.array("Q", itertools.accumulate(counts, initial=0))
        for first, end in zip(self.firsts, self.firsts[1:]):
            if sum(lengths[first:end]) > MAX_FRAME:
                raise Damage("the directory has a frame beyond the limits")
        logical = hashlib.sha256()
        for i in range(chunks):
            logical.update(data[first_digest + 32 * i : first_digest + 32 * i + 32])
            logical.update(data[first_length + 4 * i : first_length + 4 * i + 4])
        self.logical_id = logical.hexdigest()
        self.scratch = scratch
        self.place = scratch.put(data[first_length:table_size])

    @staticmethod
    def check_preamble(store: Store, copy: Copy, preamble: bytes) -> None:
        """Check that it is the header of the age file that the data part is, and the nonce after it."""
        found = preamble.find(b"\n--- ")
        if len(preamble) > MAX_PREAMBLE or found < 0 or len(preamble) != found + 5 + 43 + 1 + 16:
            raise Damage("the directory does not end with a preamble")
        if len(preamble) > copy.offset - HEADER_SIZE:
            raise Damage("the data part is cut short")
        if store.read_range(copy.key, HEADER_SIZE, len(preamble)) != preamble:
            raise Damage("the preamble in the directory is not that of the data part")

    def lengths(self, first: int, count: int) -> array.array[int]:
        return words(self.scratch.get(self.place + 4 * first, 4 * count))

    def digests(self, first: int, count: int) -> bytes:
        return self.scratch.get(self.place + 4 * self.chunks + 32 * first, 32 * count)

    def decode_frame(self, frame: int, stored: bytes) -> bytes:
        """A frame as its chunks one after another; they are not checked yet."""
        first, end = self.firsts[frame], self.firsts[frame + 1]
        return decode(stored, sum(self.lengths(first, end - first)), MAX_FRAME)

    def check_chunks(self, frame: int, data: bytes, first: int, end: int) -> memoryview:
        """The bytes of chunks first to end, all of one frame, after each was compared with its digest."""
        begin = self.firsts[frame]
        lengths = self.lengths(begin, end - begin)
        digests = self.digests(first, end - first)
        view = memoryview(data)
        start = offset = sum(lengths[: first - begin])
        for i in range(first, end):
            length = lengths[i - begin]
            expected = digests[32 * (i - first) : 32 * (i - first) + 32]
            if hashlib.sha256(view[offset : offset + length]).digest() != expected:
                raise Damage(f"chunk {i} has not the digest that the directory gives")
            offset += length
        return view[start:offset]


class OpenedCache:
    """The data parts of sealed packs used last, opened whole, in unnamed temporary files."""

    def __init__(self) -> None:
        self.files: collections.OrderedDict[str, tuple[BinaryIO, int]] = collections.OrderedDict()
        self.bytes = 0

    def __del__(self) -> None:
        for file, _ in self.files.values():
            file.close()

    def open(self, store: Store, directory: Directory) -> BinaryIO:
        copy = directory.copy
        if copy.name in self.files:
            self.files.move_to_end(copy.name)
            return self.files[copy.name][0]
        file = tempfile.TemporaryFile(buffering=0)
        try:
            store.keys.open(store.pieces(copy.key, HEADER_SIZE, copy.offset - HEADER_SIZE), file)
            size, end = os.fstat(file.fileno()).st_size, directory.offsets[-1]
            check_padding(file.fileno(), end, size - end)
        except BaseException:
            file.close()
            raise
        self.files[copy.name] = file, size
        self.bytes += size
        while self.bytes > OPENED_CACHE and len(self.files) > 1:
            _, (oldest, length) = self.files.popitem(last=False)
            oldest.close()
            self.bytes -= length
        return file


class FrameCache:
    """The decoded frames used last, of all packs."""

    def __init__(self) -> None:
        self.frames: collections.OrderedDict[tuple[str, int], bytes] = collections.OrderedDict()
        self.bytes = 0
        self.opened = OpenedCache()

    def get(self, key: tuple[str, int], load: Callable[[], bytes]) -> bytes:
        if key in self.frames:
            self.frames.move_to_end(key)
            return self.frames[key]
        data = load()
        self.frames[key] = data
        self.bytes += len(data)
        while self.bytes > FRAME_CACHE and len(self.frames) > 1:
            self.bytes -= len(self.frames.popitem(last=False)[1])
        return data


class Pack:
    """A pack that a snapshot needs: its chunks, from whichever copy of it is there and good."""

    def __init__(self, store: Store, scratch: Scratch, cache: FrameCache, logical_id: str) -> None:
        self.store = store
        self.scratch = scratch
        self.cache = cache
        self.logical_id = logical_id
        self.copies: list[Copy] = []
        self.opened: dict[Copy, Directory] = {}

    def directory(self, copy: Copy | None = None) -> Directory:
        """The directory of one copy, or of any: all of them speak of the same chunks."""
        if copy is None:
            return self.attempt(self.directory)
        if copy not in self.opened:
            if self.store.size(copy.key) != copy.size:
                raise Damage(f"{copy.key}: has not the size that the manifest gives")
            try:
                directory = Directory(self.store, copy, self.scratch)
                if directory.logical_id != self.logical_id:
                    raise Damage("has not the logical id that the manifest gives")
            except Refused as error:
                raise self.failure(copy, error) from None
            self.opened[copy] = directory
        return self.opened[copy]

    def failure(self, copy: Copy, error: Refused) -> Refused:
        """What to report of a copy: where a sealed part does not open, its header may be damaged."""
        if isinstance(error, Locked) and self.store.keys.identities and self.store.digest(copy.key) != copy.name:
            error = Damage("has not the digest of its name, and does not open")
        return type(error)(f"{copy.key}: {error}")

    def attempt(self, action: Callable[[Copy], Any]) -> Any:
        """Do something with the first copy with which it works."""
        failures: list[Refused] = []
        for copy in list(self.copies):
            try:
                result = action(copy)
            except Refused as error:
                failures.append(error)
                self.copies.append(self.copies.pop(0))  # from now on the others are tried first
            else:
                for failure in failures:
                    warn(f"warning: {failure}; using another copy of the pack")
                return result
        raise failures[0]

    def size_of(self, first: int, count: int) -> int:
        directory = self.directory()
        if first + count > directory.chunks:
            raise Damage(f"pack {self.logical_id[:16]} has no chunks {first} to {first + count - 1}")
        return sum(directory.lengths(first, count))

    def read(self, first: int, count: int) -> Iterator[memoryview]:
        """The bytes of some chunks, each checked, in pieces of at most a frame."""
        end = first + count

        def piece(copy: Copy) -> tuple[int, memoryview]:
            directory = self.directory(copy)
            frame = bisect.bisect_right(directory.firsts, first) - 1
            stop = min(end, directory.firsts[frame + 1])
            offset = directory.offsets[frame]

            def load() -> bytes:
                size = directory.offsets[frame + 1] - offset
                if copy.sealed:
                    file = self.cache.opened.open(self.store, directory)
                    stored = os.pread(file.fileno(), size, offset)
                else:
                    stored = self.store.read_range(copy.key, offset, size)
                return directory.decode_frame(frame, stored)

            try:
                data = self.cache.get((copy.name, frame), load)
                return stop, directory.check_chunks(frame, data, first, stop)
            except Refused as error:
                raise self.failure(copy, error) from None

        while first < end:
            first, data = self.attempt(piece)
            yield data


# Entry lists ------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """An extent whose size is known; without a pack it is a hole."""

    pack: Pack | None
    first: int
    chunks: int
    size: int


@dataclasses.dataclass
class Entry:
    path: bytes
    type: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    user: bytes | None = None
    group: bytes | None = None
    mtime: int = 0
    size: int = 0
    extents: list[Any] | None = None
    parts: int = 0
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: list[tuple[bytes, bytes]] = dataclasses.field(default_factory=list)
    content: Iterator[Run] = iter(())

    @property
    def components(self) -> list[bytes]:
        return [] if self.path == b"." else self.path.split(b"/")


COMMON = {"mode", "uid", "gid", "mtime"}
COMMON_OPTIONAL = {"user", "group", "xattrs"}
# What each type must have and what it may have, besides path and type.
MEMBERS: dict[str, tuple[set[str], set[str]]] = {
    "file": (COMMON | {"size"}, COMMON_OPTIONAL | {"ctime", "inode", "extents", "parts"}),
    "directory": (COMMON, COMMON_OPTIONAL),
    "symlink": (COMMON | {"target"}, COMMON_OPTIONAL),
    "hardlink": ({"target"}, set()),
    "fifo": (COMMON, COMMON_OPTIONAL),
    "socket": (COMMON, COMMON_OPTIONAL),
    "chardevice": (COMMON | {"device"}, COMMON_OPTIONAL),
    "blockdevice": (COMMON | {"device"}, COMMON_OPTIONAL),
}


def check_path(path: bytes) -> None:
    if len(path) > MAX_PATH or b"\0" in path:
        raise Damage("the path is not valid")
    for component in path.split(b"/"):
        if len(component) > 255 or component in (b"", b".", b".."):
            raise Damage("the path is not valid")


def parse_xattr(value: Any) -> tuple[bytes, bytes]:
    value = object_of(value)
    name = byte_string(value, "name")
    if not name or b"\0" in name or len(value) != 2:
        raise Damage("an extended attribute is not a name and a value")
    return name, take(value, "value_b64", base64_bytes)


def parse_entry(value: dict[str, Any]) -> Entry:
    path, kind = byte_string(value, "path"), take(value, "type", string)
    if path is None or kind not in MEMBERS:
        raise Damage("has no path, or a type that is not known")
    entry = Entry(path, kind)
    if path != b"." or kind != "directory":
        check_path(path)
    names = {key[:-4] if key in ("path_b64", "user_b64", "group_b64", "target_b64") else key for key in value}
    names -= {"path", "type"}
    required, optional = MEMBERS[kind]
    if not required <= names <= required | optional:
        raise Damage(f"has not the members of a {kind}: {show(', '.join(sorted(names ^ required)))}")
    if kind in ("symlink", "hardlink"):
        entry.target = byte_string(value, "target")
        if not entry.target or b"\0" in entry.target:
            raise Damage("the target is not valid")
    if kind == "hardlink":
        check_path(entry.target)
        return entry
    entry.mode = take(value, "mode", integer, 0, 0o7777)
    entry.uid = take(value, "uid", integer, 0, 2**32 - 1)
    entry.gid = take(value, "gid", integer, 0, 2**32 - 1)
    entry.user = byte_string(value, "user")
    entry.group = byte_string(value, "group")
    entry.mtime = take(value, "mtime", instant)
    if "xattrs" in value:
        entry.xattrs = take(value, "xattrs", array_of, parse_xattr)
        attributes = [name for name, _ in entry.xattrs]
        if not attributes or any(a >= b for a, b in zip(attributes, attributes[1:])):
            raise Damage("the extended attributes are none, or not in order")
    if kind in ("chardevice", "blockdevice"):
        entry.device = tuple(take(value, "device", array_of, integer, 0, 2**32 - 1))
        if len(entry.device) != 2:
            raise Damage("the device is not major and minor")
    if kind == "file":
        if "ctime" in value:
            take(value, "ctime", instant)
        if "inode" in value:
            if int(take(value, "inode", string, "[0-9]{1,40}")) >= 2**64:
                raise Damage("member 'inode': is not below 2^64")
        entry.size = take(value, "size", integer)
        if ("extents" in value) == ("parts" in value):
            raise Damage("has not either extents or parts")
        entry.extents = take(value, "extents", array_of) if "extents" in value else None
        entry.parts = take(value, "parts", integer, 1) if "parts" in value else 0
    return entry


def parse_part(value: dict[str, Any], low: int) -> tuple[int, list[Any]]:
    if list(value) != ["part", "extents"]:
        raise Damage("is not a part")
    return take(value, "part", integer, low), take(value, "extents", array_of)


def split_lines(pieces: Iterable[memoryview]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a list of lines."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *others = bytes(piece).split(b"\n")
        held.append(first)
        size += len(first)
        if size >= MAX_LINE:  # the newline counts too
            raise Damage("an entry list has a line beyond the limits")
        if others:
            yield parse_json(b"".join(held))
            for line in others[:-1]:
                yield parse_json(line)
            held, size = [others[-1]], len(others[-1])
    if size:
        raise Damage("an entry list ends within a line")


class Snapshot:
    """One snapshot, from all its manifests that are good."""

    def __init__(self, store: Store, manifests: list[Manifest], scratch: Scratch | None = None) -> None:
        self.manifest = manifests[0]
        self.content_packs: set[str] = set()  # those of the extents that were seen
        self.single_file: bool = self.manifest.facts["single_file"]
        scratch, cache = scratch or Scratch(), FrameCache()
        self.packs: dict[str, Pack] = {}
        for manifest in manifests:
            for logical_id, copy in zip(manifest.logical_ids, manifest.copies):
                pack = self.packs.setdefault(logical_id[:16], Pack(store, scratch, cache, logical_id))
                if copy not in pack.copies:
                    pack.copies.append(copy)

    def runs(self, extents: Iterable[Any], holes: bool) -> Iterator[Run]:
        for extent in extents:
            if isinstance(extent, list) and len(extent) == 1 and holes:
                yield Run(None, 0, 0, integer(extent[0], 1))
            elif isinstance(extent, list) and len(extent) == 3:
                name = string(extent[0], "[0-9a-f]{16}")
                first, count = integer(extent[1]), integer(extent[2], 1)
                if name not in self.packs:
                    raise Damage(f"pack {name} is not in the manifest")
                if holes:
                    self.content_packs.add(name)
                yield Run(self.packs[name], first, count, self.packs[name].size_of(first, count))
            else:
                raise Damage(f"{ascii(extent)[:80]} is not an extent that is allowed here")

    def list_bytes(self) -> Iterator[memoryview]:
        """The bytes of the entry list, through all its levels."""

        def pieces(extents: Iterable[Any]) -> Iterator[memoryview]:
            for run in self.runs(extents, holes=False):
                yield from run.pack.read(run.first, run.chunks)

        def extents_of(level: Iterator[memoryview]) -> Iterator[Any]:
            for line in split_lines(level):
                yield from parse_part(line, 0)[1]

        result = pieces(self.manifest.root["extents"])
        for _ in range(self.manifest.root["levels"]):
            result = pieces(extents_of(result))
        left = self.manifest.root["size"]
        for piece in result:
            left -= len(piece)
            if left < 0:
                break
            yield piece
        if left != 0:
            raise Damage("the entry list has not the size that the root gives")

    def content_of(self, entry: Entry, lines: Iterator[dict[str, Any]]) -> Iterator[Run]:
        """The content of a file; takes its parts from the lines."""
        try:
            total = 0
            if entry.extents is not None:
                for run in self.runs(entry.extents, holes=True):
                    total += run.size
                    yield run
            for number in range(entry.parts):
                size, extents = parse_part(next(lines, {}), 1)
                held = 0
                for run in self.runs(extents, holes=True):
                    held += run.size
                    yield run
                if held != size:
                    raise Damage(f"part {number} does not hold {size} bytes")
                total += size
            if total != entry.size:
                raise Damage(f"the content has {total} bytes, not {entry.size}")
        except Damage as error:
            raise Damage(f"{show(entry.path)}: {error}") from None

    def entries(self) -> Iterator[Entry]:
        """All entries, each checked as it comes, except whether there is what a hard link names."""
        lines = split_lines(self.list_bytes())
        number = 0
        previous: list[bytes] = []
        parents: list[list[bytes]] = []  # the directories that hold the entry before, outermost first
        for number, line in enumerate(lines, 1):
            try:
                entry = parse_entry(line)
                components = entry.components
                if self.single_file:
                    if number > 1 or entry.type != "file" or len(components) != 1:
                        raise Damage("a snapshot of one file holds something else")
                elif number == 1:
                    if components or entry.type != "directory":
                        raise Damage("the first entry is not the directory '.'")
                    parents = [components]
                else:
                    if components <= previous:
                        raise Damage("is not in order")
                    while parents[-1] != components[: len(parents[-1])]:
                        parents.pop()
                    if parents[-1] != components[:-1]:
                        raise Damage("has no parent directory")
                    if entry.type == "directory":
                        parents.append(components)
                if entry.type == "hardlink" and entry.target.split(b"/") >= components:
                    raise Damage("the target is not an earlier entry")
            except Damage as error:
                name = line["path"] if isinstance(line.get("path"), str) else "?"
                raise Damage(f"entry {number} of the entry list ({show(name)}): {error}") from None
            previous = components
            entry.content = self.content_of(entry, lines)
            yield entry
            for _ in entry.content:  # checks what nobody has read
                pass
        if number == 0:
            raise Damage("the entry list is empty")

    def check_entries(self) -> None:
        """Check the entry list to its end, hard links too. Of the content only the sizes are checked."""
        wanted = {entry.target for entry in self.entries() if entry.type == "hardlink"}
        if wanted:
            for entry in self.entries():
                if entry.type not in ("directory", "hardlink"):
                    wanted.discard(entry.path)
        if wanted:
            raise Damage(f"a hard link names {show(min(wanted))}, which is not there or may not be linked to")


# Restore ----------------------------------------------------------------------------------------------------

ACLS = (b"system.posix_acl_access", b"system.posix_acl_default")
NODES = {
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "chardevice": stat.S_IFCHR,
    "blockdevice": stat.S_IFBLK,
}


class Restorer:
    """Writes a snapshot to a target: follows no symbolic link there and touches nothing that exists."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.failures = 0
        self.owners_skipped = 0
        self.owners: dict[tuple[str, bytes], int | None] = {}
        self.root = -1
        self.at: list[bytes] = []  # the directory whose descriptor is open
        self.fd = -1

    def run(self, target: bytes) -> int:
        """Restore; the exit status."""
        if self.snapshot.single_file:
            for suffix in (b"", b"-wal", b"-shm", b"-journal"):
                # A database takes such files beside it for its own: old ones would destroy it.
                if os.path.lexists(target + suffix):
                    raise Misuse(f"{show(target + suffix)} exists, move it away")
        elif os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
            raise Misuse(f"{show(target)} exists and is not an empty directory")
        self.snapshot.check_entries()
        if self.snapshot.single_file:
            self.restore_file(target)
        else:
            self.restore_tree(target)
        os.sync()
        if self.owners_skipped:
            warn(f"warning: the owner of {self.owners_skipped} entries could not be set: not permitted")
        if self.failures:
            warn(f"restored, but incompletely: {self.failures} warnings")
        return 3 if self.failures else 0

    def failed(self, entry: Entry, what: str, error: Exception) -> None:
        self.failures += 1
        reason = error.strerror if isinstance(error, OSError) else str(error)
        warn(f"warning: {show(entry.path)}: {what}: {reason}")

    def restore_file(self, target: bytes) -> None:
        parent, name = os.path.split(target)
        self.root = self.fd = os.open(parent or b".", os.O_RDONLY | os.O_DIRECTORY)
        for entry in self.snapshot.entries():
            self.write_file(entry, name)

    def restore_tree(self, target: bytes) -> None:
        if not os.path.isdir(target):
            os.mkdir(target, 0o700)
        self.root = self.fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        os.fchmod(self.root, 0o700)  # nobody else gets in before it is whole
        self.set_xattrs(Entry(b".", "directory"), self.root)  # nothing inherits an access control list
        unfinished: list[Entry] = []
        for entry in self.snapshot.entries():
            components = entry.components
            while unfinished and unfinished[-1].components != components[: len(unfinished[-1].components)]:
                self.finish(unfinished.pop())
            self.create(entry)
            if entry.type == "directory":
                unfinished.append(entry)
        while unfinished:
            self.finish(unfinished.pop())

    def enter(self, components: list[bytes]) -> int:
        """A descriptor of a directory below the target, good until the next call."""
        if components[: len(self.at)] != self.at:
            self.leave()
        for name in components[len(self.at) :]:
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
            at = self.at + [name]
            self.leave()
            self.at, self.fd = at, descriptor
        return self.fd

    def leave(self) -> None:
        if self.fd != self.root:
            os.close(self.fd)
        self.at, self.fd = [], self.root

    def create(self, entry: Entry) -> None:
        """Create an entry; a directory gets its metadata later."""
        *parent, name = entry.components or [b""]
        if not name:  # the target itself
            return
        folder = self.enter(parent)
        if entry.type == "directory":
            os.mkdir(name, 0o700, dir_fd=folder)
        elif entry.type == "file":
            self.write_file(entry, name)
        elif entry.type == "symlink":
            os.symlink(entry.target, name, dir_fd=folder)
            self.set_metadata(entry, name)
        elif entry.type == "hardlink":
            self.link(entry, name)
        else:
            try:
                os.mknod(name, NODES[entry.type] | 0o600, os.makedev(*entry.device), dir_fd=folder)
            except (OSError, OverflowError) as error:
                self.failed(entry, f"cannot create a {entry.type}", error)
                return
            self.set_metadata(entry, name)

    def link(self, entry: Entry, name: bytes) -> None:
        folder = os.dup(self.fd)
        try:
            *parent, target = entry.target.split(b"/")
            os.link(target, name, src_dir_fd=self.enter(parent), dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            self.failed(entry, f"cannot link to {show(entry.target)}", error)
        finally:
            os.close(folder)

    def write_file(self, entry: Entry, name: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(name, flags, 0o600, dir_fd=self.fd)
        try:
            offset = 0
            for run in entry.content:
                if run.pack is None:
                    offset += run.size
                    continue
                for data in run.pack.read(run.first, run.chunks):
                    write_all(descriptor, data, offset)
                    offset += len(data)
            if offset != entry.size:
                raise Damage(f"{show(entry.path)}: has {offset} bytes, not {entry.size}")
            os.ftruncate(descriptor, entry.size)
            self.set_metadata(entry, descriptor)
        except BaseException:
            os.unlink(name, dir_fd=self.fd)
            raise
        finally:
            os.close(descriptor)

    def finish(self, entry: Entry) -> None:
        self.set_metadata(entry, self.enter(entry.components))

    def number_of(self, kind: str, name: bytes | None, number: int) -> int:
        """Owner or group by name where this host has the name, else by number."""
        if name is None:
            return number
        if (kind, name) not in self.owners:
            try:
                text = os.fsdecode(name)
                self.owners[kind, name] = pwd.getpwnam(text)[2] if kind == "user" else grp.getgrnam(text)[2]
            except (KeyError, ValueError):
                self.owners[kind, name] = None
        found = self.owners[kind, name]
        return number if found is None else found

    def set_metadata(self, entry: Entry, place: int | bytes) -> None:
        """Set what an entry says of something: a descriptor, or a name in the directory entered last.

        The owner comes first, because changing it clears set-id bits and capabilities.
        """
        at: dict[str, Any] = {} if isinstance(place, int) else {"dir_fd": self.fd, "follow_symlinks": False}
        mode = entry.mode
        try:
            uid = self.number_of("user", entry.user, entry.uid)
            os.chown(place, uid, self.number_of("group", entry.group, entry.gid), **at)
        except (OSError, OverflowError) as error:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)  # they were meant for another owner
            if isinstance(error, PermissionError):
                self.owners_skipped += 1
            else:
                self.failed(entry, "cannot set the owner", error)
        self.set_xattrs(entry, place)
        try:
            if entry.type != "symlink":  # has no mode of its own
                os.chmod(place, mode, **({} if isinstance(place, int) else {"dir_fd": self.fd}))
            os.utime(place, ns=(time.time_ns(), entry.mtime), **at)
        except (OSError, OverflowError) as error:
            self.failed(entry, "cannot set mode and time", error)

    def set_xattrs(self, entry: Entry, place: int | bytes) -> None:
        at: dict[str, Any] = {}
        if isinstance(place, bytes):
            place, at = b"/proc/self/fd/%d/%s" % (self.fd, place), {"follow_symlinks": False}
        if not hasattr(os, "setxattr"):
            if entry.xattrs:
                self.failed(entry, "cannot set extended attributes", OSError(0, "not on this system"))
            return
        for name in ACLS:  # drop what was inherited from outside the target
            try:
                os.removexattr(place, name, **at)
            except OSError:  # there was none
                pass
        for name, value in entry.xattrs:
            try:
                os.setxattr(place, name, value, **at)
            except OSError as error:
                self.failed(entry, f"cannot set the extended attribute {show(name)}", error)


# Verify -----------------------------------------------------------------------------------------------------


class PackFacts(NamedTuple):
    copy: Copy
    logical_id: str
    raw_size: int


def verify_pack(store: Store, name: str) -> PackFacts:
    """Check every byte of a pack from itself alone: what it says it is, and its name."""
    key = f"packs/{name[:2]}/{name}"
    try:
        size = store.size(key)
        if size < HEADER_SIZE + TRAILER_SIZE:
            raise Damage("cut short")
        if store.digest(key) != name:
            raise Damage("has not the digest of its name")
        header = store.read_range(key, 0, HEADER_SIZE)
        trailer = store.read_range(key, size - TRAILER_SIZE, TRAILER_SIZE)
        magic, version, seal = struct.unpack_from("<8sII", header)
        offset, length, version_again, zero, magic_again = struct.unpack("<QQII8s", trailer)
        if magic != b"CAIRNPAK" or magic_again != b"CAIRNEND":
            raise Damage("header or trailer is not that of a pack")
        if version != 1 or version_again != 1:
            raise Unknown(f"version {max(version, version_again)} of a pack is not known, only version 1")
        if seal not in (0, 1):
            raise Unknown(f"seal {seal} of a pack is not known")
        if zero != 0 or offset < HEADER_SIZE or offset + length + TRAILER_SIZE != size:
            raise Damage("the trailer is wrong")
        copy = Copy(name, size, offset, length, seal == 1)
        directory = Directory(store, copy, Scratch())
        pack = Pack(store, directory.scratch, FrameCache(), directory.logical_id)
        pack.opened[copy] = directory
        pack.copies.append(copy)
        for first, end in zip(directory.firsts, directory.firsts[1:]):
            for _ in pack.read(first, end - first):
                pass
    except Refused as error:
        raise error if str(error).startswith(key) else type(error)(f"{key}: {error}") from None
    return PackFacts(copy, directory.logical_id, directory.raw_size)


def verify_other(store: Store, name: str) -> None:
    """Check an object that no snapshot needs."""
    try:
        if not OBJECT_NAME.fullmatch(name):
            raise Damage("is not the name of an object")
        if name.split("/")[0] in ("drills", "recover") or name == "lease/prune.json":
            return
        pending, mark, pin = (p.fullmatch(name) for p in (PENDING_NAME, MARK_NAME, PIN_NAME))
        if not (pending or mark or pin):
            raise Unknown("is not an object of this version")
        data = store.read(name)
        value = parse_json(data)
        if not data.endswith(b"}\n"):
            raise Damage("does not end with one newline")
        if pending:
            check_format(value, "cairn-pending")
            take(value, "run", string, pending[1])
            take(value, "number", integer, int(pending[2]) or 1, int(pending[2]))
            take(value, "created", instant)
            packs = take(value, "packs", array_of, parse_copy)
            text = store.keys.open_text if is_sealed(value) else exact_text
            private = take(value, "private", lambda item: parse_json(text(item)))
            take(private, "host", string)
            parse_arrays(private, ("logical_ids", "holds_list"), len(packs))
        elif mark:
            check_format(value, "cairn-mark")
            take(value, "time", instant)
            take(value, "newest_object", instant)
            take(value, "packs", array_of, digest)
            take(value, "seen", array_of, string, MANIFEST_NAME)
            for item in take(value, "removed", array_of, object_of):
                key, content = take(item, "key", string), take(item, "bytes_b64", base64_bytes)
                if content:
                    parse_manifest(store.keys, key, content, locked_too=True)
            take(value, "restored", array_of, string, MANIFEST_NAME)
        else:
            check_format(value, "cairn-pin")
            take(value, "id", string, pin[1])
            if take(value, "pinned", boolean) != (pin[2] == "pin"):
                raise Damage("does not say what its name says")
    except Refused as error:
        raise type(error)(f"{show(name)}: {error}") from None


class Verifier:
    """Checks everything, reports all that is wrong, and goes on."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.packs: dict[str, PackFacts | None] = {}
        self.status = 0

    def report(self, error: Refused | OSError) -> None:
        damage = error if isinstance(error, Refused) else Refused(f"{error.filename}: {error.strerror}")
        print(f"{'damage' if isinstance(damage, Damage) else 'refused'}: {damage}")
        self.status = max(self.status, damage.status)

    def guarded(self, check: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return check(*arguments)
        except (Refused, OSError) as error:
            self.report(error)
            return None

    def pack(self, name: str) -> PackFacts | None:
        """What a pack says it is; None where it is not good, which is reported once."""
        if name not in self.packs:
            self.packs[name] = self.guarded(verify_pack, self.store, name)
        return self.packs[name]

    def snapshot(self, manifest: Manifest) -> None:
        packs = zip(manifest.copies, manifest.logical_ids, manifest.raw_bytes, manifest.live_bytes)
        for copy, logical_id, raw, live in packs:
            facts = self.pack(copy.name)
            if facts is None:
                raise Refused(f"needs pack {copy.name}, which is not good")
            if facts != (copy, logical_id, raw) or live > raw:
                raise Damage(f"pack {copy.name} is not what the manifest says of it")
        snapshot = Snapshot(self.store, [manifest])
        snapshot.check_entries()
        for logical_id, holds_list in zip(manifest.logical_ids, manifest.holds_list):
            if holds_list and logical_id[:16] in snapshot.content_packs:
                raise Damage(f"pack {logical_id[:16]} holds content, but the manifest says that it does not")

    def manifest(self, manifest: Manifest) -> None:
        try:
            self.snapshot(manifest)
            print(f"good: {manifest.name} {manifest.id}")
        except (Refused, OSError) as error:
            known = isinstance(error, Refused)
            self.report(type(error)(f"{manifest.name}: {error}") if known else error)

    def everything(self) -> None:
        self.guarded(check_store, self.store)
        first: dict[str, Any] = {}
        for name in self.store.names("config"):
            if CONFIG_NAME.fullmatch(name):
                value = self.guarded(check_descriptor, self.store, name) or first
                first = first or value
                for key in ("store_id", "created", "encryption", "create_only"):
                    if value.get(key) != first.get(key):
                        self.report(Damage(f"{name}: '{key}' is not what another generation says"))
            else:
                self.report(Unknown(f"{show(name)}: is not the name of a descriptor"))
        unsigned: dict[str, Manifest] = {}
        signed: set[str] = set()
        for name in self.store.names("snapshots"):
            manifest = self.guarded(load_manifest, self.store, name)
            if manifest:
                if manifest.signed:
                    signed.add(manifest.id)
                else:
                    unsigned.setdefault(manifest.id, manifest)
                self.manifest(manifest)
                if self.store.keys.trusted and not manifest.vouched:
                    warn(f"warning: {manifest.name}: no trusted key has signed which packs it names")
        for identity, manifest in unsigned.items():
            if identity not in signed:
                self.guarded(check_trust, self.store.keys, [manifest])
        for name in self.store.names("packs"):
            match = PACK_NAME.fullmatch(name)
            if match:
                self.pack(match[2])
            else:
                self.report(Damage(f"{show(name)}: is not the name of a pack"))
        others = (n for n in sorted(os.listdir(self.store.root)) if n not in ("config", "snapshots", "packs"))
        for name in others:
            if os.path.isdir(self.store.path(name)):
                for object_name in self.store.names(name):
                    self.guarded(verify_other, self.store, object_name)
            elif not name.startswith(".tmp-"):
                self.guarded(verify_other, self.store, name)


# Commands ---------------------------------------------------------------------------------------------------


def command_list(store: Store) -> int:
    status = 0
    snapshots: dict[str, Manifest] = {}
    signed: set[str] = set()
    for match in manifest_names(store):
        try:
            manifest = load_manifest(store, match[0], locked_too=True)
        except Refused as error:
            warn(str(error))
            status = max(status, error.status)
            continue
        known = snapshots.setdefault(manifest.id, manifest)
        if known.locked and not manifest.locked:  # one of the manifests of a snapshot is enough
            snapshots[manifest.id] = manifest
        if manifest.signed:
            signed.add(manifest.id)
    for manifest in snapshots.values():
        record, facts = manifest.record, manifest.facts
        if manifest.locked:
            what = ["sealed"]
            if store.keys.identities:
                warn(str(manifest.locked))
                status = max(status, manifest.locked.status)
        else:
            stats = facts["stats"]
            what = [facts["kind"], f"{show(facts['host'])}:{show(byte_string(facts, 'source'))}"]
            what += [f"{stats['files']} files {stats['bytes']} bytes"]
            what += [f"{show(key)}={show(value)}" for key, value in facts["tags"].items()]
        what += ["incomplete"] if record["incomplete"] else []
        what += [f"doubt={show(str(record['doubt']))}"] if record.get("doubt") is not None else []
        if store.keys.trusted:
            what += ["signed" if manifest.id in signed else "not-signed"]
        print(manifest.id, record["cut_point"], record["series"], *what)
    return status


def command_files(store: Store, reference: str) -> int:
    for entry in Snapshot(store, choose(store, reference)).entries():
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.mtime // 10**9))
        target = f" -> {show(entry.target)}" if entry.target else ""
        what = f"{entry.type:<11} {entry.mode:04o} {entry.uid}:{entry.gid} {entry.size:>12} {moment}"
        print(f"{what} {show(entry.path)}{target}")
    return 0


def command_verify(store: Store, reference: str | None) -> int:
    verifier = Verifier(store)
    if reference is None:
        verifier.everything()
    else:
        for manifest in choose(store, reference):
            verifier.manifest(manifest)
    return verifier.status


def command_restore(store: Store, reference: str, target: str) -> int:
    inside, folder = os.path.realpath(target), os.path.realpath(store.root)
    if os.path.commonpath([inside, folder]) == folder:
        raise Misuse("the target is in the store")
    snapshot = Snapshot(store, choose(store, reference))
    if snapshot.manifest.record.get("doubt") is not None:
        warn("note: its writer doubted that this snapshot holds all that it should")
    elif snapshot.manifest.record["incomplete"]:
        warn("note: some paths could not be read when this snapshot was taken; they are not in it")
    status = Restorer(snapshot).run(os.fsencode(target))
    warn(f"restored {snapshot.manifest.id} to {show(target)}")
    return status


def command_cat(store: Store, reference: str, path: str | None) -> int:
    snapshot = Snapshot(store, choose(store, reference))
    if path is None and not snapshot.single_file:
        raise Misuse("which file? The snapshot is one of a directory")
    wanted: bytes | None = None if path is None else os.fsencode(path)
    snapshot.check_entries()
    for _ in range(2):  # twice where it is a hard link
        entry = next((e for e in snapshot.entries() if wanted is None or e.path == wanted), None)
        if entry is None:
            raise Absent(f"the snapshot has no {show(wanted)}")
        if entry.type == "file":
            for run in entry.content:
                if run.pack is not None:
                    for data in run.pack.read(run.first, run.chunks):
                        sys.stdout.buffer.write(data)
                left = run.size if run.pack is None else 0
                while left:
                    left -= sys.stdout.buffer.write(bytes(min(left, MAX_CHUNK)))
            sys.stdout.buffer.flush()
            return 0
        if entry.type != "hardlink":
            break
        wanted = entry.target
    raise Misuse(f"{show(entry.path)} is not a file, but a {entry.type}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cairn_reader.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, operands in {
        "list": (),
        "files": ("snapshot",),
        "verify": ("snapshot?",),
        "restore": ("snapshot", "target"),
        "cat": ("snapshot", "path?"),
    }.items():
        command = commands.add_parser(name)
        for operand in ("store", *operands):
            command.add_argument(operand.rstrip("?"), nargs="?" if operand.endswith("?") else None)
        command.add_argument("--identity", action="append", default=[], metavar="FILE")
        command.add_argument("--trusted-key", action="append", default=[], metavar="KEY")
    options = vars(parser.parse_args(arguments))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    command = globals()["command_" + options.pop("command")]
    try:
        if command is not command_list and not shutil.which("zstd"):
            raise Refused("the program zstd is not in PATH")
        store = Store(options.pop("store"), Keys(options.pop("identity"), options.pop("trusted_key")))
        if command is not command_verify or options["snapshot"] is not None:
            check_store(store)
        status = command(store, *options.values())
        sys.stdout.flush()
        return status
    except Refused as error:
        warn(f"error: {error}")
        return error.status
    except OSError as error:
        warn(f"error: {show(error.filename) + ': ' if error.filename else ''}{error.strerror}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
