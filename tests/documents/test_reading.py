from pathlib import Path

import pytest

from toolkit.documents import load, parse, spelled
from toolkit.errors import Invalid, NotFound, Place


@pytest.mark.parametrize("text", ["1.10", "012", "1_000", "no", "2026-03-01", "0x1F", "1e5"])
def test_a_scalar_stays_the_string_that_was_written(text: str) -> None:
    assert parse(f"value: {text}\n", "a.yaml").data == {"value": text}


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_and_the_words_for_it_are_none(text: str) -> None:
    assert parse(f"value: {text}\n", "a.yaml").data == {"value": None}


def test_a_quoted_null_is_text() -> None:
    assert parse("value: 'null'\n", "a.yaml").data == {"value": "null"}


def test_a_key_spelled_like_null_is_text() -> None:
    assert parse("null: x\n", "a.yaml").data == {"null": "x"}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_text_is_an_empty_mapping(text: str) -> None:
    assert parse(text, "a.yaml").data == {}


def test_every_key_has_its_line() -> None:
    document = parse("# head\na: 1\nb:\n  - name: x\n    size: 2\n  - name: y\n", "a.yaml")
    assert document.place("b", 0, "size") == Place("a.yaml", 5, "b[0].size")
    assert document.place("b", 1) == Place("a.yaml", 6, "b[1]")


def test_a_key_that_is_not_there_has_the_line_of_the_nearest_above_it() -> None:
    document = parse("a: 1\nb:\n  c: 2\n", "a.yaml")
    assert document.place("b", "missing", "deeper") == Place("a.yaml", 2, "b.missing.deeper")


def test_a_key_path_is_spelled_as_people_write_it() -> None:
    assert spelled(("configs", "lake", "entities", 2, "name")) == "configs.lake.entities[2].name"


@pytest.mark.parametrize(
    ("text", "code", "line", "what"),
    [
        ("a: &x 1\n", "DOC005", 1, "an anchor is refused"),
        ("a: 1\nb: *x\n", "DOC005", 2, "an alias is refused"),
        ("a: 1\n<<: {b: 2}\n", "DOC005", 2, "a merge key is refused"),
        ("a: !!int 1\n", "DOC005", 1, "a tag is refused"),
        ("a: ! 1\n", "DOC005", 1, "a tag is refused"),
        ("a: 1\n---\nb: 2\n", "DOC005", 2, "a second document is refused"),
        ("%YAML 1.1\n---\na: 1\n", "DOC005", 2, "a directive is refused"),
        ("? [a, b]\n: 1\n", "DOC007", 1, "a key that is no plain text is refused"),
        ("a: 1\nb: 2\na: 3\n", "DOC008", 3, "a duplicate key"),
        ("a:\n\t- b\n", "DOC004", 2, "this is not valid YAML"),
        ("a: [1\n", "DOC004", 2, "this is not valid YAML"),
        ("a: \x01\n", "DOC004", None, "this is not valid YAML"),
        ('a: "\\UFFFFFFFF"\n', "DOC004", None, "this is not valid YAML"),
        ("a: " + "[" * 40 + "]" * 40, "DOC006", 1, "more than 32 levels of nesting is refused"),
        ("a" * ((4 << 20) + 1), "DOC002", None, "the text is too large"),
    ],
)
def test_what_a_person_would_misread_is_refused(text: str, code: str, line: int | None, what: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(text, "a.yaml")
    assert (raised.value.code, raised.value.where.line, raised.value.what) == (code, line, what)


def test_a_duplicate_key_names_the_line_of_the_first() -> None:
    with pytest.raises(Invalid) as raised:
        parse("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert raised.value.why == "the key 'a' stands in line 1 already"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load(path).data == {"a": "1", "b": "2"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        load(tmp_path / "a.yaml")
    assert (raised.value.code, raised.value.what) == ("DOC001", f"there is no file {tmp_path / 'a.yaml'}")


def test_a_missing_file_is_answered_with_the_nearest_name_beside_it(tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").touch()
    with pytest.raises(NotFound) as raised:
        load(tmp_path / "prd.yaml")
    assert raised.value.fix == "did you mean 'prod.yaml'?"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        load(tmp_path / "no" / "a.yaml")
    assert raised.value.fix == f"there is no folder {tmp_path / 'no'} either"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        load(tmp_path)
    assert raised.value.code == "DOC001"


def test_bytes_that_are_not_utf_8_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(Invalid) as raised:
        load(path)
    assert (raised.value.code, raised.value.where) == ("DOC003", Place(str(path), 2))


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(Invalid) as raised:
        load(path)
    assert raised.value.code == "DOC002"


def test_a_place_shows_what_a_terminal_could_not() -> None:
    document = parse('"a\\e[2Jb": {c: d}\n', "a.yaml")
    assert str(document.place("a\x1b[2Jb", "c")) == r"a.yaml:1 'a\x1b[2Jb'.c"
