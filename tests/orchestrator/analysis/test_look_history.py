"""A look is corrected for those before it, and what they have shown holds as long as the scores show it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.analysis.intervals import CrossedInterval, Part, Spread
from orchestrator.analysis.look_history import Correction, History, correction
from orchestrator.state.claims import ClaimKey
from orchestrator.state.looks import Look
from search_spaces.study import Hypothesis

CLAIM = Hypothesis(id="h", claim="c", pairs=(("a", "b"),), expect="equivalent", margin=2.0)
DECLARED = CLAIM.model_copy(update={"looks": (3, 10)})
FIRST = Look(
    id="h",
    contrast="contrast",
    claim="claim",
    seeds=(1, 2, 3),
    scores="first",
    verdict="undecided",
    effect=0.5,
    interval=(-1.0, 2.0),
    p={"differs": 0.3, "equivalent": 0.04, "not-worse": 0.01},
    time="2026-11-29T00:00:00.000+00:00",
    command="run",
)


def _corrected(*earlier: Look, claim: str = "claim", scores: str = "second", planned: int = 3) -> Correction:
    made = correction(CLAIM, (1, 2, 3, 4), scores, History(ClaimKey("contrast", claim), earlier, planned))
    assert made is not None
    return made


def test_p_of_an_earlier_look_stands_while_the_scores_agree() -> None:
    made = _corrected(FIRST)
    assert made.p("equivalent", 0.02, is_positive=True) == 0.04
    assert made.p("equivalent", 0.045, is_positive=True) == 0.045
    assert made.p("equivalent", 1e-6, is_positive=True) < 0.001
    assert made.p("differs", 0.2, is_positive=True) == 0.3
    assert made.p("differs", 0.2, is_positive=False) > 0.9


def test_what_was_shown_of_another_margin_is_not_shown_of_this_one() -> None:
    made = _corrected(FIRST, claim="another margin")
    assert made.p("equivalent", 0.02, is_positive=True) > 0.2
    assert made.p("differs", 0.2, is_positive=True) == 0.3


def test_scores_that_were_seen_before_are_the_look_that_they_were() -> None:
    assert _corrected(FIRST, scores="first").looks.is_fixed
    assert _corrected(FIRST, replace(FIRST, scores="later"), scores="later").looks.sizes == (3, 4)


def test_a_look_before_all_planned_seeds_is_no_final_one() -> None:
    assert not _corrected(planned=5).looks.is_fixed
    assert _corrected(planned=4).looks.is_fixed


def test_intervals_have_in_common_what_those_of_all_looks_do() -> None:
    interval = CrossedInterval(0.5, (Spread((Part(0.25, 3),)),))
    made = _corrected(FIRST).interval(interval)
    assert (made.low, made.high) == (-1.0, 2.0)
    elsewhere = _corrected(replace(FIRST, interval=(3.0, 4.0))).interval(interval)
    assert elsewhere.low < interval.low < interval.high < elsewhere.high


def test_without_storage_declared_looks_at_fewer_seeds_are_taken_to_have_been() -> None:
    assert correction(CLAIM, (1, 2, 3), "scores", None) is None
    early, last, beyond = (correction(DECLARED, range(n), "scores", None) for n in (3, 10, 12))
    assert early is not None
    assert last is not None
    assert beyond is not None
    assert early.p("differs", 0.04, is_positive=True) > 0.3
    assert last.p("differs", 0.04, is_positive=True) == pytest.approx(0.04, rel=0.05)
    assert beyond.looks.sizes == (3, 12)
