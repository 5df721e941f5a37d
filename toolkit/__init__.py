"""Solution-aware ALM toolkit and embedded engine for Dataverse Export to Data Lake."""

__version__ = "0.1.0"
