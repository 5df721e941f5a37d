"""An environment of ``toolkit.yaml`` in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.budget import Allowance, Budget, CountedElsewhere
from toolkit.environment.embedded import EmbeddedEnvironment
from toolkit.environment.protocol import Environment
from toolkit.errors import Refused
from toolkit.lake.folder import FolderLake
from toolkit.model.environment import StorageAccount, unknown
from toolkit.organization import database
from toolkit.organization.database import Database
from toolkit.project.account import FolderEntry
from toolkit.project.file import DataverseEntry, EmbeddedEntry
from toolkit.project.lakes import Lakes
from toolkit.site import MaskKey, Site
from toolkit.source.embedded import EmbeddedSource
from toolkit.source.protocol import Source

if TYPE_CHECKING:
    from toolkit.dataverse.client import Client
    from toolkit.sign_in.method import SignIn

DATABASE = "organization.sqlite"
OVER_HTTP = 35_000
"""About how many rows a second come over the Web API at best. Measured over loopback: benchmarks/extraction.md."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What only an environment on this machine has."""

    environment: EmbeddedEnvironment
    database: Database


@dataclass(frozen=True, slots=True)
class Clients:
    """Who asks the Web API: for the environment, and for rows; one client where one identity does both."""

    environment: Client
    engine: Client


@dataclass(frozen=True, slots=True)
class Opened:
    """An environment in use: the site for everybody, the rest for what only one kind can do."""

    site: Site
    budget: Budget
    """The requests of all its links together."""
    on_this_machine: Embedded | None = None
    over_the_web: Clients | None = None

    @property
    def embedded(self) -> Embedded:
        """What only an embedded environment has. Raises Refused (PRJ040) for another one."""
        if self.on_this_machine is None:
            raise Refused(
                "PRJ040",
                f"{self.site.name} is a Dataverse organization, and this is for embedded environments",
                where=self.site.name,
                why="its tables and rows are changed in Dataverse itself",
                fix="name an embedded environment: toolkit env list",
            )
        return self.on_this_machine

    def allowance(self, per_minute: int | None = None) -> Allowance:
        """Return the budget as a run keeps to it, of ``per_minute`` requests unless that is None.

        A client of the Web API counts its requests itself; elsewhere the run does.
        """
        if per_minute is not None:
            self.budget.allow(per_minute)
        return self.budget if self.over_the_web is None else CountedElsewhere(self.budget)


@dataclass(frozen=True, slots=True)
class Injected:
    """What is injected into the work."""

    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Opening:
    """What it takes to open an environment of either kind."""

    name: str
    root: Path
    """The folder of toolkit.yaml."""
    state: Path
    """The folder of the environment's record."""
    lakes: Lakes
    injected: Injected

    @property
    def accounts(self) -> Mapping[str, StorageAccount]:
        """The accounts that toolkit.yaml names: a Dataverse organization does not know any.

        A folder can do all that is asked of an account; what one in Azure can do is asked when a plan is about it.
        """
        return {
            name: StorageAccount(name=name) if isinstance(entry, FolderEntry) else unknown(name)
            for name, entry in self.lakes.accounts.items()
        }

    def site(self, environment: Environment, source: Source, entry: EmbeddedEntry | DataverseEntry) -> Site:
        """Return the environment as everybody sees it."""
        key = MaskKey(entry.mask_key.variable if entry.mask_key else None)
        state = FolderLake(self.state)
        return Site(self.name, environment, source, state, self.lakes.open, key, self.lakes.look)


@contextmanager
def open_embedded(opening: Opening, entry: EmbeddedEntry) -> Iterator[Opened]:
    """Open an environment on this machine."""
    injected = opening.injected
    with database.at(opening.state / DATABASE) as organization:
        environment = EmbeddedEnvironment(opening.name, organization, clock=injected.clock, new_id=injected.new_id)
        site = opening.site(environment, EmbeddedSource(organization), entry)
        budget = Budget(entry.requests_per_minute, injected.clock)
        yield Opened(site, budget, on_this_machine=Embedded(environment, organization))


@contextmanager
def open_dataverse(opening: Opening, entry: DataverseEntry) -> Iterator[Opened]:
    """Open a Dataverse organization. Nothing is asked of it yet, not even a token."""
    # Imported here: what works on embedded environments alone needs no HTTP.
    from toolkit.environment.dataverse import DataverseEnvironment
    from toolkit.source.dataverse import DataverseSource

    injected = opening.injected
    budget = Budget(entry.requests_per_minute, injected.clock, entry.requests_per_day)
    with _clients(opening, entry, budget) as clients:
        source = DataverseSource(clients.engine, clock=injected.clock)
        environment = DataverseEnvironment(
            opening.name,
            clients.environment,
            source.entities,
            new_id=injected.new_id,
            sleep=injected.sleep,
            accounts=opening.accounts,
            registration=entry.mode,
        )
        site = replace(opening.site(environment, source, entry), rows_per_second=OVER_HTTP)
        yield Opened(site, budget, over_the_web=clients)


@contextmanager
def _clients(opening: Opening, entry: DataverseEntry, budget: Budget) -> Iterator[Clients]:
    from toolkit.dataverse.client import Client
    from toolkit.sign_in.credential import credential

    address, injected = entry.address, opening.injected

    def client(sign_in: SignIn) -> Client:
        who = credential(sign_in, address, folder=opening.root)
        return closing.enter_context(Client(address, who, clock=injected.clock, sleep=injected.sleep, budget=budget))

    with ExitStack() as closing:
        environment = client(entry.sign_in)
        yield Clients(environment, client(entry.engine_sign_in) if entry.engine_sign_in else environment)
