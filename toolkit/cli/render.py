"""``render``: what a bundle says in an environment, and who says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import click

from toolkit import bundle as bundles
from toolkit.bundle.rendering import Rendered, Value, rendered
from toolkit.cli import options
from toolkit.cli.frame import FORMATS, Command
from toolkit.cli.output import Result
from toolkit.cli.references import loaded, without_errors
from toolkit.cli.session import Session
from toolkit.documents import yaml_text
from toolkit.errors import NotFound

WIDTH = 80
_VALUE = 28
"""The longest value that the column of values makes room for."""
_ENDPOINT = "storage.endpoints.file_system"
_QUIET = ("records_per_block", "destination", "odi_enabled", "customizable", "state", "status", "storage.endpoints")
"""What people are shown only where somebody wrote it: nothing here honours it, or it follows from what is shown."""


@click.command(cls=Command, formats=(*FORMATS, "yaml"))
@click.argument("bundle")
@options.overlays
@options.environment
@click.pass_obj
def render(session: Session, *, bundle: str, overlays: tuple[Path, ...], environment: str | None) -> None:
    """Show the effective values of a bundle in an environment, each with its origin.

    Nothing is asked of the environment: its name chooses the overlay. Variables are resolved as `plan` and `import` do.
    """
    found = loaded(bundle)
    session.warn(without_errors(found))
    name = bundles.known_environment(_environment(session, environment), found.bundle, _environments(session))
    over = bundles.layers(found, name, overlays, session.variables)
    configs = rendered(found, over)
    solution = found.bundle.solution
    data = {
        "solution": solution.unique_name,
        "version": str(solution.version),
        "environment": name,
        "configs": [_data(config) for config in configs],
    }
    session.show(Result(data, _text(configs), {"yaml": lambda: yaml_text(data)}))


def _environment(session: Session, given: str | None) -> str:
    return given if given is not None else session.project.entry(None)[0]


def _environments(session: Session) -> Iterable[str]:
    """Return the environments of the project; none where there is no project, which this command does not need."""
    try:
        return session.project.file.environments
    except NotFound:
        return ()


def _data(config: Rendered) -> dict[str, Any]:
    entities = [{"name": name, "values": _values(values)} for name, values in config.entities]
    return {"id": config.config.id, "name": config.config.name, "values": _values(config.values), "entities": entities}


def _values(values: Sequence[Value]) -> list[dict[str, Any]]:
    return [
        {
            "key": each.key,
            "value": each.value,
            "origin": each.origin.value,
            "path": each.where.path if each.where else None,
            "line": each.where.line if each.where else None,
            "variables": list(each.variables),
        }
        for each in values
    ]


def _text(configs: Sequence[Rendered]) -> str:
    every = [each for config in configs for each in _all(config)]
    files = _short({each.where.path for each in every if each.where})
    lines = [line for config in configs for line in _config(config, files)]
    origins = [f"  {short}: {path}" for path, short in files.items() if short != path]
    return "\n".join([*lines, *(["", "files:", *origins] if origins else [])])


def _all(config: Rendered) -> Iterator[Value]:
    yield from config.values
    for _, values in config.entities:
        yield from values


def _short(paths: set[str]) -> dict[str, str]:
    """Return the name of each file alone; its whole path where another one has that name."""
    names = {path: PurePosixPath(path).name for path in sorted(paths)}
    count = Counter(names.values())
    return {path: name if count[name] == 1 else path for path, name in names.items()}


def _config(config: Rendered, files: dict[str, str]) -> Iterator[str]:
    own = [each for each in config.values if _is_shown(each)]
    entities = [(name, [each for each in values if _is_shown(each)]) for name, values in config.entities]
    yield config.config.name
    yield from _lines(own, files, "  ", _widths(own))
    widths = _widths([each for _, values in entities for each in values])
    for name, values in entities:
        yield f"  {name}"
        yield from _lines(values, files, "    ", widths)


def _is_shown(value: Value) -> bool:
    if value.key == _ENDPOINT:
        return True
    if value.where is None and value.key.startswith(_QUIET):
        return False
    return value.where is not None or value.value not in (None, "", [], {})


def _widths(values: Sequence[Value]) -> tuple[int, int]:
    keys = max((len(_key(each)) for each in values), default=0)
    lengths = (len(_shown(each.value)) for each in values)
    return keys, max((length for length in lengths if length <= _VALUE), default=0)


def _key(value: Value) -> str:
    return "storage.endpoint" if value.key == _ENDPOINT else value.key


def _lines(values: Sequence[Value], files: dict[str, str], indent: str, widths: tuple[int, int]) -> Iterator[str]:
    keys, wide = widths
    for each in values:
        head, said, origin = f"{indent}{_key(each).ljust(keys)}  ", _shown(each.value), _origin(each, files)
        lines = (f"{head}{said.ljust(wide)}  {origin}", f"{head}{said}  {origin}")
        fitting = next((line for line in lines if len(line) <= WIDTH), None)
        yield fitting or f"{head}{said}\n{' ' * len(head)}  {origin}"


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "-"
    if isinstance(value, dict):
        return " ".join(_shown(each) for each in value.values() if each is not None) or "-"
    return "-" if value in (None, "") else str(value)


def _origin(value: Value, files: dict[str, str]) -> str:
    if value.where is None:
        return value.origin.value
    line = f":{value.where.line}" if value.where.line else ""
    names = "".join(f" ${{{name}}}" for name in value.variables)
    return f"{files[value.where.path]}{line}{names}"
