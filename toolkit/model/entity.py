"""Entity metadata: tables, their attributes and choices. Source: Dataverse's metadata pages (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from toolkit.model.base import Frozen
from toolkit.model.names import LogicalName


class AttributeType(StrEnum):
    """The types of attributes that are exported. Image, file and virtual attributes are left out by every source."""

    STRING = "string"
    MEMO = "memo"
    INTEGER = "integer"
    BIGINT = "bigint"
    DECIMAL = "decimal"
    DOUBLE = "double"
    MONEY = "money"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTISELECT = "multiselect"
    STATE = "state"
    STATUS = "status"
    LOOKUP = "lookup"
    CUSTOMER = "customer"
    OWNER = "owner"
    DATETIME = "datetime"
    UNIQUEIDENTIFIER = "uniqueidentifier"


LOOKUPS = frozenset({AttributeType.LOOKUP, AttributeType.CUSTOMER, AttributeType.OWNER})
CHOICES = frozenset({AttributeType.CHOICE, AttributeType.MULTISELECT, AttributeType.STATE, AttributeType.STATUS})


class DateTimeBehavior(StrEnum):
    """What a datetime means: an instant in UTC, a calendar day, or a wall-clock time without a zone."""

    USER_LOCAL = "UserLocal"
    DATE_ONLY = "DateOnly"
    TIME_ZONE_INDEPENDENT = "TimeZoneIndependent"


class TableType(StrEnum):
    """Where Dataverse keeps the rows. Only standard tables have change tracking; Dataverse's ``TableType``."""

    STANDARD = "Standard"
    ELASTIC = "Elastic"
    VIRTUAL = "Virtual"


class Option(Frozen):
    """A value of a choice with its labels by language code; ``state`` is the state that a status belongs to."""

    value: int
    labels: Mapping[int, str]
    state: int | None = None


class Attribute(Frozen):
    """A column. ``max_length`` counts characters; ``precision`` the digits after the point (decimal, money, double)."""

    name: LogicalName
    type: AttributeType
    display_name: str = ""
    max_length: Annotated[int, Field(ge=1)] | None = None
    precision: Annotated[int, Field(ge=0, le=10)] | None = None
    behavior: DateTimeBehavior = DateTimeBehavior.USER_LOCAL
    targets: tuple[LogicalName, ...] = ()
    options: tuple[Option, ...] = ()
    """Of a choice, a state or a status its values; of a boolean the labels of 0 and 1."""
    global_choice: str | None = None
    """The name of the global choice that ``options`` come from."""
    required: bool = False
    calculated: bool = False
    """Whether the platform computes the value: it changes only with its row, so that a delta may be late with it."""

    @property
    def polymorphic(self) -> bool:
        """Whether a value needs its entity's name beside it: an owner, a customer, a lookup of several targets."""
        return self.type in {AttributeType.OWNER, AttributeType.CUSTOMER} or (
            self.type is AttributeType.LOOKUP and len(self.targets) > 1
        )


class Entity(Frozen):
    """A table's definition, with its attributes in their order (the primary id first)."""

    name: LogicalName
    display_name: str = ""
    set_name: str
    """The name in Web API addresses; not always name + "s"."""
    primary_id: LogicalName
    primary_name: LogicalName | None = None
    change_tracking: bool = True
    can_track: bool = True
    """Whether change tracking can be enabled at all; once on, it stays on."""
    intersect: bool = False
    """Whether this is the table of an N:N relationship."""
    table_type: TableType = TableType.STANDARD
    """Elastic and virtual tables are never exported."""
    custom: bool = False
    attributes: tuple[Attribute, ...]
    left_out: Mapping[str, str] = {}
    """Columns that cannot be exported, such as images and files, and why."""

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute of that logical name, or None."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    @property
    def has_createdon(self) -> bool:
        """Whether rows can be partitioned in place; an entity without createdon is always append-only."""
        return self.attribute("createdon") is not None

    @property
    def scanned(self) -> bool:
        """Whether the entity has to be read whole to know what changed, since it cannot be tracked."""
        return not (self.change_tracking or self.can_track)
