"""``toolkit adopt`` by the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_a_row_that_nobody_links_becomes_a_bundle_that_is_sound_and_changes_nothing(
    linked: Run, tmp_path: Path
) -> None:
    (tmp_path / "environments/dev/record.json").unlink()
    result = linked("adopt", "--name", "Found", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["configs"]) == (0, ["contosodev"])
    assert linked("validate", "solutions/Found", "--strict").exit_code == 0
    solution = (tmp_path / "solutions/Found/solution.yaml").read_text()
    assert "unique_name: Found\n" in solution
    assert "DefaultPublisher" in solution


def test_what_is_linked_is_not_adopted(linked: Run, tmp_path: Path) -> None:
    result = linked("adopt")
    assert (result.exit_code, "ENV035" in result.stderr) == (1, True)
    assert not (tmp_path / "solutions").exists()
