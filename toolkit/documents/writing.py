"""Tree or model -> YAML text, new or over an existing one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pydantic import BaseModel

from toolkit.documents.document import Tree
from toolkit.documents.patching import identity, patched
from toolkit.documents.reading import parse
from toolkit.documents.spelling import SCHEMA_LINE, block, is_list
from toolkit.errors import Invalid


def render(data: Mapping[str, Tree], *, schema: str, template: str | None = None) -> str:
    """Return ``data`` (mappings, sequences, text, numbers, booleans, None) as YAML that opens with the schema line.

    With a template, only the lines whose value differs change, and new keys follow the key they follow in ``data``;
    its own schema line stays.
    Where the template's layout allows no such change (or is no valid YAML), all of it is written anew.
    """
    head = f"# yaml-language-server: $schema={schema}\n"
    if template is not None and (changed := patched(template, data)) is not None:
        return _with_head(changed, head)
    return head + block(data, "") + "\n"


def yaml_text(data: Mapping[str, Tree]) -> str:
    """Return ``data`` as YAML that belongs to no file."""
    return block(data, "") + "\n"


def render_model(model: BaseModel, *, schema: str, template: str | None = None) -> str:
    """Return a model as YAML. Defaults are left out, but for those that the template spells."""
    have = {} if template is None else _data(template)
    full, sparse = _plain(model.model_dump()), _plain(model.model_dump(exclude_defaults=True))
    return render(_with_spelled(sparse, full, have), schema=schema, template=template)


def _data(text: str) -> Tree:
    try:
        return parse(text, "").data
    except Invalid:
        return {}


def _plain(value: Tree) -> Tree:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if is_list(value):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _with_spelled(sparse: Tree, full: Tree, have: Tree) -> Tree:
    """Return ``sparse`` with those values of ``full`` that ``have`` spells."""
    if isinstance(full, Mapping) and isinstance(have, Mapping):
        return {
            key: _with_spelled(sparse.get(key, [] if is_list(value) else {}), value, have.get(str(key)))
            for key, value in full.items()
            if key in sparse or (value is not None and str(key) in have)
        }
    if is_list(full) and is_list(have):
        known = {identity(item): item for item in have}
        return [
            _with_spelled(item, whole, known.get(identity(whole))) for item, whole in zip(sparse, full, strict=True)
        ]
    return sparse if isinstance(full, Mapping) or is_list(full) else full


def _with_head(text: str, head: str) -> str:
    first = text.partition("\n")[0]
    return text if SCHEMA_LINE.fullmatch(first.rstrip("\r")) else head + text
