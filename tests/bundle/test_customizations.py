import pytest

from tests.bundle.build import CONFIG, OTHER
from toolkit.bundle import customizations
from toolkit.documents import as_model
from toolkit.errors import Invalid, Place
from toolkit.model.config import ExportConfig

WITHOUT = b"""<ImportExportXml xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Entities />
  <EntityDataProviders />
  <Languages>
    <Language>1033</Language>
  </Languages>
</ImportExportXml>"""
WITH = customizations.written([CONFIG, OTHER])


def read(data: bytes) -> list[ExportConfig]:
    return [as_model(document, ExportConfig) for document in customizations.read(data, "customizations.xml").configs]


def others(data: bytes) -> str | None:
    return customizations.read(data, "customizations.xml").others


def rewritten(template: bytes, *configs: ExportConfig) -> bytes:
    return customizations.rewritten(template, configs, "customizations.xml")


def test_configs_read_back_as_they_were() -> None:
    assert read(WITH) == [CONFIG, OTHER]
    assert read(WITHOUT) == []


def test_braces_and_case_of_an_id_do_not_matter() -> None:
    assert read(WITH.replace(CONFIG.id.encode(), f"{{{CONFIG.id.upper()}}}".encode())) == [CONFIG, OTHER]


def test_an_error_has_the_line_of_its_element() -> None:
    document = customizations.read(WITH, "a.zip/customizations.xml").configs[1]
    assert document.place("entities", 0, "name") == Place("a.zip/customizations.xml", 24, "entities[0].name")
    assert document.place("name").line == 23


def test_every_schema_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Invalid) as raised:
        read(WITH.replace(b'"SubscriptionId"', b"SubscriptionId"))
    found = [(finding.code, finding.what, finding.where.line) for finding in raised.value.findings]
    assert found == [("BND010", "msdyn_schema cannot be read", line) for line in (17, 24)]


def test_a_config_without_schema_lacks_its_storage() -> None:
    section = b"<msdyn_exporttodatalakeconfigs><msdyn_exporttodatalakeconfig/></msdyn_exporttodatalakeconfigs>"
    data = b"<ImportExportXml>" + section + b"</ImportExportXml>"
    with pytest.raises(Invalid) as raised:
        read(data)
    assert [finding.what for finding in raised.value.findings] == [
        "the key 'id' is missing",
        "the key 'name' is missing",
        "the key 'storage' is missing",
    ]


def test_another_root_has_dataverse_s_code() -> None:
    with pytest.raises(Invalid) as raised:
        read(b"<Other/>")
    assert (raised.value.code, raised.value.what) == ("0x8004801a", "this is no customizations.xml")


def test_equal_configs_leave_every_byte() -> None:
    assert rewritten(WITH, OTHER, CONFIG) == WITH


def test_a_changed_config_leaves_the_bytes_of_the_others() -> None:
    data = rewritten(WITH, CONFIG.model_copy(update={"interval_minutes": 30}), OTHER)
    assert data == WITH.replace(b'"SchedulerIntervalInMinutes":60', b'"SchedulerIntervalInMinutes":30', 1)


def test_a_changed_name_changes_one_element() -> None:
    data = rewritten(WITH, CONFIG.model_copy(update={"name": "a & b"}), OTHER)
    assert data == WITH.replace(b"<msdyn_name>contosolake<", b"<msdyn_name>a &amp; b<")


def test_a_config_comes_and_goes_without_a_trace() -> None:
    one = rewritten(WITH, CONFIG)
    assert read(one) == [CONFIG]
    assert rewritten(one, CONFIG, OTHER) == WITH


def test_the_first_config_brings_its_section_before_the_languages() -> None:
    data = rewritten(WITHOUT, CONFIG)
    assert read(data) == [CONFIG]
    assert data.index(b"<EntityDataProviders />") < data.index(b"<msdyn_export") < data.index(b"<Languages>")
    assert rewritten(data) == WITHOUT


def test_an_empty_section_is_filled() -> None:
    empty = WITHOUT.replace(b"  <Languages>", b"  <msdyn_exporttodatalakeconfigs />\n  <Languages>")
    assert rewritten(empty) == empty
    assert rewritten(empty, CONFIG) == rewritten(WITHOUT, CONFIG)


@pytest.mark.parametrize("template", [b"<ImportExportXml />", b"<ImportExportXml><Languages /></ImportExportXml>"])
def test_a_file_with_little_in_it_can_be_filled(template: bytes) -> None:
    assert read(rewritten(template, CONFIG)) == [CONFIG]


def test_a_config_without_schema_can_be_given_one_only_by_replacing_it() -> None:
    bare = WITH.replace(b"<iscustomizable>1</iscustomizable>", b"")
    assert read(rewritten(bare, CONFIG.model_copy(update={"customizable": False}), OTHER))[0].customizable is False


def test_configs_languages_and_empty_sections_are_nothing_else() -> None:
    assert others(WITH) is None
    assert others(WITHOUT) is None


COMPONENTS = WITHOUT.replace(b"<Entities />", b'<Entities><Entity a="1" b="2">x</Entity></Entities>')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", b"\r\n"),
        (b'a="1" b="2"', b"b='2'   a='1'"),
        (b"<Entities>", b"<!-- c --><Entities>\n  "),
        (b"  <EntityDataProviders />\n", b""),
        (b"1033", b"1031"),
        (b">x<", b">&#120;<!-- c --><"),
        (b"<ImportExportXml ", b'<ImportExportXml version="9.2" '),
    ],
)
def test_the_digest_of_components_does_not_depend_on_their_spelling(old: bytes, new: bytes) -> None:
    assert others(COMPONENTS.replace(old, new)) == others(COMPONENTS)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b">x<", b">y<"), (b'a="1"', b'a="3"'), (b"<Entities>", b"<Entities><E />"), (b">x<", b"><Entity>x</Entity><")],
)
def test_the_digest_of_components_changes_with_what_they_say(old: bytes, new: bytes) -> None:
    assert others(COMPONENTS.replace(old, new)) != others(COMPONENTS)


def test_a_long_text_counts_as_one_however_it_is_spelled() -> None:
    data = COMPONENTS.replace(b">x<", b">x" + b"y" * 9000 + b"<")
    assert others(data.replace(b">x", b">&#120;")) == others(data)


def test_configs_do_not_count_in_the_digest_of_components() -> None:
    assert others(rewritten(COMPONENTS, CONFIG)) == others(COMPONENTS)
