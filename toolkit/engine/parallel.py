"""Work on several entities at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

_T = TypeVar("_T")


def as_ended(
    jobs: Mapping[str, Callable[[], _T]], workers: int, leave: Callable[[], None]
) -> Iterator[tuple[str, Future[_T]]]:
    """Do jobs in threads, and yield each as it ends, under its name.

    When the caller ends before, by an error for one, nothing more begins, and ``leave`` asks those at work to end.
    """
    pool = ThreadPoolExecutor(workers, "entity")
    try:
        running = {pool.submit(job): name for name, job in jobs.items()}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future
    finally:
        leave()
        pool.shutdown(cancel_futures=True)
