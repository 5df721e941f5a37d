"""What the status of an entity says besides how far it is."""

from __future__ import annotations

import pytest

from tests.engine.world import ACCOUNT, World
from toolkit.engine import status
from toolkit.model.config import Layout, Output


@pytest.mark.parametrize("layout", Layout)
def test_calculated_columns_are_listed(world: World, layout: Layout) -> None:
    computed = [each.model_copy(update={"calculated": each.name == "name"}) for each in ACCOUNT.attributes]
    world.source.define(ACCOUNT.model_copy(update={"attributes": tuple(computed)}))
    world.configure(output=Output(layout=layout))
    assert [each.calculated for each in status(world.linked).entities] == [()]
    world.sync()
    assert [each.calculated for each in status(world.linked).entities] == [("name",)]


def test_a_column_that_is_no_longer_calculated_is_no_longer_listed(world: World) -> None:
    computed = [each.model_copy(update={"calculated": each.name == "name"}) for each in ACCOUNT.attributes]
    world.source.define(ACCOUNT.model_copy(update={"attributes": tuple(computed)}))
    world.sync()
    world.source.define(ACCOUNT)
    world.source.insert("account", name="a")
    world.sync()
    assert [each.calculated for each in status(world.linked).entities] == [()]
