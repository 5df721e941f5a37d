from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.organization.samples import Clock, numbered, organization
from tests.server.served import direct
from toolkit.organization import rows

ONE = numbered(1)
PAGING = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Five rows that no test here changes."""
    with organization(tmp_path_factory.mktemp("fetch")) as database:
        every = [
            {"cts_everyid": numbered(at), "cts_name": name, "cts_integer": at, "cts_money": Decimal(at) / 10}
            for at, name in enumerate(["alpha", "Beta", "100%", None, "alphabet"], 1)
        ]
        rows.insert(database, "cts_every", [{**each, "cts_multi": "1;2"} for each in every], Clock())
        with direct(database) as opened:
            yield opened


def fetch(inner: str, **attributes: str) -> str:
    head = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<fetch{head}><entity name="cts_every"><attribute name="cts_integer" />{inner}</entity></fetch>'


def found(api: httpx.Client, xml: str, prefer: str = "") -> httpx.Response:
    headers = {"Prefer": f'odata.include-annotations="{prefer}"'} if prefer else {}
    return api.get("cts_everies", params={"fetchXml": xml}, headers=headers)


def numbers(answer: httpx.Response) -> list[object]:
    assert answer.status_code == 200, answer.text
    return [row["cts_integer"] for row in answer.json()["value"]]


def condition(name: str, operator: str, *values: str) -> str:
    inner = "".join(f"<value>{value}</value>" for value in values)
    return f'<condition attribute="{name}" operator="{operator}">{inner}</condition>'


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ('<condition attribute="cts_name" operator="eq" value="ALPHA" />', [1]),
        (condition("cts_name", "ne", "alpha"), [2, 3, 4, 5]),
        (condition("cts_money", "gt", "0.25") + condition("cts_integer", "le", "4"), [3, 4]),
        (condition("cts_name", "null"), [4]),
        (condition("cts_name", "not-null"), [1, 2, 3, 5]),
        (condition("cts_integer", "in", "1", "5"), [1, 5]),
        (condition("cts_integer", "not-in", "1", "5"), [2, 3, 4]),
        (condition("cts_integer", "between", "2", "3"), [2, 3]),
        (condition("cts_name", "like", "alpha%"), [1, 5]),
        (condition("cts_name", "not-like", "alpha%"), [2, 3, 4]),
        (condition("cts_name", "begins-with", "alpha"), [1, 5]),
        (condition("cts_name", "ends-with", "0%"), [3]),
        (condition("cts_name", "not-begin-with", "alpha"), [2, 3, 4]),
        (condition("cts_multi", "contain-values", "2"), [1, 2, 3, 4, 5]),
        (condition("createdon", "today"), [1, 2, 3, 4, 5]),
        (condition("createdon", "last-x-days", "2"), []),
        (condition("createdon", "on-or-after", "2026-03-02"), []),
    ],
)
def test_conditions_select_rows(api: httpx.Client, conditions: str, expected: list[int]) -> None:
    assert numbers(found(api, fetch(f"<filter>{conditions}</filter>"))) == expected


def test_filters_hold_others(api: httpx.Client) -> None:
    inner = f"<filter type='or'>{condition('cts_name', 'eq', 'beta')}{condition('cts_name', 'null')}</filter>"
    outer = f"<filter type='and'>{condition('cts_integer', 'gt', '2')}{inner}</filter>"
    assert numbers(found(api, fetch(outer))) == [4]
    assert numbers(found(api, fetch("<filter />"))) == [1, 2, 3, 4, 5]


def test_rows_have_what_is_asked_for(api: httpx.Client) -> None:
    row = found(api, fetch("", top="1")).json()["value"][0]
    assert list(row) == ["@odata.etag", "cts_everyid", "cts_integer"]
    every = found(api, '<fetch top="1"><entity name="cts_every"><all-attributes /></entity></fetch>').json()["value"][0]
    assert len(every) == 24


def test_pages_are_turned_as_clients_do_it(api: httpx.Client) -> None:
    xml, seen = fetch('<order attribute="cts_money" descending="true" />', count="2", page="1"), []
    for _ in range(3):
        answer = found(api, xml, PAGING).json()
        seen.append([row["cts_integer"] for row in answer["value"]])
        if not answer["@Microsoft.Dynamics.CRM.morerecords"]:
            break
        cookie = ET.fromstring(answer["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])  # noqa: S314 - our own
        element = ET.fromstring(xml)  # noqa: S314 - our own
        element.set("paging-cookie", unquote(unquote(cookie.get("pagingcookie", ""))))
        element.set("page", cookie.get("pagenumber", ""))
        xml = ET.tostring(element, encoding="unicode")
    assert seen == [[5, 4], [3, 2], [1]]


def test_rows_are_counted_when_that_is_asked(api: httpx.Client) -> None:
    answer = found(api, fetch("", returntotalrecordcount="true", count="1"), "*").json()
    assert (answer["@odata.count"], answer["@Microsoft.Dynamics.CRM.totalrecordcount"]) == (5, 5)


@pytest.mark.parametrize(
    ("xml", "status", "code"),
    [
        ("<fetch", 400, "0x8004111c"),
        ("<query />", 400, "0x8004111c"),
        ("<!DOCTYPE x><fetch />", 400, "0x8004111c"),
        ("<fetch><entity name='note' /></fetch>", 400, "0x8004111c"),
        ("<fetch />", 400, "0x8004111c"),
        (fetch("", top="many"), 400, "0x8004111c"),
        (fetch('<attribute name="nothing" />'), 400, "0x80041103"),
        (fetch(f"<filter>{condition('nothing', 'null')}</filter>"), 400, "0x80041103"),
        (fetch(f"<filter>{condition('cts_name', 'eq-userid')}</filter>"), 501, "SRV001"),
        (fetch(f"<filter>{condition('cts_name', 'eq')}</filter>"), 501, "SRV001"),
        (fetch('<link-entity name="note" from="noteid" to="cts_lookup" />'), 501, "SRV001"),
        (fetch('<attribute name="cts_name" alias="x" />'), 501, "SRV001"),
        (fetch("", aggregate="true"), 501, "SRV001"),
        (fetch("", distinct="true"), 501, "SRV001"),
        (fetch("", page="2"), 501, "SRV001"),
        (fetch("", page="2", paging_cookie="x"), 400, "0x80060888"),
    ],
)
def test_a_query_that_cannot_be_followed_is_refused(api: httpx.Client, xml: str, status: int, code: str) -> None:
    answer = found(api, xml)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
