"""Export, staging, import and upgrade of solutions, at once or by a job that goes on after its answer.

Sources: Microsoft's pages of each action, and of ``asyncoperation`` and ``importjob``. A package is imported in one
write of the organization's file, so that a job is at 0, 50 or 100 percent.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from toolkit.errors import Finding, ToolkitError
from toolkit.model.names import GUID
from toolkit.model.solution import MissingDependency
from toolkit.organization import importing, incoming, installation, jobs, operations, solutions
from toolkit.organization.database import Connection
from toolkit.organization.import_rules import import_findings, missing_components, no_component
from toolkit.organization.importing import Manner
from toolkit.organization.incoming import Incoming
from toolkit.organization.jobs import ImportJob
from toolkit.organization.operations import Kind, PackageKind, SystemJob
from toolkit.server.call import BAD_PAYLOAD, Answer, Call, ODataError, bad_request, not_supported
from toolkit.server.query.parameters import required
from toolkit.server.route import Route
from toolkit.server.system.ids import Ids
from toolkit.server.world import World

_NO_ID = "00000000-0000-0000-0000-000000000000"
_UNEXPECTED = ToolkitError(operations.INTERRUPTED, "An unexpected error occurred.")


# --- packages in and out ----------------------------------------------------------------------------------------------


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise bad_request("CustomizationFile is a text in base64", BAD_PAYLOAD)
    try:
        return b64decode(text, validate=True)
    except (NoBase64, ValueError) as error:
        raise bad_request("CustomizationFile is no base64", BAD_PAYLOAD) from error


def _uploaded(connection: Connection, key: str) -> bytes:
    found = operations.package(connection, key, PackageKind.UPLOAD)
    if found is None:
        raise ODataError(404, "0x80040217", f"stagesolutionupload With Id = {key} Does Not Exist")
    return found


def export_now(world: World, call: Call) -> Answer:
    """Return a solution as a zip in base64."""
    name, managed = _export(call)
    with world.read() as connection:
        data = installation.export(connection, name, managed=managed)
    return _told(call, "ExportSolutionResponse", {"ExportSolutionFile": b64encode(data).decode()})


def export_later(world: World, call: Call) -> Answer:
    """Begin to export a solution; the zip is fetched by the id of the export when the job has ended."""
    name, managed = _export(call)
    export = world.new_id()
    job = SystemJob(id=world.new_id(), kind=Kind.EXPORT, name=f"Export {name}", created=world.clock())

    def work() -> None:
        with world.write() as connection:
            data = installation.export(connection, name, managed=managed)
            operations.put_package(connection, export, PackageKind.EXPORT, data)

    with world.write() as connection:
        operations.put(connection, job)
    _begin(world, job, work)
    return _told(call, "ExportSolutionAsyncResponse", {"AsyncOperationId": job.id, "ExportJobId": export})


def _export(call: Call) -> tuple[str, bool]:
    body = call.object()
    return str(required(body, "SolutionName")), body.get("Managed") is True


def download(world: World, call: Call) -> Answer:
    """Return the zip of an export whose job has ended."""
    key = str(required(call.object(), "ExportJobId"))
    with world.read() as connection:
        data = operations.package(connection, key, PackageKind.EXPORT)
    if data is None:
        raise ODataError(404, "0x80040217", f"there is no export {key}, or its job has not ended well")
    return _told(call, "DownloadSolutionExportDataResponse", {"ExportSolutionFile": b64encode(data).decode()})


# --- staging ----------------------------------------------------------------------------------------------------------


def stage(world: World, call: Call) -> Answer:
    """Check a package without importing it, and keep it for an import that names it."""
    data = _decoded(required(call.object(), "CustomizationFile"))
    package = incoming.read(data)
    with world.write() as connection:
        around = installation.holdings(connection)
        missing = tuple(missing_components(package, around))
        told_so = {no_component(each, package.bundle.solution.unique_name) for each in missing}
        findings = [each for each in import_findings(package, around) if each not in told_so]
        passed = not findings and not missing
        upload = world.new_id() if passed else _NO_ID
        if passed:
            operations.put_package(connection, upload, PackageKind.UPLOAD, data)
    results = {
        "StageSolutionUploadId": upload,
        "StageSolutionStatus": "Passed" if passed else "Failed",
        "SolutionValidationResults": [_validation(each) for each in findings],
        "MissingDependencies": [_missing(each) for each in missing],
        "SolutionComponentsDetails": [],
        "SolutionDetails": _details(package),
    }
    return _told(call, "StageSolutionResponse", {"StageSolutionResults": results})


def _validation(finding: Finding) -> dict[str, object]:
    return {
        "SolutionValidationResultType": "Error",
        "Message": finding.what,
        "ErrorCode": operations.number(finding.code),
        "AdditionalInfo": finding.why,
    }


def _missing(dependency: MissingDependency) -> dict[str, object]:
    required_, dependent = dependency.required, dependency.dependent
    return {
        "RequiredComponentSchemaName": required_.get("schemaName"),
        "RequiredComponentDisplayName": required_.get("displayName"),
        "RequiredComponentId": required_.get("id", "").strip("{}") or None,
        "RequiredComponentType": required_.get("type"),
        "RequiredSolutionName": required_.get("solution"),
        "DependentComponentSchemaName": dependent.get("schemaName"),
        "DependentComponentDisplayName": dependent.get("displayName"),
        "DependentComponentType": dependent.get("type"),
    }


def _details(package: Incoming) -> dict[str, object]:
    solution = package.bundle.solution
    return {
        "SolutionUniqueName": solution.unique_name,
        "SolutionFriendlyName": next(iter(solution.display_names.values()), solution.unique_name),
        "SolutionVersion": str(solution.version),
        "SolutionPublisherUniqueName": solution.publisher.unique_name,
    }


# --- import -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Import:
    """An import that a call asks for; ``upload`` names the package where it was staged."""

    job: ImportJob
    archive: bytes
    manner: Manner
    overwrite: bool
    upload: str | None

    @classmethod
    def begun(cls, world: World, call: Call, manner: Manner | None) -> _Import:
        """Read a call and record its job, within one write. Raises ODataError, or Refused for a job that is there."""
        body = call.object()
        if body.get("ComponentParameters"):
            raise not_supported("ComponentParameters of an import")
        upload = _upload(body)
        key = _job_id(body) or world.new_id()
        job = ImportJob(id=key, started=world.clock())
        with world.write() as connection:
            archive = _uploaded(connection, upload) if upload else _decoded(required(body, "CustomizationFile"))
            importing.begin(connection, job)
        held = Manner.HOLD if body.get("HoldingSolution") is True else Manner.UPDATE
        # Not asked for, Dataverse leaves what was customized by hand on top.
        overwrite = body.get("OverwriteUnmanagedCustomizations") is True
        return cls(job, archive, manner or held, overwrite, upload)

    def run(self, world: World) -> None:
        """Import the package. Raises what forbids it; the job says so too."""
        steps = importing.run(
            world.database, self.job, self.archive, self.manner, world.clock, overwrite=self.overwrite
        )
        for _ in steps:
            pass
        if self.upload:
            with world.write() as connection:
                operations.drop_package(connection, self.upload)


def _job_id(body: Mapping[str, Any]) -> str | None:
    given = body.get("ImportJobId")
    if given and re.fullmatch(GUID, str(given)) is None:
        raise bad_request("ImportJobId needs a GUID")
    return str(given).lower() if given else None


def _upload(body: Mapping[str, Any]) -> str | None:
    parameters = body.get("SolutionParameters")
    given = parameters.get("StageSolutionUploadId") if isinstance(parameters, Mapping) else None
    return str(given) if given and given != _NO_ID else None


def import_now(world: World, call: Call) -> Answer:
    """Import a package, and answer when that is done."""
    _Import.begun(world, call, None).run(world)
    return Answer.none()


def upgrade_now(world: World, call: Call) -> Answer:
    """Import a package in the place of what is installed, and answer when that is done."""
    wanted = _Import.begun(world, call, Manner.UPGRADE)
    wanted.run(world)
    with world.read() as connection:
        done = jobs.find(connection, wanted.job.id)
        key = Ids(connection).solution((done and done.solution) or "")
    return _told(call, "StageAndUpgradeResponse", {"SolutionId": key})


def import_later(world: World, call: Call) -> Answer:
    """Begin to import a package; the import job and a system job say how far it is."""
    return _later(world, call, None, "ImportSolutionAsyncResponse")


def upgrade_later(world: World, call: Call) -> Answer:
    """Begin to import a package in the place of what is installed."""
    return _later(world, call, Manner.UPGRADE, "StageAndUpgradeAsyncResponse")


def _later(world: World, call: Call, manner: Manner | None, kind: str) -> Answer:
    with world.write() as connection:
        wanted = _Import.begun(world, call, manner)
        job = SystemJob(id=world.new_id(), kind=Kind.IMPORT, name="Import Solution", created=world.clock())
        operations.put(connection, job)
    _begin(world, job, lambda: wanted.run(world))
    return _told(call, kind, {"ImportJobKey": wanted.job.id, "AsyncOperationId": job.id})


def promote(world: World, call: Call) -> Answer:
    """Let an imported holding solution take the place of the installed version."""
    name = str(required(call.object(), "UniqueName"))
    with world.write() as connection:
        installation.promote(connection, name)
        key = Ids(connection).solution(solutions.solution(connection, name).name)
    return _told(call, "DeleteAndPromoteResponse", {"SolutionId": key})


def _begin(world: World, job: SystemJob, work: Callable[[], None]) -> None:
    """Work in the background; however the work ends, the job says so."""

    def run() -> None:
        begun = job.begun(world.clock())
        _record(world, begun)
        with ExitStack() as undo:
            undo.callback(_record, world, begun.failed(world.clock(), _UNEXPECTED))
            try:
                work()
                ended = begun.succeeded(world.clock())
            except ToolkitError as error:
                ended = begun.failed(world.clock(), error)
            undo.pop_all()
        _record(world, ended)

    world.background.start(f"job {job.id}", run)


def _record(world: World, job: SystemJob) -> None:
    with world.write() as connection:
        operations.put(connection, job)


# --- publishing -----------------------------------------------------------------------------------------------------


def publish(_world: World, _call: Call) -> Answer:
    """Publish: here everything takes effect at once."""
    return Answer.none()


def _told(call: Call, kind: str, told: dict[str, object]) -> Answer:
    return Answer.json({"@odata.context": f"{call.base}$metadata#Microsoft.Dynamics.CRM.{kind}", **told})


_AREA = "Solutions"


def _routes() -> Iterator[Route]:
    for name, handler, what in (
        ("ExportSolution", export_now, "an unmanaged solution as a zip"),
        ("ExportSolutionAsync", export_later, "the same by a job"),
        ("DownloadSolutionExportData", download, "the zip of such a job"),
        ("StageSolution", stage, "check a package and keep it for an import"),
        ("ImportSolution", import_now, "import a package; `HoldingSolution` lets it wait beside the installed version"),
        (
            "ImportSolutionAsync",
            import_later,
            "the same by a job; `StageSolutionUploadId` names a package that was staged",
        ),
        ("StageAndUpgrade", upgrade_now, "import a package in the place of the installed version"),
        ("StageAndUpgradeAsync", upgrade_later, "the same by a job"),
        ("DeleteAndPromote", promote, "let the version that waits take the place of the installed one"),
        ("PublishAllXml", publish, "publish all; everything takes effect at once anyway"),
        ("PublishXml", publish, "publish some"),
    ):
        yield Route("POST", name, handler, _AREA, what)


ROUTES: tuple[Route, ...] = tuple(_routes())
