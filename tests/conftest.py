"""Settings of the whole suite."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Speed is measured in benchmarks/, never asserted here. A run in CI draws the same examples every time, so that it
# fails for what was changed and not by luck; a run by hand draws new ones.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what proofs came to: how many cases there were, and how many differences."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    # A test has a report for each of its phases.
    properties = {each for report in reports for each in getattr(report, "user_properties", ())}
    proofs = [value for name, value in properties if name == "proof"]
    if proofs:
        terminalreporter.section("proofs")
    for proof in sorted(proofs):
        terminalreporter.write_line(str(proof))
