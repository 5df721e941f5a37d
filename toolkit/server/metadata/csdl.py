"""The model of an organization as CSDL 4.0 XML: what ``$metadata`` answers.

Entities with their properties and navigation properties, their sets with the annotation of change tracking, and the
functions and actions that are served. The types of metadata itself (EntityDefinitions and the others) are left out.
Source: OASIS, "OData Common Schema Definition Language (CSDL) XML Representation 4.0"; the names are Dataverse's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import quoteattr

from toolkit.model.entity import LOOKUPS, Attribute, AttributeType, DateTimeBehavior
from toolkit.server.metadata.forms import NAMESPACE
from toolkit.server.metadata.operations import COMPLEX_TYPES, ENUM_TYPES, OPEN_TYPES, OPERATIONS, Operation, Property
from toolkit.server.metadata.view import OWNER, Joining, Metadata, Relation, Table

_BASE = "crmbaseentity"
_PRINCIPAL = "principal"
_CONTAINER = "System"
_CAPABILITIES = "Org.OData.Capabilities.V1"
_TYPES = {
    AttributeType.STRING: "Edm.String",
    AttributeType.MEMO: "Edm.String",
    AttributeType.INTEGER: "Edm.Int32",
    AttributeType.BIGINT: "Edm.Int64",
    AttributeType.DECIMAL: "Edm.Decimal",
    AttributeType.DOUBLE: "Edm.Double",
    AttributeType.MONEY: "Edm.Decimal",
    AttributeType.BOOLEAN: "Edm.Boolean",
    AttributeType.CHOICE: "Edm.Int32",
    AttributeType.MULTISELECT: "Edm.String",
    AttributeType.STATE: "Edm.Int32",
    AttributeType.STATUS: "Edm.Int32",
    AttributeType.LOOKUP: "Edm.Guid",
    AttributeType.CUSTOMER: "Edm.Guid",
    AttributeType.OWNER: "Edm.Guid",
    AttributeType.UNIQUEIDENTIFIER: "Edm.Guid",
}


def document(metadata: Metadata) -> bytes:
    """Return the document in UTF-8."""
    schema = _element(
        "Schema",
        {"Namespace": NAMESPACE, "Alias": "mscrm", "xmlns": "http://docs.oasis-open.org/odata/ns/edm"},
        _schema(metadata),
    )
    vocabulary = (
        f"http://docs.oasis-open.org/odata/odata/v4.0/errata03/csprd01/complete/vocabularies/{_CAPABILITIES}.xml"
    )
    edmx = _element(
        "edmx:Edmx",
        {"Version": "4.0", "xmlns:edmx": "http://docs.oasis-open.org/odata/ns/edmx"},
        [
            _element("edmx:Reference", {"Uri": vocabulary}, [_element("edmx:Include", {"Namespace": _CAPABILITIES})]),
            _element("edmx:DataServices", {}, [schema]),
        ],
    )
    return f'<?xml version="1.0" encoding="utf-8"?>{edmx}'.encode()


def _schema(metadata: Metadata) -> Iterator[str]:
    yield _element("EntityType", {"Name": _BASE, "Abstract": "true"})
    yield _entity_type(_PRINCIPAL, "ownerid", [_property("ownerid", "Edm.Guid", nullable=False)])
    for table in metadata.tables.values():
        yield _entity_type(table.name, table.entity.primary_id, _members(table))
    for name, members in ENUM_TYPES.items():
        yield _element("EnumType", {"Name": name}, (_element("Member", {"Name": member}) for member in members))
    for name, properties in COMPLEX_TYPES.items():
        yield _element("ComplexType", {"Name": name}, map(_typed, properties))
    for name in OPEN_TYPES:
        yield _element("ComplexType", {"Name": name, "OpenType": "true"})
    yield from (_operation(each) for each in OPERATIONS if _is_there(each, metadata))
    yield _element("EntityContainer", {"Name": _CONTAINER}, _contents(metadata))


# --- entity types -----------------------------------------------------------------------------------------------------


def _entity_type(name: str, key: str, members: Iterable[str]) -> str:
    keys = _element("Key", {}, [_element("PropertyRef", {"Name": key})])
    return _element("EntityType", {"Name": name, "BaseType": f"mscrm.{_BASE}"}, [keys, *members])


def _members(table: Table) -> Iterator[str]:
    for attribute in table.entity.attributes:
        yield _attribute(attribute, nullable=attribute.name != table.entity.primary_id)
    yield from map(_single, table.lookups)
    yield from map(_collection, table.leading_here)
    for joining in table.joined:
        if joining.table is not table:
            yield _both_ways(table, joining)


def _attribute(attribute: Attribute, *, nullable: bool) -> str:
    name = f"_{attribute.name}_value" if attribute.type in LOOKUPS else attribute.name
    return _property(name, _type_of(attribute), nullable=nullable)


def _type_of(attribute: Attribute) -> str:
    if attribute.type is AttributeType.DATETIME:
        return "Edm.Date" if attribute.behavior is DateTimeBehavior.DATE_ONLY else "Edm.DateTimeOffset"
    return _TYPES[attribute.type]


def _property(name: str, kind: str, *, nullable: bool) -> str:
    facets = {} if nullable else {"Nullable": "false"}
    # Without the facet a decimal has no digits after the point.
    scale = {"Scale": "Variable"} if kind == "Edm.Decimal" else {}
    return _element("Property", {"Name": name, "Type": kind, **facets, **scale})


def _single(relation: Relation) -> str:
    """Return the property that leads from a row to the one that its lookup names."""
    owner = relation.target == OWNER
    column = f"_{relation.column.name}_value"
    constraint = {"Property": column, "ReferencedProperty": relation.target_key}
    return _element(
        "NavigationProperty",
        {
            "Name": relation.navigation,
            "Type": f"mscrm.{_PRINCIPAL if owner else relation.target}",
            **({} if owner else {"Partner": relation.schema_name}),
        },
        [_element("ReferentialConstraint", constraint)],
    )


def _collection(relation: Relation) -> str:
    """Return the property that leads from a row to those whose lookups name it."""
    kind = f"Collection(mscrm.{relation.column.table.name})"
    return _element("NavigationProperty", {"Name": relation.schema_name, "Type": kind, "Partner": relation.navigation})


def _both_ways(table: Table, joining: Joining) -> str:
    both = joining.both
    other = both.entity2 if both.entity1 == table.name else both.entity1
    name = both.schema_name
    return _element("NavigationProperty", {"Name": name, "Type": f"Collection(mscrm.{other})", "Partner": name})


# --- functions and actions --------------------------------------------------------------------------------------------


def _is_there(operation: Operation, metadata: Metadata) -> bool:
    """Whether the organization has the entity that an operation is called on; collections are of any."""
    name = operation.bound_to.removeprefix("mscrm.")
    return not name or name.startswith("Collection") or name in metadata.tables


def _operation(operation: Operation) -> str:
    bound = {"IsBound": "true"} if operation.bound_to else {}
    returned = [_element("ReturnType", {"Type": operation.returns})] if operation.returns else []
    parameters = (_typed(each, "Parameter") for each in operation.all_parameters)
    return _element(operation.kind, {"Name": operation.name, **bound}, [*parameters, *returned])


def _typed(found: Property, tag: str = "Property") -> str:
    return _element(tag, {"Name": found.name, "Type": found.type, **({} if found.nullable else {"Nullable": "false"})})


# --- the container ----------------------------------------------------------------------------------------------------


def _contents(metadata: Metadata) -> Iterator[str]:
    for table in metadata.tables.values():
        yield _element("EntitySet", _set(table), [*_bindings(table, metadata), *_tracked(table)])
    for operation in OPERATIONS:
        if not operation.bound_to:
            attributes = {"Name": operation.name, operation.kind: f"mscrm.{operation.name}"}
            yield _element(f"{operation.kind}Import", attributes)


def _set(table: Table) -> dict[str, str]:
    return {"Name": table.entity.set_name, "EntityType": f"mscrm.{table.name}"}


def _bindings(table: Table, metadata: Metadata) -> Iterator[str]:
    for relation in table.lookups:
        if relation.target != OWNER:
            yield _binding(relation.navigation, metadata.tables[relation.target])
    for relation in table.leading_here:
        yield _binding(relation.schema_name, relation.column.table)


def _binding(path: str, target: Table) -> str:
    return _element("NavigationPropertyBinding", {"Path": path, "Target": target.entity.set_name})


def _tracked(table: Table) -> Iterator[str]:
    if table.entity.change_tracking:
        supported = _element("PropertyValue", {"Property": "Supported", "Bool": "true"})
        record = _element("Record", {}, [supported])
        yield _element("Annotation", {"Term": f"{_CAPABILITIES}.ChangeTracking"}, [record])


def _element(tag: str, attributes: dict[str, str], children: Iterable[str] = ()) -> str:
    head = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    inner = "".join(children)
    return f"<{tag}{head}>{inner}</{tag}>" if inner else f"<{tag}{head} />"
