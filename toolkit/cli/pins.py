"""``pin``, ``unpin`` and ``pins``: snapshots that stay until somebody says otherwise."""

from __future__ import annotations

from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.linked import chosen_links, one_link
from toolkit.cli.output import plural, table
from toolkit.cli.session import Session
from toolkit.engine.pins import Pin
from toolkit.engine.pins import pin as make
from toolkit.engine.pins import pins as read
from toolkit.engine.pins import unpin as remove
from toolkit.plan.render import size_text


@click.command(cls=Command)
@click.argument("name")
@options.config
@options.environment
@click.pass_obj
def pin(session: Session, *, name: str, config: str | None, environment: str | None) -> None:
    """Keep what model.json names now, under a name, until it is unpinned.

    The pin has a manifest of its own that readers can follow. An engine that runs goes on undisturbed.
    """
    linked = one_link(session.site(environment), config)
    made = make(linked.lake, name, clock=session.clock, holder=session.holder())
    held = f"{plural(made.files, 'file')}, {size_text(made.bytes)}, {plural(made.entities, 'entity', 'entities')}"
    session.say(f"pinned {name}: {held}; read {made.manifest}", _data(linked.link.config.name, made))


@click.command(cls=Command)
@click.argument("name")
@options.config
@options.environment
@click.pass_obj
def unpin(session: Session, *, name: str, config: str | None, environment: str | None) -> None:
    """Give up a pin: its manifest and its files are removed."""
    linked = one_link(session.site(environment), config)
    remove(linked.lake, name, holder=session.holder())
    session.say(f"unpinned {name}", {"config": linked.link.config.name, "name": name})


@click.command(cls=Command)
@options.config
@options.environment
@click.pass_obj
def pins(session: Session, *, config: str | None, environment: str | None) -> None:
    """List the pins."""
    site = session.site(environment)
    rows = [_data(linked.link.config.name, each) for linked in chosen_links(site, config) for each in read(linked.lake)]
    columns = ("config", "name", "at", "by", "entities", "files", "bytes")
    session.show(table(rows, columns, empty=f"nothing is pinned in {site.name}; see: toolkit pin --help"))


def _data(config: str, pin: Pin) -> dict[str, Any]:
    return {
        "config": config,
        "name": pin.name,
        "at": pin.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "by": pin.by,
        "entities": pin.entities,
        "files": pin.files,
        "bytes": pin.bytes,
        "manifest": pin.manifest,
    }
