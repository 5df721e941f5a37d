"""What Dataverse and this toolkit refuse of a bundle, before anything is changed.

Each rule is a function that yields findings. Dataverse's own code stands where it has one for the same refusal
(docs/formats.md, section 1); no code is invented for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from toolkit.errors import Finding, Place, Refused, Severity
from toolkit.model.bundle import Bundle
from toolkit.model.config import KEY_FIX, ExportConfig, Layout
from toolkit.model.environment import Inventory, Registration
from toolkit.model.link import Link
from toolkit.model.solution import CORE_SOLUTION, SYSTEM_SOLUTIONS, MissingDependency, Package, Publisher
from toolkit.model.version import Version
from toolkit.plan.changes import AnyChange, ChangeSetting, MoveLake, lake_name
from toolkit.plan.hosted import hosted_findings
from toolkit.plan.prerequisites import Profile, prerequisites
from toolkit.plan.world import LakeName, Present, World, canonical, same_name

PUBLISHER_CHANGED = "0x8004801c"
MISSING_DEPENDENCY = "0x8004801d"
SOLUTION_NOT_INSTALLED = "0x80048034"
MANAGED_OVER_UNMANAGED = "0x80048040"
UNMANAGED_OVER_MANAGED = "0x80048041"
LOWER_VERSION = "0x80048541"
"""Source: Dataverse's support article on this error."""


def refuse(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Raise Refused with every error and warning when one is an error; otherwise return them, and the notes too."""
    every = tuple(findings)
    if any(finding.severity is Severity.ERROR for finding in every):
        raise Refused.of([finding for finding in every if finding.severity is not Severity.NOTE])
    return every


def import_findings(
    bundle: Bundle, configs: Sequence[ExportConfig], world: World, profile: Profile, where: str
) -> Iterator[Finding]:
    """Yield everything that stands against importing ``bundle`` with its effective ``configs``."""
    place = Place(where, key="solution")
    yield from organization_findings(world)
    yield from _installed(bundle, configs, world, place)
    if not world.links_only:
        yield from _publisher(bundle, world, place)
        yield from _dependencies(bundle, world, place)
    for config in configs:
        yield from hosted_findings(config, world.inventory, where)
        yield from prerequisites(config, world.inventory, profile, where, world.environment)
        yield from lake_findings(config, configs, world, where)
        yield from key_findings(config, world, where)
        yield from _owner(config, bundle.solution.unique_name, world, where)
    if not is_managed(bundle.solution.package):
        yield from (_dropped(link, place) for link in dropped_links(bundle, world))


def organization_findings(world: World) -> Iterator[Finding]:
    """Yield that the environment's record is of another organization than the one that answers."""
    here = world.inventory.organization.id
    if world.record is not None and world.record.organization != here:
        yield Finding(
            "PLN034",
            Severity.ERROR,
            f"{world.environment} was linked from the organization {world.record.organization}, and this one is {here}",
            Place(world.environment),
            "a copied environment brings the configuration of the original, and both would write the same lakes",
            "give the copy a folder and lakes of its own in toolkit.yaml",
        )


def _publisher(bundle: Bundle, world: World, where: Place) -> Iterator[Finding]:
    publisher = bundle.solution.publisher
    known = world.publisher(publisher.unique_name)
    if known is not None and (changes := _publisher_changes(known, publisher)):
        yield Finding(
            PUBLISHER_CHANGED,
            Severity.ERROR,
            f"the publisher {publisher.unique_name!r} of the environment has another {' and another '.join(changes)}",
            where,
            f"{known.prefix}/{known.option_value_prefix} is installed, "
            f"and the bundle has {publisher.prefix}/{publisher.option_value_prefix}",
            "use the installed publisher's values, or another unique name",
        )
    installed = world.installed(bundle.solution.unique_name)
    if installed is not None and not same_name(installed.publisher, publisher.unique_name):
        yield Finding(
            PUBLISHER_CHANGED,
            Severity.ERROR,
            f"{installed.unique_name} is installed from the publisher {installed.publisher!r}, "
            f"and the bundle's is {publisher.unique_name!r}",
            where,
            "the publisher of a solution cannot change",
            f"keep the publisher {installed.publisher!r}, or give the solution another unique name",
        )


def _publisher_changes(known: Publisher, new: Publisher) -> list[str]:
    prefix = ["prefix"] if known.prefix.lower() != new.prefix.lower() else []
    return prefix + (["option-value prefix"] if known.option_value_prefix != new.option_value_prefix else [])


def _installed(bundle: Bundle, configs: Sequence[ExportConfig], world: World, where: Place) -> Iterator[Finding]:
    installed = world.present(bundle.solution.unique_name)
    if installed is None:
        return
    if installed.managed != is_managed(bundle.solution.package):
        yield _other_package(bundle, installed, where)
    elif bundle.solution.version < installed.version:
        yield Finding(
            LOWER_VERSION,
            Severity.ERROR,
            "The import solution must have a higher version than the existing solution it is upgrading.",
            where,
            f"{installed.name} {installed.version} is installed, and the bundle is {bundle.solution.version}"
            f"{_likely_meant(bundle.solution.version, installed.version)}",
            f"raise the version of the bundle above {installed.version}",
        )
    elif bundle.solution.version == installed.version and not same_content(bundle, configs, world):
        yield Finding(
            "PLN002",
            Severity.ERROR,
            f"{installed.name} {installed.version} is installed with other content",
            where,
            "one version has one content, in every environment",
            "raise the version of the bundle",
        )


def _likely_meant(lower: Version, installed: Version) -> str:
    """Return what a version was likely to be that is higher as a decimal and lower as Dataverse compares: 1.7, 1.61."""
    place = next(at for at, (one, other) in enumerate(zip(lower.parts, installed.parts, strict=True)) if one != other)
    small, large = str(lower.parts[place]), str(installed.parts[place])
    if len(small) >= len(large) or small < large:
        return ""
    parts = [str(part) for part in lower.parts]
    parts[place] = small.ljust(len(large), "0")
    meant = ".".join(parts[: max(place, lower.text.count(".")) + 1])
    return f"; versions compare part by part as numbers, {small} is below {large}, and {meant} was likely meant"


def is_managed(package: Package) -> bool:
    """Whether a package installs as managed; a folder unpacked as both imports as unmanaged."""
    return package is Package.MANAGED


def _other_package(bundle: Bundle, installed: Present, where: Place) -> Finding:
    managed = is_managed(bundle.solution.package)
    here, there = ("managed", "unmanaged") if managed else ("unmanaged", "managed")
    return Finding(
        MANAGED_OVER_UNMANAGED if managed else UNMANAGED_OVER_MANAGED,
        Severity.ERROR,
        f"{installed.name} is installed as {there}, and the package is {here}",
        where,
        "a solution is imported over one of its own kind only",
        f"import the {there} package, or uninstall {installed.name} first",
    )


def same_content(bundle: Bundle, configs: Sequence[ExportConfig], world: World) -> bool:
    """Whether the installed solution, of the same version, has the content of ``bundle``.

    What was applied tells it. Where the solution came by another way, its export configs must be equal.
    """
    applied = world.record.last_applied(bundle.solution.unique_name) if world.record else None
    if applied is not None and applied.version == bundle.solution.version:
        return applied.bundle == bundle.digest
    return rows_equal(bundle, configs, world.inventory)


def registered_configs(bundle: Bundle, configs: Sequence[ExportConfig], inventory: Inventory) -> Sequence[ExportConfig]:
    """Return the export configs that an import leaves as rows: before overlay, or after it, as the environment wants.

    ``configs`` are those of the bundle after overlay.
    """
    return configs if inventory.registration is Registration.EFFECTIVE else bundle.configs


def rows_equal(bundle: Bundle, configs: Sequence[ExportConfig], inventory: Inventory) -> bool:
    """Whether the environment holds the export configs of ``bundle``, as an import of it would leave them."""
    return all(
        (row := inventory.configs.get(config.id)) is not None and canonical(row.config) == canonical(config)
        for config in registered_configs(bundle, configs, inventory)
    )


_NEEDS_CORE = "an export config can be added only where it is installed"


def _dependencies(bundle: Bundle, world: World, where: Place) -> Iterator[Finding]:
    found = (_dependency(dependency, world, where) for dependency in bundle.solution.missing_dependencies)
    missing = {finding.what: finding for finding in found if finding is not None}
    if bundle.configs and world.installed(CORE_SOLUTION) is None:
        core = _not_installed(CORE_SOLUTION, _NEEDS_CORE, world, where)
        missing[core.what] = core
    yield from missing.values()


def core_findings(world: World) -> Iterator[Finding]:
    """Yield a finding where the Core solution is needed and not installed."""
    if not world.links_only and world.installed(CORE_SOLUTION) is None:
        yield _not_installed(CORE_SOLUTION, _NEEDS_CORE, world, Place(world.environment))


def _dependency(dependency: MissingDependency, world: World, where: Place) -> Finding | None:
    if dependency.solution is None or dependency.solution[0].casefold() in SYSTEM_SOLUTIONS:
        if not world.inventory.components_known:
            # The platform itself tells what is missing, when the package is staged.
            return None
        return None if _component_there(dependency, world.inventory) else _no_component(dependency, where)
    name, version = dependency.solution
    installed = world.installed(name)
    if installed is None:
        return _not_installed(name, "the solution was built on it", world, where)
    if version is None or installed.version >= version:
        return None
    return Finding(
        MISSING_DEPENDENCY,
        Severity.ERROR,
        f"the bundle needs {name} {version}, and {installed.version} is installed",
        where,
        "the solution was built on the newer one",
        f"update {name} to {version} or higher",
    )


def _component_there(dependency: MissingDependency, inventory: Inventory) -> bool:
    required = dependency.required
    name, id_ = required.get("schemaName", "").lower(), required.get("id", "").strip("{}").lower()
    if name in inventory.entities:
        return True
    components = [component for solution in inventory.solutions.values() for component in solution.components]
    return any(
        component.type == required.get("type")
        and (
            (name != "" and name == (component.schema_name or "").lower())
            or (id_ != "" and id_ == (component.id or "").strip("{}").lower())
        )
        for component in components
    )


def _no_component(dependency: MissingDependency, where: Place) -> Finding:
    required = dependency.required
    name = required.get("displayName") or required.get("schemaName") or required.get("id") or "a component"
    return Finding(
        MISSING_DEPENDENCY,
        Severity.ERROR,
        f"the environment lacks the component {name!r} of type {required.get('type', 'unknown')}",
        where,
        "the solution was built on it",
        "add the component to the solution, or import the solution that has it first",
    )


def _not_installed(name: str, why: str, world: World, where: Place) -> Finding:
    real = "a real environment gets Microsoft's own from AppSource, or mode: link-only in toolkit.yaml"
    core = f"toolkit import core --env {world.environment} ({real})"
    return Finding(
        SOLUTION_NOT_INSTALLED,
        Severity.ERROR,
        f"the solution {name} is not installed",
        where,
        why,
        core if name == CORE_SOLUTION else f"import {name} first",
    )


def lake_findings(
    config: ExportConfig, beside: Sequence[ExportConfig], world: World, where: str = ""
) -> Iterator[Finding]:
    """Yield what stands against the file system of ``config``: another config, another exporter, another organization.

    ``beside`` are the configs that come with it.
    """
    address = world.address(config)
    lake = LakeName(address.account, address.file_system)
    place = Place(where, key=f"{config.name}.storage.file_system")
    for other in _users(lake, config, beside, world):
        yield Finding(
            "PLN030",
            Severity.ERROR,
            f"the file system {lake_name(address)} is used by the export config {other!r}",
            place,
            "one file system has one exporter",
            f"name another file system for {config.name!r}",
        )
    if (what := world.foreign.get(lake)) is not None:
        yield Finding(
            "PLN031",
            Severity.ERROR,
            f"the file system {lake_name(address)} belongs to another exporter: {what}",
            place,
            "two exporters of one file system would spoil each other's files",
            f"name another file system for {config.name!r}; or, when its exporter is gone: toolkit lake adopt "
            f"--account {address.account} --file-system {address.file_system} --env {world.environment}",
        )


def key_findings(config: ExportConfig, world: World, where: str = "") -> Iterator[Finding]:
    """Yield that ``config`` hashes columns and the environment has no key to do it with."""
    if world.no_key and (names := config.hashed):
        place = Place(where, key=f"{config.name}.entities.{names[0]}.mask")
        what = f"columns of {', '.join(names)} are hashed, and {world.environment} has no key to do it with"
        yield Finding("PLN067", Severity.ERROR, what, place, world.no_key, KEY_FIX)


def _users(lake: LakeName, config: ExportConfig, beside: Sequence[ExportConfig], world: World) -> Iterator[str]:
    for link in world.links:
        if link.active and link.config.id != config.id and lake == (link.account, link.file_system):
            yield link.config.name
    yield from _recorded(lake, config, world)
    for other in beside:
        address = world.address(other)
        linked = world.link(other.id) is not None
        if other.id != config.id and not linked and lake == (address.account, address.file_system):
            yield other.name


def _recorded(lake: LakeName, config: ExportConfig, world: World) -> Iterator[str]:
    """Yield the config that the record names for a lake whose link document is gone or damaged."""
    if any(lake == (link.account, link.file_system) for link in world.links):
        return
    for address in world.record.lakes if world.record else ():
        if address.config != config.id and lake == (address.account, address.file_system):
            row = world.inventory.configs.get(address.config)
            yield address.config if row is None else row.config.name


def _owner(config: ExportConfig, solution: str, world: World, where: str) -> Iterator[Finding]:
    link = world.link(config.id)
    if link is not None and link.solution is not None and not same_name(link.solution, solution):
        yield Finding(
            "PLN033",
            Severity.ERROR,
            f"the export config {config.name!r} is linked by the solution {link.solution}",
            Place(where, key=config.name),
            "a link has one owner",
            f"toolkit uninstall {link.solution}, or take the config out of the bundle",
        )


def dropped_links(bundle: Bundle, world: World) -> Iterator[Link]:
    """Yield the live links of a solution whose config its bundle no longer has."""
    kept = {config.id for config in bundle.configs}
    for link in world.links:
        if link.active and same_name(link.solution, bundle.solution.unique_name) and link.config.id not in kept:
            yield link


def _dropped(link: Link, where: Place) -> Finding:
    return Finding(
        "PLN045",
        Severity.WARNING,
        f"the export config {link.config.name!r} of {link.solution} is no longer in the bundle; its link goes on",
        where,
        "an unmanaged import never removes components",
        f"toolkit lake unlink {link.config.name}",
    )


def form_findings(changes: Iterable[AnyChange], where: str = "", managed_by: str | None = None) -> Iterator[Finding]:
    """Yield a refusal for each change of a live link that its files do not allow: another layout, a form of history.

    ``managed_by`` is the managed solution that owns the links: then nothing about them can be done by hand.
    """
    every = tuple(changes)
    moved = {change.config for change in every if isinstance(change, MoveLake)}
    for change in every:
        match change:
            case ChangeSetting(setting="output.layout", config=config) if config not in moved:
                yield _other_layout(change, where)
            case ChangeSetting(history=history):
                yield from (_other_form(change, entity, where, managed_by) for entity in history)
            case _:
                pass


def _other_layout(change: ChangeSetting, where: str) -> Finding:
    return Finding(
        "PLN051",
        Severity.ERROR,
        f"the live link {change.name!r} has the layout {change.before}, not {change.after}",
        Place(where, key=f"{change.name}.output.layout"),
        "readers of one layout do not find the rows of the other, so a file system has one",
        "give another storage.file_system with it: the new lake is filled while the old one goes on",
    )


def _other_form(change: ChangeSetting, entity: str, where: str, managed_by: str | None) -> Finding:
    anew = _by_hand(managed_by, _anew(change.name, entity))
    return Finding(
        "PLN055",
        Severity.ERROR,
        f"{change.setting} would change for {entity!r} on the live link {change.name!r}, which is append-only",
        _place(where, change.name, entity),
        "append-only files are never written anew, so the history would hold the old form",
        f"toolkit {anew}, then import; the old data is kept",
    )


def _place(where: str, config: str, entity: str) -> Place:
    return Place(where, key=f"{config}.entities.{entity}")


def folders_stay(link: Link, where: str) -> Iterator[Finding]:
    """Yield a refusal to delete data of a link with incremental folders."""
    if link.config.output.layout is Layout.INCREMENTAL:
        yield Finding(
            "PLN061",
            Severity.ERROR,
            f"the data of {link.config.name!r} is in incremental folders, which stay as they are",
            Place(where, key=link.config.name),
            "a folder that is closed never changes, and one folder holds the changes of several entities",
            "leave out --delete-data; delete the file system once the link has ended",
        )


def _by_hand(managed_by: str | None, command: str) -> str:
    return command if managed_by is None else f"uninstall {managed_by}"


def _anew(config: str, entity: str) -> str:
    return f"entity remove {entity} --config {config}"
