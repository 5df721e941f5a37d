"""What readers are told: the manifest and the files that go with it; and the removal of what it no longer names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.commit import Committed, tidy
from toolkit.engine.companions import Companions
from toolkit.engine.manifest import ManifestFile, manifest, shown
from toolkit.engine.retirement import Retirement
from toolkit.engine.states import States
from toolkit.lake.protocol import ABSENT, Etag, Lake


class Listing:
    """What the manifest says of each entity, and from what it was last written."""

    def __init__(
        self, lake: Lake, states: States, file: ManifestFile, companions: Companions, retirement: Retirement
    ) -> None:
        self._lake, self._states, self._file = lake, states, file
        self._companions, self._retirement = companions, retirement
        self._written = self._restored = False
        self._held: set[str] = set()
        """Entities that are being repaired: readers keep what they have."""
        self._published: dict[str, Etag | None] | None = None
        """What the manifest was last written from."""
        self._listed: dict[str, tuple[Etag, str]] = {}
        """What the manifest says of an entity, by its checkpoint: hundreds of them end their first sync one by one."""

    def hold(self, entities: Collection[str]) -> None:
        """Let the manifest say what it says of some entities, and let their files be, until ``release``."""
        self._held = set(entities)

    def release(self) -> None:
        """Hold nothing any more, and take none of the files for what they should be."""
        self._held = set()
        self._companions.distrust()
        self._published = None

    def publish(self) -> None:
        """Write the manifest, before it what goes with it, and then remove what it no longer names."""
        if self._shown() == self._published and not self._companions.stale:
            return
        entries = dict(self._entries())
        self._companions.write(entries, self._told_of(entries))
        if self._file.write(manifest(entries)):
            self._written = True
            # What is written first says what was committed before this session: readers should have found it.
            self._restored |= self._published is None and bool(entries)
        for entity in sorted(set(self._states.committed) - self._states.doubtful - self._held):
            self._tidy(entity)
        self._published = self._shown()

    def news(self) -> dict[str, bool]:
        """Return what a report tells of the manifest, and forget it."""
        news = {"manifest": self._written, "restored": self._restored}
        self._written = self._restored = False
        return news

    def _entries(self) -> Iterator[tuple[str, str]]:
        """Yield what the manifest says of each entity: of an unsettled one, what it said before."""
        committed, unsettled = self._states.committed, self._states.unsettled
        mending = any(state.checkpoint.mending for state in committed.values())
        left = {*unsettled, *self._held}
        before = self._file.entries() if left or mending else {}
        for name in self._states.known:
            if name not in left:
                state = committed[name]
                if state.checkpoint.retired is None:
                    yield name, self._entry(name, state, before)
            elif name in before:
                yield name, before[name]

    def _entry(self, name: str, state: Committed, before: Mapping[str, str]) -> str:
        etag, text = self._listed.get(name, (ABSENT, ""))
        if etag != state.etag:
            text = shown(state.checkpoint, before, self._lake.location)
            self._listed[name] = state.etag, text
        return text

    def _told_of(self, entries: Collection[str]) -> dict[str, Checkpoint]:
        """Return the checkpoints that can be read of the entities that the manifest lists."""
        committed, unsettled = self._states.committed, self._states.unsettled
        return {name: committed[name].checkpoint for name in entries if name not in unsettled}

    def _shown(self) -> dict[str, Etag | None]:
        """Return what the manifest depends on: the checkpoints, and which of them are in doubt."""
        etags: dict[str, Etag | None] = {name: state.etag for name, state in self._states.committed.items()}
        return etags | dict.fromkeys(self._states.doubtful)

    def _tidy(self, entity: str) -> None:
        checkpoint = self._states.committed[entity].checkpoint
        if checkpoint.retired is not None:
            self._retirement.clear(entity)
        elif checkpoint.pending:
            tidy(self._lake, checkpoint)
            self._states.done(entity)
