"""Small values for tests: an organization, its entities, bundles, worlds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, LinkedEntity, PartitionStrategy, Storage
from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.model.environment import ConfigRow, InstalledSolution, Inventory, Organization, StorageAccount
from toolkit.model.link import Applied, EnvironmentRecord, LakeAddress, Link
from toolkit.model.solution import CORE_SOLUTION, Package, Publisher, Solution
from toolkit.model.version import Version
from toolkit.plan.world import World, effective_digest

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
CONFIG = "33333333-3333-4333-8333-333333333333"
OTHER_CONFIG = "44444444-4444-4444-8444-444444444444"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FILE_SYSTEM = "commondataservice-prod-org-11111111111141118111111111111111"


def attribute(name: str, kind: AttributeType = AttributeType.STRING) -> Attribute:
    return Attribute(name=name, type=kind)


def entity(name: str, *, tracked: bool = True, can_track: bool = True, intersect: bool = False) -> Entity:
    return Entity(
        name=name,
        set_name=f"{name}s",
        primary_id=f"{name}id",
        change_tracking=tracked,
        can_track=can_track,
        intersect=intersect,
        attributes=(
            attribute(f"{name}id", AttributeType.UNIQUEIDENTIFIER),
            attribute("name"),
            attribute("createdon", AttributeType.DATETIME),
            attribute("modifiedon", AttributeType.DATETIME),
            attribute("versionnumber", AttributeType.BIGINT),
        ),
    )


ENTITIES = (
    entity("account"),
    entity("contact"),
    entity("lead"),
    entity("task"),
    entity("invoice", tracked=False),
    entity("listmember", tracked=False, can_track=False, intersect=True),
    entity("report", tracked=False, can_track=False),
    entity("attachment"),
)


def organization() -> Organization:
    return Organization(
        id=ORGANIZATION,
        unique_name="contosoprod",
        environment="prod",
        region="westeurope",
        tenant=TENANT,
        version=Version("9.2"),
    )


def account(name: str = "contosolake", **values: Any) -> StorageAccount:
    return StorageAccount.model_validate({"name": name, "region": "westeurope", "tenant": TENANT, **values})


def linked(name: str, strategy: str | None = None, *, append_only: bool = False) -> LinkedEntity:
    return LinkedEntity(
        name=name,
        partition_strategy=None if strategy is None else PartitionStrategy(strategy),
        append_only=append_only,
    )


def config(*entities: str | LinkedEntity, account: str = "contosolake", **values: object) -> ExportConfig:
    return ExportConfig.model_validate(
        {
            "id": CONFIG,
            "name": account,
            "storage": Storage(account=account),
            "entities": tuple(linked(item) if isinstance(item, str) else item for item in entities),
            **values,
        }
    )


def publisher(**values: object) -> Publisher:
    return Publisher.model_validate(
        {"unique_name": "contoso", "prefix": "cts", "option_value_prefix": 72700, **values},
    )


def solution(version: str = "1.0.0.0", **values: object) -> Solution:
    return Solution.model_validate(
        {
            "unique_name": "ContosoLake",
            "version": version,
            "package": Package.MANAGED,
            "publisher": publisher(),
            **values,
        }
    )


def bundle(*configs: ExportConfig, version: str = "1.0.0.0", **values: object) -> Bundle:
    return Bundle(solution=solution(version, **values), configs=configs)


CORE = InstalledSolution(
    unique_name=CORE_SOLUTION, version=Version("1.0.0.0"), package=Package.MANAGED, publisher="exporttodatalake"
)
CORE_BUNDLE = bundle(
    unique_name=CORE_SOLUTION,
    publisher=publisher(unique_name="exporttodatalake", prefix="etdl", option_value_prefix=10_001),
)


def installed(of: Bundle) -> InstalledSolution:
    return InstalledSolution(
        unique_name=of.solution.unique_name,
        version=of.solution.version,
        package=of.solution.package,
        publisher=of.solution.publisher.unique_name,
        configs=tuple(config.id for config in of.configs),
        requires=(CORE_SOLUTION,) if of.configs else (),
    )


def inventory(*bundles: Bundle, **values: object) -> Inventory:
    return Inventory.model_validate(
        {
            "organization": organization(),
            "accounts": {"contosolake": account()},
            "publishers": {of.solution.publisher.unique_name: of.solution.publisher for of in bundles},
            "solutions": {CORE_SOLUTION: CORE, **{of.solution.unique_name: installed(of) for of in bundles}},
            "configs": {
                config.id: ConfigRow(config=config, managed=of.solution.package is Package.MANAGED)
                for of in bundles
                for config in of.configs
            },
            "entities": {entity.name: entity for entity in ENTITIES},
            **values,
        }
    )


def link(of: ExportConfig, **values: object) -> Link:
    return Link.model_validate(
        {
            "generation": 1,
            "environment": "prod",
            "organization": ORGANIZATION,
            "config": of,
            "account": of.storage.account,
            "file_system": of.storage.file_system or FILE_SYSTEM,
            "solution": "ContosoLake",
            "created": START,
            "changed": START,
            **values,
        }
    )


def record(of: Bundle, *links: Link) -> EnvironmentRecord:
    applied = Applied(
        solution=of.solution.unique_name,
        version=of.solution.version,
        managed=of.solution.package is Package.MANAGED,
        bundle=of.digest,
        effective=effective_digest(link.config for link in links),
        at=START,
        by="ada@lab",
    )
    lakes = tuple(
        LakeAddress(config=link.config.id, account=link.account, file_system=link.file_system) for link in links
    )
    return EnvironmentRecord(environment="prod", organization=ORGANIZATION, lakes=lakes, applied=(applied,))


def world(*bundles: Bundle, statistics: Mapping[str, int] | None = None, **values: object) -> World:
    """Return an environment with Core and nothing else, or one to which bundles were applied without an overlay."""
    links = tuple(link(config, solution=of.solution.unique_name) for of in bundles for config in of.configs)
    return World(
        environment="prod",
        inventory=inventory(*bundles, **values),
        record=record(bundles[0], *links) if bundles else None,
        links=links,
        statistics=statistics or {},
    )
