"""What a person types for linked entities and links, as model values."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from toolkit.errors import Finding, Invalid, NotFound, Severity, nearest
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.site import Linked, Site

APPEND_ONLY = "append-only"


def linked_entities(texts: Sequence[str]) -> tuple[LinkedEntity, ...]:
    """Return entities written as NAME, NAME=Year, NAME=Month or NAME=append-only. Raises Invalid with all mistakes."""
    found: list[Finding] = []
    entities = [entity for text in texts if (entity := _entity(text, found)) is not None]
    if found:
        raise Invalid(found)
    return tuple(entities)


def _entity(text: str, found: list[Finding]) -> LinkedEntity | None:
    name, _, how = text.partition("=")
    strategies = {strategy.value.lower(): strategy for strategy in PartitionStrategy}
    if how and how.lower() not in {APPEND_ONLY, *strategies}:
        fix = nearest(how, [APPEND_ONLY, *(strategy.value for strategy in PartitionStrategy)])
        found.append(Finding("CLI021", Severity.ERROR, f"{text}: {how!r} is neither a mode nor a strategy", fix=fix))
        return None
    try:
        return LinkedEntity(
            name=name.lower(), partition_strategy=strategies.get(how.lower()), append_only=how.lower() == APPEND_ONLY
        )
    except ValidationError:
        why = "a logical name has letters, digits and underscores"
        found.append(Finding("CLI022", Severity.ERROR, f"{name!r} is no logical name of an entity", why=why))
        return None


def one_link(site: Site, config: str | None) -> Linked:
    """Return the live link that ``config`` names, by name or id; without one, the only link there is."""
    links = [linked for linked in site.links() if linked.link.active]
    names = sorted(linked.link.config.name for linked in links)
    if config is None and len(links) == 1:
        return links[0]
    if config is None:
        what = "there are several links" if links else "there is no link"
        fix = f"add --config NAME ({', '.join(names)})" if links else "make one: toolkit lake link"
        raise NotFound("CLI023", what, where=site.name, fix=fix)
    for linked in links:
        if config in {linked.link.config.name, linked.link.config.id}:
            return linked
    raise NotFound("CLI024", f"there is no link of a config {config!r}", where=site.name, fix=nearest(config, names))


def chosen_links(site: Site, config: str | None) -> list[Linked]:
    """Return the link that ``config`` names, or all links of the environment, ended ones too."""
    return list(site.links()) if config is None else [one_link(site, config)]
