"""The product from end to end, by its command line alone."""

import json
import shlex
import shutil
from collections.abc import Callable
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import duckdb
import pytest
from click.testing import CliRunner, Result

from toolkit.cli import quickstart, root
from toolkit.cli.session import Session
from toolkit.errors import Damaged

ROOT = Path(__file__).parents[1]
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Line = Callable[[str], Result]


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by one second with each look at it."""
    ticks = count()
    return lambda: START + timedelta(seconds=next(ticks))


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


def invoked(text: str, clock: Callable[[], datetime], new_id: Callable[[], str]) -> Result:
    session = Session(clock, lambda: "ada@lab", new_id, lambda: False, lambda _: None)
    return CliRunner().invoke(root, shlex.split(text), obj=session)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    clock, new_id = ticking(), ids()
    return lambda text: invoked(text, clock, new_id)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def data(result: Result) -> Any:
    return json.loads(done(result))


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but SQLite's own, by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in found if not path.name.endswith(("-wal", "-shm"))
    }


def environment(line: Line, name: str) -> Any:
    """What an environment says of itself, its rows included."""
    shown = data(line(f"env show {name} --format json"))
    return {**shown, "configs": data(line(f"entity list --env {name} --format json"))}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two environments with the Core solution and some rows."""
    folder = tmp_path_factory.mktemp("prepared")
    clock, new_id = ticking(), ids()
    with chdir(folder):
        for text in (
            "init",
            "env create dev --account contosodev",
            "env create prod --account contosoprod",
            "import core --env dev --yes",
            "import core --env prod --yes",
            "env seed dev --rows account=60 --rows contact=40 --rows task=20 --seed 7",
            "env seed prod --rows account=30 --rows contact=20 --rows task=10 --seed 8",
        ):
            done(invoked(text, clock, new_id))
    return folder


@pytest.fixture
def two(prepared: Path, line: Line, tmp_path: Path) -> Line:
    """A copy of the two environments."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return line


OVERLAY = """\
configs:
  contosodev:
    storage_account: contosoprod
"""


def test_a_configuration_made_by_hand_in_dev_runs_in_prod(two: Line, tmp_path: Path) -> None:
    done(two("lake link --account contosodev --entity account --env dev"))
    done(two("entity add contact task=append-only --env dev"))
    done(two("publisher create contoso --prefix cts --env dev"))
    done(two("solution create Lake --publisher contoso --env dev"))
    done(two("solution add Lake --config contosodev --env dev"))
    done(two("solution publish --env dev"))
    done(two("export Lake --env dev --managed -o Lake.zip"))
    (tmp_path / "prod.yaml").write_text(OVERLAY)
    imported = done(two("import Lake.zip --env prod --overlay prod.yaml --yes"))
    assert "contosoprod: 3 entities, 60 rows written" in imported
    assert imported.endswith("no findings\n")
    done(two("verify Lake.zip --env prod --overlay prod.yaml"))
    states = {
        row["entity"]: (row["state"], row["mode"], row["rows"]) for row in data(two("status --env prod --format json"))
    }
    assert states == {
        "account": ("Completed", "in place", 30),
        "contact": ("Completed", "in place", 20),
        "task": ("Completed", "append-only", 10),
    }


def test_a_solution_that_travels_is_equal_at_each_end(two: Line, tmp_path: Path) -> None:
    done(two("lake link --account contosodev --entity account --env dev --no-sync"))
    done(two("publisher create contoso --prefix cts --env dev"))
    done(two("solution create Lake --publisher contoso --env dev"))
    done(two("solution add Lake --config contosodev --env dev"))
    done(two("export Lake --env dev -o one.zip"))
    (tmp_path / "prod.yaml").write_text(OVERLAY)
    done(two("import one.zip --env prod --overlay prod.yaml --yes --no-sync"))
    done(two("export Lake --env prod -o two.zip"))
    assert done(two("diff one.zip two.zip --exit-code")) == "no differences\n"
    assert done(two("diff env:dev/Lake env:prod --exit-code")) == "no differences\n"


BOTH_IN_ONE_ACCOUNT = """\
configs:
  contososales: {storage_account: contosodev}
  contososervice: {storage_account: contosodev, file_system: service}
"""


@pytest.mark.parametrize("source", ["ContosoLake", "ContosoLake_1_0_0_0.zip"])
@pytest.mark.parametrize("managed", ["--managed", ""])
def test_overlays_travel_with_what_is_exported(two: Line, tmp_path: Path, source: str, managed: str) -> None:
    shutil.copytree(ROOT / "solutions" / "ContosoLake", tmp_path / "ContosoLake")
    (tmp_path / "all.yaml").write_text(BOTH_IN_ONE_ACCOUNT)
    done(two("pack ContosoLake"))
    done(two(f"import {source} --env dev --overlay all.yaml --yes --no-sync"))
    done(two(f"export ContosoLake --env dev {managed} -o out.zip"))
    with ZipFile(tmp_path / "out.zip") as archive:
        carried = {name: archive.read(name) for name in archive.namelist() if name.endswith(".yaml")}
    overlays = sorted((tmp_path / "ContosoLake" / "environments").iterdir())
    assert carried == {f"toolkit/environments/{path.name}": path.read_bytes() for path in overlays}
    assert len(carried) == 3


def test_importing_again_changes_nothing(two: Line, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "solutions" / "ContosoLake", tmp_path / "ContosoLake")
    (tmp_path / "all.yaml").write_text(BOTH_IN_ONE_ACCOUNT)
    text = "import ContosoLake --env dev --overlay all.yaml --yes"
    done(two(text))
    lakes, before = files(tmp_path / "lakes"), environment(two, "dev")
    again = data(two(f"{text} --format json"))
    assert again["plan"]["empty"] is True
    assert files(tmp_path / "environments" / "dev")["record.json"]
    assert (environment(two, "dev"), _without_status(files(tmp_path / "lakes"))) == (before, _without_status(lakes))


def _without_status(found: dict[str, bytes]) -> dict[str, bytes]:
    """The files of a lake but those in which a pass leaves its time."""
    return {path: content for path, content in found.items() if "/status" not in path and "/lock" not in path}


REFUSED = (
    ("import Missing.zip --env prod --yes", "BND015"),
    ("import Bundle --env prod --yes", "PLN"),
    ("import Bundle --env prod --overlay wrong.yaml --yes", "BND101"),
    ("uninstall Nothing --env prod --yes", "PLN050"),
    ("lake link --account unknownaccount --entity account --env prod", "PLN"),
    ("lake link --account contosoprod --entity queue --env prod", "PLN"),
    ("entity add contact --env prod", "CLI023"),
    ("entity track nothing --env prod", "PLN010"),
)


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_a_refusal_leaves_everything_as_it_was(two: Line, tmp_path: Path, text: str, code: str) -> None:
    source = shutil.copytree(ROOT / "solutions" / "ContosoLake", tmp_path / "Bundle")
    shutil.rmtree(source / "environments")
    (tmp_path / "wrong.yaml").write_text("configs:\n  contosowrong: {interval_minutes: 30}\n")
    before = (environment(two, "prod"), sorted(files(tmp_path)))
    result = two(text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error[{code}" in result.stderr
    assert (environment(two, "prod"), sorted(files(tmp_path))) == before


def test_an_import_that_needs_a_yes_names_the_flag_and_changes_nothing(two: Line) -> None:
    before = environment(two, "prod")
    result = two("uninstall ExportToDataLakeCore --env prod")
    assert result.exit_code == 1
    assert "error[CLI003] this needs a yes, and there is no terminal to ask on" in result.stderr
    assert "fix: add --yes when you are sure" in result.stderr
    assert environment(two, "prod") == before


ENTITIES = """\
entities:
  - name: cts_inspection
    primary_name: cts_name
    attributes:
      - {name: cts_name, type: string, max_length: 100}
      - {name: cts_grade, type: choice, options: [{value: 770740000, labels: {1033: Good}}]}
      - {name: cts_accountid, type: lookup, targets: [account]}
"""


def test_a_custom_entity_exports_and_its_link_travels(two: Line, tmp_path: Path) -> None:
    (tmp_path / "entities.yaml").write_text(ENTITIES)
    (tmp_path / "prod.yaml").write_text(OVERLAY)
    for name in ("dev", "prod"):
        done(two(f"publisher create contoso --prefix cts --env {name}"))
        done(two(f"env define {name} entities.yaml"))
        done(two(f"env seed {name} --rows cts_inspection=25"))
    done(two("lake link --account contosodev --entity cts_inspection=Year --env dev"))
    done(two("solution create Lake --publisher contoso --env dev"))
    done(two("solution add Lake --config contosodev --env dev"))
    done(two("export Lake --env dev -o Lake.zip"))
    done(two("import Lake.zip --env prod --overlay prod.yaml --yes"))
    (row,) = data(two("status --env prod --format json"))
    assert (row["entity"], row["state"], row["rows"]) == ("cts_inspection", "Completed", 25)
    assert rows_in(next((tmp_path / "lakes" / "contosoprod").iterdir()), "cts_inspection") == 25


def rows_in(lake: Path, entity: str) -> int:
    """Rows that a reader of model.json finds."""
    manifest = json.loads((lake / "model.json").read_text())
    (found,) = [each for each in manifest["entities"] if each["name"] == entity]
    names = {attribute["name"]: "VARCHAR" for attribute in found["attributes"]}
    paths = [partition["location"] for partition in found["partitions"]]
    query = "SELECT count(*) FROM read_csv($paths, header = false, columns = $names, quote = '\"', escape = '\"')"
    with duckdb.connect() as connection:
        ((counted,),) = connection.execute(query, {"paths": paths, "names": names}).fetchall()
    return int(counted)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The quickstart at a small size, and what it told."""
    folder = tmp_path_factory.mktemp("quickstart")
    session = Session(ticking(), lambda: "ada@lab", ids(), lambda: False, lambda _: None)
    arguments = ["quickstart", "--root", str(folder), "--rows", "60", "--seconds", "20", "--format", "json"]
    result = CliRunner().invoke(root, arguments, obj=session)
    return folder / ".quickstart", data(result)


def test_the_quickstart_tells_each_step_and_ends_verified(told: tuple[Path, Any]) -> None:
    _, story = told
    commands = {each["command"]: each["output"] for step in story["steps"] for each in step["commands"]}
    (verified,) = [output for command, output in commands.items() if " verify " in f" {command} "]
    assert verified.endswith("no findings\n")
    assert len(story["steps"]) == 14


def test_the_quickstart_leaves_lakes_that_others_read(told: tuple[Path, Any]) -> None:
    folder, _ = told
    (lake,) = (folder / "lakes" / "contososalesprod").iterdir()
    assert rows_in(lake, "account") == 6


def test_what_the_quickstart_says_to_try_next_works(told: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = told
    monkeypatch.chdir(folder)
    for _, command in quickstart.NEXT:
        if not command.startswith("run"):
            result = CliRunner().invoke(root, shlex.split(command))
            assert result.exit_code == 0, result.output


def test_the_quickstart_promotes_the_zip_alone(told: tuple[Path, Any]) -> None:
    _, story = told
    commands = [each["command"] for step in story["steps"] for each in step["commands"]]
    assert "toolkit import ContosoLake_1_0_0_0_managed.zip --env prod --yes" in commands


@pytest.mark.parametrize(
    ("python", "found", "called"),
    [
        (".venv/bin", ".venv/bin/toolkit", "toolkit"),
        (".venv/bin", "link", "toolkit"),
        (".venv/bin", "other", "../.venv/bin/toolkit"),
        (".venv/bin", None, "../.venv/bin/toolkit"),
        ("none", "other", "ROOT/none/python -m toolkit"),
    ],
)
def test_the_quickstart_says_how_this_toolkit_is_called(
    tmp_path: Path, python: str, found: str | None, called: str
) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in (".venv/bin/toolkit", "other"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(".venv/bin/toolkit")
    on_path = str(tmp_path / found) if found else None
    said = quickstart.program(tmp_path / ".quickstart", tmp_path / python / "python", on_path)
    assert said == called.replace("ROOT", str(tmp_path))


def test_a_toolkit_that_is_far_away_is_called_by_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "toolkit").touch()
    assert quickstart.program(tmp_path / "a" / "b", tmp_path / "python", None) == str(tmp_path / "toolkit")


def test_the_quickstart_can_be_run_again(told: tuple[Path, Any]) -> None:
    folder, _ = told
    (folder / "left over").write_text("from the last time")
    again = quickstart.fresh_folder(folder.parent)
    assert again == folder
    assert sorted(path.name for path in folder.iterdir()) == [quickstart.MARKER, "solutions"]


def test_the_quickstart_leaves_a_folder_that_is_not_its_own(line: Line, tmp_path: Path) -> None:
    (tmp_path / ".quickstart").mkdir()
    (tmp_path / ".quickstart" / "mine").write_text("keep")
    result = line("quickstart")
    assert (result.exit_code, "error[CLI040]" in result.stderr) == (1, True)
    assert (tmp_path / ".quickstart" / "mine").read_text() == "keep"


def test_a_reader_notices_a_snapshot_that_changed(tmp_path: Path) -> None:
    lake = tmp_path / "account" / "files"
    lake.mkdir(parents=True)
    (lake / "1.csv").write_text("a")
    manifest = {"entities": [{"partitions": [{"location": str(lake / "1.csv")}]}]}
    (lake / "model.json").write_text(json.dumps(manifest))
    reader = quickstart.Reader(tmp_path)
    assert reader.open() == "a reader opens the 1 file that model.json names now"
    assert reader.check().startswith("the reader of T1 still reads its 1 file, byte for byte")
    (lake / "1.csv").write_text("b")
    with pytest.raises(Damaged):
        reader.check()
