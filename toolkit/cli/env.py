"""``env``: environments on this machine, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.checked import checked
from toolkit.cli.frame import Group
from toolkit.cli.output import plural, record, table
from toolkit.cli.session import Session
from toolkit.environment.protocol import Progress
from toolkit.errors import Finding, Invalid, Severity
from toolkit.model.environment import Organization, StorageAccount
from toolkit.organization import definitions, metadata
from toolkit.organization.catalog import Settings
from toolkit.organization.churn import Churned, churn_for
from toolkit.organization.churn import churn as churn_rows
from toolkit.organization.seed import seed as seed_rows
from toolkit.project import DataverseEntry, Embedded, Lakes, Opened

VERSION = "9.2.26014.164"
"""The version that a new organization says it has: a recent one of Dataverse."""


@click.group(cls=Group)
def env() -> None:
    """Environments: create, list, show, define, seed, churn, serve, snapshot, reset."""


@env.command()
@click.argument("name")
@click.option("--folder", metavar="PATH", help="Else environments/NAME, beside toolkit.yaml.")
@click.option("--region", default="westeurope", show_default=True, help="Where the organization is.")
@click.option("--tenant", metavar="GUID", help="Its Entra tenant; else a new id.")
@click.option("--organization-id", metavar="GUID", help="Else a new id.")
@click.option("--unique-name", metavar="NAME", help="Else made of the id, as Dataverse does.")
@click.option("--not-administrator", is_flag=True, help="The user is no Dataverse administrator.")
@options.accounts
@click.pass_obj
def create(
    session: Session,
    *,
    name: str,
    folder: str | None,
    region: str,
    tenant: str | None,
    organization_id: str | None,
    unique_name: str | None,
    not_administrator: bool,
    accounts: options.Accounts,
) -> None:
    """Create a Dataverse organization on this machine, with the standard entities.

    A storage account that it can see is a folder: --account NAME (lakes/NAME) or --account NAME=FOLDER. Without more
    options it is of the kind, region and tenant that the prerequisites ask for.
    """
    session.project.refuse_folders(accounts.folders)
    identity = organization_id or session.new_id()
    organization = checked(
        Organization,
        {
            "id": identity,
            "unique_name": unique_name or f"org{identity.replace('-', '')[:8].lower()}",
            "environment": name,
            "region": region,
            "tenant": tenant or session.new_id(),
            "version": VERSION,
        },
        {"id": "--organization-id", "tenant": "--tenant"},
    )
    seen = accounts.seen_by(organization)
    settings = Settings(administrator=not not_administrator)
    project = session.project.create_environment(name, folder or f"environments/{name}", organization, seen, settings)
    project.with_account_folders(accounts.folders)
    data = {"environment": name, "organization": organization.id, "accounts": list(seen)}
    session.say(f"created {name}, the organization {organization.unique_name} ({organization.id})", data)


@env.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the environments of the project."""
    file = session.project.file
    rows = [
        {
            "environment": name,
            "default": name == file.default_environment,
            "kind": entry.kind,
            "url": entry.url if isinstance(entry, DataverseEntry) else None,
            "folder": session.project.folder_as_written(name),
        }
        for name, entry in file.environments.items()
    ]
    remote = any(row["url"] for row in rows)
    columns = ("environment", "default", "kind", "folder", *(("url",) if remote else ()))
    session.show(table(rows, columns, empty="no environments; see: toolkit env create --help"))


@env.command()
@click.argument("name", required=False)
@click.pass_obj
def show(session: Session, name: str | None) -> None:
    """Show an environment: its organization, accounts, solutions and entities with their rows."""
    opened = session.opened(name)
    inventory = opened.site.environment.inventory()
    fields = {
        "environment": opened.site.name,
        **inventory.organization.model_dump(mode="json", exclude={"environment"}),
        "file_system": inventory.file_system,
        "administrator": inventory.administrator,
        "accounts": [_account_row(account, session.lakes(name)) for account in inventory.accounts.values()],
        "solutions": [
            {"solution": each.unique_name, "version": str(each.version), "package": each.package.name.lower()}
            for each in inventory.solutions.values()
        ],
        "entities": [
            {"entity": each, "rows": _rows(opened, each), "change_tracking": entity.change_tracking}
            for each, entity in sorted(inventory.entities.items())
        ],
    }
    session.show(record(fields))


def _rows(opened: Opened, entity: str) -> int | None:
    """Return how many rows an entity has; of an organization over the Web API it would take a request for each."""
    return opened.site.source.count(entity) if opened.on_this_machine else None


def _account_row(account: StorageAccount, lakes: Lakes) -> dict[str, Any]:
    return {
        "account": account.name,
        "kind": account.kind,
        "region": account.region,
        "replication": account.replication,
        "hierarchical_namespace": account.hierarchical_namespace,
        "location": lakes.place(account.name),
    }


@env.command()
@click.argument("name")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path, dir_okay=False))
@options.accounts
@click.pass_obj
def define(session: Session, *, name: str, files: tuple[Path, ...], accounts: options.Accounts) -> None:
    """Define custom entities from YAML files, and storage accounts that the environment can see.

    An entity that is there is extended by new attributes and options. A publisher must have the prefix of its name.
    """
    opened = session.opened(name).embedded
    seen = accounts.seen_by(opened.environment.inventory().organization)
    if not files and not seen:
        raise click.UsageError("there is nothing to define: give FILE or --account")
    session.project.refuse_folders(accounts.folders)
    entities = _define(opened, files)
    opened.environment.show(seen.values())
    session.project.with_account_folders(accounts.folders)
    words = [*([f"{plural(len(entities), 'entity', 'entities')}: {', '.join(entities)}"] if files else []), *seen]
    session.say(f"defined {', '.join(words)}", {"environment": name, "entities": entities, "accounts": list(seen)})


def _define(opened: Embedded, files: Sequence[Path]) -> list[str]:
    """Define the entities of all files at once, and return their names."""
    inventory = opened.environment.inventory()
    with opened.database.read() as connection:
        choices = metadata.choices(connection)
    found = definitions.custom(files, inventory.publishers.values(), inventory.entities, choices)
    definitions.define(opened.database, found)
    return list(dict.fromkeys(entity.name for entity in found.entities))


@env.command()
@click.argument("name")
@click.option("--rows", multiple=True, required=True, metavar="ENTITY=NUMBER", help="May be given several times.")
@click.option(
    "--seed", "number", type=options.SEED, default=1, show_default=True, help="The same seed gives the same rows."
)
@click.pass_obj
def seed(session: Session, *, name: str, rows: tuple[str, ...], number: int) -> None:
    """Add synthetic rows: reproducible, of uneven months, with nulls, quotes, line ends and all of Unicode."""
    wanted = counts(rows)
    database = session.opened(name).embedded.database
    with session.progress() as progress:

        def told(entity: str, done: int, total: int) -> None:
            progress(Progress(f"seeding {entity}", done, total))

        seed_rows(database, wanted, seed=number, clock=session.clock, progress=told)
    total = sum(wanted.values())
    session.say(f"added {plural(total, 'row')} to {name}", {"environment": name, "rows": wanted})


@env.command()
@click.argument("name")
@click.option(
    "--seconds",
    type=options.SECONDS,
    metavar="NUMBER",
    help="How long; 10 when neither this nor --operations is given.",
)
@click.option(
    "--rate", type=options.RATE, default=50.0, show_default=True, metavar="NUMBER", help="Operations a second."
)
@click.option(
    "--operations",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Do so many at once, instead of some seconds of them.",
)
@click.option(
    "--seed", "number", type=options.SEED, default=1, show_default=True, help="The same seed draws the same operations."
)
@click.pass_obj
def churn(
    session: Session, *, name: str, seconds: float | None, rate: float, operations: int | None, number: int
) -> None:
    """Keep an environment changing: creates, updates and deletes of the entities that have rows."""
    if seconds is not None and operations is not None:
        raise click.UsageError("give --seconds or --operations, not both")
    database, clock = session.opened(name).embedded.database, session.clock
    with session.progress() as progress:

        def told(done: Churned) -> None:
            progress(Progress(f"changing {name}", done.operations, operations))

        if operations is not None:
            did = churn_rows(database, operations, seed=number, clock=clock, progress=told)
        else:
            span = 10.0 if seconds is None else seconds
            did = churn_for(database, span, rate=rate, seed=number, clock=clock, sleep=session.sleep, progress=told)
    said = f"{did.create:,} created, {did.update:,} updated, {did.delete:,} deleted in {name}"
    session.say(said, {"environment": name, "created": did.create, "updated": did.update, "deleted": did.delete})


@env.command()
@click.argument("name")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another one needs a token.")
@click.option("--token", "variable", metavar="VARIABLE", help="The environment variable that holds the bearer token.")
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="The file that holds it.")
@click.option("--certificate", type=click.Path(path_type=Path, dir_okay=False), help="For https, in PEM.")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="The key of the certificate.")
@click.option("--fault", multiple=True, metavar="RULE", help="What shall go wrong: 429:rate=0.05, drop:at=3, ...")
@click.pass_obj
def serve(
    session: Session,
    *,
    name: str,
    port: int,
    host: str,
    variable: str | None,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    fault: tuple[str, ...],
) -> None:
    """Serve an embedded environment over the Dataverse Web API, until Ctrl-C.

    Any client of Dataverse works against it; docs/web-api.md lists what is served. It is for this machine alone, and
    asks for no token unless one is given.
    """
    from toolkit.server import faults, hosting
    from toolkit.server.serving import Certificate
    from toolkit.server.world import World

    if (certificate is None) is not (key is None):
        raise click.UsageError("give --certificate and --key together")
    if variable is not None and token_file is not None:
        raise click.UsageError("give --token or --token-file, not both")
    tls = Certificate(certificate, key) if certificate and key else None
    reach = hosting.Reach(host, port, hosting.token_of(variable, token_file, os.environ), tls)
    opened = session.opened(name)
    world = World(opened.embedded.database, session.clock, session.new_id)
    rules = faults.parse(fault)
    with hosting.hosted(world, opened.site.state, session.holder(), reach, rules) as server:
        session.warn(list(reach.findings()))
        if server.interrupted:
            session.note(f"{plural(server.interrupted, 'job')} of a server that died: failed")
        said = f"{opened.site.name} is served at {server.url}/api/data/v9.2/ (Ctrl-C stops)"
        session.say(said, {"environment": opened.site.name, "url": server.url, "token": reach.token is not None})
        server.run()
    session.note("stopped")


@env.command()
@click.argument("name")
@click.argument("snapshot", required=False)
@click.pass_obj
def snapshot(session: Session, *, name: str, snapshot: str | None) -> None:
    """Keep the organization of an embedded environment as it is now, or list what was kept.

    A snapshot has rows, metadata, solutions and jobs, and nothing of the lakes. `toolkit env reset` brings it back.
    """
    from toolkit.organization import snapshots
    from toolkit.server import hosting

    opened = session.opened(name)
    database = opened.embedded.database
    if snapshot is None:
        rows = [{"snapshot": each} for each in snapshots.names(database)]
        session.show(table(rows, ("snapshot",), empty=f"no snapshots; see: toolkit env snapshot {name} NAME"))
        return
    with hosting.alone(opened.site.state, session.holder()):
        snapshots.save(database, snapshot)
    session.say(f"kept {name} as {snapshot}", {"environment": name, "snapshot": snapshot})


@env.command()
@click.argument("name")
@click.option("--to", "to", metavar="SNAPSHOT", help="Else to its beginning: the standard entities and no rows.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(session: Session, *, name: str, to: str | None, yes: bool) -> None:
    """Take the organization of an embedded environment back to a snapshot, or to its beginning.

    Its id, accounts and settings stay. Lakes stay as they are: the next sync compares them with what is there then.
    """
    from toolkit.server import control, hosting

    opened = session.opened(name)
    database = opened.embedded.database
    if not yes:
        session.confirm(f"what {name} holds now is lost: go on?", "--yes")
    with hosting.unserved(opened.site.state, session.holder(), database):
        control.take_back(database, to, session.clock)
    session.say(f"reset {name} to {to or 'its beginning'}", {"environment": name, "snapshot": to})


def counts(texts: tuple[str, ...]) -> Mapping[str, int]:
    """Return numbers of rows written as ``account=20000``. Raises Invalid with all mistakes."""
    wanted: dict[str, int] = {}
    found: list[Finding] = []
    for text in texts:
        name, _, number = text.partition("=")
        if why := _no_count(number) or _no_other_entity(name, wanted):
            what = f"{text} says no number of rows"
            found.append(Finding("CLI031", Severity.ERROR, what, why=why, fix="write account=20000, each entity once"))
        else:
            wanted[name.lower()] = int(number)
    if found:
        raise Invalid(found)
    return wanted


def _no_other_entity(name: str, wanted: Mapping[str, int]) -> str:
    """Return why a text names no entity besides those that were named, or nothing where it does."""
    if not name:
        return "no entity is named"
    return "the entity was named before" if name.lower() in wanted else ""


def _no_count(number: str) -> str:
    """Return why a text is no number of rows, or nothing where it is one."""
    if number.isdecimal() and len(number) <= 12 and 1 <= int(number) <= options.MOST_ROWS:
        return ""
    return f"a number is 1 to {options.MOST_ROWS:,}, in digits alone; seed again for more"
