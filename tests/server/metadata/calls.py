"""Calls of metadata in process, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.organization.samples import EVERY, NOTE, UNTRACKED, Clock, attribute, organization
from tests.server.served import world
from toolkit.model.entity import Entity
from toolkit.model.solution import Publisher, Solution
from toolkit.model.version import Version
from toolkit.organization import catalog, solutions
from toolkit.organization.database import Database
from toolkit.organization.solutions import Registered
from toolkit.server.call import Answer, Call
from toolkit.server.routes import dispatch

BASE = "http://127.0.0.1/api/data/v9.2/"
CTS = Publisher(unique_name="contoso", prefix="cts", option_value_prefix=72_700)
ACCOUNT = NOTE.model_copy(
    update={
        "name": "account",
        "set_name": "accounts",
        "attributes": (*NOTE.attributes, attribute("entityimageid", "uniqueidentifier")),
    }
)
LINKED = Entity(
    name="cts_noteaccount",
    set_name="cts_noteaccountset",
    primary_id="cts_noteaccountid",
    change_tracking=False,
    can_track=False,
    intersect=True,
    custom=True,
    attributes=(
        attribute("cts_noteaccountid", "uniqueidentifier"),
        attribute("noteid", "uniqueidentifier"),
        attribute("accountid", "uniqueidentifier"),
        attribute("versionnumber", "bigint"),
    ),
)


@dataclass(frozen=True)
class Api:
    """A served organization without a network."""

    database: Database
    clock: Clock

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        path, _, query = path.partition("?")
        data = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "."): value for name, value in headers.items()}
        return dispatch(world(self.database, self.clock), Call(method, path, dict(parse_qsl(query)), named, data, BASE))

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def done(self, method: str, path: str, body: object = None, **headers: str) -> str:
        """Make a change, and return the id of what it created."""
        answer = self.call(method, path, body, **headers)
        assert answer.status in {200, 204}, answer.body
        return answer.headers.get("OData-EntityId", "").removeprefix(BASE)

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Make a call that is refused, and return its status and code."""
        answer = self.call(method, path, body)
        return answer.status, json.loads(answer.body)["error"]["code"]


@contextmanager
def metadata_api(folder: Path) -> Iterator[Api]:
    with organization(folder, NOTE, UNTRACKED, EVERY, ACCOUNT, LINKED) as database:
        with database.write() as connection:
            catalog.put_publisher(connection, CTS)
            solution = Solution(unique_name="Mine", version=Version("1.0"), publisher=CTS)
            solutions.put(connection, Registered(solution=solution))
        yield Api(database, Clock())


def label(text: str, language: int = 1033) -> dict[str, object]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": language}]}


def string(schema_name: str, **more: object) -> dict[str, object]:
    return {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": schema_name, **more}


SAMPLES = frozenset({"account", "cts_every", "cts_noteaccount", "log", "note"})
"""The entities of the organization, without the tables of the platform."""


def sample_names(entities: list[dict[str, str]]) -> list[str]:
    return [each["LogicalName"] for each in entities if each["LogicalName"] in SAMPLES]
