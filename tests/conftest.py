"""Settings of the whole suite."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.scale import LONG, PROOF

# Speed is measured in benchmarks/, never asserted here. A run in CI draws the same examples every time, so that it
# fails for what was changed and not by luck; a run by hand draws new ones.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.register_profile("soak", settings.get_profile("here"), max_examples=5000)
settings.load_profile("soak" if LONG else "ci" if os.environ.get("CI") else "here")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what proofs came to: how many cases there were, and how many differences."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    # A test has a report for each of its phases, and its properties are in all of them.
    ended = [report for report in reports if getattr(report, "when", None) == "call"]
    properties = [each for report in ended for each in report.user_properties]
    proofs = [*(value for name, value in properties if name == PROOF), *_summed(properties)]
    if proofs:
        terminalreporter.section("proofs")
    for proof in sorted(proofs):
        terminalreporter.write_line(str(proof))


def _summed(properties: list[tuple[str, object]]) -> Iterator[str]:
    """Yield the sums of proofs that several tests have a share in."""
    shares = [(name, *value) for name, value in properties if isinstance(value, list | tuple)]
    for name in {name for name, _, _ in shares}:
        cases, differences = (sum(each[place] for each in shares if each[0] == name) for place in (1, 2))
        yield f"{name}: {cases:,} cases, {differences} differences"
