"""A route: which requests a handler answers, and the line about it in docs/web-api.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from toolkit.server.call import Answer, Call
from toolkit.server.world import World

Handler = Callable[..., Answer | None]
"""Takes the world, the call, and the named groups of the route's pattern; None where the call is another one's."""

KEY = r"\((?P<key>(?:'(?:[^']|'')*'|[^'()])*)\)"
"""A key behind an entity set, in a pattern of a route: its named group is the text between the parentheses."""


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a method at the paths that match a pattern whole."""

    method: str
    pattern: str
    """A regular expression over the decoded path below the base."""
    handler: Handler
    area: str
    """The heading under which it is documented."""
    what: str
    """What it does, in one line."""

    def answer(self, world: World, call: Call) -> Answer | None:
        """Return the answer, or None when the call is another one's."""
        if call.method != self.method or (found := re.fullmatch(self.pattern, call.path, re.DOTALL)) is None:
            return None
        return self.handler(world, call, **found.groupdict())
