"""Set damaged artifacts aside that a trial makes again, and refuse to go on from those that it may not touch. No torch.

What may be made again is what the run has the lease of: the driver takes the leases of all that a trial's workers will
produce when it hands the trial out, and lists it in the task. Damage that shows only when a worker reads everything is
marked on storage, and the attempt ends: the next one is handed out with the lease.
"""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import InputError
from trainables.evaluation.results import evaluation_key
from trainables.needed_nodes import needed_nodes
from trainables.storage import layout
from trainables.storage.artifacts import verify_evaluation, verify_stage
from trainables.storage.damages import Damage, absent, refuse_damaged, set_aside
from trainables.storage.record_files import read
from trainables.storage.records import StageResult, TrialResult
from trainables.storage.store import Store
from trainables.task import TrialTask


def restore_nodes(task: TrialTask, store: Store) -> None:
    """Set aside what is damaged of the features, the stages and the result of a trial, so that it is made again.

    Weights that are still read are read in full for that, once per process; features and pictures are verified where
    they are read.

    Raises:
        DamagedArtifactError: something is damaged, or not there, whose lease the trial's run does not have.
    """
    needed = needed_nodes(task, store, "content")
    for features in task.features:
        folder = layout.features_folder(features.key)
        if features.node in needed:
            require_leased(task, features.node, layout.features_result(features.key), store, needed[features.node])
            _set_aside(store, folder, needed[features.node], "they are computed again")
    for stage, spec in zip(task.stages, task.trial.stages, strict=True):
        damages = needed.get(stage.node)
        if damages is not None:
            require_leased(task, stage.node, layout.stage_result(stage.key), store, damages)
        elif stage.node in (task.leased or ()):  # the driver wants it, whether this trial reads it or not
            damages = verify_stage(store, stage.key, "shape").damages
        _set_aside(store, layout.stage_folder(stage.key), damages or (), f"{spec.name} is trained again")
    result = layout.trial_result(task.study, task.id)
    try:
        read(store, result, TrialResult)
    except InputError as error:
        print(f"{error.place}: {error.law}; it is written again", flush=True)
        set_aside(store, result)


def require_leased(task: TrialTask, node: str, result: str, store: Store, damages: Sequence[Damage] = ()) -> None:
    """Refuse to produce features or a stage whose lease the trial's run does not have: another may be producing them.

    Args:
        task: the trial.
        node: that is to be produced.
        result: name of the node's result on storage.
        store: the storage.
        damages: what is damaged of it; nothing where it is not there.

    Raises:
        DamagedArtifactError: the run does not have the lease; the next attempt has it, or waits for who has.
    """
    if task.leased is None or node in task.leased:
        return
    refuse_damaged(store, result.rpartition("/")[0], damages[0] if damages else absent(store, result))


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
        for damage in damages:
            print(f"{damage}; {benchmark.name} is evaluated again", flush=True)
        if damages:
            set_aside(store, layout.evaluation_result(key, benchmark.name))
            set_aside(store, layout.evaluation_examples(key, benchmark.name))
            store.remove(layout.damage_mark(layout.evaluation_folder(key)))


def _set_aside(store: Store, folder: str, damages: Sequence[Damage], consequence: str) -> None:
    if not damages:
        return
    aside = set_aside(store, folder)
    for damage in damages:
        kept = f" (what is left of it is kept in {store.place(aside)})" if aside is not None else ""
        print(f"{damage}; {consequence}{kept}", flush=True)
