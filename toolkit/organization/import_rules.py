"""What an organization refuses of a solution zip, with Dataverse's own codes and, where short, its own words.

Sources: Dataverse's web service error codes; for the code of a lower version, its support article on that error.
Pure: what is in the zip and what the organization holds come in as values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.errors import Finding, Place, Severity
from toolkit.model.solution import (
    CORE_SOLUTION,
    SYSTEM_SOLUTIONS,
    MissingDependency,
    Package,
    Publisher,
    RootComponent,
    Solution,
)
from toolkit.model.version import Version
from toolkit.organization.incoming import Incoming, is_entity
from toolkit.organization.solutions import Registered

PUBLISHER_CHANGED = "0x8004801c"
MISSING_DEPENDENCIES = "0x8004801d"
MISSING_COMPONENT = "0x8004801f"
SOLUTION_NOT_INSTALLED = "0x80048034"
MANAGED_OVER_UNMANAGED = "0x80048040"
UNMANAGED_OVER_MANAGED = "0x80048041"
SYSTEM_SOLUTION = "0x80048046"
PACKAGE_VERSION = "0x80048068"
LOWER_VERSION = "0x80048541"
RESERVED_NAME = "ORG051"

UPGRADE_SUFFIX = "_Upgrade"
"""How Dataverse names the solution that waits to become an upgrade."""
_OLDEST_PACKAGE = Version("6.0")
"""The first package version after Microsoft Dynamics CRM 2011, whose packages are refused."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an organization holds, as far as the rules ask. Solutions are keyed by unique name in lower case."""

    version: Version
    solutions: Mapping[str, Registered]
    publishers: Mapping[str, Publisher]
    entities: frozenset[str]


def import_findings(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    """Yield everything that forbids the import."""
    yield from own_findings(incoming)
    yield from _package_version(incoming, holdings)
    yield from _publisher(incoming, holdings)
    yield from _installed(incoming, holdings)
    yield from _dependencies(incoming, holdings)
    yield from _root_components(incoming, holdings)


def own_findings(incoming: Incoming) -> Iterator[Finding]:
    """Yield what forbids the import anywhere, whatever an organization holds."""
    yield from name_findings(incoming.bundle.solution.unique_name)
    yield from _repeated_ids(incoming)


def name_findings(name: str) -> Iterator[Finding]:
    """Yield what forbids a solution's name."""
    if name.casefold() in SYSTEM_SOLUTIONS:
        what = f"the solution {name} is the platform's own"
        yield _finding(SYSTEM_SOLUTION, what, name, "a system solution cannot be imported", "give it another name")
    if name.casefold().endswith(UPGRADE_SUFFIX.casefold()):
        why = "Dataverse names solutions so that wait to become an upgrade"
        yield _finding(
            RESERVED_NAME, f"the solution name {name} is reserved", name, why, "leave '_Upgrade' off the name"
        )


def _package_version(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    package, highest = incoming.package_version, _minor(holdings.version)
    if _minor(package) > highest or package < _OLDEST_PACKAGE:
        yield _finding(
            PACKAGE_VERSION,
            f"You can only import solutions with a package version of {highest} or earlier into this organization.",
            incoming.bundle.solution.unique_name,
            f"the package has version {package}; packages of Microsoft Dynamics 365 2011 or earlier are refused too",
            "export it from an organization of the same or an earlier version",
        )


def _minor(version: Version) -> Version:
    return Version(f"{version.parts[0]}.{version.parts[1]}")


def _publisher(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    solution = incoming.bundle.solution
    new, old = solution.publisher, holdings.solutions.get(solution.unique_name.casefold())
    was = old.solution.publisher.unique_name if old else new.unique_name
    if was.casefold() != new.unique_name.casefold():
        yield _finding(
            PUBLISHER_CHANGED,
            f"The following solution cannot be imported: {solution.unique_name}. "
            f"The publisher name cannot be changed from {was} to {new.unique_name}.",
            solution.unique_name,
            "a solution keeps its publisher for life",
            f"keep the publisher {was}, or give the solution another unique name",
        )
    known = holdings.publishers.get(new.unique_name.casefold())
    if known is not None and _marks(known) != _marks(new):
        yield _finding(
            PUBLISHER_CHANGED,
            f"the publisher {new.unique_name} of the organization has another prefix or option-value prefix",
            solution.unique_name,
            f"it has {known.prefix} and {known.option_value_prefix}, "
            f"and the package says {new.prefix} and {new.option_value_prefix}",
            "use the values of the organization, or another unique name for the publisher",
        )


def _marks(publisher: Publisher) -> tuple[str, int]:
    return publisher.prefix.lower(), publisher.option_value_prefix


def _installed(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    solution = incoming.bundle.solution
    name = solution.unique_name
    if f"{name}{UPGRADE_SUFFIX}".casefold() in holdings.solutions:
        why = "what waits lies over what is installed, so that an import would not be seen"
        yield _finding("ORG057", f"an upgrade of {name} waits already", name, why, "apply it, or uninstall it first")
    old = holdings.solutions.get(solution.unique_name.casefold())
    if old is None:
        return
    new = Registered(solution=solution)
    if old.managed != new.managed:
        yield _other_mode(old, new)
    elif solution.version < old.solution.version:
        yield _lower(solution, old)


def _lower(solution: Solution, old: Registered) -> Finding:
    return _finding(
        LOWER_VERSION,
        "The import solution must have a higher version than the existing solution it is upgrading.",
        solution.unique_name,
        f"{old.solution.version} is installed, and the package has {solution.version}",
        f"import a version above {old.solution.version}",
    )


def upgrade_findings(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    """Yield what forbids that a package waits beside what is installed, besides what forbids its import."""
    solution = incoming.bundle.solution
    name = solution.unique_name
    old = holdings.solutions.get(name.casefold())
    if solution.package is not Package.MANAGED:
        why = "an unmanaged solution is changed in place, and nothing of it is ever removed"
        yield _finding(
            "ORG055", f"{name} is unmanaged and cannot wait as an upgrade", name, why, "import it as an update"
        )
    if old is None:
        why = "a holding solution waits to replace an earlier version"
        yield _finding("ORG054", f"there is no {name} to upgrade", name, why, "import it without HoldingSolution")
    elif solution.version == old.solution.version:
        yield _lower(solution, old)


def _other_mode(old: Registered, new: Registered) -> Finding:
    modes = ("unmanaged", "managed")
    return _finding(
        MANAGED_OVER_UNMANAGED if new.managed else UNMANAGED_OVER_MANAGED,
        f"The solution is already installed on this system as {_article(modes[old.managed])} solution and the package "
        f"supplied is attempting to install it in {modes[new.managed]} mode.",
        new.name,
        "Import can only update solutions when the modes match.",
        f"import the {modes[old.managed]} package, or uninstall {old.name} first",
    )


def _article(mode: str) -> str:
    return f"an {mode}" if mode.startswith("u") else f"a {mode}"


def _dependencies(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    bundle = incoming.bundle
    found: dict[str, Finding] = {}
    for dependency in bundle.solution.missing_dependencies:
        for finding in _dependency(dependency, incoming, holdings):
            found.setdefault(finding.what, finding)
    if bundle.configs and CORE_SOLUTION.casefold() not in holdings.solutions:
        core = core_missing(bundle.solution.unique_name)
        found[core.what] = core
    yield from found.values()


def core_missing(where: str) -> Finding:
    """Return what is said where the table of export configs is not there."""
    return _not_installed(CORE_SOLUTION, where, "it brings the table of export configs")


def missing_components(incoming: Incoming, holdings: Holdings) -> Iterator[MissingDependency]:
    """Yield the dependencies on components that are not there, and of which no solution is named to bring them."""
    for dependency in incoming.bundle.solution.missing_dependencies:
        if not _names_solution(dependency) and not _is_there(dependency, incoming, holdings):
            yield dependency


def _names_solution(dependency: MissingDependency) -> bool:
    return dependency.solution is not None and dependency.solution[0].casefold() not in SYSTEM_SOLUTIONS


def _dependency(dependency: MissingDependency, incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    name = incoming.bundle.solution.unique_name
    if dependency.solution is None or not _names_solution(dependency):
        if not _is_there(dependency, incoming, holdings):
            yield no_component(dependency, name)
        return
    needed, version = dependency.solution
    installed = holdings.solutions.get(needed.casefold())
    if installed is None:
        yield _not_installed(needed, name, "the solution was built on it")
    elif version is not None and installed.solution.version < version:
        yield _finding(
            MISSING_DEPENDENCIES,
            f"The following solution cannot be imported: {name}. It needs {needed} {version}.",
            name,
            f"{needed} {installed.solution.version} is installed",
            f"update {needed} to {version} or higher",
        )


def _is_there(dependency: MissingDependency, incoming: Incoming, holdings: Holdings) -> bool:
    """Whether a component is there, as an entity or as part of a solution; of one without a name nobody can tell."""
    required = dependency.required
    component = RootComponent(
        type=required.get("type", ""), id=required.get("id"), schema_name=required.get("schemaName")
    )
    key = _key(component)
    if key[1] in holdings.entities | incoming.entities:
        return True
    known = (known for solution in holdings.solutions.values() for known in solution.components)
    return key[1] == "" or key in map(_key, known)


def _key(component: RootComponent) -> tuple[str, str]:
    return component.type, (component.schema_name or (component.id or "").strip("{}")).lower()


def no_component(dependency: MissingDependency, where: str) -> Finding:
    """Return what is said of a component that is not there."""
    required = dependency.required
    name = required.get("displayName") or required.get("schemaName") or required.get("id", "")
    return _finding(
        MISSING_DEPENDENCIES,
        f"The following solution cannot be imported: {where}. "
        f"The component {name} of type {required.get('type', '')} is missing.",
        where,
        "the solution was built on it",
        "import the solution that has the component first, or add the component to this one",
    )


def _not_installed(needed: str, where: str, why: str) -> Finding:
    return _finding(
        SOLUTION_NOT_INSTALLED,
        f"{where} requires solutions that are not currently installed. "
        f"Import the following solutions before Importing this one. {needed}",
        where,
        why,
        f"import {needed} first",
    )


def _root_components(incoming: Incoming, holdings: Holdings) -> Iterator[Finding]:
    """Only entities can be looked up: other components are in the zip, or of kinds that are not kept here."""
    solution = incoming.bundle.solution
    known = {_key(known) for registered in holdings.solutions.values() for known in registered.components}
    for component in filter(is_entity, solution.root_components):
        key = _key(component)
        if key[1] not in holdings.entities | incoming.entities and key not in known:
            yield _finding(
                MISSING_COMPONENT,
                f"Cannot add a Root Component {component.schema_name} of type {component.type} "
                "because it is not in the target system.",
                solution.unique_name,
                "the package names the entity and does not define it",
                "import the solution that defines the entity first",
            )


def _repeated_ids(incoming: Incoming) -> Iterator[Finding]:
    counts = Counter(config.id for config in incoming.bundle.configs)
    for key, count in counts.items():
        if count > 1:
            yield _finding(
                "ORG053",
                f"the package has {count} export configs with the id {key}",
                incoming.bundle.solution.unique_name,
                "the id of an export config is its identity",
                "keep one of them",
            )


def _finding(code: str, what: str, where: str, why: str, fix: str) -> Finding:
    return Finding(code, Severity.ERROR, what, Place(where), why, fix)
