"""An organization in administration mode: what the client makes of it."""

from __future__ import annotations

import pytest

from tests.environment.platform import Platform, error
from toolkit.errors import Retriable


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_disabled_organization_is_a_fault_that_passes(status: int) -> None:
    said = "The Dynamics 365 organization you are attempting to access is currently disabled."
    platform = Platform({"GET WhoAmI": error(status, "0x8004A104", said)})
    with pytest.raises(Retriable) as caught:
        platform.client().get("WhoAmI")
    assert (caught.value.code, caught.value.after, caught.value.why) == ("0x8004a104", 300.0, said)
    assert len(platform.requests) == 1
