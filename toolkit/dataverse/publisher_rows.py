"""Publishers as rows of Dataverse's table and as the model: what the client and the served environment share.

A row has one language, the base language of the organization. Columns that the table lacks stay in the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.dataverse.tables import Row
from toolkit.model.solution import Address, Publisher

BASE_LANGUAGE = 1033
"""The language under which a name is kept whose language the platform does not tell."""

PUBLISHER_COLUMNS = {
    "email": "emailaddress",
    "website": "supportingwebsiteurl",
    "prefix": "customizationprefix",
    "option_value_prefix": "customizationoptionvalueprefix",
}
ADDRESS_COLUMNS = {
    name: column
    for name in Address.model_fields
    if (
        column := {
            "ups_zone": "upszone",
            "utc_offset": "utcoffset",
            # Of these the table has no column; they stay in the package.
            "address_number": "",
            "import_sequence_number": "",
            "time_zone_rule_version_number": "",
            "utc_conversion_time_zone_code": "",
            "primary_contact_name": "primarycontactname",
        }.get(name, name.replace("_", ""))
    )
}
NUMBERS = frozenset({"addresstypecode", "freighttermscode", "shippingmethodcode", "utcoffset", "latitude", "longitude"})


def publisher_of(row: Row) -> Publisher:
    """Return the publisher of a row, which has every column."""
    return Publisher.model_validate(
        {
            "unique_name": row["uniquename"],
            "display_names": localized(row["friendlyname"]),
            "descriptions": localized(row["description"]),
            "addresses": [_address(row, number) for number in (1, 2) if _has_address(row, number)],
            **{name: row[column] for name, column in PUBLISHER_COLUMNS.items()},
        }
    )


def localized(text: str | None) -> dict[int, str]:
    """Return a text of a row by its language."""
    return {BASE_LANGUAGE: text} if text else {}


def _has_address(row: Row, number: int) -> bool:
    return any(row[f"address{number}_{column}"] is not None for column in ADDRESS_COLUMNS.values())


def _address(row: Row, number: int) -> dict[str, Any]:
    values = ((name, row[f"address{number}_{column}"]) for name, column in ADDRESS_COLUMNS.items())
    return {"address_number": number, **{name: str(value) for name, value in values if value is not None}}


def publisher_row(publisher: Publisher) -> dict[str, Any]:
    """Return a publisher as a row without its id: names in the base language, or in the first one that it has."""
    body: dict[str, Any] = {
        "uniquename": publisher.unique_name,
        "friendlyname": base_text(publisher.display_names) or publisher.unique_name,
        "description": base_text(publisher.descriptions),
        **{column: getattr(publisher, name) for name, column in PUBLISHER_COLUMNS.items()},
    }
    for address in publisher.addresses:
        for name, column in ADDRESS_COLUMNS.items():
            if (value := getattr(address, name)) is not None:
                body[f"address{address.address_number}_{column}"] = _number(value) if column in NUMBERS else value
    return body


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def base_text(names: Mapping[int, str]) -> str | None:
    """Return a text in the base language, or in the first one that it has."""
    return names.get(BASE_LANGUAGE, next(iter(names.values()), None))
