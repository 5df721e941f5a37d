from __future__ import annotations

from decimal import Decimal

import pytest

from toolkit.server.exact_json import dumps, loads


def test_a_decimal_keeps_its_digits_wherever_it_stands() -> None:
    value = {"a": Decimal("1.10"), "b": [Decimal("1E-10"), True, None, 'x"\u00e9'], "c": {"d": (1, 0.5)}}
    written = dumps(value)
    assert written.decode() == '{"a":1.10,"b":[0.0000000001,true,null,"x\\"\u00e9"],"c":{"d":[1,0.5]}}'
    assert loads(written)["a"] == Decimal("1.10")
    assert str(loads(b'{"a": 1.10}')["a"]) == "1.10"


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", ""])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expect"):
        loads(text)
