"""Links of Microsoft's own exporter, as far as they can be read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.environment.platform import CONFIG, LAKE, NO_TABLE, Platform, error, rows
from toolkit.dataverse.hosted import hosted_links
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.environment import HostedLink

PROFILE = {
    "synapselinkprofileid": CONFIG.upper(),
    "name": "Contoso Lake",
    "profilestate": 1,
    "snapshotstopersist": 5,
    "profiletype": 0,
    "_datalakefolder_value": LAKE,
}
FOLDER = {
    "datalakefolderid": LAKE,
    "containerendpoint": "https://contosolake.dfs.core.windows.net/dataverse-prod-unq0aa",
}
ENTITIES = (
    {
        "entityname": "Account",
        "partitionstrategy": 0,
        "appendonlymode": True,
        "recordcountperblock": 125,
        "_profile_value": CONFIG,
    },
    {
        "entityname": "contact",
        "partitionstrategy": None,
        "appendonlymode": False,
        "recordcountperblock": None,
        "_profile_value": CONFIG,
    },
    {
        "entityname": "lead",
        "partitionstrategy": 1,
        "appendonlymode": False,
        "recordcountperblock": 125,
        "_profile_value": LAKE,
    },
)


def found(**replies: Any) -> tuple[HostedLink, ...]:
    usual = {
        "GET synapselinkprofiles": rows(PROFILE),
        "GET datalakefolders": rows(FOLDER),
        "GET synapselinkprofileentities": rows(*ENTITIES),
    }
    return hosted_links(Platform(usual | {f"GET {name}": reply for name, reply in replies.items()}).client())


def test_a_hosted_link_is_read_with_its_lake_and_its_entities() -> None:
    assert found() == (
        HostedLink(
            id=CONFIG,
            name="Contoso Lake",
            state="Active",
            active=True,
            account="contosolake",
            file_system="dataverse-prod-unq0aa",
            entities=(
                LinkedEntity(name="account", partition_strategy=PartitionStrategy.YEAR, append_only=True),
                LinkedEntity(name="contact"),
            ),
            snapshots=5,
        ),
    )


@pytest.mark.parametrize(
    ("number", "state", "active"),
    [(0, "Inactive", False), (1, "Active", True), (6, "Suspended", True), (8, "Deactivated", False), (42, "42", True)],
)
def test_a_state_says_whether_the_service_may_write(number: int, state: str, *, active: bool) -> None:
    (link,) = found(synapselinkprofiles=rows({**PROFILE, "profilestate": number}))
    assert (link.state, link.active) == (state, active)


def test_an_organization_without_the_tables_has_no_hosted_link() -> None:
    assert found(synapselinkprofiles=NO_TABLE) == ()


@pytest.mark.parametrize(
    "folders", [NO_TABLE, error(403, "0x80040220", "no"), rows({**FOLDER, "containerendpoint": None})]
)
def test_what_cannot_be_read_of_a_hosted_link_is_not_known(folders: Any) -> None:
    (link,) = found(datalakefolders=folders, synapselinkprofileentities=error(403, "0x80040220", "no"))
    assert (link.account, link.file_system, link.entities) == (None, None, None)


def test_an_address_of_another_form_is_no_account() -> None:
    (link,) = found(datalakefolders=rows({**FOLDER, "containerendpoint": "https://onelake.fabric.microsoft.com/x/y"}))
    assert link.account is None


def test_nothing_is_ever_written() -> None:
    platform = Platform({"GET synapselinkprofiles": rows(PROFILE), "GET datalakefolders": rows(FOLDER)})
    hosted_links(platform.client())
    assert {request.method for request in platform.requests} == {"GET"}
