"""An environment on this machine: an embedded organization behind the protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import assert_never

from toolkit.environment import by_hand
from toolkit.environment.protocol import (
    AddConfig,
    CreatePublisher,
    CreateSolution,
    DeleteConfig,
    ImportMode,
    Progress,
    Publish,
    PutConfig,
    TrackEntity,
    Write,
)
from toolkit.errors import Refused
from toolkit.files import place_new
from toolkit.model.environment import Inventory, Organization, StorageAccount
from toolkit.organization import (
    catalog,
    configs,
    definitions,
    importing,
    installation,
    jobs,
    metadata,
    schema,
    snapshots,
    solutions,
)
from toolkit.organization.catalog import Settings
from toolkit.organization.database import Connection, Database
from toolkit.organization.definition_file import Definitions
from toolkit.organization.importing import Manner
from toolkit.organization.jobs import ImportJob

_STEPS = 2
_MANNERS = {ImportMode.UPDATE: Manner.UPDATE, ImportMode.STAGE: Manner.HOLD, ImportMode.UPGRADE: Manner.UPGRADE}


class EmbeddedEnvironment:
    """An embedded organization. Safe to use from several threads and processes: one writes, the others wait."""

    def __init__(
        self, name: str, database: Database, *, clock: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        self._name = name
        self._database = database
        self._clock = clock
        self._new_id = new_id

    @property
    def name(self) -> str:
        """The name that ``toolkit.yaml`` gives it."""
        return self._name

    def inventory(self) -> Inventory:
        """Read what the organization holds, as of one moment."""
        with self._database.read() as connection:
            settings = catalog.settings(connection)
            return Inventory(
                organization=catalog.organization(connection),
                administrator=settings.administrator,
                accounts=catalog.accounts(connection),
                publishers=catalog.publishers(connection),
                solutions={name: found.installed for name, found in solutions.solutions(connection).items()},
                configs={key: held.row for key, held in configs.rows(connection).items()},
                entities=metadata.entities(connection),
                change_tracking_expiry_days=settings.change_tracking_expiry_days,
            )

    def import_solution(self, archive: bytes, mode: ImportMode) -> Iterator[Progress]:
        """Import a solution zip in one transaction. The import job is kept, whether it succeeds or fails.

        Raises Invalid for what is no solution zip, or Refused with every reason.
        """
        job = ImportJob(id=self._new_id(), started=self._clock())
        with self._database.write() as connection:
            importing.begin(connection, job)
        yield Progress("reading the package", 0, _STEPS)
        for step in importing.run(self._database, job, archive, _MANNERS[mode], self._clock):
            did, done = ("importing", 1) if step.ended is None else ("imported", _STEPS)
            yield Progress(f"{did} {step.solution} {step.version}", done, _STEPS)

    def export_solution(self, name: str, *, managed: bool) -> bytes:
        """Return the zip of an unmanaged solution. Raises NotFound (0x80048037) or Refused (0x80048036)."""
        with self._database.read() as connection:
            return installation.export(connection, name, managed=managed)

    def uninstall(self, name: str) -> None:
        """Delete a solution. Raises NotFound (ORG050), or Refused where others need it (0x8004f01d)."""
        with self._database.write() as connection:
            installation.uninstall(connection, name)

    def write(self, change: Write) -> None:
        """Do one step by hand. Raises NotFound or Refused; see ``toolkit.environment.by_hand``."""
        if isinstance(change, TrackEntity):
            metadata.track(self._database, change.entity)
            return
        with self._database.write() as connection:
            _write(connection, change)

    def show(self, accounts: Iterable[StorageAccount]) -> None:
        """Let the organization see storage accounts, or see them with other properties."""
        with self._database.write() as connection:
            for account in accounts:
                catalog.put_account(connection, account)

    def jobs(self) -> tuple[ImportJob, ...]:
        """Return the import jobs, oldest first."""
        with self._database.read() as connection:
            return jobs.jobs(connection)


def _write(
    connection: Connection, change: CreatePublisher | CreateSolution | AddConfig | PutConfig | DeleteConfig | Publish
) -> None:
    match change:
        case CreatePublisher(publisher=publisher):
            by_hand.create_publisher(connection, publisher)
        case CreateSolution(solution=solution):
            by_hand.create_solution(connection, solution)
        case AddConfig(solution=name, config=config):
            by_hand.add_config(connection, name, config)
        case PutConfig(config=row):
            by_hand.put_config(connection, row)
        case DeleteConfig(config=config):
            by_hand.delete_config(connection, config)
        case Publish():
            # Publishers, solutions and config rows take effect at once; only forms, sites and the like wait for it.
            pass
        case _:
            assert_never(change)


def create(
    path: Path,
    organization: Organization,
    *,
    accounts: Iterable[StorageAccount] = (),
    settings: Settings | None = None,
    entities: Definitions | None = None,
) -> Database:
    """Make an organization file with its default publisher and the standard entities, and open it.

    ``entities`` stand in for the standard ones. The file appears whole or not at all. Raises Refused (ENV001) where
    there is one already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        with schema.create(draft, organization) as database:
            definitions.define(database, entities or definitions.standard())
            with database.write() as connection:
                _fill(connection, organization, accounts, settings or Settings())
        try:
            place_new(draft, path)
        except FileExistsError as error:
            raise _exists(path) from error
    return Database(path)


def reset(database: Database) -> None:
    """Take an organization back to its beginning: its identity, accounts and settings stay, and the standard entities.

    Raises Locked (ORG073) while somebody else writes.
    """
    with database.read() as connection:
        organization, settings = catalog.organization(connection), catalog.settings(connection)
        accounts = catalog.accounts(connection).values()
    with tempfile.TemporaryDirectory(prefix=f".{database.path.name}-", dir=database.path.parent) as folder:
        draft = Path(folder) / database.path.name
        create(draft, organization, accounts=accounts, settings=settings).close()
        snapshots.restore_file(database, draft)


def _fill(
    connection: Connection, organization: Organization, accounts: Iterable[StorageAccount], settings: Settings
) -> None:
    catalog.put_settings(connection, settings)
    catalog.put_publisher(connection, catalog.default_publisher(organization))
    for account in accounts:
        catalog.put_account(connection, account)


def _exists(path: Path) -> Refused:
    return Refused(
        "ENV001",
        f"there is an organization at {path} already",
        where=str(path),
        fix="choose another folder (--folder PATH), or delete this one first",
    )
