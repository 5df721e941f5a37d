"""What every source of ours promises: the embedded organization, the same served over HTTP, the scripted source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pytest

from tests.organization.samples import EVERY, NOTE, NOW, UNTRACKED, Clock, attribute, numbered, organization
from tests.server.served import served
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client
from toolkit.errors import CursorExpired, EntityGone, SourceError
from toolkit.model.columns import arrow_schema
from toolkit.model.entity import AttributeType, Entity, Option
from toolkit.organization import definitions, rows
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.source.dataverse import DataverseSource
from toolkit.source.embedded import EmbeddedSource
from toolkit.source.protocol import Batch, Cursor, Deleted, Source
from toolkit.source.scripted import ScriptedSource


class Rig(Protocol):
    """A source with batches of two rows, and the hand that changes what it serves."""

    source: Source
    over_http: bool
    """Whether the source reads as the Web API answers: tombstones have no version, times whole seconds, and a page is
    asked for while the one before it is in work, so that a change meanwhile may be too late for it."""

    def insert(self, entity: str, **values: object) -> str: ...
    def update(self, entity: str, row_id: str, **values: object) -> None: ...
    def delete(self, entity: str, row_id: str) -> None: ...
    def expire(self, entity: str) -> None: ...
    def define(self, entity: Entity) -> None: ...


class EmbeddedRig:
    over_http = False

    def __init__(self, database: Database, clock: Clock) -> None:
        self.source: Source = EmbeddedSource(database, batch_size=2, readers=1)
        self._database = database
        self._clock = clock
        self._ids = 0

    def insert(self, entity: str, **values: object) -> str:
        self._ids += 1
        key = self.source.entities()[entity].primary_id
        new = {key: numbered(self._ids), **values}
        rows.insert(self._database, entity, [new], self._clock)
        return str(new[key])

    def update(self, entity: str, row_id: str, **values: object) -> None:
        key = self.source.entities()[entity].primary_id
        rows.update(self._database, entity, [{key: row_id, **values}], self._clock)

    def delete(self, entity: str, row_id: str) -> None:
        rows.delete(self._database, entity, [row_id], self._clock)

    def expire(self, entity: str) -> None:
        assert entity
        rows.expire(self._database, NOW + timedelta(seconds=1))

    def define(self, entity: Entity) -> None:
        definitions.define(self._database, Definitions(entities=(entity,)))


class ServedRig(EmbeddedRig):
    """The embedded organization, read over HTTP."""

    over_http = True

    def __init__(self, database: Database, client: Client, clock: Clock) -> None:
        super().__init__(database, clock)
        self.source = DataverseSource(client, page_size=2)


class ScriptedRig:
    over_http = False

    def __init__(self) -> None:
        script = ScriptedSource([NOTE, UNTRACKED, EVERY], clock=Clock(), batch_size=2)
        self.source: Source = script
        self.insert = script.insert
        self.update = script.update
        self.delete = script.delete
        self.expire = script.expire
        self.define = script.define


@pytest.fixture(params=["embedded", "scripted", "served"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "scripted":
        yield ScriptedRig()
        return
    clock = Clock()
    with organization(tmp_path) as database:
        if request.param == "embedded":
            yield EmbeddedRig(database, clock)
            return
        with served(database, clock=clock) as address, Client(Address.parse(address), None) as client:
            yield ServedRig(database, client, clock)


def read(rig: Rig, after: Cursor | None = None, entity: str = "note") -> list[Batch]:
    return list(rig.source.changes(entity, None, after))


def titles(batches: list[Batch]) -> list[Any]:
    return [title for batch in batches for title in batch.rows.column("title").to_pylist()]


def dead(rig: Rig, row_id: str, version: int) -> Deleted:
    return Deleted(row_id, None if rig.over_http else version)


def told(rig: Rig, entity: Entity) -> Entity:
    """Return a definition as the source tells it: Dataverse requires ids, and gives labels to every boolean."""
    if not rig.over_http:
        return entity
    yes_no = (Option(value=0, labels={1033: "No"}), Option(value=1, labels={1033: "Yes"}))
    attributes = [
        each.model_copy(
            update={
                "required": each.required or each.name == entity.primary_id,
                "options": yes_no if each.type is AttributeType.BOOLEAN else each.options,
            }
        )
        for each in entity.attributes
    ]
    return entity.model_copy(update={"attributes": tuple(attributes)})


def deleted(batches: list[Batch]) -> list[Deleted]:
    return [tombstone for batch in batches for tombstone in batch.deleted]


def test_a_first_pass_gives_every_row_in_batches_and_ends_with_a_final_one(rig: Rig) -> None:
    for title in "abcde":
        rig.insert("note", title=title)
    batches = read(rig)
    assert [batch.rows.num_rows for batch in batches] == [2, 2, 1]
    assert [batch.final for batch in batches] == [False, False, True]
    assert titles(batches) == ["a", "b", "c", "d", "e"]


def test_an_empty_entity_gives_one_empty_final_batch(rig: Rig) -> None:
    (batch,) = read(rig)
    assert (batch.rows.num_rows, batch.deleted, batch.final) == (0, (), True)
    assert batch.rows.schema == arrow_schema(NOTE)


def test_a_pass_without_changes_gives_one_empty_final_batch(rig: Rig) -> None:
    rig.insert("note", title="a")
    (batch,) = read(rig, read(rig)[-1].resume)
    assert (batch.rows.num_rows, batch.deleted, batch.final) == (0, (), True)


def test_the_next_pass_gives_what_changed_in_the_order_of_versions(rig: Rig) -> None:
    first, second, third = (rig.insert("note", title=title) for title in "abc")
    cursor = read(rig)[-1].resume
    rig.update("note", second, title="B")
    rig.insert("note", title="d")
    rig.update("note", first, title="A")
    batches = read(rig, cursor)
    assert titles(batches) == ["B", "d", "A"]
    assert third not in [row for batch in batches for row in batch.rows.column("noteid").to_pylist()]


def test_a_deletion_is_a_tombstone_with_its_version_after_the_rows(rig: Rig) -> None:
    gone = rig.insert("note", title="a")
    cursor = read(rig)[-1].resume
    rig.insert("note", title="b")
    rig.delete("note", gone)
    batches = read(rig, cursor)
    assert titles(batches) == ["b"]
    assert deleted(batches) == [dead(rig, gone, 3)]


def test_a_row_that_came_and_went_between_two_passes_is_a_tombstone(rig: Rig) -> None:
    cursor = read(rig)[-1].resume
    gone = rig.insert("note", title="a")
    rig.delete("note", gone)
    assert deleted(read(rig, cursor)) == [dead(rig, gone, 2)]


def test_many_tombstones_come_in_batches(rig: Rig) -> None:
    ids = [rig.insert("note", title=title) for title in "abcde"]
    cursor = read(rig)[-1].resume
    for gone in ids:
        rig.delete("note", gone)
    assert [len(batch.deleted) for batch in read(rig, cursor)] == [2, 2, 1]


def test_a_row_deleted_and_created_again_outlives_its_tombstone(rig: Rig) -> None:
    again = rig.insert("note", title="a")
    cursor = read(rig)[-1].resume
    rig.delete("note", again)
    rig.insert("note", noteid=again, title="b")
    batches = read(rig, cursor)
    # A tombstone without a version would win over the row.
    assert deleted(batches) == ([] if rig.over_http else [Deleted(again, 2)])
    assert batches[0].rows.column("versionnumber").to_pylist() == [3]


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_first_pass_goes_on_after_any_batch(rig: Rig, stop: int) -> None:
    for title in "abcdef":
        rig.insert("note", title=title)
    batches = read(rig)
    rest = read(rig, batches[stop].resume)
    assert titles(batches[: stop + 1]) + titles(rest) == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_later_pass_goes_on_after_any_batch(rig: Rig, stop: int) -> None:
    ids = [rig.insert("note", title=title) for title in "abcdef"]
    cursor = read(rig)[-1].resume
    for number in range(3):
        rig.update("note", ids[number], title=f"{number}")
        rig.delete("note", ids[number + 3])
    batches = read(rig, cursor)
    rest = read(rig, batches[stop].resume) if not batches[stop].final else []
    both = batches[: stop + 1] + rest
    assert titles(both) == ["0", "1", "2"]
    assert [tombstone.id for tombstone in deleted(both)] == ids[3:]


def test_a_row_changed_during_the_first_pass_is_not_missed(rig: Rig) -> None:
    ids = [rig.insert("note", title=title) for title in "abcd"]
    stream = rig.source.changes("note", None, None)
    begun = [next(stream)]
    rig.update("note", ids[0], title="A")
    rig.update("note", ids[3], title="D")
    batches = begun + list(stream)
    assert titles(batches) == ["a", "b", "c", "D"] or (rig.over_http and titles(batches) == ["a", "b", "c", "d"])
    assert titles(read(rig, batches[-1].resume)) == ["A", "D"]


def test_a_row_changed_during_a_later_pass_comes_in_the_next_one(rig: Rig) -> None:
    cursor = read(rig)[-1].resume
    ids = [rig.insert("note", title=title) for title in "abcd"]
    stream = rig.source.changes("note", None, cursor)
    begun = [next(stream)]
    rig.update("note", ids[3], title="D")
    batches = begun + list(stream)
    assert titles(batches) == ["a", "b", "c"] or (rig.over_http and titles(batches) == ["a", "b", "c", "d"])
    assert titles(read(rig, batches[-1].resume)) == ["D"]


def test_a_deletion_during_a_first_pass_comes_in_the_next_one(rig: Rig) -> None:
    ids = [rig.insert("note", title=title) for title in "abc"]
    stream = rig.source.changes("note", None, None)
    begun = [next(stream)]
    rig.delete("note", ids[0])
    batches = begun + list(stream)
    assert deleted(batches) == []
    assert deleted(read(rig, batches[-1].resume)) == [dead(rig, ids[0], 4)]


def test_only_the_columns_asked_for_are_read_with_the_id_and_the_version(rig: Rig) -> None:
    rig.insert("note", title="a")
    (batch,) = rig.source.changes("note", ["title"], None)
    assert batch.rows.schema.names == ["noteid", "title", "versionnumber"]


def test_every_type_comes_back_as_it_was_written(rig: Rig) -> None:
    values: dict[str, object] = {
        "cts_everyid": numbered(77),
        "cts_name": 'é,"\n😀',
        "cts_memo": "",
        "cts_integer": -5,
        "cts_bigint": 9_007_199_254_740_993,
        "cts_decimal": Decimal("-12345678901234567890.0000000001"),
        "cts_double": 0.1,
        "cts_money": Decimal("1.10"),
        "cts_boolean": False,
        "cts_choice": 2,
        "cts_multi": "1;3",
        "cts_lookup": numbered(1),
        "cts_regarding": numbered(2),
        "cts_regarding_entitytype": "log",
        "cts_customer": numbered(3),
        "cts_customer_entitytype": "contact",
        "ownerid": numbered(4),
        "ownerid_entitytype": "team",
        "cts_instant": datetime(1969, 12, 31, 23, 59, 59, 0 if rig.over_http else 999_999, tzinfo=UTC),
        "cts_day": date(1900, 2, 28),
        "cts_wall": datetime(2026, 7, 1, 8, 30),  # noqa: DTZ001 - wall-clock times have no zone
        "statecode": 1,
        "statuscode": 2,
    }
    rig.insert("cts_every", **values)
    (batch,) = read(rig, entity="cts_every")
    assert batch.rows.schema == arrow_schema(EVERY)
    assert batch.rows.to_pylist() == [values | {"createdon": NOW, "modifiedon": NOW, "versionnumber": 1}]


def test_columns_of_nulls_keep_their_types(rig: Rig) -> None:
    for _ in range(3):
        rig.insert("cts_every")
    batches = read(rig, entity="cts_every")
    assert {batch.rows.schema for batch in batches} == {arrow_schema(EVERY)}
    assert batches[0].rows.column("cts_name").null_count == 2


def test_an_update_keeps_what_it_does_not_name(rig: Rig) -> None:
    row = rig.insert("cts_every", cts_name="a", cts_integer=1)
    rig.update("cts_every", row, cts_integer=None)
    (found,) = read(rig, entity="cts_every")[0].rows.to_pylist()
    assert (found["cts_name"], found["cts_integer"], found["versionnumber"]) == ("a", None, 2)


def test_rows_are_counted(rig: Rig) -> None:
    gone = rig.insert("note", title="a")
    rig.insert("note", title="b")
    rig.delete("note", gone)
    assert rig.source.count("note") == 1


def test_a_row_is_there_until_it_is_deleted(rig: Rig) -> None:
    one, other = rig.insert("note"), rig.insert("note")
    rig.delete("note", other)
    assert [rig.source.has("note", row_id) for row_id in (one, other)] == [True, False]


def test_the_definitions_are_those_of_now(rig: Rig) -> None:
    assert rig.source.entities() == {entity.name: told(rig, entity) for entity in (NOTE, UNTRACKED, EVERY)}


@pytest.mark.parametrize(
    "use",
    [
        lambda source: source.count("nothing"),
        lambda source: source.has("nothing", numbered(1)),
        lambda source: list(source.changes("nothing", None, None)),
    ],
    ids=["count", "has", "changes"],
)
def test_an_unknown_entity_is_gone(rig: Rig, use: Callable[[Source], object]) -> None:
    with pytest.raises(EntityGone) as failure:
        use(rig.source)
    assert failure.value.code == "SRC001"


def test_an_entity_without_change_tracking_can_only_be_read_in_full(rig: Rig) -> None:
    for title in "abc":
        rig.insert("log", title=title)
    batches = read(rig, entity="log")
    assert titles(batches) == ["a", "b", "c"]
    assert titles(read(rig, batches[0].resume, "log")) == ["c"]
    with pytest.raises(SourceError) as failure:
        read(rig, batches[-1].resume, "log")
    assert failure.value.code == "SRC002"


def test_a_cursor_expires_when_attributes_change(rig: Rig) -> None:
    cursor = read(rig)[-1].resume
    rig.define(NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("added", "integer"))}))
    with pytest.raises(CursorExpired) as failure:
        read(rig, cursor)
    assert failure.value.code == "0x80044352"
    assert read(rig)[-1].rows.schema.names[-1] == "added"


def test_a_pass_expires_when_attributes_change_under_it(rig: Rig) -> None:
    for title in "abcdef":
        rig.insert("note", title=title)
    stream = rig.source.changes("note", None, None)
    next(stream)
    rig.define(NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("added", "integer"))}))
    with pytest.raises(CursorExpired):
        list(stream)


def test_a_cursor_expires_with_the_deletions_that_it_has_not_seen(rig: Rig) -> None:
    gone = rig.insert("note", title="a")
    old = read(rig)[-1].resume
    rig.delete("note", gone)
    rig.expire("note")
    with pytest.raises(CursorExpired, match="expired"):
        read(rig, old)


def test_a_pass_expires_when_its_deletions_are_purged_under_it(rig: Rig) -> None:
    gone = rig.insert("note", title="a")
    old = read(rig)[-1].resume
    for title in "bcdef":
        rig.insert("note", title=title)
    rig.delete("note", gone)
    stream = rig.source.changes("note", None, old)
    next(stream)
    rig.expire("note")
    with pytest.raises(CursorExpired):
        list(stream)


@pytest.mark.parametrize(
    "damage",
    [
        lambda cursor: cursor.replace("0000000000aa", "0000000000ff"),
        lambda cursor: cursor.replace('"note"', '"log"'),
        lambda cursor: cursor.replace('"format":1', '"format":9'),
        lambda cursor: cursor.replace('"row":1,"tombstone":1,"high":1', '"row":9,"tombstone":9,"high":9'),
        lambda _: "anything",
        lambda _: "",
    ],
    ids=["organization", "entity", "format", "ahead", "foreign", "empty"],
)
def test_a_cursor_that_cannot_be_ours_has_expired(rig: Rig, damage: Callable[[str], str]) -> None:
    rig.insert("note", title="a")
    cursor = read(rig)[-1].resume
    if damage(cursor) == cursor:
        pytest.skip("the source keeps no row numbers")
    with pytest.raises(CursorExpired) as failure:
        read(rig, Cursor(damage(cursor)))
    assert failure.value.code == "0x80044352"


def test_ids_and_versions_are_never_null(rig: Rig) -> None:
    rig.insert("note")
    (batch,) = read(rig)
    assert not batch.rows.schema.field("noteid").nullable
    assert batch.rows.column("versionnumber") == pa.array([1])


def test_the_mark_is_another_one_after_every_change(rig: Rig) -> None:
    if rig.over_http:
        assert rig.source.mark() is None
        return
    marks = [rig.source.mark()]
    row = rig.insert("note", title="a")
    marks.append(rig.source.mark())
    rig.update("note", row, title="b")
    marks.append(rig.source.mark())
    rig.delete("note", row)
    marks.append(rig.source.mark())
    rig.define(NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("added", "integer"))}))
    marks.append(rig.source.mark())
    assert len(set(marks)) == 5
    read(rig)
    assert rig.source.mark() == marks[-1]
