"""Verdicts on studies on storage find planted effects, show equivalence, and refuse incomparable scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.methods.judge_study import judge_study
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdict, verdicts_json
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from search_spaces.study import Hypothesis, Study
from tests.support.stored_studies import fail_trial, finish_trial, noisy_answers, trial_of, two_stage_plan
from trainables.storage.store import LocalStore

ACCURACIES = {"base": (0.90, 0.60), "resolution=32px": (0.90, 0.60), "resolution=16px": (0.50, 0.61)}


def _answers(arm: str, seed: int) -> dict[str, np.ndarray]:
    return noisy_answers(ACCURACIES, arm, seed, n=2000)


def _finish(store: LocalStore, plan: Plan, constant: Sequence[str] = (), **options: Any) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, _answers(trial.arm, trial.seed), constant=constant, **options)


def _claim(**fields: Any) -> Hypothesis:
    pairs = fields.pop("pairs", (("base", "resolution=16px"),))
    return Hypothesis(id=fields.pop("id", "h"), claim="c", pairs=pairs, **fields)


def _study(*hypotheses: Hypothesis, **fields: Any) -> Study:
    return Study.model_construct(hypotheses=hypotheses, suites={}, seed_sd=fields.get("seed_sd"))


def _judged(store: LocalStore, plan: Plan, *hypotheses: Hypothesis, **fields: Any) -> tuple[Verdict, ...]:
    ledger = read_ledger(plan, store)
    scored = StudyScores.of(plan, store, ledger)
    return judge_study(_study(*hypotheses, **fields), plan, scored).verdicts


def test_study_with_a_planted_effect_is_found_and_says_how_large(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan)
    verdict = _judged(store, plan, _claim(on=("shape",), expect="worse"))[0]
    assert (verdict.verdict, verdict.holds, verdict.scope) == ("worse", True, "recipe")
    assert verdict.effect == pytest.approx(-40, abs=2)
    assert verdict.interval is not None
    assert verdict.interval[0] < -40 < verdict.interval[1]
    assert (verdict.n_seeds, verdict.n_examples, verdict.n_pairs) == (3, 2000, 1)
    assert verdict.price is None


def test_study_without_an_effect_shows_equivalence_within_the_margin(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan)
    pairs = (("base", "resolution=32px"),)
    verdict = _judged(store, plan, _claim(pairs=pairs, expect="equivalent", margin=3.0))[0]
    assert (verdict.verdict, verdict.holds) == ("equivalent", True)
    assert verdict.benchmarks == ("shape", "colour")
    assert "within 3 points" in verdict.sentence


def test_undecided_says_what_would_decide_and_what_it_costs(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    accuracy = {"base": 0.60, "resolution=32px": 0.60, "resolution=16px": 0.67}
    for trial in plan.trials:
        right = np.random.default_rng([trial.seed, *trial.arm.encode()]).uniform(size=400) < accuracy[trial.arm]
        finish_trial(store, plan, trial, {"shape": right * 1.0, "colour": right * 1.0})
    verdict = _judged(store, plan, _claim(on=("colour",), expect="better"))[0]
    assert verdict.verdict == "undecided"
    assert verdict.price is not None
    assert verdict.price.more_seeds is not None
    assert verdict.price.seeds_gpu_hours == pytest.approx(verdict.price.more_seeds * 40 / 3600)  # two arms, 20 s each
    assert f"{verdict.price.more_seeds} more seed" in verdict.reasons[-1]
    assert (verdict.price.even_seeds or 0) <= verdict.price.more_seeds


def test_pairs_that_share_the_base_are_not_taken_for_independent(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9, 10, 11))
    _finish(store, plan)
    pairs = (("base", "resolution=32px"), ("base", "resolution=16px"))
    verdict = _judged(store, plan, _claim(pairs=pairs, on=("shape",), expect="worse"))[0]
    means = {(t.arm, t.seed): 100 * _answers(t.arm, t.seed)["shape"].mean() for t in plan.trials}
    per_seed = [
        (means["resolution=32px", s] + means["resolution=16px", s]) / 2 - means["base", s] for s in (7, 8, 9, 10, 11)
    ]
    assert verdict.effect == pytest.approx(np.mean(per_seed))
    assert verdict.seeds_from == "own"
    assert [part.name for part in verdict.by_pair] == ["base -> resolution=32px", "base -> resolution=16px"]


def test_single_seed_compares_checkpoints_and_never_shows_equivalence(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7,))
    _finish(store, plan)
    same = _claim(pairs=(("base", "resolution=32px"),), expect="equivalent", margin=5.0)
    verdict = _judged(store, plan, same)[0]
    assert (verdict.verdict, verdict.scope) == ("undecided", "checkpoints")
    assert "the choice itself was not tested" in " ".join(verdict.reasons)


def test_declared_seed_sd_makes_a_recipe_of_a_single_seed_and_is_shown(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7,))
    _finish(store, plan)
    same = _claim(pairs=(("base", "resolution=32px"),), expect="equivalent", margin=5.0)
    verdict = _judged(store, plan, same, seed_sd=0.5)[0]
    assert (verdict.verdict, verdict.scope, verdict.seeds_from) == ("equivalent", "recipe", "assumed")
    assert "an assumption" in " ".join(verdict.reasons)
    wide = _judged(store, plan, same, seed_sd=5.0)[0]
    assert wide.verdict == "undecided"


@pytest.mark.parametrize("constant", [("shape", "colour"), ("colour",)])
def test_no_signal_supports_no_equivalence(store: LocalStore, constant: tuple[str, ...]) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan, constant=constant)
    same = _claim(pairs=(("base", "resolution=32px"),), on=("colour",), expect="equivalent", margin=5.0)
    verdict = _judged(store, plan, same)[0]
    assert (verdict.verdict, verdict.holds) == ("undecided", None)
    assert "no signal on colour: base, resolution=32px" in " ".join(verdict.reasons)


def test_answers_that_could_mostly_not_be_read_are_a_reason_of_every_verdict(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan, unparsable={"shape": 1001, "colour": 900})
    worse = _judged(store, plan, _claim(on=("shape",), expect="worse"))[0]
    assert worse.reasons[0] == "on shape, base: 1,001 of 2,000 answers could not be read"
    same = _claim(pairs=(("base", "resolution=32px"),), on=("shape",), expect="equivalent", margin=5.0)
    verdict = _judged(store, plan, same)[0]
    assert (verdict.verdict, verdict.holds) == ("undecided", None)
    assert "no signal on shape: base, resolution=32px" in " ".join(verdict.reasons)
    assert "could not be read" not in " ".join(_judged(store, plan, _claim(on=("colour",), expect="better"))[0].reasons)


def test_missing_seed_is_refused_naming_it(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8))
    for trial in plan.trials:
        if (trial.arm, trial.seed) == ("resolution=16px", 8):
            fail_trial(store, plan, trial)
        else:
            finish_trial(store, plan, trial, _answers(trial.arm, trial.seed))
    verdict = _judged(store, plan, _claim(expect="worse"))[0]
    assert (verdict.verdict, verdict.holds, verdict.effect, verdict.p) == ("undecided", None, None, None)
    assert verdict.reasons == ("missing: resolution=16px with seed 8 (failed)",)


def test_diverged_seed_is_refused_naming_it(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8))
    _finish(store, plan)
    finish_trial(store, plan, trial_of(plan, "resolution=16px", 8), {}, diverged=True)
    verdict = _judged(store, plan, _claim(expect="worse"))[0]
    assert (verdict.verdict, verdict.effect) == ("undecided", None)
    assert verdict.reasons == ("resolution=16px diverged with seed 8",)


def test_unequal_examples_are_refused_naming_them(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8))
    for trial in plan.trials:
        first = 100 if trial.arm == "resolution=16px" else 0
        finish_trial(store, plan, trial, _answers(trial.arm, trial.seed), first_id=first)
    verdict = _judged(store, plan, _claim(expect="worse"))[0]
    assert verdict.effect is None
    assert "must be scored on the same examples" in verdict.reasons[0]


def test_unequal_protocols_are_refused_naming_them(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8))
    for trial in plan.trials:
        way = "other" if trial.arm == "resolution=16px" else "asked"
        keyed = replace(plan, benchmark_keys={"shape": way, "colour": "asked"})
        finish_trial(store, keyed, trial, _answers(trial.arm, trial.seed))
    verdict = _judged(store, plan, _claim(expect="worse"))[0]
    assert verdict.effect is None
    assert "shape was scored in different ways: base (seed 7) by official asked" in verdict.reasons[0]


def test_hypotheses_are_corrected_together_and_refused_ones_do_not_count(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan)
    claims = [_claim(id=f"h{i}", on=(name,), expect="better") for i, name in enumerate(("shape", "colour"))]
    found = _judged(store, plan, *claims)
    assert found[0].p is not None
    assert found[0].p_adjusted == pytest.approx(2 * found[0].p)


def test_verdicts_have_the_fixed_fields_and_equal_bytes(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan)
    ledger = read_ledger(plan, store)
    study = _study(_claim(expect="worse"))
    first, second = (verdicts_json(judge_study(study, plan, StudyScores.of(plan, store, ledger))) for _ in range(2))
    fixed = "id expect verdict holds scope effect unit interval level margin p p_adjusted n_seeds n_examples n_pairs"
    assert {*fixed.split(), "reasons"} <= set(first["verdicts"][0])
    assert first == second


def test_single_seed_reports_the_exact_test_beside_its_interval(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7,))
    _finish(store, plan)
    verdict = _judged(store, plan, _claim(on=("shape",), expect="worse"))[0]
    assert (verdict.verdict, verdict.scope) == ("worse", "checkpoints")
    assert verdict.p_exact == pytest.approx(1 / 10001)
    assert verdict.image_error_bootstrap == pytest.approx(verdict.image_error, rel=0.1)
