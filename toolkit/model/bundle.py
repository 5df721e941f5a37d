"""The bundle: a solution with its export configs, as plain values. Bytes are read and written by ``toolkit.bundle``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

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
    """SHA-256 by member name; of the two XML files, the part outside the nodes that the model holds."""

    @property
    def digest(self) -> str:
        """SHA-256 of the bundle before overlay: solution, configs and the other members; overlays do not count."""
        return digest(self.model_dump(mode="json", exclude={"overlays"}))


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return ``sha256:<hex>`` of a JSON value in canonical form: keys sorted, no white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
