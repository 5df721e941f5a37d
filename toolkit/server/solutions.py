"""Solutions over the Web API: what changes them, and the actions that export, stage, import and upgrade."""

from __future__ import annotations

from toolkit.server import solution_jobs, system_writes
from toolkit.server.route import Route

ROUTES: tuple[Route, ...] = (*solution_jobs.ROUTES, *system_writes.ROUTES)
