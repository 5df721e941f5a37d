"""Bodies of writes: JSON objects as rows, with the lookups that they bind and the defaults that Dataverse gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from toolkit.model.columns import ENTITY_TYPE_SUFFIX
from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, DateTimeBehavior, Entity
from toolkit.organization.database import Connection
from toolkit.organization.storage import precision
from toolkit.server import exact_json
from toolkit.server.call import BAD_PAYLOAD, ODataError, bad_request, not_supported
from toolkit.server.query import navigation
from toolkit.server.query.keys import Key
from toolkit.server.query.navigation import Navigation
from toolkit.server.query.properties import find
from toolkit.server.query.references import Reference, refer
from toolkit.server.system.ids import Ids

READ_ONLY = frozenset({"createdon", "modifiedon", "versionnumber"})
"""What the platform stamps; a value that a client gives is left alone, as in Dataverse."""
_BIND = "@odata.bind"

Row = dict[str, Any]
"""Values by column, in the Python types of ``arrow_schema``."""


@dataclass(frozen=True, slots=True)
class Payloads:
    """Reads bodies that write rows of an entity."""

    connection: Connection
    entity: Entity
    base: str

    def row(self, body: Mapping[str, Any]) -> Row:
        """Return the columns that a body gives. Raises ODataError (400, 404, 501) in Dataverse's words."""
        row: Row = {}
        for name, value in body.items():
            row |= self._columns(name, value)
        return row

    def _columns(self, name: str, value: object) -> Row:
        if name.endswith(_BIND):
            return self._bound(name.removesuffix(_BIND), value)
        if "@" in name:
            return {}
        attribute = find(self.entity, name)
        if attribute is None or attribute.type in LOOKUPS:
            return self._looked_up(name, value)
        if attribute.name in READ_ONLY:
            return {}
        return {attribute.name: json_value(attribute, value)}

    def _bound(self, name: str, value: object) -> Row:
        leads = self._navigation(name)
        if value is None:
            return _emptied(leads[0].attribute)
        if not isinstance(value, str):
            raise not_supported(f"binding several rows to {name}")
        return led_to(leads, name, refer(self.connection, self.base, value))

    def _looked_up(self, name: str, value: object) -> Row:
        """Return a lookup that is emptied by its own name; all else that a client may mean by it is refused."""
        attribute = self.entity.attribute(name)
        if attribute is not None and value is None:
            return _emptied(attribute)
        if attribute is not None or navigation.find(self.connection, self.entity, name):
            raise not_supported(f"creating the row that {name} leads to")
        raise undeclared(self.entity, name)

    def _navigation(self, name: str) -> tuple[Navigation, ...]:
        found = navigation.find(self.connection, self.entity, name)
        if not found:
            raise undeclared(self.entity, name)
        return found


def led_to(leads: tuple[Navigation, ...], name: str, to: Reference) -> Row:
    """Return the columns of a lookup that leads to a row. Raises ODataError (400) for a row of another entity."""
    if to.entity.name not in {each.target for each in leads}:
        raise bad_request(f"{name} does not lead to rows of {to.entity.name}", BAD_PAYLOAD)
    attribute = leads[0].attribute
    kind = {attribute.name + ENTITY_TYPE_SUFFIX: to.entity.name} if attribute.polymorphic else {}
    return {attribute.name: to.id, **kind}


def undeclared(entity: Entity, name: str) -> ODataError:
    """Return the refusal of a property that an entity does not have: 400, in Dataverse's words."""
    return bad_request(
        f"The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{entity.name}'. "
        "Make sure to only use property names that are defined by the type.",
        BAD_PAYLOAD,
    )


def _emptied(attribute: Attribute) -> Row:
    return {attribute.name: None} | ({attribute.name + ENTITY_TYPE_SUFFIX: None} if attribute.polymorphic else {})


# --- defaults -------------------------------------------------------------------------------------------------------


def completed(connection: Connection, entity: Entity, row: Row) -> Row:
    """Return a new row with what Dataverse fills in: state and status, owner, creator, an earlier time of creation."""
    user = Ids(connection).user
    given = {**_people(entity, user, "ownerid", "createdby", "modifiedby"), **row}
    if given.get("overriddencreatedon") is not None and entity.has_createdon:
        given["createdon"] = datetime.combine(given["overriddencreatedon"], time(), UTC)
    return with_status(entity, given, new=True)


def changed(connection: Connection, entity: Entity, row: Row) -> Row:
    """Return a change of a row with who made it, and a status that belongs to the state."""
    return with_status(entity, {**_people(entity, Ids(connection).user, "modifiedby"), **row}, new=False)


def with_status(entity: Entity, row: Row, *, new: bool) -> Row:
    """Return a row in which state and status stand together: of one that is given the other follows."""
    kinds = {attribute.type: attribute for attribute in entity.attributes}
    state, status = kinds.get(AttributeType.STATE), kinds.get(AttributeType.STATUS)
    if state is None or status is None or not (new or row.keys() & {state.name, status.name}):
        return row
    owners = {option.value: option.state for option in status.options}
    if row.get(status.name) is None:
        wanted = row.get(state.name, 0)
        first = next((value for value, owner in owners.items() if owner == wanted), None)
        return {**row, state.name: wanted, status.name: first}
    return {state.name: owners.get(row[status.name]), **row}


def _people(entity: Entity, user: str, *names: str) -> Row:
    found: Row = {}
    for name in names:
        attribute = entity.attribute(name)
        if attribute is not None and attribute.type in LOOKUPS and "systemuser" in attribute.targets:
            found |= {name: user} | ({name + ENTITY_TYPE_SUFFIX: "systemuser"} if attribute.polymorphic else {})
    return found


def of_key(key: Key) -> Row:
    """Return the columns that a key gives to a row which is created under it. Raises ODataError (501)."""
    row: Row = {}
    for attribute, text in key.values:
        if attribute.polymorphic:
            raise not_supported(f"creating a row under a key with {attribute.name}, which leads to several entities,")
        quoted = attribute.type in TEXTUAL
        row[attribute.name] = json_value(attribute, text if quoted else exact_json.loads(text.lower()))
    return row


# --- values ---------------------------------------------------------------------------------------------------------


def json_value(attribute: Attribute, value: object) -> object:
    """Return a value of JSON in the Python type of an attribute. Raises ODataError (400)."""
    if value is None or value == "":
        # Dataverse keeps an empty text as none.
        return None
    try:
        return _READ[attribute.type](attribute, value)
    except (TypeError, ValueError, ArithmeticError) as error:
        what = f"Cannot convert a value of the property '{attribute.name}' to the expected type {attribute.type}."
        raise bad_request(what, BAD_PAYLOAD) from error


def _text(_attribute: Attribute, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(_attribute: Attribute, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> int | Decimal:
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise TypeError
    return value


def _decimal(attribute: Attribute, value: object) -> Decimal:
    # Digits beyond the precision are rounded away, as in Dataverse's database. Inferred: to the nearer one.
    return Decimal(_number(value)).quantize(Decimal(1).scaleb(-precision(attribute)), ROUND_HALF_UP)


def _double(_attribute: Attribute, value: object) -> float:
    return float(_number(value))


def _truth(_attribute: Attribute, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _selection(attribute: Attribute, value: object) -> str:
    return ";".join(str(int(part)) for part in _text(attribute, value).split(","))


def _guid(attribute: Attribute, value: object) -> str:
    text = _text(attribute, value)
    if re.fullmatch(r"[0-9a-fA-F-]{36}", text) is None:
        raise ValueError
    return text.lower()


def _time(attribute: Attribute, value: object) -> datetime | date:
    text = _text(attribute, value)
    if attribute.behavior is DateTimeBehavior.DATE_ONLY:
        return date.fromisoformat(text.partition("T")[0])
    instant = datetime.fromisoformat(text)
    if attribute.behavior is DateTimeBehavior.TIME_ZONE_INDEPENDENT:
        return instant.replace(tzinfo=None)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


_READ: Mapping[AttributeType, Callable[[Attribute, object], object]] = {
    AttributeType.STRING: _text,
    AttributeType.MEMO: _text,
    AttributeType.INTEGER: _whole,
    AttributeType.BIGINT: _whole,
    AttributeType.CHOICE: _whole,
    AttributeType.STATE: _whole,
    AttributeType.STATUS: _whole,
    AttributeType.DECIMAL: _decimal,
    AttributeType.MONEY: _decimal,
    AttributeType.DOUBLE: _double,
    AttributeType.BOOLEAN: _truth,
    AttributeType.MULTISELECT: _selection,
    AttributeType.DATETIME: _time,
    AttributeType.UNIQUEIDENTIFIER: _guid,
    AttributeType.LOOKUP: _guid,
}
TEXTUAL = frozenset(kind for kind, read in _READ.items() if read in {_text, _time, _guid, _selection})
"""Types whose values are texts in JSON."""
