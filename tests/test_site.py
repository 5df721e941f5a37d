"""A site: the record of an environment and the link documents of its lakes, as they are read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

import pytest

from toolkit.environment.protocol import Environment
from toolkit.errors import Damaged
from toolkit.lake.memory import MemoryLake
from toolkit.lake.protocol import ABSENT, Lake, State
from toolkit.model.config import ExportConfig, Storage
from toolkit.model.link import EnvironmentRecord, LakeAddress, Link
from toolkit.site import LINK_PATH, RECORD_PATH, Site, read_link
from toolkit.source.scripted import ScriptedSource

AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ORGANIZATION = "11111111-1111-1111-1111-111111111111"
SALES = "aaaaaaaa-0000-0000-0000-000000000001"
SERVICE = "aaaaaaaa-0000-0000-0000-000000000002"


def link(config: str, account: str) -> Link:
    return Link(
        generation=1,
        environment="dev",
        organization=ORGANIZATION,
        config=ExportConfig(id=config, name=account, storage=Storage(account=account)),
        account=account,
        file_system="lake",
        created=AT,
        changed=AT,
    )


def record(*lakes: LakeAddress) -> bytes:
    return EnvironmentRecord(environment="dev", organization=ORGANIZATION, lakes=lakes).model_dump_json().encode()


def address(config: str, account: str) -> LakeAddress:
    return LakeAddress(config=config, account=account, file_system="lake")


def site(state: State, open_lake: Callable[[str, str], Lake] = lambda account, _: MemoryLake(account)) -> Site:
    never_asked = cast("Environment", None)
    return Site("dev", never_asked, ScriptedSource([], clock=lambda: AT), state, open_lake)


def holding(path: str, data: bytes) -> MemoryLake:
    lake = MemoryLake("dev")
    lake.put(path, data, ABSENT)
    return lake


def test_before_the_first_apply_there_is_no_record_and_no_link() -> None:
    empty = site(MemoryLake())
    assert empty.record() == (None, ABSENT)
    assert empty.links() == ()


def test_the_record_comes_with_the_etag_for_the_next_write() -> None:
    state = MemoryLake()
    etag = state.put(RECORD_PATH, record(address(SALES, "sales")), ABSENT)
    found, read = site(state).record()
    assert found is not None
    assert [lake.account for lake in found.lakes] == ["sales"]
    assert read == etag


def test_links_are_read_from_their_lakes_in_the_order_of_the_record() -> None:
    lakes = {name: MemoryLake(name) for name in ("sales", "service")}
    for config, name in ((SALES, "sales"), (SERVICE, "service")):
        lakes[name].put(LINK_PATH, link(config, name).model_dump_json().encode(), ABSENT)
    state = holding(RECORD_PATH, record(address(SERVICE, "service"), address(SALES, "sales")))
    linked = site(state, lambda account, _: lakes[account]).links()
    assert [found.link.config.id for found in linked] == [SERVICE, SALES]
    assert [found.lake for found in linked] == [lakes["service"], lakes["sales"]]


def test_a_lake_of_the_record_without_a_link_document_has_no_link() -> None:
    assert site(holding(RECORD_PATH, record(address(SALES, "sales")))).links() == ()


def test_a_link_that_cannot_be_read_hides_no_other() -> None:
    lakes = {name: MemoryLake(name) for name in ("sales", "service", "gone")}
    lakes["sales"].put(LINK_PATH, b"{", ABSENT)
    lakes["service"].put(LINK_PATH, link(SERVICE, "service").model_dump_json().encode(), ABSENT)
    named = (address(SALES, "sales"), address(SERVICE, "service"), address(SALES, "gone"))
    here = site(holding(RECORD_PATH, record(*named)), lambda account, _: lakes[account])
    assert [found.link.config.id for found in here.links()] == [SERVICE]
    assert [(found.address.account, found.error.code) for found in here.broken()] == [
        ("sales", "STA001"),
        ("gone", "STA003"),
    ]
    assert f"toolkit lake link --id {SALES} --account gone --file-system lake --env dev" in here.broken()[1].error.fix


def test_a_lake_that_the_record_names_twice_has_one_link() -> None:
    lake = holding(LINK_PATH, link(SALES, "sales").model_dump_json().encode())
    twice = record(address(SERVICE, "sales"), address(SALES, "sales"))
    assert len(site(holding(RECORD_PATH, twice), lambda *_: lake).links()) == 1


def test_a_lake_is_opened_at_its_account_and_file_system() -> None:
    opened: list[tuple[str, str]] = []

    def open_lake(account: str, file_system: str) -> Lake:
        opened.append((account, file_system))
        return MemoryLake()

    site(MemoryLake(), open_lake).lake_at(address(SALES, "sales"))
    assert opened == [("sales", "lake")]


def test_a_link_comes_with_its_etag_and_its_lake() -> None:
    lake = MemoryLake()
    etag = lake.put(LINK_PATH, link(SALES, "sales").model_dump_json().encode(), ABSENT)
    found = read_link(lake)
    assert found is not None
    assert (found.link, found.etag, found.lake) == (link(SALES, "sales"), etag, lake)


def test_a_lake_without_a_link_document_has_none() -> None:
    assert read_link(MemoryLake()) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000, b'{"format": 1e999}'])
def test_a_document_that_is_none_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged) as caught:
        read_link(holding(LINK_PATH, data))
    assert caught.value.code == "STA001"
    assert caught.value.where.path == "memory://dev/_toolkit/link.json"
    assert "backup" in caught.value.fix


def test_a_document_with_a_wrong_value_names_its_key() -> None:
    wrong = link(SALES, "sales").model_dump_json().replace('"interval_minutes":60', '"interval_minutes":0').encode()
    with pytest.raises(Damaged) as caught:
        read_link(holding(LINK_PATH, wrong))
    assert caught.value.where.key == "config.interval_minutes"
    assert caught.value.why == "Input should be greater than or equal to 5"


@pytest.mark.parametrize("data", [b'{"format": 2}', b'{"format": 2, "generation": "of another kind"}'])
def test_a_document_of_a_newer_toolkit_is_refused_as_such(data: bytes) -> None:
    with pytest.raises(Damaged) as caught:
        read_link(holding(LINK_PATH, data))
    assert caught.value.code == "STA002"
    assert caught.value.what == "memory://dev/_toolkit/link.json has format 2, and this toolkit reads up to 1"
    assert "newer toolkit" in caught.value.fix


def test_a_record_of_a_newer_toolkit_is_refused_even_when_it_would_fit() -> None:
    newer = record().replace(b'"format":1', b'"format":2')
    with pytest.raises(Damaged) as caught:
        site(holding(RECORD_PATH, newer)).record()
    assert caught.value.code == "STA002"
