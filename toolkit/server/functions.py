"""Functions of the organization: who am I, its version, how many rows."""

from __future__ import annotations

from toolkit.server.route import Route

ROUTES: tuple[Route, ...] = ()
