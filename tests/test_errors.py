import pytest

from toolkit.errors import Finding, Invalid, Place, Retriable, Severity, ToolkitError, Unsafe, nearest


def test_a_place_reads_as_file_line_and_key() -> None:
    assert str(Place("solution.yaml", 3, "publisher.prefix")) == "solution.yaml:3 publisher.prefix"
    assert str(Place("solution.yaml")) == "solution.yaml"
    assert str(Place(key="publisher")) == "publisher"


def test_an_error_is_one_finding() -> None:
    error = ToolkitError("PRJ001", "no toolkit.yaml", where="here", why="none above", fix="toolkit init")
    expected = Finding("PRJ001", Severity.ERROR, "no toolkit.yaml", Place("here"), "none above", "toolkit init")
    assert error.findings == (expected,)
    assert str(error) == "no toolkit.yaml"


def test_invalid_carries_every_finding_and_speaks_of_the_first_error() -> None:
    warning = Finding("BND002", Severity.WARNING, "odd")
    error = Finding("BND001", Severity.ERROR, "wrong", Place("a.yaml", 1), fix="mend it")
    raised = Invalid([warning, error])
    assert raised.findings == (warning, error)
    assert (raised.code, raised.what, raised.fix) == ("BND001", "wrong", "mend it")


def test_a_retriable_says_how_long_to_wait() -> None:
    assert Retriable("SRC001", "busy", after=2.5).fix == "try again in 2.5 s"


def test_each_kind_has_its_exit_status() -> None:
    assert ToolkitError.exit_status == 1
    assert Unsafe.exit_status == 4


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("prd", ["dev", "prod"], "did you mean 'prod'?"),
        ("zzz", ["dev", "prod"], "known: dev, prod"),
        ("zzz", [], ""),
        ("zzz", [f"name{number}" for number in range(13)], ""),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_or_the_few_that_exist(
    name: str, known: list[str], expected: str
) -> None:
    assert nearest(name, known) == expected
