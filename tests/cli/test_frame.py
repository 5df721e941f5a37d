import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from toolkit.cli import SECTIONS, failures, root
from toolkit.cli.frame import Command, Root
from toolkit.cli.session import Session
from toolkit.errors import Finding, Invalid, Locked, Place, Severity, Unsafe

HEAVY = {"pydantic", "pydantic_core", "pyarrow", "numpy", "rich", "azure", "git", "ruamel", "adbc_driver_manager"}


def imported_by(*arguments: str) -> set[str]:
    code = f"""import sys
sys.argv = ["toolkit", *{arguments!r}]
from toolkit.cli import main
try:
    main()
except SystemExit:
    print(*sys.modules, file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ()])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported_by(*arguments) & HEAVY == set()


def test_commands_about_files_alone_do_not_import_arrow() -> None:
    code = "import sys, toolkit.cli.bundle; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"pyarrow", "numpy", "adbc_driver_manager"} == set()


def test_help_imports_no_command() -> None:
    code = "import sys; from toolkit.cli import root; print(*(m for m in sys.modules if m.startswith('toolkit.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    frame = {"cli", "cli.frame", "cli.failures", "cli.output", "cli.session", "errors"}
    assert {name.removeprefix("toolkit.") for name in done.stdout.split()} == frame


@pytest.mark.parametrize("name", [name for section in SECTIONS.values() for name in section])
def test_the_table_says_what_the_command_says(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    lines = {key: lazy.help for section in SECTIONS.values() for key, lazy in section.items()}
    assert command is not None
    assert command.name == name
    assert (command.help or "").splitlines()[0] == lines[name]


def test_a_mistyped_command_is_answered_with_the_nearest_one() -> None:
    result = CliRunner().invoke(root, ["stauts"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "error[CLI001] there is no command 'stauts'; did you mean 'status'?\n  fix: see: toolkit --help\n"
    )


def test_a_mistyped_command_of_a_group_is_answered_too() -> None:
    result = CliRunner().invoke(root, ["env", "lst"])
    assert result.exit_code == 2
    assert "there is no command 'lst'; did you mean 'list'?" in result.stderr


def test_a_wrong_option_is_an_error_of_usage() -> None:
    result = CliRunner().invoke(root, ["--nonsense"])
    assert (result.exit_code, result.stderr) == (
        2,
        "error[CLI001] no such option '--nonsense'\n  fix: see: toolkit --help\n",
    )


def test_usage_errors_are_json_where_json_is_wanted() -> None:
    result = CliRunner().invoke(root, ["--format", "json", "stauts"])
    assert json.loads(result.stderr)["findings"][0]["code"] == "CLI001"


def test_no_command_shows_the_help() -> None:
    result = CliRunner().invoke(root, [])
    assert result.exit_code == 2
    assert "By hand, as the maker portal does it:" in result.stderr


def failing(error: BaseException) -> Root:
    """A root with one command, which fails."""
    group = Root({}, name="toolkit")

    @click.command("fail", cls=Command)
    def fail() -> None:
        raise error

    group.get_command = lambda ctx, cmd_name: fail  # type: ignore[method-assign]  # noqa: ARG005 - click's signature
    return group


BOTH = Invalid(
    [
        Finding("BND001", Severity.ERROR, "no name", Place("a.yaml", 3, "name"), "it is empty", "give one"),
        Finding("BND002", Severity.WARNING, "odd", Place("a.yaml")),
    ]
)


def test_every_finding_of_an_error_is_printed() -> None:
    result = CliRunner().invoke(failing(BOTH), ["fail"])
    assert result.exit_code == 1
    assert result.stderr == (
        "error[BND001] no name\n  at: a.yaml:3 name\n  why: it is empty\n  fix: give one\n"
        "warning[BND002] odd\n  at: a.yaml\n"
    )


def test_errors_are_json_where_json_is_wanted() -> None:
    result = CliRunner().invoke(failing(BOTH), ["fail", "--format", "json"])
    assert result.stdout == ""
    assert json.loads(result.stderr)["findings"][0] == {
        "code": "BND001",
        "severity": "error",
        "what": "no name",
        "where": {"path": "a.yaml", "line": 3, "key": "name"},
        "why": "it is empty",
        "fix": "give one",
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [(BOTH, 1), (Unsafe("PLN001", "no"), 4), (Locked("LAK003", "busy"), 6), (OSError(28, "No space"), 1)],
)
def test_the_exit_status_is_that_of_the_error(error: Exception, status: int) -> None:
    assert CliRunner().invoke(failing(error), ["fail"]).exit_code == status


def test_an_error_of_the_system_names_the_file() -> None:
    result = CliRunner().invoke(failing(PermissionError(13, "Permission denied", "/x")), ["fail"])
    assert result.stderr == (
        "error[CLI005] permission denied\n  at: /x\n  why: the operating system said so\n"
        "  fix: choose another place, or allow yourself to read and write there\n"
    )


def test_an_error_of_the_system_of_any_kind_says_what_to_do() -> None:
    result = CliRunner().invoke(failing(OSError(28, "No space left on device", "/x")), ["fail"])
    assert result.stderr.endswith("  fix: mend what it says, then run the command again\n")


def test_an_unexpected_error_has_a_traceback_only_when_debugging() -> None:
    quiet = CliRunner().invoke(failing(ZeroDivisionError("oops")), ["fail"])
    loud = CliRunner().invoke(failing(ZeroDivisionError("oops")), ["fail", "--debug"])
    assert quiet.exit_code == loud.exit_code == 1
    assert "error[CLI006] an error that this toolkit did not expect: ZeroDivisionError: oops" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_an_interrupt_ends_with_the_status_of_shells() -> None:
    result = CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"])
    assert result.exit_code == failures.ABORTED == 130
    assert result.stderr.strip() == "stopped"


def test_shared_options_are_remembered_before_and_after_the_command() -> None:
    session = Session()
    group = failing(Locked("LAK003", "busy"))
    CliRunner().invoke(group, ["-v", "fail", "-q", "--project", "x", "--format", "json"], obj=session)
    assert (session.verbose, session.quiet, session.project_path, session.format) == (True, True, Path("x"), "json")


def test_help_lists_a_command_s_own_options_first() -> None:
    text = CliRunner().invoke(root, ["schema", "--help"]).stdout
    assert text.index("--output") < text.index("Shared options:") < text.index("--debug")
