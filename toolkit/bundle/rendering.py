"""The effective values of a bundle in an environment, each with where it comes from. No environment is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from toolkit.bundle.loading import Loaded
from toolkit.bundle.overlays import Layer, laid
from toolkit.documents import Document, Key, KeyPath, Tree
from toolkit.errors import Place
from toolkit.model.config import ExportConfig, LinkedEntity
from toolkit.model.overlay import STORAGE
from toolkit.model.variables import named, varies

_WRITTEN = {field: key for key, field in STORAGE.items()}
"""The key of an overlay for each field of ``storage``."""
_APART = {"entities", "storage", "name"}


class Origin(StrEnum):
    """What gave a value."""

    BUNDLE = "bundle"
    OVERLAY = "overlay"
    """The bundle's own for the environment."""
    COMMAND_LINE = "command line"
    """A file that ``--overlay`` named."""
    DERIVED = "derived"
    """From other values: an endpoint, or what a mode forces."""
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Value:
    """One effective value. ``where`` is its line, None where nobody wrote it; ``variables`` those it was made of."""

    key: str
    value: Any
    origin: Origin
    where: Place | None = None
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """An export config as it is in an environment: its values, and those of its entities by name."""

    config: ExportConfig
    values: tuple[Value, ...]
    entities: tuple[tuple[str, tuple[Value, ...]], ...]


def rendered(found: Loaded, over: Sequence[Layer]) -> tuple[Rendered, ...]:
    """Return every export config of a bundle with the layers over it."""
    documents = {str(document.data["id"]).lower(): document for document in found.parts.configs}
    return tuple(
        _Rendering(before, after, documents[before.id], over).rendered()
        for before, after in zip(found.bundle.configs, laid(found.bundle, over), strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Rendering:
    before: ExportConfig
    after: ExportConfig
    document: Document
    over: Sequence[Layer]

    def rendered(self) -> Rendered:
        lines = {entity.name: index for index, entity in enumerate(self.before.entities)}
        entities = ((each.name, tuple(self._entity(each, lines[each.name]))) for each in self.after.entities)
        return Rendered(self.after, tuple(self._config()), tuple(entities))

    def _config(self) -> Iterator[Value]:
        renamed = self.after.name != self.before.name
        yield self._value("name", self.after.name, ("name",), ("storage_account",) if renamed else ())
        for field, value in self.after.storage.model_dump(mode="json", exclude={"endpoints"}).items():
            yield self._value(f"storage.{field}", value, ("storage", field), (_WRITTEN[field],))
        written = self.after.storage.endpoints is not None
        for field, value in self.after.storage.effective_endpoints.model_dump().items():
            path: KeyPath = ("storage", "endpoints", field)
            yield (
                self._value(".".join(map(str, path)), value, path, ())
                if written
                else Value(f"storage.endpoints.{field}", value, Origin.DERIVED)
            )
        for path, value in _leaves(self.after.model_dump(mode="json", exclude=_APART)):
            yield self._value(".".join(map(str, path)), value, path, path)

    def _entity(self, entity: LinkedEntity, index: int) -> Iterator[Value]:
        for path, value in _leaves(entity.model_dump(mode="json", exclude={"name"})):
            found = self._value(
                ".".join(map(str, path)), value, ("entities", index, *path), ("entities", entity.name, *path)
            )
            if path == ("partition_strategy",) and value != entity.strategy.value:
                origin = Origin.DERIVED if entity.append_only else Origin.DEFAULT
                yield Value(found.key, entity.strategy.value, origin)
            else:
                yield found

    def _value(self, key: str, value: Any, path: KeyPath, over: KeyPath) -> Value:  # noqa: ANN401 - any JSON value
        """Return a value with its origin; ``path`` is its own in the config, ``over`` that in overlays, if any."""
        for layer in reversed(self.over):
            written = ("configs", self.before.name, *over)
            if over and _has(layer.written.data, written):
                origin = Origin.COMMAND_LINE if layer.given else Origin.OVERLAY
                return Value(key, value, origin, layer.written.place(*written), _variables(layer.written, written))
        if _has(self.document.data, path):
            return Value(key, value, Origin.BUNDLE, self.document.place(*path))
        return Value(key, value, Origin.DEFAULT)


def _leaves(tree: Tree, *path: Key) -> Iterator[tuple[KeyPath, Tree]]:
    """Yield values with their key paths; a list and an empty mapping are values."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, *path, key)
        else:
            yield (*path, key), value


def _has(tree: Tree, path: KeyPath) -> bool:
    """Whether a key path is in a tree; an empty value counts for a mask alone, where it is a word."""
    for key in path:
        if isinstance(tree, dict) and key in tree:
            tree = tree[str(key)]
        elif isinstance(tree, list) and isinstance(key, int) and key < len(tree):
            tree = tree[key]
        else:
            return False
    return tree is not None or "mask" in path


def _variables(document: Document, path: KeyPath) -> tuple[str, ...]:
    texts = (text for at, text in document.texts() if at[: len(path)] == path and varies(text))
    return tuple(dict.fromkeys(name for text in texts for name in named(text) if name is not None))
