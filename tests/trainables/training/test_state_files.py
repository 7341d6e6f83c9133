"""A state comes back bit for bit from a file that is read as data: nothing in it can run."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from tests.support.hostile_files import Payload
from tests.support.written_states import write_state
from trainables.training.state_files import open_state, state_damage

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8)


class _Kind(int, Enum):
    SECOND = 2


def test_tensors_of_all_types_come_back_bit_for_bit(tmp_path: Path) -> None:
    tensors: dict[str, Any] = {str(dtype): (torch.randn(3, 5) * 100).to(dtype) for dtype in DTYPES}
    tensors |= {"bool": torch.tensor([True, False]), "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5)}
    tensors["part of another"] = torch.arange(12.0).reshape(3, 4).t()[1:]
    write_state(tensors, tmp_path / "state.pt")
    with open_state(tmp_path / "state.pt") as restored:
        for name, tensor in tensors.items():
            assert restored[name].get_shape() == list(tensor.shape)
            values = restored[name][...]
            assert values.dtype == tensor.dtype
            assert torch.equal(values, tensor)


def test_a_part_of_a_tensor_is_read_as_that_part(tmp_path: Path) -> None:
    weights = torch.randn(1000)
    write_state({"weights": weights}, tmp_path / "state.pt")
    with open_state(tmp_path / "state.pt") as restored:
        assert torch.equal(restored["weights"][20:30], weights[20:30])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(state=st.dictionaries(st.text(), PLAIN, max_size=4))
def test_plain_values_come_back_with_their_types(
    state: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("states") / "state.pt"
    write_state(state, path)
    with open_state(path) as restored:
        assert repr(restored) == repr(state)


def test_kinds_of_dicts_and_tuples_come_back_as_plain_ones(tmp_path: Path) -> None:
    state = {"ordered": OrderedDict(a=torch.Size([2, 3])), "nan": math.nan}
    write_state(state, tmp_path / "state.pt")
    with open_state(tmp_path / "state.pt") as restored:
        assert restored["ordered"] == {"a": (2, 3)}
        assert math.isnan(restored["nan"])


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", _Kind.SECOND, torch.optim.SGD, torch.zeros(1, dtype=torch.complex64)],
)
def test_what_is_no_plain_value_is_refused_when_it_is_written(value: object, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="must"):
        write_state({"value": value}, tmp_path / "state.pt")


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    digest = write_state({"weights": torch.randn(5_000_000)}, tmp_path / "state.pt")
    assert digest == hashlib.sha256((tmp_path / "state.pt").read_bytes()).hexdigest()
    assert state_damage(tmp_path / "state.pt", digest) is None
    with safe_open(tmp_path / "state.pt", "pt") as file:
        assert list(file.keys()) == ["0"]


@given(place=st.integers(min_value=0, max_value=2**40))
def test_a_flipped_bit_anywhere_is_noticed(place: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("states") / "state.pt"
    digest = write_state({"weights": torch.ones(30), "step": 3}, path)
    data = bytearray(path.read_bytes())
    data[place // 8 % len(data)] ^= 1 << place % 8
    path.write_bytes(data)
    assert "must have the SHA-256" in str(state_damage(path, digest))


HOSTILE: dict[str, Callable[[Path, Payload], object]] = {
    "torch's pickle": lambda path, payload: torch.save({"module": payload}, path),
    "a plain pickle": lambda path, payload: path.write_bytes(pickle.dumps(payload)),
    "no structure": lambda path, payload: path.write_bytes((2).to_bytes(8, "little") + b"{}"),
    "an endless header": lambda path, payload: path.write_bytes(b"\xff" * 64),
    "a structure of another kind": lambda path, payload: _write_structure(path, '{"eval": "1"}'),
    "a tensor that is not there": lambda path, payload: _write_structure(path, '{"dict": [["a", {"tensor": 7}]]}'),
    "a dict that is no pairs": lambda path, payload: _write_structure(path, '{"dict": [["a"]]}'),
    "a key that cannot be one": lambda path, payload: _write_structure(path, '{"dict": [[[], 1]]}'),
    "a list": lambda path, payload: _write_structure(path, "[]"),
    "endless nesting": lambda path, payload: _write_structure(path, "[" * 100_000),
    "nesting that JSON can read": lambda path, payload: _write_structure(path, "[" * 900 + "]" * 900),
}


def _write_structure(path: Path, structure: str) -> None:
    write_state({}, path)
    data = path.read_bytes()
    header = data[8:].rstrip().replace(rb"{\"dict\": []}", structure.replace('"', r"\"").encode())
    path.write_bytes(len(header).to_bytes(8, "little") + header)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_was_made_to_harm_is_damage_and_nothing_of_it_runs(kind: str, tmp_path: Path) -> None:
    path, proof = tmp_path / "state.pt", tmp_path / "proof"
    HOSTILE[kind](path, Payload(proof))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "must hold a state as this program writes it" in str(state_damage(path, digest))
    with pytest.raises(ValueError, match="must hold a state"), open_state(path):
        pass
    assert not proof.exists()


def test_a_file_that_is_not_there_is_damage(tmp_path: Path) -> None:
    assert state_damage(tmp_path / "state.pt", "") == "it is not there"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE])
def test_a_file_that_cannot_be_read_now_is_not_taken_for_damage(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = write_state({"step": 3}, tmp_path / "state.pt")

    def refuse(*arguments: object) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        state_damage(tmp_path / "state.pt", digest)
