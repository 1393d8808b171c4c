"""A model of a disk on which a program wrote (tests/crash/record.c writes down how it did): a cut of power leaves what was
synced, and what it likes of the rest."""

import hashlib
import pathlib
import random


class File:
    def __init__(self):
        self.synced = b""
        self.pending: list[tuple[int, bytes | None]] = []  # a write, or None: cut to that length
        self.now = b""

    def change(self, offset: int, data: bytes | None) -> None:
        self.pending.append((offset, data))
        self.now = changed(self.now, offset, data)

    def sync(self) -> None:
        self.synced, self.pending = self.now, []


class Directory:
    def __init__(self):
        self.synced: dict[str, File | Directory] = {}
        self.pending: list[dict[str, File | Directory | None]] = []  # what one call changed: all of it or nothing
        self.now: dict[str, File | Directory] = {}

    def change(self, names: dict) -> None:
        self.pending.append(names)
        apply_names(self.now, names)

    def sync(self) -> None:
        for names in self.pending:
            apply_names(self.synced, names)
        self.pending = []


def changed(content: bytes, offset: int, data: bytes | None) -> bytes:
    if data is None:
        return content[:offset].ljust(offset, b"\0")
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


def apply_names(entries: dict, names: dict) -> None:
    for name, node in names.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


class Disk:
    """What a directory holds, in memory and on the medium, while a journal is played."""

    def __init__(self, root_inode: int):
        self.root = Directory()
        self.nodes: dict[int, File | Directory] = {root_inode: self.root}

    def put_tree(self, path: pathlib.Path, into: "Directory | None" = None) -> None:
        """All that is below a directory, durable, before anything was recorded."""
        into = into or self.root
        for entry in sorted(path.iterdir()):
            known = self.nodes.get(entry.stat().st_ino)
            if known is not None:  # another name of it
                into.change({entry.name: known})
                continue
            node: File | Directory = Directory() if entry.is_dir() else File()
            self.nodes[entry.stat().st_ino] = node
            if isinstance(node, Directory):
                self.put_tree(entry, node)
            else:
                node.change(0, entry.read_bytes())
                node.sync()
            into.change({entry.name: node})
        into.sync()

    def play(self, fields: list[str], data: bytes | None) -> None:
        kind, numbers = fields[0], fields[1:]
        if kind in ("create", "mkdir"):
            node = self.nodes[int(numbers[1])] = File() if kind == "create" else Directory()
            self.nodes[int(numbers[0])].change({numbers[2]: node})
        elif kind in ("unlink", "rmdir"):
            self.nodes[int(numbers[0])].change({numbers[1]: None})
        elif kind == "link":
            self.nodes[int(numbers[0])].change({numbers[2]: self.nodes[int(numbers[1])]})
        elif kind == "rename":
            source, target, node = (self.nodes[int(n)] for n in numbers[:3])
            if source is target:
                source.change({numbers[3]: None, numbers[4]: node})
            else:
                target.change({numbers[4]: node})
                source.change({numbers[3]: None})
        elif kind == "exchange":
            source, target, node, other = (self.nodes[int(n)] for n in numbers[:4])
            if source is target:
                source.change({numbers[4]: other, numbers[5]: node})
            else:
                target.change({numbers[5]: node})
                source.change({numbers[4]: other})
        elif kind == "write":
            self.nodes[int(numbers[0])].change(int(numbers[1]), data)
        elif kind == "truncate":
            self.nodes[int(numbers[0])].change(int(numbers[1]), None)
        elif kind == "sync":
            self.nodes[int(numbers[0])].sync()
        elif kind == "syncfs":
            for node in self.nodes.values():
                node.sync()
        else:
            raise AssertionError(f"the journal has {fields}")


def parse_journal(path: pathlib.Path) -> list[tuple[int, list[str], bytes | None]]:
    """Each call: the length of the journal with it, its fields, its data."""
    text = path.read_bytes()
    calls = []
    at = 0
    while at < len(text):
        end = text.index(b"\n", at)
        fields = text[at:end].decode().split(" ")
        at = end + 1
        data = None
        if fields[0] == "write":
            data = text[at : at + int(fields[3])]
            at += int(fields[3]) + 1
        calls.append((at, fields, data))
    return calls


class Loss:
    """What a cut of power does to everything that was not synced."""

    def names(self, directory: Directory) -> dict:
        return directory.synced

    def data(self, file: File) -> bytes:
        return file.synced

    def left(self, directory: Directory) -> dict:
        """The tree that it leaves: bytes or, for a directory, a dictionary, by name."""
        return {
            name: self.left(node) if isinstance(node, Directory) else self.data(node)
            for name, node in self.names(directory).items()
        }


class LosesNothing(Loss):
    def names(self, directory: Directory) -> dict:
        return directory.now

    def data(self, file: File) -> bytes:
        return file.now


class LosesData(LosesNothing):
    def data(self, file: File) -> bytes:
        return file.synced


class LeavesZeros(LosesNothing):
    def data(self, file: File) -> bytes:
        return file.synced[: len(file.now)].ljust(len(file.now), b"\0")


class LosesOneName(LosesNothing):
    """All but one of the changes of names that are not synced, in each directory; or that one alone."""

    def __init__(self, index: int, alone: bool):
        self.index = index
        self.alone = alone

    def names(self, directory: Directory) -> dict:
        entries = dict(directory.synced)
        for at, names in enumerate(directory.pending):
            if (at == self.index) == self.alone:
                apply_names(entries, names)
        return entries


def lose_names_one_by_one(root: Directory) -> list[Loss]:
    """For every change of names in it that is not synced."""
    count = len(root.pending)
    return [LosesOneName(index, alone) for index in range(count) for alone in (False, True)]


class Mixes(Loss):
    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.share = self.random.choice((0.1, 0.5, 0.9))

    def names(self, directory: Directory) -> dict:
        entries = dict(directory.synced)
        for names in directory.pending:
            if self.random.random() < self.share:
                apply_names(entries, names)
        return entries

    def data(self, file: File) -> bytes:
        content = file.synced
        for offset, data in file.pending:
            fate = self.random.random()
            if fate < self.share:
                content = changed(content, offset, data)
            elif data is not None and fate < (1 + self.share) / 2:
                content = changed(content, offset, bytes(len(data)))
            elif data is not None and self.random.random() < 0.5:
                content = changed(content, offset, data[: self.random.randrange(len(data))])
        return content


def digest(tree: dict) -> bytes:
    total = hashlib.sha256()
    for name in sorted(tree):
        inner = tree[name]
        is_directory = isinstance(inner, dict)
        total.update(f"{name}/{is_directory}/".encode() + (digest(inner) if is_directory else hashlib.sha256(inner).digest()))
    return total.digest()


def write_tree(path: pathlib.Path, tree: dict) -> None:
    path.mkdir(mode=0o700)
    for name, inner in tree.items():
        if isinstance(inner, dict):
            write_tree(path / name, inner)
        else:
            (path / name).write_bytes(inner)
