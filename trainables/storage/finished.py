"""Read the results of features together with the files that they stand for. No torch.

A result is written last, so it says that its files were whole then. Whoever counts work as done, or goes on from it,
asks here: files that were lost or damaged since are named before anything runs, and never used.
"""

from __future__ import annotations

from trainables.storage import layout
from trainables.storage.artifacts import verify_features
from trainables.storage.record_files import read
from trainables.storage.records import FeaturesResult
from trainables.storage.store import Store


def finished_features(store: Store, key: str) -> FeaturesResult | None:
    """Read the result of features that are whole, or return None if they are not finished.

    Raises:
        DamagedArtifactError: the result or the features are damaged, or have another shape.
    """
    for damage in verify_features(store, key, "shape").damages:
        raise damage.error()
    return read(store, layout.features_result(key), FeaturesResult)
