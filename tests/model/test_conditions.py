"""Conditions: one comparison each, its values read by the attribute's type."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from toolkit.model.conditions import Value, values_of
from toolkit.model.config import Condition
from toolkit.model.entity import Attribute, AttributeType, DateTimeBehavior

GUID = "11111111-1111-4111-8111-11111111111A"


def attribute(kind: str, behavior: str = "UserLocal") -> Attribute:
    return Attribute(name="x", type=AttributeType(kind), behavior=DateTimeBehavior(behavior))


@pytest.mark.parametrize("given", [{}, {"equals": "1", "below": "2"}, {"any_of": ()}, {"is_null": "maybe"}])
def test_a_condition_makes_exactly_one_comparison(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate({"column": "x", **given})


def test_a_condition_tells_its_comparison_and_its_values() -> None:
    several, null = Condition(column="x", any_of=("1", "2")), Condition(column="x", is_null=False)
    assert (several.comparison, several.values) == ("any_of", ("1", "2"))
    assert (null.comparison, null.values) == ("is_null", ())


@pytest.mark.parametrize(
    ("of", "text", "value"),
    [
        (attribute("string"), "", ""),
        (attribute("multiselect"), "1;2", "1;2"),
        (attribute("choice"), "-5", -5),
        (attribute("bigint"), "9223372036854775807", 2**63 - 1),
        (attribute("money"), "1.10", Decimal("1.10")),
        (attribute("double"), "1e3", 1000.0),
        (attribute("boolean"), "True", True),
        (attribute("lookup"), GUID, GUID.lower()),
        (attribute("datetime"), "2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
        (attribute("datetime"), "2024-01-31T01:00:00+02:00", datetime(2024, 1, 30, 23, tzinfo=UTC)),
        (attribute("datetime", "TimeZoneIndependent"), "2024-01-31T01:00", datetime(2024, 1, 31, 1)),  # noqa: DTZ001 - it has no zone
        (attribute("datetime", "DateOnly"), "2024-01-31", date(2024, 1, 31)),
    ],
)
def test_a_value_is_read_by_the_type_of_its_attribute(of: Attribute, text: str, value: Value) -> None:
    assert values_of(Condition(column="x", equals=text), of) == (value,)


@pytest.mark.parametrize(
    ("of", "text", "why"),
    [
        (attribute("integer"), "1.5", "'1.5' is no whole number"),
        (attribute("bigint"), "9223372036854775808", "'9223372036854775808' is no whole number"),
        (attribute("state"), "Active", "'Active' is no number of a choice"),
        (attribute("decimal"), "0.00000000001", "'0.00000000001' is no decimal"),
        (attribute("decimal"), "1e28", "'1e28' is no decimal"),
        (attribute("money"), "NaN", "'NaN' is no money"),
        (attribute("money"), "", "'' is no money"),
        (attribute("double"), "inf", "'inf' is no double"),
        (attribute("boolean"), "1", "'1' is no boolean"),
        (attribute("owner"), "{" + GUID + "}", "'{" + GUID + "}' is no GUID"),
        (
            attribute("datetime", "TimeZoneIndependent"),
            "2024-01-31T01:00Z",
            "'2024-01-31T01:00Z' is no time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:00:00Z",
        ),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_reason(of: Attribute, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"^") as raised:
        values_of(Condition(column="x", not_equals=text), of)
    assert str(raised.value) == why


@pytest.mark.parametrize("kind", ["boolean", "lookup", "uniqueidentifier", "multiselect"])
def test_what_has_no_order_is_not_compared_by_it(kind: str) -> None:
    with pytest.raises(ValueError, match="has no order, so nothing is at least it"):
        values_of(Condition(column="x", at_least="x"), attribute(kind))
