"""Notices of failures: told once when an entity begins to fail and once when it recovers, never in the engine's way."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from queue import SimpleQueue
from threading import Thread

from toolkit.engine import SyncReport
from toolkit.model.on_failure import OnFailure
from toolkit.watch.status_file import time_text


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of an entity: the ``event`` is failing or recovered; ``code`` and ``what`` say why it fails."""

    event: str
    environment: str
    config: str
    entity: str
    at: str
    code: str = ""
    what: str = ""

    def to_bytes(self) -> bytes:
        """Return the notice as JSON."""
        return json.dumps(asdict(self)).encode()


def notices(environment: str, config: str, report: SyncReport, now: datetime) -> Iterator[Notice]:
    """Yield what a pass gives to tell."""
    at, errors = time_text(now) or "", {each.entity: each.error for each in report.failed}
    for name in report.failing:
        error = errors.get(name)
        yield Notice("failing", environment, config, name, at, error.code if error else "", error.what if error else "")
    for name in report.recovered:
        yield Notice("recovered", environment, config, name, at)


class Teller:
    """Tells notices one after the other, in a thread of its own, each within the time that ``how`` allows.

    ``variables`` are the environment's; ``failed`` is told in a sentence of a notice that could not be told. No secret
    is in it.
    """

    def __init__(self, how: OnFailure, variables: Mapping[str, str], failed: Callable[[str], None]) -> None:
        self._how, self._variables, self._failed = how, variables, failed
        self._notices: SimpleQueue[Notice | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="notices", daemon=True)
        self._thread.start()

    def tell(self, notice: Notice) -> None:
        """Tell a notice soon; return at once."""
        self._notices.put(notice)

    def close(self, seconds: float) -> None:
        """Wait for what is to be told, for so long at most."""
        self._notices.put(None)
        self._thread.join(seconds)

    def _serve(self) -> None:
        while (notice := self._notices.get()) is not None:
            problem = self._run(notice) if self._how.command else self._post(notice)
            if problem:
                self._failed(f"{notice.event} of {notice.entity} was not told: {problem}")

    def _run(self, notice: Notice) -> str:
        command = list(self._how.command or ())
        try:
            ended = subprocess.run(  # noqa: S603 - the command is the user's own, in toolkit.yaml, without a shell
                command,
                input=notice.to_bytes(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._how.timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the command took longer than {self._how.timeout_seconds} s"
        except OSError as error:
            return f"the command cannot be run: {error.strerror}"
        return f"the command ended with status {ended.returncode}" if ended.returncode else ""

    def _post(self, notice: Notice) -> str:
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        how = self._how
        url = how.webhook or self._variables[how.webhook_from or ""]
        headers = {name: self._variables[variable] for name, variable in how.headers_from.items()}
        try:
            request = Request(url, notice.to_bytes(), {"Content-Type": "application/json", **headers})  # noqa: S310 - http or https, see below
            if request.type not in {"http", "https"}:
                return "the address is neither http nor https"
            with urlopen(request, timeout=how.timeout_seconds):  # noqa: S310 - http or https, as was just asked
                return ""
        except HTTPError as error:
            error.close()
            return f"the webhook answered {error.code}"
        except (URLError, OSError, ValueError):
            # Their own words may quote the address.
            return "the webhook cannot be reached, or did not answer in time"
