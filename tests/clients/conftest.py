"""What the clients work on: organizations with the standard entities, served by this process."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.organization.samples import ORGANIZATION
from toolkit.environment import embedded
from toolkit.organization.database import Database
from toolkit.organization.seed import seed

Organized = Callable[[dict[str, int]], Database]


@pytest.fixture(scope="module")
def organized(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organized]:
    """Give a maker of organizations with the standard entities and so many synthetic rows of each."""
    made: list[Database] = []

    def make(rows: dict[str, int]) -> Database:
        database = embedded.create(tmp_path_factory.mktemp("organization") / "organization.sqlite", ORGANIZATION)
        made.append(database)
        if rows:
            seed(database, rows, seed=7, clock=lambda: datetime(2026, 1, 31, 12, tzinfo=UTC))
        return database

    yield make
    for database in made:
        database.close()


HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that has the clients in Python."""
    found = os.environ.get("TOOLKIT_CLIENTS_PYTHON")
    if found is None:
        pytest.skip("TOOLKIT_CLIENTS_PYTHON names no interpreter with the clients: make clients")
    return found


@pytest.fixture(scope="session")
def scripts() -> Path:
    """The folder of the scripts in JavaScript, whose packages are installed."""
    if not (HERE / "node_modules").is_dir():
        pytest.skip("the clients in JavaScript are not installed: make clients")
    return HERE
