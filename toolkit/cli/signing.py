"""``keygen`` and ``sign``: keys, and signatures of zips."""

from __future__ import annotations

import os
from pathlib import Path

import click

from toolkit import bundle as bundles
from toolkit.cli.frame import Command
from toolkit.cli.output import Result
from toolkit.cli.references import without_errors
from toolkit.cli.session import Session
from toolkit.files import write_whole
from toolkit.release import signing


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def keygen(session: Session, *, file: Path) -> None:
    """Make an Ed25519 key to sign bundles with, and print its public key.

    The key goes to FILE, which nobody else may read; the public key belongs under signers in toolkit.yaml.
    """
    public = signing.keep_new_key(file)
    session.show(Result({"path": str(file), "public_key": public}, public))


@click.command(cls=Command)
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="The file of the key.")
@click.option("--key-variable", metavar="NAME", help="The environment variable that holds the key.")
@click.pass_obj
def sign(session: Session, *, zip_file: Path, key: Path | None, key_variable: str | None) -> None:
    """Sign a zip: the signature goes beside it, as ZIP.sig. What is signed is the bundle before overlay."""
    if (key is None) == (key_variable is None):
        raise click.UsageError("give the key as --key or as --key-variable")
    found = bundles.load(zip_file)
    session.warn(without_errors(found))
    if key is not None:
        data, where = signing.key_of_file(key), str(key)
    else:
        data, where = signing.key_of_variable(str(key_variable), os.environ), str(key_variable)
    signature = signing.signed(found, data, where)
    path = signing.signature_path(zip_file)
    write_whole(path, signature.model_dump_json(indent=2).encode() + b"\n")
    session.say(f"signed {zip_file} as {signature.key}: {path}", {"path": str(path), "key": signature.key})
