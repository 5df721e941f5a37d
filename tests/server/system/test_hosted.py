"""Synapse Link profiles of a served organization, as the environment over the Web API reads them."""

from __future__ import annotations

from tests.plan.build import CONFIG, linked
from tests.server.served import served
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client
from toolkit.dataverse.hosted import hosted_links
from toolkit.model.environment import HostedLink
from toolkit.organization import catalog
from toolkit.organization.catalog import Settings
from toolkit.organization.database import Database

PROFILE = HostedLink(
    id=CONFIG,
    name="Contoso Lake",
    state="Active",
    active=True,
    account="contosolake",
    file_system="dataverse-prod",
    entities=(linked("account", "Year", append_only=True), linked("contact", "Month")),
    snapshots=5,
)


def test_the_profiles_of_the_settings_are_read_back_as_they_are(database: Database) -> None:
    with served(database) as address, Client(Address.parse(address), None) as client:
        assert hosted_links(client) == ()
        with database.write() as connection:
            catalog.put_settings(connection, Settings(hosted=(PROFILE,)))
        assert hosted_links(client) == (PROFILE,)


def test_a_place_that_is_not_known_and_no_entities_are_read_as_such(database: Database) -> None:
    bare = PROFILE.model_copy(update={"account": None, "file_system": None, "entities": ()})
    with database.write() as connection:
        catalog.put_settings(connection, Settings(hosted=(bare,)))
    with served(database) as address, Client(Address.parse(address), None) as client:
        assert hosted_links(client) == (bare,)
