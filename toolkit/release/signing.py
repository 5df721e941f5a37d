"""Detached Ed25519 signatures of bundles: ``Lake.zip.sig`` beside ``Lake.zip``.

What is signed is the digest of the bundle before overlay (which holds name and version of the solution), with a prefix
of our own, so that the signature of anything else never passes for one. The numbers are those of RFC 8032.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Base64Bytes, ValidationError

from toolkit.bundle import Loaded
from toolkit.errors import Damaged, Finding, NotFound, Place, Refused, Severity
from toolkit.model.base import Frozen
from toolkit.model.signer import KEY_PREFIX, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_DOMAIN = b"export-to-data-lake-toolkit bundle 1\n"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Signature(Frozen):
    """What stands in a ``.sig`` file."""

    format: Literal[1] = 1
    bundle: str
    """The digest of the bundle before overlay."""
    key: PublicKey
    signature: Base64Bytes


def signature_path(path: Path) -> Path:
    """Return where the signature of a zip lies."""
    return path.with_name(f"{path.name}.sig")


def keep_new_key(path: Path) -> str:
    """Make a key, write it as PEM that nobody else may read, and return the public key. Raises Refused (REL040)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        what, fix = f"{path} is there already", "name a new file; a key is never overwritten"
        raise Refused("REL040", what, where=str(path), fix=fix) from error
    with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode from the first moment on
        file.write(data)
    return _public(key)


def _public(key: Ed25519PrivateKey) -> str:
    return KEY_PREFIX + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def key_of_file(path: Path) -> bytes:
    """Return the key in a file. Raises NotFound (REL042), or Refused where others may read it (REL041)."""
    if not path.is_file():
        raise NotFound("REL042", f"there is no {path}", where=str(path), fix="make one with: toolkit keygen FILE")
    if path.stat().st_mode & _OTHERS:
        what, fix = f"others may read {path}", f"chmod 600 {path}, and make a new key if somebody did"
        raise Refused("REL041", what, where=str(path), fix=fix)
    return path.read_bytes()


def key_of_variable(name: str, environment: Mapping[str, str]) -> bytes:
    """Return the key in an environment variable. Raises NotFound (REL042)."""
    if not (text := environment.get(name)):
        fix = "put the content of the key's file there"
        raise NotFound("REL042", f"the environment variable {name} is not set", where=name, fix=fix)
    return text.encode()


def signed(found: Loaded, key: bytes, where: str) -> Signature:
    """Sign a bundle; ``where`` names the key. Raises Refused where it is no Ed25519 key (REL042)."""
    private = _private(key, where)
    digest = found.bundle.digest
    signature = private.sign(_message(digest))
    return Signature(bundle=digest, key=_public(private), signature=base64.b64encode(signature))


def _private(data: bytes, where: str) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    fix = "name a key that toolkit keygen made"
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # the message may hold parts of the key
        raise Refused("REL042", f"{where} holds no private key that can be read", where=where, fix=fix) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("REL042", f"{where} holds a key of another kind than Ed25519", where=where, fix=fix)
    return key


def _message(digest: str) -> bytes:
    return _DOMAIN + digest.encode()


def require_signed(found: Loaded, signers: Sequence[str]) -> None:
    """Refuse a bundle whose signature is wrong, or where signers are required, that none of them signed.

    Raises Damaged for a signature that cannot be read (REL043), Refused for one of another bundle or of no key
    (REL044), for none at all (REL045), and for that of somebody else (REL046).
    """
    signature = _beside(found)
    if signature is not None:
        _require_valid(signature, found)
    if findings := list(_unacceptable(signature, signers, found.path)):
        raise Refused.of(findings)


def _beside(found: Loaded) -> Signature | None:
    path = signature_path(Path(found.path))
    if not path.is_file():
        return None
    try:
        return Signature.model_validate_json(path.read_bytes())
    except ValidationError as error:
        why, fix = error.errors(include_url=False)[0]["msg"], "fetch zip and signature again"
        raise Damaged("REL043", f"{path} is no signature", where=str(path), why=why, fix=fix) from error


def _require_valid(signature: Signature, found: Loaded) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    raw = base64.b64decode(signature.key.removeprefix(KEY_PREFIX))
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature.signature, _message(found.bundle.digest))
    except InvalidSignature as error:
        what, why = f"the signature is not of {found.path}", f"it was made for {signature.bundle}"
        fix = "fetch both again, or sign the zip again once you know what it is"
        raise Refused("REL044", what, where=str(signature_path(Path(found.path))), why=why, fix=fix) from error


def _unacceptable(signature: Signature | None, signers: Sequence[str], where: str) -> Iterator[Finding]:
    if not signers:
        return
    why = "the environment takes only what one of its signers signed"
    if signature is None:
        fix = "import a zip with its .sig beside it; toolkit sign makes one"
        yield Finding("REL045", Severity.ERROR, f"{where} is not signed", Place(where), why, fix)
    elif signature.key not in signers:
        what, fix = f"{where} is signed by {signature.key}", "name that key under signers if you trust it"
        yield Finding("REL046", Severity.ERROR, what, Place(where), why, fix)
