"""YAML text <-> tree of strings <-> model, with the line of every key, and with everything a person wrote kept.

Reading: every scalar stays the string that was written (``1.10`` is no float, ``no`` no boolean); a model gives it its
type. What can make a reader see something else than a person sees (anchors, aliases, merge keys, tags, duplicate keys)
is refused. Writing over an existing text changes only the lines whose value differs, as ``toolkit.bundle`` does with
XML, so comments, key order, quotes and blank lines of all others survive to the byte.
"""

from toolkit.documents.checking import as_model, findings
from toolkit.documents.document import Document, Key, KeyPath, Tree, spelled
from toolkit.documents.reading import decoded, load, parse, read
from toolkit.documents.writing import render, render_model, yaml_text

__all__ = [
    "Document",
    "Key",
    "KeyPath",
    "Tree",
    "as_model",
    "decoded",
    "findings",
    "load",
    "parse",
    "read",
    "render",
    "render_model",
    "spelled",
    "yaml_text",
]
