"""Checks of configuration: what is linked is what the bundle says, and the environment allows it."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.errors import Finding, Place, Severity
from toolkit.model.config import ExportConfig, LinkedEntity
from toolkit.model.link import Link
from toolkit.model.version import Version
from toolkit.plan.changes import AddEntity, ChangeMode, ChangeStrategy, RemoveEntity, describe, how, lake_name
from toolkit.plan.hosted import hosted_findings
from toolkit.plan.links import ENTITY_SETTINGS, link_changes
from toolkit.plan.prerequisites import account_prerequisites, entity_prerequisites
from toolkit.plan.rules import is_managed, key_findings, registered_configs
from toolkit.plan.world import Present, same_name
from toolkit.site import RECORD_PATH
from toolkit.verify.facts import Facts, LinkFacts

_IMPORT = "import the bundle"
_NOT_COMPARED = "this version of the bundle is not imported; its export configs are compared once it is"


def check_solution(facts: Facts) -> Iterator[Finding]:
    """The solution of the bundle is installed, in its version and as the same kind of package, and can be read."""
    yield from facts.inventory.notes
    if facts.bundle is None:
        return
    solution = facts.bundle.solution
    installed = facts.world.present(solution.unique_name)
    where = Place(facts.site.name, key=solution.unique_name)
    if installed is None:
        yield Finding("VFY010", Severity.ERROR, f"{solution.unique_name} is not installed", where, fix=_IMPORT)
        return
    if installed.version != solution.version:
        what = f"{solution.unique_name} {installed.version} is installed, and the bundle is {solution.version}"
        yield Finding("VFY011", Severity.ERROR, what, where, _NOT_COMPARED, _other_version(installed, solution.version))
    if installed.managed != is_managed(solution.package):
        what = f"{solution.unique_name} is installed as {_kind(installed)}, and the bundle is not"
        yield Finding("VFY012", Severity.ERROR, what, where, fix="verify against the package that was imported")


def _other_version(installed: Present, version: Version) -> str:
    if installed.version < version:
        return _IMPORT
    return f"verify against {installed.name} {installed.version}"


def _kind(installed: Present) -> str:
    return "managed" if installed.managed else "unmanaged"


def check_lakes(facts: Facts) -> Iterator[Finding]:
    """Each config of the bundle is linked to the lake that its overlay says, and its solution links no other."""
    yield from _broken_links(facts)
    yield from _strange_links(facts)
    for config in facts.expected or ():
        yield from _lake(config, facts)
    if facts.bundle is not None and facts.comparable:
        yield from _extra_links(facts, facts.bundle.solution.unique_name)


def _broken_links(facts: Facts) -> Iterator[Finding]:
    for broken in facts.broken:
        yield from broken.error.findings


def _strange_links(facts: Facts) -> Iterator[Finding]:
    """Yield a finding for each address of the record whose lake has the live link of another config."""
    links = {(linked.link.account, linked.link.file_system): linked.link for linked in facts.live}
    for address in facts.record.lakes if facts.record else ():
        link = links.get((address.account, address.file_system))
        if link is not None and link.config.id != address.config:
            yield Finding(
                "VFY024",
                Severity.ERROR,
                f"the record names the lake {lake_name(address)} for the config {address.config}, "
                f"and its link is of {link.config.id}",
                Place(facts.site.state.location(RECORD_PATH), key="lakes"),
                "one file system has one link",
                f"let `lakes` in that file name this file system once, with the config {link.config.id}",
            )


def _lake(config: ExportConfig, facts: Facts) -> Iterator[Finding]:
    where = Place(facts.site.name, key=config.name)
    wanted = facts.world.address(config)
    link = facts.world.link(config.id)
    if config.id in {broken.address.config for broken in facts.broken}:
        # Said already.
        return
    if link is None:
        what = f"the export config {config.name!r} is not linked to {lake_name(wanted)}"
        yield Finding("VFY020", Severity.ERROR, what, where, fix=_IMPORT)
    elif (link.account, link.file_system) != (wanted.account, wanted.file_system):
        yield Finding(
            "VFY021",
            Severity.ERROR,
            f"{config.name!r} is linked to {link.account}/{link.file_system}, not to {lake_name(wanted)}",
            where,
            "the bundle with its overlay names another storage account or file system",
            "correct the overlay, or import the bundle: the link then moves",
        )


def _extra_links(facts: Facts, solution: str) -> Iterator[Finding]:
    expected = {config.id for config in facts.expected or ()}
    for linked in facts.live:
        link = linked.link
        if same_name(link.solution, solution) and link.config.id not in expected:
            yield Finding(
                "VFY022",
                Severity.ERROR,
                f"{solution} links {link.config.name!r}, which is not in the bundle",
                Place(facts.site.name, key=link.config.name),
                fix=f"{_unlink(link, facts)}, or verify against the newer bundle",
            )


def _unlink(link: Link, facts: Facts) -> str:
    return facts.command(f"lake unlink {link.config.id}")


def check_organization(link: LinkFacts) -> Iterator[Finding]:
    """The link was made for the organization that the environment is."""
    made_for, here = link.linked.link.organization, link.facts.inventory.organization.id
    if made_for != here:
        yield Finding(
            "VFY001",
            Severity.ERROR,
            f"the link is of the organization {made_for}, and the environment is {here}",
            link.place(),
            "a copied or restored environment brings the configuration of another one",
            "give the copy a folder and lakes of its own in toolkit.yaml",
        )


def check_entities(link: LinkFacts) -> Iterator[Finding]:
    """The link exports the entities of the bundle, each with its strategy and mode."""
    if link.expected is None:
        return
    # A plan knows every difference already; here each is a finding.
    for change in link_changes(link.linked.link, link.expected, link.facts.world):
        match change:
            case AddEntity(entity=entity):
                what = f"the entity {entity.name!r} is not linked ({how(entity)} in the bundle)"
                yield _entity_finding("VFY030", what, link, entity.name)
            case RemoveEntity(entity=name):
                yield _entity_finding("VFY031", f"the entity {name!r} is linked and not in the bundle", link, name)
            case ChangeStrategy(entity=name) | ChangeMode(entity=name):
                code = "VFY032" if isinstance(change, ChangeStrategy) else "VFY033"
                _, before, after = describe(change)
                yield _entity_finding(code, f"the entity {name!r} is exported {before}, not {after}", link, name)
            case _:
                pass


def _entity_finding(code: str, what: str, link: LinkFacts, entity: str) -> Finding:
    return Finding(code, Severity.ERROR, what, link.entity_place(entity), fix=_IMPORT)


def check_settings(link: LinkFacts) -> Iterator[Finding]:
    """The other values of the link are those of the bundle."""
    if link.expected is None:
        return
    for change in link_changes(link.linked.link, link.expected, link.facts.world):
        if change.kind == "setting.change":
            target, before, after = describe(change)
            yield Finding("VFY034", Severity.ERROR, f"{target} is {before}, not {after}", link.place(), fix=_IMPORT)


def check_row(link: LinkFacts) -> Iterator[Finding]:
    """The config row is there and says what an import of the bundle leaves in it."""
    if link.facts.world.links_only:
        return
    row = link.facts.inventory.configs.get(link.config.id)
    if row is None:
        yield Finding(
            "VFY040",
            Severity.ERROR,
            f"the environment has no export config row of {link.config.name!r}",
            link.place(),
            "the row was deleted by hand, or its solution was uninstalled by another tool",
            f"import the bundle again, or end the link: {_unlink(link.linked.link, link.facts)}",
        )
        return
    bundle = link.facts.bundle if link.facts.comparable else None
    wanted = registered_configs(bundle, link.facts.expected or (), link.facts.inventory) if bundle else ()
    own = next((config for config in wanted if config.id == link.config.id), None)
    if own is not None and (drift := list(_row_drift(row.config, own))):
        yield Finding(
            "VFY041",
            Severity.ERROR,
            f"the export config row of {own.name!r} differs from the bundle: {'; '.join(drift)}",
            link.place(),
            "the row was changed in the environment",
            "import the bundle again, or bring the change into the bundle",
        )


def _row_drift(row: ExportConfig, own: ExportConfig) -> Iterator[str]:
    there, wanted = ({entity.name: entity for entity in config.entities} for config in (row, own))
    yield from (f"{name} is missing" for name in wanted if name not in there)
    yield from (f"{name} is extra" for name in there if name not in wanted)
    yield from (f"{name} is changed" for name in wanted if name in there and _differs(there[name], wanted[name]))
    old, new = row.model_dump(exclude={"entities"}), own.model_dump(exclude={"entities"})
    yield from (f"{key} is changed" for key in new if old[key] != new[key])


def _differs(one: LinkedEntity, other: LinkedEntity) -> bool:
    settings = any(getattr(one, setting) != getattr(other, setting) for setting in ENTITY_SETTINGS)
    return settings or one.append_only != other.append_only


def check_tracking(link: LinkFacts) -> Iterator[Finding]:
    """Every linked entity exists, and has change tracking where that can be."""
    facts = link.facts
    for finding in entity_prerequisites(link.config, facts.inventory, facts.profile, facts.site.name):
        # A note, that an entity is read whole, is for who plans it.
        if finding.severity is not Severity.NOTE:
            yield finding


def check_prerequisites(link: LinkFacts) -> Iterator[Finding]:
    """The storage account is as an export needs it and ours alone, and there is a key where columns are hashed."""
    name = link.facts.site.name
    yield from hosted_findings(link.config, link.facts.inventory, name)
    yield from account_prerequisites(link.config, link.facts.inventory, link.facts.profile, name, name)
    yield from key_findings(link.config, link.facts.world, name)
