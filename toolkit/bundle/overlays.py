"""Overlays: read, and laid over a bundle's configs in their order of precedence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.bundle.checks import secret_findings
from toolkit.documents import as_model, findings, parse, read
from toolkit.errors import Finding, Invalid, Place, Severity, nearest
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.overlay import Overlay, overlaid


def load_overlay(path: Path) -> Overlay:
    """Read an overlay file. Raises NotFound or Invalid with every finding; BND025 for a secret."""
    text = read(path)
    document = parse(text, str(path))
    found = [*findings(document, Overlay), *secret_findings(text, document)]
    if found:
        raise Invalid(found)
    return as_model(document, Overlay)


def effective(bundle: Bundle, environment: str, extra: Sequence[Path] = ()) -> tuple[ExportConfig, ...]:
    """Return the configs of a bundle in an environment.

    The bundle's own overlay for the environment comes first, then the files of ``extra``, each over the one before.
    Every overlay names configs as the bundle does. A bundle without an overlay for the environment is used as it is
    (``overlay_findings`` says so). Raises NotFound for a config or an entity that is not there (BND101, BND102).
    """
    overlays = [(load_overlay(path), str(path)) for path in extra]
    if environment in bundle.overlays:
        overlays.insert(0, (bundle.overlays[environment], f"the bundle's overlay for {environment!r}"))
    for overlay, where in overlays:
        # Each by itself, so that an error names the overlay that made it.
        overlaid(bundle.configs, overlay, where)
    merged: dict[str, Any] = {}
    for overlay, _ in overlays:
        merged = _merged(merged, overlay.model_dump(exclude_unset=True))
    return overlaid(bundle.configs, Overlay.model_validate(merged), "the overlays")


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; what is None in ``over`` leaves what is there."""
    merged = dict(under)
    for key, value in over.items():
        if isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        elif value is not None:
            merged[key] = value
    return merged


def overlay_findings(bundle: Bundle, environment: str, where: str) -> tuple[Finding, ...]:
    """Return a warning where a bundle has overlays, but none for the environment."""
    if not bundle.overlays or environment in bundle.overlays:
        return ()
    what = f"the bundle has no overlay for {environment!r}, so its own values are used"
    return (Finding("BND017", Severity.WARNING, what, Place(where), fix=nearest(environment, bundle.overlays)),)
