"""PowerPlatform-Dataverse-Client, by Microsoft: the synchronous client over https, the asynchronous over http."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.clients.conftest import HERE, Organized
from tests.server.served import self_signed, served

Told = dict[str, Any]


@pytest.fixture(scope="module", params=["sync", "async"])
def told(
    request: pytest.FixtureRequest, organized: Organized, tmp_path_factory: pytest.TempPathFactory, python: str
) -> Told:
    """Let the client do all scenarios on an organization of its own, and return what each came to."""
    tls = self_signed(tmp_path_factory.mktemp("tls")) if request.param == "sync" else None
    with served(organized({"account": 5}), tls=tls) as url:
        command = [python, "-W", "ignore", str(HERE / "microsoft.py"), request.param, url]
        trusted = {"REQUESTS_CA_BUNDLE": str(tls.certificate)} if tls else {}
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=300, env={**os.environ, **trusted}
        )
    assert done.returncode == 0, done.stderr
    found: Told = json.loads(done.stdout)
    return found


def test_it_creates_an_entity_with_columns_of_every_kind(told: Told) -> None:
    assert told["create_an_entity"] == [
        "new_Project",
        "new_project",
        "new_projects",
        ["new_Code", "new_Notes", "new_Size", "new_Budget", "new_Share", "new_Starts", "new_Open", "new_Stage"],
    ]


def test_it_is_told_that_an_entity_is_there_already(told: Told) -> None:
    assert told["refuse_an_entity_twice"] == "MetadataError"


def test_it_finds_an_entity_and_sees_that_another_is_not_there(told: Told) -> None:
    assert told["get_an_entity"] == ["new_project", "new_projects", None]


def test_it_lists_entities(told: Told) -> None:
    assert told["list_entities"] == ["accounts", "new_projects"]


def test_it_adds_and_removes_columns(told: Told) -> None:
    assert told["add_and_remove_columns"] == [["new_Extra", "new_Gone"], ["new_Gone"], True, False]


def test_it_changes_a_column(told: Told) -> None:
    assert told["change_a_column"] == [3000, 4000]


def test_it_creates_a_record_and_reads_it_back(told: Told) -> None:
    assert told["create_one_and_read_it"] == ["One", "a'b", 3, 12.5, True, 2, "2026-01-31T10:00:00Z"]


def test_it_creates_many_records_at_once(told: Told) -> None:
    assert told["create_many"] == [7, 7]


def test_it_filters_orders_and_takes_the_first(told: Told) -> None:
    assert told["query_with_a_filter"] == ["Many 6", "Many 5"]


def test_it_asks_for_values_in_a_list_and_between_two(told: Told) -> None:
    assert told["query_with_in_and_between"] == [["Many 1", "Many 2"], ["Many 5", "Many 6"]]


def test_it_follows_pages(told: Told) -> None:
    assert told["query_by_pages"] == [
        ["Many 0", "Many 1", "Many 2"],
        ["Many 3", "Many 4", "Many 5"],
        ["Many 6"],
    ]


def test_it_finds_a_text_with_a_quote(told: Told) -> None:
    assert told["find_a_quoted_text"] == ["One"]


def test_it_updates_one_and_many_records(told: Told) -> None:
    assert told["update_one_and_many"] == [100, 200, 200, 301, 302]


def test_it_upserts_by_an_alternate_key(told: Told) -> None:
    assert told["upsert_by_a_key"] == [
        [["Alone", None, "alone"], ["There", 44, "a'b"], ["Upserted", None, "new one"]],
        ["new_by_extra"],
    ]


def test_it_deletes_one_and_many_records(told: Told) -> None:
    assert told["delete_one_and_many"] == [7, 3, True, None]


def test_it_sends_a_batch(told: Told) -> None:
    assert told["send_a_batch"] == [[204, 200, 200], 1]


def test_it_commits_a_changeset_whose_parts_build_on_each_other(told: Told) -> None:
    assert told["commit_a_changeset"] == [[204, 204, 204], [7]]


def test_a_changeset_is_done_whole_or_not_at_all(told: Told) -> None:
    assert told["roll_a_changeset_back"] == [True, [404], 0]


def test_it_relates_entities_by_a_lookup(told: Told) -> None:
    assert told["relate_by_a_lookup"] == ["new_ProjectId", True, "Parent"]


def test_it_relates_entities_many_to_many(told: Told) -> None:
    assert told["relate_many_to_many"] == ["new_project", "account", True, None]


def test_it_reads_and_writes_data_frames(told: Told) -> None:
    assert told["use_data_frames"] == [["Frame 1", "Frame 2"], [11, 12], 0]


def test_it_asks_in_sql(told: Told) -> None:
    assert told["ask_in_sql"] == [["Many 4", 302], ["Many 5", 5]]


def test_it_is_told_of_an_unknown_column_in_the_words_of_dataverse(told: Told) -> None:
    assert told["be_told_of_an_error"] == [400, "0x80048d19"]


def test_it_drops_entities(told: Told) -> None:
    assert told["drop_an_entity"] == [None, None]
