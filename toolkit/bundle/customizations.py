"""The export configs in ``customizations.xml`` <-> export configs, and a digest of what else is in there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.bundle import wire
from toolkit.bundle.markup import Edit, Element, Others, applied, edits, escaped, insertion, parse, quoted, removal
from toolkit.documents import Document, KeyPath, as_model
from toolkit.errors import Finding, Invalid, Place, Severity
from toolkit.model.config import ExportConfig

SECTION = "msdyn_exporttodatalakeconfigs"
CONFIG = "msdyn_exporttodatalakeconfig"
_ID = "msdyn_exporttodatalakeconfigid"
_FIELDS = {
    "msdyn_name": "name",
    "iscustomizable": "customizable",
    "statecode": "state",
    "statuscode": "status",
}
_BEFORE = (
    "Entities",
    "Roles",
    "Workflows",
    "FieldSecurityProfiles",
    "Templates",
    "EntityMaps",
    "EntityRelationships",
    "OrganizationSettings",
    "optionsets",
    "CustomControls",
    "EntityDataProviders",
)
"""The sections of a file without components, in the platform's order; table-backed sections follow, then languages."""
_LANGUAGES = "Languages"
_ROOT = '<ImportExportXml xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'


# --- XML -> trees ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Contents:
    """Each export config as the tree of an ExportConfig, with lines; ``others`` is the digest of all else, or None."""

    configs: tuple[Document, ...]
    others: str | None


def read(data: bytes, where: str) -> Contents:
    """Return what a file holds, in one pass.

    Raises Invalid for what is no such file, and with every ``msdyn_schema`` that cannot be read (BND010).
    """
    found: list[Document] = []
    findings: list[Finding] = []
    others = _Others()
    for element in _configs(_root(data, where, others)):
        try:
            found.append(_document(element, where))
        except Invalid as error:
            findings += error.findings
    if findings:
        raise Invalid(findings)
    return Contents(tuple(found), others.digest)


def _root(data: bytes, where: str, others: Others | None = None) -> Element:
    root = parse(data, where, only=SECTION, others=others)
    if root.name != "ImportExportXml":
        what = "this is no customizations.xml"
        raise Invalid([Finding("0x8004801a", Severity.ERROR, what, Place(where, root.line), "its root is another")])
    return root


def _configs(root: Element) -> tuple[Element, ...]:
    return tuple(config for section in root.all(SECTION) for config in section.all(CONFIG))


def _document(element: Element, where: str) -> Document:
    lines: dict[KeyPath, int] = {(): element.line}
    tree = _schema_tree(element, where, lines)
    for name, field in _FIELDS.items():
        child = element.child(name)
        if child is not None and child.text.strip():
            tree[field] = child.text.strip()
            lines[field,] = child.line
    if _ID in element.attributes:
        tree["id"] = element.attributes[_ID].strip("{}")
    return Document(where, tree, lines)


def _schema_tree(element: Element, where: str, lines: dict[KeyPath, int]) -> dict[str, Any]:
    schema = element.child("msdyn_schema")
    if schema is None:
        return {}
    try:
        tree = wire.tree(schema.text)
    except (ValueError, RecursionError) as error:
        what = "msdyn_schema cannot be read"
        raise Invalid([Finding("BND010", Severity.ERROR, what, Place(where, schema.line), str(error))]) from error
    lines |= {(field,): schema.line for field in tree}
    return tree


# --- configs -> XML -------------------------------------------------------------------------------------------------


def written(configs: Sequence[ExportConfig]) -> bytes:
    """Return a new ``customizations.xml`` that holds the configs and nothing else."""
    lines = [_ROOT, *(f"  <{name} />" for name in _BEFORE)]
    lines += [_section(configs)] if configs else []
    lines += [f"  <{_LANGUAGES}>", "    <Language>1033</Language>", f"  </{_LANGUAGES}>", "</ImportExportXml>"]
    return "\n".join(lines).encode()


def rewritten(template: bytes, configs: Sequence[ExportConfig], where: str) -> bytes:
    """Return ``template`` with the configs that differ patched, new ones added, others removed; other bytes stay."""
    root = _root(template, where)
    if not root.children:
        return written(configs)
    was = [as_model(_document(element, where), ExportConfig) for element in _configs(root)]
    if sorted(was, key=_id) == sorted(configs, key=_id):
        return template
    return applied(template, _edits(root, was, configs, where))


def _id(config: ExportConfig) -> str:
    return config.id


def _edits(root: Element, was: Sequence[ExportConfig], configs: Sequence[ExportConfig], where: str) -> Iterator[Edit]:
    wanted = {config.id: config for config in configs}
    for element, before in zip(_configs(root), was, strict=True):
        if before.id in wanted:
            yield from _config_edits(element, before, wanted.pop(before.id), where)
        elif configs:
            yield removal(element)
    section = root.child(SECTION)
    if not configs:
        yield from (removal(section) for section in root.all(SECTION))
    elif section is None:
        yield insertion(root, _last_before_languages(root), _section(list(wanted.values())).strip().encode())
    elif not section.children:
        yield Edit(section.start, section.end, _section(list(wanted.values())).strip().encode())
    else:
        for config in wanted.values():
            yield insertion(section, section.children[-1], _element(config, wire.written(config)).strip().encode())


def _config_edits(element: Element, before: ExportConfig, wanted: ExportConfig, where: str) -> Iterator[Edit]:
    schema = element.child("msdyn_schema")
    have = schema.text if schema is not None else wire.written(before)
    old = parse(_element(before, have).strip().encode(), where)
    new = parse(_element(wanted, wire.rewritten(have, before, wanted)).strip().encode(), where)
    yield from edits(element, old, new)


def _last_before_languages(root: Element) -> Element | None:
    others = [child for child in root.children if child.name != _LANGUAGES]
    return others[-1] if others else None


def _section(configs: Sequence[ExportConfig]) -> str:
    elements = "\n".join(_element(config, wire.written(config)) for config in configs)
    return f"  <{SECTION}>\n{elements}\n  </{SECTION}>"


def _element(config: ExportConfig, schema: str) -> str:
    return f"""\
    <{CONFIG} {_ID}={quoted(config.id)}>
      <iscustomizable>{int(config.customizable)}</iscustomizable>
      <msdyn_name>{escaped(config.name)}</msdyn_name>
      <msdyn_schema>{escaped(schema)}</msdyn_schema>
      <statecode>{config.state}</statecode>
      <statuscode>{config.status}</statuscode>
    </{CONFIG}>"""


# --- what else is in the file ---------------------------------------------------------------------------------------


class _Others:
    """The digest of all sections that count. A section is held back until it proves not to be empty.

    Counts what the components say, not how it is spelled: white space between elements, comments, empty sections and
    the root's attributes do not count, nor do the languages, which are those of the exporting organization.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._any = False
        self._depth = 0
        self._counts = False
        self._held = ""
        self._texts: list[str] = []

    @property
    def digest(self) -> str | None:
        """The SHA-256 of what was heard, or None for nothing."""
        return self._hash.hexdigest() if self._any else None

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._end_text()
        if not self._depth:
            self._counts = name != _LANGUAGES
        event = "<" + _sized(name) + "".join(_sized(key) + _sized(attributes[key]) for key in sorted(attributes))
        if self._depth or attributes:
            self._add(event)
        else:
            self._held = event
        self._depth += 1

    def text(self, text: str) -> None:
        self._texts.append(text)

    def end(self) -> None:
        self._end_text()
        if not self._held:
            self._add(">")
        self._held = ""
        self._depth -= 1

    def _end_text(self) -> None:
        if text := "".join(self._texts).strip():
            self._add('"' + _sized(text))
        self._texts.clear()

    def _add(self, event: str) -> None:
        if self._counts:
            self._hash.update((self._held + event).encode())
            self._held = ""
            self._any = True


def _sized(text: str) -> str:
    """Return text behind its length, so that no two sequences of events hash alike."""
    return f"{len(text)}:{text}"
