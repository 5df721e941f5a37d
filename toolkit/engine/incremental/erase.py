"""Erasing a row from incremental folders.

Each folder that holds the row gets clean files under further numbers, a ``model.json`` that names those, and then loses
the old ones; so no file changes while it is named. The keys follow: without the row it is as if it was never exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from toolkit.engine.incremental.folders import file_path
from toolkit.engine.incremental.keys import KeyRun, read_run, run_file, run_path
from toolkit.engine.incremental.record import Exported
from toolkit.engine.incremental.session import IncrementalSession
from toolkit.engine.manifest import MANIFEST_PATH, Place, document_from, locations, manifest_bytes, relocated
from toolkit.engine.metadata import model_path
from toolkit.engine.partitions import part_name
from toolkit.engine.search import Found
from toolkit.engine.strip import Strip
from toolkit.errors import Damaged
from toolkit.lake.protocol import ABSENT, Lake


@dataclass(frozen=True, slots=True)
class FolderErasure:
    """The erasure of a row from the folders of a link, under its lock."""

    session: IncrementalSession
    lake: Lake
    entity: str
    row_id: str
    strip: Strip

    def clean(self, found: Sequence[Found]) -> None:
        """Take the row out of the folders and the keys in which a search found it."""
        record = self.session.record
        for folder in (*record.folders, record.open) if record else ():
            below = f"{folder}/{self.entity}/"
            if dirty := [each for each in found if each.path.startswith(below) and each.records]:
                self._clean_folder(folder, dirty)
        self._clean_keys({each.path for each in found})

    # folders

    def _clean_folder(self, folder: str, dirty: Sequence[Found]) -> None:
        there = (stat.path for stat in self.lake.list(f"{folder}/{self.entity}"))
        places: dict[str, Place | None] = {path: Place(self.lake.location(path)) for path in there}
        places |= {each.path: self._beside(each) for each in dirty}
        # The file about the entity alone is no commit marker, so it may say the new names first.
        self._rename(f"{folder}/{model_path(self.entity)}", places)
        named = self._rename(f"{folder}/{MANIFEST_PATH}", places)
        # An erasure that was cut off may have left clean files that nothing names.
        for stat in self.lake.list(f"{folder}/{self.entity}"):
            if self.lake.location(stat.path) not in named:
                self.lake.delete(stat.path)

    def _beside(self, found: Found) -> Place | None:
        """Publish a clean file under the next number that is free, and return its place; None when nothing is left."""
        staged = self.strip.cleaned(found)
        if staged is None:
            return None
        folder, entity, file = found.path.split("/")
        partition, number = file.removesuffix(".csv").partition("_")[0], 0
        while self.lake.stat(path := file_path(folder, entity, partition, number)) is not None:
            number += 1
        self.session.fence.check()
        self.lake.publish(staged, path, ABSENT)
        return Place(self.lake.location(path), part_name(partition, number))

    def _rename(self, path: str, places: Mapping[str, Place | None]) -> set[str]:
        """Write a manifest of a folder with other places, and return the locations that it names."""
        stat = self.lake.stat(path)
        document = document_from(self.lake.read(path)) if stat else None
        if stat is None or document is None:
            raise Damaged(
                "ENG088",
                f"{path} is gone or cannot be read, so it cannot name files without the row",
                where=self.lake.location(path),
                fix="restore the file from a backup, and erase again",
            )
        self.session.fence.check()
        after = relocated(document, places)
        self.lake.put(path, manifest_bytes(after), stat.etag)
        return locations(after)

    # keys

    def _clean_keys(self, found: set[str]) -> None:
        record = self.session.record
        exported = record.entities.get(self.entity) if record else None
        if record is None or exported is None or not any(run.path in found for run in exported.keys):
            return
        after = self._without(exported, record.seq + 1)
        removes = tuple(run.path for run in exported.keys if run not in after.keys)
        self.session.commit(record.following(self.session.fence, {**record.entities, self.entity: after}, removes))

    def _without(self, exported: Exported, seq: int) -> Exported:
        row = np.bytes_(UUID(self.row_id).bytes)
        runs: list[KeyRun] = []
        there = 0
        for number, run in enumerate(exported.keys):
            keys = read_run(self.lake, run)
            kept = keys.take(keys.ids != row)
            if len(kept) == len(keys):
                runs.append(run)
                continue
            # A later run is right about a row.
            there = int(not keys.gone[keys.ids == row][0])
            if len(kept):
                blocks, clean = run_file(kept, run_path(self.entity, seq).replace(".keys", f".{number}.keys"))
                self.session.fence.check()
                self.lake.publish(self.strip.staged(f"{number}.keys", blocks), clean.path, "any")
                runs.append(clean)
        return exported.model_copy(update={"keys": tuple(runs), "rows": exported.rows - there})
