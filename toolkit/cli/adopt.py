"""``adopt``: a bundle from what an environment exports already."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit import bundle as bundles
from toolkit.bundle import write_bundle
from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import plural
from toolkit.cli.session import Session
from toolkit.plan.adoption import adopt as adopted


@click.command(cls=Command)
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Else solutions/NAME.")
@click.option("--name", default="AdoptedLake", show_default=True, metavar="NAME", help="Unique name of the solution.")
@click.option("--publisher", metavar="NAME", help="Unique name of its publisher; else the environment's default one.")
@click.option("--account", metavar="NAME", help="The storage account of a hosted link that does not tell it.")
@options.environment
@click.pass_obj
def adopt(
    session: Session,
    *,
    output: Path | None,
    name: str,
    publisher: str | None,
    account: str | None,
    environment: str | None,
) -> None:
    """Make a bundle of what an environment exports already.

    Of its Synapse Link profiles (Microsoft's own exporter), and of export config rows that are not linked. Nothing is
    changed in the environment; what cannot be read of a profile is told.
    """
    site = session.site(environment)
    ours = [linked.link.config.id for linked in site.links() if linked.link.active]
    found = adopted(
        site.environment.inventory(), site.name, solution=name, publisher=publisher, linked=ours, account=account
    )
    folder = output or Path("solutions") / name
    bundles.unpack(write_bundle(found.bundle, None), folder)
    session.warn(found.findings)
    configs = plural(len(found.bundle.configs), "export config")
    session.say(
        f"adopted {configs} of {site.name} into {folder}: review it, then toolkit plan {folder} --env {site.name}",
        {"path": str(folder), "digest": found.bundle.digest, "configs": [each.name for each in found.bundle.configs]},
    )
