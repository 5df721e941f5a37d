"""Metadata over the Web API: what creates, changes and deletes it.

Each call is one transaction. The header ``MSCRM.SolutionUniqueName`` makes what is new a component of that solution;
``MSCRM.MergeLabels: true`` keeps the languages that a change leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.organization import customization, definitions, metadata, metadata_ids
from toolkit.organization.customization import OPTION_SET_COMPONENT, RELATIONSHIP_COMPONENT
from toolkit.organization.database import Connection
from toolkit.organization.definition_file import EntityDefinition
from toolkit.organization.details import EntityDetail, ManyToMany
from toolkit.organization.incoming import ENTITY_COMPONENT
from toolkit.server.call import BAD_PAYLOAD, Answer, Call, bad_request, not_supported
from toolkit.server.metadata import incoming
from toolkit.server.metadata.forms import JSON, NAMESPACE, Item
from toolkit.server.metadata.incoming import NewAttribute, required
from toolkit.server.metadata.paths import item, read
from toolkit.server.metadata.shapes import (
    AttributeShape,
    EntitiesShape,
    EntityShape,
    KeyShape,
    OptionSetShape,
    RelationshipShape,
    check,
)
from toolkit.server.metadata.view import Column, Joining, Metadata, OptionSet, Relation, Table
from toolkit.server.route import Route
from toolkit.server.world import World

AREA = "Metadata"
SOLUTION = "mscrm.solutionuniquename"
MERGE_LABELS = "mscrm.mergelabels"


@dataclass(frozen=True, slots=True)
class _Change:
    """A call that changes metadata: the organization within its transaction, and the solution that new things join."""

    connection: Connection
    call: Call
    solution: str | None

    def read(self) -> Metadata:
        """Return the metadata as it is now."""
        return read(self.connection)

    def item(self, path: str) -> Item:
        """Return the thing of an address."""
        return item(self.read(), path)

    def table(self, path: str) -> Table:
        """Return the entity of an address."""
        found: Table = self.item(path).subject
        return found

    def attribute(self, body: JSON) -> NewAttribute:
        """Read a new attribute of a body."""
        choices = metadata.choices(self.connection)
        return incoming.attribute(body, choices, {metadata_ids.option_set_id(name): name for name in choices})

    @property
    def replace(self) -> bool:
        """Whether a change takes away the languages that it leaves out."""
        return self.call.headers.get(MERGE_LABELS, "").lower() != "true"

    def join(self, component: str, name: str, *, whole: bool = True) -> None:
        """Put a component into the solution of the call, if there is one."""
        if self.solution:
            customization.join_solution(self.connection, self.solution, component, name, whole=whole)

    def created(self, path: str, made: str) -> Answer:
        """Return the answer that names what was created."""
        return Answer.none({"OData-EntityId": f"{self.call.base}{path}({made})"})


def _change(connection: Connection, call: Call) -> _Change:
    return _Change(connection, call, call.headers.get(SOLUTION))


# --- entities ---------------------------------------------------------------------------------------------------------


def create_entities(world: World, call: Call) -> Answer:
    """Create entities with their attributes, all or none."""
    body = check(EntitiesShape, call.object())
    solution = call.query.get("SolutionUniqueName") or body.get("SolutionUniqueName") or call.headers.get(SOLUTION)
    if not body["Entities"]:
        raise bad_request("Entities is empty", BAD_PAYLOAD)
    with world.write() as connection:
        ids = [_create_entity(_Change(connection, call, solution), each) for each in body["Entities"]]
    return Answer.json({"@odata.context": f"{call.base}$metadata#{NAMESPACE}.CreateEntitiesResponse", "EntityIds": ids})


def create_entity(world: World, call: Call) -> Answer:
    """Create an entity with its attributes."""
    body = check(EntityShape, call.object())
    with world.write() as connection:
        change = _change(connection, call)
        return change.created("EntityDefinitions", _create_entity(change, body))


def _create_entity(change: _Change, body: JSON) -> str:
    schema_name = required(body, "SchemaName")
    if body.get("IsActivity"):
        raise not_supported("creation of an activity")
    given = [change.attribute(each) for each in body.get("Attributes") or ()]
    entity = _entity(body, schema_name.lower(), given)
    detail = incoming.entity_detail(body, EntityDetail(schema_name=schema_name, has_notes=False), replace=True)
    attributes = {each.stored.name: each.detail for each in given if isinstance(each.stored, Attribute)}
    unstored = tuple(each.stored for each in given if not isinstance(each.stored, Attribute))
    detail = detail.model_copy(update={"attributes": attributes, "unstored": unstored})
    customization.create_entity(change.connection, _owned(entity, detail), detail)
    change.join(ENTITY_COMPONENT, entity.name)
    return metadata_ids.entity_id(entity.name)


def _entity(body: JSON, name: str, given: list[NewAttribute]) -> Entity:
    stored = tuple(each.stored for each in given if isinstance(each.stored, Attribute))
    names = [each.stored.name for each in given if each.primary_name]
    primary_name = names[0] if names else str(body.get("PrimaryNameAttribute") or "").lower()
    if primary_name not in {attribute.name for attribute in stored}:
        raise bad_request("one of the Attributes has to be the primary name (IsPrimaryName)", BAD_PAYLOAD)
    standard = body.get("TableType") in {None, "Standard"}
    try:
        definition = EntityDefinition(
            name=name,
            display_name=incoming.text(body.get("DisplayName")),
            set_name=str(body["EntitySetName"]) if body.get("EntitySetName") else None,
            primary_name=primary_name,
            change_tracking=standard and bool(body.get("ChangeTrackingEnabled")),
            can_track=standard,
            table_type=body.get("TableType") or "Standard",
            attributes=stored,
        )
    except ValidationError as error:
        raise incoming.wrong(error) from error
    return definitions.completed(definition)


def _owned(entity: Entity, detail: EntityDetail) -> Entity:
    """Return an entity without owner columns where the organization owns its rows."""
    if detail.ownership == "UserOwned":
        return entity
    without = {"ownerid", "owningbusinessunit"}
    return entity.model_copy(update={"attributes": tuple(a for a in entity.attributes if a.name not in without)})


def update_entity(world: World, call: Call, entity: str) -> Answer:
    """Change what an entity says of itself: its names, its descriptions, ChangeTrackingEnabled."""
    body = check(EntityShape, call.object())
    with world.write() as connection:
        change = _change(connection, call)
        table = change.table(entity)
        changes: dict[str, object] = {}
        if "DisplayName" in body:
            changes["display_name"] = incoming.text(body["DisplayName"])
        if body.get("ChangeTrackingEnabled") is not None:
            changes["change_tracking"] = bool(body["ChangeTrackingEnabled"])
        detail = incoming.entity_detail(body, table.detail, replace=change.replace)
        customization.alter_entity(connection, table.entity.model_copy(update=changes), detail)
    return Answer.none()


def delete_entity(world: World, call: Call, entity: str) -> Answer:
    """Delete a custom entity with its rows."""
    with world.write() as connection:
        customization.delete_entity(connection, _change(connection, call).table(entity).name)
    return Answer.none()


# --- attributes -------------------------------------------------------------------------------------------------------


def create_attribute(world: World, call: Call, entity: str) -> Answer:
    """Create an attribute of an entity."""
    body = check(AttributeShape, call.object())
    with world.write() as connection:
        change = _change(connection, call)
        table = change.table(entity)
        made = change.attribute(body)
        if isinstance(made.stored, Attribute):
            _refuse_bare_lookup(made.stored)
            customization.create_attribute(connection, table.name, made.stored, made.detail)
        else:
            customization.create_unstored(connection, table.name, made.stored)
        change.join(ENTITY_COMPONENT, table.name, whole=False)
        return change.created(
            f"EntityDefinitions({table.id})/Attributes", metadata_ids.attribute_id(table.name, made.stored.name)
        )


def _refuse_bare_lookup(attribute: Attribute) -> None:
    if attribute.type is AttributeType.LOOKUP:
        raise bad_request("a lookup is created with its relationship: POST RelationshipDefinitions", BAD_PAYLOAD)


def update_attribute(world: World, call: Call, attribute: str) -> Answer:
    """Change an attribute: its names, its length, its options, its requirement level."""
    body = check(AttributeShape, call.object())
    with world.write() as connection:
        change = _change(connection, call)
        column: Column = change.item(attribute).subject
        if not isinstance(column.stored, Attribute):
            raise not_supported("a change of an image, file or virtual column")
        new = incoming.changed(column.stored, body, metadata.choices(connection))
        detail = incoming.changed_detail(column.detail, body, replace=change.replace)
        customization.alter_attribute(connection, column.table.name, new, detail)
    return Answer.none()


def delete_attribute(world: World, call: Call, attribute: str) -> Answer:
    """Delete a custom attribute with its values."""
    with world.write() as connection:
        column: Column = _change(connection, call).item(attribute).subject
        customization.delete_attribute(connection, column.table.name, column.name)
    return Answer.none()


# --- keys -------------------------------------------------------------------------------------------------------------


def create_key(world: World, call: Call, entity: str) -> Answer:
    """Create an alternate key of an entity."""
    key = incoming.key(check(KeyShape, call.object()))
    with world.write() as connection:
        change = _change(connection, call)
        table = change.table(entity)
        customization.create_key(connection, table.name, key)
        return change.created(f"{entity}/Keys", metadata_ids.key_id(table.name, key.name))


def delete_key(world: World, call: Call, key: str) -> Answer:
    """Delete an alternate key."""
    with world.write() as connection:
        table, found = _change(connection, call).item(key).subject
        customization.delete_key(connection, table.name, found.name)
    return Answer.none()


# --- relationships ----------------------------------------------------------------------------------------------------


def create_relationship(world: World, call: Call) -> Answer:
    """Create a 1:N relationship with its lookup, or an N:N relationship with its intersect entity."""
    body = check(RelationshipShape, call.object())
    kind = incoming.type_name(body).removeprefix("Complex")
    with world.write() as connection:
        change = _change(connection, call)
        match kind:
            case "OneToManyRelationshipMetadata":
                name = _create_one_to_many(change, body)
            case "ManyToManyRelationshipMetadata":
                name = _create_many_to_many(change, body)
            case _:
                raise bad_request("@odata.type is that of no relationship", BAD_PAYLOAD)
        change.join(RELATIONSHIP_COMPONENT, name)
        return change.created("RelationshipDefinitions", metadata_ids.relationship_id(name))


def _create_one_to_many(change: _Change, body: JSON) -> str:
    lookup = change.attribute({"@odata.type": "LookupAttributeMetadata", **(body.get("Lookup") or {})})
    relationship = incoming.one_to_many(body, lookup)
    entity = required(body, "ReferencingEntity").lower()
    targets = {"targets": (relationship.target,), "type": AttributeType.LOOKUP}
    attribute = lookup.stored.model_copy(update=targets)
    if not isinstance(attribute, Attribute):
        raise bad_request("Lookup is no lookup", BAD_PAYLOAD)
    customization.create_one_to_many(change.connection, entity, attribute, lookup.detail, relationship)
    change.join(ENTITY_COMPONENT, entity, whole=False)
    return relationship.schema_name


def _create_many_to_many(change: _Change, body: JSON) -> str:
    schema_name = required(body, "SchemaName")
    spelled = str(body.get("IntersectEntityName") or schema_name)
    entity1, entity2 = (required(body, name).lower() for name in ("Entity1LogicalName", "Entity2LogicalName"))
    first, second = _sides(entity1, entity2)
    both = ManyToMany(schema_name=schema_name, entity1=entity1, attribute1=first, entity2=entity2, attribute2=second)
    try:
        intersect = definitions.intersect(spelled.lower(), both.attribute1, both.attribute2)
    except ValidationError as error:
        raise incoming.wrong(error) from error
    detail = EntityDetail(schema_name=spelled, ownership="None")
    customization.create_many_to_many(change.connection, intersect, detail, both)
    return schema_name


def _sides(entity1: str, entity2: str) -> tuple[str, str]:
    """Return the columns of an intersect entity; of an entity that is joined with itself they are numbered."""
    return (f"{entity1}idone", f"{entity1}idtwo") if entity1 == entity2 else (f"{entity1}id", f"{entity2}id")


def delete_relationship(world: World, call: Call, relationship: str) -> Answer:
    """Delete a custom relationship, with its lookup or its intersect entity."""
    with world.write() as connection:
        found: Relation | Joining = _change(connection, call).item(relationship).subject
        if isinstance(found, Joining):
            customization.delete_many_to_many(connection, found.table.name)
        else:
            customization.delete_attribute(connection, found.column.table.name, found.column.name)
    return Answer.none()


# --- global choices ---------------------------------------------------------------------------------------------------


def create_option_set(world: World, call: Call) -> Answer:
    """Create a global choice."""
    body = check(OptionSetShape, call.object())
    name = required(body, "Name")
    if body.get("IsGlobal") is False:
        raise bad_request("a choice that is not global is created with its attribute", BAD_PAYLOAD)
    with world.write() as connection:
        change = _change(connection, call)
        if name.lower() in metadata.choices(connection):
            raise bad_request(f"there is a global choice {name} already", BAD_PAYLOAD)
        _put_choice(connection, name.lower(), body)
        change.join(OPTION_SET_COMPONENT, name.lower())
        return change.created("GlobalOptionSetDefinitions", metadata_ids.option_set_id(name.lower()))


def update_option_set(world: World, call: Call, option_set: str) -> Answer:
    """Change the options and the names of a global choice, with the attributes that use it."""
    body = check(OptionSetShape, call.object())
    with world.write() as connection:
        found: OptionSet = _change(connection, call).item(option_set).subject
        given = incoming.options(body)
        names = incoming.localized(body.get("DisplayName"))
        customization.put_choice(connection, found.name, given or found.options, names)
    return Answer.none()


def _put_choice(connection: Connection, name: str, body: JSON) -> None:
    options = incoming.options(body)
    customization.put_choice(connection, name, options, incoming.localized(body.get("DisplayName")))


def delete_option_set(world: World, call: Call, option_set: str) -> Answer:
    """Delete a global choice that no attribute uses."""
    with world.write() as connection:
        found: OptionSet = _change(connection, call).item(option_set).subject
        customization.delete_choice(connection, found.name)
    return Answer.none()


# --- routes -----------------------------------------------------------------------------------------------------------

_ENTITY = r"(?P<entity>EntityDefinitions\([^()]*\))"
_CAST = r"(?:/Microsoft\.Dynamics\.CRM\.\w+)?"
_ATTRIBUTE = rf"(?P<attribute>EntityDefinitions\([^()]*\)/Attributes\([^()]*\)){_CAST}"
_KEY = r"(?P<key>EntityDefinitions\([^()]*\)/Keys\([^()]*\))"
_RELATIONSHIP = rf"(?P<relationship>RelationshipDefinitions\([^()]*\)){_CAST}"
_OPTION_SET = rf"(?P<option_set>GlobalOptionSetDefinitions\([^()]*\)){_CAST}"

ROUTES: tuple[Route, ...] = (
    Route("POST", "CreateEntities", create_entities, AREA, "create entities with their attributes, all or none"),
    Route("POST", "EntityDefinitions", create_entity, AREA, "create an entity with its attributes"),
    Route("PUT", _ENTITY, update_entity, AREA, "names, descriptions and change tracking of an entity"),
    Route("PATCH", _ENTITY, update_entity, AREA, "the same as PUT: what the body leaves out stays"),
    Route("DELETE", _ENTITY, delete_entity, AREA, "delete a custom entity with its rows"),
    Route("POST", _ENTITY + "/Attributes", create_attribute, AREA, "create an attribute, image and file columns too"),
    Route("PUT", _ATTRIBUTE, update_attribute, AREA, "names, length, options, requirement of an attribute"),
    Route("PATCH", _ATTRIBUTE, update_attribute, AREA, "the same as PUT: what the body leaves out stays"),
    Route("DELETE", _ATTRIBUTE, delete_attribute, AREA, "delete a custom attribute with its values"),
    Route("POST", _ENTITY + "/Keys", create_key, AREA, "create an alternate key"),
    Route("DELETE", _KEY, delete_key, AREA, "delete an alternate key"),
    Route("POST", "RelationshipDefinitions", create_relationship, AREA, "create a 1:N or an N:N relationship"),
    Route("DELETE", _RELATIONSHIP, delete_relationship, AREA, "delete a relationship with its lookup or its table"),
    Route("POST", "GlobalOptionSetDefinitions", create_option_set, AREA, "create a global choice"),
    Route("PUT", _OPTION_SET, update_option_set, AREA, "options and names of a global choice"),
    Route("DELETE", _OPTION_SET, delete_option_set, AREA, "delete a global choice that no attribute uses"),
)
