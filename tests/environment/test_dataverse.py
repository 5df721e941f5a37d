"""The environment over the Web API, against canned answers: what is asked and sent, and what is made of the answers."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import httpx
import pytest

from tests.environment import packages
from tests.environment.packages import config, package, publisher, solution
from tests.environment.platform import (
    CONFIG,
    CORE,
    LAKE,
    NO_TABLE,
    USER,
    Platform,
    config_row,
    error,
    publisher_row,
    rows,
    solution_row,
)
from tests.organization.samples import NOTE, UNTRACKED, numbered
from toolkit.environment.dataverse import DataverseEnvironment
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
)
from toolkit.errors import Partial, Refused, ToolkitError
from toolkit.model.environment import StorageAccount

JOB = numbered(1)
SYSTEM = numbered(2)
STAGED = {"StageSolutionResults": {"StageSolutionUploadId": numbered(3), "StageSolutionStatus": "Passed"}}
BEGUN = {"ImportJobKey": JOB, "AsyncOperationId": SYSTEM}
RUNNING = {"statecode": 2, "statuscode": 20, "message": None, "friendlymessage": None, "errorcode": None}
DONE = {**RUNNING, "statecode": 3, "statuscode": 30}
FAILED = {**RUNNING, "statecode": 3, "statuscode": 31, "errorcode": -2147188706, "message": "It failed."}


def report(*results: str) -> str:
    inner = "".join(results)
    manifests = f"<solutionManifests><solutionManifest>{inner}</solutionManifest></solutionManifests>"
    return f"<importexportxml>{manifests}</importexportxml>"


GOOD = report('<result result="success" errorcode="0" errortext="" />')


def job(progress: float, data: str = GOOD) -> dict[str, Any]:
    return {"progress": progress, "completedon": "2026-03-01T12:00:00Z" if progress == 100 else None, "data": data}


IMPORT = {
    "POST StageSolution": STAGED,
    "POST ImportSolutionAsync": BEGUN,
    f"GET asyncoperations({SYSTEM})": [RUNNING, RUNNING, DONE],
    f"GET importjobs({JOB})": [job(12.7), job(80), job(100)],
}


def environment(platform: Platform, **options: Any) -> DataverseEnvironment:
    entities = {entity.name: entity for entity in (NOTE, UNTRACKED)}
    return DataverseEnvironment(
        "prod", platform.client(), lambda: entities, new_id=lambda: JOB, sleep=platform.slept.append, **options
    )


def imported(platform: Platform, data: bytes, mode: ImportMode = ImportMode.UPDATE) -> list[Progress]:
    return list(environment(platform).import_solution(data, mode))


def refused(platform: Platform, data: bytes | None = None) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as caught:
        imported(platform, data or package(config()))
    return [(finding.code, finding.what) for finding in caught.value.findings]


# --- inventory ------------------------------------------------------------------------------------------------------


def test_the_inventory_is_read_from_the_tables_of_the_platform() -> None:
    accounts = {"contososales": StorageAccount(name="contososales")}
    inventory = environment(Platform(), accounts=accounts).inventory()
    assert (inventory.organization.environment, inventory.organization.region) == ("Contoso Prod", "EMEA")
    assert (inventory.administrator, inventory.change_tracking_expiry_days) == (True, 30)
    assert (inventory.accounts, sorted(inventory.entities)) == (accounts, [UNTRACKED.name, NOTE.name])
    lake = inventory.solutions["ContosoLake"]
    assert (lake.publisher, lake.configs, lake.requires) == ("contoso", (CONFIG,), ("ExportToDataLakeCore",))
    assert inventory.configs[CONFIG].config == config(key=CONFIG)
    assert list(inventory.solutions) == ["ContosoLake", "ExportToDataLakeCore"]
    assert inventory.file_system == "toolkit-prod-unq0aa"


def test_the_inventory_costs_ten_requests_or_so() -> None:
    platform = Platform()
    environment(platform).inventory()
    assert len(platform.requests) == 9


def test_a_publisher_comes_with_its_addresses() -> None:
    found = environment(Platform()).inventory().publishers["contoso"]
    assert (found.display_names, found.prefix, found.option_value_prefix) == ({1033: "Contoso"}, "cts", 77_074)
    assert [(address.address_number, address.city) for address in found.addresses] == [(1, "Redmond")]


def test_publishers_and_solutions_of_the_platform_that_break_the_rules_are_passed_over() -> None:
    own = publisher_row(publisherid=CORE, uniquename="MicrosoftCorporation", customizationprefix=None)
    odd = (
        solution_row(name="msft_Known", _publisherid_value=CORE),
        solution_row(name="Odd", version="one"),
        solution_row(name="Not a name"),
        solution_row(name="Orphan", _publisherid_value=LAKE),
    )
    inventory = environment(
        Platform({"GET publishers": rows(own, publisher_row()), "GET solutions": rows(*odd)})
    ).inventory()
    assert (list(inventory.publishers), list(inventory.solutions)) == (["contoso"], ["msft_Known"])
    assert inventory.solutions["msft_Known"].publisher == "MicrosoftCorporation"
    assert [(note.code, note.where.path) for note in inventory.notes] == [
        ("ENV025", "Odd"),
        ("ENV025", "Not a name"),
        ("ENV025", "Orphan"),
    ]


def test_profiles_that_may_not_be_read_are_a_warning_and_stop_nothing() -> None:
    platform = Platform({"GET synapselinkprofiles": error(403, "0x80040220", "missing prvReadsynapselinkprofile")})
    inventory = environment(platform).inventory()
    (note,) = inventory.notes
    assert (inventory.hosted, note.code, note.why) == ((), "ENV026", "missing prvReadsynapselinkprofile")


def test_who_may_not_read_privileges_is_stopped_by_the_platform_alone() -> None:
    held = f"GET systemusers({USER})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    platform = Platform({**IMPORT, held: error(403, "0x80040220", "missing prvReadPrivilege")})
    assert imported(platform, package(config()))[-1].done == 100


def test_an_organization_without_the_table_of_configs_has_none_and_asks_for_no_components() -> None:
    platform = Platform({"GET msdyn_exporttodatalakeconfigs": NO_TABLE})
    inventory = environment(platform).inventory()
    assert (inventory.configs, inventory.solutions["ContosoLake"].configs) == ({}, ())
    assert "solutioncomponents" not in platform.sent("GET")


def test_who_may_not_read_roles_is_an_administrator_or_not_nobody_knows() -> None:
    roles = f"GET systemusers({USER})/systemuserroles_association"
    platform = Platform({roles: error(403, "0x80040220", "missing prvReadRole privilege")})
    assert environment(platform).inventory().administrator is None
    assert environment(Platform({roles: rows()})).inventory().administrator is False


@pytest.mark.parametrize(
    "schema", ["no JSON", '{"StorageAccountName":"contososales","SchedulerIntervalInMinutes":1}', ""]
)
def test_a_row_that_cannot_be_read_is_a_note_and_no_row(schema: str) -> None:
    platform = Platform({"GET msdyn_exporttodatalakeconfigs": rows(config_row(msdyn_schema=schema))})
    inventory = environment(platform).inventory()
    (note,) = inventory.notes
    assert (inventory.configs, note.code, note.where.path) == ({}, "ENV024", "contososales")


# --- import ---------------------------------------------------------------------------------------------------------


def test_an_import_is_staged_begun_under_our_id_and_watched_to_its_end() -> None:
    platform = Platform(dict(IMPORT))
    data = package(config())
    steps = imported(platform, data)
    assert [(step.what, step.done) for step in steps] == [
        ("the environment checks the package", 0),
        ("importing ContosoLake 1.0.0.0", 12),
        ("importing ContosoLake 1.0.0.0", 80),
        ("imported ContosoLake 1.0.0.0", 100),
    ]
    assert platform.sent() == ["StageSolution", "ImportSolutionAsync"]
    assert b64decode(platform.body("StageSolution")["CustomizationFile"]) == data
    assert platform.body("ImportSolutionAsync") == {
        "OverwriteUnmanagedCustomizations": True,
        "PublishWorkflows": True,
        "ImportJobId": JOB,
        "SolutionParameters": {"StageSolutionUploadId": numbered(3)},
    }
    assert platform.slept == [0.5, 1.0]


def test_an_upgrade_of_a_managed_solution_takes_the_place_of_the_installed_one() -> None:
    platform = Platform({**IMPORT, "POST StageAndUpgradeAsync": BEGUN})
    data = package(config(), package=1)
    imported(platform, data, ImportMode.UPGRADE)
    assert platform.sent() == ["StageSolution", "StageAndUpgradeAsync"]
    assert b64decode(platform.body("StageAndUpgradeAsync")["CustomizationFile"]) == data


def test_an_unmanaged_solution_is_never_upgraded_since_it_removes_nothing() -> None:
    platform = Platform(dict(IMPORT))
    imported(platform, package(config()), ImportMode.UPGRADE)
    assert platform.sent() == ["StageSolution", "ImportSolutionAsync"]


def test_a_staged_import_waits_beside_the_installed_solution() -> None:
    platform = Platform(dict(IMPORT))
    imported(platform, package(config(), package=1), ImportMode.STAGE)
    assert platform.body("ImportSolutionAsync")["HoldingSolution"] is True


def test_missing_privileges_are_found_before_anything_is_sent() -> None:
    held = {"RolePrivileges": [{"PrivilegeName": "prvreadsolution"}, {"PrivilegeName": "prvReadPublisher"}]}
    platform = Platform({f"GET systemusers({USER})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()": held})
    assert [what for _, what in refused(platform)] == [
        f"the identity lacks the privilege {name}"
        for name in ("prvWriteSolution", "prvReadCustomization", "prvCreateCustomization", "prvWriteCustomization")
    ]
    assert platform.sent() == []


def test_what_is_no_package_is_refused_before_anything_is_asked() -> None:
    platform = Platform()
    for data in (b"no zip", package(config(), config("contososervice")), package(name="Lake_Upgrade")):
        with pytest.raises(ToolkitError):
            imported(platform, data)
    assert platform.requests == []


def test_what_staging_finds_is_refused_with_the_codes_of_the_platform() -> None:
    results = {
        "StageSolutionStatus": "Failed",
        "SolutionValidationResults": [
            {"SolutionValidationResultType": "Warning", "ErrorCode": 0, "Message": "A hint."},
            {
                "SolutionValidationResultType": "Error",
                "ErrorCode": -2147188672,
                "Message": "The solution is already installed as unmanaged.",
                "AdditionalInfo": "Import can only update solutions when the modes match.",
            },
        ],
        "MissingDependencies": [
            {
                "RequiredComponentSchemaName": "cts_thing",
                "RequiredComponentType": "Entity",
                "RequiredSolutionName": "Base",
            },
            {
                "RequiredComponentSchemaName": "cts_thing",
                "RequiredComponentType": "Entity",
                "RequiredSolutionName": "Base",
            },
        ],
    }
    platform = Platform({"POST StageSolution": {"StageSolutionResults": results}})
    lead = "The following solution cannot be imported: ContosoLake."
    assert refused(platform) == [
        ("0x80048033", "A hint."),
        ("0x80048040", "The solution is already installed as unmanaged."),
        ("0x8004801d", f"{lead} The component cts_thing of type Entity is missing."),
    ]
    assert platform.sent() == ["StageSolution"]


def test_a_package_that_is_not_accepted_without_a_reason_is_not_imported() -> None:
    platform = Platform({"POST StageSolution": {"StageSolutionResults": {"StageSolutionStatus": "Failed"}}})
    assert [code for code, _ in refused(platform)] == ["0x80048033"]


def test_a_refusal_by_the_action_itself_is_told_in_the_words_of_the_platform() -> None:
    platform = Platform({"POST StageSolution": error(400, "0x80048068", "The package is too new.")})
    assert refused(platform) == [("0x80048068", "The package is too new.")]


def test_the_report_of_a_failed_import_becomes_findings() -> None:
    data = report(
        '<result result="failure" errorcode="0x8004801F" errortext="Cannot add a Root Component." />',
        '<node><result result="failure" errorcode="-2147220970" errortext="An entity failed." /></node>',
        '<node><result result="warning" errorcode="0x0" errortext="Mind this." /></node>',
        '<node><result result="success" errorcode="0" errortext="" /></node>',
    )
    jobs = {f"GET asyncoperations({SYSTEM})": FAILED, f"GET importjobs({JOB})": job(40, data)}
    assert refused(Platform({**IMPORT, **jobs})) == [
        ("0x8004801f", "Cannot add a Root Component."),
        ("0x80040216", "An entity failed."),
        ("0x80048033", "Mind this."),
    ]


@pytest.mark.parametrize("data", ["", "<broken", report()])
def test_a_failure_without_a_report_is_told_by_its_system_job(data: str) -> None:
    jobs = {f"GET asyncoperations({SYSTEM})": FAILED, f"GET importjobs({JOB})": job(40, data)}
    with pytest.raises(Refused) as caught:
        imported(Platform({**IMPORT, **jobs}), package(config()))
    assert (caught.value.code, caught.value.why) == ("0x8004801e", "It failed.")


def test_an_import_without_end_is_left_to_itself() -> None:
    jobs = {f"GET asyncoperations({SYSTEM})": RUNNING, f"GET importjobs({JOB})": job(40)}
    with pytest.raises(Partial) as caught:
        imported(Platform({**IMPORT, **jobs}), package(config()))
    assert caught.value.code == "ENV022"


# --- answers that are lost ------------------------------------------------------------------------------------------


def test_a_lost_answer_is_not_repeated_when_the_job_is_there() -> None:
    replies = {"POST ImportSolutionAsync": httpx.ReadError, f"GET importjobs({JOB})": [job(10), job(60), job(100)]}
    platform = Platform({**IMPORT, **replies})
    steps = imported(platform, package(config()))
    assert platform.sent() == ["StageSolution", "ImportSolutionAsync"]
    assert [step.done for step in steps] == [0, 60, 100]


def test_a_lost_answer_whose_job_appears_late_is_not_repeated() -> None:
    replies = {"POST ImportSolutionAsync": httpx.ReadError, f"GET importjobs({JOB})": [NO_TABLE, job(10), job(100)]}
    platform = Platform({**IMPORT, **replies})
    imported(platform, package(config()))
    assert platform.sent() == ["StageSolution", "ImportSolutionAsync"]
    assert platform.slept[:2] == [1.0, 10.0]


def test_a_request_that_never_arrived_is_sent_again_under_the_same_id() -> None:
    ids = []

    def begin(request: httpx.Request) -> Any:
        ids.append(json.loads(request.content)["ImportJobId"])
        return httpx.ReadError if len(ids) == 1 else BEGUN

    absent = error(404, "0x80040217", "importjob With Id = 1 Does Not Exist")
    replies = {"POST ImportSolutionAsync": begin, f"GET importjobs({JOB})": [absent, absent, job(100)]}
    imported(Platform({**IMPORT, **replies}), package(config()))
    assert ids == [JOB, JOB]


def test_a_job_that_began_after_all_refuses_the_second_request_and_is_watched() -> None:
    duplicate = error(412, "0x80040237", "A record with matching key values already exists.")
    replies = {
        "POST ImportSolutionAsync": [httpx.ReadError, duplicate],
        f"GET importjobs({JOB})": [NO_TABLE, NO_TABLE, job(50), job(100)],
    }
    platform = Platform({**IMPORT, **replies})
    steps = imported(platform, package(config()))
    assert (platform.sent().count("ImportSolutionAsync"), steps[-1].done) == (2, 100)


def test_a_refused_import_is_no_lost_answer() -> None:
    busy = error(400, "0x80071151", "Cannot start another [Import] because there is a previous [Import] running.")
    platform = Platform({**IMPORT, "POST ImportSolutionAsync": busy})
    assert [code for code, _ in refused(platform)] == ["0x80071151"]


# --- export and uninstall -------------------------------------------------------------------------------------------

EXPORT = {
    "POST ExportSolutionAsync": {"AsyncOperationId": SYSTEM, "ExportJobId": JOB},
    f"GET asyncoperations({SYSTEM})": [RUNNING, DONE],
    "POST DownloadSolutionExportData": {"ExportSolutionFile": b64encode(b"zip").decode()},
}


def test_an_export_is_a_job_whose_package_is_fetched_at_its_end() -> None:
    platform = Platform(dict(EXPORT))
    assert environment(platform).export_solution("contosolake", managed=True) == b"zip"
    assert platform.body("ExportSolutionAsync") == {"SolutionName": "ContosoLake", "Managed": True}
    assert platform.body("DownloadSolutionExportData") == {"ExportJobId": JOB}


def test_an_organization_that_knows_no_export_job_exports_at_once() -> None:
    at_once = {"POST ExportSolution": {"ExportSolutionFile": b64encode(b"zip").decode()}}
    assert environment(Platform(dict(at_once))).export_solution("ContosoLake", managed=False) == b"zip"


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ({f"GET asyncoperations({SYSTEM})": FAILED}, "0x8004801e"),
        ({"POST ExportSolutionAsync": error(400, "0x80048033", "No.")}, "0x80048033"),
        ({"GET solutions": rows(solution_row(ismanaged=True))}, "0x80048036"),
        ({"GET solutions": rows()}, "0x80048037"),
    ],
)
def test_an_export_that_fails_says_why(replies: dict[str, Any], code: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        environment(Platform({**EXPORT, **replies})).export_solution("ContosoLake", managed=False)
    assert caught.value.code == code


def test_a_solution_is_deleted_by_its_id() -> None:
    platform = Platform({f"DELETE solutions({LAKE})": 204})
    environment(platform).uninstall("CONTOSOLAKE")
    assert platform.sent("DELETE") == [f"solutions({LAKE})"]


def test_a_solution_that_others_need_stays() -> None:
    needed = error(400, "0x8004f01d", "Solution dependencies exist, cannot uninstall.")
    with pytest.raises(Refused) as caught:
        environment(Platform({f"DELETE solutions({LAKE})": needed})).uninstall("ContosoLake")
    assert (caught.value.code, caught.value.what) == ("0x8004f01d", "Solution dependencies exist, cannot uninstall.")


def test_core_stays_as_long_as_its_table_has_rows() -> None:
    platform = Platform({"GET solutioncomponents": rows()})
    with pytest.raises(Refused) as caught:
        environment(platform).uninstall("ExportToDataLakeCore")
    assert (caught.value.code, platform.sent("DELETE")) == ("ORG052", [])
    platform = Platform({"GET msdyn_exporttodatalakeconfigs": rows(), f"DELETE solutions({CORE})": 204})
    environment(platform).uninstall("ExportToDataLakeCore")
    assert platform.sent("DELETE") == [f"solutions({CORE})"]


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_publisher_is_created_with_its_addresses() -> None:
    platform = Platform({"GET publishers": rows(), "POST publishers": 204})
    addresses = [
        {"address_number": 2, "fax": "1", "latitude": "1.5", "utc_offset": "-60", "import_sequence_number": "7"}
    ]
    environment(platform).write(CreatePublisher(publisher(addresses=addresses)))
    assert platform.body("publishers") == {
        "uniquename": "contoso",
        "friendlyname": "Contoso",
        "description": "Sells things.",
        "emailaddress": "lake@contoso.example",
        "supportingwebsiteurl": "https://contoso.example",
        "customizationprefix": "cts",
        "customizationoptionvalueprefix": 77_074,
        "address2_fax": "1",
        "address2_latitude": 1.5,
        "address2_utcoffset": -60,
    }


def test_a_publisher_whose_answer_was_lost_is_looked_for_before_it_is_made_again() -> None:
    platform = Platform({"GET publishers": [rows(), rows(publisher_row())], "POST publishers": httpx.ReadError})
    environment(platform).write(CreatePublisher(publisher()))
    assert platform.sent() == ["publishers"]


def test_a_solution_is_created_for_a_publisher_of_the_environment() -> None:
    platform = Platform({"GET solutions": rows(), "POST solutions": 204})
    environment(platform).write(CreateSolution(solution()))
    assert platform.body("solutions")["publisherid@odata.bind"].startswith("/publishers(")
    assert platform.body("solutions")["version"] == "1.0.0.0"


def test_a_config_becomes_a_component_under_the_number_of_its_table() -> None:
    platform = Platform({"POST AddSolutionComponent": {"id": LAKE}})
    environment(platform).write(AddConfig("contosolake", CONFIG.upper()))
    assert platform.body("AddSolutionComponent") == {
        "ComponentId": CONFIG,
        "ComponentType": 10042,
        "SolutionUniqueName": "ContosoLake",
        "AddRequiredComponents": False,
    }


def test_a_config_row_is_created_under_its_id_and_replaced_in_its_own_spelling() -> None:
    platform = Platform({"GET msdyn_exporttodatalakeconfigs": rows(), "POST msdyn_exporttodatalakeconfigs": 204})
    environment(platform).write(PutConfig(config()))
    assert platform.body("msdyn_exporttodatalakeconfigs")["msdyn_exporttodatalakeconfigid"] == CONFIG
    platform = Platform({f"PATCH msdyn_exporttodatalakeconfigs({CONFIG})": 204})
    environment(platform).write(PutConfig(config(interval_minutes=15)))
    sent = platform.body(f"msdyn_exporttodatalakeconfigs({CONFIG})")
    assert sent["msdyn_schema"] == (
        '{"StorageAccountName":"contososales","Entities":[{"Type":"note"}],"SchedulerIntervalInMinutes":15}'
    )


def test_a_managed_row_is_neither_changed_nor_deleted() -> None:
    platform = Platform({"GET msdyn_exporttodatalakeconfigs": rows(config_row(ismanaged=True))})
    for change, code in ((PutConfig(config()), "0x8004f012"), (DeleteConfig(CONFIG), "0x8004f013")):
        with pytest.raises(Refused) as caught:
            environment(platform).write(change)
        assert caught.value.code == code
    assert [request.method for request in platform.requests] == ["GET", "GET"]


def test_a_config_needs_its_table() -> None:
    platform = Platform({"GET msdyn_exporttodatalakeconfigs": NO_TABLE})
    for change in (PutConfig(config()), DeleteConfig(CONFIG), AddConfig("ContosoLake", CONFIG)):
        with pytest.raises(Refused) as caught:
            environment(platform).write(change)
        assert caught.value.code == "ENV005"


def test_tracking_is_enabled_by_the_whole_definition_and_published() -> None:
    path = f"EntityDefinitions(LogicalName='{UNTRACKED.name}')"
    definition = {"LogicalName": UNTRACKED.name, "ChangeTrackingEnabled": False, "IsAuditEnabled": {"Value": True}}
    platform = Platform({f"GET {path}": definition, f"PUT {path}": 204, "POST PublishXml": 204})
    entity = UNTRACKED.model_copy(update={"can_track": True})
    made = DataverseEnvironment(
        "prod", platform.client(), lambda: {entity.name: entity}, new_id=lambda: JOB, sleep=platform.slept.append
    )
    made.write(TrackEntity(entity.name))
    assert platform.body(path) == {**definition, "ChangeTrackingEnabled": True}
    assert platform.requests[-2].headers["MSCRM.MergeLabels"] == "true"
    assert f"<entity>{entity.name}</entity>" in platform.body("PublishXml")["ParameterXml"]


def test_tracking_that_is_on_or_cannot_be_sends_nothing() -> None:
    platform = Platform()
    environment(platform).write(TrackEntity(NOTE.name))
    for name, code in (("nots", "ORG008"), (UNTRACKED.name, "ORG009")):
        with pytest.raises(ToolkitError) as caught:
            environment(platform).write(TrackEntity(name))
        assert caught.value.code == code
    assert platform.requests == []


def test_publishing_is_one_request() -> None:
    platform = Platform({"POST PublishAllXml": 204})
    environment(platform).write(Publish())
    assert platform.sent() == ["PublishAllXml"]


def test_bundles_of_the_tests_are_packages() -> None:
    assert packages.read(package(config())).configs == (config(),)
