"""Options that several commands share, each defined once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from toolkit.cli.checked import checked
from toolkit.errors import nearest
from toolkit.model.environment import Organization, StorageAccount
from toolkit.model.names import LOGICAL_NAME
from toolkit.plan import Profile, safety

_F = TypeVar("_F", bound=Callable[..., Any])


DAY = 86_400
ENGLISH = 1033
LOOPBACK = "127.0.0.1"
MOST_PORTS = 65_535


class Duration(click.ParamType[float]):
    """Seconds, or a number with a unit: ``90``, ``90s``, ``15m``, ``2h``; from ``least`` seconds to ``most``."""

    name = "duration"
    _units = {"": 1, "s": 1, "m": 60, "h": 3600}

    def __init__(self, *, least: float = 0.0, most: float = 30 * DAY) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's signature
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
        if match is None:
            self.fail(f"{value!r} is no duration: write 90, 90s, 15m or 2h", param, ctx)
        seconds = float(match[1]) * self._units[match[2]]
        if not self._least <= seconds <= self._most:
            self.fail(f"{value!r} is not from {self._least:g}s to {self._most / 3600:g}h", param, ctx)
        return seconds


class Address(click.ParamType[tuple[str, int]]):
    """A port of this machine, or HOST:PORT: ``9464``, ``127.0.0.1:9464``, ``[::1]:9464``; port 0 takes a free one."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:  # noqa: ANN401 - click's signature
        """Return host and port; the host is the loopback where none is given."""
        match = re.fullmatch(r"(?:(\[[0-9a-fA-F:]+\]|[^\s:\[\]]+):)?(\d{1,5})", value)
        if match is None or int(match[2]) > MOST_PORTS:
            self.fail(f"{value!r} is no address: write 9464 or 127.0.0.1:9464", param, ctx)
        return (match[1] or LOOPBACK).strip("[]"), int(match[2])


class Positive(click.ParamType[float]):
    """A number above zero, at most ``most``."""

    name = "number"

    def __init__(self, most: float) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's signature
        """Return the number; not a number (nan) fails like what is none."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)
        if not 0 < number <= self._most:
            self.fail(f"{value!r} is not a number above 0, at most {self._most:,.0f}", param, ctx)
        return number


class Danger(click.ParamType["safety.Danger | int"]):
    """What is allowed by name: ``delete:account``, ``history:account``, ``track:account``, ``entities:12``."""

    name = "danger"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> safety.Danger | int:
        """Return the danger, or the number of entities."""
        kind, _, named = value.partition(":")
        kinds = [*(harm.value for harm in safety.Harm), safety.ENTITIES]
        if kind not in kinds:
            hint = nearest(kind, kinds) or f"write one of {', '.join(kinds)}"
            self.fail(f"{value!r} names nothing that is refused; {hint}", param, ctx)
        if kind == safety.ENTITIES:
            if re.fullmatch(r"[1-9]\d{0,5}", named) is None:
                self.fail(f"{value!r} does not say how many: write entities:12", param, ctx)
            return int(named)
        if re.fullmatch(LOGICAL_NAME, named.lower()) is None:
            self.fail(f"{value!r} does not name an entity: write {kind}:account", param, ctx)
        return safety.Danger(safety.Harm(kind), named.lower())


def allowed_by(given: Sequence[safety.Danger | int]) -> safety.Allowed:
    """Return what the values of ``--allow`` allow together."""
    numbers = [each for each in given if isinstance(each, int)]
    named = frozenset(each for each in given if isinstance(each, safety.Danger))
    return safety.Allowed(named, max(numbers, default=0))


SECONDS = Positive(most=DAY)
RATE = Positive(most=100_000)
SEED = click.IntRange(min=0)
MOST_ROWS = 10_000_000
"""Rows of an entity that one command adds: their ids are drawn at once, in memory."""


environment = click.option("--env", "environment", metavar="NAME", help="The environment; else the default one.")
take_over = click.option(
    "--take-over",
    is_flag=True,
    help="The organization is another one now, and goes on with the lakes of the one before.",
)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
allow = click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=Danger(),
    metavar="WHAT:NAME",
    help="Name what may be lost: delete:ENTITY, history:ENTITY, track:ENTITY; or entities:NUMBER. May be repeated.",
)
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
step_summary = click.option(
    "--step-summary", is_flag=True, help="Append the result as Markdown to the summary of a GitHub step."
)
require_clean = click.option(
    "--require-clean", is_flag=True, help="Refuse a bundle that is not as it is committed in git."
)
require_tag = click.option("--require-tag", is_flag=True, help="Refuse a bundle that is of no tagged release.")
language = click.option(
    "--language",
    type=click.IntRange(1, 0xFFFFF),
    default=ENGLISH,
    show_default=True,
    metavar="LCID",
    help="Of name and description.",
)
config = click.option(
    "--config",
    metavar="CONFIG",
    help="The export config, by id or name (of its link or row); may be left out where there is one.",
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


@dataclass(frozen=True, slots=True)
class Accounts:
    """Storage accounts as the options describe them; the properties are those of all of them."""

    account: tuple[str, ...]
    account_kind: str
    account_region: str | None
    account_tenant: str | None
    account_replication: str
    account_flat: bool
    account_role: tuple[str, ...]

    @property
    def folders(self) -> dict[str, str]:
        """The folder of each account, empty where none was named."""
        return dict(text.partition("=")[::2] for text in self.account)

    def seen_by(self, organization: Organization) -> dict[str, StorageAccount]:
        """Return the accounts, by default of the region and the tenant of an organization."""
        properties = {
            "kind": self.account_kind,
            "region": self.account_region or organization.region,
            "tenant": self.account_tenant or organization.tenant,
            "replication": self.account_replication,
            "hierarchical_namespace": not self.account_flat,
            **({"roles": self.account_role} if self.account_role else {}),
        }
        options = {"name": "--account", "tenant": "--account-tenant"}
        return {name: checked(StorageAccount, {"name": name, **properties}, options) for name in self.folders}


def accounts(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe storage accounts; the command gets them as one value, ``accounts``."""

    @wraps(command)
    def collected(*arguments: Any, **given: Any) -> Any:  # noqa: ANN401 - click's
        described = Accounts(**{field.name: given.pop(field.name) for field in fields(Accounts)})
        return command(*arguments, accounts=described, **given)

    options: tuple[tuple[str, dict[str, Any]], ...] = (
        ("--account", {"multiple": True, "metavar": "NAME[=FOLDER]", "help": "A storage account; may be repeated."}),
        ("--account-kind", {"default": "StorageV2", "show_default": True, "help": "The kind of these accounts."}),
        ("--account-region", {"help": "Else that of the organization."}),
        ("--account-tenant", {"metavar": "GUID", "help": "Else that of the organization."}),
        ("--account-replication", {"default": "RAGRS", "show_default": True, "help": "LRS, ZRS, GRS, RAGRS, ..."}),
        ("--account-flat", {"is_flag": True, "help": "Without a hierarchical namespace."}),
        ("--account-role", {"multiple": True, "metavar": "ROLE", "help": "Else Owner and the data contributor."}),
    )
    described: Callable[..., Any] = collected
    for name, how in reversed(options):
        described = click.option(name, **how)(described)
    return described
