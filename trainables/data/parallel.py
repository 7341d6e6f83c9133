"""Map a function over items with threads that work ahead, results in order.

Threads, because decoding, resizing and hashing release Python's lock: they need no copies of what they read, and none
outlives its loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Map a function over items in threads, at most `ahead` results begun before they are taken.

    An error is raised where its result would have been. Closing the generator, or
    an error, waits for what has begun and drops the rest: no thread is left.

    Args:
        function: called in several threads at once.
        items: its arguments, one for each call.
        threads: how many; with 0 the calls are made in this thread, when a result is taken.
        ahead: results that are begun or wait to be taken, at most.
    """
    if threads < 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="data")
    try:
        remaining = iter(items)
        waiting.extend(pool.submit(function, item) for item in islice(remaining, ahead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
