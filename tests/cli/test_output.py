import json

import pytest

from toolkit.cli import output, reports
from toolkit.cli.output import Result, printer
from toolkit.errors import Finding, Place, Severity

ERROR = Finding(
    "BND001", Severity.ERROR, "no name, none: at all", Place("a,b.yaml", 3, "name"), "it is\nempty", "100 %"
)
NOTE = Finding("BND009", Severity.NOTE, "fyi")


def test_a_table_has_headings_and_numbers_to_the_right() -> None:
    rows: list[dict[str, object]] = [
        {"entity": "account", "rows": 20000, "on": True},
        {"entity": "lead", "rows": None, "on": False},
    ]
    shown = output.table(rows, ["entity", "rows", "on"], empty="none")
    assert shown.text.splitlines() == ["entity     rows  on", "account  20,000  yes", "lead          -  no"]
    assert shown.data == rows


def test_an_empty_table_says_so() -> None:
    assert output.table([], ["a"], empty="no rows").text == "no rows"


def test_a_record_is_a_value_a_line_and_its_tables_below() -> None:
    shown = output.record({"unique_name": "ContosoLake", "tags": ["a", "b"], "configs": [{"name": "x", "id": "1"}]})
    assert shown.text.splitlines() == [
        "unique name  ContosoLake",
        "tags         a, b",
        "",
        "configs:",
        "  name  id",
        "  x     1",
    ]


def test_names_never_command_a_terminal_and_colours_stay(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.printable("\x1b[31mred\x1b[0m a\x1b]0;title\x07b\x9b\r\n\tc") == (
        "\x1b[31mred\x1b[0m a\ufffd]0;title\ufffdb\ufffd\ufffd\n\tc"
    )
    printer("text").show(Result({}, "a\x1b[2Jb"))
    printer("text").complain([Finding("BND009", Severity.NOTE, "a\x07b")])
    shown = capsys.readouterr()
    assert shown.out == "a\ufffd[2Jb\n"
    assert shown.err.endswith(" a\ufffdb\n")


def test_findings_are_counted_by_severity() -> None:
    assert output.counted([ERROR, ERROR, NOTE]) == "2 errors, 1 note"
    assert output.counted([]) == "no findings"


def test_github_annotations_escape_what_would_end_them() -> None:
    assert reports.github([ERROR, NOTE]) == (
        "::error file=a%2Cb.yaml,line=3,title=BND001::no name, none: at all. it is%0Aempty. 100 %25\n"
        "::notice title=BND009::fyi"
    )


def test_the_text_printer_prints_the_form_it_is_named_after(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result({"a": 1}, "plain", {"markdown": lambda: "**bold**"})
    for form in ("text", "markdown", "json"):
        printer(form).show(result)
    assert capsys.readouterr().out == 'plain\n**bold**\n{\n  "a": 1\n}\n'


def test_the_json_printer_complains_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    printer("json").complain([NOTE])
    assert json.loads(capsys.readouterr().err)["findings"][0]["where"] == {"path": "", "line": None, "key": ""}


def test_colour_is_off_where_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.styled("x", fg="red") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.styled("x", fg="red") == "x"


def test_plurals() -> None:
    assert [output.plural(1, "row"), output.plural(1200, "row")] == ["1 row", "1,200 rows"]
    assert output.plural(2, "entity", "entities") == "2 entities"
