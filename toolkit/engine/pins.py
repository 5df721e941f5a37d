"""Pins: what ``model.json`` names at one moment, kept under a name until it is unpinned (docs/formats.md, pins).

    _pins/<name>/<entity>/<file>     each snapshot, under a name of its own: on a folder lake a hard link
    _pins/<name>/model.json          the manifest, as it was, with the places of these files; it is written last

A pin owns its files, so neither retention nor the end of a link can take them, and an engine that runs need not know
of it: no lock of the writer is taken. A snapshot never changes and is conditional on its etag here, so all that can
happen is that one is gone before it was pinned; then the manifest has changed, and is read again. The lock ``pins``
keeps two commands about pins, and an erasure, from meeting. What a dead command left has no manifest, and the next
command removes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

from toolkit.engine.columns import Column, Kind
from toolkit.engine.incremental.record import RECORD_PATH
from toolkit.engine.index import readable
from toolkit.engine.manifest import MANIFEST_PATH, Document, Place, document_from, locations, manifest_bytes, relocated
from toolkit.engine.partitions import SNAPSHOT_FOLDER
from toolkit.errors import Conflict, Damaged, NotFound, Refused, nearest
from toolkit.lake.protocol import ABSENT, Etag, Fence, Holder, Lake, Staged

PINS_FOLDER = "_pins"
PINS_LOCK = "pins"
"""The lock of whoever makes, removes or changes pins."""

PIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PINNED_BY = "toolkit:PinnedBy"
"""The annotation that says who pinned."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin: when it was made (UTC) and by whom, what it holds, and the address of its manifest."""

    name: str
    at: datetime
    by: str
    entities: int
    files: int
    bytes: int
    manifest: str


def pin_folder(name: str) -> str:
    """Return the folder of a pin."""
    return f"{PINS_FOLDER}/{name}"


def manifest_of(name: str) -> str:
    """Return where the manifest of a pin is."""
    return f"{pin_folder(name)}/{MANIFEST_PATH}"


def pin(lake: Lake, name: str, *, clock: Callable[[], datetime], holder: Holder) -> Pin:
    """Keep what ``model.json`` names now under a name.

    Raises Refused for a name that is taken (ENG081) or none (ENG085), and where there is no manifest (ENG083); Damaged
    when the manifest names a file that is not there (ENG084).
    """
    if PIN_NAME.fullmatch(name) is None:
        raise _no_name(name)
    if lake.stat(RECORD_PATH) is not None:
        raise _no_snapshots(lake)
    with pins_locked(lake, holder) as fence:
        if lake.stat(manifest_of(name)) is not None:
            raise _taken(lake, name)
        document = _with_files(lake, name)
        noted = {
            "modifiedTime": clock().isoformat(),
            "annotations": [{"name": _PINNED_BY, "value": holder.name}],
        }
        fence.check()
        lake.put(manifest_of(name), manifest_bytes({**document, **noted}), ABSENT)
        return _read(lake, name)


def unpin(lake: Lake, name: str, *, holder: Holder) -> None:
    """Remove a pin: its manifest, then its files. Raises NotFound (ENG082)."""
    with pins_locked(lake, holder) as fence:
        if lake.stat(manifest_of(name)) is None:
            known = [each.name for each in pins(lake)]
            where = lake.location(PINS_FOLDER)
            raise NotFound(
                "ENG082", f"there is no pin {name!r}", where=where, fix=nearest(name, known) or "toolkit pins"
            )
        fence.check()
        lake.delete(manifest_of(name))
        _sweep(lake)


def pins(lake: Lake) -> tuple[Pin, ...]:
    """Return the pins of a lake, in name order. Takes no lock."""
    return tuple(_read(lake, name) for name in names_of_pins(lake))


def names_of_pins(lake: Lake) -> list[str]:
    """Return the names of the pins that are whole."""
    paths = (stat.path.split("/") for stat in lake.list(PINS_FOLDER))
    return [path[1] for path in paths if len(path) == 3 and path[2] == MANIFEST_PATH]


@contextmanager
def pins_locked(lake: Lake, holder: Holder) -> Iterator[Fence]:
    """Hold the lock of the pins, remove what a dead command left, and follow a lake that was moved. Raises Locked."""
    fence = lake.lock(PINS_LOCK, holder)
    try:
        _sweep(lake)
        for name in names_of_pins(lake):
            _follow(lake, fence, name)
        yield fence
    finally:
        fence.release()


def replace_files(lake: Lake, fence: Fence, name: str, clean: Mapping[str, Staged | None]) -> None:
    """Put staged files in the place of files of a pin, or nothing, without changing a file that its manifest names.

    The staged ones come under names that are free, then the manifest that names them, then the files go that it no
    longer names. Whatever dies, a reader finds all files of the manifest, and doing it again ends it.
    """
    stat = lake.stat(manifest_of(name))
    document = document_from(lake.read(manifest_of(name)))
    if stat is None or document is None:
        raise _unreadable(lake, name)
    places = _places(lake, name) | {path: _put_beside(lake, fence, path, each) for path, each in clean.items()}
    document = relocated(document, places)
    fence.check()
    lake.put(manifest_of(name), manifest_bytes(document), stat.etag)
    named = locations(document)
    for file in lake.list(pin_folder(name)):
        if file.path != manifest_of(name) and lake.location(file.path) not in named:
            lake.delete(file.path)


def _places(lake: Lake, name: str) -> dict[str, Place | None]:
    """Return where the files of a pin are now, by path."""
    paths = (stat.path for stat in lake.list(pin_folder(name)) if stat.path != manifest_of(name))
    return {path: Place(lake.location(path)) for path in paths}


def _put_beside(lake: Lake, fence: Fence, path: str, staged: Staged | None) -> Place | None:
    """Publish a file beside another one, under the next second that is free, and return its place."""
    if staged is None:
        return None
    head, _, second = path.removesuffix(".csv").rpartition("_")
    number = int(second)
    while lake.stat(path) is not None:
        number += 1
        path = f"{head}_{number}.csv"
    fence.check()
    lake.publish(staged, path, ABSENT)
    return Place(lake.location(path))


def _follow(lake: Lake, fence: Fence, name: str) -> None:
    """Say in the manifest of a pin where its files are now, when the lake was moved since."""
    stat = lake.stat(manifest_of(name))
    before = document_from(lake.read(manifest_of(name)))
    if stat is None or before is None:
        return
    after = relocated(before, _places(lake, name))
    if after != before:
        fence.check()
        lake.put(manifest_of(name), manifest_bytes(after), stat.etag)


def damaged_pins(lake: Lake) -> Iterator[str]:
    """Yield the files of pins, and the manifests, that are gone or cannot be read: all of them are read."""
    for name in names_of_pins(lake):
        document = document_from(lake.read(manifest_of(name)))
        if document is None:
            yield manifest_of(name)
        else:
            yield from (path for path, columns in _named(name, document) if not readable(lake, path, columns))


def repair_pins(lake: Lake, fence: Fence) -> None:
    """Make files of pins again where another file of the same content is there: its snapshot, or another pin's.

    A snapshot never changes, so what has the same name holds the same. The lock of the pins must be held.
    """
    for name in names_of_pins(lake):
        document = document_from(lake.read(manifest_of(name)))
        files = [] if document is None else list(_named(name, document))
        damaged = [(path, columns) for path, columns in files if not readable(lake, path, columns)]
        same = {path: other for path, columns in damaged if (other := _same(lake, path, columns))}
        if same:
            replace_files(lake, fence, name, {path: _copied(lake, fence, name, other) for path, other in same.items()})


def _named(name: str, document: Document) -> Iterator[tuple[str, tuple[Column, ...]]]:
    """Yield the files that the manifest of a pin names, with their columns. The lake may have moved since."""
    for entity in document["entities"]:
        columns = tuple(Column(name=each["name"], kind=Kind.STRING) for each in entity["attributes"])
        for partition in entity["partitions"]:
            yield f"{pin_folder(name)}/{entity['name']}/{partition['location'].rpartition('/')[2]}", columns


def _same(lake: Lake, path: str, columns: tuple[Column, ...]) -> str | None:
    """Return another file of the same content, if there is one that can be read."""
    _, pin, entity, file = path.split("/")
    others = [f"{pin_folder(name)}/{entity}/{file}" for name in names_of_pins(lake) if name != pin]
    places = [f"{entity}/{SNAPSHOT_FOLDER}/{file}", *others]
    return next((each for each in places if readable(lake, each, columns)), None)


def _copied(lake: Lake, fence: Fence, name: str, path: str) -> Staged:
    """Stage a copy of a file."""
    stat = lake.stat(path)
    with closing(lake.stage(f"repair-{fence.number}-{name}", path.replace("/", "."))) as writer:
        writer.copy(path, 0, stat.size if stat else 0)
        return writer.seal()


def _sweep(lake: Lake) -> None:
    """Remove files of pins that have no manifest."""
    whole = set(names_of_pins(lake))
    for stat in lake.list(PINS_FOLDER):
        if stat.path.split("/")[1] not in whole:
            lake.delete(stat.path)


def _with_files(lake: Lake, name: str) -> Document:
    """Give every file that ``model.json`` names a name in the pin, and return the manifest that says so."""
    while True:
        document, etag = _manifest(lake)
        try:
            for entity in document["entities"]:
                _keep(lake, name, entity)
        except (NotFound, Conflict) as error:
            now = lake.stat(MANIFEST_PATH)
            if now is not None and now.etag == etag:
                raise _lost(lake, error.what) from error
            # Another manifest took its place meanwhile, and what only the old one named is gone.
            _sweep(lake)
            continue
        return document


def _manifest(lake: Lake) -> tuple[Document, Etag]:
    stat = lake.stat(MANIFEST_PATH)
    if stat is None:
        raise _nothing(lake, "is not there")
    document = document_from(lake.read(MANIFEST_PATH))
    if document is None:
        raise _nothing(lake, "cannot be read")
    if not any(entity["partitions"] for entity in document["entities"]):
        raise _nothing(lake, "names no file")
    return document, stat.etag


def _keep(lake: Lake, name: str, entity: Document) -> None:
    """Pin the files of an entity, and say in its entry where they are now."""
    files = {lake.location(stat.path): stat for stat in lake.list(entity["name"])}
    for partition in entity["partitions"]:
        stat = files.get(partition["location"])
        if stat is None:
            raise NotFound("ENG084", partition["location"])
        path = f"{pin_folder(name)}/{entity['name']}/{stat.path.rpartition('/')[2]}"
        lake.snapshot(stat.path, path, stat.etag)
        partition["location"] = lake.location(path)


def _read(lake: Lake, name: str) -> Pin:
    document = document_from(lake.read(manifest_of(name)))
    if document is None:
        raise _unreadable(lake, name)
    files = [stat for stat in lake.list(pin_folder(name)) if stat.path != manifest_of(name)]
    (by,) = (each["value"] for each in document["annotations"] if each["name"] == _PINNED_BY)
    return Pin(
        name,
        datetime.fromisoformat(document["modifiedTime"]),
        by,
        entities=len(document["entities"]),
        files=len(files),
        bytes=sum(stat.size for stat in files),
        manifest=lake.location(manifest_of(name)),
    )


def _no_snapshots(lake: Lake) -> Refused:
    return Refused(
        "ENG096",
        "incremental folders are not pinned",
        where=lake.location(""),
        why="model.json names no snapshot there, and a folder that is closed never changes",
        fix="let snapshots.keep_days keep the folders as long as they are needed",
    )


def _no_name(name: str) -> Refused:
    why = "it has 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and starts with a letter or digit"
    return Refused("ENG085", f"{name!r} is no name for a pin", why=why, fix="choose a name like q1-2026")


def _taken(lake: Lake, name: str) -> Refused:
    return Refused(
        "ENG081",
        f"there is a pin {name!r} already",
        where=lake.location(manifest_of(name)),
        why="a pin never changes",
        fix=f"choose another name, or give it up first: toolkit unpin {name}",
    )


def _nothing(lake: Lake, why: str) -> Refused:
    what = f"there is nothing to pin: {MANIFEST_PATH} {why}"
    return Refused("ENG083", what, where=lake.location(MANIFEST_PATH), fix="toolkit sync writes it")


def _unreadable(lake: Lake, name: str) -> Damaged:
    return Damaged(
        "ENG086",
        f"the manifest of the pin {name!r} cannot be read",
        where=lake.location(manifest_of(name)),
        fix=f"restore it from a backup, or give the pin up: toolkit unpin {name}",
    )


def _lost(lake: Lake, what: str) -> Damaged:
    return Damaged(
        "ENG084",
        f"{MANIFEST_PATH} names a file that is not there: {what}",
        where=lake.location(MANIFEST_PATH),
        why="the lake was moved or copied, or somebody deleted the file",
        fix="toolkit sync writes the manifest anew, toolkit snapshot makes lost snapshots again; then pin",
    )
