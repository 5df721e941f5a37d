"""The blob endpoint, as far as lakes use it: containers, properties, leases, blocks, copies on the server."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from tests.lake.dfs.conditions import require, require_for_read, require_of_source
from tests.lake.dfs.facts import Held
from tests.lake.dfs.leases import NOBODY, acted
from tests.lake.dfs.paths import content, created, make_parents, metadata_of, removed, require_checksum, stamps
from tests.lake.dfs.store import FileSystem, Node, Store
from tests.lake.dfs.wire import Answer, Refusal, Request, parameters, place

COPY_LIMIT = 256 << 20
"""Bytes that Copy Blob From URL copies at most."""

Do = Callable[[Request], Answer]

Permits = Callable[[Request], None]
"""Raises Refusal unless a request is signed by somebody who may do it."""


class Blobs:
    """Answers what comes to the blob endpoint. Whoever calls it holds the guard of the store."""

    def __init__(self, store: Store, holds: Held, permits: Permits, account: dict[str, str]) -> None:
        self._store = store
        self._holds = holds
        self._permits = permits
        self._account = account

    def answer(self, request: Request) -> Answer:
        """Answer a request that is permitted."""
        routes = self._of_containers(request) if request.query.get("restype") else self._of_blobs(request)
        try:
            do = routes[request.method]
        except KeyError:
            raise Refusal(405, "UnsupportedHttpVerb", "The resource doesn't support the HTTP verb.") from None
        return do(request)

    def _of_containers(self, request: Request) -> dict[str, Do]:
        if request.query["restype"] == "account":
            return {"GET": self._account_information, "HEAD": self._account_information}
        if request.query.get("comp") == "lease":
            return {"PUT": self._lease_container}
        describe = self._describe_container
        return {"PUT": self._create_container, "DELETE": self._delete_container, "GET": describe, "HEAD": describe}

    def _of_blobs(self, request: Request) -> dict[str, Do]:
        named: dict[str, Do] = {
            "lease": self._lease,
            "block": self._put_block,
            "blocklist": self._put_block_list,
            "metadata": self._set_metadata,
        }
        comp = request.query.get("comp")
        if comp is not None:
            return {"PUT": named[comp]} if comp in named else {}
        put = self._copy if "x-ms-copy-source" in request.headers else self._put_blob
        return {"PUT": put, "GET": self._read, "HEAD": self._describe, "DELETE": self._delete}

    # Account and containers

    def _account_information(self, _: Request) -> Answer:
        return Answer(200, self._account if self._holds("account-information") else {})

    def _create_container(self, request: Request) -> Answer:
        codes = ("ContainerAlreadyExists", "ContainerBeingDeleted")
        return Answer(
            self._holds.status("container-create-201"), stamps(created(self._store, request, self._holds, codes))
        )

    def _delete_container(self, request: Request) -> Answer:
        self._container(request)
        removed(self._store, request, self._holds)
        return Answer(self._holds.status("container-delete-202"))

    def _describe_container(self, request: Request) -> Answer:
        found = self._container(request)
        metadata = {f"x-ms-meta-{name}": value for name, value in found.metadata.items()}
        return Answer(200, {**stamps(found), **found.lease.headers(self._store.clock()), **metadata})

    def _lease_container(self, request: Request) -> Answer:
        found = self._container(request)
        found.lease, status, headers = acted(found.lease, request, self._store.clock(), self._holds)
        return Answer(status, {**stamps(found), **headers})

    def _container(self, request: Request) -> FileSystem:
        try:
            return self._store.file_systems[request.file_system]
        except KeyError:
            raise Refusal(
                self._holds.status("missing-container-404"),
                "ContainerNotFound",
                "The specified container does not exist.",
            ) from None

    # Blobs

    def _there(self, request: Request) -> Node | None:
        node = self._container(request).nodes.get(request.path)
        return node if node is not None and node.listed else None

    def _node(self, request: Request) -> Node:
        node = self._there(request)
        if node is None:
            raise Refusal(self._holds.status("missing-blob-404"), "BlobNotFound", "The specified blob does not exist.")
        return node

    def _put(self, request: Request, node: Node) -> Node:
        self._container(request).nodes[request.path] = node
        return node

    def _permit(self, request: Request, node: Node | None) -> None:
        if node is not None:
            node.lease.permit(request, self._store.clock(), self._holds)

    def _written(self, request: Request, node: Node) -> Answer:
        make_parents(self._store, self._container(request), request.path, self._holds)
        node = self._put(request, self._store.written(node))
        return Answer(self._holds.status("put-blob-201"), {**stamps(node), "x-ms-request-server-encrypted": "true"})

    def _replaced(self, request: Request) -> Node:
        """Return what a write of a whole blob starts from, when it may."""
        there = self._there(request)
        self._permit(request, there)
        require(request, there, self._holds)
        if there is not None and there.directory:
            raise Refusal(409, "ResourceTypeMismatch", "The specified path is a directory.")
        lease = there.lease if there else NOBODY
        return Node("", self._store.clock(), metadata=metadata_of(request), origin="blob", lease=lease)

    def _put_blob(self, request: Request) -> Answer:
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise Refusal(400, "InvalidHeaderValue", "x-ms-blob-type is not BlockBlob")
        require_checksum(request, self._holds)
        node = self._replaced(request)
        directory = node.metadata.get("hdi_isfolder") == "true"
        return self._written(request, replace(node, data=request.body, directory=directory))

    def _put_block(self, request: Request) -> Answer:
        data = request.body
        if "x-ms-copy-source" in request.headers:
            data = self._range_of_source(request)
        require_checksum(request, self._holds)
        nothing = Node(self._store.next_etag(), self._store.clock(), origin="blob", listed=False)
        node = self._container(request).nodes.get(request.path, nothing)
        self._permit(request, node)
        self._put(request, replace(node, blocks={**node.blocks, request.query["blockid"]: data}))
        return Answer(self._holds.status("put-block-201"), {"x-ms-request-server-encrypted": "true"})

    def _put_block_list(self, request: Request) -> Answer:
        there = self._there(request)
        if there is not None and there.origin == "dfs" and self._holds("no-block-list-over-a-dfs-file"):
            raise Refusal(409, "InvalidBlobOrBlock", "The specified blob was written through the dfs endpoint.")
        staged = self._container(request).nodes.get(request.path)
        node = self._replaced(request)
        committed = there.listed_blocks if there and self._holds("block-list-names-committed-too") else {}
        blocks = {**committed, **(staged.blocks if staged else {})}
        listed = [each.text or "" for each in ET.fromstring(request.body)]  # noqa: S314 - what our own client wrote
        if unknown := [each for each in listed if each not in blocks]:
            raise Refusal(400, "InvalidBlockList", f"The specified block list is invalid: {unknown[0]}")
        kept = {each: blocks[each] for each in listed}
        return self._written(request, replace(node, data=b"".join(blocks[each] for each in listed), listed_blocks=kept))

    def _copy(self, request: Request) -> Answer:
        source = self._source(request)
        node = self._replaced(request)
        metadata = node.metadata or (source.metadata if self._holds("copy-takes-metadata-along") else {})
        copied = replace(node, data=source.data, metadata=metadata)
        if request.headers.get("x-ms-blob-type") == "BlockBlob":
            return self._written(request, copied)
        if _at_once(request):
            self._require_small(source)
        said = {"x-ms-copy-id": str(uuid.uuid4()), "x-ms-copy-status": "success"}
        answer = self._written(request, replace(copied, copied=said))
        return Answer(self._holds.status("copy-202"), {**answer.headers, **said})

    def _require_small(self, source: Node) -> None:
        if len(source.data) > COPY_LIMIT and self._holds("copy-from-url-has-a-limit"):
            raise Refusal(409, "CannotVerifyCopySource", "The source is larger than 256 MiB.")

    def _source(self, request: Request) -> Node:
        """Return the blob that is copied, when whoever asks may read it.

        A copy within an account may be signed with its key; any other way to copy wants a signature in the address,
        or a token of its own.
        """
        address = urlsplit(request.headers["x-ms-copy-source"])
        query = parameters(address.query)
        _, file_system, path = place(address.path)
        signed = request.headers.get("x-ms-copy-source-authorization")
        plain_copy = not (request.query or _at_once(request) or "x-ms-blob-type" in request.headers)
        headers = {"authorization": signed} if signed else {}
        read = Request("GET", "blob", address.path, file_system, path, query, headers, secure=request.secure)
        if (signed or query or not plain_copy) and self._holds("copy-source-is-authorized"):
            try:
                self._permits(read)
            except Refusal as refused:
                raise Refusal(refused.status, "CannotVerifyCopySource", refused.message) from None
        try:
            node = self._node(read)
        except Refusal:
            raise Refusal(404, "CannotVerifyCopySource", "The specified blob does not exist.") from None
        require_of_source(request, node, self._holds)
        return node

    def _range_of_source(self, request: Request) -> bytes:
        node = self._source(request)
        asked = request.headers.get("x-ms-source-range")
        wanted = replace(request, headers={"range": asked} if asked else {})
        return content(wanted, node, {}, self._holds).body

    def _set_metadata(self, request: Request) -> Answer:
        node = self._node(request)
        self._permit(request, node)
        require(request, node, self._holds)
        node = self._put(request, self._store.written(replace(node, metadata=metadata_of(request))))
        return Answer(self._holds.status("set-metadata-200"), stamps(node))

    def _lease(self, request: Request) -> Answer:
        node = self._node(request)
        require(request, node, self._holds)
        lease, status, headers = acted(node.lease, request, self._store.clock(), self._holds)
        self._put(request, replace(node, lease=lease))
        return Answer(status, {**stamps(node), **headers})

    def _read(self, request: Request) -> Answer:
        node = self._node(request)
        require_for_read(request, node, self._holds)
        return content(request, node, self._said(node), self._holds)

    def _describe(self, request: Request) -> Answer:
        node = self._node(request)
        require_for_read(request, node, self._holds)
        return Answer(200, {**self._said(node), "Content-Length": str(len(node.data))})

    def _said(self, node: Node) -> dict[str, str]:
        metadata = {f"x-ms-meta-{name}": value for name, value in node.metadata.items()}
        folder = {"x-ms-meta-hdi_isfolder": "true"} if node.directory and self._holds("directory-is-marked") else {}
        lease = node.lease.headers(self._store.clock())
        kind = {"x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes"}
        return {**stamps(node), **kind, **lease, **metadata, **folder, **node.copied}

    def _delete(self, request: Request) -> Answer:
        node = self._node(request)
        require(request, node, self._holds)
        self._permit(request, node)
        found = self._container(request)
        if any(found.below(request.path)) and self._holds("blob-delete-of-full-directory-409"):
            raise Refusal(409, "DirectoryIsNotEmpty", "This operation is not permitted on a non-empty directory.")
        del found.nodes[request.path]
        return Answer(self._holds.status("blob-delete-202"))


def _at_once(request: Request) -> bool:
    """Return whether it is Copy Blob From URL, and not Copy Blob."""
    return request.headers.get("x-ms-requires-sync", "").lower() == "true"
