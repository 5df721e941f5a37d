"""dynamics-web-api, the client for JavaScript, over http."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Organized
from tests.server.served import served

Told = dict[str, Any]


@pytest.fixture(scope="module")
def told(organized: Organized, scripts: Path) -> Told:
    """Let the client do all scenarios on an organization of its own, and return what each came to."""
    with served(organized({"account": 5})) as url:
        command = ["node", "dynamics.mjs", url]
        done = subprocess.run(command, check=False, cwd=scripts, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: Told = json.loads(done.stdout)
    return found


PAGES = [f"Page {number}" for number in range(7)]


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("create and retrieve", ["One", 1, True]),
        ("create with representation", ["Shown", None]),
        ("retrieve with annotations", [[0, "Active"]]),
        ("update, one property, upsert", [2, "told", "Upserted"]),
        ("the etag of an older state is refused", [412, "0x80060882"]),
        ("follow pages", [[3, 3, 1], PAGES]),
        ("count", [7, 7]),
        ("a lookup, bound and expanded", "Of the account"),
        ("track changes", [True, [[[], 0], [["Dropped", "Tracked"], 0], [["Tracked"], 1]], True]),
        ("a filter and tracked changes do not go together", [400, "0x80060888"]),
        ("a batch", [2, ["Batch 1", "Batch 2"]]),
        ("a batch is done whole or not at all", [True, 0]),
        ("associate and disassociate", [True, None]),
        ("metadata", ["accounts", True, [2]]),
        ("functions", [["BusinessUnitId", "OrganizationId", "UserId"], 4]),
        ("what is not there", [[404, "0x80040217"], [404, "0x80060888"]]),
        ("delete", 0),
    ],
)
def test_it_works_on_a_served_environment(told: Told, scenario: str, expected: Any) -> None:
    assert told[scenario] == expected
