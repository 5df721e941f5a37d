"""Changes: small values in a closed union, in the order in which a plan lists and ``toolkit.apply`` does them.

Printer and doer both ``match`` over the union and end in ``assert_never``, so that a new kind cannot be forgotten.
A change of a link carries what it needs: ``changed(config, change)`` is the config after it, and folding the changes
that ``toolkit.plan.links`` finds between two configs over the one gives the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, assert_never

from pydantic import Field, JsonValue

from toolkit.model.base import Frozen
from toolkit.model.config import ExportConfig, LinkedEntity, PartitionStrategy
from toolkit.model.link import LakeAddress
from toolkit.model.names import Guid, LogicalName, UniqueName
from toolkit.model.version import Version


class Effect(StrEnum):
    """What a change does to the data in the lake, from harmless to irreversible."""

    NOTHING = "nothing"
    INITIAL_SYNC = "initial-sync"
    NEW_LAKE = "new-lake"
    COMPARISON = "comparison"
    REPARTITION = "repartition"
    REINITIALISE = "reinitialise"
    DATA_STAYS = "data-stays"
    DATA_KEPT = "data-kept"
    DATA_DELETED = "data-deleted"
    HISTORY_DELETED = "history-deleted"


class Consequence(Frozen):
    """The consequence of a change for the data, with its size and its cost (about) where they are known."""

    effect: Effect = Effect.NOTHING
    rows: int | None = None
    size: int | None = None
    """Bytes of CSV."""
    requests: int | None = None
    """Requests to the source and to the lake, as real services count them."""
    seconds: float | None = None


class Origin(StrEnum):
    """Why a plan has a change: it is news of the bundle, or the environment was changed since the last apply."""

    NEWS = "news"
    DRIFT = "drift"
    """Changed in the environment by hand; the plan brings back what was applied."""
    BOTH = "drift-and-news"
    """Changed in the environment by hand, and the bundle brings another value than was applied."""


class Step(Frozen):
    """What every change has."""

    origin: Origin = Origin.NEWS


class RegisterSolution(Step):
    """A solution is imported: installed, updated, or put back where its configs were changed in the environment."""

    kind: Literal["solution.register"] = "solution.register"
    solution: UniqueName
    managed: bool
    installed: Version | None
    version: Version
    effective: bool = False
    """Whether the values of the overlay are written into the package before it is sent."""
    consequence: Consequence = Consequence()


class RecordSolution(Step):
    """What is there already is recorded as applied: the solution came by another way, or an apply was cut off."""

    kind: Literal["solution.record"] = "solution.record"
    solution: UniqueName
    version: Version
    consequence: Consequence = Consequence()


class RemoveSolution(Step):
    """A solution is uninstalled: a managed one with its configs, an unmanaged one as a container only."""

    kind: Literal["solution.remove"] = "solution.remove"
    solution: UniqueName
    managed: bool
    version: Version
    consequence: Consequence = Consequence()


class TrackEntity(Step):
    """Change tracking of an entity is enabled, by hand. It cannot be disabled again."""

    kind: Literal["entity.track"] = "entity.track"
    entity: LogicalName
    consequence: Consequence = Consequence()


class WriteConfig(Step):
    """An export config row is created or replaced, by hand."""

    kind: Literal["config.write"] = "config.write"
    config: ExportConfig
    replaces: bool
    consequence: Consequence = Consequence()


class DeleteConfig(Step):
    """An export config row is deleted, by hand."""

    kind: Literal["config.delete"] = "config.delete"
    config: Guid
    name: str
    consequence: Consequence = Consequence()


class CreateLink(Step):
    """The environment begins to export what the config says to a lake."""

    kind: Literal["link.create"] = "link.create"
    config: ExportConfig
    address: LakeAddress
    solution: UniqueName | None
    consequence: Consequence


class RemoveLink(Step):
    """The environment stops exporting to a lake; its data is kept or deleted."""

    kind: Literal["link.remove"] = "link.remove"
    config: Guid
    name: str
    address: LakeAddress
    entities: tuple[LogicalName, ...] = ()
    """What it exports until then."""
    keep: bool
    consequence: Consequence


class ChangeOwner(Step):
    """A link that was made by hand becomes a solution's, or is left an orphan when its solution goes."""

    kind: Literal["link.owner"] = "link.owner"
    config: Guid
    name: str
    before: UniqueName | None
    after: UniqueName | None
    consequence: Consequence = Consequence()


class AddEntity(Step):
    """An entity joins a live link."""

    kind: Literal["entity.add"] = "entity.add"
    config: Guid
    name: str
    entity: LinkedEntity
    consequence: Consequence


class RemoveEntity(Step):
    """An entity leaves a live link: ``model.json`` first, then its data is kept aside or deleted."""

    kind: Literal["entity.remove"] = "entity.remove"
    config: Guid
    name: str
    entity: LogicalName
    keep: bool
    consequence: Consequence


class ChangeSetting(Step):
    """A value of a live link, or of one of its entities, changes in place.

    ``setting`` is the key path in the model, with dots: ``interval_minutes``, ``retry.max_count``,
    ``storage.subscription``. Where it decides what is in the files, the consequence says so.
    """

    kind: Literal["setting.change"] = "setting.change"
    config: Guid
    name: str
    entity: LogicalName | None = None
    setting: str
    before: JsonValue
    after: JsonValue
    history: tuple[LogicalName, ...] = ()
    """Append-only entities whose history would hold the old form: such a change is refused."""
    remade: tuple[LogicalName, ...] = ()
    """Entities whose files are all written anew."""
    consequence: Consequence = Consequence()


class ChangeStrategy(Step):
    """An entity of a live link is cut into other partitions: rebuilt aside, swapped at the next snapshot."""

    kind: Literal["entity.strategy"] = "entity.strategy"
    config: Guid
    name: str
    entity: LogicalName
    before: PartitionStrategy
    after: PartitionStrategy
    written: PartitionStrategy | None
    """As the config after the change spells it; None is the default strategy."""
    consequence: Consequence


class ChangeMode(Step):
    """An entity of a live link becomes append-only (re-initialised aside), or in-place (its history is deleted)."""

    kind: Literal["entity.mode"] = "entity.mode"
    config: Guid
    name: str
    entity: LogicalName
    append_only: bool
    written: PartitionStrategy | None
    """The strategy as the config after the change spells it."""
    consequence: Consequence


class MoveLake(Step):
    """A live link moves to another storage account or file system: filled by an initial sync, then switched."""

    kind: Literal["lake.move"] = "lake.move"
    config: Guid
    name: str
    before: LakeAddress
    after: LakeAddress
    written: str | None
    """The file system as the config after the change spells it; None is the default name."""
    entities: tuple[LogicalName, ...] = ()
    """What is exported again to the new lake."""
    history: tuple[LogicalName, ...] = ()
    """Append-only entities whose history stays behind."""
    keep: bool = True
    """Whether the data of the old lake is kept there, aside, once the new one is complete; else it is deleted."""
    consequence: Consequence


SolutionChange = RegisterSolution | RecordSolution | RemoveSolution
RowChange = WriteConfig | DeleteConfig | TrackEntity
InPlace = AddEntity | RemoveEntity | ChangeSetting | ChangeStrategy | ChangeMode
"""What changes the config of a live link and leaves its lake."""
ConfigChange = InPlace | MoveLake
"""What leads from one config of a live link to another."""
LinkChange = CreateLink | RemoveLink | ChangeOwner | ConfigChange
AnyChange = SolutionChange | RowChange | LinkChange
Change = Annotated[AnyChange, Field(discriminator="kind")]
"""One step of a plan."""


class Described(NamedTuple):
    """A change in words: what it is about, and its value before and after (None: nothing there)."""

    target: str
    before: str | None
    after: str | None


def describe(change: AnyChange) -> Described:
    """Return target, before and after of a change, for people."""
    match change:
        case RegisterSolution() | RecordSolution() | RemoveSolution():
            return _describe_solution(change)
        case WriteConfig() | DeleteConfig() | TrackEntity():
            return _describe_row(change)
        case CreateLink() | RemoveLink() | ChangeOwner():
            return _describe_link(change)
        case _:
            return _describe_config(change)


def _describe_solution(change: SolutionChange) -> Described:
    match change:
        case RegisterSolution(installed=installed, effective=effective):
            after = f"{change.version}, rewritten with the overlay" if effective else str(change.version)
            return Described(change.solution, None if installed is None else str(installed), after)
        case RecordSolution():
            return Described(change.solution, None, str(change.version))
        case RemoveSolution():
            return Described(change.solution, str(change.version), None)
        case _:
            assert_never(change)


def _describe_row(change: RowChange) -> Described:
    match change:
        case WriteConfig(config=config, replaces=replaces):
            return Described(config.name, "a row" if replaces else None, counted(len(config.entities), "entity"))
        case DeleteConfig(name=name):
            return Described(name, "a row", None)
        case TrackEntity(entity=entity):
            return Described(entity, "off", "on, and never off again")
        case _:
            assert_never(change)


def _describe_link(change: CreateLink | RemoveLink | ChangeOwner) -> Described:
    match change:
        case CreateLink(config=config, address=address):
            return Described(config.name, None, lake_name(address))
        case RemoveLink(name=name, address=address):
            return Described(name, lake_name(address), None)
        case ChangeOwner(name=name, before=before, after=after):
            return Described(name, before or "by hand", after or "by hand")
        case _:
            assert_never(change)


def _describe_config(change: ConfigChange) -> Described:
    match change:
        case AddEntity(name=name, entity=entity):
            return Described(f"{name}/{entity.name}", None, how(entity))
        case RemoveEntity(name=name, entity=removed):
            return Described(f"{name}/{removed}", "linked", None)
        case ChangeSetting(name=name, entity=of, setting=setting):
            place = name if of is None else f"{name}/{of}"
            return Described(f"{place} {setting}", value(change.before), value(change.after))
        case ChangeStrategy(name=name, entity=of, before=before, after=after):
            return Described(f"{name}/{of}", before.value, after.value)
        case ChangeMode(name=name, entity=of, append_only=on):
            modes = ("append-only", "in place")
            return Described(f"{name}/{of}", modes[on], modes[not on])
        case MoveLake(name=name, before=old, after=new):
            return Described(name, lake_name(old), lake_name(new))
        case _:
            assert_never(change)


def changed(config: ExportConfig, change: ConfigChange) -> ExportConfig:  # noqa: PLR0911 - one return per kind of change
    """Return the config of a link after a change."""
    match change:
        case AddEntity(entity=entity):
            return config.model_copy(update={"entities": (*config.entities, entity)})
        case RemoveEntity(entity=removed):
            kept = tuple(entity for entity in config.entities if entity.name != removed)
            return config.model_copy(update={"entities": kept})
        case ChangeSetting(entity=name, setting=setting, after=after):
            if name is None:
                return _with(config, setting, after)
            return _with_entity(config, name, {setting: after})
        case ChangeStrategy(entity=of, written=written):
            return _with_entity(config, of, {"partition_strategy": written})
        case ChangeMode(entity=of, append_only=append_only, written=written):
            return _with_entity(config, of, {"append_only": append_only, "partition_strategy": written})
        case MoveLake(after=address, written=file_system):
            storage = {"account": address.account, "file_system": file_system}
            return config.model_copy(update={"storage": config.storage.model_copy(update=storage)})
        case _:
            assert_never(change)


def _with(config: ExportConfig, setting: str, after: JsonValue) -> ExportConfig:
    data: dict[str, Any] = config.model_dump(mode="json")
    *path, last = setting.split(".")
    node = data
    for key in path:
        node = node[key]
    node[last] = after
    return ExportConfig.model_validate(data)


def _with_entity(config: ExportConfig, name: str, values: dict[str, Any]) -> ExportConfig:
    entities = tuple(
        LinkedEntity.model_validate({**entity.model_dump(mode="json"), **values}) if entity.name == name else entity
        for entity in config.entities
    )
    return config.model_copy(update={"entities": entities})


def config_of(change: AnyChange) -> str | None:
    """Return the id of the config whose link a change is about, or None."""
    if isinstance(change, CreateLink):
        return change.config.id
    return change.config if isinstance(change, LinkChange) else None


def lake_name(address: LakeAddress) -> str:
    """Return ``account/file system``."""
    return f"{address.account}/{address.file_system}"


def how(entity: LinkedEntity) -> str:
    """Return how an entity is exported, in two words: strategy and mode in force."""
    return f"{entity.strategy}, {'append-only' if entity.append_only else 'in place'}"


def value(of: JsonValue) -> str:
    """Return a JSON value as people write it; null and the empty string as a dash."""
    match of:
        case None | "":
            return "-"
        case bool():
            return "yes" if of else "no"
        case dict():
            return ", ".join(f"{key} {value(item)}" for key, item in of.items()) or "-"
        case list():
            return ", ".join(value(item) for item in of) or "-"
        case _:
            return str(of)


def counted(number: int, noun: str) -> str:
    """Return ``1 entity``, ``2 entities``, ``3 rows``."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {plural}"
