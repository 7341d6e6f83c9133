"""`study`: effects paired by example and seed, with the interval of a crossed design of seeds and images.

Scores per example and the spread over seeds are both used; `intervals` has the model of the variance, and `rule` how
all hypotheses of the study are judged as one family.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.bootstrap import ImageSums, image_errors
from orchestrator.analysis.comparability import refused
from orchestrator.analysis.effects import Effect
from orchestrator.analysis.exact import exact_p
from orchestrator.analysis.intervals import LEVEL, OWN_SEEDS
from orchestrator.analysis.methods.contract import Judged, Question, StudyMethod, StudyResults, refused_verdict
from orchestrator.analysis.number_text import signed
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.price_sentences import price_text
from orchestrator.analysis.rule import ALPHA, Evidence, Ruling, rule
from orchestrator.analysis.study_price import price_of_decision
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Component, Price, Refusal, Verdict
from orchestrator.analysis.verdict_sentences import SPREAD_SOURCES, result_sentence, ruling_reasons
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


def judge(results: StudyResults, questions: Sequence[Question]) -> Judged:
    """Judge all questions as one family. Arms that may not be compared are refused and do not enter the family."""
    measured = [_measure(question, results) for question in questions]
    evidence = {i: outcome.evidence for i, outcome in enumerate(measured) if not isinstance(outcome, Refusal)}
    rulings = dict(zip(evidence, rule([*evidence.values()]), strict=True))
    verdicts = tuple(
        refused_verdict(METHOD, question, outcome)
        if isinstance(outcome, Refusal)
        else _verdict(question, outcome, rulings[i], results, len(evidence))
        for i, (question, outcome) in enumerate(zip(questions, measured, strict=True))
    )
    return Judged(verdicts, _notes(verdicts, results.seed_sd, len(evidence)))


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
        effect.check,
        may_be_equivalent=effect.estimate.scope == "recipe" and bool(with_signal),
        equivalence=(part.estimate.interval, part.check) if part is not None else None,
        p_exact=exact_p(sums) if effect.estimate.scope == "checkpoints" else None,
    )
    unread = {
        (arm, name): scored.unread[arm, name]
        for name in benchmarks
        for arm in arms
        if (arm, name) in scored.mostly_unread
    }
    return _Measured(effect, evidence, {name: silent for name, silent in no_signal.items() if silent}, sums, unread)


def _verdict(question: Question, measured: _Measured, ruling: Ruling, results: StudyResults, n_judged: int) -> Verdict:
    hypothesis, benchmarks = question.hypothesis, question.benchmarks
    estimate = measured.effect.estimate
    interval = estimate.interval
    is_open = ruling.verdict == "undecided" and len(measured.no_signal) < len(benchmarks)
    price = price_of_decision(hypothesis, measured.effect, results.scored, n_judged) if is_open else None
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
        image_error=math.sqrt(interval.image_part),
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
    is_exact = measured.evidence.p_exact is not None
    second = "exact test over images" if is_exact else "other estimate of the seeds' spread"
    reasons = ruling_reasons(hypothesis, ruling, estimate.interval, ALPHA, corrected=True, second=second)
    if ruling.vetoed is not None and measured.effect.check is not None:
        check = measured.effect.check
        limits = f"{signed(check.low)} to {signed(check.high)}"
        reasons.append(f"with the spread {SPREAD_SOURCES[check.seeds]} it is {limits}")
    if estimate.scope == "checkpoints":
        reasons.append("one seed: these checkpoints were compared, the choice itself was not tested")
    if estimate.interval.seeds == "assumed":
        reasons.append("one seed: the spread over seeds is the study's `seed_sd`, an assumption")
    reasons[:0] = [f"on {name}, {arm}: {note}" for (arm, name), note in measured.unread.items()]
    for name, arms in measured.no_signal.items():
        reasons.append(f"no signal on {name}: {', '.join(arms)}; it supports no equivalence")
    if price is not None:
        reasons.append(price_text(price))
    return reasons


def _notes(verdicts: Sequence[Verdict], seed_sd: float | None, n_judged: int) -> tuple[str, ...]:
    notes = ["Effects are paired by example and seed; an interval covers the choice of images and, with more than one "
             "seed, that of seeds."]  # fmt: skip
    if n_judged > 1:
        notes.append(f"A verdict holds after Holm's correction over the {n_judged} hypotheses that could be judged.")
    if any(verdict.seeds_from == "pooled" for verdict in verdicts):
        notes.append(
            f"Below {OWN_SEEDS} seeds the spread over seeds is pooled over the arms, and the pair's own must agree."
        )
    if seed_sd is not None:
        notes.append(f"Assumed where there is one seed: scores vary over seeds by {seed_sd:g} points (seed_sd).")
    return tuple(notes)
