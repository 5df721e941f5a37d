"""Solution and publisher: what ``solution.xml`` says. Source: real solution zips (docs/formats.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated

from pydantic import Field

from toolkit.model.base import Frozen
from toolkit.model.names import Prefix, UniqueName
from toolkit.model.version import Version

Localized = Mapping[Annotated[int, Field(ge=1)], str]
"""Text by language code (LCID; 1033 is English)."""


CORE_SOLUTION = "ExportToDataLakeCore"
"""The solution that brings the export config's table: a config may be added only where it is installed."""

SYSTEM_SOLUTIONS = frozenset({"active", "basic", "default", "system"})
"""Solutions that every organization has and nobody imports, in lower case."""


class Package(IntEnum):
    """The value of ``<Managed>``: 0 and 1 in zips, 2 in folders unpacked as both."""

    UNMANAGED = 0
    MANAGED = 1
    BOTH = 2


class Address(Frozen):
    """One of a publisher's two addresses, with the fields of ``solution.xml``. A missing value is ``None``."""

    address_number: int
    address_type_code: str | None = None
    city: str | None = None
    county: str | None = None
    country: str | None = None
    fax: str | None = None
    freight_terms_code: str | None = None
    import_sequence_number: str | None = None
    latitude: str | None = None
    line1: str | None = None
    line2: str | None = None
    line3: str | None = None
    longitude: str | None = None
    name: str | None = None
    postal_code: str | None = None
    post_office_box: str | None = None
    primary_contact_name: str | None = None
    shipping_method_code: str | None = None
    state_or_province: str | None = None
    telephone1: str | None = None
    telephone2: str | None = None
    telephone3: str | None = None
    time_zone_rule_version_number: str | None = None
    ups_zone: str | None = None
    utc_offset: str | None = None
    utc_conversion_time_zone_code: str | None = None


class Publisher(Frozen):
    """Who owns a solution; its prefix starts the names of the components it creates."""

    unique_name: UniqueName
    display_names: Localized = {}
    descriptions: Localized = {}
    email: str | None = None
    website: str | None = None
    prefix: Prefix
    option_value_prefix: Annotated[int, Field(ge=10_000, le=99_999)]
    addresses: tuple[Address, ...] = ()


class RootComponent(Frozen):
    """A component that the solution holds: by number of its type, or by name of its table, and id or schema name."""

    type: str
    id: str | None = None
    schema_name: str | None = None
    behavior: str | None = None


class MissingDependency(Frozen):
    """What a component needs that is not in the solution: the attributes of ``<Required>`` and ``<Dependent>``."""

    required: Mapping[str, str]
    dependent: Mapping[str, str] = {}

    @property
    def solution(self) -> tuple[str, Version | None] | None:
        """The solution that must be installed, with its version, from ``solution="name (version)"``."""
        text = self.required.get("solution", "").strip()
        match = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)(?:\s*\(([\d.]+)\))?", text)
        if match is None or text == "Active":
            return None
        return match[1], Version(match[2]) if match[2] else None


class Solution(Frozen):
    """A named, versioned container of components."""

    unique_name: UniqueName
    display_names: Localized = {}
    descriptions: Localized = {}
    version: Version
    package: Package = Package.UNMANAGED
    publisher: Publisher
    root_components: tuple[RootComponent, ...] = ()
    missing_dependencies: tuple[MissingDependency, ...] = ()
