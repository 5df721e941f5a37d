"""A bundle from what an environment exports already: Microsoft's own hosted links, and export config rows.

The bundle is a proposal for review. What cannot be read of a hosted link is told, and left at its default.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.errors import Finding, NotFound, Place, Refused, Severity, nearest
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, Storage
from toolkit.model.environment import HostedLink, Inventory
from toolkit.model.solution import Publisher, Solution
from toolkit.model.version import Version

_UNREADABLE = "subscription, resource group, tenant, workspace, interval, retry policy, delete log"
"""What the tables of a hosted link do not tell."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A bundle of what an environment exports, and what is to be known of it."""

    bundle: Bundle
    findings: tuple[Finding, ...]


def adopt(
    inventory: Inventory,
    where: str,
    *,
    solution: str,
    publisher: str | None,
    linked: Sequence[str],
    account: str | None,
) -> Adopted:
    """Return a bundle of the hosted links of an environment, and of its config rows that are not ``linked`` by us.

    ``linked`` are ids of configs, ``account`` is the storage account of a hosted link that does not tell it. Raises
    NotFound where there is nothing to adopt (ENV035) or no such publisher (ENV003), Refused (ENV036) where an account
    is not known.
    """
    owner = _publisher(inventory, publisher, where)
    rows = [row.config for key, row in inventory.configs.items() if key not in linked]
    made = [_hosted(link, rows, account, where) for link in inventory.hosted]
    used = {config.id for config, _ in made}
    configs = (*(config for config, _ in made), *(row for row in rows if row.id not in used))
    if not configs:
        raise NotFound(
            "ENV035",
            f"{where} has no hosted link and no export config that this toolkit does not export already",
            where=where,
            why="no Synapse Link profile and no row of the table of export configs was found",
            fix="toolkit lake link makes a link; toolkit export takes a solution out",
        )
    made_of = Solution(
        unique_name=solution,
        display_names={1033: solution},
        version=Version("1.0.0.0"),
        publisher=owner,
    )
    findings = tuple(finding for _, found in made for finding in found)
    return Adopted(Bundle(solution=made_of, configs=configs), findings)


def _publisher(inventory: Inventory, name: str | None, where: str) -> Publisher:
    """Return the publisher of a name in any case; without one the default publisher of the organization."""
    default = f"DefaultPublisher{inventory.organization.unique_name}"
    wanted = (name or default).casefold()
    found = next((known for key, known in inventory.publishers.items() if key.casefold() == wanted), None)
    if found is None:
        what = f"there is no publisher {name or default!r} in the environment"
        raise NotFound("ENV003", what, where=where, fix=nearest(name or default, inventory.publishers))
    return found


def _hosted(
    link: HostedLink, rows: Sequence[ExportConfig], account: str | None, where: str
) -> tuple[ExportConfig, list[Finding]]:
    """Return the config that a hosted link amounts to; a row of the same account says what the link does not."""
    named = link.account or account
    if named is None:
        raise Refused(
            "ENV036",
            f"where the Synapse Link profile {link.name!r} exports to cannot be read",
            where=where,
            why="its data lake folder is not readable, or its address has a form that this toolkit does not know",
            fix="name the storage account: --account NAME",
        )
    row = next((row for row in rows if row.storage.account == named), None)
    base = row or ExportConfig(id=link.id, name=named, storage=Storage(account=named))
    place = Place(where, key=link.name)
    return base.model_copy(update=dict(_values(link, base))), list(_told(link, row, place))


def _values(link: HostedLink, base: ExportConfig) -> Iterator[tuple[str, object]]:
    if link.entities is not None:
        yield "entities", link.entities
    if link.snapshots:
        yield "snapshots", base.snapshots.model_copy(update={"keep": link.snapshots})
    # The file system of an exporter that is at work stays its own.
    file_system = None if link.active else link.file_system
    yield "storage", base.storage.model_copy(update={"file_system": file_system})


def _told(link: HostedLink, row: ExportConfig | None, place: Place) -> Iterator[Finding]:
    lost = [
        *([_UNREADABLE] if row is None else []),
        *(["storage account and file system"] if link.account is None else []),
        *(["the entities"] if link.entities is None else []),
    ]
    if lost:
        yield Finding(
            "ENV034",
            Severity.WARNING,
            f"of the Synapse Link profile {link.name!r} cannot be read: {'; '.join(lost)}",
            place,
            "the tables of the profile do not tell it, or the identity may not read them",
            "see in the portal what they are, and write them into the bundle",
        )
    if link.active:
        yield Finding(
            "ENV037",
            Severity.WARNING,
            f"the Synapse Link profile {link.name!r} is {link.state} and keeps the file system {link.file_system}",
            place,
            "one file system has one exporter, so that the bundle names none",
            "deactivate the profile before the import; name its file system in the bundle to go on there",
        )
