"""A Web API of canned answers: what was asked for is kept, and each request is answered by the first rule that fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import httpx

from tests.organization.samples import Clock
from toolkit.dataverse.address import Address
from toolkit.dataverse.client import Client
from toolkit.model.entity import Attribute, AttributeType, Entity

BASE = "http://127.0.0.1:9/api/data/v9.2/"
ORGANIZATION = "00000000-0000-0000-0000-0000000000aa"
_NAMES = {
    AttributeType.CHOICE: "PicklistType",
    AttributeType.MULTISELECT: "MultiSelectPicklistType",
    AttributeType.BIGINT: "BigIntType",
    AttributeType.DATETIME: "DateTimeType",
}


class Canned:
    """``answers`` are (the beginning of what is asked for, unquoted; the answer); the last that fits is taken."""

    def __init__(self, *entities: Entity) -> None:
        self.answers: list[tuple[str, httpx.Response]] = []
        self.asked: list[str] = []
        self.preferred: list[str] = []
        self.say("WhoAmI", {"OrganizationId": ORGANIZATION.upper()})
        self.define(*entities)
        self.client = Client(
            Address.parse(BASE),
            None,
            transport=httpx.MockTransport(self._answer),
            clock=Clock(),
            sleep=lambda _: None,
            random=lambda: 0.5,
        )

    def say(self, beginning: str, value: Any = None, *, status: int = 200, text: str | None = None) -> None:
        content = json.dumps(value) if text is None else text
        self.answers.append((beginning, httpx.Response(status, content=content.encode())))

    def refuse(self, beginning: str, code: str, status: int = 400) -> None:
        self.say(beginning, {"error": {"code": code, "message": "no"}}, status=status)

    def define(self, *entities: Entity, changed: bool = False) -> None:
        """Say what there is, and whether that is news to whoever asks what changed."""
        tables = [table(entity) for entity in entities]
        self.say("RetrieveMetadataChanges(Query=@p1)", {"ServerVersionStamp": "1!x", "EntityMetadata": tables})
        since = {"ServerVersionStamp": "2!x", "EntityMetadata": [{}] if changed else []}
        self.say("RetrieveMetadataChanges(Query=@p1,ClientVersionStamp", since)

    def times(self, beginning: str) -> int:
        return sum(each.startswith(beginning) for each in self.asked)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = unquote(str(request.url)).removeprefix(BASE)
        self.asked.append(asked)
        self.preferred.append(request.headers.get("prefer", ""))
        found = [answer for beginning, answer in self.answers if asked.startswith(beginning)]
        return httpx.Response(found[-1].status_code, content=found[-1].content)


def table(entity: Entity, **more: object) -> Mapping[str, Any]:
    """Return an entity as Dataverse describes it."""
    return {
        "LogicalName": entity.name,
        "EntitySetName": entity.set_name,
        "PrimaryIdAttribute": entity.primary_id,
        "PrimaryNameAttribute": entity.primary_name,
        "DisplayName": _label(entity.display_name),
        "ChangeTrackingEnabled": entity.change_tracking,
        "CanChangeTrackingBeEnabled": {"Value": entity.can_track},
        "IsIntersect": entity.intersect,
        "IsCustomEntity": entity.custom,
        "TableType": entity.table_type,
        "Attributes": [_attribute(each) for each in entity.attributes],
        **more,
    }


def page(
    rows: Sequence[Mapping[str, object]], *, deleted: Sequence[str] = (), following: str = "", delta: str = ""
) -> Mapping[str, object]:
    """Return a page of rows and tombstones, with the link to the next one, or the one to the changes since."""
    context = f"{BASE}$metadata#notes/$deletedEntity"
    dead = [{"@odata.context": context, "id": each, "reason": "deleted"} for each in deleted]
    links = {"@odata.nextLink": BASE + following} if following else {"@odata.deltaLink": BASE + delta} if delta else {}
    return {"@odata.context": f"{BASE}$metadata#notes", "value": [*rows, *dead], **links}


def _label(text: str) -> Mapping[str, object]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}], "UserLocalizedLabel": None}


def _attribute(attribute: Attribute) -> Mapping[str, Any]:
    kind = attribute.type
    options = [
        {
            "Value": each.value,
            "State": each.state,
            "Label": {
                "LocalizedLabels": [{"Label": label, "LanguageCode": code} for code, label in each.labels.items()]
            },
        }
        for each in attribute.options
    ]
    return {
        "LogicalName": attribute.name,
        "AttributeTypeName": {"Value": _NAMES.get(kind, f"{kind.capitalize()}Type")},
        "AttributeOf": None,
        "IsValidForRead": True,
        "SourceType": 0,
        "MaxLength": attribute.max_length,
        "Precision": attribute.precision,
        "DateTimeBehavior": {"Value": attribute.behavior},
        "Targets": list(attribute.targets),
        "OptionSet": {"IsGlobal": False, "Options": options} if options else None,
        "RequiredLevel": {"Value": "None"},
    }
