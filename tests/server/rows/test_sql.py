from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from tests.organization.samples import Clock, numbered, organization
from tests.server.served import direct
from toolkit.organization import rows

ONE, TWO = numbered(1), numbered(2)
LONG = f"SELECT cts_name FROM cts_every WHERE {' AND '.join(['cts_integer = 1'] * 501)}"  # noqa: S608 - a query of a test


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Two notes, and five rows of which some lead to them; no test here changes them."""
    with organization(tmp_path_factory.mktemp("sql")) as database:
        rows.insert(database, "note", [{"noteid": ONE, "title": "one"}, {"noteid": TWO, "title": "two"}], Clock())
        amounts = ["1.10", "-0.20", "99999999999.99", None, "1.10"]
        every = [
            {
                "cts_everyid": numbered(at),
                "cts_name": name,
                "cts_money": None if amount is None else Decimal(amount),
                "cts_integer": at,
                "cts_lookup": lookup,
            }
            for at, (name, amount, lookup) in enumerate(
                zip(["a", "B", "it's", None, "A"], amounts, [ONE, ONE, TWO, None, None], strict=True), 11
            )
        ]
        rows.insert(database, "cts_every", every, Clock())
        with direct(database) as opened:
            yield opened


def ask(api: httpx.Client, sql: str) -> list[list[object]]:
    found = api.get("cts_everies", params={"sql": sql})
    assert found.status_code == 200, found.text
    return [list(row.values()) for row in found.json()["value"]]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT cts_name FROM cts_every WHERE cts_name = 'A'", [["a"], ["A"]]),
        ("SELECT cts_name FROM cts_every WHERE cts_name <> 'a'", [["B"], ["it's"]]),
        ("SELECT cts_name FROM cts_every WHERE cts_name = N'it''s'", [["it's"]]),
        ("select top 2 cts_integer from cts_every order by cts_integer desc", [[15], [14]]),
        ("SELECT TOP (1) cts_integer AS n FROM cts_every AS e ORDER BY n", [[11]]),
        ("SELECT cts_integer FROM cts_every WHERE cts_integer IN (11, 13) OR cts_name IS NULL", [[11], [13], [14]]),
        ("SELECT cts_integer FROM cts_every WHERE NOT (cts_integer > 11) AND cts_name IS NOT NULL", [[11]]),
        ("SELECT cts_integer FROM cts_every WHERE cts_integer NOT IN (11,12) AND cts_name LIKE '%''%'", [[13]]),
        ("SELECT cts_integer FROM cts_every WHERE cts_name NOT LIKE 'a%'", [[12], [13]]),
        ("SELECT cts_integer FROM cts_every WHERE cts_integer BETWEEN 12 AND 13", [[12], [13]]),
        ("SELECT cts_integer FROM cts_every WHERE cts_money > -0.205 AND cts_money < 1.105", [[11], [12], [15]]),
        ("SELECT cts_integer FROM cts_every ORDER BY cts_money DESC, cts_integer", [[13], [11], [15], [12], [14]]),
        ("SELECT COUNT(*) FROM cts_every", [[5]]),
        ("SELECT COUNT(cts_name) AS n, COUNT(DISTINCT cts_money) AS m FROM cts_every", [[4, 3]]),
        ("SELECT MIN(cts_integer), MAX(cts_name) FROM cts_every", [[11, "it's"]]),
        ("SELECT SUM(cts_integer) AS s, AVG(cts_integer) AS a FROM cts_every", [[65, 13.0]]),
        ("SELECT MAX(cts_money) AS high, MIN(cts_money) AS low FROM cts_every", [[99999999999.99, -0.2]]),
        (
            (
                "SELECT cts_money, COUNT(*) AS n FROM cts_every WHERE cts_money <> 7 "
                "GROUP BY cts_money ORDER BY n DESC, cts_money"
            ),
            [[1.1, 2], [-0.2, 1], [99999999999.99, 1]],
        ),
        ("SELECT DISTINCT cts_lookup FROM cts_every WHERE cts_lookup IS NOT NULL ORDER BY cts_lookup", [[ONE], [TWO]]),
        (
            "SELECT cts_integer, title FROM cts_every e JOIN note n ON e.cts_lookup = n.noteid ORDER BY cts_integer",
            [[11, "one"], [12, "one"], [13, "two"]],
        ),
        (
            (
                "SELECT cts_integer, n.title FROM cts_every e LEFT OUTER JOIN note n ON e.cts_lookup = n.noteid "
                "WHERE n.title IS NULL OR [n].[title] = 'two'"
            ),
            [[13, "two"], [14, None], [15, None]],
        ),
        (
            (
                "SELECT n.title, SUM(e.cts_money) AS t FROM cts_every e INNER JOIN note n ON e.cts_lookup = n.noteid "
                "GROUP BY n.title ORDER BY n.title"
            ),
            [["one", 0.9], ["two", 99999999999.99]],
        ),
    ],
)
def test_a_statement_selects_rows(api: httpx.Client, sql: str, expected: list[list[object]]) -> None:
    assert ask(api, sql) == expected


def test_sums_of_decimals_are_exact(api: httpx.Client) -> None:
    found = api.get("cts_everies", params={"sql": "SELECT SUM(cts_money) AS total FROM cts_every"})
    assert '{"total":100000000001.99}' in found.text


def test_results_have_the_names_of_columns_or_aliases(api: httpx.Client) -> None:
    sql = "SELECT TOP 1 cts_name, cts_integer number, cts_lookup FROM cts_every"
    found = api.get("cts_everies", params={"sql": sql}).json()
    assert found["value"] == [{"cts_name": "a", "number": 11, "cts_lookup": ONE}]


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("", 400),
        ("DELETE FROM cts_every", 400),
        ("SELECT cts_name", 400),
        ("SELECT FROM cts_every", 400),
        ("SELECT * FROM cts_every", 501),
        ("SELECT nothing FROM cts_every", 400),
        ("SELECT x.cts_name FROM cts_every e", 400),
        ("SELECT cts_name FROM nothing", 404),
        ("SELECT title FROM note", 400),
        ("SELECT cts_name FROM cts_every; SELECT 1", 501),
        ("SELECT cts_name FROM cts_every -- x", 501),
        ("SELECT cts_name FROM cts_every, note", 501),
        ("SELECT cts_name FROM cts_every JOIN cts_every ON cts_name = cts_name", 400),
        ("SELECT cts_name FROM cts_every UNION SELECT title FROM note", 501),
        ("SELECT TOP many cts_name FROM cts_every", 400),
        ("SELECT TOP 5 PERCENT cts_name FROM cts_every", 501),
        ("SELECT SUM(cts_name) FROM cts_every", 400),
        ("SELECT cts_name FROM cts_every WHERE cts_name", 400),
        ("SELECT cts_name FROM cts_every WHERE cts_name = ", 400),
        ("SELECT cts_name FROM cts_every WHERE cts_name = (", 400),
        ("SELECT cts_name FROM cts_every WHERE cts_integer = 'x'", 400),
        ("SELECT cts_name FROM cts_every WHERE cts_integer IN (SELECT 1)", 501),
        ("SELECT cts_name FROM cts_every WHERE (SELECT 1) = 1", 501),
        (LONG, 400),
    ],
)
def test_a_statement_that_cannot_be_followed_is_refused(api: httpx.Client, sql: str, status: int) -> None:
    assert api.get("cts_everies", params={"sql": sql}).status_code == status


def test_long_results_come_in_pages(tmp_path_factory: pytest.TempPathFactory) -> None:
    with organization(tmp_path_factory.mktemp("pages")) as database, direct(database) as api:
        rows.insert(database, "note", [{"noteid": numbered(at), "title": str(at)} for at in range(5002)], Clock())
        found = api.get("notes", params={"sql": "SELECT title FROM note"}).json()
        rest = api.get(found["@odata.nextLink"]).json()
        assert (len(found["value"]), rest["value"]) == (5000, [{"title": "5000"}, {"title": "5001"}])
        assert "@odata.nextLink" not in rest
        other = '<cookie pagenumber="2" pagingcookie="WyJhIl0%253D" istracking="False" />'
        assert api.get("notes", params={"sql": "SELECT title FROM note", "$skiptoken": other}).status_code == 400
