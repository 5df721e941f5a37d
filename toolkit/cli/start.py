"""``init`` and ``schema``: what a new project needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from toolkit import project
from toolkit.cli import schemas
from toolkit.cli.frame import Command
from toolkit.cli.output import Result, plural
from toolkit.cli.session import Session
from toolkit.errors import NotFound, nearest


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.pass_obj
def init(session: Session, *, folder: Path) -> None:
    """Write a toolkit.yaml with comments.

    Beside it goes the folder schemas/, with which editors complete and check the YAML files. A toolkit.yaml that is
    there already is left as it is.
    """
    path = project.create(folder)
    _write(folder / "schemas", schemas.WRITTEN_BY_PEOPLE)
    session.say(f"wrote {path}\nnext: toolkit env create dev", {"path": str(path)})


@click.command(cls=Command)
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Write all to this folder.")
@click.pass_obj
def schema(session: Session, *, name: str | None, output: Path | None) -> None:
    """Print the JSON Schemas of the YAML files and of what the toolkit writes, or write them to a folder.

    Without NAME the names are listed. The schemas are of draft-07.
    """
    if output is not None:
        paths = _write(output, schemas.MODELS)
        session.say(f"wrote {plural(len(paths), 'schema')} to {output}", {"paths": [str(path) for path in paths]})
    elif name is None:
        lines = "\n".join(f"{key:<12} {title}" for key, (_, title) in schemas.MODELS.items())
        session.show(Result(list(schemas.MODELS), lines))
    else:
        session.show(Result(schemas.schema(_known(name)), schemas.text(name)))


def _known(name: str) -> str:
    if name not in schemas.MODELS:
        raise NotFound("CLI010", f"there is no schema {name!r}", fix=nearest(name, schemas.MODELS))
    return name


def _write(folder: Path, names: Iterable[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / name: text for name, text in schemas.schemas(names).items()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
