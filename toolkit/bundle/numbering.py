"""The version in a source folder."""

from __future__ import annotations

from pathlib import Path

from toolkit.bundle.schemas import SOLUTION_SCHEMA, schema_address
from toolkit.bundle.source import SOLUTION_FILE
from toolkit.documents import parse, read, render
from toolkit.model.version import Version


def renumbered(folder: Path, version: Version) -> bytes:
    """Return the ``solution.yaml`` of a folder with another version; all else stays to the byte."""
    path = folder / SOLUTION_FILE
    text = read(path)
    data = parse(text, str(path)).data
    return render(
        {**data, "version": str(version)}, schema=schema_address(SOLUTION_SCHEMA, folder), template=text
    ).encode()
