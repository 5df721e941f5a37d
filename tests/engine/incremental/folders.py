"""The world of the engine's tests, with incremental folders."""

from __future__ import annotations

from typing import Any

from tests.engine.incremental.reader import Reader
from tests.engine.world import Clock, World, link, linked_entity, source_of
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import Layout, LinkedEntity, Retention
from toolkit.model.link import Link


def incremental(linked: Link, *, keep_days: int | None = None) -> Link:
    output, snapshots = (
        linked.config.output.model_copy(update={"layout": Layout.INCREMENTAL}),
        Retention(keep_days=keep_days),
    )
    return linked.model_copy(
        update={"config": linked.config.model_copy(update={"output": output, "snapshots": snapshots})}
    )


class FolderWorld(World):
    """The account and an entity without createdon."""

    keep_days: int | None = None

    def relink(self, *entities: LinkedEntity, **how: Any) -> None:
        super().relink(*entities, **how)
        self.link = incremental(self.link, keep_days=self.keep_days)

    @property
    def reader(self) -> Reader:
        return Reader(self.lake)


def new_world(*entities: LinkedEntity, **how: Any) -> FolderWorld:
    clock = Clock()
    linked = incremental(link(*(entities or (linked_entity("account"), linked_entity("teammembership")))))
    return FolderWorld(source_of(clock, **how), MemoryLake(clock=clock), clock, linked)
