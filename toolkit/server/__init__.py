"""The embedded organization over the Dataverse Web API, for other people's clients and for tests of our own."""
