"""Solution zips and their parts, small and literal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from toolkit.bundle.archive import Archive, read_archive
from toolkit.bundle.package import read_bundle, write_bundle
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.solution import CORE_SOLUTION, Publisher, Solution

SALES = "11111111-0000-4000-8000-000000000001"
SERVICE = "11111111-0000-4000-8000-000000000002"


def publisher(**changes: object) -> Publisher:
    contoso: dict[str, object] = {
        "unique_name": "contoso",
        "display_names": {1033: "Contoso", 1031: "Contoso GmbH"},
        "descriptions": {1033: "Sells things."},
        "email": "lake@contoso.example",
        "website": "https://contoso.example",
        "prefix": "cts",
        "option_value_prefix": 77_074,
        "addresses": [{"address_number": 1, "city": "Redmond"}, {"address_number": 2, "fax": "1"}],
    }
    return Publisher.model_validate(contoso | changes)


def config(account: str = "contososales", key: str = SALES, **changes: object) -> ExportConfig:
    tree = {"id": key, "name": account, "storage": {"account": account}, "entities": [{"name": "note"}]}
    return ExportConfig.model_validate(tree | changes)


def solution(name: str = "ContosoLake", version: str = "1.0.0.0", **changes: object) -> Solution:
    tree = {"unique_name": name, "version": version, "publisher": publisher(), "display_names": {1033: "Contoso Lake"}}
    return Solution.model_validate(tree | changes)


def bundle(*configs: ExportConfig, **changes: object) -> Bundle:
    return Bundle(solution=solution(**changes), configs=configs)  # type: ignore[arg-type]  # literal keywords of tests


def package(*configs: ExportConfig, **changes: object) -> bytes:
    return write_bundle(bundle(*configs, **changes), None).to_bytes()


def core(version: str = "1.0.0.0") -> bytes:
    maker = publisher(unique_name="maker", prefix="mkr", option_value_prefix=10_001)
    return package(name=CORE_SOLUTION, version=version, publisher=maker)


def needs(name: str, version: str = "1.0.0.0") -> Mapping[str, Any]:
    return {"required": {"type": "1", "schemaName": "other_thing", "solution": f"{name} ({version})"}}


def read(data: bytes) -> Bundle:
    return read_bundle(read_archive(data, "test"), "test")


def members(data: bytes) -> Mapping[str, bytes]:
    return read_archive(data, "test").members


def with_members(data: bytes, **changes: bytes) -> bytes:
    """Return a zip with members replaced or added; two underscores in a name stand for a dot."""
    new = {name.replace("__", "."): text for name, text in changes.items()}
    return Archive({**members(data), **new}).to_bytes()


def with_package_version(data: bytes, version: str) -> bytes:
    text = members(data)["solution.xml"].decode()
    text = re.sub(r'SolutionPackageVersion="[^"]*"', f'SolutionPackageVersion="{version}"', text)
    return with_members(data, solution__xml=text.encode())


def with_entities(data: bytes, names: Iterable[str]) -> bytes:
    """Return a zip that defines entities, as far as an import looks at them."""
    defined = "".join(f"<Entity><Name>{name}</Name><EntityInfo /></Entity>" for name in names)
    text = members(data)["customizations.xml"].decode().replace("<Entities />", f"<Entities>{defined}</Entities>")
    return with_members(data, customizations__xml=text.encode())


def with_schema(data: bytes, text: str) -> bytes:
    """Return a zip of one config with another text of ``msdyn_schema``."""
    old = members(data)["customizations.xml"].decode()
    new = re.sub("(?<=<msdyn_schema>).*(?=</msdyn_schema>)", text, old)
    return with_members(data, customizations__xml=new.encode())


def schema(data: bytes) -> str:
    """Return the text of ``msdyn_schema`` in a zip of one config."""
    found = re.search("(?<=<msdyn_schema>).*(?=</msdyn_schema>)", members(data)["customizations.xml"].decode())
    assert found is not None
    return found[0]
