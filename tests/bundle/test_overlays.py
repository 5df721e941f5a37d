from pathlib import Path

import pytest

from tests.bundle.build import BUNDLE, PROD_YAML
from toolkit.bundle import effective, load_overlay, overlay_findings
from toolkit.errors import Invalid, NotFound, Severity
from toolkit.model.bundle import Bundle


def written(folder: Path, text: str, name: str = "extra.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def values(bundle: Bundle, environment: str, *extra: Path) -> list[tuple[str, str, int]]:
    configs = effective(bundle, environment, extra)
    return [(config.name, config.storage.account, config.interval_minutes) for config in configs]


def test_the_bundle_s_overlay_wins_over_the_bundle() -> None:
    assert values(BUNDLE, "prod") == [("contosoprod", "contosoprod", 30), ("contososervice", "contososervice", 60)]


def test_a_bundle_without_an_overlay_for_the_environment_is_used_as_it_is() -> None:
    assert effective(BUNDLE, "dev") == BUNDLE.configs


def test_files_win_over_the_bundle_s_overlay_and_later_ones_over_earlier_ones(tmp_path: Path) -> None:
    first = written(tmp_path, "configs: {contosolake: {interval_minutes: 15, storage_account: first1}}", "1.yaml")
    second = written(tmp_path, "configs: {contosolake: {storage_account: second}}", "2.yaml")
    assert values(BUNDLE, "prod", first, second)[0] == ("second", "second", 15)


def test_exceptions_of_entities_add_up(tmp_path: Path) -> None:
    first = written(tmp_path, "configs: {contosolake: {entities: {account: {append_only: true}}}}", "1.yaml")
    second = written(tmp_path, "configs: {contosolake: {entities: {contact: {exclude: true}}}}", "2.yaml")
    (entity,) = effective(BUNDLE, "dev", [first, second])[0].entities
    assert (entity.name, entity.append_only) == ("account", True)


def test_every_overlay_names_configs_as_the_bundle_does(tmp_path: Path) -> None:
    extra = written(tmp_path, "configs: {contosoprod: {interval_minutes: 5}}")
    with pytest.raises(NotFound) as raised:
        effective(BUNDLE, "prod", [extra])
    assert (raised.value.code, raised.value.where.path) == ("BND101", str(extra))


def test_an_unknown_entity_names_the_nearest_one(tmp_path: Path) -> None:
    extra = written(tmp_path, "configs: {contosolake: {entities: {acount: {exclude: true}}}}")
    with pytest.raises(NotFound) as raised:
        effective(BUNDLE, "dev", [extra])
    assert (raised.value.code, raised.value.fix) == ("BND102", "did you mean 'account'?")


def test_a_file_is_read_as_an_overlay(tmp_path: Path) -> None:
    assert load_overlay(written(tmp_path, PROD_YAML)) == BUNDLE.overlays["prod"]
    with pytest.raises(Invalid) as raised:
        load_overlay(written(tmp_path, "config: {}\n"))
    assert (raised.value.what, raised.value.fix) == ("unknown key 'config'", "did you mean 'configs'?")


def test_a_secret_in_an_overlay_is_refused_and_never_told(tmp_path: Path) -> None:
    key = "QUJD" * 21 + "QQ=="
    with pytest.raises(Invalid) as raised:
        load_overlay(written(tmp_path, f"# AccountKey={key}\n{PROD_YAML}"))
    (finding,) = raised.value.findings
    assert (finding.code, finding.where.line) == ("BND025", 1)
    assert key not in f"{finding.what} {finding.why} {finding.fix}"


def test_an_environment_that_the_bundle_has_no_overlay_for_is_a_warning() -> None:
    (finding,) = overlay_findings(BUNDLE, "prd", "a.zip")
    assert (finding.code, finding.severity, finding.fix) == ("BND017", Severity.WARNING, "did you mean 'prod'?")


def test_no_warning_where_there_is_nothing_to_choose() -> None:
    assert overlay_findings(BUNDLE, "prod", "a.zip") == ()
    assert overlay_findings(BUNDLE.model_copy(update={"overlays": {}}), "prd", "a.zip") == ()
