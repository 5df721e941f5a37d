"""What a customizer does to tables one step at a time, with the refusals of the platform.

Every function works within the transaction that it is given. Attributes that change let the entity's cursors expire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from toolkit.errors import NotFound, Refused, nearest
from toolkit.model.entity import LOOKUPS, Attribute, Entity, Option
from toolkit.model.solution import Localized, Package, RootComponent
from toolkit.organization import catalog, details, metadata, metadata_log, solutions
from toolkit.organization.database import Connection, Violated
from toolkit.organization.details import AttributeDetail, EntityDetail, Key, ManyToMany, OneToMany
from toolkit.organization.incoming import ENTITY_COMPONENT
from toolkit.organization.storage import precision, quoted

DUPLICATE_ATTRIBUTE = "0x80047013"
"""Dataverse's DuplicateAttributeSchemaName."""
IN_USE = "0x8004f01f"
"""Dataverse's code for a component that others depend on."""
UPDATE_OF_MANAGED = "0x8004f012"

OPTION_SET_COMPONENT, RELATIONSHIP_COMPONENT = "9", "10"
"""Types of solution components. Source: the reference of the table solutioncomponent."""
_WITH_SUBCOMPONENTS, _WITHOUT_SUBCOMPONENTS = "0", "1"


# --- entities -------------------------------------------------------------------------------------------------------


def create_entity(connection: Connection, entity: Entity, detail: EntityDetail) -> None:
    """Create an entity. Raises Refused: ORG010 for a name of no publisher, ORG060 for one that is taken."""
    _refuse_foreign(connection, entity.name)
    known = metadata.entities(connection)
    taken = next(
        (each for each in known.values() if entity.name == each.name or entity.set_name == each.set_name), None
    )
    if taken is not None:
        raise _refused(
            "ORG060",
            f"{entity.name} or its set {entity.set_name} is the name of {taken.name}",
            entity.name,
            "names of entities and of their sets are unique",
            "choose another name",
        )
    metadata.put(connection, entity)
    details.put(connection, entity.name, detail)


def alter_entity(connection: Connection, entity: Entity, detail: EntityDetail) -> None:
    """Change what an entity says of itself, without its attributes.

    Raises Refused where change tracking cannot be enabled (ORG009), and where it would be disabled (ORG065).
    """
    old = metadata.definition(connection, entity.name)
    if entity.change_tracking and not old.change_tracking:
        metadata.check_trackable(old)
    if old.change_tracking and not entity.change_tracking:
        why = "Dataverse enables it for good"
        raise _refused(
            "ORG065", f"change tracking of {entity.name} cannot be disabled", entity.name, why, "leave it on"
        )
    metadata.put(connection, entity.model_copy(update={"attributes": old.attributes}))
    _put_detail(connection, entity.name, detail)


def delete_entity(connection: Connection, name: str) -> None:
    """Delete a custom entity with its rows. Raises Refused (ORG061, 0x8004f01f where a lookup leads to it)."""
    entity = metadata.definition(connection, name)
    if not entity.custom:
        raise _of_the_platform("entity", name)
    users = sorted(f"{each.name}.{lookup.name}" for each, lookup in _lookups_to(connection, name) if each.name != name)
    users += sorted(
        each for each, detail in details.details(connection).items() if each != name and _joins(detail, name)
    )
    if users:
        raise _in_use(name, users)
    _forget(connection, name)


def _forget(connection: Connection, name: str) -> None:
    detail = details.detail(connection, name)
    names = [each.schema_name for each in detail.relationships]
    names += [detail.many_to_many.schema_name] if detail.many_to_many else []
    _forget_relationships(connection, names)
    metadata.drop(connection, name)
    details.delete(connection, name)
    _leave_solutions(connection, ENTITY_COMPONENT, name)


def _lookups_to(connection: Connection, target: str) -> Iterator[tuple[Entity, Attribute]]:
    for entity in metadata.entities(connection).values():
        for attribute in entity.attributes:
            if attribute.type in LOOKUPS and target in attribute.targets:
                yield entity, attribute


def _joins(detail: EntityDetail, entity: str) -> bool:
    both = detail.many_to_many
    return both is not None and entity in {both.entity1, both.entity2}


# --- attributes -----------------------------------------------------------------------------------------------------


def create_attribute(connection: Connection, entity: str, attribute: Attribute, detail: AttributeDetail) -> None:
    """Give an entity an attribute. Raises Refused: ORG010, 0x80047013 where there is one of that name."""
    old = metadata.definition(connection, entity)
    _refuse_foreign(connection, attribute.name)
    _refuse_duplicate(connection, old, attribute.name)
    _refuse_unknown_targets(connection, attribute)
    metadata.put(connection, old.model_copy(update={"attributes": (*old.attributes, attribute)}))
    _put_attribute(connection, entity, attribute.name, detail)


def create_unstored(connection: Connection, entity: str, column: details.Unstored) -> None:
    """Give an entity an image, file or virtual column, which has no values in rows. Raises as ``create_attribute``."""
    old = metadata.definition(connection, entity)
    _refuse_foreign(connection, column.name)
    _refuse_duplicate(connection, old, column.name)
    detail = details.detail(connection, entity)
    details.put(connection, entity, detail.model_copy(update={"unstored": (*detail.unstored, column)}))
    metadata.changed(connection, entity)
    metadata_log.attributes(connection, entity, [column.name])


def alter_attribute(connection: Connection, entity: str, attribute: Attribute, detail: AttributeDetail) -> None:
    """Change an attribute in place. Raises Refused where its values would no longer fit: ORG020, ORG062."""
    old = metadata.definition(connection, entity)
    before = next(each for each in old.attributes if each.name == attribute.name)
    _refuse_other_values(entity, before, attribute)
    changed = tuple(attribute if each.name == attribute.name else each for each in old.attributes)
    metadata.put(connection, old.model_copy(update={"attributes": changed}))
    _put_attribute(connection, entity, attribute.name, detail)


def delete_attribute(connection: Connection, entity: str, name: str) -> None:
    """Take an attribute off an entity, with its values. Raises Refused (ORG061, 0x8004f01f where a key uses it)."""
    old = metadata.definition(connection, entity)
    detail = details.detail(connection, entity)
    if name in {old.primary_id, old.primary_name} or not is_custom(connection, name):
        raise _of_the_platform("attribute", f"{entity}.{name}")
    if keys := [key.name for key in detail.keys if name in key.attributes]:
        raise _in_use(f"{entity}.{name}", keys)
    metadata.put(connection, old.model_copy(update={"attributes": tuple(a for a in old.attributes if a.name != name)}))
    if name in {column.name for column in detail.unstored}:
        metadata.changed(connection, entity)
        metadata_log.attributes(connection, entity, [name], deleted=True)
    _forget_relationships(connection, [each.schema_name for each in detail.relationships if each.attribute == name])
    details.put(connection, entity, _without_attribute(detail, name))


def _without_attribute(detail: EntityDetail, name: str) -> EntityDetail:
    return detail.model_copy(
        update={
            "attributes": {key: each for key, each in detail.attributes.items() if key != name},
            "unstored": tuple(each for each in detail.unstored if each.name != name),
            "relationships": tuple(each for each in detail.relationships if each.attribute != name),
        }
    )


def _put_attribute(connection: Connection, entity: str, name: str, detail: AttributeDetail) -> None:
    old = details.detail(connection, entity)
    if old.attribute(name) != detail:
        details.put(connection, entity, old.model_copy(update={"attributes": {**old.attributes, name: detail}}))
        metadata_log.attributes(connection, entity, [name])


def _put_detail(connection: Connection, entity: str, detail: EntityDetail) -> None:
    if details.detail(connection, entity) != detail:
        details.put(connection, entity, detail)
        metadata_log.entity(connection, entity)


def _refuse_duplicate(connection: Connection, entity: Entity, name: str) -> None:
    unstored = {column.name for column in details.detail(connection, entity.name).unstored}
    if entity.attribute(name) is not None or name in unstored:
        raise _refused(
            DUPLICATE_ATTRIBUTE,
            f"An attribute with the specified name {name} already exists for entity {entity.name}.",
            entity.name,
            "names of attributes are unique in their entity",
            "choose another name",
        )


def _refuse_unknown_targets(connection: Connection, attribute: Attribute) -> None:
    known = metadata.names(connection)
    for target in attribute.targets:
        if target not in known:
            raise NotFound("ORG008", f"there is no entity {target}", where=attribute.name, fix=nearest(target, known))


def _refuse_other_values(entity: str, old: Attribute, new: Attribute) -> None:
    if (old.type, old.behavior, old.targets) != (new.type, new.behavior, new.targets):
        raise _refused(
            "ORG020",
            f"{entity}: the type, the behaviour or the targets of {old.name} would change",
            entity,
            "Dataverse never changes the type of an attribute",
            "add an attribute of another name",
        )
    if old.precision is not None and precision(new) < precision(old):
        raise _refused(
            "ORG062",
            f"{entity}: the precision of {old.name} would go from {precision(old)} to {precision(new)}",
            entity,
            "values that are there may have more digits",
            "keep the precision, or add another attribute",
        )


# --- alternate keys -------------------------------------------------------------------------------------------------


def create_key(connection: Connection, entity: str, key: Key) -> None:
    """Create an alternate key; from now on its values are unique. Raises Refused (ORG010, ORG063) or NotFound (ORG064).

    Rows in which one of the values is missing may be as many as there are, as in Dataverse.
    """
    old, detail = metadata.definition(connection, entity), details.detail(connection, entity)
    _refuse_foreign(connection, key.name)
    if key.name in {each.name for each in detail.keys}:
        raise _refused("ORG060", f"there is a key {key.name} of {entity}", entity, "", "choose another name")
    for name in key.attributes:
        if old.attribute(name) is None:
            known = [attribute.name for attribute in old.attributes]
            raise NotFound("ORG064", f"{entity} has no attribute {name}", where=entity, fix=nearest(name, known))
    try:
        connection.execute(
            f"CREATE UNIQUE INDEX {_index(entity, key.name)} ON {metadata.table(entity)} ({quoted(key.attributes)})"
        )
    except Violated as error:
        raise _refused(
            "ORG063",
            f"the key {key.name} cannot be created: rows of {entity} have the same values",
            entity,
            "a key tells rows apart",
            "make the values unique first",
        ) from error
    details.put(connection, entity, detail.model_copy(update={"keys": (*detail.keys, key)}))
    metadata_log.key(connection, entity, key.name)


def delete_key(connection: Connection, entity: str, name: str) -> None:
    """Delete an alternate key that is there."""
    detail = details.detail(connection, entity)
    connection.execute(f"DROP INDEX {_index(entity, name)}")
    left = tuple(key for key in detail.keys if key.name != name)
    details.put(connection, entity, detail.model_copy(update={"keys": left}))
    metadata_log.key(connection, entity, name, deleted=True)


def _index(entity: str, key: str) -> str:
    return f'"key_{entity}_{key}"'


# --- relationships --------------------------------------------------------------------------------------------------


def create_one_to_many(
    connection: Connection, entity: str, lookup: Attribute, detail: AttributeDetail, relationship: OneToMany
) -> None:
    """Create a relationship with its lookup, an attribute of ``entity``. Raises as ``create_attribute``."""
    _refuse_foreign(connection, relationship.schema_name.lower())
    _refuse_taken(connection, relationship.schema_name)
    create_attribute(connection, entity, lookup, detail)
    old = details.detail(connection, entity)
    details.put(connection, entity, old.model_copy(update={"relationships": (*old.relationships, relationship)}))
    metadata_log.relationship(connection, relationship.schema_name)


def create_many_to_many(connection: Connection, intersect: Entity, detail: EntityDetail, both: ManyToMany) -> None:
    """Create a relationship with its intersect entity. Raises as ``create_entity``, and NotFound (ORG008)."""
    for entity in (both.entity1, both.entity2):
        metadata.definition(connection, entity)
    _refuse_taken(connection, both.schema_name)
    create_entity(connection, intersect, detail.model_copy(update={"many_to_many": both}))
    metadata_log.relationship(connection, both.schema_name)


def delete_many_to_many(connection: Connection, intersect: str) -> None:
    """Delete a custom relationship with its intersect entity. Raises Refused (ORG061)."""
    if not metadata.definition(connection, intersect).custom:
        raise _of_the_platform("relationship", intersect)
    _forget(connection, intersect)


def _forget_relationships(connection: Connection, names: Iterable[str]) -> None:
    for name in names:
        metadata_log.relationship(connection, name, deleted=True)
        _leave_solutions(connection, RELATIONSHIP_COMPONENT, name)


def _refuse_taken(connection: Connection, schema_name: str) -> None:
    every = details.details(connection).values()
    names = {each.schema_name.lower() for detail in every for each in detail.relationships}
    names |= {detail.many_to_many.schema_name.lower() for detail in every if detail.many_to_many is not None}
    if schema_name.lower() in names:
        raise _refused("ORG060", f"there is a relationship {schema_name}", schema_name, "", "choose another name")


# --- global choices -------------------------------------------------------------------------------------------------


def put_choice(connection: Connection, name: str, options: tuple[Option, ...], display_names: Localized) -> None:
    """Create a global choice, or change its options, with the attributes that use it; names are kept where none come.

    Raises Refused (ORG010).
    """
    if name not in metadata.choices(connection):
        _refuse_foreign(connection, name)
    metadata.put_choices(connection, {name: options})
    if display_names:
        details.put_choice_names(connection, name, display_names)
    for entity in metadata.entities(connection).values():
        if any(attribute.global_choice == name for attribute in entity.attributes):
            metadata.put(connection, _with_options(entity, name, options))


def _with_options(entity: Entity, choice: str, options: tuple[Option, ...]) -> Entity:
    changed = tuple(
        each.model_copy(update={"options": options}) if each.global_choice == choice else each
        for each in entity.attributes
    )
    return entity.model_copy(update={"attributes": changed})


def delete_choice(connection: Connection, name: str) -> None:
    """Delete a global choice that is there. Raises Refused (0x8004f01f) where an attribute uses it."""
    users = sorted(
        f"{entity.name}.{attribute.name}"
        for entity in metadata.entities(connection).values()
        for attribute in entity.attributes
        if attribute.global_choice == name
    )
    if users:
        raise _in_use(name, users)
    metadata.drop_choice(connection, name)
    _leave_solutions(connection, OPTION_SET_COMPONENT, name)


# --- solutions ------------------------------------------------------------------------------------------------------


def join_solution(
    connection: Connection, solution: str, component: str, schema_name: str, *, whole: bool = True
) -> None:
    """Make an entity, a relationship or a global choice a component of an unmanaged solution.

    ``whole`` false: of an entity only what is added one by one. Raises NotFound (ORG050) or Refused (0x8004f012).
    """
    registered = solutions.solution(connection, solution)
    if registered.solution.package is Package.MANAGED:
        raise _refused(
            UPDATE_OF_MANAGED,
            f"You cannot update the solution {registered.name}. It is managed.",
            registered.name,
            "what a managed solution brought is changed by its next version only",
            "name an unmanaged solution",
        )
    if any(_is(each, component, schema_name) for each in registered.components):
        return
    behavior = _WITH_SUBCOMPONENTS if whole else _WITHOUT_SUBCOMPONENTS
    new = RootComponent(type=component, schema_name=schema_name, behavior=behavior)
    solutions.put(connection, registered.model_copy(update={"components": (*registered.components, new)}))


def _leave_solutions(connection: Connection, component: str, schema_name: str) -> None:
    for registered in solutions.solutions(connection).values():
        left = tuple(each for each in registered.components if not _is(each, component, schema_name))
        if left != registered.components:
            solutions.put(connection, registered.model_copy(update={"components": left}))


def _is(component: RootComponent, kind: str, schema_name: str) -> bool:
    return component.type == kind and (component.schema_name or "").lower() == schema_name.lower()


# --- names and refusals ---------------------------------------------------------------------------------------------


def prefixes(connection: Connection) -> tuple[str, ...]:
    """Return what names of custom components begin with: the prefixes of all publishers, with their underscore."""
    return tuple(f"{publisher.prefix.lower()}_" for publisher in catalog.publishers(connection).values())


def is_custom(connection: Connection, name: str) -> bool:
    """Return whether a logical name begins with the prefix of a publisher."""
    return name.startswith(prefixes(connection))


def _refuse_foreign(connection: Connection, name: str) -> None:
    if not is_custom(connection, name):
        known = ", ".join(prefixes(connection))
        raise _refused(
            "ORG010",
            f"{name} does not begin with the prefix of a publisher",
            name,
            "a prefix keeps the names of several publishers apart",
            f"begin it with one of: {known}",
        )


def _of_the_platform(kind: str, name: str) -> Refused:
    return _refused(
        "ORG061", f"the {kind} {name} cannot be deleted", name, "it is not a custom one, or its entity needs it", ""
    )


def _in_use(name: str, users: Iterable[str]) -> Refused:
    names = ", ".join(users)
    return _refused(
        IN_USE,
        f"The {name} component cannot be deleted because it is referenced by: {names}.",
        name,
        "",
        f"delete first: {names}",
    )


def _refused(code: str, what: str, where: str, why: str, fix: str) -> Refused:
    return Refused(code, what, where=where, why=why, fix=fix)
