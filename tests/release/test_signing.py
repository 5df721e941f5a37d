import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.bundle.build import PROD_YAML, SOLUTION_YAML, write_source
from toolkit.bundle import Loaded, load, pack
from toolkit.errors import Damaged, NotFound, Refused
from toolkit.release.signing import (
    keep_new_key,
    key_of_file,
    key_of_variable,
    require_signed,
    signature_path,
    signed,
)


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "key.pem"
    return path, keep_new_key(path)


def packed(tmp_path: Path, **texts: str) -> Loaded:
    path = tmp_path / "lake.zip"
    path.write_bytes(pack(write_source(tmp_path / "Lake", **texts)).to_bytes())
    return load(path)


def keep(found: Loaded, key: Path) -> None:
    signature = signed(found, key_of_file(key), str(key))
    signature_path(Path(found.path)).write_text(signature.model_dump_json())


def test_a_key_is_for_its_owner_alone_and_never_overwritten(key: tuple[Path, str]) -> None:
    path, public = key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public.startswith("ed25519:")
    with pytest.raises(Refused) as raised:
        keep_new_key(path)
    assert raised.value.code == "REL040"


def test_what_was_signed_is_accepted_from_its_signer(tmp_path: Path, key: tuple[Path, str]) -> None:
    found = packed(tmp_path)
    keep(found, key[0])
    require_signed(found, [key[1]])
    require_signed(found, [])


def test_the_signature_is_that_of_rfc_8032(tmp_path: Path, key: tuple[Path, str]) -> None:
    found = packed(tmp_path)
    private = load_pem_private_key(key[0].read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    expected = private.sign(b"export-to-data-lake-toolkit bundle 1\n" + found.bundle.digest.encode())
    assert signed(found, key[0].read_bytes(), "key").signature == expected


def test_a_zip_of_another_bundle_is_refused_whoever_is_trusted(tmp_path: Path, key: tuple[Path, str]) -> None:
    keep(packed(tmp_path), key[0])
    other = packed(tmp_path, solution=SOLUTION_YAML.replace("Contoso Lake", "Another Lake"))
    with pytest.raises(Refused) as raised:
        require_signed(other, [])
    assert raised.value.code == "REL044"


def test_an_overlay_is_not_signed(tmp_path: Path, key: tuple[Path, str]) -> None:
    keep(packed(tmp_path), key[0])
    require_signed(packed(tmp_path, prod=PROD_YAML.replace("30", "45")), [key[1]])


def test_a_changed_signature_is_refused(tmp_path: Path, key: tuple[Path, str]) -> None:
    found = packed(tmp_path)
    keep(found, key[0])
    other = keep_new_key(tmp_path / "other.pem")
    path = signature_path(Path(found.path))
    path.write_text(path.read_text().replace(key[1], other))
    with pytest.raises(Refused) as raised:
        require_signed(found, [other])
    assert raised.value.code == "REL044"


def test_where_signers_are_named_others_and_nobody_are_refused(tmp_path: Path, key: tuple[Path, str]) -> None:
    found = packed(tmp_path)
    with pytest.raises(Refused) as raised:
        require_signed(found, [key[1]])
    assert raised.value.code == "REL045"
    keep(found, key[0])
    with pytest.raises(Refused) as raised:
        require_signed(found, [keep_new_key(tmp_path / "other.pem")])
    assert (raised.value.code, raised.value.what) == ("REL046", f"{found.path} is signed by {key[1]}")


def test_what_is_no_signature_is_damaged(tmp_path: Path) -> None:
    found = packed(tmp_path)
    signature_path(Path(found.path)).write_text('{"format": 1}')
    with pytest.raises(Damaged) as raised:
        require_signed(found, [])
    assert raised.value.code == "REL043"


def test_a_key_that_others_may_read_is_refused(key: tuple[Path, str]) -> None:
    key[0].chmod(0o640)
    with pytest.raises(Refused) as raised:
        key_of_file(key[0])
    assert raised.value.code == "REL041"


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no .*none\.pem"):
        key_of_file(tmp_path / "none.pem")
    with pytest.raises(NotFound, match="the environment variable NONE is not set"):
        key_of_variable("NONE", {})
    assert key_of_variable("KEY", {"KEY": "pem"}) == b"pem"


@pytest.mark.parametrize("kind", ["text", "another kind"])
def test_what_is_no_key_of_ours_is_refused_without_showing_it(tmp_path: Path, kind: str) -> None:
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(Refused) as raised:
        signed(packed(tmp_path), b"s3cret" if kind == "text" else other, "key.pem")
    assert raised.value.code == "REL042"
    assert "s3cret" not in str(raised.value.findings)


def test_a_key_is_made_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep_new_key(tmp_path / "open.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "open.pem").stat().st_mode) == 0o600
