"""Bytes <-> model: solution zips and source folders, read and written without loss."""

from toolkit.bundle.archive import LIMITS, Archive, Limits, read_archive
from toolkit.bundle.loading import Loaded, load, load_bytes, load_files, pack, unpack, validate
from toolkit.bundle.numbering import renumbered
from toolkit.bundle.overlays import Variables, effective, known_environment, layers, load_overlay, overlay_findings
from toolkit.bundle.package import OVERLAY_MEMBERS, read_bundle, write_bundle
from toolkit.bundle.settings import settings_notes
from toolkit.bundle.source import Files, is_read

__all__ = [
    "LIMITS",
    "OVERLAY_MEMBERS",
    "Archive",
    "Files",
    "Limits",
    "Loaded",
    "Variables",
    "effective",
    "is_read",
    "known_environment",
    "layers",
    "load",
    "load_bytes",
    "load_files",
    "load_overlay",
    "overlay_findings",
    "pack",
    "read_archive",
    "read_bundle",
    "renumbered",
    "settings_notes",
    "unpack",
    "validate",
    "write_bundle",
]
