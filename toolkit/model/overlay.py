"""Overlay: the values of a bundle that differ per environment, and the pure function that lays them over a config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from toolkit.errors import NotFound, Place, nearest
from toolkit.model.base import Frozen
from toolkit.model.config import (
    Cloud,
    Condition,
    ExportConfig,
    Layout,
    LinkedEntity,
    Masks,
    PartitionStrategy,
    RetryPolicy,
    Times,
)
from toolkit.model.names import FileSystemName, LogicalName, StorageAccountName


class EntityOverlay(Frozen):
    """What differs for one entity. ``exclude`` leaves it out of this environment."""

    partition_strategy: PartitionStrategy | None = None
    records_per_block: Annotated[int, Field(ge=1)] | None = None
    append_only: bool | None = None
    columns: tuple[LogicalName, ...] | None = None
    filter: tuple[Condition, ...] | None = None
    mask: Masks = {}
    """Laid over the mask of the bundle column by column: an overlay never lifts a mask."""
    scan_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    exclude: bool = False


class OutputOverlay(Frozen):
    """What differs in the form of the files."""

    header: bool | None = None
    times: Times | None = None
    labels: Annotated[int, Field(ge=1, le=65_535)] | None = None
    layout: Layout | None = None


class RetentionOverlay(Frozen):
    """What differs in which snapshots are kept."""

    keep: Annotated[int, Field(ge=1, le=10_000)] | None = None
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class ConfigOverlay(Frozen):
    """What differs for one export config. Endpoints are derived from the account and the cloud, never typed."""

    subscription: str | None = None
    resource_group: str | None = None
    storage_account: StorageAccountName | None = None
    cloud: Cloud | None = None
    workspace: str | None = None
    file_system: FileSystemName | None = None
    tenant: str | None = None
    interval_minutes: Annotated[int, Field(ge=5, le=10_080)] | None = None
    retry: RetryPolicy | None = None
    output: OutputOverlay | None = None
    snapshots: RetentionOverlay | None = None
    write_delete_log: bool | None = None
    entities: Mapping[LogicalName, EntityOverlay] = {}


class Overlay(Frozen):
    """``environments/<environment>.yaml``: per export config, by its name in the bundle."""

    configs: Mapping[str, ConfigOverlay] = {}


_STORAGE = {
    "subscription": "subscription",
    "resource_group": "resource_group",
    "storage_account": "account",
    "cloud": "cloud",
    "workspace": "workspace",
    "file_system": "file_system",
    "tenant": "tenant",
}
_PLAIN = ("interval_minutes", "retry", "write_delete_log")
_NESTED = ("output", "snapshots")
_ENTITY = ("partition_strategy", "records_per_block", "append_only", "columns", "filter", "scan_minutes")


def overlaid(configs: Sequence[ExportConfig], overlay: Overlay, where: str) -> tuple[ExportConfig, ...]:
    """Return ``configs`` with ``overlay`` laid over them; ``where`` names the overlay in errors.

    A storage account that the overlay changes also becomes the config's name, as the platform writes it there, and
    endpoints that were written out are derived anew. Raises NotFound for a config or an entity that is not there.
    """
    known = {config.name: config for config in configs}
    for name in overlay.configs:
        if name not in known:
            raise NotFound(
                "BND101",
                f"the overlay names the config {name!r}, which the bundle does not have",
                where=Place(where, key=f"configs.{name}"),
                fix=nearest(name, known),
            )
    return tuple(
        _overlaid(config, overlay.configs[config.name], where) if config.name in overlay.configs else config
        for config in configs
    )


def _overlaid(config: ExportConfig, overlay: ConfigOverlay, where: str) -> ExportConfig:
    storage = {field: value for key, field in _STORAGE.items() if (value := getattr(overlay, key)) is not None}
    changes: dict[str, object] = _given(overlay, _PLAIN)
    for key in _NESTED:
        if (nested := getattr(overlay, key)) is not None:
            named = _given(nested, type(nested).model_fields)
            changes[key] = getattr(config, key).model_copy(update=named)
    if storage:
        changes["storage"] = config.storage.model_copy(update={**storage, "endpoints": None})
    if overlay.storage_account is not None and config.name == config.storage.account:
        changes["name"] = overlay.storage_account
    if overlay.entities:
        changes["entities"] = _overlaid_entities(config, overlay, where)
    return config.model_copy(update=changes)


def _given(overlay: Frozen, keys: Iterable[str]) -> dict[str, object]:
    """Return those values of an overlay that it names."""
    return {key: value for key in keys if (value := getattr(overlay, key)) is not None}


def _overlaid_entities(config: ExportConfig, overlay: ConfigOverlay, where: str) -> tuple[LinkedEntity, ...]:
    known = {entity.name for entity in config.entities}
    for name in overlay.entities:
        if name not in known:
            raise NotFound(
                "BND102",
                f"the overlay names the entity {name!r}, which the config {config.name!r} does not link",
                where=Place(where, key=f"configs.{config.name}.entities.{name}"),
                fix=nearest(name, known),
            )
    entities = []
    for entity in config.entities:
        exception = overlay.entities.get(entity.name, EntityOverlay())
        if not exception.exclude:
            changes = _given(exception, _ENTITY)
            if exception.mask:
                changes["mask"] = {**entity.mask, **exception.mask}
            entities.append(entity.model_copy(update=changes))
    return tuple(entities)
