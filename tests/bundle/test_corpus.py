"""Other people's real files, where the environment variable says they are."""

import os
from pathlib import Path

import pytest

from tests.bundle.build import BUNDLE
from toolkit.bundle import Archive, load, load_bytes, pack, read_archive, read_bundle, unpack, validate, write_bundle

CORPUS = Path(os.environ.get("TOOLKIT_CORPUS", "no corpus"))
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="TOOLKIT_CORPUS names no folder")
ZIPS = sorted(CORPUS.glob("solutions/*.zip"))
CONFIGS = sorted(CORPUS.glob("configs/*.xml"))


@pytest.mark.parametrize("path", ZIPS, ids=lambda path: path.stem)
def test_a_real_zip_survives_the_folder_with_every_byte(path: Path, tmp_path: Path) -> None:
    loaded = load_bytes(path.read_bytes(), path.name)
    unpack(loaded.archive, tmp_path / "source")
    assert pack(tmp_path / "source") == loaded.archive
    assert load(tmp_path / "source").bundle == loaded.bundle
    assert read_archive(loaded.archive.to_bytes(), path.name) == loaded.archive


@pytest.mark.parametrize("path", ZIPS, ids=lambda path: path.stem)
def test_a_real_zip_has_nothing_to_find(path: Path) -> None:
    assert validate(path) == ()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_real_configs_survive_the_folder_with_every_byte(path: Path, tmp_path: Path) -> None:
    members = {**write_bundle(BUNDLE, None).members, "customizations.xml": path.read_bytes()}
    archive = Archive(members)
    bundle = read_bundle(archive, path.name)
    unpack(archive, tmp_path / "source")
    assert pack(tmp_path / "source") == archive
    assert load(tmp_path / "source").bundle == bundle
    # Every key is known: the JSON that we would write is the one that stands there.
    assert [dict(config.extra) for config in bundle.configs] == [{} for _ in bundle.configs]
    assert read_bundle(write_bundle(bundle, None), "a.zip").configs == bundle.configs
