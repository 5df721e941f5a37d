"""The tables of solutions, publishers, jobs and settings. Source of names and values: Microsoft's table references.

Columns of which an organization on this machine knows nothing are left out of the definitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.bundle.customizations import CONFIG
from toolkit.dataverse.publisher_rows import ADDRESS_COLUMNS, NUMBERS, base_text, publisher_row
from toolkit.model.entity import Attribute, AttributeType, Entity, Option
from toolkit.model.solution import CORE_SOLUTION, RootComponent
from toolkit.organization import catalog, configs, jobs, metadata_ids, operations, solutions
from toolkit.organization.configs import ACTIVE, Held
from toolkit.organization.customization import OPTION_SET_COMPONENT, RELATIONSHIP_COMPONENT
from toolkit.organization.database import Connection
from toolkit.organization.definitions import NO_YES
from toolkit.organization.incoming import ENTITY_COMPONENT
from toolkit.organization.solutions import Registered
from toolkit.server.system.hosted import HOSTED_TABLES
from toolkit.server.system.ids import ACTIVE_SOLUTION, ADMINISTRATOR_TEMPLATE, DEFAULT_SOLUTION, Ids
from toolkit.server.system.table import SystemTable

Row = Mapping[str, object]

CONFIG_COMPONENT = 10105
"""The number of components that are export configs. Dataverse gives each organization another one from 10000 on."""
_LONG = 1_048_576


def _entity(entity: str, entity_set: str, title: str | None, /, **columns: str | Attribute) -> Entity:
    """Return a definition. A column is its type, ``lookup:TARGET``, or an attribute; the first is the primary id."""
    attributes = [_attribute(key, kind) if isinstance(kind, str) else kind for key, kind in columns.items()]
    return Entity(
        name=entity,
        set_name=entity_set,
        primary_id=attributes[0].name,
        primary_name=title,
        change_tracking=False,
        can_track=False,
        attributes=tuple(attributes),
    )


def _attribute(name: str, kind: str) -> Attribute:
    type_, _, target = kind.partition(":")
    return Attribute(
        name=name,
        type=AttributeType(type_),
        targets=(target,) if target else (),
        max_length={"string": 4000, "memo": _LONG}.get(type_),
    )


def _choice(name: str, labels: Mapping[int, str], kind: AttributeType = AttributeType.CHOICE) -> Attribute:
    options = tuple(Option(value=value, labels={1033: label}) for value, label in labels.items())
    return Attribute(name=name, type=kind, options=options)


def _boolean(name: str) -> Attribute:
    return Attribute(name=name, type=AttributeType.BOOLEAN, options=NO_YES)


# --- publishers and solutions -----------------------------------------------------------------------------------------


def _address_columns() -> dict[str, str | Attribute]:
    kinds = {column: "integer" if column in NUMBERS else "string" for column in ADDRESS_COLUMNS.values()}
    kinds |= {"latitude": "double", "longitude": "double"}
    return {f"address{number}_{column}": kind for number in (1, 2) for column, kind in kinds.items()}


PUBLISHER = _entity(
    "publisher",
    "publishers",
    "friendlyname",
    publisherid="uniqueidentifier",
    uniquename="string",
    friendlyname="string",
    description="memo",
    emailaddress="string",
    supportingwebsiteurl="string",
    customizationprefix="string",
    customizationoptionvalueprefix="integer",
    isreadonly=_boolean("isreadonly"),
    organizationid="lookup:organization",
    **_address_columns(),
)


def publisher_rows(connection: Connection) -> Iterator[Row]:
    """Yield the publishers; none is read-only, as only the platform's own are."""
    ids = Ids(connection)
    for name, publisher in catalog.publishers(connection).items():
        fixed = {"publisherid": ids.publisher(name), "isreadonly": False, "organizationid": ids.organization}
        yield {**publisher_row(publisher), **fixed}


SOLUTION = _entity(
    "solution",
    "solutions",
    "friendlyname",
    solutionid="uniqueidentifier",
    uniquename="string",
    friendlyname="string",
    description="memo",
    version="string",
    ismanaged=_boolean("ismanaged"),
    isvisible=_boolean("isvisible"),
    publisherid="lookup:publisher",
    organizationid="lookup:organization",
)


def solution_rows(connection: Connection) -> Iterator[Row]:
    """Yield the solutions, and the two that every organization has: Default, and Active, which nobody sees."""
    ids = Ids(connection)
    organization = catalog.organization(connection)
    owner = ids.publisher(catalog.default_publisher(organization).unique_name)
    for name, key in (("Default", DEFAULT_SOLUTION), ("Active", ACTIVE_SOLUTION)):
        yield {
            "solutionid": key,
            "uniquename": name,
            "friendlyname": f"{name} Solution",
            "version": "1.0",
            "ismanaged": False,
            "isvisible": key == DEFAULT_SOLUTION,
            "publisherid": owner,
            "organizationid": ids.organization,
        }
    for registered in solutions.solutions(connection).values():
        yield _solution_row(ids, registered)


def _solution_row(ids: Ids, registered: Registered) -> Row:
    solution = registered.solution
    return {
        "solutionid": ids.solution(registered.name),
        "uniquename": registered.name,
        "friendlyname": base_text(solution.display_names) or registered.name,
        "description": base_text(solution.descriptions),
        "version": str(solution.version),
        "ismanaged": registered.managed,
        "isvisible": True,
        "publisherid": ids.publisher(solution.publisher.unique_name),
        "organizationid": ids.organization,
    }


# --- components and dependencies --------------------------------------------------------------------------------------

COMPONENT = _entity(
    "solutioncomponent",
    "solutioncomponents",
    None,
    solutioncomponentid="uniqueidentifier",
    objectid="uniqueidentifier",
    componenttype="integer",
    rootcomponentbehavior="integer",
    ismetadata=_boolean("ismetadata"),
    solutionid="lookup:solution",
    createdon="datetime",
)


def component_rows(connection: Connection) -> Iterator[Row]:
    """Yield what belongs to solutions, in the order in which it came to each."""
    ids = Ids(connection)
    for registered in solutions.solutions(connection).values():
        for component in registered.components:
            yield _component_row(ids, registered, component)
        for config in registered.configs:
            yield {
                "solutioncomponentid": ids.component(registered.name, config),
                "objectid": config,
                "componenttype": CONFIG_COMPONENT,
                "ismetadata": False,
                "solutionid": ids.solution(registered.name),
            }


def _component_row(ids: Ids, registered: Registered, component: RootComponent) -> Row:
    return {
        "solutioncomponentid": ids.component(registered.name, f"{component.type}:{object_id(component)}"),
        "objectid": object_id(component),
        "componenttype": int(component.type) if component.type.isdecimal() else None,
        "rootcomponentbehavior": int(component.behavior) if component.behavior else 0,
        "ismetadata": component.type in {ENTITY_COMPONENT, *_METADATA_IDS},
        "solutionid": ids.solution(registered.name),
    }


def object_id(component: RootComponent) -> str:
    """Return the id of what a component is: its own, or the MetadataId of what has its name."""
    if component.id is not None:
        return component.id.strip("{}").lower()
    made = _METADATA_IDS.get(component.type, metadata_ids.entity_id)
    return made((component.schema_name or "").lower())


_METADATA_IDS = {OPTION_SET_COMPONENT: metadata_ids.option_set_id, RELATIONSHIP_COMPONENT: metadata_ids.relationship_id}
"""What makes the ids of components that are no entities, by type."""


COMPONENT_DEFINITION = _entity(
    "solutioncomponentdefinition",
    "solutioncomponentdefinitions",
    "name",
    solutioncomponentdefinitionid="uniqueidentifier",
    name="string",
    primaryentityname="string",
    solutioncomponenttype="integer",
)


def component_definition_rows(connection: Connection) -> Iterator[Row]:
    """Yield the kinds of components that are rows of a table: export configs, where Core is installed."""
    if solutions.find(connection, CORE_SOLUTION) is not None:
        yield {
            "solutioncomponentdefinitionid": Ids(connection).component("", CONFIG),
            "name": CONFIG,
            "primaryentityname": CONFIG,
            "solutioncomponenttype": CONFIG_COMPONENT,
        }


DEPENDENCY = _entity(
    "dependency",
    "dependencies",
    None,
    dependencyid="uniqueidentifier",
    dependencytype=_choice("dependencytype", {0: "None", 1: "Solution Internal", 2: "Published", 4: "Unpublished"}),
    requiredcomponentobjectid="uniqueidentifier",
    requiredcomponenttype="integer",
    dependentcomponentobjectid="uniqueidentifier",
    dependentcomponenttype="integer",
)


def dependency_rows(connection: Connection) -> Iterator[Row]:
    """Yield what needs what: every export config needs the table that Core brings."""
    ids = Ids(connection)
    for key in configs.rows(connection):
        yield {
            "dependencyid": ids.component("dependency", key),
            "dependencytype": 2,
            "requiredcomponentobjectid": metadata_ids.entity_id(CONFIG),
            "requiredcomponenttype": int(ENTITY_COMPONENT),
            "dependentcomponentobjectid": key,
            "dependentcomponenttype": CONFIG_COMPONENT,
        }


# --- export configs ---------------------------------------------------------------------------------------------------

EXPORT_CONFIG = _entity(
    CONFIG,
    f"{CONFIG}s",
    "msdyn_name",
    **{f"{CONFIG}id": "uniqueidentifier"},
    msdyn_name="string",
    msdyn_schema="memo",
    statecode=_choice("statecode", {0: "Active", 1: "Inactive"}, AttributeType.STATE),
    statuscode=_choice("statuscode", {1: "Active", 2: "Inactive"}, AttributeType.STATUS),
    iscustomizable=_boolean("iscustomizable"),
    ismanaged=_boolean("ismanaged"),
    componentstate=_choice(
        "componentstate", {0: "Published", 1: "Unpublished", 2: "Deleted", 3: "Deleted Unpublished"}
    ),
    solutionid="uniqueidentifier",
)


def config_rows(connection: Connection) -> Iterator[Row]:
    """Yield the export configs; their solution is that of the topmost layer."""
    ids = Ids(connection)
    return (_config_row(ids, held) for held in configs.rows(connection).values())


def _config_row(ids: Ids, held: Held) -> Row:
    config = held.content.config
    return {
        f"{CONFIG}id": config.id,
        "msdyn_name": config.name,
        "msdyn_schema": held.content.schema,
        "statecode": config.state,
        "statuscode": config.status,
        "iscustomizable": config.customizable,
        "ismanaged": held.managed,
        "componentstate": 0,
        "solutionid": ACTIVE_SOLUTION if held.layer == ACTIVE else ids.solution(held.layer),
    }


# --- jobs -------------------------------------------------------------------------------------------------------------

IMPORT_JOB = _entity(
    "importjob",
    "importjobs",
    "solutionname",
    importjobid="uniqueidentifier",
    solutionname="string",
    progress="double",
    startedon="datetime",
    completedon="datetime",
    createdon="datetime",
    data="memo",
)


def import_job_rows(connection: Connection) -> Iterator[Row]:
    """Yield the import jobs, oldest first, each with its report."""
    for job in jobs.jobs(connection):
        yield {
            "importjobid": job.id,
            "solutionname": job.solution,
            "progress": job.progress,
            "startedon": job.started,
            "completedon": job.ended,
            "createdon": job.started,
            "data": job.data,
        }


_STATUSES = {
    0: "Waiting For Resources",
    10: "Waiting",
    20: "In Progress",
    30: "Succeeded",
    31: "Failed",
    32: "Canceled",
}

SYSTEM_JOB = _entity(
    "asyncoperation",
    "asyncoperations",
    "name",
    asyncoperationid="uniqueidentifier",
    name="string",
    operationtype=_choice(
        "operationtype", {202: "Export Solution Async Operation", 203: "Import Solution Async Operation"}
    ),
    statecode=_choice("statecode", {0: "Ready", 1: "Suspended", 2: "Locked", 3: "Completed"}, AttributeType.STATE),
    statuscode=_choice("statuscode", _STATUSES, AttributeType.STATUS),
    message="memo",
    friendlymessage="memo",
    errorcode="integer",
    createdon="datetime",
    startedon="datetime",
    completedon="datetime",
)


def system_job_rows(connection: Connection) -> Iterator[Row]:
    """Yield the system jobs, oldest first."""
    for job in operations.jobs(connection):
        yield {
            "asyncoperationid": job.id,
            "name": job.name,
            "operationtype": int(job.kind),
            "statecode": int(job.state),
            "statuscode": int(job.status),
            "message": job.message or None,
            "friendlymessage": job.message or None,
            "errorcode": job.error_code or None,
            "createdon": job.created,
            "startedon": job.started,
            "completedon": job.ended,
        }


# --- the organization -------------------------------------------------------------------------------------------------

ORGANIZATION = _entity(
    "organization",
    "organizations",
    "name",
    organizationid="uniqueidentifier",
    name="string",
    expirechangetrackingindays="integer",
    expiresubscriptionsindays="integer",
    languagecode="integer",
)


def organization_rows(connection: Connection) -> Iterator[Row]:
    """Yield the one organization."""
    found = catalog.organization(connection)
    yield {
        "organizationid": found.id,
        "name": found.unique_name,
        "expirechangetrackingindays": catalog.settings(connection).change_tracking_expiry_days,
        "expiresubscriptionsindays": 90,
        "languagecode": 1033,
    }


ROLE = _entity(
    "role",
    "roles",
    "name",
    roleid="uniqueidentifier",
    name="string",
    roletemplateid="lookup:roletemplate",
    businessunitid="lookup:businessunit",
)


def role_rows(connection: Connection) -> Iterator[Row]:
    """Yield the roles of the one user: System Administrator where that is a setting, and System Customizer."""
    ids = Ids(connection)
    roles: dict[str, str | None] = {"System Customizer": None}
    if catalog.settings(connection).administrator is not False:
        roles = {"System Administrator": ADMINISTRATOR_TEMPLATE, **roles}
    for name, template in roles.items():
        yield {
            "roleid": ids.component("roles", name),
            "name": name,
            "roletemplateid": template,
            "businessunitid": ids.business_unit,
        }


SYSTEM_TABLES: tuple[SystemTable, ...] = (
    SystemTable(PUBLISHER, publisher_rows),
    SystemTable(SOLUTION, solution_rows),
    SystemTable(COMPONENT, component_rows),
    SystemTable(COMPONENT_DEFINITION, component_definition_rows),
    SystemTable(DEPENDENCY, dependency_rows),
    SystemTable(EXPORT_CONFIG, config_rows, solution=CORE_SOLUTION),
    SystemTable(IMPORT_JOB, import_job_rows),
    SystemTable(SYSTEM_JOB, system_job_rows),
    SystemTable(ORGANIZATION, organization_rows),
    SystemTable(ROLE, role_rows),
    *HOSTED_TABLES,
)
