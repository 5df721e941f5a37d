"""The ids of metadata: the same for the same name in every organization, as those of Dataverse's own tables are.

A name is never given to another thing, so an id is made of what it names (UUID version 5) and stored nowhere.
"""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f0a1bd2-5a0f-4f43-9c0e-0d6b5f3f7a11")


@lru_cache(maxsize=1 << 17)
def _id(*names: str) -> str:
    return str(uuid5(_NAMESPACE, "/".join(names)))


def entity_id(entity: str) -> str:
    """Return the MetadataId of an entity."""
    return _id("entity", entity)


def attribute_id(entity: str, attribute: str) -> str:
    """Return the MetadataId of an attribute."""
    return _id("attribute", entity, attribute)


def relationship_id(schema_name: str) -> str:
    """Return the MetadataId of a relationship."""
    return _id("relationship", schema_name.lower())


def key_id(entity: str, key: str) -> str:
    """Return the MetadataId of an alternate key."""
    return _id("key", entity, key)


def option_set_id(name: str) -> str:
    """Return the MetadataId of a choice: a global one by its name, a local one by ``<entity>_<attribute>``."""
    return _id("optionset", name)


def label_id(owner: str, part: str, language: int) -> str:
    """Return the MetadataId of a text in one language: ``owner`` is the id of what it belongs to."""
    return _id("label", owner, part, str(language))
