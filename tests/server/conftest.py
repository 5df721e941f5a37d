from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import httpx
import pytest

from tests.organization.samples import organization
from tests.server.served import direct
from toolkit.organization.database import Database
from toolkit.organization.database import open as opened


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an organization with the sample entities."""
    with organization(tmp_path_factory.mktemp("template")) as made:
        return made.path


@pytest.fixture
def database(tmp_path: Path, template: Path) -> Iterator[Database]:
    """An organization with the sample entities."""
    path = tmp_path / "organization.sqlite"
    copy(template, path)
    with opened(path) as found:
        yield found


@pytest.fixture
def api(database: Database) -> Iterator[httpx.Client]:
    """A client of that organization, without a socket between."""
    with direct(database) as found:
        yield found
