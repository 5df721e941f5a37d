"""Links of Microsoft's own exporter beside ours: one storage account has one exporter."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.errors import Finding, Place, Severity
from toolkit.model.config import ExportConfig
from toolkit.model.environment import HostedLink, Inventory


def hosted_findings(config: ExportConfig, inventory: Inventory, where: str) -> Iterator[Finding]:
    """Yield what the hosted links of an environment mean for an export config. They are never written to."""
    place = Place(where, key=f"{config.name}.storage.account")
    for link in inventory.hosted:
        if link.account == config.storage.account and link.active:
            yield _on_ours(link, place)
        elif link.account is None and link.active:
            yield _somewhere(link, place)
        else:
            yield _elsewhere(link, place)


def _on_ours(link: HostedLink, place: Place) -> Finding:
    return Finding(
        "ENV030",
        Severity.ERROR,
        f"the Synapse Link profile {link.name!r} exports to {link.account}/{link.file_system}, and is {link.state}",
        place,
        "the storage account has Microsoft's own exporter, and one account has one exporter",
        "deactivate the profile in the portal, or name another storage account; toolkit adopt makes a bundle of it",
    )


def _somewhere(link: HostedLink, place: Place) -> Finding:
    return Finding(
        "ENV031",
        Severity.WARNING,
        f"the Synapse Link profile {link.name!r} is {link.state}, and where it exports to cannot be read",
        place,
        "two exporters of one storage account would spoil each other's files",
        "see in the portal that it exports to another storage account",
    )


def _elsewhere(link: HostedLink, place: Place) -> Finding:
    lake = f"{link.account}/{link.file_system}" if link.account else "a lake that cannot be read"
    return Finding(
        "ENV032",
        Severity.NOTE,
        f"the Synapse Link profile {link.name!r} ({link.state}) exports to {lake}",
        place,
        "it is Microsoft's own exporter, and left alone",
        "toolkit adopt makes a bundle of it",
    )
