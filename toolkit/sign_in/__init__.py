"""Signing in: to a Dataverse organization and to a storage account, as ``toolkit.yaml`` says.

method      what the file says: the method and its keys
credential  a method -> what gives tokens, or signs requests
token       what a token is, and who gives one
origin      the origin of a URL, and whether it is on this machine

No secret ever stands in a file: what the file has is the name of an environment variable, or a path.
"""
