import json
from pathlib import Path

import pytest
from git import Repo

from tests.cli.conftest import Run
from tests.release.build import commit, repository

PREPARED = (
    "init",
    "env create dev --account contosolake",
    "env create prod --account contosoprod",
    "import core --env dev --yes",
    "import core --env prod --yes",
    "import solutions/Lake --env dev --yes --no-sync",
    "entity add lead --env dev --no-sync",
    "solution publish --env dev",
)


PROMOTE = ("promote", "ContosoLake", "--from", "dev", "--to", "prod", "--folder", "solutions/Lake")


@pytest.fixture
def root(run: Run, tmp_path: Path) -> Path:
    """A repository around two environments; in dev somebody linked leads by hand."""
    repository(tmp_path)
    (tmp_path / ".gitignore").write_text("environments/\n!solutions/**\nlakes/\nschemas/\n")
    for line in PREPARED:
        done = run(*line.split())
        assert done.exit_code == 0, done.output
    commit(tmp_path, "project")
    return tmp_path


def branches(root: Path) -> list[str]:
    with Repo(root) as repo:
        return [head.name for head in repo.heads]


def test_promote_prints_the_pull_request_and_makes_a_branch(run: Run, root: Path) -> None:
    tried = json.loads(run(*PROMOTE, "--dry-run", "--format", "json").stdout)
    assert (tried["branch"], branches(root)) == (None, ["main"])
    done = run(*PROMOTE)
    assert done.exit_code == 0, done.output
    assert branches(root) == ["main", "promote/ContosoLake-1.0.1.0"]
    assert done.stdout.startswith("# Promote ContosoLake 1.0.1.0 from dev to prod\n\n## What changes\n\n")
    assert "| added | entity | contosolake/lead |" in done.stdout
    assert "## Plan for prod\n\n**prod: ContosoLake 1.0.1.0: " in done.stdout
    again = run(*PROMOTE)
    assert "error[REL050]" in again.stderr


def test_promote_of_what_is_committed_says_so(run: Run, root: Path) -> None:
    run(*PROMOTE, "--branch", "next")
    with Repo(root) as repo:
        repo.git.merge("--quiet", "--ff-only", "next")
    done = run(*PROMOTE)
    assert done.stdout == "ContosoLake in dev is as it is committed\n"
    found = run("affected", "--since", "HEAD~1", "--format", "github").stdout.splitlines()
    assert found[0] == "any=true"
    assert json.loads(found[1].removeprefix("matrix=")) == {
        "include": [
            {"bundle": "solutions/Lake", "environment": "dev"},
            {"bundle": "solutions/Lake", "environment": "prod"},
        ]
    }
    assert run("affected", "--since", "HEAD").stdout == "nothing is touched since HEAD\n"
