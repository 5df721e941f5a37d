"""What is in a folder, when one is closed, and what readers find."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.engine.incremental.folders import FolderWorld, new_world
from tests.engine.world import ACCOUNT, HOLDER, START, attribute, insert_account, link, linked_entity
from toolkit.engine import Settings, status
from toolkit.engine.opening import opened
from toolkit.engine.sync import ignore, never
from toolkit.engine.ways import Ways
from toolkit.errors import Damaged, Locked, Refused, Retriable
from toolkit.lake.memory import MemoryLake
from toolkit.model.entity import AttributeType
from toolkit.model.link import Dropped, EntityState

FIRST = "2026-03-01T12.00.00Z"
SECOND = "2026-03-01T12.00.01Z"


@pytest.fixture
def world() -> FolderWorld:
    return new_world()


def ids(world: FolderWorld, folder: str, entity: str = "account") -> dict[str, list[str]]:
    """The ids in each file of a folder, by their last digit; a delete row has a minus."""
    found = world.reader.files(folder, entity)
    return {
        name: [("-" if row["IsDelete"] else "") + row["Id"][-1] for row in rows] for name, rows in sorted(found.items())
    }


def test_a_folder_holds_rows_by_year_and_delete_rows_apart(world: FolderWorld) -> None:
    for year in (2024, 2025, 2026):
        insert_account(world.source, "row", datetime(year, 2, 1, tzinfo=UTC))
    world.source.insert("teammembership")
    assert world.sync().folder == FIRST
    world.clock.forward(minutes=1)
    world.source.update("account", "00000000-0000-0000-0000-000000000001", name="other")
    world.source.delete("account", "00000000-0000-0000-0000-000000000002")
    assert world.sync().folder == SECOND
    assert ids(world, FIRST) == {"2024": ["1"], "2025": ["2"], "2026": ["3"]}
    assert ids(world, FIRST, "teammembership") == {"1900": ["4"]}
    assert ids(world, SECOND) == {"1900": ["-2"], "2024": ["1"]}
    assert ids(world, SECOND, "teammembership") == {}


def test_changelog_and_log_tell_what_is_closed(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.clock.forward(hours=2)
    insert_account(world.source, "row")
    world.sync()
    assert world.text("Changelog/Synapse.log") == f"{FIRST},{SECOND}"
    assert world.text("Changelog/changelog.info") == "2026-03-01T14.00.00Z"
    assert world.reader.folders == [FIRST, SECOND]


def test_the_folder_in_progress_has_the_choice_metadata_and_nothing_else(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    assert {path.split("/")[1] for path in world.paths(world.reader.in_progress)} == {"OptionsetMetadata"}


def test_nothing_new_makes_no_folder_and_no_write(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    before = {stat.path: stat.etag for stat in world.lake.list("")}
    lake = world.reopen()
    assert world.sync().folder is None
    assert {stat.path: stat.etag for stat in world.lake.list("")} == before
    assert [call for call in lake.calls if call.operation in {"put", "stage", "publish", "delete"}] == []


def test_an_entity_without_rows_is_complete_without_a_folder(world: FolderWorld) -> None:
    assert world.sync().folder is None
    assert [each.state for each in status(world.linked).entities] == [EntityState.COMPLETED] * 2
    assert world.reader.folders == []
    assert {partition["value"] for partition in world.entity("account")["annotations"]} >= {"Completed"}


def test_the_roots_model_lists_every_entity_without_files(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    listed = {entity["name"]: entity["partitions"] for entity in world.manifest()["entities"]}
    assert listed == {"account": [], "teammembership": []}


def test_a_row_that_came_and_went_between_two_folders_is_in_none(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.source.delete("account", insert_account(world.source, "brief"))
    assert world.sync().folder is None


def test_several_changes_of_a_row_are_one_row(world: FolderWorld) -> None:
    row = insert_account(world.source, "first")
    world.sync()
    for name in ("second", "third"):
        world.source.update("account", row, name=name)
    folder = world.sync().folder
    assert folder is not None
    assert [each["name"] for each in world.reader.files(folder, "account")["2026"]] == ["third"]


def test_a_failing_entity_is_listed_without_a_change_and_comes_later(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.source.insert("teammembership")
    world.source.fail("account", Retriable("SRC009", "busy", after=5))
    report = world.sync()
    assert [(each.entity, each.error is None) for each in report.entities] == [
        ("account", False),
        ("teammembership", True),
    ]
    assert world.reader.model(FIRST)["account"]["partitions"] == []
    assert {note["value"] for note in world.reader.model(FIRST)["account"]["annotations"]} == {"Year", "InProgress"}
    assert world.sync().folder == SECOND
    assert ids(world, SECOND) == {"2026": ["1"]}


def test_an_expired_cursor_sends_what_differs_and_deletes_what_is_gone(world: FolderWorld) -> None:
    rows = [insert_account(world.source, f"row {number}") for number in range(4)]
    world.sync()
    world.source.delete("account", rows[0])
    world.source.update("account", rows[1], name="other")
    world.source.expire("account")
    folder = world.sync().folder
    assert folder is not None
    assert ids(world, folder) == {"1900": ["-1"], "2026": ["2"]}
    assert status(world.linked).entities[0].rows == 3


def test_an_entity_that_cannot_be_tracked_is_compared_when_its_time_has_come(world: FolderWorld) -> None:
    team = world.source.entities()["teammembership"]
    world.source.define(team.model_copy(update={"change_tracking": False}))
    row = world.source.insert("teammembership")
    world.sync()
    world.source.delete("teammembership", row)
    world.source.insert("teammembership")
    assert world.sync().folder is None
    world.clock.forward(days=1)
    folder = world.sync().folder
    assert folder is not None
    assert ids(world, folder, "teammembership") == {"1900": ["2"], "1900_001": ["-1"]}


def test_a_new_column_stands_at_the_end_from_its_folder_on(world: FolderWorld) -> None:
    row = insert_account(world.source, "row")
    world.sync()
    more = (*ACCOUNT.attributes, attribute("fax", AttributeType.STRING, max_length=10))
    world.source.define(ACCOUNT.model_copy(update={"attributes": more}))
    world.source.update("account", row, fax="12")
    report = world.sync()
    names = [[each["name"] for each in world.reader.model(at)["account"]["attributes"]] for at in world.reader.folders]
    assert (names[0][-1], names[1][-1]) == ("IsDelete", "fax")
    assert [each["fax"] for each in world.reader.files(SECOND, "account")["2026"]] == ["12"]
    assert [notice.code for notice in report.notices] == ["ENG061", "ENG121"]


def test_a_changed_type_sends_every_row_again(world: FolderWorld) -> None:
    insert_account(world.source, "row", revenue=1)
    insert_account(world.source, "row", revenue=2)
    world.sync()
    others = [each for each in ACCOUNT.attributes if each.name != "revenue"]
    text = attribute("revenue", AttributeType.STRING, max_length=20)
    world.source.define(ACCOUNT.model_copy(update={"attributes": (*others, text)}))
    for number in (1, 2):
        world.source.update("account", f"00000000-0000-0000-0000-{number:012x}", revenue=f"{number}.00")
    world.source.delete("account", "00000000-0000-0000-0000-000000000001")
    world.sync()
    assert ids(world, SECOND) == {"1900": ["-1"], "2026": ["2"]}
    assert world.reader.files(SECOND, "account")["2026"][0]["revenue"] == "2.00"


def test_an_entity_that_is_taken_off_is_in_no_later_folder_and_keeps_the_old_ones(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.source.insert("teammembership")
    world.sync()
    world.relink(linked_entity("account"))
    insert_account(world.source, "row")
    assert world.sync().retired == ("teammembership",)
    assert list(world.reader.model(SECOND)) == ["account"]
    assert ids(world, FIRST, "teammembership") == {"1900": ["2"]}
    assert [entity["name"] for entity in world.manifest()["entities"]] == ["account"]


def test_an_entity_that_is_added_again_is_sent_whole_with_what_went_meanwhile(world: FolderWorld) -> None:
    row = insert_account(world.source, "row")
    insert_account(world.source, "row")
    world.sync()
    world.relink(linked_entity("teammembership"))
    world.sync()
    world.source.delete("account", row)
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    folder = world.sync().folder
    assert folder is not None
    assert ids(world, folder) == {"1900": ["-1"], "2026": ["2"]}


def test_an_entity_that_was_dropped_and_linked_anew_in_one_step_is_sent_whole(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    both = (linked_entity("account"), linked_entity("teammembership"))
    world.relink(*both, dropped=(Dropped(entity="account", generation=2),))
    report = world.sync()
    assert report.retired == ("account",)
    assert ids(world, SECOND) == {"2026": ["1"]}
    assert world.sync().retired == ()


def test_an_ended_link_keeps_its_folders(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.relink(linked_entity("account"), active=False)
    assert world.sync().retired == ("account", "teammembership")
    assert world.reader.folders == [FIRST]
    assert world.manifest()["entities"] == []


def test_folders_that_are_too_old_go_but_never_the_newest(world: FolderWorld) -> None:
    world.keep_days = 1
    world.relink(linked_entity("account"), linked_entity("teammembership"))
    for _ in range(3):
        insert_account(world.source, "row")
        world.sync()
        world.clock.forward(hours=20)
    assert world.reader.folders == [SECOND, "2026-03-02T08.00.00Z"]
    assert world.text("Changelog/Synapse.log") == f"{SECOND},2026-03-02T08.00.00Z"
    world.clock.forward(days=9)
    insert_account(world.source, "row")
    world.sync()
    assert world.reader.seen[:1] == world.reader.folders == ["2026-03-03T04.00.00Z"]


def test_a_name_is_above_all_earlier_ones_whatever_the_clock_says(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.clock.forward(days=-400)
    insert_account(world.source, "row")
    world.sync()
    assert world.reader.folders == [FIRST, SECOND]
    assert world.reader.in_progress == "2026-03-01T12.00.02Z"


def test_a_patient_session_closes_a_folder_at_the_end_of_the_interval(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.source.insert("teammembership")
    ways = Ways(world.clock, world.settings, ignore, never, patient=True)
    with opened(world.linked, HOLDER, ways) as session:

        def folder(*names: str) -> str | None:
            return session.sync(world.link, world.source, names).folder

        assert folder("account", "teammembership") == FIRST
        insert_account(world.source, "row")
        world.source.insert("teammembership")
        world.clock.forward(minutes=59)
        assert folder("account", "teammembership") is None
        world.clock.forward(minutes=1)
        assert folder("account") == SECOND
    assert (ids(world, SECOND), ids(world, SECOND, "teammembership")) == ({"2026": ["3"]}, {"1900": ["4"]})


def test_a_patient_session_does_not_let_a_new_entity_wait(world: FolderWorld) -> None:
    world.relink(linked_entity("account"))
    insert_account(world.source, "row")
    ways = Ways(world.clock, world.settings, ignore, never, patient=True)
    with opened(world.linked, HOLDER, ways) as session:
        session.sync(world.link, world.source, None)
        assert session.incomplete(world.link) == ()
        world.relink(linked_entity("account"), linked_entity("teammembership"))
        assert session.incomplete(world.link) == ("teammembership",)
        world.source.insert("teammembership")
        assert session.sync(world.link, world.source, None).folder == SECOND


def test_files_are_cut_at_the_limit_and_called_as_their_paths() -> None:
    world = new_world(batch_size=2)
    world.settings = Settings(workers=1, part_limit=300)
    for _ in range(4):
        insert_account(world.source, "row")
    world.sync()
    assert ids(world, FIRST) == {"2026": ["1", "2"], "2026_001": ["3", "4"]}


def test_a_stopped_pass_leaves_nothing_and_begins_again(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    report = world.sync(stop=lambda: True)
    assert (report.stopped, report.folder) == (True, None)
    assert world.paths("_toolkit/staging") == []
    assert world.sync().folder == FIRST


def test_a_cursor_that_moved_without_a_change_is_written_when_it_is_old(world: FolderWorld) -> None:
    world.sync()
    world.clock.forward(hours=43)
    before = world.text("_toolkit/incremental.json")
    world.sync()
    assert world.text("_toolkit/incremental.json") != before
    assert world.reader.folders == []


def test_an_entity_that_the_source_dropped_fails_and_the_others_go_on(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.source.drop("account")
    world.source.insert("teammembership")
    report = world.sync()
    assert [each.error.code for each in report.failed if each.error] == ["ENG051"]
    assert report.folder == SECOND
    assert [change.change.value for change in status(world.linked).entities[0].schema_changes] == ["entity dropped"]


def test_snapshots_have_no_meaning(world: FolderWorld) -> None:
    with pytest.raises(Refused, match="no snapshots") as error:
        world.snapshot()
    assert error.value.code == "ENG094"


def test_another_organization_is_refused(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.link = world.link.model_copy(update={"organization": "00000000-0000-0000-0000-0000000000bb"})
    with pytest.raises(Refused) as error:
        world.sync()
    assert error.value.code == "ENG003"


def test_a_lake_keeps_its_layout(world: FolderWorld) -> None:
    world.sync()
    folders = world.link
    world.link = link(linked_entity("account"))
    with pytest.raises(Refused, match="the layout incremental, and the link live"):
        world.sync()
    live = new_world()
    live.link = link(linked_entity("account"))
    live.sync()
    live.link = folders
    with pytest.raises(Refused, match="the layout live, and the link incremental"):
        live.sync()


def test_a_second_writer_is_told_who_holds_the_lock(world: FolderWorld) -> None:
    with opened(world.linked, HOLDER, Ways(world.clock, world.settings, ignore, never)), pytest.raises(Locked):
        world.sync()


def test_a_damaged_record_is_told_and_left_as_it_is(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.lake.put("_toolkit/incremental.json", b"{}", "any")
    with pytest.raises(Damaged) as error:
        world.sync()
    assert (error.value.code, world.text("_toolkit/incremental.json")) == ("ENG091", "{}")
    assert [each.state for each in status(world.linked).entities] == [EntityState.FAILED] * 2


def lose_keys(world: FolderWorld) -> None:
    """Lose the keys of two rows and a deletion, while one more row goes."""
    rows = [insert_account(world.source, "row") for _ in range(3)]
    world.sync()
    world.clock.forward(hours=30)
    world.source.delete("account", rows[0])
    world.sync()
    for stat in list(world.lake.list("_toolkit/account/keys")):
        world.lake.delete(stat.path)
    world.source.delete("account", rows[1])


def test_lost_keys_are_made_anew_from_the_folders(world: FolderWorld) -> None:
    lose_keys(world)
    report = world.sync()
    assert [notice.code for notice in report.notices] == ["ENG098"]
    assert report.folder is not None
    assert ids(world, report.folder) == {"1900": ["-2"]}
    assert (status(world.linked).entities[0].rows, next(iter(world.reader.rows("account")))[-1]) == (1, "3")
    world.source.expire("account")
    assert world.sync().folder is None


def test_lost_keys_are_an_error_once_folders_were_removed(world: FolderWorld) -> None:
    world.keep_days = 1
    world.relink(linked_entity("account"))
    insert_account(world.source, "early")
    world.sync()
    world.clock.forward(days=2)
    lose_keys(world)
    assert [each.error.code for each in world.sync().failed if each.error] == ["ENG093"]


def test_an_engine_that_was_paused_does_no_harm(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    paused = world.lake
    assert isinstance(paused, MemoryLake)
    with opened(world.linked, HOLDER, Ways(world.clock, world.settings, ignore, never)) as session:
        insert_account(world.source, "late")
        other = FolderWorld(world.source, paused.fork(), world.clock, world.link)
        # Another holder commits, as if the lock had been lost meanwhile.
        other.sync()
        for path in ("_toolkit/incremental.json", "Changelog/changelog.info"):
            paused.put(path, other.lake.read(path), "any")
        report = session.sync(world.link, world.source, None)
    assert [each.error.code for each in report.failed if each.error] == ["LAK002", "LAK002"]


def test_a_newer_record_is_left_as_it_is(world: FolderWorld) -> None:
    world.sync()
    world.lake.put("_toolkit/incremental.json", b'{"format": 2}', "any")
    with pytest.raises(Damaged) as error:
        world.sync()
    assert error.value.code == "ENG092"
    assert [each.reason[:6] for each in status(world.linked).entities] == ["ENG092", "ENG092"]


def test_heads_that_somebody_changed_are_written_anew(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    world.sync()
    world.lake.put("Changelog/changelog.info", b"2000-01-01T00.00.00Z", "any")
    assert not status(world.linked).manifest_current
    world.sync()
    assert status(world.linked).manifest_current
    assert world.reader.in_progress == SECOND


def test_the_status_tells_how_far_each_entity_is(world: FolderWorld) -> None:
    insert_account(world.source, "row")
    assert [each.state for each in status(world.linked).entities] == [EntityState.NOT_STARTED] * 2
    world.sync()
    account = status(world.linked).entities[0]
    assert (account.rows, account.append_only, account.strategy.value) == (1, True, "Year")
    assert (account.last_synced, account.last_snapshot) == (START, START)
