"""A scratch entity of a Dataverse organization: made, filled, changed, and deleted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.errors import NotFound

if TYPE_CHECKING:
    from toolkit.dataverse.answer import Answer
    from toolkit.dataverse.client import Client

CRM = "Microsoft.Dynamics.CRM"
LABELS = 1033
AMOUNT = "1234.56"
COLOURS = "1,2"
"""The values of the two options, as the multi-select column is written."""


@dataclass(slots=True)
class Scratch:
    """An entity of a unique name; ``prefix`` is that of a publisher of the organization."""

    client: Client
    prefix: str
    unique: str
    rows: list[str] = field(default_factory=list)
    """The ids of its rows."""

    @property
    def name(self) -> str:
        """The logical name."""
        return f"{self.prefix}_toolkit{self.unique}"

    def column(self, name: str) -> str:
        """Return the logical name of a column."""
        return f"{self.prefix}_{name}"

    @property
    def definition(self) -> str:
        """The path of its definition."""
        return f"EntityDefinitions(LogicalName='{self.name}')"

    def create(self) -> None:
        """Create it, tracked, with a column for each form that is in question."""
        body = {"Entities": [self._body()]}
        self.client.send("POST", "CreateEntities", body, done=self.found)

    def found(self) -> Answer | None:
        """Return its definition, None where there is none."""
        try:
            return self.client.get(f"{self.definition}?$select=MetadataId,EntitySetName", strong=True)
        except NotFound:
            return None

    @property
    def set_name(self) -> str:
        """The name in addresses of rows, which the organization makes."""
        answer = self.client.get(f"{self.definition}?$select=MetadataId,EntitySetName", strong=True)
        return str(answer.json()["EntitySetName"])

    def add_column(self, name: str) -> None:
        """Add a column of text."""
        column = {"@odata.type": f"{CRM}.StringAttributeMetadata", **self._attribute(name), "MaxLength": 10}
        path = f"{self.definition}/Attributes"

        def added() -> Answer | None:
            try:
                return self.client.get(f"{path}(LogicalName='{self.column(name)}')?$select=MetadataId", strong=True)
            except NotFound:
                return None

        self.client.send("POST", path, column, done=added)

    def fill(self, ids: Sequence[str]) -> None:
        """Create rows under these ids; creating one again changes nothing."""
        for row in ids:
            self.change(row)
            self.rows.append(row)

    def change(self, row: str, name: str = "toolkit doctor") -> None:
        """Create or change a row."""
        # A float that is written as the digits that it was read from: the form on the wire is what is in question.
        body = {
            self.column("name"): name,
            self.column("amount"): float(AMOUNT),
            self.column("colours"): COLOURS,
        }
        self.client.send("PATCH", f"{self.set_name}({row})", body)

    def remove(self, row: str) -> None:
        """Delete a row."""
        self.client.send("DELETE", f"{self.set_name}({row})")
        self.rows.remove(row)

    def delete(self) -> bool:
        """Delete it with its rows, and say whether it was there."""
        found = self.found()
        if found is None:
            return False
        self.client.send("DELETE", f"EntityDefinitions({found.json()['MetadataId']})")
        return True

    def _body(self) -> dict[str, Any]:
        options = [
            {"@odata.type": f"{CRM}.OptionMetadata", "Value": value, "Label": _label(f"Option {value}")}
            for value in map(int, COLOURS.split(","))
        ]
        attributes = [
            {**self._complex("String", "name"), "MaxLength": 100, "IsPrimaryName": True},
            {**self._complex("Decimal", "amount"), "Precision": 2, "MinValue": -100000000.0, "MaxValue": 100000000.0},
            {
                **self._complex("MultiSelectPicklist", "colours"),
                "OptionSet": {"@odata.type": f"{CRM}.ComplexOptionSetMetadata", "IsGlobal": False, "Options": options},
            },
        ]
        return {
            "@odata.type": f"{CRM}.ComplexEntityMetadata",
            "SchemaName": self.name,
            "DisplayName": _label("Toolkit doctor (scratch, may be deleted)"),
            "DisplayCollectionName": _label("Toolkit doctor (scratch, may be deleted)"),
            "OwnershipType": "OrganizationOwned",
            "HasActivities": False,
            "HasNotes": False,
            "IsActivity": False,
            "ChangeTrackingEnabled": True,
            "Attributes": attributes,
        }

    def _complex(self, kind: str, name: str) -> dict[str, Any]:
        return {"@odata.type": f"{CRM}.Complex{kind}AttributeMetadata", **self._attribute(name)}

    def _attribute(self, name: str) -> dict[str, Any]:
        return {
            "SchemaName": self.column(name),
            "DisplayName": _label(name.capitalize()),
            "RequiredLevel": {"Value": "None"},
        }


def _label(text: str) -> dict[str, Any]:
    localized = {"@odata.type": f"{CRM}.LocalizedLabel", "Label": text, "LanguageCode": LABELS}
    return {"@odata.type": f"{CRM}.Label", "LocalizedLabels": [localized]}
