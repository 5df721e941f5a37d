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
    Times,
)
from toolkit.model.names import FileSystemName, LogicalName, StorageAccountName
from toolkit.model.variables import VARIES


class EntityOverlay(Frozen):
    """What differs for one entity. ``exclude`` leaves it out of this environment."""

    partition_strategy: Annotated[PartitionStrategy | None, VARIES] = None
    records_per_block: Annotated[Annotated[int, Field(ge=1)] | None, VARIES] = None
    append_only: Annotated[bool | None, VARIES] = None
    columns: tuple[Annotated[LogicalName, VARIES], ...] | None = None
    filter: tuple[Condition, ...] | None = None
    mask: Masks = {}
    """Laid over the mask of the bundle column by column: an overlay never lifts a mask."""
    scan_minutes: Annotated[Annotated[int, Field(ge=1, le=10_080)] | None, VARIES] = None
    exclude: Annotated[bool, VARIES] = False


class OutputOverlay(Frozen):
    """What differs in the form of the files."""

    header: Annotated[bool | None, VARIES] = None
    times: Annotated[Times | None, VARIES] = None
    labels: Annotated[Annotated[int, Field(ge=1, le=65_535)] | None, VARIES] = None
    layout: Annotated[Layout | None, VARIES] = None


class RetentionOverlay(Frozen):
    """What differs in which snapshots are kept."""

    keep: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, VARIES] = None
    keep_days: Annotated[Annotated[int, Field(ge=1, le=36_500)] | None, VARIES] = None


class RetryOverlay(Frozen):
    """What differs in how an entity that fails in passing is tried again."""

    max_count: Annotated[Annotated[int, Field(ge=0, le=1000)] | None, VARIES] = None
    interval_seconds: Annotated[Annotated[int, Field(ge=0, le=86_400)] | None, VARIES] = None


class ConfigOverlay(Frozen):
    """What differs for one export config. Endpoints are derived from the account and the cloud, never typed."""

    subscription: str | None = None
    resource_group: str | None = None
    storage_account: Annotated[StorageAccountName | None, VARIES] = None
    cloud: Annotated[Cloud | None, VARIES] = None
    workspace: str | None = None
    file_system: Annotated[FileSystemName | None, VARIES] = None
    tenant: str | None = None
    interval_minutes: Annotated[Annotated[int, Field(ge=5, le=10_080)] | None, VARIES] = None
    retry: RetryOverlay | None = None
    output: OutputOverlay | None = None
    snapshots: RetentionOverlay | None = None
    write_delete_log: Annotated[bool | None, VARIES] = None
    entities: Mapping[LogicalName, EntityOverlay] = {}


class Overlay(Frozen):
    """``environments/<environment>.yaml``: per export config, by its name in the bundle.

    As it is written: values may name environment variables (``toolkit.model.variables``). Before it is laid over a
    config it is validated once more, with them resolved.
    """

    configs: Mapping[str, ConfigOverlay] = {}


STORAGE = {
    "subscription": "subscription",
    "resource_group": "resource_group",
    "storage_account": "account",
    "cloud": "cloud",
    "workspace": "workspace",
    "file_system": "file_system",
    "tenant": "tenant",
}
"""The keys of an overlay that differ in ``storage``, and the field of each there."""
_PLAIN = ("interval_minutes", "write_delete_log")
_NESTED = ("retry", "output", "snapshots")
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
    storage = {field: value for key, field in STORAGE.items() if (value := getattr(overlay, key)) is not None}
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
