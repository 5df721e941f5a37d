"""Taking a file system over that another exporter has left."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.apply.rig import HOLDER, Rig
from tests.plan.build import FILE_SYSTEM, START, config
from toolkit.apply.adoption import abandoned
from toolkit.environment.embedded import EmbeddedEnvironment
from toolkit.errors import Refused
from toolkit.lake.memory import Crashed, MemoryLake
from toolkit.lake.protocol import ABSENT
from toolkit.model.environment import HostedLink, Inventory
from toolkit.plan import LakeName
from toolkit.site import Site

LAKE = LakeName("contosolake", FILE_SYSTEM)
ASIDE = "_kept/adopted/20260301T120000Z"
LEFT = {
    "Microsoft.Athena.TrickleFeedService/account-model.json": b"{}",
    "account/2026-03.csv": b"1,Contoso\n",
    "account/Snapshot/2026-03_1772366400.csv": b"1,Contoso\n",
    "model.json": b'{"name": "cdm"}',
}


@dataclass
class Hosting:
    """An environment in which Microsoft's own exporter is at work."""

    behind: EmbeddedEnvironment
    hosted: HostedLink

    def inventory(self) -> Inventory:
        return self.behind.inventory().model_copy(update={"hosted": (self.hosted,)})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


@pytest.fixture
def left(prod: Rig) -> MemoryLake:
    lake = prod.lake(*LAKE)
    for path, data in LEFT.items():
        lake.put(path, data, ABSENT)
    return lake


def adopt(site: Site) -> str:
    with abandoned(site, LAKE, HOLDER) as found:
        return found.set_aside(START)


def content(lake: MemoryLake) -> dict[str, bytes]:
    return {stat.path: lake.read(stat.path) for stat in lake.list("")}


def test_what_another_exporter_left_is_moved_aside_and_the_file_system_is_free(prod: Rig, left: MemoryLake) -> None:
    assert prod.world(config("account")).foreign == {LAKE: "model.json is there, and no mark of this toolkit"}
    with abandoned(prod.site, LAKE, HOLDER) as found:
        assert (found.what, len(found.files), found.size) == ("model.json is there, and no mark of this toolkit", 4, 37)
        assert found.set_aside(START) == ASIDE
    assert content(left) == {f"{ASIDE}/{path}": data for path, data in LEFT.items()}
    assert prod.world(config("account")).foreign == {}


@pytest.mark.parametrize("at", range(1, 9))
def test_cut_off_at_any_change_it_goes_on_when_it_is_done_again(prod: Rig, left: MemoryLake, at: int) -> None:
    with abandoned(prod.site, LAKE, HOLDER) as found:
        left.fail(len(left.calls) + at, "after")
        with pytest.raises(Crashed):
            found.set_aside(START)
    prod.reopen()
    lake = prod.lake(*LAKE)
    assert lake.stat("model.json") is None or LEFT.items() <= content(lake).items()
    if any(path in content(lake) for path in LEFT):
        adopt(prod.site)
    assert content(lake) == {f"{ASIDE}/{path}": data for path, data in LEFT.items()}


def test_nothing_of_another_exporter_is_nothing_to_take_over(prod: Rig) -> None:
    with pytest.raises(Refused) as caught:
        adopt(prod.site)
    assert caught.value.code == "APL041"


def test_what_this_toolkit_wrote_is_not_taken_over(prod: Rig, left: MemoryLake) -> None:
    left.put("_toolkit/lake.json", b"{}", ABSENT)
    with pytest.raises(Refused) as caught:
        adopt(prod.site)
    assert caught.value.code == "APL042"
    assert left.read("model.json") == LEFT["model.json"]


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"account": "contosolake", "file_system": FILE_SYSTEM}, True),
        ({"account": "contosolake"}, True),
        ({}, True),
        ({"account": "contosolake", "file_system": "another"}, False),
        ({"account": "another"}, False),
        ({"account": "contosolake", "file_system": FILE_SYSTEM, "active": False}, False),
    ],
)
def test_a_hosted_link_that_may_write_there_forbids_it(
    prod: Rig, left: MemoryLake, values: dict[str, Any], refused: bool
) -> None:
    made = {"id": "00000000-0000-4000-8000-0000000000aa", "name": "Own", "state": "Active", "active": True, **values}
    site = replace(prod.site, environment=Hosting(prod.embedded, HostedLink.model_validate(made)))
    if not refused:
        assert adopt(site) == ASIDE
        return
    with pytest.raises(Refused) as caught:
        adopt(site)
    assert (caught.value.code, content(left)) == ("APL040", LEFT)
