"""A managed solution waits beside the installed version, and takes its place: import as holding, then promote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment.packages import SALES, SERVICE, config, core, needs, package
from tests.organization.dump import dump
from tests.organization.samples import organization
from toolkit.errors import NotFound, Refused
from toolkit.organization import configs, incoming, installation, solutions
from toolkit.organization.configs import ACTIVE, Content
from toolkit.organization.database import Connection, Database


def managed(*rows: object, version: str = "1.0", **changes: object) -> bytes:
    return package(*rows, version=version, package=1, **changes)  # type: ignore[arg-type]  # configs, as package has them


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An organization with Core and version 1.0 of ContosoLake, which holds two configs."""
    with organization(tmp_path) as opened:
        with opened.write() as connection:
            install(connection, core())
            install(connection, managed(config(), config("contososervice", SERVICE)))
        yield opened


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as opened:
        yield opened


def install(connection: Connection, data: bytes, *, upgrade: bool = False) -> None:
    installation.install(connection, incoming.read(data), upgrade=upgrade)


def hold(connection: Connection, data: bytes, *, overwrite: bool = True) -> None:
    installation.hold(connection, incoming.read(data), overwrite=overwrite)


def names(connection: Connection) -> dict[str, str]:
    return {key: held.content.config.name for key, held in configs.rows(connection).items()}


def versions(connection: Connection) -> dict[str, str]:
    return {name: str(each.solution.version) for name, each in solutions.solutions(connection).items()}


def refused(connection: Connection, data: bytes) -> set[str]:
    with pytest.raises(Refused) as refusal:
        hold(connection, data)
    return {finding.code for finding in refusal.value.findings}


def test_a_version_that_waits_shows_its_rows_and_removes_none(connection: Connection) -> None:
    hold(connection, managed(config("renamed"), version="2.0"))
    assert names(connection) == {SALES: "renamed", SERVICE: "contososervice"}
    assert versions(connection) == {
        "ContosoLake": "1.0",
        "ContosoLake_Upgrade": "2.0",
        "ExportToDataLakeCore": "1.0.0.0",
    }


def test_a_promoted_version_takes_the_place_and_removes_what_it_lacks(connection: Connection) -> None:
    hold(connection, managed(config("renamed"), version="2.0"))
    installation.promote(connection, "contosolake")
    assert names(connection) == {SALES: "renamed"}
    assert versions(connection) == {"ContosoLake": "2.0", "ExportToDataLakeCore": "1.0.0.0"}


def test_two_steps_leave_what_an_upgrade_leaves(database: Database, tmp_path: Path) -> None:
    data = managed(config("renamed"), version="2.0")
    with database.write() as connection:
        hold(connection, data)
        installation.promote(connection, "ContosoLake")
    with organization(tmp_path / "other") as other:
        with other.write() as connection:
            install(connection, core())
            install(connection, managed(config(), config("contososervice", SERVICE)))
            install(connection, data, upgrade=True)
        assert dump(database) == dump(other)


def test_a_promoted_version_lies_where_the_old_one_lay(connection: Connection) -> None:
    install(connection, managed(config("above"), unique_name="Other"))
    hold(connection, managed(config("renamed"), version="2.0"))
    assert names(connection)[SALES] == "renamed"
    installation.promote(connection, "ContosoLake")
    assert names(connection)[SALES] == "above"


def test_a_version_that_waits_can_be_given_up(connection: Connection) -> None:
    hold(connection, managed(config("renamed"), config("new", "11111111-0000-4000-8000-000000000003"), version="2.0"))
    installation.uninstall(connection, "ContosoLake_Upgrade")
    assert names(connection) == {SALES: "contososales", SERVICE: "contososervice"}
    assert versions(connection)["ContosoLake"] == "1.0"


def test_a_solution_stays_while_its_upgrade_waits(connection: Connection) -> None:
    hold(connection, managed(config(), version="2.0"))
    with pytest.raises(Refused, match="ContosoLake_Upgrade") as refusal:
        installation.uninstall(connection, "ContosoLake")
    assert refusal.value.code == "0x8004f01d"


@pytest.mark.parametrize(("overwrite", "shown"), [(True, "renamed"), (False, "byhand")])
def test_what_was_changed_by_hand_is_overwritten_where_that_is_asked(
    connection: Connection, *, overwrite: bool, shown: str
) -> None:
    held = configs.find(connection, SALES)
    assert held is not None
    configs.put(connection, ACTIVE, [Content(config("byhand"), held.content.schema)])
    hold(connection, managed(config("renamed"), version="2.0"), overwrite=overwrite)
    assert names(connection)[SALES] == shown
    installation.promote(connection, "ContosoLake")
    assert names(connection)[SALES] == shown


def test_an_import_can_leave_what_was_changed_by_hand(connection: Connection) -> None:
    configs.put(connection, ACTIVE, [Content(config("byhand"), "{}")])
    installation.install(
        connection, incoming.read(managed(config("renamed"), version="2.0")), upgrade=False, overwrite=False
    )
    assert names(connection)[SALES] == "byhand"


def test_what_upgrades_nothing_cannot_wait(connection: Connection) -> None:
    assert refused(connection, managed(unique_name="Other")) == {"ORG054"}
    assert refused(connection, managed(config(), version="1.0")) == {"0x80048541"}
    assert refused(connection, managed(config(), version="0.9")) == {"0x80048541"}
    assert refused(connection, package(version="2.0")) == {"ORG055", "0x80048041"}


def test_only_one_version_can_wait(connection: Connection) -> None:
    hold(connection, managed(config(), version="2.0"))
    assert refused(connection, managed(config(), version="3.0")) == {"ORG057"}
    with pytest.raises(Refused) as refusal:
        install(connection, managed(config(), version="3.0"), upgrade=True)
    assert refusal.value.code == "ORG057"


def test_nothing_is_promoted_that_does_not_wait(connection: Connection) -> None:
    with pytest.raises(NotFound) as failure:
        installation.promote(connection, "ContosoLake")
    assert failure.value.code == "ORG056"


def test_what_a_version_that_waits_needs_must_be_there_still(database: Database) -> None:
    with database.write() as connection:
        install(connection, managed(unique_name="Other"))
        hold(connection, managed(config(), version="2.0", missing_dependencies=[needs("Other")]))
        solutions.delete(connection, "Other")
    before = dump(database)
    with pytest.raises(Refused) as refusal, database.write() as connection:
        installation.promote(connection, "ContosoLake")
    assert (refusal.value.code, dump(database)) == ("0x80048034", before)
