"""What a change of a live link means for its data: every kind is done, watched, and docs/promotion.md says the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.apply.readers import entries, read
from tests.apply.rig import HOLDER, Rig, rig
from tests.plan.build import bundle, config, linked
from toolkit.apply import Step, apply
from toolkit.bundle import write_bundle
from toolkit.engine import EntityProgress
from toolkit.lake.memory import MemoryLake
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig, Layout, LinkedEntity, Output, RetryPolicy, Storage
from toolkit.plan import Plan, plan_import
from toolkit.plan.changes import Consequence, Effect
from toolkit.plan.render import consequence_text
from toolkit.plan.safety import dangers, flags
from toolkit.site import leading

PAGE = Path(__file__).parents[2] / "docs" / "promotion.md"
HEADER = (
    "change",
    "in the plan",
    "to be named",
    "rows read again",
    "live files",
    "`model.json` after the apply",
    "at the next snapshot",
    "what was there before",
)
HISTORY: dict[str, Any] = {"append_only": True}
COLUMNS: dict[str, Any] = {"columns": ["name"]}
FILTER: dict[str, Any] = {"filter": [{"column": "name", "equals": "account 0 again"}]}
DATES = (datetime(2025, 11, 3, tzinfo=UTC), datetime(2025, 12, 3, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
ACCOUNT = linked("account")
ELSEWHERE = Storage(account="contosolake", file_system="elsewhere")


@dataclass(frozen=True)
class Case:
    """A change between two configs; with ``delete_data`` the deletion of what leaves was named."""

    change: str
    before: ExportConfig
    after: ExportConfig | None
    delete_data: bool = False


def account(**how: Any) -> LinkedEntity:
    return LinkedEntity.model_validate({"name": "account", **how})


BOTH = config("account", "contact")
CASES = (
    Case("an entity is added", config("contact"), BOTH),
    Case("an entity is removed", BOTH, config("contact")),
    Case("an entity is removed, `--delete-data`", BOTH, config("contact"), delete_data=True),
    Case("Month becomes Year", config("account"), config(linked("account", "Year"))),
    Case("Year becomes Month", config(linked("account", "Year")), config(linked("account", "Month"))),
    Case("append-only goes on", config("account"), config(account(**HISTORY))),
    Case("append-only goes off", config(account(**HISTORY)), config("account")),
    Case("another file system", config("account"), config("account", storage=ELSEWHERE)),
    Case("another storage account", config("account"), config("account", storage=Storage(account="contosotest"))),
    Case(
        "another file system, `--delete-data`",
        config("account"),
        config("account", storage=ELSEWHERE),
        delete_data=True,
    ),
    Case(
        "another file system, append-only",
        config(account(**HISTORY)),
        config(account(**HISTORY), storage=ELSEWHERE),
    ),
    Case(
        "another layout, with another file system",
        config("account"),
        config("account", storage=ELSEWHERE, output=Output(layout=Layout.INCREMENTAL)),
    ),
    Case("another interval", config("account"), config("account", interval_minutes=30)),
    Case("another retry policy", config("account"), config("account", retry=RetryPolicy(max_count=3))),
    Case("the delete log goes off", config("account"), config("account", write_delete_log=False)),
    Case("other columns", config("account"), config(account(**COLUMNS))),
    Case("other columns, append-only", config(account(**HISTORY)), config(account(**HISTORY, **COLUMNS))),
    Case("another filter, append-only", config(account(**HISTORY)), config(account(**HISTORY, **FILTER))),
    Case("a header", config("account"), config("account", output=Output(header=True))),
    Case("a managed bundle has the config no longer", config("account"), None),
)


@dataclass(frozen=True)
class Seen:
    """A lake at one instant: what readers are told of the account, and its live files."""

    told: str | None
    live: dict[str, bytes]


def seen(lake: MemoryLake) -> Seen:
    paths = [stat.path for stat in lake.list("account") if stat.path.count("/") == 1]
    return Seen(entries(lake).get("account"), {path: lake.read(path) for path in paths})


def row(folder: Path, case: Case) -> tuple[str, ...]:
    with rig(folder) as prod:
        begin(prod, case.before)
        before_lake = lake_of(prod)
        before = seen(before_lake)
        plan, steps = planned(prod, case), list[Step]()
        archive = write_bundle(after_bundle(case), None).to_bytes()
        apply(plan, prod.site, archive, clock=prod.clock, holder=HOLDER, progress=steps.append)
        lake = lake_of(prod, before_lake)
        after, moved = seen(lake), lake is not before_lake
        prod.clock.move(minutes=61)
        prod.sync()
        effect = max((change.consequence.effect for change in plan.changes), key=list(Effect).index)
        return (
            case.change,
            consequence_text(Consequence(effect=effect)),
            f"`{named}`" if (named := flags(dangers(plan.changes))) else "-",
            "all" if any(map(reads_all, steps)) else "none",
            files(before, after, moved=moved),
            "that of the new lake" if moved else told(before.told, after.told),
            told(after.told, seen(lake).told),
            kept(before_lake, before),
        )


def reads_all(step: Step) -> bool:
    """Whether a step is of a pass over the account that reads every row: only such a one counts them first."""
    return isinstance(step, EntityProgress) and step.entity == "account" and step.total is not None


def begin(prod: Rig, before: ExportConfig) -> None:
    """Export some rows, and let one have changed and one be gone."""
    first, second, _ = [prod.source.insert("account", name=f"account {n}", createdon=d) for n, d in enumerate(DATES)]
    prod.source.insert("contact", name="contact 0")
    prod.bring(bundle(before), sync=True)
    prod.source.update("account", first, name="account 0 again")
    prod.source.delete("account", second)
    prod.clock.move(minutes=61)
    prod.sync()
    prod.clock.move(minutes=10)


def after_bundle(case: Case) -> Bundle:
    return bundle(*([case.after] if case.after else []), version="1.1.0.0")


def planned(prod: Rig, case: Case) -> Plan:
    of = after_bundle(case)
    return plan_import(of, of.configs, prod.world(*of.configs), delete_data=case.delete_data)


def lake_of(prod: Rig, otherwise: MemoryLake | None = None) -> MemoryLake:
    """Return the lake of the link; ``otherwise`` where nothing is linked."""
    for linked_ in leading(prod.site.links()):
        return prod.lake(linked_.link.account, linked_.link.file_system)
    assert otherwise is not None
    return otherwise


def files(before: Seen, after: Seen, *, moved: bool) -> str:
    if moved:
        return "of the new lake" if after.live else "folders of the new lake"
    if before.live == after.live:
        return "stay"
    if not after.live:
        return "leave"
    return "new" if not before.live else "written anew"


def told(before: str | None, after: str | None) -> str:
    if after is None:
        return "without the entity"
    if before == after:
        return "as before"
    return "names its files" if before is None else "names the new files"


def kept(lake: MemoryLake, before: Seen) -> str:
    now = {stat.path for stat in lake.list("")}
    if before.told is None:
        return "-"
    if any(path.startswith("_kept/account/") for path in now):
        return "kept below `_kept/`"
    if not any(path.startswith("account/") for path in now):
        return "deleted"
    history = any(b"True" in data for data in before.live.values())
    if history and len(read(lake, "account")) == 2:
        return "history deleted; old snapshots go by retention"
    gone = bool(before.live.keys() - now)
    return "old snapshots go by retention" if gone or before.live != seen(lake).live else "-"


def table(folder: Path) -> str:
    rows = [row(folder / str(number), case) for number, case in enumerate(CASES)]
    lines = [HEADER, tuple("---" for _ in HEADER), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def test_the_page_says_what_each_change_does_to_the_data(tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").split("## What a change means for the data")[1]
    (written,) = re.findall(r"(?:^\|.*\n)+", section.split("\n## ")[0], re.MULTILINE)
    assert written.strip() == table(tmp_path)
