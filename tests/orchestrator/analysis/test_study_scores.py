"""Scores on storage are held against what needs no image, as far as their results know it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pyarrow as pa

from orchestrator.analysis.signal import CHANCE, Signal
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from tests.support.stored_studies import answers, finish_trial, replace_examples, two_stage_plan
from trainables.benchmarks.priors import BEST_BY_TYPE, BEST_CONSTANT, CHANCE_COLUMN, PRIOR_COLUMN
from trainables.storage.store import LocalStore

RIGHT = np.arange(400) % 10 < 6
"""60 points of an arm; the best constant answer is right on the even questions."""


def _signal(plan: Plan, store: LocalStore, columns: Mapping[str, np.ndarray]) -> tuple[Signal, StudyScores]:
    for trial in plan.trials:
        finish_trial(store, plan, trial, {"shape": RIGHT.astype(float)}, majority=50.0)
        (evaluation,) = (e for key, e in read_ledger(plan, store).evaluations.items() if key[0] == trial.id)
        for name, scores in columns.items():
            added = partial(pa.Table.append_column, field_=name, column=pa.array(scores))
            replace_examples(store, store.reading(evaluation.examples), added)
    scored = StudyScores.of(plan, store, read_ledger(plan, store))
    return scored.signals["base", "shape"], scored


def test_results_that_know_the_majority_alone_are_held_against_it(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8), benchmarks=("shape",))
    signal, scored = _signal(plan, store, {})
    assert signal.priors == {BEST_CONSTANT: 50.0}
    assert signal.is_shown
    assert not scored.no_signal


def test_results_with_scores_of_priors_are_held_against_each_of_them(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8), benchmarks=("shape",))
    by_type = np.roll(RIGHT, 3).astype(float)  # as many right as the arm has
    columns = {f"{PRIOR_COLUMN}{BEST_BY_TYPE}": by_type, CHANCE_COLUMN: answers(0.3)}
    signal, scored = _signal(plan, store, columns)
    assert signal.p.keys() == {BEST_CONSTANT, BEST_BY_TYPE, CHANCE}
    assert signal.p[BEST_BY_TYPE] > 0.4 > 0.05 > max(signal.p[BEST_CONSTANT], signal.p[CHANCE])
    assert scored.no_signal["base", "shape"] == (7, 8)
    cell = scored.scores.cell("base", 7, "shape")
    assert cell is not None
    assert not cell.has_signal
