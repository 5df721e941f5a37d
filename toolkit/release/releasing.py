"""A release: the next version, its changelog entry, the zip with its provenance, the commit and its tag; or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.bundle import Loaded, load, load_bytes, pack, renumbered
from toolkit.errors import Invalid, NotFound, Refused
from toolkit.files import write_whole
from toolkit.model.bundle import Bundle
from toolkit.model.version import Part, Version
from toolkit.plan import Difference, differences
from toolkit.plan.render import differences_text
from toolkit.release.origin import GitState, tag_of, uncommitted
from toolkit.release.provenance import provenance_bytes, provenance_of, provenance_path
from toolkit.release.revisions import bundle_at, opened, told

if TYPE_CHECKING:
    from git import Repo

CHANGELOG = "CHANGELOG.md"
SHOWN = 8
"""How many of the files that are not committed an error tells."""


@dataclass(frozen=True, slots=True)
class Release:
    """What was released: the bundle as it was packed, and where zip, commit and tag are."""

    bundle: Bundle
    path: Path
    tag: str
    commit: str
    since: str | None
    """The tag of the release before."""
    changes: tuple[Difference, ...]
    """Since that release."""


def release(
    folder: Path, part: Part, target: Callable[[Bundle], Path], *, managed: bool | None, clock: Callable[[], datetime]
) -> Release:
    """Release a source folder as the next version in ``part``; ``target`` says where the zip goes.

    A failure leaves work tree, index, branch and tags as they were. Raises Invalid for a bundle with errors, NotFound
    outside of a repository (REL001), Refused where something is not committed (REL020), the tag exists (REL021), a
    higher version is released (REL022), nothing changed since the last one (REL023), or git refuses (REL024).
    """
    with opened(folder) as repo, ExitStack() as undo:
        _require_committed(repo, folder)
        found = _sound(load(folder))
        version = found.bundle.solution.version.bump(part)
        name = found.bundle.solution.unique_name
        since = _last(repo, name)
        _require_next(repo, name, version, since)
        changes = _changes(repo, folder, found.bundle, since)
        entry = _entry(version, clock(), since, changes)
        commit = _committed(repo, folder, version, entry, undo)
        tag = tag_of(name, version)
        _tagged(repo, tag, undo)
        packed = load_bytes(pack(folder, managed).to_bytes(), str(folder))
        path = target(packed.bundle)
        _packed(packed, path, GitState(commit=commit, tag=tag), clock(), undo)
        undo.pop_all()
        return Release(packed.bundle, path, tag, commit, tag_of(name, since) if since else None, changes)


def _sound(found: Loaded) -> Loaded:
    if found.errors:
        raise Invalid(found.findings)
    return found


def _require_committed(repo: Repo, folder: Path) -> None:
    where = str(folder)
    if not repo.head.is_valid():
        raise Refused("REL020", "nothing is committed yet", where=where, fix="commit the folder")
    if left := uncommitted(repo, folder):
        shown = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
        raise Refused("REL020", f"not everything is committed: {shown}", where=where, fix="commit it, or put it aside")


def _last(repo: Repo, name: str) -> Version | None:
    """Return the highest version that is released in the history of HEAD."""
    names = repo.git.tag("--list", "--merged", "HEAD", f"{name}/v*").splitlines()
    return max((version for tag in names if (version := _version(tag))), default=None)


def _version(tag: str) -> Version | None:
    try:
        return Version(tag.rpartition("/v")[2])
    except ValueError:
        return None


def _require_next(repo: Repo, name: str, version: Version, since: Version | None) -> None:
    tag = tag_of(name, version)
    if tag in {reference.name for reference in repo.tags}:
        fix = "see where that tag is, and bump another part"
        raise Refused("REL021", f"the tag {tag} exists already", where=tag, fix=fix)
    if since is not None and version <= since:
        why = "no environment would take a lower version"
        fix = "set the version of solution.yaml to the released one, and commit it"
        raise Refused("REL022", f"{version} is not above {since}, which is released", where=tag, why=why, fix=fix)


def _changes(repo: Repo, folder: Path, bundle: Bundle, since: Version | None) -> tuple[Difference, ...]:
    if since is None:
        return ()
    root = Path(repo.working_dir).resolve()
    tag, path = tag_of(bundle.solution.unique_name, since), folder.resolve().relative_to(root).as_posix()
    try:
        before = bundle_at(f"{tag}:{path}", root).bundle
    except NotFound:  # the folder was elsewhere then
        return ()
    found = tuple(differences(before, bundle))
    if not found:
        raise Refused("REL023", f"nothing changed since {tag}", where=str(folder), fix="there is nothing to release")
    return found


def _entry(version: Version, at: datetime, since: Version | None, changes: Sequence[Difference]) -> str:
    lines = differences_text(changes).splitlines() if changes else []
    told = [f"    {line}" for line in lines] or ["The first release of this folder."]
    head = f"## {version} - {at:%Y-%m-%d}"
    return "\n".join([head, "", *([f"Since {since}:", ""] if lines else []), *told, ""])


def _with_entry(text: str, entry: str) -> str:
    """Return a changelog with an entry before the newest one."""
    head, mark, rest = text.partition("\n## ")
    return f"{head.rstrip() or '# Changelog'}\n\n{entry}{mark}{rest}"


def _committed(repo: Repo, folder: Path, version: Version, entry: str, undo: ExitStack) -> str:
    """Write version and changelog, and commit both; return the commit."""
    head = repo.head.commit.hexsha
    path, changelog = folder / "solution.yaml", folder / CHANGELOG
    _write(path, renumbered(folder, version), undo)
    before = changelog.read_text(encoding="utf-8") if changelog.is_file() else ""
    _write(changelog, _with_entry(before, entry).encode(), undo)
    name = load(folder).bundle.solution.unique_name
    # What is committed was clean, so the index is that of the old commit again.
    undo.callback(repo.git.reset, "--quiet", "--mixed", head)
    with told():
        repo.git.add("--", str(path.resolve()), str(changelog.resolve()))
        repo.git.commit("--quiet", "--message", f"Release {name} {version}", "--message", entry)
    return str(repo.head.commit.hexsha)


def _tagged(repo: Repo, tag: str, undo: ExitStack) -> None:
    with told():
        repo.git.tag("--annotate", tag, "--message", f"Release {tag}")
    undo.callback(repo.git.tag, "--delete", tag)


def _packed(packed: Loaded, path: Path, git: GitState, built: datetime, undo: ExitStack) -> None:
    _write(path, packed.archive.to_bytes(), undo)
    _write(provenance_path(path), provenance_bytes(provenance_of(packed, git, built)), undo)


def _write(path: Path, data: bytes, undo: ExitStack) -> None:
    old = path.read_bytes() if path.is_file() else None
    undo.callback(_restore, path, old)
    write_whole(path, data)


def _restore(path: Path, old: bytes | None) -> None:
    if old is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, old)
