"""Export, staging, import and upgrade of solutions, at once and by jobs."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import count
from threading import current_thread
from time import sleep
from typing import Any

import httpx
import pytest

from tests.environment import packages
from tests.environment.packages import SALES, config, core, needs, package
from tests.organization.dump import dump
from tests.organization.samples import NOW, Clock, numbered
from tests.server.served import _Direct, ids
from toolkit.organization import incoming, installation, operations
from toolkit.organization.database import Database
from toolkit.organization.operations import Kind, SystemJob
from toolkit.server.app import app
from toolkit.server.background import Background
from toolkit.server.world import World

JOB = numbered(7)
LAKE = package(config(), package=1)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with database.write() as connection:
        installation.install(connection, incoming.read(core()), upgrade=False)
    served = World(database, Clock(), ids())
    yield served
    assert served.background.finish(30)


@pytest.fixture
def api(world: World) -> Iterator[httpx.Client]:
    base = "http://org.example/api/data/v9.2/"
    with httpx.Client(transport=_Direct(app(world)), base_url=base) as opened:
        yield opened


def zipped(data: bytes, **more: object) -> dict[str, Any]:
    return {"CustomizationFile": b64encode(data).decode(), "ImportJobId": JOB, **more}


@pytest.mark.parametrize("action", ["ImportSolution", "ImportSolutionAsync", "StageAndUpgrade"])
def test_an_import_whose_job_has_no_guid_is_refused(api: httpx.Client, action: str) -> None:
    answer = api.post(action, json=zipped(LAKE, SolutionParameters="x") | {"ImportJobId": "x"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "ImportJobId needs a GUID")
    assert api.get("importjobs").json()["value"] == []


def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


def ended(api: httpx.Client, job: str) -> dict[str, Any]:
    """Wait for a system job as a client does, and return its row."""
    for _ in range(3000):
        row = done(api.get(f"asyncoperations({job})?$select=statecode,statuscode,message,errorcode,completedon"))
        if row["statecode"] == 3:
            return row
        sleep(0.01)
    raise AssertionError("the job did not end")


def versions(api: httpx.Client) -> dict[str, str]:
    rows = done(api.get("solutions?$select=uniquename,version&$filter=isvisible eq true"))["value"]
    return {row["uniquename"]: row["version"] for row in rows if row["uniquename"] != "Default"}


def names(api: httpx.Client) -> list[str]:
    return [row["msdyn_name"] for row in done(api.get("msdyn_exporttodatalakeconfigs?$select=msdyn_name"))["value"]]


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# --- import -----------------------------------------------------------------------------------------------------------


def test_an_import_is_done_when_it_is_answered(api: httpx.Client) -> None:
    assert api.post("ImportSolution", json=zipped(LAKE)).status_code == 204
    assert versions(api) == {"ContosoLake": "1.0.0.0", "ExportToDataLakeCore": "1.0.0.0"}
    job = done(api.get(f"importjobs({JOB})?$select=solutionname,progress,data,completedon"))
    assert (job["solutionname"], job["progress"], job["completedon"]) == ("ContosoLake", 100.0, "2026-03-01T12:00:00Z")
    assert '<result result="success" errorcode="0" errortext=""' in job["data"]


def test_an_import_by_a_job_ends_as_both_jobs_say(api: httpx.Client) -> None:
    begun = done(api.post("ImportSolutionAsync", json=zipped(LAKE)))
    assert begun["ImportJobKey"] == JOB
    assert ended(api, begun["AsyncOperationId"])["statuscode"] == 30
    assert done(api.get(f"importjobs({JOB})?$select=progress"))["progress"] == 100.0
    assert names(api) == ["contososales"]


def test_an_import_that_is_refused_by_a_job_says_why(api: httpx.Client) -> None:
    done(api.post("ImportSolution", json=zipped(LAKE)))
    lower = package(config(), package=1, version="0.9")
    begun = done(api.post("ImportSolutionAsync", json={**zipped(lower), "ImportJobId": numbered(8)}))
    row = ended(api, begun["AsyncOperationId"])
    assert (row["statuscode"], row["errorcode"]) == (31, 0x80048541 - (1 << 32))
    assert row["message"].startswith("The import solution must have a higher version")
    report = done(api.get(f"importjobs({numbered(8)})?$select=data"))["data"]
    assert re.search(r'<result result="failure" errorcode="0x80048541"', report)


def test_an_import_that_is_refused_at_once_is_an_error_with_its_code(database: Database, api: httpx.Client) -> None:
    before = dump(database)
    assert error(api.post("ImportSolution", json=zipped(b"no zip"))) == (400, "0x80048060")
    assert dump(database) == before
    assert done(api.get(f"importjobs({JOB})?$select=progress"))["progress"] == 0


@pytest.mark.parametrize("action", ["ImportSolution", "ImportSolutionAsync", "StageAndUpgrade", "StageAndUpgradeAsync"])
def test_the_id_of_a_job_is_used_once(api: httpx.Client, action: str) -> None:
    done(api.post("ImportSolution", json=zipped(LAKE)))
    assert error(api.post(action, json=zipped(LAKE))) == (412, "0x80040237")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "0x80060888"),
        ({"CustomizationFile": "%"}, 400, "0x80048d19"),
        ({"CustomizationFile": 1}, 400, "0x80048d19"),
        ({"SolutionParameters": {"StageSolutionUploadId": numbered(5)}}, 404, "0x80040217"),
        ({"CustomizationFile": "", "ComponentParameters": [{}]}, 501, "SRV001"),
    ],
)
def test_a_body_that_names_no_package_is_refused(
    database: Database, api: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    before = dump(database, without=())
    assert error(api.post("ImportSolutionAsync", json=body)) == (status, code)
    assert dump(database, without=()) == before


@pytest.mark.parametrize(("overwrite", "shown"), [(True, "contososales"), (False, "byhand")])
def test_what_was_changed_by_hand_is_overwritten_where_that_is_asked(
    api: httpx.Client, *, overwrite: bool, shown: str
) -> None:
    by_hand = package(config("byhand"), unique_name="Hand")
    done(api.post("ImportSolution", json=zipped(by_hand)))
    body = {**zipped(LAKE, OverwriteUnmanagedCustomizations=overwrite), "ImportJobId": numbered(8)}
    done(api.post("ImportSolution", json=body))
    assert names(api) == [shown]


# --- staging and upgrades ---------------------------------------------------------------------------------------------


def test_a_staged_package_is_imported_by_its_upload(database: Database, api: httpx.Client) -> None:
    found = done(api.post("StageSolution", json=zipped(LAKE)))["StageSolutionResults"]
    assert (found["StageSolutionStatus"], found["SolutionValidationResults"]) == ("Passed", [])
    assert found["SolutionDetails"]["SolutionVersion"] == "1.0.0.0"
    body = {"SolutionParameters": {"StageSolutionUploadId": found["StageSolutionUploadId"]}}
    assert ended(api, done(api.post("ImportSolutionAsync", json=body))["AsyncOperationId"])["statuscode"] == 30
    assert names(api) == ["contososales"]
    with database.read() as connection:
        assert connection.execute("SELECT id FROM job_package") == []


def test_a_package_that_would_be_refused_is_not_kept(database: Database, api: httpx.Client) -> None:
    component = {"required": {"type": "1", "schemaName": "abc_thing", "displayName": "Thing"}}
    wrong = package(config(), package=1, missing_dependencies=[component, needs("Other")])
    before = dump(database, without=())
    found = done(api.post("StageSolution", json=zipped(wrong)))["StageSolutionResults"]
    assert found["StageSolutionStatus"] == "Failed"
    assert found["StageSolutionUploadId"] == "00000000-0000-0000-0000-000000000000"
    assert [each["ErrorCode"] for each in found["SolutionValidationResults"]] == [0x80048034 - (1 << 32)]
    (missing,) = found["MissingDependencies"]
    assert (missing["RequiredComponentSchemaName"], missing["RequiredComponentType"]) == ("abc_thing", "1")
    assert dump(database, without=()) == before


def test_a_holding_solution_waits_until_it_is_promoted(api: httpx.Client) -> None:
    done(api.post("ImportSolution", json=zipped(LAKE)))
    higher = package(config("renamed"), package=1, version="2.0")
    done(api.post("ImportSolution", json={**zipped(higher, HoldingSolution=True), "ImportJobId": numbered(8)}))
    assert (versions(api)["ContosoLake"], versions(api)["ContosoLake_Upgrade"]) == ("1.0.0.0", "2.0")
    promoted = done(api.post("DeleteAndPromote", json={"UniqueName": "ContosoLake"}))
    (row,) = done(api.get("solutions?$select=version&$filter=uniquename eq 'ContosoLake'"))["value"]
    assert (row["version"], row["solutionid"]) == ("2.0", promoted["SolutionId"])
    assert error(api.post("DeleteAndPromote", json={"UniqueName": "ContosoLake"})) == (404, "ORG056")


@pytest.mark.parametrize("action", ["StageAndUpgrade", "StageAndUpgradeAsync"])
def test_an_upgrade_removes_what_is_gone(api: httpx.Client, action: str) -> None:
    done(api.post("ImportSolution", json=zipped(package(config(), config("other", numbered(3)), package=1))))
    body = {**zipped(package(config(), package=1, version="2.0")), "ImportJobId": numbered(8)}
    found = done(api.post(action, json=body))
    if action.endswith("Async"):
        assert ended(api, found["AsyncOperationId"])["statuscode"] == 30
    else:
        assert done(api.get(f"solutions({found['SolutionId']})?$select=version"))["version"] == "2.0"
    assert names(api) == ["contososales"]


# --- export -----------------------------------------------------------------------------------------------------------


def test_a_solution_is_exported_at_once_and_by_a_job(api: httpx.Client) -> None:
    done(api.post("ImportSolution", json=zipped(package(config()))))
    wanted = {"SolutionName": "ContosoLake", "Managed": True}
    at_once = done(api.post("ExportSolution", json=wanted))["ExportSolutionFile"]
    begun = done(api.post("ExportSolutionAsync", json=wanted))
    assert ended(api, begun["AsyncOperationId"])["statuscode"] == 30
    by_job = done(api.post("DownloadSolutionExportData", json={"ExportJobId": begun["ExportJobId"]}))
    assert by_job["ExportSolutionFile"] == at_once
    bundle = packages.read(b64decode(at_once))
    assert (bundle.solution.package, [each.id for each in bundle.configs]) == (1, [SALES])


def test_an_export_that_fails_has_nothing_to_fetch(api: httpx.Client) -> None:
    assert error(api.post("ExportSolution", json={"SolutionName": "Nothing"})) == (404, "0x80048037")
    begun = done(api.post("ExportSolutionAsync", json={"SolutionName": "Nothing"}))
    assert ended(api, begun["AsyncOperationId"])["statuscode"] == 31
    fetch = api.post("DownloadSolutionExportData", json={"ExportJobId": begun["ExportJobId"]})
    assert error(fetch) == (404, "0x80040217")


# --- jobs and what is left --------------------------------------------------------------------------------------------


def test_a_job_of_a_server_that_died_has_failed(database: Database, api: httpx.Client) -> None:
    job = SystemJob(id=JOB, kind=Kind.IMPORT, name="Import Solution", created=NOW)
    with database.write() as connection:
        operations.put(connection, job.begun(NOW))
        assert operations.fail_open(connection, NOW) == 1
        assert operations.fail_open(connection, NOW) == 0
    row = ended(api, JOB)
    assert (row["statuscode"], row["errorcode"]) == (31, 0x80040216 - (1 << 32))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_job_in_which_the_server_itself_fails_has_failed(world: World) -> None:
    calls = count(1)

    def failing() -> datetime:
        # Begun, prepared for the worst; then the clock of the job stops in the middle of the import.
        if current_thread().name.startswith("job ") and next(calls) == 3:
            raise RuntimeError("the clock has stopped")
        return NOW

    broken = replace(world, clock=failing)
    with httpx.Client(transport=_Direct(app(broken)), base_url="http://org.example/api/data/v9.2/") as api:
        begun = done(api.post("ImportSolutionAsync", json=zipped(LAKE)))
        row = ended(api, begun["AsyncOperationId"])
    assert (row["statuscode"], row["message"]) == (31, "An unexpected error occurred.")


def test_publishing_is_answered(api: httpx.Client) -> None:
    assert api.post("PublishAllXml").status_code == 204
    xml = "<importexportxml><entities><entity>note</entity></entities></importexportxml>"
    assert api.post("PublishXml", json={"ParameterXml": xml}).status_code == 204


@pytest.mark.parametrize("action", ["CloneAsSolution", "CloneAsPatch", "UninstallSolutionAsync"])
def test_what_only_dataverse_does_is_said_to_be_not_supported(api: httpx.Client, action: str) -> None:
    assert error(api.post(action, json={})) == (501, "SRV001")


def test_work_in_the_background_is_waited_for() -> None:
    background, seen = Background(), list[str]()
    background.start("work", lambda: seen.append("done"))
    assert background.finish(30)
    assert seen == ["done"]
