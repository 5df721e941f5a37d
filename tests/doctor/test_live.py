"""``doctor --live`` against a served organization: what it confirms or tells otherwise, and that nothing stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.dataverse.service import START
from tests.organization.samples import NOTE, ORGANIZATION, numbered
from tests.server.served import served
from toolkit.doctor import Check, Subject, Trial, trial
from toolkit.environment import embedded
from toolkit.errors import Refused
from toolkit.lake.protocol import Holder
from toolkit.organization import metadata
from toolkit.organization.database import Database
from toolkit.organization.definition_file import Definitions
from toolkit.project import Project
from toolkit.server.call import Answer, Call
from toolkit.server.faults import Fault, Faults, Switches, parse

SCRATCH = "new_toolkit00000000f001"


@dataclass
class Answering:
    """Answers some calls in the place of the organization."""

    method: str
    fits: str
    """A pattern of the path and the query."""
    answer: Answer

    def next(self, call: Call) -> Fault | None:
        asked = f"{call.path}?" + "&".join(f"{name}={value}" for name, value in call.query.items())
        wanted = call.method == self.method and re.search(self.fits, asked)
        return Fault(answer=self.answer) if wanted else None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "organization" / "organization.sqlite"
    with embedded.create(path, ORGANIZATION, entities=Definitions(entities=(NOTE,))) as opened:
        yield opened


@contextmanager
def tried(folder: Path, database: Database, faults: Faults | None = None) -> Iterator[Trial]:
    """Give a trial in a served organization."""
    numbers = count(0xF001)

    def new_id() -> str:
        return numbered(next(numbers))

    with ExitStack() as stack:
        url = stack.enter_context(served(database, clock=lambda: START, faults=faults))
        (folder / "toolkit.yaml").write_text(
            f"environments: {{web: {{kind: dataverse, url: '{url}', sign_in: {{method: none}}}}}}\n"
            "accounts: {contosodev: {folder: lakes/contosodev}}\n"
        )
        project = Project.load(folder / "toolkit.yaml")
        opened = stack.enter_context(project.opened("web", clock=lambda: START, new_id=new_id, sleep=lambda _: None))
        subject = Subject(project.entry("web")[1], opened, lambda: START, new_id)
        lakes = project.lakes("web", clock=lambda: START, sleep=lambda _: None)
        yield trial(subject, "contosodev", lakes, Holder("ada", "lab", 1, START))


def left(folder: Path, database: Database) -> list[str]:
    """Return what stayed of a trial."""
    with database.read() as connection:
        entities = [name for name in metadata.entities(connection) if name != "note"]
    return [*entities, *(path.name for path in folder.glob("lakes/**/*"))]


def checks(folder: Path, database: Database, faults: Faults | None = None) -> dict[str, Check]:
    with tried(folder, database, faults) as prepared:
        return {check.name: check for check in prepared.tried()}


def test_what_the_documents_say_is_confirmed_and_nothing_stays(tmp_path: Path, database: Database) -> None:
    found = checks(tmp_path, database)
    assert {name: check.said for name, check in found.items() if check.outcome == "ok" and name != "toolkit.yaml"} == {
        "creating an entity": f"CreateEntities made {SCRATCH}, with its columns",
        "metadata": "RetrieveMetadataChanges tells of a new entity at once, tracked, with a multi-select column",
        "exporting": "5 rows in pages of 2 were exported to contosodev/toolkit-doctor-00000000f001",
        "changes": "a new row, a change and a deletion came with the delta link, and are in the lake",
        "multi-select values": 'a multi-select value is the text "1,2"',
        "decimals": "a decimal is a JSON number with all of its digits",
        "filters": "a filter of a tracked read is refused with 400 0x80060888",
        "delta link": "3 pages, the last alone with a delta link",
        "expired link": "a delta link from before a new column is refused with 400 0x80044352",
        "cleaning up": f"the entity {SCRATCH} and the files in contosodev/toolkit-doctor-00000000f001 are deleted",
    }
    assert left(tmp_path, database) == []


@pytest.mark.parametrize("steps", [1, 2, 4, 9])
def test_an_interruption_leaves_nothing(tmp_path: Path, database: Database, steps: int) -> None:
    with tried(tmp_path, database) as prepared:
        begun = prepared.tried()
        list(islice(begun, steps))
        begun.close()
    assert left(tmp_path, database) == []


def test_faults_that_pass_make_no_difference(tmp_path: Path, database: Database) -> None:
    kinds = ("429", "502", "503", "504", "drop:when=before", "drop:when=after", "drop:when=middle")
    rules = parse(f"{kind}{',' if '=' in kind else ':'}rate=0.04,seed={seed}" for seed, kind in enumerate(kinds))
    found = checks(tmp_path, database, Switches(rules))
    assert ({check.outcome.value for check in found.values()}, left(tmp_path, database)) == ({"ok"}, [])


def test_an_entity_that_cannot_be_made_leaves_the_rest_unasked(tmp_path: Path, database: Database) -> None:
    forbidden = Answer.json({"error": {"code": "0x80040220", "message": "prvCreateEntity"}}, 403)
    found = checks(tmp_path, database, Answering("POST", "^CreateEntities", forbidden))
    assert [(check.name, check.outcome.value) for check in found.values()][1:4] == [
        ("creating an entity", "fail"),
        ("metadata", "not checked"),
        ("exporting", "not checked"),
    ]
    assert (found["cleaning up"].outcome, left(tmp_path, database)) == ("ok", [])


def test_what_cannot_be_deleted_is_named(tmp_path: Path, database: Database) -> None:
    forbidden = Answer.json({"error": {"code": "0x80040220", "message": "prvDeleteEntity"}}, 403)
    found = checks(tmp_path, database, Answering("DELETE", "^EntityDefinitions", forbidden))
    assert [(each.code, each.what) for each in found["cleaning up"].findings] == [
        ("DR021", f"the entity {SCRATCH} is left")
    ]
    assert left(tmp_path, database) == [SCRATCH]


def rows(**more: Any) -> Answer:
    return Answer.json({"value": [], **more})


class Otherwise(NamedTuple):
    step: str
    fits: str
    answer: Answer
    what: str


OTHERWISE = [
    Otherwise(
        "metadata",
        "^RetrieveMetadataChanges",
        Answer.json({"ServerVersionStamp": "1", "EntityMetadata": []}),
        "RetrieveMetadataChanges does not tell of a new entity",
    ),
    Otherwise(
        "multi-select values",
        r"\(.*select=new_colours",
        Answer.json({"new_colours": [1, 2]}),
        "a multi-select value of 1 and 2 is a list of another form than 1,2",
    ),
    Otherwise(
        "decimals",
        r"\(.*select=new_amount",
        Answer.json({"new_amount": "1234.56"}),
        "the decimal 1234.56 comes as a str of another value",
    ),
    Otherwise("filters", "filter=", rows(), "a filter of a tracked read is accepted with 200"),
    Otherwise("delta link", rf"select={SCRATCH}id$", rows(), "of 1 pages 0 have a delta link"),
    Otherwise(
        "expired link",
        "deltatoken=",
        Answer.json({"error": {"code": "0x80040216", "message": "no"}}, 410),
        "a delta link from before a new column is answered with 410 0x80040216, and not 0x80044352",
    ),
]


@pytest.mark.parametrize("case", OTHERWISE, ids=lambda case: case.step)
def test_what_is_otherwise_is_told(tmp_path: Path, database: Database, case: Otherwise) -> None:
    found = checks(tmp_path, database, Answering("GET", case.fits, case.answer))
    assert [(each.code, each.what) for each in found[case.step].findings] == [("DR020", case.what)]
    assert left(tmp_path, database) == []


@pytest.mark.usefixtures("database")
def test_an_embedded_environment_is_not_what_is_in_question(tmp_path: Path) -> None:
    (tmp_path / "toolkit.yaml").write_text("environments: {dev: {folder: organization}}\n")
    project = Project.load(tmp_path / "toolkit.yaml")
    with project.opened("dev", clock=lambda: START, new_id=lambda: "x") as opened:
        subject = Subject(project.entry("dev")[1], opened, lambda: START, lambda: "x")
        with pytest.raises(Refused) as caught:
            trial(subject, "contosodev", project.lakes("dev", clock=lambda: START), Holder("ada", "lab", 1, START))
    assert caught.value.code == "DR022"
