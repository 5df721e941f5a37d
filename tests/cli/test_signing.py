import json
from pathlib import Path

import pytest

from tests.bundle.build import write_source
from tests.cli.conftest import Run


@pytest.fixture
def lake(run: Run, tmp_path: Path) -> Path:
    """A zip, a key, and an environment that takes only what the key signed."""
    write_source(tmp_path / "Lake")
    for line in ("init", "env create prod --account contosoprod", "pack Lake -o lake.zip"):
        assert run(*line.split()).exit_code == 0
    public = run("keygen", "key.pem").stdout.strip()
    project = tmp_path / "toolkit.yaml"
    text = project.read_text()
    line = next(line for line in text.splitlines() if line.strip().startswith("folder: environments/prod"))
    indent = " " * (len(line) - len(line.lstrip()))
    project.write_text(text.replace(line, f"{line}\n{indent}signers: ['{public}']"))
    assert run("import", "core", "--yes").exit_code == 0
    return tmp_path / "lake.zip"


@pytest.mark.usefixtures("lake")
def test_an_environment_takes_only_what_its_signers_signed(run: Run) -> None:
    imported = ("import", "lake.zip", "--yes", "--no-sync")
    done = run(*imported)
    assert (done.exit_code, "error[REL045]" in done.stderr) == (1, True)
    assert "ContosoLake" not in run("history").stdout
    assert run("sign", "lake.zip", "--key", "key.pem").exit_code == 0
    assert run(*imported).exit_code == 0
    checks = json.loads(run("verify", "lake.zip", "--format", "json").stdout)["checks"]
    assert [each["check"] for each in checks].count("provenance") == 0
    assert (checks[0]["check"], checks[0]["findings"]) == ("signature", [])


@pytest.mark.usefixtures("lake")
def test_verify_says_what_is_wrong_with_a_signature(run: Run) -> None:
    run("keygen", "other.pem")
    run("sign", "lake.zip", "--key", "other.pem")
    done = run("verify", "lake.zip", "--format", "json")
    first = json.loads(done.stdout)["checks"][0]
    assert (done.exit_code, first["check"], first["findings"][0]["code"]) == (5, "signature", "REL046")
    folder = run("import", "Lake", "--yes")
    assert "error[REL045]" in folder.stderr


def test_a_key_may_come_from_a_variable(run: Run, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (lake.parent / "key.pem").read_text()
    monkeypatch.setenv("SIGNING_KEY", key)
    done = run("sign", "lake.zip", "--key-variable", "SIGNING_KEY")
    assert done.exit_code == 0
    assert key.splitlines()[1] not in done.output
    assert run("sign", "lake.zip").exit_code == 2
