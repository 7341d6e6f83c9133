"""Claims about how the records of a step are packed into rows."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from trainables.data.packs import dealt, pack

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=150)


@given(LENGTHS, st.integers(1, 600))
def test_every_record_is_in_one_row_and_rows_have_room_for_what_they_hold(lengths: list[int], longest: int) -> None:
    rows = pack(range(len(lengths)), lengths, longest)
    assert sorted(record for row in rows for record in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[record] for record in row) <= longest for row in rows)


@given(LENGTHS, st.integers(300, 600))
def test_no_two_rows_would_fit_into_one(lengths: list[int], longest: int) -> None:
    rows = pack(range(len(lengths)), lengths, longest)
    together = [sum(lengths[record] for record in row) for row in rows]
    assert all(first + second > longest for first, second in combinations(together, 2))


@given(LENGTHS, st.integers(1, 600), st.integers(1, 9))
def test_ranks_have_equally_many_rows_and_together_every_record(lengths: list[int], longest: int, world: int) -> None:
    rows = pack(range(len(lengths)), lengths, longest)
    shares = [dealt(rows, rank, world) for rank in range(world)]
    assert {len(share) for share in shares} == {-(-len(rows) // world)}
    assert sorted(record for share in shares for row in share for record in row) == list(range(len(lengths)))


def test_packs_are_those_of_first_fit() -> None:
    assert pack("abcdef", [2, 7, 5, 4, 3, 9], 10) == [["f"], ["b", "e"], ["c", "d"], ["a"]]
