"""When a request is sent again. Imports the SDK: only what talks to a storage account may import this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.storage.filedatalake import ExponentialRetry

from toolkit.lake.adls.account import Patience

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

THROTTLED = 429


class Again(ExponentialRetry):
    """Waits as the answer asks for, also after 429, and does not ask again for a token that is refused.

    The SDK's own policy knows nothing of Retry-After, passes 429 on, and takes a failure to sign in for a passing one,
    and an address that is wrong for one that will answer soon.
    """

    def __init__(self, patience: Patience, pause: Callable[[float], None]) -> None:
        super().__init__(
            initial_backoff=patience.first,
            increment_base=patience.base,
            retry_total=patience.tries,
            random_jitter_range=patience.jitter,
            # Beside the whole the SDK counts each kind of failure, and gives up after three of one.
            retry_connect=patience.tries,
            retry_read=patience.tries,
            retry_status=patience.tries,
        )
        self._patience = patience
        self._pause = pause
        self._heard = False

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request, and again while the service is busy."""
        response = self._sent(request)
        for count in range(1, self._patience.tries + 1):
            if response.http_response.status_code != THROTTLED:
                break
            self._wait({"count": count}, response.http_response.headers)
            response = self._sent(request)
        return response

    def _sent(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        send = cast("Callable[[PipelineRequest[Any]], PipelineResponse[Any, Any]]", super().send)
        response = send(request)
        self._heard = True
        return response

    def increment(
        self,
        settings: dict[str, Any],
        request: PipelineRequest[Any],
        response: PipelineResponse[Any, Any] | None = None,
        error: AzureError | None = None,
    ) -> bool:
        """Return whether to send again."""
        self._heard = self._heard or response is not None
        if isinstance(error, ClientAuthenticationError):
            return False
        if not self._heard and settings["count"] >= self._patience.unheard:
            return False
        again = super().increment(settings, request, response=response, error=error)
        # One request waits for a network that is gone; those after it, which clear up, need not wait as long again.
        self._heard = self._heard and (again or response is not None)
        return again

    def sleep(self, settings: dict[str, Any], transport: object) -> None:  # noqa: ARG002 - the SDK's signature
        """Wait before the next try."""
        last = settings["history"][-1].http_response if settings["history"] else None
        self._wait(settings, last.headers if last is not None else {})

    def _wait(self, settings: dict[str, Any], headers: Mapping[str, str]) -> None:
        self._pause(max(self.get_backoff_time(settings), self._asked(headers)))

    def _asked(self, headers: Mapping[str, str]) -> float:
        """Return the seconds that an answer asks for; a date counts as nothing."""
        text = headers.get("Retry-After", "")
        return min(float(text), self._patience.longest) if text.isdigit() else 0.0
