"""Do what `ablate run` does of the study, trial by trial in this process and without Ray."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from measurements.damage.study_plan import STUDY_FILE, planned
from orchestrator.exit_codes import EXIT_DONE, EXIT_TRIAL_FAILED
from orchestrator.planning.durations import estimated_seconds
from orchestrator.reporting.build import build_report
from orchestrator.run_study import write_documents
from orchestrator.running.leases import Leases
from orchestrator.running.tasks import make_task, remaining_work
from orchestrator.state.ledger import Ledger, read_ledger
from orchestrator.state.superseded import set_aside_changed
from orchestrator.tracking.environment import storage_id
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study_files import load_study
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.damages import DamagedArtifactError
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask

ATTEMPTS = 3
"""Of a trial: one that finds damage whose lease its run does not have is handed out again with it."""

LOOKS = 20
"""At a lease that another has, before it counts as one that never ends; the silence of 60 s is seen in 6 of them."""


def run_study(storage: Path, output: io.StringIO) -> int:
    """Run what is left of the study; what fails is written to the output."""
    study, store = load_study(str(STUDY_FILE)), LocalStore(storage)
    study_plan, digests = planned(storage, reads_data=True)
    ledger = read_ledger(study_plan, store, "content")
    set_aside_changed(study_plan, ledger, store)
    write_documents(study, study_plan, ledger, store)
    code = EXIT_DONE
    for _ in range(ATTEMPTS):
        failures = [error for error in _trials(study_plan, digests, ledger, storage) if error is not None]
        code = EXIT_TRIAL_FAILED if failures else EXIT_DONE
        for error in failures:
            output.write(f"{error}\n")
        if not failures:
            break
        study_plan, digests = planned(storage, reads_data=True)
        ledger = read_ledger(study_plan, store)
    build_report(study, study_plan, store, read_ledger(study_plan, store), "run")
    storage_id(storage)
    return code


def attempt(study_plan: Plan, trial: PlannedTrial, digests: dict[str, str], ledger: Ledger, storage: Path) -> TrialTask:
    """Write the task of an attempt at a trial, which may produce all that storage lacks, and return it."""
    produced = [study_plan.nodes[name] for name in trial.path if name not in ledger.done_nodes]
    store = LocalStore(storage)
    store.remove(layout.trial_failure(study_plan.study, trial.id))
    task = make_task(study_plan, trial, digests, storage, storage / layout.SOURCES)
    task = task.model_copy(update={"leased": tuple(node.id for node in produced if node.key is not None)})
    write(store, layout.trial_task(study_plan.study, trial.id), task)
    return task


def _trials(
    study_plan: Plan, digests: dict[str, str], ledger: Ledger, storage: Path
) -> Iterator[DamagedArtifactError | None]:
    """Run the trials that are left, each with the leases of what it lacks, as the dispatcher takes them."""
    store, trials = LocalStore(storage), {trial.id: trial for trial in study_plan.trials}
    for item in remaining_work(study_plan, ledger, estimated_seconds(study_plan, ledger, store)):
        trial = trials[item.trial_id]
        undone = [study_plan.nodes[name] for name in item.path if name not in ledger.done_nodes]
        leases = Leases(store)
        names = [layout.trial_lease(study_plan.study, trial.id), *(node.key for node in undone if node.key is not None)]
        if all(leases.take(names) is not None for _ in range(LOOKS)):
            raise RuntimeError(f"the leases of {trial.id} never come free")
        try:
            for _ in run_trial(attempt(study_plan, trial, digests, ledger, storage), Context()):
                pass
            yield None
        except DamagedArtifactError as error:
            yield error
        finally:
            leases.release_all()
        ledger = read_ledger(study_plan, store)
