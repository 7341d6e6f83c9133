"""`study`: effects paired by example and seed, with the interval of a crossed design of seeds and images.

Scores per example and the spread over seeds are both used; `intervals` has the model of the variance, and `rule` how
all hypotheses of the study are judged as one family.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.bootstrap import ImageSums, image_errors
from orchestrator.analysis.collapse import Collapse, find_collapses
from orchestrator.analysis.comparability import refused
from orchestrator.analysis.effects import Effect
from orchestrator.analysis.exact import exact_p
from orchestrator.analysis.intervals import LEVEL, CrossedInterval
from orchestrator.analysis.look_history import correction
from orchestrator.analysis.look_sentences import further_look, look_reasons
from orchestrator.analysis.methods.contract import Judged, Question, StudyMethod, StudyResults, refused_verdict
from orchestrator.analysis.number_text import listed
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.price_sentences import price_text
from orchestrator.analysis.rule import ALPHA, STATEMENTS, Evidence, Ruling, Unjudged, rule
from orchestrator.analysis.seed_spread import BOUND
from orchestrator.analysis.study_price import price_of_decision
from orchestrator.analysis.study_scores import StudyScores, scores_digest
from orchestrator.analysis.verdict_model import Component, Price, Refusal, Verdict
from orchestrator.analysis.verdict_sentences import result_sentence, ruling_reasons
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.quantities import number_of
from search_spaces.study import Hypothesis


@dataclass(frozen=True)
class _Measured:
    """What the scores say of one hypothesis, before it is judged."""

    effect: Effect
    evidence: Evidence
    no_signal: Mapping[str, tuple[str, ...]]
    """Benchmark -> arms of the hypothesis without a signal there."""
    sums: list[ImageSums]
    """Of each benchmark."""
    unread: Mapping[tuple[str, str], str]
    """(arm, benchmark) of which more than half of the answers could not be read -> the note on it."""
    collapses: tuple[Collapse, ...]
    """Seeds with which an arm scores far below its others."""

    @property
    def interval(self) -> CrossedInterval:
        """Interval of the effect after all looks."""
        looks, interval = self.evidence.looks, self.effect.estimate.interval
        return looks.interval(interval) if looks is not None else interval


def judge(results: StudyResults, questions: Sequence[Question]) -> Judged:
    """Judge all questions as one family. Those whose arms may not be compared are refused, and counted in it."""
    measured = [_measure(question, results) for question in questions]
    family = [
        Unjudged(question.hypothesis.margin) if isinstance(outcome, Refusal) else outcome.evidence
        for question, outcome in zip(questions, measured, strict=True)
    ]
    verdicts = tuple(
        refused_verdict(METHOD, question, outcome)
        if isinstance(outcome, Refusal)
        else _verdict(question, outcome, ruling, results, len(family))
        for question, outcome, ruling in zip(questions, measured, rule(family), strict=True)
    )
    return Judged(verdicts, _notes(verdicts, results, len(family)))


_HARDLY = 0.05
"""A spread over seeds below this multiple of the others' would be written as 0.0."""

METHOD = StudyMethod("study", frozenset({"examples", "seeds"}), "points", LEVEL, judge)


def _measure(question: Question, results: StudyResults) -> _Measured | Refusal:
    """Estimate the effect of a hypothesis over the seeds that all of its arms have."""
    hypothesis, benchmarks, scored = question.hypothesis, question.benchmarks, results.scored
    arms = list(dict.fromkeys(arm for pair in hypothesis.pairs for arm in pair))
    seeds = scored.common_seeds(arms, benchmarks)
    refusal = refused(arms, seeds, benchmarks, scored)
    if refusal is not None:
        return refusal
    weights = pair_weights(hypothesis.pairs)
    no_signal = {
        name: tuple(arm for arm in arms if set(scored.no_signal.get((arm, name), ())) & set(seeds))
        for name in benchmarks
    }
    with_signal = [name for name in benchmarks if not no_signal[name]]
    try:
        effect = scored.scores.effect(weights, benchmarks, results.seed_sd)
        is_part = 0 < len(with_signal) < len(benchmarks)
        part = scored.scores.effect(weights, with_signal, results.seed_sd) if is_part else None
        sums = [scored.scores.image_sums([weights], name) for name in benchmarks]
    except InputError as error:
        return Refusal((first_line(error),))
    evidence = Evidence(
        hypothesis.expect,
        hypothesis.margin,
        effect.estimate.interval,
        may_be_equivalent=effect.estimate.scope == "recipe" and bool(with_signal),
        equivalence=part.estimate.interval if part is not None else None,
        p_exact=exact_p(sums) if effect.estimate.scope == "checkpoints" else None,
        tests_choice=effect.estimate.scope == "recipe",
        looks=correction(
            hypothesis,
            seeds,
            scores_digest(scored.scores, arms, seeds, benchmarks),
            results.histories.get(hypothesis.id),
        ),
    )
    unread = {
        (arm, name): scored.unread[arm, name]
        for name in benchmarks
        for arm in arms
        if (arm, name) in scored.mostly_unread
    }
    silent = {name: arms_without for name, arms_without in no_signal.items() if arms_without}
    collapses = tuple(
        collapse for arm in arms for collapse in find_collapses(arm, scored.scores.mean(arm, benchmarks).seed_values)
    )
    return _Measured(effect, evidence, silent, sums, unread, collapses)


def _verdict(
    question: Question, measured: _Measured, ruling: Ruling | None, results: StudyResults, n_judged: int
) -> Verdict:
    assert ruling is not None, "the rule judges whatever has evidence"
    hypothesis, benchmarks = question.hypothesis, question.benchmarks
    estimate = measured.effect.estimate
    looks = measured.evidence.looks
    interval = measured.interval
    is_open = ruling.verdict == "undecided" and len(measured.no_signal) < len(benchmarks)
    share = looks.next_level(ALPHA) / ALPHA if looks is not None else 1.0
    can_decide = is_open and share > 0
    price = price_of_decision(hypothesis, measured.effect, results.scored, n_judged, share) if can_decide else None
    basis = [number_of(len(estimate.seeds), "seed"), number_of(estimate.n_examples, "example")]
    return Verdict(
        id=hypothesis.id,
        claim=hypothesis.claim,
        expect=hypothesis.expect,
        verdict=ruling.verdict,
        holds=ruling.holds,
        scope=estimate.scope,
        method=METHOD.name,
        pairs=hypothesis.pairs,
        benchmarks=benchmarks,
        effect=estimate.value,
        unit="points",
        interval=(interval.low, interval.high),
        interval_fixed=(estimate.interval.low, estimate.interval.high),
        p_by_statement={statement: measured.evidence.p_of(statement) for statement in STATEMENTS},
        level=LEVEL,
        margin=hypothesis.margin,
        p=ruling.p,
        p_adjusted=ruling.p_adjusted,
        n_seeds=len(estimate.seeds),
        n_examples=estimate.n_examples,
        n_pairs=len(hypothesis.pairs),
        n_cells=len(hypothesis.pairs) * len(benchmarks),
        reasons=tuple(_reasons(hypothesis, measured, ruling, price)),
        sentence=result_sentence(ruling.verdict, estimate.value, "points", interval, LEVEL, basis, hypothesis.margin),
        seeds_from=interval.seeds,
        beside=(estimate.beside.low, estimate.beside.high) if estimate.beside is not None else None,
        by_seed=tuple(zip(estimate.seeds, estimate.by_seed, strict=True)),
        n_images=estimate.n_images,
        n_effective_images=estimate.n_effective_images,
        image_error=math.sqrt(interval.image_part) if interval.image_part > 0 else None,
        image_error_bootstrap=float(image_errors(measured.sums)[1][0]) if results.draws_images else None,
        p_exact=measured.evidence.p_exact,
        by_benchmark=tuple(
            _component(name, hypothesis.pairs, (name,), measured, results.scored) for name in benchmarks
        ),
        by_pair=tuple(
            _component(f"{a} -> {b}", ((a, b),), benchmarks, measured, results.scored) for a, b in hypothesis.pairs
        ),
        price=price,
    )


def _component(
    name: str,
    pairs: tuple[tuple[str, str], ...],
    benchmarks: tuple[str, ...],
    measured: _Measured,
    scored: StudyScores,
) -> Component:
    estimate = scored.scores.effect(pair_weights(pairs), benchmarks).estimate
    interval = (estimate.interval.low, estimate.interval.high)
    return Component(name, estimate.value, interval, measured.no_signal.get(name, ()))


def _reasons(hypothesis: Hypothesis, measured: _Measured, ruling: Ruling, price: Price | None) -> list[str]:
    estimate = measured.effect.estimate
    looks = measured.evidence.looks
    reasons = ruling_reasons(hypothesis, ruling, measured.interval, ALPHA, corrected=True)
    if looks is not None:
        reasons += look_reasons(looks.looks, measured.evidence.p_of_look(measured.evidence.declared), ruling.p)
    if estimate.scope == "checkpoints":
        reasons.append("one seed: these checkpoints were compared, the choice itself was not tested")
    if estimate.interval.seeds == "assumed":
        reasons.append("one seed: the spread over seeds is the study's `seed_sd`, an assumption")
    reasons[:0] = [f"on {name}, {arm}: {note}" for (arm, name), note in measured.unread.items()]
    reasons += [collapse.sentence for collapse in measured.collapses]
    reasons += [
        f"one image ({image}) holds {100 * share:.0f} % of {name}: there the choice of images is hardly averaged out"
        for name, image, share in estimate.large_images
    ]
    arms_of_pairs = {arm for pair in hypothesis.pairs for arm in pair}
    for name, arms in measured.no_signal.items():
        says = "a difference there is one of guesses; it" if arms_of_pairs == set(arms) else "it"
        reasons.append(f"no signal on {name}: {', '.join(arms)}; {says} supports no equivalence")
    if price is not None:
        reasons.append(price_text(price) if looks is None else f"{price_text(price)}; {further_look(looks.looks)}")
    return reasons


def _notes(verdicts: Sequence[Verdict], results: StudyResults, n_declared: int) -> tuple[str, ...]:
    covered = "an interval covers the choice of images and, with more than one seed, that of seeds"
    notes = [f"Effects are paired by example and seed; {covered}."]
    if n_declared > 1:
        notes.append(
            "A verdict holds after Holm's correction among the statements of its kind over all "
            f"{n_declared} hypotheses that are declared, judged yet or not."
        )
    if any(verdict.n_seeds == 2 and verdict.beside is not None for verdict in verdicts):
        notes.append(
            "Two seeds know little of their own spread: a claim also counts where it would stand if its arms varied "
            f"{BOUND:g} times as much over seeds as all arms do together."
        )
    if any(verdict.scope == "checkpoints" and verdict.effect is not None for verdict in verdicts):
        notes.append("With one seed only these trained weights are compared: a claim about the choice stays open.")
    notes += _uneven_arms(verdicts, results)
    if results.seed_sd is not None:
        notes.append(
            f"Assumed where there is one seed: scores vary over seeds by {results.seed_sd:g} points (seed_sd)."
        )
    return tuple(notes)


def _uneven_text(ratio: float) -> str:
    """Say how an arm's standard deviation over seeds compares with that of the other arms."""
    if not math.isfinite(ratio):
        return "varies and the other arms do not"
    if ratio < _HARDLY:
        return "varies hardly at all beside the other arms"
    return f"varies {ratio:.1f} times as much as the other arms"


def _uneven_arms(verdicts: Sequence[Verdict], results: StudyResults) -> list[str]:
    """Name arms that vary over seeds more, or less, than the others by more than chance."""
    notes = []
    for benchmarks in dict.fromkeys(verdict.benchmarks for verdict in verdicts if verdict.n_seeds > 1):
        pool = results.scored.scores.pool(benchmarks)
        for arm, ratio in (pool.uneven_arms() if pool is not None else {}).items():
            notes.append(f"Over seeds {arm} {_uneven_text(ratio)} on {listed(benchmarks)}, beyond chance.")
    return notes
