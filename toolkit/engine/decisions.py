"""What a pass changes: decided bucket by bucket of ids, kept by partition in scratch until the parts are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from toolkit.engine.checkpoint import Part
from toolkit.engine.entries import entries_from, joined
from toolkit.engine.place import Coming, Placed, by_owner, coming_from, joined_coming
from toolkit.engine.resolve import Located, Resolved, located
from toolkit.engine.scratch import Region, Scratch


class Decisions:
    """Records that come, by partition, and records that go, by part. ``written`` and ``deleted`` count rows."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._come: dict[str, list[Region]] = defaultdict(list)
        self._gone: dict[int, list[Region]] = defaultdict(list)
        self.written = 0
        self.deleted = 0

    def add(self, resolved: Resolved, come: Placed) -> None:
        """Keep what was decided of a bucket."""
        self.written += len(resolved.come)
        self.deleted += resolved.deleted
        for partition, which in come.by_partition().items():
            self._come[partition].append(self._scratch.put(come.come.take(which).to_bytes()))
        for part, which in by_owner(resolved.gone).items():
            self._gone[part].append(self._scratch.put(resolved.gone.entries.take(which).to_bytes()))

    def partitions(self, parts: Sequence[Part]) -> list[str]:
        """Return the partitions that change, in their order."""
        return sorted({*self._come, *(parts[number].partition for number in self._gone)})

    def come(self, partition: str) -> Coming:
        """Return what comes to a partition."""
        return joined_coming([*map(coming_from, self._read(self._come.get(partition, [])))])

    def gone(self, partition: str, parts: Sequence[Part]) -> Located:
        """Return what goes from a partition."""
        numbers = [number for number, part in enumerate(parts) if part.partition == partition]
        entries = [joined(map(entries_from, self._read(self._gone.get(number, [])))) for number in numbers]
        return located(entries, numbers)

    def _read(self, regions: list[Region]) -> Iterator[bytes]:
        return (self._scratch.get(region.start, region.length) for region in regions)
