"""Checks of a lake: ``model.json`` lists each entity, and a reader who follows it finds every file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from toolkit.engine.checkpoint import Checkpoint, Move, Part
from toolkit.engine.incremental.inspection import Flaw, FolderFault, content_faults, folder_faults, key_faults
from toolkit.engine.inspection import Fault, Role, common_faults, faults
from toolkit.engine.manifest import MANIFEST_PATH
from toolkit.errors import Finding, Severity
from toolkit.lake.protocol import Lake
from toolkit.verify.facts import LinkFacts

_BACKUP = "restore the file from a backup"


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
        if (checkpoint := link.checkpoint(one.entity)) is not None:
            yield from file_findings(checkpoint, link)


def file_findings(checkpoint: Checkpoint, link: LinkFacts) -> Iterator[Finding]:
    """Yield that a live file of an entity is gone, or of another size than was written."""
    if wrong := list(_wrong(checkpoint, link.linked.lake)):
        yield Finding(
            "VFY066",
            Severity.ERROR,
            f"{wrong[0]}{_others(len(wrong))}",
            link.entity_place(checkpoint.entity),
            "the next pass cannot change a file that is not as it was written",
            _repair(link),
        )


def check_folders(link: LinkFacts) -> Iterator[Finding]:
    """Readers of incremental folders find every folder that was committed, whole, and no other."""
    for fault in folder_faults(link.linked.lake):
        yield folder_finding(fault, link)


_FLAWS: Mapping[Flaw, tuple[str, str]] = {
    Flaw.HEAD: ("VFY091", ""),
    Flaw.MODEL: ("VFY092", _BACKUP),
    Flaw.FILE: ("VFY092", _BACKUP),
    Flaw.STRANGER: ("VFY093", "delete the folder"),
    Flaw.CONTENT: ("VFY099", _BACKUP),
}
"""The code of each flaw, and what to do; empty: a sync does it."""


def check_content(link: LinkFacts) -> Iterator[Finding]:
    """Every file that is committed holds what was written to it, and there is no other: all of them are read."""
    for flaw in content_faults(link.linked.lake):
        yield folder_finding(flaw, link)
    for error in key_faults(link.linked.lake):
        yield from error.findings
    for one in link.completed:
        checkpoint = link.checkpoint(one.entity)
        for fault in faults(link.linked.lake, checkpoint) if checkpoint else ():
            yield fault_finding(fault, link, one.entity)
    for fault in common_faults(link.linked.lake):
        yield fault_finding(fault, link)


_FAULTS: Mapping[Role, tuple[str, Severity, str]] = {
    Role.LIVE: ("VFY067", Severity.ERROR, "the next snapshot would hold it"),
    Role.INDEX: ("VFY068", Severity.WARNING, "the next pass that has to do with its live file reads all of that"),
    Role.NAMED: ("VFY069", Severity.ERROR, "readers who follow model.json meet it"),
    Role.KEPT: ("VFY074", Severity.WARNING, "only readers who are still at it meet it"),
    Role.STRAY: ("VFY090", Severity.WARNING, "the checkpoint is older than the file, as after a failover"),
    Role.LOG: ("VFY095", Severity.WARNING, "who follows the log misses lines"),
    Role.METADATA: ("VFY096", Severity.WARNING, "readers of metadata meet it"),
    Role.PIN: ("VFY097", Severity.ERROR, "readers of the pin meet it"),
    Role.MANIFEST: ("VFY098", Severity.ERROR, "readers follow it"),
}
_CONDITIONS: Mapping[Role, str] = {
    Role.STRAY: "is there",
    Role.LOG: "is not as it was left",
    Role.MANIFEST: "does not say what the checkpoints say",
}
"""What is wrong with a file that is there, where that is not its content."""


_OTHERWISE: Mapping[Role, str] = {
    Role.LIVE: f"{_BACKUP}; or take the entity off and add it again: it is synced anew, and the old data kept",
    Role.LOG: f"{_BACKUP} when its lines are missed",
    Role.PIN: f"{_BACKUP}, or give the pin up: toolkit unpin NAME",
}
"""What to do where a repair did not help."""


def fault_finding(fault: Fault, link: LinkFacts, entity: str | None = None, *, repaired: bool = False) -> Finding:
    """Return what to tell people of a fault of an entity, or of the whole lake; ``repaired`` when a repair left it."""
    code, severity, why = _FAULTS[fault.role]
    condition = "is gone" if fault.missing else _CONDITIONS.get(fault.role, "does not hold what was written to it")
    place = link.place() if entity is None else link.entity_place(entity)
    fix = _OTHERWISE.get(fault.role, _BACKUP) if repaired else _repair(link)
    return Finding(code, severity, f"the {fault.role} {fault.path} {condition}", place, why, fix)


def folder_finding(fault: FolderFault, link: LinkFacts) -> Finding:
    """Return what to tell people of a fault of an incremental folder."""
    code, fix = _FLAWS[fault.flaw]
    what, why = f"{fault.path} {fault.flaw}", "readers miss changes, or fail"
    return Finding(code, Severity.ERROR, what, link.place(), why, fix or _rewrite(link))


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


def _repair(link: LinkFacts) -> str:
    return f"{link.command('repair')} makes it good"


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
