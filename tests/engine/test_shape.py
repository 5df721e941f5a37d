"""What of an entity is exported: columns, filter, mask and labels, by themselves and over passes."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.engine.world import Clock, World, attribute, link, source_of
from toolkit.engine import EntityProgress
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.columns import columns_of
from toolkit.engine.rows import format_rows, split_record
from toolkit.engine.shape import Shaping, shaping
from toolkit.errors import Refused
from toolkit.lake.memory import MemoryLake
from toolkit.model.columns import arrow_schema
from toolkit.model.config import Condition, LinkedEntity, Mask, Output
from toolkit.model.entity import AttributeType, DateTimeBehavior, Entity, Option
from toolkit.model.link import EntityState
from toolkit.model.shape import shape_of
from toolkit.site import NO_KEY, MaskKey
from toolkit.source.protocol import Batch, Cursor, Deleted

KEY = "a secret of some length"
HELD = MaskKey("MASK_KEY", {"MASK_KEY": KEY}.get)
ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"
MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


def options(*labels: str) -> tuple[Option, ...]:
    return tuple(Option(value=value, labels={1033: label}) for value, label in enumerate(labels))


LEAD = Entity(
    name="lead",
    set_name="leads",
    primary_id="leadid",
    attributes=(
        attribute("leadid", AttributeType.UNIQUEIDENTIFIER),
        attribute("subject", AttributeType.STRING, max_length=100),
        attribute("revenue", AttributeType.MONEY, precision=2),
        attribute("rating", AttributeType.CHOICE, options=options("Hot", "Warm")),
        attribute("hobbies", AttributeType.MULTISELECT, options=options("Golf", "Chess")),
        attribute("donotemail", AttributeType.BOOLEAN, options=options("Allow", "Do Not Allow")),
        attribute("private", AttributeType.BOOLEAN),
        attribute("customerid", AttributeType.CUSTOMER, targets=("account", "contact")),
        attribute("birthday", AttributeType.DATETIME, behavior=DateTimeBehavior.DATE_ONLY),
        attribute("createdon", AttributeType.DATETIME),
        attribute("modifiedon", AttributeType.DATETIME),
        attribute("versionnumber", AttributeType.BIGINT),
    ),
)


def shaped_as(linked: dict[str, Any], output: Output | None = None, key: MaskKey = HELD, of: Entity = LEAD) -> Shaping:
    return shaping(of, shape_of(LinkedEntity.model_validate({"name": of.name, **linked}), output or Output()), key)


def hashed(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def batch(*rows: dict[str, Any], of: Entity = LEAD, deleted: tuple[Deleted, ...] = ()) -> Batch:
    whole = [
        {"leadid": f"00000000-0000-0000-0000-{number:012}", "versionnumber": number, "createdon": MARCH, **row}
        for number, row in enumerate(rows, 1)
    ]
    return Batch(pa.RecordBatch.from_pylist(whole, arrow_schema(of)), deleted, Cursor("c"), final=True)


def lines(shape: Shaping, given: Batch) -> list[dict[str, str]]:
    """The rows as they are written, by column."""
    columns = columns_of(shape.entity)
    records = format_rows(shape.shaped(given, full=True).rows, columns, "leadid", MARCH)
    names = [column.name for column in columns]
    return [
        dict(zip(names, map(bytes.decode, split_record(row.as_py().encode())), strict=True)) for row in records.text
    ]


def kept(*conditions: Condition, rows: list[dict[str, Any]]) -> list[int]:
    """The versions of the rows that a filter keeps."""
    found = shaped_as({"filter": conditions}).shaped(batch(*rows), full=True).rows
    return [version for version in found.column("versionnumber").to_pylist() if version]


# nothing is asked for


def test_without_options_a_batch_passes_as_it_is() -> None:
    shape, given = shaped_as({}, key=NO_KEY), batch({"subject": "a"})
    assert (shape.entity, shape.read) == (LEAD, None)
    assert shape.shaped(given, full=False) == given


# columns


def test_only_the_selected_attributes_are_read_and_written() -> None:
    shape = shaped_as({"columns": ["revenue", "customerid"]})
    assert shape.read == ("leadid", "revenue", "customerid", "createdon", "modifiedon", "versionnumber")
    assert [column.name for column in columns_of(shape.entity)] == [
        "Id",
        "SinkCreatedOn",
        "SinkModifiedOn",
        "leadid",
        "revenue",
        "customerid",
        "customerid_entitytype",
        "versionnumber",
        "createdon",
        "modifiedon",
        "IsDelete",
    ]


def test_a_filter_column_that_is_not_selected_is_read_and_not_written() -> None:
    shape = shaped_as({"columns": ["revenue"], "filter": [Condition(column="customerid", is_null=False)]})
    assert shape.read is not None
    assert "customerid" in shape.read
    rows = shape.shaped(batch({"customerid": TWO, "customerid_entitytype": "account"}), full=True).rows
    assert rows.schema.names == ["leadid", "revenue", "createdon", "modifiedon", "versionnumber"]
    assert rows.num_rows == 1


# filter

MORNING, NOON = datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "values", "versions"),
    [
        (Condition(column="subject", equals="a"), ["a", "A", "", None], [1]),
        (Condition(column="subject", equals=""), ["a", "", None], [2]),
        (Condition(column="subject", not_equals="a"), ["a", "A", "", None], [2, 3]),
        (Condition(column="subject", at_least="b"), ["a", "b", "\u00e4", "B", None], [2, 3]),
        (Condition(column="revenue", at_least="1.10"), [Decimal("1.09"), Decimal("1.1"), Decimal(2), None], [2, 3]),
        (Condition(column="revenue", below="0"), [Decimal("-0.01"), Decimal(0), None], [1]),
        (Condition(column="rating", any_of=("0", "7")), [0, 1, 7, None], [1, 3]),
        (Condition(column="hobbies", equals="0;1"), ["0;1", "0", "1;0", None], [1]),
        (Condition(column="donotemail", not_equals="true"), [True, False, None], [2]),
        (Condition(column="customerid", equals=TWO.upper()), [ONE, TWO, None], [2]),
        (Condition(column="birthday", below="2000-02-29"), [date(2000, 2, 28), date(2000, 2, 29), None], [1]),
        (Condition(column="modifiedon", at_least="2026-03-01T13:00:00+01:00"), [MORNING, NOON, None], [2]),
        (Condition(column="rating", is_null=True), [0, None], [2]),
        (Condition(column="rating", is_null=False), [0, None], [1]),
    ],
)
def test_a_condition_keeps_rows_and_a_comparison_with_null_is_false(
    condition: Condition, values: list[Any], versions: list[int]
) -> None:
    assert kept(condition, rows=[{condition.column: value} for value in values]) == versions


def test_all_conditions_must_hold() -> None:
    rows = [{"rating": 0, "subject": "a"}, {"rating": 0, "subject": "b"}, {"rating": 1, "subject": "b"}]
    assert kept(Condition(column="rating", equals="0"), Condition(column="subject", equals="b"), rows=rows) == [2]


def test_a_row_that_is_left_out_is_deleted_with_its_version() -> None:
    shape = shaped_as({"filter": [Condition(column="rating", equals="0")]})
    given = batch({"rating": 0}, {"rating": 1}, deleted=(Deleted(ONE, None),))
    assert shape.shaped(given, full=False).deleted == (Deleted(ONE, None), Deleted(TWO, 2))
    assert shape.shaped(given, full=True).deleted == (Deleted(ONE, None),)


@pytest.mark.parametrize(
    ("linked", "column", "why"),
    [
        ({"filter": [Condition(column="gone", is_null=True)]}, "gone", "the entity has no such column any more"),
        ({"filter": [Condition(column="rating", equals="Hot")]}, "rating", "'Hot' is no number of a choice"),
        ({"mask": {"leadid": Mask.NULL}}, "leadid", "every file needs it as it is, so it is never masked"),
    ],
)
def test_a_filter_or_a_mask_that_does_not_fit_is_refused(linked: dict[str, Any], column: str, why: str) -> None:
    with pytest.raises(Refused) as raised:
        shaped_as(linked)
    (found,) = raised.value.findings
    assert (found.code, found.where.path, found.why) == ("ENG073", f"lead.{column}", why)


# mask


@pytest.mark.parametrize(
    ("name", "value", "spelled"),
    [
        ("subject", 'a "b"\r\nc', 'a "b"\nc'),
        ("subject", "", ""),
        ("revenue", Decimal("1.5"), "1.50"),
        ("rating", 1, "1"),
        ("private", True, "True"),
        ("customerid", TWO, TWO),
        ("birthday", date(2000, 2, 29), "2000-02-29T00:00:00.0000000"),
    ],
)
def test_a_hash_is_that_of_the_value_as_a_reader_sees_it(name: str, value: Any, spelled: str) -> None:
    shape = shaped_as({"mask": {name: Mask.HASH}})
    first, second = lines(shape, batch({name: value}, {name: None}))
    assert (first[name], second[name]) == (f'"{hashed(spelled)}"', "")
    (column,) = (column for column in columns_of(shape.entity) if column.name == name)
    assert (column.kind, column.length) == ("string", 64)


def test_what_stands_beside_a_hashed_column_is_hashed_as_well() -> None:
    shape = shaped_as({"mask": {"customerid": Mask.HASH, "rating": Mask.HASH}}, Output(labels=1033))
    (row,) = lines(shape, batch({"customerid": TWO, "customerid_entitytype": "account", "rating": 1}))
    assert row["customerid_entitytype"] == f'"{hashed("account")}"'
    assert row["rating_label"] == f'"{hashed("Warm")}"'


def test_nothing_is_read_or_written_of_a_column_that_is_masked_by_null() -> None:
    shape = shaped_as({"mask": {"customerid": Mask.NULL, "rating": Mask.NULL}}, Output(labels=1033), NO_KEY)
    assert shape.read is not None
    assert {"customerid", "rating"}.isdisjoint(shape.read)
    (row,) = lines(shape, batch({"customerid": TWO, "customerid_entitytype": "account", "rating": 1}))
    assert [row[name] for name in ("customerid", "customerid_entitytype", "rating", "rating_label")] == [""] * 4


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (NO_KEY, "toolkit.yaml names no mask_key for the environment"),
        (MaskKey("MASK_KEY", lambda _: None), "the environment variable MASK_KEY is not set"),
        (MaskKey("MASK_KEY", {"MASK_KEY": "short"}.get), "the key in MASK_KEY is shorter than 16 bytes"),
    ],
)
def test_without_a_good_key_nothing_is_hashed(key: MaskKey, why: str) -> None:
    with pytest.raises(Refused) as raised:
        shaped_as({"mask": {"subject": Mask.HASH}}, key=key)
    (found,) = raised.value.findings
    assert (found.code, found.why) == ("ENG071", why)


def test_the_form_tells_keys_apart_without_holding_them() -> None:
    form = shaped_as({"mask": {"subject": Mask.HASH}}).form
    other = shaped_as({"mask": {"subject": Mask.HASH}}, key=MaskKey("K", lambda _: KEY + "!")).form
    assert form.mask_key != other.mask_key
    assert KEY not in form.model_dump_json()
    assert KEY not in repr(HELD.variable) + str(form)


# labels


def test_labels_stand_behind_choices() -> None:
    shape = shaped_as({}, Output(labels=1033))
    first, second = lines(
        shape,
        batch(
            {"rating": 1, "hobbies": "1;0;7", "donotemail": True, "private": True},
            {"rating": 7, "hobbies": None, "donotemail": None},
        ),
    )
    names = [column.name for column in columns_of(shape.entity)]
    assert names[names.index("rating") + 1] == "rating_label"
    assert "private_label" not in names
    labels = ("rating_label", "hobbies_label", "donotemail_label")
    assert [first[name] for name in labels] == ['"Warm"', '"Chess;Golf;"', '"Do Not Allow"']
    assert [second[name] for name in labels] == ["", "", ""]


def test_a_language_without_labels_has_columns_of_nothing() -> None:
    (row,) = lines(shaped_as({}, Output(labels=1031)), batch({"rating": 1}))
    assert row["rating_label"] == ""


def test_a_column_of_the_entitys_own_is_no_label() -> None:
    own = LEAD.model_copy(update={"attributes": (*LEAD.attributes, attribute("rating_label", AttributeType.INTEGER))})
    shape = shaped_as({}, Output(labels=1033), of=own)
    assert [each.type for each in shape.entity.attributes if each.name == "rating_label"] == [AttributeType.INTEGER]


def test_a_column_that_the_source_no_longer_gives_has_nothing() -> None:
    shape = shaped_as({"mask": {"subject": Mask.HASH}}, Output(labels=1033))
    given = batch({"subject": "a", "rating": 1})
    narrow = Batch(given.rows.drop_columns(["subject", "rating"]), (), given.resume, final=True)
    (row,) = lines(shape, narrow)
    assert (row["subject"], row["rating"], row["rating_label"]) == ("", "", "")


# over passes


def world_of(linked: dict[str, Any], output: Output | None = None, *definitions: Entity) -> World:
    clock = Clock()
    world = World(source_of(clock, *(definitions or (LEAD,))), MemoryLake(clock=clock), clock, link())
    world.mask_key = HELD
    relink(world, linked, output)
    return world


def relink(world: World, linked: dict[str, Any], output: Output | None = None) -> None:
    world.clock.forward(minutes=61)
    world.relink(LinkedEntity.model_validate({"name": "lead", **linked}), output=output or Output())


def live(world: World, *names: str) -> list[tuple[str, ...]]:
    """The rows of the live files, in their order."""
    checkpoint, _ = read_checkpoint(world.lake, "lead")
    assert checkpoint is not None
    columns = [column.name for column in checkpoint.columns]
    paths = [part.path for part in checkpoint.parts]
    rows = [dict(zip(columns, row, strict=True)) for path in paths for row in world.rows(path)]
    return [tuple(row[name] for name in names) for row in rows]


HOT: dict[str, Any] = {"filter": [{"column": "rating", "equals": "0"}]}


def test_a_row_that_leaves_the_filter_goes_and_one_that_comes_in_is_there() -> None:
    world = world_of(HOT)
    one, two = (world.source.insert("lead", subject=name, rating=rating) for name, rating in [("a", 0), ("b", 1)])
    world.sync()
    assert live(world, "subject") == [("a",)]
    world.source.update("lead", one, rating=1)
    world.source.update("lead", two, rating=0)
    report = world.sync().by_entity["lead"]
    assert (report.written, report.deleted) == (1, 1)
    assert live(world, "subject") == [("b",)]


def test_a_change_of_a_row_that_was_never_exported_writes_nothing() -> None:
    world = world_of(HOT)
    key = world.source.insert("lead", rating=1)
    world.sync()
    world.source.update("lead", key, subject="b")
    report = world.sync().by_entity["lead"]
    assert (report.state, report.written, report.deleted, report.bytes) == (EntityState.COMPLETED, 0, 0, 0)


def test_in_append_only_mode_a_row_that_leaves_the_filter_has_a_delete_row() -> None:
    world = world_of({"append_only": True, **HOT})
    key = world.source.insert("lead", subject="a", rating=0)
    world.source.insert("lead", subject="b", rating=1)
    world.sync()
    world.source.update("lead", key, rating=1)
    assert world.sync().by_entity["lead"].deleted == 1
    assert live(world, "subject", "versionnumber", "IsDelete") == [("a", "1", ""), ("", "1", "True")]
    world.source.update("lead", key, rating=0)
    world.sync()
    assert live(world, "subject", "versionnumber", "IsDelete")[2:] == [("a", "4", "")]


def test_of_an_entity_that_is_read_whole_a_row_that_leaves_the_filter_goes_too() -> None:
    world = world_of(HOT, None, LEAD.model_copy(update={"change_tracking": False, "can_track": False}))
    key = world.source.insert("lead", subject="a", rating=0)
    world.source.insert("lead", subject="b", rating=0)
    world.sync()
    world.source.update("lead", key, rating=1)
    world.clock.forward(days=2)
    assert world.sync().by_entity["lead"].deleted == 1
    assert live(world, "subject") == [("b",)]


def test_progress_counts_the_rows_that_are_read() -> None:
    world = world_of(HOT)
    seen: list[EntityProgress] = []
    for rating in (0, 1, 1):
        world.source.insert("lead", rating=rating)
    world.sync(progress=seen.append)
    assert [(step.rows, step.total) for step in seen if step.phase == "reading"] == [(3, 3)]


CHANGES: list[tuple[dict[str, Any], Output]] = [
    ({"columns": ["rating"]}, Output()),
    (HOT, Output()),
    ({"mask": {"subject": "hash"}}, Output()),
    ({"mask": {"subject": "null"}}, Output()),
    ({}, Output(labels=1033)),
]


@pytest.mark.parametrize(("linked", "output"), CHANGES)
def test_another_form_is_written_aside_and_readers_keep_the_old_one_until_it_is_whole(
    linked: dict[str, Any], output: Output
) -> None:
    world = world_of({})
    world.source.insert("lead", subject="a", rating=0)
    world.source.insert("lead", subject="b", rating=1)
    world.sync()
    before = world.manifest()["entities"][0]
    relink(world, linked, output)
    world.clock.forward(minutes=-60)
    assert world.sync().by_entity["lead"].error is None
    assert world.manifest()["entities"][0] == before
    world.clock.forward(minutes=61)
    world.sync()
    fresh = world_of(linked, output)
    fresh.source = world.source
    fresh.sync()
    names = [name for name in fresh.columns("lead") if not name.startswith("Sink")]
    assert world.columns("lead") == fresh.columns("lead")
    assert [[row[name] for name in names] for row in world.named("lead")] == [
        [row[name] for name in names] for row in fresh.named("lead")
    ]


@pytest.mark.parametrize(("linked", "output"), CHANGES)
def test_a_form_that_stays_writes_nothing_anew(linked: dict[str, Any], output: Output) -> None:
    world = world_of(linked, output)
    world.source.insert("lead", subject="a", rating=0)
    world.sync()
    kept, _ = read_checkpoint(world.lake, "lead")
    relink(world, linked, output)
    world.sync()
    assert read_checkpoint(world.lake, "lead")[0] == kept


def test_labels_of_an_entity_without_choices_write_nothing_anew() -> None:
    world = world_of({}, None, LEAD.model_copy(update={"attributes": (LEAD.attributes[0], *LEAD.attributes[-3:])}))
    world.source.insert("lead")
    world.sync()
    relink(world, {}, Output(labels=1033))
    report = world.sync().by_entity["lead"]
    assert (report.error, report.bytes) == (None, 0)
    checkpoint, _ = read_checkpoint(world.lake, "lead")
    assert checkpoint is not None
    assert checkpoint.form.shape.labels == 1033


def test_another_key_writes_hashes_anew() -> None:
    world = world_of({"mask": {"subject": "hash"}})
    world.source.insert("lead", subject="a")
    world.sync()
    assert live(world, "subject") == [(hashed("a"),)]
    world.mask_key = MaskKey("OTHER", lambda _: KEY + "!")
    world.sync()
    assert live(world, "subject") == [(hmac.new(f"{KEY}!".encode(), b"a", hashlib.sha256).hexdigest(),)]


def relabelled(*labels: str) -> Entity:
    attributes = [
        each.model_copy(update={"options": options(*labels)}) if each.name == "rating" else each
        for each in LEAD.attributes
    ]
    return LEAD.model_copy(update={"attributes": tuple(attributes)})


def test_a_label_that_is_reworded_is_written_anew_in_place_and_history_keeps_its_own() -> None:
    in_place, history = world_of({}, Output(labels=1033)), world_of({"append_only": True}, Output(labels=1033))
    for world in (in_place, history):
        world.source.insert("lead", rating=0)
        world.sync()
        world.source.define(relabelled("Boiling", "Warm"))
        world.source.insert("lead", rating=0)
        assert world.sync().failed == ()
    assert live(in_place, "rating_label") == [("Boiling",), ("Boiling",)]
    assert live(history, "rating_label") == [("Hot",), ("Boiling",)]


def test_a_choice_that_is_new_has_a_column_of_labels_behind_all_others() -> None:
    world = world_of({}, Output(labels=1033))
    world.source.insert("lead", rating=0)
    world.sync()
    more = attribute("stage", AttributeType.CHOICE, options=options("Open"))
    world.source.define(LEAD.model_copy(update={"attributes": (*LEAD.attributes, more)}))
    world.source.insert("lead", stage=0)
    world.sync()
    assert live(world, "rating_label", "stage", "stage_label") == [("Hot", "", ""), ("", "0", "Open")]


def test_append_only_columns_come_at_the_end_and_stay_empty_once_they_go() -> None:
    world = world_of({"append_only": True, "columns": ["subject"]})
    world.source.insert("lead", subject="a", rating=0)
    world.sync()
    relink(world, {"append_only": True, "columns": ["rating"]})
    world.source.insert("lead", subject="b", rating=1)
    world.sync()
    assert world.columns("lead")[-2:] == ["IsDelete", "rating"]
    assert live(world, "subject", "rating") == [("a", ""), ("", "1")]


def test_another_filter_is_compared_with_the_history_back_and_forth() -> None:
    world = world_of({"append_only": True, **HOT})
    world.source.insert("lead", subject="a", rating=0)
    world.source.insert("lead", subject="b", rating=1)
    world.sync()
    seen = live(world, "subject", "versionnumber", "IsDelete")
    warm = {"append_only": True, "filter": [{"column": "rating", "equals": "1"}]}
    expected = [("a", "1", ""), ("", "1", "True"), ("b", "2", ""), ("a", "1", ""), ("", "2", "True")]
    assert seen == expected[:1]
    relink(world, warm)
    world.sync()
    assert sorted(live(world, "subject", "versionnumber", "IsDelete")) == sorted(expected[:3])
    relink(world, {"append_only": True, **HOT})
    for _ in range(2):
        world.sync()
        assert sorted(live(world, "subject", "versionnumber", "IsDelete")) == sorted(expected)
        world.source.expire("lead")


@pytest.mark.parametrize(
    ("linked", "output", "words"),
    [
        ({"mask": {"subject": "null"}}, Output(), "mask"),
        ({}, Output(labels=1033), "labels"),
        ({"mask": {"subject": "null"}}, Output(labels=1033), "mask and labels"),
    ],
)
def test_a_history_keeps_its_form(linked: dict[str, Any], output: Output, words: str) -> None:
    world = world_of({"append_only": True})
    world.source.insert("lead", subject="a")
    world.sync()
    relink(world, {"append_only": True, **linked}, output)
    error = world.sync().by_entity["lead"].error
    assert error is not None
    assert (error.code, error.what) == (
        "ENG072",
        f"lead is append-only, and its history was written with other {words}",
    )
    assert live(world, "subject") == [("a",)]
    relink(world, {"append_only": True})
    assert world.sync().failed == ()
