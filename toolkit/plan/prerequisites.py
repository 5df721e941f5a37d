"""The prerequisites of an export, as the reference documentation states them (docs/formats.md, section 3).

Under the profile ``hosted`` each is an error, as for Microsoft's own exporter. Under ``engine``, where this toolkit's
engine does the export, owner, administrator, region and tenant are warnings, and the data role is what is required.
A fact that the environment does not know is a note, never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from toolkit.errors import Finding, Place, Severity, nearest
from toolkit.model.conditions import values_of
from toolkit.model.config import (
    MAX_ENTITIES,
    NEEDED,
    NEVER_EXPORTABLE,
    SCAN_MINUTES,
    Condition,
    ExportConfig,
    Layout,
    LinkedEntity,
    PartitionStrategy,
    Storage,
)
from toolkit.model.entity import Entity, TableType
from toolkit.model.environment import Inventory, StorageAccount
from toolkit.model.roles import DATA_ROLE, assignment, scope
from toolkit.model.shape import unmaskable

READ_ACCESS = frozenset({"RAGRS", "RAGZRS"})

ABOUT = {
    "PLN021": "kind",
    "PLN022": "hierarchical namespace",
    "PLN023": "tenant",
    "PLN024": "region",
    "PLN025": "role Owner",
    "PLN026": "role Storage Blob Data Contributor",
    "PLN027": "administrator",
    "PLN028": "replication",
}
"""What the prerequisites of an account are about, in a word or two."""


class Profile(StrEnum):
    """Who performs the export: Microsoft's hosted service, or the engine of this toolkit."""

    HOSTED = "hosted"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A prerequisite of an account: whether it holds (None: not known), and the words for when it does not."""

    code: str
    holds: bool | None
    severity: Severity
    what: str
    why: str
    fix: str


def prerequisites(
    config: ExportConfig, inventory: Inventory, profile: Profile, where: str = "", environment: str = ""
) -> Iterator[Finding]:
    """Yield what stands against exporting what ``config`` says, to where it says.

    ``environment`` is its name in ``toolkit.yaml``, ``where`` the file or environment that findings name.
    """
    yield from entity_prerequisites(config, inventory, profile, where)
    yield from account_prerequisites(config, inventory, profile, where, environment)


def entity_prerequisites(
    config: ExportConfig, inventory: Inventory, profile: Profile, where: str = ""
) -> Iterator[Finding]:
    """Yield what stands against exporting the entities of ``config``."""
    if len(config.entities) > MAX_ENTITIES:
        yield Finding(
            "PLN014",
            Severity.ERROR,
            f"{config.name} links {len(config.entities):,} entities, and a link holds at most {MAX_ENTITIES:,}",
            Place(where, key=f"{config.name}.entities"),
            "the service exports at most 1,000 entities per link",
            "split the entities over two export configs with lakes of their own",
        )
    yield from named_twice((entity.name for entity in config.entities), config.name, where)
    yield from _forced(config, where)
    for entity in config.entities:
        place = Place(where, key=f"{config.name}.entities.{entity.name}")
        yield from entity_findings(entity, inventory, profile, place)


def _forced(config: ExportConfig, where: str) -> Iterator[Finding]:
    """Yield a note for each entity whose partition strategy incremental folders do not follow."""
    if config.output.layout is not Layout.INCREMENTAL:
        return
    for entity in config.entities:
        if entity.partition_strategy not in {None, PartitionStrategy.YEAR}:
            yield Finding(
                "PLN062",
                Severity.NOTE,
                f"{entity.name!r} has the partition strategy {entity.partition_strategy}, and is exported by Year",
                Place(where, key=f"{config.name}.entities.{entity.name}"),
                "in incremental folders every entity is append-only by Year",
                "leave the strategy out",
            )


def named_twice(names: Iterable[str], config: str, where: str = "") -> Iterator[Finding]:
    """Yield a finding for each entity that is named more than once."""
    for name, times in Counter(names).items():
        if times > 1:
            yield Finding(
                "PLN016",
                Severity.ERROR,
                f"the entity {name!r} is named {times} times",
                Place(where, key=f"{config}.entities.{name}"),
                "a link exports an entity once, in one way",
                "name it once",
            )


def entity_findings(entity: LinkedEntity, inventory: Inventory, profile: Profile, where: Place) -> Iterator[Finding]:
    """Yield what stands against exporting one entity."""
    if entity.name in NEVER_EXPORTABLE:
        yield Finding(
            "PLN013",
            Severity.ERROR,
            f"the entity {entity.name!r} can never be exported",
            where,
            "the service exports neither attachment nor stringmap nor calendar",
            f"take {entity.name!r} out of the export config",
        )
    else:
        yield from _tracking(entity, inventory, profile, where)
    if not entity.strategy.known:
        yield Finding(
            "PLN015",
            Severity.ERROR,
            f"{entity.name!r} has the partition strategy {entity.strategy}, which no link can use",
            where,
            "the file names of this strategy are not known, and readers would not find the partitions",
            "use Year or Month",
        )
    if (definition := inventory.entities.get(entity.name)) is not None:
        yield from _left_out(definition, where)
        yield from _options(entity, definition, where)


def _left_out(entity: Entity, where: Place) -> Iterator[Finding]:
    """Yield a note about the columns that no export has."""
    if entity.left_out:
        yield Finding(
            "PLN068",
            Severity.NOTE,
            f"{entity.name!r} is exported without {', '.join(sorted(entity.left_out))}",
            where,
            "; ".join(f"{name}: {why}" for name, why in sorted(entity.left_out.items())),
        )


def _options(entity: LinkedEntity, definition: Entity, where: Place) -> Iterator[Finding]:
    """Yield what is wrong with the columns, the filter and the mask of an entity whose definition is known."""
    known = {attribute.name: attribute for attribute in definition.attributes}
    named = [("columns", name) for name in entity.columns or () if name not in NEEDED]
    named += [("filter", condition.column) for condition in entity.filter]
    named += [("mask", name) for name in entity.mask]
    for option, name in named:
        if name not in known:
            yield Finding(
                "PLN058",
                Severity.ERROR,
                f"the entity {entity.name!r} has no column {name!r}",
                replace(where, key=f"{where.key}.{option}"),
                "an export config may name only columns that are there",
                nearest(name, known) or f"take {name!r} out of {option}",
            )
    for name in entity.mask:
        if name in unmaskable(definition):
            yield _masks_needed(name, entity, where)
    for condition in entity.filter:
        if (attribute := known.get(condition.column)) is not None:
            try:
                values_of(condition, attribute)
            except ValueError as error:
                yield _no_value(condition, str(error), entity, where)


def _masks_needed(name: str, entity: LinkedEntity, where: Place) -> Finding:
    return Finding(
        "PLN059",
        Severity.ERROR,
        f"the column {name!r} of {entity.name!r} cannot be masked",
        replace(where, key=f"{where.key}.mask.{name}"),
        "every file needs it as it is: it places the row, or tells which of two is newer",
        f"take {name!r} out of the mask",
    )


def _no_value(condition: Condition, why: str, entity: LinkedEntity, where: Place) -> Finding:
    return Finding(
        "PLN059",
        Severity.ERROR,
        f"the filter of {entity.name!r} cannot compare {condition.column!r}",
        replace(where, key=f"{where.key}.filter.{condition.column}"),
        why,
        f"correct the value of {condition.comparison}",
    )


def _tracking(linked: LinkedEntity, inventory: Inventory, profile: Profile, where: Place) -> Iterator[Finding]:
    name, entity = linked.name, inventory.entities.get(linked.name)
    if entity is None:
        yield Finding(
            "PLN010",
            Severity.ERROR,
            f"the entity {name!r} does not exist in the environment",
            where,
            "an export config may name only entities that are there",
            nearest(name, inventory.entities) or "install the solution that brings the entity first",
        )
    elif entity.table_type is not TableType.STANDARD:
        yield _no_changes(entity, where)
    elif not entity.change_tracking and entity.can_track:
        yield Finding(
            "PLN011",
            Severity.ERROR,
            f"the entity {name!r} has no change tracking",
            where,
            "only entities with change tracking can be exported",
            f"toolkit entity track {name} (it cannot be switched off again)",
        )
    elif entity.scanned:
        yield _untrackable(linked, entity, profile, where)


def _no_changes(entity: Entity, where: Place) -> Finding:
    return Finding(
        "ENV033",
        Severity.ERROR,
        f"the entity {entity.name!r} is a table of the type {entity.table_type}",
        where,
        _NO_CHANGES.get(entity.table_type, "it does not tell what changed"),
        f"take {entity.name!r} out of the export config",
    )


_NO_CHANGES = {
    TableType.VIRTUAL: "its rows are kept by another system, without row versions, so no change of them can be told",
    TableType.ELASTIC: "its rows are kept in Cosmos DB, and change tracking does not tell of them",
}


def _untrackable(linked: LinkedEntity, entity: Entity, profile: Profile, where: Place) -> Finding:
    """Return what it means that an entity cannot be tracked: the service refuses it, our engine compares its keys."""
    if profile is Profile.ENGINE:
        return Finding(
            "PLN066",
            Severity.NOTE,
            f"the entity {entity.name!r} cannot be tracked: it is marked scan, and read whole "
            f"every {linked.scan_minutes or SCAN_MINUTES:,} minutes",
            where,
            why_untrackable(entity),
            "change scan_minutes of the entity to read it more or less often",
        )
    return Finding(
        "PLN012",
        Severity.ERROR,
        f"change tracking cannot be enabled on the entity {entity.name!r}",
        where,
        why_untrackable(entity),
        f"take {entity.name!r} out of the export config, or let the engine of this toolkit export: --profile engine",
    )


def why_untrackable(entity: Entity) -> str:
    """Return why change tracking cannot be enabled on an entity."""
    return "it is the table of an N:N relationship" if entity.intersect else "the platform does not allow it"


def account_prerequisites(
    config: ExportConfig, inventory: Inventory, profile: Profile, where: str = "", environment: str = ""
) -> Iterator[Finding]:
    """Yield what stands against exporting to the storage account of ``config``."""
    place = Place(where, key=f"{config.name}.storage.account")
    name = config.storage.account
    account = inventory.accounts.get(name)
    if account is None:
        yield Finding(
            "PLN020",
            Severity.ERROR,
            f"the environment cannot see a storage account {name!r}",
            place,
            "an export needs an account in a subscription that the environment's user can read",
            _account_fix(name, inventory, environment),
        )
        return
    yield from account_findings(account, config.storage, inventory, profile, place)


def account_findings(
    account: StorageAccount, storage: Storage, inventory: Inventory, profile: Profile, place: Place
) -> Iterator[Finding]:
    """Yield what stands against exporting to an account that is known, where ``storage`` is what a config says of it.

    What is not known of it is a note.
    """
    name = account.name
    if account.cloud not in {None, storage.cloud}:
        yield _other_cloud(account, storage, place)
    for rule in _rules(account, storage, inventory, profile):
        if rule.holds is None:
            yield Finding(
                rule.code,
                Severity.NOTE,
                f"not checked whether {_named(rule.what, name)}",
                place,
                "it is not known here",
                _named(rule.fix, name),
            )
        elif not rule.holds:
            yield Finding(rule.code, rule.severity, _named(rule.what, name), place, rule.why, _named(rule.fix, name))


def _named(text: str, account: str) -> str:
    return text.replace("{}", repr(account))


def _other_cloud(account: StorageAccount, storage: Storage, place: Place) -> Finding:
    return Finding(
        "PLN029",
        Severity.ERROR,
        f"toolkit.yaml has the storage account {account.name!r} in the cloud {account.cloud}, "
        f"and the export config in {storage.cloud}",
        place,
        "the endpoints that an import registers would be those of another cloud",
        "set storage.cloud of the export config, or cloud of the account in toolkit.yaml",
    )


def _account_fix(name: str, inventory: Inventory, environment: str) -> str:
    define = f"toolkit env define {environment or 'ENV'} --account {name}"
    show = f"name it under accounts in toolkit.yaml; an embedded environment sees it after: {define}"
    hint = nearest(name, inventory.accounts)
    return f"{hint} {show}" if hint else f"{show}; or name another account"


def _rules(account: StorageAccount, storage: Storage, inventory: Inventory, profile: Profile) -> Iterator[_Rule]:
    yield from _required(account)
    severity = Severity.ERROR if profile is Profile.HOSTED else Severity.WARNING
    yield from _by_profile(account, storage, inventory, severity)
    if profile is Profile.ENGINE:
        yield _Rule(
            "PLN026",
            None if account.roles is None else DATA_ROLE in account.roles,
            Severity.ERROR,
            "the user lacks the role Storage Blob Data Contributor on the storage account {}",
            "the engine writes the lake with it",
            assignment(DATA_ROLE, _resource(storage)),
        )
    yield _Rule(
        "PLN028",
        None if account.replication is None else account.replication in READ_ACCESS,
        Severity.WARNING,
        "the storage account {} is not read-access geo-redundant",
        "it is recommended, so that the lake can be read while its region is down",
        "change the replication of {} to RA-GRS or RA-GZRS",
    )


def _required(account: StorageAccount) -> Iterator[_Rule]:
    yield _Rule(
        "PLN021",
        None if account.kind is None else account.kind == "StorageV2",
        Severity.ERROR,
        "the storage account {} is not of kind StorageV2",
        "Azure Data Lake Storage Gen2 is a capability of StorageV2 accounts",
        "create a StorageV2 account, or upgrade {}",
    )
    yield _Rule(
        "PLN022",
        account.hierarchical_namespace,
        Severity.ERROR,
        "the storage account {} has no hierarchical namespace",
        "a file appears whole by a rename, which a flat account cannot do at once",
        "create an account with hierarchical namespace, or upgrade {}",
    )


def _by_profile(account: StorageAccount, storage: Storage, inventory: Inventory, severity: Severity) -> Iterator[_Rule]:
    organization = inventory.organization
    yield _Rule(
        "PLN023",
        None if account.tenant is None else account.tenant == organization.tenant,
        severity,
        "the storage account {} is in another tenant than the environment",
        "the reference documentation asks for the same tenant",
        "use an account of the environment's tenant",
    )
    yield _Rule(
        "PLN024",
        None if account.region is None else account.region == organization.region,
        severity,
        f"the storage account {{}} is in another region than the environment ({organization.region})",
        "the reference documentation asks for the same region",
        "use an account in the environment's region",
    )
    yield _Rule(
        "PLN025",
        None if account.roles is None else "Owner" in account.roles,
        severity,
        "the user is not Owner of the storage account {}",
        "the reference documentation asks for the role Owner",
        assignment("Owner", _resource(storage)),
    )
    yield _Rule(
        "PLN027",
        inventory.administrator,
        severity,
        "the user is not an administrator of the environment",
        "the reference documentation asks for the Dataverse system administrator role",
        "let a system administrator do the import",
    )


def _resource(storage: Storage) -> str:
    return scope(storage.account, storage.subscription, storage.resource_group)
