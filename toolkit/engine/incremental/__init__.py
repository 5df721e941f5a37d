"""Incremental folders: what changed in an interval, in a folder of its own (docs/formats.md, Incremental folders).

folders   names and places, and what is written at the root of the lake
keys      which rows were exported, in which version
record    the commit record of a link
passes    one entity: from what changed to the files of a folder
session   one link: every entity, one commit, one folder
status    how far each entity is
"""
