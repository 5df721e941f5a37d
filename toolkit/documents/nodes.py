"""The nodes of a YAML text, with the span of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from toolkit.documents.document import KeyPath, Tree
from toolkit.errors import Finding, Invalid, Place, Severity

MAX_BYTES = 4 << 20
"""The longest text that is read."""
MAX_DEPTH = 32
"""The deepest nesting that is read."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class _Spanned:
    """A node's span in the text: offsets of its first character and behind its last, and its 1-based line."""

    start: int
    end: int
    line: int

    def lines(self, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
        """Yield the line of each key at and below a path."""
        yield path, self.line


@dataclass(frozen=True, slots=True)
class ScalarNode(_Spanned):
    """Text, or None for null; ``style`` is the quote or block sign, None for plain."""

    value: str | None
    style: str | None

    def data(self) -> str | None:
        """Return the text."""
        return self.value


@dataclass(frozen=True, slots=True)
class SequenceNode(_Spanned):
    """A list; ``flow`` when it is written in brackets."""

    items: tuple[Node, ...]
    flow: bool

    def data(self) -> list[Tree]:
        """Return the items' values."""
        return [item.data() for item in self.items]

    def lines(self, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
        """Yield the line of each key at and below a path."""
        yield path, self.line
        for index, item in enumerate(self.items):
            yield from item.lines((*path, index))


@dataclass(frozen=True, slots=True)
class MappingNode(_Spanned):
    """Keys with their values; ``flow`` when it is written in braces."""

    entries: Mapping[str, tuple[ScalarNode, Node]]
    flow: bool

    def data(self) -> dict[str, Tree]:
        """Return the values by key."""
        return {key: value.data() for key, (_, value) in self.entries.items()}

    def lines(self, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
        """Yield the line of each key at and below a path."""
        yield path, self.line
        for key, (name, value) in self.entries.items():
            yield from value.lines((*path, key))
            yield (*path, key), name.line


Node = ScalarNode | SequenceNode | MappingNode


def tree_of(text: str, path: str) -> Node | None:
    """Return the root of a text, or None of an empty one. Raises Invalid (DOC002, DOC004 to DOC008)."""
    if len(text) > MAX_BYTES:
        raise invalid("DOC002", "the text is too large", Place(path), why=f"at most {MAX_BYTES} bytes are read")
    try:
        return _Builder(text, path).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(path, mark.line + 1 if mark else None)
        raise invalid("DOC004", "this is not valid YAML", where, why=str(error.problem or error.context)) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # ValueError and OverflowError: the parser turns an escape such as "\UFFFFFFFF" into a character unchecked.
        raise invalid("DOC004", "this is not valid YAML", Place(path), why=str(error).splitlines()[0]) from error


class _Builder:
    """Builds nodes from the parser's events, and refuses what a document of ours never needs."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise self._refused(event, "DOC005", "a second document", "keep one document per file")
                if event.version or event.tags:
                    raise self._refused(event, "DOC005", "a directive", "remove the line that starts with %")
                root = self._node(next(self._events), 1)
        is_empty = isinstance(root, ScalarNode) and root.value is None
        return None if is_empty else root

    def _node(self, event: Event, depth: int) -> Node:
        self._check(event, depth)
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, depth)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(event, depth)
        # Only a scalar is left: aliases were refused above.
        return self._scalar(cast("ScalarEvent", event))

    def _check(self, event: Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._refused(event, "DOC006", f"more than {MAX_DEPTH} levels of nesting", "flatten it")
        if isinstance(event, AliasEvent):
            raise self._refused(event, "DOC005", "an alias", "write the value out")
        if getattr(event, "anchor", None) is not None:
            raise self._refused(event, "DOC005", "an anchor", "write the value out where it is needed")
        if getattr(event, "tag", None) is not None:
            raise self._refused(event, "DOC005", "a tag", "remove the word that starts with !")

    def _scalar(self, event: ScalarEvent) -> ScalarNode:
        start, end = event.start_mark.index, event.end_mark.index
        if event.style in {"|", ">"}:
            end = start + len(self._text[start:end].rstrip())
        value = None if event.style is None and event.value in _NULLS else event.value
        return ScalarNode(start, end, event.start_mark.line + 1, value, event.style)

    def _sequence(self, event: SequenceStartEvent, depth: int) -> SequenceNode:
        items = []
        while not isinstance(inner := next(self._events), SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
        end = inner.end_mark.index if event.flow_style or not items else items[-1].end
        return SequenceNode(
            event.start_mark.index, end, event.start_mark.line + 1, tuple(items), bool(event.flow_style)
        )

    def _mapping(self, event: MappingStartEvent, depth: int) -> MappingNode:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        end = event.end_mark.index
        while not isinstance(inner := next(self._events), MappingEndEvent):
            key = self._key(inner, entries)
            value = self._value(self._node(next(self._events), depth + 1), key)
            entries[key.value or ""] = (key, value)
            end = value.end
        end = inner.end_mark.index if event.flow_style else end
        return MappingNode(event.start_mark.index, end, event.start_mark.line + 1, entries, bool(event.flow_style))

    def _value(self, node: Node, key: ScalarNode) -> Node:
        """Return a value; one that is not there lies behind the colon of its key (the parser puts it a line below)."""
        if not isinstance(node, ScalarNode) or node.end > node.start:
            return node
        colon = self._text.find(":", key.end) + 1
        return ScalarNode(colon, colon, key.line, None, None)

    def _key(self, event: Event, known: Mapping[str, tuple[ScalarNode, Node]]) -> ScalarNode:
        self._check(event, 0)
        if not isinstance(event, ScalarEvent):
            raise self._refused(event, "DOC007", "a key that is no plain text", "use text as a key")
        if event.value == "<<" and event.style is None:
            raise self._refused(event, "DOC005", "a merge key", "write the keys out")
        if event.value in known:
            first = known[event.value][0].line
            why = f"the key {event.value!r} stands in line {first} already"
            raise invalid("DOC008", "a duplicate key", self._place(event), why=why, fix="keep one of the two")
        # A key is text, also where a value of that spelling would be null.
        start, end = event.start_mark.index, event.end_mark.index
        return ScalarNode(start, end, event.start_mark.line + 1, event.value, event.style)

    def _place(self, event: Event) -> Place:
        return Place(self._path, event.start_mark.line + 1)

    def _refused(self, event: Event, code: str, what: str, fix: str) -> Invalid:
        return invalid(code, f"{what} is refused", self._place(event), why="it has no use in these files", fix=fix)


def invalid(code: str, what: str, where: Place, *, why: str = "", fix: str = "") -> Invalid:
    """Return the error of one finding."""
    return Invalid([Finding(code, Severity.ERROR, what, where, why, fix)])
