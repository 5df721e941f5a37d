"""Options that several commands share, each defined once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.plan import Profile

_F = TypeVar("_F", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """Seconds, or a number with a unit: ``90``, ``90s``, ``15m``, ``2h``."""

    name = "duration"
    _units = {"": 1, "s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's signature
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
        if match is None:
            self.fail(f"{value!r} is no duration: write 90, 90s, 15m or 2h", param, ctx)
        return float(match[1]) * self._units[match[2]]


environment = click.option("--env", "environment", metavar="NAME", help="The environment; else the default one.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
delete_data = click.option("--delete-data", is_flag=True, help="Delete the exported data instead of keeping it aside.")
exit_code = click.option("--exit-code", is_flag=True, help="Exit with 3 when there is a difference.")
overlays = click.option(
    "--overlay",
    "overlays",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="An overlay file laid over the bundle's own; may be given several times, the last one wins.",
)
profile = click.option(
    "--profile",
    type=click.Choice(Profile),
    default=Profile.ENGINE,
    show_default=True,
    help="Who exports: decides which prerequisites are errors.",
)
config = click.option(
    "--config", metavar="CONFIG", help="The export config, by name or id; may be left out where there is one."
)


def data(command: _F) -> _F:
    """Add the options that say how much of the data work is waited for."""
    command = click.option(
        "--wait",
        type=Duration(),
        metavar="TIME",
        help="Sync for at most this long (90s, 15m, 2h); exit 7 when more is left.",
    )(command)
    return click.option("--no-sync", is_flag=True, help="Leave the data to `toolkit sync` or `toolkit run`.")(command)
