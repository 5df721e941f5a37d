"""Links of Microsoft's own exporter: the Synapse Link profiles, as far as they can be read. They are never written to.

Sources: the table references of ``synapselinkprofile``, ``synapselinkprofileentity`` and ``datalakefolder``.
Unconfirmed: the form of ``containerendpoint``; it is taken for the address of a file system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from toolkit.dataverse.client import Client
from toolkit.dataverse.tables import Row, rows, rows_if_any, selected
from toolkit.errors import ToolkitError
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.environment import HostedLink

STATES = (
    "Inactive",
    "Active",
    "Error",
    "Deleted",
    "Aborting",
    "Aborted",
    "Suspended",
    "Suspending",
    "Deactivated",
)
"""The names of ``profilestate`` by number."""
_RESTS = frozenset({"Inactive", "Deleted", "Aborted", "Deactivated"})
"""The states in which the service does not write, and begins only when somebody tells it to."""
_ENDPOINT = re.compile(r"https://([a-z0-9]{3,24})\.(?:dfs|blob)\.[a-z0-9.]+(?::443)?/([a-z0-9-]{3,63})(?:/.*)?")


def hosted_links(client: Client) -> tuple[HostedLink, ...]:
    """Return the hosted links of an organization; none where it has no such tables."""
    columns = "synapselinkprofileid,name,profilestate,snapshotstopersist,profiletype,_datalakefolder_value"
    found = rows_if_any(client, selected("synapselinkprofiles", columns))
    if not found:
        return ()
    places = _places(client)
    entities = _entities(client)
    return tuple(_link(row, places, entities) for row in found)


def _link(row: Row, places: Mapping[str, str], entities: Mapping[str, tuple[LinkedEntity, ...]] | None) -> HostedLink:
    key = row["synapselinkprofileid"].lower()
    number = row["profilestate"]
    state = STATES[number] if number in range(len(STATES)) else str(number)
    endpoint = _ENDPOINT.fullmatch(places.get((row["_datalakefolder_value"] or "").lower(), ""))
    return HostedLink(
        id=key,
        name=row["name"] or key,
        state=state,
        active=state not in _RESTS,
        account=endpoint[1] if endpoint else None,
        file_system=endpoint[2] if endpoint else None,
        entities=None if entities is None else entities.get(key, ()),
        snapshots=row["snapshotstopersist"],
    )


def _places(client: Client) -> Mapping[str, str]:
    found = _readable(client, selected("datalakefolders", "datalakefolderid,containerendpoint")) or ()
    return {row["datalakefolderid"].lower(): row["containerendpoint"] or "" for row in found}


def _entities(client: Client) -> Mapping[str, tuple[LinkedEntity, ...]] | None:
    columns = "entityname,partitionstrategy,appendonlymode,recordcountperblock,_profile_value"
    found = _readable(client, selected("synapselinkprofileentities", columns, where="enabled eq true"))
    if found is None:
        return None
    profiles = {(row["_profile_value"] or "").lower() for row in found}
    return {key: tuple(_entity(row) for row in found if row["_profile_value"].lower() == key) for key in profiles}


def _entity(row: Row) -> LinkedEntity:
    block = row["recordcountperblock"]
    return LinkedEntity(
        name=row["entityname"].lower(),
        partition_strategy=_strategy(row["partitionstrategy"]),
        append_only=bool(row["appendonlymode"]),
        **({"records_per_block": block} if block else {}),
    )


def _strategy(number: int | None) -> PartitionStrategy | None:
    return next((strategy for strategy in PartitionStrategy if strategy.number == number), None)


def _readable(client: Client, path: str) -> Sequence[Row] | None:
    """Return rows that help to understand a link; None where they cannot be read, whatever the reason."""
    try:
        return rows(client, path)
    except ToolkitError:
        return None
