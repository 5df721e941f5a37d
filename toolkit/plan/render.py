"""Plans and differences as text (80 columns, colour only when asked), JSON and Markdown."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, assert_never

from toolkit.errors import Finding
from toolkit.plan.changes import AnyChange, Consequence, Effect, counted, describe
from toolkit.plan.diff import Difference, Kind
from toolkit.plan.plan import Plan

NO_DIFFERENCES = "no differences"
NOTHING_TO_DO = "nothing to do"
WIDTH = 80

_WORDS = {
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
_GREEN, _RED, _YELLOW = "32", "31", "33"


def plan_text(plan: Plan, *, colour: bool = False) -> str:
    """Return a plan as lines of at most 80 columns, each change with its consequence for the data."""
    lines = [_title(plan)]
    for number, change in enumerate(plan.changes, 1):
        lines += _change_lines(number, change, colour=colour)
    for finding in plan.findings:
        lines += _finding_lines(finding, colour=colour)
    return "\n".join(lines)


def _title(plan: Plan) -> str:
    what = "" if plan.brought is None else f"{plan.brought.solution} {plan.brought.version}: "
    return f"{plan.environment}: {what}{NOTHING_TO_DO if plan.empty else counted(len(plan.changes), 'change')}"


def _change_lines(number: int, change: AnyChange, *, colour: bool) -> Iterator[str]:
    target, before, after = describe(change)
    # Names of lakes are long: before and after stand on lines of their own where they do not fit on one.
    steps = f"{before} -> {after}" if before and after else before or after or ""
    head = f"{number:3}. {_WORDS[change.kind]:<18} "
    first = f"{head}{target}"
    if len(first) + len(steps) + 2 <= WIDTH:
        yield _paint(f"{first}: {steps}" if steps else first, _shade(before, after), on=colour)
    else:
        yield _paint(first, _shade(before, after), on=colour)
        yield from _wrapped(steps, 6)
    if change.consequence.effect is not Effect.NOTHING:
        yield from _wrapped(consequence_text(change.consequence), 6)


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


def consequence_text(consequence: Consequence) -> str:  # noqa: PLR0911 - one return per effect
    """Return a consequence in words, with its size as far as it is known."""
    many = _size(consequence)
    match consequence.effect:
        case Effect.NOTHING:
            return "nothing"
        case Effect.INITIAL_SYNC:
            return f"initial sync{many and f' of {many}'}"
        case Effect.COMPARISON:
            return f"full read{many and f' of {many}'}, compared with the history"
        case Effect.REPARTITION:
            return f"re-partitioning{many and f' of {many}'}; readers keep the old snapshot meanwhile"
        case Effect.REINITIALISE:
            return f"re-initialisation{many and f' of {many}'} without a gap for readers"
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
    rows = counted(consequence.rows, "row")
    return rows if consequence.size is None else f"{rows}, about {size_text(consequence.size)}"


def size_text(size: int) -> str:
    """Return a number of bytes with a decimal unit: ``0 B``, ``1.2 MB``."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def plan_json(plan: Plan) -> str:
    """Return a plan as JSON, each change with its kind, target, before, after and consequence in words.

    To save a plan use ``plan.model_dump_json()``, which ``Plan.model_validate_json`` reads again.
    """
    return _json(
        {
            "environment": plan.environment,
            "fingerprint": plan.fingerprint,
            "bundle": None if plan.brought is None else plan.brought.model_dump(mode="json"),
            "empty": plan.empty,
            "changes": [_change_json(change) for change in plan.changes],
            "findings": [asdict(finding) for finding in plan.findings],
        }
    )


def _change_json(change: AnyChange) -> dict[str, Any]:
    target, before, after = describe(change)
    return {
        "kind": change.kind,
        "target": target,
        "before": before,
        "after": after,
        "consequence": {**change.consequence.model_dump(mode="json"), "text": consequence_text(change.consequence)},
    }


def _json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def plan_markdown(plan: Plan) -> str:
    """Return a plan as a Markdown table, for a comment on a pull request."""
    rows = []
    for change in plan.changes:
        target, before, after = describe(change)
        rows.append((_WORDS[change.kind], target, before, after, consequence_text(change.consequence)))
    header = ("change", "target", "before", "after", "consequence for the data")
    notes = [f"- {finding.severity} {finding.code}: {_cell(finding.what)}" for finding in plan.findings]
    parts = [
        f"**{_cell(_title(plan))}**",
        *([_table(header, rows)] if rows else []),
        *(["\n".join(notes)] * bool(notes)),
    ]
    return "\n\n".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    def line(cells: Iterable[str | None]) -> str:
        return f"| {' | '.join(_cell(cell or '') for cell in cells)} |"

    return "\n".join((line(header), line("---" for _ in header), *(line(row) for row in rows)))


def _cell(text: str) -> str:
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
    return _table(header, rows)
