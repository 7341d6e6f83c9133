"""Results of threads come in order, no more is begun than was asked for, and no thread is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.parallel import in_order


@given(items=st.lists(st.integers()), threads=st.integers(0, 4), ahead=st.integers(1, 9))
def test_results_come_in_the_order_of_the_items(items: list[int], threads: int, ahead: int) -> None:
    assert list(in_order(lambda item: item + 1, items, threads, ahead)) == [item + 1 for item in items]


def test_no_more_than_what_was_asked_for_is_begun_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(lambda item: item, items(), 2, 3)
    assert next(results) == 0
    assert taken == [0, 1, 2, 3]
    results.close()


def test_an_error_comes_where_its_result_would_have_been_and_leaves_no_thread() -> None:
    results = in_order(lambda item: 1 // item, [1, 1, 0, 1], 2, 4)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert _data_threads() == 0


def test_closing_early_leaves_no_thread() -> None:
    results = in_order(lambda item: item, range(1000), 4, 8)
    next(results)
    assert _data_threads() > 0
    results.close()
    assert _data_threads() == 0


def _data_threads() -> int:
    return sum(thread.name.startswith("data") for thread in threading.enumerate())
