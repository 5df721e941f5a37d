import pytest

from toolkit.model.bundle import Bundle, digest
from toolkit.model.overlay import ConfigOverlay, Overlay
from toolkit.model.solution import Publisher, Solution
from toolkit.model.version import Version

SOLUTION = Solution(
    unique_name="ContosoLake",
    version=Version("1.0.0.0"),
    publisher=Publisher(unique_name="contoso", prefix="cts", option_value_prefix=72700),
)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": "\u00e9"}) == digest({"b": "\u00e9", "a": 1})
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_digest_of_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))


def test_overlays_do_not_count_in_the_digest() -> None:
    plain = Bundle(solution=SOLUTION)
    dressed = Bundle(solution=SOLUTION, overlays={"prod": Overlay(configs={"a": ConfigOverlay(workspace="x")})})
    assert plain.digest == dressed.digest


def test_other_members_count_in_the_digest() -> None:
    assert Bundle(solution=SOLUTION).digest != Bundle(solution=SOLUTION, package={"a.json": "00"}).digest
