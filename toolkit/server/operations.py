"""The functions and actions that are served, as ``$metadata`` tells of them. A test keeps them equal to the routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FUNCTION, ACTION = "Function", "Action"


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a complex type, or a parameter."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """A function or an action; ``bound_to`` is the type that it is called on."""

    kind: str
    name: str
    parameters: tuple[Property, ...] = ()
    returns: str = ""
    bound_to: str = ""

    @property
    def all_parameters(self) -> tuple[Property, ...]:
        """The parameters, the one that it is bound to first."""
        bound = (Property("entityset", self.bound_to, nullable=False),) if self.bound_to else ()
        return (*bound, *self.parameters)


def _properties(**types: str) -> tuple[Property, ...]:
    """Return properties by name; a type with ``!`` behind it is never null."""
    return tuple(Property(name, kind.removesuffix("!"), not kind.endswith("!")) for name, kind in types.items())


ENUM_TYPES: Mapping[str, tuple[str, ...]] = {
    "DeletedMetadataFilters": ("Entity", "Attribute", "Relationship", "Label", "OptionSet", "All"),
}
OPEN_TYPES = ("ComplexEntityMetadata", "DeletedMetadataCollection", "EntityQueryExpression")
"""Complex types whose properties are many and told in Microsoft's reference."""
COMPLEX_TYPES: Mapping[str, tuple[Property, ...]] = {
    "CreateEntitiesResponse": _properties(EntityIds="Collection(Edm.Guid)!"),
    "RetrieveMetadataChangesResponse": _properties(
        EntityMetadata="Collection(mscrm.ComplexEntityMetadata)!",
        ServerVersionStamp="Edm.String!",
        DeletedMetadata="mscrm.DeletedMetadataCollection",
    ),
}
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        ACTION,
        "CreateEntities",
        _properties(Entities="Collection(mscrm.ComplexEntityMetadata)!", SolutionUniqueName="Edm.String"),
        "mscrm.CreateEntitiesResponse",
    ),
    Operation(
        FUNCTION,
        "RetrieveMetadataChanges",
        _properties(
            Query="mscrm.EntityQueryExpression",
            DeletedMetadataFilters="mscrm.DeletedMetadataFilters",
            ClientVersionStamp="Edm.String",
        ),
        "mscrm.RetrieveMetadataChangesResponse",
    ),
)
