"""What is asked of a bundle before anything is changed: where it comes from, and who signed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from toolkit.bundle import Loaded
from toolkit.cli.references import CORE
from toolkit.errors import Finding, ToolkitError
from toolkit.release import provenance_path, require_origin, require_signed, required_provenance, state_of
from toolkit.release.signing import signature_path
from toolkit.verify import Checked


def require_trusted(text: str, found: Loaded, signers: Sequence[str], *, clean: bool, tag: bool) -> None:
    """Refuse a bundle that its signature or provenance does not fit, or whose origin is not what was asked for."""
    if text == CORE:  # it comes with the toolkit itself
        return
    require_signed(found, signers)
    provenance = required_provenance(found)
    if not (clean or tag):
        return
    if Path(text).is_file():
        git = provenance.git if provenance else None
    else:
        git = state_of(text, Path.cwd(), found.bundle.solution)
    require_origin(git, found.path, clean=clean, tag=tag)


def trust_checks(text: str, found: Loaded, signers: Sequence[str]) -> Iterator[Checked]:
    """Yield the same as checks of a verification, as far as there is a signature or provenance, or has to be one."""
    if text == CORE:
        return
    path = Path(found.path)
    if signers or signature_path(path).is_file():
        yield Checked("signature", found.path, _refusal(lambda: require_signed(found, signers)))
    if provenance_path(path).is_file():
        yield Checked("provenance", found.path, _refusal(lambda: required_provenance(found)))


def _refusal(check: Callable[[], object]) -> tuple[Finding, ...]:
    try:
        check()
    except ToolkitError as error:
        return tuple(error.findings)
    return ()
