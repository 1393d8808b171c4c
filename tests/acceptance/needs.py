"""What every file of a snapshot needs of which pack, by the independent reader of the format: so a test knows which
files a damaged byte concerns before it asks the program."""

import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))
import cairn_reader as reader  # noqa: E402

SEGMENT = 65536


@dataclasses.dataclass
class Needs:
    """Of one snapshot. A place is the name of a pack and the bytes of it, from and to, that hold a frame."""

    id: str
    manifest: str  # its key
    packs: set[str]
    lists: set[str]  # packs of the entry list: without them nothing can be restored
    files: dict[str, set[tuple[str, int, int]]]
    links: dict[str, str]  # hard links and what they name
    others: set[str]  # entries without content

    def files_that_need(self, pack: str, begin: int = 0, end: int = 1 << 63) -> set[str]:
        hit = {path for path, places in self.files.items()
               if any(name == pack and begin < to and at < end for name, at, to in places)}
        return hit | {path for path, target in self.links.items() if target in hit}


def stored_place(store: reader.Store, directory: reader.Directory, frame: int) -> tuple[str, int, int]:
    copy = directory.copy
    begin, end = directory.offsets[frame], directory.offsets[frame + 1]
    if copy.sealed:
        header = store.read_range(copy.key, reader.HEADER_SIZE, min(4096, copy.offset - reader.HEADER_SIZE))
        preamble = header.index(b"\n", header.index(b"\n--- ") + 1) + 1 + 16
        first = reader.HEADER_SIZE + preamble
        begin, end = (first + (begin // SEGMENT) * (SEGMENT + 16), first + ((end - 1) // SEGMENT + 1) * (SEGMENT + 16))
    return copy.name, begin, min(end, copy.offset)


def frames_of(directory: reader.Directory, first: int, count: int) -> list[int]:
    return [frame for frame, (begin, end) in enumerate(zip(directory.firsts, directory.firsts[1:]))
            if begin < first + count and first < end]


def needs_of(path: pathlib.Path, identity: pathlib.Path | None = None) -> dict[str, Needs]:
    """Of all snapshots of a store, by id."""
    store = reader.Store(str(path), reader.Keys([str(identity)] if identity else []))
    found = {}
    for match in reader.manifest_names(store):
        manifest = reader.load_manifest(store, match[0])
        snapshot = reader.Snapshot(store, [manifest])
        needs = Needs(manifest.id, match[0], {copy.name for copy in manifest.copies}, set(), {}, {}, set())
        for entry in snapshot.entries():
            name = entry.path.decode("utf-8", "surrogateescape")
            if entry.type == "hardlink":
                needs.links[name] = entry.target.decode("utf-8", "surrogateescape")
            elif entry.type != "file":
                needs.others.add(name)
            else:
                places = needs.files.setdefault(name, set())
                for run in entry.content:
                    if run.pack is not None:
                        directory = run.pack.directory()
                        places.update(stored_place(store, directory, frame)
                                      for frame in frames_of(directory, run.first, run.chunks))
        needs.lists = {copy.name for copy, holds in zip(manifest.copies, manifest.holds_list) if holds}
        found[manifest.id] = needs
    return found
