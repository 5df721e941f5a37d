"""What a change touches: bundles, and the environments that would get something else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolkit.bundle import Loaded
from toolkit.errors import Invalid, NotFound
from toolkit.plan import Difference, differences
from toolkit.release.revisions import bundle_at, opened

HEAD = "HEAD"
_OVERLAY = "overlay"


@dataclass(frozen=True, slots=True)
class Touched:
    """A bundle's folder, relative to the repository's root, and an environment."""

    bundle: str
    environment: str


def affected(since: str, environments: Iterable[str], cwd: Path) -> list[Touched]:
    """Return which bundles of HEAD differ by meaning from those of ``since``, and for which environments.

    An overlay touches its own environment, everything else in a bundle touches all, and a bundle that is new or could
    not be read then, all of them too. Comments, changelogs and what is not committed touch none. Raises NotFound as
    ``bundle_at`` does, and Invalid for a bundle of HEAD that is none.
    """
    known = tuple(environments)
    with opened(cwd) as repo:
        root = Path(repo.working_dir)
        repo.commit(HEAD)
        paths = [PurePosixPath(path) for path in repo.git.ls_tree("-r", "-z", "--name-only", HEAD).split("\0")]
        folders = [str(path.parent) for path in paths if path.name == "solution.yaml"]
    return [Touched(folder, name) for folder in folders for name in _environments(since, folder, known, root)]


def _environments(since: str, folder: str, known: Sequence[str], root: Path) -> Sequence[str]:
    after = bundle_at(f"{HEAD}:{folder}", root)
    before = _before(f"{since}:{folder}", root)
    if before is None:
        return known
    return _of(differences(before.bundle, after.bundle), known)


def _of(found: Iterable[Difference], known: Sequence[str]) -> Sequence[str]:
    changed = list(found)
    if any(one.area != _OVERLAY for one in changed):
        return known
    overlays = {one.target.partition("/")[0] for one in changed}
    return [name for name in known if name in overlays]


def _before(spec: str, root: Path) -> Loaded | None:
    try:
        return bundle_at(spec, root)
    except Invalid:
        return None
    except NotFound as error:
        if error.code != "REL003":  # a folder that was not there; anything else is a mistake of who asks
            raise
        return None
