"""Any sequence of calls shows the same on every lake: etags aside, one cannot tell them apart."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.lake.folder import FolderLake
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import ABSENT, Etag, Expect, Fence, Holder, Lake, Staged

PATHS = ("a/2024.csv", "a/2025.csv", "model.json")
COPIES = ("a/Snapshot/2024_1.csv", "a/Snapshot/2024_2.csv")
HOLDER = Holder("ann", "host", 1, datetime(2026, 5, 1, tzinfo=UTC))


class Session:
    """A lake with what a caller remembers of it: every etag a path had, what was staged, the locks held."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.etags: dict[str, list[Etag]] = {}
        self.staged: list[Staged] = []
        self.fences: list[Fence] = []

    def expect(self, path: str, which: int) -> Expect:
        """Return as a condition: any, absent, or one of the etags that the path had (0 is the newest)."""
        known = self.etags.get(path, [])
        return "any" if which < 0 else known[-1 - which] if which < len(known) else ABSENT

    def put(self, path: str, data: bytes, which: int) -> None:
        self.etags.setdefault(path, []).append(self.lake.put(path, data, self.expect(path, which)))

    def stage(self, name: str, data: bytes, start: int, length: int) -> int:
        writer = self.lake.stage("r1", name)
        try:
            writer.write(data)
            writer.copy(PATHS[0], start, length)
            self.staged.append(writer.seal())
        finally:
            writer.close()
        return self.staged[-1].size

    def publish(self, path: str, which: int, nth: int) -> bool:
        staged = self.staged[-1 - nth % len(self.staged)] if self.staged else Staged("gone", 0, Etag("gone"))
        etag = self.lake.publish(staged, path, self.expect(path, which))
        self.etags.setdefault(path, []).append(etag)
        return etag == staged.etag

    def snapshot(self, path: str, to: str, which: int) -> None:
        known = self.etags.get(path, [])
        self.lake.snapshot(path, to, known[-1 - which] if which < len(known) else Etag("never"))

    def lock(self) -> int:
        self.fences.append(self.lake.lock("engine", HOLDER))
        return self.fences[-1].number

    def release(self) -> None:
        for fence in self.fences:
            fence.release()

    def look(self) -> object:
        return [(stat.path, stat.size, self.lake.read(stat.path)) for stat in self.lake.list("")]


Step = Callable[[Session], object]


def shown(session: Session, step: Step) -> object:
    """Do a step and return what it shows: its result or the code of its error, and every file."""
    try:
        result = step(session)
    except ToolkitError as error:
        result = error.code
    return result, session.look()


path = st.sampled_from(PATHS)
copy = st.sampled_from(COPIES)
which = st.integers(-1, 2)
small = st.binary(max_size=6)
number = st.integers(0, 6)

steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda p, d, w: lambda s: s.put(p, d, w), path, small, which),
    st.builds(lambda n, d, a, b: lambda s: s.stage(n, d, a, b), st.sampled_from("xy"), small, number, number),
    st.builds(lambda p, w, n: lambda s: s.publish(p, w, n), path, which, number),
    st.builds(lambda p, c, w: lambda s: s.snapshot(p, c, w), path, copy, st.integers(0, 2)),
    st.builds(lambda p: lambda s: s.lake.delete(p), st.sampled_from(PATHS + COPIES)),
    st.builds(lambda p, a, b: lambda s: s.lake.read(p, a, b), path, number, number),
    st.just(lambda s: s.lock()),
    st.just(lambda s: s.release()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=25))
def test_a_folder_and_memory_cannot_be_told_apart(sequence: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory, disk = Session(MemoryLake()), Session(FolderLake(Path(folder)))
        try:
            for step in sequence:
                assert shown(memory, step) == shown(disk, step)
        finally:
            disk.release()
