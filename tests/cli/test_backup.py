"""An environment is backed up, messed up by hand, and restored, by the command line."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Ids, Run, edit, prepare, running
from toolkit.model.bundle import digest

BY_HAND = (
    "lake link --env prod --account contososales --file-system byhand --name byhand --entity contact --entity queue"
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment prod with ContosoLake 1.0.0.0, managed, and a link of hand; and its backup."""
    folder = tmp_path_factory.mktemp("saved")
    solution = folder / "ContosoLake"
    shutil.copytree(
        ROOT / "solutions" / "ContosoLake", solution, ignore=shutil.ignore_patterns("environments", "contososervice*")
    )
    config = solution / "configs" / "contososales.yaml"
    head, _, _ = config.read_text().partition("entities:")
    config.write_text(
        head + "entities: [{name: account, partition_strategy: Month}, {name: lead, partition_strategy: Year}]\n"
    )
    prepare(
        folder,
        "init",
        "env create prod --account contososales",
        "import core --yes",
        "env snapshot prod fresh",
        "pack ContosoLake --managed -o Lake.zip",
        "import Lake.zip --yes --no-sync",
        "entity track queue",
        BY_HAND,
        "backup --env prod -o prod.backup",
        "pack ContosoLake -o Unmanaged.zip",
    )
    edit(solution / "solution.yaml", 'version: "1.0.0.0"', 'version: "1.1.0.0"')
    edit(config, "{name: lead, ", "{name: task, ")
    return prepare(folder, "pack ContosoLake --managed -o Next.zip")


@pytest.fixture
def prod(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    return running(Ids(first=1000))


def restored(prod: Run, *options: str) -> str:
    result = prod("restore", "prod.backup", "--yes", *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def nothing_to_do(prod: Run) -> bool:
    again = restored(prod)
    return (again.count("nothing to do"), "no findings" in again) == (2, True)


def entities(prod: Run) -> set[str]:
    return {each["entity"] for each in json.loads(prod("entity", "list", "--format", "json").stdout)}


def documents(folder: Path) -> dict[Path, bytes]:
    found = [*folder.glob("lakes/*/*/_toolkit/link.json"), *folder.glob("environments/*/record.json")]
    return {path: path.read_bytes() for path in found}


def test_an_environment_as_it_was_backed_up_has_nothing_to_restore(prod: Run) -> None:
    assert nothing_to_do(prod)


def test_a_mess_made_by_hand_is_brought_back(prod: Run, tmp_path: Path) -> None:
    (link,) = tmp_path.glob("lakes/contososales/common*/_toolkit/link.json")
    edit(link, '"interval_minutes": 60', '"interval_minutes": 15')
    prod("lake", "unlink", "byhand", "--yes", "--no-sync")
    result = restored(prod)
    assert "contososales interval_minutes: 15 -> 60" in result
    assert "create link        byhand" in result
    assert prod("drift", "--exit-code").exit_code == 0
    assert prod("plan", "Lake.zip", "--exit-code").exit_code == 0
    assert nothing_to_do(prod)


def test_an_organization_that_lost_everything_gets_it_back(prod: Run) -> None:
    prod("env", "reset", "prod", "--to", "fresh", "--yes")
    refused = prod("restore", "prod.backup", "--yes")
    assert (refused.exit_code, "--allow track:queue" in refused.stderr) == (4, True)
    assert "import solution    ContosoLake: 1.0.0.0" in restored(prod, "--allow", "track:queue")
    assert prod("plan", "Lake.zip", "--exit-code").exit_code == 0
    assert nothing_to_do(prod)


def test_a_record_that_was_lost_is_written_again(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "environments" / "prod" / "record.json").unlink()
    restored(prod)
    assert "ContosoLake" in prod("history").stdout
    assert "byhand" in prod("lake", "show").stdout
    assert nothing_to_do(prod)


def test_over_a_newer_version_the_backup_comes_back_under_the_next_free_one(prod: Run) -> None:
    prod("import", "Next.zip", "--yes", "--no-sync")
    assert "lead" not in entities(prod)
    assert "ContosoLake: 1.1.0.0 -> 1.1.0.1" in restored(prod)
    assert "lead" in entities(prod)
    assert "restores 1.0.0.0" in prod("history").stdout
    assert nothing_to_do(prod)


def test_limits_hold_for_a_restore_too(prod: Run, tmp_path: Path) -> None:
    prod("import", "Next.zip", "--yes", "--no-sync")
    limits = "folder: environments/prod\n    limits: {changed_percent: 0, from_entities: 1}"
    edit(tmp_path / "toolkit.yaml", "folder: environments/prod", limits)
    before = documents(tmp_path)
    result = prod("restore", "prod.backup", "--yes")
    assert (result.exit_code, "--allow entities:1" in result.stderr) == (4, True)
    assert documents(tmp_path) == before


def test_what_came_later_stays_and_is_told(prod: Run) -> None:
    prod("lake", "link", "--account", "contososales", "--file-system", "later", "--name", "later", "--entity", "task")
    prod("solution", "create", "Later", "--publisher", "contoso")
    prod("solution", "add", "Later", "--config", "later")
    result = prod("restore", "prod.backup", "--yes")
    assert "note[PLN120] the export config 'later' is not in the backup and stays" in result.stderr
    assert "note[PLN121] the solution Later is not in the backup and stays" in result.stderr
    assert "task" in entities(prod)


def test_without_a_terminal_a_restore_needs_its_yes(prod: Run, tmp_path: Path) -> None:
    prod("lake", "unlink", "byhand", "--yes", "--no-sync")
    before = documents(tmp_path)
    assert "error[CLI003]" in prod("restore", "prod.backup").stderr
    assert documents(tmp_path) == before


def damaged(folder: Path, change: dict[str, bytes | None]) -> None:
    """Write the backup again with other members; None leaves one out."""
    path = folder / "prod.backup"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**members, **change}.items():
            if data is not None:
                archive.writestr(name, data)
    path.write_bytes(buffer.getvalue())


def manifest(folder: Path) -> dict[str, object]:
    with zipfile.ZipFile(folder / "prod.backup") as archive:
        found: dict[str, object] = json.loads(archive.read("manifest.json"))
    return found


def package(folder: Path) -> str:
    with zipfile.ZipFile(folder / "prod.backup") as archive:
        return archive.namelist()[1]


def sealed(content: dict[str, object]) -> bytes:
    content.pop("digest")
    return json.dumps({**content, "digest": digest(content)}).encode()


def refusal(prod: Run, folder: Path, *options: str) -> str:
    """Restore, and return the code of the refusal, once it is sure that nothing was changed."""
    (link,) = folder.glob("lakes/contososales/commondataservice-prod*/_toolkit/link.json")
    link.write_text(link.read_text().replace('"interval_minutes": 60', '"interval_minutes": 15'))
    before = documents(folder)
    result = prod("restore", "prod.backup", "--yes", *options)
    assert (result.exit_code, result.stdout, documents(folder) == before) == (1, "", True)
    return result.stderr.partition("]")[0].removeprefix("error[")


def test_what_is_no_backup_is_refused(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "prod.backup").write_bytes((tmp_path / "Lake.zip").read_bytes())
    assert refusal(prod, tmp_path) == "APL032"
    (tmp_path / "prod.backup").write_bytes(b"no zip")
    assert refusal(prod, tmp_path) == "APL032"


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}"])
def test_a_manifest_that_cannot_be_read_is_refused(prod: Run, tmp_path: Path, content: bytes) -> None:
    damaged(tmp_path, {"manifest.json": content})
    assert refusal(prod, tmp_path) == "APL032"


def test_a_backup_of_a_newer_format_is_refused(prod: Run, tmp_path: Path) -> None:
    damaged(tmp_path, {"manifest.json": sealed({**manifest(tmp_path), "format": 2})})
    assert refusal(prod, tmp_path) == "APL033"


def test_a_backup_that_says_what_it_cannot_say_is_refused(prod: Run, tmp_path: Path) -> None:
    damaged(tmp_path, {"manifest.json": sealed({**manifest(tmp_path), "links": 7})})
    assert refusal(prod, tmp_path) == "APL032"


def test_a_backup_that_was_edited_is_refused(prod: Run, tmp_path: Path) -> None:
    damaged(tmp_path, {"manifest.json": json.dumps({**manifest(tmp_path), "tracked": []}).encode()})
    assert refusal(prod, tmp_path) == "APL034"


def test_a_package_that_is_another_one_or_gone_is_refused(prod: Run, tmp_path: Path) -> None:
    damaged(tmp_path, {package(tmp_path): (tmp_path / "Next.zip").read_bytes()})
    assert refusal(prod, tmp_path) == "APL034"
    damaged(tmp_path, {package(tmp_path): None})
    assert refusal(prod, tmp_path) == "APL032"


def test_a_backup_of_another_organization_needs_its_option(prod: Run, tmp_path: Path) -> None:
    prod("env", "create", "other", "--account", "contososales")
    prod("import", "core", "--env", "other", "--yes")
    assert refusal(prod, tmp_path, "--env", "other") == "APL030"
    prod("entity", "track", "queue", "--env", "other")
    # The lake of hand is of the organization of prod, and stays so.
    assert refusal(prod, tmp_path, "--env", "other", "--take-over") == "PLN031"
    shutil.rmtree(tmp_path / "lakes")
    result = prod("restore", "prod.backup", "--env", "other", "--take-over", "--yes")
    assert (result.exit_code, "create link        byhand" in result.stdout) == (0, True)


def test_a_managed_solution_of_another_tool_cannot_be_backed_up(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "environments" / "prod" / "record.json").unlink()
    result = prod("backup", "-o", "again.backup")
    assert (result.exit_code, "error[APL031]" in result.stderr) == (1, True)
    assert not (tmp_path / "again.backup").exists()


def test_a_link_that_cannot_be_read_is_not_left_out_of_a_backup(prod: Run, tmp_path: Path) -> None:
    (tmp_path / "lakes" / "contososales" / "byhand" / "_toolkit" / "link.json").write_text("{")
    result = prod("backup", "-o", "again.backup")
    assert (result.exit_code, "error[STA001]" in result.stderr) == (1, True)


@pytest.fixture
def dev(prod: Run) -> Run:
    """An environment where ContosoLake is unmanaged, and changed by hand since its import; and its backup."""
    prod("env", "create", "dev", "--account", "contososales")
    prod("import", "core", "--env", "dev", "--yes")
    assert prod("import", "Unmanaged.zip", "--env", "dev", "--yes", "--no-sync").exit_code == 0
    add = ("entity", "add", "team", "--config", "contososales", "--env", "dev", "--no-sync")
    assert prod(*add).exit_code == 0
    prod("backup", "-o", "dev.backup", "--env", "dev")
    return prod


def dev_restored(dev: Run) -> str:
    result = dev("restore", "dev.backup", "--yes", "--env", "dev", "--no-sync")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_what_was_changed_by_hand_after_an_import_comes_back_on_top_of_it(dev: Run) -> None:
    dev("entity", "remove", "team", "--config", "contososales", "--env", "dev", "--yes", "--no-sync")
    again = dev_restored(dev)
    assert "write config" in again
    assert "import solution" not in again
    assert "add entity         contososales/team" in again
    assert dev_restored(dev).count("nothing to do") == 2


def test_an_unmanaged_solution_that_lost_a_row_is_imported_and_its_hand_made_rows_written(dev: Run) -> None:
    dev("lake", "unlink", "contososales", "--env", "dev", "--yes", "--no-sync")
    again = dev_restored(dev)
    assert "import solution    ContosoLake: 1.0.0.0" in again
    assert "create link        contososales" in again
    assert dev_restored(dev).count("nothing to do") == 2


def test_a_solution_made_by_hand_is_backed_up_by_its_export(dev: Run) -> None:
    dev(
        "lake",
        "link",
        "--env",
        "dev",
        "--account",
        "contososales",
        "--file-system",
        "own",
        "--name",
        "own",
        "--entity",
        "task",
        "--no-sync",
    )
    dev("solution", "create", "Own", "--publisher", "contoso", "--env", "dev")
    dev("solution", "add", "Own", "--config", "own", "--env", "dev")
    dev("backup", "-o", "dev.backup", "--env", "dev")
    dev("lake", "unlink", "own", "--env", "dev", "--yes", "--no-sync")
    dev("uninstall", "Own", "--env", "dev", "--yes", "--no-sync")
    again = dev_restored(dev)
    assert "import solution    Own: 1.0.0.0" in again
    assert "create link        own" in again
    assert dev_restored(dev).count("nothing to do") == 3


def test_a_link_that_an_uninstall_left_gets_its_owner_back(dev: Run) -> None:
    dev("uninstall", "ContosoLake", "--env", "dev", "--yes", "--no-sync")
    again = dev_restored(dev)
    assert "import solution    ContosoLake: 1.0.0.0" in again
    assert "change owner       contososales: by hand -> ContosoLake" in again
    assert dev_restored(dev).count("nothing to do") == 2
