"""Solutions over the Web API: export, staging, import, upgrade, and the jobs that do it."""

from __future__ import annotations

from toolkit.server.route import Route

ROUTES: tuple[Route, ...] = ()
