"""``erase``: a row leaves every file of a lake, and a search proves it."""

from __future__ import annotations

import re
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.linked import one_link
from toolkit.cli.output import Result, plural
from toolkit.cli.session import Session
from toolkit.engine.erase import Erased
from toolkit.engine.erase import erase as erase_row
from toolkit.engine.search import Found, Searched, entity_at, search
from toolkit.errors import Finding, NotFound, Place, Refused, Severity, nearest
from toolkit.model.names import GUID
from toolkit.plan.render import size_text
from toolkit.site import Linked


@click.command(cls=Command)
@click.argument("entity")
@click.argument("row_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="List the files that hold the row, and change nothing.")
@options.config
@options.environment
@click.pass_obj
def erase(
    session: Session, *, entity: str, row_id: str, dry_run: bool, config: str | None, environment: str | None
) -> None:
    """Remove a row, in all its versions, from every file of a lake.

    That is live files, history, snapshots, pins, kept data, the delete log and indexes; then every file is searched for
    the id. A row that the source still has comes back with its next change: delete it there first.
    """
    site = session.site(environment)
    row_id, name = _guid(row_id), entity.lower()
    linked = one_link(site, config)
    _require_known(linked, name)
    if dry_run:
        found = search(linked.lake, name, row_id)
        session.show(Result(_data(name, row_id, found, found), _dry_text(name, row_id, found)))
        return
    erased = erase_row(linked, site.source, name, row_id, clock=session.clock, holder=session.holder())
    session.say(_text(erased), {**_data(name, row_id, erased.before, erased.after), "in_source": erased.in_source})
    session.warn(_warnings(erased, linked))


def _guid(text: str) -> str:
    row_id = text.strip("{}").lower()
    if re.fullmatch(GUID, row_id) is None:
        why = "a row is known by its id: 36 characters, digits and a to f in five groups"
        raise Refused("CLI071", f"{text!r} is no GUID", why=why, fix="toolkit erase ENTITY ID")
    return row_id


def _require_known(linked: Linked, name: str) -> None:
    """Refuse an entity of which the lake holds nothing: a mistyped name must not pass for an erased row."""
    known = {each.name for each in linked.link.config.entities}
    known |= {found for stat in linked.lake.list("") if (found := entity_at(stat.path)) is not None}
    if name not in known:
        fix = nearest(name, known) or "see: toolkit entity list"
        raise NotFound(
            "CLI072", f"the lake holds nothing of an entity {name!r}", where=linked.lake.location(""), fix=fix
        )


def _data(entity: str, row_id: str, before: Searched, after: Searched) -> dict[str, Any]:
    return {
        "entity": entity,
        "id": row_id,
        "files": [{"path": found.path, "records": len(found.records)} for found in before.own if _counts(found)],
        "searched": {
            "files": after.files,
            "bytes": after.bytes,
            "occurrences": after.occurrences,
            "references": after.references,
        },
        "referring": [found.path for found in (*after.own, *after.elsewhere)],
    }


def _counts(found: Found) -> bool:
    """Whether the row is in a file, or its id in one that holds no rows."""
    return bool(found.records) or not found.path.endswith(".csv")


def _text(erased: Erased) -> str:
    files = [found for found in erased.before.own if _counts(found)]
    head = f"{erased.entity} {erased.row_id} is nowhere in the lake: nothing was changed"
    if files:
        head = f"erased {erased.entity} {erased.row_id} from {plural(len(files), 'file')}"
    return f"{head}\n{_proof(erased.after)}"


def _dry_text(entity: str, row_id: str, found: Searched) -> str:
    files = [f"  {each.path} ({plural(len(each.records), 'record')})" for each in found.own if _counts(each)]
    head = f"{entity} {row_id} is in {plural(len(files), 'file')}:" if files else f"{entity} {row_id} is nowhere"
    return "\n".join([head, *files, _proof(found)])


def _proof(searched: Searched) -> str:
    looked = f"searched {plural(searched.files, 'file')}, {size_text(searched.bytes)}"
    found = f"{plural(searched.occurrences, 'occurrence')}"
    other = f", {plural(searched.references, 'reference')} in other rows" if searched.references else ""
    return f"{looked}: {found}{other}"


def _warnings(erased: Erased, linked: Linked) -> list[Finding]:
    where = Place(linked.lake.location(""))
    name = f"{erased.entity} {erased.row_id}"
    found = []
    if erased.in_source:
        why = "the lake holds what the source has: the row comes back with its next change, or when all rows are read"
        fix = "delete it in the source; then erase again if it came back"
        found.append(Finding("CLI073", Severity.WARNING, f"the source still has {name}", where, why, fix))
    if erased.in_source is None:
        why = "the source could not tell whether it still has the row, which would come back with its next change"
        fix = "see that it is deleted in the source"
        found.append(Finding("CLI074", Severity.WARNING, f"{name} may come back", where, why, fix))
    if erased.after.references:
        files = (*erased.after.own, *erased.after.elsewhere)
        what = f"other rows still have the id of {name}, in {plural(len(files), 'file')}"
        why = "they refer to it, or have the same id; an erasure takes the row alone"
        fix = "clear the reference in the source, and sync; or erase those rows as well"
        found.append(Finding("CLI075", Severity.WARNING, what, where, why, fix))
    return found
