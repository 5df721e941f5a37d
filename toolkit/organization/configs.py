"""Export config rows in an organization's file, in layers, as every component in Dataverse has them.

There is one layer for each managed solution that brought the row, in the order of their installation, and above them
the unmanaged layer, which work by hand and unmanaged solutions write. The topmost layer is what the row says; a row
without a layer is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from toolkit.model.config import ExportConfig
from toolkit.model.environment import ConfigRow
from toolkit.organization.database import Connection, Row

DDL = """
CREATE TABLE config_layer (
    config TEXT NOT NULL,
    layer TEXT NOT NULL COLLATE NOCASE,
    ordinal INTEGER NOT NULL,
    definition TEXT NOT NULL,
    msdyn_schema TEXT NOT NULL,
    PRIMARY KEY (config, layer)
) STRICT, WITHOUT ROWID;
"""

ACTIVE = "Active"
"""The name of the unmanaged layer. Source: Dataverse's solution layers."""
_TOP = 1 << 62
"""The ordinal of the unmanaged layer."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a config row says, as a model and in the exact text of ``msdyn_schema``."""

    config: ExportConfig
    schema: str


@dataclass(frozen=True, slots=True)
class Held:
    """A config row: what its topmost layer says, and whether a managed solution brought it."""

    content: Content
    managed: bool
    layer: str
    """The topmost layer."""

    @property
    def row(self) -> ConfigRow:
        """The row as an inventory shows it."""
        return ConfigRow(config=self.content.config, managed=self.managed)


_TOPMOST = """
SELECT config, layer, definition, msdyn_schema, MAX(ordinal) AS topmost, SUM(layer <> 'Active') > 0 AS managed
FROM config_layer
"""
"""With one MAX among the columns, SQLite takes the others from the row that has it (its documentation of SELECT)."""


def ids(connection: Connection) -> set[str]:
    """Return the ids of all rows."""
    return {row["config"] for row in connection.execute("SELECT DISTINCT config FROM config_layer")}


def rows(connection: Connection) -> dict[str, Held]:
    """Return all rows by id."""
    found = connection.execute(f"{_TOPMOST} GROUP BY config ORDER BY config")
    return {row["config"]: _held(row) for row in found}


def find(connection: Connection, config: str) -> Held | None:
    """Return a row, or None."""
    row = connection.one(f"{_TOPMOST} WHERE config = ? GROUP BY config", [config.lower()])
    return None if row is None else _held(row)


def put(connection: Connection, layer: str, contents: Iterable[Content]) -> None:
    """Write rows in a layer, in the place of what that layer says of them."""
    ordinal = _ordinal(connection, layer)
    for new in contents:
        connection.execute(
            "INSERT OR REPLACE INTO config_layer VALUES (?, ?, ?, ?, ?)",
            [new.config.id, layer, ordinal, new.config.model_dump_json(exclude_defaults=True), new.schema],
        )


def drop(connection: Connection, layer: str, configs: Iterable[str]) -> None:
    """Take rows out of a layer; what is below shows again."""
    for config in configs:
        connection.execute("DELETE FROM config_layer WHERE layer = ? AND config = ?", [layer, config])


def _ordinal(connection: Connection, layer: str) -> int:
    if layer == ACTIVE:
        return _TOP
    row = connection.one("SELECT ordinal FROM config_layer WHERE layer = ? LIMIT 1", [layer])
    if row is not None:
        return int(row["ordinal"])
    (last,) = connection.execute("SELECT COALESCE(MAX(ordinal), 0) AS last FROM config_layer WHERE ordinal < ?", [_TOP])
    return int(last["last"]) + 1


def _held(row: Row) -> Held:
    config = ExportConfig.model_validate_json(row["definition"])
    return Held(Content(config, row["msdyn_schema"]), bool(row["managed"]), row["layer"])
