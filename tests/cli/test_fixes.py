"""What errors tell people to type is a command that exists, with options that it has and all that it needs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from toolkit.cli import root

PACKAGE = Path(__file__).parents[2] / "toolkit"
LINE = re.compile(r"(?:^|: |`|\(|, |with )toolkit ([a-z]+(?: [a-z]+)?)((?: (?:--?[a-z-]+|[\w=]+))*)")


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string that is not a docstring; what is put into it stands as NAME."""
    if isinstance(tree, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "NAME" for part in tree.values)
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, str) and "\n" not in tree.value:
        yield tree.value
    else:
        for node in ast.iter_child_nodes(tree):
            yield from texts(node)


def told() -> list[tuple[str, str, str]]:
    """The command lines in the strings of each module: its path, the words of the command, the rest.

    A plan names commands to come, too.
    """
    found = set[tuple[str, str, str]]()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for text in texts(ast.parse(path.read_text())) if not name.startswith("plan/") else ():
            found |= {(name, match[1], match[2]) for match in LINE.finditer(text)}
    return sorted(found)


def command(words: str) -> click.Command | None:
    first, _, second = words.partition(" ")
    found = root.get_command(click.Context(root), first)
    if isinstance(found, click.Group):
        return found.get_command(click.Context(found), second)
    return found


@pytest.mark.parametrize(("module", "words", "rest"), told())
def test_a_command_that_is_told_exists_and_has_what_it_needs(module: str, words: str, rest: str) -> None:
    found = command(words)
    assert found is not None, f"{module}: toolkit {words}"
    given = set(re.findall(r"--?[a-z-]+", rest))
    options = [each for each in found.params if isinstance(each, click.Option)]
    known = {name for each in options for name in (*each.opts, *each.secondary_opts)}
    assert given - known - {"--help"} == set(), f"{module}: toolkit {words}{rest}"
    if "--help" not in given:
        missing = [each.opts[0] for each in options if each.required and not given.intersection(each.opts)]
        assert missing == [], f"{module}: toolkit {words}{rest}"


def test_command_lines_are_found() -> None:
    assert ("environment/refusals.py", "import core", "") in told()
    assert ("cli/linked.py", "lake link", " --account NAME") in told()
