"""The bundles that travel with the toolkit, found in a checkout and in a wheel."""

from pathlib import Path

from toolkit.resources import bundle, core_solution, data_of

ROOT = Path(__file__).parents[1]


def test_a_checkout_gives_the_core_solution_of_the_repository() -> None:
    with core_solution() as folder:
        assert folder == ROOT / "solutions" / "ExportToDataLakeCore"
        assert (folder / "solution.yaml").is_file()


def test_a_checkout_gives_a_bundle_by_its_name() -> None:
    with bundle("ContosoLake") as folder:
        assert (folder / "configs").is_dir()


def test_the_data_of_a_wheel_lies_inside_the_package(tmp_path: Path) -> None:
    assert data_of(tmp_path / "toolkit") == tmp_path
    (tmp_path / "toolkit" / "_data").mkdir(parents=True)
    assert data_of(tmp_path / "toolkit") == tmp_path / "toolkit" / "_data"
