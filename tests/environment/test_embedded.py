import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.environment import packages
from tests.environment.packages import SALES, config, core, needs, package, publisher
from tests.organization.dump import dump
from tests.organization.samples import NOTE, NOW, ORGANIZATION, Clock, numbered
from toolkit.bundle import pack
from toolkit.bundle.markup import parse
from toolkit.environment import embedded
from toolkit.environment.embedded import EmbeddedEnvironment
from toolkit.environment.protocol import CreatePublisher, ImportMode, PutConfig
from toolkit.errors import Refused, ToolkitError
from toolkit.model.environment import StorageAccount
from toolkit.organization.catalog import Settings
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.organization.jobs import ImportJob, JobResult

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with embedded.create(
        tmp_path / "organization.sqlite", ORGANIZATION, entities=Definitions(entities=(NOTE,))
    ) as made:
        yield made


def environment(database: Database, clock: Callable[[], datetime] | None = None) -> EmbeddedEnvironment:
    numbers = itertools.count(1)
    return EmbeddedEnvironment("dev", database, clock=clock or Clock(), new_id=lambda: numbered(next(numbers)))


def imported(of: EmbeddedEnvironment, data: bytes, mode: ImportMode = ImportMode.UPDATE) -> None:
    for _ in of.import_solution(data, mode):
        pass


# --- creation -------------------------------------------------------------------------------------------------------


def test_an_organization_begins_with_the_standard_entities(tmp_path: Path) -> None:
    with embedded.create(tmp_path / "new" / "organization.sqlite", ORGANIZATION) as database:
        inventory = environment(database).inventory()
    assert len(inventory.entities) >= 12
    assert len(inventory.entities["account"].attributes) >= 60
    assert inventory.administrator is True
    assert inventory.change_tracking_expiry_days == 7


def test_creation_says_what_the_organization_can_see(tmp_path: Path) -> None:
    account = StorageAccount(name="contososales", region="westeurope", roles=())
    settings = Settings(administrator=None, change_tracking_expiry_days=30)
    path = tmp_path / "organization.sqlite"
    with embedded.create(path, ORGANIZATION, accounts=[account], settings=settings) as database:
        inventory = environment(database).inventory()
    assert inventory.accounts == {"contososales": account}
    assert (inventory.administrator, inventory.change_tracking_expiry_days) == (None, 30)


def test_an_organization_that_is_there_is_not_created_anew(database: Database) -> None:
    before = dump(database)
    with pytest.raises(Refused) as caught:
        embedded.create(database.path, ORGANIZATION)
    assert (caught.value.code, dump(database)) == ("ENV001", before)


def test_creation_leaves_one_file(tmp_path: Path) -> None:
    embedded.create(tmp_path / "organization.sqlite", ORGANIZATION).close()
    assert [path.name for path in tmp_path.iterdir()] == ["organization.sqlite"]


def test_an_account_is_shown_and_shown_with_other_properties(database: Database) -> None:
    subject = environment(database)
    subject.show([StorageAccount(name="contososales"), StorageAccount(name="contososervice")])
    subject.show([StorageAccount(name="contososales", hierarchical_namespace=False)])
    seen = {name: account.hierarchical_namespace for name, account in subject.inventory().accounts.items()}
    assert seen == {"contososales": False, "contososervice": True}


# --- import jobs ----------------------------------------------------------------------------------------------------


def test_an_import_leaves_a_job_with_its_solution_and_its_end(database: Database) -> None:
    clock = Clock()
    subject = environment(database, clock)
    job = subject.import_solution(core(), ImportMode.UPDATE)
    next(job)
    clock.move(seconds=3)
    assert [step.what for step in job] == [
        "importing ExportToDataLakeCore 1.0.0.0",
        "imported ExportToDataLakeCore 1.0.0.0",
    ]
    (left,) = subject.jobs()
    assert (left.id, left.started, left.ended) == (numbered(1), NOW, NOW + timedelta(seconds=3))
    assert (left.solution, left.version, left.result, left.progress) == (
        "ExportToDataLakeCore",
        "1.0.0.0",
        JobResult.SUCCESS,
        100.0,
    )


def test_a_refused_import_leaves_a_job_with_the_code_and_nothing_else(database: Database) -> None:
    subject = environment(database)
    before = dump(database)
    with pytest.raises(Refused):
        imported(subject, package(missing_dependencies=[needs("Other")]))
    (left,) = subject.jobs()
    assert (left.solution, left.version, left.progress) == ("ContosoLake", "1.0.0.0", 0.0)
    assert (left.result, left.error_code) == (JobResult.FAILURE, "0x80048034")
    assert dump(database) == before


def test_an_import_that_breaks_in_the_middle_leaves_nothing_but_its_job(database: Database) -> None:
    times = iter([NOW])
    subject = environment(database, lambda: next(times))
    before = dump(database)
    # The second time is asked for when all is written, and there is none.
    with pytest.raises(RuntimeError):
        imported(subject, core())
    assert dump(database) == before
    assert [job.result for job in subject.jobs()] == [None]


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from toolkit.environment.embedded import EmbeddedEnvironment
from toolkit.environment.protocol import ImportMode
from toolkit.organization.database import Database

times = iter([datetime(2026, 3, 1, tzinfo=UTC)])

def clock():
    # The second time is asked for when all is written and nothing is committed.
    return next(times, None) or os.kill(os.getpid(), signal.SIGKILL)

path, package, job = sys.argv[1:]
environment = EmbeddedEnvironment("dev", Database(Path(path)), clock=clock, new_id=lambda: job)
list(environment.import_solution(Path(package).read_bytes(), ImportMode.UPDATE))
"""


def test_an_import_that_is_killed_in_the_middle_leaves_nothing_but_its_job(database: Database, tmp_path: Path) -> None:
    before = dump(database)
    given = tmp_path / "core.zip"
    given.write_bytes(core())
    ended = subprocess.run([sys.executable, "-c", KILLED, database.path, given, numbered(9)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert dump(database) == before
    assert [job.result for job in environment(database).jobs()] == [None]
    imported(environment(database), core())


def test_an_import_that_nobody_follows_to_its_end_leaves_nothing_but_its_job(database: Database) -> None:
    subject = environment(database)
    before = dump(database)
    with closing(subject.import_solution(core(), ImportMode.UPDATE)) as job:  # type: ignore[type-var]  # generators close
        next(job)
        next(job)
    assert dump(database) == before
    assert [left.ended for left in subject.jobs()] == [None]


def test_a_staged_import_waits_beside_what_is_installed(database: Database) -> None:
    subject = environment(database)
    imported(subject, core())
    imported(subject, package(config(), package=1))
    imported(subject, package(config(), package=1, version="2.0"), ImportMode.STAGE)
    found = {name: str(each.version) for name, each in subject.inventory().solutions.items()}
    assert found == {"ContosoLake": "1.0.0.0", "ContosoLake_Upgrade": "2.0", "ExportToDataLakeCore": "1.0.0.0"}


def test_the_report_of_a_job_reads_as_public_clients_read_it() -> None:
    job = ImportJob(id=numbered(1), started=datetime(2026, 3, 1, tzinfo=UTC))
    error = ToolkitError("0x8004801c", 'the publisher "a" & <b>')
    failed = job.of("ContosoLake", "1.0").failed(NOW, error)
    report = parse(failed.data.encode(), "report")
    (manifest,) = report.children[0].all("solutionManifest")
    name, version, result = manifest.children
    assert (name.name, name.text, version.name, version.text) == ("UniqueName", "ContosoLake", "Version", "1.0")
    assert (result.name, result.attributes) == (
        "result",
        {"result": "failure", "errorcode": "0x8004801c", "errortext": 'the publisher "a" & <b>'},
    )
    assert parse(job.data.encode(), "report").attributes["processed"] == "false"


# --- several at once ------------------------------------------------------------------------------------------------


def test_imports_and_readings_from_several_threads_see_whole_states(database: Database) -> None:
    subject = environment(database)
    imported(subject, core())
    torn: list[object] = []

    def work(name: str, key: str) -> None:
        for version in range(1, 6):
            data = package(
                config(f"{name}a", f"{key}1"), config(f"{name}b", f"{key}2"), name=name, version=f"1.{version}"
            )
            imported(subject, data)
            for solution in subject.inventory().solutions.values():
                torn.extend(held for held in solution.configs if held not in subject.inventory().configs)

    keys = {"lake": "11111111-0000-4000-8000-00000000000", "pond": "22222222-0000-4000-8000-00000000000"}
    threads = [threading.Thread(target=work, args=item) for item in keys.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    inventory = subject.inventory()
    assert (torn, len(inventory.configs), len(subject.jobs())) == ([], 4, 11)


# --- whole bundles --------------------------------------------------------------------------------------------------


def test_the_bundles_that_ship_travel_from_one_organization_to_another(tmp_path: Path) -> None:
    exports: list[bytes] = []
    for name in ("dev", "prod"):
        with embedded.create(tmp_path / name / "organization.sqlite", ORGANIZATION) as database:
            subject = environment(database)
            for solution in ("ExportToDataLakeCore", "ContosoLake"):
                packed = pack(ROOT / "solutions" / solution).to_bytes()
                imported(subject, exports[-1] if exports and solution == "ContosoLake" else packed)
            exports.append(subject.export_solution("ContosoLake", managed=False))
    assert exports[0] == exports[1]
    assert packages.read(exports[0]).digest == packages.read(exports[1]).digest


SAMPLES = Path(os.environ.get("TOOLKIT_CORPUS", "/nowhere")) / "solutions"
KNOWN_REFUSALS = {
    "CodeInterpreterSample_1_0_0_0_managed": {"0x80048034"},
    "ColumnLevelSecuritySampleSolution": {"0x80048034"},
    "ColumnLevelSecuritySampleSolution_managed": {"0x80048034"},
}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="TOOLKIT_CORPUS is not set")
def test_real_solutions_import_unless_they_need_others(tmp_path: Path) -> None:
    found = {}
    for path in sorted(SAMPLES.glob("*.zip")):
        with embedded.create(tmp_path / path.stem / "organization.sqlite", ORGANIZATION) as database:
            try:
                imported(environment(database), path.read_bytes())
            except Refused as error:
                found[path.stem] = {finding.code for finding in error.findings}
    assert found == KNOWN_REFUSALS


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="TOOLKIT_CORPUS is not set")
@pytest.mark.parametrize("name", ["AIBuilderOnlineShopperIntention_1_0_0_0", "XrmCI_Success_1_1_0_0"])
def test_an_export_of_a_real_solution_keeps_the_bytes_of_every_member(database: Database, name: str) -> None:
    subject = environment(database)
    data = (SAMPLES / f"{name}.zip").read_bytes()
    imported(subject, data)
    exported = subject.export_solution(packages.read(data).solution.unique_name, managed=False)
    assert dict(packages.members(exported)) == dict(packages.members(data))


def test_a_row_made_by_hand_and_a_publisher_outlive_the_process(database: Database) -> None:
    subject = environment(database)
    imported(subject, core())
    subject.write(PutConfig(config()))
    subject.write(CreatePublisher(publisher()))
    again = EmbeddedEnvironment("dev", Database(database.path), clock=Clock(), new_id=lambda: numbered(9))
    assert again.inventory() == subject.inventory()
    assert set(again.inventory().configs) == {SALES}
