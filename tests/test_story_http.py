"""The story over HTTP: two organizations that are served on this machine, and the command line as their client."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from tests.cli.starters import Started, start
from tests.server.served import served
from toolkit import engine
from toolkit.cli import root
from toolkit.cli.session import Session
from toolkit.engine import SyncReport
from toolkit.lake.protocol import Holder
from toolkit.model.config import LinkedEntity
from toolkit.model.environment import HostedLink
from toolkit.organization import catalog
from toolkit.organization.catalog import Settings
from toolkit.organization.database import Database
from toolkit.project import Project as ToolkitProject
from toolkit.server.call import Answer, Call
from toolkit.server.faults import Fault, Faults, NoFaults, Switches, parse

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
        "env create bare",
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
        for name in ("dev", "prod", "bare"):
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
        "bare": {"kind": "dataverse", "url": addresses["bare"], "sign_in": {"method": "none"}},
        "links": {"kind": "dataverse", "url": addresses["bare"], "sign_in": {"method": "none"}, "mode": "link-only"},
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


# --- what stands in the way ------------------------------------------------------------------------------------------

OVERLAY = """\
configs:
  contososales: {storage_account: contososalesprod}
  contososervice: {storage_account: contososerviceprod}
"""


def test_without_the_table_of_configs_an_import_is_refused_and_links_alone_can_be_made(
    made: Path, tmp_path: Path
) -> None:
    with serving(made, tmp_path) as addresses:
        two = project(tmp_path, addresses)
        (tmp_path / "overlay.yaml").write_text(OVERLAY)
        refused = two.run(f"import {LAKE} --env bare --overlay overlay.yaml --yes")
        assert (refused.exit_code, "0x80048034" in refused.stderr, "mode: link-only" in refused.stderr) == (
            1,
            True,
            True,
        )
        printed = two(f"import {LAKE} --env links --overlay overlay.yaml --yes")
        assert "import solution" not in printed
        assert findings(two.data(f"verify {LAKE} --env links --overlay overlay.yaml")) == []
        assert "nothing to do" in two(f"import {LAKE} --env links --overlay overlay.yaml --yes")
        two("uninstall ContosoLake --env links --prune --yes")
        assert [row["what"] for row in two.data("history --env links")] == ["import", "uninstall"]
        assert two.data("status --env links") == []


HOSTED = HostedLink(
    id="66666666-0000-4000-8000-000000000001",
    name="Contoso Lake",
    state="Active",
    active=True,
    account="contososalesprod",
    file_system="dataverse-prod",
    entities=(LinkedEntity(name="account", append_only=True),),
    snapshots=5,
)


def test_a_hosted_link_on_our_account_is_an_error_and_can_be_adopted_and_is_never_written_to(
    made: Path, tmp_path: Path
) -> None:
    prod = Counting(NoFaults())
    with serving(made, tmp_path, prod=prod) as addresses:
        with Database(tmp_path / "prod.sqlite") as database, database.write() as connection:
            catalog.put_settings(connection, Settings(hosted=(HOSTED,)))
        two = project(tmp_path, addresses)
        refused = two.run(f"plan {LAKE} --env prod")
        assert (refused.exit_code, "ENV030" in refused.stderr) == (1, True)
        adopted = two.run("adopt --env prod -o found")
        assert (adopted.exit_code, "ENV037" in adopted.stderr) == (0, True)
        two("validate found --strict")
        assert "name: account\n" in (tmp_path / "found/configs/contososalesprod.yaml").read_text()
    assert {call.method for call in prod.calls} == {"GET"}


@dataclass
class Disabled:
    """An organization in administration mode, while ``off``."""

    off: bool = False

    def next(self, _: Call) -> Fault | None:
        message = "The Dynamics 365 organization you are attempting to access is currently disabled."
        error = {"error": {"code": "0x8004a104", "message": message}}
        return Fault(answer=Answer.json(error, 403)) if self.off else None


def test_a_run_waits_for_the_end_of_administration_mode_and_goes_on_by_itself(made: Path, tmp_path: Path) -> None:
    prod = Disabled()
    with serving(made, tmp_path, prod=prod) as addresses:
        two = project(tmp_path, addresses)
        two("lake link --account contososalesprod --entity account --env prod")
        add = partial(httpx.post, f"{addresses['prod']}/api/data/v9.2/accounts", json={"name": "Late"})
        reports, clock = _ran(two, Phases(prod, add))
    assert [name for report in reports for name in report.failing] == ["account"]
    assert [name for report in reports for name in report.recovered] == ["account"]
    assert sum(entity.written for report in reports for entity in report.entities) == 1
    assert clock() < START + timedelta(hours=2)


@dataclass
class Phases:
    """What happens while a run waits: the organization is disabled for half an hour, and meanwhile a row comes."""

    prod: Disabled
    add: Callable[[], object]
    now: datetime = START + timedelta(minutes=1)
    waits: int = 0

    def __call__(self, seconds: float) -> bool:
        self.now += timedelta(seconds=seconds)
        begun, self.prod.off = self.prod.off, timedelta(minutes=5) < self.now - START < timedelta(minutes=35)
        if begun and not self.prod.off:
            self.add()
        return self.now - START > timedelta(minutes=100)


def _ran(two: Project, phases: Phases) -> tuple[list[SyncReport], Callable[[], datetime]]:
    reports: list[SyncReport] = []
    clock = lambda: phases.now  # noqa: E731 - the clock of a test
    opening = ToolkitProject.load(two.folder / "toolkit.yaml").opened(
        "prod", clock=clock, new_id=str, sleep=lambda _: None
    )
    with opening as opened:
        (linked,) = opened.site.links()
        engine.run(
            lambda: linked,
            opened.site.source,
            clock=clock,
            wait=phases,
            holder=Holder("ada@lab", "lab", 1, START),
            passed=reports.append,
        )
    return reports, clock


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
    # When the fifth page was asked for, the third was being written at the latest, and the fourth waited behind it.
    assert (len(pages), sorted(pages.values())[:3], max(pages.values())) == (6, [1, 1, 1], 2)
    assert pages[""] == 1


@dataclass
class Identities:
    """Lets two identities do what they are for: one changes the environment, the other reads rows and metadata.

    A process is killed when the engine asks for its first page.
    """

    killed: subprocess.Popen[str] | None = None

    def next(self, call: Call) -> Fault | None:
        who, rows = call.headers.get("authorization", ""), is_row(call)
        if rows and self.killed is not None and "odata.track-changes" in call.prefer:
            self.killed.kill()
        common = call.path == "WhoAmI" or call.path.startswith("RetrieveMetadataChanges")
        allowed = {"Bearer apply": not rows, "Bearer engine": rows or common}.get(who, False)
        error = {"error": {"code": "0x80040220", "message": "the identity may not do it"}}
        return None if allowed else Fault(answer=Answer.json(error, 403))


def is_row(call: Call) -> bool:
    return call.path.partition("/")[0] in {"accounts", "contacts", "leads", "opportunities", "products", "quotes"}


def test_a_kill_between_apply_and_engine_leaves_the_data_to_the_engine_and_its_own_identity(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prod = Identities()
    sales = "--entity account --entity contact"
    with serving(made, tmp_path, prod=prod) as addresses:
        sign_in, engine_sign_in = ({"method": "token", "variable": name} for name in ("APPLY_TOKEN", "ENGINE_TOKEN"))
        one = project(tmp_path, addresses, sign_in=sign_in, engine_sign_in=engine_sign_in)
        command = f"-m toolkit lake link --account contososalesprod {sales} --env prod"
        prod.killed = subprocess.Popen(
            [sys.executable, *command.split()],
            cwd=tmp_path,
            env={**os.environ, "APPLY_TOKEN": "apply", "ENGINE_TOKEN": "engine", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        told, _ = prod.killed.communicate(timeout=60)
        assert prod.killed.returncode == -signal.SIGKILL, told
        prod.killed = None
        monkeypatch.setenv("ENGINE_TOKEN", "engine")
        assert "100 rows written" in one("sync --env prod")
        monkeypatch.setenv("APPLY_TOKEN", "apply")
        assert findings(one.data("verify --env prod")) == []


# --- several at once ------------------------------------------------------------------------------------------------


@dataclass
class Awaiting:
    """Tells when the rows of several entity sets were read."""

    left: set[str]
    all_read: Event = field(default_factory=Event)

    def next(self, call: Call) -> Fault | None:
        self.left -= {call.path} if "odata.track-changes" in call.prefer else set()
        if not self.left:
            self.all_read.set()
        return None


def test_two_processes_and_a_plain_client_at_once_lose_nothing(made: Path, tmp_path: Path) -> None:
    reading = Awaiting({"accounts", "tasks"})
    with serving(made, tmp_path, prod=reading) as addresses:
        two = project(tmp_path, addresses)
        two(f"import {LAKE} --env prod --no-sync --yes")
        links = ("contososalesprod", "contososerviceprod")
        running = [start(tmp_path, *f"run --env prod --every 0.1 --config {name}".split())[0] for name in links]
        with httpx.Client(base_url=f"{addresses['prod']}/api/data/v9.2/") as plain:
            worked(plain)
        assert reading.all_read.wait(60)
        for process in running:
            process.send(signal.SIGTERM)
        assert {process.end().status for process in running} <= {0, 7}
        two("sync --env prod")
        compared = {row["entity"]: row for row in two.data("reconcile --env prod")}
        assert {row["equal"] for row in compared.values()} == {True}
        assert (compared["account"]["lake_rows"], compared["task"]["lake_rows"]) == (60 + 30, 20 + 30)
        assert findings(two.data(f"verify {LAKE} --env prod")) == []


def worked(plain: httpx.Client) -> None:
    """Create forty rows of two tables, change half of them, and delete ten of each."""
    for entity_set, name in (("accounts", "name"), ("tasks", "subject")):
        made = [plain.post(entity_set, json={name: f"Row {number}"}) for number in range(40)]
        addresses = [answer.headers["OData-EntityId"] for answer in made]
        for address in addresses[:20]:
            plain.patch(address, json={name: "Changed"}).raise_for_status()
        for address in addresses[-10:]:
            plain.delete(address).raise_for_status()
