import pytest

from tests.bundle.build import SOLUTION
from toolkit.bundle import manifest
from toolkit.bundle.markup import parse
from toolkit.documents import as_model, findings
from toolkit.errors import Invalid, Place
from toolkit.model.solution import Address, MissingDependency, Package, RootComponent, Solution
from toolkit.model.version import Version

REAL = """\
<ImportExportXml version="9.1.0.1096" generatedBy="CrmLive" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <SolutionManifest>
    <UniqueName>ContosoLake</UniqueName>
    <LocalizedNames>
      <LocalizedName description="Contoso Lake" languagecode="1033" />
    </LocalizedNames>
    <Descriptions />
    <Version>1.10</Version>
    <Managed>1</Managed>
    <Publisher>
      <UniqueName>contoso</UniqueName>
      <LocalizedNames />
      <Descriptions />
      <EMailAddress xsi:nil="true"></EMailAddress>
      <SupportingWebsiteUrl>https://contoso.example</SupportingWebsiteUrl>
      <CustomizationPrefix>cts</CustomizationPrefix>
      <CustomizationOptionValuePrefix>72700</CustomizationOptionValuePrefix>
      <Addresses>
        <Address>
          <AddressNumber>1</AddressNumber>
          <AddressTypeCode>1</AddressTypeCode>
          <City>Zürich</City>
          <ShippingMethodCode>1</ShippingMethodCode>
        </Address>
        <Address>
          <AddressNumber>2</AddressNumber>
          <AddressTypeCode>1</AddressTypeCode>
          <City xsi:nil="true"></City>
          <ShippingMethodCode>1</ShippingMethodCode>
        </Address>
      </Addresses>
    </Publisher>
    <RootComponents>
      <RootComponent type="1" schemaName="cts_a" behavior="0" />
      <RootComponent type="510" id="{653ae937-c02f-ed11-9db1-0022482dfdbf}" behavior="0" odd="kept" />
    </RootComponents>
    <MissingDependencies>
      <MissingDependency>
        <Required type="1" schemaName="x" solution="Core (1.0)"><package>kept</package></Required>
        <Dependent type="1" schemaName="y" />
      </MissingDependency>
    </MissingDependencies>
  </SolutionManifest>
</ImportExportXml>""".replace("\n", "\r\n").encode()
READ = Solution(
    unique_name="ContosoLake",
    display_names={1033: "Contoso Lake"},
    version=Version("1.10"),
    package=Package.MANAGED,
    publisher=SOLUTION.publisher.model_copy(
        update={
            "website": "https://contoso.example",
            "addresses": (Address(address_number=1, address_type_code="1", city="Zürich", shipping_method_code="1"),),
        }
    ),
    root_components=(
        RootComponent(type="1", schema_name="cts_a", behavior="0"),
        RootComponent(type="510", id="{653ae937-c02f-ed11-9db1-0022482dfdbf}", behavior="0"),
    ),
    missing_dependencies=(
        MissingDependency(
            required={"type": "1", "schemaName": "x", "solution": "Core (1.0)"},
            dependent={"type": "1", "schemaName": "y"},
        ),
    ),
)


def read(data: bytes) -> Solution:
    return as_model(manifest.document(data, "solution.xml"), Solution)


def rewritten(**changes: object) -> str:
    return manifest.rewritten(REAL, READ.model_copy(update=changes), "solution.xml").decode()


def real(*changes: tuple[str, str]) -> str:
    text = REAL.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_real_file_says_the_solution() -> None:
    assert read(REAL) == READ
    assert READ.version.text == read(REAL).version.text == "1.10"


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbf" + REAL, REAL.replace(b"\r\n", b"\n"), b'<?xml version="1.0"?>' + REAL]
)
def test_byte_order_mark_line_ends_and_declaration_do_not_matter(data: bytes) -> None:
    assert read(data) == READ


@pytest.mark.parametrize("value", [0, 1, 2])
def test_all_values_of_managed_are_read(value: int) -> None:
    assert read(REAL.replace(b"<Managed>1<", f"<Managed>{value}<".encode())).package == Package(value)


def test_every_part_has_its_line() -> None:
    document = manifest.document(REAL, "a.zip/solution.xml")
    lines = [document.place(*keys).line for keys in (("version",), ("publisher", "prefix"), ("root_components", 1))]
    assert lines == [8, 16, 35]


def test_an_error_has_the_line_of_its_element() -> None:
    document = manifest.document(REAL.replace(b"<Version>1.10<", b"<Version>one<"), "a.zip/solution.xml")
    assert [finding.where for finding in findings(document, Solution)] == [Place("a.zip/solution.xml", 8, "version")]


@pytest.mark.parametrize("data", [b"<ImportExportXml/>", b"<Other><SolutionManifest/></Other>"])
def test_what_is_no_solution_file_has_dataverse_s_code(data: bytes) -> None:
    with pytest.raises(Invalid) as raised:
        manifest.document(data, "solution.xml")
    assert (raised.value.code, raised.value.what) == ("0x8004801a", "this is no solution.xml")


def test_a_file_of_another_tool_may_lack_what_can_be_empty() -> None:
    short = b"""<ImportExportXml><SolutionManifest><UniqueName>ContosoLake</UniqueName><Version>1.0.0.0</Version>
    <Publisher><UniqueName>contoso</UniqueName><CustomizationPrefix>cts</CustomizationPrefix>
    <CustomizationOptionValuePrefix>72700</CustomizationOptionValuePrefix></Publisher>
    </SolutionManifest></ImportExportXml>"""
    assert read(short) == SOLUTION.model_copy(update={"display_names": {}})
    named = manifest.rewritten(short, SOLUTION, "solution.xml").decode()
    assert named.count("<LocalizedName ") == 1
    assert read(named.encode()) == SOLUTION


def test_an_equal_solution_leaves_every_byte() -> None:
    assert rewritten() == REAL.decode()


def test_a_new_version_changes_one_element() -> None:
    assert rewritten(version=Version("2.0.0.0")) == real(("<Version>1.10<", "<Version>2.0.0.0<"))


def test_managed_changes_one_element() -> None:
    assert rewritten(package=Package.UNMANAGED) == real(("<Managed>1<", "<Managed>0<"))


def test_another_spelling_of_an_equal_version_is_written() -> None:
    assert rewritten(version=Version("1.10.0.0")) == real(("<Version>1.10<", "<Version>1.10.0.0<"))


def test_a_field_of_the_publisher_gains_a_value() -> None:
    publisher = READ.publisher.model_copy(update={"email": "lake@contoso.example"})
    assert rewritten(publisher=publisher) == real(
        ('<EMailAddress xsi:nil="true"></EMailAddress>', "<EMailAddress>lake@contoso.example</EMailAddress>")
    )


def test_a_component_that_goes_leaves_the_bytes_of_the_others() -> None:
    assert rewritten(root_components=READ.root_components[1:]) == real(
        ('      <RootComponent type="1" schemaName="cts_a" behavior="0" />\r\n', "")
    )


def test_a_component_that_comes_stands_behind_the_others() -> None:
    added = RootComponent(type="1", schema_name="cts_b")
    assert rewritten(root_components=(*READ.root_components, added)) == real(
        ('odd="kept" />', 'odd="kept" />\r\n      <RootComponent type="1" schemaName="cts_b" />')
    )


def test_a_field_of_an_address_changes_alone() -> None:
    city = READ.publisher.addresses[0].model_copy(update={"city": "Bern"})
    publisher = READ.publisher.model_copy(update={"addresses": (city,)})
    assert rewritten(publisher=publisher) == real(("<City>Zürich</City>", "<City>Bern</City>"))


def test_a_new_file_has_what_real_ones_have() -> None:
    root = parse(manifest.written(SOLUTION), "solution.xml")
    children = root.children[0].children
    assert [child.name for child in children] == [
        "UniqueName",
        "LocalizedNames",
        "Descriptions",
        "Version",
        "Managed",
        "Publisher",
        "RootComponents",
        "MissingDependencies",
    ]
    addresses = children[5].children[-1].children
    assert [len(address.children) for address in addresses] == [26, 26]


def test_a_new_file_says_the_solution() -> None:
    assert read(manifest.written(READ)) == READ


def test_a_new_file_has_no_byte_order_mark_and_no_declaration() -> None:
    assert manifest.written(SOLUTION).startswith(b"<ImportExportXml ")
