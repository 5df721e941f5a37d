"""Ids of what an organization keeps by name: made of the organization's id and that name, the same at every time."""

from __future__ import annotations

from uuid import UUID, uuid5

from toolkit.organization import catalog
from toolkit.organization.database import Connection

ACTIVE_SOLUTION = "fd140aae-4df4-11dd-bd17-0019b9312238"
"""The id of the solution Active, the same in every organization of Dataverse."""
DEFAULT_SOLUTION = "fd140aaf-4df4-11dd-bd17-0019b9312238"
"""The id of the solution Default, the same in every organization of Dataverse."""
ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"
"""The template of the role System Administrator, the same in every organization of Dataverse."""


def made(organization: str, kind: str, name: str) -> str:
    """Return the id of what has a name, in any case, among its kind."""
    return str(uuid5(UUID(organization), f"{kind}:{name.casefold()}"))


class Ids:
    """The ids of one organization."""

    def __init__(self, connection: Connection) -> None:
        self.organization = catalog.organization(connection).id

    def publisher(self, name: str) -> str:
        """Return the id of a publisher by its unique name."""
        return made(self.organization, "publisher", name)

    def solution(self, name: str) -> str:
        """Return the id of a solution by its unique name."""
        return made(self.organization, "solution", name)

    def component(self, solution: str, component: str) -> str:
        """Return the id of a component's place in a solution; ``component`` tells it from others there."""
        return made(self.organization, f"component of {solution.casefold()}", component)

    def privilege(self, name: str) -> str:
        """Return the id of a privilege."""
        return made(self.organization, "privilege", name)

    @property
    def user(self) -> str:
        """The id of the one user: whoever calls."""
        return made(self.organization, "user", "caller")

    @property
    def business_unit(self) -> str:
        """The id of the root business unit."""
        return made(self.organization, "business unit", "root")

    @property
    def environment(self) -> str:
        """The id of the environment, as the admin center has it."""
        return made(self.organization, "environment", "")
