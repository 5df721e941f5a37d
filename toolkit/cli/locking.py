"""``unlock``: take the lock of an environment from somebody who will not give it back."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from toolkit.apply.documents import ENVIRONMENT_LOCK
from toolkit.cli import options
from toolkit.cli.frame import Command
from toolkit.cli.session import Session
from toolkit.errors import Locked
from toolkit.lake.paths import told

if TYPE_CHECKING:
    from toolkit.lake.protocol import Holder


@click.command(cls=Command)
@options.yes
@options.environment
@click.pass_obj
def unlock(session: Session, *, yes: bool, environment: str | None) -> None:
    """Take the lock of an environment from a holder on another host.

    A lock ends with its process, so that this is needed only where the folder of the environment is shared by hosts.
    """
    site = session.site(environment)
    holder = site.state.holder(ENVIRONMENT_LOCK)
    if holder is None:
        session.say(f"{site.name} is not locked", {"environment": site.name, "holder": None, "unlocked": False})
        return
    if holder.host == socket.gethostname() and alive(holder.pid):
        raise _lives(site.name, holder)
    who = f"{site.name} is locked by {told(holder)}, for: {holder.purpose or 'nobody knows'}"
    if not yes:
        session.confirm(f"{who}. Break the lock?", "--yes")
    site.state.break_lock(ENVIRONMENT_LOCK)
    data = {"environment": site.name, "holder": {**asdict(holder), "since": holder.since.isoformat()}, "unlocked": True}
    session.say(f"{who}\nbroke the lock of {site.name}", data)


def alive(process: int) -> bool:
    """Whether a process of this host is there, whoever runs it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _lives(environment: str, holder: Holder) -> Locked:
    return Locked(
        "CLI090",
        f"{environment} is locked by {told(holder)}, and that process is at work on this host",
        where=environment,
        why=f"it does: {holder.purpose}" if holder.purpose else "",
        fix=f"wait until it is done, or stop process {holder.pid}: its lock ends with it",
    )
