from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.organization.samples import NOTE, ORGANIZATION, Clock, attribute, organization
from toolkit.errors import NotFound
from toolkit.model.entity import AttributeType, Entity
from toolkit.organization import definitions, rows, schema
from toolkit.organization.database import Database
from toolkit.organization.row_checks import findings
from toolkit.organization.seed import seed
from toolkit.source.embedded import EmbeddedSource

N_TO_N = Entity.model_validate(
    {
        "name": "notelogs",
        "set_name": "notelogset",
        "primary_id": "notelogid",
        "intersect": True,
        "attributes": [
            attribute("notelogid", "uniqueidentifier"),
            attribute("noteid", "uniqueidentifier"),
            attribute("logid", "uniqueidentifier"),
            attribute("versionnumber", "bigint"),
        ],
    }
)


def seeded(folder: Path, numbers: dict[str, int], number: int = 7) -> Database:
    database = schema.create(folder / "organization.sqlite", ORGANIZATION)
    definitions.define(database, definitions.standard())
    seed(database, numbers, seed=number, clock=Clock())
    return database


def table(database: Database, entity: str) -> list[dict[str, Any]]:
    batches = EmbeddedSource(database).changes(entity, None, None)
    return [row for batch in batches for row in batch.rows.to_pylist()]


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("seeded")
    with seeded(folder, {"systemuser": 5, "team": 2, "contact": 50, "account": 3000}) as database:
        return table(database, "account")


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    numbers = {"account": 40, "contact": 10}
    with seeded(tmp_path / "a", numbers) as one, seeded(tmp_path / "b", numbers) as other:
        assert table(one, "account") == table(other, "account")


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    with seeded(tmp_path / "a", {"account": 5}) as one, seeded(tmp_path / "b", {"account": 5}, 8) as other:
        assert not {row["accountid"] for row in table(one, "account")} & {
            row["accountid"] for row in table(other, "account")
        }


def test_seeding_again_adds_other_rows(tmp_path: Path) -> None:
    with seeded(tmp_path, {"account": 5}) as database:
        seed(database, {"account": 5}, seed=7, clock=Clock())
        assert rows.count(database, "account") == 10


def test_every_standard_entity_can_be_seeded_and_keeps_its_rules(tmp_path: Path) -> None:
    names = [entity.name for entity in definitions.standard().entities]
    with seeded(tmp_path, dict.fromkeys(names, 30)) as database:
        source = EmbeddedSource(database)
        for name, entity in source.entities().items():
            (batch,) = source.changes(name, None, None)
            assert batch.rows.num_rows == 30
            assert list(findings(entity, batch.rows)) == []


def test_rows_are_spread_over_three_years_and_months_differ(accounts: list[dict[str, Any]]) -> None:
    months = Counter(row["createdon"].strftime("%Y-%m") for row in accounts)
    assert min(row["createdon"] for row in accounts) > datetime(2023, 3, 1, tzinfo=UTC)
    assert max(row["modifiedon"] for row in accounts) <= datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert len(months) in {36, 37}
    assert max(months.values()) > 4 * min(months.values())


def test_nothing_is_modified_before_it_is_created(accounts: list[dict[str, Any]]) -> None:
    assert all(row["modifiedon"] >= row["createdon"] for row in accounts)


@pytest.mark.parametrize("awkward", ['"', ",", "\n", "\r\n", "\U0001f600", "Ł", "東", "'"])
def test_text_holds_what_breaks_careless_readers(accounts: list[dict[str, Any]], awkward: str) -> None:
    assert any(awkward in value for row in accounts for value in row.values() if isinstance(value, str))


def test_there_are_nulls_and_empty_strings(accounts: list[dict[str, Any]]) -> None:
    values = [value for row in accounts for value in row.values()]
    assert 0.2 < values.count(None) / len(values) < 0.8
    assert values.count("") > 100


def test_there_are_long_memos(accounts: list[dict[str, Any]]) -> None:
    assert max(len(row["description"] or "") for row in accounts) > 1000


def test_lookups_lead_to_rows_that_are_there(tmp_path: Path) -> None:
    with seeded(tmp_path, {"account": 200, "contact": 20, "systemuser": 3, "team": 2}) as database:
        found = table(database, "account")
        contacts = {row["contactid"] for row in table(database, "contact")}
        owners = {row["systemuserid"] for row in table(database, "systemuser")}
    assert {row["primarycontactid"] for row in found} - {None} <= contacts
    assert {row["ownerid"] for row in found if row["ownerid_entitytype"] == "systemuser"} == owners
    assert {row["ownerid_entitytype"] for row in found} == {"systemuser", "team"}


def test_a_lookup_without_rows_to_lead_to_is_null(tmp_path: Path) -> None:
    with seeded(tmp_path, {"account": 20}) as database:
        assert {row["primarycontactid"] for row in table(database, "account")} == {None}
        assert {row["ownerid_entitytype"] for row in table(database, "account")} == {None}


def test_statuses_belong_to_their_states(accounts: list[dict[str, Any]]) -> None:
    account = next(entity for entity in definitions.standard().entities if entity.name == "account")
    status = next(found for found in account.attributes if found.type is AttributeType.STATUS)
    pairs = {(option.value, option.state) for option in status.options}
    assert {(row["statuscode"], row["statecode"]) for row in accounts} == pairs


def test_money_has_two_digits_and_is_sometimes_negative(accounts: list[dict[str, Any]]) -> None:
    amounts = [row["creditlimit"] for row in accounts if row["creditlimit"] is not None]
    assert all(amount == amount.quantize(Decimal("0.01")) for amount in amounts)
    assert min(amounts) < 0 < max(amounts)


def test_both_sides_of_an_n_to_n_row_are_there(tmp_path: Path) -> None:
    log = NOTE.model_copy(update={"name": "log", "primary_id": "noteid"})
    with organization(tmp_path, NOTE, log, N_TO_N) as database:
        seed(database, {"notelogs": 10, "note": 3, "log": 2}, seed=1, clock=Clock())
        notes = {row["noteid"] for row in table(database, "note")}
        found = table(database, "notelogs")
    assert {row["noteid"] for row in found} <= notes
    assert None not in {row["logid"] for row in found}


def test_progress_is_told_for_each_batch(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with organization(tmp_path) as database:
        seed(database, {"note": 20_001}, seed=1, clock=Clock(), progress=lambda *what: told.append(what))
    assert told == [("note", 20_000, 20_001), ("note", 20_001, 20_001)]


def test_an_unknown_entity_is_not_found_and_nothing_is_written(tmp_path: Path) -> None:
    with organization(tmp_path) as database:
        with pytest.raises(NotFound, match="nothing"):
            seed(database, {"note": 5, "nothing": 5}, seed=1, clock=Clock())
        assert rows.count(database, "note") == 0
