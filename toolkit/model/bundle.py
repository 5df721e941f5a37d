"""The bundle: a solution with its export configs, as plain values. Bytes are read and written by ``toolkit.bundle``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from toolkit.model.base import Frozen
from toolkit.model.config import ExportConfig
from toolkit.model.overlay import Overlay
from toolkit.model.solution import Solution


class Bundle(Frozen):
    """A solution that carries export configs. ``package`` holds what else is in the zip, as digests."""

    solution: Solution
    configs: tuple[ExportConfig, ...] = ()
    overlays: Mapping[str, Overlay] = {}
    """By environment."""
    package: Mapping[str, str] = {}
    """SHA-256 by member name. ``customizations.xml`` stands for its components besides the configs, and is left out
    where there are none; ``solution.xml`` and the content types hold nothing that the model does not."""

    @field_validator("configs")
    @classmethod
    def _in_order(cls, configs: tuple[ExportConfig, ...]) -> tuple[ExportConfig, ...]:
        """Hold configs in the order of their names, whatever their order in a zip or a folder."""
        return tuple(sorted(configs, key=lambda config: (config.name, config.id)))

    @property
    def digest(self) -> str:
        """SHA-256 of the content before overlay: solution, configs and the other members.

        Overlays do not count, nor does whether the artifact is managed: a source folder, the zips packed from it and
        the export of an environment that imported one of them hold the same content.
        """
        return digest(self.model_dump(mode="json", exclude={"overlays": True, "solution": {"package"}}))


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return ``sha256:<hex>`` of a JSON value in canonical form."""
    return f"sha256:{hashlib.sha256(canonical_bytes(value)).hexdigest()}"


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a JSON value in canonical form: keys sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
