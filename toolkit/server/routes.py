"""All routes, and the way of a call to the one that answers it."""

from __future__ import annotations

from toolkit.errors import ToolkitError
from toolkit.server.call import Answer, Call, not_supported
from toolkit.server.metadata import reads as metadata
from toolkit.server.refusals import refusal
from toolkit.server.route import Route
from toolkit.server.rows import batch, bulk_delete, fetch_xml, multiples, records, related, sql, tracking, writes
from toolkit.server.system import functions, solutions
from toolkit.server.world import World


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


def in_batch(world: World, call: Call) -> Answer:
    """Answer many calls in one request."""
    return batch.run(world, call, dispatch)


ROUTES: tuple[Route, ...] = (
    Route("POST", r"\$batch", in_batch, "Many rows at once", "calls in one request, in changesets all or none"),
    *functions.ROUTES,
    *solutions.ROUTES,
    *metadata.ROUTES,
    *tracking.ROUTES,
    *multiples.ROUTES,
    *bulk_delete.ROUTES,
    *fetch_xml.ROUTES,
    *sql.ROUTES,
    *related.ROUTES,
    *records.ROUTES,
    *writes.ROUTES,
)
"""The first one that matches answers."""
