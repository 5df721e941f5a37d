import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.release.build import commit, repository


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """The folder of a bundle in a repository around the working directory."""
    return repository(tmp_path) / "solutions" / "Lake"


def remark(folder: Path) -> None:
    path = folder / "configs" / "contosolake.yaml"
    path.write_text(path.read_text() + "# more\n")


def test_release_says_what_it_made_and_what_changed(run: Run, lake: Path) -> None:
    done = run("release", "solutions/Lake", "--managed", "--format", "json")
    data = json.loads(done.stdout)
    assert (data["version"], data["tag"], data["since"]) == ("1.0.1.0", "ContosoLake/v1.0.1.0", None)
    assert data["path"] == "ContosoLake_1_0_1_0_managed.zip"
    assert Path(data["provenance"]).is_file()
    path = lake / "configs" / "contosolake.yaml"
    path.write_text(path.read_text().replace("append_only: true", "append_only: false"))
    commit(lake.parents[1], "in place")
    told = run("release", "solutions/Lake", "--part", "major", "-o", "two.zip").stdout.splitlines()
    assert told[0].startswith("released ContosoLake 2.0.0.0 as ContosoLake/v2.0.0.0 (")
    assert told[1:] == ["since ContosoLake/v1.0.1.0:", "~ entity contosolake/contact append_only: yes -> no"]


def test_release_refuses_what_is_not_committed(run: Run, lake: Path) -> None:
    (lake / "configs" / "more.yaml").write_text("")
    done = run("release", "solutions/Lake")
    assert (done.exit_code, "error[REL020]" in done.stderr) == (1, True)


def test_pack_writes_provenance_where_it_is_asked_for(run: Run, lake: Path) -> None:
    remark(lake)
    assert run("pack", "solutions/Lake", "-o", "lake.zip", "--provenance").exit_code == 0
    assert json.loads(Path("lake.zip.provenance.json").read_text())["git"]["dirty"] is True


@pytest.fixture
def environment(run: Run, lake: Path) -> Path:
    """An environment that can import the folder."""
    for line in (
        "init",
        "env create prod --account contosoprod --account contosoother",
        "import core --yes --require-tag",
    ):
        done = run(*line.split())
        assert done.exit_code == 0, done.output
    return lake


def test_an_import_asks_for_clean_and_tagged_where_it_is_told_to(run: Run, environment: Path) -> None:
    imported = ("import", "solutions/Lake", "--yes", "--no-sync")
    done = run(*imported, "--require-clean", "--require-tag")
    assert (done.exit_code, "error[REL033]" in done.stderr, "REL032" in done.stderr) == (1, True, False)
    remark(environment)
    assert "error[REL032]" in run(*imported, "--require-clean").stderr
    commit(environment.parents[1], "more")
    run("release", "solutions/Lake", "-o", "lake.zip")
    done = run("import", "lake.zip", "--yes", "--no-sync", "--require-clean", "--require-tag")
    assert done.exit_code == 0, done.output


@pytest.mark.usefixtures("environment")
def test_a_zip_that_is_not_the_released_one_is_refused(run: Run) -> None:
    run("release", "solutions/Lake", "-o", "lake.zip")
    run("pack", "solutions/Lake", "--no-overlays", "-o", "other.zip")
    shutil.move("other.zip", "lake.zip")
    done = run("import", "lake.zip", "--yes", "--no-sync")
    assert (done.exit_code, "error[REL031]" in done.stderr) == (1, True)
    assert "error[REL031]" in run("verify", "lake.zip").stdout
    assert "REL031" not in run("verify", "core").stdout
    assert run("history").stdout.count("ContosoLake") == 0
