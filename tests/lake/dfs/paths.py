"""The dfs endpoint: file systems, files and directories."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from urllib.parse import unquote

from tests.lake.dfs.conditions import require, require_for_read, require_of_source
from tests.lake.dfs.facts import Held
from tests.lake.dfs.leases import NOBODY, Lease, acted
from tests.lake.dfs.store import FileSystem, Node, Store, parents
from tests.lake.dfs.wire import Answer, Refusal, Request

PAGE = 5000
"""Entries of a page of a list at most."""

UNUSABLE = timedelta(seconds=30)
"""How long the name of a deleted file system stays taken, at least."""

Do = Callable[[Request], Answer]


class Paths:
    """Answers what comes to the dfs endpoint. Whoever calls it holds the guard of the store."""

    def __init__(self, store: Store, holds: Held) -> None:
        self._store = store
        self._holds = holds

    def answer(self, request: Request) -> Answer:
        """Answer a request that is permitted."""
        routes = self._of_file_systems() if request.kind == "filesystem" else self._of_paths(request)
        try:
            do = routes[request.method]
        except KeyError:
            raise Refusal(405, "UnsupportedHttpVerb", "The resource doesn't support the HTTP verb.") from None
        return do(request)

    def _of_file_systems(self) -> dict[str, Do]:
        return {"PUT": self._create_all, "DELETE": self._delete_all, "HEAD": self._describe_all, "GET": self._list}

    def _of_paths(self, request: Request) -> dict[str, Do]:
        updates = {"append": self._append, "flush": self._flush, "setProperties": self._set_properties}
        renames = "x-ms-rename-source" in request.headers
        routes: dict[str, Do] = {"GET": self._read, "HEAD": self._describe, "DELETE": self._delete, "POST": self._lease}
        if request.kind in updates:
            routes["PATCH"] = updates[request.kind]
        if renames or request.kind in ("file", "directory"):
            routes["PUT"] = self._rename if renames else self._create
        return routes

    # File systems

    def _create_all(self, request: Request) -> Answer:
        made = created(self._store, request, self._holds, ("FilesystemAlreadyExists", "FilesystemBeingDeleted"))
        return Answer(self._holds.status("file-system-create-201"), {**stamps(made), "x-ms-namespace-enabled": "true"})

    def _delete_all(self, request: Request) -> Answer:
        self._file_system(request)
        removed(self._store, request, self._holds)
        return Answer(self._holds.status("file-system-delete-202"))

    def _describe_all(self, request: Request) -> Answer:
        found = self._file_system(request)
        return Answer(200, {**stamps(found), "x-ms-namespace-enabled": "true"})

    def _file_system(self, request: Request) -> FileSystem:
        try:
            return self._store.file_systems[request.file_system]
        except KeyError:
            raise Refusal(
                self._holds.status("missing-file-system-404"),
                "FilesystemNotFound",
                "The specified filesystem does not exist.",
            ) from None

    def _list(self, request: Request) -> Answer:
        found = self._file_system(request)
        directory = request.query.get("directory", "").strip("/")
        if directory and not _is_directory(found.nodes.get(directory)) and self._holds("list-of-missing-404"):
            raise Refusal(404, "PathNotFound", "The specified path does not exist.")
        after = request.query.get("continuation", "")
        paths = [path for path in self._listed(found, directory, request) if path.split("/") > after.split("/")]
        size = min(int(request.query.get("maxresults", PAGE)), PAGE)
        page = paths[:size] if self._holds("list-is-paged") else paths
        more = {"x-ms-continuation": page[-1]} if len(page) < len(paths) else {}
        body = json.dumps({"paths": [self._entry(path, found.nodes[path]) for path in page]}).encode()
        return Answer(200, {**stamps(found), **more, "Content-Type": "application/json;charset=utf-8"}, body)

    def _listed(self, found: FileSystem, directory: str, request: Request) -> list[str]:
        below = (path for path in found.below(directory) if found.nodes[path].listed)
        depth = len(directory.split("/")) if directory else 0
        if not request.flag("recursive") and self._holds("list-of-one-level"):
            below = (path for path in below if len(path.split("/")) == depth + 1)
        # By the parts of a path: a directory comes with all below it, which is not the order of whole paths.
        return sorted(below, key=lambda path: path.split("/"))

    def _entry(self, path: str, node: Node) -> dict[str, str]:
        etag = node.etag.strip('"') if self._holds("list-etag-without-quotes") else node.etag
        size = {"contentLength": str(len(node.data))}
        kind = {"isDirectory": "true"} if node.directory and self._holds("list-names-directories") else {}
        return {"name": path, "etag": etag, "lastModified": http_date(node.modified), **size, **kind}

    # Paths

    def _node(self, request: Request) -> Node:
        node = self._file_system(request).nodes.get(request.path)
        if node is None or not node.listed:
            raise Refusal(self._holds.status("missing-path-404"), "PathNotFound", "The specified path does not exist.")
        return node

    def _put(self, request: Request, node: Node) -> Node:
        self._file_system(request).nodes[request.path] = node
        return node

    def _permit(self, request: Request, node: Node) -> None:
        node.lease.permit(request, self._store.clock(), self._holds)

    def _create(self, request: Request) -> Answer:
        found = self._file_system(request)
        there = found.nodes.get(request.path)
        require(request, there, self._holds)
        directory = request.kind == "directory"
        if there is not None and there.directory != directory and self._holds("create-keeps-the-kind"):
            raise Refusal(409, "PathConflict", "The specified path exists and its resource type is invalid.")
        make_parents(self._store, found, request.path, self._holds)
        node = Node("", self._store.clock(), directory, metadata=properties(request), lease=self._broken(there))
        if there is not None and not self._holds("create-overwrites"):
            node = there
        node = self._put(request, self._store.written(node))
        return Answer(self._holds.status("create-201"), stamps(node))

    def _broken(self, there: Node | None) -> Lease:
        """Return the lease of a path that is written over."""
        if there is None:
            return NOBODY
        return there.lease.end(self._store.clock()) if self._holds("overwriting-breaks-leases") else there.lease

    def _rename(self, request: Request) -> Answer:
        found, source = self._file_system(request), self._source(request)
        node = found.nodes.get(source)
        if node is None:
            status = self._holds.status("rename-of-missing-404")
            raise Refusal(status, "SourcePathNotFound", "The source path for a rename operation does not exist.")
        node.lease.permit(request, self._store.clock(), self._holds, "x-ms-source-lease-id")
        require_of_source(request, node, self._holds)
        there = found.nodes.get(request.path)
        require(request, there, self._holds)
        self._require_room(found, request.path)
        if there is not None and (node.directory or there.directory):
            raise Refusal(400, "NoFactOfThisServer", "a rename of a directory or onto one that is there")
        self._move(found, source, request.path)
        moved = self._put(request, replace(found.nodes[request.path], lease=self._broken(there)))
        return Answer(
            self._holds.status("rename-201"), {} if self._holds("rename-answers-without-etag") else stamps(moved)
        )

    def _source(self, request: Request) -> str:
        """Return the path that is renamed. What is percent-encoded in the header is decoded, whoever encoded it."""
        source = request.headers["x-ms-rename-source"].partition("?")[0]
        file_system, _, path = (unquote(source) if self._holds("rename-decodes-source") else source)[1:].partition("/")
        if file_system != request.file_system:
            raise Refusal(400, "NoFactOfThisServer", "a rename from one file system to another")
        return path

    def _require_room(self, found: FileSystem, path: str) -> None:
        parent = "/".join(path.split("/")[:-1])
        if parent and not _is_directory(found.nodes.get(parent)):
            if self._holds("rename-needs-the-parent"):
                raise Refusal(404, "RenameDestinationParentPathNotFound", "The parent directory does not exist.")
            make_parents(self._store, found, path, self._holds)

    def _move(self, found: FileSystem, source: str, path: str) -> None:
        for each in [source, *found.below(source)]:
            node = found.nodes[each] if not self._holds("rename-removes-source") else found.nodes.pop(each)
            kept = node if self._holds("rename-keeps-etag") else self._store.written(node)
            found.nodes[path + each.removeprefix(source)] = kept

    def _append(self, request: Request) -> Answer:
        node = self._node(request)
        self._permit(request, node)
        if node.directory:
            raise Refusal(409, "ResourceTypeMismatch", "The specified path is a directory.")
        position = request.number("position")
        require_checksum(request, self._holds)
        if not request.body:
            raise Refusal(400, "NoFactOfThisServer", "an append of nothing")
        expected = len(node.data) + sum(map(len, node.pending.values()))
        if position != expected and not self._holds("append-at-any-position"):
            raise Refusal(400, "InvalidAppendPosition", "The position does not follow what was appended.")
        pending = {**node.pending, position: request.body}
        self._put(request, replace(node, pending=pending))
        if not self._holds("append-is-invisible-until-flush"):
            self._put(request, self._store.written(replace(node, data=node.data + request.body)))
        return Answer(self._holds.status("append-202"), {"x-ms-request-server-encrypted": "true"})

    def _flush(self, request: Request) -> Answer:
        node = self._node(request)
        self._permit(request, node)
        require(request, node, self._holds)
        if node.origin == "blob" and self._holds("no-flush-over-a-blob"):
            raise Refusal(409, "InvalidFlushOperation", "The resource was created by the Blob Service API.")
        position = request.number("position")
        later = {
            at: data for at, data in node.pending.items() if at >= position and request.flag("retainuncommitteddata")
        }
        parts = [data for at, data in sorted(node.pending.items()) if at not in later]
        if not self._reaches(node, position, later) and self._holds("flush-position-is-the-length"):
            raise Refusal(400, "InvalidFlushPosition", "The uploaded data is not contiguous or the position is wrong.")
        kept = later if self._holds("flush-retains-on-demand") else {}
        flushed = replace(node, data=b"".join((node.data, *parts)), pending=kept)
        written = self._put(request, self._store.written(flushed) if self._holds("flush-changes-etag") else flushed)
        return Answer(self._holds.status("flush-200"), stamps(written))

    @staticmethod
    def _reaches(node: Node, position: int, later: Container[int]) -> bool:
        """Return whether the appends follow the file and one another without a gap, and end at the position."""
        end = len(node.data)
        for at, data in sorted(node.pending.items()):
            if at in later:
                break
            if at != end:
                return False
            end += len(data)
        return end == position

    def _set_properties(self, request: Request) -> Answer:
        node = self._node(request)
        self._permit(request, node)
        require(request, node, self._holds)
        written = self._put(request, self._store.written(replace(node, metadata=properties(request))))
        return Answer(self._holds.status("set-properties-200"), stamps(written))

    def _read(self, request: Request) -> Answer:
        node = self._node(request)
        require_for_read(request, node, self._holds)
        if node.directory:
            raise Refusal(409, "ResourceTypeMismatch", "The specified path is a directory.")
        return content(request, node, {**stamps(node), **self._said(node)}, self._holds)

    def _describe(self, request: Request) -> Answer:
        node = self._node(request)
        require_for_read(request, node, self._holds)
        return Answer(200, {**stamps(node), **self._said(node), "Content-Length": str(len(node.data))})

    def _said(self, node: Node) -> dict[str, str]:
        encoded = [f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in node.metadata.items()]
        kind = {"x-ms-resource-type": "directory" if node.directory else "file"}
        metadata = {"x-ms-properties": ",".join(encoded)} if encoded else {}
        return {**kind, **metadata, **node.lease.headers(self._store.clock()), "Accept-Ranges": "bytes"}

    def _delete(self, request: Request) -> Answer:
        node = self._node(request)
        require(request, node, self._holds)
        self._permit(request, node)
        found = self._file_system(request)
        below = list(found.below(request.path))
        if below and not request.flag("recursive") and self._holds("delete-of-full-directory-409"):
            raise Refusal(409, "DirectoryNotEmpty", "The recursive query parameter value must be true.")
        for path in (request.path, *below):
            del found.nodes[path]
        return Answer(self._holds.status("path-delete-200"))

    def _lease(self, request: Request) -> Answer:
        node = self._node(request)
        require(request, node, self._holds)
        lease, status, headers = acted(node.lease, request, self._store.clock(), self._holds)
        self._put(request, replace(node, lease=lease))
        return Answer(status, {**stamps(node), **headers})


# What both endpoints do alike


def http_date(at: datetime) -> str:
    """Return a time as headers spell it."""
    return format_datetime(at, usegmt=True)


def stamps(of: Node | FileSystem) -> dict[str, str]:
    """Return the etag and the time of the last write, as headers."""
    return {"ETag": of.etag, "Last-Modified": http_date(of.modified)}


def created(store: Store, request: Request, holds: Held, codes: tuple[str, str]) -> FileSystem:
    """Create a file system, or raise with the code for one that is there, or one that is being deleted."""
    if request.file_system in store.file_systems and holds("file-system-exists-409"):
        raise Refusal(409, codes[0], "The specified filesystem already exists.")
    deleted = store.deleted.get(request.file_system)
    if deleted is not None and store.clock() < deleted + UNUSABLE and holds("deleted-name-is-taken-for-a-while"):
        raise Refusal(409, codes[1], "The specified filesystem is being deleted.")
    made = store.file_systems[request.file_system] = FileSystem(store.next_etag(), store.clock(), metadata_of(request))
    return made


def removed(store: Store, request: Request, holds: Held) -> None:
    """Delete a file system that is there."""
    found = store.file_systems[request.file_system]
    found.lease.permit(request, store.clock(), holds)
    del store.file_systems[request.file_system]
    store.deleted[request.file_system] = store.clock()


def make_parents(store: Store, found: FileSystem, path: str, holds: Held) -> None:
    """Make the directories that a path lies in."""
    for each in parents(path):
        there = found.nodes.get(each)
        if there is not None and not there.directory and holds("nothing-below-a-file"):
            raise Refusal(409, "PathConflict", "An element of the path exists and its resource type is invalid.")
        if there is None and holds("create-makes-parents"):
            found.nodes[each] = store.written(Node("", store.clock(), directory=True))


def _is_directory(node: Node | None) -> bool:
    return node is not None and node.directory


def properties(request: Request) -> dict[str, str]:
    """Return the metadata that a request of the dfs endpoint gives: names with base64 values."""
    return dict(_pairs(request.headers.get("x-ms-properties", "")))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, text.split(",")):
        name, _, value = pair.partition("=")
        yield name.strip(), base64.b64decode(value).decode()


def metadata_of(request: Request) -> dict[str, str]:
    """Return the metadata that a request of the blob endpoint gives: a header for each."""
    named = request.headers.items()
    return {name.removeprefix("x-ms-meta-"): value for name, value in named if name.startswith("x-ms-meta-")}


def require_checksum(request: Request, holds: Held) -> None:
    """Raise when the body is not the one that was sent."""
    given = request.headers.get("content-md5")
    if given and given != base64.b64encode(_md5(request.body)).decode() and holds("checksum-is-verified"):
        raise Refusal(400, "Md5Mismatch", "The MD5 value specified in the request did not match.")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def content(request: Request, node: Node, headers: dict[str, str], holds: Held) -> Answer:
    """Answer with a file or the range of it that is asked for."""
    asked = request.headers.get("x-ms-range") or request.headers.get("range")
    headers = {**headers, "Content-Type": "application/octet-stream"}
    if not asked or not holds("range-206"):
        return Answer(200, headers, node.data)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, size = int(first), len(node.data)
    if start >= size:
        if holds("range-beyond-the-end-416"):
            raise Refusal(416, "InvalidRange", "The range specified is invalid.", {"Content-Range": f"bytes */{size}"})
        return Answer(206, headers)
    end = min(int(last) + 1 if last else size, size)
    return Answer(206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}, node.data[start:end])
