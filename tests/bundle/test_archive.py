import io
import struct
import zipfile

import pytest

from toolkit.bundle import LIMITS, Archive, Limits, read_archive
from toolkit.bundle.archive import ordered
from toolkit.errors import Invalid

ROOT = {"customizations.xml": b"<a/>", "[Content_Types].xml": b"<b/>", "solution.xml": b"<c/>"}


def zipped(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return buffer.getvalue()


def refusals(data: bytes, limits: Limits = LIMITS) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as raised:
        read_archive(data, "a.zip", limits)
    return [(finding.code, finding.what) for finding in raised.value.findings]


def test_members_are_read_as_they_are() -> None:
    assert read_archive(zipped([*ROOT.items(), ("x/y.json", b"{}")]), "a.zip") == Archive(ROOT | {"x/y.json": b"{}"})


def test_archives_are_equal_by_members_in_any_order() -> None:
    assert Archive(ROOT) == Archive(dict(reversed(ROOT.items())))
    assert Archive(ROOT) != Archive(ROOT | {"x": b""})


def test_the_same_members_give_the_same_bytes() -> None:
    first, second = ordered(ROOT | {"b": b"1", "a": b"2"}), ordered({"a": b"2", "b": b"1"} | ROOT)
    assert first.to_bytes() == second.to_bytes()
    assert list(first.members) == ["customizations.xml", "[Content_Types].xml", "solution.xml", "a", "b"]


def test_a_zip_names_no_time_and_no_platform() -> None:
    with zipfile.ZipFile(io.BytesIO(Archive(ROOT).to_bytes())) as archive:
        infos = archive.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.create_system for info in infos} == {0}
    assert {info.compress_type for info in infos} == {zipfile.ZIP_DEFLATED}


def test_folders_are_no_members() -> None:
    assert read_archive(zipped([*ROOT.items(), ("x/", b"")]), "a.zip") == Archive(ROOT)


@pytest.mark.parametrize("data", [b"", b"no zip", zipped([*ROOT.items()])[:-30]])
def test_what_is_no_zip_has_dataverse_s_code(data: bytes) -> None:
    assert refusals(data) == [("0x80048060", "this is not a readable zip")]


def test_every_missing_root_member_is_named() -> None:
    assert refusals(zipped([("solution.xml", b"")])) == [
        ("0x80048060", "the member customizations.xml is missing"),
        ("0x80048060", "the member [Content_Types].xml is missing"),
    ]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\\b", "C:x", "a\nb"])
def test_a_name_that_must_not_become_a_path_is_refused(name: str) -> None:
    assert refusals(zipped([*ROOT.items(), (name, b"")])) == [("BND001", f"the member name {name!r} is refused")]


def test_a_name_that_goes_on_behind_a_nul_is_refused() -> None:
    data = zipped([*ROOT.items(), ("a~b", b"")]).replace(b"a~b", b"a\0b")
    assert refusals(data) == [("BND001", "the member name 'a\\x00b' is refused")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["solution.xml", "Solution.XML"])
def test_a_name_that_is_there_twice_is_refused(name: str) -> None:
    assert refusals(zipped([*ROOT.items(), (name, b"")])) == [("BND002", "the member 'solution.xml' is there 2 times")]


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(zipped([*ROOT.items()]))
    at = data.index(b"PK\x01\x02")
    data[at + 8 : at + 10] = struct.pack("<H", 1)
    assert refusals(bytes(data)) == [("BND003", "a member is encrypted")]


def test_an_unknown_compression_is_refused() -> None:
    assert (
        refusals(zipped([*ROOT.items()], zipfile.ZIP_BZIP2))
        == [("0x80048060", "a member has an unknown compression")] * 3
    )


def test_damaged_data_is_refused() -> None:
    data = bytearray(zipped([*ROOT.items()], zipfile.ZIP_STORED))
    data[data.index(b"<a/>")] ^= 1
    assert refusals(bytes(data)) == [("0x80048060", "this is not a readable zip")]


def test_a_bomb_is_refused_before_it_is_expanded() -> None:
    data = zipped([*ROOT.items(), ("zeros", b"\0" * (1 << 21))])
    assert refusals(data) == [("BND004", f"2097164 bytes expanded from {len(data)}")]


def test_too_many_members_and_bytes_are_refused() -> None:
    found = refusals(zipped([*ROOT.items()]), Limits(files=2, size=11))
    assert found == [("BND004", "3 files"), ("BND004", "12 bytes")]
