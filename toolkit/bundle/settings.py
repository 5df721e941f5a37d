"""Deployment settings of the Power Platform tools (``pac solution create-settings``), as values for variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.documents import read
from toolkit.errors import Finding, Invalid, Place, Severity

SUFFIX = ".json"


class _Setting(BaseModel):
    """The value of an environment variable; what the tools write beside it (default, name) is of no use here."""

    model_config = ConfigDict(frozen=True)
    name: str = Field(alias="SchemaName")
    value: str = Field("", alias="Value")


class Settings(BaseModel):
    """A settings file: values by schema name, and connections, which an export has none of."""

    model_config = ConfigDict(frozen=True)
    variables: tuple[_Setting, ...] = Field((), alias="EnvironmentVariables")
    connections: tuple[object, ...] = Field((), alias="ConnectionReferences")

    @property
    def values(self) -> dict[str, str]:
        """Return the values that are given; the tools leave those empty that nobody filled in."""
        return {each.name: each.value for each in self.variables if each.value}


def read_settings(path: Path) -> Settings:
    """Read a settings file. Raises NotFound, or Invalid (BND044) where it is none."""
    try:
        return Settings.model_validate_json(read(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = Place(str(path), key=".".join(map(str, first["loc"])))
        fix = "an overlay is YAML; JSON is read as the settings file of pac solution create-settings"
        what = "this is no deployment settings file"
        raise Invalid([Finding("BND044", Severity.ERROR, what, where, first["msg"], fix)]) from error


def settings_notes(paths: Sequence[Path]) -> Iterator[Finding]:
    """Yield a note (BND045) about connections in settings files, which have no place in an export."""
    for path in paths:
        if path.suffix == SUFFIX and (count := len(read_settings(path).connections)):
            what = f"{count} connection references have no effect here"
            why = "an export signs in as toolkit.yaml says"
            yield Finding("BND045", Severity.NOTE, what, Place(str(path), key="ConnectionReferences"), why)
