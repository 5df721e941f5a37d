"""The YAML file of entity definitions: its form, and what is wrong in one beyond the form of its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from toolkit import documents
from toolkit.documents import Document
from toolkit.errors import Finding, Severity, nearest
from toolkit.model.base import Frozen
from toolkit.model.entity import CHOICES, LOOKUPS, Attribute, AttributeType, DateTimeBehavior, Entity, Option, TableType
from toolkit.model.names import LogicalName
from toolkit.organization import metadata
from toolkit.organization.sound_parts import sound


class EntityDefinition(Frozen):
    """An entity as a file defines it. What Dataverse gives every table of one's own is left out of the file."""

    name: LogicalName
    display_name: str = ""
    set_name: str | None = None
    """The name in Web API addresses; left out, it is the plural that Dataverse makes."""
    primary_id: LogicalName | None = None
    """Left out, it is the name of the entity and ``id``."""
    primary_name: LogicalName | None = None
    change_tracking: bool = True
    can_track: bool = True
    intersect: bool = False
    table_type: TableType = TableType.STANDARD
    custom: bool = False
    attributes: tuple[Attribute, ...] = ()


class DefinitionFile(Frozen):
    """A file of entity definitions, with the global choices that its attributes name."""

    choices: Mapping[LogicalName, tuple[Option, ...]] = {}
    entities: tuple[EntityDefinition, ...] = ()


class Definitions(Frozen):
    """Global choices and entities, complete."""

    choices: Mapping[LogicalName, tuple[Option, ...]] = {}
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it was read; ``wrong`` is what its form breaks, and ``file`` what is left without that."""

    document: Document
    file: DefinitionFile
    wrong: tuple[Finding, ...] = ()

    def is_told(self, finding: Finding) -> bool:
        """Whether something at the place of a finding, or around it, is wrong in its form."""
        key = finding.where.key
        return any(
            key == told.where.key or key.startswith((f"{told.where.key}.", f"{told.where.key}[")) for told in self.wrong
        )


def read(path: Path) -> Reading:
    """Read a file, or what of it can be read. Raises Invalid for what is no YAML."""
    document = documents.load(path)
    try:
        return Reading(document, DefinitionFile.model_validate(document.data))
    except ValidationError as error:
        left = sound(document.data, [detail["loc"] for detail in error.errors(include_url=False)])
        return Reading(document, _model(left), tuple(documents.findings(document, DefinitionFile)))


def _model(left: documents.Tree) -> DefinitionFile:
    try:
        return DefinitionFile.model_validate(left)
    except ValidationError:
        return DefinitionFile()


@dataclass(frozen=True, slots=True)
class Check:
    """What is wrong in a file beyond the form of its values."""

    document: Document
    file: DefinitionFile
    choices: metadata.Choices
    known: Collection[str] | None
    """The entities that a lookup may lead to; None: any, as the standard ones do lead to some that we do not ship."""

    def findings(self) -> Iterator[Finding]:
        """Yield every finding, in the order of the checks."""
        for name, options in self.file.choices.items():
            yield from self._options(options, "choices", name)
        yield from self._repeated("ORG011", [entity.name for entity in self.file.entities], "entities")
        for index, entity in enumerate(self.file.entities):
            yield from self._entity(entity, index)

    def _entity(self, entity: EntityDefinition, index: int) -> Iterator[Finding]:
        names = [attribute.name for attribute in entity.attributes]
        yield from self._repeated("ORG012", names, "entities", index, "attributes")
        if entity.primary_name is not None and entity.primary_name not in names:
            yield self._error(
                "ORG013",
                f"the primary name {entity.primary_name} is no attribute of {entity.name}",
                nearest(entity.primary_name, names) or "give it that attribute, or correct primary_name",
                *("entities", index, "primary_name"),
            )
        for at, attribute in enumerate(entity.attributes):
            yield from self._attribute(attribute, entity, "entities", index, "attributes", at)

    def _attribute(self, attribute: Attribute, entity: EntityDefinition, *keys: str | int) -> Iterator[Finding]:
        if attribute.type in LOOKUPS:
            yield from self._targets(attribute, *keys)
        elif attribute.targets:
            yield self._error("ORG014", f"{attribute.name} is no lookup and has targets", "remove them", *keys)
        if attribute.type in CHOICES:
            yield from self._choice(attribute, *keys)
        if attribute.type is AttributeType.BOOLEAN:
            yield from self._boolean(attribute, *keys)
        if attribute.type is AttributeType.STATUS:
            yield from self._states(attribute, entity, *keys)
        if attribute.name == "createdon" and not _is_instant(attribute):
            what, fix = f"createdon of {entity.name} is not an instant", "leave it out: every entity gets one"
            yield self._error("ORG019", what, fix, *keys, "type")

    def _targets(self, attribute: Attribute, *keys: str | int) -> Iterator[Finding]:
        if not attribute.targets and attribute.type is not AttributeType.CUSTOMER:
            fix = "name the entities that it leads to, as in `targets: [account]`"
            yield self._error("ORG014", f"the lookup {attribute.name} has no targets", fix, *keys, "targets")
        for target in attribute.targets:
            if self.known is not None and target not in self.known:
                fix = nearest(target, self.known) or "see: toolkit entity list --all; or define that entity too"
                what = f"the lookup {attribute.name} leads to the unknown entity {target}"
                yield self._error("ORG014", what, fix, *keys, "targets")

    def _choice(self, attribute: Attribute, *keys: str | int) -> Iterator[Finding]:
        name = attribute.global_choice
        if name is not None and name not in self.choices:
            fix = nearest(name, self.choices) or "define it under `choices`, or give options"
            yield self._error("ORG015", f"there is no global choice {name}", fix, *keys, "global_choice")
        elif name is None and not attribute.options:
            fix = "give options, or name a global choice"
            yield self._error("ORG016", f"the choice {attribute.name} has no options", fix, *keys)
        yield from self._options(attribute.options, *keys, "options")

    def _boolean(self, attribute: Attribute, *keys: str | int) -> Iterator[Finding]:
        yield from self._options(attribute.options, *keys, "options")
        if attribute.options and {option.value for option in attribute.options} != {0, 1}:
            what = f"the boolean {attribute.name} has other options than 0 and 1"
            yield self._error("ORG016", what, "give a label to 0 and to 1, or leave the options out", *keys, "options")

    def _options(self, options: tuple[Option, ...], *keys: str | int) -> Iterator[Finding]:
        yield from self._repeated("ORG017", [option.value for option in options], *keys)

    def _states(self, attribute: Attribute, entity: EntityDefinition, *keys: str | int) -> Iterator[Finding]:
        kinds = (other for other in entity.attributes if other.type is AttributeType.STATE)
        states = {option.value for other in kinds for option in other.options} or {0, 1}
        for at, option in enumerate(attribute.options):
            if option.state not in states:
                yield self._error(
                    "ORG018",
                    f"the status {option.value} belongs to no state",
                    f"give it one of the states {', '.join(map(str, sorted(states)))}",
                    *(*keys, "options", at),
                )

    def _repeated(self, code: str, values: list[str] | list[int], *keys: str | int) -> Iterator[Finding]:
        counts = Counter(values)
        for at, value in enumerate(values):
            if counts[value] > 1 and value in values[:at]:
                yield self._error(code, f"{value} is there twice", "keep one of the two", *keys, at)

    def _error(self, code: str, what: str, fix: str, *keys: str | int) -> Finding:
        return Finding(code, Severity.ERROR, what, self.document.place(*keys), fix=fix)


def _is_instant(attribute: Attribute) -> bool:
    return attribute.type is AttributeType.DATETIME and attribute.behavior is DateTimeBehavior.USER_LOCAL
