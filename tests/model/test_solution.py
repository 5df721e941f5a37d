import pytest

from toolkit.model.solution import MissingDependency
from toolkit.model.version import Version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ExportToDataLakeCore (1.0.0.0)", ("ExportToDataLakeCore", Version("1.0.0.0"))),
        ("ExportToDataLakeCore", ("ExportToDataLakeCore", None)),
        ("Active", None),
        ("", None),
        ("two words", None),
    ],
)
def test_a_dependency_names_the_solution_it_needs(text: str, expected: tuple[str, Version | None] | None) -> None:
    assert MissingDependency(required={"solution": text}).solution == expected
