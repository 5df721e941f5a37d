from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.organization.samples import organization
from tests.server.served import direct
from toolkit.organization.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An organization with the sample entities."""
    with organization(tmp_path) as opened:
        yield opened


@pytest.fixture
def api(database: Database) -> Iterator[httpx.Client]:
    """A client of that organization, without a socket between."""
    with direct(database) as opened:
        yield opened
