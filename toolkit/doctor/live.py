"""What the documents say about Dataverse and nobody has seen, tried on an organization with a scratch entity.

The entity is made, filled and changed, and exported by the engine into a file system of its own. Both are deleted at
the end, also after a failure or an interruption.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from toolkit import engine
from toolkit.doctor.examination import Check, Step, otherwise, tried
from toolkit.doctor.scratch import AMOUNT, COLOURS, Scratch
from toolkit.doctor.subject import Subject
from toolkit.errors import Finding, Refused, Severity, ToolkitError
from toolkit.lake.protocol import ABSENT, Holder, Lake
from toolkit.model.config import ExportConfig, LinkedEntity, Storage
from toolkit.model.entity import AttributeType
from toolkit.model.link import Link
from toolkit.project import Lakes
from toolkit.site import Linked

if TYPE_CHECKING:
    from toolkit.dataverse.answer import Answer
    from toolkit.source.dataverse import DataverseSource

ROWS = 5
PAGE = 2
"""Rows of a page, so that few rows make several pages."""
TRACKED = ("odata.track-changes", f"odata.maxpagesize={PAGE}")
EXPIRED = "0x80044352"


@dataclass
class Trial:
    """A scratch entity, where its rows come from, and the lake that they go to."""

    described: str
    scratch: Scratch
    source: DataverseSource
    lake: Lake
    drop_lake: Callable[[], None]
    account: str
    file_system: str
    holder: Holder
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    delta: str = field(default="", init=False)
    """The link to the changes since the rows were read."""
    cleaned: bool = field(default=False, init=False)
    """Whether deleting was tried."""

    @cached_property
    def linked(self) -> Linked:
        """A link of the scratch entity alone. No config row is written for it."""
        now, entity = self.clock(), LinkedEntity(name=self.scratch.name)
        config = ExportConfig(
            id=self.new_id(), name="toolkit-doctor", storage=Storage(account=self.account), entities=(entity,)
        )
        link = Link(
            generation=1,
            environment="doctor",
            organization=self.source.organization,
            config=config,
            account=self.account,
            file_system=self.file_system,
            created=now,
            changed=now,
        )
        return Linked(link, ABSENT, self.lake)

    def clean(self) -> str:
        """Delete the entity and every file, whatever there is of them. Raises Refused (DR021) with what is left."""
        self.cleaned = True
        left: list[Finding] = []
        for what, remove in ((f"the entity {self.scratch.name}", self.scratch.delete), (self.place, self.drop_lake)):
            try:
                remove()
            except ToolkitError as error:
                fix = "delete it by hand"
                left.append(Finding("DR021", Severity.ERROR, f"{what} is left", error.where, error.what, fix))
        if left:
            raise Refused.of(left)
        return f"the entity {self.scratch.name} and the files in {self.place} are deleted"

    @property
    def place(self) -> str:
        """The account and the file system."""
        return f"{self.account}/{self.file_system}"

    @property
    def does(self) -> str:
        """What it does, for the question before it."""
        return f"create the entity {self.scratch.name}, export it to {self.place}"

    def tried(self) -> Generator[Check]:
        """Return what was confirmed, step by step. Whatever happens, entity and files are deleted at the end."""
        return tried(self, STEPS)


def creating(trial: Trial) -> str:
    """Create the scratch entity."""
    trial.scratch.create()
    return f"CreateEntities made {trial.scratch.name}, with its columns"


def defining(trial: Trial) -> str:
    """Read its definition as the engine reads all of them."""
    name = trial.scratch.name
    if (entity := trial.source.entities().get(name)) is None:
        raise otherwise("RetrieveMetadataChanges does not tell of a new entity")
    attribute = entity.attribute(trial.scratch.column("colours"))
    if attribute is None or attribute.type is not AttributeType.MULTISELECT:
        raise otherwise("AttributeTypeName does not tell of a multi-select column")
    if not entity.change_tracking:
        raise otherwise("an entity that is created with ChangeTrackingEnabled is not tracked")
    return "RetrieveMetadataChanges tells of a new entity at once, tracked, with a multi-select column"


def exporting(trial: Trial) -> str:
    """Create rows, and let the engine export them, page by page."""
    trial.scratch.fill([trial.new_id() for _ in range(ROWS)])
    written = _synced(trial)
    if written != (ROWS, 0):
        raise otherwise(f"of {ROWS} rows in pages of {PAGE} the engine wrote {written[0]}")
    _same_in_lake(trial)
    return f"{ROWS} rows in pages of {PAGE} were exported to {trial.place}"


def changing(trial: Trial) -> str:
    """Create, change and delete rows, and let the engine export that."""
    first, second, *_ = trial.scratch.rows
    trial.scratch.fill([trial.new_id()])
    trial.scratch.change(first, "changed")
    trial.scratch.remove(second)
    written = _synced(trial)
    if written != (2, 1):
        raise otherwise(f"a new row, a change and a deletion came as {written[0]} rows and {written[1]} deletions")
    _same_in_lake(trial)
    return "a new row, a change and a deletion came with the delta link, and are in the lake"


def _synced(trial: Trial) -> tuple[int, int]:
    """Do a pass of the engine, and return how many rows it wrote and deleted."""
    (report,) = engine.sync(trial.linked, trial.source, clock=trial.clock, holder=trial.holder).entities
    if report.error is not None:
        raise Refused.of([report.error])
    return report.written, report.deleted


def _same_in_lake(trial: Trial) -> None:
    """See that the live files hold the rows that there are, by id, and no other."""
    entity = trial.scratch.name
    live = [each.path for each in trial.lake.list(entity) if each.path.count("/") == 1 and each.path.endswith(".csv")]
    texts = [trial.lake.read(path).decode("utf-8-sig") for path in live]
    ids = sorted(record[0] for text in texts for record in csv.reader(io.StringIO(text)))
    if ids != sorted(trial.scratch.rows):
        raise otherwise(f"the lake holds {len(ids)} rows, and the entity {len(trial.scratch.rows)} others")


def many_values(trial: Trial) -> str:
    """See how a multi-select value is written."""
    found = _column(trial, "colours")
    if found != COLOURS:
        raise otherwise(f"a multi-select value of 1 and 2 is a {type(found).__name__} of another form than 1,2")
    return f'a multi-select value is the text "{COLOURS}"'


def decimals(trial: Trial) -> str:
    """See how a decimal is written."""
    found = _column(trial, "amount")
    if not isinstance(found, Decimal | int) or Decimal(found) != Decimal(AMOUNT):
        raise otherwise(f"the decimal {AMOUNT} comes as a {type(found).__name__} of another value")
    return "a decimal is a JSON number with all of its digits"


def _column(trial: Trial, name: str) -> object:
    scratch = trial.scratch
    column, row = scratch.column(name), scratch.rows[0]
    found: object = scratch.client.get(f"{scratch.set_name}({row})?$select={column}").json().get(column)
    return found


def filtering(trial: Trial) -> str:
    """See that a filter and change tracking do not go together."""
    path = f"{trial.scratch.set_name}?$select={trial.scratch.name}id&$filter={trial.scratch.column('name')}%20ne%20null"
    answer = trial.scratch.client.look(path, prefer=TRACKED)
    if answer.status < 400:
        raise otherwise(f"a filter of a tracked read is accepted with {answer.status}")
    return f"a filter of a tracked read is refused with {_refusal(answer)}"


def ending(trial: Trial) -> str:
    """See that a tracked read ends in a delta link, on its last page alone."""
    pages = list(trial.scratch.client.pages(f"{trial.scratch.set_name}?$select={trial.scratch.name}id", prefer=TRACKED))
    links = [page.delta_link is not None for page in pages]
    if len(pages) < 2 or links != [False] * (len(pages) - 1) + [True]:
        raise otherwise(f"of {len(pages)} pages {sum(links)} have a delta link")
    trial.delta = pages[-1].delta_link or ""
    return f"{len(pages)} pages, the last alone with a delta link"


def expiring(trial: Trial) -> str:
    """See what a delta link answers once the entity has another column: how an expired one is told."""
    trial.scratch.add_column("added")
    answer = trial.scratch.client.look(trial.delta, prefer=TRACKED)
    told = _refusal(answer)
    if EXPIRED not in told:
        raise otherwise(f"a delta link from before a new column is answered with {told}, and not {EXPIRED}")
    return f"a delta link from before a new column is refused with {told}"


def _refusal(answer: Answer) -> str:
    from toolkit.dataverse.failures import odata_error

    return f"{answer.status} {odata_error(answer).code}".strip()


def cleaning(trial: Trial) -> str:
    """Delete the entity and the files."""
    return trial.clean()


STEPS: tuple[Step[Trial], ...] = (
    Step("creating an entity", creating),
    Step("metadata", defining, ("creating an entity",)),
    Step("exporting", exporting, ("metadata",)),
    Step("changes", changing, ("exporting",)),
    Step("multi-select values", many_values, ("exporting",)),
    Step("decimals", decimals, ("exporting",)),
    Step("filters", filtering, ("metadata",)),
    Step("delta link", ending, ("exporting",)),
    Step("expired link", expiring, ("delta link",)),
    Step("cleaning up", cleaning),
)


def trial(subject: Subject, account: str, lakes: Lakes, holder: Holder) -> Trial:
    """Return a trial in a Dataverse organization. Raises Refused (DR022) for an embedded environment."""
    clients = subject.opened.over_the_web
    if clients is None:
        what = f"{subject.site.name} is an embedded environment, and this is about Dataverse"
        raise Refused("DR022", what, where=subject.site.name, fix="name a Dataverse organization with --env")
    from toolkit.source.dataverse import DataverseSource

    unique = subject.new_id().replace("-", "")[-12:]
    file_system = f"toolkit-doctor-{unique}"
    return Trial(
        described=subject.described,
        scratch=Scratch(clients.environment, _prefix(subject), unique),
        source=DataverseSource(clients.environment, page_size=PAGE, clock=subject.clock),
        lake=lakes.open(account, file_system),
        drop_lake=lambda: lakes.drop(account, file_system),
        account=account,
        file_system=file_system,
        holder=holder,
        clock=subject.clock,
        new_id=subject.new_id,
    )


def _prefix(subject: Subject) -> str:
    """Return the prefix of the organization's own default publisher, which what belongs to no solution has."""
    publishers = subject.inventory.publishers.values()
    return next((each.prefix for each in publishers if each.unique_name.startswith("DefaultPublisher")), "new")
