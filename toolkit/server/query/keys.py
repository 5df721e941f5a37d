"""Keys in addresses: an id, or values that tell a row from all others."""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.model.entity import Attribute, Entity
from toolkit.model.names import GUID
from toolkit.server.call import ODataError, bad_request
from toolkit.server.query import filters
from toolkit.server.query.fragments import Fragment, joined
from toolkit.server.query.properties import attribute_of
from toolkit.server.query.terms import ROW, Term

SET = r"(?P<entity_set>[a-zA-Z_]\w*)"
"""An entity set, in a pattern of a route."""
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'|[^,']*)\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Key:
    """Values of attributes that one row has: its id, or an alternate key."""

    values: tuple[tuple[Attribute, str], ...]
    id: str | None = None
    """The id, where it is the key."""

    @classmethod
    def parse(cls, entity: Entity, text: str) -> Key:
        """Read ``00000000-...``, ``accountid=00000000-...`` or ``name='a',code=1``. Raises ODataError (400)."""
        if re.fullmatch(GUID, text):
            return cls.of_id(entity, text)
        pairs = [(attribute_of(entity, name), _plain(value)) for name, value in _PAIR.findall(text)]
        if not pairs or _PAIR.sub("", text):
            raise bad_request(f"'{text}' is no key of {entity.name}")
        if [attribute.name for attribute, _ in pairs] == [entity.primary_id]:
            return cls.of_id(entity, pairs[0][1])
        return cls(tuple(pairs))

    @classmethod
    def of_id(cls, entity: Entity, row_id: str) -> Key:
        """Return the key of a row's id. Raises ODataError (400) when it is no GUID."""
        if re.fullmatch(GUID, row_id) is None:
            raise bad_request(f"'{row_id}' is no id of {entity.name}")
        attribute = attribute_of(entity, entity.primary_id)
        return cls(((attribute, row_id.lower()),), row_id.lower())

    @property
    def condition(self) -> Fragment:
        """That a row has the key."""
        terms = (Term(attribute, f'{ROW}."{attribute.name}"') for attribute, _ in self.values)
        return joined(
            " AND ", [filters.comparison(each, "=", value) for each, (_, value) in zip(terms, self.values, strict=True)]
        )

    def ambiguous(self, entity: Entity) -> ODataError:
        """Return the refusal of a key that several rows have."""
        names = ", ".join(attribute.name for attribute, _ in self.values)
        return bad_request(f"several rows of {entity.name} have the same values of {names}, so they are no key")


def missing(entity: Entity, key: Key) -> ODataError:
    """Return that there is no row of a key: 404, in Dataverse's words."""
    if key.id is not None:
        return ODataError(404, NO_ROW, f"Entity '{entity.name}' With Id = {key.id} Does Not Exist")
    return ODataError(404, NO_ROW, f"A record with the specified key values does not exist in {entity.name} entity")


NO_ROW = "0x80040217"
"""Dataverse's code for a row that does not exist."""


def _plain(value: str) -> str:
    return value[1:-1].replace("''", "'") if value.startswith("'") else value.strip()
