"""Every arm against the base, judged as one exploratory table, and each in one plain sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.analysis.effects import Contrast
from orchestrator.analysis.exploratory import Judgement, judge
from orchestrator.analysis.number_text import ends_text, signed
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_sentences import difference_text
from orchestrator.reporting.provenance import Condition, conditions_by_arm
from orchestrator.reporting.report_model import AxisFindings, Difference, Finding
from orchestrator.state.ledger import TrialEntry
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.plan import Arm, Plan
from search_spaces.quantities import number_of


def axis_findings(
    plan: Plan, arms: Sequence[Arm], scored: StudyScores, conditions: Sequence[Condition]
) -> tuple[tuple[AxisFindings, ...], int]:
    """Compare every arm with the base, grouped by the one axis in which it differs.

    Args:
        plan: with the base and the axes.
        arms: that have trials.
        scored: the scores on storage.
        conditions: under which the arms ran.

    Returns:
        The findings, and the number of comparisons that they were judged among.
    """
    base = next((arm for arm in arms if arm.name == plan.base), None)
    if base is None:
        return (), 0
    contrasts = {arm.name: _contrasts(base.name, arm.name, scored) for arm in arms if arm is not base}
    judged = _judged({name: estimated for name, (estimated, _) in contrasts.items()})
    ran_with = conditions_by_arm(conditions)
    grouped: dict[str, list[Finding]] = {axis: [] for axis in (*plan.axes, "")}
    for arm in arms:
        if arm is not base:
            axis = _only_difference(plan.axes, arm, base)
            differences = _differences((base.name, arm.name), judged[arm.name], scored)
            finding = Finding(
                label=arm.values[axis] if axis else arm.name,
                arm=arm.name,
                mean=differences.get(None),
                benchmarks=tuple(differences[name] for name in scored.benchmarks if name in differences),
                refused=contrasts[arm.name][1],
                conditions=_other_conditions(ran_with[arm.name], ran_with[base.name]),
            )
            unfinished = _unfinished((base.name, arm.name), scored)
            grouped[axis].append(replace(finding, sentence=_sentence(finding, unfinished, len(scored.benchmarks))))
    axes = tuple(
        AxisFindings(axis, base.values.get(axis), tuple(findings)) for axis, findings in grouped.items() if findings
    )
    return axes, sum(map(len, judged.values()))


def _judged(
    contrasts: Mapping[str, Mapping[str | None, Contrast]],
) -> dict[str, dict[str | None, Judgement]]:
    """Judge the contrasts of all arms, by benchmark, as one exploratory table."""
    table = [contrast for by_benchmark in contrasts.values() for contrast in by_benchmark.values()]
    judgements = iter(judge(table))
    return {arm: {benchmark: next(judgements) for benchmark in by_benchmark} for arm, by_benchmark in contrasts.items()}


def _only_difference(axes: Iterable[str], arm: Arm, base: Arm) -> str:
    """Name the one axis in which an arm differs from the base; empty where it differs in more, or in none."""
    if not arm.by_axes:
        return ""
    differing = [axis for axis in axes if arm.values.get(axis) != base.values.get(axis)]
    return differing[0] if len(differing) == 1 else ""


def _unfinished(arms: tuple[str, str], scored: StudyScores) -> list[TrialEntry]:
    return [entry for arm in arms for entry in scored.trials[arm] if entry.state != "done"]


def _contrasts(base: str, arm: str, scored: StudyScores) -> tuple[dict[str | None, Contrast], tuple[str, ...]]:
    """Estimate the contrasts of an arm with the base, by benchmark (None: mean over all), and say why others were not.

    A seed that diverged is not just missing: to compare the remaining ones would favour the arm that diverges.
    """
    diverged = [entry for entry in (*scored.trials[base], *scored.trials[arm]) if entry.is_diverged]
    if diverged:
        return {}, tuple(f"{entry.arm} diverged with seed {entry.seed}" for entry in diverged)
    contrasts: dict[str | None, Contrast] = {}
    refused: list[str] = []
    groups: list[tuple[str | None, tuple[str, ...]]] = [(name, (name,)) for name in scored.benchmarks]
    if len(scored.benchmarks) > 1:
        groups.insert(0, (None, scored.benchmarks))
    for name, benchmarks in groups:
        if not set(scored.scores.seeds(arm, benchmarks)) & set(scored.scores.seeds(base, benchmarks)):
            continue  # nothing to compare yet: the table shows what is missing
        try:
            contrasts[name] = scored.scores.contrast(base, arm, benchmarks)
        except InputError as error:
            refused.append(first_line(error))
    return contrasts, tuple(dict.fromkeys(refused))


def _differences(
    arms: tuple[str, str], judged: Mapping[str | None, Judgement], scored: StudyScores
) -> dict[str | None, Difference]:
    return {benchmark: _difference(benchmark, arms, judgement, scored) for benchmark, judgement in judged.items()}


def _difference(benchmark: str | None, arms: tuple[str, str], judgement: Judgement, scored: StudyScores) -> Difference:
    estimate = judgement.contrast.estimate
    silent = [scored.no_signal.get((name, benchmark or ""), ()) for name in arms]
    return Difference(
        benchmark=benchmark,
        effect=estimate.value,
        low=estimate.interval.low,
        high=estimate.interval.high,
        beside=(estimate.beside.low, estimate.beside.high) if estimate.beside is not None else None,
        p=estimate.interval.p,
        p_adjusted=judgement.p_adjusted,
        is_clear=judgement.is_clear,
        reason=judgement.reason,
        scope=estimate.scope,
        seeds=estimate.seeds,
        n_examples=estimate.n_examples,
        n_images=estimate.n_images,
        no_signal=all(silent),
    )


def _sentence(finding: Finding, unfinished: Sequence[TrialEntry], n_benchmarks: int) -> str:
    """State a finding in one plain sentence, with its caveats."""
    main = finding.mean or (finding.benchmarks[0] if n_benchmarks == 1 and finding.benchmarks else None)
    missing = ", ".join(f"{entry.arm} with seed {entry.seed} ({entry.state})" for entry in unfinished)
    if main is None and not finding.benchmarks:
        reasons = finding.refused or ((f"missing: {missing}",) if missing else ("no common seed with the base",))
        return f"not compared: {'; '.join(reasons)}."
    parts = [] if main is None else _main_parts(main, n_benchmarks)
    if main is None or main.benchmark is None:
        parts += _benchmark_parts(finding.benchmarks)
    if any(d.scope == "checkpoints" for d in (main, *finding.benchmarks) if d is not None):
        parts.append("with one seed only these two checkpoints are compared, the choice itself was not tested")
    if missing:
        parts.append(f"missing: {missing}")
    parts += [f"not compared: {reason}" for reason in finding.refused]
    if finding.conditions:
        parts.append(f"ran under other conditions than the base ({'; '.join(finding.conditions)})")
    return "; ".join(parts) + "."


def _main_parts(main: Difference, n_benchmarks: int) -> list[str]:
    """State the difference over all benchmarks, or on the only one, and what speaks against it."""
    over = f" in the mean over {n_benchmarks} benchmarks" if main.benchmark is None else f" on {main.benchmark}"
    clear = f"{difference_text(main.effect)} than the base" if main.is_clear else "no clear difference to the base"
    value = "" if main.is_clear else f"{signed(main.effect)}, "
    parts = [f"{clear}{over} ({value}{_interval_words(main)}; {number_of(len(main.seeds), 'seed')})"]
    if main.reason:
        parts.append(f"the interval excludes 0, but {main.reason}")
    if main.benchmark is not None and main.no_signal and not main.is_clear:
        parts.append("neither shows a signal")
    return parts


def _benchmark_parts(differences: Sequence[Difference]) -> list[str]:
    """State on which of several benchmarks the difference is clear, and on which not and why."""
    clear_ones = [d for d in differences if d.is_clear]
    named = ", ".join(f"{d.benchmark} ({signed(d.effect)}, {_interval_words(d, short=True)})" for d in clear_ones)
    silent = [d.benchmark or "" for d in differences if d.no_signal and not d.is_clear]
    parts = [f"clear on {named}" if named else "on no single benchmark a clear difference"]
    if silent:
        parts.append(f"neither shows a signal on {', '.join(silent)}")
    return parts + [f"not clear on {d.benchmark} ({signed(d.effect)}): {d.reason}" for d in differences if d.reason]


def _interval_words(difference: Difference, short: bool = False) -> str:
    interval = ends_text(difference.low, difference.high)
    return interval if short else f"95 % interval {interval}"


def _other_conditions(mine: Mapping[str, list[str]], base: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Name the conditions in which an arm ran otherwise than the base, where both are known."""
    return tuple(
        f"{name}: {' and '.join(values)} against {' and '.join(base[name])}"
        for name, values in mine.items()
        if base.get(name, values) != values
    )
