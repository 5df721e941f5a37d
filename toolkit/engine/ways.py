"""How a session goes about its work, and what its passes work with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from toolkit.engine.ahead import done_ahead
from toolkit.engine.indexes import Indexes
from toolkit.engine.report import EntityProgress, EntityReport, Phase
from toolkit.engine.settings import Settings
from toolkit.engine.splice import Made, Task, do
from toolkit.engine.work import Work, stopped
from toolkit.errors import Retriable, ToolkitError
from toolkit.lake.protocol import Fence, Lake
from toolkit.model.link import EntityState, Link
from toolkit.site import NO_KEY, MaskKey
from toolkit.source.protocol import Source


@dataclass(frozen=True, slots=True)
class Ways:
    """How a session goes about its work: time, limits, whom to tell, when to stop."""

    clock: Callable[[], datetime]
    settings: Settings
    progress: Callable[[EntityProgress], None]
    stop: Callable[[], bool]
    patient: bool = False
    """Whether an incremental folder is closed at the end of the link's interval, and not at once."""
    mask_key: MaskKey = NO_KEY
    compare: bool = False
    """Whether all rows are read and compared, whatever the cursors say."""

    def failed(self, name: str, error: ToolkitError) -> EntityReport:
        """Tell that an entity failed, and return its report."""
        self.progress(EntityProgress(name, Phase.FAILED))
        after = error.after if isinstance(error, Retriable) else None
        return EntityReport(name, EntityState.FAILED, error=error.findings[0], retry_after=after)


def work_of(
    fence: Fence, ways: Ways, link: Link, source: Source, *, lake: Lake, indexes: Indexes, parts: ThreadPoolExecutor
) -> Work:
    """Return what the passes of a link need; ``parts`` does their tasks."""
    return Work(
        lake=lake,
        source=source,
        organization=link.organization,
        generation=link.generation,
        history_ended=frozenset(link.history_ended),
        fence=fence,
        clock=ways.clock,
        interval=timedelta(minutes=link.config.interval_minutes),
        retention=link.config.snapshots,
        delete_log=link.config.write_delete_log,
        output=link.config.output,
        mask_key=ways.mask_key,
        settings=ways.settings,
        indexes=indexes,
        execute=partial(_executed, parts, ways.stop),
        ahead=partial(done_ahead, parts, ways.settings.workers),
        progress=ways.progress,
        stop=ways.stop,
        compare=ways.compare,
    )


def _executed(parts: ThreadPoolExecutor, stop: Callable[[], bool], lake: Lake, tasks: list[Task]) -> list[Made]:
    def one(task: Task) -> Made:
        # Nothing is published before all tasks of a pass are done: a stop between two of them is harmless.
        if stop():
            raise stopped(task.name)
        return do(lake, task)

    return list(parts.map(one, tasks))
