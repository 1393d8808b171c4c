#!/usr/bin/env python3
"""What is wrong in a sealed store or with its keys: one bit in every field of pack, manifest and descriptor, parts that
were swapped, cut short or sealed by somebody else, other descriptors, wrong identities and passphrases. A restore gives
exactly what was stored or a clear error, and never writes a wrong or partial file."""

import base64
import hashlib
import json
import os
import pathlib
import pty
import random
import re
import shutil
import struct

from sealing import (
    HEADER,
    SEGMENT,
    TRAILER,
    Identity,
    Pack,
    SigningKey,
    age_decrypt,
    age_encrypt,
    fingerprint,
    host,
    join_pack,
    manifest_text,
    manifests_of,
    need,
    packs_of,
    put_descriptor,
    put_manifest,
    put_pack,
    read_descriptor,
    read_manifest,
)
from support import Cairn, Workspace, check, main, run_steps, tree_differences

# 1: another version or feature, which is refused but not called damage.
REFUSED = (1, 4, 12, 13)


def on_terminal(cairn: Cairn, answers: list[str], *args) -> tuple[int, str]:
    """Runs it with a terminal of its own, answers what it asks; exit status and all that it printed there."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(cairn.binary, [cairn.binary, *map(str, args)], cairn.environment)
    shown = ""
    waiting = list(answers)
    answered = 0
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data.decode()
        # Wherever the prompt is: other things may have been printed after it.
        asked = len(re.findall(r"(?:passphrase[^\n]*?|again): ", shown))
        if waiting and asked > answered:
            answered = asked
            os.write(terminal, (waiting.pop(0) + "\n").encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def confirmation(store: pathlib.Path) -> list[str]:
    """What key accept wants to hear of the store as it is."""
    descriptor = read_descriptor(store)
    return descriptor["recipients"] or [descriptor["store_id"]]


class Damage:
    def __init__(self, binary: str, work: pathlib.Path):
        self.binary = binary
        self.work = work
        self.cairn = host(binary, work / "host")
        self.cairn.environment["CAIRN_CACHE_DIR"] = ""
        self.identity = Identity.make(self.cairn, work / "identity.txt")
        self.key = SigningKey.make(self.cairn, work / "sign.pem")
        self.cairn.environment["CAIRN_SIGNING_KEY"] = str(self.key.file)
        self.tree = work / "tree"
        self.tree.mkdir()
        rng = random.Random(4)
        (self.tree / "random").write_bytes(rng.randbytes(300_000))
        (self.tree / "text").write_text("some text\n" * 20_000)
        for i in range(5):
            (self.tree / f"small{i}").write_bytes(rng.randbytes(2000))
        self.clean = work / "clean"
        self.store = work / "store"
        self.cairn.run("init", "--store", self.store, "--recipient", self.identity.recipient)
        self.id = self.cairn.json("snapshot", "--store", self.store, self.tree, "--series", "s")["id"]
        shutil.copytree(self.store, self.clean)
        self.runs = 0
        self.statuses: dict[int, int] = {}

    def fresh(self) -> None:
        shutil.rmtree(self.work / "back", ignore_errors=True)
        shutil.rmtree(self.store)
        shutil.copytree(self.clean, self.store)

    def restore_is_right_or_refused(self, what: str, must_fail: bool = False) -> int:
        back = self.work / "back"
        arguments = ("--identity", self.identity.file, "--trusted-key", self.key.public)
        done = self.cairn.run("restore", "--store", self.store, self.id, back, *arguments, expect=None)
        self.runs += 1
        self.statuses[done.returncode] = self.statuses.get(done.returncode, 0) + 1
        error = done.stderr.decode()
        if done.returncode == 0:
            check(tree_differences(self.tree, back) == "", f"{what}: restored otherwise")
            check(not must_fail, f"{what}: restored all the same")
        else:
            check(done.returncode in REFUSED, f"{what}: exit {done.returncode}: {error}")
            check(error.startswith("cairn: error: ") or "\ncairn: error: " in error, f"{what}: no error is printed: {error}")
            # What is there is whole and right: a file that is damaged is left out, under any name.
            for path in back.rglob("*"):
                like = self.tree / path.relative_to(back)
                check(like.exists(), f"{what}: {path} is left at the target")
                check(path.is_dir() or path.read_bytes() == like.read_bytes(), f"{what}: {path} is wrong")
        left = [path.name for path in self.work.iterdir() if path.name.startswith((".", "back")) and path != back]
        check(left == [], f"{what}: {left} is left beside the target")
        shutil.rmtree(back, ignore_errors=True)
        return done.returncode

    def verify_finds(self, what: str, *args) -> None:
        done = self.cairn.run("verify", "--store", self.store, "--level", "full", *args, expect=None)
        check(done.returncode in REFUSED, f"{what}: verify {args}: exit {done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")

    def fields_of_a_pack(self, data: bytes) -> dict[str, int]:
        """Offsets, at least one in each field."""
        pack = Pack(data)
        fields = {"magic": 0, "version": 8, "seal": 12, "random bytes": 16, "random bytes, last": 31}

        def sealed(name: str, at: int, part: bytes) -> None:
            mac = part.index(b"\n--- ") + 1
            preamble = part.index(b"\n", mac) + 1
            line = 0
            for number, text in enumerate(part[:mac].split(b"\n")[:-1]):
                fields[f"{name}: line {number} of the age header"] = at + line
                fields[f"{name}: line {number} of the age header, end"] = at + line + max(len(text) - 1, 0)
                fields[f"{name}: line {number} of the age header, line end"] = at + line + len(text)
                line += len(text) + 1
            fields[f"{name}: MAC"] = at + mac + 10
            fields[f"{name}: MAC, end"] = at + preamble - 2
            fields[f"{name}: nonce"] = at + preamble
            fields[f"{name}: nonce, end"] = at + preamble + 15
            begin = preamble + 16
            number = 0
            while begin < len(part):
                end = min(begin + SEGMENT, len(part))
                for where, offset in (("", begin), (", middle", (begin + end) // 2), (", end", end - 17), (", tag", end - 8)):
                    fields[f"{name}: segment {number}{where}"] = at + offset
                begin = end
                number += 1

        sealed("data", HEADER, pack.data)
        sealed("directory", pack.at, pack.directory)
        for name, offset in (("offset", 0), ("size", 8), ("version", 16), ("zero", 20), ("magic", 24)):
            fields[f"trailer: {name}"] = len(data) - TRAILER + offset
        return fields

    def a_bit_of_a_pack(self) -> None:
        self.fresh()
        for path in packs_of(self.store):
            good = path.read_bytes()
            fields = self.fields_of_a_pack(good)
            for name, at in fields.items():
                what = f"pack of {len(good)} bytes, {name}"
                path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
                self.restore_is_right_or_refused(what)
                self.verify_finds(what)
            path.write_bytes(good)
            print(f"{len(fields)} fields of a pack of {len(good)} bytes")
            for length in (0, 1, HEADER - 1, HEADER, HEADER + 20, HEADER + 100, HEADER + 200, len(good) - TRAILER, len(good) - 1):
                path.write_bytes(good[:length])
                self.restore_is_right_or_refused(f"pack cut to {length} bytes")
                self.verify_finds(f"pack cut to {length} bytes")
            path.write_bytes(good)

    def four_bytes_of_a_pack(self) -> None:
        """Damage that stays is damage: nobody is told that it came wrong once, nor of a disk that fails. In a pack of which
        half is needed, so that it is read in runs of frames: one is damaged, and what stands beside it is right."""
        tree, store = self.work / "large-tree", self.work / "large-store"
        tree.mkdir()
        rng = random.Random(7)
        for i in range(12):
            (tree / f"file{i:02}").write_bytes(rng.randbytes(2_500_000))
        self.cairn.run("init", "--store", store, "--recipient", self.identity.recipient)
        self.cairn.run("snapshot", "--store", store, tree, "--series", "large")
        for i in range(0, 12, 2):
            (tree / f"file{i:02}").unlink()
        taken = self.cairn.json("snapshot", "--store", store, tree, "--series", "large")["id"]
        wrong = re.compile(r"read again|came wrong|disk|failing|network|memory")
        back = self.work / "back"
        restore = ("restore", "--quiet", "--store", store, taken, back, "--identity", self.identity.file)
        verify = ("verify", "--store", store, "--level", "full", "--identity", self.identity.file)
        path = max(packs_of(store), key=lambda path: path.stat().st_size)
        good = path.read_bytes()
        pack = Pack(good)
        begin, damaged = HEADER + pack.preamble(), 0
        for at in [begin, *(begin + rng.randrange(len(pack.data) - pack.preamble() - 4) for _ in range(9)), pack.at + 300]:
            path.write_bytes(good[:at] + bytes(byte ^ 0xFF for byte in good[at : at + 4]) + good[at + 4 :])
            for command in (restore, verify):
                done = self.cairn.run(*command, expect=None)
                text = done.stdout.decode() + done.stderr.decode()
                seen = "damage" in text and done.returncode in (1, 4)
                # Of what the snapshot does not need a restore reads nothing.
                unseen = command is restore and done.returncode == 0 and text == ""
                check(seen or unseen, f"{command[0]}, byte {at}: exit {done.returncode}: {text}")
                damaged += command is restore and seen
                check(not wrong.search(text), f"{command[0]}, byte {at} of {len(good)}: {text}")
            # But for the file that the bytes are of, or two.
            there = list(back.iterdir()) if back.exists() else []
            check(len(there) >= 4 or at >= pack.at, f"byte {at}: {len(there)} files are left")
            check(all((tree / each.name).read_bytes() == each.read_bytes() for each in there), f"byte {at}: a wrong file")
            shutil.rmtree(back, ignore_errors=True)
        check(damaged >= 3, f"{damaged} places that the snapshot needs")
        path.write_bytes(good)

    def a_bit_of_a_pack_that_is_named_by_it(self) -> None:
        """As whoever can write to the store does it: names and sizes fit, so nothing but the seal tells."""
        self.fresh()
        original = read_manifest(manifests_of(self.store)[0])
        for path in packs_of(self.store):
            good = path.read_bytes()
            for name, at in self.fields_of_a_pack(good).items():
                self.fresh()
                bad = put_pack(self.store, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
                (self.store / "packs" / path.name[:2] / path.name).unlink()
                manifests_of(self.store)[0].unlink()
                packs = [entry | {"name": bad} if entry["name"] == path.name else entry for entry in original["packs"]]
                put_manifest(self.store, original | {"packs": packs})
                what = f"renamed pack of {len(good)} bytes, {name}"
                status = self.restore_is_right_or_refused(what)
                if status != 0:
                    self.verify_finds(what, "--identity", self.identity.file)

    def parts_that_were_swapped(self) -> None:
        self.fresh()
        paths = packs_of(self.store)
        big = max(paths, key=lambda path: path.stat().st_size)
        small = min(paths, key=lambda path: path.stat().st_size)
        good, other = big.read_bytes(), small.read_bytes()
        pack = Pack(good)
        at = pack.preamble()
        first, second = pack.data[at : at + SEGMENT], pack.data[at + SEGMENT : at + 2 * SEGMENT]
        body = pack.data[at + 2 * SEGMENT :]
        check(len(body) > SEGMENT, "the test wants three segments")
        preamble = pack.data[:at]
        cases = {
            "segments swapped": preamble + second + first + body,
            "a segment twice": preamble + first + first + body,
            "a segment from the end": preamble + body[-SEGMENT:] + second + body,
            "the last segment cut off": pack.data[: -(len(pack.data) - at) % SEGMENT or -100],
        }
        for what, data in cases.items():
            big.write_bytes(pack.header + data + pack.directory + pack.trailer)
            self.restore_is_right_or_refused(what, must_fail=True)
            self.verify_finds(what)
        big.write_bytes(other)
        small.write_bytes(good)
        self.restore_is_right_or_refused("packs of one store swapped", must_fail=True)
        self.verify_finds("packs of one store swapped")

        # Of two stores for the same recipient, both ways, and directories of one under data of another.
        self.fresh()
        theirs = self.work / "theirs"
        (self.work / "their-tree").mkdir()
        (self.work / "their-tree" / "random").write_bytes(os.urandom(300_000))
        self.cairn.run("init", "--store", theirs, "--recipient", self.identity.recipient)
        self.cairn.run("snapshot", "--store", theirs, self.work / "their-tree", "--series", "s")
        foreign = max(packs_of(theirs), key=lambda path: path.stat().st_size).read_bytes()
        big.write_bytes(foreign)
        self.restore_is_right_or_refused("a pack from another store", must_fail=True)
        self.verify_finds("a pack from another store")
        mixed = join_pack(pack.header, Pack(foreign).data, pack.directory)
        big.write_bytes(mixed)
        self.restore_is_right_or_refused("data of another store's pack", must_fail=True)
        # Fitting names and sizes, and the manifest says so.
        original = read_manifest(manifests_of(self.clean)[0])
        for data in (foreign, mixed):
            self.fresh()
            name = put_pack(self.store, data)
            part = Pack(data)
            entry = {"name": name, "size": len(data), "directory": [part.at, part.length]}
            packs = [each | entry if each["name"] == big.name else each for each in original["packs"]]
            manifests_of(self.store)[0].unlink()
            put_manifest(self.store, original | {"packs": packs})
            self.restore_is_right_or_refused("another store's pack in the manifest", must_fail=True)

    def a_bit_of_a_manifest(self) -> None:
        self.fresh()
        path = manifests_of(self.store)[0]
        good = path.read_bytes()
        stem = path.name.rsplit("-", 1)[0]
        points = sorted({*range(0, len(good), max(1, len(good) // 150)), *(m.start() + 2 for m in re.finditer(rb'"[a-z_]+":', good))})
        for at in points:
            bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
            what = f"manifest, byte {at} in {good[max(0, at - 20):at + 10]!r}"
            path.write_bytes(bad)
            self.restore_is_right_or_refused(what, must_fail=True)
            path.unlink()
            renamed = path.with_name(f"{stem}-{hashlib.sha256(bad).hexdigest()[:16]}.json")
            renamed.write_bytes(bad)
            self.restore_is_right_or_refused(f"renamed {what}")
            renamed.unlink()
        for length in (0, 1, 100, len(good) // 2, len(good) - 2):
            renamed = path.with_name(f"{stem}-{hashlib.sha256(good[:length]).hexdigest()[:16]}.json")
            renamed.write_bytes(good[:length])
            self.restore_is_right_or_refused(f"manifest cut to {length} bytes", must_fail=True)
            renamed.unlink()
        print(f"{len(points)} places of a manifest of {len(good)} bytes")

    def private_parts_of_somebody_else(self) -> None:
        """Recipients are public, so anybody can seal: what the record binds is what counts."""
        original = read_manifest(manifests_of(self.clean)[0])

        def opened(part: str) -> dict:
            return json.loads(age_decrypt(self.identity.file, base64.b64decode(original[part])))

        def sealed(value, recipient: str = self.identity.recipient) -> str:
            text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            return base64.b64encode(age_encrypt([recipient], text.encode())).decode()

        lists = opened("lists")
        other = Identity.make(self.cairn, self.work / "other.txt")
        cases = {
            "facts of another host": {"facts": sealed(opened("facts") | {"host": "elsewhere"})},
            "a root of another size": {"root": sealed(opened("root") | {"size": 1})},
            "logical ids in another order": {"lists": sealed(lists | {"logical_ids": lists["logical_ids"][::-1]})},
            "a logical id less": {"lists": sealed(lists | {"logical_ids": lists["logical_ids"][1:]})},
            "no logical ids": {"lists": sealed({})},
            "lists that are no JSON": {"lists": sealed("nonsense")},
            "lists that are empty": {"lists": sealed("")},
            "lists that are not sealed": {"lists": json.dumps(lists)},
            "lists that are not base64": {"lists": "%%%"},
            "lists that are cut in the age header": {"lists": base64.b64encode(base64.b64decode(original["lists"])[:60]).decode()},
            "lists for somebody else": {"lists": sealed(lists, other.recipient)},
            "a root for somebody else": {"root": sealed(opened("root"), other.recipient)},
            "facts for somebody else": {"facts": sealed(opened("facts"), other.recipient)},
            "a manifest that says it is not sealed": {"seal": "none"},
            "packs that are said not to be sealed": {"packs": [each | {"seal": "none"} for each in original["packs"]]},
        }
        for what, members in cases.items():
            self.fresh()
            manifests_of(self.store)[0].unlink()
            put_manifest(self.store, original | members)
            self.restore_is_right_or_refused(what, must_fail="packs" not in what)

    def other_descriptors(self) -> None:
        tree = self.work / "other-tree"
        shutil.copytree(self.tree, tree)
        stranger = Identity.make(self.cairn, self.work / "stranger.txt")
        both = sorted([self.identity.recipient, stranger.recipient])
        differences = {
            "another recipient": {"recipients": [stranger.recipient]},
            "one recipient more": {"recipients": both},
            "encryption off": {"encryption": "none", "recipients": []},
            "another store's id": {"store_id": "0123456789abcdef" * 2},
        }
        added = Identity.make(self.cairn, self.work / "added.txt")
        plain = self.work / "plain"
        self.cairn.run("init", "--store", plain, "--no-encryption")
        self.cairn.run("snapshot", "--store", plain, tree, "--series", "p")
        for what, members in differences.items():
            for generation in (1, 2):
                self.fresh()
                descriptor = read_descriptor(self.store) | members | {"generation": generation}
                if generation == 1:
                    next((self.store / "config").iterdir()).unlink()
                put_descriptor(self.store, descriptor)
                before = fingerprint(self.store)
                (tree / "secret").write_text("not for the wrong party")
                for command in (
                    ("snapshot", "--store", self.store, tree, "--series", "s"),
                    ("push", "--from", plain, "--to", self.store),
                    ("key", "add", "--store", self.store, added.recipient),
                    ("prune", "--store", self.store, "--series", "s", "--keep-last", "1", "--apply"),
                    ("restore", "--store", self.store, "s", self.work / "back", "--identity", self.identity.file),
                    ("list", "--store", self.store),
                    ("snapshot", "--store", f"file://{self.store}", tree, "--series", "s"),
                    ("snapshot", "--store", f"{self.store}/../{self.store.name}", tree, "--series", "s"),
                ):
                    done = self.cairn.run(*command, expect=None)
                    check(done.returncode == 13, f"{what}, generation {generation}: {command}: exit {done.returncode}: {done.stderr.decode()}")
                    check(fingerprint(self.store) == before, f"{what}: {command[0]} changed the store")
                (tree / "secret").unlink()
                check(not (self.work / "back").exists(), "a refused restore left something")
                # What the configuration demands no acceptance overrules.
                configuration = self.work / "cairn.toml"
                configuration.write_text(
                    f'[stores.it]\nurl = "{self.store}"\nrecipients = ["{self.identity.recipient}"]\n'
                    f'store_id = "{read_descriptor(self.clean)["store_id"]}"\n'
                )
                newcomer = host(self.binary, self.work / f"newcomer{self.work.stat().st_mtime_ns}")
                for command in (("snapshot", "--store", "it", tree, "--series", "s"), ("key", "accept", "--store", "it")):
                    newcomer.run("--config", configuration, *command, expect=13)
                check(fingerprint(self.store) == before, f"{what}: a configured host changed the store")
                self.cairn.run("key", "accept", "--store", self.store, expect=2)
                check(fingerprint(self.store) == before, f"{what}: what was not confirmed changed the store")
                self.cairn.run("key", "accept", "--store", self.store, *confirmation(self.store))
                taken = self.cairn.json("snapshot", "--store", self.store, tree, "--series", "s")
                back = self.work / "back"
                identity = stranger if what == "another recipient" else self.identity
                self.cairn.run("restore", "--store", self.store, taken["id"], back, "--identity", identity.file)
                check(tree_differences(tree, back) == "", f"{what}, accepted: restored otherwise")
                shutil.rmtree(back)
                # Back as it was: that is a change, too.
                self.fresh()
                self.cairn.run("list", "--store", self.store, expect=13)
                self.cairn.run("key", "accept", "--store", self.store, *confirmation(self.store))

    def refused(self, status: int, says: str, *args, secret: str = "", cairn: Cairn | None = None) -> str:
        back = self.work / "back"
        done = (cairn or self.cairn).run(*args, expect=None)
        text = done.stdout.decode() + done.stderr.decode()
        check(done.returncode == status, f"{args}: exit {done.returncode}, expected {status}: {text}")
        check(says in text, f"{args}: {text!r} does not say {says!r}")
        check(secret == "" or secret not in text and secret[20:40] not in text, f"{args}: the secret is in the message")
        check(not back.exists(), f"{args}: something is left")
        return text

    def identities(self) -> None:
        self.fresh()
        restore = ("restore", "--quiet", "--store", self.store, "s", self.work / "back")
        wrong = Identity.make(self.cairn, self.work / "wrong.txt")
        self.refused(12, "hint: ", *restore)
        self.refused(12, "", *restore, "--identity", wrong.file)
        self.refused(1, "nothing.txt", *restore, "--identity", self.work / "nothing.txt")
        for name, text in (("empty", ""), ("nonsense", "nonsense\n"), ("recipient", self.identity.recipient + "\n"),
                           ("broken", self.identity.secret[:-1] + "\n"), ("cut", "age-encryption.org/v1\n-> scrypt AAAA"),
                           ("binary", "\x00\x01\x02")):
            file = self.work / f"identity-{name}"
            file.write_text(text)
            file.chmod(0o600)
            done = self.cairn.run(*restore, "--identity", file, expect=None)
            error = done.stderr.decode()
            check(done.returncode in (1, 2, 12), f"identity file {name}: exit {done.returncode}: {error}")
            check(str(file) in error, f"identity file {name}: the file is not named: {error}")
            check(self.identity.secret[20:40] not in error, f"identity file {name}: the secret is in the message")
            check(not (self.work / "back").exists(), "something is left")
        # Readable by others: said, and used.
        self.identity.file.chmod(0o644)
        done = self.cairn.run(*restore, "--identity", self.identity.file)
        check(b"warning: identity file" in done.stderr and b"chmod 600" in done.stderr, f"no warning: {done.stderr}")
        shutil.rmtree(self.work / "back")
        self.identity.file.chmod(0o600)
        done = self.cairn.run(*restore, "--identity", wrong.file, "--identity", self.identity.file)
        check(b"warning" not in done.stderr, f"a warning: {done.stderr}")
        shutil.rmtree(self.work / "back")

        commands = {
            "false": 12,
            "/nonexistent/program": 12,
            "sh -c 'echo nonsense'": None,
            f"sh -c 'cat {self.identity.file}; exit 1'": 12,
            "true": None,
            "'unclosed": 2,
        }
        for command, status in commands.items():
            self.cairn.environment["CAIRN_IDENTITY_COMMAND"] = command
            done = self.cairn.run(*restore, expect=None)
            allowed = (1, 2, 12) if status is None else (status,)
            check(done.returncode in allowed, f"identity command {command}: exit {done.returncode}: {done.stderr.decode()}")
            check(self.identity.secret[20:40].encode() not in done.stderr, f"{command}: the secret is in the message")
            check(not (self.work / "back").exists(), "something is left")
        self.cairn.environment["CAIRN_IDENTITY_COMMAND"] = f"cat '{self.identity.file}'"
        self.cairn.run(*restore)
        shutil.rmtree(self.work / "back")
        del self.cairn.environment["CAIRN_IDENTITY_COMMAND"]

    def passphrases(self) -> None:
        self.fresh()
        file = self.work / "protected.txt"
        status, shown = on_terminal(self.cairn, ["correct horse", "correct horse"], "key", "generate", "-p", file)
        check(status == 0, f"key generate -p: exit {status}: {shown}")
        check("correct horse" not in shown, "the passphrase was echoed")
        check(file.stat().st_mode & 0o777 == 0o600 and b"AGE-SECRET-KEY" not in file.read_bytes(), "the key is not protected")
        recipient = re.search(r"age1[a-z0-9]{58}", shown)[0]
        status, shown = on_terminal(self.cairn, ["one", "another"], "key", "generate", "-p", self.work / "p2.txt")
        check(status == 2 and not (self.work / "p2.txt").exists(), f"two passphrases: exit {status}: {shown}")

        store = self.work / "protected-store"
        self.cairn.run("init", "--store", store, "--recipient", recipient)
        self.cairn.run("snapshot", "--store", store, self.tree, "--series", "s")
        restore = ("restore", "--quiet", "--store", store, "s", self.work / "back", "--identity", file)
        status, shown = on_terminal(self.cairn, ["wrong horse"], *restore)
        check(status == 12, f"wrong passphrase: exit {status}: {shown}")
        check("wrong horse" not in shown, "the passphrase was echoed")
        check(not (self.work / "back").exists(), "something is left")
        status, shown = on_terminal(self.cairn, ["correct horse"], *restore)
        check(status == 0, f"right passphrase: exit {status}: {shown}")
        check(tree_differences(self.tree, self.work / "back") == "", "restored otherwise")
        shutil.rmtree(self.work / "back")
        # Progress is not drawn into the line that asks.
        clean = re.search(r"(?:^|\n|\x1b\[K)passphrase of [^\r\n]*: \r\n", shown)
        check(clean is not None, f"something is printed into the prompt: {shown!r}")
        # Without a terminal there is nobody to ask. (A session of its own: the test may have one.)
        process = self.cairn.start(*restore, start_new_session=True)
        _, error = process.communicate()
        check(process.returncode == 12 and b"passphrase" in error, f"no terminal: exit {process.returncode}: {error}")
        # The armoured file is one that the stock program reads, a damaged one is refused.
        text = file.read_text()
        check(text.startswith("-----BEGIN AGE ENCRYPTED FILE-----"), "not armoured")
        at = len(text) // 2
        file.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
        status, shown = on_terminal(self.cairn, ["correct horse"], *restore)
        check(status in (1, 12), f"damaged identity: exit {status}: {shown}")

    def recipients(self) -> None:
        self.fresh()
        new = self.work / "new"
        secret = self.identity.secret
        file = self.work / "recipients"
        file.write_text(f"# ours\n{secret}\n")
        configuration = self.work / "secret.toml"
        configuration.write_text(f'[stores.it]\nurl = "{new}"\nrecipients = ["{secret}"]\n')
        recipient = self.identity.recipient
        for wrong in ("nonsense", "", "age1", recipient[:-1] + ("q" if recipient[-1] == "x" else "x"), recipient.upper()[:30],
                      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", self.key.public):
            self.refused(2, "", "init", "--store", new, f"--recipient={wrong}")
            self.refused(2, "", "key", "add", "--store", self.store, wrong)
        for command in (
            ("init", "--store", new, "--recipient", secret),
            ("init", "--store", new, "--recipient", secret.lower()),
            ("init", "--store", new, "--recipients-file", file),
            ("key", "add", "--store", self.store, secret),
            ("key", "remove", "--store", self.store, secret),
            ("--config", configuration, "init", "--store", "it"),
            ("--config", configuration, "list", "--store", "it"),
            ("list", "--store", self.store, "--trusted-key", secret),
            ("key", "revoke", secret),
        ):
            self.refused(2, "", *command, secret=secret)
            lower = self.cairn.run(*command, expect=2).stderr.decode().upper()
            check(secret[20:40] not in lower, f"{command}: the secret is in the message")
        (self.work / "none").write_text("# nobody\n")
        self.refused(2, "", "init", "--store", new, "--recipients-file", self.work / "none")
        self.refused(2, "", "init", "--store", new, "--recipient", self.identity.recipient, "--no-encryption")
        self.refused(2, "", "init", "--store", new)
        check(not new.exists(), "a refused init made something")
        self.refused(2, "", "key", "generate", "--signing", "-p", self.work / "never.pem")
        self.refused(1, "", "key", "generate", self.identity.file)
        check(self.identity.secret == secret, "an identity was written over")
        for wrong in ("nonsense", "", "RWQ", self.identity.recipient, self.key.public[:-4] + "AAAA="):
            done = self.cairn.run("show", "--store", self.store, "s", f"--trusted-key={wrong}", expect=None)
            check(done.returncode in (1, 2), f"trusted key {wrong!r}: exit {done.returncode}: {done.stderr.decode()}")
        self.cairn.environment["CAIRN_SIGNING_KEY"] = str(self.identity.file)
        before = fingerprint(self.store)
        done = self.cairn.run("snapshot", "--store", self.store, self.tree, "--series", "s", expect=None)
        check(done.returncode in (1, 2, 12), f"a signing key that is none: exit {done.returncode}")
        check(secret[20:40].encode() not in done.stderr, "the secret is in the message")
        check(len(manifests_of(self.store)) == 1, "a snapshot was committed unsigned")
        self.cairn.environment["CAIRN_SIGNING_KEY"] = str(self.key.file)


def run(binary: str, args: list[str]) -> None:
    need("age", "zstd")
    with Workspace("damage") as work:
        damage = Damage(binary, work)
        try:
            run_steps([
                damage.identities, damage.passphrases, damage.recipients, damage.other_descriptors,
                damage.parts_that_were_swapped, damage.private_parts_of_somebody_else, damage.a_bit_of_a_manifest,
                damage.a_bit_of_a_pack, damage.a_bit_of_a_pack_that_is_named_by_it, damage.four_bytes_of_a_pack,
            ])
        finally:
            print(f"{damage.runs} restores of what was changed, by exit status: {dict(sorted(damage.statuses.items()))}")


main(run)
