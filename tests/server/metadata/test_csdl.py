"""The model as CSDL 4.0: the rules of the OASIS specification, those of its published XML schema and the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.server.metadata.calls import Api, metadata_api
from toolkit.server.metadata.operations import OPERATIONS
from toolkit.server.routes import ROUTES

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
EDMX = "{http://docs.oasis-open.org/odata/ns/edmx}"
Element = ET.Element

CHILDREN = {
    "Schema": {"EntityType", "ComplexType", "EnumType", "Function", "Action", "EntityContainer"},
    "EntityType": {"Key", "Property", "NavigationProperty"},
    "Key": {"PropertyRef"},
    "PropertyRef": set(),
    "ComplexType": {"Property"},
    "EnumType": {"Member"},
    "Member": set(),
    "Property": set(),
    "NavigationProperty": {"ReferentialConstraint"},
    "ReferentialConstraint": set(),
    "Function": {"Parameter", "ReturnType"},
    "Action": {"Parameter", "ReturnType"},
    "Parameter": set(),
    "ReturnType": set(),
    "EntityContainer": {"EntitySet", "FunctionImport", "ActionImport"},
    "EntitySet": {"NavigationPropertyBinding", "Annotation"},
    "NavigationPropertyBinding": set(),
    "FunctionImport": set(),
    "ActionImport": set(),
    "Annotation": {"Record"},
    "Record": {"PropertyValue"},
    "PropertyValue": set(),
}
"""What the published schema allows within an element, of the elements that are used."""
ATTRIBUTES = {
    "Schema": ({"Namespace"}, {"Alias"}),
    "EntityType": ({"Name"}, {"BaseType", "Abstract"}),
    "PropertyRef": ({"Name"}, set()),
    "ComplexType": ({"Name"}, {"OpenType"}),
    "EnumType": ({"Name"}, set()),
    "Member": ({"Name"}, set()),
    "Property": ({"Name", "Type"}, {"Nullable", "Scale"}),
    "NavigationProperty": ({"Name", "Type"}, {"Partner"}),
    "ReferentialConstraint": ({"Property", "ReferencedProperty"}, set()),
    "Function": ({"Name"}, {"IsBound"}),
    "Action": ({"Name"}, {"IsBound"}),
    "Parameter": ({"Name", "Type"}, {"Nullable"}),
    "ReturnType": ({"Type"}, set()),
    "EntityContainer": ({"Name"}, set()),
    "EntitySet": ({"Name", "EntityType"}, set()),
    "NavigationPropertyBinding": ({"Path", "Target"}, set()),
    "FunctionImport": ({"Name", "Function"}, set()),
    "ActionImport": ({"Name", "Action"}, set()),
    "Annotation": ({"Term"}, set()),
    "PropertyValue": ({"Property", "Bool"}, set()),
}
"""The attributes that an element has to have, and those that it may have."""
OF_METADATA = {"EntityDefinitions", "GlobalOptionSetDefinitions", "RelationshipDefinitions", "Attributes", "Keys"}
"""Words of addresses that are no operations."""
PRIMITIVES = {f"Edm.{name}" for name in ("Boolean", "Date", "DateTimeOffset", "Decimal", "Double", "Guid", "Int32")} | {
    "Edm.Int64",
    "Edm.String",
    "Edm.Binary",
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with metadata_api(Path(tmp_path_factory.mktemp("csdl"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def schema(api: Api) -> Element:
    root = ET.fromstring(api.call("GET", "$metadata").body)  # noqa: S314 - what the server under test says
    assert (root.tag, root.get("Version")) == (f"{EDMX}Edmx", "4.0")
    (found,) = root.findall(f"{EDMX}DataServices/{EDM}Schema")
    return found


def named(parent: Element, tag: str) -> dict[str, Element]:
    return {each.get("Name", ""): each for each in parent.findall(EDM + tag)}


def bare(kind: str) -> str:
    return kind.removeprefix("Collection(").removesuffix(")")


def navigations(schema: Element) -> Iterator[tuple[str, str, Element]]:
    for name, entity in named(schema, "EntityType").items():
        for each in entity.findall(f"{EDM}NavigationProperty"):
            yield name, bare(each.get("Type", "")).removeprefix("mscrm."), each


def test_the_document_is_xml_of_the_version_of_odata(api: Api) -> None:
    answer = api.call("GET", "$metadata")
    assert answer.headers == {"Content-Type": "application/xml", "OData-Version": "4.0"}
    assert answer.body.startswith(b'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0"')


def test_elements_hold_what_the_published_schema_allows(schema: Element) -> None:
    for element in schema.iter():
        assert {child.tag.removeprefix(EDM) for child in element} <= CHILDREN[element.tag.removeprefix(EDM)]


def test_elements_have_the_attributes_of_the_published_schema(schema: Element) -> None:
    for element in schema.iter():
        needed, allowed = ATTRIBUTES.get(element.tag.removeprefix(EDM), (set(), set()))
        assert needed <= set(element.keys()) <= needed | allowed


def test_every_type_that_is_named_is_there(schema: Element) -> None:
    own = {f"mscrm.{name}" for tag in ("EntityType", "ComplexType", "EnumType") for name in named(schema, tag)}
    kinds = {bare(each.get("Type") or each.get("EntityType") or "") for each in schema.iter()} - {""}
    bases = {each.get("BaseType") for each in schema.iter() if each.get("BaseType")}
    assert kinds | bases <= own | PRIMITIVES


def test_names_are_unique_in_their_type_and_in_the_schema(schema: Element) -> None:
    for parent in [schema, *schema.iter(f"{EDM}EntityType"), *schema.iter(f"{EDM}EntityContainer")]:
        names = [each.get("Name") for each in parent if each.get("Name")]
        assert len(names) == len(set(names))


def test_keys_are_properties_that_are_never_null(schema: Element) -> None:
    for name, entity in named(schema, "EntityType").items():
        for reference in entity.findall(f"{EDM}Key/{EDM}PropertyRef"):
            found = named(entity, "Property")[reference.get("Name", "")]
            assert found.get("Nullable") == "false", name


def test_partners_lead_back_to_where_they_came_from(schema: Element) -> None:
    ways = {(owner, each.get("Name")): (target, each.get("Partner")) for owner, target, each in navigations(schema)}
    partners = {way: (target, partner) for way, (target, partner) in ways.items() if partner}
    assert partners
    for (owner, name), (target, partner) in partners.items():
        assert ways[target, partner] == (owner, name)


def test_constraints_name_the_column_and_the_key_that_it_holds(schema: Element) -> None:
    types = named(schema, "EntityType")
    found = [(owner, target, each.find(f"{EDM}ReferentialConstraint")) for owner, target, each in navigations(schema)]
    held = [(owner, target, each) for owner, target, each in found if each is not None]
    assert held
    for owner, target, constraint in held:
        assert constraint.get("Property") in named(types[owner], "Property")
        assert constraint.get("ReferencedProperty") in named(types[target], "Property")


def test_bindings_lead_from_ways_of_the_type_to_sets_of_the_target(schema: Element) -> None:
    sets = named(container(schema), "EntitySet")
    ways = {(owner, each.get("Name")): target for owner, target, each in navigations(schema)}
    for each in sets.values():
        for binding in each.findall(f"{EDM}NavigationPropertyBinding"):
            target = sets[binding.get("Target", "")].get("EntityType", "").removeprefix("mscrm.")
            assert ways[each.get("EntityType", "").removeprefix("mscrm."), binding.get("Path")] == target


def container(schema: Element) -> Element:
    (found,) = schema.findall(f"{EDM}EntityContainer")
    return found


def test_sets_that_are_tracked_say_so(schema: Element) -> None:
    sets = named(container(schema), "EntitySet")
    tracked = {name for name, each in sets.items() if each.find(f"{EDM}Annotation") is not None}
    assert tracked == {"accounts", "notes", "cts_everies"}
    annotation = sets["notes"].find(f"{EDM}Annotation")
    assert annotation is not None
    assert annotation.get("Term") == "Org.OData.Capabilities.V1.ChangeTracking"
    value = annotation.find(f"{EDM}Record/{EDM}PropertyValue")
    assert value is not None
    assert value.attrib == {"Property": "Supported", "Bool": "true"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cts_name", "Edm.String"),
        ("cts_integer", "Edm.Int32"),
        ("cts_bigint", "Edm.Int64"),
        ("cts_decimal", "Edm.Decimal"),
        ("cts_choice", "Edm.Int32"),
        ("cts_multi", "Edm.String"),
        ("_cts_lookup_value", "Edm.Guid"),
        ("cts_instant", "Edm.DateTimeOffset"),
        ("cts_day", "Edm.Date"),
        ("cts_wall", "Edm.DateTimeOffset"),
    ],
)
def test_properties_have_the_types_of_their_json(schema: Element, name: str, kind: str) -> None:
    assert named(named(schema, "EntityType")["cts_every"], "Property")[name].get("Type") == kind


def test_decimals_have_digits_after_the_point(schema: Element) -> None:
    assert named(named(schema, "EntityType")["cts_every"], "Property")["cts_money"].get("Scale") == "Variable"


def test_unbound_operations_are_imported(schema: Element) -> None:
    held = container(schema)
    imported = {*named(held, "FunctionImport"), *named(held, "ActionImport")}
    assert imported == {operation.name for operation in OPERATIONS if not operation.bound_to}


def test_the_operations_are_those_of_the_routes() -> None:
    paths = [re.sub(r"\(\?P<\w+>|Microsoft\W{1,4}Dynamics\W{1,4}CRM", "", route.pattern) for route in ROUTES]
    named = {name for path in paths for name in re.findall(r"(?<![\w\[\\-])[A-Z][A-Za-z]{4,}", path)}
    assert named - OF_METADATA == {operation.name for operation in OPERATIONS}


def test_an_operation_is_told_where_its_entity_is(api: Api) -> None:
    assert b"RetrieveUserPrivileges" not in api.call("GET", "$metadata").body.replace(
        b"RetrieveUserPrivilegesResponse", b""
    )
