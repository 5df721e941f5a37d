from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apply.rig import Rig, rig


@pytest.fixture
def prod(tmp_path: Path) -> Iterator[Rig]:
    """Return an environment with the Core solution and nothing else."""
    with rig(tmp_path) as made:
        yield made
