"""Features keep the bytes that NumPy writes; a killed writer's rows are kept, and no changed row is read in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.stored_studies import finish_features, key_of
from trainables.feature_files import Features, open_features, writing_features
from trainables.storage import layout
from trainables.storage.artifacts import Verified, verify_artifact
from trainables.storage.damages import DamagedArtifactError, set_aside
from trainables.storage.record_files import write
from trainables.storage.records import FeaturesResult
from trainables.storage.store import LocalStore

KEY = key_of("features")
SHAPE = (10, 4, 8)
BATCHES = [range(0, 4), range(4, 8), range(8, 10)]
WHOLE: Features = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


class _KilledError(BaseException):
    pass


def _write(folder: Path, killed_at: int = 99) -> list[int]:
    """Write what lacks of all batches, and return the numbers of those that were written; killed before one of them."""
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    with writing_features(folder, SHAPE) as writer:
        for number, batch in enumerate(BATCHES):
            if number == killed_at:
                raise _KilledError
            if not writer.has(batch):
                writer.write(batch, WHOLE[batch.start : batch.stop])
                written.append(number)
    return written


def test_the_array_has_the_bytes_that_numpy_maps(tmp_path: Path) -> None:
    mapped = np.lib.format.open_memmap(tmp_path / "numpy.npy", mode="w+", dtype=np.float32, shape=SHAPE)
    mapped[:] = WHOLE
    mapped.flush()
    _write(tmp_path / "ours")
    assert (tmp_path / "ours/features.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    np.save(tmp_path / "saved.npy", WHOLE)
    assert (tmp_path / "ours/features.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()


@pytest.mark.parametrize("killed_at", [0, 1, 2])
def test_a_killed_writer_loses_the_batch_it_was_at_and_no_other(tmp_path: Path, killed_at: int) -> None:
    with pytest.raises(_KilledError):
        _write(tmp_path, killed_at)
    assert _write(tmp_path) == list(range(killed_at, 3))
    assert np.array_equal(np.load(tmp_path / "features.npy"), WHOLE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.npy", "rows.sha256"]


@pytest.mark.parametrize(
    ("array_bytes", "rows_bytes", "written"),
    [
        (0, 320, [0, 1, 2]),  # digests have reached the disk, and nothing of what they are of
        (700, 320, [1, 2]),
        (1408, 0, [0, 1, 2]),
        (1408, 200, [1, 2]),
        (1408, 320, []),
    ],
)
def test_what_did_not_reach_the_disk_is_computed_anew(
    tmp_path: Path, array_bytes: int, rows_bytes: int, written: list[int]
) -> None:
    _write(tmp_path)
    for name, kept in (("features.npy", array_bytes), ("rows.sha256", rows_bytes)):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:kept] + bytes(len(content) - kept) * (name == "features.npy"))
    assert _write(tmp_path) == written
    assert np.array_equal(np.load(tmp_path / "features.npy"), WHOLE)


def test_leftovers_of_other_features_are_written_over(tmp_path: Path) -> None:
    (tmp_path / "features.npy").write_bytes(b"\x93NUMPY" + bytes(5000))
    (tmp_path / "rows.sha256").write_bytes(bytes(5000))
    assert _write(tmp_path) == [0, 1, 2]
    assert np.array_equal(np.load(tmp_path / "features.npy"), WHOLE)
    assert (tmp_path / "rows.sha256").stat().st_size == 320


def test_no_flipped_bit_is_read_in_silence_and_other_rows_are_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY, SHAPE)
    path = tmp_path / layout.features_array(KEY)
    content = bytearray(path.read_bytes())
    content[128 + 3 * 128 + 5] ^= 1  # in row 3
    path.write_bytes(content)
    features = open_features(store, KEY)
    assert features.rows([0, 1, 2, 9]).shape == (4, 4, 8)
    with pytest.raises(DamagedArtifactError, match=r"features\.npy: must be complete.* row 3 "):
        features.rows([2, 3])
    assert [found.file for found in verify_artifact(store, f"features/{KEY}", "shape").damages] == [
        layout.features_array(KEY)
    ]


def test_features_of_a_version_without_digests_are_found_and_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY, SHAPE, digested=False)
    features = open_features(store, KEY)
    assert (len(features), features.row(3).sum()) == (10, 0)


def test_features_that_are_being_made_again_are_waited_for_and_not_marked(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY, SHAPE)
    aside = set_aside(store, layout.features_folder(KEY))
    with pytest.raises(DamagedArtifactError, match=r"result\.json: must be complete.* not there"):
        open_features(store, KEY)
    assert aside is not None
    assert not store.exists(layout.features_folder(KEY))


def test_rows_of_features_that_were_made_again_are_read_and_their_damage_marks_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    finish_features(store, KEY, SHAPE)
    path = tmp_path / layout.features_array(KEY)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in row 9
    path.write_bytes(content)
    features = open_features(store, KEY)
    assert set_aside(store, layout.features_folder(KEY)) is not None
    finish_features(store, KEY, SHAPE)
    with pytest.raises(DamagedArtifactError, match="row 9"):
        features.row(9)
    assert verify_artifact(store, f"features/{KEY}", "content") == Verified()
    assert open_features(store, KEY).row(9).shape == (4, 8)


def test_features_of_no_picture_are_an_empty_array(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    folder = tmp_path / layout.features_folder(KEY)
    folder.mkdir(parents=True)
    with writing_features(folder, (0, 4, 8)):
        pass
    write(store, layout.features_result(KEY), FeaturesResult(KEY, (0, 4, 8), 1.0, ""))
    assert np.load(folder / "features.npy").shape == (0, 4, 8)
