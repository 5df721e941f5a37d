from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.organization.samples import EVERY, NOW, Clock, numbered, organization
from toolkit.errors import Finding, Invalid, NotFound
from toolkit.model.columns import arrow_schema
from toolkit.organization import metadata, rows
from toolkit.organization.database import Database, current_version
from toolkit.organization.storage import from_storage, microseconds, to_storage

ONE, TWO, THREE = numbered(1), numbered(2), numbered(3)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with organization(tmp_path) as opened:
        yield opened


def read(database: Database, row_id: str, entity: str = "note") -> dict[str, object]:
    found = rows.read(database, entity, row_id)
    assert found is not None
    return found


def refused(database: Database, *new: dict[str, object]) -> list[Finding]:
    with pytest.raises(Invalid) as failure:
        rows.insert(database, "cts_every", new, Clock())
    assert rows.count(database, "cts_every") == 0
    return list(failure.value.findings)


def version(database: Database) -> int:
    with database.read() as connection:
        return current_version(connection)


def test_a_new_row_is_stamped_with_a_version_and_the_time(database: Database) -> None:
    assert rows.insert(database, "note", [{"noteid": ONE, "title": "a"}], Clock()) == 1
    assert read(database, ONE) == {
        "noteid": ONE,
        "title": "a",
        "createdon": NOW,
        "modifiedon": NOW,
        "versionnumber": 1,
    }


def test_rows_come_in_bulk_as_arrow(database: Database) -> None:
    table = pa.table({"noteid": [ONE, TWO, THREE], "title": ["a", None, "c"]})
    rows.insert(database, "note", pa.concat_tables([table.slice(0, 1), table.slice(1)]), Clock())
    rows.update(database, "note", table.to_batches()[0].slice(1, 1), Clock())
    assert rows.count(database, "note") == 3
    assert read(database, THREE)["title"] == "c"


def test_times_that_are_given_stand_and_the_others_are_now(database: Database) -> None:
    past = NOW - timedelta(days=400)
    rows.insert(database, "note", [{"noteid": ONE, "createdon": past}, {"noteid": TWO}], Clock())
    assert [read(database, row)["createdon"] for row in (ONE, TWO)] == [past, NOW]


def test_a_version_that_is_given_is_ignored(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": ONE, "versionnumber": 77}], Clock())
    assert read(database, ONE)["versionnumber"] == 1


def test_an_id_is_kept_in_lower_case(database: Database) -> None:
    upper = "ABCDEF00-0000-0000-0000-000000000001"
    rows.insert(database, "note", [{"noteid": upper}], Clock())
    rows.update(database, "note", [{"noteid": upper, "title": "a"}], Clock())
    assert read(database, upper)["noteid"] == upper.lower()
    assert rows.delete(database, "note", [upper, upper.lower()], Clock()) == 1


def test_an_update_stamps_and_changes_only_what_it_names(database: Database) -> None:
    clock = Clock()
    rows.insert(database, "note", [{"noteid": ONE, "title": "a"}], clock)
    clock.move(hours=1)
    rows.update(database, "note", [{"noteid": ONE}], clock)
    found = read(database, ONE)
    assert (found["title"], found["createdon"], found["modifiedon"]) == ("a", NOW, NOW + timedelta(hours=1))
    assert found["versionnumber"] == 2


def test_an_upsert_creates_and_changes_and_keeps_the_creation_time(database: Database) -> None:
    clock = Clock()
    rows.insert(database, "note", [{"noteid": ONE, "title": "a"}], clock)
    clock.move(hours=1)
    rows.upsert(database, "note", [{"noteid": ONE, "title": "A"}, {"noteid": TWO, "title": "B"}], clock)
    assert [(read(database, row)["title"], read(database, row)["createdon"]) for row in (ONE, TWO)] == [
        ("A", NOW),
        ("B", NOW + timedelta(hours=1)),
    ]


def test_an_upsert_changes_a_creation_time_that_it_names(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": ONE}], Clock())
    rows.upsert(database, "note", [{"noteid": ONE, "createdon": NOW - timedelta(days=1)}], Clock())
    assert read(database, ONE)["createdon"] == NOW - timedelta(days=1)


def test_an_upsert_keeps_the_creation_time_of_an_old_row_that_names_none(database: Database) -> None:
    clock = Clock()
    rows.insert(database, "note", [{"noteid": ONE}], clock)
    clock.move(hours=1)
    named = NOW - timedelta(days=1)
    rows.upsert(database, "note", [{"noteid": ONE}, {"noteid": TWO, "createdon": named}, {"noteid": THREE}], clock)
    assert [read(database, row)["createdon"] for row in (ONE, TWO, THREE)] == [NOW, named, NOW + timedelta(hours=1)]


def purged(database: Database) -> int:
    with database.read() as connection:
        found = metadata.stored(connection, "note")
    assert found is not None
    return found.purged_version


def tombstones(database: Database) -> list[str]:
    with database.read() as connection:
        return [row["id"] for row in connection.execute("SELECT id FROM tombstone ORDER BY version")]


def test_what_was_purged_stays_purged_after_a_step_of_the_clock(database: Database) -> None:
    clock = Clock()
    rows.insert(database, "note", [{"noteid": ONE}, {"noteid": TWO}], clock)
    clock.move(days=2)
    rows.delete(database, "note", [ONE], clock)
    clock.move(days=-1)
    rows.delete(database, "note", [TWO], clock)
    assert rows.expire(database, NOW + timedelta(days=1, hours=1)) == 1
    assert purged(database) == 4
    rows.insert(database, "note", [{"noteid": ONE}], clock)
    assert rows.expire(database, NOW + timedelta(days=3)) == 1
    assert purged(database) == 4


def test_a_deletion_purges_the_tombstones_that_are_kept_no_longer(database: Database) -> None:
    clock = Clock()
    rows.insert(database, "note", [{"noteid": numbered(number)} for number in range(1, 6)], clock)
    rows.delete(database, "note", [ONE], clock)
    clock.move(days=7, hours=23)
    rows.delete(database, "note", [TWO], clock)
    assert tombstones(database) == [ONE, TWO]
    clock.move(hours=2)
    rows.delete(database, "note", [THREE], clock)
    assert (tombstones(database), purged(database)) == ([TWO, THREE], 6)


def test_a_row_that_is_not_there_reads_as_none(database: Database) -> None:
    assert rows.read(database, "note", ONE) is None


def test_text_never_becomes_part_of_a_statement(database: Database) -> None:
    assert rows.read(database, "note", "' OR 1=1 --") is None


def test_an_id_that_is_there_is_refused_with_dataverse_s_code(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": ONE}], Clock())
    with pytest.raises(Invalid, match="noteid in row 1 is there already") as failure:
        rows.insert(database, "note", [{"noteid": TWO}, {"noteid": ONE}], Clock())
    assert (failure.value.code, failure.value.fix) == ("0x80040237", "update that row, or give this one another id")
    assert (rows.count(database, "note"), version(database)) == (1, 1)


def test_an_update_of_a_row_that_is_not_there_is_refused_with_dataverse_s_code(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": ONE}], Clock())
    with pytest.raises(Invalid, match="noteid in row 1 does not exist") as failure:
        rows.update(database, "note", [{"noteid": ONE, "title": "b"}, {"noteid": TWO, "title": "b"}], Clock())
    assert failure.value.code == "0x80040217"
    assert read(database, ONE)["title"] is None


def test_a_deletion_of_a_row_that_is_not_there_is_refused_with_dataverse_s_code(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": ONE}], Clock())
    with pytest.raises(Invalid, match="noteid in row 1 does not exist") as failure:
        rows.delete(database, "note", [ONE, TWO], Clock())
    assert failure.value.code == "0x80040217"
    assert rows.count(database, "note") == 1


def test_an_unknown_entity_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound) as failure:
        rows.insert(database, "notes", [{"noteid": ONE}], Clock())
    assert (failure.value.code, failure.value.fix) == ("ORG008", "did you mean 'note'?")


def test_an_unknown_column_names_the_nearest(database: Database) -> None:
    (found,) = refused(database, {"cts_everyid": ONE, "cts_nam": "a"})
    assert (found.code, found.where.key, found.fix) == ("ORG021", "cts_nam", "did you mean 'cts_name'?")


@pytest.mark.parametrize(
    "wrong",
    [
        {"cts_integer": "five"},
        {"cts_money": "1.10 EUR"},
        {"cts_instant": "yesterday"},
        {"cts_bigint": 2**63},
        {"cts_decimal": Decimal("1e-11")},
        {"cts_name": 5},
    ],
)
def test_a_value_of_another_type_is_refused_without_telling_it(database: Database, wrong: dict[str, object]) -> None:
    (found,) = refused(database, {"cts_everyid": ONE, **wrong})
    assert (found.code, found.where.key) == ("ORG021", next(iter(wrong)))
    assert str(next(iter(wrong.values()))) not in found.what + found.why


@pytest.mark.parametrize(
    ("wrong", "code", "what"),
    [
        ({"cts_name": "é" * 11}, "ORG022", "cts_name in row 1 is longer than 10 characters"),
        ({"cts_integer": 2**31}, "ORG023", "cts_integer in row 1 is no 32-bit integer"),
        ({"cts_choice": 3}, "ORG024", "cts_choice in row 1 is not one of the options"),
        ({"cts_multi": "1;4"}, "ORG024", "cts_multi in row 1 is not one of the options"),
        ({"cts_multi": "1;;2"}, "ORG024", "cts_multi in row 1 is not one of the options"),
        ({"statecode": 0, "statuscode": 2}, "ORG025", "statuscode in row 1 does not belong to its statecode"),
        ({"cts_money": Decimal("1.105")}, "ORG026", "cts_money in row 1 has more than 2 digits after the point"),
        ({"cts_lookup": "account"}, "ORG027", "cts_lookup in row 1 is no GUID"),
        ({"cts_customer": TWO}, "ORG028", "cts_customer_entitytype in row 1 is missing beside a lookup of several"),
        ({"ownerid": TWO, "ownerid_entitytype": "account"}, "ORG028", "ownerid_entitytype in row 1 is none of"),
        ({"cts_everyid": None}, "ORG029", "cts_everyid in row 1 is missing"),
        ({"cts_everyid": ONE}, "ORG030", "cts_everyid is the same in several rows"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(database: Database, wrong: dict[str, object], code: str, what: str) -> None:
    (found,) = refused(database, {"cts_everyid": ONE}, {"cts_everyid": TWO, **wrong})
    assert found.code == code
    assert what in found.what


def test_every_rule_that_is_broken_is_found_at_once(database: Database) -> None:
    wrong = {"cts_name": "x" * 11, "cts_choice": 9}
    found = refused(database, {"cts_everyid": ONE, **wrong}, {"cts_everyid": TWO, **wrong})
    assert [finding.code for finding in found] == ["ORG022", "ORG024"]
    assert found[0].what.endswith("is longer than 10 characters, and in 1 rows more")


def test_rows_without_any_id_are_refused(database: Database) -> None:
    assert [finding.code for finding in refused(database, {"cts_name": "a"})] == ["ORG029"]


def test_deletions_before_an_instant_are_purged(database: Database) -> None:
    clock = Clock()
    rows.insert(database, "note", [{"noteid": ONE}, {"noteid": TWO}], clock)
    rows.delete(database, "note", [ONE], clock)
    clock.move(days=8)
    rows.delete(database, "note", [TWO], clock)
    assert rows.expire(database, clock() - timedelta(days=7)) == 1
    assert rows.expire(database, clock() - timedelta(days=7)) == 0
    with database.read() as connection:
        assert connection.execute("SELECT id, version FROM tombstone") == [{"id": TWO, "version": 4}]


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "cts_name": st.none() | st.text(max_size=10),
                "cts_bigint": st.none() | st.integers(-(2**63), 2**63 - 1),
                "cts_decimal": st.none() | st.decimals(-(10**20), 10**20, places=10),
                "cts_double": st.none() | st.floats(allow_nan=False),
                "cts_money": st.none() | st.decimals(-(10**12), 10**12, places=2),
                "cts_boolean": st.none() | st.booleans(),
                "cts_instant": st.none() | st.datetimes(timezones=st.just(NOW.tzinfo)),
                "cts_day": st.none() | st.dates(),
                "cts_wall": st.none() | st.datetimes(),
            }
        ),
        max_size=5,
    )
)
def test_any_row_survives_storage(values: list[dict[str, object]]) -> None:
    schema = pa.schema([field for field in arrow_schema(EVERY) if values and field.name in values[0]])
    batch = pa.RecordBatch.from_pylist(values, schema)
    stored = pa.Table.from_batches([to_storage(batch, EVERY)])
    assert from_storage(stored, schema) == batch


def test_an_instant_before_1970_is_negative() -> None:
    assert microseconds(NOW.replace(year=1969, month=12, day=31, hour=23, minute=59, second=59)) == -1_000_000
