"""The bundles that ship: documentation, examples and test input at once, so they must be right."""

import re
from pathlib import Path

import pytest

from toolkit import bundle
from toolkit.model.config import ExportConfig, PartitionStrategy
from toolkit.model.names import default_option_value_prefix
from toolkit.model.solution import CORE_SOLUTION
from toolkit.model.version import Version
from toolkit.organization import definitions

ROOT = Path(__file__).parents[1]
SOLUTIONS = ROOT / "solutions"
EXAMPLES = ROOT / "docs" / "examples"
CORE = SOLUTIONS / CORE_SOLUTION
CONTOSO = SOLUTIONS / "ContosoLake"
FOLDERS = sorted(path for path in SOLUTIONS.iterdir() if path.is_dir())


def effective(environment: str) -> dict[str, ExportConfig]:
    configs = bundle.effective(bundle.load(CONTOSO), environment)
    return {config.name: config for config in configs}


def test_these_bundles_ship() -> None:
    assert FOLDERS == [CONTOSO, CORE]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundle_that_ships_has_nothing_to_find(folder: Path) -> None:
    assert bundle.validate(folder) == ()
    assert bundle.load(folder).bundle.solution.unique_name == folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundle_that_ships_packs_to_the_same_bytes_each_time(folder: Path) -> None:
    assert bundle.pack(folder).to_bytes() == bundle.pack(folder).to_bytes()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_zip_says_what_the_folder_says(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle.pack(folder).to_bytes())
    assert bundle.load(path).bundle == bundle.load(folder).bundle


def test_rewriting_a_bundle_that_ships_keeps_every_byte_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "solutions" / CONTOSO.name
    shipped = {path: path.read_bytes() for path in sorted(CONTOSO.rglob("*.yaml"))}
    for path, data in shipped.items():
        target = folder / path.relative_to(CONTOSO)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    bundle.unpack(bundle.pack(CONTOSO), folder)
    assert {path: (folder / path.relative_to(CONTOSO)).read_bytes() for path in shipped} == shipped


def test_core_is_ours_and_holds_no_config() -> None:
    core = bundle.load(CORE).bundle
    assert core.solution.version == Version("1.0.0.0")
    assert core.solution.publisher.unique_name == "exporttodatalaketoolkit"
    assert core.configs == ()
    assert "AppSource" in core.solution.descriptions[1033]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_publisher_has_the_option_value_prefix_that_dataverse_proposes(folder: Path) -> None:
    publisher = bundle.load(folder).bundle.solution.publisher
    assert publisher.option_value_prefix == default_option_value_prefix(publisher.prefix)


def test_contoso_lake_requires_core() -> None:
    (dependency,) = bundle.load(CONTOSO).bundle.solution.missing_dependencies
    assert dependency.solution == (CORE_SOLUTION, Version("1.0.0.0"))


def test_contoso_lake_links_standard_entities_with_change_tracking() -> None:
    standard = {entity.name: entity for entity in definitions.standard().entities}
    linked = [entity.name for config in bundle.load(CONTOSO).bundle.configs for entity in config.entities]
    assert len(linked) == len(set(linked)) == 12
    assert [name for name in linked if name not in standard or not standard[name].change_tracking] == []


def test_contoso_lake_shows_both_strategies_and_append_only() -> None:
    linked = [entity for config in bundle.load(CONTOSO).bundle.configs for entity in config.entities]
    assert {entity.partition_strategy for entity in linked} == {PartitionStrategy.YEAR, PartitionStrategy.MONTH}
    assert [entity.name for entity in linked if entity.append_only] == ["incident"]


@pytest.mark.parametrize("environment", ["dev", "test", "prod"])
def test_every_environment_has_its_own_accounts(environment: str) -> None:
    configs = effective(environment)
    assert list(configs) == [f"contososales{environment}", f"contososervice{environment}"]
    assert [config.storage.account for config in configs.values()] == list(configs)
    assert {config.storage.resource_group for config in configs.values()} == {f"rg-contoso-lake-{environment}"}


def test_no_two_environments_share_a_subscription() -> None:
    subscriptions = [{c.storage.subscription for c in effective(name).values()} for name in ("dev", "test", "prod")]
    assert [len(each) for each in subscriptions] == [1, 1, 1]
    assert len(set.union(*subscriptions)) == 3


def test_prod_leaves_phone_calls_out() -> None:
    dev, prod = effective("dev")["contososervicedev"], effective("prod")["contososerviceprod"]
    assert {entity.name for entity in dev.entities} - {entity.name for entity in prod.entities} == {"phonecall"}


@pytest.mark.parametrize(
    ("folder", "pattern", "schema"),
    [
        (SOLUTIONS, "*/solution.yaml", "solution"),
        (SOLUTIONS, "*/configs/*.yaml", "config"),
        (SOLUTIONS, "*/environments/*.yaml", "overlay"),
        (EXAMPLES, "entities.yaml", "entities"),
        (definitions.FOLDER, "*.yaml", "entities"),
    ],
)
def test_editors_find_the_schema_of_every_file(folder: Path, pattern: str, schema: str) -> None:
    opening = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
    named = {(path, opening.match(path.read_text())) for path in folder.glob(pattern)}
    found = {(path.parent / match[1]).resolve() if match else path for path, match in named}
    assert found == {ROOT / "schemas" / f"{schema}.schema.json"}


def test_the_example_of_custom_entities_can_be_defined() -> None:
    standard = definitions.standard()
    known = {entity.name: entity for entity in standard.entities}
    publisher = bundle.load(CONTOSO).bundle.solution.publisher
    made = definitions.custom([EXAMPLES / "entities.yaml"], [publisher], known, standard.choices)
    (inspection,) = made.entities
    assert (inspection.name, inspection.custom, inspection.change_tracking) == ("cts_inspection", True, True)
    assert [name for name in made.choices if name not in standard.choices] == ["cts_severity"]
