"""Control of a running server, beside the API: its faults, and snapshots and reset of its organization."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from toolkit.environment import embedded
from toolkit.errors import Locked, ToolkitError
from toolkit.organization import operations, snapshots
from toolkit.organization.database import Database
from toolkit.server.call import BAD_PAYLOAD, Answer, Call, bad_request, no_resource
from toolkit.server.faults import Rule, Switches
from toolkit.server.refusals import refusal
from toolkit.server.world import World

PREFIX = "/_toolkit/"
"""Where the control lies: outside of the paths of Dataverse."""
_RULES = TypeAdapter(tuple[Rule, ...])


@dataclass(frozen=True, slots=True)
class Control:
    """What can be asked of a running server. ``exclusive`` locks the environment, or raises Locked."""

    world: World
    switches: Switches = field(default_factory=Switches)
    exclusive: Callable[[], AbstractContextManager[object]] = nullcontext

    def answer(self, call: Call) -> Answer:
        """Answer a call; its path lies below ``PREFIX``."""
        try:
            return self._answer(call)
        except ToolkitError as error:
            return refusal(error)

    def _answer(self, call: Call) -> Answer:
        match (call.method, *call.path.split("/")):
            case ("GET", "faults"):
                return _faults(self.switches)
            case ("PUT", "faults"):
                self.switches.set(_rules(call))
                return _faults(self.switches)
            case ("DELETE", "faults"):
                self.switches.set(())
                return Answer(204)
            case ("GET", "snapshots"):
                return Answer.json({"snapshots": snapshots.names(self.world.database)})
            case ("PUT", "snapshots", name):
                with self.exclusive():
                    snapshots.save(self.world.database, name)
                return Answer(204)
            case ("POST", "reset"):
                self._reset(_name(call))
                return Answer(204)
            case _:
                raise no_resource(f"{call.method} {PREFIX}{call.path}")

    def _reset(self, snapshot: str | None) -> None:
        with self.exclusive():
            refuse_jobs(self.world.database)
            take_back(self.world.database, snapshot, self.world.clock)


def _faults(switches: Switches) -> Answer:
    return Answer.json({"faults": [rule.model_dump(mode="json", exclude_defaults=True) for rule in switches.rules]})


def _rules(call: Call) -> tuple[Rule, ...]:
    try:
        return _RULES.validate_python(call.object().get("faults"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {first['msg']}", BAD_PAYLOAD) from error


def _name(call: Call) -> str | None:
    body: dict[str, Any] = call.object() if call.body else {}
    return None if body.get("to") is None else str(body["to"])


def take_back(database: Database, snapshot: str | None, clock: Callable[[], datetime]) -> None:
    """Take an organization back to a snapshot, or to its beginning; a job that ran then runs no longer."""
    if snapshot is None:
        embedded.reset(database)
    else:
        snapshots.restore(database, snapshot)
    with database.write() as connection:
        operations.fail_open(connection, clock())


def refuse_jobs(database: Database) -> None:
    """Refuse to take the organization away from under a job: raise Locked (SRV054)."""
    with database.read() as connection:
        running = operations.open_jobs(connection)
    if running:
        raise Locked(
            "SRV054",
            f"a job is running: {running[0].name}",
            why="it would be lost, and end in another state than it began in",
            fix="wait until it has ended",
        )
