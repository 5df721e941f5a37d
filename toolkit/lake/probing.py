"""Whether a lake can be worked in: a small file goes the way that every file of an export goes."""

from __future__ import annotations

from toolkit.errors import Damaged
from toolkit.lake.protocol import ABSENT, STATE_FOLDER, Lake

CONTENT = b"toolkit was here\n"


def probe(lake: Lake, name: str) -> None:
    """Create, write, rename, read and delete a file below the lake's state folder. Raises what the lake raises.

    Nothing of it stays but the lake itself, whatever fails, unless deleting is what fails. ``name`` is unique.
    """
    run, path = f"probe-{name}", f"{STATE_FOLDER}/probe-{name}"
    writer = lake.stage(run, "probe")
    try:
        writer.write(CONTENT)
        lake.publish(writer.seal(), path, ABSENT)
        if lake.read(path) != CONTENT:
            what = "a file reads otherwise than it was written"
            raise Damaged("DR008", what, where=lake.location(path), fix="check the disk, or the account")
    finally:
        writer.close()
        lake.delete(path)
