"""The documents that a bundle is made of, wherever they were read from, and the models that they say.

A zip and a source folder both come down to ``Parts``: one tree of strings with lines for the solution, for each export
config and for each overlay. Checks run over the trees, so that they also see what no model accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from toolkit.documents import Document, as_model, findings
from toolkit.errors import Finding, Invalid
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.overlay import Overlay
from toolkit.model.solution import Solution

_T = TypeVar("_T")
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Parts:
    """What could be read, and what could not (``unreadable``). ``texts`` are the YAML files as written, by path.

    ``package`` holds what else is in a zip, as digests (``Bundle.package``); a folder's are those of its packed zip.
    """

    solution: Document | None
    configs: tuple[Document, ...]
    overlays: Mapping[str, Document]
    texts: Mapping[str, str]
    unreadable: tuple[Finding, ...] = ()
    package: Mapping[str, str] = field(default_factory=dict)

    def lexical_findings(self) -> Iterator[Finding]:
        """Yield what keeps the parts from being models."""
        yield from self.unreadable
        if self.solution is not None:
            yield from findings(self.solution, Solution)
        for config in self.configs:
            yield from findings(config, ExportConfig)
        for overlay in self.overlays.values():
            yield from findings(overlay, Overlay)

    def bundle(self) -> Bundle:
        """Return the bundle that the parts say. Raises Invalid with everything that keeps them from it."""
        found = list(self.lexical_findings())
        if found or self.solution is None:
            raise Invalid(found)
        return Bundle(
            solution=as_model(self.solution, Solution),
            configs=tuple(as_model(config, ExportConfig) for config in self.configs),
            overlays={name: as_model(overlay, Overlay) for name, overlay in self.overlays.items()},
            package=self.package,
        )


class Collector:
    """Reads one part after the other, and keeps the findings of those that cannot be read."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def read(self, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """Return what ``read`` gives for the arguments, or None where the part is invalid."""
        try:
            return read(*args, **kwargs)
        except Invalid as error:
            self.findings += error.findings
            return None
