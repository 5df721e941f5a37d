"""Bundles and git: revisions, releases, where a zip comes from, and who signed it."""

from toolkit.release.origin import GitState, state_of
from toolkit.release.provenance import (
    Provenance,
    provenance_bytes,
    provenance_of,
    provenance_path,
    require_origin,
    required_provenance,
)
from toolkit.release.releasing import Release, release
from toolkit.release.revisions import bundle_at, commit_of
from toolkit.release.signing import require_signed

__all__ = [
    "GitState",
    "Provenance",
    "Release",
    "bundle_at",
    "commit_of",
    "provenance_bytes",
    "provenance_of",
    "provenance_path",
    "release",
    "require_origin",
    "require_signed",
    "required_provenance",
    "state_of",
]
