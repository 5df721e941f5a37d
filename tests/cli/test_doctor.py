import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import Run
from tests.server.served import served
from toolkit.organization.database import Database


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


@contextmanager
def web(run: Run, folder: Path) -> Iterator[None]:
    """Serve dev, and name it as the Dataverse organization web."""
    embedded(run)
    with Database(folder / "environments" / "dev" / "organization.sqlite") as database, served(database) as url:
        text = f"environments: {{web: {{kind: dataverse, url: '{url}', sign_in: {{method: none}}}}}}\n"
        (folder / "toolkit.yaml").write_text(f"{text}accounts: {{contosodev: {{folder: lakes/contosodev}}}}\n")
        yield


def test_live_asks_before_it_creates_anything(run: Run, tmp_path: Path) -> None:
    with web(run, tmp_path):
        silent = run("doctor", "--live", "--env", "web")
        assert (silent.exit_code, "error[CLI003]" in silent.stderr, "--yes" in silent.stderr) == (1, True, True)
        answered = run("doctor", "--live", "--env", "web", answer="y")
        assert answered.exit_code == 0
        assert answered.stdout.splitlines()[-1].startswith("ok  cleaning up          the entity new_toolkit")
    assert list(tmp_path.glob("lakes/*")) == []


def test_live_needs_to_know_the_account(run: Run) -> None:
    embedded(run)
    result = run("doctor", "--live")
    assert (result.exit_code, "name the storage account with --account" in result.stderr) == (2, True)
    other = run("doctor", "--live", "--account", "elsewhere")
    assert (other.exit_code, "toolkit.yaml names no account 'elsewhere'" in other.stderr) == (2, True)
