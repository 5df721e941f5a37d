"""Gathering: batches of the source become records in staged files, and how far it came is kept now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from toolkit.engine.ahead import read_ahead
from toolkit.engine.basis import Basis
from toolkit.engine.progress import Progress, Reading, Terms
from toolkit.engine.report import EntityProgress, Phase
from toolkit.engine.scratch import Scratch
from toolkit.engine.spool import Gathered, Layout, Spool
from toolkit.engine.work import Work, cut_short, stopped
from toolkit.errors import CursorExpired, Damaged, NotFound, Partial, SourceError
from toolkit.source.protocol import Cursor


class Gathering:
    """What one pass reads, staged in the folder ``run``; ``reading`` is its progress."""

    def __init__(self, work: Work, basis: Basis, run: str, reading: Reading, scratch: Scratch) -> None:
        self._work, self._basis, self._run, self._reading, self._scratch = work, basis, run, reading, scratch
        self._name = basis.entity.name
        self.sink = basis.now
        """When the pass began, or the one that it goes on with: the SinkModifiedOn of its rows."""

    def gather(self, cursor: str | None) -> Gathered:
        """Read what changed, from where an earlier pass was stopped, if one was."""
        self._require_going()
        terms = self._terms(cursor)
        progress = self._reading.fitting(terms)
        try:
            return self._gathered(terms, progress)
        except (Damaged, NotFound, CursorExpired):
            if progress is None:
                raise
            # It can be gone on with no longer.
            self._reading.end()
            return self._gathered(terms, None)

    def _terms(self, cursor: str | None) -> Terms:
        basis = self._basis
        return Terms(
            organization=self._work.organization,
            begun=cursor,
            columns=basis.columns,
            append_only=basis.mode.append_only,
            strategy=basis.mode.strategy,
            form=basis.shaping.form,
            split=not basis.parts,
        )

    def _gathered(self, terms: Terms, progress: Progress | None) -> Gathered:
        work, name, shaping = self._work, self._name, self._basis.shaping
        total = work.source.size(name) if terms.begun is None else None
        with closing(self._spool(terms, progress)) as spool:
            if progress is not None:
                spool.go_on(progress.kept)
                self._reading.keep(spool, self.sink, terms)
            after = progress.kept.cursor if progress else terms.begun
            changes = work.source.changes(name, shaping.read, None if after is None else Cursor(after))
            final = False
            shape = partial(shaping.shaped, full=terms.begun is None)
            formatted = read_ahead(changes, partial(spool.formatted, shape=shape))
            with closing(formatted), self._kept_when_it_ends(spool, terms):
                for each in formatted:
                    self._require_going()
                    spool.add(each)
                    work.progress(EntityProgress(name, Phase.READING, spool.read, spool.bytes, total))
                    if not (final := each.batch.final):
                        self._reading.keep_when_due(spool, self.sink, terms, dear=each.batch.dear)
            if not final:
                raise cut_short(name)
            return spool.seal()

    def _spool(self, terms: Terms, progress: Progress | None) -> Spool:
        """Return the spool of this pass. Its time is that at which the pass was begun that it goes on with."""
        basis, work = self._basis, self._work
        self.sink = progress.sink if progress else basis.now
        layout = Layout(self._name, basis.entity.primary_id, basis.columns, basis.mode.strategy, self.sink, basis.style)
        limit, ahead = work.settings.part_limit, work.ahead
        return Spool(work.lake, self._run, layout, self._scratch, split=terms.split, limit=limit, ahead=ahead)

    @contextmanager
    def _kept_when_it_ends(self, spool: Spool, terms: Terms) -> Iterator[None]:
        """Keep what was read when the source fails, or when the pass is asked to stop."""
        try:
            yield
        except (Partial, SourceError) as error:
            if spool.unkept and not isinstance(error, CursorExpired):
                self._reading.keep(spool, self.sink, terms)
            raise

    def _require_going(self) -> None:
        if self._work.stop():
            raise stopped(self._name)
