import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.model.solution import Solution
from toolkit.model.version import Part, Version

parts = st.lists(st.integers(0, 99_999), min_size=1, max_size=4)


def test_versions_compare_as_numbers_and_not_as_text() -> None:
    assert Version("1.7") < Version("1.61")


def test_missing_parts_are_zero() -> None:
    assert Version("1.0") == Version("1.0.0.0")
    assert hash(Version("1.0")) == hash(Version("1.0.0.0"))


def test_the_text_is_kept_as_it_was_written() -> None:
    assert str(Version("01.10")) == "01.10"
    assert repr(Version("1.10")) == "Version('1.10')"


@pytest.mark.parametrize(
    ("part", "expected"),
    [("major", "2.0.0.0"), ("minor", "1.3.0.0"), ("build", "1.2.4.0"), ("revision", "1.2.3.5")],
)
def test_a_bump_raises_one_part_and_clears_those_after_it(part: Part, expected: str) -> None:
    assert str(Version("1.2.3.4").bump(part)) == expected


@pytest.mark.parametrize("text", ["", "1.", "a", "1.2.3.4.5", "-1", "1,0", "1.0 ", "1.0\n", "٣.1"])
def test_what_is_not_a_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        Version(text)


@given(parts, parts)
def test_order_is_that_of_the_padded_numbers(left: list[int], right: list[int]) -> None:
    def padded(numbers: list[int]) -> list[int]:
        return [*numbers, 0, 0, 0][:4]

    first, second = (Version(".".join(map(str, numbers))) for numbers in (left, right))
    assert (first < second) == (padded(left) < padded(right))


def test_a_version_is_no_other_thing() -> None:
    assert Version("1.0") != "1.0"


def test_a_model_reads_and_writes_the_text() -> None:
    solution = Solution.model_validate_json(
        '{"unique_name": "a", "version": "1.10", '
        '"publisher": {"unique_name": "p", "prefix": "ab", "option_value_prefix": 10000}}'
    )
    assert solution.version == Version("1.10")
    assert solution.model_dump(mode="json")["version"] == "1.10"


def test_the_schema_describes_the_text_form() -> None:
    assert Solution.model_json_schema()["properties"]["version"]["pattern"] == r"^[0-9]{1,10}(\.[0-9]{1,10}){0,3}$"
