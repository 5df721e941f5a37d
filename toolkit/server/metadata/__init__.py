"""Metadata over the Web API: definitions of entities, attributes, relationships and choices."""
