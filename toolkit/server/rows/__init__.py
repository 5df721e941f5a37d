"""Rows over the Web API: reading, writing, batches, change tracking."""
