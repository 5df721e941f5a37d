"""Microsoft's client for Python at work: python microsoft.py sync|async URL [crowd]

Runs every scenario against the environment at URL, or the one for a crowd of clients, and prints JSON: what each came
to, or how it failed. The two
clients have the same operations, so that the scenarios are written once: ``now`` awaits what the asynchronous client
gives. This script runs in the clients' own environment, without the toolkit.
"""

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Self

import pandas as pd
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.aio import AsyncDataverseClient
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.config import DataverseConfig
from PowerPlatform.Dataverse.core.errors import DataverseError, HttpError
from PowerPlatform.Dataverse.models import ManyToManyRelationshipMetadata, UpsertItem, col

FAR = 4_000_000_000
ONCE = DataverseConfig(http_retries=1, http_timeout=20)
"""One attempt: what fails shows."""


class Token:
    """A credential that needs nobody."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("a-token", FAR)


class AsyncToken:
    """The same for the asynchronous client."""

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("a-token", FAR)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Nothing is open."""


async def now(value: Any) -> Any:
    """Return a value, or what an awaitable comes to."""
    return await value if inspect.isawaitable(value) else value


async def each(pages: Any) -> list[Any]:
    """Return all items of an iterator of either kind."""
    pages = await now(pages)
    if hasattr(pages, "__aiter__"):
        return [page async for page in pages]
    return list(pages)


class Stage(IntEnum):
    """A choice column, as the client takes it."""

    IDEA = 1
    PLAN = 2


# --- scenarios, in their order: later ones build on the table that the first makes ---------------------------------


async def create_an_entity(client: Any) -> Any:
    columns = {
        "new_Code": "string",
        "new_Notes": {"type": "memo", "max_length": 3000},
        "new_Size": "int",
        "new_Budget": "decimal",
        "new_Share": "double",
        "new_Starts": "datetime",
        "new_Open": "bool",
        "new_Stage": Stage,
    }
    made = await now(client.tables.create("new_Project", columns, display_name="Project"))
    return [made.schema_name, made.logical_name, made.entity_set_name, list(made.columns_created)]


async def refuse_an_entity_twice(client: Any) -> Any:
    try:
        await now(client.tables.create("new_Project", {"new_Code": "string"}))
    except DataverseError as error:
        return type(error).__name__
    return "created"


async def get_an_entity(client: Any) -> Any:
    found = await now(client.tables.get("new_Project"))
    return [found.logical_name, found.entity_set_name, await now(client.tables.get("new_Nothing"))]


async def list_entities(client: Any) -> Any:
    found = await now(client.tables.list(select=["LogicalName", "EntitySetName"]))
    sets = {entity["LogicalName"]: entity["EntitySetName"] for entity in found}
    return [sets["account"], sets["new_project"]]


async def add_and_remove_columns(client: Any) -> Any:
    added = await now(client.tables.add_columns("new_Project", {"new_Extra": "string", "new_Gone": "int"}))
    removed = await now(client.tables.remove_columns("new_Project", ["new_Gone"]))
    names = [column["LogicalName"] for column in await now(client.tables.list_columns("new_Project"))]
    return [added, removed, "new_extra" in names, "new_gone" in names]


async def change_a_column(client: Any) -> Any:
    before = await now(client.tables.get_column("new_Project", "new_Notes", typed=True))
    await now(client.tables.update_column("new_Project", "new_Notes", {"max_length": 4000}))
    after = await now(client.tables.get_column("new_Project", "new_Notes", typed=True))
    return [before["MaxLength"], after["MaxLength"]]


async def create_one_and_read_it(client: Any) -> Any:
    record = {
        "new_Name": "One",
        "new_Code": "a'b",
        "new_Size": 3,
        "new_Budget": 12.5,
        "new_Open": True,
        "new_Stage": Stage.PLAN,
        "new_Starts": "2026-01-31T10:00:00Z",
    }
    made = await now(client.records.create("new_Project", record))
    select = ["new_name", "new_code", "new_size", "new_budget", "new_open", "new_stage", "new_starts"]
    read = await now(client.records.retrieve("new_Project", made, select=select))
    return [read[name] for name in select]


async def create_many(client: Any) -> Any:
    records = [{"new_Name": f"Many {number}", "new_Size": number, "new_Code": "many"} for number in range(7)]
    made = await now(client.records.create("new_Project", records))
    return [len(made), len(set(made))]


def _query(client: Any, *columns: str) -> Any:
    return client.query.builder("new_Project").select(*columns)


async def query_with_a_filter(client: Any) -> Any:
    query = _query(client, "new_name", "new_size").where(col("new_code") == "many").where(col("new_size") >= 4)
    found = await now(query.order_by("new_size", descending=True).top(2).execute())
    return [row["new_name"] for row in found]


async def query_with_in_and_between(client: Any) -> Any:
    inside = await now(_query(client, "new_name").where(col("new_size").in_([1, 2])).order_by("new_name").execute())
    between = await now(_query(client, "new_name").where(col("new_size").between(5, 9)).order_by("new_name").execute())
    return [[row["new_name"] for row in rows] for rows in (inside, between)]


async def query_by_pages(client: Any) -> Any:
    query = _query(client, "new_name").where(col("new_code") == "many").order_by("new_name").page_size(3)
    pages = await each(query.execute_pages())
    return [[row["new_name"] for row in page] for page in pages]


async def find_a_quoted_text(client: Any) -> Any:
    found = await now(_query(client, "new_name").where(col("new_code") == "a'b").execute())
    return [row["new_name"] for row in found]


async def update_one_and_many(client: Any) -> Any:
    rows = list(await now(_query(client, "new_name").where(col("new_code") == "many").order_by("new_name").execute()))
    ids = [row["new_projectid"] for row in rows]
    await now(client.records.update("new_Project", ids[0], {"new_Size": 100}))
    await now(client.records.update("new_Project", ids[1:3], {"new_Size": 200}))
    await now(client.records.update("new_Project", ids[3:5], [{"new_Size": 301}, {"new_Size": 302}]))
    rows = await now(_query(client, "new_size").where(col("new_size") >= 100).order_by("new_size").execute())
    return [row["new_size"] for row in rows]


async def upsert_by_a_key(client: Any) -> Any:
    await now(client.tables.create_alternate_key("new_Project", "new_by_extra", ["new_extra"]))
    await now(client.records.create("new_Project", {"new_Name": "There", "new_Extra": "a'b"}))
    items = [
        UpsertItem(alternate_key={"new_extra": "a'b"}, record={"new_size": 44}),
        UpsertItem(alternate_key={"new_extra": "new one"}, record={"new_name": "Upserted"}),
    ]
    await now(client.records.upsert("new_Project", items))
    await now(client.records.upsert("new_Project", [UpsertItem({"new_extra": "alone"}, {"new_name": "Alone"})]))
    query = _query(client, "new_name", "new_size", "new_extra").where(col("new_extra").is_not_null())
    rows = await now(query.order_by("new_name").execute())
    keys = await now(client.tables.get_alternate_keys("new_Project"))
    return [[[row["new_name"], row["new_size"], row["new_extra"]] for row in rows], [key.schema_name for key in keys]]


async def delete_one_and_many(client: Any) -> Any:
    rows = list(await now(_query(client, "new_name").where(col("new_code") == "many").order_by("new_name").execute()))
    ids = [row["new_projectid"] for row in rows]
    await now(client.records.delete("new_Project", ids[0]))
    await now(client.records.delete("new_Project", ids[1:3], use_bulk_delete=False))
    job = await now(client.records.delete("new_Project", ids[3:4]))
    left = await _settled(client, len(ids) - 4)
    return [len(ids), left, bool(job), await now(client.records.retrieve("new_Project", ids[0]))]


async def _settled(client: Any, expected: int) -> int:
    """Return how many records are left, once the job that deletes behind the scenes is done, or after 10 s."""
    left = -1
    for _ in range(100):
        left = len(list(await now(_query(client, "new_name").where(col("new_code") == "many").execute())))
        if left == expected:
            break
        await asyncio.sleep(0.1)
    return left


async def send_a_batch(client: Any) -> Any:
    batch = client.batch.new()
    batch.records.create("new_Project", {"new_Name": "In a batch", "new_Code": "batch 1"})
    batch.records.list("new_Project", select=["new_name"], filter="new_code eq 'many'", top=1)
    batch.tables.get("new_Project")
    result = await now(batch.execute())
    return [[item.status_code for item in result.responses], len(result.entity_ids)]


async def commit_a_changeset(client: Any) -> Any:
    batch = client.batch.new()
    changes = batch.changeset()
    made = changes.records.create("new_Project", {"new_Name": "First", "new_Code": "set 1"})
    changes.records.update("new_Project", made, {"new_Size": 7})
    changes.records.create("new_Project", {"new_Name": "Second", "new_Code": "set 2"})
    result = await now(batch.execute())
    rows = await now(_query(client, "new_size").where(col("new_code") == "set 1").execute())
    return [[item.status_code for item in result.responses], [row["new_size"] for row in rows]]


async def roll_a_changeset_back(client: Any) -> Any:
    batch = client.batch.new()
    changes = batch.changeset()
    changes.records.create("new_Project", {"new_Name": "Never", "new_Code": "set 3"})
    changes.records.delete("new_Project", "00000000-0000-0000-0000-00000000dead")
    result = await now(batch.execute())
    rows = await now(_query(client, "new_name").where(col("new_code") == "set 3").execute())
    return [result.has_errors, [item.status_code for item in result.failed], len(list(rows))]


async def relate_by_a_lookup(client: Any) -> Any:
    await now(client.tables.create("new_Step", {"new_Days": "int"}))
    made = await now(client.tables.create_lookup_field("new_step", "new_ProjectId", "new_project"))
    project = await now(client.records.create("new_Project", {"new_Name": "Parent", "new_Code": "parent"}))
    step = {"new_Name": "Child", "new_ProjectId@odata.bind": f"/new_projects({project})"}
    child = await now(client.records.create("new_Step", step))
    read = await now(client.records.retrieve("new_Step", child, select=["new_name", "_new_projectid_value"]))
    query = client.query.builder("new_Step").select("new_name").expand("new_ProjectId")
    (expanded,) = list(await now(query.execute()))
    parent = expanded["new_ProjectId"]["new_name"]
    return [made.lookup_schema_name, read["_new_projectid_value"] == project, parent]


async def relate_many_to_many(client: Any) -> Any:
    wanted = ManyToManyRelationshipMetadata("new_project_account", "new_project", "account")
    made = await now(client.tables.create_many_to_many_relationship(wanted))
    found = await now(client.tables.get_relationship("new_project_account"))
    names = [one["SchemaName"] for one in await now(client.tables.list_table_relationships("new_Project"))]
    await now(client.tables.delete_relationship(made.relationship_id))
    gone = await now(client.tables.get_relationship("new_project_account"))
    return [found.entity1_logical_name, found.entity2_logical_name, "new_project_account" in names, gone]


async def use_data_frames(client: Any) -> Any:
    frame = pd.DataFrame([{"new_name": "Frame 1", "new_code": "f1"}, {"new_name": "Frame 2", "new_code": "f2"}])
    frame["new_projectid"] = await now(client.dataframe.create("new_Project", frame))
    sizes = pd.DataFrame({"new_projectid": frame["new_projectid"], "new_size": [11, 12]})
    await now(client.dataframe.update("new_Project", sizes, id_column="new_projectid"))
    query = _query(client, "new_name", "new_size").where(col("new_size").in_([11, 12])).order_by("new_size")
    read = (await now(query.execute())).to_dataframe()
    await now(client.dataframe.delete("new_Project", frame["new_projectid"], use_bulk_delete=False))
    left = list(await now(query.execute()))
    return [read["new_name"].tolist(), [int(size) for size in read["new_size"]], len(left)]


async def ask_in_sql(client: Any) -> Any:
    rows = await now(
        client.query.sql("SELECT TOP 2 new_name, new_size FROM new_project WHERE new_code = 'many' ORDER BY new_name")
    )
    return [[row["new_name"], row["new_size"]] for row in rows]


async def be_told_of_an_error(client: Any) -> Any:
    try:
        await now(client.records.create("new_Project", {"new_Nowhere": 1}))
    except HttpError as error:
        return [error.status_code, error.details.get("service_error_code")]
    return "created"


async def drop_an_entity(client: Any) -> Any:
    await now(client.tables.delete("new_Step"))
    await now(client.tables.delete("new_Project"))
    return [await now(client.tables.get("new_Step")), await now(client.tables.get("new_Project"))]


# --- for a crowd of clients, that all work on the environment at once ----------------------------------------------


async def work_in_a_crowd(client: Any) -> Any:
    """Create eighty accounts one by one and many at once, change half of them, and delete twenty."""
    ids = await now(client.records.create("account", [{"name": f"Many {number}"} for number in range(40)]))
    for number in range(40):
        ids.append(await now(client.records.create("account", {"name": f"One {number}"})))
        await now(client.records.update("account", ids[number], {"name": "Changed", "numberofemployees": number}))
    await now(client.records.delete("account", ids[-20:], use_bulk_delete=False))
    return len(set(ids))


Scenario = Callable[[Any], Awaitable[Any]]

SCENARIOS: tuple[Scenario, ...] = (
    create_an_entity,
    refuse_an_entity_twice,
    get_an_entity,
    list_entities,
    add_and_remove_columns,
    change_a_column,
    create_one_and_read_it,
    create_many,
    query_with_a_filter,
    query_with_in_and_between,
    query_by_pages,
    find_a_quoted_text,
    update_one_and_many,
    upsert_by_a_key,
    delete_one_and_many,
    send_a_batch,
    commit_a_changeset,
    roll_a_changeset_back,
    relate_by_a_lookup,
    relate_many_to_many,
    use_data_frames,
    ask_in_sql,
    be_told_of_an_error,
    drop_an_entity,
)


class Told(NamedTuple):
    """How a scenario ended."""

    name: str
    outcome: Any


async def tell(client: Any, scenario: Scenario) -> Told:
    try:
        return Told(scenario.__name__, await scenario(client))
    except Exception:  # noqa: BLE001 - a scenario that fails is told, and the others go on
        return Told(scenario.__name__, traceback.format_exc(limit=-6).splitlines())


async def tell_all(client: Any, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    return dict([await tell(client, scenario) for scenario in scenarios])


async def main(kind: str, url: str, *crowd: str) -> dict[str, Any]:
    scenarios = (work_in_a_crowd,) if crowd else SCENARIOS
    if kind == "async":
        async with AsyncDataverseClient(url, AsyncToken(), ONCE) as client:
            return await tell_all(client, scenarios)
    with DataverseClient(url, Token(), ONCE) as client:
        return await tell_all(client, scenarios)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
