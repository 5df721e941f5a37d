"""A YAML text with other values in it: the spans of what differs are replaced, all else stays to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from toolkit.documents.document import Key, Tree
from toolkit.documents.nodes import MappingNode, Node, ScalarNode, SequenceNode, tree_of
from toolkit.documents.reading import parse
from toolkit.documents.spelling import SCHEMA_LINE, Plain, block, entry, is_list, scalar
from toolkit.errors import Invalid


class _Unpatchable(Exception):
    """The layout of the text allows no change in place."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def patched(template: str, data: Mapping[str, Tree]) -> str | None:
    """Return the template with the values of ``data``, or None where that cannot be done in place."""
    text = template.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        root = tree_of(text, "")
        if not isinstance(root, MappingNode) or root.flow:
            return None
        changed = _applied(text, _Patch(text).mapping(root, data))
        result = parse(changed, "")
    except (Invalid, _Unpatchable):
        return None
    if not same(result.data, data):
        return None
    return changed.replace("\n", "\r\n") if "\r\n" in template else changed


def _applied(text: str, edits: Iterator[_Edit]) -> str:
    """Make the edits; those at one place keep their order (what is nested comes before what follows it)."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def same(read: Tree, wanted: Tree) -> bool:
    """Whether a value that was read (strings) means the wanted one."""
    if isinstance(wanted, Mapping):
        keys = [str(key) for key in wanted]
        return (
            isinstance(read, dict) and set(read) == set(keys) and all(map(same, map(read.get, keys), wanted.values()))
        )
    if is_list(wanted):
        return isinstance(read, list) and len(read) == len(wanted) and all(map(same, read, wanted))
    if isinstance(wanted, bool):
        return isinstance(read, str) and read.lower() in ({"true", "yes", "on"} if wanted else {"false", "no", "off"})
    return bool(read == (wanted if wanted is None else str(wanted)))


def identity(value: Tree) -> str:
    """Return what tells the items of a list apart: their name or id, else all they hold."""
    if isinstance(value, Mapping):
        named = value.get("name", value.get("id"))
        return str(named or [f"{key}={identity(item)}" for key, item in sorted(value.items(), key=str)])
    if is_list(value):
        return str([identity(item) for item in value])
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Patch:
    """Finds the edits that turn the values of one text into others."""

    def __init__(self, text: str) -> None:
        self._text = text

    def mapping(self, node: MappingNode, wanted: Mapping[str, Tree]) -> Iterator[_Edit]:
        keys = {str(key): key for key in wanted}
        for text, (name, value) in node.entries.items():
            if text not in keys:
                yield self._removal(name.start, value.end)
            elif not same(value.data(), wanted[keys[text]]):
                yield from self._entry(name, value, keys[text], wanted[keys[text]])
        yield from self._added(node, wanted)

    def _entry(self, name: ScalarNode, value: Node, key: Key, wanted: Tree) -> Iterator[_Edit]:
        if isinstance(value, MappingNode) and not value.flow and isinstance(wanted, Mapping) and wanted:
            yield from self.mapping(value, wanted)
        elif isinstance(value, SequenceNode) and not value.flow and is_list(wanted) and wanted:
            yield from self._sequence(value, wanted)
        elif (
            isinstance(value, ScalarNode) and value.end > value.start and not isinstance(wanted, Mapping | list | tuple)
        ):
            yield _Edit(value.start, value.end, _scalar_like(value, wanted))
        else:
            yield _Edit(name.start, value.end, entry(key, wanted, self._indent(name.start)))

    def _added(self, node: MappingNode, wanted: Mapping[str, Tree]) -> Iterator[_Edit]:
        """Put each new key behind the one that it follows in ``wanted``."""
        names = list(node.entries)
        indent = self._indent(node.entries[names[0]][0].start)
        at = self._line_start(node.start)
        added: dict[int, str] = {}
        for key, value in wanted.items():
            if str(key) in node.entries:
                at = self._line_end(node.entries[str(key)][1].end)
            else:
                added[at] = added.get(at, "") + indent + entry(key, value, indent) + "\n"
        for place, text in added.items():
            yield self._insertion(place, text)

    def _sequence(self, node: SequenceNode, wanted: Sequence[Tree]) -> Iterator[_Edit]:
        have = [identity(item.data()) for item in node.items]
        want = [identity(item) for item in wanted]
        indent = self._indent(self._dash(node.items[0]))
        for kind, a, b, c, d in SequenceMatcher(None, have, want, autojunk=False).get_opcodes():
            if kind == "equal":
                for item, value in zip(node.items[a:b], wanted[c:d], strict=True):
                    yield from self._item(item, value)
                continue
            for item in node.items[a:b]:
                yield self._removal(self._dash(item), item.end)
            if d > c:
                yield self._insertion(self._place(node.items, b), block(wanted[c:d], indent) + "\n")

    def _place(self, items: Sequence[Node], index: int) -> int:
        """Return where an item that comes before the one of an index belongs."""
        if index:
            return self._line_end(items[index - 1].end)
        return self._first_comment(self._line_start(self._dash(items[0])))

    def _item(self, item: Node, wanted: Tree) -> Iterator[_Edit]:
        if same(item.data(), wanted):
            return
        if not isinstance(item, MappingNode) or item.flow:
            raise _Unpatchable
        yield from self.mapping(item, wanted)

    def _dash(self, item: Node) -> int:
        return self._text.rfind("-", 0, item.start)

    def _indent(self, start: int) -> str:
        """Return white space up to the column of an offset; what stands before a key on its line is a dash at most."""
        return " " * (start - self._line_start(start))

    def _line_start(self, offset: int) -> int:
        return self._text.rfind("\n", 0, offset) + 1

    def _line_end(self, offset: int) -> int:
        """Return the offset behind the line end after an offset."""
        end = self._text.find("\n", offset)
        return len(self._text) if end < 0 else end + 1

    def _insertion(self, place: int, text: str) -> _Edit:
        """Insert whole lines; the last line of the text may lack its end."""
        lacks_end = place == len(self._text) and not self._text.endswith("\n")
        return _Edit(place, place, f"\n{text.removesuffix(chr(10))}" if lacks_end else text)

    def _removal(self, start: int, end: int) -> _Edit:
        """Remove the lines of a node with the comment lines right above it."""
        line = self._line_start(start)
        if self._text[line:start].strip():
            raise _Unpatchable
        return _Edit(self._first_comment(line), self._line_end(end), "")

    def _first_comment(self, line: int) -> int:
        """Return the start of the comment lines right above a line; the schema line is none of them."""
        while line and self._text[self._line_start(line - 1) : line].strip().startswith("#"):
            above = self._line_start(line - 1)
            if above == 0 and SCHEMA_LINE.match(self._text):
                break
            line = above
        return line


def _scalar_like(node: ScalarNode, wanted: Plain) -> str:
    """Return a scalar in the quotes of the one that it replaces."""
    if isinstance(wanted, str) and node.style == "'" and wanted.isprintable():
        return "'" + wanted.replace("'", "''") + "'"
    return json.dumps(wanted) if node.style == '"' and isinstance(wanted, str) and wanted.isascii() else scalar(wanted)
