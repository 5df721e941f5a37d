"""``lake``: link an environment to a storage account, as the maker portal's page does."""

from __future__ import annotations

import click

from toolkit.apply import read_world
from toolkit.apply.adoption import abandoned
from toolkit.cli import doing, options
from toolkit.cli.checked import checked
from toolkit.cli.frame import Group
from toolkit.cli.linked import linked_entities, one_link
from toolkit.cli.output import blocks, plural
from toolkit.cli.rows import tell_broken
from toolkit.cli.session import Session
from toolkit.model.config import ExportConfig, Layout
from toolkit.plan import Profile, plan_link, plan_unlink
from toolkit.plan.render import size_text
from toolkit.plan.safety import Danger
from toolkit.plan.world import LakeName
from toolkit.site import Linked

LINK_OPTIONS = {
    "id": "--id",
    "storage.account": "--account",
    "storage.file_system": "--file-system",
    "interval_minutes": "--interval",
}
"""The options of a link whose values have a form, by key of the export config."""


@click.group(cls=Group)
def lake() -> None:
    """Link an environment to a lake: link, unlink, show, adopt."""


@lake.command()
@click.option("--account", required=True, metavar="NAME", help="The storage account to export to.")
@click.option("--entity", "entities", multiple=True, metavar="NAME[=HOW]", help="HOW: Year, Month, append-only.")
@click.option("--name", metavar="NAME", help="The export config's name; else the account's, as the portal does it.")
@click.option("--id", "config_id", metavar="GUID", help="The export config's id; else a new one.")
@click.option("--file-system", metavar="NAME", help="Else commondataservice-<environment>-org-<id>.")
@click.option("--subscription", default="", metavar="ID", help="The account's Azure subscription.")
@click.option("--resource-group", default="", metavar="NAME", help="The account's resource group.")
@click.option("--workspace", metavar="NAME", help="A Synapse workspace.")
@click.option("--interval", default=60, show_default=True, metavar="MINUTES", help="Time between snapshots.")
@click.option(
    "--layout",
    type=click.Choice([layout.value for layout in Layout]),
    default=Layout.LIVE.value,
    help="Partitions with snapshots, or folders.",
)
@options.profile
@options.data
@options.environment
@click.pass_obj
def link(
    session: Session,
    *,
    account: str,
    entities: tuple[str, ...],
    name: str | None,
    config_id: str | None,
    file_system: str | None,
    subscription: str,
    resource_group: str,
    workspace: str | None,
    interval: int,
    layout: str,
    profile: Profile,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """Link an environment to a storage account, and begin to export.

    An entity is given as NAME, NAME=Year, NAME=Month or NAME=append-only.
    """
    site = session.site(environment)
    config = checked(
        ExportConfig,
        {
            "id": config_id or session.new_id(),
            "name": name or account,
            "storage": {
                "account": account,
                "file_system": file_system,
                "subscription": subscription,
                "resource_group": resource_group,
                "workspace": workspace,
            },
            "entities": [entity.model_dump(mode="json") for entity in linked_entities(entities)],
            "interval_minutes": interval,
            "output": {"layout": layout},
        },
        LINK_OPTIONS,
    )
    plan = plan_link(config, read_world(site, [config]), profile=profile)
    return doing.finish(session, doing.do(session, site, plan, doing.How(sync=not no_sync, wait=wait)))


@lake.command()
@click.argument("config")
@options.delete_data
@options.allow
@options.yes
@options.data
@options.environment
@click.pass_obj
def unlink(
    session: Session,
    *,
    config: str,
    delete_data: bool,
    allowed: tuple[Danger | int, ...],
    yes: bool,
    no_sync: bool,
    wait: float | None,
    environment: str | None,
) -> int:
    """End a link: CONFIG is the export config's name or id.

    The lake's model.json is emptied first; the data is then kept aside, unless --delete-data is given and each entity
    is named.
    """
    site = session.site(environment)
    plan = plan_unlink(one_link(site, config).link.config.id, read_world(site), delete_data=delete_data)
    how = doing.How(not yes, not no_sync, wait, options.allowed_by(allowed))
    return doing.finish(session, doing.do(session, site, plan, how))


@lake.command()
@click.option("--account", required=True, metavar="NAME", help="The storage account.")
@click.option("--file-system", required=True, metavar="NAME", help="The file system that another exporter has left.")
@options.yes
@options.environment
@click.pass_obj
def adopt(session: Session, *, account: str, file_system: str, yes: bool, environment: str | None) -> None:
    """Take over a file system that another exporter has left.

    What it wrote is moved below _kept/adopted/, where nothing reads it any more; then the file system can be linked.
    Refused as long as a hosted link may write there.
    """
    site = session.site(environment)
    with abandoned(site, LakeName(account, file_system), session.holder()) as found:
        moved = f"{plural(len(found.files), 'file')} ({size_text(found.size)}) of {account}/{file_system}"
        if not yes:
            session.confirm(f"Move {moved} aside? Readers of its model.json no longer find them.", "--yes")
        folder = found.set_aside(session.clock())
    session.say(
        f"moved {moved} to {folder}; next: toolkit lake link --account {account} --file-system {file_system}",
        {"files": len(found.files), "size": found.size, "folder": folder},
    )


@lake.command()
@options.environment
@click.pass_obj
def show(session: Session, environment: str | None) -> int:
    """Show the lakes that an environment exports to."""
    site = session.site(environment)
    rows = [_row(linked) for linked in site.links() if linked.link.active]
    shown = ("id", "account", "file_system", "location", "entities", "interval_minutes", "layout", "solution")
    empty = f"{site.name} is not linked to a lake; see: toolkit lake link --help"
    failed = tell_broken(session, site, None)
    if failed:
        empty = f"no link of {site.name} can be read"
    session.show(blocks(rows, "config", shown, empty=empty))
    return failed


def _row(linked: Linked) -> dict[str, object]:
    config = linked.link.config
    return {
        "config": config.name,
        "id": config.id,
        "account": linked.link.account,
        "file_system": linked.link.file_system,
        "entities": len(config.entities),
        "interval_minutes": config.interval_minutes,
        "layout": config.output.layout.value,
        "solution": linked.link.solution,
        "generation": linked.link.generation,
        "location": linked.lake.location(""),
    }
