"""What a command prints: data alone on stdout, findings and errors on stderr. One printer for text, one for JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import click

from toolkit.errors import Finding, Severity

SHOWN_OF_A_KIND = 4
"""Findings of one kind that are told to people beside the first; programs get all."""

_COLOUR = r"\x1b\[[0-9;]*m"
_UNSHOWN = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]"
"""Characters that command a terminal, or that XML cannot hold; line ends and tabs are none of them."""

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found or did: ``data`` for programs, ``text`` for people, other formats by name."""

    data: Any
    text: str
    others: Mapping[str, Callable[[], str]] | None = None


class Printer(Protocol):
    """How results and findings are printed."""

    def show(self, result: Result) -> None:
        """Print a result on stdout."""
        ...

    def complain(self, findings: Sequence[Finding]) -> None:
        """Print findings on stderr."""
        ...


class Text:
    """For people, and for the formats that are text of another kind: Markdown, JUnit, GitHub's annotations."""

    def __init__(self, name: str = "text") -> None:
        self._name = name

    def show(self, result: Result) -> None:
        """Print the text, or the rendering of that name."""
        text = (result.others or {}).get(self._name, lambda: result.text)()
        if text:
            click.echo(printable(text.removesuffix("\n")))

    def complain(self, findings: Sequence[Finding]) -> None:
        """Print each finding in the four lines that say what, where, why and how to mend it."""
        for finding in findings:
            click.echo(printable(as_text(finding)), err=True)


class Json:
    """For programs: one JSON document."""

    def show(self, result: Result) -> None:
        """Print the data, indented; the order of keys is part of it."""
        click.echo(as_json(result.data))

    def complain(self, findings: Sequence[Finding]) -> None:
        """Print the findings as one document."""
        click.echo(as_json({"findings": [finding_data(finding) for finding in findings]}), err=True)


def printer(name: str) -> Printer:
    """Return the printer of a format."""
    return Json() if name == "json" else Text(name)


def as_json(data: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a JSON document as people can read it too."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def printable(text: str) -> str:
    """Return a text for a terminal: names of a foreign file may not command it; colours stay."""
    return re.sub(f"({_COLOUR})|{_UNSHOWN}", lambda found: found[1] or "\ufffd", text)


def plain(text: str) -> str:
    """Return a text without any character that XML cannot hold."""
    return re.sub(_UNSHOWN, "\ufffd", text)


def colour() -> bool:
    """Whether text may be coloured; click takes the colour away again where the output is no terminal."""
    return not os.environ.get("NO_COLOR")


def styled(text: str, **style: Any) -> str:  # noqa: ANN401 - click's styles
    """Return coloured text where colour is wanted."""
    return click.style(text, **style) if colour() else text


def as_text(finding: Finding) -> str:
    """Return a finding in up to four lines."""
    label = styled(f"{finding.severity}[{finding.code}]", fg=_COLOURS[finding.severity], bold=True)
    details = (("at", str(finding.where)), ("why", finding.why), ("fix", finding.fix))
    return "\n".join([f"{label} {finding.what}", *(f"  {name}: {value}" for name, value in details if value)])


def finding_data(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON."""
    where = {"path": finding.where.path, "line": finding.where.line, "key": finding.where.key}
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "what": finding.what,
        "where": where,
        "why": finding.why,
        "fix": finding.fix,
    }


def findings_text(findings: Sequence[Finding]) -> str:
    """Return findings one after the other, then how many of each severity there are."""
    return "\n".join([*grouped(findings), counted(findings)])


def grouped(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield findings as text; those that say the same of several places are told once, with all the places."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity, finding.why, finding.fix), []).append(finding)
    for first, *others in groups.values():
        head, *details = as_text(first).splitlines()
        also = [f"  and: {other.what}" for other in others[:SHOWN_OF_A_KIND]]
        more = len(others) - SHOWN_OF_A_KIND
        yield "\n".join([head, *also, *([f"  and {more} more like these"] if more > 0 else []), *details])


def counted(findings: Iterable[Finding]) -> str:
    """Return ``2 errors, 1 warning``, or ``no findings``."""
    severities = [finding.severity for finding in findings]
    counts = {severity: severities.count(severity) for severity in Severity}
    return ", ".join(plural(count, severity.value) for severity, count in counts.items() if count) or "no findings"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return ``1 row``, ``2 rows``, ``1,200 rows``; ``many`` where the plural is not noun + s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> Result:
    """Return rows as an aligned table with headings, or the sentence ``empty`` when there are none."""
    if not rows:
        return Result(list(rows), empty)
    cells = [
        [column.replace("_", " ") for column in columns],
        *([_cell(row[column]) for column in columns] for row in rows),
    ]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    numeric = [_is_numeric([row[column] for row in rows]) for column in columns]
    return Result(list(rows), "\n".join(_line(line, widths, numeric) for line in cells))


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    placed = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(placed).rstrip()


def _is_numeric(values: Sequence[Any]) -> bool:
    """Whether there are numbers among the values, and nothing else."""
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, int) and not isinstance(value, bool) for value in given)


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "-"
    return str(value)


def record(fields: Mapping[str, Any]) -> Result:
    """Return named values, one a line, a list of rows as a table of its own below."""
    lines = _named({key: value for key, value in fields.items() if not _is_table(value)})
    for key, value in fields.items():
        if _is_table(value):
            text = table(value, list(value[0]), empty="").text
            lines += ["", f"{key.replace('_', ' ')}:", *(f"  {line}" for line in text.splitlines())]
    return Result(dict(fields), "\n".join(lines))


def blocks(rows: Sequence[Mapping[str, Any]], title: str, shown: Sequence[str], *, empty: str) -> Result:
    """Return rows whose values are too long for a table: under its ``title`` each has its values, one a line."""
    texts = ["\n  ".join([str(row[title]), *_named({key: row[key] for key in shown})]) for row in rows]
    return Result(list(rows), "\n".join(texts) or empty)


def _named(fields: Mapping[str, Any]) -> list[str]:
    width = max((len(key) for key in fields), default=0)
    return [f"{key.replace('_', ' ').ljust(width)}  {_cell(value)}" for key, value in fields.items()]


def _is_table(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
