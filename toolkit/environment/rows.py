"""Export config rows as the Web API gives them <-> the model."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from toolkit.bundle import wire
from toolkit.dataverse.configs import ConfigText
from toolkit.errors import Finding, Place, Severity
from toolkit.model.config import ExportConfig
from toolkit.model.environment import ConfigRow


def config_rows(texts: Iterable[ConfigText]) -> tuple[dict[str, ConfigRow], tuple[Finding, ...]]:
    """Return the rows that can be read, by id, and a finding (ENV024) for each of the others."""
    rows: dict[str, ConfigRow] = {}
    notes: list[Finding] = []
    for text in texts:
        try:
            rows[text.id] = ConfigRow(config=config_of(text), managed=text.managed)
        except (ValueError, RecursionError) as error:
            what = f"the export config row {text.name!r} ({text.id}) cannot be read"
            why = first_error(error) if isinstance(error, ValidationError) else str(error)
            fix = "delete the row if nothing needs it; the toolkit takes it for absent"
            notes.append(Finding("ENV024", Severity.WARNING, what, Place(text.name), why, fix))
    return rows, tuple(notes)


def first_error(error: ValidationError) -> str:
    """Return the first thing that is wrong, without the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def config_of(text: ConfigText) -> ExportConfig:
    """Return what a row says. Raises ValueError where it cannot be read."""
    fields = {
        "id": text.id,
        "name": text.name,
        "customizable": text.customizable,
        "state": text.state,
        "status": text.status,
    }
    return ExportConfig.model_validate({**wire.tree(text.schema), **fields})


def text_of(config: ExportConfig, before: ConfigText | None) -> ConfigText:
    """Return a row that says what ``config`` says; of the text of an earlier row only what differs is changed."""
    schema = wire.written(config) if before is None else wire.rewritten(before.schema, config_of(before), config)
    return ConfigText(
        id=config.id,
        name=config.name,
        schema=schema,
        managed=False,
        customizable=config.customizable,
        state=config.state,
        status=config.status,
    )
