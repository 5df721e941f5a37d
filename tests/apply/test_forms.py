"""A bundle says what of an entity is exported; a newer one says something else, and the lake follows."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json

import pytest

from tests.apply.rig import Rig
from tests.plan.build import FILE_SYSTEM, bundle, config
from toolkit.errors import Conflict, Refused
from toolkit.model.bundle import Bundle
from toolkit.model.config import LinkedEntity
from toolkit.plan import Effect
from toolkit.site import NO_KEY, MaskKey

KEY = "a secret of some length"


def version(number: int, **account: object) -> Bundle:
    entity = LinkedEntity.model_validate({"name": "account", **account})
    return bundle(config(entity, "contact"), version=f"1.{number}.0.0")


def shown(prod: Rig, entity: str = "account") -> list[dict[str, str]]:
    """The rows that ``model.json`` leads to."""
    lake = prod.lakes["contosolake", FILE_SYSTEM]
    found = next(each for each in json.loads(lake.read("model.json"))["entities"] if each["name"] == entity)
    names = [attribute["name"] for attribute in found["attributes"]]
    head = lake.location("x").removesuffix("x")
    texts = [lake.read(part["location"].removeprefix(head)).decode() for part in found["partitions"]]
    return [dict(zip(names, row, strict=True)) for text in texts for row in csv.reader(text.splitlines())]


def hashed(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_a_newer_bundle_masks_and_filters_what_an_older_one_exported(prod: Rig) -> None:
    prod.mask_key = MaskKey("MASK_KEY", lambda _: KEY)
    for name in ("Ada", "Bob"):
        prod.source.insert("account", name=name)
    prod.bring(version(0), sync=True)
    newer = version(1, filter=[{"column": "name", "not_equals": "Bob"}], mask={"name": "hash"})
    assert [change.consequence.effect for change in prod.plan(newer).changes] == [
        Effect.NOTHING,
        Effect.REINITIALISE,
        Effect.REINITIALISE,
    ]
    report = prod.bring(newer, sync=True)
    assert report.synced["contosolake"].by_entity["account"].written == 1
    assert [row["name"] for row in shown(prod)] == ["Ada", "Bob"]
    prod.clock.move(hours=1)
    prod.bring(version(2, filter=[{"column": "name", "not_equals": "Bob"}], mask={"name": "hash"}, scan_minutes=5))
    assert prod.linked().link.config.entities[0].scan_minutes == 5


def test_readers_see_the_new_form_with_the_next_snapshot_and_verify_finds_nothing(prod: Rig) -> None:
    prod.mask_key = MaskKey("MASK_KEY", lambda _: KEY)
    for name in ("Ada", "Bob"):
        prod.source.insert("account", name=name)
    prod.bring(version(0), sync=True)
    prod.clock.move(hours=1)
    newer = version(1, filter=[{"column": "name", "not_equals": "Bob"}], mask={"name": "hash"})
    prod.bring(newer, sync=True)
    assert [row["name"] for row in shown(prod)] == [hashed("Ada")]
    assert [each for each in prod.found(newer) if not each[0].startswith("PLN")] == []
    assert KEY not in repr(prod.dump())


@pytest.mark.parametrize("found", [None, "too short"])
def test_a_config_that_hashes_changes_nothing_without_a_key(prod: Rig, found: str | None) -> None:
    prod.mask_key = MaskKey("MASK_KEY", lambda _: found)
    before = prod.dump()
    with pytest.raises(Refused) as raised:
        prod.bring(version(0, mask={"name": "hash"}), sync=True)
    assert [finding.code for finding in raised.value.findings] == ["PLN067"]
    assert "too short" not in str(raised.value)
    assert prod.dump() == before


def test_a_plan_is_stale_when_its_key_is_gone(prod: Rig) -> None:
    prod.mask_key = MaskKey("MASK_KEY", lambda _: KEY)
    hashing, plain = prod.plan(version(0, mask={"name": "hash"})), prod.plan(version(0))
    prod.mask_key = NO_KEY
    with pytest.raises(Conflict, match="stale"):
        prod.do(hashing, version(0, mask={"name": "hash"}))
    prod.do(plain, version(0))


def test_a_key_that_is_lost_fails_the_entity_alone_and_verify_says_so(prod: Rig) -> None:
    prod.source.insert("account", name="Ada")
    prod.source.insert("contact", name="Cid")
    prod.mask_key = MaskKey("MASK_KEY", lambda _: KEY)
    brings = version(0, mask={"name": "hash"})
    prod.bring(brings)
    nothing = prod.plan(brings)
    prod.mask_key = NO_KEY
    report = prod.do(nothing, sync=True)
    assert [code for code, _ in prod.found(brings) if code in {"PLN067", "ENG071"}] == ["PLN067"]
    (failed,) = report.synced["contosolake"].failed
    assert failed.error is not None
    assert (failed.entity, failed.error.code) == ("account", "ENG071")
    assert [row["name"] for row in shown(prod, "contact")] == ["Cid"]
    prod.mask_key = MaskKey("MASK_KEY", lambda _: KEY)
    prod.bring(version(0, mask={"name": "hash"}), sync=True)
    assert [row["name"] for row in shown(prod)] == [hashed("Ada")]


def test_a_history_that_would_be_of_two_forms_changes_nothing(prod: Rig) -> None:
    prod.source.insert("account", name="Ada")
    prod.bring(version(0, append_only=True), sync=True)
    before = prod.dump()
    with pytest.raises(Refused) as raised:
        prod.bring(version(1, append_only=True, mask={"name": "null"}), sync=True)
    assert [finding.code for finding in raised.value.findings] == ["PLN055"]
    assert prod.dump() == before


def test_another_filter_of_a_history_is_compared_at_once(prod: Rig) -> None:
    prod.source.insert("account", name="Ada")
    prod.source.insert("account", name="Bob")
    prod.bring(version(0, append_only=True), sync=True)
    prod.clock.move(hours=1)
    newer = version(1, append_only=True, filter=[{"column": "name", "equals": "Ada"}])
    report = prod.bring(newer, sync=True)
    assert report.synced["contosolake"].by_entity["account"].deleted == 1
    assert [(row["name"], row["IsDelete"]) for row in shown(prod)] == [("Ada", ""), ("Bob", ""), ("", "True")]


def test_a_lake_with_more_rows_than_a_filter_can_let_through_is_found(prod: Rig) -> None:
    filtered = version(0, filter=[{"column": "name", "is_null": False}])
    keys = [prod.source.insert("account", name=name) for name in ("Ada", "Bob")]
    prod.source.insert("account")
    prod.bring(filtered, sync=True)
    assert [each for each in prod.found(filtered) if each[0].startswith("VFY07")] == []
    for key in keys:
        prod.source.delete("account", key)
    assert [each for each in prod.found(filtered) if each[0].startswith("VFY07")] == [
        ("VFY071", "'account' has 2 rows in the lake and 1 in the source")
    ]


def test_a_form_that_no_pass_has_brought_is_found_and_the_same_import_brings_it(prod: Rig) -> None:
    prod.source.insert("account", name="Ada")
    prod.bring(version(0), sync=True)
    masked = version(1, mask={"name": "null"}, columns=["name"])
    prod.bring(masked)
    assert ("VFY052", "the files of 'account' do not have the columns and the mask of the link yet") in prod.found(
        masked
    )
    assert [entity.form_due for entity in prod.status().entities] == [("columns", "mask"), ()]
    assert prod.plan(masked).empty
    prod.bring(masked, sync=True)
    assert [entity.form_due for entity in prod.status().entities] == [(), ()]
    assert "VFY052" not in {code for code, _ in prod.found(masked)}
