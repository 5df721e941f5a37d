"""The frame of every command: lazy groups, shared options, did-you-mean, and one place where errors end."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from toolkit.cli import failures
from toolkit.cli.session import Session
from toolkit.errors import nearest

FORMATS = ("text", "json")


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # noqa: ANN401 - any option
    if value:
        setattr(context.ensure_object(Session), str(parameter.name), value)


def _shared(formats: Sequence[str]) -> list[click.Parameter]:
    """Return the options that every command has; each is remembered by the session."""

    def option(*names: str, **how: Any) -> click.Option:  # noqa: ANN401 - click's own options
        return click.Option(names, expose_value=False, callback=_remember, **how)

    return [
        option("--project", "project_path", type=click.Path(path_type=Path), help="toolkit.yaml, or its folder."),
        option("--format", "format", type=click.Choice(formats), help="How the result is printed."),
        option("-q", "--quiet", "quiet", is_flag=True, help="Print only what was asked for, and errors."),
        option("-v", "--verbose", "verbose", is_flag=True, help="Say on stderr what is done."),
        option("--debug", "debug", is_flag=True, help="Print the traceback of an error."),
    ]


class Command(click.Command):
    """A command with the shared options, listed apart from its own. ``formats`` are those that it can print."""

    def __init__(self, *arguments: Any, formats: Sequence[str] = FORMATS, **options: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*arguments, **options)
        self.shared = _shared(formats)
        self.params = [*self.params, *self.shared]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, then the shared ones."""
        records: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                records[parameter not in self.shared].append(record)
        for own, title in ((True, "Options"), (False, "Shared options")):
            with formatter.section(title):
                formatter.write_dl(records[own])


class Group(click.Group):
    """A group whose commands have the shared options, and that knows what a mistyped name was meant to be."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; a name that is none is answered with the nearest one."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            hint = nearest(args[0], self.list_commands(ctx))
            message = f"there is no command {args[0]!r}"
            raise click.UsageError(f"{message}; {hint}" if hint else message, ctx)
        return super().resolve_command(ctx, args)


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is, and its line in the help, so that help needs no import."""

    module: str
    help: str

    def load(self, name: str) -> click.Command:
        """Import the command; its attribute is the name, with an underscore where that is a word of Python."""
        module = import_module(f"toolkit.cli.{self.module}")
        command: click.Command = getattr(module, name, None) or getattr(module, f"{name}_")
        return command


class Root(Group):
    """``toolkit`` itself: commands are imported when they are called, and errors end here."""

    def __init__(self, sections: Mapping[str, Mapping[str, Lazy]], **options: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(**options)
        self.sections = sections
        self.params = [*self.params, *_shared(FORMATS)]
        self._lazy = {name: lazy for section in sections.values() for name, lazy in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the story."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command, or return None where there is none of that name."""
        lazy = self._lazy.get(cmd_name)
        return lazy.load(cmd_name) if lazy else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the commands by section, from the table alone."""
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, lazy.help) for name, lazy in commands.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> Any:  # noqa: ANN401 - click's signature
        """Run a command and leave with its exit status: what it returns, or that of its error."""
        arguments = list(sys.argv[1:] if args is None else args)
        session = extra.setdefault("obj", Session())
        session.arguments = arguments
        try:
            status = super().main(arguments, prog_name or "toolkit", complete_var, standalone_mode=False, **extra)
        except Exception as error:  # noqa: BLE001 - the one place where every error ends
            form = "json" if _asks_json(arguments) else "text"
            status = failures.report(error, form, debug=session.debug or "--debug" in arguments)
        finally:
            session.close()
        if standalone_mode:
            sys.exit(status or 0)
        return status


def _asks_json(arguments: Sequence[str]) -> bool:
    """Whether errors are wanted as JSON; asked of the arguments, since they may be what is wrong."""
    pairs = pairwise(arguments)
    return "--format=json" in arguments or ("--format", "json") in pairs
