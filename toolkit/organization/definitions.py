"""The YAML form of entity metadata: the standard entities of an embedded organization, and a user's own.

The standard ones are read from ``definitions/standard.json``, which ``python -m toolkit.organization.definitions``
makes from ``definitions/*.yaml``: YAML takes seconds to read, and ``env create`` should feel instant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from toolkit import documents
from toolkit.documents import Document
from toolkit.errors import Finding, Invalid, Place, Refused, Severity, nearest
from toolkit.model.entity import (
    Attribute,
    AttributeType,
    DateTimeBehavior,
    Entity,
    Option,
)
from toolkit.model.solution import Publisher
from toolkit.organization import metadata
from toolkit.organization.database import Connection, Database
from toolkit.organization.definition_file import Check, DefinitionFile, Definitions, EntityDefinition, Reading, read

FOLDER = Path(__file__).with_name("definitions")
STANDARD = FOLDER / "standard.json"


# --- the standard entities ------------------------------------------------------------------------------------------


def standard() -> Definitions:
    """Return the entities that every embedded organization begins with."""
    return Definitions.model_validate_json(STANDARD.read_bytes())


def render_standard(folder: Path = FOLDER) -> str:
    """Return the text of ``standard.json`` made from the YAML files beside it. Raises Invalid."""
    read = [documents.load(path) for path in sorted(folder.glob("*.yaml"))]
    files = [documents.as_model(document, DefinitionFile) for document in read]
    choices = {name: options for file in files for name, options in file.choices.items()}
    checks = [Check(document, file, choices, None) for document, file in zip(read, files, strict=True)]
    if found := [finding for check in checks for finding in check.findings()]:
        raise Invalid(found)
    entities = tuple(_complete(entity, choices) for file in files for entity in file.entities)
    return Definitions(choices=choices, entities=entities).model_dump_json(exclude_defaults=True) + "\n"


# --- a user's own ---------------------------------------------------------------------------------------------------


def custom(
    paths: Sequence[Path], publishers: Iterable[Publisher], known: Mapping[str, Entity], choices: metadata.Choices
) -> Definitions:
    """Read a user's files of custom entities; ``known`` and ``choices`` are those that the organization has.

    The files are one set: an entity may lead to one of another file. Every name begins with the prefix of a
    publisher. Raises Invalid with all findings of all files (DOC codes, ORG010 to ORG019).
    """
    readings, found = _readings(paths)
    own = {name: options for reading in readings for name, options in reading.file.choices.items()}
    names = known.keys() | {entity.name for reading in readings for entity in reading.file.entities}
    merged = {**choices, **own}
    prefixes = tuple(f"{publisher.prefix.lower()}_" for publisher in publishers)
    # What a file that cannot be read would define is not known.
    targets = None if found else names
    found += [each for reading in readings for each in _wrong(reading, merged, targets, prefixes)]
    if found:
        raise Invalid(found)
    entities = (entity for reading in readings for entity in reading.file.entities)
    return Definitions(choices=own, entities=tuple(completed(each, merged) for each in entities))


def _readings(paths: Iterable[Path]) -> tuple[list[Reading], list[Finding]]:
    """Return the files as they were read, and what is wrong in those that could not be."""
    readings: list[Reading] = []
    found: list[Finding] = []
    for path in paths:
        try:
            readings.append(read(path))
        except Invalid as error:
            found += error.findings
    return readings, found


def _wrong(
    reading: Reading, choices: metadata.Choices, known: Collection[str] | None, prefixes: tuple[str, ...]
) -> list[Finding]:
    """Return every finding of a file, in the order of its lines."""
    document, file = reading.document, reading.file
    more = [*Check(document, file, choices, known).findings(), *_foreign_names(document, file, prefixes)]
    found = [*reading.wrong, *(finding for finding in more if not reading.is_told(finding))]
    return sorted(found, key=lambda finding: finding.where.line or 0)


def plural(name: str) -> str:
    """Return the set name that Dataverse makes of a logical name: ``cts_category`` gives ``cts_categories``."""
    if name.endswith("y") and name[-2:-1] not in set("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


def _attribute(name: str, kind: AttributeType, **more: object) -> Attribute:
    return Attribute.model_validate({"name": name, "type": kind, **more})


def _label(text: str) -> Mapping[int, str]:
    return {1033: text}


SYSTEM_ATTRIBUTES = (
    _attribute("createdon", AttributeType.DATETIME),
    _attribute("createdby", AttributeType.LOOKUP, targets=("systemuser",)),
    _attribute("modifiedon", AttributeType.DATETIME),
    _attribute("modifiedby", AttributeType.LOOKUP, targets=("systemuser",)),
    _attribute("ownerid", AttributeType.OWNER, targets=("systemuser", "team")),
    _attribute("owningbusinessunit", AttributeType.LOOKUP, targets=("businessunit",)),
    _attribute(
        "statecode",
        AttributeType.STATE,
        options=(Option(value=0, labels=_label("Active")), Option(value=1, labels=_label("Inactive"))),
    ),
    _attribute(
        "statuscode",
        AttributeType.STATUS,
        options=(
            Option(value=1, labels=_label("Active"), state=0),
            Option(value=2, labels=_label("Inactive"), state=1),
        ),
    ),
    _attribute("importsequencenumber", AttributeType.INTEGER),
    _attribute("overriddencreatedon", AttributeType.DATETIME, behavior=DateTimeBehavior.DATE_ONLY),
    _attribute("timezoneruleversionnumber", AttributeType.INTEGER),
    _attribute("utcconversiontimezonecode", AttributeType.INTEGER),
    _attribute("versionnumber", AttributeType.BIGINT),
)
"""What Dataverse adds to every table of one's own that users own. Source: the reference of custom tables."""


def _complete(entity: EntityDefinition, choices: metadata.Choices) -> Entity:
    """Return the entity with its defaults, and with the options of global choices filled in."""
    values = entity.model_dump(exclude={"attributes"})
    values["set_name"] = entity.set_name or plural(entity.name)
    values["primary_id"] = entity.primary_id or f"{entity.name}id"
    return Entity(**values, attributes=tuple(_filled(attribute, choices) for attribute in entity.attributes))


NO_YES = (Option(value=0, labels=_label("No")), Option(value=1, labels=_label("Yes")))
"""What the values of a boolean are called, where a file does not say."""

CUSTOMERS = ("account", "contact")
"""What a customer is, where a file does not say: Dataverse has no other kind."""


def _filled(attribute: Attribute, choices: metadata.Choices) -> Attribute:
    if attribute.type is AttributeType.CUSTOMER and not attribute.targets:
        return attribute.model_copy(update={"targets": CUSTOMERS})
    if attribute.type is AttributeType.BOOLEAN and not attribute.options:
        return attribute.model_copy(update={"options": NO_YES})
    if attribute.global_choice is None or attribute.options:
        return attribute
    return attribute.model_copy(update={"options": choices.get(attribute.global_choice, ())})


def completed(entity: EntityDefinition, choices: metadata.Choices | None = None) -> Entity:
    """Return a custom entity with all that Dataverse adds to it."""
    return _with_system_attributes(_complete(entity, choices or {}))


def intersect(name: str, *sides: str) -> Entity:
    """Return the entity of an N:N relationship; ``sides`` are its two columns of ids. Source: accountleads."""
    key, guid = f"{name}id", AttributeType.UNIQUEIDENTIFIER
    columns = (_attribute(key, guid), *(_attribute(side, guid, required=True) for side in sides))
    kept = tuple(each for each in SYSTEM_ATTRIBUTES if each.name in _OF_INTERSECTS)
    return Entity(
        name=name,
        display_name=name,
        set_name=f"{name}set",
        primary_id=key,
        change_tracking=False,
        can_track=False,
        intersect=True,
        custom=True,
        attributes=(*columns, *kept),
    )


_OF_INTERSECTS = frozenset(
    {"importsequencenumber", "overriddencreatedon", "timezoneruleversionnumber", "utcconversiontimezonecode"}
    | {"versionnumber"}
)


def _with_system_attributes(entity: Entity) -> Entity:
    own = {attribute.name for attribute in entity.attributes}
    key = () if entity.primary_id in own else (_attribute(entity.primary_id, AttributeType.UNIQUEIDENTIFIER),)
    system = tuple(attribute for attribute in SYSTEM_ATTRIBUTES if attribute.name not in own)
    return entity.model_copy(update={"custom": True, "attributes": (*key, *entity.attributes, *system)})


def _foreign_names(document: Document, file: DefinitionFile, prefixes: tuple[str, ...]) -> Iterator[Finding]:
    allowed = nearest("", prefixes) or "create a publisher: toolkit publisher create NAME --prefix PREFIX"
    for place, name in _own_names(document, file):
        if not name.startswith(prefixes):
            yield Finding(
                "ORG010",
                Severity.ERROR,
                f"{name} does not begin with the prefix of a publisher",
                place,
                "a prefix keeps the names of several publishers apart",
                allowed,
            )


def _own_names(document: Document, file: DefinitionFile) -> Iterator[tuple[Place, str]]:
    system = {attribute.name for attribute in SYSTEM_ATTRIBUTES}
    for choice in file.choices:
        yield document.place("choices", choice), choice
    for index, entity in enumerate(file.entities):
        yield document.place("entities", index, "name"), entity.name
        for at, attribute in enumerate(entity.attributes):
            if attribute.name not in system:
                yield document.place("entities", index, "attributes", at, "name"), attribute.name


# --- into the organization ------------------------------------------------------------------------------------------


def define(database: Database, definitions: Definitions) -> None:
    """Create the entities, or extend those that are there by attributes and options. Atomic.

    An attribute that a file leaves out stays. Raises Refused (ORG020) when a type, or the primary id, would change.
    """
    with database.write() as connection:
        metadata.put_choices(connection, definitions.choices)
        for entity in definitions.entities:
            metadata.put(connection, _merged(connection, entity))


def _merged(connection: Connection, entity: Entity) -> Entity:
    old = metadata.stored(connection, entity.name)
    if old is None:
        return entity
    _refuse_other_key(old.definition, entity)
    new = {attribute.name: attribute for attribute in entity.attributes}
    kept = tuple(
        _same_type(attribute, new.pop(attribute.name, attribute), entity) for attribute in old.definition.attributes
    )
    # Tracking is never disabled again.
    tracking = entity.change_tracking or old.definition.change_tracking
    return entity.model_copy(update={"attributes": (*kept, *new.values()), "change_tracking": tracking})


def _same_type(old: Attribute, new: Attribute, entity: Entity) -> Attribute:
    if (old.type, old.behavior, old.polymorphic) != (new.type, new.behavior, new.polymorphic):
        raise _refused(entity.name, f"the attribute {old.name} would change from {old.type} to {new.type}")
    return new


def _refuse_other_key(old: Entity, new: Entity) -> None:
    if old.primary_id != new.primary_id:
        raise _refused(new.name, f"the primary id would change from {old.primary_id} to {new.primary_id}")


def _refused(entity: str, what: str) -> Refused:
    return Refused(
        "ORG020",
        f"{entity}: {what}",
        where=entity,
        why="Dataverse never changes the type of an attribute",
        fix="add an attribute of another name",
    )


if __name__ == "__main__":  # pragma: no cover - renews the package's data file
    STANDARD.write_text(render_standard(), encoding="utf-8")
