"""Which schema the first line of a YAML file names."""

from __future__ import annotations

import os
from pathlib import Path

SOLUTION_SCHEMA = "solution.schema.json"
CONFIG_SCHEMA = "config.schema.json"
OVERLAY_SCHEMA = "overlay.schema.json"
_FOLDER = "schemas"


def schema_address(schema: str, folder: Path) -> str:
    """Return how a file in ``folder`` names a schema.

    A relative path where the folder lies in a tree that holds ``schemas/``; else the plain file name, which works once
    ``toolkit schema`` has written the schemas beside the file.
    """
    for parent in folder.absolute().parents:
        if (parent / _FOLDER / schema).is_file():
            return Path(os.path.relpath(parent / _FOLDER / schema, folder.absolute())).as_posix()
    return schema
