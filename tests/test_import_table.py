"""Who may import whom. Configuration flows down one arm, rows down the other; both read the model."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "toolkit"

# Every area may import itself and these, which hold no domain knowledge.
EVERYWHERE = {"budget", "errors", "documents", "files", "resources", "threads", "__init__"}

TABLE: dict[str, set[str]] = {
    "errors": set(),
    "budget": set(),
    "documents": set(),
    "files": set(),
    "resources": set(),
    "threads": set(),
    "model": set(),
    "bundle": {"model"},
    "organization": {"model", "bundle"},
    "sign_in": {"model"},
    "dataverse": {"model", "sign_in"},
    "environment": {"model", "bundle", "organization", "dataverse"},
    "source": {"model", "organization", "dataverse"},
    "lake": {"model", "sign_in"},
    "site": {"model", "environment", "source", "lake"},
    "plan": {"model"},
    "engine": {"model", "site", "source", "lake"},
    "apply": {"model", "plan", "bundle", "environment", "engine", "source", "lake", "site"},
    "verify": {"model", "plan", "bundle", "environment", "source", "engine", "lake", "site"},
    "release": {"model", "bundle", "plan"},
    "project": {"model", "sign_in", "organization", "dataverse", "environment", "source", "lake", "site"},
    "doctor": {"model", "dataverse", "plan", "engine", "source", "lake", "site", "project"},
    "watch": {"model", "engine"},
    "report": {"model", "plan", "verify", "engine", "site"},
}
# Of these areas only the protocol may be imported by the engine: backends are handed to it.
PROTOCOLS_ONLY = {"engine": {"source": "protocol", "lake": "protocol"}}


def areas() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield parts[0], path


def imported(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield line and dotted name of each import of toolkit's own modules, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            head, *rest = name.split(".")
            if head == "toolkit" and rest:
                yield node.lineno, tuple(rest)


@pytest.mark.parametrize("area", sorted(TABLE))
def test_an_area_imports_only_what_the_table_allows(area: str) -> None:
    allowed = TABLE[area] | EVERYWHERE | {area, "__version__"}
    found = [
        f"{path.relative_to(ROOT)}:{line} imports toolkit.{'.'.join(name)}"
        for owner, path in areas()
        if owner == area
        for line, name in imported(path)
        if name[0] not in allowed
    ]
    assert found == []


def test_every_area_is_in_the_table() -> None:
    # The command line and the server may import all, so they have no row.
    assert {area for area, _ in areas()} - set(TABLE) == {"__init__", "__main__", "cli", "server"}


@pytest.mark.parametrize(("area", "rules"), PROTOCOLS_ONLY.items())
def test_the_engine_knows_protocols_and_no_backends(area: str, rules: dict[str, str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports toolkit.{'.'.join(name)}"
        for owner, path in areas()
        if owner == area
        for line, name in imported(path)
        if name[0] in rules and (len(name) < 2 or name[1] != rules[name[0]])
    ]
    assert found == []


def test_plan_and_engine_never_meet() -> None:
    assert "engine" not in TABLE["plan"]
    assert "plan" not in TABLE["engine"]
