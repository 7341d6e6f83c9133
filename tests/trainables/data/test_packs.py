"""Claims about how the records of a step are packed into rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainables.data.packs import pack

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=150)
WORLDS = st.integers(1, 9)


@given(LENGTHS, st.integers(1, 600), WORLDS)
def test_every_record_is_in_one_row_and_rows_have_room_for_what_they_hold(
    lengths: list[int], longest: int, world: int
) -> None:
    rows = [row for share in pack(range(len(lengths)), lengths, longest, world) for row in share]
    assert sorted(record for row in rows for record in row) == list(range(len(lengths)))
    assert all(len(row) <= 1 or sum(lengths[record] for record in row) <= longest for row in rows)


@given(LENGTHS, st.integers(1, 600), WORLDS)
def test_ranks_have_equally_many_rows_and_rows_differ_by_a_record_at_most(
    lengths: list[int], longest: int, world: int
) -> None:
    shares = pack(range(len(lengths)), lengths, longest, world)
    assert len(shares) == world
    assert len({len(share) for share in shares}) == 1
    held = [sum(lengths[record] for record in row) for share in shares for row in share]
    assert max(held) - min(held) <= max(lengths)


@given(LENGTHS, st.integers(300, 600), WORLDS)
def test_there_are_no_more_passes_than_records_for_a_worker(lengths: list[int], longest: int, world: int) -> None:
    """DeepSpeed is told this number, as that of the passes of an optimizer step."""
    assert len(pack(range(len(lengths)), lengths, longest, world)[0]) <= -(-len(lengths) // world)


def test_rows_are_as_few_as_there_is_room_for() -> None:
    assert pack("abcdef", [2, 7, 5, 4, 3, 9], 10, 1) == [[["f"], ["b"], ["c", "a"], ["d", "e"]]]
    assert pack("abcdef", [2, 7, 5, 4, 3, 9], 15, 2) == [[["f", "d", "a"]], [["b", "c", "e"]]]
    assert pack("ab", [2, 3], 10, 3) == [[["b"]], [["a"]], [[]]]
