"""``reconcile`` and ``estimate``: the rows of an environment beside those of its lakes, after and before a sync."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, table
from toolkit.cli.promotion import desired
from toolkit.cli.rows import chosen_active, entities_option, live_alone, tell_broken
from toolkit.cli.session import Session
from toolkit.engine.checkpoint import Checkpoint
from toolkit.engine.estimate import estimate as estimate_entity
from toolkit.engine.status import exported_of
from toolkit.engine.work import gone
from toolkit.errors import Finding, ToolkitError
from toolkit.model.config import ExportConfig
from toolkit.model.entity import Entity
from toolkit.plan import Profile
from toolkit.plan.render import size_text
from toolkit.site import Site
from toolkit.verify.facts import LinkFacts, read_facts
from toolkit.verify.lake import file_findings
from toolkit.verify.reconciliation import Reconciled, reconciled

_KINDS = ("missing", "extra", "stale", "different")
_COLUMNS = ("entity", "source", "lake", *_KINDS, "pending", "result")


@click.command(cls=Command)
@click.option("--checksum", is_flag=True, help="Compare the content of every row too, and give checksums.")
@entities_option
@options.config
@options.environment
@click.pass_obj
def reconcile(
    session: Session, *, checksum: bool, entities: tuple[str, ...], config: str | None, environment: str | None
) -> int:
    """Compare the rows of the lakes with those of the environment.

    The environment is read whole, the lakes by their indexes: what is in the live files is looked at with --checksum,
    or by verify --deep. What the environment changed since the last pass is pending, and no difference. The exit status
    is 5 when rows are missing, extra, stale (of another version) or different.
    """
    site = session.site(environment)
    facts = read_facts(site, session.clock, None, None, Profile.ENGINE)
    rows: list[dict[str, Any]] = []
    errors: list[Finding] = []
    links = chosen_active(site, config, entities)
    if checksum and config is None:
        links = live_alone(session, links, "there are no checksums of incremental folders")
    for linked, names in links:
        rows += _reconciled(LinkFacts(facts, linked), names, errors, checksum=checksum)
    session.show(Result(rows, _reconciled_text(rows)))
    session.complain(errors)
    failed = tell_broken(session, site, config) or bool(errors)
    return 5 if any(row["equal"] is False for row in rows) else int(failed)


def _reconciled(
    link: LinkFacts, names: Sequence[str] | None, errors: list[Finding], *, checksum: bool
) -> Iterator[dict[str, Any]]:
    definitions = link.facts.site.source.entities()
    for each in sorted(link.config.entities, key=lambda entity: entity.name):
        if names is not None and each.name not in names:
            continue
        head = {"config": link.config.name, "entity": each.name}
        try:
            checkpoint = link.checkpoint(each.name)
            if checkpoint is None or checkpoint.completed is None:
                yield {**head, "equal": None}
            elif damaged := list(file_findings(checkpoint, link)):
                # The indexes would say what is no longer there.
                errors.extend(damaged)
            elif each.name in definitions:
                yield {**head, **_data(_compared(link, definitions[each.name], checkpoint, checksum=checksum))}
        except ToolkitError as error:
            errors.extend(error.findings)


def _compared(link: LinkFacts, definition: Entity, checkpoint: Checkpoint, *, checksum: bool) -> Reconciled:
    site, lake, exported = link.facts.site, link.linked.lake, exported_of(link.linked, definition.name)
    return reconciled(lake, site.source, definition, checkpoint, site.mask_key, checksum=checksum, exported=exported)


def _data(found: Reconciled) -> dict[str, Any]:
    return {**asdict(found), "equal": found.equal}


def _reconciled_text(rows: Sequence[dict[str, Any]]) -> str:
    parts = []
    for config in dict.fromkeys(row["config"] for row in rows):
        shown = [_shown(row) for row in rows if row["config"] == config]
        parts += [config, table(shown, _COLUMNS, empty="").text]
    parts += [line for row in rows for line in _examples(row)]
    return "\n".join(parts)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    if row["equal"] is None:
        return {**dict.fromkeys(_COLUMNS), "entity": row["entity"], "result": "not synced yet"}
    counts = {kind: row[kind]["count"] for kind in _KINDS}
    source = {"source": row["source_rows"], "lake": row["lake_rows"], "pending": row["pending"]}
    return {"entity": row["entity"], **source, **counts, "result": "equal" if row["equal"] else "DIFFERS"}


def _examples(row: dict[str, Any]) -> Iterator[str]:
    if row["equal"] is None:
        return
    for kind in _KINDS:
        if row[kind]["examples"]:
            yield f"{row['entity']} {kind}: {', '.join(row[kind]['examples'])}"
    if row["source_checksum"] is not None:
        yield f"{row['entity']} checksum: source {row['source_checksum']}, lake {row['lake_checksum']}"


@click.command(cls=Command)
@click.argument("bundle", required=False)
@options.overlays
@entities_option
@options.config
@options.environment
@click.pass_obj
def estimate(
    session: Session,
    *,
    bundle: str | None,
    overlays: tuple[Path, ...],
    entities: tuple[str, ...],
    config: str | None,
    environment: str | None,
) -> int:
    """Say what an initial sync would take: rows, bytes and requests.

    Of the configs of BUNDLE, or without one of the environment's links. The rows are counted, the bytes are those of a
    sample, and nothing is written.
    """
    site = session.site(environment)
    if bundle is None:
        wanted = [(linked.link.config, names) for linked, names in chosen_active(site, config, entities)]
    else:
        wanted = [(each, entities or None) for each in desired(session, bundle, site, overlays).configs]
    rows: list[dict[str, Any]] = []
    errors: list[Finding] = []
    for each, names in wanted:
        rows += _estimated(session, site, each, names, errors)
    session.show(Result(rows, _estimated_text(rows)))
    session.complain(errors)
    return 1 if errors else 0


def _estimated(
    session: Session, site: Site, config: ExportConfig, names: Sequence[str] | None, errors: list[Finding]
) -> Iterator[dict[str, Any]]:
    definitions = site.source.entities()
    for each in sorted(config.entities, key=lambda entity: entity.name):
        if names is not None and each.name not in names:
            continue
        try:
            if each.name not in definitions:
                raise gone(each.name)
            found = estimate_entity(site.source, each, config.output, definitions[each.name], session.clock())
            yield {"config": config.name, **asdict(found)}
        except ToolkitError as error:
            errors.extend(error.findings)


def _estimated_text(rows: Sequence[dict[str, Any]]) -> str:
    columns = ("entity", "rows", "size", "partitions", "source requests", "lake requests")
    parts = []
    for config in dict.fromkeys(row["config"] for row in rows):
        these = [row for row in rows if row["config"] == config]
        every = {key: sum(row[key] for row in these) for key in these[0] if key not in {"config", "entity"}}
        shown = [_sized(row) for row in (*these, {"entity": "all", **every})]
        parts += [config, table(shown, columns, empty="").text]
    return "\n".join(parts)


def _sized(row: dict[str, Any]) -> dict[str, Any]:
    requests = {"source requests": row["source_requests"], "lake requests": row["lake_requests"]}
    return {**row, "size": size_text(row["bytes"]), **requests}
