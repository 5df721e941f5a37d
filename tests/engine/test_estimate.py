"""What an initial sync would take, beside what it took."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tests.engine.world import ACCOUNT, START, TEAM, Clock, World, insert_account, link, linked_entity, source_of
from toolkit.engine.estimate import EntityEstimate, estimate
from toolkit.lake.memory import MemoryLake
from toolkit.model.config import Mask, Output, PartitionStrategy


def test_an_estimate_of_alike_rows_is_what_the_sync_writes() -> None:
    clock = Clock()
    world = World(source_of(clock), MemoryLake("contosolake"), clock, link(linked_entity("account")))
    for month in (1, 2, 3):
        insert_account(world.source, "abc", datetime(2026, month, 1, tzinfo=UTC), revenue=Decimal("1.10"))
    found = estimate(world.source, linked_entity("account"), Output(), ACCOUNT, START)
    assert found == EntityEstimate(
        "account", rows=3, bytes=603, partitions=3, source_requests=2, lake_requests=3 * 3 + 1
    )
    assert world.sync().by_entity["account"].bytes == 603


def test_years_make_fewer_partitions_than_months() -> None:
    source = source_of(Clock())
    for number in range(20):
        insert_account(source, str(number), datetime(2024, 11, 1, tzinfo=UTC))
    month = estimate(source, linked_entity("account"), Output(), ACCOUNT, START)
    year = estimate(
        source, linked_entity("account", partition_strategy=PartitionStrategy.YEAR), Output(), ACCOUNT, START
    )
    assert (month.partitions, year.partitions) == (17, 3)


def test_an_entity_without_createdon_is_one_partition() -> None:
    source = source_of(Clock())
    source.insert("teammembership", teamid="0f8fad5b-d9cb-469f-a165-70867728950e")
    assert estimate(source, linked_entity("teammembership"), Output(), TEAM, START).partitions == 1


def test_an_entity_without_rows_takes_two_requests_and_no_file() -> None:
    found = estimate(source_of(Clock()), linked_entity("account"), Output(), ACCOUNT, START)
    assert found == EntityEstimate("account", rows=0, bytes=0, partitions=0, source_requests=2, lake_requests=0)


def test_an_estimate_is_of_what_is_exported() -> None:
    source = source_of(Clock())
    for number in range(8):
        insert_account(source, "abc", datetime(2026, 1, 1, tzinfo=UTC), revenue=Decimal(number % 2))
    odd = linked_entity("account", filter=[{"column": "revenue", "equals": "1"}])
    whole, half = (estimate(source, linked, Output(), ACCOUNT, START) for linked in (linked_entity("account"), odd))
    assert (half.rows, half.bytes, half.source_requests) == (4, whole.bytes // 2, whole.source_requests)
    hashed = estimate(source, linked_entity("account", mask={"name": Mask.HASH}), Output(), ACCOUNT, START)
    assert hashed.bytes == whole.bytes + 8 * (64 - len("abc"))
