"""The project: ``toolkit.yaml`` and the live objects that it names.

file      what the file says
account   what it says of a storage account
lakes     the file systems of its accounts
opened    an environment of it, in use
project   from the names of the file to live objects
"""

from toolkit.project.account import AccountEntry, AdlsEntry, FolderEntry
from toolkit.project.file import (
    ENVIRONMENT_NAME,
    SCHEMA,
    TEMPLATE,
    DataverseEntry,
    EmbeddedEntry,
    Entry,
    MaskKeyEntry,
    ProjectFile,
)
from toolkit.project.lakes import Lakes
from toolkit.project.opened import DATABASE, Clients, Embedded, Opened
from toolkit.project.project import PROJECT_FILE, Project, create, find

__all__ = [
    "DATABASE",
    "ENVIRONMENT_NAME",
    "PROJECT_FILE",
    "SCHEMA",
    "TEMPLATE",
    "AccountEntry",
    "AdlsEntry",
    "Clients",
    "DataverseEntry",
    "Embedded",
    "EmbeddedEntry",
    "Entry",
    "FolderEntry",
    "Lakes",
    "MaskKeyEntry",
    "Opened",
    "Project",
    "ProjectFile",
    "create",
    "find",
]
