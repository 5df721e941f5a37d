"""All routes, and the way of a call to the one that answers it."""

from __future__ import annotations

from toolkit.errors import ToolkitError
from toolkit.server import functions, metadata, records, solutions, tracking
from toolkit.server.call import Answer, Call, not_supported
from toolkit.server.refusals import refusal
from toolkit.server.route import Route
from toolkit.server.world import World

ROUTES: tuple[Route, ...] = (
    *functions.ROUTES,
    *solutions.ROUTES,
    *metadata.ROUTES,
    *tracking.ROUTES,
    *records.ROUTES,
)
"""The first one that matches answers."""


def dispatch(world: World, call: Call) -> Answer:
    """Answer a call; what the organization refuses is an answer too."""
    try:
        return _answered(world, call)
    except ToolkitError as error:
        return refusal(error)


def _answered(world: World, call: Call) -> Answer:
    for route in ROUTES:
        if (answer := route.answer(world, call)) is not None:
            return answer
    raise not_supported(f"{call.method} {call.path}")
