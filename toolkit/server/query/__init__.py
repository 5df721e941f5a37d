"""Queries in the language of the Web API: options, filters, keys and navigation, read and turned into SQL."""
