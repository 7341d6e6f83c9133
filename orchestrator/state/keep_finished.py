"""Write down what the finished trials of a large study have come to, so that the next command opens no file of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from orchestrator.state.finished_trials import (
    KEPT_FROM_TRIALS,
    SETTLED_S,
    FinishedTrials,
    basis_of,
    facts_text,
    folders_of,
)
from orchestrator.state.ledger import Ledger, read_ledger
from orchestrator.state.stored_evaluations import StoredEvaluations
from orchestrator.state.stored_nodes import node_result
from search_spaces.error_text import first_line
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import StageResult
from trainables.storage.store import Store

logger = logging.getLogger(__name__)


def keep_finished(plan: Plan, ledger: Ledger, store: Store) -> None:
    """Keep the results of the trials of a large study that are done, where storage does not keep all of them yet.

    Size and time of the files are noted first, and then every file is read: one that somebody changes in between is
    another file to whoever reads the record. What was written a moment ago is left to the next run.

    Args:
        plan: of the study.
        ledger: of the plan, as it was just read.
        store: the storage.
    """
    if len(plan.trials) < KEPT_FROM_TRIALS:
        return
    trials = [trial for trial in plan.trials if trial.id in ledger.kept or _can_be_kept(plan, trial, ledger, store)]
    if ledger.kept.issuperset(trial.id for trial in trials):
        return
    try:
        write(store, layout.finished_trials(plan.study), _record(plan, trials, ledger, store))
    except OSError as error:  # a storage that can only be read, or is full: everything can be read without it
        logger.warning("what the finished trials have come to is not kept: %s", first_line(error))


def _record(plan: Plan, trials: Sequence[PlannedTrial], ledger: Ledger, store: Store) -> FinishedTrials:
    """Make the record of trials that are complete.

    Args:
        plan: of the study.
        trials: those that are complete by the ledger.
        ledger: of the plan.
        store: the storage.
    """
    files = {trial.id: _files(plan, trial, ledger, store) for trial in trials}
    names = {folder: sorted(each) for by_folder in files.values() for folder, each in by_folder.items()}
    settled = store.now() - SETTLED_S
    facts = {folder: facts_text(store, folder, each, before=settled) for folder, each in names.items()}
    read_again = read_ledger(plan, store, from_files=True)
    damaged = {loss.damage.file.rpartition("/")[0] for loss in read_again.losses}
    known = {folder: text for folder, text in facts.items() if text is not None and folder not in damaged}
    kept = [
        trial.id for trial in trials if _is_complete(plan, trial, read_again) and files[trial.id].keys() <= known.keys()
    ]
    folders = {folder: known[folder] for trial in kept for folder in files[trial]}
    results = {trial: result for trial in kept if (result := read_again.trials[trial].result) is not None}
    return FinishedTrials(basis_of(plan), results, folders)


def _can_be_kept(plan: Plan, trial: PlannedTrial, ledger: Ledger, store: Store) -> bool:
    """Check whether a trial is complete and has files in every folder that its state is read from.

    A trial that is done stays so without the result of a stage, which somebody has removed: its files are looked for
    each time.
    """
    result = ledger.trials[trial.id].result
    return (
        result is not None
        and _is_complete(plan, trial, ledger)
        and _files(plan, trial, ledger, store).keys() >= set(folders_of(plan, trial, result))
    )


def _is_complete(plan: Plan, trial: PlannedTrial, ledger: Ledger) -> bool:
    """Check whether a trial is done with all that the plan asks, by the results of evaluations that its own names."""
    entry = ledger.trials[trial.id]
    if entry.state != "done" or entry.result is None or entry.is_diverged or not entry.is_scored_by(plan):
        return False
    return all(
        stored.files(trial.id, name)[0] == entry.result.evaluations.get(name) for name, stored in _asked(plan, ledger)
    )


def _files(plan: Plan, trial: PlannedTrial, ledger: Ledger, store: Store) -> dict[str, set[str]]:
    """Map the folders of a finished trial to the names of the files in them that its state is read from."""
    names = [layout.trial_result(plan.study, trial.id)]
    for node in trial.stage_nodes(plan):
        result = node_result(node, store)
        if isinstance(result, StageResult):
            folder = layout.stage_folder(result.key)
            names += [
                layout.stage_result(result.key),
                *(layout.module_weights(folder, name) for name in result.modules),
            ]
    for name, stored in _asked(plan, ledger):
        names += stored.files(trial.id, name)
    files: dict[str, set[str]] = {}
    for folder, _, file in (name.rpartition("/") for name in names):
        files.setdefault(folder, set()).add(file)
    return files


def _asked(plan: Plan, ledger: Ledger) -> list[tuple[str, StoredEvaluations]]:
    """List the names of all evaluation sets of a plan, each with the results of its kind."""
    kinds = ((plan.benchmarks, ledger.evaluations), (plan.samples, ledger.samples), (plan.blind.sets, ledger.blind))
    return [(asked.name, stored) for sets, stored in kinds for asked in sets]
