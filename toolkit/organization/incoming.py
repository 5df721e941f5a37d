"""A solution zip as the import of an organization reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.bundle import wire
from toolkit.bundle.archive import CUSTOMIZATIONS, SOLUTION, Archive, read_archive
from toolkit.bundle.customizations import CONFIG, SECTION
from toolkit.bundle.manifest import SCHEMA
from toolkit.bundle.markup import Element, parse
from toolkit.bundle.package import read_bundle
from toolkit.errors import Finding, Invalid, Place, Severity
from toolkit.model.bundle import Bundle
from toolkit.model.solution import RootComponent
from toolkit.model.version import Version
from toolkit.organization.configs import Content

WHERE = "package"
"""What places in findings name, since an import is given bytes and no path."""
ENTITY_COMPONENT = "1"
"""The type of a root component that is an entity."""
OLDEST = Version("7.1")
"""The package version of a zip that names none. Source: the oldest real packages that name one."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a zip holds: the bundle, its bytes, and what the import asks of it beyond the bundle.

    ``package_version`` is the version of the platform that wrote it; ``contents`` are the export configs with the
    exact text of their ``msdyn_schema``; ``entities`` are the logical names of the entities that it defines.
    """

    bundle: Bundle
    data: bytes
    package_version: Version
    contents: tuple[Content, ...]
    entities: frozenset[str]


def read(data: bytes) -> Incoming:
    """Read a solution zip. Raises Invalid with every finding (0x80048060, 0x8004802c, 0x8004801a and BND codes)."""
    archive = read_archive(data, WHERE)
    bundle = read_bundle(archive, WHERE)
    schemas = _schemas(archive)
    contents = tuple(Content(config, schemas.get(config.id) or wire.written(config)) for config in bundle.configs)
    return Incoming(bundle, data, _package_version(archive), contents, _entities(archive, bundle))


def _package_version(archive: Archive) -> Version:
    root = parse(archive.members[SOLUTION], SOLUTION)
    text = root.attributes.get("SolutionPackageVersion", OLDEST.text)
    try:
        return Version(text)
    except ValueError as error:
        what, place = "the SolutionPackageVersion cannot be read", Place(f"{WHERE}/{SOLUTION}", root.line)
        raise Invalid([Finding(SCHEMA, Severity.ERROR, what, place, str(error))]) from error


def _schemas(archive: Archive) -> Mapping[str, str]:
    configs = [config for section in _sections(archive, SECTION) for config in section.children]
    return {config_id(config): _text(config, "msdyn_schema").strip() for config in configs}


def _entities(archive: Archive, bundle: Bundle) -> frozenset[str]:
    """Return the entities that the package defines; the large section is read only where the rules ask for it."""
    if not any(is_entity(component) for component in bundle.solution.root_components):
        return frozenset()
    found = [entity for section in _sections(archive, "Entities") for entity in section.children]
    return frozenset(_text(entity, "Name").strip().lower() for entity in found)


def is_entity(component: RootComponent) -> bool:
    """Whether a root component is an entity that it names."""
    return component.type == ENTITY_COMPONENT and component.schema_name is not None


def _sections(archive: Archive, name: str) -> tuple[Element, ...]:
    return parse(archive.members[CUSTOMIZATIONS], CUSTOMIZATIONS, only=name).all(name)


def config_id(config: Element) -> str:
    """Return the id of a config's element, without braces and in lower case, as the model holds it."""
    return config.attributes.get(f"{CONFIG}id", "").strip("{}").lower()


def _text(element: Element, name: str) -> str:
    child = element.child(name)
    return "" if child is None else child.text
