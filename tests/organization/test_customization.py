"""Changes of tables one step at a time. What clients send for them is tested with the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.organization.samples import EVERY, NOTE, UNTRACKED, Clock, attribute, numbered, organization
from toolkit.errors import CursorExpired, EntityGone, Refused
from toolkit.model.solution import Publisher
from toolkit.organization import catalog, customization, details, metadata, metadata_ids, metadata_log, rows
from toolkit.organization.database import Database
from toolkit.organization.details import AttributeDetail, EntityDetail, Key, OneToMany, Unstored, UnstoredKind
from toolkit.source.embedded import EmbeddedSource
from toolkit.source.protocol import Cursor

CODE = attribute("cts_code", "string", max_length=10)
NONE = AttributeDetail()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with organization(tmp_path, NOTE, UNTRACKED, EVERY) as opened:
        with opened.write() as connection:
            catalog.put_publisher(connection, Publisher(unique_name="c", prefix="cts", option_value_prefix=10_000))
        yield opened


def cursor(database: Database) -> Cursor:
    *_, last = EmbeddedSource(database).changes("note", None, None)
    return last.resume


def test_a_new_attribute_is_empty_in_old_rows_and_expires_cursors(database: Database) -> None:
    rows.insert(database, "note", [{"noteid": numbered(1), "title": "a"}], Clock())
    after = cursor(database)
    with database.write() as connection:
        customization.create_attribute(connection, "note", CODE, NONE)
    assert (rows.read(database, "note", numbered(1)) or {})["cts_code"] is None
    with pytest.raises(CursorExpired):
        list(EmbeddedSource(database).changes("note", None, after))


def test_a_file_column_changes_no_row_and_expires_cursors_too(database: Database) -> None:
    after = cursor(database)
    with database.write() as connection:
        customization.create_unstored(connection, "note", Unstored(name="cts_doc", kind=UnstoredKind.FILE))
    with pytest.raises(CursorExpired):
        list(EmbeddedSource(database).changes("note", None, after))
    with database.read() as connection:
        assert [each.name for each in details.detail(connection, "note").unstored] == ["cts_doc"]


def test_labels_change_no_cursor(database: Database) -> None:
    after = cursor(database)
    with database.write() as connection:
        detail = EntityDetail(labels={1031: "Notiz"})
        customization.alter_entity(connection, NOTE.model_copy(update={"display_name": "Memo"}), detail)
    assert list(EmbeddedSource(database).changes("note", None, after))
    with database.read() as connection:
        assert metadata.definition(connection, "note").display_name == "Memo"
        assert details.detail(connection, "note") == detail


def test_a_deleted_entity_is_gone_and_one_of_its_name_is_another(database: Database) -> None:
    rows.insert(database, "cts_every", [{"cts_everyid": numbered(1)}], Clock())
    *_, last = EmbeddedSource(database).changes("cts_every", None, None)
    with database.write() as connection:
        customization.delete_entity(connection, "cts_every")
    with pytest.raises(EntityGone):
        list(EmbeddedSource(database).changes("cts_every", None, last.resume))
    with database.write() as connection:
        customization.create_entity(connection, EVERY, EntityDetail())
    with pytest.raises(CursorExpired):
        list(EmbeddedSource(database).changes("cts_every", None, last.resume))


def test_what_is_refused_leaves_nothing_behind(database: Database) -> None:
    lookup = attribute("cts_note", "lookup", targets=["note"])
    relationship = OneToMany(schema_name="cts_note_log", attribute="cts_note", target="note")
    with database.write() as connection:
        customization.create_one_to_many(connection, "log", lookup, NONE, relationship)
    with pytest.raises(Refused) as refused, database.write() as connection:
        customization.create_one_to_many(connection, "cts_every", lookup, NONE, relationship)
    assert refused.value.code == "ORG060"
    with database.read() as connection:
        assert metadata.definition(connection, "cts_every").attribute("cts_note") is None


def test_a_key_is_dropped_with_its_entity(database: Database) -> None:
    key = Key(schema_name="cts_Key", attributes=("cts_name",))
    with database.write() as connection:
        customization.create_key(connection, "cts_every", key)
        customization.delete_entity(connection, "cts_every")
        customization.create_entity(connection, EVERY, EntityDetail())
        customization.create_key(connection, "cts_every", key)
        assert details.detail(connection, "cts_every").keys == (key,)


def test_the_log_has_the_last_change_of_each_thing(database: Database) -> None:
    code = metadata_ids.attribute_id("note", "cts_code")
    with database.write() as connection:
        before = metadata_log.current(connection)
        customization.create_attribute(connection, "note", CODE, NONE)
        customization.delete_attribute(connection, "note", "cts_code")
        gone = metadata_log.changes(connection)[code]
        customization.create_attribute(connection, "note", CODE, AttributeDetail(schema_name="cts_Code"))
        back = metadata_log.changes(connection)[code]
    assert (gone.created, gone.changed, gone.deleted) == (before + 1, before + 2, True)
    assert (back.created, back.changed, back.deleted) == (before + 3, before + 4, False)


def test_a_global_choice_that_is_put_again_is_no_change(database: Database) -> None:
    with database.write() as connection:
        customization.put_choice(connection, "cts_colour", EVERY.attributes[9].options, {1033: "Colour"})
        before = metadata_log.current(connection)
        customization.put_choice(connection, "cts_colour", EVERY.attributes[9].options, {})
        assert metadata_log.current(connection) == before
        assert details.choice_names(connection) == {"cts_colour": {1033: "Colour"}}
