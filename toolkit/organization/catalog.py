"""What an organization keeps beside entities and solutions: publishers, storage accounts it can see, settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from toolkit.model.base import Frozen
from toolkit.model.environment import HostedLink, Organization, StorageAccount
from toolkit.model.solution import Publisher
from toolkit.organization.database import Connection

DDL = """
CREATE TABLE settings (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    definition TEXT NOT NULL
) STRICT;
CREATE TABLE storage_account (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE publisher (
    unique_name TEXT PRIMARY KEY COLLATE NOCASE,
    definition TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Settings(Frozen):
    """What an organization says about its user and about itself."""

    administrator: bool | None = True
    """Whether the user is a Dataverse administrator; None when it is not known."""
    change_tracking_expiry_days: Annotated[int, Field(ge=0)] = 7
    """Dataverse's ``expirechangetrackingindays``."""
    hosted: tuple[HostedLink, ...] = ()
    """Links of Microsoft's own exporter that the organization seems to have, to see what is said of them."""


def organization(connection: Connection) -> Organization:
    """Return the organization that the file holds."""
    (row,) = connection.execute("SELECT definition FROM organization")
    return Organization.model_validate_json(row["definition"])


def settings(connection: Connection) -> Settings:
    """Return the settings; those of a new organization before any were put."""
    row = connection.one("SELECT definition FROM settings")
    return Settings() if row is None else Settings.model_validate_json(row["definition"])


def put_settings(connection: Connection, new: Settings) -> None:
    """Replace the settings."""
    connection.execute("INSERT OR REPLACE INTO settings VALUES (1, ?)", [new.model_dump_json()])


def accounts(connection: Connection) -> dict[str, StorageAccount]:
    """Return the storage accounts that the organization can see, by name."""
    rows = connection.execute("SELECT name, definition FROM storage_account ORDER BY name")
    return {row["name"]: StorageAccount.model_validate_json(row["definition"]) for row in rows}


def put_account(connection: Connection, account: StorageAccount) -> None:
    """Let the organization see a storage account, or see it with other properties."""
    connection.execute(
        "INSERT OR REPLACE INTO storage_account VALUES (?, ?)", [account.name, account.model_dump_json()]
    )


def publishers(connection: Connection) -> dict[str, Publisher]:
    """Return the publishers by unique name."""
    rows = connection.execute("SELECT unique_name, definition FROM publisher ORDER BY unique_name")
    return {row["unique_name"]: Publisher.model_validate_json(row["definition"]) for row in rows}


def publisher(connection: Connection, name: str) -> Publisher | None:
    """Return a publisher by its unique name in any case, or None."""
    row = connection.one("SELECT definition FROM publisher WHERE unique_name = ?", [name])
    return None if row is None else Publisher.model_validate_json(row["definition"])


def put_publisher(connection: Connection, new: Publisher) -> None:
    """Create or replace a publisher."""
    connection.execute("INSERT OR REPLACE INTO publisher VALUES (?, ?)", [new.unique_name, new.model_dump_json()])


def delete_publisher(connection: Connection, name: str) -> None:
    """Delete a publisher."""
    connection.execute("DELETE FROM publisher WHERE unique_name = ?", [name])


def default_publisher(organization: Organization) -> Publisher:
    """Return the publisher that every organization begins with.

    Its name, prefix and option-value prefix are those of a new Dataverse organization.
    """
    return Publisher(
        unique_name=f"DefaultPublisher{organization.unique_name}",
        display_names={1033: f"Default Publisher for {organization.unique_name}"},
        prefix="new",
        option_value_prefix=10_000,
    )
