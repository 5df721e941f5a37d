from __future__ import annotations

from pathlib import Path

import pytest

from tests.organization.samples import Clock, organization
from tests.organization.test_seed import N_TO_N, seeded, table
from toolkit.errors import Refused
from toolkit.organization import rows
from toolkit.organization.churn import Churned, churn, churn_for
from toolkit.organization.definition_file import Definitions
from toolkit.organization.definitions import define
from toolkit.organization.seed import seed
from toolkit.source.embedded import EmbeddedSource

NUMBERS = {"account": 40, "contact": 40}


def test_the_same_seed_gives_the_same_changes(tmp_path: Path) -> None:
    with seeded(tmp_path / "a", NUMBERS) as one, seeded(tmp_path / "b", NUMBERS) as other:
        assert churn(one, 60, seed=3, clock=Clock()) == churn(other, 60, seed=3, clock=Clock())
        assert table(one, "account") == table(other, "account")


def test_rows_are_created_updated_and_deleted_in_a_mix(tmp_path: Path) -> None:
    with seeded(tmp_path, NUMBERS) as database:
        source = EmbeddedSource(database)
        (before,) = source.changes("account", None, None)
        done = churn(database, 100, seed=3, clock=Clock())
        batches = list(source.changes("account", None, before.resume))
        total = rows.count(database, "account") + rows.count(database, "contact")
    assert done.operations == 100
    assert 0 < done.delete < done.create < done.update
    assert total == 80 + done.create - done.delete
    assert batches[0].rows.num_rows > 10
    assert batches[0].deleted


def test_the_same_seed_goes_on_where_it_ended(tmp_path: Path) -> None:
    with seeded(tmp_path, NUMBERS) as database:
        first = churn(database, 60, seed=3, clock=Clock())
        second = churn(database, 60, seed=3, clock=Clock())
        total = rows.count(database, "account") + rows.count(database, "contact")
    assert total == 80 + first.create + second.create - first.delete - second.delete


def test_many_creations_never_repeat_an_id(tmp_path: Path) -> None:
    with organization(tmp_path) as database:
        seed(database, {"note": 1}, seed=1, clock=Clock())
        done = churn(database, 300, seed=1, clock=Clock())
        assert rows.count(database, "note") == 1 + done.create - done.delete


def test_the_rows_of_an_n_to_n_relationship_are_never_updated(tmp_path: Path) -> None:
    with organization(tmp_path) as database:
        define(database, Definitions(entities=(N_TO_N,)))
        seed(database, {"notelogs": 5}, seed=1, clock=Clock())
        done = churn(database, 40, seed=1, clock=Clock())
    assert done.update == 0
    assert done.create > done.delete > 0


def test_an_organization_without_rows_is_refused(tmp_path: Path) -> None:
    with organization(tmp_path) as database, pytest.raises(Refused) as refusal:
        churn(database, 1, seed=1, clock=Clock())
    assert refusal.value.code == "ORG031"


def test_a_rate_is_kept_for_so_many_seconds(tmp_path: Path) -> None:
    clock = Clock()
    told: list[Churned] = []
    with organization(tmp_path) as database:
        seed(database, {"note": 5}, seed=1, clock=clock)
        done = churn_for(
            database,
            3,
            rate=10,
            seed=1,
            clock=clock,
            sleep=lambda seconds: clock.move(seconds=seconds),
            progress=told.append,
        )
    assert done.operations == 30
    assert told[-1] == done


def test_a_churn_that_cannot_keep_up_never_sleeps(tmp_path: Path) -> None:
    clock = Clock()
    slept: list[float] = []
    with organization(tmp_path) as database:
        seed(database, {"note": 5}, seed=1, clock=clock)
        done = churn_for(
            database,
            2,
            rate=1000,
            seed=1,
            clock=clock,
            sleep=slept.append,
            progress=lambda _: clock.move(seconds=1),
        )
    assert (done.operations, slept) == (2, [])
