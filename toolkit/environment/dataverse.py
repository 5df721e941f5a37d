"""A real organization behind the protocol: configuration over the Dataverse Web API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, repeat
from typing import TypeVar, assert_never

from pydantic import ValidationError

from toolkit.dataverse import configs, hosted, identity, jobs, solutions
from toolkit.dataverse.client import Client
from toolkit.dataverse.configs import ConfigText
from toolkit.dataverse.jobs import SystemJob
from toolkit.dataverse.solutions import Import, PublisherRow, SolutionRow
from toolkit.dataverse.tables import UNKNOWN
from toolkit.environment import refusals
from toolkit.environment.import_report import report_findings
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
from toolkit.environment.rows import config_rows, first_error, text_of
from toolkit.errors import Finding, Forbidden, NotFound, Partial, Place, Refused, Severity
from toolkit.model.config import ExportConfig
from toolkit.model.entity import Entity
from toolkit.model.environment import HostedLink, InstalledSolution, Inventory, Registration, StorageAccount
from toolkit.model.names import own_file_system
from toolkit.model.solution import CORE_SOLUTION, Package, Publisher, Solution
from toolkit.model.version import Version
from toolkit.organization import incoming
from toolkit.organization.import_rules import own_findings
from toolkit.organization.installation import managed_export, no_export, rows_left
from toolkit.organization.metadata import check_trackable, no_entity
from toolkit.organization.solutions import no_solution

_PAUSES = (0.5, 1.0, 2.0)
"""The first waits between two looks at a job, in seconds; then it is ``_PAUSE``."""
_PAUSE = 5.0
_LOOKS = 3000
"""How often a job is looked at: four hours. The platform itself gives an import up before."""
_GRACE = 10.0
"""How long the job of an answer that was lost may take to appear, in seconds."""
_WHOLE = 100

Known = TypeVar("Known")


class DataverseEnvironment:
    """An organization over the Web API. Safe to use from several threads.

    ``entities`` gives the definitions of entities: those of the source, which asks only for what changed. ``accounts``
    are the storage accounts that the project names: the platform does not know them. ``new_id`` makes the ids of import
    jobs, ``sleep`` waits between two looks at a job.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        entities: Callable[[], Mapping[str, Entity]],
        *,
        new_id: Callable[[], str],
        sleep: Callable[[float], None],
        accounts: Mapping[str, StorageAccount] | None = None,
        registration: Registration = Registration.AS_IS,
    ) -> None:
        self._name = name
        self._client = client
        self._entities = entities
        self._new_id = new_id
        self._sleep = sleep
        self._accounts = accounts or {}
        self._registration = registration

    @property
    def name(self) -> str:
        """The name that ``toolkit.yaml`` gives it."""
        return self._name

    def inventory(self) -> Inventory:
        """Read what the organization holds: in ten requests or so, whatever its size.

        Solutions come without their components, but for export configs: there are too many of them.
        """
        client = self._client
        caller = identity.who_am_i(client)
        texts = configs.configs(client) or []
        rows, notes = config_rows(texts)
        publishers = solutions.publishers(client)
        installed, unread = self._installed(publishers, [text.id for text in texts])
        foreign, unseen = self._hosted()
        organization = identity.organization(client)
        return Inventory(
            organization=organization,
            administrator=identity.is_administrator(client, caller.user),
            accounts=self._accounts,
            publishers=_by_name(publishers),
            solutions=installed,
            configs=rows,
            entities=self._entities(),
            change_tracking_expiry_days=identity.change_tracking_expiry(client),
            own_file_system=own_file_system(self._name, organization.unique_name),
            registration=self._registration,
            hosted=foreign,
            components_known=False,
            notes=(*notes, *unread, *unseen),
        )

    def _hosted(self) -> tuple[tuple[HostedLink, ...], tuple[Finding, ...]]:
        """Return the hosted links, and a finding (ENV026) where the identity may not read them."""
        try:
            return hosted.hosted_links(self._client), ()
        except Forbidden as error:
            what = "whether Microsoft's own exporter is at work cannot be read"
            fix = "let the identity read the table synapselinkprofile, or look in the portal"
            return (), (Finding("ENV026", Severity.WARNING, what, Place(self._name), error.why, fix),)

    def _installed(
        self, publishers: list[PublisherRow], rows: list[str]
    ) -> tuple[dict[str, InstalledSolution], list[Finding]]:
        """Return the solutions by name, and a finding for each whose row breaks the rules of solutions."""
        names = {row.id: row.name for row in publishers}
        held = solutions.holders(self._client, rows)
        installed, unread = {}, []
        for row in solutions.solutions(self._client):
            try:
                installed[row.name] = _installed(row, names, tuple(held.get(row.id, ())))
            except ValueError as error:
                unread.append(_unread(row, error))
        return installed, unread

    # --- import -----------------------------------------------------------------------------------------------------

    def import_solution(self, archive: bytes, mode: ImportMode) -> Iterator[Progress]:
        """Import a solution zip as one job of the platform, and yield how far it is.

        The zip is read and the privileges are asked for first, then the platform checks it (``StageSolution``); what
        any of them finds is raised before anything is changed. An answer that is lost is not taken for a failure: the
        job is found by the id that we gave it. Stopping to iterate does not stop the job.

        Raises Invalid for what is no solution zip, Refused with every reason, Partial (ENV022) for a job without end.
        """
        package = incoming.read(archive)
        solution = package.bundle.solution
        _refuse(tuple(own_findings(package)))
        self._require(identity.IMPORT_PRIVILEGES, "import")
        yield Progress("the environment checks the package", 0, _WHOLE)
        with _told(solution.unique_name):
            staged = solutions.stage(self._client, archive, solution.unique_name)
        _refuse(staged.findings)
        # An unmanaged solution never removes anything, so that there is nothing to upgrade.
        upgrade = mode is ImportMode.UPGRADE and solution.package is Package.MANAGED
        wanted = Import(self._new_id(), archive, staged.upload, upgrade=upgrade, holding=mode is ImportMode.STAGE)
        with _told(solution.unique_name):
            system = solutions.begin_import(self._client, wanted, lambda: self._sleep(_GRACE))
        yield from self._watched(wanted.job, system, solution)

    def _watched(self, job: str, system: str | None, solution: Solution) -> Iterator[Progress]:
        """Yield how far an import is until it has ended. Raises Refused with what its report says."""
        name = f"{solution.unique_name} {solution.version}"
        for pause in self._pauses(name):
            looked = jobs.import_job(self._client, job)
            ended = jobs.system_job(self._client, system).ended if system else looked is not None and looked.ended
            if ended:
                break
            yield Progress(f"importing {name}", 0 if looked is None else min(int(looked.progress), _WHOLE - 1), _WHOLE)
            self._sleep(pause)
        self._outcome(job, system, solution.unique_name)
        yield Progress(f"imported {name}", _WHOLE, _WHOLE)

    def _pauses(self, what: str) -> Iterator[float]:
        yield from chain(_PAUSES, repeat(_PAUSE, _LOOKS))
        why, fix = "the platform still works on it", "look at the history of solutions, then run the command again"
        raise Partial("ENV022", f"{what} has not ended", where=self._name, why=why, fix=fix)

    def _outcome(self, job: str, system: str | None, name: str) -> None:
        """Raise Refused where an import that has ended went wrong; its report is the judge, then its system job."""
        imported = jobs.import_job(self._client, job, report=True)
        findings = report_findings(imported.report, name) if imported else ()
        _refuse(findings)
        said = jobs.system_job(self._client, system) if system else None
        if said is not None and not said.succeeded and (imported is None or imported.progress < _WHOLE):
            raise _failed(said, f"the import of {name}")

    def _require(self, needed: Collection[str], what: str) -> None:
        """Raise Refused (ENV020) with every privilege that is needed and missing.

        Who may not read privileges is not stopped: the platform itself refuses what is not allowed.
        """
        user = identity.who_am_i(self._client).user
        try:
            missing = identity.missing_privileges(self._client, user, needed)
        except Forbidden:
            return
        _refuse(
            tuple(
                Finding(
                    "ENV020",
                    Severity.ERROR,
                    f"the identity lacks the privilege {name}",
                    Place(self._name),
                    f"{what} needs it; the user is {user}",
                    "give the application user a security role that has it, such as System Customizer",
                )
                for name in missing
            )
        )

    # --- export and uninstall ---------------------------------------------------------------------------------------

    def export_solution(self, name: str, *, managed: bool) -> bytes:
        """Return the zip of an unmanaged solution. Raises NotFound (0x80048037) or Refused (0x80048036)."""
        known = {row.name: row for row in solutions.solutions(self._client)}
        found = _named(name, known)
        if found is None:
            raise no_export(name, known)
        if found.managed:
            raise managed_export(found.name)
        try:
            with _told(found.name):
                system, export = solutions.begin_export(self._client, found.name, managed=managed)
        except NotFound as error:
            if error.code != UNKNOWN:
                raise
            return solutions.export_at_once(self._client, found.name, managed=managed)
        self._succeeded(system, f"the export of {found.name}")
        return solutions.exported(self._client, export)

    def _succeeded(self, system: str, what: str) -> None:
        """Wait for the end of a system job. Raises Refused where it went wrong."""
        pauses = self._pauses(what)
        while not (said := jobs.system_job(self._client, system)).ended:
            self._sleep(next(pauses))
        if not said.succeeded:
            raise _failed(said, what)

    def uninstall(self, name: str) -> None:
        """Delete a solution. Raises NotFound (ORG050), or Refused where others need it (0x8004f01d).

        Where only links are made there is nothing to delete.
        """
        if self._registration is Registration.LINK_ONLY:
            return
        known = {row.name: row for row in solutions.solutions(self._client)}
        found = _named(name, known)
        if found is None:
            raise no_solution(name, known)
        if found.name.casefold() == CORE_SOLUTION.casefold():
            self._refuse_rows()
        with _told(found.name):
            solutions.delete_solution(self._client, found.id)

    def _refuse_rows(self) -> None:
        """Raise Refused (ORG052) where rows of no solution would go; those of one are kept by the platform itself."""
        texts = configs.configs(self._client) or []
        if texts and not solutions.holders(self._client, [text.id for text in texts]):
            raise rows_left([text.name for text in texts])

    # --- by hand ----------------------------------------------------------------------------------------------------

    def write(self, change: Write) -> None:
        """Do one step by hand. Raises NotFound or Refused; what is refused is refused before anything is sent."""
        match change:
            case CreatePublisher(publisher=publisher):
                self._create_publisher(publisher)
            case CreateSolution(solution=solution):
                self._create_solution(solution)
            case AddConfig(solution=name, config=config):
                self._add_config(name, config)
            case PutConfig(config=row):
                self._put_config(row)
            case DeleteConfig(config=config):
                self._delete_config(config)
            case TrackEntity(entity=entity):
                self._track(entity)
            case Publish():
                solutions.publish(self._client)
            case _:
                assert_never(change)

    def _create_publisher(self, publisher: Publisher) -> None:
        known = _by_name(solutions.publishers(self._client))
        if (taken := _named(publisher.unique_name, known)) is not None:
            raise refusals.publisher_taken(taken)
        with _told(publisher.unique_name):
            solutions.create_publisher(self._client, publisher)

    def _create_solution(self, solution: Solution) -> None:
        publishers = solutions.publishers(self._client)
        names = {row.name: row for row in solutions.solutions(self._client)}
        taken = _named(solution.unique_name, names) is not None
        publisher = refusals.new_solution(solution, _by_name(publishers), taken=taken)
        key = next(row.id for row in publishers if row.publisher == publisher)
        with _told(solution.unique_name):
            solutions.create_solution(self._client, solution, key)

    def _add_config(self, name: str, config: str) -> None:
        known = {row.name: row for row in solutions.solutions(self._client)}
        found = _named(name, known)
        if found is None:
            raise no_solution(name, known)
        if found.managed:
            raise refusals.protected(refusals.UPDATE_OF_MANAGED, "update", "solution", found.name)
        row = self._row(config)
        kind = solutions.component_type(self._client, configs.TABLE)
        if kind is None:
            raise refusals.no_core()
        with _told(found.name):
            solutions.add_component(self._client, found.name, row.id, kind)

    def _put_config(self, config: ExportConfig) -> None:
        before = next((text for text in self._texts() if text.id == config.id), None)
        if before is None:
            configs.create_config(self._client, text_of(config, None))
        elif before.managed:
            # A row that a solution brought is changed by the solution alone: a patch would lie over it for good.
            raise refusals.protected(refusals.UPDATE_OF_MANAGED, "update", "export config", before.name)
        else:
            configs.replace_config(self._client, text_of(config, before))

    def _delete_config(self, config: str) -> None:
        row = self._row(config)
        if row.managed:
            raise refusals.protected(refusals.DELETE_OF_MANAGED, "delete", "export config", row.name)
        configs.delete_config(self._client, row.id)

    def _track(self, entity: str) -> None:
        known = self._entities()
        if entity not in known:
            raise no_entity(entity, known)
        check_trackable(known[entity])
        if known[entity].change_tracking:
            return
        self._require(identity.TRACK_PRIVILEGES, "a change of a table's definition")
        with _told(entity):
            solutions.enable_tracking(self._client, entity)

    def _texts(self) -> list[ConfigText]:
        """Return the config rows. Raises Refused (ENV005) where their table is not there."""
        if (texts := configs.configs(self._client)) is None:
            raise refusals.no_core()
        return texts

    def _row(self, config: str) -> ConfigText:
        texts = self._texts()
        found = next((text for text in texts if text.id == config.lower()), None)
        if found is None:
            raise refusals.no_config(config, config_rows(texts)[0])
        return found


def _by_name(publishers: list[PublisherRow]) -> dict[str, Publisher]:
    return {row.name: row.publisher for row in publishers if row.publisher is not None}


def _unread(row: SolutionRow, error: ValueError) -> Finding:
    what = f"the solution {row.name!r} {row.version} of the environment cannot be understood"
    why = first_error(error) if isinstance(error, ValidationError) else str(error)
    return Finding("ENV025", Severity.NOTE, what, Place(row.name), why, "nothing, unless a bundle needs it")


def _installed(row: SolutionRow, publishers: Mapping[str, str], held: tuple[str, ...]) -> InstalledSolution:
    return InstalledSolution(
        unique_name=row.name,
        version=Version(row.version),
        package=row.package,
        publisher=publishers.get(row.publisher, ""),
        display_name=row.display_name,
        configs=held,
        requires=(CORE_SOLUTION,) if held else (),
    )


def _named(name: str, known: Mapping[str, Known]) -> Known | None:
    """Return what has a unique name, in any case; None where nothing has it."""
    return next((found for key, found in known.items() if key.casefold() == name.casefold()), None)


def _failed(said: SystemJob, what: str) -> Refused:
    why = said.message or "the platform does not say why"
    return Refused(solutions.code_of(said.error_code), f"{what} failed", where=what, why=why, fix="mend what it names")


def _refuse(findings: tuple[Finding, ...]) -> None:
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Refused.of(findings)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Let a refusal with a code of Dataverse say what it is about, in Dataverse's own words."""
    try:
        yield
    except (Refused, NotFound) as error:
        if not error.code.startswith("0x") or len(error.findings) > 1 or not error.why:
            raise
        what, why = error.why, "Dataverse refused it"
        raise type(error)(error.code, what, where=where, why=why, fix=error.fix or "mend what it names") from error
