"""What an import asks of a bundle before anything is changed: where it comes from."""

from __future__ import annotations

from pathlib import Path

from toolkit.bundle import Loaded
from toolkit.cli.references import CORE
from toolkit.release import require_origin, required_provenance, state_of


def require_trusted(text: str, found: Loaded, *, clean: bool, tag: bool) -> None:
    """Refuse a bundle that its provenance does not fit, or whose origin is not what was asked for."""
    if text == CORE:  # it comes with the toolkit itself
        return
    provenance = required_provenance(found)
    if not (clean or tag):
        return
    if Path(text).is_file():
        git = provenance.git if provenance else None
    else:
        git = state_of(text, Path.cwd(), found.bundle.solution)
    require_origin(git, found.path, clean=clean, tag=tag)
