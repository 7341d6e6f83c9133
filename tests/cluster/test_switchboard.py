"""Claims about cluster/switchboard.py, in one event loop; tests/cluster/test_launchers.py runs it as an actor."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from cluster.switchboard import Request, Switchboard
from search_spaces.worker_contract import Failed

LOST = Failed("lost", "it is gone")


def run(coroutine: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 10))


def test_an_answer_comes_back_to_the_request_that_the_worker_fetched() -> None:
    async def claim() -> None:
        board = Switchboard(2)
        asked = [asyncio.ensure_future(board.ask(rank, "advance", rank + 5)) for rank in (0, 1)]
        for rank in (1, 0):
            request = await board.fetch(rank, None, None)
            assert request is not None
            assert (request.method, request.arguments) == ("advance", (rank + 5,))
            waits = asyncio.ensure_future(board.fetch(rank, request.number, f"answer {rank}"))
            assert await asked[rank] == f"answer {rank}"
            waits.cancel()

    run(claim())


def test_a_worker_that_fails_answers_what_it_was_asked_and_all_that_it_is_asked_later() -> None:
    async def claim() -> None:
        board = Switchboard(2)
        asked = asyncio.ensure_future(board.ask(1, "open"))
        await asyncio.sleep(0)
        await board.fail({1: LOST})
        await board.fail({1: Failed("error", "said later")})
        assert await asked == LOST
        assert await board.ask(1, "advance", 1) == LOST
        assert await board.arrival(1) == LOST

    run(claim())


def test_a_worker_that_has_arrived_is_there_also_after_it_fails() -> None:
    async def claim() -> None:
        board = Switchboard(1)
        await board.arrive(0, "0a1b")
        await board.fail({0: LOST})
        assert await board.arrival(0) == "0a1b"

    run(claim())


def test_workers_that_wait_are_told_to_end_and_one_that_is_busy_is_known() -> None:
    async def claim() -> None:
        idle, busy = Switchboard(1), Switchboard(1)
        waits = asyncio.ensure_future(idle.fetch(0, None, None))
        asked = asyncio.ensure_future(busy.ask(0, "advance", 1))
        assert await busy.fetch(0, None, None) == Request(0, "advance", (1,))
        assert [await board.end() for board in (idle, busy)] == [True, False]
        assert await waits is None
        assert await busy.fetch(0, 0, "done") is None
        assert await asked == "done"

    run(claim())
