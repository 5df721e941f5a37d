"""What README and docs say is true: commands and codes are documented, examples run, links lead somewhere."""

import ast
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from toolkit.cli import root
from toolkit.cli.frame import Command
from toolkit.cli.session import Session

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
COMMANDS = (DOCS / "commands.md").read_text()

CODE = re.compile(r"\b(?:[A-Z]{2,3}\d{3}|0x800[0-9a-f]{5})\b")
AREAS = {
    "APL": ("apply/", "plan/saved.py"),
    "BND": ("bundle/", "model/overlay.py"),
    "CLI": ("cli/",),
    "DOC": ("documents/",),
    "DR": ("doctor/", "lake/probing.py"),
    "DV": ("dataverse/", "sign_in/"),
    "ENG": ("engine/",),
    "ENV": ("environment/", "plan/adoption.py", "plan/hosted.py", "plan/prerequisites.py"),
    "LAK": ("lake/",),
    "ORG": ("organization/",),
    "PLN": ("plan/",),
    "PRJ": ("project/",),
    "REL": ("release/",),
    "SRC": ("source/",),
    "SRV": ("server/",),
    "STA": ("site.py",),
    "VFY": ("verify/",),
}
"""Where the codes of each area are raised."""


# --- commands -------------------------------------------------------------------------------------------------------


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from commands(child, (*path, name))


def section(command: str) -> str:
    found = re.search(rf"^### `toolkit {command}[ `].*?(?=^### |^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def unnamed(parameters: list[click.Parameter], text: str) -> list[str]:
    """Return the options, in all of their spellings, that a text does not name in code."""
    names = [name for each in parameters for name in (*each.opts, *each.secondary_opts) if name.startswith("-")]
    code = re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]*)`", text)))
    return [name for name in names if name not in code]


def test_every_command_has_a_heading_in_the_command_page() -> None:
    headings = re.findall(r"^### `toolkit ([a-z ]*[a-z])", COMMANDS, re.MULTILINE)
    assert sorted(headings) == sorted(name for name, _ in commands(root))


def test_every_option_of_a_command_is_named_under_its_heading() -> None:
    missing = {}
    for name, command in commands(root):
        assert isinstance(command, Command)
        own = [parameter for parameter in command.params if parameter not in command.shared]
        if options := unnamed(own, section(name)):
            missing[name] = options
    assert missing == {}


def test_shared_options_are_named_once_before_the_commands() -> None:
    _, command = next(commands(root))
    assert isinstance(command, Command)
    assert unnamed(list(command.shared), COMMANDS.partition("### ")[0]) == []


def test_formats_beyond_text_and_json_are_named_under_their_command() -> None:
    missing = []
    for name, command in commands(root):
        kinds = [parameter.type for parameter in command.params if parameter.name == "format"]
        others = [form for kind in kinds if isinstance(kind, click.Choice) for form in kind.choices][2:]
        missing += [f"{name} {form}" for form in others if f"`{form}`" not in section(name)]
    assert missing == []


# --- codes ----------------------------------------------------------------------------------------------------------


def raised() -> dict[str, set[str]]:
    """Return the modules in which each code stands as a string of its own, by code."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "toolkit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.setdefault(node.value, set()).add(path.relative_to(ROOT / "toolkit").as_posix())
    return found


def test_every_code_has_one_row_in_the_page_of_codes() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (DOCS / "codes.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(raised())


def test_every_code_of_ours_belongs_to_the_area_of_its_module() -> None:
    strays = [
        f"{code} in {module}"
        for code, modules in raised().items()
        for module in modules
        if not code.startswith("0x") and not module.startswith(AREAS[code[:-3]])
    ]
    assert strays == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_that_a_page_names_is_raised(page: Path) -> None:
    assert set(CODE.findall(page.read_text())) - set(raised()) == set()


# --- examples -------------------------------------------------------------------------------------------------------


class Example(NamedTuple):
    """A command line with its exit status and lines that it prints, or (``words`` empty) a piece of Python."""

    words: list[str]
    status: int = 0
    shown: tuple[str, ...] = ()
    python: str = ""


def examples(page: Path) -> list[Example]:
    """Return the examples of a page's console and python blocks, in their order."""
    blocks = re.findall(r"^```(console|python)\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [example for kind, text in blocks for example in _examples(kind, text)]


def _examples(kind: str, text: str) -> Iterator[Example]:
    if kind == "python":
        yield Example([], python=text)
        return
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *shown = part.splitlines()
        words, _, remark = line.partition("  # exit ")
        program, *arguments = shlex.split(words, comments=True)
        assert program == "toolkit", line
        yield Example(arguments, int(remark or 0), tuple(shown))


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_every_example_of_a_page_runs_in_order_and_prints_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("solutions", "schemas", "docs/examples"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    new_id, names = ids(), dict[str, object]()
    for example in examples(page):
        if example.python:
            exec(example.python, names)  # noqa: S102 - the page's own example
            continue
        session = Session(who=lambda: "ada@lab", new_id=new_id, on_terminal=lambda: False)
        result = CliRunner().invoke(root, example.words, obj=session)
        told = f"toolkit {shlex.join(example.words)}\n{result.output}"
        assert result.exit_code == example.status, told
        assert [line for line in example.shown if line not in result.output.splitlines()] == [], told


# --- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
