"""The metadata of an organization as the Web API names it: schema names, columns, relationships, option sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from toolkit.model.entity import CHOICES, LOOKUPS, Attribute, AttributeType, Entity, Option
from toolkit.model.solution import Localized
from toolkit.organization import customization, details, metadata, metadata_ids
from toolkit.organization.database import Connection
from toolkit.organization.details import AttributeDetail, EntityDetail, Key, ManyToMany, Unstored, UnstoredKind
from toolkit.server.query.navigation import navigation_name

OWNER = "owner"
"""What an owner lookup leads to: Dataverse's table of users and teams, which is read through those two."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The three names of a type of attributes."""

    metadata: str
    """The type of its metadata, without ``AttributeMetadata``."""
    type: str
    """``AttributeType``."""
    type_name: str
    """``AttributeTypeName.Value``."""


def _kind(name: str, kind: str | None = None, type_name: str | None = None) -> Kind:
    return Kind(name, kind or name, type_name or f"{name}Type")


KINDS: Mapping[AttributeType | UnstoredKind, Kind] = {
    AttributeType.STRING: _kind("String"),
    AttributeType.MEMO: _kind("Memo"),
    AttributeType.INTEGER: _kind("Integer"),
    AttributeType.BIGINT: _kind("BigInt"),
    AttributeType.DECIMAL: _kind("Decimal"),
    AttributeType.DOUBLE: _kind("Double"),
    AttributeType.MONEY: _kind("Money"),
    AttributeType.BOOLEAN: _kind("Boolean"),
    AttributeType.CHOICE: _kind("Picklist"),
    AttributeType.MULTISELECT: _kind("MultiSelectPicklist", "Virtual"),
    AttributeType.STATE: _kind("State"),
    AttributeType.STATUS: _kind("Status"),
    AttributeType.LOOKUP: _kind("Lookup"),
    AttributeType.CUSTOMER: _kind("Lookup", "Customer", "CustomerType"),
    AttributeType.OWNER: _kind("Lookup", "Owner", "OwnerType"),
    AttributeType.DATETIME: _kind("DateTime"),
    AttributeType.UNIQUEIDENTIFIER: _kind("UniqueIdentifier", "Uniqueidentifier", "UniqueidentifierType"),
    UnstoredKind.IMAGE: _kind("Image", "Virtual"),
    UnstoredKind.FILE: _kind("File", "Virtual"),
    UnstoredKind.VIRTUAL: _kind("", "Virtual", "VirtualType"),
}


@dataclass(frozen=True, slots=True)
class OptionSet:
    """The values of a choice or of a boolean: ``kind`` is Picklist, State, Status or Boolean."""

    name: str
    options: tuple[Option, ...]
    kind: str
    is_global: bool
    custom: bool
    display_names: Localized

    @property
    def id(self) -> str:
        """The MetadataId."""
        return metadata_ids.option_set_id(self.name)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: an attribute, or one that has no values in rows."""

    table: Table
    stored: Attribute | Unstored
    detail: AttributeDetail

    @property
    def name(self) -> str:
        """The logical name."""
        return self.stored.name

    @property
    def schema_name(self) -> str:
        """The name as it was first spelled; of one of the platform it is the logical name."""
        return self.detail.schema_name or self.name

    @property
    def id(self) -> str:
        """The MetadataId."""
        return metadata_ids.attribute_id(self.table.name, self.name)

    @property
    def attribute(self) -> Attribute | None:
        """The attribute, or None for a column without values."""
        return self.stored if isinstance(self.stored, Attribute) else None

    @property
    def kind(self) -> Kind:
        """The names of its type."""
        return KINDS[self.stored.type if isinstance(self.stored, Attribute) else self.stored.kind]

    @property
    def custom(self) -> bool:
        """Whether a publisher of the organization brought it."""
        return self.name.startswith(self.table.metadata.prefixes)

    @property
    def option_set(self) -> OptionSet | None:
        """The values of a choice or of a boolean, else None."""
        found = self.attribute
        if found is None or (found.type not in CHOICES and found.type is not AttributeType.BOOLEAN):
            return None
        kind = "Picklist" if found.type is AttributeType.MULTISELECT else KINDS[found.type].metadata
        name = found.global_choice or f"{self.table.name}_{found.name}"
        return OptionSet(name, found.options, kind, found.global_choice is not None, self.custom, {})

    @property
    def global_option_set(self) -> OptionSet | None:
        """The global choice that the values come from, else None."""
        found = self.option_set
        return found if found is not None and found.is_global else None


@dataclass(frozen=True, slots=True)
class Relation:
    """A 1:N relationship: the lookup ``column`` leads to the table ``target``."""

    column: Column
    target: str
    schema_name: str
    cascade: Mapping[str, str]

    @property
    def id(self) -> str:
        """The MetadataId."""
        return metadata_ids.relationship_id(self.schema_name)

    @property
    def target_key(self) -> str:
        """The primary id of the target."""
        found = self.column.table.metadata.tables.get(self.target)
        return f"{self.target}id" if found is None else found.entity.primary_id

    @property
    def navigation(self) -> str:
        """The navigation property of the row that has the lookup, in the spelling of the lookup's schema name."""
        attribute, name = self.column.attribute, self.column.schema_name
        return name if attribute is None else navigation_name(attribute, name, self.target)


@dataclass(frozen=True, slots=True)
class Joining:
    """An N:N relationship, with the table that keeps it."""

    table: Table
    both: ManyToMany

    @property
    def id(self) -> str:
        """The MetadataId."""
        return metadata_ids.relationship_id(self.both.schema_name)


@dataclass(frozen=True, eq=False)
class Table:
    """An entity with all that is said of it."""

    metadata: Metadata
    entity: Entity
    detail: EntityDetail

    @property
    def name(self) -> str:
        """The logical name."""
        return self.entity.name

    @property
    def id(self) -> str:
        """The MetadataId."""
        return metadata_ids.entity_id(self.name)

    @property
    def schema_name(self) -> str:
        """The name as it was first spelled; of a table of the platform the logical name with a capital."""
        return self.detail.schema_name or (self.name if self.entity.custom else self.name.capitalize())

    @cached_property
    def columns(self) -> Sequence[Column]:
        """All columns, those without values last."""
        stored = [Column(self, each, self.detail.attribute(each.name)) for each in self.entity.attributes]
        return [*stored, *(Column(self, each, _of_unstored(each)) for each in self._unstored())]

    def column(self, name: str) -> Column | None:
        """Return a column by its logical name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def _unstored(self) -> Iterator[Unstored]:
        """Yield what has no values in rows: the image of an entity that has one, and the label of each choice."""
        names = {attribute.name for attribute in self.entity.attributes}
        if "entityimageid" in names and "entityimage" not in names:
            yield Unstored(name="entityimage", kind=UnstoredKind.IMAGE, display_name="Entity Image")
        for attribute in self.entity.attributes:
            label = f"{attribute.name}name"
            if attribute.type in CHOICES | {AttributeType.BOOLEAN} and label not in names:
                yield Unstored(name=label, kind=UnstoredKind.VIRTUAL, of=attribute.name)
        yield from self.detail.unstored

    @cached_property
    def lookups(self) -> Sequence[Relation]:
        """The N:1 relationships: one for each lookup and each table of the organization that it leads to."""
        return list(self._lookups())

    def _lookups(self) -> Iterator[Relation]:
        named = {(each.attribute, each.target): each for each in self.detail.relationships}
        for column in self.columns:
            for target in self._targets(column):
                created = named.get((column.name, target))
                schema_name = f"{target}_{self.name}_{column.name}" if created is None else created.schema_name
                yield Relation(column, target, schema_name, {} if created is None else created.cascade)

    def _targets(self, column: Column) -> tuple[str, ...]:
        attribute = column.attribute
        if attribute is None or attribute.type not in LOOKUPS:
            return ()
        if attribute.type is AttributeType.OWNER:
            return (OWNER,)
        return tuple(target for target in attribute.targets if target in self.metadata.tables)

    @cached_property
    def leading_here(self) -> Sequence[Relation]:
        """The 1:N relationships: the lookups that lead to this table."""
        return [each for table in self.metadata.tables.values() for each in table.lookups if each.target == self.name]

    @property
    def joining(self) -> Joining | None:
        """The N:N relationship that this table keeps, or None."""
        both = self.detail.many_to_many or _derived(self.entity)
        return None if both is None else Joining(self, both)

    @cached_property
    def joined(self) -> Sequence[Joining]:
        """The N:N relationships that this table takes part in, or that it keeps."""
        return [
            each
            for each in self.metadata.joinings
            if self.name in {each.table.name, each.both.entity1, each.both.entity2}
        ]

    @property
    def keys(self) -> Sequence[tuple[Table, Key]]:
        """The alternate keys."""
        return [(self, key) for key in self.detail.keys]


@dataclass(frozen=True, eq=False)
class Metadata:
    """All metadata of an organization at one moment."""

    tables: Mapping[str, Table]
    choices: metadata.Choices
    choice_names: Mapping[str, Localized]
    prefixes: tuple[str, ...]

    @cached_property
    def joinings(self) -> Sequence[Joining]:
        """All N:N relationships."""
        return [joining for table in self.tables.values() if (joining := table.joining) is not None]

    @cached_property
    def option_sets(self) -> Sequence[OptionSet]:
        """The global choices."""
        return [
            OptionSet(
                name,
                options,
                "Picklist",
                is_global=True,
                custom=name.startswith(self.prefixes),
                display_names=self.choice_names.get(name, {}),
            )
            for name, options in self.choices.items()
        ]


def read(connection: Connection, more: Sequence[Entity] = ()) -> Metadata:
    """Return the metadata of an organization as it is now; ``more`` are tables that are kept elsewhere."""
    known = details.details(connection)
    tables: dict[str, Table] = {}
    found = Metadata(
        tables, metadata.choices(connection), details.choice_names(connection), customization.prefixes(connection)
    )
    for entity in sorted((*metadata.entities(connection).values(), *more), key=lambda each: each.name):
        tables[entity.name] = Table(found, entity, known.get(entity.name, EntityDetail()))
    return found


def _of_unstored(column: Unstored) -> AttributeDetail:
    return AttributeDetail(schema_name=column.schema_name)


def _derived(entity: Entity) -> ManyToMany | None:
    """Return the relationship of an intersect entity that came without one: its two ids beside its own."""
    if not entity.intersect:
        return None
    sides = [
        attribute.name
        for attribute in entity.attributes
        if attribute.type is AttributeType.UNIQUEIDENTIFIER and attribute.name != entity.primary_id
    ]
    if len(sides) != 2:
        return None
    first, second = (name.removesuffix("id") for name in sides)
    return ManyToMany(
        schema_name=f"{entity.name}_association",
        entity1=first,
        attribute1=sides[0],
        entity2=second,
        attribute2=sides[1],
    )
