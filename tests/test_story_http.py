"""The story over HTTP: two organizations that are served on this machine, and the command line as their client."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.cli.starters import Started, start
from tests.server.served import served
from toolkit.cli import root
from toolkit.cli.session import Session
from toolkit.organization.database import Database
from toolkit.server.call import Call
from toolkit.server.faults import Fault, Faults, Switches, parse

ROOT = Path(__file__).parents[1]
LAKE = ROOT / "solutions/ContosoLake"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by one second with each look at it."""
    ticks = count()
    return lambda: START + timedelta(seconds=next(ticks))


@dataclass
class Project:
    """A project whose environments are served organizations, and its command line."""

    folder: Path
    clock: Callable[[], datetime] = field(default_factory=ticking)
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, line: str) -> Result:
        session = Session(self.clock, lambda: "ada@lab", self._new_id, lambda: False, lambda _: None)
        with chdir(self.folder):
            return CliRunner().invoke(root, shlex.split(line), obj=session)

    def __call__(self, line: str) -> str:
        result = self.run(line)
        assert result.exit_code == 0, f"toolkit {line}\n{result.output}"
        return result.stdout

    def data(self, line: str) -> Any:
        return json.loads(self(f"{line} --format json"))

    def _new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.numbers):012d}"


def findings(checked: Any) -> list[str]:
    """Return the codes of what a verification found, notes apart: an account that is a folder has no region."""
    every = [finding for check in checked["checks"] for finding in check["findings"]]
    return [finding["code"] for finding in every if finding["severity"] != "note"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two organizations as files, with some rows."""
    folder = tmp_path_factory.mktemp("made")
    project = Project(folder)
    for line in (
        "init",
        "env create dev",
        "env create prod",
        "import core --env dev --yes",
        "import core --env prod --yes",
        "env seed dev --rows account=20 --seed 7",
        "env seed prod --rows account=60 --rows contact=40 --rows task=20 --rows incident=10 --seed 8",
    ):
        project(line)
    return folder


@contextmanager
def serving(made: Path, folder: Path, **faults: Faults | None) -> Iterator[Mapping[str, str]]:
    """Serve a copy of the organizations, and give their addresses by name."""
    with ExitStack() as stack:
        addresses = {}
        for name in ("dev", "prod"):
            copy = folder / f"{name}.sqlite"
            shutil.copy(made / "environments" / name / "organization.sqlite", copy)
            database = stack.enter_context(Database(copy))
            addresses[name] = stack.enter_context(served(database, clock=ticking(), faults=faults.get(name)))
        yield addresses


ACCOUNTS = ("contososalesdev", "contososervicedev", "contososalesprod", "contososerviceprod")


def project(folder: Path, addresses: Mapping[str, str], **prod: object) -> Project:
    """Make a project of the organizations. What dev exports is promoted, so its packages keep the bundle's values."""
    environments = {
        "dev": {"kind": "dataverse", "url": addresses["dev"], "sign_in": {"method": "none"}, "mode": "as-is"},
        "prod": {"kind": "dataverse", "url": addresses["prod"], "sign_in": {"method": "none"}, **prod},
    }
    accounts = {name: {"folder": f"lakes/{name}"} for name in ACCOUNTS}
    (folder / "toolkit.yaml").write_text(json.dumps({"environments": environments, "accounts": accounts}))
    return Project(folder)


def promoted(two: Project) -> str:
    """Bring the bundle into dev, and from there into prod; return what the import into prod printed."""
    two(f"import {LAKE} --env dev --yes")
    two("export ContosoLake --env dev --managed -o Lake.zip")
    return two("import Lake.zip --env prod --yes")


# --- from one organization into another -----------------------------------------------------------------------------


def test_contosolake_goes_from_one_served_organization_into_another(made: Path, tmp_path: Path) -> None:
    with serving(made, tmp_path) as addresses:
        two = project(tmp_path, addresses)
        printed = promoted(two)
        assert "import solution    ContosoLake: 1.0.0.0, rewritten with the overlay" in printed
        assert "contososalesprod: 6 entities, 100 rows written" in printed
        assert findings(two.data("verify Lake.zip --env prod")) == []
        assert two("import Lake.zip --env prod --yes").startswith("prod: ContosoLake 1.0.0.0: nothing to do")
        assert findings(two.data(f"verify {LAKE} --env dev")) == []


def test_every_command_of_the_story_works_against_a_served_organization(made: Path, tmp_path: Path) -> None:
    with serving(made, tmp_path) as addresses:
        two = project(tmp_path, addresses)
        two(f"import {LAKE} --env prod --yes")
        assert {row["entity"] for row in two.data("status --env prod")} >= {"account", "incident"}
        assert two.data("solution list --env prod")
        two("lake show --env prod")
        two("entity list --env prod")
        two("publisher create fabrikam --prefix fab --env prod")
        two("solution create ByHand --publisher fabrikam --env prod")
        two("entity track queue --env prod")
        two("sync --env prod")
        two("snapshot --env prod")
        two("reconcile --env prod")
        two(f"estimate {LAKE} --env prod")
        two("uninstall ContosoLake --env prod --prune --yes")
        assert [row["what"] for row in two.data("history --env prod")] == ["import", "uninstall"]


def test_the_same_with_faults_at_five_percent_of_the_requests(made: Path, tmp_path: Path) -> None:
    rules = (
        "429:rate=0.01,retry_after=0,seed=1",
        "503:rate=0.01,retry_after=0,seed=2",
        "drop:rate=0.01,when=before,seed=3",
        "drop:rate=0.01,when=after,seed=4",
        "drop:rate=0.01,when=middle,seed=5",
    )
    dev, prod = Counting(Switches(parse(rules))), Counting(Switches(parse(rules)))
    with serving(made, tmp_path, dev=dev, prod=prod) as addresses:
        two = project(tmp_path, addresses)
        promoted(two)
        assert findings(two.data("verify Lake.zip --env prod")) == []
    assert dev.hit + prod.hit > 10


@dataclass
class Counting:
    """Counts the calls, and those that another one spoils."""

    behind: Faults
    calls: list[Call] = field(default_factory=list)
    hit: int = 0

    def next(self, call: Call) -> Fault | None:
        self.calls.append(call)
        fault = self.behind.next(call)
        self.hit += fault is not None
        return fault


# --- kills ----------------------------------------------------------------------------------------------------------


@dataclass
class Killing:
    """Kills a process when a call of a kind comes for the n-th time."""

    fits: Callable[[Call], bool]
    at: int
    process: Started | None = None
    calls: list[Call] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def next(self, call: Call) -> Fault | None:
        with self.lock:
            self.calls.append(call)
            if self.process is not None and sum(map(self.fits, self.calls)) == self.at:
                os.kill(self.process.pid, signal.SIGKILL)
        return None


def is_page(call: Call) -> bool:
    return call.path == "cts_inspections" and "odata.track-changes" in call.prefer and "$deltatoken" not in call.query


def test_a_kill_in_the_middle_of_an_initial_load_fetches_no_finished_page_again(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "big")
    big = Project(tmp_path / "big")
    big("publisher create contoso --prefix cts --option-value-prefix 77074 --env prod")
    big(f"env define prod {ROOT / 'docs/examples/entities.yaml'}")
    big("env seed prod --rows cts_inspection=27000 --seed 1")
    killing = Killing(is_page, at=5)
    with serving(tmp_path / "big", tmp_path, prod=killing) as addresses:
        one = project(tmp_path, addresses)
        one("lake link --account contososalesprod --entity cts_inspection --env prod --no-sync")
        (killing.process,) = start(tmp_path, "sync", "--env", "prod")
        assert killing.process.end().status == -signal.SIGKILL
        killing.process = None
        assert "27,000 rows written" in one("sync --env prod")
        assert findings(one.data("verify --env prod")) == []
    pages = Counter(call.query.get("$skiptoken", "") for call in killing.calls if is_page(call))
    # The fourth page was in work and the fifth on its way when the process died.
    assert sorted(pages.values()) == [1, 1, 1, 1, 1, 2] or sorted(pages.values()) == [1, 1, 1, 1, 2, 2]
