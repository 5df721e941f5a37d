from pathlib import Path

import pytest

from tests.bundle.build import BUNDLE, PROD_YAML
from toolkit.bundle import Loaded, effective, load_bytes, load_overlay, overlay_findings, settings_notes, write_bundle
from toolkit.documents import as_model
from toolkit.errors import Invalid, Severity
from toolkit.model.config import ExportConfig, LinkedEntity, RetryPolicy, Storage
from toolkit.model.overlay import STORAGE, ConfigOverlay, EntityOverlay, Overlay


def loaded() -> Loaded:
    return load_bytes(write_bundle(BUNDLE, None).to_bytes(), "a.zip")


def written(folder: Path, text: str, name: str = "extra.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def values(environment: str, *extra: Path, **variables: str) -> list[tuple[str, str, int]]:
    configs = effective(loaded(), environment, extra, variables)
    return [(config.name, config.storage.account, config.interval_minutes) for config in configs]


def test_the_bundle_s_overlay_wins_over_the_bundle() -> None:
    assert values("prod") == [("contosoprod", "contosoprod", 30), ("contososervice", "contososervice", 60)]


def test_a_bundle_without_an_overlay_for_the_environment_is_used_as_it_is() -> None:
    assert effective(loaded(), "dev") == BUNDLE.configs


def test_files_win_over_the_bundle_s_overlay_and_later_ones_over_earlier_ones(tmp_path: Path) -> None:
    first = written(tmp_path, "configs: {contosolake: {interval_minutes: 15, storage_account: first1}}", "1.yaml")
    second = written(tmp_path, "configs: {contosolake: {storage_account: second}}", "2.yaml")
    assert values("prod", first, second)[0] == ("second", "second", 15)


def test_exceptions_of_entities_add_up(tmp_path: Path) -> None:
    first = written(tmp_path, "configs: {contosolake: {entities: {account: {append_only: true}}}}", "1.yaml")
    second = written(tmp_path, "configs: {contosolake: {entities: {contact: {exclude: true}}}}", "2.yaml")
    (entity,) = effective(loaded(), "dev", [first, second])[0].entities
    assert (entity.name, entity.append_only) == ("account", True)


def test_every_overlay_names_configs_as_the_bundle_does(tmp_path: Path) -> None:
    extra = written(tmp_path, "configs: {contosoprod: {interval_minutes: 5}}")
    with pytest.raises(Invalid) as raised:
        effective(loaded(), "prod", [extra])
    assert (raised.value.code, raised.value.where.path) == ("BND101", str(extra))


def test_an_unknown_entity_names_the_nearest_one(tmp_path: Path) -> None:
    extra = written(tmp_path, "configs: {contosolake: {entities: {acount: {exclude: true}}}}")
    with pytest.raises(Invalid) as raised:
        effective(loaded(), "dev", [extra])
    assert (raised.value.code, raised.value.fix) == ("BND102", "did you mean 'account'?")


def test_a_file_is_read_as_an_overlay(tmp_path: Path) -> None:
    assert as_model(load_overlay(written(tmp_path, PROD_YAML)), Overlay) == BUNDLE.overlays["prod"]
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


# --- variables ------------------------------------------------------------------------------------------------------

VARYING = """\
configs:
  contosolake:
    storage_account: contoso${STAGE}
    interval_minutes: ${MINUTES}
    resource_group: a$${STAGE}
    entities:
      account: {append_only: "${HISTORY}", filter: [{column: name, equals: "${WHO}"}]}
"""
VALUES = {"STAGE": "prod", "MINUTES": "15", "HISTORY": "true", "WHO": "Ada"}


def test_variables_are_put_in_place_and_a_doubled_sign_stands_for_itself(tmp_path: Path) -> None:
    config = effective(loaded(), "dev", [written(tmp_path, VARYING)], VALUES)[0]
    assert (config.name, config.storage.account, config.interval_minutes) == ("contosoprod", "contosoprod", 15)
    assert config.storage.resource_group == "a${STAGE}"
    assert (config.entities[0].append_only, config.entities[0].filter[0].equals) == (True, "Ada")


def test_every_variable_without_a_value_is_told_with_file_line_and_key(tmp_path: Path) -> None:
    path = written(tmp_path, VARYING)
    with pytest.raises(Invalid) as raised:
        effective(loaded(), "dev", [path], {"STAGE": "prod", "MINUTES": ""})
    found = [(finding.code, finding.what, str(finding.where)) for finding in raised.value.findings]
    assert found == [
        (
            "BND040",
            "the environment variable MINUTES is not set",
            f"{path}:4 configs.contosolake.interval_minutes",
        ),
        (
            "BND040",
            "the environment variable HISTORY is not set",
            f"{path}:7 configs.contosolake.entities.account.append_only",
        ),
        (
            "BND040",
            "the environment variable WHO is not set",
            f"{path}:7 configs.contosolake.entities.account.filter[0].equals",
        ),
    ]


@pytest.mark.parametrize("text", ["a${", "${}", "${1}", "${a b}", "${A"])
def test_a_sign_that_names_no_variable_is_an_error(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"configs: {{contosolake: {{resource_group: '{text}'}}}}")
    with pytest.raises(Invalid) as raised:
        effective(loaded(), "dev", [path])
    assert (raised.value.code, raised.value.what) == ("BND041", "a ${ that names no variable")


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ("storage_account: ${A}", "DOC012", "storage_account"),
        ("storage_account: $${A}", "DOC012", "storage_account"),
        ("interval_minutes: ${A}", "DOC012", "interval_minutes"),
        ("workspace: ${SECRET}", "BND025", "workspace"),
    ],
)
def test_a_value_that_is_wrong_once_it_is_known_is_told_without_it(
    tmp_path: Path, line: str, code: str, key: str
) -> None:
    path = written(tmp_path, f"configs:\n  contosolake:\n    {line}\n")
    with pytest.raises(Invalid) as raised:
        effective(loaded(), "dev", [path], {"A": "Not-One", "SECRET": "AccountKey=" + "a" * 20})
    (finding,) = raised.value.findings
    assert (finding.code, str(finding.where)) == (code, f"{path}:3 configs.contosolake.{key}")
    assert not any(value in f"{finding.what}{finding.why}{finding.fix}" for value in ("Not-One", "aaaa"))


def test_what_an_overlay_does_not_name_of_a_retry_policy_stays(tmp_path: Path) -> None:
    ours = loaded()
    path = written(tmp_path, "configs: {contosolake: {retry: {interval_seconds: 30}}}")
    assert effective(ours, "dev", [path])[0].retry == RetryPolicy(max_count=12, interval_seconds=30)


def test_every_field_is_in_the_overlay_or_the_same_everywhere() -> None:
    everywhere = {"id", "name", "storage", "destination", "odi_enabled", "is_default"}
    everywhere |= {"customizable", "state", "status", "extra"}
    assert set(ExportConfig.model_fields) - set(ConfigOverlay.model_fields) == everywhere
    assert set(Storage.model_fields) - set(STORAGE.values()) == {"endpoints"}
    assert set(LinkedEntity.model_fields) - set(EntityOverlay.model_fields) == {"name", "extra"}


# --- deployment settings --------------------------------------------------------------------------------------------

SETTINGS = """\
{"EnvironmentVariables": [{"SchemaName": "cts_account", "Value": "contosoprod", "DefaultValue": "x"},
                          {"SchemaName": "cts_other", "Value": ""}],
 "ConnectionReferences": [{"LogicalName": "cts_shared", "ConnectionId": "", "ConnectorId": "/a/b"}]}
"""


def test_deployment_settings_give_values_before_the_environment(tmp_path: Path) -> None:
    overlay = written(tmp_path, "configs: {contosolake: {storage_account: '${cts_account}'}}")
    settings = written(tmp_path, SETTINGS, "settings.json")
    assert values("dev", overlay, settings, cts_account="another")[0] == ("contosoprod", "contosoprod", 60)


def test_connections_of_deployment_settings_are_noted(tmp_path: Path) -> None:
    (note,) = settings_notes([written(tmp_path, SETTINGS, "settings.json"), written(tmp_path, "configs: {}")])
    assert (note.code, note.what) == ("BND045", "1 connection references have no effect here")


def test_another_json_file_is_no_deployment_settings(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        values("dev", written(tmp_path, '{"EnvironmentVariables": 5}', "settings.json"))
    assert (raised.value.code, raised.value.where.key) == ("BND044", "EnvironmentVariables")
