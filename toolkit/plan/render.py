"""Plans and differences as text (80 columns, colour only when asked) and Markdown; differences as JSON too."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import assert_never

from toolkit.errors import Finding
from toolkit.plan.changes import AnyChange, Consequence, Effect, Origin, counted, describe
from toolkit.plan.diff import Difference, Kind
from toolkit.plan.plan import Plan
from toolkit.plan.safety import dangers

NO_DIFFERENCES = "no differences"
NOTHING_TO_DO = "nothing to do"
WIDTH = 80
MINUTE, HOUR = 60, 3600

WORDS = {
    "solution.register": "import solution",
    "solution.record": "record solution",
    "solution.remove": "uninstall solution",
    "entity.track": "track entity",
    "config.write": "write config",
    "config.delete": "delete config",
    "link.create": "create link",
    "link.remove": "remove link",
    "link.owner": "change owner",
    "entity.add": "add entity",
    "entity.remove": "remove entity",
    "setting.change": "change setting",
    "entity.strategy": "change strategy",
    "entity.mode": "change mode",
    "lake.move": "move lake",
}
ORIGINS = {
    Origin.NEWS: "news",
    Origin.DRIFT: "drift: changed in the environment; this brings back what was applied",
    Origin.BOTH: "drift: changed in the environment; the bundle brings another value than was applied",
}
"""Origins of changes, in words."""
_GREEN, _RED, _YELLOW, _MAGENTA = "32", "31", "33", "35"


def plan_text(plan: Plan, *, colour: bool = False) -> str:
    """Return a plan as lines of at most 80 columns, each change with its consequence for the data."""
    lines = [title(plan)]
    for number, change in enumerate(plan.changes, 1):
        lines += _change_lines(number, change, colour=colour)
    for finding in plan.findings:
        lines += _finding_lines(finding, colour=colour)
    return "\n".join(lines)


def title(plan: Plan) -> str:
    """Return a plan in one line: ``prod: ContosoLake 1.1.0.0: 3 changes, 1 of them drift``."""
    what = "" if plan.brought is None else f"{plan.brought.solution} {plan.brought.version}: "
    drift = sum(change.origin is not Origin.NEWS for change in plan.changes)
    also = f", {drift} of them drift" if drift else ""
    many = NOTHING_TO_DO if plan.empty else counted(len(plan.changes), "change")
    return f"{plan.environment}: {what}{many}{also}"


def _change_lines(number: int, change: AnyChange, *, colour: bool) -> Iterator[str]:
    target, before, after = describe(change)
    # Names of lakes are long: before and after stand on lines of their own where they do not fit on one.
    steps = f"{before} -> {after}" if before and after else before or after or ""
    head = f"{number:3}. {WORDS[change.kind]:<18} "
    first = f"{head}{target}"
    if len(first) + len(steps) + 2 <= WIDTH:
        yield _paint(f"{first}: {steps}" if steps else first, _shade(before, after), on=colour)
    else:
        yield _paint(first, _shade(before, after), on=colour)
        yield from _wrapped(steps, 6)
    if change.consequence.effect is not Effect.NOTHING:
        yield from _wrapped(consequence_text(change.consequence), 6)
    if change.origin is not Origin.NEWS:
        yield from (_paint(line, _MAGENTA, on=colour) for line in _wrapped(ORIGINS[change.origin], 6))


def _shade(before: str | None, after: str | None) -> str:
    return _GREEN if before is None else _RED if after is None else _YELLOW


def _paint(text: str, shade: str, *, on: bool) -> str:
    return f"\x1b[{shade}m{text}\x1b[0m" if on else text


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=space, subsequent_indent=space, break_on_hyphens=False, break_long_words=False
    )


def _finding_lines(finding: Finding, *, colour: bool) -> Iterator[str]:
    head = f"{finding.severity}: {finding.what} [{finding.code}]"
    for line in textwrap.wrap(head, WIDTH, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False):
        yield _paint(line, _YELLOW, on=colour)
    if finding.fix:
        yield from _wrapped(f"fix: {finding.fix}", 4)


def consequence_text(consequence: Consequence) -> str:  # noqa: C901, PLR0911 - one return per effect
    """Return a consequence in words, with its size as far as it is known."""
    many = _size(consequence)
    match consequence.effect:
        case Effect.NOTHING:
            return "nothing"
        case Effect.INITIAL_SYNC:
            return f"initial sync{many and f' of {many}'}"
        case Effect.NEW_LAKE:
            return f"initial sync{many and f' of {many}'} into the new lake, then the switch; the old data is kept"
        case Effect.COMPARISON:
            return f"full read{many and f' of {many}'}, compared with the history"
        case Effect.REPARTITION:
            return f"re-partitioning{many and f' of {many}'}; readers keep the old snapshot meanwhile"
        case Effect.REINITIALISE:
            return f"re-initialisation without a gap for readers{many and f': {many}'}"
        case Effect.DATA_STAYS:
            return "its data stays in the folders that are there"
        case Effect.DATA_KEPT:
            return f"data kept aside{many and f' (the environment has {many})'}"
        case Effect.DATA_DELETED:
            return f"data deleted{many and f' (the environment has {many})'}"
        case Effect.HISTORY_DELETED:
            return f"history deleted{many and f'; initial sync of {many}'}"
        case _:
            assert_never(consequence.effect)


def _size(consequence: Consequence) -> str:
    if consequence.rows is None:
        return ""
    parts = [
        counted(consequence.rows, "row"),
        *([] if consequence.size is None else [f"about {size_text(consequence.size)}"]),
        *([] if consequence.requests is None else [counted(consequence.requests, "request")]),
        *([] if consequence.seconds is None else [time_text(consequence.seconds)]),
    ]
    return ", ".join(parts)


def time_text(seconds: float) -> str:
    """Return a time in words: ``under 1 s``, ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:,.1f} h"


def size_text(size: int) -> str:
    """Return a number of bytes with a decimal unit: ``0 B``, ``1.2 MB``."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def _json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def plan_markdown(plan: Plan) -> str:
    """Return a plan as a Markdown table, for a comment on a pull request."""
    rows: list[tuple[str | None, ...]] = []
    for change in plan.changes:
        target, before, after = describe(change)
        origin = change.origin.value if change.origin is not Origin.NEWS else ""
        rows.append((WORDS[change.kind], target, before, after, consequence_text(change.consequence), origin))
    header: tuple[str, ...] = ("change", "target", "before", "after", "consequence for the data", "drift")
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    notes = [f"- {finding.severity} {finding.code}: {markdown_cell(finding.what)}" for finding in plan.findings]
    named = " ".join(f"`--allow {danger}`" for danger in dangers(plan.changes))
    parts = [
        f"**{markdown_cell(title(plan))}**",
        *([markdown_table(header, rows)] if rows else []),
        *([f"To be named at the import: {named}"] if named else []),
        *(["\n".join(notes)] * bool(notes)),
    ]
    return "\n\n".join(parts)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Return a table in Markdown; an absent value is an empty cell."""

    def line(cells: Iterable[str | None]) -> str:
        return f"| {' | '.join(markdown_cell(cell or '') for cell in cells)} |"

    return "\n".join((line(header), line("---" for _ in header), *(line(row) for row in rows)))


def markdown_cell(text: str) -> str:
    """Return a text as Markdown shows it, on one line."""
    for char in "\\|`*<>[]":
        text = text.replace(char, f"\\{char}")
    return text.replace("\r", " ").replace("\n", " ")


def differences_text(found: Sequence[Difference], *, colour: bool = False) -> str:
    """Return differences as lines: ``+`` added, ``-`` removed, ``~`` changed; or the words "no differences"."""
    if not found:
        return NO_DIFFERENCES
    return "\n".join(_paint(_difference_line(one), _KINDS[one.kind][1], on=colour) for one in found)


_KINDS = {Kind.ADDED: ("+", _GREEN), Kind.REMOVED: ("-", _RED), Kind.CHANGED: ("~", _YELLOW)}


def _difference_line(one: Difference) -> str:
    what = " ".join(part for part in (one.area, one.target, one.field) if part)
    sign = _KINDS[one.kind][0]
    if one.kind is Kind.CHANGED:
        return f"{sign} {what}: {_or_dash(one.before)} -> {_or_dash(one.after)}"
    beside = one.before if one.kind is Kind.REMOVED else one.after
    return f"{sign} {what} ({beside})" if beside else f"{sign} {what}"


def _or_dash(text: str | None) -> str:
    return "-" if text is None else text


def differences_json(found: Sequence[Difference]) -> str:
    """Return differences as a JSON array; an empty one when there are none."""
    return _json([asdict(one) for one in found])


def differences_markdown(found: Sequence[Difference]) -> str:
    """Return differences as a Markdown table, or the words "no differences"."""
    if not found:
        return NO_DIFFERENCES
    header = ("", "area", "target", "value", "before", "after")
    rows = ((one.kind.value, one.area, one.target, one.field, one.before, one.after) for one in found)
    return markdown_table(header, rows)
