"""``compare``: how several environments export the same entities, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import FORMATS, Command
from toolkit.cli.output import Result, plural
from toolkit.cli.session import Session
from toolkit.engine import EntityStatus
from toolkit.errors import Finding, Severity
from toolkit.report import Compared, Comparison
from toolkit.report import compare as compared

WIDTH = 80
_GAP = "  "


@click.command(cls=Command, formats=(*FORMATS, "markdown"))
@click.option("--envs", metavar="NAME,NAME", help="The environments in their order; else all of toolkit.yaml.")
@options.exit_code
@click.pass_obj
def compare(session: Session, *, envs: str | None, exit_code: bool) -> int:
    """Show which entities environments export, and how, side by side.

    Strategy, mode, state and rows of each. Where presence, strategy, mode or state differ, the line is marked with *.
    """
    known = session.project.file.environments
    names = list(dict.fromkeys(name.strip() for name in envs.split(","))) if envs is not None else list(known)
    for name in names:
        session.project.entry(name)
    found = compared(names, session.site)
    if not found.environments and found.unreached:
        raise next(iter(found.unreached.values()))
    session.warn([*_unreached(found), *found.broken])
    session.show(Result(_data(found), "\n".join(text(found)), {"markdown": lambda: _markdown(found)}))
    return 3 if exit_code and any(each.differs for each in found.entities) else 0


def _unreached(found: Comparison) -> Iterator[Finding]:
    for name, error in found.unreached.items():
        for finding in error.findings:
            yield replace(finding, severity=Severity.WARNING, what=f"{name} is left out: {finding.what}")


def _data(found: Comparison) -> dict[str, Any]:
    return {
        "environments": list(found.environments),
        "unreached": {name: {"code": error.code, "what": error.what} for name, error in found.unreached.items()},
        "entities": [
            {
                "config": each.config,
                "entity": each.entity,
                "differs": each.differs,
                "environments": {name: _status(status) for name, status in each.environments.items()},
            }
            for each in found.entities
        ],
    }


def _status(status: EntityStatus | None) -> dict[str, Any] | None:
    if status is None:
        return None
    return {
        "strategy": status.strategy.value,
        "append_only": status.append_only,
        "state": status.state.value,
        "rows": status.rows,
    }


def _how(status: EntityStatus | None) -> str:
    return "-" if status is None else f"{status.strategy.value} {'append-only' if status.append_only else 'in place'}"


def _far(status: EntityStatus | None) -> str:
    return "" if status is None else f"{status.state.value} {status.rows:,}"


def text(found: Comparison) -> Iterator[str]:
    """Yield a table of two lines an entity (how it is exported, how far it is), in as many parts as 80 columns need."""
    if not found.entities:
        yield "nothing is linked"
        return
    first = max(len(each.entity) for each in found.entities) + len("* ")
    for names in _parts(found, first):
        yield _line("  entity", first, [(name, _width(found, name)) for name in names])
        config = ""
        for each in found.entities:
            if each.config != config:
                config = each.config
                yield config
            yield from _entity(each, first, [(name, _width(found, name)) for name in names])
        yield ""
    differing = sum(each.differs for each in found.entities)
    yield f"{plural(len(found.entities), 'entity', 'entities')}, {differing:,} marked with * because they differ"


def _entity(each: Compared, first: int, columns: Sequence[tuple[str, int]]) -> Iterator[str]:
    statuses = [(each.environments[name], width) for name, width in columns]
    yield _line(f"{'*' if each.differs else ' '} {each.entity}", first, [(_how(one), width) for one, width in statuses])
    yield _line("", first, [(_far(one), width) for one, width in statuses])


def _line(head: str, first: int, cells: Sequence[tuple[str, int]]) -> str:
    return _GAP.join([head.ljust(first), *(said.ljust(width) for said, width in cells)]).rstrip()


def _width(found: Comparison, name: str) -> int:
    statuses = [each.environments[name] for each in found.entities]
    return max(len(name), *(len(said) for one in statuses for said in (_how(one), _far(one))))


def _parts(found: Comparison, first: int) -> Iterator[list[str]]:
    """Yield as many environments at a time as fit beside the entity."""
    part: list[str] = []
    used = first
    for name in found.environments:
        width = len(_GAP) + _width(found, name)
        if part and used + width > WIDTH:
            yield part
            part, used = [], first
        part.append(name)
        used += width
    yield part


def _markdown(found: Comparison) -> str:
    head = ["", "config", "entity", *found.environments]
    rows = [
        ["\\*" if each.differs else "", each.config, each.entity, *map(_cell, each.environments.values())]
        for each in found.entities
    ]
    lines = [head, ["---"] * len(head), *rows]
    unreached = [f"\n{name} is left out: {error.what}" for name, error in found.unreached.items()]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), *unreached])


def _cell(status: EntityStatus | None) -> str:
    return "-" if status is None else f"{_how(status)}, {_far(status)}"
