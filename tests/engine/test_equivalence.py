"""Whatever happens, in whatever order, the files hold what a dictionary says: a state machine against the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.engine.world import ACCOUNT, Clock, World, attribute, link, linked_entity, source_of
from tests.scale import Record, scaled
from toolkit.engine import Settings, SyncReport
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.errors import ToolkitError
from toolkit.lake.memory import Crashed, Kind, MemoryLake
from toolkit.model.config import Output, Times
from toolkit.model.entity import AttributeType, Entity

CONTACT = ACCOUNT.model_copy(update={"name": "contact", "set_name": "contacts"})
DEFINITIONS = {"account": ACCOUNT, "contact": CONTACT}
RATING = attribute("rating", AttributeType.STRING, max_length=20)
MONTHS = [datetime(2024, 12, 31, 23, 59, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC), None]

STATE = {"_stores", "_version", "_ids"}
"""What a source holds."""

entity = st.sampled_from(["account", "contact"])
which = st.integers(0, 1000)
kind = st.sampled_from(["before", "after", "torn"])
act: st.SearchStrategy[Callable[[World], SyncReport]] = st.sampled_from([World.sync, World.sync, World.snapshot])
limits = st.builds(
    Settings,
    workers=st.just(1),
    part_limit=st.sampled_from([300, 1 << 20]),
    bucket=st.sampled_from([2, 5, 1 << 20]),
    progress_age=st.sampled_from([timedelta(0), timedelta(hours=1)]),
)

outputs = st.sampled_from([Output(), Output(header=True, times=Times.ISO)])

Version = tuple[str, int]
"""Id and versionnumber."""


@dataclass
class Model:
    """The rows of an entity in its source, and every version that a row ever had."""

    rows: dict[str, int] = field(default_factory=dict)
    names: dict[Version, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    """Rows that were deleted, and may come back."""
    history: frozenset[tuple[str, int, bool]] = frozenset()
    """What append-only files held after the last pass, with whether it is a delete row."""

    def put(self, key: str, name: str, version: int) -> None:
        self.rows[key] = version
        self.names[key, version] = name

    def delete(self, key: str) -> None:
        del self.rows[key]
        self.ended.append(key)

    def pick(self, number: int) -> str:
        return sorted(self.rows)[number % len(self.rows)]


class Export(RuleBasedStateMachine):
    """An entity in place and an append-only one, their source, and an engine that may die at any call of the lake."""

    steps: ClassVar[int] = 0

    @initialize(batch_size=st.integers(1, 5), repeat=st.booleans(), limits=limits, output=outputs)
    def begin(self, batch_size: int, repeat: bool, limits: Settings, output: Output) -> None:
        clock = Clock()
        self.source = source_of(clock, ACCOUNT, CONTACT, batch_size=batch_size, repeat=repeat)
        linked = link(linked_entity("account"), linked_entity("contact", append_only=True), output=output)
        self.world = World(self.source, MemoryLake(clock=clock), clock, linked, limits)
        self.models = {"account": Model(), "contact": Model()}
        self.defined: dict[str, Entity] = dict(DEFINITIONS)
        self.backup: tuple[dict[str, object], dict[str, Entity], dict[str, Model]] | None = None
        self.restored = False

    # the source

    @rule(name=entity, month=st.sampled_from(MONTHS))
    def insert(self, name: str, month: datetime | None) -> None:
        key = self.source.insert(name, name="new", createdon=month)
        self.models[name].put(key, "new", self.source.version)

    @rule(name=entity, number=which, month=st.sampled_from(MONTHS))
    def bring_back(self, name: str, number: int, month: datetime | None) -> None:
        model = self.models[name]
        if model.ended:
            key = model.ended.pop(number % len(model.ended))
            self.source.insert(name, accountid=key, name="back", createdon=month)
            model.put(key, "back", self.source.version)

    @rule(name=entity, number=which, text=st.sampled_from(["short", "a long text, " * 8, 'a "quote",\nand a line']))
    def update(self, name: str, number: int, text: str) -> None:
        self._update(name, number, text)

    @rule(name=entity, number=which, month=st.sampled_from(MONTHS))
    def move(self, name: str, number: int, month: datetime | None) -> None:
        self._update(name, number, "moved", createdon=month)

    def _update(self, name: str, number: int, text: str, **values: object) -> None:
        model = self.models[name]
        if model.rows:
            key = model.pick(number)
            self.source.update(name, key, name=text, **values)
            model.put(key, text, self.source.version)

    @rule(name=entity, number=which)
    def delete(self, name: str, number: int) -> None:
        model = self.models[name]
        if model.rows:
            key = model.pick(number)
            self.source.delete(name, key)
            model.delete(key)

    @rule(name=entity)
    def purge_tombstones(self, name: str) -> None:
        self.source.expire(name)

    @rule(name=entity)
    def add_a_column_or_drop_it(self, name: str) -> None:
        before = self.defined[name]
        more = () if RATING in before.attributes else (RATING,)
        self.defined[name] = before.model_copy(update={"attributes": (*DEFINITIONS[name].attributes, *more)})
        self.source.define(self.defined[name])

    @rule()
    def back_up(self) -> None:
        source = {name: value for name, value in vars(self.source).items() if name in STATE}
        self.backup = deepcopy((source, self.defined, self.models))

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """Put the organization back, and pass before its versions go beyond those that were exported."""
        assert self.backup is not None
        history = self.models["contact"].history
        source, self.defined, self.models = self.backup
        vars(self.source).update(source)
        self.models["contact"].history = history
        self.backup, self.restored = None, True
        self.sync()

    # the engine

    @rule(minutes=st.sampled_from([1, 70]))
    def wait(self, minutes: int) -> None:
        self.world.clock.forward(minutes=minutes)

    @rule()
    def sync(self) -> None:
        assert self.world.sync().failed == ()
        self._require_equal()

    @rule()
    def snapshot(self) -> None:
        assert self.world.snapshot().failed == ()

    @rule(number=which, kind=kind, crash=st.booleans(), act=act)
    def fail(self, number: int, kind: Kind, crash: bool, act: Callable[[World], SyncReport]) -> None:
        """Let the engine's process end by a fault in one of the calls that it makes."""
        before = self.world.reopen()
        calls = self._calls(before.fork(), act)
        before.fail(1 + number % calls, kind, crash=crash)
        with suppress(Crashed, ToolkitError):
            act(self.world)
        before.kill()
        self.world.reopen()

    def _calls(self, lake: MemoryLake, act: Callable[[World], SyncReport]) -> int:
        now, self.world.lake = self.world.lake, lake
        act(self.world)
        self.world.lake = now
        return len(lake.calls)

    # what must hold

    @invariant()
    def every_file_that_is_named_is_there_and_whole(self) -> None:
        type(self).steps += 1
        self.world.require_readable()

    def _require_equal(self) -> None:
        account, contact = self.models["account"], self.models["contact"]
        assert self._held("account") == sorted((*each, False, account.names[each]) for each in account.rows.items())
        held = self._held("contact")
        history = Counter((key, version, ended) for key, version, ended, _ in held)
        assert contact.history <= history.keys()
        contact.history = frozenset(history)
        if self.restored:
            # What was undone stays in the history, and a version may be given again.
            return
        assert max(history.values(), default=1) == 1
        assert all(ended or contact.names[key, version] == name for key, version, ended, name in held)
        last = {key: (version, ended) for key, version, ended in sorted(history)}
        assert {key: version for key, (version, ended) in last.items() if not ended} == contact.rows

    def _held(self, name: str) -> list[tuple[str, int, bool, str]]:
        """Id, versionnumber, whether it is a delete row, and name, of what is in the live files."""
        checkpoint, _ = read_checkpoint(self.world.lake, name)
        assert checkpoint is not None
        columns = [column.name for column in checkpoint.columns]
        rows = [dict(zip(columns, row, strict=True)) for part in checkpoint.parts for row in self.world.rows(part.path)]
        assert len(rows) == checkpoint.rows
        return sorted((row["Id"], int(row["versionnumber"]), row["IsDelete"] == "True", row["name"]) for row in rows)

    def teardown(self) -> None:
        self.sync()
        self.snapshot()
        assert self.world.paths("_toolkit/staging") == []
        for name in self.models:
            named = sorted(row["Id"] for row in self.world.named(name))
            assert named == [key for key, *_ in self._held(name)]


def test_files_hold_what_the_source_holds(record_property: Record) -> None:
    how = settings(max_examples=scaled(60, 3000), stateful_step_count=scaled(30, 60), deadline=None)
    run_state_machine_as_test(Export, settings=how)
    record_property("steps of the state machine", (Export.steps, 0))
    assert Export.steps > 500
