"""Keep what the finished trials of a large study have come to, for as long as none of their files changes.

To read the state of 5,000 finished trials takes tens of thousands of small files. The record of them has what these
say, with size and time of each: they are looked at, and opened only where they differ. It is no truth of its own: a
trial of which any file is missing, is another one or is marked as damaged is read as if there were no record.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.state.program import program_fingerprint
from search_spaces.identity import fingerprint
from search_spaces.plan import Plan, PlannedTrial
from trainables.storage import layout
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import TrialResult
from trainables.storage.store import Store

KEPT_FROM_TRIALS = 200
"""Trials from which on a study has such a record. Those of smaller ones are read in a fraction of a second."""

SETTLED_S = 2.0
"""Seconds after which a file's time tells it from a later one: clocks of file systems have ticks of up to a second."""


@dataclass(frozen=True)
class FinishedTrials:
    """`studies/<study>/finished.json`: results of finished trials, and the files that they follow from."""

    basis: str
    """Fingerprint of all else that the state of a trial follows from: program, digests, what is asked."""
    trials: Mapping[str, TrialResult] = field(default_factory=dict)
    """Trial -> its result, of trials that are done by what the study asks."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Folder -> its files that matter: name, size and content (`store.Facts`) of each, with spaces between."""


def basis_of(plan: Plan) -> str:
    """Fingerprint what the state of a trial follows from, beside its own files and the keys of its stages.

    Of digests, those that the plan needs: commands know more of them, `run` those of its own study only.
    """
    asked = {
        kind: [(benchmark.id, benchmark.name) for benchmark in benchmarks]
        for kind, benchmarks in (("benchmarks", plan.benchmarks), ("samples", plan.samples), ("blind", plan.blind.sets))
    }
    known = {"digests": plan.needed_digests(), "keys": dict(plan.benchmark_keys)}
    return fingerprint({"program": program_fingerprint(), "asked": asked, **known})


class FinishedReader:
    """Reader of the trials that a record tells of and whose files are all as they were. A folder is looked at once.

    Args:
        plan: of the study.
        store: the storage.
    """

    def __init__(self, plan: Plan, store: Store):
        self._plan, self._store = plan, store
        is_large = len(plan.trials) >= KEPT_FROM_TRIALS
        record = _read(store, plan.study) if is_large else None
        is_valid = record is not None and record.basis == basis_of(plan)
        self._record = record if record is not None and is_valid else FinishedTrials("")
        self._are_unchanged: dict[str, bool] = {}

    def read(self) -> dict[str, TrialResult]:
        """Map the finished trials of the plan that need not be read again to their results."""
        results = ((trial, self._record.trials.get(trial.id)) for trial in self._plan.trials)
        return {
            trial.id: result
            for trial, result in results
            if result is not None
            and tuple(node.key for node in trial.stage_nodes(self._plan)) == result.stages
            and all(map(self._is_unchanged, folders_of(self._plan, trial, result)))
        }

    def _is_unchanged(self, folder: str) -> bool:
        known = self._are_unchanged.get(folder)
        if known is None:
            text = self._record.folders.get(folder, "")
            known = self._are_unchanged[folder] = text != "" and self._facts(folder, text.split()[::3]) == text
        return known

    def _facts(self, folder: str, names: Sequence[str]) -> str | None:
        if folder.startswith("stages/") and self._store.exists(layout.damage_mark(folder)):
            return None
        return facts_text(self._store, folder, names)


def _read(store: Store, study: str) -> FinishedTrials | None:
    consequence = "every file of its trials is opened until `ablate run` has written it again"
    return read_or_drop(store, layout.finished_trials(study), FinishedTrials, consequence)


def folders_of(plan: Plan, trial: PlannedTrial, result: TrialResult) -> list[str]:
    """List the folders that the state of a finished trial is read from: of its evaluations, those that the plan has.

    Args:
        plan: of the study.
        trial: of the plan.
        result: of the trial, which may have scores that an earlier version of the study asked for.
    """
    names = (result.evaluations.get(asked.name) for asked in plan.evaluation_sets)
    evaluations = (name.rpartition("/")[0] for name in names if name is not None)
    return [layout.trial_folder(plan.study, trial.id), *map(layout.stage_folder, result.stages), *evaluations]


def facts_text(store: Store, folder: str, names: Sequence[str], *, before: float = math.inf) -> str | None:
    """Write size and time of files of a folder; None if one of them is not there, or is too young.

    Args:
        store: the storage.
        folder: in which they are.
        names: of the files, sorted.
        before: time that they must have been written before, in seconds since the epoch.
    """
    try:
        facts = store.facts_in(folder, names)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if before < math.inf and any(each.modified >= before for each in facts):
        return None
    return " ".join(
        f"{name} {each.size} {'-'.join(map(str, each.content))}" for name, each in zip(names, facts, strict=True)
    )
