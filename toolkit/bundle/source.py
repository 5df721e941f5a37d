"""Source folder <-> archive, as files by relative path. Disk and git give and take the same mapping.

solution.yaml               the solution
configs/<name>.yaml         one per export config
environments/<env>.yaml     overlays
package/                    the zip's other members, and those root members that cannot be made anew to the byte
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolkit.bundle.archive import ROOT_MEMBERS, Archive
from toolkit.bundle.package import overlay_member, overlay_members, write_bundle
from toolkit.bundle.parts import Collector, Parts
from toolkit.bundle.schemas import CONFIG_SCHEMA, SOLUTION_SCHEMA, schema_address
from toolkit.documents import Document, decoded, parse, render_model
from toolkit.errors import Finding, Place, Severity
from toolkit.model.bundle import Bundle
from toolkit.model.config import ExportConfig
from toolkit.model.solution import Package, Solution

SOLUTION_FILE = "solution.yaml"
CONFIGS = "configs"
ENVIRONMENTS = "environments"
PACKAGE = "package"
FOLDERS = (CONFIGS, ENVIRONMENTS, PACKAGE)

Files = Mapping[str, bytes]
"""The files of a source folder by relative path, with forward slashes."""


def owned(path: str) -> bool:
    """Whether a file of the folder belongs to the bundle; others (a README) are left alone."""
    parts = PurePosixPath(path).parts
    if parts[0] == PACKAGE:
        return len(parts) > 1
    return path == SOLUTION_FILE or _is_part(path)


def is_read(path: str) -> bool:
    """Whether a file of the folder is looked at: the bundle's own, and those whose name was surely meant to be.

    So is a file (or a link) that stands where one of the bundle's folders should.
    """
    return owned(path) or path in FOLDERS or _is_part(path, ".yml")


def _is_part(path: str, suffix: str = ".yaml") -> bool:
    parts = PurePosixPath(path).parts
    return len(parts) == 2 and parts[0] in {CONFIGS, ENVIRONMENTS} and path.endswith(suffix)


# --- files -> bundle ------------------------------------------------------------------------------------------------


def read_parts(files: Files, where: str) -> Parts:
    """Return the documents of a folder; places name the file behind ``where``."""
    collector = Collector()
    documents: dict[str, Document] = {}
    texts = {}
    for path in sorted(path for path in files if path == SOLUTION_FILE or _is_part(path)):
        place = f"{where}/{path}"
        text = collector.read(decoded, files[path], place)
        if text is not None:
            texts[place] = text
            document = collector.read(parse, text, place)
            documents |= {path: document} if document is not None else {}
    collector.findings += _misplaced(files, where)
    return Parts(
        solution=documents.get(SOLUTION_FILE),
        configs=tuple(_below(documents, CONFIGS).values()),
        overlays=_below(documents, ENVIRONMENTS),
        texts=texts,
        unreadable=tuple(collector.findings),
    )


def _misplaced(files: Files, where: str) -> Iterator[Finding]:
    if SOLUTION_FILE not in files:
        what = f"the folder has no {SOLUTION_FILE}"
        fix = "name the folder of a bundle, the one that holds this file"
        yield Finding("BND011", Severity.ERROR, what, Place(where), fix=fix)
    for path in files:
        if _is_part(path, ".yml"):
            yield Finding(
                "BND012",
                Severity.ERROR,
                "the file would not be read",
                Place(f"{where}/{path}"),
                "only the suffix .yaml is read",
                "rename it to .yaml",
            )


def _below(documents: Mapping[str, Document], folder: str) -> dict[str, Document]:
    """Return the documents of a folder by file name without suffix."""
    paths = {PurePosixPath(path): document for path, document in documents.items()}
    return {path.stem: document for path, document in paths.items() if path.parent.name == folder}


def packed(files: Files, where: str, *, managed: bool | None = None, overlays: bool = True) -> Archive:
    """Return the archive of a folder; ``managed`` None packs it as the source says (unmanaged where it says nothing).

    Raises Invalid with everything that keeps the files from being a bundle.
    """
    return packed_parts(read_parts(files, where), files, managed=managed, overlays=overlays)


def packed_parts(parts: Parts, files: Files, *, managed: bool | None = None, overlays: bool = True) -> Archive:
    """Do what ``packed`` does, for files whose parts were read already."""
    bundle = parts.bundle()
    if managed is not None:
        package = Package.MANAGED if managed else Package.UNMANAGED
        bundle = bundle.model_copy(update={"solution": bundle.solution.model_copy(update={"package": package})})
    if not overlays:
        bundle = bundle.model_copy(update={"overlays": {}})
    return write_bundle(bundle, _template(files))


def _template(files: Files) -> Archive:
    members = {path.removeprefix(f"{PACKAGE}/"): data for path, data in files.items() if path.startswith(f"{PACKAGE}/")}
    environments = {path: PurePosixPath(path) for path in files if path.startswith(f"{ENVIRONMENTS}/")}
    return Archive(members | {overlay_member(name.stem): files[path] for path, name in environments.items()})


# --- archive -> files -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Target:
    """A folder to write to, with the files that are there."""

    folder: Path
    present: Files

    def text(self, path: str) -> str | None:
        """Return the text that is there, for its comments and order; None where there is none that can be kept."""
        return decoded(self.present[path], path) if path in self.present else None

    def schema(self, schema: str, path: str) -> str:
        return schema_address(schema, (self.folder / path).parent)


def unpacked(archive: Archive, bundle: Bundle, folder: Path, present: Files) -> Files:
    """Return the files of a folder for an archive and the bundle in it, written over those that are there.

    Comments and key order of YAML files survive, overlays that are there win, configs that are gone lose their file.
    """
    target = _Target(folder, present)
    files = {SOLUTION_FILE: _yaml(bundle.solution, SOLUTION_SCHEMA, SOLUTION_FILE, target)}
    for path, config in _config_paths(bundle, present).items():
        files[path] = _yaml(config, CONFIG_SCHEMA, path, target)
    for environment, member in overlay_members(archive).items():
        files[f"{ENVIRONMENTS}/{environment}.yaml"] = archive.members[member]
    files |= {path: data for path, data in present.items() if path.startswith(f"{ENVIRONMENTS}/")}
    return files | {f"{PACKAGE}/{name}": archive.members[name] for name in _kept_members(archive, bundle)}


def _yaml(model: ExportConfig | Solution, schema: str, path: str, target: _Target) -> bytes:
    return render_model(model, schema=target.schema(schema, path), template=target.text(path)).encode()


def _kept_members(archive: Archive, bundle: Bundle) -> Iterator[str]:
    """Yield the members that ``package/`` holds: those that packing would not make anew, byte for byte."""
    made = write_bundle(bundle, Archive({n: d for n, d in archive.members.items() if n not in ROOT_MEMBERS})).members
    carried = set(overlay_members(archive).values())
    for name, data in archive.members.items():
        if name not in carried and (name not in ROOT_MEMBERS or made[name] != data):
            yield name


def _config_paths(bundle: Bundle, present: Files) -> dict[str, ExportConfig]:
    """Return a file for each config: the one that holds its id already, else one of its name."""
    holders = {id_: path for path in sorted(present) if (id_ := _config_id(path, present[path]))}
    paths: dict[str, ExportConfig] = {}
    for config in bundle.configs:
        path = holders.get(config.id) or f"{CONFIGS}/{_file_name(config.name)}.yaml"
        if path in paths or (path in present and path != holders.get(config.id)):
            path = f"{CONFIGS}/{_file_name(config.name)}-{config.id}.yaml"
        paths[path] = config
    return paths


def _config_id(path: str, data: bytes) -> str | None:
    if not path.startswith(f"{CONFIGS}/"):
        return None
    tree = parse(decoded(data, path), path).data
    return str(tree.get("id", "")).lower() if isinstance(tree, dict) else None


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "config"
