"""The embedded Dataverse organization: a store of metadata, rows and changes on this machine."""
