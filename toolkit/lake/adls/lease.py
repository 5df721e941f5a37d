"""The lock of a lake on a storage account: a lease of 60 seconds on a file, renewed by a thread while it is held.

A lease is a courtesy: who writes the file anew breaks it. What keeps two holders apart is the condition on which
checkpoints are written. The metadata of the file say who holds it, and with which number, which grows with every one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from uuid import uuid4

from pydantic import ValidationError

from toolkit.errors import ToolkitError
from toolkit.lake.adls.filesystem import FileSystem
from toolkit.lake.adls.place import Rejected
from toolkit.lake.fence import Held
from toolkit.lake.paths import locked, lost
from toolkit.lake.protocol import Holder

SECONDS = 60
"""How long a lease is good that is not renewed, the most that the service gives."""

RENEWED_AFTER = 20.0
"""Seconds after which a lease is renewed; two tries may fail before it ends."""

JOINED = 5.0
"""Seconds that the end of a lock waits for a renewal that is under way."""

_HELD = "toolkitheld"


@dataclass(frozen=True, slots=True)
class Door:
    """A lock that can be taken. ``where`` is its address for messages."""

    files: FileSystem
    path: str
    where: str
    clock: Callable[[], datetime]
    renewed_after: float = RENEWED_AFTER

    def take(self, holder: Holder, above: int) -> AdlsFence:
        """Take the lock, or raise Locked."""
        lease = str(uuid4())
        taken = self.clock()
        self._acquire(lease)
        try:
            held = self._held()
            number = max(held.number if held else 0, above) + 1
            self.files.describe(self.path, _metadata(Held.by(holder, number)), lease)
        except ToolkitError:
            self.let_go(lease)
            raise
        return AdlsFence(self, lease, number, taken)

    def _acquire(self, lease: str) -> None:
        try:
            self._acquire_or_create(lease)
        except Rejected as rejected:
            if rejected.status != 409:
                raise
            held = self._held()
            raise locked(self.where, held.holder if held else None, ends="a minute after it at the latest") from None

    def _acquire_or_create(self, lease: str) -> None:
        try:
            return self.files.acquire(self.path, lease, SECONDS)
        except Rejected as rejected:
            if not rejected.missing:
                raise
        with suppress(Rejected):
            # Somebody else may have made it meanwhile.
            self.files.create(self.path, absent=True)
        return self.files.acquire(self.path, lease, SECONDS)

    def _held(self) -> Held | None:
        found = self.files.find(self.path)
        return _held(found.metadata) if found else None

    def let_go(self, lease: str) -> None:
        """Give the lease back, as far as that can be done."""
        with suppress(ToolkitError):
            self.files.release(self.path, lease)


class AdlsFence:
    """A lock that is held until it is given back, or could not be renewed in time."""

    def __init__(self, door: Door, lease: str, number: int, taken: datetime) -> None:
        self.number = number
        self._door, self._lease = door, lease
        self._renewed = taken
        """When the lease was asked for that counts now: it is good for at least SECONDS from then."""
        self._lost = False
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._keep, name=f"lease of {door.path}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise Locked when the lock was lost or given back; where that is not known any more, the service is asked."""
        if not self._stop.is_set() and not self._lost and self._age() >= 2 * self._door.renewed_after:
            self._renew()
        if self._stop.is_set() or self._lost:
            raise lost(self._door.where)

    def release(self) -> None:
        """Give the lock back, and end the thread."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(timeout=JOINED)
            self._door.let_go(self._lease)

    def _keep(self) -> None:
        while not self._lost and not self._stop.wait(self._door.renewed_after):
            with suppress(ToolkitError):
                # Tried again after a while; check() tells whether that is too late.
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            asked = self._door.clock()
            try:
                self._door.files.renew(self._door.path, self._lease)
            except Rejected:
                self._lost = True
            else:
                self._renewed = asked

    def _age(self) -> float:
        return (self._door.clock() - self._renewed) / timedelta(seconds=1)


def _metadata(held: Held) -> dict[str, str]:
    """Return the metadata that say who holds a lock, in ASCII, as headers are."""
    return {_HELD: json.dumps(held.model_dump(mode="json"))}


def _held(metadata: Mapping[str, str]) -> Held | None:
    """Read who holds a lock; None where nobody did yet, or it is damaged: the lease decides."""
    try:
        return Held.model_validate_json(metadata.get(_HELD, ""))
    except ValidationError:
        return None
