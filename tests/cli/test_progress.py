import pytest

from toolkit.cli.progress import shown
from toolkit.environment.protocol import Progress


def test_lines_come_with_each_work_and_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(quiet=False, bar=False, lines=True) as report:
        for done in (0, 1, 10, 19, 20):
            report(Progress("account", done, 100))
        report(Progress("lead", 5))
    assert capsys.readouterr().err.splitlines() == [
        "account: 0 of 100",
        "account: 10 of 100",
        "account: 20 of 100",
        "lead: 5",
    ]


@pytest.mark.parametrize(("quiet", "lines"), [(True, True), (False, False)])
def test_nothing_is_shown_where_nobody_looks(quiet: bool, lines: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with shown(quiet=quiet, bar=False, lines=lines) as report:
        report(Progress("account", 1, 2))
    assert capsys.readouterr().err == ""


def test_the_bar_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(quiet=False, bar=True, lines=False) as report:
        report(Progress("account", 1, 2))
        report(Progress("account", 2, 2))
        report(Progress("lead", 1))
    assert capsys.readouterr().out == ""
