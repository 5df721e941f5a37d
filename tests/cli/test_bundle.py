import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of ContosoLake that a test may edit."""
    return shutil.copytree(ROOT / "solutions" / "ContosoLake", tmp_path / "solutions" / "ContosoLake")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.usefixtures("source")
def test_pack_names_the_zip_as_dataverse_does(run: Run, tmp_path: Path) -> None:
    result = run("pack", "solutions/ContosoLake")
    assert result.stdout == "packed solutions/ContosoLake into ContosoLake_1_0_0_0.zip\n"
    assert (tmp_path / "ContosoLake_1_0_0_0.zip").is_file()


def test_packing_twice_gives_the_same_bytes(run: Run, source: Path, tmp_path: Path) -> None:
    run("pack", str(source), "-o", "a.zip")
    run("pack", str(source), "-o", "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_managed_zip_says_so_in_its_name(run: Run, source: Path, tmp_path: Path) -> None:
    run("pack", str(source), "--managed")
    assert (tmp_path / "ContosoLake_1_0_0_0_managed.zip").is_file()


def test_a_bundle_with_errors_is_not_packed(run: Run, source: Path, tmp_path: Path) -> None:
    edit(source / "configs" / "contososales.yaml", "{name: lead,", "{name: account,")
    result = run("pack", str(source), "-o", "a.zip")
    assert result.exit_code == 1
    assert "error[BND021]" in result.stderr
    assert not (tmp_path / "a.zip").exists()


def test_unpack_gives_the_folder_back(run: Run, source: Path) -> None:
    run("pack", str(source), "-o", "a.zip")
    result = run("unpack", "a.zip", "-o", "back")
    assert result.stdout == "unpacked a.zip into back\n"
    assert run("diff", str(source), "back").stdout == "no differences\n"


def test_unpack_keeps_comments_of_the_folder_that_is_there(run: Run, source: Path) -> None:
    before = (source / "configs" / "contososales.yaml").read_text()
    run("pack", str(source), "-o", "a.zip")
    run("unpack", "a.zip")
    assert (source / "configs" / "contososales.yaml").read_text() == before


@pytest.mark.usefixtures("source")
def test_validate_finds_nothing_in_our_bundle(run: Run) -> None:
    result = run("validate", "solutions/ContosoLake")
    assert (result.exit_code, result.stdout) == (0, "solutions/ContosoLake: no findings\n")


def test_validate_reports_everything_with_file_and_line(run: Run, source: Path) -> None:
    edit(source / "configs" / "contososales.yaml", "{name: lead, partition_strategy: Month}", "{name: account}")
    edit(source / "solution.yaml", 'version: "1.0.0.0"', 'version: "one"')
    result = run("validate", "solutions/ContosoLake", "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["findings"]
    assert {(each["where"]["path"].rpartition("/")[2], each["where"]["line"] is not None) for each in found} == {
        ("contososales.yaml", True),
        ("solution.yaml", True),
    }


def test_validate_annotates_pull_requests(run: Run, source: Path) -> None:
    edit(source / "configs" / "contososales.yaml", "{name: lead,", "{name: account,")
    result = run("validate", "solutions/ContosoLake", "--format", "github")
    assert result.stdout.startswith("::error file=solutions/ContosoLake/configs/contososales.yaml,line=")


def test_warnings_fail_only_when_strict(run: Run, source: Path) -> None:
    edit(
        source / "configs" / "contososervice.yaml",
        "partition_strategy: Year, append_only",
        "partition_strategy: Month, append_only",
    )
    assert run("validate", str(source)).exit_code == 0
    assert run("validate", str(source), "--strict").exit_code == 1


def test_validate_of_nothing_is_an_error(run: Run) -> None:
    result = run("validate", "nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[BND015] there is no nothing\n")


def test_diff_prints_each_difference(run: Run, source: Path, tmp_path: Path) -> None:
    other = shutil.copytree(source, tmp_path / "other")
    edit(other / "configs" / "contososales.yaml", "interval_minutes: 60", "interval_minutes: 30")
    edit(other / "configs" / "contososales.yaml", "  - {name: lead, partition_strategy: Month}\n", "")
    result = run("diff", str(source), "other")
    assert result.exit_code == 0
    assert result.stdout == (
        "~ config contososales interval_minutes: 60 -> 30\n- entity contososales/lead (Month, in place)\n"
    )


def test_diff_exits_with_3_where_that_is_asked(run: Run, source: Path, tmp_path: Path) -> None:
    other = shutil.copytree(source, tmp_path / "other")
    assert run("diff", str(source), "other", "--exit-code").exit_code == 0
    edit(other / "solution.yaml", 'version: "1.0.0.0"', 'version: "1.1.0.0"')
    assert run("diff", str(source), "other", "--exit-code").exit_code == 3


def test_diff_is_json_and_markdown_too(run: Run, source: Path, tmp_path: Path) -> None:
    other = shutil.copytree(source, tmp_path / "other")
    edit(other / "solution.yaml", 'version: "1.0.0.0"', 'version: "1.1.0.0"')
    (difference,) = json.loads(run("diff", str(source), "other", "--format", "json").stdout)
    assert (difference["field"], difference["before"], difference["after"]) == ("version", "1.0.0.0", "1.1.0.0")
    assert "| 1.0.0.0 | 1.1.0.0 |" in run("diff", str(source), "other", "--format", "markdown").stdout


def test_diff_reads_a_revision_without_touching_the_work_tree(run: Run, source: Path, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=ada", "-c", "user.email=ada@lab.example"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    edit(source / "configs" / "contososales.yaml", "interval_minutes: 60", "interval_minutes: 30")
    result = run("diff", "HEAD:solutions/ContosoLake", "solutions/ContosoLake")
    assert result.stdout == "~ config contososales interval_minutes: 60 -> 30\n"
    assert "interval_minutes: 30" in (source / "configs" / "contososales.yaml").read_text()
