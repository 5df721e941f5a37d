"""What the service does: a row for each rule that the server here follows, with where it is written down.

S: the REST specification; R: recorded answers of the real service; L: Microsoft's pages; M: measured with the SDK.
A server without one of them is a mutant: a test of ``contract.py`` that names the fact must fail on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

REST = "learn.microsoft.com/rest/api/storageservices"
PATH = f"{REST}/datalakestoragegen2/path"
"""Its pages end with the list of error codes of the dfs endpoint, each with its status."""
FILE_SYSTEM = f"{REST}/datalakestoragegen2/filesystem"
CONDITIONS = f"{REST}/specifying-conditional-headers-for-blob-service-operations"
RANGES = f"{REST}/specifying-the-range-header-for-blob-service-operations"
KNOWN_ISSUES = "learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues"
RECORDED = "recorded answers in the tests of the SDKs"
MEASURED = "azure-storage-file-datalake 12.26.1"


@dataclass(frozen=True)
class Fact:
    """A rule of the service. The number that ends a key is the status of the answer."""

    key: str
    rule: str
    source: Literal["S", "R", "L", "M"]
    page: str


FACTS = (
    # File systems
    Fact("file-system-create-201", "creating a file system answers 201", "S", f"{FILE_SYSTEM}/create"),
    Fact("file-system-exists-409", "one that is there is FilesystemAlreadyExists", "S", f"{FILE_SYSTEM}/create"),
    Fact("file-system-delete-202", "deleting one answers 202", "S", f"{FILE_SYSTEM}/delete"),
    Fact(
        "deleted-name-is-taken-for-a-while",
        "the name of a deleted one is FilesystemBeingDeleted for at least 30 seconds",
        "S",
        f"{FILE_SYSTEM}/delete",
    ),
    Fact("missing-file-system-404", "what is in none is FilesystemNotFound", "S", f"{FILE_SYSTEM}/get-properties"),
    # Create
    Fact("create-201", "creating a file or a directory answers 201 with its etag", "S", f"{PATH}/create"),
    Fact("create-overwrites", "a file that is there is replaced by an empty one", "S", f"{PATH}/create"),
    Fact("create-makes-parents", "the directories above a new path come with it", "R", RECORDED),
    Fact("create-keeps-the-kind", "a file over a directory is PathConflict, and the reverse", "S", f"{PATH}/create"),
    Fact("nothing-below-a-file", "a path below a file is PathConflict", "S", f"{PATH}/create"),
    Fact("overwriting-breaks-leases", "create and rename break a lease on their destination", "S", f"{PATH}/create"),
    # Rename
    Fact("rename-201", "renaming answers 201", "S", f"{PATH}/create"),
    Fact("rename-removes-source", "the source is gone at once", "S", f"{PATH}/create"),
    Fact("rename-keeps-etag", "the etag of the destination is the one that the source had", "R", RECORDED),
    Fact("rename-answers-without-etag", "the answer names no etag", "R", RECORDED),
    Fact("rename-of-missing-404", "a source that is not there is SourcePathNotFound", "S", f"{PATH}/create"),
    Fact(
        "rename-needs-the-parent",
        "a destination whose directory is not there is RenameDestinationParentPathNotFound",
        "S",
        f"{PATH}/create",
    ),
    Fact("rename-decodes-source", "percent codes in the address of the source are decoded", "M", MEASURED),
    Fact("source-conditions", "a source that is another one is SourceConditionNotMet, 412", "S", f"{PATH}/create"),
    # Append and flush
    Fact("append-202", "an append answers 202", "S", f"{PATH}/update"),
    Fact("append-at-any-position", "an append is taken at any position, in any order", "R", RECORDED),
    Fact("append-is-invisible-until-flush", "what was appended is read only after a flush", "S", f"{PATH}/update"),
    Fact(
        "checksum-is-verified", "a body that does not have the MD5 of its header is Md5Mismatch", "S", f"{PATH}/update"
    ),
    Fact("flush-200", "a flush answers 200 with the etag", "S", f"{PATH}/update"),
    Fact(
        "flush-position-is-the-length",
        "a flush elsewhere than at the end, or after a gap, is InvalidFlushPosition",
        "S",
        f"{PATH}/update",
    ),
    Fact("flush-changes-etag", "a flush gives the file a new etag", "S", f"{PATH}/update"),
    Fact("flush-retains-on-demand", "retainUncommittedData keeps what lies after the position", "S", f"{PATH}/update"),
    Fact("flush-if-none-match-304", "a flush with If-None-Match * of a file that is there is 304", "R", RECORDED),
    # Conditions
    Fact(
        "if-match-on-writes", "a write of another version than the one named is ConditionNotMet, 412", "S", CONDITIONS
    ),
    Fact("if-none-match-on-writes", "with If-None-Match * a create is PathAlreadyExists, 409", "R", RECORDED),
    Fact("if-match-on-reads", "a read of another version than the one named is ConditionNotMet, 412", "S", CONDITIONS),
    Fact("if-none-match-on-reads", "a read of the version named is 304", "S", CONDITIONS),
    # Read
    Fact("missing-path-404", "what is not there is PathNotFound on dfs", "S", f"{PATH}/read"),
    Fact("missing-blob-404", "what is not there is BlobNotFound on blob", "S", f"{REST}/get-blob"),
    Fact("range-206", "a range answers 206 with Content-Range", "S", RANGES),
    Fact("range-beyond-the-end-416", "a range that begins at or after the end is InvalidRange, 416", "S", RANGES),
    Fact("directory-is-marked", "a directory has the metadata hdi_isfolder on blob", "R", RECORDED),
    Fact("set-properties-200", "setting metadata on dfs answers 200", "S", f"{PATH}/update"),
    Fact("set-metadata-200", "setting metadata on blob answers 200", "S", f"{REST}/set-blob-metadata"),
    Fact(
        "errors-are-json-or-xml",
        "the body of a refusal is JSON on dfs and XML on blob",
        "S",
        f"{REST}/status-and-error-codes2",
    ),
    # List
    Fact(
        "list-is-paged",
        "a page has at most 5,000 entries, or as many as asked for, and says how to go on",
        "S",
        f"{PATH}/list",
    ),
    Fact("list-of-one-level", "a list that is not recursive has the paths of one level", "S", f"{PATH}/list"),
    Fact("list-of-missing-404", "a directory that is not there is PathNotFound", "S", f"{PATH}/list"),
    Fact("list-names-directories", "directories are listed, and say that they are", "S", f"{PATH}/list"),
    Fact("list-etag-without-quotes", "the etags of a list have no quotes", "R", RECORDED),
    # Delete
    Fact("path-delete-200", "deleting a path answers 200", "S", f"{PATH}/delete"),
    Fact("delete-of-full-directory-409", "a directory that is not empty is DirectoryNotEmpty", "S", f"{PATH}/delete"),
    Fact("blob-delete-202", "deleting a blob answers 202", "S", f"{REST}/delete-blob"),
    Fact("blob-delete-of-full-directory-409", "on blob a directory is deleted only when empty", "L", KNOWN_ISSUES),
    # Leases
    Fact("lease-acquire-201", "acquiring answers 201", "S", f"{REST}/lease-blob"),
    Fact("lease-renew-200", "renewing answers 200", "S", f"{REST}/lease-blob"),
    Fact("lease-release-200", "releasing answers 200", "S", f"{REST}/lease-blob"),
    Fact("lease-break-202", "breaking answers 202", "S", f"{REST}/lease-blob"),
    Fact("lease-lasts-15-to-60", "a lease is for 15 to 60 seconds or for ever", "S", f"{REST}/lease-blob"),
    Fact("lease-is-exclusive", "a second lease is LeaseAlreadyPresent, 409", "S", f"{REST}/lease-blob"),
    Fact("lease-is-taken-again-by-its-id", "who has a lease may acquire it again", "S", f"{REST}/lease-blob"),
    Fact("lease-ends-by-itself", "after its time anybody may take it", "S", f"{REST}/lease-blob"),
    Fact("lease-release-frees", "after a release anybody may take it at once", "S", f"{REST}/lease-blob"),
    Fact(
        "lease-acts-need-the-id",
        "acting with another id is LeaseIdMismatchWithLeaseOperation",
        "S",
        f"{REST}/lease-blob",
    ),
    Fact("lease-broken-cannot-renew", "a broken lease is LeaseIsBrokenAndCannotBeRenewed", "S", f"{REST}/lease-blob"),
    Fact("lease-guards-writes", "a write without the id is LeaseIdMissing, 412", "S", f"{REST}/lease-blob"),
    Fact("lease-id-must-match", "a write with another id is LeaseIdMismatch, 412", "S", f"{PATH}/update"),
    Fact(
        "lease-id-needs-a-lease",
        "a write with an id of no lease is LeaseLost or LeaseNotPresent",
        "S",
        f"{PATH}/update",
    ),
    # The blob endpoint
    Fact(
        "account-information",
        "an account tells kind, SKU and hierarchical namespace",
        "S",
        f"{REST}/get-account-information",
    ),
    Fact("container-create-201", "creating a container answers 201", "S", f"{REST}/create-container"),
    Fact("container-delete-202", "deleting one answers 202", "S", f"{REST}/delete-container"),
    Fact(
        "missing-container-404", "one that is not there is ContainerNotFound", "S", f"{REST}/get-container-properties"
    ),
    Fact("put-blob-201", "writing a blob or a block list answers 201", "S", f"{REST}/put-blob"),
    Fact("put-block-201", "writing a block answers 201", "S", f"{REST}/put-block"),
    Fact("block-list-names-committed-too", "a list may name blocks of the last one", "S", f"{REST}/put-block-list"),
    Fact("copy-202", "copying a blob answers 202", "S", f"{REST}/copy-blob"),
    Fact(
        "copy-takes-metadata-along",
        "a copy without metadata of its own has that of its source",
        "S",
        f"{REST}/copy-blob",
    ),
    Fact("copy-from-url-has-a-limit", "Copy Blob From URL copies up to 256 MiB", "S", f"{REST}/copy-blob-from-url"),
    Fact(
        "copy-source-is-authorized",
        "the key of the account opens only the source of Copy Blob; any other copy wants a signature or a token",
        "S",
        f"{REST}/put-block-from-url",
    ),
    Fact("no-block-list-over-a-dfs-file", "Put Block List cannot replace a file made on dfs", "L", KNOWN_ISSUES),
    Fact("no-flush-over-a-blob", "a flush of a file made on blob is InvalidFlushOperation, 409", "S", f"{PATH}/update"),
    # Who may
    Fact(
        "signatures-are-verified",
        "a wrong signature is AuthenticationFailed, 403",
        "S",
        f"{REST}/authorize-with-shared-key",
    ),
    Fact(
        "clock-skew-403",
        "a date more than 15 minutes off is AuthenticationFailed",
        "S",
        f"{REST}/authorize-with-shared-key",
    ),
    Fact("sas-expires", "a shared access signature ends", "S", f"{REST}/create-service-sas"),
    Fact(
        "sas-permissions",
        "what it does not permit is AuthorizationPermissionMismatch",
        "S",
        f"{REST}/create-service-sas",
    ),
    Fact(
        "anonymous-401",
        "a request without either is NoAuthenticationInformation, 401",
        "S",
        f"{REST}/authorize-with-azure-active-directory",
    ),
    Fact(
        "tokens-are-verified",
        "a token of somebody else is InvalidAuthenticationInfo, 401",
        "S",
        f"{REST}/authorize-with-azure-active-directory",
    ),
    Fact("tokens-expire", "so is one that has expired", "S", f"{REST}/authorize-with-azure-active-directory"),
    Fact(
        "tokens-need-a-role",
        "a token without a role is AuthorizationPermissionMismatch, 403",
        "S",
        f"{REST}/authorize-with-azure-active-directory",
    ),
    Fact("tokens-need-tls", "a token is taken over TLS only", "S", f"{REST}/authorize-with-azure-active-directory"),
)

KEYS = frozenset(fact.key for fact in FACTS)


@dataclass
class Held:
    """The facts that hold on a server: all but those that are switched off."""

    off: set[str] = field(default_factory=set)

    def __call__(self, key: str) -> bool:
        """Return whether a fact holds."""
        if key not in KEYS:
            raise KeyError(f"{key} has no row in the table of facts")
        return key not in self.off

    def status(self, key: str) -> int:
        """Return the status that ends the key of a fact, or one that says nothing where it does not hold."""
        return int(key[-3:]) if self(key) else 299
