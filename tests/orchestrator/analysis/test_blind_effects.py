"""Claims about what is left of an effect without images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import pytest

from orchestrator.analysis.blind_effects import gain_source
from orchestrator.analysis.methods.judge_study import judge_study
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdict, Verdicts, verdicts_json
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import BlindRun, Plan
from search_spaces.study import Expectation, Hypothesis
from tests.support.stored_studies import finish_trial, noisy_answers, study_of, two_stage_plan
from trainables.storage.store import LocalStore

OWN = {"base": (0.90, 0.60), "resolution=32px": (0.90, 0.60), "resolution=16px": (0.50, 0.60)}
GUESSING = dict.fromkeys(OWN, (0.30, 0.30))
KNOWING = {"base": (0.80, 0.30), "resolution=32px": (0.80, 0.30), "resolution=16px": (0.40, 0.30)}
SEEDS = (7, 8, 9, 10, 11)

Accuracies = Mapping[str, tuple[float, float]]


def _plan(images: tuple[str, ...] = ("blank", "swapped")) -> Plan:
    plan = two_stage_plan(seeds=SEEDS)
    sets = tuple(b.model_copy(update={"images": shown}) for shown in images for b in plan.benchmarks)
    return replace(plan, blind=BlindRun(sets, is_declared=True))


def _finish(store: LocalStore, plan: Plan, blank: Accuracies, seeds: tuple[int, ...] = SEEDS) -> None:
    for trial in plan.trials:
        scores = noisy_answers(OWN, trial.arm, trial.seed)
        if trial.seed in seeds:
            for number, images in enumerate(dict.fromkeys(asked.images for asked in plan.blind.sets)):
                other = noisy_answers(blank, trial.arm, 100 * number + trial.seed)
                scores |= {f"{name}@{images}": values for name, values in other.items()}
        finish_trial(store, plan, trial, scores)


def _judge(store: LocalStore, plan: Plan, expect: Expectation = "worse", margin: float | None = None) -> Verdicts:
    pairs = (("base", "resolution=16px"),)
    claim = Hypothesis(id="h", claim="c", pairs=pairs, on=("shape",), expect=expect, margin=margin)
    scored = StudyScores.of(plan, store, read_ledger(plan, store))
    return judge_study(study_of(claim, suites={}, seed_sd=None), plan, scored)


def _verdict(store: LocalStore, plan: Plan) -> Verdict:
    return _judge(store, plan).verdicts[0]


def test_loss_that_is_gone_without_images_is_visual(store: LocalStore) -> None:
    plan = _plan()
    _finish(store, plan, GUESSING)
    blind = _verdict(store, plan).blind
    assert blind is not None
    assert blind.source == "visual"
    assert blind.sentence.startswith("The loss is visual: -40.")
    assert blind.without_images == pytest.approx(0, abs=2)
    assert blind.images_add == pytest.approx(-40, abs=2)


def test_loss_that_is_as_large_without_images_is_in_the_language_prior(store: LocalStore) -> None:
    plan = _plan()
    _finish(store, plan, KNOWING)
    blind = _verdict(store, plan).blind
    assert blind is not None
    assert blind.source == "language-prior"
    assert blind.sentence.startswith("The loss is in the language prior: ")


def test_what_images_add_is_the_effect_itself_where_nothing_is_answered_without_them(store: LocalStore) -> None:
    plan = _plan(("blank",))
    for trial in plan.trials:
        scores = noisy_answers(OWN, trial.arm, trial.seed)
        finish_trial(store, plan, trial, scores | {f"{name}@blank": np.zeros(400) for name in scores})
    verdict = _verdict(store, plan)
    assert verdict.blind is not None
    assert verdict.blind.images_add == pytest.approx(verdict.effect)
    assert verdict.blind.images_add_interval == pytest.approx(verdict.interval, abs=0.2)
    assert verdict.blind.without_images == 0


def test_effect_is_not_explained_by_fewer_seeds_than_it_was_seen_with(store: LocalStore) -> None:
    plan = _plan()
    optional = replace(plan, blind=replace(plan.blind, is_declared=False))
    _finish(store, optional, GUESSING, seeds=(7, 8))
    verdict = _verdict(store, optional)
    assert verdict.verdict == "worse"
    assert verdict.blind is not None
    assert verdict.blind.source is None
    assert verdict.blind.sentence == ("What images add is not known: only 2 of 5 seeds were scored without images.")


def test_no_gain_is_explained_where_none_is_shown(store: LocalStore) -> None:
    plan = _plan()
    _finish(store, plan, GUESSING)
    claim = Hypothesis(id="h", claim="c", pairs=(("base", "resolution=32px"),), expect="equivalent", margin=3.0)
    scored = StudyScores.of(plan, store, read_ledger(plan, store))
    (verdict,) = judge_study(study_of(claim, suites={}, seed_sd=None), plan, scored).verdicts
    assert verdict.verdict == "equivalent"
    assert verdict.blind is not None
    assert verdict.blind.source is None
    assert verdict.blind.sentence.startswith(("0.0 with", "+0", "-0"))


def test_blind_scores_change_no_verdict_no_mean_and_no_aggregate(store: LocalStore) -> None:
    plan = _plan()
    _finish(store, plan, GUESSING)
    with_blind, without = _judge(store, plan), _judge(store, replace(plan, blind=BlindRun()))
    assert with_blind.aggregates == without.aggregates
    assert without.blind == ()
    (first,), (second,) = with_blind.verdicts, without.verdicts
    assert asdict(replace(first, blind=None)) == asdict(second)


def test_json_tells_what_every_arm_answers_without_images(store: LocalStore) -> None:
    plan = _plan()
    _finish(store, plan, GUESSING)
    shape, colour = verdicts_json(_judge(store, plan))["blind"]
    assert (shape["benchmark"], colour["benchmark"]) == ("shape", "colour")
    of_arm = {arm["arm"]: arm for arm in shape["arms"]}
    assert of_arm.keys() == OWN.keys()
    worst = of_arm["resolution=16px"]
    assert worst["share"] == pytest.approx(worst["blank"] / worst["own"])
    assert worst["share"] == pytest.approx(0.6, abs=0.05)
    assert worst["seeds"] == list(SEEDS)
    assert shape["best"] in ("base", "resolution=32px")


def test_model_that_scores_as_high_without_its_images_shows_no_signal(store: LocalStore) -> None:
    plan = _plan()
    _finish(store, plan, {**OWN, "base": GUESSING["base"]})
    scored = StudyScores.of(plan, store, read_ledger(plan, store))
    assert scored.no_signal.keys() == {(arm, name) for arm in OWN if arm != "base" for name in ("shape", "colour")}
    unasked = replace(plan, blind=BlindRun())
    assert StudyScores.of(unasked, store, read_ledger(unasked, store)).no_signal == {}


@pytest.mark.parametrize(
    ("effect", "blank", "visual", "source"),
    [
        (4.1, (-0.5, 0.9), (2.1, 5.7), "visual"),
        (-4.1, (-0.9, 0.5), (-5.7, -2.1), "visual"),
        (4.1, (-3.0, -1.0), (5.0, 7.0), "visual"),
        (4.1, (0.8, 3.0), (0.4, 4.0), "partly-visual"),
        (4.1, (-1.0, 2.5), (0.4, 6.0), "partly-visual"),
        (4.1, (2.8, 5.0), (-1.2, 1.9), "language-prior"),
        (-4.1, (-5.0, -2.8), (-1.9, 1.2), "language-prior"),
        (4.1, (0.2, 4.0), (-1.0, 5.0), "open"),
        (4.1, (-2.0, 3.0), (-1.0, 8.0), "open"),
        (4.1, (-3.0, -1.0), (-1.0, 1.0), "open"),
    ],
)
def test_source_of_a_gain_follows_from_what_both_intervals_rule_out(
    effect: float, blank: tuple[float, float], visual: tuple[float, float], source: str
) -> None:
    assert gain_source(effect, blank, visual) == source
