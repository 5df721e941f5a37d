"""Archive <-> bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from toolkit.bundle import customizations, manifest
from toolkit.bundle.archive import CONTENT_TYPES, CUSTOMIZATIONS, ROOT_MEMBERS, SOLUTION, Archive, ordered
from toolkit.bundle.content_types import content_types
from toolkit.bundle.parts import Collector, Parts
from toolkit.bundle.schemas import OVERLAY_SCHEMA
from toolkit.documents import Document, as_model, decoded, parse, render_model
from toolkit.model.bundle import Bundle
from toolkit.model.overlay import Overlay

OVERLAY_MEMBERS = "toolkit/environments"
"""Where a zip carries overlays. Unconfirmed: that Dataverse's importer ignores members which no component names.

Nothing else depends on it; ``pack`` can leave overlays out.
"""


def read_bundle(archive: Archive, where: str) -> Bundle:
    """Return the bundle in an archive. Raises Invalid with every finding, each with member and line."""
    return read_parts(archive, where).bundle()


def read_parts(archive: Archive, where: str) -> Parts:
    """Return the documents in an archive; places name the member behind ``where``."""
    collector = Collector()
    place = f"{where}/"
    solution = collector.read(manifest.document, archive.members[SOLUTION], place + SOLUTION)
    contents = collector.read(customizations.read, archive.members[CUSTOMIZATIONS], place + CUSTOMIZATIONS)
    texts: dict[str, str] = {}
    overlays: dict[str, Document] = {}
    for environment, member in overlay_members(archive).items():
        text = collector.read(decoded, archive.members[member], place + member)
        if text is not None:
            texts[place + member] = text
            overlay = collector.read(parse, text, place + member)
            overlays |= {environment: overlay} if overlay is not None else {}
    configs, components = (contents.configs, contents.others) if contents is not None else ((), None)
    return Parts(solution, configs, overlays, texts, tuple(collector.findings), _package(archive, components))


def overlay_members(archive: Archive) -> Mapping[str, str]:
    """Return the members that hold overlays, by environment, in the order of their names."""
    paths = (PurePosixPath(name) for name in sorted(archive.members))
    folder = PurePosixPath(OVERLAY_MEMBERS)
    return {path.stem: str(path) for path in paths if path.parent == folder and path.suffix == ".yaml"}


def overlay_member(environment: str) -> str:
    """Return the name of the member that holds an environment's overlay."""
    return f"{OVERLAY_MEMBERS}/{environment}.yaml"


def _package(archive: Archive, components: str | None) -> Mapping[str, str]:
    """Return the digests of what the models do not hold. ``solution.xml`` and the content types hold nothing else."""
    others = archive.members.keys() - set(ROOT_MEMBERS) - set(overlay_members(archive).values())
    digests = {name: hashlib.sha256(archive.members[name]).hexdigest() for name in sorted(others)}
    return digests if components is None else {CUSTOMIZATIONS: components, **digests}


def write_bundle(bundle: Bundle, template: Archive | None) -> Archive:
    """Return the archive of a bundle: ``template`` with only those nodes and members changed that differ.

    Without a template, or where it lacks a root member, that member is made new. ``solution.package`` decides between
    managed and unmanaged. Reading the archive gives an equal bundle.
    """
    given = {} if template is None else template.members
    carried = set(overlay_members(Archive(given)).values())
    members = {name: data for name, data in given.items() if name not in carried}
    members[SOLUTION] = _solution(bundle, given)
    members[CUSTOMIZATIONS] = _customizations(bundle, given)
    for environment, overlay in bundle.overlays.items():
        name = overlay_member(environment)
        members[name] = _overlay(overlay, given.get(name), name)
    members[CONTENT_TYPES] = content_types(members, given.get(CONTENT_TYPES), CONTENT_TYPES)
    return ordered(members)


def _solution(bundle: Bundle, given: Mapping[str, bytes]) -> bytes:
    if SOLUTION not in given:
        return manifest.written(bundle.solution)
    return manifest.rewritten(given[SOLUTION], bundle.solution, SOLUTION)


def _customizations(bundle: Bundle, given: Mapping[str, bytes]) -> bytes:
    if CUSTOMIZATIONS not in given:
        return customizations.written(bundle.configs)
    return customizations.rewritten(given[CUSTOMIZATIONS], bundle.configs, CUSTOMIZATIONS)


def _overlay(overlay: Overlay, template: bytes | None, name: str) -> bytes:
    if template is None:
        return render_model(overlay, schema=OVERLAY_SCHEMA).encode()
    text = decoded(template, name)
    if as_model(parse(text, name), Overlay) == overlay:
        return template
    return render_model(overlay, schema=OVERLAY_SCHEMA, template=text).encode()
