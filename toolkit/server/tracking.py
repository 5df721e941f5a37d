"""Change tracking over the Web API: delta links, tombstones, expiry."""

from __future__ import annotations

from toolkit.server.route import Route

ROUTES: tuple[Route, ...] = ()
