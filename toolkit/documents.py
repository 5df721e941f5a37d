"""YAML text <-> tree of strings <-> model, with the line of every key, and with everything a person wrote kept.

Reading: every scalar stays the string that was written (``1.10`` is no float, ``no`` no boolean); a model gives it its
type. What can make a reader see something else than a person sees (anchors, aliases, merge keys, tags, duplicate keys)
is refused. Writing over an existing text changes only the lines whose value differs, as ``toolkit.bundle`` does with
XML, so comments, key order, quotes and blank lines of all others survive to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeGuard, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
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

from toolkit.errors import Finding, Invalid, NotFound, Place, Severity, nearest

MAX_BYTES = 4 << 20
"""The longest text that is read."""
MAX_DEPTH = 32
"""The deepest nesting that is read."""

Key = str | int
Path_ = tuple[Key, ...]

_M = TypeVar("_M", bound=BaseModel)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text: ``data`` of dict, list, str and None; ``lines`` from key path to 1-based line number."""

    path: str
    data: Any
    lines: Mapping[Path_, int]

    def place(self, *keys: Key) -> Place:
        """Return the place of a key; of the nearest key above it where that one is not in the text."""
        known = next(keys[:end] for end in range(len(keys), -1, -1) if keys[:end] in self.lines)
        return Place(self.path, self.lines[known], spelled(keys))


def spelled(keys: Sequence[Key]) -> str:
    """Return a key path as people write it: ``entities[2].name``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


# --- reading --------------------------------------------------------------------------------------------------------


def load(path: Path) -> Document:
    """Read a file. Raises NotFound (DOC001) where there is none, Invalid for what ``parse`` refuses."""
    return parse(read(path), str(path))


def read(path: Path) -> str:
    """Return the text of a file, without a byte order mark. Raises NotFound (DOC001) or Invalid (DOC002, DOC003)."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("DOC001", f"there is no file {path}", where=str(path)) from error
    except OSError as error:
        raise _invalid("DOC001", "the file cannot be read", Place(str(path)), why=str(error)) from error
    return decoded(data, str(path))


def decoded(data: bytes, path: str) -> str:
    """Return bytes as text, without a byte order mark. Raises Invalid when they are too many or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise _invalid("DOC002", "the file is too large", Place(path), why=f"at most {MAX_BYTES} bytes are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid("DOC003", "the file is not UTF-8", Place(path, line), fix="save it as UTF-8") from error


def parse(text: str, path: str) -> Document:
    """Parse a text. An empty one is an empty mapping. Raises Invalid (DOC002 to DOC008)."""
    root = _tree(text.removeprefix("\ufeff"), path)
    if root is None:
        return Document(path, {}, {(): 1})
    return Document(path, root.data(), {(): 1} | dict(root.lines(())))


@dataclass(frozen=True, slots=True)
class _Node:
    """A node with its span in the text: offsets of its first character and behind its last, and its 1-based line."""

    start: int
    end: int
    line: int

    def data(self) -> Any:  # noqa: ANN401 - dict, list, str or None
        raise NotImplementedError

    def lines(self, path: Path_) -> Iterator[tuple[Path_, int]]:
        yield path, self.line


@dataclass(frozen=True, slots=True)
class _Scalar(_Node):
    value: str | None
    style: str | None

    def data(self) -> str | None:
        return self.value


@dataclass(frozen=True, slots=True)
class _Sequence(_Node):
    items: tuple[_Node, ...]
    flow: bool

    def data(self) -> list[Any]:
        return [item.data() for item in self.items]

    def lines(self, path: Path_) -> Iterator[tuple[Path_, int]]:
        yield path, self.line
        for index, item in enumerate(self.items):
            yield from item.lines((*path, index))


@dataclass(frozen=True, slots=True)
class _Mapping(_Node):
    entries: Mapping[str, tuple[_Scalar, _Node]]
    flow: bool

    def data(self) -> dict[str, Any]:
        return {key: value.data() for key, (_, value) in self.entries.items()}

    def lines(self, path: Path_) -> Iterator[tuple[Path_, int]]:
        yield path, self.line
        for key, (name, value) in self.entries.items():
            yield from value.lines((*path, key))
            yield (*path, key), name.line


def _tree(text: str, path: str) -> _Node | None:
    if len(text) > MAX_BYTES:
        raise _invalid("DOC002", "the text is too large", Place(path), why=f"at most {MAX_BYTES} bytes are read")
    try:
        return _Builder(text, path).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(path, mark.line + 1 if mark else None)
        raise _invalid("DOC004", "this is not valid YAML", where, why=str(error.problem or error.context)) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # ValueError and OverflowError: the parser turns an escape such as "\UFFFFFFFF" into a character unchecked.
        raise _invalid("DOC004", "this is not valid YAML", Place(path), why=str(error).splitlines()[0]) from error


class _Builder:
    """Builds nodes from the parser's events, and refuses what a document of ours never needs."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))

    def document(self) -> _Node | None:
        root: _Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise self._refused(event, "DOC005", "a second document", "keep one document per file")
                if event.version or event.tags:
                    raise self._refused(event, "DOC005", "a directive", "remove the line that starts with %")
                root = self._node(next(self._events), 1)
        is_empty = isinstance(root, _Scalar) and root.value is None
        return None if is_empty else root

    def _node(self, event: Event, depth: int) -> _Node:
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

    def _scalar(self, event: ScalarEvent) -> _Scalar:
        start, end = event.start_mark.index, event.end_mark.index
        if event.style in {"|", ">"}:
            end = start + len(self._text[start:end].rstrip())
        value = None if event.style is None and event.value in _NULLS else event.value
        return _Scalar(start, end, event.start_mark.line + 1, value, event.style)

    def _sequence(self, event: SequenceStartEvent, depth: int) -> _Sequence:
        items = []
        while not isinstance(inner := next(self._events), SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
        end = inner.end_mark.index if event.flow_style or not items else items[-1].end
        return _Sequence(event.start_mark.index, end, event.start_mark.line + 1, tuple(items), bool(event.flow_style))

    def _mapping(self, event: MappingStartEvent, depth: int) -> _Mapping:
        entries: dict[str, tuple[_Scalar, _Node]] = {}
        end = event.end_mark.index
        while not isinstance(inner := next(self._events), MappingEndEvent):
            key = self._key(inner, entries)
            value = self._value(self._node(next(self._events), depth + 1), key)
            entries[key.value or ""] = (key, value)
            end = value.end
        end = inner.end_mark.index if event.flow_style else end
        return _Mapping(event.start_mark.index, end, event.start_mark.line + 1, entries, bool(event.flow_style))

    def _value(self, node: _Node, key: _Scalar) -> _Node:
        """Return a value; one that is not there lies behind the colon of its key (the parser puts it a line below)."""
        if not isinstance(node, _Scalar) or node.end > node.start:
            return node
        colon = self._text.find(":", key.end) + 1
        return _Scalar(colon, colon, key.line, None, None)

    def _key(self, event: Event, known: Mapping[str, tuple[_Scalar, _Node]]) -> _Scalar:
        self._check(event, 0)
        if not isinstance(event, ScalarEvent):
            raise self._refused(event, "DOC007", "a key that is no plain text", "use text as a key")
        if event.value == "<<" and event.style is None:
            raise self._refused(event, "DOC005", "a merge key", "write the keys out")
        if event.value in known:
            first = known[event.value][0].line
            why = f"the key {event.value!r} stands in line {first} already"
            raise _invalid("DOC008", "a duplicate key", self._place(event), why=why, fix="keep one of the two")
        # A key is text, also where a value of that spelling would be null.
        start, end = event.start_mark.index, event.end_mark.index
        return _Scalar(start, end, event.start_mark.line + 1, event.value, event.style)

    def _place(self, event: Event) -> Place:
        return Place(self._path, event.start_mark.line + 1)

    def _refused(self, event: Event, code: str, what: str, fix: str) -> Invalid:
        return _invalid(code, f"{what} is refused", self._place(event), why="it has no use in these files", fix=fix)


def _invalid(code: str, what: str, where: Place, *, why: str = "", fix: str = "") -> Invalid:
    return Invalid([Finding(code, Severity.ERROR, what, where, why, fix)])


# --- tree -> model --------------------------------------------------------------------------------------------------


def as_model(document: Document, model: type[_M]) -> _M:
    """Return the document as a model. Raises Invalid with every error, each with file, line and key."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise Invalid(_findings(document, model, error)) from error


def findings(document: Document, model: type[BaseModel]) -> list[Finding]:
    """Return what keeps the document from being that model, in the order of the text. Values are never quoted."""
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        return _findings(document, model, error)
    return []


def _findings(document: Document, model: type[BaseModel], error: ValidationError) -> list[Finding]:
    found = [_finding(document, model, detail) for detail in error.errors(include_url=False)]
    return sorted(found, key=lambda finding: finding.where.line or 0)


def _finding(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Finding:
    # A wrong key of a mapping is reported at (key, "[key]").
    keys = tuple(key for key in detail["loc"] if key != "[key]")
    where = document.place(*keys)
    match detail["type"]:
        case "extra_forbidden":
            fix = nearest(str(keys[-1]), _known_keys(model, keys[:-1]))
            return Finding("DOC010", Severity.ERROR, f"unknown key {keys[-1]!r}", where, fix=fix)
        case "missing":
            return Finding("DOC011", Severity.ERROR, f"the key {keys[-1]!r} is missing", where)
        case _ if detail["input"] is None:
            fix = "give a value, or leave the key out"
            return Finding("DOC012", Severity.ERROR, f"{where.key or 'the file'} is empty", where, fix=fix)
        case _:
            return _wrong_value(where, detail)


def _wrong_value(where: Place, detail: ErrorDetails) -> Finding:
    expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    fix = nearest(str(detail["input"]), expected) if expected else ""
    why = detail["msg"].removeprefix("Value error, ")
    return Finding("DOC012", Severity.ERROR, f"{where.key or 'the file'} has a wrong value", where, why, fix)


def _known_keys(model: type[BaseModel], keys: Sequence[Key]) -> list[str]:
    """Return the keys that the model has at a key path."""
    at: list[Any] = [model]
    for key in keys:
        at = [inner for annotation in at for inner in _step(annotation, key)]
    return [field.alias or name for found in _models(at) for name, field in found.model_fields.items()]


def _step(annotation: Any, key: Key) -> list[Any]:  # noqa: ANN401 - any type annotation
    """Return the annotations of what lies below a key of a value so annotated."""
    if _is_model(annotation):
        return [field.annotation for name, field in annotation.model_fields.items() if key in {name, field.alias}]
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        return [inner for member in get_args(annotation) for inner in _step(member, key)]
    return list(get_args(annotation))


def _models(annotations: Sequence[Any]) -> list[type[BaseModel]]:
    """Return the models among annotations and the members of their unions."""
    members = [member for annotation in annotations for member in (annotation, *get_args(annotation))]
    return [member for member in members if _is_model(member)]


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:  # noqa: ANN401 - any type annotation
    return isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel)


# --- tree -> text ---------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"(?![0-9a-fA-F]{8}-)[A-Za-z_/][A-Za-z0-9_./ +()-]*(?<! )")
"""What is written without quotes: words. Versions, GUIDs, numbers in text and everything else is quoted."""
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_SCHEMA_LINE = re.compile(r"# yaml-language-server: \$schema=.*")
_STEP = "  "

Plain = str | int | bool | None


def render(data: Mapping[str, Any], *, schema: str, template: str | None = None) -> str:
    """Return ``data`` (mappings, sequences, text, numbers, booleans, None) as YAML that opens with the schema line.

    With a template, only the lines whose value differs change, and new keys follow the key they follow in ``data``;
    its own schema line stays.
    Where the template's layout allows no such change (or is no valid YAML), all of it is written anew.
    """
    head = f"# yaml-language-server: $schema={schema}\n"
    if template is not None and (patched := _patched(template, data)) is not None:
        return _with_head(patched, head)
    return head + _block(data, "") + "\n"


def render_model(model: BaseModel, *, schema: str, template: str | None = None) -> str:
    """Return a model as YAML. Defaults are left out, but for those that the template spells."""
    have = {} if template is None else _data(template)
    full, sparse = _plain(model.model_dump()), _plain(model.model_dump(exclude_defaults=True))
    return render(_with_spelled(sparse, full, have), schema=schema, template=template)


def _data(text: str) -> Any:  # noqa: ANN401 - any YAML value
    try:
        return parse(text, "").data
    except Invalid:
        return {}


def _plain(value: Any) -> Any:  # noqa: ANN401 - what a model dumps -> what YAML holds
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if _is_list(value):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _with_spelled(sparse: Any, full: Any, have: Any) -> Any:  # noqa: ANN401 - any YAML value
    """Return ``sparse`` with those values of ``full`` that ``have`` spells."""
    if isinstance(full, Mapping) and isinstance(have, Mapping):
        return {
            key: _with_spelled(sparse.get(key, [] if _is_list(value) else {}), value, have.get(str(key)))
            for key, value in full.items()
            if key in sparse or (value is not None and str(key) in have)
        }
    if _is_list(full) and _is_list(have):
        known = {_identity(item): item for item in have}
        return [
            _with_spelled(item, whole, known.get(_identity(whole))) for item, whole in zip(sparse, full, strict=True)
        ]
    return sparse if isinstance(full, Mapping) or _is_list(full) else full


def _with_head(text: str, head: str) -> str:
    first = text.partition("\n")[0]
    return text if _SCHEMA_LINE.fullmatch(first.rstrip("\r")) else head + text


def _block(data: Any, indent: str) -> str:  # noqa: ANN401 - any YAML value
    """Return the lines of a mapping or a sequence, or one scalar, without a last line end."""
    if isinstance(data, Mapping) and data:
        return "\n".join(indent + _entry(key, value, indent) for key, value in data.items())
    if _is_list(data) and data:
        return "\n".join(f"{indent}- {_block(item, indent + _STEP).lstrip(' ')}" for item in data)
    if isinstance(data, Mapping) or _is_list(data):
        return "{}" if isinstance(data, Mapping) else "[]"
    return _scalar(data)


def _entry(key: Key, value: Any, indent: str) -> str:  # noqa: ANN401 - any YAML value
    below = "\n" if (isinstance(value, Mapping) or _is_list(value)) and value else " "
    return f"{_scalar(key)}:{below}{_block(value, indent + _STEP)}"


def _scalar(value: Plain) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


# --- tree -> text, over an existing text ----------------------------------------------------------------------------


class _Unpatchable(Exception):
    """The layout of the text allows no change in place."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def _patched(template: str, data: Mapping[str, Any]) -> str | None:
    """Return the template with the values of ``data``, or None where that cannot be done in place."""
    text = template.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        root = _tree(text, "")
        if not isinstance(root, _Mapping):
            return None
        patched = _applied(text, _Patch(text).mapping(root, data))
        result = parse(patched, "")
    except (Invalid, _Unpatchable):
        return None
    if not _same(result.data, data):
        return None
    return patched.replace("\n", "\r\n") if "\r\n" in template else patched


def _applied(text: str, edits: Iterator[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _same(read: Any, wanted: Any) -> bool:  # noqa: ANN401 - any YAML value
    """Whether a value that was read (strings) means the wanted one."""
    if isinstance(wanted, Mapping):
        keys = [str(key) for key in wanted]
        return (
            isinstance(read, dict) and set(read) == set(keys) and all(map(_same, map(read.get, keys), wanted.values()))
        )
    if _is_list(wanted):
        return isinstance(read, list) and len(read) == len(wanted) and all(map(_same, read, wanted))
    if isinstance(wanted, bool):
        return isinstance(read, str) and read.lower() in ({"true", "yes", "on"} if wanted else {"false", "no", "off"})
    return bool(read == (wanted if wanted is None else str(wanted)))


def _identity(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """Return what tells the items of a list apart: their name or id, else all they hold."""
    if isinstance(value, Mapping):
        named = value.get("name", value.get("id"))
        if named is not None:
            return str(named)
    return json.dumps(value, default=str)


class _Patch:
    """Finds the edits that turn the values of one text into others."""

    def __init__(self, text: str) -> None:
        self._text = text

    def mapping(self, node: _Mapping, wanted: Mapping[str, Any]) -> Iterator[_Edit]:
        keys = {str(key): key for key in wanted}
        for text, (name, value) in node.entries.items():
            if text not in keys:
                yield self._removal(name.start, value.end)
            elif not _same(value.data(), wanted[keys[text]]):
                yield from self._entry(name, value, keys[text], wanted[keys[text]])
        yield from self._added(node, wanted)

    def _entry(self, name: _Scalar, value: _Node, key: Key, wanted: Any) -> Iterator[_Edit]:  # noqa: ANN401 - any
        if isinstance(value, _Mapping) and not value.flow and isinstance(wanted, Mapping) and wanted:
            yield from self.mapping(value, wanted)
        elif isinstance(value, _Sequence) and not value.flow and _is_list(wanted) and wanted:
            yield from self._sequence(value, wanted)
        elif isinstance(value, _Scalar) and value.end > value.start and not isinstance(wanted, Mapping | list | tuple):
            yield _Edit(value.start, value.end, _scalar_like(value, wanted))
        else:
            yield _Edit(name.start, value.end, _entry(key, wanted, self._indent(name.start)))

    def _added(self, node: _Mapping, wanted: Mapping[str, Any]) -> Iterator[_Edit]:
        """Put each new key behind the one that it follows in ``wanted``."""
        names = list(node.entries)
        indent = self._indent(node.entries[names[0]][0].start)
        at = self._line_start(node.start)
        added: dict[int, str] = {}
        for key, value in wanted.items():
            if str(key) in node.entries:
                at = self._line_end(node.entries[str(key)][1].end)
            else:
                added[at] = added.get(at, "") + indent + _entry(key, value, indent) + "\n"
        for place, text in added.items():
            yield self._insertion(place, text)

    def _sequence(self, node: _Sequence, wanted: Sequence[Any]) -> Iterator[_Edit]:
        have = [_identity(item.data()) for item in node.items]
        want = [_identity(item) for item in wanted]
        indent = self._indent(self._dash(node.items[0]))
        for kind, a, b, c, d in SequenceMatcher(None, have, want, autojunk=False).get_opcodes():
            if kind == "equal":
                for item, value in zip(node.items[a:b], wanted[c:d], strict=True):
                    yield from self._item(item, value)
                continue
            for item in node.items[a:b]:
                yield self._removal(self._dash(item), item.end)
            if d > c:
                place = self._line_end(node.items[b - 1].end) if b else self._line_start(self._dash(node.items[0]))
                yield self._insertion(place, _block(wanted[c:d], indent) + "\n")

    def _item(self, item: _Node, wanted: Any) -> Iterator[_Edit]:  # noqa: ANN401 - any YAML value
        if _same(item.data(), wanted):
            return
        if not isinstance(item, _Mapping) or item.flow:
            raise _Unpatchable
        yield from self.mapping(item, wanted)

    def _dash(self, item: _Node) -> int:
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
        while line and self._text[self._line_start(line - 1) : line].strip().startswith("#"):
            above = self._line_start(line - 1)
            if above == 0 and _SCHEMA_LINE.match(self._text):
                break
            line = above
        return _Edit(line, self._line_end(end), "")


def _scalar_like(node: _Scalar, wanted: Plain) -> str:
    """Return a scalar in the quotes of the one that it replaces."""
    if isinstance(wanted, str) and node.style == "'" and wanted.isprintable():
        return "'" + wanted.replace("'", "''") + "'"
    return json.dumps(wanted) if node.style == '"' and isinstance(wanted, str) and wanted.isascii() else _scalar(wanted)
