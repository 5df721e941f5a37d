"""A bundle from what an environment exports already."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plan.build import CONFIG, OTHER_CONFIG, config, inventory, linked, publisher
from toolkit.errors import NotFound, Refused, ToolkitError
from toolkit.model.config import Storage
from toolkit.model.environment import ConfigRow, HostedLink, Inventory
from toolkit.plan.adoption import Adopted, adopt

OWN = publisher(unique_name="DefaultPublishercontosoprod", prefix="new", option_value_prefix=10_000)
PROFILE = HostedLink(
    id=CONFIG,
    name="Contoso Lake",
    state="Deactivated",
    active=False,
    account="contosolake",
    file_system="dataverse-prod",
    entities=(linked("account", "Year"), linked("contact")),
    snapshots=9,
)
ROW = config("lead", interval_minutes=30, storage=Storage(account="contosolake", resource_group="lakes")).model_copy(
    update={"id": OTHER_CONFIG}
)


def environment(*hosted: HostedLink, **values: Any) -> Inventory:
    return inventory(hosted=hosted, publishers={OWN.unique_name: OWN, "contoso": publisher()}, **values)


def adopted(found: Inventory, **options: Any) -> Adopted:
    usual: dict[str, Any] = {"solution": "AdoptedLake", "publisher": None, "linked": (), "account": None}
    return adopt(found, "prod", **{**usual, **options})


def codes(found: Adopted) -> list[str]:
    return [finding.code for finding in found.findings]


def test_a_profile_that_rests_becomes_a_config_that_goes_on_in_its_file_system() -> None:
    found = adopted(environment(PROFILE))
    (made,) = found.bundle.configs
    assert (made.id, made.name, made.entities, made.snapshots.keep) == (CONFIG, "contosolake", PROFILE.entities, 9)
    assert made.storage == Storage(account="contosolake", file_system="dataverse-prod")
    assert codes(found) == ["ENV034"]
    assert found.findings[0].what.startswith(
        "of the Synapse Link profile 'Contoso Lake' cannot be read: subscription, resource group, "
    )


def test_the_bundle_is_an_unmanaged_first_version_of_the_default_publisher() -> None:
    solution = adopted(environment(PROFILE)).bundle.solution
    assert (solution.unique_name, str(solution.version), solution.package) == ("AdoptedLake", "1.0.0.0", 0)
    assert solution.publisher == OWN
    assert adopted(environment(PROFILE), publisher="CONTOSO").bundle.solution.publisher.unique_name == "contoso"


def test_a_profile_that_is_active_keeps_its_file_system() -> None:
    found = adopted(environment(PROFILE.model_copy(update={"active": True, "state": "Active"})))
    assert (found.bundle.configs[0].storage.file_system, codes(found)) == (None, ["ENV034", "ENV037"])


def test_a_row_of_the_same_account_says_what_the_profile_does_not() -> None:
    found = adopted(environment(PROFILE, configs={OTHER_CONFIG: ConfigRow(config=ROW)}))
    (made,) = found.bundle.configs
    assert (made.id, made.interval_minutes, made.storage.resource_group) == (OTHER_CONFIG, 30, "lakes")
    assert (made.entities, made.storage.file_system, codes(found)) == (PROFILE.entities, "dataverse-prod", [])


def test_a_row_without_a_profile_is_adopted_as_it_is_unless_it_is_linked() -> None:
    found = environment(configs={OTHER_CONFIG: ConfigRow(config=ROW)})
    assert adopted(found).bundle.configs == (ROW,)
    with pytest.raises(NotFound) as caught:
        adopted(found, linked=[OTHER_CONFIG])
    assert caught.value.code == "ENV035"


def test_what_cannot_be_read_is_told_and_the_account_can_be_named() -> None:
    unread = PROFILE.model_copy(update={"account": None, "file_system": None, "entities": None, "snapshots": None})
    with pytest.raises(Refused) as caught:
        adopted(environment(unread))
    assert (caught.value.code, caught.value.fix) == ("ENV036", "name the storage account: --account NAME")
    found = adopted(environment(unread), account="contosolake")
    assert found.bundle.configs[0].entities == ()
    assert found.findings[0].what.endswith("delete log; storage account and file system; the entities")


def test_an_unknown_publisher_is_answered_with_the_nearest() -> None:
    with pytest.raises(ToolkitError) as caught:
        adopted(environment(PROFILE), publisher="contos")
    assert (caught.value.code, caught.value.fix) == ("ENV003", "did you mean 'contoso'?")
