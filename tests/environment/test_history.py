"""Whatever is done to an organization in whatever order, what it holds fits together."""

import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.environment.packages import config, core, package, publisher, solution
from tests.organization.dump import dump
from tests.organization.samples import NOTE, ORGANIZATION, Clock, numbered
from toolkit.environment import embedded
from toolkit.environment.embedded import EmbeddedEnvironment
from toolkit.environment.protocol import (
    AddConfig,
    CreatePublisher,
    CreateSolution,
    DeleteConfig,
    ImportMode,
    PutConfig,
    Write,
)
from toolkit.errors import ToolkitError
from toolkit.model.environment import Inventory
from toolkit.model.solution import CORE_SOLUTION, Package
from toolkit.organization.definition_file import Definitions

KEYS = [numbered(0xC0 + number) for number in range(3)]
NAMES = ["Lake", "Pond", "Sea"]

imports = st.builds(
    lambda name, version, kind, keys, mode: (
        package(*(config(f"account{key[-1]}", key) for key in keys), name=name, version=f"1.{version}", package=kind),
        mode,
    ),
    st.sampled_from(NAMES),
    st.integers(0, 2),
    st.sampled_from([Package.UNMANAGED, Package.MANAGED]),
    st.sets(st.sampled_from(KEYS)).map(sorted),
    st.sampled_from([ImportMode.UPDATE, ImportMode.UPGRADE]),
)
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(lambda name: CreateSolution(solution(name)), st.sampled_from(NAMES)),
    st.builds(AddConfig, st.sampled_from(NAMES), st.sampled_from(KEYS)),
    st.builds(
        lambda key, minutes: PutConfig(config("byhand", key, interval_minutes=minutes)),
        st.sampled_from(KEYS),
        st.integers(5, 9),
    ),
    st.builds(DeleteConfig, st.sampled_from(KEYS)),
)
uninstalls = st.sampled_from([*NAMES, CORE_SOLUTION])


def do(subject: EmbeddedEnvironment, step: object) -> None:
    match step:
        case (bytes() as data, ImportMode() as mode):
            list(subject.import_solution(data, mode))
        case str() as name:
            subject.uninstall(name)
        case _:
            subject.write(step)  # type: ignore[arg-type]  # the only kind that is left


def fits_together(inventory: Inventory) -> bool:
    managed = {key for held in inventory.solutions.values() if held.package is Package.MANAGED for key in held.configs}
    held = {key for found in inventory.solutions.values() for key in found.configs}
    return (
        held <= inventory.configs.keys()
        and {key for key, row in inventory.configs.items() if row.managed} == managed
        and all(needed in inventory.solutions for found in inventory.solutions.values() for needed in found.requires)
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(imports, writes, uninstalls), max_size=12))
def test_what_an_organization_holds_fits_together_after_any_history(steps: list[object]) -> None:
    numbers = itertools.count(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "organization.sqlite"
        with embedded.create(path, ORGANIZATION, entities=Definitions(entities=(NOTE,))) as database:
            subject = EmbeddedEnvironment("dev", database, clock=Clock(), new_id=lambda: numbered(next(numbers)))
            list(subject.import_solution(core(), ImportMode.UPDATE))
            subject.write(CreatePublisher(publisher()))
            for step in steps:
                before = dump(database)
                try:
                    do(subject, step)
                except ToolkitError:
                    assert dump(database) == before
                assert fits_together(subject.inventory())
