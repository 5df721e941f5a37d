from pathlib import Path

import pytest

from tests.bundle.build import CONFIG_YAML, PROD_YAML, SOLUTION_YAML, write_source
from toolkit.bundle import pack, validate

SECRET = "A" * 86 + "=="


def found(folder: Path) -> list[tuple[str, str, int | None]]:
    return [(f.code, Path(f.where.path).name, f.where.line) for f in validate(folder)]


def test_a_good_bundle_has_no_findings(tmp_path: Path) -> None:
    assert found(write_source(tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("name: contact", "name: account", "BND021", 12),
        ("name: contact", "name: attachment", "BND024", 12),
        ("partition_strategy: Year", "partition_strategy: Month", "BND028", 13),
        ("partition_strategy: Month", "partition_strategy: FiveDay", "BND029", 11),
        ("entities:", "extra: {Entities: '1'}\nentities:", "BND030", 8),
        ("entities:", "extra: {Odd: 'x'}\nentities:", "BND031", 8),
        ("entities:", "# AccountKey=abcdefgh\nentities:", "BND025", 8),
        ("entities:", f"extra: {{Odd: '\"{SECRET}\"'}}\nentities:", "BND025", 8),
        ("entities:", "extra: {ClientSecret: '\"x\"'}\nentities:", "BND025", 8),
        ("subscription: 46a1f76e-", "subscription: ", "BND032", 6),
        ("resource_group: lake", "tenant: contoso.example", "BND032", 7),
        ("partition_strategy: Month", "partition_strategy: Mont", "DOC012", 11),
        ("partition_strategy: Month", "mask: {name: hash, createdon: hash}", "BND111", 11),
        ("partition_strategy: Month", "records_per_block: 250", "BND068", 11),
        ("entities:", "odi_enabled: yes\nentities:", "BND068", 8),
        ("entities:", "is_default: true\nentities:", "BND068", 8),
        ("entities:", "destination: Elsewhere\nentities:", "BND068", 8),
        ("resource_group: lake", "resource_group: rg-${STAGE}", "BND042", 7),
    ],
)
def test_a_rule_of_a_config_is_found_at_its_line(tmp_path: Path, old: str, new: str, code: str, line: int) -> None:
    assert found(write_source(tmp_path, config=CONFIG_YAML.replace(old, new, 1))) == [(code, "contosolake.yaml", line)]


def test_a_setting_without_effect_is_no_news_at_its_default(tmp_path: Path) -> None:
    text = CONFIG_YAML.replace("entities:", "destination: Adls\nodi_enabled: no\nis_default: false\nentities:", 1)
    text = text.replace("partition_strategy: Month", "partition_strategy: Month\n    records_per_block: 125", 1)
    assert found(write_source(tmp_path, config=text)) == []


def test_a_setting_without_effect_is_a_note_that_says_why(tmp_path: Path) -> None:
    text = PROD_YAML + "    entities:\n      account: {records_per_block: 500}\n"
    (note,) = validate(write_source(tmp_path, prod=text))
    assert (note.code, note.severity, note.what) == ("BND068", "note", "records_per_block has no effect here")
    assert note.why == "the engine writes files as large as their rows, up to the size limit of parts"


def test_endpoints_of_another_account_are_found(tmp_path: Path) -> None:
    names = ("blob", "queue", "table", "file", "file_system")
    lines = "".join(f"    {name}: https://other.{name}.core.windows.net/\n" for name in names)
    text = CONFIG_YAML.replace("entities:", f"  endpoints:\n{lines}entities:", 1)
    assert [code for code, _, _ in found(write_source(tmp_path, config=text))] == ["BND022"] * 5


def test_more_than_a_thousand_entities_are_found(tmp_path: Path) -> None:
    more = "".join(f"  - name: e{number}\n" for number in range(999))
    assert found(write_source(tmp_path, config=CONFIG_YAML + more)) == [("BND023", "contosolake.yaml", 8)]


def test_findings_of_several_files_and_kinds_come_together(tmp_path: Path) -> None:
    folder = write_source(
        tmp_path,
        solution=SOLUTION_YAML.replace("ContosoLake", "Contoso_upgrade").replace("prefix: cts", "prefix: mscrm"),
        config=CONFIG_YAML.replace("name: contact", "name: account") + "odd: 1\n",
        prod=PROD_YAML.replace("contosolake", "contosolak"),
    )
    assert found(folder) == [
        ("BND021", "contosolake.yaml", 12),
        ("DOC010", "contosolake.yaml", 15),
        ("BND101", "prod.yaml", 3),
        ("BND020", "solution.yaml", 3),
        ("DOC012", "solution.yaml", 10),
    ]


def test_an_unknown_entity_of_an_overlay_is_found(tmp_path: Path) -> None:
    text = PROD_YAML + "    entities:\n      acount: {exclude: true}\n      account: {append_only: true}\n"
    assert found(write_source(tmp_path, prod=text)) == [("BND102", "prod.yaml", 7)]


def test_a_mask_of_an_overlay_on_what_every_file_needs_is_found(tmp_path: Path) -> None:
    text = PROD_YAML + "    entities:\n      account:\n        mask:\n          versionnumber: hash\n"
    assert found(write_source(tmp_path, prod=text)) == [("BND111", "prod.yaml", 9)]


def test_a_subscription_of_an_overlay_that_is_no_guid_is_a_warning(tmp_path: Path) -> None:
    (finding,) = validate(write_source(tmp_path, prod=PROD_YAML + "    subscription: notaguid\n"))
    assert (finding.code, finding.severity, finding.where.line) == ("BND032", "warning", 6)


def test_an_overlay_may_name_variables_where_the_type_of_a_value_is_another(tmp_path: Path) -> None:
    text = PROD_YAML.replace("30", "${MINUTES}").replace("contosoprod", "contoso${STAGE}")
    folder = write_source(tmp_path, prod=text + "    subscription: ${SUBSCRIPTION}\n    write_delete_log: ${LOG}\n")
    assert found(folder) == []
    members = pack(folder).members
    assert members["toolkit/environments/prod.yaml"] == (folder / "environments" / "prod.yaml").read_bytes()


def test_two_configs_of_one_id_are_found(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    (folder / "configs" / "twin.yaml").write_text(CONFIG_YAML)
    assert found(folder) == [("BND027", "twin.yaml", 2), ("BND026", "twin.yaml", 3)]


def test_a_file_that_would_not_be_read_is_found(tmp_path: Path) -> None:
    folder = write_source(tmp_path)
    (folder / "environments" / "test.yml").write_text("configs: {}\n")
    assert found(folder) == [("BND012", "test.yml", None)]


def test_a_secret_is_never_printed(tmp_path: Path) -> None:
    text = SOLUTION_YAML.replace('"1.0.0.0"', f'"AccountKey={SECRET}"')
    findings = validate(write_source(tmp_path, solution=text))
    assert {finding.code for finding in findings} == {"BND025", "DOC012"}
    assert SECRET not in str(findings)


def test_the_findings_of_a_zip_name_member_and_line(tmp_path: Path) -> None:
    config = CONFIG_YAML.replace("entities:", "extra: {Odd: '\"AccountKey=abcdefgh\"'}\nentities:", 1)
    path = tmp_path / "a.zip"
    path.write_bytes(pack(write_source(tmp_path / "source", config=config)).to_bytes())
    (finding,) = validate(path)
    assert (finding.code, finding.where.path, finding.where.line) == ("BND025", f"{path}/customizations.xml", 17)
