from collections.abc import Mapping

import pytest

from toolkit.bundle.markup import applied, edits, escaped, parse, quoted
from toolkit.errors import Invalid, Place

DOCUMENT = b"""\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r
<!-- top -->\r
<root a="1>2">\r
  <name>x &amp; y</name>\r
  <none />\r
  <nil z='"'></nil>\r
</root>\r
"""


def patched(original: str, old: str, new: str) -> str:
    data = original.encode()
    found = edits(parse(data, "a.xml"), parse(old.encode(), "old"), parse(new.encode(), "new"))
    return applied(data, found).decode()


def test_elements_have_their_bytes_lines_and_text() -> None:
    root = parse(DOCUMENT, "a.xml")
    assert [(child.bytes, child.line, child.text) for child in root.children] == [
        (b"<name>x &amp; y</name>", 4, "x & y"),
        (b"<none />", 5, ""),
        (b"<nil z='\"'></nil>", 6, ""),
    ]
    assert (root.attributes, root.line) == ({"a": "1>2"}, 3)


class Heard:
    def __init__(self) -> None:
        self.events: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.events.append(f"<{name} {dict(attributes)}")

    def text(self, text: str) -> None:
        self.events.append(text)

    def end(self) -> None:
        self.events.append(">")


def test_sections_that_are_passed_over_are_heard_and_no_others() -> None:
    heard = Heard()
    root = parse(b"<r>0<a x='1'>2<b/>3</a><d>4<e/></d><a/>5</r>", "a.xml", only="d", others=heard)
    assert heard.events == ["<a {'x': '1'}", "2", "<b {}", ">", "3", ">", "<a {}", ">"]
    assert (root.text, [child.bytes for child in root.all("a")]) == ("05", [b"<a x='1'>2<b/>3</a>", b"<a/>"])


@pytest.mark.parametrize(("depth", "only"), [(200, "a"), (200, "b"), (201, "a"), (201, "b")])
def test_depth_counts_in_sections_that_are_passed_over_too(depth: int, only: str) -> None:
    data = b"<a>" * depth + b"</a>" * depth
    if depth == 200:
        assert parse(data, "a.xml", only=only).name == "a"
    else:
        with pytest.raises(Invalid, match="more than 200 levels of elements"):
            parse(data, "a.xml", only=only)


def test_of_sections_that_are_not_asked_for_only_the_element_is_kept() -> None:
    root = parse(b"<r><a><b><c/></b></a><d><e/></d></r>", "a.xml", only="d")
    assert [(child.name, [inner.name for inner in child.children]) for child in root.children] == [
        ("a", []),
        ("d", ["e"]),
    ]


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        (b"<a>\n<b></a>", 2, "this is not well-formed XML"),
        (b"", 1, "this is not well-formed XML"),
        (b"<a/>x", 1, "this is not well-formed XML"),
        (b"<a>\xff</a>", 1, "this is not well-formed XML"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>\n<a>&x;</a>', 1, "a DOCTYPE is refused"),
        (b'\n<!DOCTYPE a SYSTEM "http://example.com/a.dtd">\n<a/>', 2, "a DOCTYPE is refused"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', 1, "the encoding 'utf-16' is refused"),
        (b"<a>" * 201 + b"</a>" * 201, 1, "more than 200 levels of elements"),
    ],
)
def test_what_is_no_plain_xml_has_dataverse_s_code(data: bytes, line: int, what: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(data, "a.xml")
    assert (raised.value.code, raised.value.what, raised.value.where) == ("0x8004802c", what, Place("a.xml", line))


def test_too_much_xml_is_refused() -> None:
    with pytest.raises(Invalid) as raised:
        parse(b"<a/>", "a.xml", limit=3)
    assert raised.value.what == "4 bytes of XML"


def test_text_and_attributes_are_escaped_so_that_they_read_back() -> None:
    text = "a<b>&\"'\r\n\t"
    root = parse(f"<a b={quoted(text)}>{escaped(text)}</a>".encode(), "a.xml")
    assert (root.attributes["b"], root.text) == (text, text)


@pytest.mark.parametrize("text", ["\x00", "\x0b", "\ufffe", "\ud800"])
def test_what_xml_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        escaped(f"a{text}")
    assert (raised.value.code, raised.value.what) == ("BND005", "a text holds a control character")


def test_equal_values_leave_every_byte() -> None:
    original = "<a  x='1'><!-- c --><b>1</b>\n\n<odd/></a>"
    assert patched(original, '<a x="1"><b>1</b></a>', '<a x="1"><b>1</b></a>') == original


def test_only_the_element_that_differs_changes() -> None:
    original = "<a>\n  <!-- c -->\n  <b >1</b>\n  <c>2</c>  <odd/>\n</a>"
    new = patched(original, "<a><b>1</b><c>2</c></a>", "<a><b>1</b><c>3</c></a>")
    assert new == original.replace("<c>2</c>", "<c>3</c>")


def test_nested_changes_stay_small() -> None:
    original = "<a><b k='1'><c>1</c><d>2</d></b></a>"
    new = patched(original, "<a><b><c>1</c><d>2</d></b></a>", "<a><b><c>9</c><d>2</d></b></a>")
    assert new == original.replace("<c>1</c>", "<c>9</c>")


def test_an_element_that_is_not_there_is_put_behind_the_one_before_it() -> None:
    original = "<a>\n  <b>1</b>\n  <d>3</d>\n</a>"
    new = patched(original, "<a><b>1</b><c /><d>3</d></a>", "<a><b>1</b><c>2</c><d>3</d></a>")
    assert new == "<a>\n  <b>1</b>\n  <c>2</c>\n  <d>3</d>\n</a>"


def test_an_element_before_all_others_is_put_first() -> None:
    original = "<a>\n  <d>3</d>\n</a>"
    new = patched(original, "<a><c /><d>3</d></a>", "<a><c>2</c><d>3</d></a>")
    assert new == "<a>\n  <c>2</c>\n  <d>3</d>\n</a>"


def test_items_of_a_list_come_and_go_without_touching_the_others() -> None:
    original = "<a>\n  <i v='1' odd='x' />\n  <i v='2'/>\n  <i v='3'/>\n</a>"
    old = '<a><i v="1" /><i v="2" /><i v="3" /></a>'
    assert patched(original, old, '<a><i v="1" /><i v="3" /><i v="4" /></a>') == (
        "<a>\n  <i v='1' odd='x' />\n  <i v='3'/>\n  <i v=\"4\" />\n</a>"
    )


def test_a_list_that_cannot_be_matched_is_written_anew() -> None:
    new = '<a><i v="1" /><i v="2" /><i v="3" /></a>'
    assert patched("<a><i v='1'/><i v='1'/><i v='2'/></a>", '<a><i v="1" /><i v="2" /></a>', new) == new


def test_a_list_becomes_empty_and_an_empty_one_a_list() -> None:
    assert patched("<r><a>\n <i/>\n</a></r>", "<r><a><i /></a></r>", "<r><a /></r>") == "<r><a /></r>"
    assert patched("<r><a></a></r>", "<r><a /></r>", "<r><a><i /></a></r>") == "<r><a><i /></a></r>"


def test_what_is_inserted_has_the_line_ends_of_the_text() -> None:
    original = "<r>\r\n  <a />\r\n</r>"
    assert patched(original, "<r><a /></r>", "<r><a>\n<i />\n</a></r>") == "<r>\r\n  <a>\r\n<i />\r\n</a>\r\n</r>"
