"""XML as bytes with elements marked in them, so that it is changed by patching byte ranges.

``edits`` is a three-way comparison. Given an original text, what we would write for the values it holds (``old``), and
what we would write for the wanted values (``new``), it replaces only those elements of the original for which old and
new differ. All other bytes stay: line ends, white space, comments, unknown attributes and elements.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NoReturn, Protocol
from xml.parsers import expat

from toolkit.errors import Finding, Invalid, Place, Severity

MAX_BYTES = 64 << 20
MAX_DEPTH = 200
_SECTION = 2
"""The depth of a section: a child of the root. Depth 0 is the document."""

INVALID_XML = "0x8004802c"
_START_TAG = re.compile(rb"""<(?:"[^"]*"|'[^']*'|[^>"'])*>""")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element and where it lies: byte offsets of the whole and of its content, and the 1-based line."""

    source: bytes = field(repr=False)
    name: str
    attributes: Mapping[str, str]
    line: int
    start: int
    content: int
    content_end: int
    end: int
    text: str
    children: tuple[Element, ...]

    @property
    def bytes(self) -> bytes:
        """The element as it is written."""
        return self.source[self.start : self.end]

    def child(self, name: str) -> Element | None:
        """Return the first child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> tuple[Element, ...]:
        """Return the children of that name."""
        return tuple(child for child in self.children if child.name == name)


@dataclass(slots=True)
class _Open:
    """An element whose end tag has not come yet."""

    name: str
    attributes: dict[str, str]
    line: int
    start: int
    content: int
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)


class Others(Protocol):
    """Hears the sections that are passed over: their elements and texts, in order. A text may come in pieces."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Hear the start of an element; that of the section comes first."""

    def text(self, text: str) -> None:
        """Hear a piece of text."""

    def end(self) -> None:
        """Hear the end of an element."""


def parse(
    data: bytes, where: str, *, only: str | None = None, others: Others | None = None, limit: int = MAX_BYTES
) -> Element:
    """Return the root element; with ``only``, without what lies in sections of other names, which ``others`` hears.

    Raises Invalid (0x8004802c) for what is no well-formed UTF-8 XML, or has a DOCTYPE.
    """
    if len(data) > limit:
        raise _invalid(f"{len(data)} bytes of XML", Place(where), f"at most {limit} are read")
    return _Parser(data, where, only, others).root()


class _Parser:
    """Drives expat, which reports the byte offset of each tag."""

    def __init__(self, data: bytes, where: str, only: str | None, others: Others | None) -> None:
        self._data = data
        self._where = where
        self._only = only
        self._others = others
        self._passed = 0  # open elements within the section that is passed over
        self._open: list[_Open] = [_Open("", {}, 0, 0, 0)]
        self._expat = expat.ParserCreate("utf-8")
        self._expat.buffer_text = True
        self._expat.XmlDeclHandler = self._declaration
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._read()

    def root(self) -> Element:
        try:
            self._expat.Parse(self._data, True)  # noqa: FBT003 - positional in expat
        except expat.ExpatError as error:
            raise _invalid("this is not well-formed XML", Place(self._where, error.lineno), str(error)) from error
        return self._open[0].children[0]

    def _read(self) -> None:
        """Make elements of what follows."""
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text

    def _pass_over(self) -> None:
        """Make nothing of what follows, up to the end of the section."""
        self._expat.StartElementHandler = self._start_passed
        self._expat.EndElementHandler = self._end_passed
        self._expat.CharacterDataHandler = self._others.text if self._others is not None else None

    def _refuse(self, what: str, why: str) -> NoReturn:
        raise _invalid(what, Place(self._where, self._expat.CurrentLineNumber), why)

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
            self._refuse(f"the encoding {encoding!r} is refused", "solution files are UTF-8")

    def _doctype(self, *_: object) -> None:
        self._refuse("a DOCTYPE is refused", "it could declare entities, and no solution file has one")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._check_depth()
        start = self._expat.CurrentByteIndex
        tag = _START_TAG.match(self._data, start)
        content = tag.end() if tag else start
        self._open.append(_Open(name, attributes, self._expat.CurrentLineNumber, start, content))
        if len(self._open) == _SECTION + 1 and self._only not in {None, name}:
            self._pass_over()
            self._tell_start(name, attributes)

    def _start_passed(self, name: str, attributes: dict[str, str]) -> None:
        self._check_depth()
        self._passed += 1
        self._tell_start(name, attributes)

    def _tell_start(self, name: str, attributes: dict[str, str]) -> None:
        if self._others is not None:
            self._others.start(name, attributes)

    def _end_passed(self, name: str) -> None:
        if self._others is not None:
            self._others.end()
        if self._passed:
            self._passed -= 1
        else:
            self._read()
            self._end(name)

    def _check_depth(self) -> None:
        if len(self._open) + self._passed > MAX_DEPTH:
            self._refuse(f"more than {MAX_DEPTH} levels of elements", "no solution file is that deep")

    def _end(self, _name: str) -> None:
        done = self._open.pop()
        at = self._expat.CurrentByteIndex
        closed = self._data[done.content - 2 : done.content] == b"/>"
        content_end = done.content if closed else at
        end = done.content if closed else self._data.index(b">", at) + 1
        self._open[-1].children.append(
            Element(
                self._data,
                done.name,
                done.attributes,
                done.line,
                done.start,
                done.content,
                content_end,
                end,
                "".join(done.text),
                tuple(done.children),
            )
        )

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)


def _invalid(what: str, where: Place, why: str) -> Invalid:
    return Invalid([Finding(INVALID_XML, Severity.ERROR, what, where, why)])


# --- writing --------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """Return text as element content. Raises Invalid (BND005) for characters that XML cannot hold."""
    if _FORBIDDEN.search(text):
        why = "XML 1.0 has no way to hold it"
        raise Invalid([Finding("BND005", Severity.ERROR, "a text holds a control character", why=why)])
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def quoted(text: str) -> str:
    """Return text as an attribute value with its quotes."""
    value = escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{value}"'


# --- patching -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """A range of bytes and what comes in its place."""

    start: int
    end: int
    data: bytes


def applied(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes with the edits made. Edits do not overlap; those at one place keep their order."""
    parts, at = [], 0
    crlf = b"\r\n" in data
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [data[at : edit.start], _with_line_ends(edit.data, crlf=crlf)]
        at = edit.end
    return b"".join([*parts, data[at:]])


def _with_line_ends(text: bytes, *, crlf: bool) -> bytes:
    text = text.replace(b"\r\n", b"\n")
    return text.replace(b"\n", b"\r\n") if crlf else text


def edits(original: Element, old: Element, new: Element) -> Iterator[Edit]:
    """Yield what turns ``original``, which says what ``old`` says, into saying what ``new`` says."""
    if old.bytes == new.bytes:
        return
    if old.children and new.children and old.attributes == new.attributes and _aligned(original, old):
        yield from _child_edits(original, old, new)
    else:
        yield Edit(original.start, original.end, new.bytes)


def insertion(parent: Element, after: Element | None, data: bytes) -> Edit:
    """Insert an element behind a child of ``parent`` (None: before all), on a line of its own where the others are."""
    if after is not None:
        return Edit(after.end, after.end, space_before(after) + data)
    first = parent.children[0]
    place = parent.content
    return Edit(place, place, space_before(first) + data)


def removal(element: Element) -> Edit:
    """Remove an element with the white space before it."""
    return Edit(element.start - len(space_before(element)), element.end, b"")


def space_before(element: Element) -> bytes:
    """Return the white space that stands before an element."""
    before = element.source[max(0, element.start - 256) : element.start]
    return before[len(before.rstrip()) :]


def _aligned(original: Element, old: Element) -> bool:
    """Whether the children that repeat in ``old`` (lists) are there one for one in the original."""
    if not original.children:
        return False
    counts, have = (Counter(child.name for child in element.children) for element in (old, original))
    return all(have[name] == count for name, count in counts.items() if count > 1)


def _child_edits(original: Element, old: Element, new: Element) -> Iterator[Edit]:
    partners = _partners(original, old)
    before, after = _keys(old, new), _keys(new, old)
    last: Element | None = None
    for _kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        paired = min(b - a, d - c)
        for partner, was, wanted in zip(partners[a:b], old.children[a:b], new.children[c:d], strict=False):
            if partner is not None:
                yield from edits(partner, was, wanted)
                last = partner
            elif was.bytes != wanted.bytes:
                yield insertion(original, last, wanted.bytes)
        for partner in partners[a + paired : b]:
            if partner is not None:
                yield removal(partner)
                last = partner
        for wanted in new.children[c + paired : d]:
            yield insertion(original, last, wanted.bytes)


def _partners(original: Element, old: Element) -> list[Element | None]:
    """Return the child of the original for each child of ``old``: by name, and by position among equal names."""
    named: defaultdict[str, deque[Element]] = defaultdict(deque)
    for child in original.children:
        named[child.name].append(child)
    return [named[child.name].popleft() if named[child.name] else None for child in old.children]


def _keys(element: Element, other: Element) -> list[tuple[str, bytes]]:
    """Return what tells children apart: the name, and for those that repeat on either side all that they say."""
    repeated = {
        name for side in (element, other) for name, n in Counter(c.name for c in side.children).items() if n > 1
    }
    return [(child.name, child.bytes if child.name in repeated else b"") for child in element.children]
