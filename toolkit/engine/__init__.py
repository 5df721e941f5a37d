"""From feed to files: the engine that performs the export.

sync      one pass over a link: changes, due snapshots, the manifest
snapshot  what changed since the last snapshot, now
run       passes until it is told to stop
status    how far each entity is
"""

from toolkit.engine.report import EntityProgress, EntityReport, EntityStatus, LinkStatus, Phase, SyncReport
from toolkit.engine.retry import Patience, Retry
from toolkit.engine.run import run
from toolkit.engine.schema_history import SchemaChange
from toolkit.engine.settings import Settings
from toolkit.engine.status import status
from toolkit.engine.sync import snapshot, sync, take_over

__all__ = [
    "EntityProgress",
    "EntityReport",
    "EntityStatus",
    "LinkStatus",
    "Patience",
    "Phase",
    "Retry",
    "SchemaChange",
    "Settings",
    "SyncReport",
    "run",
    "snapshot",
    "status",
    "sync",
    "take_over",
]
