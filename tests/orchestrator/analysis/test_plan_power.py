"""A plan says what each hypothesis can decide, and what that rests on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from orchestrator.analysis.plan_knowledge import Knowledge, what_is_known
from orchestrator.analysis.plan_power import MARGIN_TESTS, HypothesisPower, plan_power
from orchestrator.analysis.power_sentences import needed_seeds_text, smallest_text, too_small_lines
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.planning.preflight import known_digests
from orchestrator.state.ledger import read_ledger
from orchestrator.state.noise_floor import FloorScores, NoiseFloor, write_floor
from search_spaces.identity import source_name
from search_spaces.plan import Plan
from search_spaces.study import Expectation, Hypothesis
from tests.support.stored_studies import answers, finish_trial, noisy_answers, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Counts, DigestCache, SourceDigest
from trainables.storage.store import LocalStore


def _claim(**fields: Any) -> Hypothesis:
    return Hypothesis(id="h", claim="c", pairs=(("base", "resolution=16px"),), **fields)


def _power(plan: Plan, *hypotheses: Hypothesis, known: Knowledge | None = None, **fields: Any) -> HypothesisPower:
    sized = tuple(replace_source(benchmark, records=2000, images=500) for benchmark in plan.benchmarks)
    return plan_power(study_of(*hypotheses, **fields), replace(plan, benchmarks=sized), known)[0]


def replace_source(benchmark: Any, **fields: Any) -> Any:
    return benchmark.model_copy(update={"source": benchmark.source.model_copy(update=fields)})


def test_plan_says_what_it_can_decide_and_what_that_rests_on() -> None:
    claim = _claim(expect="equivalent", margin=1.0)
    few, many = (_power(two_stage_plan(seeds=tuple(range(n))), claim) for n in (3, 8))
    assert few.smallest_effect is not None
    assert few.smallest_margin is not None
    assert many.smallest_effect is not None
    assert many.smallest_margin is not None
    assert few.smallest_effect[0] < few.smallest_effect[1]
    assert many.smallest_effect[1] < few.smallest_effect[1]
    assert many.smallest_margin[1] < few.smallest_margin[1]
    assert few.assumptions[0].startswith("seed sd 0.3 to 1 points, a default")
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
    known = what_is_known(plan, store, read_ledger(plan, store), known_digests(store).counts)
    found = _power(plan, _claim(expect="worse"), known=known)
    assert "seen in earlier results (4 degrees of freedom)" in found.assumptions[0]


def test_plan_takes_the_error_by_images_of_earlier_results_of_the_same_arms(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(seeds=(7, 8))
    for trial in plan.trials:
        if trial.arm != "resolution=32px":
            scores = noisy_answers({"base": (0.7, 0.6), "resolution=16px": (0.7, 0.6)}, trial.arm, trial.seed)
            finish_trial(store, plan, trial, scores)
    ledger, counts = read_ledger(plan, store), known_digests(store).counts
    known = what_is_known(plan, store, ledger, counts, StudyScores.of(plan, store, ledger))
    claim = _claim(expect="equivalent", margin=2.0)
    (assumed,), (unread,) = (_power(plan, claim, known=one).needed for one in (known, replace(known, scored=None)))
    assert assumed.seeds[0] == assumed.seeds[1]
    assert unread.seeds == (None, None)  # 400 questions of which 5 to 20 % differ: "more examples"
    found = _power(plan, claim, known=known)
    effect = known.seen({"base": -1.0, "resolution=16px": 1.0}, ("shape", "colour"))
    assert effect is not None
    error = math.sqrt(effect.interval.image_part)
    assert found.assumptions[1] == f"error by images {error:.2g} points, seen in earlier results (2 seeds)"


def test_plan_of_an_arm_without_results_rests_on_those_of_the_others(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(seeds=(7, 8))
    for trial in plan.trials:
        if trial.arm != "resolution=16px":
            scores = noisy_answers({"base": (0.7, 0.6), "resolution=32px": (0.5, 0.6)}, trial.arm, trial.seed)
            finish_trial(store, plan, trial, scores)
    ledger, counts = read_ledger(plan, store), known_digests(store).counts
    known = what_is_known(plan, store, ledger, counts, StudyScores.of(plan, store, ledger))
    found = _power(plan, _claim(expect="worse"), known=known)
    assert "seen in earlier results (1 degree of freedom)" in found.assumptions[0]
    assert "arms differ on 5 to 20 % of them, a default" in found.assumptions[1]


def test_plan_of_uncounted_examples_says_so() -> None:
    plan = two_stage_plan()
    uncounted = tuple(replace_source(benchmark, records=None) for benchmark in plan.benchmarks)
    found = plan_power(study_of(_claim(expect="worse")), replace(plan, benchmarks=uncounted))[0]
    assert (found.smallest_effect, found.n_examples) == (None, None)
    assert "not counted yet" in found.assumptions[0]


def test_two_arms_with_two_seeds_are_said_to_be_too_small_and_how_many_would_do() -> None:
    found = _power(two_stage_plan(resolutions=(64, 16), seeds=(7, 8)), _claim(expect="better"))
    assert found.is_too_small
    assert [needed.points for needed in found.needed] == [1.0, 2.0, 5.0]
    calm, restless = found.needed[-1].seeds
    assert restless is not None
    assert restless > 2
    (line,) = too_small_lines([found])
    assert line.startswith("too small: with 2 seeds h may miss a difference of 5 points.")
    assert f"Every arm needs {needed_seeds_text((calm, restless))} seeds for 5 points; " in line
    enough = _power(two_stage_plan(resolutions=(64, 16), seeds=tuple(range(restless))), _claim(expect="better"))
    assert too_small_lines([enough]) == []


def test_smallest_effect_never_lies_beyond_the_scale() -> None:
    found = _power(two_stage_plan(resolutions=(64, 16), seeds=(7, 8)), _claim(expect="better"), seed_sd=60.0)
    assert found.smallest_effect == (100.0, 100.0)
    assert smallest_text(found.smallest_effect) == "nothing"


def test_margin_of_a_claim_is_its_effect_of_interest() -> None:
    found = _power(two_stage_plan(seeds=(7, 8, 9)), _claim(expect="equivalent", margin=1.0))
    (needed,) = found.needed
    assert (needed.statement, needed.points) == ("equivalent", 1.0)


def test_examples_that_a_run_has_scored_are_known_to_the_plan(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(seeds=(7, 8, 9))
    uncounted = replace(plan, benchmarks=tuple(replace_source(one, records=None) for one in plan.benchmarks))
    finish_trial(store, uncounted, uncounted.trials[0], {"shape": answers(0.5), "colour": answers(0.5, n=100)})
    known = what_is_known(uncounted, store, read_ledger(uncounted, store), known_digests(store).counts)
    assert plan_power(study_of(_claim(expect="worse")), uncounted, known)[0].n_examples == 500


def test_examples_that_data_check_has_counted_are_known_to_the_plan(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(benchmarks=("shape",))
    uncounted = replace(plan, benchmarks=tuple(replace_source(one, records=None) for one in plan.benchmarks))
    counts = Counts(records=321, text_only=0, images=40, tags={})
    entry = SourceDigest("signature", "digest", counts)
    write(store, layout.DIGESTS, DigestCache({source_name(uncounted.benchmarks[0].source): entry}))
    known = what_is_known(uncounted, store, read_ledger(uncounted, store), known_digests(store).counts)
    assert known.sizes == {"shape": (321, 40)}
    assert plan_power(study_of(_claim(expect="worse")), uncounted, known)[0].n_examples == 321


def test_noise_floor_takes_the_place_of_the_default_range(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(seeds=(7, 8, 9))
    scores = {name: FloorScores("asked", (50.0, 52.0, 51.0, 49.0), 400, 100) for name in ("shape", "colour")}
    write_floor(store, plan.study, NoiseFloor(plan.arms[0].id, (7, 8, 9, 10), scores))
    known = what_is_known(plan, store, read_ledger(plan, store), known_digests(store).counts)
    found = plan_power(study_of(_claim(expect="worse")), plan, known)[0]
    assert found.assumptions[0] == "seed sd 1.3 points, the noise floor of 4 seeds of the base"
    assert found.n_examples == 800


def test_noise_floor_of_another_base_is_not_used(tmp_path: Path) -> None:
    store, plan = LocalStore(tmp_path), two_stage_plan(seeds=(7, 8, 9))
    write_floor(store, plan.study, NoiseFloor("another", (7, 8), {"shape": FloorScores("asked", (1.0, 2.0), 4, 1)}))
    assert what_is_known(plan, store, read_ledger(plan, store), known_digests(store).counts).floor is None


def test_every_expectation_has_the_test_of_its_margin() -> None:
    assert set(MARGIN_TESTS) == set(get_args(Expectation))
