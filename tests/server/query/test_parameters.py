"""Parameters of functions, as the documentation's examples write them."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.server.call import Call, ODataError
from toolkit.server.query.parameters import parameters


def call(**query: str) -> Call:
    return Call("GET", "F()", {f"@{name}": value for name, value in query.items()}, {}, b"", "http://org/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EntityNames=['account','contact']", {"EntityNames": ["account", "contact"]}),
        ("EntityNames=['it''s']", {"EntityNames": ["it's"]}),
        ('Names=["a"]', {"Names": ["a"]}),
        ("Name='it''s',Number=2,Truth=true", {"Name": "it's", "Number": 2, "Truth": True}),
        (
            "Type=Microsoft.Dynamics.CRM.EndpointAccessType'Default'",
            {"Type": "Microsoft.Dynamics.CRM.EndpointAccessType'Default'"},
        ),
        ("Query=@p1", {"Query": {"a": 1}}),
    ],
)
def test_a_value_is_read_in_its_place_or_from_its_alias(text: str, expected: dict[str, Any]) -> None:
    assert parameters(call(p1='{"a":1}'), text) == expected


def test_what_is_no_pair_is_refused() -> None:
    with pytest.raises(ODataError):
        parameters(call(), "nothing")
