"""The tables of an organization's file: the one place where its parts come together."""

from __future__ import annotations

from pathlib import Path

from toolkit.model.environment import Organization
from toolkit.organization import (
    catalog,
    configs,
    database,
    details,
    jobs,
    metadata,
    metadata_log,
    operations,
    solutions,
)

PARTS = (
    database.DDL,
    metadata.DDL,
    metadata_log.DDL,
    details.DDL,
    catalog.DDL,
    solutions.DDL,
    configs.DDL,
    jobs.DDL,
    operations.DDL,
)
"""The DDL of each part, kept beside the SQL that uses it."""


def create(path: Path, organization: Organization) -> database.Database:
    """Make an organization file without publishers, solutions, entities and rows, and open it."""
    return database.create(path, organization, PARTS)
