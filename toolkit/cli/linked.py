"""What a person types for linked entities and links, as model values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from toolkit.errors import Finding, Invalid, NotFound, Refused, Severity, nearest
from toolkit.model.config import LinkedEntity, PartitionStrategy
from toolkit.model.environment import ConfigRow
from toolkit.site import Broken, Linked, Site, leading

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


@dataclass(frozen=True, slots=True)
class Named:
    """Export configs by id, each with the names that it has: an overlay may give a link another name than its row."""

    names: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, site: Site, links: Iterable[Linked], *, unlinked: bool = False) -> Named:
        """Return the configs of some links, under the names of link and row; with ``unlinked`` all other rows too."""
        rows = site.environment.inventory().configs
        linked = defaultdict[str, list[str]](list)
        for each in links:
            # One that moves may have another name in its new lake.
            linked[each.link.config.id].append(each.link.config.name)
        ids = {*linked, *(rows if unlinked else ())}
        return cls({key: frozenset(_names(key, linked, rows)) for key in sorted(ids)})

    def id(self, text: str, missing: NotFound) -> str:
        """Return the id of the config that a text names by id or name.

        Raises ``missing``, with the nearest name, where there is none, and Refused (CLI033) where there are several.
        """
        if (identity := text.strip("{}").lower()) in self.names:
            return identity
        found = [key for key, names in self.names.items() if text in names]
        if len(found) > 1:
            what = f"several export configs are named {text!r}"
            raise Refused("CLI033", what, where=missing.where, fix=f"give the id: {' or '.join(found)}")
        if not found:
            raise NotFound(
                missing.code, missing.what, where=missing.where, fix=nearest(text, self.known) or missing.fix
            )
        return found[0]

    @property
    def known(self) -> list[str]:
        """Every name, in order."""
        return sorted(set().union(*self.names.values()))


def _names(key: str, linked: Mapping[str, Sequence[str]], rows: Mapping[str, ConfigRow]) -> Iterator[str]:
    yield from linked.get(key, ())
    if key in rows:
        yield rows[key].config.name


def config_id(site: Site, text: str) -> str:
    """Return the id of an export config that is a row of the environment. Raises NotFound (CLI027)."""
    missing = NotFound(
        "CLI027",
        f"there is no export config {text!r}",
        where=site.name,
        fix="make one: toolkit lake link --account NAME",
    )
    live = [linked for linked in site.links() if linked.link.active]
    found = Named.of(site, live, unlinked=True).id(text, missing)
    if found not in site.environment.inventory().configs:
        raise missing
    return found


def one_link(site: Site, config: str | None) -> Linked:
    """Return the live link that ``config`` names, by name or id; without one, the only link there is."""
    links = leading(site.links())
    if config is not None:
        return _link_of(site, config, links)
    if len(links) == 1:
        return links[0]
    if not links:
        raise_broken(site.broken())
    what = "there are several links" if links else "there is no link"
    names = ", ".join(sorted(linked.link.config.name for linked in links))
    fix = f"add --config NAME ({names})" if links else "make one: toolkit lake link --account NAME, or import a bundle"
    raise NotFound("CLI023", what, where=site.name, fix=fix)


def _link_of(site: Site, config: str, links: Sequence[Linked]) -> Linked:
    raise_broken(_broken_of(site, config))
    missing = NotFound(
        "CLI024",
        f"there is no link of a config {config!r}",
        where=site.name,
        fix="see: toolkit lake show" if links else "make one: toolkit lake link --account NAME, or import a bundle",
    )
    try:
        found = Named.of(site, links).id(config, missing)
    except NotFound:
        # A link that cannot be read does not tell its name: it may be the one that is meant.
        raise_broken(site.broken())
        raise
    return next(linked for linked in links if linked.link.config.id == found)


def _broken_of(site: Site, config: str) -> Iterator[Broken]:
    """Yield the broken link that a text names: by id, or by the name of the config's row."""
    rows = site.environment.inventory().configs
    for broken in site.broken():
        key = broken.address.config
        if config.strip("{}").lower() == key or (key in rows and rows[key].config.name == config):
            yield broken


def raise_broken(broken: Iterable[Broken]) -> None:
    """Raise the error of the first link that cannot be read, if there is one."""
    for each in broken:
        raise each.error


def chosen_links(site: Site, config: str | None) -> list[Linked]:
    """Return the links of the config that a text names, or all that can be read; ended ones count too.

    A config has two while it moves to another lake.
    """
    links = list(site.links())
    if config is None:
        return links
    found = _link_of(site, config, links).link.config.id
    return [linked for linked in links if linked.link.config.id == found]


def broken_links(site: Site, config: str | None = None) -> list[Finding]:
    """Return what is wrong with the links that cannot be read, unless a command is about one that can."""
    broken = () if config is not None else site.broken()
    return [finding for each in broken for finding in each.error.findings]


def chosen_entities(links: Sequence[Linked], entities: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the entities that were named, by the id of each link that has some of them.

    Raises NotFound (CLI032) for a name that no link has.
    """
    named = [name.lower() for name in entities]
    linked = {each.link.config.id: {entity.name for entity in each.link.config.entities} for each in links}
    known = set().union(*linked.values())
    for name in named:
        if name not in known:
            where = ", ".join(each.link.config.name for each in links)
            fix = nearest(name, known) or "see: toolkit entity list"
            raise NotFound("CLI032", f"the entity {name!r} is not linked", where=where, fix=fix)
    chosen = {key: tuple(name for name in named if name in names) for key, names in linked.items()}
    return {key: names for key, names in chosen.items() if names}
