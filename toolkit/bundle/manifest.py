"""``solution.xml`` <-> solution. Source: 41 real files (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolkit.bundle.markup import Element, applied, edits, escaped, parse, quoted
from toolkit.documents import Document, KeyPath, as_model
from toolkit.errors import Finding, Invalid, Place, Severity
from toolkit.model.solution import Address, MissingDependency, Publisher, RootComponent, Solution

SCHEMA = "0x8004801a"
"""Dataverse's code for XML that is not what a solution file holds."""

_ROOT = (
    '<ImportExportXml version="9.2.26014.164" SolutionPackageVersion="9.2" languagecode="1033" generatedBy="CrmLive"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)
"""The root of a new file, as an export of early 2026 has it; a newer version could be refused by an older service."""

_MANIFEST = {"UniqueName": "unique_name", "Version": "version", "Managed": "package"}
_PUBLISHER = {
    "UniqueName": "unique_name",
    "EMailAddress": "email",
    "SupportingWebsiteUrl": "website",
    "CustomizationPrefix": "prefix",
    "CustomizationOptionValuePrefix": "option_value_prefix",
}
_LOCALIZED = {"LocalizedNames": "display_names", "Descriptions": "descriptions"}
_ADDRESS = {
    "AddressNumber": "address_number",
    "AddressTypeCode": "address_type_code",
    "City": "city",
    "County": "county",
    "Country": "country",
    "Fax": "fax",
    "FreightTermsCode": "freight_terms_code",
    "ImportSequenceNumber": "import_sequence_number",
    "Latitude": "latitude",
    "Line1": "line1",
    "Line2": "line2",
    "Line3": "line3",
    "Longitude": "longitude",
    "Name": "name",
    "PostalCode": "postal_code",
    "PostOfficeBox": "post_office_box",
    "PrimaryContactName": "primary_contact_name",
    "ShippingMethodCode": "shipping_method_code",
    "StateOrProvince": "state_or_province",
    "Telephone1": "telephone1",
    "Telephone2": "telephone2",
    "Telephone3": "telephone3",
    "TimeZoneRuleVersionNumber": "time_zone_rule_version_number",
    "UPSZone": "ups_zone",
    "UTCOffset": "utc_offset",
    "UTCConversionTimeZoneCode": "utc_conversion_time_zone_code",
}
_COMPONENT = {"type": "type", "id": "id", "schemaName": "schema_name", "behavior": "behavior"}
_UNSET_ADDRESS = {"address_type_code": "1", "shipping_method_code": "1"}
"""What the platform writes for an address that nobody filled in; the model leaves such an address out."""
_STANDARD_ADDRESSES = (1, 2)


# --- XML -> tree ----------------------------------------------------------------------------------------------------


def document(data: bytes, where: str) -> Document:
    """Return ``solution.xml`` as the tree of a Solution, with lines. Raises Invalid where it is no such file."""
    root = parse(data, where)
    manifest = root.child("SolutionManifest") if root.name == "ImportExportXml" else None
    if manifest is None:
        what = "this is no solution.xml"
        why = "it lacks ImportExportXml/SolutionManifest"
        raise Invalid([Finding(SCHEMA, Severity.ERROR, what, Place(where, root.line), why)])
    reader = _Reader()
    tree = reader.solution(manifest)
    return Document(where, tree, {(): manifest.line} | reader.lines)


class _Reader:
    """Reads elements into a tree and remembers their lines."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}

    def solution(self, manifest: Element) -> dict[str, Any]:
        tree = self._texts(manifest, _MANIFEST, ()) | self._localized(manifest, ())
        publisher = manifest.child("Publisher")
        if publisher is not None:
            tree["publisher"] = self._publisher(publisher)
        components = self._all(manifest, "RootComponents", "RootComponent", "root_components")
        tree["root_components"] = [
            {field: item.attributes[name] for name, field in _COMPONENT.items() if name in item.attributes}
            for item in components
        ]
        missing = self._all(manifest, "MissingDependencies", "MissingDependency", "missing_dependencies")
        tree["missing_dependencies"] = [
            {part.lower(): dict(inner.attributes) for part in ("Required", "Dependent") if (inner := item.child(part))}
            for item in missing
        ]
        return tree

    def _publisher(self, element: Element) -> dict[str, Any]:
        path = ("publisher",)
        self.lines[path] = element.line
        tree = self._texts(element, _PUBLISHER, path) | self._localized(element, path)
        addresses = [self._address(item) for item in self._all(element, "Addresses", "Address", *path, "addresses")]
        tree["addresses"] = [address for address in addresses if not _unset(address)]
        return tree

    def _address(self, element: Element) -> dict[str, str]:
        return {field: text for name, field in _ADDRESS.items() if (text := _text(element.child(name)))}

    def _texts(self, parent: Element, names: Mapping[str, str], path: KeyPath) -> dict[str, Any]:
        tree = {}
        for name, field in names.items():
            element = parent.child(name)
            if element is not None and (text := _text(element)):
                self.lines[(*path, field)] = element.line
                tree[field] = text
        return tree

    def _localized(self, parent: Element, path: KeyPath) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for name, field in _LOCALIZED.items():
            element = parent.child(name)
            if element is not None:
                self.lines[(*path, field)] = element.line
                tree[field] = {
                    c.attributes.get("languagecode", ""): c.attributes.get("description", "") for c in element.children
                }
        return tree

    def _all(self, parent: Element, group: str, name: str, *path: str) -> tuple[Element, ...]:
        element = parent.child(group)
        if element is None:
            return ()
        self.lines[path] = element.line
        items = element.all(name)
        self.lines |= {(*path, index): item.line for index, item in enumerate(items)}
        return items


def _text(element: Element | None) -> str:
    return element.text.strip() if element is not None else ""


def _unset(address: Mapping[str, str]) -> bool:
    """Whether this is what the platform writes for an address that nobody filled in."""
    number = address.get("address_number", "")
    return number in map(str, _STANDARD_ADDRESSES) and dict(address) == {"address_number": number, **_UNSET_ADDRESS}


# --- solution -> XML ------------------------------------------------------------------------------------------------


def written(solution: Solution) -> bytes:
    """Return a new ``solution.xml``: children in the platform's order, both addresses with all their fields."""
    lines = [_ROOT, "  <SolutionManifest>", *_manifest(solution), "  </SolutionManifest>", "</ImportExportXml>"]
    return "\n".join(lines).encode()


def rewritten(template: bytes, solution: Solution, where: str) -> bytes:
    """Return ``template`` with what differs from ``solution`` patched; all other bytes stay."""
    was = as_model(document(template, where), Solution)
    old, new = parse(written(was), where), parse(written(solution), where)
    return applied(template, edits(parse(template, where), old, new))


def _manifest(solution: Solution) -> Iterator[str]:
    yield _leaf(4, "UniqueName", solution.unique_name)
    yield from _localized_lines(4, solution)
    yield _leaf(4, "Version", solution.version.text)
    yield _leaf(4, "Managed", str(solution.package.value))
    yield from _group(4, "Publisher", _publisher(solution.publisher))
    yield from _group(4, "RootComponents", map(_component, solution.root_components))
    missing = (line for item in solution.missing_dependencies for line in _missing(item))
    yield from _group(4, "MissingDependencies", missing)


def _publisher(publisher: Publisher) -> Iterator[str]:
    yield _leaf(6, "UniqueName", publisher.unique_name)
    yield from _localized_lines(6, publisher)
    yield _leaf(6, "EMailAddress", publisher.email)
    yield _leaf(6, "SupportingWebsiteUrl", publisher.website)
    yield _leaf(6, "CustomizationPrefix", publisher.prefix)
    yield _leaf(6, "CustomizationOptionValuePrefix", str(publisher.option_value_prefix))
    yield from _group(6, "Addresses", (line for address in _addresses(publisher) for line in _address(address)))


def _addresses(publisher: Publisher) -> list[Address]:
    """Return the publisher's addresses, with the two that the platform always writes."""
    given = {address.address_number for address in publisher.addresses}
    unset = [Address(address_number=n, **_UNSET_ADDRESS) for n in _STANDARD_ADDRESSES if n not in given]
    return sorted([*publisher.addresses, *unset], key=lambda address: address.address_number)


def _address(address: Address) -> Iterator[str]:
    values = {name: getattr(address, field) for name, field in _ADDRESS.items()}
    yield from _group(8, "Address", (_leaf(10, name, None if v is None else str(v)) for name, v in values.items()))


def _component(component: RootComponent) -> str:
    values = {name: getattr(component, field) for name, field in _COMPONENT.items()}
    return f"      <RootComponent{_attributes(values)} />"


def _missing(dependency: MissingDependency) -> Iterator[str]:
    parts = [f"        <Required{_attributes(dependency.required)} />"]
    if dependency.dependent:
        parts.append(f"        <Dependent{_attributes(dependency.dependent)} />")
    return _group(6, "MissingDependency", parts)


def _localized_lines(indent: int, owner: Solution | Publisher) -> Iterator[str]:
    pad = " " * (indent + 2)
    for name, field in _LOCALIZED.items():
        texts: Mapping[int, str] = getattr(owner, field)
        item = name.removesuffix("s")
        values = ({"description": text, "languagecode": str(code)} for code, text in texts.items())
        yield from _group(indent, name, (f"{pad}<{item}{_attributes(value)} />" for value in values))


def _attributes(values: Mapping[str, str | None]) -> str:
    return "".join(f" {name}={quoted(value)}" for name, value in values.items() if value is not None)


def _leaf(indent: int, name: str, text: str | None) -> str:
    content = f' xsi:nil="true"></{name}>' if not text else f">{escaped(text)}</{name}>"
    return f"{' ' * indent}<{name}{content}"


def _group(indent: int, name: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield an element around lines, or an empty element around none."""
    inner, pad = list(lines), " " * indent
    yield from [f"{pad}<{name}>", *inner, f"{pad}</{name}>"] if inner else [f"{pad}<{name} />"]
