"""Roles on a storage account in Azure, and the command with which its owner gives them. No role is ever given here."""

from __future__ import annotations

DATA_ROLE = "Storage Blob Data Contributor"
"""The role with which files are read and written."""


def scope(account: str, subscription: str = "", resource_group: str = "") -> str:
    """Return the resource id of an account, with words in angle brackets for what is not known."""
    group = (
        f"/subscriptions/{subscription or '<subscription id>'}/resourceGroups/{resource_group or '<resource group>'}"
    )
    return f"{group}/providers/Microsoft.Storage/storageAccounts/{account}"


def assignment(role: str, resource: str) -> str:
    """Return the command of the Azure CLI that gives an identity a role on a resource."""
    return f'az role assignment create --role "{role}" --assignee <object id of the identity> --scope "{resource}"'
