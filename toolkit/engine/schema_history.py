"""The schema history: how the columns of an entity's files changed, and when (docs/formats.md).

Each change stands in the checkpoint of its entity, and is committed with the pass that met it. The file
``_toolkit/schema-history.json`` is a pure function of the checkpoints, like the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from toolkit.engine.columns import Column, Evolution
from toolkit.errors import Finding, Place, Severity
from toolkit.lake.protocol import STATE_FOLDER
from toolkit.model.base import Frozen

KEPT = 500
"""Changes of an entity that are kept, the newest ones: a source that flaps must not grow the checkpoint for ever."""


class ChangeKind(StrEnum):
    """What became of a column, or of the entity itself."""

    ADDED = "added"
    DROPPED = "dropped"
    RESTORED = "restored"
    WIDENED = "widened"
    RETYPED = "retyped"
    ENTITY_DROPPED = "entity dropped"
    ENTITY_RESTORED = "entity restored"


class SchemaChange(Frozen):
    """One change. ``before`` and ``after`` are forms such as ``string(100)``; the entity's own have no column."""

    at: datetime
    change: ChangeKind
    column: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        forms = " to ".join(form for form in (self.before, self.after) if form)
        if self.change in {ChangeKind.ADDED, ChangeKind.DROPPED, ChangeKind.RESTORED}:
            forms = f"({forms})"
        return " ".join(part for part in (self.column, self.change.value, forms) if part)


def form_of(column: Column) -> str:
    """Return the form of a column's values: ``string(100)``, ``decimal(2)``, ``guid``."""
    size = next((size for size in (column.length, column.scale) if size is not None), None)
    return column.kind.value if size is None else f"{column.kind.value}({size})"


def changes_of(evolution: Evolution, before: tuple[Column, ...], at: datetime) -> tuple[SchemaChange, ...]:
    """Return what an evolution changes, in the order of the columns."""
    old = {column.name: form_of(column) for column in before}
    new = {column.name: form_of(column) for column in evolution.columns}
    kinds = {
        ChangeKind.ADDED: evolution.added,
        ChangeKind.DROPPED: evolution.dropped,
        ChangeKind.RESTORED: evolution.restored,
        ChangeKind.WIDENED: evolution.widened,
        ChangeKind.RETYPED: evolution.retyped,
    }
    return tuple(
        SchemaChange(
            at=at,
            change=kind,
            column=name,
            before=old.get(name, ""),
            after=new[name] if new[name] != old.get(name) else "",
        )
        for name in new
        for kind, names in kinds.items()
        if name in names
    )


def is_dropped(history: tuple[SchemaChange, ...]) -> bool:
    """Whether the source had no such entity when it was last looked at."""
    entity = [change.change for change in history if not change.column]
    return entity[-1:] == [ChangeKind.ENTITY_DROPPED]


def returned(history: tuple[SchemaChange, ...], at: datetime) -> tuple[SchemaChange, ...]:
    """Return the change that the source has the entity again, where it had none."""
    return (SchemaChange(at=at, change=ChangeKind.ENTITY_RESTORED),) if is_dropped(history) else ()


def with_changes(history: tuple[SchemaChange, ...], changes: tuple[SchemaChange, ...]) -> tuple[SchemaChange, ...]:
    """Return the history with further changes, as long as it may be."""
    return (*history, *changes)[-KEPT:]


_TOLD: Mapping[ChangeKind, tuple[str, str]] = {
    ChangeKind.ADDED: ("ENG061", "it stands behind the other columns, in every file, from the next snapshot on"),
    ChangeKind.DROPPED: ("ENG062", "it stays in the files, and later rows have nothing in it"),
    ChangeKind.RESTORED: ("ENG063", "it is filled again, at the place that it had"),
    ChangeKind.WIDENED: ("ENG064", "model.json tells the new size from the next snapshot on; the rows stay"),
    ChangeKind.RETYPED: ("ENG065", "the entity is written anew; readers keep the old files until the next snapshot"),
    ChangeKind.ENTITY_RESTORED: ("ENG066", "the source had none for a while; it is exported again"),
}
"""The code of each change, and what it means for readers. A dropped entity is a failure, with a code of its own."""


SCHEMA_CODES = frozenset(code for code, _ in _TOLD.values())
"""The codes of the notices of changes of a schema."""


def notices(entity: str, changes: tuple[SchemaChange, ...]) -> Iterator[Finding]:
    """Yield what to tell people of changes."""
    for change in changes:
        if change.change in _TOLD:
            code, why = _TOLD[change.change]
            yield Finding(code, Severity.NOTE, f"{entity}: {change}", Place(entity), why)


HISTORY_PATH = f"{STATE_FOLDER}/schema-history.json"
HISTORY_FORMAT = 1


def schema_history(entities: Mapping[str, tuple[SchemaChange, ...]]) -> bytes:
    """Return the file: the changes of each entity that has any, oldest first."""
    changes = {name: [data_of(change) for change in entities[name]] for name in sorted(entities) if entities[name]}
    return json.dumps({"format": HISTORY_FORMAT, "entities": changes}, indent=1).encode() + b"\n"


def data_of(change: SchemaChange) -> dict[str, object]:
    """Return a change as JSON."""
    return change.model_dump(mode="json")
