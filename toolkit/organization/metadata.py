"""Entity metadata in the organization's file: definitions, global choices, and a table of rows for each entity."""

from __future__ import annotations


DDL = """
CREATE TABLE entity (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    purged_version INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE global_choice (
    name TEXT PRIMARY KEY,
    options TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (
    entity TEXT NOT NULL,
    version INTEGER NOT NULL,
    id TEXT NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (entity, version)
) STRICT, WITHOUT ROWID;
"""
"""``schema_version`` grows with each change of an entity's attributes and ends the cursors made before it;
``purged_version`` is the highest version of a tombstone that was purged."""
