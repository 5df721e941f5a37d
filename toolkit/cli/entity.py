"""``entity``: manage the entities of a link, as the maker portal's page does."""

from __future__ import annotations

import click

from toolkit.apply import read_world
from toolkit.cli import doing, options
from toolkit.cli.frame import Group
from toolkit.cli.linked import linked_entities, one_link
from toolkit.cli.output import table
from toolkit.cli.session import Session
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.entity import Entity
from toolkit.plan import plan_entities, plan_track
from toolkit.plan.safety import Allowed, Danger, Harm
from toolkit.site import Linked, Site


@click.group(cls=Group)
def entity() -> None:
    """Manage linked entities: add, remove, list, track."""


@entity.command()
@click.argument("entities", nargs=-1, required=True, metavar="NAME[=HOW]...")
@options.config
@options.allow
@options.data
@options.environment
@click.pass_obj
def add(
    session: Session,
    *,
    entities: tuple[str, ...],
    config: str | None,
    allowed: tuple[Danger | int, ...],
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Add entities to a link, each as NAME, NAME=Year, NAME=Month or NAME=append-only.

    They are synced at once; the entities that were there go on undisturbed. One that is linked already is exported as
    it is given from now on.
    """
    site = session.site(environment)
    link = one_link(site, config).link
    wanted = linked_entities(entities)
    about = link.config.model_copy(update={"entities": wanted})
    plan = plan_entities(link.config.id, read_world(site, [about]), add=wanted)
    how = doing.How(sync=not no_sync, wait=wait, allowed=options.allowed_by(allowed))
    return doing.finish(session, doing.do(session, site, plan, how))


@entity.command()
@click.argument("entities", nargs=-1, required=True, metavar="NAME...")
@options.config
@options.delete_data
@options.yes
@options.data
@options.environment
@click.pass_obj
def remove(
    session: Session,
    *,
    entities: tuple[str, ...],
    config: str | None,
    delete_data: bool,
    yes: bool,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Take entities off a link.

    They leave model.json first; their data is then kept aside, unless --delete-data is given.
    """
    site = session.site(environment)
    link = one_link(site, config).link
    names = tuple(dict.fromkeys(name.lower() for name in entities))
    plan = plan_entities(link.config.id, read_world(site, [link.config]), remove=names, delete_data=delete_data)
    how = doing.How(not yes, not no_sync, wait, Allowed.by(Harm.DELETE, names))
    return doing.finish(session, doing.do(session, site, plan, how))


@entity.command("list")
@click.option("--all", "everything", is_flag=True, help="List the entities that are not linked too.")
@options.environment
@click.pass_obj
def list_(session: Session, *, everything: bool, environment: str | None) -> None:
    """List the linked entities of an environment."""
    site = session.site(environment)
    links = [linked for linked in site.links() if linked.link.active]
    rows = [_linked_row(site, linked) for linked in links]
    flat = [row for group in rows for row in group]
    if everything:
        named = {row["entity"] for row in flat}
        inventory = site.environment.inventory()
        flat += [_row(each) for name, each in sorted(inventory.entities.items()) if name not in named]
    columns = ("entity", "change_tracking", "read", "config", "strategy", "mode")
    session.show(table(flat, columns, empty=f"no entity of {site.name} is linked; see: toolkit entity add --help"))


@entity.command()
@click.argument("name")
@options.environment
@click.pass_obj
def track(session: Session, *, name: str, environment: str | None) -> int:
    """Enable change tracking of an entity; the platform never disables it again."""
    site = session.site(environment)
    plan = plan_track(name.lower(), read_world(site))
    how = doing.How(sync=False, allowed=Allowed.by(Harm.TRACK, [name.lower()]))
    return doing.finish(session, doing.do(session, site, plan, how))


def _linked_row(site: Site, linked: Linked) -> list[dict[str, object]]:
    known = site.environment.inventory().entities
    return [
        {
            **_row(known.get(each.name), each.name),
            "config": linked.link.config.name,
            **_mode(each, known.get(each.name)),
        }
        for each in sorted(linked.link.config.entities, key=lambda each: each.name)
    ]


def _mode(linked: LinkedEntity, definition: Entity | None) -> dict[str, object]:
    if linked.append_only or (definition is not None and not definition.has_createdon):
        return {"strategy": PartitionStrategy.YEAR.value, "mode": "append-only"}
    return {"strategy": linked.strategy.value, "mode": "in place"}


def _row(definition: Entity | None, name: str = "") -> dict[str, object]:
    return {
        "entity": definition.name if definition else name,
        "change_tracking": definition.change_tracking if definition else None,
        "read": None if definition is None else _read(definition),
        "config": None,
        "strategy": None,
        "mode": None,
    }


def _read(definition: Entity) -> str | None:
    """Return how an entity is read; None where it has to be tracked first."""
    if definition.change_tracking:
        return "changes"
    return "scan" if definition.scanned else None
