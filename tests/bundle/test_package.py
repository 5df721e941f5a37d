import pytest
from hypothesis import given, settings

from tests.bundle.build import BUNDLE, CONFIG, PROD, bundles
from toolkit.bundle import Archive, read_archive, read_bundle, write_bundle
from toolkit.bundle.content_types import content_types
from toolkit.errors import Invalid
from toolkit.model.bundle import Bundle
from toolkit.model.solution import Package

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
)
XML = '<Default Extension="xml" ContentType="application/octet-stream" />'
YAML = '<Default Extension="yaml" ContentType="application/octet-stream" />'


@given(bundles)
@settings(max_examples=25, deadline=None)
def test_a_bundle_reads_back_from_its_zip_as_it_was(bundle: Bundle) -> None:
    archive = read_archive(write_bundle(bundle, None).to_bytes(), "a.zip")
    assert read_bundle(archive, "a.zip") == bundle


@given(bundles, bundles)
@settings(max_examples=25, deadline=None)
def test_any_zip_can_be_rewritten_to_any_bundle(before: Bundle, after: Bundle) -> None:
    template = write_bundle(before, None)
    assert read_bundle(write_bundle(after, template), "a.zip") == after
    assert write_bundle(read_bundle(template, "a.zip"), template) == template


def test_writing_over_itself_changes_no_byte() -> None:
    archive = write_bundle(BUNDLE, None)
    assert write_bundle(BUNDLE, archive) == archive


def test_the_content_types_stand_on_one_line_and_name_every_extension() -> None:
    assert write_bundle(BUNDLE, None).members["[Content_Types].xml"].decode() == f"{HEAD}{XML}{YAML}</Types>"


def test_a_bundle_without_overlays_is_a_plain_solution_zip() -> None:
    archive = write_bundle(BUNDLE.model_copy(update={"overlays": {}}), None)
    assert list(archive.members) == ["customizations.xml", "[Content_Types].xml", "solution.xml"]


def test_overlays_travel_in_the_zip() -> None:
    archive = write_bundle(BUNDLE, None)
    assert archive.members["toolkit/environments/prod.yaml"].startswith(b"# yaml-language-server: $schema=overlay.")
    assert read_bundle(archive, "a.zip").overlays == {"prod": PROD}


def test_an_overlay_that_is_gone_loses_its_member() -> None:
    archive = write_bundle(BUNDLE.model_copy(update={"overlays": {}}), write_bundle(BUNDLE, None))
    assert "toolkit/environments/prod.yaml" not in archive.members


def test_an_equal_overlay_keeps_its_text_and_a_changed_one_its_comments() -> None:
    text = b"configs: # here\n  contosolake: {storage_account: contosoprod, interval_minutes: 30}\n"
    template = Archive({"toolkit/environments/prod.yaml": text})
    assert write_bundle(BUNDLE, template).members["toolkit/environments/prod.yaml"] == text
    config = PROD.configs["contosolake"].model_copy(update={"interval_minutes": 5})
    faster = PROD.model_copy(update={"configs": {"contosolake": config}})
    changed = write_bundle(BUNDLE.model_copy(update={"overlays": {"prod": faster}}), template)
    assert b"configs: # here\n" in changed.members["toolkit/environments/prod.yaml"]
    assert read_bundle(changed, "a.zip").overlays == {"prod": faster}


def test_other_members_stay_and_count_as_digests() -> None:
    archive = write_bundle(BUNDLE, Archive({"Workflows/a.json": b"{}"}))
    assert archive.members["Workflows/a.json"] == b"{}"
    assert dict(read_bundle(archive, "a.zip").package) == {
        "Workflows/a.json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    }


def test_components_in_the_customizations_count_as_a_digest() -> None:
    archive = write_bundle(BUNDLE, None)
    data = archive.members["customizations.xml"].replace(b"<Roles />", b"<Roles><Role /></Roles>")
    found = read_bundle(Archive({**archive.members, "customizations.xml": data}), "a.zip")
    assert list(found.package) == ["customizations.xml"]
    assert found.digest != BUNDLE.digest


def test_managed_and_unmanaged_differ_in_one_element_and_have_one_digest() -> None:
    managed = BUNDLE.solution.model_copy(update={"package": Package.MANAGED})
    before = write_bundle(BUNDLE, None).members["solution.xml"]
    bundle = BUNDLE.model_copy(update={"solution": managed})
    assert write_bundle(bundle, None).members["solution.xml"] == before.replace(b"<Managed>0<", b"<Managed>1<")
    assert bundle.digest == BUNDLE.digest


def test_configs_are_held_in_the_order_of_their_names() -> None:
    assert Bundle(solution=BUNDLE.solution, configs=BUNDLE.configs[::-1]).configs == BUNDLE.configs


def test_the_findings_of_all_members_come_together() -> None:
    archive = write_bundle(BUNDLE, None)
    members = {
        **archive.members,
        "solution.xml": archive.members["solution.xml"].replace(b"1.0.0.0", b"one"),
        "customizations.xml": archive.members["customizations.xml"].replace(b"<statecode>0", b"<statecode>x"),
        "toolkit/environments/prod.yaml": b"configs: [",
    }
    with pytest.raises(Invalid) as raised:
        read_bundle(Archive(members), "a.zip")
    assert [finding.where.path for finding in raised.value.findings] == [
        "a.zip/toolkit/environments/prod.yaml",
        "a.zip/solution.xml",
        "a.zip/customizations.xml",
        "a.zip/customizations.xml",
    ]


def test_an_overlay_that_is_not_utf_8_is_a_finding() -> None:
    members = {**write_bundle(BUNDLE, None).members, "toolkit/environments/prod.yaml": b"\xff"}
    with pytest.raises(Invalid) as raised:
        read_bundle(Archive(members), "a.zip")
    assert raised.value.code == "DOC003"


def test_extensions_that_are_there_are_not_added_again() -> None:
    data = f"\ufeff{HEAD}{XML}</Types>".encode()
    assert content_types(["a.xml", "b.XML"], data, "c") == data


def test_only_missing_extensions_are_added() -> None:
    data = f"\ufeff{HEAD}{XML}</Types>".encode()
    assert content_types(["a.xml", "b.json"], data, "c") == data.replace(
        b"</Types>", b'<Default Extension="json" ContentType="application/octet-stream" /></Types>'
    )


def test_a_member_without_extension_has_an_override() -> None:
    added = '<Override PartName="/x/bare" ContentType="application/octet-stream" />'
    data = content_types(["a.xml", "x/bare"], None, "c")
    assert data.decode() == f"{HEAD}{XML}{added}</Types>"
    assert content_types(["a.xml", "x/bare"], data, "c") == data


def test_an_empty_list_of_types_is_made_new() -> None:
    assert content_types(["a.xml"], b"<Types />", "c").decode() == f"{HEAD}{XML}</Types>"


def test_a_config_keeps_its_identity() -> None:
    assert read_bundle(write_bundle(BUNDLE, None), "a.zip").configs[0].id == CONFIG.id
