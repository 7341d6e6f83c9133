"""Set damaged artifacts aside that a trial makes again, and refuse to go on from those that it may not touch. No torch.

What may be made again is what the run has the lease of: the driver takes the leases of all that a trial's plan lacks
when it hands the trial out. Damage that shows only when a worker reads everything is marked on storage, and the
attempt ends: with the mark, the next attempt is handed out with the lease.
"""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import InputError
from trainables.evaluation.results import evaluation_key
from trainables.storage import layout
from trainables.storage.artifacts import verify_evaluation, verify_features, verify_stage
from trainables.storage.damages import Damage, refuse_damaged, set_aside
from trainables.storage.lost_stages import lost_stages
from trainables.storage.record_files import read
from trainables.storage.records import StageResult, TrialResult
from trainables.storage.store import Store
from trainables.task import TrialTask


def restore_nodes(task: TrialTask, store: Store) -> None:
    """Set aside what is damaged of the features, the stages and the result of a trial, so that it is made again.

    Weights that are still read are read in full for that, once per process; features and pictures are verified where
    they are read.

    Raises:
        DamagedArtifactError: something is damaged whose lease the trial's run does not have.
    """
    for features in task.features:
        damages = verify_features(store, features.key, "shape").damages
        _restore(task, store, features.key, layout.features_folder(features.key), damages, "they are computed again")
    keys = [stage.key for stage in task.stages]
    lost = {
        stage.index: stage.damages for stage in lost_stages(store, keys, "content", is_scored=_is_scored(task, store))
    }
    for index, key in enumerate(keys):  # a driver that has leased a stage wants it, whether this trial reads it or not
        if index not in lost and _leases(task, store, key) and store.lease_owner(key) is not None:
            lost[index] = verify_stage(store, key, "shape").damages
    for index, damages in lost.items():
        again = f"{task.trial.stages[index].name} is trained again"
        _restore(task, store, keys[index], layout.stage_folder(keys[index]), damages, again)
    result = layout.trial_result(task.study, task.id)
    try:
        read(store, result, TrialResult)
    except InputError as error:
        print(f"{error.place}: {error.law}; it is written again", flush=True)
        set_aside(store, result)


def restore_evaluations(task: TrialTask, results: Sequence[StageResult], store: Store) -> None:
    """Set aside what is damaged of the scores of a trial, so that they are made again.

    Args:
        task: the trial.
        results: of all its stages.
        store: where the scores are.
    """
    for benchmark in task.evaluation_sets:
        key = evaluation_key(task.trial, task.digests, benchmark, results)
        damages = verify_evaluation(store, key, benchmark.name, "content").damages
        for found in damages:
            print(f"{found}; {benchmark.name} is evaluated again", flush=True)
        if damages:
            set_aside(store, layout.evaluation_result(key, benchmark.name))
            set_aside(store, layout.evaluation_examples(key, benchmark.name))
            store.remove(layout.damage_mark(layout.evaluation_folder(key)))


def _restore(task: TrialTask, store: Store, key: str, folder: str, damages: Sequence[Damage], consequence: str) -> None:
    if not damages:
        return
    if not _leases(task, store, key):
        refuse_damaged(store, folder, damages[0])
    aside = set_aside(store, folder)
    for found in damages:
        kept = f" (what is left of it is kept in {store.place(aside)})" if aside is not None else ""
        print(f"{found}; {consequence}{kept}", flush=True)


def _leases(task: TrialTask, store: Store, key: str) -> bool:
    """Return whether the run that has the trial has the lease of a node, too; or nobody has either: no driver runs."""
    return store.lease_owner(key) == store.lease_owner(layout.trial_lease(task.study, task.id))


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
