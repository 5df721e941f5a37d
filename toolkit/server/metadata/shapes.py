"""The shapes of what clients send about metadata: what is read of a body has its type, and more may stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.server.call import BAD_PAYLOAD, bad_request

JSON: TypeAlias = Any


class Shape(BaseModel):
    """A JSON object some of whose members are read."""

    model_config = ConfigDict(extra="allow", frozen=True)


class LocalizedShape(Shape):
    """A text in one language."""

    Label: str | None = None
    LanguageCode: Annotated[int, Field(ge=1)]


class LabelShape(Shape):
    """A text in several languages."""

    LocalizedLabels: list[LocalizedShape] | None = None
    UserLocalizedLabel: LocalizedShape | None = None


class HeldShape(Shape):
    """An object that holds a text: a requirement level, a format, a behaviour."""

    Value: str | None = None


class OptionShape(Shape):
    """A value of a choice."""

    Value: int | None = None
    Label: LabelShape | None = None
    State: int | None = None


class OptionSetShape(Shape):
    """The values of a choice or of a boolean."""

    Name: str | None = None
    IsGlobal: bool | None = None
    Options: list[OptionShape] | None = None
    TrueOption: OptionShape | None = None
    FalseOption: OptionShape | None = None
    DisplayName: LabelShape | None = None


class AttributeShape(Shape):
    """AttributeMetadata of any type."""

    LogicalName: str | None = None
    DisplayName: LabelShape | None = None
    Description: LabelShape | None = None
    AttributeTypeName: HeldShape | None = None
    RequiredLevel: HeldShape | None = None
    FormatName: HeldShape | None = None
    Format: str | None = None
    DateTimeBehavior: HeldShape | None = None
    MaxLength: int | None = None
    Precision: int | None = None
    Targets: list[str] | None = None
    OptionSet: OptionSetShape | None = None


class EntityShape(Shape):
    """EntityMetadata."""

    DisplayName: LabelShape | None = None
    DisplayCollectionName: LabelShape | None = None
    Description: LabelShape | None = None
    EntitySetName: str | None = None
    OwnershipType: str | None = None
    TableType: str | None = None
    PrimaryNameAttribute: str | None = None
    Attributes: list[AttributeShape] | None = None


class EntitiesShape(Shape):
    """What CreateEntities takes."""

    Entities: list[EntityShape]
    SolutionUniqueName: str | None = None


class RelationshipShape(Shape):
    """A relationship of either kind."""

    CascadeConfiguration: Mapping[str, JSON] | None = None
    Lookup: AttributeShape | None = None
    IntersectEntityName: str | None = None


class KeyShape(Shape):
    """EntityKeyMetadata."""

    KeyAttributes: list[str]
    DisplayName: LabelShape | None = None


class PropertiesShape(Shape):
    """Which properties a query of metadata wants."""

    AllProperties: bool | None = None
    PropertyNames: list[str] | None = None


class ConditionShape(Shape):
    """A condition of a query of metadata."""

    PropertyName: str
    ConditionOperator: str


class CriteriaShape(Shape):
    """Conditions of a query of metadata, and others within them."""

    FilterOperator: str | None = None
    Conditions: list[ConditionShape] | None = None
    Filters: list[CriteriaShape] | None = None


class PartShape(Shape):
    """A query of attributes, of relationships or of keys."""

    Properties: PropertiesShape | None = None
    Criteria: CriteriaShape | None = None


class QueryShape(PartShape):
    """An EntityQueryExpression."""

    AttributeQuery: PartShape | None = None
    RelationshipQuery: PartShape | None = None
    KeyQuery: PartShape | None = None


def check(shape: type[Shape], body: JSON, code: str = BAD_PAYLOAD) -> JSON:
    """Return a body that has the shape. Raises ODataError (400) with every place that has another."""
    try:
        shape.model_validate(body)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_url=False)
        )
        raise bad_request(told, code) from error
    return body
