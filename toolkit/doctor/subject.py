"""The environment that is examined, and what several steps ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from toolkit.model.environment import Inventory
from toolkit.project import DataverseEntry, EmbeddedEntry, Entry, Opened
from toolkit.site import Broken, Linked, Site

if TYPE_CHECKING:
    from toolkit.dataverse.answer import Answer


@dataclass(frozen=True, slots=True)
class Greeting:
    """An answer, and when it came."""

    answer: Answer
    at: datetime


@dataclass(frozen=True)
class Subject:
    """An environment in use."""

    entry: Entry
    opened: Opened
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    account: str | None = None
    """A storage account that is examined besides those that are linked."""

    @property
    def site(self) -> Site:
        """The environment as everybody sees it."""
        return self.opened.site

    @property
    def described(self) -> str:
        """What toolkit.yaml says about it."""
        match self.entry:
            case EmbeddedEntry(folder=folder):
                return f"{self.site.name} is an embedded environment in {folder}"
            case DataverseEntry(url=url, address=address):
                return f"{self.site.name} is the Dataverse organization at {url} (cloud: {address.cloud})"

    @cached_property
    def inventory(self) -> Inventory:
        """What the environment holds."""
        return self.site.environment.inventory()

    @cached_property
    def lakes(self) -> tuple[Linked | Broken, ...]:
        """The lakes of the record, with a link or with what is wrong."""
        return tuple(self.site.looked())

    @property
    def links(self) -> tuple[Linked, ...]:
        """The links that can be read, but for those that were unlinked."""
        return tuple(each for each in self.lakes if isinstance(each, Linked) and each.link.active)

    @property
    def broken(self) -> tuple[Broken, ...]:
        """The links that cannot be read."""
        return tuple(each for each in self.lakes if isinstance(each, Broken))

    @property
    def none_linked(self) -> str:
        """Why there are no links."""
        return "no link can be read" if self.broken else "no lake is linked yet"

    @cached_property
    def linked(self) -> tuple[str, ...]:
        """The names of all linked entities, each once."""
        return tuple(sorted({entity.name for each in self.links for entity in each.link.config.entities}))

    @cached_property
    def greeting(self) -> Greeting:
        """The first answer of the Web API: who is signed in, the server's time, what is left of its limits."""
        clients = self.opened.over_the_web
        assert clients is not None  # noqa: S101 - only the steps of Dataverse organizations ask
        return Greeting(clients.environment.get("WhoAmI"), self.clock())
