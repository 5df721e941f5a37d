"""A small organization and its entities, one of them with an attribute of every type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from toolkit.model.entity import Attribute, Entity
from toolkit.model.environment import Organization
from toolkit.organization import definitions, schema
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

ORGANIZATION = Organization.model_validate(
    {
        "id": "00000000-0000-0000-0000-0000000000aa",
        "unique_name": "unq0aa",
        "environment": "dev",
        "region": "westeurope",
        "tenant": "00000000-0000-0000-0000-0000000000bb",
        "version": "9.2.0.0",
    }
)


def attribute(name: str, kind: str, **more: object) -> Attribute:
    return Attribute.model_validate({"name": name, "type": kind, **more})


def options(*values: int) -> list[dict[str, object]]:
    return [{"value": value, "labels": {1033: f"Option {value}"}} for value in values]


NOTE = Entity(
    name="note",
    set_name="notes",
    primary_id="noteid",
    primary_name="title",
    attributes=(
        attribute("noteid", "uniqueidentifier"),
        attribute("title", "string", max_length=100),
        attribute("createdon", "datetime"),
        attribute("modifiedon", "datetime"),
        attribute("versionnumber", "bigint"),
    ),
)
UNTRACKED = NOTE.model_copy(update={"name": "log", "set_name": "logs", "change_tracking": False, "can_track": False})
EVERY = Entity(
    name="cts_every",
    set_name="cts_everies",
    primary_id="cts_everyid",
    primary_name="cts_name",
    custom=True,
    attributes=(
        attribute("cts_everyid", "uniqueidentifier"),
        attribute("cts_name", "string", max_length=10),
        attribute("cts_memo", "memo", max_length=2000),
        attribute("cts_integer", "integer"),
        attribute("cts_bigint", "bigint"),
        attribute("cts_decimal", "decimal", precision=10),
        attribute("cts_double", "double", precision=5),
        attribute("cts_money", "money", precision=2),
        attribute("cts_boolean", "boolean"),
        attribute("cts_choice", "choice", options=options(1, 2)),
        attribute("cts_multi", "multiselect", options=options(1, 2, 3)),
        attribute("cts_lookup", "lookup", targets=["note"]),
        attribute("cts_regarding", "lookup", targets=["note", "log"]),
        attribute("cts_customer", "customer", targets=["account", "contact"]),
        attribute("ownerid", "owner", targets=["systemuser", "team"]),
        attribute("cts_instant", "datetime"),
        attribute("cts_day", "datetime", behavior="DateOnly"),
        attribute("cts_wall", "datetime", behavior="TimeZoneIndependent"),
        attribute("statecode", "state", options=options(0, 1)),
        attribute(
            "statuscode",
            "status",
            options=[{"value": 1, "labels": {}, "state": 0}, {"value": 2, "labels": {}, "state": 1}],
        ),
        attribute("createdon", "datetime"),
        attribute("modifiedon", "datetime"),
        attribute("versionnumber", "bigint"),
    ),
)


def numbered(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@contextmanager
def organization(folder: Path, *entities: Entity) -> Iterator[Database]:
    with schema.create(folder / "organization.sqlite", ORGANIZATION) as database:
        definitions.define(database, Definitions(entities=entities or (NOTE, UNTRACKED, EVERY)))
        yield database
