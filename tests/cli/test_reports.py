import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import jsonschema
import pytest

from tests.cli.conftest import Run
from tests.plan.build import bundle, config, world
from toolkit.cli.output import Result
from toolkit.cli.reports import Case, cases_of, github, junit, markdown, renderings, sarif, summarise
from toolkit.errors import Finding, NotFound, Place, Severity
from toolkit.plan import plan_import

ERROR = Finding("VFY001", Severity.ERROR, "one is <missing>", Place("dev", key="a"), "nobody linked it", "link it")
WARNING = Finding("VFY050", Severity.WARNING, "sync pending")
LINE = Finding("BND010", Severity.ERROR, "wrong", Place("a b/solution.yaml", 3, "version"))
CHECKED = (Case("entities", "contosodev", (ERROR, WARNING)), Case("manifest", "contosodev"))

# What we write of SARIF 2.1.0, as its schema (OASIS, sarif-schema-2.1.0) has it: the same names, types, required
# properties and enumerations, and nothing beside them.
TEXT = {"type": "string"}
INDEX = {"type": "integer", "minimum": -1}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def many(items: dict[str, Any], **limits: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


ARTIFACT = closed([], uri={"type": "string", "format": "uri-reference"}, uriBaseId=TEXT, index=INDEX)
REGION = closed([], startLine={"type": "integer", "minimum": 1})
LOCATION = closed(
    [],
    physicalLocation=closed(["artifactLocation"], artifactLocation=ARTIFACT, region=REGION),
    logicalLocations=many(closed([], name=TEXT, fullyQualifiedName=TEXT, kind=TEXT), uniqueItems=True),
)
RESULT = closed(
    ["message"],
    ruleId=TEXT,
    ruleIndex=INDEX,
    level={"enum": ["none", "note", "warning", "error"]},
    message=closed(["text"], text=TEXT),
    locations=many(LOCATION),
)
RULE = closed(["id"], id=TEXT, name=TEXT)
DRIVER = closed(["name"], name=TEXT, semanticVersion=TEXT, rules=many(RULE, uniqueItems=True))
COLUMNS = {"enum": ["utf16CodeUnits", "unicodeCodePoints"]}
RUN = closed(["tool"], tool=closed(["driver"], driver=DRIVER), results=many(RESULT), columnKind=COLUMNS)
SARIF = closed(
    ["version", "runs"], **{"$schema": {"type": "string", "format": "uri"}}, version={"enum": ["2.1.0"]}, runs=many(RUN)
)


def logged(*findings: Finding) -> Any:
    log = json.loads(sarif(findings))
    jsonschema.Draft7Validator(SARIF).validate(log)
    return log["runs"][0]


def test_sarif_names_each_rule_once_and_each_finding_with_its_place() -> None:
    run = logged(LINE, ERROR, WARNING, WARNING)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["BND010", "VFY001", "VFY050"]
    assert [(each["ruleId"], each["ruleIndex"], each["level"]) for each in run["results"]] == [
        ("BND010", 0, "error"),
        ("VFY001", 1, "error"),
        ("VFY050", 2, "warning"),
        ("VFY050", 2, "warning"),
    ]
    places = [each.get("locations") for each in run["results"]]
    address = {"artifactLocation": {"uri": "a%20b/solution.yaml"}, "region": {"startLine": 3}}
    assert places[0] == [{"physicalLocation": address}]
    assert places[1] == [{"logicalLocations": [{"fullyQualifiedName": "dev a"}]}]
    assert places[2] is None


def test_sarif_of_nothing_is_a_run_without_results() -> None:
    assert logged()["results"] == []


def test_sarif_has_an_address_for_an_absolute_path() -> None:
    place = logged(Finding("BND010", Severity.NOTE, "odd", Place("/x/y z.yaml", 1)))["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "file:///x/y%20z.yaml"


def test_github_gets_ten_annotations_and_the_number_of_the_others() -> None:
    lines = github([WARNING] * 9 + [ERROR, LINE]).splitlines()
    assert len(lines) == 11
    assert lines[0] == "::error file=dev,title=VFY001::one is <missing>. nobody linked it. link it"
    assert lines[1] == "::error file=a b/solution.yaml,line=3,title=BND010::wrong"
    assert lines[10] == "and 1 more finding: 1 warning"


def test_markdown_has_a_verdict_and_a_table() -> None:
    assert markdown("verify", CHECKED).splitlines() == [
        "**verify: failed** (2 checks, 1 error, 1 warning)",
        "",
        "|  | code | what | where | fix |",
        "| --- | --- | --- | --- | --- |",
        "| error | VFY001 | one is \\<missing\\> | dev a | link it |",
        "| warning | VFY050 | sync pending |  |  |",
    ]
    assert markdown("verify", CHECKED[1:]) == "**verify: passed** (1 check, no findings)"


def test_junit_has_a_case_for_each_check() -> None:
    suite = fromstring(junit("toolkit verify", CHECKED))  # noqa: S314 - written in this line
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("toolkit verify", "2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("one is <missing>", "VFY001")
    assert failure.text == "error[VFY001] one is <missing>\n  at: dev a\n  why: nobody linked it\n  fix: link it"
    assert suite.findtext("testcase/system-out") == "warning[VFY050] sync pending"


def test_junit_parses_whatever_a_name_holds() -> None:
    odd = Finding("VFY001", Severity.ERROR, "a\x00b\x1b[31mc\rd\ufffe is missing")
    suite = fromstring(junit("x", [Case("entities", "contoso\x07dev", (odd,))]))  # noqa: S314 - written by us
    (case,) = suite
    assert case.get("classname") == "contoso\ufffddev"
    assert (case.findtext("failure") or "").endswith("a\ufffdb\ufffd[31mc\ufffdd\ufffd is missing")


def test_a_plan_is_a_check_for_each_change_and_warns_of_what_has_to_be_named() -> None:
    of = bundle(config("account"), version="1.1.0.0")
    plan = plan_import(of, of.configs, world(bundle(config("account", "contact"))), delete_data=True)
    cases = {case.check: case for case in cases_of(plan)}
    (removed,) = cases["entity.remove"].findings
    assert (removed.severity, removed.fix) == (Severity.WARNING, "allow it with --allow delete:contact")
    assert cases["solution.register"].findings[0].severity is Severity.NOTE
    assert cases["plan"].findings == plan.findings
    assert {each["ruleId"] for each in logged(*cases["entity.remove"].findings)["results"]} == {"entity.remove"}


def test_a_summary_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    summarise(Result(None, "", renderings("verify", CHECKED[1:])))
    assert path.read_text() == "before\n**verify: passed** (1 check, no findings)\n\n"


def test_without_a_step_there_is_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    with pytest.raises(NotFound) as raised:
        summarise(Result(None, "", renderings("verify", CHECKED)))
    assert raised.value.code == "CLI110"


@pytest.mark.parametrize("form", ["junit", "sarif", "github", "markdown"])
def test_plan_verify_and_validate_print_every_format(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "Lake").mkdir()
    run("init")
    run("env", "create", "dev")
    for line in ("plan core", "verify", "validate Lake"):
        summary = [] if line.startswith("validate") else ["--step-summary"]
        done = run(*line.split(), "--format", form, *summary)
        assert "Traceback" not in done.output
        if form == "sarif":
            jsonschema.Draft7Validator(SARIF).validate(json.loads(done.stdout))
    assert (tmp_path / "summary.md").read_text().startswith("**dev: ExportToDataLakeCore")
