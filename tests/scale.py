"""How much the proofs do: little in the suite, much in `make soak`; and by which dice."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

LONG = bool(os.environ.get("TOOLKIT_SOAK"))

Record = Callable[[str, object], None]
"""The fixture ``record_property``."""

PROOF = "proof"
"""The property that says what a test came to, and is printed. Properties that are pairs are summed up by name."""


def scaled(short: int, long: int) -> int:
    """Return how often something is done: ``long`` in `make soak`."""
    return long if LONG else short


def seed() -> int:
    """Return the seed of a test: always the same in CI, so that it fails for what was changed and not by luck."""
    return 20260301 if os.environ.get("CI") else random.SystemRandom().randrange(1 << 32)
