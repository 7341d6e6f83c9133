"""Find the features and stages that a worker of a trial must produce, by what storage holds. No torch.

The driver asks when it hands a trial out, to lease what the trial will produce; a worker asks when it begins, and reads
in full what the driver has looked at by its shape only.
"""

from __future__ import annotations

from search_spaces.errors import InputError
from trainables.evaluation.results import evaluation_key
from trainables.storage import layout
from trainables.storage.artifacts import Depth, verify_evaluation, verify_features
from trainables.storage.damages import Damage
from trainables.storage.lost_stages import lost_stages
from trainables.storage.record_files import read, read_whole
from trainables.storage.records import FeaturesResult, StageResult
from trainables.storage.store import Store
from trainables.task import TrialTask


def needed_nodes(task: TrialTask, store: Store, depth: Depth) -> dict[str, tuple[Damage, ...]]:
    """Find the features and stages of a trial that are not there, or damaged and still read.

    Args:
        task: the trial.
        store: the storage.
        depth: how much is read of the weights that something reads.

    Returns:
        Node -> what is damaged of it; nothing of one that is not there.
    """
    needed: dict[str, tuple[Damage, ...]] = {}
    for features in task.features:
        damages = verify_features(store, features.key, "shape").damages
        if damages or read_whole(store, layout.features_result(features.key), FeaturesResult) is None:
            needed[features.node] = damages
    keys = [stage.key for stage in task.stages]
    lost = lost_stages(store, keys, depth, is_scored=_is_scored(task, store))
    for index, stage in enumerate(task.stages):
        if index in lost or not store.exists(layout.stage_result(stage.key)):
            needed[stage.node] = lost.get(index, ())
    return needed


def _is_scored(task: TrialTask, store: Store) -> bool:
    """Return whether nothing is left to ask of the trained model, as far as the results of its stages can be read."""
    try:
        results = [read(store, layout.stage_result(stage.key), StageResult) for stage in task.stages]
    except InputError:
        return False
    known = [result for result in results if result is not None]
    if len(known) < len(results):
        return False
    keys = {b.name: evaluation_key(task.trial, task.digests, b, known) for b in task.evaluation_sets}
    return all(
        store.exists(layout.evaluation_result(key, name)) and not verify_evaluation(store, key, name, "content").damages
        for name, key in keys.items()
    )
