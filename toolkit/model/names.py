"""Names and their rules. Sources: Dataverse's publisher and solution pages; Azure Storage's naming rules."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

UNIQUE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
PREFIX = r"^(?!mscrm)[a-zA-Z][a-zA-Z0-9]{1,7}$"
LOGICAL_NAME = r"^[a-z_][a-z0-9_]*$"
STORAGE_ACCOUNT = r"^[a-z0-9]{3,24}$"
FILE_SYSTEM = r"^[a-z0-9](?:-?[a-z0-9])+$"
GUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

UniqueName = Annotated[str, Field(pattern=UNIQUE_NAME, max_length=100)]
StorageAccountName = Annotated[str, Field(pattern=STORAGE_ACCOUNT)]
FileSystemName = Annotated[str, Field(pattern=FILE_SYSTEM, min_length=3, max_length=63)]
Guid = Annotated[str, Field(pattern=GUID), AfterValidator(str.lower)]
"""A GUID without braces, held in lower case."""


RESERVED_FOLDERS = frozenset({"_toolkit", "_kept", "_pins", "_deleted"})
"""Folders of every lake. An entity has a folder of its name, so no entity is called so."""


def _not_reserved(name: str) -> str:
    if name in RESERVED_FOLDERS:
        message = f"every lake has a folder {name!r}, so no entity can have that name"
        raise ValueError(message)
    return name


LogicalName = Annotated[str, Field(pattern=LOGICAL_NAME, max_length=128), AfterValidator(_not_reserved)]


def _printable(name: str) -> str:
    if not name.isprintable():
        message = "it holds a line end, a control character or another one that cannot be printed"
        raise ValueError(message)
    return name


ConfigName = Annotated[str, Field(max_length=100), AfterValidator(_printable)]
"""The name of an export config: on one line, since files and terminals show it. 100 is Dataverse's usual length."""


def _not_reserved_prefix(prefix: str) -> str:
    if re.fullmatch(PREFIX, prefix) is None:
        message = "a prefix has 2 to 8 letters and digits, starts with a letter and never with 'mscrm'"
        raise ValueError(message)
    return prefix


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable; what it holds is never written down."""

Prefix = Annotated[
    str,
    StringConstraints(min_length=2, max_length=8),
    AfterValidator(_not_reserved_prefix),
    Field(json_schema_extra={"pattern": PREFIX}),
]
"""A customization prefix. The look-ahead of its pattern is checked here, since pydantic's regex engine has none."""


def default_option_value_prefix(prefix: str) -> int:
    """Return the option-value prefix that Dataverse proposes for a new publisher's customization prefix.

    Measured: the 31-hash of the upper-cased prefix in signed 32 bits, absolute, modulo 90,000, plus 10,000.
    It is a default, not a check: only 12 of 32 real publishers hold it.
    """
    total = 0
    for char in prefix.upper():
        total = (total * 31 + ord(char)) & 0xFFFFFFFF
    signed = total - 0x1_0000_0000 if total & 0x8000_0000 else total
    return abs(signed) % 90_000 + 10_000


def normalised_file_system(text: str) -> str:
    """Return ``text`` as a valid file system name: 3 to 63 of ``[a-z0-9-]``, no double hyphen, none at an end."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].rstrip("-")
    return name if len(name) >= 3 else f"{name}-lake".lstrip("-")


def default_file_system(environment: str, organization_id: str) -> str:
    """Return the documented name ``commondataservice-<environment>-org-<id>``, normalised.

    The id is kept whole (it makes the name unique), so a long environment name is the part that is cut.
    Source: the reference documentation, "View your data in Azure Data Lake Storage Gen2".
    """
    return _with_tail(f"commondataservice-{environment}", f"-org-{organization_id.replace('-', '')}")


def own_file_system(environment: str, organization: str) -> str:
    """Return ``toolkit-<environment>-<unique name of the organization>``, normalised: another one than the service's.

    In a real environment the documented name may be in use by Microsoft's own exporter.
    """
    return _with_tail(f"toolkit-{environment}", f"-{normalised_file_system(organization)}")


def _with_tail(head: str, tail: str) -> str:
    return normalised_file_system(normalised_file_system(head)[: 63 - len(tail)].rstrip("-") + tail)
