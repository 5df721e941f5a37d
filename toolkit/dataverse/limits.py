"""What a client of the Web API allows itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests at once, how often one is repeated, and how long all that may take; times in seconds."""

    first: int = 2
    """Requests at once, to begin with."""
    most: int = 16
    """Requests at once, at the most. The service refuses the 53rd of one user."""
    attempts: int = 8
    """How often one request is sent before its failure is told."""
    greetings: int = 4
    """How often one is sent to an address that never answered: it may well be wrong, and somebody waits."""
    patience: float = 300.0
    """How long one request waits between its attempts, all waits together, before its failure is told."""
    backoff: float = 1.0
    """The first wait where the service names none; each further one is twice as long."""
    longest: float = 60.0
    """The longest wait where the service names none."""
    connect: float = 15.0
    read: float = 180.0
    """Between two pieces of an answer. The service itself gives up a request after two minutes."""


DEFAULTS = Limits()
