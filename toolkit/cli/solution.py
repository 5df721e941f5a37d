"""``solution``: containers of components, made and filled by hand."""

from __future__ import annotations

from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.checked import checked
from toolkit.cli.frame import Group
from toolkit.cli.linked import config_id
from toolkit.cli.output import record, table
from toolkit.cli.session import Session
from toolkit.environment.protocol import AddConfig, CreateSolution, Publish
from toolkit.errors import NotFound, nearest
from toolkit.model.environment import InstalledSolution, Inventory
from toolkit.model.solution import Package, Solution

MAKE = "make one: toolkit solution create NAME --publisher PUBLISHER"


@click.group(cls=Group)
def solution() -> None:
    """Solutions: create, add, publish, list, show."""


@solution.command()
@click.argument("name")
@click.option("--publisher", required=True, metavar="NAME", help="A publisher that exists.")
@click.option("--version", default="1.0.0.0", show_default=True, help="One to four numbers.")
@click.option("--display-name", metavar="TEXT", help="Else the name.")
@click.option("--description", metavar="TEXT", help="What the solution is for.")
@options.language
@options.environment
@click.pass_obj
def create(
    session: Session,
    *,
    name: str,
    publisher: str,
    version: str,
    display_name: str | None,
    description: str | None,
    language: int,
    environment: str | None,
) -> None:
    """Create an unmanaged solution without components."""
    site = session.site(environment)
    publishers = site.environment.inventory().publishers
    if publisher not in publishers:
        fix = nearest(publisher, publishers) or f"create it: toolkit publisher create {publisher} --prefix PREFIX"
        raise NotFound("CLI025", f"there is no publisher {publisher!r}", where=site.name, fix=fix)
    made = checked(
        Solution,
        {
            "unique_name": name,
            "display_names": {language: display_name or name},
            "descriptions": {language: description} if description else {},
            "version": version,
            "publisher": publishers[publisher].model_dump(mode="json"),
        },
        {"unique_name": "NAME", "version": "--version"},
    )
    site.environment.write(CreateSolution(made))
    data = {"solution": name, "version": version, "publisher": publisher}
    session.say(f"created the solution {name} {version} of {publisher}", data)


@solution.command()
@click.argument("name")
@click.option("--config", required=True, metavar="CONFIG", help="An export config, by name or id.")
@options.environment
@click.pass_obj
def add(session: Session, *, name: str, config: str, environment: str | None) -> None:
    """Add an existing export config to an unmanaged solution; the Core solution must be installed."""
    site = session.site(environment)
    found = config_id(site, config)
    site.environment.write(AddConfig(name, found))
    session.say(f"added {config} to {name}", {"solution": name, "config": found})


@solution.command()
@options.environment
@click.pass_obj
def publish(session: Session, environment: str | None) -> None:
    """Publish all customizations, as before an export."""
    site = session.site(environment)
    site.environment.write(Publish())
    session.say(f"published all customizations of {site.name}", {"environment": site.name})


@solution.command("list")
@options.environment
@click.pass_obj
def list_(session: Session, environment: str | None) -> None:
    """List the solutions of an environment."""
    site = session.site(environment)
    rows = [_row(each) for _, each in sorted(site.environment.inventory().solutions.items())]
    columns = ("solution", "version", "package", "publisher", "configs")
    session.show(table(rows, columns, empty=f"no solutions in {site.name}"))


@solution.command()
@click.argument("name")
@options.environment
@click.pass_obj
def show(session: Session, *, name: str, environment: str | None) -> None:
    """Show a solution, its publisher and its export configs."""
    site = session.site(environment)
    inventory = site.environment.inventory()
    if (installed := inventory.solutions.get(name)) is None:
        what = f"there is no solution {name!r}"
        raise NotFound("CLI028", what, where=site.name, fix=nearest(name, inventory.solutions) or MAKE)
    fields = {**_row(installed), "requires": list(installed.requires), "configs": _configs(installed, inventory)}
    session.show(record(fields))


def _row(installed: InstalledSolution) -> dict[str, Any]:
    return {
        "solution": installed.unique_name,
        "display_name": installed.display_name,
        "version": str(installed.version),
        "package": "managed" if installed.package is Package.MANAGED else "unmanaged",
        "publisher": installed.publisher,
        "configs": len(installed.configs),
    }


def _configs(installed: InstalledSolution, inventory: Inventory) -> list[dict[str, Any]]:
    rows = [inventory.configs[key] for key in installed.configs if key in inventory.configs]
    return [
        {
            "config": row.config.name,
            "id": row.config.id,
            "account": row.config.storage.account,
            "entities": len(row.config.entities),
        }
        for row in rows
    ]
