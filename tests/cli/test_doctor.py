import json

from tests.cli.conftest import Run


def embedded(run: Run) -> None:
    run("init", "-q")
    run("env", "create", "dev", "--account", "contosodev", "-q")


def test_doctor_says_what_to_fix_and_fails(run: Run) -> None:
    embedded(run)
    result = run("doctor")
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0]) == (
        1,
        "ok           toolkit.yaml     dev is an embedded environment in environments/dev",
    )
    at = lines.index("fail         Core solution    ExportToDataLakeCore is not installed [DR006]")
    assert lines[at + 3].strip() == "fix: toolkit import core"


def test_doctor_finds_a_linked_environment_well(run: Run) -> None:
    embedded(run)
    run("import", "core", "--yes", "-q")
    assert run("lake", "link", "--account", "contosodev", "--entity", "account", "-q").exit_code == 0
    result = run("doctor", "--format", "json")
    found = json.loads(result.stdout)
    said = {check["check"]: check["what"] for check in found["checks"]}
    assert (result.exit_code, found["passed"], {check["outcome"] for check in found["checks"]}) == (0, True, {"ok"})
    assert said["links"] == "linked entities: account"
    assert said["lakes"].startswith("a file was written, renamed, read and deleted in contosodev/")


def test_doctor_reports_a_file_that_is_no_project(run: Run) -> None:
    result = run("doctor", "--format", "json")
    first = json.loads(result.stdout)["checks"][0]
    assert (result.exit_code, first["outcome"], first["findings"][0]["code"]) == (1, "fail", "PRJ001")
