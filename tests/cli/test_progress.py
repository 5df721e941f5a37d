import pytest

from toolkit.cli.progress import Step, shown
from toolkit.engine import EntityProgress, Phase
from toolkit.environment.protocol import Progress

STEPS: tuple[Step, ...] = (
    Progress("seeding account", 0, 100),
    Progress("seeding account", 1, 100),
    Progress("seeding account", 10, 100),
    Progress("seeding account", 100, 100),
    EntityProgress("lead", Phase.READING),
    EntityProgress("task", Phase.READING, rows=2, total=4),
    EntityProgress("lead", Phase.READING, rows=5),
    EntityProgress("lead", Phase.DONE, rows=7),
)


def test_lines_come_with_each_work_and_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(quiet=False, bars=False, lines=True) as report:
        for step in STEPS:
            report(step)
    assert capsys.readouterr().err.splitlines() == [
        "seeding account: 0 of 100",
        "seeding account: 10 of 100",
        "seeding account: 100 of 100",
        "reading lead",
        "reading task: 2 of 4",
        "done lead: 7",
    ]


@pytest.mark.parametrize(("quiet", "lines"), [(True, True), (False, False)])
def test_nothing_is_shown_where_nobody_looks(quiet: bool, lines: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with shown(quiet=quiet, bars=False, lines=lines) as report:
        report(STEPS[0])
    assert capsys.readouterr().err == ""


def test_bars_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(quiet=False, bars=True, lines=False) as report:
        for step in STEPS:
            report(step)
    assert capsys.readouterr().out == ""
