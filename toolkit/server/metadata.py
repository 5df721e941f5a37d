"""Entity metadata over the Web API."""

from __future__ import annotations

from toolkit.server.route import Route

ROUTES: tuple[Route, ...] = ()
