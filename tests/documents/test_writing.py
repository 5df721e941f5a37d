from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.documents import parse, render, render_model
from toolkit.model.config import ExportConfig, LinkedEntity, PartitionStrategy, Storage

HEAD = "# yaml-language-server: $schema=s.json\n"
TEMPLATE = """\
# yaml-language-server: $schema=../s.json
# Who made this
name: lake   # the account
tables:
- name: account
  # Years are enough
  strategy: Year
# The big one
- name: contact  # asked for by sales
  size: '012'

note: |
  two
  lines
flow: {a: 1, b: [x, y]}
last: yes
"""
VALUES: dict[str, Any] = {
    "name": "lake",
    "tables": [{"name": "account", "strategy": "Year"}, {"name": "contact", "size": "012"}],
    "note": "two\nlines\n",
    "flow": {"a": 1, "b": ["x", "y"]},
    "last": True,
}


def rendered(template: str = TEMPLATE, **changes: object) -> str:
    data = {key: value for key, value in (VALUES | changes).items() if value is not None}
    text = render(data, schema="s.json", template=template)
    assert parse(text, "").data == parse(render(data, schema="s.json"), "").data | (
        {"last": "yes"} if data.get("last") is True else {}
    )
    return text


def test_a_new_text_opens_with_the_schema_line() -> None:
    assert render({"a": "x"}, schema="s.json") == HEAD + "a: x\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Contoso Lake", "Contoso Lake"),
        ("1.0.0.0", '"1.0.0.0"'),
        ("1.10", '"1.10"'),
        ("653ae937-c02f-ed11-9db1-0022482dfdbf", '"653ae937-c02f-ed11-9db1-0022482dfdbf"'),
        ("abcdef01-c02f-ed11-9db1-0022482dfdbf", '"abcdef01-c02f-ed11-9db1-0022482dfdbf"'),
        ("no", '"no"'),
        ("null", '"null"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("trailing ", '"trailing "'),
        ('{"a":1}', "'{\"a\":1}'"),
        ("two\nlines", '"two\\nlines"'),
        ("caf\u00e9 \U0001f600", '"caf\u00e9 \U0001f600"'),
        ("\u2028\x85", '"\\u2028\\u0085"'),
        (60, "60"),
        (True, "true"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2, 3], {"b": 4, "c": {"d": 5}}], "\n  - 1\n  - - 2\n    - 3\n  - b: 4\n    c:\n      d: 5"),
    ],
)
def test_values_are_spelled_so_that_they_read_back(value: object, text: str) -> None:
    space = "" if text.startswith("\n") else " "
    assert render({"a": value}, schema="s.json") == f"{HEAD}a:{space}{text}\n"


def test_numeric_keys_are_bare() -> None:
    assert render({"names": {1033: "x"}}, schema="s.json") == HEAD + "names:\n  1033: x\n"


def test_equal_values_leave_the_text_as_it_is() -> None:
    assert rendered() == TEMPLATE


def test_a_text_without_schema_line_gains_one() -> None:
    assert render({"a": "x"}, schema="s.json", template="a: x # why\n") == HEAD + "a: x # why\n"


def test_a_changed_scalar_keeps_its_comment_and_its_quotes() -> None:
    text = rendered(name="sea", tables=[VALUES["tables"][0], {"name": "contact", "size": "013"}])
    assert text == TEMPLATE.replace("lake ", "sea ").replace("'012'", "'013'")


def test_a_removed_key_takes_its_comment_with_it() -> None:
    text = rendered(tables=[{"name": "account"}, VALUES["tables"][1]])
    assert text == TEMPLATE.replace("  # Years are enough\n  strategy: Year\n", "")


def test_a_removed_item_leaves_the_comment_of_the_next_one() -> None:
    text = rendered(tables=[VALUES["tables"][1]])
    assert text == TEMPLATE.replace("- name: account\n  # Years are enough\n  strategy: Year\n", "")


def test_a_new_item_stands_in_its_place() -> None:
    text = rendered(tables=[VALUES["tables"][0], {"name": "lead", "size": "1"}, VALUES["tables"][1]])
    assert text == TEMPLATE.replace("  strategy: Year\n", '  strategy: Year\n- name: lead\n  size: "1"\n')


def test_a_new_first_item_stands_before_the_others() -> None:
    text = rendered(tables=[{"name": "lead"}, *VALUES["tables"]])
    assert text == TEMPLATE.replace("- name: account", "- name: lead\n- name: account")


def test_a_new_key_follows_the_key_it_follows_in_the_values() -> None:
    data = {"name": "lake", "owner": "me", "interval": 5} | VALUES
    text = render(data, schema="s.json", template=TEMPLATE)
    assert text == TEMPLATE.replace("the account\n", "the account\nowner: me\ninterval: 5\n")


def test_a_new_key_at_the_top_stands_first() -> None:
    text = render({"id": "x", "a": "b"}, schema="s.json", template="# c\na: b\n")
    assert text == HEAD + "# c\nid: x\na: b\n"


def test_new_keys_at_the_end_of_nested_mappings_keep_their_level() -> None:
    text = render({"a": {"b": "x", "c": "w"}, "d": "z"}, schema="s.json", template="a:\n  b: x # why")
    assert text == HEAD + "a:\n  b: x # why\n  c: w\nd: z"


def test_a_block_of_text_is_replaced_whole() -> None:
    assert rendered(note="one") == TEMPLATE.replace("|\n  two\n  lines", "one")


def test_a_flow_mapping_that_changes_becomes_a_block() -> None:
    assert rendered(flow={"a": 2}) == TEMPLATE.replace("flow: {a: 1, b: [x, y]}", "flow:\n  a: 2")


def test_an_empty_value_gains_a_block() -> None:
    text = render({"a": ["x"], "b": {"c": 1}}, schema="s.json", template="a: # soon\nb: {} # none\n")
    assert parse(text, "").data == {"a": ["x"], "b": {"c": "1"}}
    assert text == HEAD + "a:\n  - x # soon\nb:\n  c: 1 # none\n"


def test_a_scalar_that_becomes_a_list_is_replaced() -> None:
    assert render({"a": [1]}, schema="s.json", template="a: x # c\n") == HEAD + "a:\n  - 1 # c\n"


def test_line_ends_of_the_text_stay() -> None:
    text = render({"a": "w", "b": "z"}, schema="s.json", template="# c\r\na: x\r\n")
    assert text == HEAD + "# c\r\na: w\r\nb: z\r\n"


@pytest.mark.parametrize(
    "template",
    [
        "- 1\n",
        "a: [",
        "{a: 1, b: 2}\n",
        "a:\n  - - x\n    - y\n",
        "a:\n  - {name: x, b: 1}\n",
        "a:\n  - b: 1\n    c: 2\n",
    ],
)
def test_a_layout_that_cannot_be_patched_is_written_anew(template: str) -> None:
    data = {"a": [{"name": "x", "b": 2}]}
    assert parse(render(data, schema="s.json", template=template), "").data == {"a": [{"name": "x", "b": "2"}]}


CONFIG = ExportConfig(
    id="653ae937-c02f-ed11-9db1-0022482dfdbf",
    name="contosolake",
    storage=Storage(account="contosolake"),
    entities=(LinkedEntity(name="account", partition_strategy=PartitionStrategy.YEAR),),
)
MODEL_TEXT = """\
# yaml-language-server: $schema=s.json
id: "653ae937-c02f-ed11-9db1-0022482dfdbf"
name: contosolake
storage:
  account: contosolake
entities:
  - name: account
    partition_strategy: Year
"""


def test_a_model_is_written_without_its_defaults() -> None:
    assert render_model(CONFIG, schema="s.json") == MODEL_TEXT


def test_defaults_that_a_person_spelled_stay() -> None:
    spelled = MODEL_TEXT + "    append_only: false # for now\ninterval_minutes: 60\nretry:\n  max_count: 12\n"
    assert render_model(CONFIG, schema="s.json", template=spelled) == spelled


def test_a_list_that_became_empty_stays_as_an_empty_one() -> None:
    text = render_model(CONFIG.model_copy(update={"entities": ()}), schema="s.json", template=MODEL_TEXT)
    assert text == MODEL_TEXT[: MODEL_TEXT.index("entities")] + "entities: []\n"


def test_a_template_that_is_no_yaml_is_written_anew() -> None:
    assert render_model(CONFIG, schema="s.json", template="a: [") == MODEL_TEXT


texts = st.text(max_size=12)
trees = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)
mappings = st.dictionaries(texts, trees, min_size=1, max_size=4)


def as_read(value: object) -> object:
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_read(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value if value is None else str(value)


@given(mappings)
def test_any_values_read_back_as_they_were(data: dict[str, Any]) -> None:
    assert parse(render(data, schema="s.json"), "").data == as_read(data)


@given(mappings, mappings)
def test_any_text_can_be_rewritten_to_any_values(before: dict[str, Any], after: dict[str, Any]) -> None:
    text = render(after, schema="s.json", template=render(before, schema="s.json"))
    assert parse(text, "").data == as_read(after)


lines = st.lists(st.sampled_from(["account", "contact", "lead", "task", "incident"]), unique=True, max_size=5)


@given(lines, lines)
def test_comments_of_items_that_stay_survive_any_change(before: list[str], after: list[str]) -> None:
    template = "tables:" + "".join(f"\n  # above {name}\n  - name: {name} # beside {name}" for name in before) + "\n"
    text = render({"tables": [{"name": name} for name in after]}, schema="s.json", template=template)
    stay = [name for name in before if name in after]
    if stay == [name for name in after if name in before]:
        assert [name for name in stay if f"# above {name}\n  - name: {name} # beside {name}" not in text] == []
