"""Changes of the platform's own tables: publishers, solutions, what belongs to them, export configs, settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from toolkit.dataverse.configs import ConfigText
from toolkit.dataverse.publisher_rows import localized, publisher_of, publisher_row
from toolkit.environment import by_hand
from toolkit.environment.refusals import UPDATE_OF_MANAGED, protected
from toolkit.environment.rows import config_of
from toolkit.model.entity import Entity
from toolkit.model.names import GUID
from toolkit.model.solution import CORE_SOLUTION, Publisher, RootComponent, Solution
from toolkit.organization import catalog, configs, installation, metadata, metadata_ids, solutions
from toolkit.organization.catalog import Settings
from toolkit.organization.configs import Held
from toolkit.organization.database import Connection
from toolkit.organization.incoming import ENTITY_COMPONENT
from toolkit.organization.solutions import Registered
from toolkit.server.call import BAD_PAYLOAD, Answer, Call, ODataError, bad_request, no_resource, not_supported
from toolkit.server.query.keys import Key, missing
from toolkit.server.query.parameters import parameters, required
from toolkit.server.query.properties import find, no_property
from toolkit.server.query.tables import table
from toolkit.server.route import Route
from toolkit.server.rows.records import Reader
from toolkit.server.system.ids import Ids
from toolkit.server.system.tables import (
    CONFIG_COMPONENT,
    EXPORT_CONFIG,
    ORGANIZATION,
    PUBLISHER,
    SOLUTION,
    dependency_rows,
    object_id,
)
from toolkit.server.world import World

IN_SOLUTION = "mscrm.solutionuniquename"
"""The header that puts what is new into a solution."""
ALREADY = "0x80060892"
"""Dataverse's code for a row that is there and must not be (``If-None-Match: *``)."""
DUPLICATE = "0x80040237"
"""Dataverse's code for an id that is there already."""
IN_USE = "SRV060"


# --- bodies and answers -----------------------------------------------------------------------------------------------


def _body(call: Call, definition: Entity, *also: str) -> dict[str, Any]:
    """Return the body without annotations. Raises ODataError (400) for properties that the table does not have."""
    body = call.object()
    for name in body:
        if "@" not in name and name not in also and find(definition, name) is None:
            raise no_property(definition, name)
    return {name: value for name, value in body.items() if "@" not in name or name.endswith("@odata.bind")}


@dataclass(frozen=True, slots=True)
class _Written:
    """A row that a call wrote: how the call is answered."""

    world: World
    connection: Connection
    call: Call
    definition: Entity
    key: str

    def created(self) -> Answer:
        """Say where the new row is, or return the row where the call asks for it."""
        return self._shown(201) if self._asked else Answer.none({**self._place, "Location": self._address})

    def changed(self) -> Answer:
        """Say where the row is, or return it where the call asks for it."""
        return self._shown(200) if self._asked else Answer.none(self._place)

    @property
    def _asked(self) -> bool:
        return self.call.prefer.get("return") == "representation"

    @property
    def _address(self) -> str:
        return f"{self.call.base}{self.definition.set_name}({self.key})"

    @property
    def _place(self) -> dict[str, str]:
        return {"OData-EntityId": self._address}

    def _shown(self, status: int) -> Answer:
        found = table(self.connection, self.definition.set_name)
        key = Key.of_id(self.definition, self.key)
        return Reader(self.world, self.connection, self.call, found).record(key, status)


def _gone(definition: Entity, key: str) -> ODataError:
    return missing(definition, Key.of_id(definition, key))


def _invalid(error: ValueError) -> ODataError:
    """Return the refusal of values that break a rule; it names the first one and not the value."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return bad_request(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", BAD_PAYLOAD)
    return bad_request(str(error), BAD_PAYLOAD)


# --- publishers -------------------------------------------------------------------------------------------------------


def create_publisher(world: World, call: Call) -> Answer:
    """Create a publisher."""
    body = _body(call, PUBLISHER)
    publisher = _publisher({"friendlyname": required(body, "uniquename"), **body})
    with world.write() as connection:
        by_hand.create_publisher(connection, publisher)
        return _Written(world, connection, call, PUBLISHER, Ids(connection).publisher(publisher.unique_name)).created()


def _publisher(body: Mapping[str, Any]) -> Publisher:
    empty = {attribute.name: None for attribute in PUBLISHER.attributes}
    try:
        return publisher_of({**empty, **body})
    except ValueError as error:
        raise _invalid(error) from error


def _found_publisher(connection: Connection, key: str) -> Publisher:
    ids = Ids(connection)
    for name, publisher in catalog.publishers(connection).items():
        if ids.publisher(name) == key.lower():
            return publisher
    raise _gone(PUBLISHER, key)


def update_publisher(world: World, call: Call, key: str) -> Answer:
    """Change what is said of a publisher; its unique name is its identity."""
    body = _body(call, PUBLISHER)
    with world.write() as connection:
        old = _found_publisher(connection, key)
        new = _publisher({**publisher_row(old), **body})
        if new.unique_name != old.unique_name:
            raise bad_request("the unique name of a publisher cannot be changed")
        texts = {
            "display_names": {**old.display_names, **localized(body.get("friendlyname"))},
            "descriptions": {**old.descriptions, **localized(body.get("description"))},
        }
        catalog.put_publisher(connection, new.model_copy(update=texts))
        return _Written(world, connection, call, PUBLISHER, key).changed()


def delete_publisher(world: World, _call: Call, key: str) -> Answer:
    """Delete a publisher that owns no solution."""
    with world.write() as connection:
        name = _found_publisher(connection, key).unique_name
        owned = [each.name for each in solutions.solutions(connection).values() if _owns(name, each)]
        if owned:
            raise bad_request(f"the publisher {name} owns {', '.join(owned)}", IN_USE)
        catalog.delete_publisher(connection, name)
    return Answer.none()


def _owns(publisher: str, registered: Registered) -> bool:
    return registered.solution.publisher.unique_name.casefold() == publisher.casefold()


# --- solutions --------------------------------------------------------------------------------------------------------

_BOUND = "publisherid@odata.bind"


def create_solution(world: World, call: Call) -> Answer:
    """Create an unmanaged solution."""
    body = _body(call, SOLUTION)
    bound = re.fullmatch(rf"(?:.*/)?publishers\(({GUID[1:-1]})\)", str(required(body, _BOUND)))
    if bound is None:
        raise bad_request(f"{_BOUND} names no publisher", BAD_PAYLOAD)
    with world.write() as connection:
        publisher = _found_publisher(connection, bound[1])
        try:
            solution = Solution.model_validate(
                {
                    "unique_name": required(body, "uniquename"),
                    "display_names": localized(body.get("friendlyname") or body["uniquename"]),
                    "descriptions": localized(body.get("description")),
                    "version": required(body, "version"),
                    "publisher": publisher,
                }
            )
        except ValueError as error:
            raise _invalid(error) from error
        by_hand.create_solution(connection, solution)
        return _Written(world, connection, call, SOLUTION, Ids(connection).solution(solution.unique_name)).created()


def _found_solution(connection: Connection, key: str) -> Registered:
    ids = Ids(connection)
    for name, registered in solutions.solutions(connection).items():
        if ids.solution(name) == key.lower():
            return registered
    raise _gone(SOLUTION, key)


def update_solution(world: World, call: Call, key: str) -> Answer:
    """Change the version and the texts of an unmanaged solution."""
    body = _body(call, SOLUTION)
    if fixed := body.keys() - {"version", "friendlyname", "description", "solutionid"}:
        raise bad_request(f"{', '.join(sorted(fixed))} of a solution cannot be changed")
    with world.write() as connection:
        registered = _found_solution(connection, key)
        if registered.managed:
            raise protected(UPDATE_OF_MANAGED, "update", "solution", registered.name)
        old = registered.solution
        new = {
            "version": body.get("version", str(old.version)),
            "display_names": {**old.display_names, **localized(body.get("friendlyname"))},
            "descriptions": {**old.descriptions, **localized(body.get("description"))},
        }
        try:
            changed = Solution.model_validate({**old.model_dump(), **new})
        except ValueError as error:
            raise _invalid(error) from error
        solutions.put(connection, registered.model_copy(update={"solution": changed}))
        return _Written(world, connection, call, SOLUTION, key).changed()


def delete_solution(world: World, _call: Call, key: str) -> Answer:
    """Uninstall a solution: of a managed one with its rows, of an unmanaged one only the container."""
    with world.write() as connection:
        installation.uninstall(connection, _found_solution(connection, key).name)
    return Answer.none()


# --- components -------------------------------------------------------------------------------------------------------


def add_component(world: World, call: Call) -> Answer:
    """Make an entity or an export config a component of an unmanaged solution."""
    body = call.object()
    key, kind = str(required(body, "ComponentId")).lower(), required(body, "ComponentType")
    name = str(required(body, "SolutionUniqueName"))
    with world.write() as connection:
        if kind == CONFIG_COMPONENT:
            by_hand.add_config(connection, name, key)
            return _component(call, connection, name, key)
        if str(kind) != ENTITY_COMPONENT:
            raise not_supported(f"a component of type {kind}")
        behavior = "1" if body.get("DoNotIncludeSubcomponents") is True else "0"
        new = RootComponent(type=ENTITY_COMPONENT, schema_name=_entity(connection, key), behavior=behavior)
        registered = _open(connection, name)
        kept = [each for each in registered.components if object_id(each) != key]
        solutions.put(connection, _with_components(registered, [*kept, new]))
        return _component(call, connection, name, f"{ENTITY_COMPONENT}:{key}")


def remove_component(world: World, call: Call) -> Answer:
    """Take a component out of an unmanaged solution; it stays in the organization."""
    body = call.object()
    given = required(body, "SolutionComponent")
    key = str(given.get("objectid") or given.get("solutioncomponentid") if isinstance(given, dict) else given).lower()
    name = str(required(body, "SolutionUniqueName"))
    with world.write() as connection:
        registered, ids = _open(connection, name), Ids(connection)
        held = {ids.component(name, each): each for each in registered.configs}
        config = held.get(key, key)
        left = [each for each in registered.components if not _is(ids, name, each, key)]
        if config not in registered.configs and len(left) == len(registered.components):
            raise ODataError(404, "0x80040217", f"{name} has no component {key}")
        solutions.put(connection, _with_components(registered.without([config]), left))
        return _component(call, connection, name, key)


def _is(ids: Ids, solution: str, component: RootComponent, key: str) -> bool:
    own = object_id(component)
    return key in {own, ids.component(solution, f"{component.type}:{own}")}


def _entity(connection: Connection, key: str) -> str:
    for name in metadata.names(connection):
        if metadata_ids.entity_id(name) == key:
            return name
    raise ODataError(404, "0x80040217", f"there is no entity with the MetadataId {key}")


def _open(connection: Connection, name: str) -> Registered:
    """Return an unmanaged solution. Raises NotFound (ORG050), or Refused."""
    registered = solutions.solution(connection, name)
    if registered.managed:
        raise protected(UPDATE_OF_MANAGED, "update", "solution", registered.name)
    return registered


def _with_components(registered: Registered, components: list[RootComponent]) -> Registered:
    """Return a solution with these components, in what its export says too."""
    solution = registered.solution.model_copy(update={"root_components": tuple(components)})
    return registered.model_copy(update={"components": tuple(components), "solution": solution})


def _component(call: Call, connection: Connection, solution: str, component: str) -> Answer:
    context = f"{call.base}$metadata#Microsoft.Dynamics.CRM.AddSolutionComponentResponse"
    return Answer.json({"@odata.context": context, "id": Ids(connection).component(solution, component)})


# --- dependencies -----------------------------------------------------------------------------------------------------


def missing_dependencies(world: World, call: Call, given: str) -> Answer:
    """Return what a solution needs and the organization does not have."""
    with world.read() as connection:
        name, ids = _named(connection, call, given), Ids(connection)
        known = {each.casefold() for each in solutions.solutions(connection)}
        lacking = [each for each in solutions.solution(connection, name).requires if each.casefold() not in known]
        rows = [_dependency(ids, ids.solution(each), ids.solution(name)) for each in lacking]
    return _dependencies(call, rows)


def uninstall_dependencies(world: World, call: Call, given: str) -> Answer:
    """Return what keeps a solution from being uninstalled."""
    with world.read() as connection:
        name, ids = _named(connection, call, given), Ids(connection)
        rows = [dict(each) for each in dependency_rows(connection)] if name == CORE_SOLUTION else []
        others = solutions.solutions(connection).values()
        needing = [each.name for each in others if name.casefold() in {one.casefold() for one in each.requires}]
        rows += [_dependency(ids, ids.solution(name), ids.solution(each)) for each in needing]
    return _dependencies(call, rows)


def _named(connection: Connection, call: Call, given: str) -> str:
    return solutions.solution(connection, str(required(parameters(call, given), "SolutionUniqueName"))).name


def _dependency(ids: Ids, needed: str, needing: str) -> dict[str, object]:
    return {
        "dependencyid": ids.component("dependency", f"{needed} {needing}"),
        "dependencytype": 2,
        "requiredcomponentobjectid": needed,
        "dependentcomponentobjectid": needing,
    }


def _dependencies(call: Call, rows: list[dict[str, object]]) -> Answer:
    return Answer.json({"@odata.context": f"{call.base}$metadata#dependencies", "value": rows})


# --- export configs ---------------------------------------------------------------------------------------------------

_KEY = EXPORT_CONFIG.primary_id


def create_config(world: World, call: Call) -> Answer:
    """Create an export config, in the solution that the header ``MSCRM.SolutionUniqueName`` names."""
    body = _body(call, EXPORT_CONFIG)
    with world.write() as connection:
        _require_table(connection)
        key = str(body.get(_KEY) or world.new_id()).lower()
        if configs.find(connection, key) is not None:
            raise ODataError(412, DUPLICATE, "A record with matching key values already exists.")
        return _new_config(world, connection, call, {**body, _KEY: key})


def upsert_config(world: World, call: Call, key: str) -> Answer:
    """Change what an unmanaged export config says, or create it; ``If-Match: *`` only changes."""
    body = {**_body(call, EXPORT_CONFIG), _KEY: key.lower()}
    with world.write() as connection:
        _require_table(connection)
        held = configs.find(connection, key)
        if held is None and "if-match" in call.headers:
            raise _gone(EXPORT_CONFIG, key)
        if held is None:
            return _new_config(world, connection, call, body)
        if call.headers.get("if-none-match") == "*":
            raise ODataError(412, ALREADY, "A record with matching key values already exists.")
        _put_config(connection, {**_config_body(held), **body})
        return _Written(world, connection, call, EXPORT_CONFIG, key.lower()).changed()


def delete_config(world: World, _call: Call, key: str) -> Answer:
    """Delete an unmanaged export config, out of its solutions too."""
    with world.write() as connection:
        _require_table(connection)
        if configs.find(connection, key) is None:
            raise _gone(EXPORT_CONFIG, key)
        by_hand.delete_config(connection, key)
    return Answer.none()


def _require_table(connection: Connection) -> None:
    if solutions.find(connection, CORE_SOLUTION) is None:
        raise no_resource(EXPORT_CONFIG.set_name)


def _new_config(world: World, connection: Connection, call: Call, body: Mapping[str, Any]) -> Answer:
    _put_config(connection, {"statecode": 0, "statuscode": 1, "iscustomizable": True, **body})
    if (solution := call.headers.get(IN_SOLUTION)) is not None:
        by_hand.add_config(connection, solution, body[_KEY])
    return _Written(world, connection, call, EXPORT_CONFIG, body[_KEY]).created()


def _config_body(held: Held) -> dict[str, Any]:
    config = held.content.config
    return {
        "msdyn_name": config.name,
        "msdyn_schema": held.content.schema,
        "statecode": config.state,
        "statuscode": config.status,
        "iscustomizable": config.customizable,
    }


def _put_config(connection: Connection, body: Mapping[str, Any]) -> None:
    """Write a row with the text of its ``msdyn_schema`` as it was given. Raises ODataError (400), or Refused."""
    customizable = body["iscustomizable"]
    text = ConfigText(
        id=body[_KEY],
        name=required(body, "msdyn_name"),
        schema=required(body, "msdyn_schema"),
        managed=False,
        customizable=customizable.get("Value") is True if isinstance(customizable, dict) else customizable is True,
        state=body["statecode"],
        status=body["statuscode"],
    )
    try:
        config = config_of(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(error if isinstance(error, ValueError) else ValueError("it nests too deeply")) from error
    by_hand.put_config(connection, config, text.schema)


# --- settings ---------------------------------------------------------------------------------------------------------


def update_organization(world: World, call: Call, key: str) -> Answer:
    """Change for how many days the organization keeps what changed (``expirechangetrackingindays``)."""
    body = _body(call, ORGANIZATION)
    if body.keys() != {"expirechangetrackingindays"}:
        raise not_supported("a change of other settings than expirechangetrackingindays")
    with world.write() as connection:
        if Ids(connection).organization != key.lower():
            raise _gone(ORGANIZATION, key)
        settings = catalog.settings(connection).model_dump()
        try:
            new = Settings(**{**settings, "change_tracking_expiry_days": body["expirechangetrackingindays"]})
        except ValueError as error:
            raise _invalid(error) from error
        catalog.put_settings(connection, new)
        return _Written(world, connection, call, ORGANIZATION, key).changed()


_ID = rf"\((?P<key>{GUID[1:-1]})\)"
_TABLES = "Tables of the platform"
_SOLUTIONS = "Solutions"

ROUTES: tuple[Route, ...] = (
    Route("POST", "publishers", create_publisher, _TABLES, "create a publisher"),
    Route("PATCH", "publishers" + _ID, update_publisher, _TABLES, "change a publisher, but for its unique name"),
    Route("DELETE", "publishers" + _ID, delete_publisher, _TABLES, "delete a publisher that owns no solution"),
    Route("POST", "solutions", create_solution, _TABLES, "create an unmanaged solution"),
    Route("PATCH", "solutions" + _ID, update_solution, _TABLES, "change version and texts of an unmanaged solution"),
    Route("DELETE", "solutions" + _ID, delete_solution, _TABLES, "uninstall a solution"),
    Route("POST", EXPORT_CONFIG.set_name, create_config, _TABLES, "create an export config, in a solution by header"),
    Route("PATCH", EXPORT_CONFIG.set_name + _ID, upsert_config, _TABLES, "change or create an unmanaged export config"),
    Route("DELETE", EXPORT_CONFIG.set_name + _ID, delete_config, _TABLES, "delete an unmanaged export config"),
    Route("PATCH", "organizations" + _ID, update_organization, _TABLES, "change `expirechangetrackingindays`"),
    Route(
        "POST",
        "AddSolutionComponent",
        add_component,
        _SOLUTIONS,
        "make an entity or an export config a component",
    ),
    Route("POST", "RemoveSolutionComponent", remove_component, _SOLUTIONS, "take a component out of a solution"),
    Route(
        "GET",
        r"RetrieveMissingDependencies\((?P<given>.*)\)",
        missing_dependencies,
        _SOLUTIONS,
        "what a solution needs and is not there",
    ),
    Route(
        "GET",
        r"RetrieveDependenciesForUninstall\((?P<given>.*)\)",
        uninstall_dependencies,
        _SOLUTIONS,
        "what keeps a solution from being uninstalled",
    ),
)
