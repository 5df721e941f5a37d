"""Rows of the table of export configs, as the platform has them: what they say is JSON that others read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.dataverse.client import Client
from toolkit.dataverse.tables import once, rows_if_any, selected

TABLE = "msdyn_exporttodatalakeconfig"
SET = "msdyn_exporttodatalakeconfigs"


@dataclass(frozen=True, slots=True)
class ConfigText:
    """A row: ``schema`` is the text of ``msdyn_schema``."""

    id: str
    name: str
    schema: str
    managed: bool
    customizable: bool
    state: int
    status: int


def configs(client: Client) -> list[ConfigText] | None:
    """Return all rows; None where the table is not there, because its solution is not installed."""
    columns = f"{TABLE}id,msdyn_name,msdyn_schema,statecode,statuscode,ismanaged,iscustomizable"
    found = rows_if_any(client, selected(SET, columns))
    if found is None:
        return None
    return [
        ConfigText(
            id=row[f"{TABLE}id"].lower(),
            name=row["msdyn_name"] or "",
            schema=row["msdyn_schema"] or "",
            managed=bool(row["ismanaged"]),
            customizable=_customizable(row.get("iscustomizable")),
            state=row["statecode"],
            status=row["statuscode"],
        )
        for row in found
    ]


def _customizable(value: Mapping[str, Any] | bool | None) -> bool:
    """Return a managed property, which the Web API gives as an object with its value."""
    return bool(value.get("Value", True)) if isinstance(value, Mapping) else value is not False


def create_config(client: Client, text: ConfigText) -> None:
    """Create a row under its id."""
    there = selected(SET, f"{TABLE}id", where=f"{TABLE}id eq {text.id}")
    client.send("POST", SET, {f"{TABLE}id": text.id, **_body(text)}, done=once(client, there))


def replace_config(client: Client, text: ConfigText) -> None:
    """Replace what an unmanaged row says."""
    client.send("PATCH", f"{SET}({text.id})", _body(text), headers={"If-Match": "*"})


def delete_config(client: Client, key: str) -> None:
    """Delete a row."""
    client.send("DELETE", f"{SET}({key})")


def _body(text: ConfigText) -> dict[str, Any]:
    return {
        "msdyn_name": text.name,
        "msdyn_schema": text.schema,
        "statecode": text.state,
        "statuscode": text.status,
        "iscustomizable": {"Value": text.customizable},
    }
