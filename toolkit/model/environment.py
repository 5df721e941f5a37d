"""What an environment holds, as values: organization, storage accounts, publishers, solutions, configs, entities."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from toolkit.errors import Finding
from toolkit.model.base import Frozen
from toolkit.model.config import Cloud, ExportConfig, LinkedEntity
from toolkit.model.entity import Entity
from toolkit.model.names import FileSystemName, Guid, StorageAccountName, UniqueName, default_file_system
from toolkit.model.roles import DATA_ROLE
from toolkit.model.solution import Package, Publisher, RootComponent
from toolkit.model.version import Version


class Organization(Frozen):
    """The Dataverse organization behind an environment."""

    id: Guid
    unique_name: str
    environment: str
    """The environment's friendly name, as it stands in the default file system name."""
    region: str
    tenant: Guid
    version: Version


class StorageAccount(Frozen):
    """A storage account that an environment can see, with what the prerequisites ask of it (formats.md section 3).

    A value of None is not known; a check says so instead of guessing.
    """

    name: StorageAccountName
    kind: str | None = "StorageV2"
    hierarchical_namespace: bool | None = True
    region: str | None = None
    tenant: Guid | None = None
    replication: str | None = "RAGRS"
    """The last part of the SKU: LRS, ZRS, GRS, RAGRS, GZRS, RAGZRS."""
    roles: tuple[str, ...] | None = ("Owner", DATA_ROLE)
    """The roles that the user holds on the account."""
    cloud: Cloud | None = None
    """Where the account is in Azure; None for a folder that stands in for one, which is good for any cloud."""


def unknown(name: str) -> StorageAccount:
    """Return an account of which nothing is known yet."""
    return StorageAccount(name=name, kind=None, hierarchical_namespace=None, replication=None, roles=None)


class InstalledSolution(Frozen):
    """A solution in an environment."""

    unique_name: UniqueName
    version: Version
    package: Package
    publisher: UniqueName
    display_name: str = ""
    components: tuple[RootComponent, ...] = ()
    configs: tuple[Guid, ...] = ()
    """The export configs that the solution holds."""
    requires: tuple[UniqueName, ...] = ()
    """The solutions that must stay installed while this one is."""


class ConfigRow(Frozen):
    """An ``msdyn_exporttodatalakeconfig`` row; ``managed`` when a managed solution brought it."""

    config: ExportConfig
    managed: bool = False


class Registration(StrEnum):
    """What an import leaves in an environment: the bundle's solution, that with the overlay's values, or nothing."""

    AS_IS = "as-is"
    """The package as it is; what an overlay changes lives in the link alone."""
    EFFECTIVE = "effective"
    """The package with the values of the overlay written into it."""
    LINK_ONLY = "link-only"
    """No solution: only links are made. For environments without the table of export configs."""


class HostedLink(Frozen):
    """A link of Microsoft's own exporter (a Synapse Link profile). It is foreign: read, and never written to.

    ``account``, ``file_system`` and ``entities`` are None where they cannot be read.
    """

    id: Guid
    name: str
    state: str
    """In the words of the platform: Active, Suspended, Deactivated, ..."""
    active: bool
    account: str | None = None
    file_system: str | None = None
    entities: tuple[LinkedEntity, ...] | None = None
    snapshots: int | None = None
    """How many snapshots it keeps."""


class Inventory(Frozen):
    """One reading of an environment. Entities come with their whole definition, tracked or not."""

    organization: Organization
    administrator: bool | None = True
    """Whether the user is a Dataverse administrator; None when it is not known."""
    accounts: Mapping[str, StorageAccount] = {}
    publishers: Mapping[str, Publisher] = {}
    solutions: Mapping[str, InstalledSolution] = {}
    configs: Mapping[Guid, ConfigRow] = {}
    entities: Mapping[str, Entity] = {}
    change_tracking_expiry_days: Annotated[int, Field(ge=0)] = 7
    own_file_system: FileSystemName | None = None
    """The file system of a config that names none; None where it has the documented name."""
    registration: Registration = Registration.AS_IS
    hosted: tuple[HostedLink, ...] = ()
    components_known: bool = True
    """Whether solutions come with all of their components. Dataverse has too many to read them for every plan."""
    notes: tuple[Finding, ...] = ()
    """What was read and could not be understood."""

    @property
    def file_system(self) -> str:
        """The name of the file system of a config that names none."""
        return self.own_file_system or default_file_system(self.organization.environment, self.organization.id)
