"""Solutions come and go: import, export and uninstall, each within the transaction that it is given.

An import overwrites unmanaged customizations of the rows that it brings (Dataverse's option of that name), because
the content of a package is what somebody reviewed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from toolkit.bundle.archive import CUSTOMIZATIONS, Archive, read_archive
from toolkit.bundle.customizations import CONFIG, SECTION
from toolkit.bundle.markup import Edit, applied, escaped, parse
from toolkit.bundle.package import read_bundle, write_bundle
from toolkit.errors import NotFound, Refused, nearest
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.solution import CORE_SOLUTION, MissingDependency, Package, Solution
from toolkit.organization import catalog, configs, metadata, solutions
from toolkit.organization.configs import ACTIVE, Content
from toolkit.organization.database import Connection
from toolkit.organization.import_rules import UPGRADE_SUFFIX, Holdings, import_findings, upgrade_findings
from toolkit.organization.incoming import ENTITY_COMPONENT, Incoming, config_id, read
from toolkit.organization.solutions import Registered


def holdings(connection: Connection) -> Holdings:
    """Return what the rules of an import ask of the organization."""
    return Holdings(
        catalog.organization(connection).version,
        {name.casefold(): registered for name, registered in solutions.solutions(connection).items()},
        {name.casefold(): publisher for name, publisher in catalog.publishers(connection).items()},
        frozenset(metadata.names(connection)),
    )


def install(connection: Connection, incoming: Incoming, *, upgrade: bool, overwrite: bool = True) -> None:
    """Import a package, over an earlier version where there is one. Raises Refused with every finding.

    An update keeps what the package no longer has. An upgrade of a managed solution removes it; an unmanaged solution
    never removes anything. Without ``overwrite`` a managed package lies below what was customized by hand.
    """
    if findings := list(import_findings(incoming, holdings(connection))):
        raise Refused.of(findings)
    old = solutions.find(connection, incoming.bundle.solution.unique_name)
    new = _registered(incoming)
    layer = new.name if new.managed else ACTIVE
    catalog.put_publisher(connection, new.solution.publisher)
    configs.put(connection, layer, incoming.contents)
    if new.managed and overwrite:
        configs.drop(connection, ACTIVE, new.configs)
    if old is not None and new.managed and upgrade:
        drop(connection, layer, [config for config in old.configs if config not in new.configs])
    elif old is not None:
        new = _merged(old, new)
    solutions.put(connection, new)
    solutions.put_package(connection, new.name, incoming.data)


def _registered(incoming: Incoming) -> Registered:
    solution = incoming.bundle.solution
    ids = tuple(content.config.id for content in incoming.contents)
    return Registered(solution=solution, components=solution.root_components, configs=ids)


def _merged(old: Registered, new: Registered) -> Registered:
    kept = tuple(component for component in old.components if component not in new.components)
    return new.holding(old.configs).model_copy(update={"components": (*new.components, *kept)})


def drop(connection: Connection, layer: str, ids: Sequence[str]) -> None:
    """Take config rows out of a layer; those that have no other one are gone, from all solutions too."""
    configs.drop(connection, layer, ids)
    gone = set(ids) - configs.ids(connection)
    for registered in solutions.solutions(connection).values():
        if gone.intersection(registered.configs):
            solutions.put(connection, registered.without(gone))


# --- upgrade in two steps -------------------------------------------------------------------------------------------


def hold(connection: Connection, incoming: Incoming, *, overwrite: bool = True) -> None:
    """Import a managed package beside the version that is installed, as the solution ``<name>_Upgrade``.

    Its rows lie over those of that version, which stay below until ``promote``; uninstalling it shows them again.
    Raises Refused with every finding, of a package that upgrades nothing too (ORG054, ORG055, 0x80048541).
    """
    held = _holdings_for_upgrade(connection, incoming)
    configs.put(connection, held.name, incoming.contents)
    if overwrite:
        configs.drop(connection, ACTIVE, held.configs)
    solutions.put(connection, held)
    solutions.put_package(connection, held.name, incoming.data)


def promote(connection: Connection, name: str) -> None:
    """Let the version that waits take the place of the installed one; what it no longer has is removed.

    Raises NotFound (ORG056) where none waits, or Refused where what it needs is gone by now.
    """
    held = solutions.find(connection, f"{name}{UPGRADE_SUFFIX}")
    package = solutions.package(connection, held.name) if held else None
    if held is None or package is None:
        raise NotFound(
            "ORG056",
            f"no upgrade of {name} waits to be applied",
            where=name,
            fix="import the next version as a holding solution first",
        )
    solutions.delete(connection, held.name)
    configs.drop(connection, held.name, held.configs)
    install(connection, read(package), upgrade=True, overwrite=False)


def _holdings_for_upgrade(connection: Connection, incoming: Incoming) -> Registered:
    """Return the solution that waits. Raises Refused."""
    around = holdings(connection)
    if findings := [*import_findings(incoming, around), *upgrade_findings(incoming, around)]:
        raise Refused.of(findings)
    new = _registered(incoming)
    solution = new.solution.model_copy(update={"unique_name": f"{new.name}{UPGRADE_SUFFIX}"})
    return new.model_copy(update={"solution": solution, "upgrades": new.name})


# --- uninstall ------------------------------------------------------------------------------------------------------


def uninstall(connection: Connection, name: str) -> None:
    """Delete a solution: of a managed one with the rows that it alone holds, of an unmanaged one the container.

    Raises NotFound (ORG050), or Refused where other solutions need it (0x8004f01d), or where rows of its table are
    left (ORG052).
    """
    registered = solutions.solution(connection, name)
    _refuse_dependents(connection, registered)
    if registered.name.casefold() == CORE_SOLUTION.casefold():
        _refuse_rows(connection)
    solutions.delete(connection, registered.name)
    if registered.managed:
        drop(connection, registered.name, registered.configs)


def _refuse_dependents(connection: Connection, registered: Registered) -> None:
    name = registered.name.casefold()
    dependents = [
        other.name
        for other in solutions.solutions(connection).values()
        if name in {needed.casefold() for needed in other.requires}
    ]
    if dependents:
        raise Refused(
            "0x8004f01d",
            f"Solution dependencies exist, cannot uninstall. {registered.name} is needed by {', '.join(dependents)}.",
            where=registered.name,
            why="a solution stays as long as others were built on it",
            fix=f"uninstall {', '.join(dependents)} first",
        )


def _refuse_rows(connection: Connection) -> None:
    if rows := configs.rows(connection):
        raise rows_left([row.row.config.name for row in rows.values()])


def rows_left(names: Sequence[str]) -> Refused:
    """Return what is said where the Core solution shall go and its table has rows, which have names."""
    return Refused(
        "ORG052",
        f"{CORE_SOLUTION} brings the table {CONFIG}, which still has {len(names)} rows",
        where=CORE_SOLUTION,
        why="they would be deleted with their table",
        fix=f"delete the export configs first, with toolkit lake unlink: {', '.join(names)}",
    )


# --- export ---------------------------------------------------------------------------------------------------------


def export(connection: Connection, name: str, *, managed: bool) -> bytes:
    """Return the zip of an unmanaged solution with its config rows as they are now.

    It is the package in which the solution came with what differs patched, or a new one. Raises NotFound (0x80048037),
    or Refused for an installed managed solution (0x80048036).
    """
    registered = solutions.find(connection, name)
    if registered is None:
        raise no_export(name, solutions.solutions(connection))
    if registered.managed:
        raise managed_export(registered.name)
    package = solutions.package(connection, registered.name)
    template = None if package is None else read_archive(package, registered.name)
    bundle = Bundle(solution=registered.solution) if template is None else read_bundle(template, registered.name)
    rows = configs.rows(connection)
    contents = [rows[config].content for config in registered.configs]
    solution = _exported(connection, registered.solution, contents, Package.MANAGED if managed else Package.UNMANAGED)
    now = {"solution": solution, "configs": tuple(content.config for content in contents)}
    return _exact(write_bundle(bundle.model_copy(update=now), template), contents).to_bytes()


def _exported(connection: Connection, solution: Solution, contents: Sequence[Content], package: Package) -> Solution:
    """Return a solution as its export states it: with its publisher as it is now, and what its configs need."""
    publisher = catalog.publisher(connection, solution.publisher.unique_name) or solution.publisher
    dependencies = solution.missing_dependencies
    if contents and CORE_SOLUTION not in {named[0] for item in dependencies if (named := item.solution)}:
        dependencies = (*dependencies, _core_dependency(connection, contents[0].config))
    changes = {"package": package, "publisher": publisher, "missing_dependencies": dependencies}
    return solution.model_copy(update=changes)


def _core_dependency(connection: Connection, dependent: ExportConfig) -> MissingDependency:
    """Return the dependency on the table of export configs. Inferred from those of other table-backed components."""
    core = solutions.solution(connection, CORE_SOLUTION)
    return MissingDependency(
        required={
            "type": ENTITY_COMPONENT,
            "schemaName": CONFIG,
            "displayName": "Export to Data Lake Config",
            "solution": f"{core.name} ({core.solution.version})",
        },
        dependent={"type": CONFIG, "displayName": dependent.name, f"id.{CONFIG}id": f"{{{dependent.id}}}"},
    )


def _exact(archive: Archive, contents: Sequence[Content]) -> Archive:
    """Return the archive with the texts of ``msdyn_schema`` as the rows have them, to the character."""
    texts = {content.config.id: content.schema for content in contents}
    data = archive.members[CUSTOMIZATIONS]
    return Archive({**archive.members, CUSTOMIZATIONS: applied(data, _schema_edits(data, texts))})


def _schema_edits(data: bytes, texts: Mapping[str, str]) -> Iterator[Edit]:
    for section in parse(data, CUSTOMIZATIONS, only=SECTION).all(SECTION):
        for config in section.all(CONFIG):
            schema, text = config.child("msdyn_schema"), texts[config_id(config)]
            if schema is not None and schema.text.strip() != text:
                yield Edit(schema.content, schema.content_end, escaped(text).encode())


def no_export(name: str, known: Iterable[str]) -> NotFound:
    """Return what is said of a solution that shall be exported and is not there."""
    return NotFound(
        "0x80048037",
        f"An error occurred while exporting a solution. The solution {name!r} does not exist in this system.",
        where=name,
        fix=nearest(name, known),
    )


def managed_export(name: str) -> Refused:
    """Return what is said of an installed managed solution that shall be exported."""
    return Refused(
        "0x80048036",
        f"An error occurred while exporting a solution. Managed solutions cannot be exported: {name}.",
        where=name,
        why="a managed solution is installed from a package, which is the thing to keep",
        fix="take the package that was imported, or export the unmanaged solution from its own environment",
    )
