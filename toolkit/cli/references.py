"""How a bundle is named on the command line: a folder, a zip, REF:PATH in git, env:NAME/SOLUTION, or ``core``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import bundle as bundles
from toolkit.bundle import Loaded
from toolkit.cli.session import Session
from toolkit.errors import Finding, Invalid, NotFound, nearest
from toolkit.model.bundle import Bundle
from toolkit.model.environment import InstalledSolution, Inventory
from toolkit.model.solution import Package
from toolkit.release import bundle_at

if TYPE_CHECKING:
    # It brings Arrow, and commands about files alone shall start without.
    from toolkit.site import Site

CORE = "core"
"""The name under which the Core solution that we ship can be given in the place of a path."""
ENVIRONMENT = "env:"


def loaded(text: str) -> Loaded:
    """Return the bundle that a path, ``REF:PATH`` or ``core`` names; rules that it breaks are among its findings."""
    path = Path(text)
    if text == CORE and not path.exists():
        from toolkit.resources import core_solution

        with core_solution() as folder:
            return bundles.load(folder)
    if ":" in text and not path.exists():
        return bundle_at(text, Path.cwd())
    return bundles.load(path)


def without_errors(found: Loaded) -> tuple[Finding, ...]:
    """Return the warnings about a bundle. Raises Invalid with everything that was found when there are errors."""
    if found.errors:
        raise Invalid(found.findings)
    return found.findings


def bundles_of(session: Session, a: str, b: str) -> tuple[Bundle, Bundle]:
    """Return the two bundles that are compared. Where one is ``env:NAME``, the other one says which solution."""
    read = {text: loaded(text).bundle for text in (a, b) if not text.startswith(ENVIRONMENT)}
    like = next(iter(read.values()), None)
    name = like.solution.unique_name if like else _named(a) or _named(b)
    first, second = (read[text] if text in read else _of_environment(session, text, name, like) for text in (a, b))
    return first, second


def _named(text: str) -> str:
    """Return the solution of ``env:NAME/SOLUTION``, or nothing."""
    return text.partition("/")[2]


def _of_environment(session: Session, text: str, name: str, like: Bundle | None) -> Bundle:
    site = session.site(text.removeprefix(ENVIRONMENT).partition("/")[0])
    wanted = _named(text) or name
    inventory = site.environment.inventory()
    installed = inventory.solutions.get(wanted)
    if installed is None and like is not None and wanted == like.solution.unique_name:
        session.note(f"{site.name} does not hold {wanted}: everything is new there")
        return _nothing_of(like)
    if installed is None:
        what = f"there is no solution {wanted!r}" if wanted else f"{text} does not say which solution"
        fix = nearest(wanted, inventory.solutions) if wanted else f"write env:{site.name}/SOLUTION"
        raise NotFound("CLI011", what, where=site.name, fix=fix)
    found = _held(session, site, installed, inventory, like)
    # An environment holds no overlays, so nothing can differ there.
    return found.model_copy(update={"overlays": like.overlays}) if like else found


def _nothing_of(like: Bundle) -> Bundle:
    solution = like.solution.model_copy(update={"root_components": (), "missing_dependencies": ()})
    return Bundle(solution=solution, overlays=like.overlays)


def _held(
    session: Session, site: Site, installed: InstalledSolution, inventory: Inventory, like: Bundle | None
) -> Bundle:
    name = installed.unique_name
    if installed.package is not Package.MANAGED:
        return bundles.load_bytes(site.environment.export_solution(name, managed=False), site.name).bundle
    if like is None:
        what = f"{name} is managed in {site.name}, so it can be compared with a folder or a zip only"
        raise NotFound("CLI012", what, where=site.name, fix="give the zip that was imported")
    session.note(f"{name} is managed in {site.name}: version, publisher, components and configs are compared")
    return _known(installed, inventory, like)


def _known(installed: InstalledSolution, inventory: Inventory, like: Bundle) -> Bundle:
    """Return what an environment says of a managed solution; what it does not say is taken to be equal."""
    solution = like.solution.model_copy(
        update={
            "version": installed.version,
            "package": installed.package,
            "publisher": inventory.publishers.get(installed.publisher, like.solution.publisher),
            "root_components": installed.components if inventory.components_known else like.solution.root_components,
        }
    )
    configs = tuple(inventory.configs[key].config for key in installed.configs if key in inventory.configs)
    return like.model_copy(update={"solution": solution, "configs": configs})
