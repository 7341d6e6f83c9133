"""A plan says what each hypothesis can decide, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from orchestrator.analysis.plan_power import MARGIN_TESTS, earlier_accuracies, plan_power
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from search_spaces.study import Expectation, Hypothesis
from tests.support.stored_studies import answers, finish_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore


def _claim(**fields: Any) -> Hypothesis:
    return Hypothesis(id="h", claim="c", pairs=(("base", "resolution=16px"),), **fields)


def _power(plan: Plan, *hypotheses: Hypothesis, earlier: Mapping[Any, Any] | None = None, **fields: Any) -> Any:
    sized = tuple(replace_source(benchmark, records=2000, images=500) for benchmark in plan.benchmarks)
    return plan_power(study_of(*hypotheses, **fields), replace(plan, benchmarks=sized), earlier)[0]


def replace_source(benchmark: Any, **fields: Any) -> Any:
    return benchmark.model_copy(update={"source": benchmark.source.model_copy(update=fields)})


def test_plan_says_what_it_can_decide_and_what_that_rests_on() -> None:
    claim = _claim(expect="equivalent", margin=1.0)
    few, many = (_power(two_stage_plan(seeds=tuple(range(n))), claim) for n in (2, 8))
    assert few.smallest_effect[0] < few.smallest_effect[1]
    assert many.smallest_effect[1] < few.smallest_effect[1]
    assert many.smallest_margin[1] < few.smallest_margin[1]
    assert few.assumptions[0] == "seed sd 0.3 to 1 points, a default"
    assert few.n_examples == 4000


def test_plan_with_one_seed_has_no_margin() -> None:
    found = _power(two_stage_plan(seeds=(7,)), _claim(expect="equivalent", margin=1.0))
    assert found.smallest_margin is None
    assert found.smallest_effect is not None


def test_plan_takes_the_spread_of_earlier_results(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    plan = two_stage_plan(seeds=(7, 8, 9))
    for trial in plan.trials:
        accuracy = 0.5 + np.random.default_rng([trial.seed, *trial.arm.encode()]).normal(0, 0.02)
        finish_trial(store, plan, trial, {"shape": answers(accuracy), "colour": answers(accuracy)})
    found = _power(plan, _claim(expect="worse"), earlier=earlier_accuracies(plan, read_ledger(plan, store)))
    assert "seen in earlier results (4 degrees of freedom)" in found.assumptions[0]


def test_plan_of_uncounted_examples_says_so() -> None:
    plan = two_stage_plan()
    uncounted = tuple(replace_source(benchmark, records=None) for benchmark in plan.benchmarks)
    found = plan_power(study_of(_claim(expect="worse")), replace(plan, benchmarks=uncounted))[0]
    assert (found.smallest_effect, found.n_examples) == (None, None)
    assert "not counted yet" in found.assumptions[0]


def test_every_expectation_has_the_test_of_its_margin() -> None:
    assert set(MARGIN_TESTS) == set(get_args(Expectation))
