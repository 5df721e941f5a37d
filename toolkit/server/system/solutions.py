"""Solutions over the Web API: what changes them, and the actions that export, stage, import and upgrade."""

from __future__ import annotations

from toolkit.server.route import Route
from toolkit.server.system import jobs, writes

ROUTES: tuple[Route, ...] = (*jobs.ROUTES, *writes.ROUTES)
