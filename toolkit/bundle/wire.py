"""The JSON of ``msdyn_schema`` <-> the fields of an export config.

An object is held as key -> raw JSON text, so that keys we do not know keep their order and spelling, and a value whose
meaning stays is never spelled anew: ``4`` stays ``4`` where ``"Adls"`` would mean the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from toolkit.documents import Tree
from toolkit.model.base import Frozen
from toolkit.model.config import Cloud, ExportConfig, LinkedEntity, PartitionStrategy, RetryPolicy, derived_endpoints

MAX_CHARS = 4 << 20
MAX_DEPTH = 32

Raw = Mapping[str, str]
"""A JSON object: the raw JSON text of each value by key, in order."""

_ENDPOINTS = {
    "BlobEndpoint": "blob",
    "QueueEndpoint": "queue",
    "TableEndpoint": "table",
    "FileEndpoint": "file",
    "FileSystemEndpoint": "file_system",
    "SqlODEndpoint": "sql_on_demand",
    "WorkspaceDevEndpoint": "workspace_dev",
}
_STORAGE = {
    "SubscriptionId": "subscription",
    "ResourceGroupName": "resource_group",
    "StorageAccountName": "account",
    "TenantId": "tenant",
    "FileSystemName": "file_system",
}
_SETTINGS = {
    "DestinationType": "destination",
    "WriteDeleteLog": "write_delete_log",
    "IsOdiEnabled": "odi_enabled",
    "SchedulerIntervalInMinutes": "interval_minutes",
    "IsDefault": "is_default",
}
_RETRY = {"MaxRetryCount": "max_count", "IntervalInSeconds": "interval_seconds"}
_ENTITY = {
    "Type": "name",
    "PartitionStrategy": "partition_strategy",
    "RecordCountPerBlock": "records_per_block",
    "AppendOnlyMode": "append_only",
}
OPTIONS = "ToolkitOptions"
"""The key of what the platform has no key for, at the root and in an entity: an object of what is no default."""
_ROOT_OPTIONS = ("output", "snapshots")
_ENTITY_OPTIONS = ("columns", "filter", "mask", "scan_minutes")
KNOWN_KEYS = frozenset({*_ENDPOINTS, *_STORAGE, *_SETTINGS, "Entities", "RetryPolicy", OPTIONS})
KNOWN_ENTITY_KEYS = frozenset({*_ENTITY, OPTIONS})
_DESTINATIONS = {"4": "Adls"}
"""Names of destination types by number. Source: both forms were seen for the same lake."""
_STRATEGIES = {str(strategy.number): strategy.value for strategy in PartitionStrategy}
_NUMBERS = {
    "DestinationType": {json.dumps(name): number for number, name in _DESTINATIONS.items()},
    "PartitionStrategy": {json.dumps(name): number for number, name in _STRATEGIES.items()},
}
"""The numeric forms of names, both as JSON text, by key."""


# --- raw JSON -------------------------------------------------------------------------------------------------------


def _constant(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Tree]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "a key stands twice in one object"
        raise ValueError(message)
    return found


_DECODER = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=_pairs)
_SPACE = re.compile(r"[ \t\r\n]*")


def raw_object(text: str) -> Raw:
    """Split the text of a JSON object. Raises ValueError with the reason for any other text."""
    check(text)
    if not text.lstrip().startswith("{"):
        message = "it is no JSON object"
        raise ValueError(message)
    return dict(_members(text))


def check(text: str) -> None:
    """Raise ValueError where a text is no JSON: too large, too deep, not well-formed, duplicate keys, NaN."""
    if len(text) > MAX_CHARS or _depth(text) > MAX_DEPTH:
        message = f"it is longer than {MAX_CHARS} characters or deeper than {MAX_DEPTH} levels"
        raise ValueError(message)
    _DECODER.decode(text)


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (char in "[{") - (char in "]}")
        deepest = max(deepest, depth)
    return deepest


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Yield the members of an object that was checked."""
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield key, text[start:end]
        at = _after(text, end)


def raw_items(text: str) -> Iterator[str]:
    """Yield the raw items of a JSON array that was checked."""
    at = _skip(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _after(text, end)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _after(text: str, end: int) -> int:
    """Return the place of the next member: behind the comma, if there is one."""
    at = _skip(text, end)
    return _skip(text, at + 1) if text[at] == "," else at


def spelled(value: object) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def joined(raw: Raw) -> str:
    """Return the compact text of an object."""
    return "{" + ",".join(f"{spelled(key)}:{value}" for key, value in raw.items()) + "}"


def _text(raw: str) -> str | None:
    """Return a scalar as the text that a YAML file would hold for it; null is None; what is nested stays JSON."""
    value = json.loads(raw) if raw[0] in '"n' else raw
    return value if value is None or isinstance(value, str) else raw


# --- JSON -> tree of a config ---------------------------------------------------------------------------------------


def tree(text: str) -> dict[str, Tree]:
    """Return the fields of an export config as a tree of strings. Raises ValueError where the text is no object."""
    raw = raw_object(text)
    found = _fields(raw, _SETTINGS)
    if raw.get("DestinationType") in _DESTINATIONS:
        found["destination"] = _DESTINATIONS[raw["DestinationType"]]
    found["storage"] = _fields(raw, _STORAGE) | _endpoint_fields(raw)
    if _holds(raw, "RetryPolicy"):
        found["retry"] = _nested(raw["RetryPolicy"], lambda inner: _fields(inner, _RETRY))
    if _holds(raw, "Entities"):
        found["entities"] = _entities(raw["Entities"])
    return found | _options(raw, _ROOT_OPTIONS) | _extra(raw, KNOWN_KEYS)


def _holds(raw: Raw, key: str) -> bool:
    """Whether a key has a value; null means absence."""
    return raw.get(key, "null") != "null"


def _fields(raw: Raw, names: Mapping[str, str]) -> dict[str, Tree]:
    """Return known members by field; null and, where it means absence, the empty string are left out."""
    texts = {field: _text(raw[key]) for key, field in names.items() if key in raw}
    return {field: text for field, text in texts.items() if text is not None and (text or field == "account")}


def _nested(raw: str, read: Callable[[Raw], Tree]) -> Tree:
    return read(raw_object(raw)) if raw.startswith("{") else raw


def _entities(raw: str) -> Tree:
    return [_nested(item, _entity) for item in raw_items(raw)] if raw.startswith("[") else raw


def _entity(raw: Raw) -> dict[str, Tree]:
    found = _fields(raw, _ENTITY)
    strategy = found.get("partition_strategy")
    if strategy in _STRATEGIES:
        found["partition_strategy"] = _STRATEGIES[strategy]
    return found | _options(raw, _ENTITY_OPTIONS) | _extra(raw, KNOWN_ENTITY_KEYS)


def _options(raw: Raw, fields: Sequence[str]) -> dict[str, Tree]:
    """Return the fields of the options. What is none of them keeps a name that no model has, so that it is refused."""
    if not _holds(raw, OPTIONS):
        return {}
    options = _plain(json.loads(raw[OPTIONS], parse_float=str, parse_int=str))
    if not isinstance(options, dict):
        return {OPTIONS: options}
    return {key if key in fields else f"{OPTIONS}.{key}": value for key, value in options.items()}


def _plain(value: Any) -> Tree:  # noqa: ANN401 - JSON values
    """Return a JSON value as YAML would be read: every scalar is text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return spelled(value) if isinstance(value, bool) else value


def _extra(raw: Raw, known: frozenset[str]) -> dict[str, Tree]:
    extra = {key: value for key, value in raw.items() if key not in known}
    return {"extra": extra} if extra else {}


def _endpoint_fields(raw: Raw) -> dict[str, Tree]:
    """Return cloud and workspace as the endpoints tell them; the endpoints only where they are not the derived ones."""
    written = {field: _text(raw[key]) or "" for key, field in _ENDPOINTS.items() if key in raw}
    cloud = _cloud(written)
    workspace = _workspace(written.get("workspace_dev", ""), cloud)
    found: dict[str, Tree] = {} if cloud is Cloud.PUBLIC else {"cloud": cloud.value}
    if workspace:
        found["workspace"] = workspace
    account = _text(raw.get("StorageAccountName", "null")) or ""
    derived = derived_endpoints(account, workspace, cloud).model_dump()
    if any(derived[field] != value for field, value in written.items()):
        found["endpoints"] = derived | written
    return found


def _cloud(written: Mapping[str, str]) -> Cloud:
    for cloud in Cloud:
        if f".dfs.{cloud.storage_suffix}" in written.get("file_system", ""):
            return cloud
    return Cloud.PUBLIC


def _workspace(endpoint: str, cloud: Cloud) -> str | None:
    match = re.fullmatch(rf"https://([^./]+)\.dev\.{re.escape(cloud.synapse_suffix)}", endpoint)
    return match[1] if match else None


# --- config -> JSON -------------------------------------------------------------------------------------------------


def written(config: ExportConfig) -> str:
    """Return the JSON of a config, compact, keys in the order of the platform, unknown keys last."""
    return joined(_written(config))


def rewritten(template: str, was: ExportConfig, config: ExportConfig) -> str:
    """Return ``template``, which says what ``was`` says, saying what ``config`` says; values of equal meaning stay."""
    if was == config:
        return template
    have = raw_object(template)
    merged = dict(_merged(have, _written(was), _written(config)))
    if was.retry != config.retry and _holds(have, "RetryPolicy"):
        retry = raw_object(have["RetryPolicy"])
        merged["RetryPolicy"] = joined(_merged(retry, _written_retry(was.retry), _written_retry(config.retry)))
    if was.entities != config.entities and _holds(have, "Entities"):
        merged["Entities"] = _rewritten_entities(have["Entities"], was, config)
    return joined(merged)


def _merged(have: Raw, was: Raw, wanted: Raw) -> Raw:
    """Merge three ways: what is wanted as it was stays as it is written."""
    kept = {key: value for key, value in have.items() if key in wanted or key not in was}
    changed = {
        key: _in_form_of(have.get(key, ""), key, value) for key, value in wanted.items() if was.get(key) != value
    }
    return kept | changed


def _rewritten_entities(raw: str, was: ExportConfig, config: ExportConfig) -> str:
    have = {_text(item.get("Type", '""')): item for item in map(raw_object, raw_items(raw))}
    form = next((item.get("PartitionStrategy", "") for item in have.values()), "")
    texts = []
    for entity in config.entities:
        before, wanted = was.entity(entity.name), _written_entity(entity)
        if before is None:
            strategy = {key: _in_form_of(form, key, wanted[key]) for key in wanted if key == "PartitionStrategy"}
            texts.append(joined(dict(wanted) | strategy))
        else:
            texts.append(joined(_merged(have[entity.name], _written_entity(before), wanted)))
    return "[" + ",".join(texts) + "]"


def _in_form_of(present: str, key: str, value: str) -> str:
    """Return a value as a number where the one that is present is a number and the platform has one for it."""
    return _NUMBERS.get(key, {}).get(value, value) if present.isdigit() else value


def _written(config: ExportConfig) -> Raw:
    storage = config.storage
    endpoints = storage.effective_endpoints
    raw = {
        "SubscriptionId": spelled(storage.subscription),
        "ResourceGroupName": spelled(storage.resource_group),
        "StorageAccountName": spelled(storage.account),
        **{key: spelled(getattr(endpoints, field)) for key, field in _ENDPOINTS.items()},
        "Entities": "[" + ",".join(joined(_written_entity(entity)) for entity in config.entities) + "]",
        "RetryPolicy": joined(_written_retry(config.retry)),
        **{key: spelled(getattr(config, field)) for key, field in _SETTINGS.items()},
        "TenantId": spelled(storage.tenant),
        "FileSystemName": spelled(storage.file_system),
        OPTIONS: _written_options(config, _ROOT_OPTIONS),
    }
    return _with_extra(raw, config.extra)


def _written_retry(retry: RetryPolicy) -> Raw:
    return {key: spelled(getattr(retry, field)) for key, field in _RETRY.items()}


def _written_entity(entity: LinkedEntity) -> Raw:
    raw = {key: spelled(getattr(entity, field)) for key, field in _ENTITY.items()}
    return _with_extra(raw | {OPTIONS: _written_options(entity, _ENTITY_OPTIONS)}, entity.extra)


def _written_options(model: Frozen, fields: Sequence[str]) -> str:
    """Return the options of a config or an entity that are no defaults, or null where there are none."""
    return spelled(model.model_dump(mode="json", include=set(fields), exclude_defaults=True) or None)


def _with_extra(raw: Raw, extra: Raw) -> Raw:
    """Add unknown keys behind the known ones; a known key that is None is left out."""
    present = {key: value for key, value in raw.items() if value != "null"}
    return present | {key: value for key, value in extra.items() if key not in raw}
