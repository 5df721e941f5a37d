"""The export config: a lake and the entities linked to it, as ``msdyn_schema`` holds it (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from toolkit.model.base import Frozen
from toolkit.model.names import ConfigName, FileSystemName, Guid, LogicalName, StorageAccountName

MAX_ENTITIES = 1000
"""Entities per link at most. Source: Azure Synapse Link's documented limits."""

NEVER_EXPORTABLE = frozenset({"attachment", "stringmap", "calendar"})
"""Entities that the service never exports, change tracking or not. Source: the service's documentation."""


class PartitionStrategy(StrEnum):
    """How an entity's rows are cut into partitions, by ``createdon`` in UTC. On the wire: the name or its number."""

    YEAR = "Year"
    MONTH = "Month"
    HALF_MONTH = "HalfMonth"
    FIVE_DAY = "FiveDay"

    @property
    def number(self) -> int:
        """The numeric wire form: 0 to 3."""
        return list(PartitionStrategy).index(self)

    @property
    def known(self) -> bool:
        """Whether the file names of this strategy are known; the others are kept, and no link uses them."""
        return self in {PartitionStrategy.YEAR, PartitionStrategy.MONTH}


class Cloud(StrEnum):
    """The Azure cloud of a storage account; decides its endpoints."""

    PUBLIC = "public"
    US_GOV = "usgov"
    CHINA = "china"

    @property
    def storage_suffix(self) -> str:
        """The domain below ``<account>.<service>``."""
        return {"public": "core.windows.net", "usgov": "core.usgovcloudapi.net", "china": "core.chinacloudapi.cn"}[self]

    @property
    def authority(self) -> str:
        """The host that issues tokens. Source: azure.identity.AzureAuthorityHosts."""
        return {
            "public": "login.microsoftonline.com",
            "usgov": "login.microsoftonline.us",
            "china": "login.chinacloudapi.cn",
        }[self]

    @property
    def synapse_suffix(self) -> str:
        """The domain of Synapse workspaces."""
        return {
            "public": "azuresynapse.net",
            "usgov": "azuresynapse.usgovcloudapi.net",
            "china": "azuresynapse.azure.cn",
        }[self]


class Endpoints(Frozen):
    """The endpoints of a storage account and of its Synapse workspace, as the wire form spells them.

    The five of the account are ``https://<account>.<service>.<suffix>/``; ``sql_on_demand`` has no scheme; the two
    of the workspace are empty strings where there is none.
    """

    blob: str
    queue: str
    table: str
    file: str
    file_system: str
    sql_on_demand: str = ""
    workspace_dev: str = ""


def derived_endpoints(account: str, workspace: str | None, cloud: Cloud) -> Endpoints:
    """Return the endpoints that ``account`` and ``workspace`` have in ``cloud``. They are never typed by hand."""

    def of(service: str) -> str:
        return f"https://{account}.{service}.{cloud.storage_suffix}/"

    return Endpoints(
        blob=of("blob"),
        queue=of("queue"),
        table=of("table"),
        file=of("file"),
        file_system=of("dfs"),
        sql_on_demand=f"{workspace}-ondemand.sql.{cloud.synapse_suffix}" if workspace else "",
        workspace_dev=f"https://{workspace}.dev.{cloud.synapse_suffix}" if workspace else "",
    )


class RetryPolicy(Frozen):
    """How often and how patiently a failed write is tried again."""

    max_count: Annotated[int, Field(ge=0, le=1000)] = 12
    interval_seconds: Annotated[int, Field(ge=0, le=86_400)] = 5


class Condition(Frozen):
    """What a column's value must be. Exactly one comparison; its value is text, read by the attribute's type.

    A comparison with null is false, ``not_equals`` too; ``is_null`` asks for null (true) or for a value (false).
    """

    column: LogicalName
    equals: str | None = None
    not_equals: str | None = None
    any_of: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """One of these."""
    at_least: str | None = None
    below: str | None = None
    is_null: bool | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        made = [name for name in _COMPARISONS if getattr(self, name) is not None]
        if len(made) != 1:
            message = f"a condition has exactly one of {', '.join(_COMPARISONS)}, not {len(made)}"
            raise ValueError(message)
        return self

    @property
    def comparison(self) -> str:
        """The one comparison that is made: the name of its field."""
        return next(name for name in _COMPARISONS if getattr(self, name) is not None)

    @property
    def values(self) -> tuple[str, ...]:
        """The values that are compared with: none for ``is_null``."""
        if self.is_null is not None:
            return ()
        value: str | tuple[str, ...] = getattr(self, self.comparison)
        return (value,) if isinstance(value, str) else value


_COMPARISONS = tuple(name for name in Condition.model_fields if name != "column")


LEAST_KEY = 16
"""Bytes of the key of hashed columns, at least: a shorter one could be found by trying."""
KEY_FIX = (
    "name a variable in toolkit.yaml (mask_key: {variable: NAME} of the environment), "
    f"and set it to a secret of {LEAST_KEY} bytes or more"
)
"""What to do where there is no key of hashed columns."""


class Mask(StrEnum):
    """What is written in place of a column's values."""

    HASH = "hash"
    """HMAC-SHA-256 in hex, under a key that the environment holds: equal values stay equal."""
    NULL = "null"
    """Nothing."""


def _null_is_a_word(mask: object) -> object:
    """Take ``column: null``, as YAML and JSON spell nothing, for the mask of that name."""
    if not isinstance(mask, Mapping):
        return mask
    return {column: Mask.NULL if how is None else how for column, how in mask.items()}


Masks = Annotated[Mapping[LogicalName, Mask], BeforeValidator(_null_is_a_word)]


class Times(StrEnum):
    """How times are spelled."""

    SERVICE = "service"
    """As the service does it."""
    ISO = "iso"
    """ISO 8601 everywhere, the sink columns too."""


class Layout(StrEnum):
    """Where files lie."""

    LIVE = "live"
    """One file per partition, which changes, and snapshots of it."""
    INCREMENTAL = "incremental"
    """A folder per interval, with what changed in it."""


class Output(Frozen):
    """The form of all files of a config. The defaults are those of the service."""

    header: bool = False
    """A first line with the names of the columns."""
    times: Times = Times.SERVICE
    labels: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """A language code such as 1033: a column ``<choice>_label`` stands behind each choice."""
    layout: Layout = Layout.LIVE


class Retention(Frozen):
    """Which snapshots are kept besides those that ``model.json`` names."""

    keep: Annotated[int, Field(ge=1, le=10_000)] = 5
    """So many of each part, the newest."""
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """Also every snapshot that is younger than so many days."""


NEEDED = frozenset({"versionnumber", "createdon", "modifiedon"})
"""Columns that every file has where the entity has them, besides the primary id: never left out, never masked."""

SCAN_MINUTES = 1440
"""How often an entity that cannot be tracked is read whole, where its config does not say."""


class LinkedEntity(Frozen):
    """An entity of an export config, and how it is exported."""

    name: LogicalName
    partition_strategy: PartitionStrategy | None = None
    """None: Month in place, Year append-only."""
    records_per_block: Annotated[int, Field(ge=1)] = 125
    append_only: bool = False
    columns: tuple[LogicalName, ...] | None = None
    """Only these attributes, besides the primary id and the needed ones; None: all. Their order has no meaning."""
    filter: tuple[Condition, ...] = ()
    """Only rows for which all of these hold."""
    mask: Masks = {}
    """Columns whose values are not written as they are."""
    scan_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    """How often the entity is read whole where it cannot be tracked; None: ``SCAN_MINUTES``."""
    extra: Mapping[str, str] = {}
    """Keys that this toolkit does not know, each as JSON text, in their order."""

    @property
    def strategy(self) -> PartitionStrategy:
        """The strategy in force. Append-only forces Year, as the platform does."""
        if self.append_only:
            return PartitionStrategy.YEAR
        return self.partition_strategy or PartitionStrategy.MONTH


class Storage(Frozen):
    """Where a config exports to. ``endpoints`` is None when they are those of the account, as they should be."""

    subscription: str = ""
    resource_group: str = ""
    account: StorageAccountName
    cloud: Cloud = Cloud.PUBLIC
    workspace: str | None = None
    file_system: FileSystemName | None = None
    """None: the default name of the environment."""
    tenant: str | None = None
    endpoints: Endpoints | None = None

    @property
    def effective_endpoints(self) -> Endpoints:
        """The endpoints in force: those written, or those derived from account, workspace and cloud."""
        return self.endpoints or derived_endpoints(self.account, self.workspace, self.cloud)


class ExportConfig(Frozen):
    """One ``msdyn_exporttodatalakeconfig``. Its id is the same in every environment, and is its identity."""

    id: Guid
    name: ConfigName
    """``msdyn_name``; the platform writes the storage account's name."""
    storage: Storage
    entities: tuple[LinkedEntity, ...] = ()
    interval_minutes: Annotated[int, Field(ge=5, le=10_080)] = 60
    """Minutes between snapshots."""
    retry: RetryPolicy = RetryPolicy()
    output: Output = Output()
    snapshots: Retention = Retention()
    destination: str = "Adls"
    write_delete_log: bool = True
    odi_enabled: bool = False
    is_default: bool | None = None
    customizable: bool = True
    state: int = 0
    status: int = 1
    extra: Mapping[str, str] = {}
    """Keys of ``msdyn_schema`` that this toolkit does not know, each as JSON text, in their order."""

    @property
    def hashed(self) -> tuple[str, ...]:
        """The entities of which columns are hashed, for which a key is needed."""
        return tuple(entity.name for entity in self.entities if Mask.HASH in entity.mask.values())

    def entity(self, name: str) -> LinkedEntity | None:
        """Return the linked entity of that logical name, or None."""
        return next((entity for entity in self.entities if entity.name == name), None)
