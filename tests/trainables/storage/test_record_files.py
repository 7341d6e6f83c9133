"""Records of other versions are read, and damaged ones are named and redone or refused."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support.small_records import evaluation_result, failure, stage_result, trial_result
from trainables.storage.record_files import read, read_or_redo, write
from trainables.storage.records import (
    Curve,
    EvaluationResult,
    Failure,
    FeaturesResult,
    StageResult,
    TrialResult,
)
from trainables.storage.store import LocalStore

NAME = "some/record.json"
DAMAGED = {
    "empty": b"",
    "blank": b"\n \n",
    "cut": b'{"trial": "a", "stages": ["k',
    "no fields": b"{}",
    "a list": b"[]",
    "null": b"null",
    "text": b'"text"',
    "binary": b"\x93NUMPY\x00\xff\xfe",
}


RECORDS = [
    stage_result("k", mfu=0.4, counts={"a": 1}, provenance={"torch": "2"}),
    FeaturesResult(key="k", shape=(3, 4, 8), gpu_seconds=0.5),
    evaluation_result("k", warnings=("few",), units={"n": "count"}),
    trial_result("a", stages=("k",), evaluations={"shape": "evaluations/k/shape.json"}),
    failure("a", kind="memory", traceback="Trace\n\u00e9"),
    Curve(curve=((1, 0.25, 1e-3), (2, 0.125, 1e-4))),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_was_written_is_read_back_equal(store: LocalStore, record: object) -> None:
    write(store, NAME, record)
    assert read(store, NAME, type(record)) == record


def test_a_file_has_sorted_keys_and_every_field(store: LocalStore) -> None:
    write(store, NAME, FeaturesResult(key="k", shape=(3, 4), gpu_seconds=0.5))
    expected = {"gpu_seconds": 0.5, "key": "k", "rows_digest": "", "shape": [3, 4]}
    body = json.dumps(expected, indent=1, sort_keys=True).encode()
    assert store.get(NAME) == body[:-2] + b',\n "~checksum": "%08x"\n}' % zlib.crc32(body)
    assert json.loads(store.get(NAME)).keys() == {*expected, "~checksum"}


def test_no_flipped_bit_of_a_record_is_read_in_silence(store: LocalStore) -> None:
    record = FeaturesResult(key="k", shape=(3, 4), gpu_seconds=0.5)
    write(store, NAME, record)
    content = store.get(NAME)
    refused = 0
    for at in range(len(content)):
        store.put(NAME, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        try:
            assert read(store, NAME, FeaturesResult) == record
        except InputError:
            refused += 1
    assert refused > len(content) // 2


def test_a_record_of_a_version_without_checksums_is_read(store: LocalStore) -> None:
    store.put(NAME, json.dumps({"gpu_seconds": 0.5, "key": "k", "shape": [3]}, indent=1).encode())
    assert read(store, NAME, FeaturesResult) == FeaturesResult(key="k", shape=(3,), gpu_seconds=0.5)


@given(st.floats(allow_nan=False))
def test_every_number_is_read_back_to_the_last_bit(tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
    store = LocalStore(tmp_path_factory.getbasetemp())
    write(store, NAME, FeaturesResult(key="k", shape=(), gpu_seconds=number))
    back = read(store, NAME, FeaturesResult)
    assert back is not None
    assert back.gpu_seconds.hex() == number.hex()


def test_a_diverged_loss_is_read_back_as_it_was(store: LocalStore) -> None:
    write(store, NAME, Curve(curve=((1, math.nan, 0.1), (2, math.inf, 0.1))))
    back = read(store, NAME, Curve)
    assert back is not None
    assert math.isnan(back.curve[0][1])
    assert back.curve[1][1] == math.inf


def test_a_file_that_is_not_there_is_no_error(store: LocalStore) -> None:
    assert read(store, NAME, TrialResult) is None
    assert read_or_redo(store, NAME, TrialResult) is None


def test_a_field_of_a_newer_version_is_passed_over(store: LocalStore) -> None:
    plain = {"key": "k", "shape": [1], "gpu_seconds": 0.5, "watts": {"mean": 3}}
    store.put(NAME, json.dumps(plain).encode())
    assert read(store, NAME, FeaturesResult) == FeaturesResult(key="k", shape=(1,), gpu_seconds=0.5)


def test_a_field_that_came_after_the_first_version_may_be_missing(store: LocalStore) -> None:
    write(store, NAME, stage_result("k", mfu=0.4))
    plain = json.loads(store.get(NAME))
    del plain["mfu"]
    store.put(NAME, json.dumps(plain).encode())
    assert read(store, NAME, StageResult) == replace(stage_result("k"), mfu=None)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("kind", [StageResult, FeaturesResult, EvaluationResult, TrialResult, Failure])
def test_a_damaged_file_is_refused_by_its_name(store: LocalStore, kind: type, content: bytes) -> None:
    store.put(NAME, content)
    with pytest.raises(InputError, match=r"some/record\.json: must be a complete record") as caught:
        read(store, NAME, kind)
    assert "Remove the file" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "law"),
    [
        ({"stages": "k"}, "'stages' must be a valid"),
        ({"stages": [1]}, "'stages.0' must be a valid string"),
        ({"diverged": "false"}, "'diverged' must be a valid boolean"),
        ({"cost": {}}, "the field 'cost.gpu_seconds' is missing; .*; the field 'cost.wall_seconds' is missing"),
        ({"trial": None}, "'trial' must be a valid string"),
    ],
)
def test_a_field_of_another_type_is_named_and_never_converted(
    store: LocalStore, changed: dict[str, object], law: str
) -> None:
    write(store, NAME, trial_result("a"))
    store.put(NAME, json.dumps({**json.loads(store.get(NAME)), **changed}).encode())
    with pytest.raises(InputError, match=law):
        read(store, NAME, TrialResult)


def test_a_value_that_this_version_does_not_know_is_refused(store: LocalStore) -> None:
    write(store, NAME, failure("a"))
    store.put(NAME, store.get(NAME).replace(b'"lost"', b'"evicted"'))
    with pytest.raises(InputError, match="'kind' must be 'lost'"):
        read(store, NAME, Failure)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_what_can_be_made_again_is_as_good_as_absent_and_a_warning_names_the_file(
    store: LocalStore, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(NAME, content)
    with caplog.at_level(logging.WARNING):
        assert read_or_redo(store, NAME, Curve) is None
    assert store.place(NAME) in caplog.text


def test_a_file_that_cannot_be_looked_at_is_not_taken_for_absent(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, NAME, failure("a"))
    stat = os.stat

    def stale(path: object, *arguments: object, **named: object) -> object:
        if str(path).endswith(NAME):
            raise OSError(errno.ESTALE, "Stale file handle")
        return stat(path, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "stat", stale)
    with pytest.raises(OSError, match="Stale file handle"):
        read_or_redo(store, NAME, Failure)
