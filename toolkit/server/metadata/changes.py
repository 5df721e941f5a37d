"""``RetrieveMetadataChanges``: the metadata of all tables in one answer, or what of it changed since a stamp.

A stamp is ``<number of the last change>!<time>``. It is of use for 90 days, as Dataverse documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from toolkit.organization import metadata_log
from toolkit.organization.metadata_log import Change, Kind
from toolkit.server.call import BAD_SEGMENT, Answer, Call, ODataError, bad_request
from toolkit.server.metadata.forms import ENTITY_TYPE, JSON, NAMESPACE, TYPES, Item, entity_item, option_set_item
from toolkit.server.metadata.paths import read
from toolkit.server.metadata.shapes import QueryShape, check
from toolkit.server.route import Route
from toolkit.server.world import World

EXPIRED = "0x80044352"
_KEPT = timedelta(days=90)
_STAMP = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
_DATE = "%m/%d/%Y %H:%M:%S"
_ALWAYS = ("MetadataId", "HasChanged", "LogicalName")
"""What every thing is answered with, where its type has it."""

_SUB_QUERIES = {
    "Attributes": "AttributeQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "OneToManyRelationships": "RelationshipQuery",
    "ManyToManyRelationships": "RelationshipQuery",
    "Keys": "KeyQuery",
}
_FILTERS = {"Default": {Kind.ENTITY}, "All": set(Kind)}
"""Kinds of deleted metadata by the names of DeletedMetadataFilters; the other names are those of a kind."""


@dataclass(frozen=True, slots=True)
class _Since:
    """What changed after the change of that number; None: everything is wanted."""

    number: int | None
    changes: Mapping[str, Change]

    def has(self, item: Item, owner: Item | None = None) -> bool:
        """Whether a thing changed, or came with an owner that is new."""
        if self.number is None:
            return True
        own = self.changes.get(item.value("MetadataId"))
        changed = 0 if own is None else own.changed
        if owner is not None and (parent := self.changes.get(owner.value("MetadataId"))) is not None:
            changed = max(changed, parent.created)
        return changed > self.number

    def flag(self, item: Item, owner: Item | None = None) -> bool | None:
        """Return HasChanged of a thing."""
        return None if self.number is None else self.has(item, owner)


def retrieve(world: World, call: Call, arguments: str) -> Answer:
    """Return the metadata that a query asks for, what changed since a stamp, and what was deleted."""
    given = _arguments(call, arguments)
    query = check(QueryShape, given.get("Query") or {}, BAD_SEGMENT)
    now = world.clock()
    with world.read() as connection:
        metadata, changes = read(connection), metadata_log.changes(connection)
        number = metadata_log.current(connection)
    since = _Since(_number(given.get("ClientVersionStamp"), number, now), changes)
    items = [entity_item(table) for table in metadata.tables.values()]
    entities = [shown for item in items if (shown := _entity(item, query, since)) is not None]
    answer = {
        "@odata.context": f"{call.base}$metadata#{NAMESPACE}.RetrieveMetadataChangesResponse",
        "ServerVersionStamp": f"{number}!{now.astimezone(UTC):{_DATE}}",
        "DeletedMetadata": _deleted(since, given.get("DeletedMetadataFilters")),
        "EntityMetadata": entities,
    }
    return Answer.json(answer)


def _arguments(call: Call, text: str) -> dict[str, JSON]:
    """Return the arguments by name; an alias stands for an option of the address."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name.strip(): _argument(call.query.get(value.strip(), value.strip())) for name, _, value in pairs}


def _argument(text: str) -> JSON:
    if quoted := re.fullmatch(r"(?:[\w.]+)?'(.*)'", text):
        return quoted[1].replace("''", "'")
    if text in {"", "null"}:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise bad_request("an argument of RetrieveMetadataChanges is no JSON") from error


def _number(stamp: str | None, current: int, now: datetime) -> int | None:
    """Return the number of a stamp. Raises ODataError (400) for one that is of no more use, or is none."""
    if stamp is None:
        return None
    number, given = _parsed(str(stamp))
    # A higher number is one of an organization that was restored since.
    if number > current or now - given > _KEPT:
        raise ODataError(
            400, EXPIRED, "Version stamp associated with the client has expired. Please perform a full sync."
        )
    return number


def _parsed(stamp: str) -> tuple[int, datetime]:
    if (match := _STAMP.fullmatch(stamp)) is not None:
        with suppress(ValueError):
            return int(match[1]), datetime.strptime(match[2], _DATE).replace(tzinfo=UTC)
    raise bad_request("the ClientVersionStamp is none of this server's")


# --- what is asked for ------------------------------------------------------------------------------------------------


def _entity(item: Item, query: JSON, since: _Since) -> JSON:
    """Return an entity with what of it is wanted, or None where that is nothing."""
    if not _meets(item, query.get("Criteria")):
        return None
    wanted, everything = _wanted(query)
    parts = {name: _parts(item, name, query, since) for name in _SUB_QUERIES if everything or name in wanted}
    if not since.has(item) and not any(parts.values()):
        return None
    names = ENTITY_TYPE.properties if everything else [name for name in wanted if name not in _SUB_QUERIES]
    return {**_values(item, names), "HasChanged": since.flag(item), **parts}


def _parts(owner: Item, name: str, query: JSON, since: _Since) -> list[JSON]:
    """Return attributes, relationships or keys of an entity as they are wanted."""
    inner = query.get(_SUB_QUERIES[name]) or {"Properties": {"AllProperties": True}}
    wanted, everything = _wanted(inner)
    items = owner.led_to(name)
    found = [each for each in (items if isinstance(items, list) else []) if _meets(each, inner.get("Criteria"))]
    return [_part(each, owner, wanted, everything, since) for each in found if since.has(each, owner)]


def _part(item: Item, owner: Item, wanted: Sequence[str], everything: bool, since: _Since) -> JSON:
    names = item.type.properties if everything else [name for name in wanted if name in item.type.properties]
    options = "OptionSet" in item.type.leads_to and (everything or "OptionSet" in wanted)
    return {
        "@odata.type": f"#{NAMESPACE}.Complex{item.type.name}",
        **_values(item, names),
        "HasChanged": since.flag(item, owner),
        **({"OptionSet": _options(item)} if options else {}),
    }


def _options(item: Item) -> JSON:
    """Return the values of a choice, global ones too."""
    found = option_set_item(item.subject.option_set)
    return None if found is None else {"@odata.type": f"#{NAMESPACE}.Complex{found.type.name}", **found.full}


def _values(item: Item, names: Iterable[str]) -> dict[str, JSON]:
    always = (name for name in _ALWAYS if name in item.type.properties)
    return {name: item.value(name) for name in dict.fromkeys((*always, *names))}


_KNOWN = frozenset({"OptionSet", *_SUB_QUERIES, *(name for each in TYPES.values() for name in each.properties)})


def _wanted(query: JSON) -> tuple[Sequence[str], bool]:
    """Return the names of the properties that a query wants, and whether it wants all."""
    properties = query.get("Properties") or {}
    names = properties.get("PropertyNames") or []
    if unknown := [name for name in names if name not in _KNOWN]:
        raise bad_request(f"The property {unknown[0]} is not one of the metadata that is served.")
    return names, bool(properties.get("AllProperties"))


# --- criteria ---------------------------------------------------------------------------------------------------------

_CONDITIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda found, wanted: found == wanted,
    "NotEquals": lambda found, wanted: found != wanted,
    "In": lambda found, wanted: found in _listed(wanted),
    "NotIn": lambda found, wanted: found not in _listed(wanted),
    "GreaterThan": lambda found, wanted: found is not None and found > wanted,
    "LessThan": lambda found, wanted: found is not None and found < wanted,
}


def _meets(item: Item, criteria: JSON) -> bool:
    """Whether a thing meets a MetadataFilterExpression; without conditions everything does."""
    if not criteria:
        return True
    results = [_meets_one(item, each) for each in criteria.get("Conditions") or ()]
    results += [_meets(item, each) for each in criteria.get("Filters") or ()]
    return any(results) if criteria.get("FilterOperator") == "Or" and results else all(results)


def _meets_one(item: Item, condition: JSON) -> bool:
    name = condition.get("PropertyName")
    if name not in _KNOWN:
        raise bad_request(f"The property {name} is not one of the metadata that is served.")
    if (compare := _CONDITIONS.get(condition.get("ConditionOperator", ""))) is None:
        raise bad_request(f"{condition.get('ConditionOperator')} is no operator of a condition of metadata.")
    found = item.value(name) if name in item.type.properties else None
    try:
        return compare(found.get("Value") if isinstance(found, dict) else found, _operand(condition.get("Value")))
    except (TypeError, ValueError) as error:
        raise bad_request(f"The value of the condition of {name} is of another type.") from error


def _listed(wanted: JSON) -> list[JSON]:
    if not isinstance(wanted, list):
        raise TypeError
    return wanted


def _operand(value: JSON) -> JSON:
    """Return what a condition compares with: ``{"Type": "System.String", "Value": "account"}`` or the value itself."""
    if not isinstance(value, dict):
        return value
    found, kind = value.get("Value"), str(value.get("Type", ""))
    if kind == "System.Boolean" and isinstance(found, str):
        return found.lower() == "true"
    if kind.startswith("System.Int") and isinstance(found, str):
        return int(found)
    return found


# --- what was deleted -------------------------------------------------------------------------------------------------


def _deleted(since: _Since, filters: str | None) -> JSON:
    if since.number is None:
        return None
    kinds = _kinds(str(filters or "Default"))
    gone = [change for change in since.changes.values() if change.deleted and change.changed > since.number]
    found = {kind: [each.id for each in gone if each.kind is kind] for kind in Kind if kind in kinds}
    held = {kind: ids for kind, ids in found.items() if ids}
    return {
        "IsReadOnly": False,
        "Count": sum(map(len, held.values())),
        "Keys": [kind.value for kind in held],
        "Values": list(held.values()),
    }


def _kinds(filters: str) -> set[Kind]:
    names = [name.strip() for name in filters.split(",")]
    if unknown := [name for name in names if name not in _FILTERS and name not in {*Kind, "Label"}]:
        raise bad_request(f"{unknown[0]} is no kind of deleted metadata.")
    return set().union(*(_FILTERS.get(name, {kind for kind in Kind if kind == name}) for name in names))


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        r"RetrieveMetadataChanges\((?P<arguments>[^()]*)\)",
        retrieve,
        "Metadata",
        "typed metadata of all tables by a query, what changed and what was deleted since a stamp",
    ),
)
