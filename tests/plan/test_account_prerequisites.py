"""What a storage account in Azure tells of itself, and what it does not tell: each is a finding or a note."""

from typing import Any

import pytest

from tests.plan.build import account, config, organization
from toolkit.errors import Severity
from toolkit.model.config import Cloud, Storage
from toolkit.model.environment import Inventory, StorageAccount, unknown
from toolkit.plan.prerequisites import Profile, account_prerequisites

SCOPE = "/subscriptions/99/resourceGroups/data {prod}/providers/Microsoft.Storage/storageAccounts/contosolake"
STORAGE = Storage(account="contosolake", subscription="99", resource_group="data {prod}")


def findings(found: StorageAccount, storage: Storage = STORAGE, profile: Profile = Profile.ENGINE) -> list[Any]:
    inventory = Inventory(organization=organization(), accounts={"contosolake": found})
    return list(account_prerequisites(config("account", storage=storage), inventory, profile))


def test_what_is_not_known_of_an_account_is_a_note_each() -> None:
    notes = findings(unknown("contosolake"))
    assert {finding.severity for finding in notes} == {Severity.NOTE}
    assert [finding.code for finding in notes] == [
        "PLN021",
        "PLN022",
        "PLN023",
        "PLN024",
        "PLN025",
        "PLN026",
        "PLN028",
    ]
    assert notes[1].what == "not checked whether the storage account 'contosolake' has no hierarchical namespace"


@pytest.mark.parametrize(("code", "role"), [("PLN025", "Owner"), ("PLN026", "Storage Blob Data Contributor")])
def test_a_missing_role_names_the_command_with_the_names_of_the_config(code: str, role: str) -> None:
    (finding,) = [each for each in findings(account(roles=())) if each.code == code]
    assert (
        finding.fix
        == f'az role assignment create --role "{role}" --assignee <object id of the identity> --scope "{SCOPE}"'
    )


def test_an_account_in_another_cloud_than_the_config_says_is_refused() -> None:
    (finding,) = findings(account(replication="RAGRS", cloud=Cloud.CHINA))
    assert (finding.code, finding.severity, finding.what) == (
        "PLN029",
        Severity.ERROR,
        "toolkit.yaml has the storage account 'contosolake' in the cloud china, and the export config in public",
    )
    assert findings(account(cloud=Cloud.CHINA), STORAGE.model_copy(update={"cloud": Cloud.CHINA})) == []


def test_a_folder_is_good_for_every_cloud() -> None:
    assert findings(account(), STORAGE.model_copy(update={"cloud": Cloud.US_GOV})) == []
