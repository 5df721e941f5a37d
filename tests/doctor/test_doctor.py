"""The doctor over the Web API, against canned answers: what each step finds, and what it says to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.dataverse.service import START, Service, answer
from tests.engine.world import link
from tests.environment.platform import ORGANIZATION, USER, Platform, error, rows, solution_row
from tests.organization.samples import NOTE, UNTRACKED
from toolkit.budget import Budget
from toolkit.doctor import STEPS, Check, Subject, examine, passed
from toolkit.environment.dataverse import DataverseEnvironment
from toolkit.errors import NotFound, Refused
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import LinkedEntity
from toolkit.model.entity import Entity
from toolkit.model.link import EnvironmentRecord, LakeAddress
from toolkit.project import Clients, DataverseEntry, Opened
from toolkit.site import LINK_PATH, RECORD_PATH, Site
from toolkit.source.scripted import ScriptedSource

DELTA = {"value": [], "@odata.deltaLink": "https://contoso.crm.dynamics.com/api/data/v9.2/notes?$deltatoken=1"}
READABLE = {"GET notes": DELTA, "GET logs": rows()}


@dataclass
class Clinic:
    """An organization of canned answers with a link to a lake in memory, and who examines it."""

    platform: Platform = field(default_factory=lambda: Platform(dict(READABLE)))
    entities: tuple[Entity, ...] = (NOTE, UNTRACKED)
    linked: tuple[str, ...] = ("note", "log")
    entry: dict[str, Any] = field(default_factory=dict)
    lake: MemoryLake = field(default_factory=MemoryLake)
    state: MemoryLake = field(default_factory=MemoryLake)
    clock: Callable[[], datetime] = lambda: START

    def subject(self) -> Subject:
        self._link()
        entry = DataverseEntry.model_validate(
            {"kind": "dataverse", "url": "https://contoso.crm.dynamics.com", **self.entry}
        )
        client, known = self.platform.client(), {entity.name: entity for entity in self.entities}
        environment = DataverseEnvironment(
            "prod", client, lambda: known, new_id=lambda: "x", sleep=lambda _: None, registration=entry.mode
        )
        site = Site(
            "prod", environment, ScriptedSource(self.entities, clock=self.clock), self.state, lambda *_: self.lake
        )
        opened = Opened(site, Budget(None, self.clock), over_the_web=Clients(client, client))
        return Subject(entry, opened, self.clock, lambda: "1")

    def checks(self) -> dict[str, Check]:
        return {check.name: check for check in examine(self.subject, STEPS)}

    def outcomes(self) -> dict[str, str]:
        return {name: check.outcome.value for name, check in self.checks().items() if check.outcome != "ok"}

    def failures(self, step: str) -> list[tuple[str, str]]:
        return [(finding.code, finding.what) for finding in self.checks()[step].findings]

    def _link(self) -> None:
        document = link(*(LinkedEntity(name=name) for name in self.linked))
        address = LakeAddress(config=document.config.id, account=document.account, file_system=document.file_system)
        record = EnvironmentRecord(environment="prod", organization=ORGANIZATION, lakes=(address,))
        self.lake.put(LINK_PATH, document.model_dump_json().encode(), "any")
        self.state.put(RECORD_PATH, record.model_dump_json().encode(), "any")


def test_all_is_well_where_nothing_is_wrong() -> None:
    clinic = Clinic()
    checks = clinic.checks()
    assert passed(checks.values())
    assert {name: check.said for name, check in checks.items() if name in {"toolkit.yaml", "sign-in", "links"}} == {
        "toolkit.yaml": "prod is the Dataverse organization at https://contoso.crm.dynamics.com (cloud: public)",
        "sign-in": f"default: user {USER}",
        "links": "linked entities: log, note",
    }
    assert (
        checks["reading rows"].said
        == "rows of every linked entity can be read, at organization level where it is tracked"
    )
    assert checks["change tracking"].said == (
        "it is on wherever it can be; what changed is kept for 30 days; read whole from time to time: log"
    )


def test_nothing_of_a_probe_stays() -> None:
    clinic = Clinic()
    clinic.checks()
    assert [stat.path for stat in clinic.lake.list("")] == [LINK_PATH]
    assert [stat.path for stat in clinic.state.list("")] == [RECORD_PATH]


def test_nothing_is_changed_in_the_organization() -> None:
    clinic = Clinic()
    clinic.checks()
    assert {request.method for request in clinic.platform.requests} == {"GET"}


def test_without_a_project_nothing_else_is_asked() -> None:
    def opened() -> Subject:
        raise NotFound("PRJ001", "there is no toolkit.yaml here, nor in a folder above")

    first, *others = examine(opened, STEPS)
    assert (first.outcome, first.findings[0].code) == ("fail", "PRJ001")
    assert {(check.outcome.value, check.said) for check in others} == {("not checked", "it needs: toolkit.yaml")}
    assert not passed([first])


def test_who_cannot_sign_in_is_told_once_and_what_needs_it_is_left_out() -> None:
    clinic = Clinic()
    clinic.platform.replies["GET WhoAmI"] = error(403, "0x80072560", "The user is not a member of the organization.")
    assert clinic.outcomes() == {
        "sign-in": "fail",
        "organization": "not checked",
        "versions": "not checked",
        "clock": "not checked",
        "change tracking": "not checked",
        "reading rows": "not checked",
        "importing": "not checked",
        "Core solution": "not checked",
        "requests": "not checked",
        "accounts": "not checked",
    }
    assert clinic.checks()["sign-in"].findings[0].fix.startswith("add the identity as an application user")


def test_every_entity_that_cannot_be_read_is_told_with_dataverses_code() -> None:
    clinic = Clinic()
    clinic.platform.replies["GET notes"] = error(403, "0x80040220", "Principal user is missing prvReadnote privilege")
    clinic.platform.replies["GET logs"] = error(403, "0x80040220", "Principal user is missing prvReadlog privilege")
    assert clinic.failures("reading rows") == [
        ("0x80040220", "log cannot be read"),
        ("0x80040220", "note cannot be read"),
    ]


def test_rows_are_read_one_by_one_and_tracked_only_where_that_can_be() -> None:
    clinic = Clinic()
    clinic.checks()
    preferred = {
        str(request.url).rpartition("/")[2]: request.headers["Prefer"]
        for request in clinic.platform.requests
        if "Prefer" in request.headers
    }
    assert preferred == {
        "notes?$select=noteid": "odata.track-changes,odata.maxpagesize=1",
        "logs?$select=noteid": "odata.maxpagesize=1",
    }


def test_an_answer_that_is_not_tracked_although_it_should_be_is_told() -> None:
    clinic = Clinic()
    clinic.platform.replies["GET notes"] = rows()
    assert clinic.failures("reading rows") == [("DR009", "note is read without change tracking")]


def test_what_is_linked_must_exist_and_be_tracked() -> None:
    silent = NOTE.model_copy(update={"change_tracking": False})
    clinic = Clinic(entities=(silent,))
    assert clinic.failures("change tracking") == [
        ("DR004", "the linked entity log does not exist"),
        ("DR005", "change tracking of note is off"),
    ]


def test_what_changed_must_be_kept() -> None:
    clinic = Clinic()
    clinic.platform.replies["GET organizations"] = rows({"expirechangetrackingindays": 0})
    assert clinic.failures("change tracking") == [("DR003", "what changed is kept for 0 days")]


def test_every_privilege_that_an_import_lacks_is_told() -> None:
    clinic = Clinic()
    path = f"GET systemusers({USER})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    clinic.platform.replies[path] = {"RolePrivileges": [{"PrivilegeName": "prvReadSolution", "Depth": "Global"}]}
    found = clinic.failures("importing")
    assert found[0] == ("DR010", "the identity lacks the privilege prvWriteSolution")
    assert len(found) == 5


def test_core_is_asked_for_unless_nothing_is_registered() -> None:
    clinic = Clinic()
    clinic.platform.replies["GET solutions"] = rows(solution_row())
    assert clinic.failures("Core solution") == [("DR006", "ExportToDataLakeCore is not installed")]
    clinic = Clinic(entry={"mode": "link-only"})
    clinic.platform.replies["GET solutions"] = rows(solution_row())
    assert {name: clinic.outcomes()[name] for name in ("importing", "Core solution")} == {
        "importing": "not checked",
        "Core solution": "not checked",
    }


def test_an_organization_that_is_too_old_is_told() -> None:
    clinic = Clinic()
    path = "GET RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"
    detail = {
        "OrganizationId": ORGANIZATION,
        "UniqueName": "old",
        "FriendlyName": "Old",
        "Geo": "EMEA",
        "TenantId": ORGANIZATION,
        "OrganizationVersion": "9.1.0.5",
    }
    clinic.platform.replies[path] = {"Detail": detail}
    assert clinic.failures("versions") == [("DR001", "the organization has version 9.1.0.5, and 9.2 is the least")]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"requests_per_day": 575}, [("DR007", "requests_per_day is 575, and 576 is the least")]),
        ({"requests_per_day": 576, "requests_per_minute": 1}, []),
    ],
)
def test_a_budget_must_do_for_entities_that_never_change(entry: dict[str, int], found: list[tuple[str, str]]) -> None:
    assert Clinic(entry=entry).failures("requests") == found


def test_what_the_service_has_left_is_told() -> None:
    said = answer(body={"UserId": USER}, x_ms_ratelimit_burst_remaining_xrm_requests="5980")
    subject = _greeted(said)
    step = next(step for step in STEPS if step.name == "requests")
    assert str(step.ask(subject)).endswith("; the service has left for now: 5980 requests")


@pytest.mark.parametrize(
    ("date", "found"),
    [
        ("Sun, 01 Mar 2026 11:59:58 GMT", "this machine is 2 s ahead of the server"),
        ("Sun, 01 Mar 2026 12:00:09 GMT", "this machine is 9 s behind the server"),
    ],
)
def test_the_clocks_are_compared(date: str, found: str) -> None:
    step = next(step for step in STEPS if step.name == "clock")
    assert step.ask(_greeted(answer(Date=date))) == found


def test_a_clock_that_is_far_off_is_told() -> None:
    step = next(step for step in STEPS if step.name == "clock")
    late = replace(_greeted(answer(Date="Sun, 01 Mar 2026 12:00:00 GMT")), clock=lambda: START + timedelta(minutes=6))
    with pytest.raises(Refused) as caught:
        step.ask(late)
    assert (caught.value.code, caught.value.what) == ("DR002", "this machine is 360 s ahead of the server")


def test_another_identity_of_the_engine_is_signed_in_too() -> None:
    clinic = Clinic(entry={"engine_sign_in": {"method": "azure_cli"}})
    assert clinic.checks()["sign-in"].said == f"default: user {USER}; the engine by azure_cli: user {USER}"


def test_a_link_that_cannot_be_read_is_told_as_it_is() -> None:
    clinic = Clinic()
    subject = clinic.subject()
    clinic.lake.put(LINK_PATH, b"{}", "any")
    checks = {check.name: check for check in examine(lambda: subject, STEPS)}
    assert checks["links"].findings[0].code == "STA001"
    assert checks["lakes"].said == "no link can be read"
    assert checks["change tracking"].said == "what changed is kept for 30 days; no link can be read"


def test_a_lake_that_cannot_be_written_is_told() -> None:
    class Full(MemoryLake):
        def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
            data = super().read(path, start, length)
            return b"" if "probe" in path else data

    clinic = Clinic(lake=Full())
    assert clinic.failures("lakes") == [("DR008", "a file reads otherwise than it was written")]
    assert [stat.path for stat in clinic.lake.list("")] == [LINK_PATH]


def _greeted(said: httpx.Response) -> Subject:
    """Return a subject whose first answer is this one."""
    subject, client = Clinic(linked=()).subject(), Service(said).client()
    return replace(subject, opened=replace(subject.opened, over_the_web=Clients(client, client)))
