"""The commands of the workflow, as they stand in it, from a change in dev to a verified prod and back."""

import json
import os
import re
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from git import Repo
from ruamel.yaml import YAML

from tests.release.build import commit, repository
from toolkit.cli import root as command

ROOT = Path(__file__).parents[1]
FILES = {path.name: path.read_text() for path in (ROOT / ".github/workflows/promote.yml", ROOT / "action.yml")}
WORKFLOW = YAML(typ="safe", pure=True).load(FILES["promote.yml"])

PREPARED = (
    "init",
    "env create dev --account contosolake",
    "env create prod --account contosoprod",
    "import core --env dev --yes",
    "import core --env prod --yes",
    "env seed prod --rows account=20 --rows contact=10 --rows lead=5",
    "import solutions/Lake --env dev --yes --no-sync",
)


def toolkit(folder: Path, line: str) -> str:
    """Run a command line of a person, in this process."""
    with chdir(folder):
        done = CliRunner().invoke(command, line.split())
    assert done.exit_code == 0, done.output
    return done.stdout


@dataclass
class GitHub:
    """Runs the ``run`` steps of a job for an event, as GitHub's runner does with ``shell: bash``."""

    folder: Path
    inputs: dict[str, str]

    def value(self, text: str) -> str:
        def known(found: re.Match[str]) -> str:
            scope, _, name = found[1].partition(".")
            return {"inputs": self.inputs, "secrets": {"signing_key": ""}}.get(scope, {}).get(name, "7")

        return re.sub(r"\$\{\{ ([\w.]+) \}\}", known, text)

    def run(self, job: str, event: str) -> list[int]:
        steps = [step for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]
        return [self.step(step) for step in steps if f"'{event}'" in step.get("if", f"'{event}'")]

    def step(self, step: dict[str, Any]) -> int:
        assert "${{" not in step["run"], "values come by variables alone"
        given = {name: self.value(text) for name, text in {**WORKFLOW["env"], **step.get("env", {})}.items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        print(step["run"], done.stdout, done.stderr)  # noqa: T201 - shown when the test fails
        return done.returncode


def script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """A repository with a bundle, around two environments; dev has the bundle, prod has rows."""
    folder = repository(tmp_path / "work")
    ignored = ["environments/", "!solutions/**", "lakes/", "schemas/", "promotion/"]
    (folder / ".gitignore").write_text("\n".join(ignored))
    for line in PREPARED:
        toolkit(folder, line)
    commit(folder, "project")
    programs = tmp_path / "programs"
    script(programs / "toolkit", f'#!/bin/sh\nexec "{sys.executable}" -m toolkit "$@"\n')
    # It stands in for GitHub's own program, and keeps the comment.
    script(programs / "gh", f'#!/bin/sh\necho "$1 $2 $3" > "{tmp_path}/gh"\ncat "$5" >> "{tmp_path}/gh"\n')
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    given = {"bundle": "solutions/Lake", "solution": "ContosoLake", "environment": "prod"}
    return GitHub(folder, {**given, "allow": "", "wait": "5m", "rollback_to": ""})


def linked(folder: Path) -> set[str]:
    return {row["entity"] for row in json.loads(toolkit(folder, "status --env prod --format json"))}


def test_from_a_change_in_dev_to_a_verified_prod_and_back(github: GitHub, tmp_path: Path) -> None:
    folder = github.folder
    assert (github.run("plan", "push"), github.run("apply", "push")) == ([0, 0, 0, 0], [0, 0])
    assert linked(folder) == {"account", "contact"}
    toolkit(folder, "entity add lead --env dev --no-sync")
    toolkit(folder, "solution publish --env dev")
    toolkit(folder, "promote ContosoLake --from dev --to prod --folder solutions/Lake --branch next")
    with Repo(folder) as repo:
        repo.git.checkout("--quiet", "next")
        assert github.run("plan", "pull_request") == [0, 0, 0, 0]
        repo.git.checkout("--quiet", "main")
        repo.git.merge("--quiet", "--ff-only", "next")
    assert (tmp_path / "gh").read_text().startswith("pr comment 7\n**prod: ContosoLake 1.0.1.0: ")
    assert (github.run("plan", "push"), github.run("apply", "push")) == ([0, 0, 0, 0], [0, 0])
    assert linked(folder) == {"account", "contact", "lead"}
    assert "**toolkit verify: passed**" in (tmp_path / "summary.md").read_text()
    assert github.run("drift", "schedule") == [0]
    github.inputs["rollback_to"] = "1.0.0.0"
    assert github.run("rollback", "workflow_dispatch") == [0]
    assert linked(folder) == {"account", "contact"}


def test_actions_are_pinned_by_digest_and_jobs_have_their_own_permissions() -> None:
    used = re.findall(r"uses: (\S+)", "\n".join(FILES.values()))
    assert {name for name in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}|\./\.toolkit", name)} == set()
    assert WORKFLOW["permissions"] == {}
    assert {name for name, job in WORKFLOW["jobs"].items() if "contents" not in job["permissions"]} == set()
    writes = {name for name, job in WORKFLOW["jobs"].items() if job["permissions"].get("pull-requests") == "write"}
    assert writes == {"plan"}
