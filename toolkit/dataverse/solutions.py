"""Solutions and publishers over the Web API: what is there, and the actions that stage, import, export and delete."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from toolkit.dataverse.answer import Answer
from toolkit.dataverse.client import Client, not_done
from toolkit.dataverse.jobs import import_job
from toolkit.dataverse.publisher_rows import (
    ADDRESS_COLUMNS,
    PUBLISHER_COLUMNS,
    base_text,
    publisher_of,
    publisher_row,
)
from toolkit.dataverse.tables import Row, once, quoted, rows, selected
from toolkit.errors import Finding, Place, Severity, ToolkitError
from toolkit.model.solution import SYSTEM_SOLUTIONS, Package, Publisher, Solution

MISSING_DEPENDENCY = "0x8004801d"
STAGE_FAILED = "0x80048033"
"""Dataverse's general code of a failed import."""

DUPLICATE = frozenset({"0x80040237", "0x80060892"})
"""Dataverse's codes for an id that is there already."""


@dataclass(frozen=True, slots=True)
class PublisherRow:
    """A publisher and its id. Of names in several languages the table tells that of the user.

    ``publisher`` is None for one of the platform's own, which need not keep the rules: it may have no prefix.
    """

    id: str
    name: str
    publisher: Publisher | None


@dataclass(frozen=True, slots=True)
class SolutionRow:
    """A solution and its id, with the id of its publisher."""

    id: str
    name: str
    display_name: str
    version: str
    managed: bool
    publisher: str

    @property
    def package(self) -> Package:
        """Managed or unmanaged, as a package says it."""
        return Package.MANAGED if self.managed else Package.UNMANAGED


def publishers(client: Client) -> list[PublisherRow]:
    """Return all publishers, the platform's own among them."""
    columns = ["publisherid", "uniquename", "friendlyname", "description", *PUBLISHER_COLUMNS.values()]
    columns += [f"address{number}_{column}" for number in (1, 2) for column in ADDRESS_COLUMNS.values()]
    found = rows(client, selected("publishers", ",".join(columns)))
    return [PublisherRow(row["publisherid"].lower(), row["uniquename"], _publisher(row)) for row in found]


def _publisher(row: Row) -> Publisher | None:
    try:
        return publisher_of(row)
    except ValidationError:
        return None


def create_publisher(client: Client, publisher: Publisher) -> None:
    """Create a publisher: with its names in the base language, or in the first one that it has."""
    there = selected("publishers", "publisherid", where=f"uniquename eq {quoted(publisher.unique_name)}")
    client.send("POST", "publishers", publisher_row(publisher), done=once(client, there))


def solutions(client: Client) -> list[SolutionRow]:
    """Return the solutions that somebody made or imported, without those that every organization has."""
    columns = "solutionid,uniquename,friendlyname,version,ismanaged,_publisherid_value"
    found = rows(client, selected("solutions", columns, where="isvisible eq true", order="uniquename"))
    return [_solution(row) for row in found if row["uniquename"].casefold() not in SYSTEM_SOLUTIONS]


def _solution(row: Row) -> SolutionRow:
    return SolutionRow(
        id=row["solutionid"].lower(),
        name=row["uniquename"],
        display_name=row["friendlyname"] or "",
        version=row["version"],
        managed=row["ismanaged"],
        publisher=row["_publisherid_value"].lower(),
    )


def create_solution(client: Client, solution: Solution, publisher: str) -> None:
    """Create an unmanaged solution of the publisher with an id."""
    body = {
        "uniquename": solution.unique_name,
        "friendlyname": base_text(solution.display_names) or solution.unique_name,
        "description": base_text(solution.descriptions),
        "version": str(solution.version),
        "publisherid@odata.bind": f"/publishers({publisher})",
    }
    there = selected("solutions", "solutionid", where=f"uniquename eq {quoted(solution.unique_name)}")
    client.send("POST", "solutions", body, done=once(client, there))


def holders(client: Client, objects: Iterable[str]) -> Mapping[str, list[str]]:
    """Return, by the id of a solution, which of some components it holds, in the order in which they came to it."""
    asked = " or ".join(f"objectid eq {key}" for key in objects)
    if not asked:
        return {}
    columns = "objectid,_solutionid_value"
    found = rows(client, selected("solutioncomponents", columns, where=asked, order="createdon"))
    held: dict[str, list[str]] = {}
    for row in found:
        held.setdefault(row["_solutionid_value"].lower(), []).append(row["objectid"].lower())
    return held


def add_component(client: Client, solution: str, component: str, kind: int) -> None:
    """Make a component part of an unmanaged solution; nothing happens where it is one already."""
    body = {
        "ComponentId": component,
        "ComponentType": kind,
        "SolutionUniqueName": solution,
        "AddRequiredComponents": False,
    }
    client.send("POST", "AddSolutionComponent", body, done=not_done)


def component_type(client: Client, table: str) -> int | None:
    """Return the number of components of a table: it differs between organizations. None where there is none."""
    where = f"primaryentityname eq {quoted(table)}"
    found = rows(client, selected("solutioncomponentdefinitions", "solutioncomponenttype", where=where))
    return int(found[0]["solutioncomponenttype"]) if found else None


# --- staging --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Staged:
    """What the platform says of a package before it is imported; ``upload`` names what was sent, for the import."""

    upload: str | None
    findings: tuple[Finding, ...]


def stage(client: Client, archive: bytes, where: str) -> Staged:
    """Send a package and let the platform check it; nothing is imported."""
    found = client.send(
        "POST", "StageSolution", {"CustomizationFile": b64encode(archive).decode()}, done=not_done
    ).json()
    results = found["StageSolutionResults"]
    return Staged(results.get("StageSolutionUploadId"), tuple(_staged(results, where)))


def _staged(results: Row, where: str) -> Iterator[Finding]:
    validated = list(_validated(results.get("SolutionValidationResults") or (), where))
    missing = list(_missing(results.get("MissingDependencies") or (), where))
    yield from (*validated, *missing)
    if results.get("StageSolutionStatus") == "Failed" and not (validated or missing):
        why = "the platform checked the package and gave no reason"
        yield Finding(STAGE_FAILED, Severity.ERROR, "the package was not accepted", Place(where), why, _FIX)


_FIX = "mend what the message names, then import again"


def _validated(results: Iterable[Row], where: str) -> Iterator[Finding]:
    for result in results:
        severity = Severity.ERROR if result.get("SolutionValidationResultType") == "Error" else Severity.WARNING
        what = result.get("Message") or "the platform found something in the package and does not say what"
        why = result.get("AdditionalInfo") or "the platform checked the package before the import"
        yield Finding(code_of(result.get("ErrorCode")), severity, what, Place(where), why, _FIX)


def _missing(dependencies: Iterable[Row], where: str) -> Iterator[Finding]:
    found: dict[str, Finding] = {}
    for dependency in dependencies:
        name = dependency.get("RequiredComponentDisplayName") or dependency.get("RequiredComponentSchemaName")
        kind = dependency.get("RequiredComponentType") or "unknown"
        what = (
            f"The following solution cannot be imported: {where}. "
            f"The component {name or dependency.get('RequiredComponentId')} of type {kind} is missing."
        )
        owner = dependency.get("RequiredSolutionName")
        fix = f"import {owner} first" if owner else "import the solution that has the component first"
        why = "the solution was built on it"
        found.setdefault(what, Finding(MISSING_DEPENDENCY, Severity.ERROR, what, Place(where), why, fix))
    yield from found.values()


def code_of(value: object) -> str:
    """Return a code of Dataverse in its hexadecimal form; it comes as such a text, or as a signed number."""
    try:
        number = int(str(value or "").strip(), 0)
    except ValueError:
        return STAGE_FAILED
    return f"0x{number & 0xFFFFFFFF:08x}" if number else STAGE_FAILED


# --- import, export, deletion ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Import:
    """An import to begin. ``job`` is an id that we choose: by it the job is found when the answer is lost.

    ``upload`` names the package that was staged, which is then not sent again; an upgrade cannot name it. A ``holding``
    import stands beside what is installed, and an ``upgrade`` takes its place.
    """

    job: str
    archive: bytes
    upload: str | None = None
    upgrade: bool = False
    holding: bool = False


def begin_import(client: Client, wanted: Import, again: Callable[[], None]) -> str | None:
    """Begin an import; return the id of the system job, or None where the answer that tells it was lost.

    It is never sent again blindly. When an answer is lost the job is looked for, ``again`` is called, which waits, and
    it is looked for once more. Then it is sent again under the same id, which no two jobs can have.
    """
    try:
        answer = client.send("POST", _action(wanted), _import_body(wanted), done=lambda: _began(client, wanted, again))
    except ToolkitError as error:
        if error.code not in DUPLICATE or import_job(client, wanted.job) is None:
            raise
        return None
    found: str | None = answer.json().get("AsyncOperationId")
    return found


def _action(wanted: Import) -> str:
    return "StageAndUpgradeAsync" if wanted.upgrade else "ImportSolutionAsync"


def _import_body(wanted: Import) -> dict[str, Any]:
    staged = wanted.upload is not None and not wanted.upgrade
    return {
        "OverwriteUnmanagedCustomizations": True,
        "PublishWorkflows": True,
        "ImportJobId": wanted.job,
        **({"HoldingSolution": True} if wanted.holding else {}),
        **({"SolutionParameters": {"StageSolutionUploadId": wanted.upload}} if staged else {}),
        **({} if staged else {"CustomizationFile": b64encode(wanted.archive).decode()}),
    }


def _began(client: Client, wanted: Import, again: Callable[[], None]) -> Answer | None:
    if import_job(client, wanted.job) is None:
        again()
        if import_job(client, wanted.job) is None:
            return None
    return Answer(200, {}, b"{}")


def begin_export(client: Client, name: str, *, managed: bool) -> tuple[str, str]:
    """Begin to export a solution; return the ids of the system job and of the export. A second one does no harm."""
    body = {"SolutionName": name, "Managed": managed}
    found = client.send("POST", "ExportSolutionAsync", body, done=not_done).json()
    return found["AsyncOperationId"], found["ExportJobId"]


def exported(client: Client, export: str) -> bytes:
    """Return the package of an export that has ended."""
    body = {"ExportJobId": export}
    found = client.send("POST", "DownloadSolutionExportData", body, done=not_done).json()
    return b64decode(found["ExportSolutionFile"])


def export_at_once(client: Client, name: str, *, managed: bool) -> bytes:
    """Export a solution in one request, for organizations that know no other way."""
    body = {"SolutionName": name, "Managed": managed}
    found = client.send("POST", "ExportSolution", body, done=not_done).json()
    return b64decode(found["ExportSolutionFile"])


def delete_solution(client: Client, key: str) -> None:
    """Delete the solution with an id."""
    client.send("DELETE", f"solutions({key})")


# --- publishing -----------------------------------------------------------------------------------------------------


def publish(client: Client) -> None:
    """Publish all customizations."""
    client.send("POST", "PublishAllXml", done=not_done)


def enable_tracking(client: Client, entity: str) -> None:
    """Enable change tracking of an entity, for good, and publish its definition.

    A definition is replaced as a whole, so it is read first; labels in languages that are not sent stay.
    """
    path = f"EntityDefinitions(LogicalName={quoted(entity)})"
    definition = dict(client.get(path, strong=True).json())
    definition["ChangeTrackingEnabled"] = True
    client.send("PUT", path, definition, headers={"MSCRM.MergeLabels": "true"})
    xml = f"<importexportxml><entities><entity>{entity}</entity></entities></importexportxml>"
    client.send("POST", "PublishXml", {"ParameterXml": xml}, done=not_done)
