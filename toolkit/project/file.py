"""What ``toolkit.yaml`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from toolkit.dataverse.address import Address
from toolkit.model.base import Frozen
from toolkit.model.environment import Registration
from toolkit.model.limits import Limits
from toolkit.model.names import StorageAccountName, VariableName
from toolkit.model.on_failure import OnFailure
from toolkit.model.signer import PublicKey
from toolkit.project.account import AccountEntry, account_by_kind
from toolkit.sign_in.method import SignIn

ENVIRONMENT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
EnvironmentName = Annotated[str, Field(pattern=ENVIRONMENT_NAME)]

SCHEMA = "schemas/project.schema.json"
"""Where editors find the schema; `toolkit init` writes it there."""

TEMPLATE = """\
# The environments of this project, and their storage accounts: in Azure, or folders that stand in for them.
# Paths are relative to this file. `toolkit env create NAME` adds an environment here; the first one becomes the
# default_environment, which commands mean when they are given no --env. Who writes one by hand takes {} away.

environments: {}
  # dev:
  #   kind: embedded                # a Dataverse organization on this machine
  #   folder: environments/dev      # holds organization.sqlite and record.json
  # prod:
  #   kind: dataverse               # a Dataverse organization over its Web API
  #   url: https://contoso.crm4.dynamics.com
  #   sign_in: {method: default}    # az login, a managed identity, environment variables, ...

# Where the file systems of a storage account lie. One that is not named here is the folder lakes/<account>, for
# embedded environments alone. Keys and signatures never stand in this file, only names of environment variables.
# accounts:
#   contososalesdev:
#     folder: lakes/contososalesdev
#   contososalesprod:
#     kind: adls                    # Azure Data Lake Storage Gen2
#     sign_in: {method: default}    # az login, a managed identity, environment variables, ...
"""


class MaskKeyEntry(Frozen):
    """Where the key of hashed columns is. The key itself never stands in a file."""

    variable: VariableName
    """The name of an environment variable."""


class _Entry(Frozen):
    """What an environment has, whatever its kind."""

    mask_key: MaskKeyEntry | None = None
    """The key of hashed columns; needed only where a config hashes one."""
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many requests all links of the environment together may make in a minute; None: no limit."""
    signers: tuple[PublicKey, ...] = ()
    """Who may sign what is imported here, as public keys; where there are any, nothing else is imported."""
    limits: Limits = Limits()
    """How much of what it exports one import may change."""


class EmbeddedEntry(_Entry):
    """An environment on this machine: its folder holds the organization and the environment's record."""

    kind: Literal["embedded"] = "embedded"
    folder: Annotated[str, Field(min_length=1)]


def _address(url: str) -> str:
    Address.parse(url)
    return url


class DataverseEntry(_Entry):
    """A Dataverse organization over its Web API. What the toolkit itself keeps of it lies in a folder."""

    kind: Literal["dataverse"]
    url: Annotated[str, AfterValidator(_address)]
    """Such as https://contoso.crm4.dynamics.com; plain http on loopback only."""
    state: Annotated[str, Field(min_length=1)] | None = None
    """The folder in which the environment's record lies; environments/NAME when it is not named."""
    sign_in: SignIn = SignIn()
    """Who changes the environment, and reads it unless engine_sign_in says otherwise."""
    engine_sign_in: SignIn | None = None
    """Who reads rows: an identity that needs no more than to read the linked entities."""
    mode: Registration = Registration.EFFECTIVE
    """What an import leaves in the organization: effective (the package with the overlay's values, since Dataverse has
    no other override), as-is, or link-only where the table of export configs is absent."""
    requests_per_day: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """How many requests all links of the environment together may make in 24 hours; None: no limit."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        for name, sign_in in (("sign_in", self.sign_in), ("engine_sign_in", self.engine_sign_in or self.sign_in)):
            if why := sign_in.unfit(self.address):
                message = f"{name}: {why}"
                raise ValueError(message)
        return self

    @property
    def address(self) -> Address:
        """The address of the organization."""
        return Address.parse(self.url)


class _AnyKind(BaseModel):
    kind: Literal["embedded", "dataverse"] = "embedded"


def _by_kind(data: Any) -> Any:  # noqa: ANN401 - any YAML
    """Read an entry as what its kind says, so that only what is wrong with that kind is told."""
    if not isinstance(data, dict):
        return EmbeddedEntry.model_validate(data) if not isinstance(data, _Entry) else data
    kind = _AnyKind.model_validate(data).kind
    return (EmbeddedEntry if kind == "embedded" else DataverseEntry).model_validate(data)


Entry = EmbeddedEntry | DataverseEntry


class ProjectFile(Frozen):
    """The content of ``toolkit.yaml``."""

    default_environment: EnvironmentName | None = None
    """The environment that a command means when it names none."""
    environments: Mapping[EnvironmentName, Annotated[Entry, BeforeValidator(_by_kind)]] = {}
    accounts: Mapping[StorageAccountName, Annotated[AccountEntry, BeforeValidator(account_by_kind)]] = {}
    """Where the file systems of a storage account lie. One that is not named here is the folder ``lakes/<account>`` for
    embedded environments, and refused for a Dataverse organization."""
    on_failure: OnFailure | None = None
    """Who is told when an entity begins to fail, and when it recovers."""
