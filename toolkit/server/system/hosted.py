"""The tables of Synapse Link profiles, Microsoft's own exporter: rows of what the settings say that there is.

Source of names and values: Microsoft's table references of the three tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.dataverse.hosted import STATES
from toolkit.model.entity import Attribute, AttributeType, Entity
from toolkit.model.environment import HostedLink
from toolkit.organization import catalog
from toolkit.organization.database import Connection
from toolkit.server.system.ids import made
from toolkit.server.system.table import SystemTable

Row = Mapping[str, object]


def _table(entity: str, entity_set: str, *columns: Attribute) -> Entity:
    key = Attribute(name=f"{entity}id", type=AttributeType.UNIQUEIDENTIFIER)
    name = Attribute(name="name", type=AttributeType.STRING, max_length=100)
    return Entity(
        name=entity,
        set_name=entity_set,
        primary_id=key.name,
        primary_name=name.name,
        change_tracking=False,
        can_track=False,
        attributes=(key, name, *columns),
    )


def _numbers(*names: str) -> Iterator[Attribute]:
    return (Attribute(name=name, type=AttributeType.INTEGER) for name in names)


def _lookup(name: str, target: str) -> Attribute:
    return Attribute(name=name, type=AttributeType.LOOKUP, targets=(target,))


PROFILE = _table(
    "synapselinkprofile",
    "synapselinkprofiles",
    *_numbers("profilestate", "profiletype", "snapshotstopersist"),
    _lookup("datalakefolder", "datalakefolder"),
)
PROFILE_ENTITY = _table(
    "synapselinkprofileentity",
    "synapselinkprofileentities",
    Attribute(name="entityname", type=AttributeType.STRING, max_length=128),
    *_numbers("partitionstrategy", "recordcountperblock"),
    Attribute(name="appendonlymode", type=AttributeType.BOOLEAN),
    Attribute(name="enabled", type=AttributeType.BOOLEAN),
    _lookup("profile", "synapselinkprofile"),
)
FOLDER = _table(
    "datalakefolder",
    "datalakefolders",
    Attribute(name="containerendpoint", type=AttributeType.STRING, max_length=200),
)


def _profiles(connection: Connection) -> Iterator[Row]:
    for link in catalog.settings(connection).hosted:
        yield {
            "synapselinkprofileid": link.id,
            "name": link.name,
            "profilestate": STATES.index(link.state),
            "profiletype": 0,
            "snapshotstopersist": link.snapshots,
            "datalakefolder": _folder(link),
        }


def _folder(link: HostedLink) -> str:
    return made(link.id, "folder", "")


def _entities(connection: Connection) -> Iterator[Row]:
    for link in catalog.settings(connection).hosted:
        for entity in link.entities or ():
            yield {
                "synapselinkprofileentityid": made(link.id, "entity", entity.name),
                "name": entity.name,
                "entityname": entity.name,
                "partitionstrategy": entity.strategy.number,
                "recordcountperblock": entity.records_per_block,
                "appendonlymode": entity.append_only,
                "enabled": True,
                "profile": link.id,
            }


def _folders(connection: Connection) -> Iterator[Row]:
    for link in catalog.settings(connection).hosted:
        if link.account is not None:
            endpoint = f"https://{link.account}.dfs.core.windows.net/{link.file_system}"
            yield {"datalakefolderid": _folder(link), "name": link.file_system, "containerendpoint": endpoint}


HOSTED_TABLES: tuple[SystemTable, ...] = (
    SystemTable(PROFILE, _profiles),
    SystemTable(PROFILE_ENTITY, _entities),
    SystemTable(FOLDER, _folders),
)
