"""Overlays: read, their variables resolved, and laid over a bundle's configs in their order of precedence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.bundle.checks import overlay_checked, secret_findings, secrets_in
from toolkit.bundle.loading import Loaded
from toolkit.bundle.parts import Collector
from toolkit.bundle.settings import SUFFIX, read_settings
from toolkit.documents import Document, Tree, as_model, findings, parse, read
from toolkit.errors import Finding, Invalid, NotFound, Place, Severity, nearest
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.overlay import Overlay, overlaid
from toolkit.model.variables import RESOLVED, named, substituted

Variables = Mapping[str, str]
"""Environment variables by name."""
NO_VARIABLES: Variables = {}


@dataclass(frozen=True, slots=True)
class Layer:
    """One overlay: as it was written, and with the values of its variables; ``given`` beside the bundle or in it."""

    written: Document
    overlay: Overlay
    given: bool


def load_overlay(path: Path) -> Document:
    """Read an overlay file. Raises NotFound or Invalid with every finding; BND025 for a secret."""
    text = read(path)
    document = parse(text, str(path))
    found = [*findings(document, Overlay), *secret_findings(text, document)]
    if found:
        raise Invalid(found)
    return document


def effective(
    found: Loaded, environment: str, extra: Sequence[Path] = (), variables: Variables = NO_VARIABLES
) -> tuple[ExportConfig, ...]:
    """Return the configs of a bundle in an environment; ``layers`` says what is laid over them, and what is raised.

    A bundle without an overlay for the environment is used as it is (``overlay_findings`` says so).
    """
    return laid(found.bundle, layers(found, environment, extra, variables))


def layers(
    found: Loaded, environment: str, extra: Sequence[Path] = (), variables: Variables = NO_VARIABLES
) -> tuple[Layer, ...]:
    """Return the overlays of a bundle in an environment, the lowest first.

    The bundle's own overlay for the environment comes first, then the files of ``extra``, each over the one before.
    A JSON file gives values to variables (``toolkit.bundle.settings``), before those of the environment.
    Every overlay names configs as the bundle does. Raises NotFound for a file that is not there, and Invalid with
    everything that is wrong: variables without a value (BND040), names that lead nowhere (BND101, BND102), values.
    """
    own = found.parts.overlays.get(environment)
    files = [path for path in extra if path.suffix != SUFFIX]
    written = [*([(own, False)] if own else []), *((load_overlay(path), True) for path in files)]
    for path in extra:
        variables = {**variables, **(read_settings(path).values if path.suffix == SUFFIX else {})}
    collector = Collector()
    read_layers = [
        collector.read(_layer, document, environment, found, variables, given=given) for document, given in written
    ]
    if collector.findings:
        raise Invalid(collector.findings)
    return tuple(layer for layer in read_layers if layer is not None)


def _layer(written: Document, environment: str, found: Loaded, variables: Variables, *, given: bool) -> Layer:
    document = resolved(written, variables)
    wrong = [*overlay_checked(environment, document, found.parts.configs), *secrets_in(document)]
    errors = [finding for finding in wrong if finding.severity is Severity.ERROR]
    if errors:
        raise Invalid(errors)
    return Layer(written, as_model(document, Overlay, RESOLVED), given)


def laid(bundle: Bundle, over: Iterable[Layer]) -> tuple[ExportConfig, ...]:
    """Return the configs of a bundle with every layer over them."""
    merged: dict[str, Any] = {}
    for layer in over:
        merged = _merged(merged, layer.overlay.model_dump(exclude_unset=True))
    return overlaid(bundle.configs, Overlay.model_validate(merged, context=RESOLVED), "the overlays")


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; what is None in ``over`` leaves what is there."""
    merged = dict(under)
    for key, value in over.items():
        if isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        elif value is not None:
            merged[key] = value
    return merged


def resolved(written: Document, variables: Variables) -> Document:
    """Return a document with the values of its variables.

    Raises Invalid for those without a value (BND040), and for a sign that names none (BND041).
    """
    if unresolved := list(_unresolved(written, variables)):
        raise Invalid(unresolved)
    return replace(written, data=_substituted(written.data, variables))


def _unresolved(written: Document, variables: Variables) -> Iterator[Finding]:
    for path, text in written.texts():
        where = written.place(*path)
        for name in dict.fromkeys(named(text)):
            if name is None:
                fix = "write ${NAME}, or $${ for a ${ that is meant as it is"
                yield Finding("BND041", Severity.ERROR, "a ${ that names no variable", where, fix=fix)
            elif not variables.get(name):
                what = f"the environment variable {name} is not set"
                why = f"{where.key} takes its value from it"
                yield Finding("BND040", Severity.ERROR, what, where, why, f"set {name} where this command runs")


def _substituted(tree: Tree, variables: Variables) -> Tree:
    if isinstance(tree, dict):
        return {key: _substituted(value, variables) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_substituted(value, variables) for value in tree]
    return substituted(tree, variables) if isinstance(tree, str) else tree


def known_environment(name: str, bundle: Bundle, others: Iterable[str]) -> str:
    """Return the name of an environment that the bundle has an overlay for, or that is among others.

    Raises NotFound (BND043), which names the nearest one.
    """
    known = {*bundle.overlays, *others}
    if name in known:
        return name
    what = f"there is no environment {name!r}"
    why = "the bundle has no overlay of that name, and toolkit.yaml no environment"
    raise NotFound("BND043", what, why=why, fix=nearest(name, known))


def overlay_findings(bundle: Bundle, environment: str, where: str) -> tuple[Finding, ...]:
    """Return a warning where a bundle has overlays, but none for the environment."""
    if not bundle.overlays or environment in bundle.overlays:
        return ()
    what = f"the bundle has no overlay for {environment!r}, so its own values are used"
    return (Finding("BND017", Severity.WARNING, what, Place(where), fix=nearest(environment, bundle.overlays)),)
