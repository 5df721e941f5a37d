from collections.abc import Mapping

import pytest
from pydantic import Field

from toolkit.documents import as_model, findings, parse
from toolkit.errors import Invalid
from toolkit.model.base import Frozen
from toolkit.model.config import PartitionStrategy
from toolkit.model.version import Version

SCHEMA = "toolkit schema tells what every key may hold"


class Table(Frozen):
    name: str
    strategy: PartitionStrategy | None = None
    size: int = 1


class Sample(Frozen):
    version: Version
    on: bool = False
    limits: Mapping[int, str] = {}
    tables: tuple[Table, ...] = ()
    best: Table | None = None
    by_name: Mapping[str, Table] = {}
    renamed: int = Field(0, alias="Renamed")


def found(text: str) -> list[tuple[str, int | None, str, str]]:
    return [(f.code, f.where.line, f.what, f.fix) for f in findings(parse(text, "a.yaml"), Sample)]


def test_strings_become_what_the_model_says() -> None:
    sample = as_model(parse("version: 1.10\non: yes\nlimits: {1033: x}\ntables: [{name: a, size: 3}]\n", "a"), Sample)
    assert sample == Sample(version=Version("1.10"), on=True, limits={1033: "x"}, tables=(Table(name="a", size=3),))
    assert sample.version.text == "1.10"


def test_a_good_document_has_no_findings() -> None:
    assert found("version: 1.0\n") == []


def test_every_error_is_reported_at_once_in_the_order_of_the_text() -> None:
    text = "on: maybe\ntables:\n  - nam: a\n  - name: b\n    size: big\n"
    assert found(text) == [
        ("DOC011", 1, "the key 'version' is missing", f"add it; {SCHEMA}"),
        ("DOC012", 1, "on has a wrong value", SCHEMA),
        ("DOC011", 3, "the key 'name' is missing", f"add it; {SCHEMA}"),
        ("DOC010", 3, "unknown key 'nam'", "did you mean 'name'?"),
        ("DOC012", 5, "tables[1].size has a wrong value", SCHEMA),
    ]


def test_all_errors_are_raised_together() -> None:
    with pytest.raises(Invalid) as raised:
        as_model(parse("on: maybe\n", "a.yaml"), Sample)
    assert [finding.code for finding in raised.value.findings] == ["DOC011", "DOC012"]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("version: 1.0\nbest: {name: a, siz: 1}\n", "did you mean 'size'?"),
        ("version: 1.0\nby_name: {x: {name: a, strateg: Year}}\n", "did you mean 'strategy'?"),
        ("version: 1.0\nversio: 2\n", "did you mean 'version'?"),
        ("version: 1.0\nrename: 2\n", "did you mean 'Renamed'?"),
        ("version: 1.0\nzzz: 2\n", "known: Renamed, best, by_name, limits, on, tables, version"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(text: str, fix: str) -> None:
    assert [(entry[0], entry[3]) for entry in found(text)] == [("DOC010", fix)]


def test_an_unknown_word_names_the_nearest_one() -> None:
    text = "version: 1.0\ntables: [{name: a, strategy: month}]\n"
    assert found(text) == [("DOC012", 2, "tables[0].strategy has a wrong value", "did you mean 'Month'?")]


def test_an_empty_value_is_told_from_a_wrong_one() -> None:
    assert found("version: 1.0\ntables:\n") == [("DOC012", 2, "tables is empty", "give a value, or leave the key out")]


def test_a_wrong_key_of_a_mapping_has_its_place() -> None:
    assert found("version: 1.0\nlimits:\n  en: x\n") == [("DOC012", 3, "limits.en has a wrong value", SCHEMA)]


def test_a_document_that_is_a_list_is_told() -> None:
    assert found("- a\n") == [("DOC012", 1, "the file has a wrong value", SCHEMA)]
