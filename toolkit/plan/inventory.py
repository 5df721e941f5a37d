"""The entities of an environment as a file: committed, so that links can be checked where nobody may sign in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from toolkit.errors import Damaged, Finding, Place, Severity
from toolkit.model.base import Frozen
from toolkit.model.bundle import digest
from toolkit.model.entity import Entity
from toolkit.model.environment import Inventory, Organization
from toolkit.model.names import LogicalName

_LEFT_OUT: Mapping[str, Any] = {
    "display_name": True,
    "attributes": {"__all__": {"display_name", "options", "global_choice"}},
}
"""What no check asks for: labels and choices change often and say nothing about an export."""


class TakenInventory(Frozen):
    """Which entities an environment had, with their attributes and change tracking, at a time (UTC)."""

    format: Literal[1] = 1
    environment: str
    taken: datetime
    organization: Organization
    entities: Mapping[LogicalName, Entity]

    def inventory(self) -> Inventory:
        """Return it as a reading of the environment, of which nothing else is known."""
        return Inventory(organization=self.organization, entities=self.entities)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values in a stable order: entities and attributes by name, defaults left out."""
        head = self.model_dump(mode="json", exclude={"entities"})
        return {**head, "entities": {name: _entity(self.entities[name]) for name in sorted(self.entities)}}


def _entity(entity: Entity) -> dict[str, Any]:
    data = entity.model_dump(mode="json", exclude=dict(_LEFT_OUT), exclude_defaults=True)
    tracked = {"change_tracking": entity.change_tracking, "can_track": entity.can_track}
    return {**data, **tracked, "attributes": sorted(data["attributes"], key=lambda each: str(each["name"]))}


def read_inventory(data: bytes, where: str) -> TakenInventory:
    """Return the inventory in a file. Raises Damaged (PLN101) where it is none, or one of another format."""
    try:
        return TakenInventory.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        fix = "write it anew: toolkit inventory --env NAME -o FILE"
        what = f"{where} is no inventory of this toolkit"
        raise Damaged("PLN101", what, where=Place(where, key=key), why=first["msg"], fix=fix) from error


def staleness(taken: TakenInventory, now: datetime, most: timedelta, where: str) -> Iterator[Finding]:
    """Yield how old an inventory is and of which version of the organization: a warning (PLN102) beyond ``most``."""
    age = now - taken.taken
    organization = taken.organization
    of = f"{taken.taken:%Y-%m-%d}, {age.days} days old, of organization version {organization.version}"
    what = f"the inventory of {taken.environment} is of {of}"
    if age > most:
        why = f"what was changed in the environment since is not known; {most.days} days are allowed"
        fix = f"write it anew: toolkit inventory --env {taken.environment} -o {where}"
        yield Finding("PLN102", Severity.WARNING, what, Place(where), why, fix)
    else:
        yield Finding("PLN103", Severity.NOTE, what, Place(where), "nobody asked the environment itself")


def moved(before: TakenInventory, after: TakenInventory) -> tuple[str, ...]:
    """Return what differs between two inventories, a line each: organization, its version, entities by name."""
    old, new = before.as_json(), after.as_json()
    lines = [
        f"{key}: {old['organization'][key]} -> {new['organization'][key]}"
        for key in ("id", "version")
        if old["organization"][key] != new["organization"][key]
    ]
    return (*lines, *_moved(old["entities"], new["entities"]))


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"{name}: gone"
        elif name not in old:
            yield f"{name}: new"
        elif digest(old[name]) != digest(new[name]):
            yield f"{name}: changed"
