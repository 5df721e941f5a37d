"""A plan as one HTML page that needs nothing else: for people who review it away from a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from toolkit.errors import Finding
from toolkit.plan.changes import AnyChange, Origin, describe
from toolkit.plan.plan import Plan
from toolkit.plan.render import ORIGINS, WORDS, consequence_text, title
from toolkit.plan.safety import dangers

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --add: #1a7f37; --gone: #cf222e; --drift: #8250df; }
@media (prefers-color-scheme: dark) { :root { --add: #3fb950; --gone: #f85149; --drift: #a371f7; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
.add { color: var(--add); } .gone { color: var(--gone); } .drift { color: var(--drift); }
code { font-family: ui-monospace, monospace; }
"""
_HEADINGS = ("", "change", "target", "before", "after", "consequence for the data")


def plan_html(plan: Plan) -> str:
    """Return a plan as a page, every text escaped; light or dark as the reader's system is."""
    head = escape(title(plan))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{head}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{head}</h1>",
            *_digests(plan),
            *(_table(plan.changes) if plan.changes else ()),
            *_dangers(plan),
            *_findings(plan.findings),
            "</body></html>",
        ]
    )


def _digests(plan: Plan) -> Iterator[str]:
    named = {"plan": plan.digest, "environment": plan.fingerprint}
    if plan.brought is not None:
        named["bundle"] = plan.brought.bundle
    yield "".join(f"<p>{name} <code>{escape(digest)}</code></p>" for name, digest in named.items())


def _table(changes: Iterable[AnyChange]) -> Iterator[str]:
    yield f"<table><thead><tr>{''.join(f'<th>{heading}</th>' for heading in _HEADINGS)}</tr></thead><tbody>"
    for number, change in enumerate(changes, 1):
        yield _row(number, change)
    yield "</tbody></table>"


def _row(number: int, change: AnyChange) -> str:
    target, before, after = describe(change)
    shade = "add" if before is None else "gone" if after is None else ""
    consequence = escape(consequence_text(change.consequence))
    if change.origin is not Origin.NEWS:
        consequence += f'<br><span class="drift">{escape(ORIGINS[change.origin])}</span>'
    cells = (str(number), f'<span class="{shade}">{escape(WORDS[change.kind])}</span>', escape(target))
    values = (escape(before or ""), escape(after or ""), consequence)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in (*cells, *values))}</tr>"


def _dangers(plan: Plan) -> Iterator[str]:
    if found := dangers(plan.changes):
        named = " ".join(f"<code>--allow {escape(str(danger))}</code>" for danger in found)
        yield f"<p>To be named at the import: {named}</p>"


def _findings(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        fix = f"<br>{escape(finding.fix)}" if finding.fix else ""
        yield f"<p>{finding.severity} <code>{escape(finding.code)}</code> {escape(finding.what)}{fix}</p>"
