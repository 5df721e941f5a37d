"""Related rows over the Web API: reading them, and relating rows to each other through ``$ref``."""

from __future__ import annotations

from dataclasses import replace

from toolkit.organization import rows
from toolkit.server.call import BAD_PAYLOAD, Answer, Call, bad_request
from toolkit.server.exact_json import dumps
from toolkit.server.query import navigation, options
from toolkit.server.query import properties as names
from toolkit.server.query.keys import SET, Key
from toolkit.server.query.navigation import type_column
from toolkit.server.query.properties import no_property
from toolkit.server.query.references import Reference, key_of, refer
from toolkit.server.query.relations import ManyToMany, OneToMany, Relation, relation
from toolkit.server.query.tables import table, table_of
from toolkit.server.route import KEY, Route
from toolkit.server.rows import rendering
from toolkit.server.rows.payloads import led_to
from toolkit.server.rows.records import Reader
from toolkit.server.rows.writes import Writer
from toolkit.server.world import World

_NAME = r"/(?P<name>_?[a-zA-Z]\w*)"
_OTHER = KEY.replace("key", "other")


def part(world: World, call: Call, entity_set: str, key: str, name: str) -> Answer:
    """Return what a row has under a name: the value of a property, the row of a lookup, or related rows."""
    with world.read() as connection:
        found = table(connection, entity_set)
        reader = Reader(world, connection, call, found)
        wanted = Key.parse(found.definition, key)
        if names.find(found.definition, name) is not None:
            return _value(reader, wanted, name)
        if navigation.find(connection, found.definition, name):
            return _row(reader, wanted, name)
        return _rows(reader, wanted, name)


def count(world: World, call: Call, entity_set: str, key: str, name: str) -> Answer:
    """Return how many rows are related to a row, as plain text."""
    with world.read() as connection:
        found = table(connection, entity_set)
        reader = Reader(world, connection, call, found)
        return _within(reader, Key.parse(found.definition, key), name).count()


def _value(reader: Reader, key: Key, name: str) -> Answer:
    definition = reader.table.definition
    attribute = names.attribute_of(definition, name)
    row = reader.row(key, options.parse(definition, {"$select": name}))
    (value,) = rendering.value(attribute, row.column(attribute.name)).to_pylist()
    if value is None:
        return Answer.none()
    head = dumps({"@odata.context": f"{reader.call.base}$metadata#{reader.call.path}"}).decode()
    return Answer.text(f'{head[:-1]},"value":{value}}}'.encode())


def _row(reader: Reader, key: Key, name: str) -> Answer:
    """Return the row that a lookup leads to; nothing (204) where it leads nowhere."""
    leads = navigation.navigation(reader.connection, reader.table.definition, name)
    attribute = leads[0].attribute
    row = reader.row(key, options.parse(reader.table.definition, {"$select": names.property_name(attribute)}))
    row_id = row.column(attribute.name)[0].as_py()
    if row_id is None:
        return Answer.none()
    kind = type_column(attribute)
    target = leads[0].target if kind is None else row.column(kind)[0].as_py()
    found = table_of(reader.connection, str(target))
    return replace(reader, table=found).record(Key.of_id(found.definition, row_id))


def _rows(reader: Reader, key: Key, name: str) -> Answer:
    return _within(reader, key, name).page()


def _within(reader: Reader, key: Key, name: str) -> Reader:
    """Return the reader of the rows that are related to a row. Raises ODataError (400, 404)."""
    there = relation(reader.connection, reader.table.definition, name)
    if there is None:
        raise no_property(reader.table.definition, name)
    return replace(reader, table=there.table, within=there.within([reader.id(key)]))


# --- $ref -----------------------------------------------------------------------------------------------------------


def relate(world: World, call: Call, entity_set: str, key: str, name: str) -> Answer:
    """Relate a row to the one whose address the body gives: ``{"@odata.id": ...}``."""
    address = call.object().get("@odata.id")
    if not isinstance(address, str):
        raise bad_request("the body names the other row: @odata.id", BAD_PAYLOAD)
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        row_id = writer.existing(Key.parse(writer.table.definition, key))
        other = refer(connection, call.base, address)
        leads = navigation.find(connection, writer.table.definition, name)
        if leads:
            writer.update(row_id, led_to(leads, name, other))
        else:
            _join(writer, row_id, _relation(writer, name), other)
    return Answer.none()


def release(world: World, call: Call, entity_set: str, key: str, name: str) -> Answer:
    """Empty a lookup, or release a row from the related one that ``$id`` names."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        row_id = writer.existing(Key.parse(writer.table.definition, key))
        if navigation.find(connection, writer.table.definition, name):
            writer.update(row_id, writer.row({f"{name}@odata.bind": None}))
            return Answer.none()
        there = _relation(writer, name)
        address = call.query.get("$id")
        if address is None:
            raise bad_request("$id names the row to release")
        other = key_of(there.table.definition, call.base, address)
        _part(writer, row_id, there, _existing(writer, there, other))
    return Answer.none()


def release_one(world: World, call: Call, *, entity_set: str, key: str, name: str, other: str) -> Answer:
    """Release a row from a related one."""
    with world.write() as connection:
        writer = Writer.of(world, connection, call, entity_set)
        row_id = writer.existing(Key.parse(writer.table.definition, key))
        there = _relation(writer, name)
        _part(writer, row_id, there, _existing(writer, there, Key.parse(there.table.definition, other)))
    return Answer.none()


def _relation(writer: Writer, name: str) -> Relation:
    there = relation(writer.connection, writer.table.definition, name)
    if there is None:
        raise no_property(writer.table.definition, name)
    return there


def _existing(writer: Writer, there: Relation, key: Key) -> str:
    return replace(writer, table=there.table).existing(key)


def _join(writer: Writer, row_id: str, there: Relation, other: Reference) -> None:
    if other.entity.name != there.table.definition.name:
        wanted = there.table.definition.name
        raise bad_request(f"the other row is one of {other.entity.name}, not of {wanted}", BAD_PAYLOAD)
    if isinstance(there, OneToMany):
        kind = type_column(there.attribute)
        lookup = {there.attribute.name: row_id, **({kind: there.entity} if kind else {})}
        replace(writer, table=there.table).update(other.id, lookup)
    elif not there.joining(writer.connection, row_id, other.id):
        row = {there.intersect.primary_id: writer.world.new_id(), there.own: row_id, there.other: other.id}
        rows.insert(writer.world.database, there.intersect.name, [row], writer.world.clock)


def _part(writer: Writer, row_id: str, there: Relation, other: str) -> None:
    if isinstance(there, ManyToMany):
        if doomed := there.joining(writer.connection, row_id, other):
            rows.delete(writer.world.database, there.intersect.name, doomed, writer.world.clock)
    elif (row_id, other) in there.pairs(writer.connection, [row_id]):
        kind = type_column(there.attribute)
        lookup = {there.attribute.name: None, **({kind: None} if kind else {})}
        replace(writer, table=there.table).update(other, lookup)


_AREA = "Related rows"
ROUTES: tuple[Route, ...] = (
    Route("GET", SET + KEY + _NAME, part, _AREA, "a property, the row of a lookup, or related rows"),
    Route("GET", SET + KEY + _NAME + "/[$]count", count, _AREA, "how many related rows there are"),
    Route("POST", SET + KEY + _NAME + "/[$]ref", relate, _AREA, "relate a row to another one"),
    Route("PUT", SET + KEY + _NAME + "/[$]ref", relate, _AREA, "let a lookup lead to another row"),
    Route("DELETE", SET + KEY + _NAME + "/[$]ref", release, _AREA, "empty a lookup, or release the row of `$id`"),
    Route("DELETE", SET + KEY + _NAME + _OTHER + "/[$]ref", release_one, _AREA, "release a related row"),
)
