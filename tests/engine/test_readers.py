"""Readers that nobody here wrote read a folder lake as what the source holds."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import polars as pl
import pytest

from tests.engine.test_rows import EVERYTHING
from tests.engine.world import ORGANIZATION, TEAM, Clock, World, link, linked_entity
from toolkit.lake.folder import FolderLake
from toolkit.model.config import Output, Times
from toolkit.source.scripted import ScriptedSource

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
FULL: dict[str, Any] = {
    "text": 'say "no", \u65e5\u672c\n;',
    "memo": "two\nlines",
    "number": -7,
    "big": 2**62,
    "rate": Decimal("0.0000000001"),
    "exact": Decimal("12345678901234567.5"),
    "price": Decimal("1.10"),
    "ratio": 0.1,
    "flag": True,
    "colour": 100000001,
    "colours": "1;2;3",
    "statecode": 0,
    "statuscode": 1,
    "parentid": GUID,
    "customerid": GUID,
    "customerid_entitytype": "contact",
    "ownerid": GUID,
    "ownerid_entitytype": "team",
    "at": datetime(1753, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    "wall": datetime(2026, 1, 31, 23, 59, 59),  # noqa: DTZ001 - has no zone
    "day": date(2024, 2, 29),
}
EMPTY: dict[str, Any] = {"text": "", "memo": "", "flag": False, "colours": "", "ratio": 1e300}
ODD = [{"text": text} for text in ("\r lone", "'", "\\", "None", "NULL", "0", " ", "\t", '"', '""', ",", "\n")]
MONTHS = [datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Row]]:
    """A folder lake after changes and a second snapshot, and the rows that its source holds, by id."""
    clock = Clock()
    source = ScriptedSource([EVERYTHING, TEAM], clock=clock, organization=ORGANIZATION)
    world = World(
        source,
        FolderLake(tmp_path_factory.mktemp("lake").resolve()),
        clock,
        link(linked_entity("cts_everything"), linked_entity("teammembership")),
    )
    rows = {}
    for number, given in enumerate([FULL, EMPTY, {}, *ODD]):
        values = {**given, "createdon": MONTHS[number % 2]}
        key = source.insert("cts_everything", **values)
        rows[key] = {**values, "modifiedon": clock.now, "versionnumber": source.version}
    source.insert("teammembership", teamid=GUID)
    gone = source.insert("cts_everything", text="to be deleted", createdon=MONTHS[0])
    world.sync()
    clock.forward(hours=2)
    source.delete("cts_everything", gone)
    first = min(rows)
    source.update("cts_everything", first, memo="changed")
    rows[first] |= {"memo": "changed", "modifiedon": clock.now, "versionnumber": source.version}
    world.sync()
    return world, rows


def locations(world: World, entity: str) -> list[str]:
    return [partition["location"] for partition in world.entity(entity)["partitions"]]


def expected(rows: dict[str, Row]) -> list[Row]:
    return sorted(({"Id": key, "cts_everythingid": key, **row} for key, row in rows.items()), key=lambda row: row["Id"])


DUCKDB_TYPES = {
    "guid": "UUID",
    "string": "VARCHAR",
    "int64": "BIGINT",
    "decimal": "DECIMAL(38,10)",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "dateTime": "VARCHAR",
    "dateTimeOffset": "VARCHAR",
}


def as_source(row: Row) -> Row:
    """A row of a reader, without what is null and without the sink columns, in the types of the source."""
    present = {name: value for name, value in row.items() if value is not None and not name.startswith("Sink")}
    for name in present.keys() & {"at", "createdon", "modifiedon"}:
        present[name] = datetime.fromisoformat(present[name])
    for name in present.keys() & {"wall"}:
        present[name] = datetime.fromisoformat(present[name].removesuffix("Z"))
    for name in present.keys() & {"day"}:
        present[name] = datetime.fromisoformat(present[name]).date()
    return {name: str(value) if name.lower().endswith("id") else value for name, value in present.items()}


def normal(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def test_duckdb_tells_null_from_empty_and_equals_the_source(lake: tuple[World, dict[str, Row]]) -> None:
    world, rows = lake
    types = {a["name"]: DUCKDB_TYPES[a["dataType"]] for a in world.entity("cts_everything")["attributes"]}
    relation = duckdb.read_csv(
        locations(world, "cts_everything"),
        header=False,
        columns=types,
        auto_detect=False,
        delimiter=",",
        quotechar='"',
        escapechar='"',
        allow_quoted_nulls=False,
    )
    found = [dict(zip(relation.columns, row, strict=True)) for row in relation.order("Id").fetchall()]
    assert [as_source(row) for row in found] == [normal(row) for row in expected(rows)]


def test_duckdb_takes_names_from_headers_and_times_as_they_stand(tmp_path: Path) -> None:
    clock = Clock()
    source = ScriptedSource((EVERYTHING,), clock=clock, organization=ORGANIZATION)
    for month in MONTHS:
        source.insert("cts_everything", **FULL, createdon=month)
    output = Output(header=True, times=Times.ISO)
    world = World(source, FolderLake(tmp_path), clock, link(linked_entity("cts_everything"), output=output))
    world.sync()
    relation = duckdb.read_csv(
        locations(world, "cts_everything"), header=True, quotechar='"', escapechar='"', all_varchar=True
    )
    assert relation.columns == world.columns("cts_everything")
    assert all(each["fileFormatSettings"]["columnHeaders"] for each in world.entity("cts_everything")["partitions"])
    times = relation.project('epoch("SinkCreatedOn"::TIMESTAMPTZ), epoch(createdon::TIMESTAMPTZ)').order("2")
    assert times.fetchall() == [(clock.now.timestamp(), month.timestamp()) for month in MONTHS]


def test_polars_equals_the_source(lake: tuple[World, dict[str, Row]]) -> None:
    world, rows = lake
    columns = world.columns("cts_everything")
    schema = dict.fromkeys(columns, pl.String)
    frames = [pl.read_csv(path, has_header=False, schema=schema) for path in locations(world, "cts_everything")]
    found = {row["Id"]: row for frame in frames for row in frame.to_dicts()}
    # Polars reads "" and nothing alike.
    assert {key: row["text"] or "" for key, row in found.items()} == {
        key: row.get("text") or "" for key, row in rows.items()
    }
    assert {key: row["exact"] for key, row in found.items() if row["exact"]} == {
        min(rows): "12345678901234567.5000000000"
    }


def test_spark_equals_the_source(lake: tuple[World, dict[str, Row]]) -> None:
    python = os.environ.get("TOOLKIT_SPARK_PYTHON")
    if python is None:
        pytest.skip("TOOLKIT_SPARK_PYTHON names no interpreter with pyspark: make spark")
    world, rows = lake
    script = Path(__file__).with_name("spark_reader.py")
    command = [python, str(script), world.lake.location("model.json"), "cts_everything"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    # Spark reads "" and nothing alike.
    assert [(row["Id"], row["text"] or "", row["memo"] or "") for row in found] == [
        (row["Id"], row.get("text") or "", row.get("memo") or "") for row in expected(rows)
    ]
    assert [row["exact"] for row in found if row["exact"]] == ["12345678901234567.5000000000"]
    assert {tuple(row) for row in found} == {tuple(world.columns("cts_everything"))}


@pytest.fixture
def adapter() -> Iterator[Any]:
    with warnings.catch_warnings():
        # The library has invalid escapes and comparisons with literals in its sources.
        warnings.simplefilter("ignore")
        from cdm.storage import LocalAdapter  # type: ignore[import-untyped]  # ships no types

        yield LocalAdapter


def test_the_cdm_object_model_resolves_every_partition(lake: tuple[World, dict[str, Row]], adapter: Any) -> None:
    from cdm.enums import CdmStatusLevel  # type: ignore[import-untyped]  # ships no types
    from cdm.objectmodel import CdmCorpusDefinition  # type: ignore[import-untyped]  # ships no types

    world, _ = lake
    root = Path(world.lake.location("model.json")).parent
    complaints: list[str] = []
    corpus = CdmCorpusDefinition()
    corpus.set_event_callback(lambda _, message: complaints.append(message), CdmStatusLevel.WARNING)
    corpus.storage.mount("lake", adapter(str(root)))
    corpus.storage.default_namespace = "lake"
    manifest = asyncio.run(corpus.fetch_object_async("lake:/model.json"))
    files = [
        Path(corpus.storage.corpus_path_to_adapter_path(partition.location))
        for entity in manifest.entities
        for partition in entity.data_partitions
    ]
    assert complaints == []
    assert [entity.entity_name for entity in manifest.entities] == ["cts_everything", "teammembership"]
    assert [file.name.split("_")[0] for file in files if file.is_file()] == ["2024-12", "2025-01", "2026"]


def test_the_manifest_is_valid_against_microsofts_schema(lake: tuple[World, dict[str, Row]]) -> None:
    corpus = os.environ.get("TOOLKIT_CORPUS")
    if corpus is None:
        pytest.skip("TOOLKIT_CORPUS is not set")
    schema = json.loads((Path(corpus) / "lake" / "modeljsonschema.json").read_text(encoding="utf-8-sig"))
    jsonschema.validate(lake[0].manifest(), schema)
    own = lake[0].text("Microsoft.Athena.TrickleFeedService/teammembership-model.json")
    jsonschema.validate(json.loads(own), schema)


def forms(manifest: dict[str, Any]) -> dict[str, set[str]]:
    """How attributes are described, by dataType: their keys and traits, with N in the place of sizes."""
    found: dict[str, set[str]] = {}
    for attribute in (each for entity in manifest["entities"] for each in entity["attributes"]):
        form = re.sub(r": \d+", ": N", json.dumps({**attribute, "name": ""}))
        found.setdefault(attribute["dataType"], set()).add(form)
    return found


def test_attributes_are_described_as_the_real_service_does(lake: tuple[World, dict[str, Row]]) -> None:
    corpus = os.environ.get("TOOLKIT_CORPUS")
    if corpus is None:
        pytest.skip("TOOLKIT_CORPUS is not set")
    theirs = forms(json.loads((Path(corpus) / "lake" / "service-model-anonymised.json").read_text()))
    ours = forms(lake[0].manifest())
    assert [kind for kind in theirs if not theirs[kind] <= ours[kind]] == []


def test_the_manifest_has_the_keys_of_the_real_service_in_their_order(lake: tuple[World, dict[str, Row]]) -> None:
    corpus = os.environ.get("TOOLKIT_CORPUS")
    if corpus is None:
        pytest.skip("TOOLKIT_CORPUS is not set")
    theirs = json.loads((Path(corpus) / "lake" / "service-model-anonymised.json").read_text())
    entity = next(each for each in theirs["entities"] if each["partitions"])
    ours = lake[0].entity("cts_everything")
    assert list(lake[0].manifest()) == list(theirs)
    assert list(ours) == list(entity)
    assert [a["name"] for a in ours["annotations"]] == [a["name"] for a in entity["annotations"]]
    assert list(ours["partitions"][0]) == list(entity["partitions"][0])
    assert {**ours["partitions"][0], "name": "", "location": "", "annotations": []} == {
        **entity["partitions"][0],
        "name": "",
        "location": "",
        "annotations": [],
    }
