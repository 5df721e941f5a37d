"""What verify finds, each with its code and words."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from tests.apply.rig import HOLDER, Faulty, Rig
from tests.plan.build import CONFIG, FILE_SYSTEM, ORGANIZATION, OTHER_CONFIG, account, bundle, config, linked
from toolkit import engine
from toolkit.engine.checkpoint import read_checkpoint
from toolkit.engine.repair import repair
from toolkit.environment.protocol import DeleteConfig, PutConfig
from toolkit.errors import CursorExpired, Damaged, EntityGone, Severity
from toolkit.lake.memory import MemoryLake
from toolkit.model.bundle import Bundle
from toolkit.model.config import Storage
from toolkit.model.environment import Inventory
from toolkit.model.solution import Package
from toolkit.plan import Profile, plan_entities, plan_link, plan_uninstall, plan_unlink
from toolkit.source.protocol import Batch, Cursor, Source
from toolkit.verify import verify

ONE = bundle(config("account", "contact"), package=Package.UNMANAGED)
SECOND = config("lead", id=OTHER_CONFIG, account="contosotest")
ROOT = f"memory://contosolake/{FILE_SYSTEM}"


@pytest.fixture
def synced(prod: Rig) -> Rig:
    """Return an environment with one link whose initial sync is complete: two accounts, one contact."""
    for entity in ("account", "account", "contact"):
        prod.source.insert(entity, name=entity)
    prod.bring(ONE, sync=True)
    return prod


def lake(of: Rig) -> MemoryLake:
    return of.lake("contosolake", FILE_SYSTEM)


def after(*entities: str, version: str = "1.0.0.0", **values: object) -> Bundle:
    return bundle(config(*entities).model_copy(update=values), version=version, package=Package.UNMANAGED)


def test_a_synced_environment_is_as_its_bundle_says(synced: Rig) -> None:
    assert synced.found(ONE) == []


def test_every_check_is_reported_also_when_it_passes(synced: Rig) -> None:
    checked = verify(synced.site, clock=synced.clock, bundle=ONE, expected=ONE.configs)
    assert [(one.check, one.subject) for one in checked] == [
        ("solution", "prod"),
        ("linked lakes", "prod"),
        ("organization", "contosolake"),
        ("entities", "contosolake"),
        ("settings", "contosolake"),
        ("config row", "contosolake"),
        ("change tracking", "contosolake"),
        ("prerequisites", "contosolake"),
        ("initial sync", "contosolake"),
        ("manifest", "contosolake"),
        ("locations", "contosolake"),
        ("live files", "contosolake"),
        ("row counts", "contosolake"),
        ("freshness", "contosolake"),
    ]


def test_verify_writes_nothing(synced: Rig) -> None:
    before = synced.dump()
    verify(synced.site, clock=synced.clock, bundle=ONE, expected=ONE.configs)
    assert synced.dump() == before


def test_without_a_bundle_only_the_environment_is_looked_at(synced: Rig) -> None:
    synced.environment.write(PutConfig(config("account", interval_minutes=5)))
    assert synced.found() == []


def test_an_environment_without_links_has_nothing_wrong(prod: Rig) -> None:
    assert prod.found() == []


def test_a_fix_names_the_environment_and_the_link(synced: Rig) -> None:
    synced.environment.write(DeleteConfig(CONFIG))
    lake(synced).delete("model.json")
    found = [finding for one in verify(synced.site, clock=synced.clock) for finding in one.findings]
    assert {finding.code: finding.fix for finding in found} == {
        "VFY040": f"import the bundle again, or end the link: toolkit lake unlink {CONFIG} --env prod",
        "VFY060": "toolkit sync --config contosolake --env prod writes it anew",
    }


# --- solution and lakes ---------------------------------------------------------------------------------------------


def test_a_solution_that_is_not_installed_is_told(prod: Rig) -> None:
    assert prod.found(ONE) == [
        ("VFY010", "ContosoLake is not installed"),
        (
            "VFY020",
            f"the export config 'contosolake' is not linked to contosolake/{FILE_SYSTEM}",
        ),
    ]


def test_another_version_is_told(synced: Rig) -> None:
    assert synced.found(after("account", "contact", version="1.1")) == [
        ("VFY011", "ContosoLake 1.0.0.0 is installed, and the bundle is 1.1")
    ]


def test_a_bundle_that_is_not_imported_yet_is_told_once(synced: Rig) -> None:
    newer = bundle(
        config(linked("account", "Year"), "lead", interval_minutes=5), version="1.1", package=Package.UNMANAGED
    )
    (found,) = [
        finding
        for one in verify(synced.site, clock=synced.clock, bundle=newer, expected=newer.configs)
        for finding in one.findings
    ]
    assert (found.code, found.fix) == ("VFY011", "import the bundle")
    assert found.why == "this version of the bundle is not imported; its export configs are compared once it is"


def test_an_older_bundle_is_not_advised_to_be_imported(synced: Rig) -> None:
    older = after("account", version="0.9")
    (found,) = [finding for one in verify(synced.site, clock=synced.clock, bundle=older) for finding in one.findings]
    assert (found.code, found.fix) == ("VFY011", "verify against ContosoLake 1.0.0.0")


def test_another_kind_of_package_is_told(synced: Rig) -> None:
    assert synced.found(bundle(config("account", "contact"))) == [
        ("VFY012", "ContosoLake is installed as unmanaged, and the bundle is not")
    ]


def test_a_managed_solution_is_not_what_an_unmanaged_package_brings(prod: Rig) -> None:
    prod.bring(bundle(config("account")), sync=True)
    assert prod.found(after("account")) == [("VFY012", "ContosoLake is installed as managed, and the bundle is not")]


def test_another_lake_than_the_bundles_is_told(synced: Rig) -> None:
    moved = after("account", "contact", storage=Storage(account="contosotest", file_system="other"))
    assert ("VFY021", f"'contosolake' is linked to contosolake/{FILE_SYSTEM}, not to contosotest/other") in (
        synced.found(moved)
    )


def test_a_link_that_is_not_in_the_bundle_is_told(synced: Rig) -> None:
    assert synced.found(bundle(package=Package.UNMANAGED)) == [
        ("VFY022", "ContosoLake links 'contosolake', which is not in the bundle")
    ]


def test_a_link_of_another_solution_is_no_business_of_the_bundle(synced: Rig) -> None:
    other = bundle(package=Package.UNMANAGED, unique_name="Other")
    synced.bring(other)
    assert synced.found(other) == []


def test_a_lake_that_lost_its_link_document_is_told(synced: Rig) -> None:
    lake(synced).delete("_toolkit/link.json")
    assert synced.found(ONE) == [("STA003", f"the link document {ROOT}/_toolkit/link.json is gone")]


def test_a_link_document_that_cannot_be_read_is_a_finding_and_hides_no_other_link(synced: Rig) -> None:
    synced.do(plan_link(SECOND, synced.world(SECOND)), sync=True)
    lake(synced).put("_toolkit/link.json", b"{", "any")
    checked = verify(synced.site, clock=synced.clock)
    assert [finding.code for one in checked for finding in one.findings] == ["STA001"]
    assert {one.subject for one in checked} == {"prod", "contosotest"}


@pytest.mark.parametrize("damaged", [None, b"{"])
def test_a_link_is_mended_by_the_same_import(synced: Rig, damaged: bytes | None) -> None:
    if damaged is not None:
        lake(synced).put("_toolkit/link.json", damaged, "any")
    lake(synced).delete("_toolkit/link.json")
    synced.bring(ONE, sync=True)
    assert synced.found(ONE) == []
    assert synced.status().entities[0].rows == 2


def test_a_link_of_hand_is_mended_by_the_same_link(prod: Rig) -> None:
    prod.do(plan_link(SECOND, prod.world(SECOND)), sync=True)
    prod.lake("contosotest", FILE_SYSTEM).delete("_toolkit/link.json")
    assert [code for code, _ in prod.found()] == ["STA003"]
    prod.do(plan_link(SECOND, prod.world(SECOND)), sync=True)
    assert prod.found() == []


@pytest.mark.parametrize("damaged", [b"{", b"[]"])
def test_a_record_that_cannot_be_read_is_mended_as_its_fix_says(synced: Rig, damaged: bytes) -> None:
    synced.do(plan_link(SECOND, synced.world(SECOND)), sync=True)
    synced.state.put("record.json", damaged, "any")
    with pytest.raises(Damaged) as caught:
        synced.found()
    assert caught.value.fix.startswith("restore the file from a backup; or delete it, then import each bundle again")
    synced.state.delete("record.json")
    synced.bring(ONE, sync=True)
    synced.do(plan_link(SECOND, synced.world(SECOND)), sync=True)
    assert synced.found(ONE) == []
    assert {address.config for address in synced.record().lakes} == {CONFIG, OTHER_CONFIG}


def test_a_record_that_names_a_lake_for_another_config_is_told_and_mended(synced: Rig) -> None:
    record = synced.record()
    strange = record.lakes[0].model_copy(update={"config": OTHER_CONFIG})
    twice = record.model_copy(update={"lakes": (*record.lakes, strange)})
    synced.state.put("record.json", twice.model_dump_json().encode(), "any")
    (found,) = [finding for one in verify(synced.site, clock=synced.clock) for finding in one.findings]
    assert (found.code, str(found.where)) == ("VFY024", "memory://state/record.json lakes")
    assert found.fix == f"let `lakes` in that file name this file system once, with the config {CONFIG}"
    synced.state.put("record.json", record.model_dump_json().encode(), "any")
    assert synced.found(ONE) == []


def test_an_ended_link_is_not_checked(synced: Rig) -> None:
    synced.do(plan_uninstall("ContosoLake", synced.world(), prune=True))
    assert synced.found() == []


def test_the_organization_of_a_link_must_be_the_environments(synced: Rig) -> None:
    other = synced.link().model_copy(update={"organization": OTHER_CONFIG})
    lake(synced).put("_toolkit/link.json", other.model_dump_json().encode(), "any")
    ((code, what),) = synced.found()
    assert code == "VFY001"
    assert what == f"the link is of the organization {OTHER_CONFIG}, and the environment is {ORGANIZATION}"


# --- entities, settings, row ----------------------------------------------------------------------------------------


def drifted(of: Rig, bundle_after: Bundle) -> list[tuple[str, str]]:
    """Return what is found apart from the config row, which differs as well."""
    return [found for found in of.found(bundle_after) if found[0] != "VFY041"]


def test_missing_and_extra_entities_are_told(synced: Rig) -> None:
    assert drifted(synced, after("account", "lead")) == [
        ("VFY031", "the entity 'contact' is linked and not in the bundle"),
        ("VFY030", "the entity 'lead' is not linked (Month, in place in the bundle)"),
    ]


def test_another_strategy_or_mode_is_told(synced: Rig) -> None:
    other = bundle(config(linked("account", "Year"), linked("contact", append_only=True)), package=Package.UNMANAGED)
    assert drifted(synced, other) == [
        ("VFY032", "the entity 'account' is exported Month, not Year"),
        ("VFY033", "the entity 'contact' is exported in place, not append-only"),
    ]


def test_another_setting_is_told(synced: Rig) -> None:
    assert drifted(synced, after("account", "contact", interval_minutes=30)) == [
        ("VFY034", "contosolake interval_minutes is 60, not 30")
    ]


def test_the_values_of_an_overlay_are_expected_of_the_link_and_not_of_the_row(prod: Rig) -> None:
    effective = [ONE.configs[0].model_copy(update={"interval_minutes": 15})]
    prod.bring(ONE, effective, sync=True)
    assert prod.found(ONE, effective) == []
    assert prod.found(ONE) == [("VFY034", "contosolake interval_minutes is 15, not 60")]


def test_a_row_that_was_changed_by_hand_is_told_with_what_differs(synced: Rig) -> None:
    row = config(linked("account", "Year"), "lead", interval_minutes=5)
    synced.environment.write(PutConfig(row))
    ((code, what),) = synced.found(ONE)
    assert code == "VFY041"
    assert what.startswith("the export config row of 'contosolake' differs from the bundle: ")
    assert what.split(": ")[1].split("; ") == [
        "contact is missing",
        "lead is extra",
        "account is changed",
        "interval_minutes is changed",
    ]


def test_a_row_that_was_deleted_is_told(synced: Rig) -> None:
    synced.environment.write(DeleteConfig(CONFIG))
    assert synced.found(ONE) == [("VFY040", "the environment has no export config row of 'contosolake'")]


# --- change tracking and prerequisites ------------------------------------------------------------------------------


class WithoutContact(Faulty):
    """An environment from which the entity contact was deleted."""

    def inventory(self) -> Inventory:
        there = self.behind.inventory()
        entities = {name: entity for name, entity in there.entities.items() if name != "contact"}
        return there.model_copy(update={"entities": entities})


def test_an_entity_that_the_environment_lost_is_told(synced: Rig) -> None:
    checked = verify(replace(synced.site, environment=WithoutContact(synced.embedded)), clock=synced.clock)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, str(found.where)) == ("PLN010", "prod contosolake.entities.contact")


PROFILES = [(Profile.ENGINE, Severity.WARNING), (Profile.HOSTED, Severity.ERROR)]


@pytest.mark.parametrize(("profile", "severity"), PROFILES)
def test_prerequisites_are_checked_under_a_profile(synced: Rig, profile: Profile, severity: Severity) -> None:
    synced.embedded.show([account(region="eastus")])
    checked = verify(synced.site, clock=synced.clock, profile=profile)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, found.severity) == ("PLN024", severity)


# --- the data -------------------------------------------------------------------------------------------------------


def test_a_link_that_was_not_synced_is_pending(prod: Rig) -> None:
    prod.bring(ONE)
    checked = verify(prod.site, clock=prod.clock, bundle=ONE, expected=ONE.configs)
    found = [finding for one in checked for finding in one.findings]
    assert [(one.code, one.severity, one.what) for one in found] == [
        ("VFY050", Severity.WARNING, "sync pending: the initial sync of 'account' is NotStarted"),
        ("VFY050", Severity.WARNING, "sync pending: the initial sync of 'contact' is NotStarted"),
    ]
    assert found[0].fix == "toolkit sync --config contosolake --env prod, or toolkit run"


def test_a_pass_that_failed_is_told_with_its_reason(synced: Rig) -> None:
    synced.source.fail("contact", EntityGone("SRC001", "contact is gone"))
    engine.sync(synced.linked(), synced.source, clock=synced.clock, holder=HOLDER)
    checked = verify(synced.site, clock=synced.clock)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, found.what) == ("VFY051", "the last pass over 'contact' failed")
    assert "contact is gone" in found.why


def test_a_checkpoint_that_cannot_be_read_is_told_of_its_entity_alone(synced: Rig) -> None:
    lake(synced).put("_toolkit/account/checkpoint.json", b"{", "any")
    checked = verify(synced.site, clock=synced.clock)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, found.what) == ("VFY051", "the last pass over 'account' failed")
    assert found.why == "ENG031 the checkpoint of account cannot be read; the next sync makes it anew"


def manifest(of: Rig) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(lake(of).read("model.json"))
    return found


def write_manifest(of: Rig, data: object) -> None:
    lake(of).put("model.json", json.dumps(data).encode(), "any")


def test_a_missing_manifest_is_told(synced: Rig) -> None:
    lake(synced).delete("model.json")
    assert synced.found() == [("VFY060", "'contosolake' has no model.json")]


def test_an_entity_that_the_manifest_does_not_list_is_told(synced: Rig) -> None:
    data = manifest(synced)
    write_manifest(synced, {**data, "entities": data["entities"][:1]})
    assert synced.found() == [("VFY061", "model.json does not list 'contact'")]


def test_an_entity_that_the_manifest_lists_and_nobody_links_is_told(synced: Rig) -> None:
    data = manifest(synced)
    write_manifest(synced, {**data, "entities": [*data["entities"], {"name": "lead", "partitions": []}]})
    assert synced.found() == [("VFY065", "model.json lists 'lead', which is not linked")]


@pytest.mark.parametrize("data", ["{", "[]", '{"entities":[{"name":"account"}]}'])
def test_a_manifest_that_cannot_be_read_is_told_once(synced: Rig, data: str) -> None:
    lake(synced).put("model.json", data.encode(), "any")
    assert synced.found() == [("VFY064", "model.json of 'contosolake' cannot be read")]


def snapshots(of: Rig, entity: str) -> list[str]:
    return [stat.path for stat in lake(of).list(f"{entity}/Snapshot")]


def test_a_file_that_is_gone_is_told(synced: Rig) -> None:
    (path,) = snapshots(synced, "account")
    lake(synced).delete(path)
    assert synced.found() == [("VFY062", f"model.json names {ROOT}/{path} for 'account', and there is no such file")]


def test_a_snapshot_that_is_gone_is_mended_as_the_finding_says(synced: Rig) -> None:
    (path,) = snapshots(synced, "account")
    lake(synced).delete(path)
    (found,) = [finding for one in verify(synced.site, clock=synced.clock) for finding in one.findings]
    assert found.fix == "toolkit snapshot --config contosolake --env prod makes a new one of the live file"
    engine.snapshot(synced.linked(), clock=synced.clock, holder=HOLDER)
    assert synced.found() == []


def test_several_files_that_are_gone_are_counted(synced: Rig) -> None:
    synced.clock.move(days=40)
    synced.source.insert("account", name="late")
    engine.sync(synced.linked(), synced.source, clock=synced.clock, holder=HOLDER)
    paths = snapshots(synced, "account")
    for path in paths:
        lake(synced).delete(path)
    ((code, what),) = synced.found()
    assert (code, len(paths)) == ("VFY062", 2)
    assert what.endswith(" and 1 more for 'account', and there is no such file")


def test_a_lake_that_was_moved_is_told_from_one_that_lost_files(synced: Rig) -> None:
    text = lake(synced).read("model.json").decode()
    lake(synced).put("model.json", text.replace("memory://", "elsewhere://").encode(), "any")
    found = synced.found()
    assert [code for code, _ in found] == ["VFY063", "VFY063"]
    (path,) = snapshots(synced, "account")
    assert found[0][1] == (
        f"model.json says that 'account' is at elsewhere://contosolake/{FILE_SYSTEM}/{path}, and the lake is at {ROOT}/"
    )


LIVE = "account/2026-03.csv"


@pytest.mark.parametrize(
    ("data", "what"),
    [(None, f"the live file {LIVE} is gone"), (b"x", f"the live file {LIVE} has 1 bytes, and ")],
)
def test_a_live_file_that_is_not_as_written_is_told_and_repaired(synced: Rig, data: bytes | None, what: str) -> None:
    spoil(synced, data)
    (found,) = [finding for one in verify(synced.site, clock=synced.clock) for finding in one.findings]
    assert (found.code, found.what.startswith(what)) == ("VFY066", True)
    assert found.fix == "toolkit repair --config contosolake --env prod makes it good"
    assert repair(synced.linked(), synced.source, clock=synced.clock, holder=HOLDER).whole
    assert synced.found() == []


def test_a_live_file_that_waits_to_be_published_is_not_missed(synced: Rig) -> None:
    data = lake(synced).read(LIVE)
    checkpoint, _ = read_checkpoint(lake(synced), "account")
    assert checkpoint is not None
    (move,) = [step for step in checkpoint.pending if step.kind == "move" and step.path == LIVE]
    lake(synced).delete(LIVE)
    lake(synced).put(move.staged, data, "any")
    assert synced.found() == []


def spoil(of: Rig, data: bytes | None) -> None:
    if data is None:
        lake(of).delete(LIVE)
    else:
        lake(of).put(LIVE, data, "any")


def test_rows_that_the_next_pass_reads_are_a_note(synced: Rig) -> None:
    synced.source.insert("account", name="new")
    checked = verify(synced.site, clock=synced.clock)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, found.severity) == ("VFY071", Severity.NOTE)
    assert found.what == "'account' has 2 rows in the lake and 3 in the source"


class Miscounting:
    """A source that counts seven contacts and tells of one: as if rows had been lost on the way."""

    def __init__(self, behind: Source) -> None:
        self.entities, self.changes, self.mark, self.has = behind.entities, behind.changes, behind.mark, behind.has
        self._behind, self.organization, self.size = behind, behind.organization, behind.size

    def count(self, entity: str) -> int:
        return 7 if entity == "contact" else self._behind.count(entity)


def test_another_number_of_rows_without_any_change_is_an_error(synced: Rig) -> None:
    checked = verify(replace(synced.site, source=Miscounting(synced.source)), clock=synced.clock)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, found.severity) == ("VFY070", Severity.ERROR)
    assert found.what == "'contact' has 1 row in the lake and 7 in the source"
    assert "toolkit sync --compare --entity contact --config contosolake --env" in found.fix


def test_an_append_only_entity_may_have_more_rows_than_its_source(prod: Rig) -> None:
    row = prod.source.insert("account", name="one")
    prod.bring(bundle(config(linked("account", append_only=True))), sync=True)
    prod.source.update("account", row, name="two")
    engine.sync(prod.linked(), prod.source, clock=prod.clock, holder=HOLDER)
    assert prod.status().entities[0].rows == 2
    assert prod.found() == []


def test_an_expired_cursor_is_a_warning(synced: Rig) -> None:
    synced.source.insert("account", name="new")
    synced.source.fail("account", CursorExpired("SRC002", "expired"))
    synced.source.fail("account", CursorExpired("SRC002", "expired"))
    checked = verify(synced.site, clock=synced.clock)
    (found,) = [finding for one in checked for finding in one.findings]
    assert (found.code, found.severity, found.what) == (
        "VFY072",
        Severity.WARNING,
        "the cursor of 'account' expired",
    )


def test_a_source_that_cannot_be_read_is_an_error(synced: Rig) -> None:
    synced.source.drop("account")
    found = [(code, what.split(":")[0]) for code, what in synced.found()]
    assert found == [("VFY073", "the source of 'account' cannot be read")]


def test_a_change_that_no_snapshot_holds_longer_than_the_interval_is_an_error(synced: Rig) -> None:
    synced.clock.move(minutes=10)
    synced.source.insert("account", name="new")
    engine.sync(synced.linked(), synced.source, clock=synced.clock, holder=HOLDER)
    synced.clock.move(minutes=60)
    assert synced.found() == []
    synced.clock.move(seconds=1)
    assert synced.found() == [("VFY080", "no snapshot of 'account' holds a change of 2026-03-01 12:10:00 UTC")]


def test_a_change_that_the_lake_has_not_read_longer_than_the_interval_is_an_error(synced: Rig) -> None:
    row = synced.source.insert("account", name="new")
    synced.source.delete("account", row)
    first = next(iter(synced.source.changes("account", None, None))).rows.column("accountid")[0].as_py()
    synced.source.update("account", first, name="changed")
    synced.clock.move(hours=1)
    assert synced.found() == []
    synced.clock.now += timedelta(seconds=1)
    assert synced.found() == [("VFY081", "the lake has not read a change of 'account' of 2026-03-01 12:00:00 UTC")]


class Days:
    """A source whose rows say the day alone on which they changed."""

    def __init__(self, behind: Source) -> None:
        self.entities, self.count, self.mark, self.has = behind.entities, behind.count, behind.mark, behind.has
        self._behind, self.organization, self.size = behind, behind.organization, behind.size

    def changes(self, entity: str, columns: Sequence[str] | None, since: Cursor | None) -> Iterator[Batch]:
        for batch in self._behind.changes(entity, columns, since):
            place = batch.rows.schema.names.index("modifiedon")
            days = batch.rows.column(place).cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
            yield replace(batch, rows=batch.rows.set_column(place, "modifiedon", days))


def test_a_change_of_a_day_waits_since_the_end_of_that_day(synced: Rig) -> None:
    first = next(iter(synced.source.changes("account", None, None))).rows.column("accountid")[0].as_py()
    synced.source.update("account", first, name="changed")
    days = replace(synced.site, source=Days(synced.source))
    synced.clock.move(hours=12)
    assert [finding for one in verify(days, clock=synced.clock) for finding in one.findings] == []
    synced.clock.move(hours=1)
    (found,) = [finding for one in verify(days, clock=synced.clock) for finding in one.findings]
    assert found.what == "the lake has not read a change of 'account' of 2026-03-01 23:59:59 UTC"


def test_by_hand_and_verified(prod: Rig) -> None:
    prod.bring(ONE, sync=True)
    prod.do(plan_entities(CONFIG, prod.world(), add=(linked("lead"),)), sync=True)
    assert prod.found() == []
    prod.do(plan_unlink(CONFIG, prod.world()), sync=True)
    assert prod.found() == []
