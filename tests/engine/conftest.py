from __future__ import annotations

import pytest

from tests.engine.world import Clock, World, link, linked_entity, source_of
from toolkit.lake.memory import MemoryLake
from toolkit.source.scripted import ScriptedSource


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> ScriptedSource:
    return source_of(clock)


@pytest.fixture
def world(source: ScriptedSource, clock: Clock) -> World:
    """The account, in place, by month."""
    return World(source, MemoryLake(clock=clock), clock, link(linked_entity("account")))
