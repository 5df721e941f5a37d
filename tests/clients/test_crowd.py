"""Two processes of the toolkit and Microsoft's client, all at once on one served environment."""

import json
import signal
import subprocess
from pathlib import Path

from tests.cli.starters import start
from tests.clients.conftest import HERE
from tests.test_story_http import LAKE, findings, made, project, serving

__all__ = ["made"]  # a fixture


def test_two_processes_and_the_client_of_microsoft_at_once_lose_nothing(
    made: Path, tmp_path: Path, python: str
) -> None:
    with serving(made, tmp_path) as addresses:
        two = project(tmp_path, addresses)
        two(f"import {LAKE} --env prod --no-sync --yes")
        links = ("contososalesprod", "contososerviceprod")
        running = [start(tmp_path, *f"run --env prod --every 0.1 --config {name}".split())[0] for name in links]
        command = [python, "-W", "ignore", str(HERE / "microsoft.py"), "async", addresses["prod"], "crowd"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        for process in running:
            process.send(signal.SIGTERM)
        assert {process.end().status for process in running} <= {0, 7}
        assert json.loads(done.stdout) == {"work_in_a_crowd": 80}
        two("sync --env prod")
        compared = {row["entity"]: row for row in two.data("reconcile --env prod")}
        assert {row["equal"] for row in compared.values()} == {True}
        assert compared["account"]["lake_rows"] == 60 + 60
        assert findings(two.data(f"verify {LAKE} --env prod")) == []
