"""Pass requests on to workers that nobody can call, because another program has started them: they come for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from search_spaces.worker_contract import Failed


@dataclass(frozen=True)
class Request:
    """A request to one worker."""

    number: int
    method: str
    arguments: tuple[object, ...]


class Switchboard:
    """An actor between a conductor, which asks, and workers, which come to fetch what they are asked.

    Args:
        workers: how many there will be.
    """

    def __init__(self, workers: int):
        self._arrived: list[asyncio.Future[object]] = [asyncio.Future() for _ in range(workers)]
        self._requests: list[asyncio.Queue[Request | None]] = [asyncio.Queue() for _ in range(workers)]
        self._asked: list[dict[int, asyncio.Future[object]]] = [{} for _ in range(workers)]
        self._failed: dict[int, Failed] = {}
        self._numbers = count()

    async def arrive(self, rank: int, reservation: str) -> None:
        """Say that a worker is there, and the hexadecimal id of the placement group in which it runs."""
        self._settle(self._arrived[rank], reservation)

    async def arrival(self, rank: int) -> object:
        """Return what a worker has said when it came, or its failure; waits for either."""
        return await asyncio.shield(self._arrived[rank])

    async def ask(self, rank: int, method: str, *arguments: object) -> object:
        """Ask a worker, and return its answer or its failure."""
        if rank in self._failed:
            return self._failed[rank]
        request = Request(next(self._numbers), method, arguments)
        answer: asyncio.Future[object] = asyncio.Future()
        self._asked[rank][request.number] = answer
        self._requests[rank].put_nowait(request)
        return await answer

    async def fetch(self, rank: int, answered: int | None, answer: Any) -> Request | None:
        """Take a worker's answer and return the next request to it.

        Args:
            rank: of the worker.
            answered: number of the request that it answers; None if it comes for its first.
            answer: to that request.

        Returns:
            The request; None when the worker is to end.
        """
        asked = None if answered is None else self._asked[rank].pop(answered, None)
        if asked is not None:
            self._settle(asked, answer)
        return await self._requests[rank].get()

    async def fail(self, failures: Mapping[int, Failed]) -> None:
        """Answer for workers that have failed: what they were asked, and what they will be asked."""
        for rank, failed in failures.items():
            self._failed.setdefault(rank, failed)
            self._settle(self._arrived[rank], failed)
            while self._asked[rank]:
                self._settle(self._asked[rank].popitem()[1], self._failed[rank])

    async def end(self) -> bool:
        """Tell all workers to end. Returns whether none of them has failed or is busy with a request."""
        for requests in self._requests:
            requests.put_nowait(None)
        return not self._failed and not any(self._asked)

    @staticmethod
    def _settle(future: asyncio.Future[object], value: object) -> None:
        if not future.done():
            future.set_result(value)
