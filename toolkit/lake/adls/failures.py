"""What the SDK raises -> errors of this toolkit. Imports the SDK.

The text of an exception of the SDK never goes into a message: it may hold an address with a signature, or the string
that was signed. What is told is the status, the service's own code, and the id of the request.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from toolkit.errors import Retriable, ToolkitError
from toolkit.lake.adls.denied import CAUSES, KEY, OTHER, SIGN_IN, TENANT, denied, tenant_in
from toolkit.lake.adls.place import Place, Rejected

REST_SECONDS = 30.0
"""How long to leave an account alone that did not answer for all the tries of a request."""

_BUSY = {408, 429}
_DENIED = {401, 403}
_STRANGE_TENANT = re.compile(r"not configured to acquire tokens for tenant ([0-9a-fA-F-]{36})")
"""In the words of every credential of azure-identity."""
_VERSION = "x-ms-version"
"""A header of every answer of storage, and of none of those who issue tokens."""


@contextmanager
def asking(place: Place) -> Iterator[None]:
    """Turn what the SDK raises into an error of this toolkit."""
    try:
        yield
    except AzureError as error:
        raise _failure(error, place) from None


def _failure(error: AzureError, place: Place) -> ToolkitError:
    response: Any = error.response if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) and (response is None or _VERSION not in response.headers):
        return _not_signed_in(error, place)
    return _unreachable(error, place) if response is None else _answered(error, response, place)


def _not_signed_in(error: ClientAuthenticationError, place: Place) -> ToolkitError:
    if type(error).__name__ == "AzureSigningError":
        return denied(KEY, place, "the account key is not base64")
    # A credential's own words name tenants and ids of requests, never a secret.
    words = " ".join(str(error).split())[:400]
    if strange := _STRANGE_TENANT.search(words):
        # The account refused the token, and the SDK asked the credential for one of the account's tenant.
        return denied(TENANT, place, words, strange[1])
    return denied(SIGN_IN, place, words)


def _answered(error: AzureError, response: Any, place: Place) -> ToolkitError:  # noqa: ANN401 - the SDK's own
    status = int(response.status_code)
    code = getattr(error, "error_code", None) or response.headers.get("x-ms-error-code", "")
    reason = str(getattr(code, "value", code) or "")
    why = f"it answered {status} {reason}".rstrip()
    if identifier := response.headers.get("x-ms-request-id"):
        why = f"{why} (request {identifier})"
    if status in _DENIED:
        return denied(CAUSES.get(reason, OTHER), place, why, tenant_in(response.headers.get("WWW-Authenticate", "")))
    if status >= 500 or status in _BUSY:
        what = f"storage account {place.account} is busy or out of order"
        return Retriable("LAK030", what, after=REST_SECONDS, where=place.address, why=why)
    return Rejected(status, reason, place, why)


def _unreachable(error: AzureError, place: Place) -> ToolkitError:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return ToolkitError(
            "LAK032",
            f"the certificate of storage account {place.account} cannot be verified",
            where=place.address,
            fix="where a proxy opens TLS, let REQUESTS_CA_BUNDLE name a file with its certificate",
        )
    spoken = (cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror)
    why = next(spoken, "the connection failed, or there was no answer in time")
    what = f"storage account {place.account} cannot be reached"
    fix = "check the account's name and cloud, the network and HTTPS_PROXY"
    return Retriable("LAK031", what, after=REST_SECONDS, where=place.address, why=why, fix=fix)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what is behind it: the SDK and urllib3 keep that in their own attributes as well."""
    seen: set[int] = set()
    rest: list[object] = [error]
    while rest:
        one = rest.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            kept = (getattr(one, name, None) for name in ("inner_exception", "reason"))
            rest += [one.__cause__, one.__context__, *one.args, *kept]
