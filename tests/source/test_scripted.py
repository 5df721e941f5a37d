"""What the scripted source does beyond the contract: failures, repeated rows, entities that go."""

from __future__ import annotations

import pytest

from tests.organization.samples import NOTE, Clock, attribute
from toolkit.errors import CursorExpired, EntityGone, Forbidden, NotFound, Retriable, SourceError
from toolkit.source.scripted import ScriptedSource


@pytest.fixture
def source() -> ScriptedSource:
    script = ScriptedSource([NOTE], clock=Clock(), batch_size=2)
    for title in "abcde":
        script.insert("note", title=title)
    return script


def titles(source: ScriptedSource) -> list[list[str | None]]:
    return [batch.rows.column("title").to_pylist() for batch in source.changes("note", None, None)]


@pytest.mark.parametrize(
    "failure",
    [
        Retriable("0x80072322", "too many requests", after=5),
        CursorExpired("0x80044352", "expired"),
        EntityGone("SRC001", "gone"),
        Forbidden("0x80042f09", "no privilege"),
    ],
)
def test_a_planned_failure_comes_once_in_place_of_its_batch(source: ScriptedSource, failure: SourceError) -> None:
    source.fail("note", failure, at=1)
    stream = source.changes("note", None, None)
    first = next(stream)
    with pytest.raises(type(failure)) as raised:
        next(stream)
    assert raised.value is failure
    rest = list(source.changes("note", None, first.resume))
    assert [batch.rows.column("title").to_pylist() for batch in rest] == [["c", "d"], ["e"]]


def test_several_failures_come_one_a_pass(source: ScriptedSource) -> None:
    for _ in range(2):
        source.fail("note", Forbidden("0x80042f09", "no privilege"))
    for _ in range(2):
        with pytest.raises(Forbidden):
            titles(source)
    assert titles(source) == [["a", "b"], ["c", "d"], ["e"]]


def test_a_failure_waits_for_a_pass_that_comes_so_far(source: ScriptedSource) -> None:
    source.fail("note", Forbidden("0x80042f09", "no privilege"), at=3)
    assert titles(source) == [["a", "b"], ["c", "d"], ["e"]]
    for title in "fg":
        source.insert("note", title=title)
    with pytest.raises(Forbidden):
        titles(source)


def test_batches_overlap_on_demand(source: ScriptedSource) -> None:
    source.repeat = True
    assert titles(source) == [["a", "b"], ["b", "c", "d"], ["d", "e"]]


def test_an_entity_that_is_dropped_is_gone_even_in_the_middle_of_a_pass(source: ScriptedSource) -> None:
    stream = source.changes("note", None, None)
    next(stream)
    source.drop("note")
    with pytest.raises(EntityGone):
        next(stream)
    with pytest.raises(EntityGone):
        source.count("note")


def test_an_entity_can_be_added(source: ScriptedSource) -> None:
    source.define(NOTE.model_copy(update={"name": "memo"}))
    source.insert("memo", title="a")
    assert source.count("memo") == 1


def test_an_unknown_attribute_names_the_nearest(source: ScriptedSource) -> None:
    with pytest.raises(NotFound) as failure:
        source.insert("note", titel="a")
    assert (failure.value.code, failure.value.fix) == ("SRC003", "did you mean 'title'?")


def test_a_row_that_is_not_there_is_not_found(source: ScriptedSource) -> None:
    with pytest.raises(NotFound) as failure:
        source.delete("note", "00000000-0000-0000-0000-000000000099")
    assert failure.value.code == "SRC004"


def test_versions_are_counted_over_all_entities(source: ScriptedSource) -> None:
    source.define(NOTE.model_copy(update={"name": "memo"}))
    source.insert("memo")
    assert source.version == 6


def test_an_entity_without_times_gets_none(source: ScriptedSource) -> None:
    source.define(NOTE.model_copy(update={"name": "pair", "attributes": (NOTE.attributes[0], NOTE.attributes[-1])}))
    row = source.insert("pair")
    source.update("pair", row)
    (batch,) = source.changes("pair", None, None)
    assert batch.rows.to_pylist() == [{"noteid": row, "versionnumber": 7}]


def test_a_wider_definition_reads_older_rows_with_nulls(source: ScriptedSource) -> None:
    source.define(NOTE.model_copy(update={"attributes": (*NOTE.attributes, attribute("size", "integer"))}))
    batch = next(source.changes("note", ["size"], None))
    assert batch.rows.column("size").to_pylist() == [None, None]


def test_a_source_may_not_tell_of_changes() -> None:
    assert ScriptedSource([NOTE], clock=Clock(), tells=False).mark() is None
