"""Package data: the bundles that travel with the toolkit.

In a wheel they lie below ``toolkit/_data/``, in a checkout (and in an editable install) at the root of the repository.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path


def core_solution() -> AbstractContextManager[Path]:
    """Give the source folder of our own Core solution, for as long as the context lasts."""
    return bundle("ExportToDataLakeCore")


def bundle(name: str) -> AbstractContextManager[Path]:
    """Give the source folder of a bundle that travels with the toolkit, for as long as the context lasts."""
    return as_file(data_of(files("toolkit")) / "solutions" / name)


def data_of(package: Traversable) -> Traversable:
    """Return the folder of the data of a package: inside it, or around it in a checkout."""
    packed = package / "_data"
    return packed if packed.is_dir() else Path(str(package)).parent
