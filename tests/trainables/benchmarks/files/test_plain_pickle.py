"""A pickle of plain values is read, and anything else is refused before it can run."""

from __future__ import annotations

import collections
import contextlib
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.benchmarks.files.plain_pickle import load_plain

PLAIN = [{"a": [1, 2.5, None, True, False, -7, 10**30], "b": ("x", b"y"), "c": {"d": "\u00e9"}, 1: []}]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_protocol_come_back(protocol: int) -> None:
    value: Any = PLAIN if protocol >= 3 else [{k: ("x" if k == "b" else v) for k, v in PLAIN[0].items()}]
    assert load_plain(pickle.dumps(value, protocol), "x") == value


def test_python_2_text_is_read_as_latin_1() -> None:
    assert load_plain(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xe9'\np3\nsa.", "x") == [{"sent": "caf\u00e9"}]
    assert load_plain(b"\x80\x02]q\x00}q\x01U\x04sentq\x02U\x04caf\xe9q\x03sa.", "x") == [{"sent": "caf\u00e9"}]


class _Runs:
    def __init__(self, path: Path):
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self._path}",))


class _Built:
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_something_is_refused_before_it_does(protocol: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="plain values only"):
        load_plain(pickle.dumps([_Runs(tmp_path / "ran")], protocol), "refs(unc).p")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "value", [_Built(), collections.OrderedDict(a=1), {1, 2}, frozenset({1}), 1j, bytearray(b"x"), len, Path("x")]
)
def test_anything_but_plain_values_is_refused(value: Any) -> None:
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        with pytest.raises(InputError, match="plain values only"):
            load_plain(pickle.dumps(value, protocol), "x")


@pytest.mark.parametrize(
    "data",
    [
        b"P0\n.",
        b"\x80\x02(K\x01Q.",
        b"\x82\x01.",
        b"c__builtin__\neval\n.",
    ],
)
def test_names_persistent_ids_and_extensions_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        load_plain(data, "x")


@pytest.mark.parametrize("data", [b"])R.", b"(]o.", b"])\x81.", b"](S'a'\nK\x01db."])
def test_a_plain_value_is_neither_called_nor_made_an_instance_of_nor_given_attributes(data: bytes) -> None:
    with pytest.raises(InputError, match="must be a pickle, but"):
        load_plain(data, "x")


@pytest.mark.parametrize(
    "data", [b"\x80\x02]r\xff\xff\xff\x7f.", b"\x80\x04\x8e\xff\xff\xff\xff\x00\x00\x00\x00x.", b"]p999999999\n."]
)
def test_a_number_in_a_file_reserves_no_memory(data: bytes) -> None:
    tracemalloc.start()
    with contextlib.suppress(InputError):
        load_plain(data, "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InputError):
        load_plain(data, "x")


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_damaged_pickles_are_read_or_refused(at: int, byte: int, protocol: int) -> None:
    data = bytearray(pickle.dumps(PLAIN, protocol))
    data[at % len(data)] = byte
    with contextlib.suppress(InputError):
        load_plain(bytes(data), "x")
