"""Checks of a lake: ``model.json`` lists each entity, and a reader who follows it finds every file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from toolkit.engine.checkpoint import Checkpoint, Move, Part
from toolkit.engine.incremental.inspection import Flaw, folder_faults, key_faults
from toolkit.engine.inspection import Fault, Role, faults
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.errors import Finding, Severity
from toolkit.lake.protocol import Lake
from toolkit.verify.facts import LinkFacts


def check_manifest(link: LinkFacts) -> Iterator[Finding]:
    """``model.json`` is there, can be read, and lists the entities whose initial sync is complete, and no stranger."""
    completed = {one.entity for one in link.completed}
    try:
        listed = link.manifest
    except ValueError as error:
        what = f"{MANIFEST_PATH} of {link.config.name!r} cannot be read"
        yield Finding("VFY064", Severity.ERROR, what, link.place(), str(error), _rewrite(link))
        return
    if listed is None:
        if completed:
            what = f"{link.config.name!r} has no {MANIFEST_PATH}"
            yield Finding("VFY060", Severity.ERROR, what, link.place(), "readers see an empty lake", _rewrite(link))
        return
    for name in sorted(completed - listed.keys()):
        what = f"{MANIFEST_PATH} does not list {name!r}"
        yield Finding("VFY061", Severity.ERROR, what, link.entity_place(name), "readers do not see it", _rewrite(link))
    for name in sorted(listed.keys() - {entity.name for entity in link.config.entities}):
        what = f"{MANIFEST_PATH} lists {name!r}, which is not linked"
        yield Finding(
            "VFY065", Severity.WARNING, what, link.entity_place(name), "it waits to be retired", _rewrite(link)
        )


def check_locations(link: LinkFacts) -> Iterator[Finding]:
    """Every location in ``model.json`` is a file of this lake."""
    try:
        listed = link.manifest or {}
    except ValueError:
        # The check before this one says so.
        return
    for name, locations in sorted(listed.items()):
        lake = link.linked.lake
        files = {lake.location(stat.path): stat.path for stat in lake.list(name)}
        missing = [location for location in locations if location not in files]
        if missing and _moved(missing, files.values()):
            yield Finding(
                "VFY063",
                Severity.ERROR,
                f"{MANIFEST_PATH} says that {name!r} is at {missing[0]}, and the lake is at {lake.location('')}",
                link.entity_place(name),
                "the lake was moved or copied; readers look at the old place",
                _rewrite(link),
            )
        elif missing:
            yield _missing(name, missing, link)


def check_files(link: LinkFacts) -> Iterator[Finding]:
    """Every live file that was committed is there, as long as it was written: one look at each, none of them read."""
    for one in link.completed:
        checkpoint, lake = link.checkpoint(one.entity), link.linked.lake
        if checkpoint is not None and (wrong := list(_wrong(checkpoint, lake))):
            yield Finding(
                "VFY066",
                Severity.ERROR,
                f"{wrong[0]}{_others(len(wrong))}",
                link.entity_place(one.entity),
                "the next pass cannot change a file that is not as it was written",
                f"restore the file from a backup; or {link.anew(one.entity)}",
            )


def check_folders(link: LinkFacts) -> Iterator[Finding]:
    """Readers of incremental folders find every folder that was committed, whole, and no other."""
    for fault in folder_faults(link.linked.lake):
        code, fix = _FLAWS[fault.flaw]
        what, why = f"{fault.path} {fault.flaw}", "readers miss changes, or fail"
        yield Finding(code, Severity.ERROR, what, link.place(), why, fix or _rewrite(link))


_FLAWS: Mapping[Flaw, tuple[str, str]] = {
    Flaw.HEAD: ("VFY091", ""),
    Flaw.MODEL: ("VFY092", "restore the file from a backup"),
    Flaw.FILE: ("VFY092", "restore the file from a backup"),
    Flaw.STRANGER: ("VFY093", "delete the folder"),
}
"""The code of each flaw, and what to do; empty: a sync does it."""


def check_content(link: LinkFacts) -> Iterator[Finding]:
    """Every live file, index, snapshot and run of keys holds what was written to it: all of them are read."""
    for error in key_faults(link.linked.lake):
        yield from error.findings
    for one in link.completed:
        checkpoint = link.checkpoint(one.entity)
        for fault in faults(link.linked.lake, checkpoint) if checkpoint else ():
            yield _fault(fault, one.entity, link)


_FAULTS: Mapping[Role, tuple[str, Severity, str]] = {
    Role.LIVE: ("VFY067", Severity.ERROR, "the next snapshot would hold it"),
    Role.INDEX: ("VFY068", Severity.WARNING, "it is made anew by a scan of its live file"),
    Role.NAMED: ("VFY069", Severity.ERROR, "readers who follow model.json meet it"),
    Role.KEPT: ("VFY074", Severity.WARNING, "only readers who are still at it meet it"),
}


def _fault(fault: Fault, entity: str, link: LinkFacts) -> Finding:
    code, severity, why = _FAULTS[fault.role]
    what = f"the {fault.role} {fault.path} {'is gone' if fault.missing else 'does not hold what was written to it'}"
    fix = _remedy(fault.role, entity, link)
    return Finding(code, severity, what, link.entity_place(entity), why, fix)


def _remedy(role: Role, entity: str, link: LinkFacts) -> str:
    match role:
        case Role.LIVE:
            return f"restore the file from a backup; or {link.anew(entity)}"
        case Role.INDEX:
            return f"{link.command('sync')} makes it anew when the file changes"
        case Role.NAMED | Role.KEPT:
            return f"delete the file; {link.command('snapshot')} makes a new one of the live file"


def _wrong(checkpoint: Checkpoint, lake: Lake) -> Iterator[str]:
    staged = {step.path: step.staged for step in checkpoint.pending if isinstance(step, Move)}
    for part in checkpoint.parts:
        what = _differs(part, lake)
        # A file that waits to be published lies aside still: the next pass moves it.
        if what is not None and (part.path not in staged or lake.stat(staged[part.path]) is None):
            yield what


def _differs(part: Part, lake: Lake) -> str | None:
    stat = lake.stat(part.path)
    if stat is None:
        return f"the live file {part.path} is gone"
    if stat.size != part.size:
        return f"the live file {part.path} has {stat.size:,} bytes, and {part.size:,} were written"
    return None


def _others(number: int) -> str:
    return f" and {number - 1} more" if number > 1 else ""


def _rewrite(link: LinkFacts) -> str:
    return f"{link.command('sync')} writes it anew"


def _moved(missing: Sequence[str], paths: Collection[str]) -> bool:
    """Whether files of the same paths are in this lake: then the lake moved, and no file is lost."""
    return all(any(location.endswith(f"/{path}") for path in paths) for location in missing)


def _missing(entity: str, missing: Sequence[str], link: LinkFacts) -> Finding:
    return Finding(
        "VFY062",
        Severity.ERROR,
        f"{MANIFEST_PATH} names {missing[0]}{_others(len(missing))} for {entity!r}, and there is no such file",
        link.entity_place(entity),
        "readers fail as a whole when one file is missing",
        f"{link.command('snapshot')} makes a new one of the live file",
    )
