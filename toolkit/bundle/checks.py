"""The rules of a bundle, over trees of strings, so that they hold for what no model accepts too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from toolkit.bundle import wire
from toolkit.bundle.parts import Parts
from toolkit.documents import Document, Key, Tree, secrets
from toolkit.errors import Finding, Place, Severity, nearest
from toolkit.model.base import Frozen
from toolkit.model.config import (
    MAX_ENTITIES,
    NEEDED,
    NEVER_EXPORTABLE,
    Cloud,
    ExportConfig,
    LinkedEntity,
    PartitionStrategy,
    derived_endpoints,
)
from toolkit.model.names import GUID
from toolkit.model.variables import named, varies

_RESERVED_SUFFIX = "_upgrade"
_TRUE = frozenset({"true", "1", "yes", "on", "y", "t"})


def checked(parts: Parts) -> Iterator[Finding]:
    """Yield what breaks a rule in readable parts. What keeps a part from being a model is not repeated."""
    if parts.solution is not None:
        yield from _solution(parts.solution)
    yield from _identities(parts.configs)
    for config in parts.configs:
        yield from _config(config)
    for environment, overlay in parts.overlays.items():
        yield from overlay_checked(environment, overlay, parts.configs)
    yield from _secrets(parts)


def _error(code: str, what: str, where: Place, why: str = "", fix: str = "") -> Finding:
    return Finding(code, Severity.ERROR, what, where, why, fix)


def _warning(code: str, what: str, where: Place, why: str = "", fix: str = "") -> Finding:
    return Finding(code, Severity.WARNING, what, where, why, fix)


# --- trees ----------------------------------------------------------------------------------------------------------


def _get(tree: Tree, *keys: Key) -> Tree:
    """Return what lies at a key path, or None."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _text(tree: Tree, *keys: Key) -> str:
    found = _get(tree, *keys)
    return found if isinstance(found, str) else ""


def _is_true(tree: Tree, *keys: Key) -> bool:
    return _text(tree, *keys).lower() in _TRUE


def _mappings(tree: Tree, *keys: Key) -> Sequence[tuple[Key, dict[str, Tree]]]:
    """Return those items of a list, or values of a mapping, that are mappings, each with its key."""
    found = _get(tree, *keys)
    pairs = enumerate(found) if isinstance(found, list) else (found or {}).items() if isinstance(found, dict) else ()
    return [(key, item) for key, item in pairs if isinstance(item, dict)]


def _entities(config: Document) -> Sequence[tuple[Key, dict[str, Tree]]]:
    return _mappings(config.data, "entities")


# --- rules ----------------------------------------------------------------------------------------------------------


def _solution(document: Document) -> Iterator[Finding]:
    name = _text(document.data, "unique_name")
    if name.lower().endswith(_RESERVED_SUFFIX):
        why = "Dataverse stages upgrades of a solution under this name"
        yield _error(
            "BND020", f"a solution's name must not end in {_RESERVED_SUFFIX}", document.place("unique_name"), why
        )


def _identities(configs: Sequence[Document]) -> Iterator[Finding]:
    """Ids tell configs apart everywhere; names do in overlays."""
    for key, code, make in (("id", "BND026", _error), ("name", "BND027", _warning)):
        first: dict[str, Document] = {}
        for config in configs:
            value = _text(config.data, key).lower()
            if value and value in first:
                why = f"the first stands at {first[value].place(key)}"
                yield make(code, f"two configs have the {key} {value!r}", config.place(key), why, f"change one {key}")
            first.setdefault(value, config)


def _config(config: Document) -> Iterator[Finding]:
    yield from _number_of_entities(config)
    yield from _entity_names(config)
    for index, entity in _entities(config):
        yield from _strategy(entity, config, "entities", index)
        yield from _mask(entity, config, "entities", index)
        yield from _extra(entity, config, wire.KNOWN_ENTITY_KEYS, "entities", index)
        yield from _without_effect(entity, LinkedEntity, config, "entities", index)
    yield from _endpoints(config)
    yield from _azure_ids(config, "storage")
    yield from _variables(config)
    yield from _without_effect(config.data, ExportConfig, config)
    yield from _extra(config.data, config, wire.KNOWN_KEYS)


def _number_of_entities(config: Document) -> Iterator[Finding]:
    count = len(_get(config.data, "entities") or ())
    if count > MAX_ENTITIES:
        why = f"a link exports at most {MAX_ENTITIES}"
        yield _error("BND023", f"{count} entities", config.place("entities"), why, "spread them over several configs")


def _entity_names(config: Document) -> Iterator[Finding]:
    first: dict[str, Place] = {}
    for index, entity in _entities(config):
        name, where = _text(entity, "name"), config.place("entities", index)
        if name and name in first:
            line = f" (line {first[name].line})" if first[name].line else ""
            why = f"it is linked at {first[name].key} already{line}"
            yield _error("BND021", f"the entity {name!r} is linked twice", where, why, "keep one of the two")
        first.setdefault(name, where)
        if name in NEVER_EXPORTABLE:
            why = "the service never exports it, change tracking or not"
            yield _error("BND024", f"the entity {name!r} cannot be exported", where, why, "remove it")


def _strategy(entity: dict[str, Tree], document: Document, *path: Key) -> Iterator[Finding]:
    strategy = _text(entity, "partition_strategy")
    where = document.place(*path, "partition_strategy")
    if strategy not in set(PartitionStrategy):
        return
    if _is_true(entity, "append_only") and strategy != PartitionStrategy.YEAR:
        what = f"append-only forces the strategy Year; {strategy} has no effect"
        yield _warning("BND028", what, where, "the effective value is Year", "write Year, or turn append_only off")
    elif not PartitionStrategy(strategy).known:
        why = "the names of its files are not known; it is kept, and a link refuses it"
        yield _warning("BND029", f"the strategy {strategy} cannot be applied here", where, why, "use Month or Year")


_WITHOUT_EFFECT = {
    "records_per_block": "the engine writes files as large as their rows, up to the size limit of parts",
    "odi_enabled": "the engine knows nothing of what the service does with it",
    "is_default": "each config has a lake of its own, so none is the default",
    "destination": "the engine writes to a lake, whatever the name of the destination",
}
"""Settings that are carried for the platform and honoured by nothing here, and why."""


def _without_effect(tree: Tree, model: type[Frozen], document: Document, *path: Key) -> Iterator[Finding]:
    for field, why in _WITHOUT_EFFECT.items():
        if field in model.model_fields and _differs(tree, field, model.model_fields[field].default):
            what = f"{field} has no effect here"
            where = document.place(*path, field)
            yield Finding("BND068", Severity.NOTE, what, where, why, "nothing: it is kept as it is")


def _differs(tree: Tree, field: str, default: object) -> bool:
    """Whether a field is set to something else than its default; a flag that is not set is off."""
    value = _text(tree, field)
    if isinstance(default, bool | None):
        return _is_true(tree, field) != bool(default)
    return value not in {"", str(default)}


def _mask(entity: dict[str, Tree], document: Document, *path: Key) -> Iterator[Finding]:
    mask = _get(entity, "mask")
    for column in mask if isinstance(mask, dict) else ():
        if column in NEEDED:
            why = "every file needs it as it is: it places the row, or tells which of two is newer"
            where = document.place(*path, "mask", column)
            yield _error("BND111", f"the column {column!r} cannot be masked", where, why, "take it out of the mask")


def _extra(tree: Tree, document: Document, known: frozenset[str], *path: Key) -> Iterator[Finding]:
    extra = _get(tree, "extra")
    for key, value in extra.items() if isinstance(extra, dict) else ():
        where = document.place(*path, "extra", key)
        if key in known:
            why = "it has a field of its own"
            yield _error("BND030", f"{key!r} does not belong into extra", where, why, "set that field instead")
        elif isinstance(value, str):
            yield from _json(key, value, where)


def _json(key: str, value: str, where: Place) -> Iterator[Finding]:
    try:
        wire.check(value)
    except (ValueError, RecursionError) as error:
        yield _error("BND031", f"the value of {key!r} is no JSON", where, str(error), "write JSON text in quotes")


def _endpoints(config: Document) -> Iterator[Finding]:
    account = _text(config.data, "storage", "account")
    written = _get(config.data, "storage", "endpoints")
    if not account or not isinstance(written, dict):
        return
    cloud = _text(config.data, "storage", "cloud")
    workspace = _text(config.data, "storage", "workspace") or None
    right = derived_endpoints(account, workspace, Cloud(cloud) if cloud in set(Cloud) else Cloud.PUBLIC).model_dump()
    for field, value in written.items():
        if field in right and value and value != right[field]:
            why = f"that of {account!r} is {right[field]!r}" if right[field] else "there is no workspace it could be of"
            what = f"the endpoint {field!r} does not belong to the storage account"
            where = config.place("storage", "endpoints", field)
            yield _error("BND022", what, where, why, "leave the endpoints out; they are derived")


def _azure_ids(document: Document, *path: Key) -> Iterator[Finding]:
    for field in ("subscription", "tenant"):
        value = _text(document.data, *path, field)
        if value and not varies(value) and re.fullmatch(GUID, value) is None:
            why = f"Azure knows a {field} by its GUID"
            where = document.place(*path, field)
            yield _warning("BND032", f"the {field} is no GUID", where, why, "write the GUID, or leave it out")


def overlay_checked(environment: str, overlay: Document, configs: Sequence[Document]) -> Iterator[Finding]:
    """Yield what breaks a rule in an overlay for an environment, over the configs of a bundle."""
    known = {_text(config.data, "name"): config for config in configs}
    for name, tree in _mappings(overlay.data, "configs"):
        yield from _azure_ids(overlay, "configs", name)
        if name not in known:
            what = f"the overlay for {environment!r} names the config {name!r}, which the bundle does not have"
            yield _error("BND101", what, overlay.place("configs", name), fix=nearest(str(name), known))
            continue
        linked = {_text(entity, "name"): entity for _, entity in _entities(known[str(name)])}
        for entity, exception in _mappings(tree, "entities"):
            where = ("configs", name, "entities", entity)
            if entity not in linked:
                what = f"the overlay names the entity {entity!r}, which the config {name!r} does not link"
                yield _error("BND102", what, overlay.place(*where), fix=nearest(str(entity), linked))
            else:
                inherited = {"append_only": _text(linked[str(entity)], "append_only")}
                yield from _strategy(inherited | exception, overlay, *where)
                yield from _mask(exception, overlay, *where)
                yield from _without_effect(exception, LinkedEntity, overlay, *where)


def _variables(config: Document) -> Iterator[Finding]:
    for path, text in config.texts():
        if any(named(text)):
            why = "a config is the same in every environment; variables are resolved in overlays only"
            fix = "name the variable in environments/NAME.yaml"
            yield _warning("BND042", "the variable is not resolved here", config.place(*path), why, fix)


# --- secrets --------------------------------------------------------------------------------------------------------


def _secrets(parts: Parts) -> Iterator[Finding]:
    """Yield secrets by place, never by value: in YAML whole lines are searched (comments too), in XML the values."""
    for path, text in parts.texts.items():
        yield from map(_secret, secrets.in_lines(text, path))
    documents = [parts.solution, *parts.configs, *parts.overlays.values()]
    present = [document for document in documents if document is not None]
    for document in present:
        if document.path not in parts.texts:
            yield from map(_secret, secrets.in_values(document))
    for document in present:
        yield from map(_secret, secrets.by_name(document))


def secret_findings(text: str, document: Document) -> Iterator[Finding]:
    """Yield the secrets of a YAML file alone, such as an overlay beside a bundle."""
    yield from map(_secret, (*secrets.in_lines(text, document.path), *secrets.by_name(document)))


def secrets_in(document: Document) -> Iterator[Finding]:
    """Yield the secrets among the values of a document, such as those that variables brought."""
    return map(_secret, secrets.in_values(document))


def _secret(where: Place) -> Finding:
    why = "a bundle is kept in version control and travels to other people"
    fix = "remove it and revoke it; sign in with an identity instead"
    return _error("BND025", "a secret has no place in a bundle", where, why, fix)


def redacted(finding: Finding) -> Finding:
    """Return a finding in which no text holds a secret."""
    where = replace(finding.where, key=_redacted(finding.where.key))
    what, why, fix = map(_redacted, (finding.what, finding.why, finding.fix))
    return replace(finding, what=what, where=where, why=why, fix=fix)


def _redacted(text: str) -> str:
    for pattern in secrets.SECRETS:
        text = pattern.sub("***", text)
    return text
