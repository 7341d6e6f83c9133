"""Two producers of the same features never write to one file; what is left of one serves the next."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.other_hosts import ELSEWHERE
from tests.support.stored_studies import key_of
from trainables.feature_files import Features, FeatureWriter, open_features, writing_features
from trainables.features_progress import begin_production, finish_production
from trainables.storage import layout
from trainables.storage.digests import file_digest
from trainables.storage.owner import Owner
from trainables.storage.record_files import write
from trainables.storage.records import FeaturesResult
from trainables.storage.store import ASIDE, LocalStore

KEY = key_of("features")
SHAPE = (8, 4, 8)
BATCHES = [range(start, start + 2) for start in range(0, 8, 2)]
HERE: Features = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
THERE: Features = HERE + np.float32(1e-6)
"""What another machine computes: kernels of other devices round otherwise."""
GONE = replace(Owner.here(), started=Owner.here().started - 1000)


class KilledError(BaseException):
    """Stands for the end of a producer's process."""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@contextmanager
def producing(store: LocalStore, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, FeatureWriter]]:
    """Begin a production as a process; yields the nonce of its folder, and its writer with files open."""
    with monkeypatch.context() as patched:
        patched.setattr(Owner, "here", lambda: owner)
        nonce = begin_production(store, KEY)
    with (
        store.working_folder(layout.features_in_progress(KEY, nonce)) as folder,
        writing_features(folder, SHAPE) as writer,
    ):
        yield nonce, writer


def fill(writer: FeatureWriter, content: Features, batches: list[range]) -> list[range]:
    """Write the batches that are not there; returns these."""
    lacking = [batch for batch in batches if not writer.has(batch)]
    for batch in lacking:
        writer.write(batch, content[batch.start : batch.stop])
    return lacking


def end(store: LocalStore, nonce: str) -> None:
    """Finish a production whose rows are all written."""
    result = FeaturesResult(KEY, SHAPE, 1.0, file_digest(store, layout.rows_in_progress(KEY, nonce)))
    write(store, layout.features_result_in_progress(KEY, nonce), result)
    finish_production(store, KEY, nonce)


def stored(store: LocalStore) -> Features:
    features = open_features(store, KEY)
    assert features is not None
    return features.rows(range(8))


@pytest.mark.parametrize("owner", [GONE, ELSEWHERE], ids=["gone", "out of sight"])
def test_what_a_producer_has_left_is_not_computed_again(
    store: LocalStore, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(KilledError), producing(store, owner, monkeypatch) as (_, writer):
        fill(writer, THERE, BATCHES[:1])
        raise KilledError
    with suppress(KilledError), producing(store, owner, monkeypatch) as (_, writer):
        assert fill(writer, THERE, BATCHES[:3]) == BATCHES[1:3]
        raise KilledError
    with producing(store, Owner.here(), monkeypatch) as (nonce, writer):
        assert fill(writer, HERE, BATCHES) == BATCHES[3:]
    end(store, nonce)
    assert np.array_equal(stored(store), np.concatenate([THERE[:6], HERE[6:]]))


def test_a_producer_that_goes_on_after_its_lease_was_taken_over_does_not_get_between_the_rows_of_its_successor(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with producing(store, ELSEWHERE, monkeypatch) as (first_nonce, first):
        fill(first, THERE, BATCHES[:2])
        with producing(store, Owner.here(), monkeypatch) as (second_nonce, second):
            assert fill(second, HERE, BATCHES[:3]) == BATCHES[2:3]
            fill(first, THERE, BATCHES[2:])
            fill(second, HERE, BATCHES[3:])
        end(store, second_nonce)
        whole = np.concatenate([THERE[:4], HERE[4:]])
        assert np.array_equal(stored(store), whole)
    end(store, first_nonce)  # it is late, and harms nothing
    assert np.array_equal(stored(store), whole)
    assert not store.exists(layout.features_aside(KEY))


def test_a_producer_that_is_killed_once_it_has_copied_loses_nothing_of_what_the_first_had(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(KilledError), producing(store, ELSEWHERE, monkeypatch) as (_, writer):
        fill(writer, THERE, BATCHES[:2])
        raise KilledError
    with suppress(KilledError), producing(store, GONE, monkeypatch):
        raise KilledError
    with producing(store, Owner.here(), monkeypatch) as (_, writer):
        assert fill(writer, HERE, BATCHES) == BATCHES[2:]


def test_a_producer_that_ends_while_it_is_copied_leaves_no_half_copy_to_its_successor(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with producing(store, ELSEWHERE, monkeypatch) as (first_nonce, first):
        fill(first, THERE, BATCHES)
    copy_file, ended = shutil.copyfile, []

    def end_first(*arguments: Any, **options: Any) -> object:
        if not ended:
            ended.append(first_nonce)
            end(store, first_nonce)
        return copy_file(*arguments, **options)

    monkeypatch.setattr(shutil, "copyfile", end_first)
    with producing(store, Owner.here(), monkeypatch) as (second_nonce, second):
        assert ended
        assert fill(second, HERE, BATCHES) == BATCHES
    end(store, second_nonce)
    assert np.array_equal(stored(store), THERE)
    assert not [entry.name for entry in store.walk("") if entry.name.endswith(ASIDE)]
    assert not store.exists(layout.features_aside(KEY))


def test_what_a_producer_is_writing_aside_is_not_copied(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with producing(store, ELSEWHERE, monkeypatch) as (first_nonce, first):
        fill(first, THERE, BATCHES[:2])
        half = f"{layout.features_in_progress(KEY, first_nonce)}/.result.json.ab{ASIDE}"
        (store.root / half).write_bytes(b"half")
        with producing(store, Owner.here(), monkeypatch) as (_, second):
            assert fill(second, HERE, BATCHES) == BATCHES[2:]
        assert [entry.name for entry in store.walk("") if entry.name.endswith(ASIDE)] == [half]


def test_a_producer_that_cannot_be_read_is_an_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with producing(store, ELSEWHERE, monkeypatch) as (_, first):
        fill(first, THERE, BATCHES[:1])
        monkeypatch.setattr(shutil, "copyfile", fail)
        with pytest.raises(OSError, match="Input/output error"):
            begin_production(store, KEY)


class _BegunMeanwhileStore(LocalStore):
    """Storage where another producer begins just before the folder of all producers is removed."""

    nonce = ""

    def remove(self, name: str) -> None:
        self._begin(name)
        super().remove(name)

    def remove_empty(self, name: str) -> None:
        self._begin(name)
        super().remove_empty(name)

    def _begin(self, name: str) -> None:
        if name == layout.features_aside(KEY):
            self.nonce = begin_production(LocalStore(self.root), KEY)


def test_a_producer_that_begins_while_the_last_one_cleans_up_keeps_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _BegunMeanwhileStore(tmp_path)
    with producing(store, Owner.here(), monkeypatch) as (first_nonce, first):
        fill(first, HERE, BATCHES)
    end(store, first_nonce)
    assert store.nonce
    assert store.folders(layout.features_aside(KEY)) == (store.nonce,)
