import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.bundle.build import BUNDLE, CONFIG, CONFIG_YAML, OTHER, PROD_YAML, SOLUTION_YAML, bundles, write_source
from toolkit.bundle import Archive, Limits, load, load_bytes, pack, read_bundle, unpack, validate, write_bundle
from toolkit.errors import Invalid, NotFound, Refused
from toolkit.model.bundle import Bundle
from toolkit.model.solution import Package
from toolkit.model.version import Version

ARCHIVE = write_bundle(BUNDLE, None)


def tree(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def changed(**changes: object) -> Archive:
    return write_bundle(BUNDLE.model_copy(update=changes), None)


def test_a_folder_and_its_zip_are_the_same_bundle(tmp_path: Path) -> None:
    folder = write_source(tmp_path / "source")
    (tmp_path / "a.zip").write_bytes(pack(folder).to_bytes())
    assert load(folder).bundle == load(tmp_path / "a.zip").bundle
    assert load(folder).bundle.digest == load(tmp_path / "a.zip").bundle.digest
    assert load(folder).archive == load(tmp_path / "a.zip").archive


def test_a_folder_says_what_its_yaml_says(tmp_path: Path) -> None:
    loaded = load(write_source(tmp_path))
    assert loaded.bundle == BUNDLE.model_copy(update={"configs": (CONFIG,)})
    assert (loaded.findings, loaded.path) == ((), str(tmp_path))


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    assert pack(folder).to_bytes() == pack(folder).to_bytes()


@given(bundles)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bundle_survives_unpacking_and_packing(tmp_path: Path, bundle: Bundle) -> None:
    archive = write_bundle(bundle, None)
    folder = tmp_path / "source"
    shutil.rmtree(folder, ignore_errors=True)
    unpack(archive, folder)
    assert load(folder).bundle == bundle
    assert pack(folder) == archive


def test_what_can_be_made_anew_needs_no_package_folder(tmp_path: Path) -> None:
    unpack(ARCHIVE, tmp_path / "source")
    assert list(tree(tmp_path / "source")) == [
        "configs/contosolake.yaml",
        "configs/contososervice.yaml",
        "environments/prod.yaml",
        "solution.yaml",
    ]


def test_what_cannot_be_made_anew_is_kept_in_the_package_folder(tmp_path: Path) -> None:
    solution = ARCHIVE.members["solution.xml"].replace(b"\n", b"\r\n")
    archive = write_bundle(BUNDLE, Archive({"solution.xml": solution, "Workflows/a.json": b"{}"}))
    unpack(archive, tmp_path / "source")
    assert [path for path in tree(tmp_path / "source") if path.startswith("package/")] == [
        "package/Workflows/a.json",
        "package/solution.xml",
    ]
    assert pack(tmp_path / "source") == archive


@pytest.mark.parametrize(
    "name", ["zzz/toolkit/environments/prod.yaml", "toolkit/environments/a/prod.yaml", "toolkit/environments/prod.txt"]
)
def test_only_the_files_right_in_the_folder_of_overlays_are_overlays(tmp_path: Path, name: str) -> None:
    archive = write_bundle(BUNDLE, Archive({name: b"configs: {}\n"}))
    assert read_bundle(archive, "a.zip").overlays == BUNDLE.overlays
    unpack(archive, tmp_path)
    assert pack(tmp_path) == archive
    assert archive.members[name] == b"configs: {}\n"


def test_yaml_wins_over_the_templates_of_the_package_folder(tmp_path: Path) -> None:
    solution = ARCHIVE.members["solution.xml"].replace(b"\n", b"\r\n")
    unpack(write_bundle(BUNDLE, Archive({"solution.xml": solution})), tmp_path / "source")
    path = tmp_path / "source" / "solution.yaml"
    path.write_text(path.read_text().replace('"1.0.0.0"', '"1.0.0.1"'))
    assert pack(tmp_path / "source").members["solution.xml"] == solution.replace(b"1.0.0.0", b"1.0.0.1")


def test_a_managed_zip_stays_managed_unless_asked_otherwise(tmp_path: Path) -> None:
    managed = BUNDLE.solution.model_copy(update={"package": Package.MANAGED})
    unpack(changed(solution=managed), tmp_path / "source")
    assert "package: 1\n" in (tmp_path / "source" / "solution.yaml").read_text()
    assert pack(tmp_path / "source") == changed(solution=managed)
    assert pack(tmp_path / "source", managed=False) == ARCHIVE


def test_a_source_is_packed_as_managed(tmp_path: Path) -> None:
    assert b"<Managed>1<" in pack(write_source(tmp_path), managed=True).members["solution.xml"]


def test_a_zip_can_leave_overlays_out(tmp_path: Path) -> None:
    members = pack(write_source(tmp_path), overlays=False).members
    assert list(members) == ["customizations.xml", "[Content_Types].xml", "solution.xml"]


def test_an_overlay_keeps_its_bytes_through_the_zip(tmp_path: Path) -> None:
    archive = pack(write_source(tmp_path / "a"))
    unpack(archive, tmp_path / "b")
    assert (tmp_path / "b" / "environments" / "prod.yaml").read_text() == PROD_YAML


def test_unpacking_what_is_there_changes_no_byte(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    before = tree(folder)
    unpack(pack(folder), folder)
    assert tree(folder) == before


def test_unpacking_keeps_comments_order_and_overlays(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    solution = BUNDLE.solution.model_copy(update={"version": Version("1.1.0.0")})
    config = CONFIG.model_copy(update={"entities": CONFIG.entities[:1]})
    unpack(changed(solution=solution, configs=(config,), overlays={}), folder)
    assert tree(folder) == {
        "solution.yaml": SOLUTION_YAML.replace("1.0.0.0", "1.1.0.0").encode(),
        "configs/contosolake.yaml": CONFIG_YAML[: CONFIG_YAML.index("  - name: contact")].encode(),
        "environments/prod.yaml": PROD_YAML.encode(),
    }


def test_unpacking_finds_a_config_by_its_id_whatever_the_name_of_its_file(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    (folder / "configs" / "contosolake.yaml").rename(folder / "configs" / "sales.yaml")
    unpack(changed(configs=(CONFIG, OTHER)), folder)
    assert sorted(path.name for path in (folder / "configs").iterdir()) == ["contososervice.yaml", "sales.yaml"]


def test_configs_of_one_name_have_a_file_each(tmp_path: Path) -> None:
    twin = OTHER.model_copy(update={"name": "Contoso Lake!"})
    unpack(changed(configs=(CONFIG.model_copy(update={"name": "contoso-lake"}), twin)), tmp_path / "source")
    assert sorted(path.name for path in (tmp_path / "source" / "configs").iterdir()) == [
        f"contoso-lake-{CONFIG.id}.yaml",
        "contoso-lake.yaml",
    ]


def test_a_config_that_is_gone_loses_its_file_and_an_empty_folder_goes(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    (folder / "README.md").write_text("mine")
    unpack(changed(configs=(), overlays={}), folder)
    assert list(tree(folder)) == ["README.md", "environments/prod.yaml", "solution.yaml"]
    assert not (folder / "configs").exists()


def test_a_schema_line_points_into_the_tree_that_holds_the_schemas(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    for name in ("solution", "config"):
        (tmp_path / "schemas" / f"{name}.schema.json").write_text("{}")
    unpack(ARCHIVE, tmp_path / "solutions" / "Lake")
    first = {path: text.split(b"\n")[0].decode() for path, text in tree(tmp_path / "solutions" / "Lake").items()}
    assert first["solution.yaml"] == "# yaml-language-server: $schema=../../schemas/solution.schema.json"
    assert first["configs/contosolake.yaml"] == "# yaml-language-server: $schema=../../../schemas/config.schema.json"


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Refused) as raised:
        unpack(ARCHIVE, tmp_path)
    assert (raised.value.code, list(tree(tmp_path))) == ("BND013", ["thesis.txt"])


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(Refused) as raised:
        unpack(ARCHIVE, tmp_path / "a")
    assert raised.value.code == "BND013"


def test_a_folder_that_holds_another_solution_is_refused(tmp_path: Path) -> None:
    folder = write_source(tmp_path, solution=SOLUTION_YAML.replace("ContosoLake", "Other"))
    before = tree(folder)
    with pytest.raises(Refused) as raised:
        unpack(ARCHIVE, folder)
    assert (raised.value.code, raised.value.why) == ("BND014", "it holds 'Other', and the zip 'ContosoLake'")
    assert tree(folder) == before


@pytest.mark.parametrize("text", ["a: [", "- x\n"])
def test_a_folder_whose_solution_cannot_be_read_is_left_alone(tmp_path: Path, text: str) -> None:
    folder = write_source(tmp_path, solution=text)
    with pytest.raises((Invalid, Refused)):
        unpack(ARCHIVE, folder)
    assert (folder / "solution.yaml").read_text() == text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:  # pragma: no cover - not as root
    folder = write_source(tmp_path)
    (folder / "configs").chmod(0o500)
    before = tree(folder)
    with pytest.raises(PermissionError):
        unpack(changed(configs=(OTHER,)), folder)
    assert tree(folder) == before


def test_a_failure_in_the_middle_moves_everything_back(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    # A folder in the place of a file that is to come makes the last move fail.
    (folder / "configs" / "contososervice.yaml" / "x").mkdir(parents=True)
    before = tree(folder)
    with pytest.raises(OSError, match="directory"):
        unpack(changed(configs=(OTHER,), solution=BUNDLE.solution.model_copy(update={"version": Version("2")})), folder)
    assert tree(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == ["configs", "environments", "solution.yaml"]


def test_a_failure_leaves_no_new_folder(tmp_path: Path) -> None:
    name = "x" * 300
    with pytest.raises(OSError, match="name too long"):
        unpack(write_bundle(BUNDLE, Archive({name: b""})), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    for use in (load, pack, validate):
        with pytest.raises(NotFound) as raised:
            use(tmp_path / "none")
        assert raised.value.code == "BND015"


def test_a_folder_without_a_solution_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        load(tmp_path)
    assert (raised.value.code, raised.value.what) == ("BND011", "the folder has no solution.yaml")


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    folder = write_source(tmp_path / "source")
    (tmp_path / "secret").mkdir()
    (folder / "package").mkdir()
    (folder / "package" / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(Invalid) as raised:
        load(folder)
    assert (raised.value.code, raised.value.where.path) == ("BND016", str(folder / "package" / "a"))


@pytest.mark.parametrize("name", ["configs", "environments", "package"])
def test_a_folder_that_is_a_symbolic_link_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_source(tmp_path / "source")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.yaml").write_text("secret")
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).symlink_to("../secret")
    for use in (load, pack, lambda to: unpack(ARCHIVE, to)):
        with pytest.raises(Invalid) as raised:
            use(folder)
        assert (raised.value.code, raised.value.where.path) == ("BND016", str(folder / name))
    assert tree(tmp_path / "secret") == {"key.yaml": b"secret"}


def test_nothing_is_unpacked_through_a_symbolic_link(tmp_path: Path) -> None:
    folder = write_source(tmp_path / "source")
    (tmp_path / "secret").mkdir()
    (folder / "package").mkdir()
    (folder / "package" / "Workflows").symlink_to(tmp_path / "secret")
    with pytest.raises(Invalid) as raised:
        unpack(write_bundle(BUNDLE, Archive({"Workflows/a.json": b"{}"})), folder)
    assert (raised.value.code, list((tmp_path / "secret").iterdir())) == ("BND016", [])


def test_the_bundle_s_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(write_source(tmp_path / "source"))
    assert load(tmp_path / "link").bundle == load(tmp_path / "source").bundle


def test_a_folder_goes_with_the_last_of_its_files(tmp_path: Path) -> None:
    members = {"a/b/1": b"", "a/b/2": b"", "a/3": b""}
    unpack(write_bundle(BUNDLE, Archive(members)), tmp_path)
    unpack(ARCHIVE, tmp_path)
    assert not (tmp_path / "package").exists()
    assert pack(tmp_path) == ARCHIVE


def test_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ARCHIVE.to_bytes())
    for path in (write_source(tmp_path / "source"), tmp_path / "a.zip"):
        with pytest.raises(Invalid) as raised:
            load(path, Limits(size=10))
        assert (raised.value.code, raised.value.why) == ("BND004", "at most 10 bytes are read")


def test_other_people_s_unzip_reads_our_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(ARCHIVE.to_bytes())) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    assert tree(tmp_path) == dict(sorted(ARCHIVE.members.items()))


def test_a_bundle_that_breaks_a_rule_loads_with_its_findings(tmp_path: Path) -> None:
    loaded = load(write_source(tmp_path, config=CONFIG_YAML.replace("name: contact", "name: account")))
    assert [finding.code for finding in loaded.findings] == ["BND021"]
    assert loaded.errors == loaded.findings


def test_what_cannot_be_loaded_is_told_with_all_the_rules_it_breaks(tmp_path: Path) -> None:
    text = CONFIG_YAML.replace("name: contact", "name: account") + "odd: 1\n"
    with pytest.raises(Invalid) as raised:
        load(write_source(tmp_path, config=text))
    assert [finding.code for finding in raised.value.findings] == ["BND021", "DOC010"]


def test_bytes_load_like_a_file() -> None:
    loaded = load_bytes(ARCHIVE.to_bytes(), "HEAD:a.zip")
    assert (loaded.bundle, loaded.path) == (BUNDLE, "HEAD:a.zip")
    assert read_bundle(loaded.archive, "x") == BUNDLE
