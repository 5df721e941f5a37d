"""The functions and actions that are served, as ``$metadata`` tells of them. A test keeps them equal to the routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FUNCTION, ACTION = "Function", "Action"


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a complex type, or a parameter."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """A function or an action; ``bound_to`` is the type that it is called on."""

    kind: str
    name: str
    parameters: tuple[Property, ...] = ()
    returns: str = ""
    bound_to: str = ""

    @property
    def all_parameters(self) -> tuple[Property, ...]:
        """The parameters, the one that it is bound to first."""
        bound = (Property("entityset", self.bound_to, nullable=False),) if self.bound_to else ()
        return (*bound, *self.parameters)


def _properties(**types: str) -> tuple[Property, ...]:
    """Return properties by name; a type with ``!`` behind it is never null."""
    return tuple(Property(name, kind.removesuffix("!"), not kind.endswith("!")) for name, kind in types.items())


_ROWS = "Collection(mscrm.crmbaseentity)"
_TARGETS = {"Targets": f"{_ROWS}!"}
_PACKAGE = {
    "CustomizationFile": "Edm.Binary",
    "OverwriteUnmanagedCustomizations": "Edm.Boolean!",
    "PublishWorkflows": "Edm.Boolean!",
    "SolutionParameters": "mscrm.SolutionParameters",
}
_HOLDING = {"HoldingSolution": "Edm.Boolean"}
_JOB = {"ImportJobId": "Edm.Guid!"}
_JOBS = {"ImportJobKey": "Edm.String", "AsyncOperationId": "Edm.Guid"}
_EXPORT = {"SolutionName": "Edm.String!", "Managed": "Edm.Boolean!"}

ENUM_TYPES: Mapping[str, tuple[str, ...]] = {
    "DeletedMetadataFilters": ("Entity", "Attribute", "Relationship", "Label", "OptionSet", "All"),
    "EndpointAccessType": ("Default", "Internet", "Intranet"),
}
OPEN_TYPES = (
    "ComplexEntityMetadata",
    "DeletedMetadataCollection",
    "EntityQueryExpression",
    "EntityRecordCountCollection",
    "OrganizationDetail",
    "QueryExpression",
    "RolePrivilege",
    "SolutionParameters",
    "StageSolutionResults",
)
"""Complex types whose properties are many; Microsoft's reference tells of them."""
COMPLEX_TYPES: Mapping[str, tuple[Property, ...]] = {
    "AddSolutionComponentResponse": _properties(id="Edm.Guid!"),
    "BulkDeleteResponse": _properties(JobId="Edm.Guid!"),
    "CreateEntitiesResponse": _properties(EntityIds="Collection(Edm.Guid)!"),
    "CreateMultipleResponse": _properties(Ids="Collection(Edm.Guid)!"),
    "DeleteAndPromoteResponse": _properties(SolutionId="Edm.Guid!"),
    "DownloadSolutionExportDataResponse": _properties(ExportSolutionFile="Edm.Binary"),
    "ExportSolutionAsyncResponse": _properties(AsyncOperationId="Edm.Guid!", ExportJobId="Edm.Guid!"),
    "ExportSolutionResponse": _properties(ExportSolutionFile="Edm.Binary"),
    "ImportSolutionAsyncResponse": _properties(**_JOBS),
    "RemoveSolutionComponentResponse": _properties(id="Edm.Guid!"),
    "RetrieveCurrentOrganizationResponse": _properties(Detail="mscrm.OrganizationDetail"),
    "RetrieveMetadataChangesResponse": _properties(
        EntityMetadata="Collection(mscrm.ComplexEntityMetadata)!",
        ServerVersionStamp="Edm.String!",
        DeletedMetadata="mscrm.DeletedMetadataCollection",
    ),
    "RetrieveTotalRecordCountResponse": _properties(EntityRecordCountCollection="mscrm.EntityRecordCountCollection"),
    "RetrieveUserPrivilegesResponse": _properties(RolePrivileges="Collection(mscrm.RolePrivilege)!"),
    "RetrieveVersionResponse": _properties(Version="Edm.String"),
    "StageAndUpgradeAsyncResponse": _properties(**_JOBS),
    "StageAndUpgradeResponse": _properties(SolutionId="Edm.Guid!"),
    "StageSolutionResponse": _properties(StageSolutionResults="mscrm.StageSolutionResults"),
    "WhoAmIResponse": _properties(BusinessUnitId="Edm.Guid!", UserId="Edm.Guid!", OrganizationId="Edm.Guid!"),
}


def _function(name: str, parameters: Mapping[str, str], returns: str, bound_to: str = "") -> Operation:
    return Operation(FUNCTION, name, _properties(**parameters), returns, bound_to)


def _action(name: str, parameters: Mapping[str, str], returns: str = "", bound_to: str = "") -> Operation:
    return Operation(ACTION, name, _properties(**parameters), returns, bound_to)


OPERATIONS: tuple[Operation, ...] = (
    _function("WhoAmI", {}, "mscrm.WhoAmIResponse"),
    _function("RetrieveVersion", {}, "mscrm.RetrieveVersionResponse"),
    _function(
        "RetrieveCurrentOrganization",
        {"AccessType": "mscrm.EndpointAccessType!"},
        "mscrm.RetrieveCurrentOrganizationResponse",
    ),
    _function(
        "RetrieveTotalRecordCount",
        {"EntityNames": "Collection(Edm.String)!"},
        "mscrm.RetrieveTotalRecordCountResponse",
    ),
    _function("RetrieveUserPrivileges", {}, "mscrm.RetrieveUserPrivilegesResponse", "mscrm.systemuser"),
    _function(
        "RetrieveUserSetOfPrivilegesByNames",
        {"PrivilegeNames": "Collection(Edm.String)!"},
        "mscrm.RetrieveUserPrivilegesResponse",
        "mscrm.systemuser",
    ),
    _function(
        "RetrieveMetadataChanges",
        {
            "Query": "mscrm.EntityQueryExpression",
            "DeletedMetadataFilters": "mscrm.DeletedMetadataFilters",
            "ClientVersionStamp": "Edm.String",
        },
        "mscrm.RetrieveMetadataChangesResponse",
    ),
    _function("RetrieveMissingDependencies", {"SolutionUniqueName": "Edm.String!"}, "Collection(mscrm.dependency)"),
    _function(
        "RetrieveDependenciesForUninstall", {"SolutionUniqueName": "Edm.String!"}, "Collection(mscrm.dependency)"
    ),
    _action(
        "CreateEntities",
        {"Entities": "Collection(mscrm.ComplexEntityMetadata)!", "SolutionUniqueName": "Edm.String"},
        "mscrm.CreateEntitiesResponse",
    ),
    _action("CreateMultiple", _TARGETS, "mscrm.CreateMultipleResponse", _ROWS),
    _action("UpdateMultiple", _TARGETS, bound_to=_ROWS),
    _action("UpsertMultiple", _TARGETS, bound_to=_ROWS),
    _action("BulkDelete", {"QuerySet": "Collection(mscrm.QueryExpression)!"}, "mscrm.BulkDeleteResponse"),
    _action("ExportSolution", _EXPORT, "mscrm.ExportSolutionResponse"),
    _action("ExportSolutionAsync", _EXPORT, "mscrm.ExportSolutionAsyncResponse"),
    _action("DownloadSolutionExportData", {"ExportJobId": "Edm.Guid!"}, "mscrm.DownloadSolutionExportDataResponse"),
    _action("StageSolution", {"CustomizationFile": "Edm.Binary!"}, "mscrm.StageSolutionResponse"),
    _action("ImportSolution", {**_PACKAGE, **_HOLDING, **_JOB}),
    _action("ImportSolutionAsync", {**_PACKAGE, **_HOLDING}, "mscrm.ImportSolutionAsyncResponse"),
    _action("StageAndUpgrade", {**_PACKAGE, **_JOB}, "mscrm.StageAndUpgradeResponse"),
    _action("StageAndUpgradeAsync", _PACKAGE, "mscrm.StageAndUpgradeAsyncResponse"),
    _action("DeleteAndPromote", {"UniqueName": "Edm.String!"}, "mscrm.DeleteAndPromoteResponse"),
    _action("PublishAllXml", {}),
    _action("PublishXml", {"ParameterXml": "Edm.String!"}),
    _action(
        "AddSolutionComponent",
        {
            "ComponentId": "Edm.Guid!",
            "ComponentType": "Edm.Int32!",
            "SolutionUniqueName": "Edm.String!",
            "AddRequiredComponents": "Edm.Boolean!",
            "DoNotIncludeSubcomponents": "Edm.Boolean",
        },
        "mscrm.AddSolutionComponentResponse",
    ),
    _action(
        "RemoveSolutionComponent",
        {
            "SolutionComponent": "mscrm.solutioncomponent!",
            "ComponentType": "Edm.Int32!",
            "SolutionUniqueName": "Edm.String!",
        },
        "mscrm.RemoveSolutionComponentResponse",
    ),
)
