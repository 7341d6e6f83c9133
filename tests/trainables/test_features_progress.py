"""Two producers of the same features never write to one file; what is left of one serves the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.other_hosts import ELSEWHERE
from tests.support.stored_studies import key_of
from trainables.feature_files import Features, FeatureWriter, open_features, writing_features
from trainables.features_progress import begin_production, finish_production
from trainables.storage import layout
from trainables.storage.digests import file_digest
from trainables.storage.lease import Owner
from trainables.storage.record_files import write
from trainables.storage.records import FeaturesResult
from trainables.storage.store import LocalStore

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
