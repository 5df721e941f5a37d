"""``inventory``, and verification against one: the entities of an environment where nobody may sign in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from toolkit import bundle as bundles
from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, as_json, plural
from toolkit.cli.references import loaded, without_errors
from toolkit.cli.session import Session
from toolkit.files import write_whole
from toolkit.plan import Profile
from toolkit.plan.inventory import TakenInventory, moved, read_inventory, staleness
from toolkit.plan.prerequisites import entity_prerequisites
from toolkit.verify import Checked


@click.command(cls=Command)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Else it is printed.")
@options.environment
@click.pass_obj
def inventory(session: Session, *, output: Path | None, environment: str | None) -> None:
    """Write down the entities of an environment, for checks without a sign-in.

    Entities with their attributes and change tracking, in a stable order. Commit the file, renew it by a scheduled
    job, and give it to `verify --inventory`.
    """
    site = session.site(environment)
    found = site.environment.inventory()
    taken = TakenInventory(
        environment=site.name,
        taken=session.clock().replace(microsecond=0),
        organization=found.organization,
        entities=found.entities,
    )
    text = as_json(taken.as_json())
    if output is None:
        session.show(Result(taken.as_json(), text))
        return
    changed = moved(read_inventory(output.read_bytes(), str(output)), taken) if output.exists() else ()
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, f"{text}\n".encode())
    said = f"wrote {plural(len(taken.entities), 'entity', 'entities')} of {site.name} to {output}"
    data = {"path": str(output), "entities": len(taken.entities), "changed": list(changed)}
    session.say("\n".join([said, *(f"  {line}" for line in changed)]), data)


def checked_offline(
    session: Session, bundle: str, path: Path, *, overlays: tuple[Path, ...], profile: Profile, most: timedelta
) -> tuple[Checked, ...]:
    """Check the entities that a bundle links against an inventory; the environment is the one that it names."""
    taken = read_inventory(path.read_bytes(), str(path))
    found = loaded(bundle)
    session.warn(without_errors(found))
    configs = bundles.effective(found, taken.environment, overlays, session.variables)
    age = tuple(staleness(taken, session.clock(), most, str(path)))
    known = taken.inventory()
    return (
        Checked("inventory", taken.environment, age),
        *(
            Checked("entities", config.name, tuple(entity_prerequisites(config, known, profile, found.path)))
            for config in configs
        ),
    )
