"""docs/web-api.md lists what is served: its tables are those of the routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from toolkit.server.query.filters import FUNCTIONS
from toolkit.server.query.options import OPTIONS, REFUSED
from toolkit.server.routes import ROUTES
from toolkit.server.rows.fetch_xml import OPERATORS

PAGE = (Path(__file__).parents[2] / "docs" / "web-api.md").read_text()
HEADINGS = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
SECTIONS: Mapping[str, str] = dict(zip(HEADINGS[::2], HEADINGS[1::2], strict=True))
AREAS = sorted({route.area for route in ROUTES} & SECTIONS.keys())


def rows(section: str) -> list[tuple[str, str]]:
    """Return method and description of the rows of a section's first table."""
    cells = (re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| "))
    named = [tuple(cell.strip() for cell in row) for row in cells]
    return [(row[0], row[2]) for row in named if len(row) == 3 and row[0] in {"GET", "POST", "PATCH", "PUT", "DELETE"}]


@pytest.mark.parametrize("area", AREAS)
def test_a_section_lists_the_routes_of_its_area(area: str) -> None:
    served = [(route.method, route.what) for route in ROUTES if route.area == area]
    assert sorted(rows(SECTIONS[area])) == sorted(served)


def test_the_page_has_a_section_for_each_area() -> None:
    assert {route.area for route in ROUTES} == {*AREAS}


def test_the_page_lists_the_options_of_a_query() -> None:
    assert re.findall(r"^\| `(\$\w+)` \| (.+) \|$", SECTIONS["Rows"], re.MULTILINE) == list(OPTIONS.items())


def test_the_page_names_what_queries_know_and_refuse() -> None:
    named = {*re.findall(r"`([^`]+)`", SECTIONS["Rows"] + SECTIONS["Other languages"])}
    assert {*FUNCTIONS, *REFUSED, *OPERATORS} - named == set()
