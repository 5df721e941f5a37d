"""Incremental folders, read as public readers do it: what is below changelog.info, folder by folder."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.lake.protocol import Lake

FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}Z")

Row = dict[str, str]


@dataclass
class Reader:
    """Follows ``changelog.info`` and each folder's ``model.json``, and replays what they name."""

    lake: Lake

    @property
    def in_progress(self) -> str:
        return self.lake.read("Changelog/changelog.info").decode()

    @property
    def seen(self) -> list[str]:
        """Every folder that there is, in order."""
        tops = {stat.path.split("/")[0] for stat in self.lake.list("")}
        return sorted(top for top in tops if FOLDER.fullmatch(top))

    @property
    def folders(self) -> list[str]:
        """The folders that a reader takes: below the one in progress. One that is just removed has no model.json."""
        if self.lake.stat("Changelog/changelog.info") is None:
            return []
        below = [folder for folder in self.seen if folder < self.in_progress]
        taken = [folder for folder in below if self.lake.stat(f"{folder}/model.json")]
        assert {folder for folder in self.logged if folder < self.in_progress} <= set(taken)
        return taken

    @property
    def logged(self) -> list[str]:
        """The folders that Synapse.log lists."""
        return [folder for folder in self.lake.read("Changelog/Synapse.log").decode().split(",") if folder]

    def model(self, folder: str) -> dict[str, Any]:
        """What a folder's model.json says, by entity."""
        read = json.loads(self.lake.read(f"{folder}/model.json"))
        return {entity["name"]: entity for entity in read["entities"]}

    def files(self, folder: str, entity: str) -> dict[str, list[Row]]:
        """The rows of each file of an entity in a folder. A file is where its name says, and is the one it locates."""
        described = self.model(folder).get(entity, {"partitions": [], "attributes": []})
        columns = [attribute["name"] for attribute in described["attributes"]]
        found = {}
        for partition in described["partitions"]:
            path = f"{folder}/{entity}/{partition['name']}.csv"
            assert partition["location"].endswith(path)
            read = csv.reader(io.StringIO(self.lake.read(path).decode()))
            found[partition["name"]] = [dict(zip(columns, row, strict=True)) for row in read]
        listed = {stat.path for stat in self.lake.list(f"{folder}/{entity}")}
        assert listed == {f"{folder}/{entity}/{name}.csv" for name in found}
        return found

    def changes(self, entity: str) -> Iterator[tuple[str, Row]]:
        """Every change of an entity with its folder: in each folder the rows first, then what was deleted."""
        for folder in self.folders:
            files = self.files(folder, entity)
            deletes = {name: {row["IsDelete"] for row in rows} for name, rows in files.items()}
            assert all(len(kinds) == 1 for kinds in deletes.values()), "a file holds rows or delete rows"
            for name in sorted(files, key=lambda name: deletes[name] == {"True"}):
                yield from ((folder, row) for row in files[name])

    def rows(self, entity: str) -> dict[str, Row]:
        """The rows as they are after every folder, by id."""
        rows: dict[str, Row] = {}
        for _, row in self.changes(entity):
            if row["IsDelete"] == "True":
                rows.pop(row["Id"], None)
            else:
                rows[row["Id"]] = row
        return rows
