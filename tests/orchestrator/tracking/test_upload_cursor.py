"""How far a server is with a trial: which points are sent, and what is kept of it on storage."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tracking.tracker import Point
from orchestrator.tracking.upload_cursor import PointFilter, UploadCursor, load_cursor, save_cursor
from trainables.storage import layout
from trainables.storage.spool import SpoolLine
from trainables.storage.store import LocalStore

LINE = st.fixed_dictionaries(
    {"ts": st.integers(0, 50), "metrics": st.dictionaries(st.sampled_from("ab"), st.sampled_from([0.5, math.nan]))},
    optional={"step": st.integers(0, 20)},
)


@given(lines=st.lists(LINE), stride=st.integers(1, 5))
def test_sieve_never_goes_back_and_ends_with_the_last_step(lines: list[SpoolLine], stride: int) -> None:
    sieve = PointFilter(stride)
    stepped: list[SpoolLine] = [{**line, "step": line.get("step", 0)} for line in lines]  # type: ignore[typeddict-item]
    points = [point for line in stepped for point in sieve.take(line)] + sieve.flush()
    for metric in "ab":
        seen = [line["step"] for line in stepped if metric in line["metrics"]]
        sent = [point.step for point in points if point.metric == metric]
        assert sent == sorted(sent)
        assert max(sent, default=None) == max(seen, default=None)
        assert all(b == a or b - a >= stride for a, b in pairwise(sent[:-1]))


def test_a_cursor_survives_storage_with_values_that_are_no_numbers(tmp_path: Path) -> None:
    sieve = PointFilter(2, {"a": (3, math.inf), "b": (1, 2.0)}, {"b": Point("b", -math.inf, 4, 5)})
    cursor = UploadCursor(run="run", born=3, status="KILLED", sieve=sieve, nodes={"node-8.jsonl": 3})
    save_cursor(LocalStore(tmp_path), "server", "small", "r64-s7", cursor)
    assert load_cursor(LocalStore(tmp_path), "server", "small", "r64-s7") == cursor


def test_a_damaged_cursor_starts_anew(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put(layout.upload_offset("server", "small", "r64-s7"), b'{"run": ')
    assert load_cursor(store, "server", "small", "r64-s7") == UploadCursor()
