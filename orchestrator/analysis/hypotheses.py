"""Verdicts on a study's hypotheses, from the scores per example that storage holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.aggregates import Aggregates, aggregated, groups_of, reference_pool
from orchestrator.analysis.bootstrap import ImageSums, image_errors
from orchestrator.analysis.exact import exact_p
from orchestrator.analysis.factors import Row, factors
from orchestrator.analysis.intervals import LEVEL, OWN_SEEDS, CrossedInterval
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.power import DEFAULT_SEED_SD, Design, price
from orchestrator.analysis.scores import Effect
from orchestrator.analysis.study_scores import StudyScores, first_line
from orchestrator.analysis.verdicts import (
    ALPHA,
    Component,
    Evidence,
    Price,
    Ruling,
    Verdict,
    Verdicts,
    rule,
    statement_of,
)
from orchestrator.analysis.words import found_words, number_of, price_words, ruling_reasons, signed, spread_of
from orchestrator.state.ledger import Ledger, TrialEntry
from search_spaces.catalogue.load import shipped
from search_spaces.claims import asked_benchmarks
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Hypothesis, Study


@dataclass(frozen=True)
class _Found:
    """What the scores say of one hypothesis, before it is judged."""

    effect: Effect
    evidence: Evidence
    silent: Mapping[str, tuple[str, ...]]
    """Benchmark -> arms of the hypothesis without a signal there."""
    sums: list[ImageSums]
    """Of each benchmark."""


def judge_study(study: Study, plan: Plan, ledger: Ledger, scored: StudyScores) -> Verdicts:
    """Judge all hypotheses of the study together. What cannot be compared is refused, with the reason."""
    suites = {**shipped().suites, **study.suites}
    asked = [asked_benchmarks(one.on, scored.benchmarks, suites) for one in study.hypotheses]
    found = [_found(one, on, plan, scored, study.seed_sd) for one, on in zip(study.hypotheses, asked, strict=True)]
    judged = [i for i, one in enumerate(found) if isinstance(one, _Found)]
    rulings = dict(zip(judged, rule([one.evidence for one in found if isinstance(one, _Found)]), strict=True))
    verdicts = tuple(
        _verdict(one, asked[i], found[i], rulings.get(i), ledger, scored, len(judged))
        for i, one in enumerate(study.hypotheses)
    )
    notes = _notes(verdicts, study, len(judged))
    return Verdicts(plan.study, "study", LEVEL, verdicts, notes, _aggregates(plan, scored, groups_of(suites)))


def _aggregates(plan: Plan, scored: StudyScores, groups: Mapping[str, Sequence[str]]) -> Aggregates:
    """Arms that have scores of all benchmarks with every seed they were asked with."""
    means: dict[str, dict[str, float]] = {}
    rows: list[Row] = []
    asked = plan.seeds_by_arm()
    for arm in plan.arms:
        seeds = asked.get(arm.name, ())
        table = {seed: [scored.scores.cell(arm.name, seed, name) for name in scored.benchmarks] for seed in seeds}
        complete = {seed: [cell.mean for cell in row if cell] for seed, row in table.items() if all(row)}
        if len(complete) < len(seeds) or not seeds:
            continue
        columns = zip(*complete.values(), strict=True)
        means[arm.name] = {
            name: sum(column) / len(column) for name, column in zip(scored.benchmarks, columns, strict=True)
        }
        rows += [(arm.values, seed, sum(values) / len(values)) for seed, values in complete.items()]
    pool = reference_pool(f"arms of {plan.study}", scored.benchmarks, means)
    base = next((arm.values for arm in plan.arms if arm.name == plan.base), None)
    return replace(aggregated(means, pool, groups), factors=factors(rows, base) if base and rows else None)


def _found(
    hypothesis: Hypothesis, benchmarks: tuple[str, ...], plan: Plan, scored: StudyScores, seed_sd: float | None
) -> _Found | list[str]:
    arms = list(dict.fromkeys(arm for pair in hypothesis.pairs for arm in pair))
    seeds = plan.common_seeds(arms)
    refusals = _refusals(arms, seeds, benchmarks, scored)
    if refusals:
        return refusals
    weights = pair_weights(hypothesis.pairs)
    try:
        effect = scored.scores.effect(weights, benchmarks, seed_sd)
        silent = {
            name: tuple(arm for arm in arms if set(scored.no_signal.get((arm, name), ())) & set(seeds))
            for name in benchmarks
        }
        speaking = [name for name in benchmarks if not silent[name]]
        heard = (
            scored.scores.effect(weights, speaking, seed_sd) if len(speaking) < len(benchmarks) and speaking else None
        )
        sums = [scored.scores.image_sums([weights], name) for name in benchmarks]
    except InputError as error:
        return [first_line(str(error))]
    evidence = Evidence(
        hypothesis.expect,
        hypothesis.margin,
        effect.estimate.interval,
        effect.check,
        may_be_equivalent=effect.estimate.scope == "recipe" and bool(speaking),
        equivalence=(heard.estimate.interval, heard.check) if heard is not None else None,
        p_exact=exact_p(sums) if effect.estimate.scope == "checkpoints" else None,
    )
    return _Found(effect, evidence, {name: names for name, names in silent.items() if names}, sums)


def _refusals(arms: Sequence[str], seeds: Sequence[int], benchmarks: Sequence[str], scored: StudyScores) -> list[str]:
    """Why these arms may not be compared. A seed that diverged is a result: to leave it out would favour its arm."""
    absent = [arm for arm in arms if not scored.trials.get(arm)]
    if absent:
        return [f"this plan has no trial of {', '.join(absent)}"]
    if not seeds:
        return [f"{', '.join(arms)} have no seed in common"]
    entries = [entry for arm in arms for entry in scored.trials[arm] if entry.seed in seeds]
    diverged = [f"{entry.arm} diverged with seed {entry.seed}" for entry in entries if entry.is_diverged]
    if diverged:
        return diverged
    missing = [words for entry in entries for words in _missing(entry, benchmarks, scored)]
    if missing:
        return [f"missing: {'; '.join(missing)}"]
    reasons = []
    for name in benchmarks:
        asked = {(entry.arm, entry.seed): scored.asked[entry.arm, entry.seed, name] for entry in entries}
        if len(set(asked.values())) > 1:
            reasons.append(f"{name} was scored in different ways: {_ways(asked)}")
    return reasons


def _missing(entry: TrialEntry, benchmarks: Sequence[str], scored: StudyScores) -> list[str]:
    lacking = [name for name in benchmarks if scored.scores.cell(entry.arm, entry.seed, name) is None]
    if not lacking:
        return []
    state = "unreadable" if entry.state == "done" else entry.state
    where = "" if len(lacking) == len(benchmarks) else f" on {', '.join(lacking)}"
    return [f"{entry.arm} with seed {entry.seed}{where} ({state})"]


def _ways(asked: Mapping[tuple[str, int], tuple[str, str]]) -> str:
    """`base (seed 7) by official, naive (seed 7) by prismatic`, of one trial for each way."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for trial, way in asked.items():
        first.setdefault(way, trial)
    protocols = {protocol for _, protocol in first}
    return ", ".join(
        f"{arm} (seed {seed}) by {protocol if len(protocols) > 1 else f'{protocol} {key[:8]}'}"
        for (key, protocol), (arm, seed) in first.items()
    )


def _verdict(
    hypothesis: Hypothesis,
    benchmarks: tuple[str, ...],
    found: _Found | list[str],
    ruling: Ruling | None,
    ledger: Ledger,
    scored: StudyScores,
    n_judged: int,
) -> Verdict:
    if not isinstance(found, _Found) or ruling is None:
        reasons = found if isinstance(found, list) else []
        return _refused(hypothesis, benchmarks, tuple(reasons))
    estimate = found.effect.estimate
    interval = estimate.interval
    is_open = ruling.verdict == "undecided" and len(found.silent) < len(benchmarks)
    cost = _price(hypothesis, found, ledger, scored, n_judged) if is_open else None
    seeds = number_of(len(estimate.seeds), "seed")
    return Verdict(
        id=hypothesis.id,
        claim=hypothesis.claim,
        expect=hypothesis.expect,
        verdict=ruling.verdict,
        holds=ruling.holds,
        scope=estimate.scope,
        method="study",
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
        reasons=tuple(_reasons(hypothesis, found, ruling, interval, cost)),
        sentence=found_words(
            ruling.verdict,
            estimate.value,
            "points",
            interval,
            LEVEL,
            [seeds, number_of(estimate.n_examples, "example")],
            hypothesis.margin,
        ),
        seeds_from=interval.seeds,
        beside=(estimate.beside.low, estimate.beside.high) if estimate.beside is not None else None,
        image_error=math.sqrt(interval.image_part),
        image_error_bootstrap=float(image_errors(found.sums)[1][0]),
        p_exact=found.evidence.p_exact,
        by_benchmark=tuple(_component(name, hypothesis.pairs, (name,), found, scored) for name in benchmarks),
        by_pair=tuple(_component(f"{a} -> {b}", ((a, b),), benchmarks, found, scored) for a, b in hypothesis.pairs),
        price=cost,
    )


def _refused(hypothesis: Hypothesis, benchmarks: tuple[str, ...], reasons: tuple[str, ...]) -> Verdict:
    return Verdict(
        id=hypothesis.id,
        claim=hypothesis.claim,
        expect=hypothesis.expect,
        verdict="undecided",
        holds=None,
        scope="checkpoints",
        method="study",
        pairs=hypothesis.pairs,
        benchmarks=benchmarks,
        effect=None,
        unit="points",
        interval=None,
        level=LEVEL,
        margin=hypothesis.margin,
        p=None,
        p_adjusted=None,
        n_seeds=0,
        n_examples=0,
        n_pairs=len(hypothesis.pairs),
        n_cells=0,
        reasons=reasons,
        sentence=f"Not compared: {'; '.join(reasons)}.",
    )


def _component(
    name: str,
    pairs: tuple[tuple[str, str], ...],
    benchmarks: tuple[str, ...],
    found: _Found,
    scored: StudyScores,
) -> Component:
    estimate = scored.scores.effect(pair_weights(pairs), benchmarks).estimate
    interval = (estimate.interval.low, estimate.interval.high)
    return Component(name, estimate.value, interval, found.silent.get(name, ()))


def _reasons(
    hypothesis: Hypothesis, found: _Found, ruling: Ruling, interval: CrossedInterval, cost: Price | None
) -> list[str]:
    estimate = found.effect.estimate
    second = "other estimate of the seeds' spread" if found.evidence.p_exact is None else "exact test over images"
    reasons = ruling_reasons(hypothesis, ruling, interval, ALPHA, corrected=True, second=second)
    if ruling.vetoed is not None and found.effect.check is not None:
        check = found.effect.check
        reasons.append(f"with the spread {spread_of(check.seeds)} it is {signed(check.low)} to {signed(check.high)}")
    if estimate.scope == "checkpoints":
        reasons.append("one seed: these checkpoints were compared, the choice itself was not tested")
    if interval.seeds == "assumed":
        reasons.append("one seed: the spread over seeds is the study's `seed_sd`, an assumption")
    for name, arms in found.silent.items():
        reasons.append(f"no signal on {name}: {', '.join(arms)}; it supports no equivalence")
    if cost is not None:
        reasons.append(price_words(cost))
    return reasons


def _price(hypothesis: Hypothesis, found: _Found, ledger: Ledger, scored: StudyScores, n_judged: int) -> Price:
    """From the variances that were seen, and what the arms' trials have cost."""
    estimate = found.effect.estimate
    n = len(estimate.seeds)
    weights = pair_weights(hypothesis.pairs)
    is_unknown = estimate.interval.seeds == "none"
    default = DEFAULT_SEED_SD[1] ** 2 * sum(weight**2 for weight in weights.values())
    design = Design(
        n_seeds=n,
        df_pooled=found.effect.df_pooled if n > 1 else 0,
        seed_variance=default if is_unknown else estimate.interval.seed_part * n,
        image_variance=estimate.interval.image_part,
        n_hypotheses=n_judged,
        is_seed_sd_assumed=estimate.interval.seeds == "assumed",
    )
    return price(
        estimate.value,
        statement_of(hypothesis.expect),
        hypothesis.margin,
        design,
        seed_sd=DEFAULT_SEED_SD[1] if is_unknown else None,
        n_examples=estimate.n_examples,
        n_arms=len(weights),
        gpu_hours_per_seed=_hours_per_seed(weights, ledger),
        scoring_gpu_hours=sum(
            scored.scoring_seconds.get((arm, seed, name), 0.0)
            for arm in weights
            for seed in estimate.seeds
            for name in estimate.benchmarks
        )
        / 3600,
    )


def _hours_per_seed(arms: Mapping[str, float], ledger: Ledger) -> float | None:
    """GPU-hours of one more seed of each of these arms, stages that they share counted for each."""
    seconds = 0.0
    for arm in arms:
        costs = [
            entry.result["cost"]["gpu_seconds_alone"]
            for entry in ledger.trials.values()
            if entry.arm == arm and entry.result is not None
        ]
        if not costs:
            return None
        seconds += sum(costs) / len(costs)
    return seconds / 3600


def _notes(verdicts: Sequence[Verdict], study: Study, n_judged: int) -> tuple[str, ...]:
    notes = ["Effects are paired by example and seed; an interval covers the choice of images and, with more than one "
             "seed, that of seeds."]  # fmt: skip
    if n_judged > 1:
        notes.append(f"A verdict holds after Holm's correction over the {n_judged} hypotheses that could be judged.")
    if any(one.seeds_from == "pooled" for one in verdicts):
        notes.append(
            f"Below {OWN_SEEDS} seeds the spread over seeds is pooled over the arms, and the pair's own must agree."
        )
    if study.seed_sd is not None:
        notes.append(f"Assumed where there is one seed: scores vary over seeds by {study.seed_sd:g} points (seed_sd).")
    return tuple(notes)
