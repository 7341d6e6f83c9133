"""The report of a study: what was asked, what is there, and what the results show, as plain data.

It reads storage only, so it can be made at any time, also while the study runs: what is not there yet is shown as
missing. Equal storage gives equal bytes. It states differences with their uncertainty and passes no formal verdicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.analysis.exploratory import Judgement, judge
from orchestrator.analysis.scores import Contrast, Estimate
from orchestrator.analysis.study_scores import StudyScores, first_line
from orchestrator.ledger import Ledger, TrialEntry, TrialState, read_json, read_ledger
from search_spaces.errors import InputError
from search_spaces.plan import Arm, Plan
from trainables import layout
from trainables.store import Store

Absence = Literal["diverged", "failed", "running", "changed", "half-done", "pending", "unreadable"]


@dataclass(frozen=True)
class Column:
    """One benchmark of the table."""

    benchmark: str
    protocol: str
    n_examples: int | None
    """None while nothing is scored, or where arms were scored on unequal numbers."""


@dataclass(frozen=True)
class Cell:
    """One arm on one benchmark, or in the mean over all. Scores are in points."""

    estimate: Estimate | None
    """None where no seed has scores, or none that may be averaged (`refused`)."""
    absent: dict[int, Absence]
    """Planned seeds without a score -> why."""
    no_signal: tuple[int, ...] = ()
    """Seeds whose model gives one answer throughout, or scores like the majority answer."""
    is_best: bool = False
    refused: str | None = None


@dataclass(frozen=True)
class Row:
    arm: str
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    """In the order of the columns."""
    mean: Cell


@dataclass(frozen=True)
class Difference:
    """One arm against the base, on one benchmark or in the mean over all of them (`benchmark` None)."""

    benchmark: str | None
    effect: float
    low: float
    high: float
    seeds_from: str
    """`pooled` over the study's arms, the contrast's `own`, or `none` with one seed."""
    beside: tuple[float, float] | None
    """The interval with the other of `pooled` and `own`."""
    p: float
    p_adjusted: float
    is_clear: bool
    reason: str | None
    scope: str
    seeds: tuple[int, ...]
    n_examples: int
    n_images: int
    no_signal: bool
    """On this benchmark both models show no signal with some seed: an absent difference means nothing."""


@dataclass(frozen=True)
class Finding:
    """What one arm shows against the base."""

    label: str
    """The axis value, or the arm's name where it differs from the base in more than one axis."""
    arm: str
    mean: Difference | None
    benchmarks: tuple[Difference, ...]
    refused: tuple[str, ...]
    """Comparisons that were not made, and why."""
    conditions: tuple[str, ...]
    """In what its trials ran under other conditions than the base's: `device: cpu against H200`."""
    sentence: str = ""


@dataclass(frozen=True)
class AxisFindings:
    axis: str
    """Empty for arms that differ from the base in several axes, or in none."""
    base_value: str | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Sharing:
    """What running equal work once has saved."""

    stages_by_trial: int
    stages: int
    features_by_trial: int
    features: int
    gpu_seconds: float
    gpu_seconds_alone: float
    """What the trials with a result would have cost one by one."""


@dataclass(frozen=True)
class ArmCost:
    arm: str
    trials: int
    """Those with a result."""
    gpu_seconds: float
    gpu_seconds_alone: float
    wall_seconds: float


@dataclass(frozen=True)
class FailedTrial:
    trial: str
    kind: str
    message: str
    """First line."""
    log: str
    """Path."""


@dataclass(frozen=True)
class Condition:
    """One item of provenance, and which arms ran with which value."""

    name: str
    arms: dict[str, tuple[str, ...]]
    """Value -> arms; an arm under two values was run partly with each."""


@dataclass(frozen=True)
class Report:
    study: str
    question: str
    digest: str
    n_trials: int
    counts: dict[TrialState, int]
    diverged: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    axes: tuple[AxisFindings, ...]
    n_comparisons: int
    sharing: Sharing
    costs: tuple[ArmCost, ...]
    failures: tuple[FailedTrial, ...]
    conditions: tuple[Condition, ...]
    problems: tuple[str, ...]
    """Results that are on storage and could not be used."""
    excluded: tuple[tuple[str, str], ...]
    """Arm and reason."""
    removed: tuple[str, ...]

    @property
    def has_results(self) -> bool:
        return any(cell.estimate is not None for row in self.rows for cell in row.cells) or bool(self.diverged)


def build_report(plan: Plan, store: Store, ledger: Ledger | None = None) -> Report:
    """What storage shows of the plan. Pass a `ledger` that was just read to save reading it again."""
    ledger = ledger or read_ledger(plan, store)
    scored = StudyScores.of(plan, store, ledger)
    conditions = _conditions(plan, store, ledger)
    rows = _best_marked([_row(arm, scored) for arm in _asked_arms(plan)])
    axes, n_comparisons = _axes(plan, scored, conditions)
    return Report(
        study=plan.study,
        question=plan.question,
        digest=plan.digest,
        n_trials=len(plan.trials),
        counts=ledger.counts(),
        diverged=tuple(entry.id for entry in ledger.trials.values() if entry.is_diverged),
        columns=tuple(_column(plan, i, rows) for i in range(len(plan.benchmarks))),
        rows=rows,
        axes=axes,
        n_comparisons=n_comparisons,
        sharing=_sharing(plan, ledger),
        costs=_costs(plan, ledger),
        failures=_failures(ledger, store),
        conditions=conditions,
        problems=tuple(scored.problems),
        excluded=tuple((exclusion.arm, exclusion.reason) for exclusion in plan.excluded),
        removed=ledger.removed,
    )


def signed(value: float) -> str:
    """`+1.2`, `-0.4`, `0.0`: one decimal, and no minus before a zero."""
    return f"{value:+.1f}" if abs(value) >= 0.05 else "0.0"


def _asked_arms(plan: Plan) -> list[Arm]:
    """Arms that have a trial in the plan (`--limit` may leave some without)."""
    asked = {trial.arm for trial in plan.trials}
    return [arm for arm in plan.arms if arm.name in asked]


def _row(arm: Arm, scored: StudyScores) -> Row:
    entries = {entry.seed: entry for entry in scored.trials[arm.name]}
    cells = [_cell(arm.name, (benchmark,), entries, scored) for benchmark in scored.benchmarks]
    return Row(arm.name, tuple(entries), tuple(cells), _cell(arm.name, scored.benchmarks, entries, scored))


def _cell(arm: str, benchmarks: tuple[str, ...], entries: Mapping[int, TrialEntry], scored: StudyScores) -> Cell:
    seeds = scored.scores.seeds(arm, benchmarks)
    absent = {seed: _absence(entry) for seed, entry in entries.items() if seed not in seeds}
    silent = scored.no_signal.get((arm, benchmarks[0]), ()) if len(benchmarks) == 1 else ()
    if not seeds:
        return Cell(None, absent)
    try:
        return Cell(scored.scores.mean(arm, benchmarks), absent, silent)
    except InputError as error:
        return Cell(None, absent, silent, refused=first_line(str(error)))


def _absence(entry: TrialEntry) -> Absence:
    if entry.is_diverged:
        return "diverged"
    return "unreadable" if entry.state == "done" else entry.state


def _best_marked(rows: list[Row]) -> tuple[Row, ...]:
    def marked(cell: Cell, column: Sequence[Cell]) -> Cell:
        values = [other.estimate.value for other in column if other.estimate is not None]
        is_best = len(values) > 1 and cell.estimate is not None and cell.estimate.value >= max(values) - 1e-9
        return replace(cell, is_best=is_best)

    columns = list(zip(*(row.cells for row in rows), strict=True))
    means = [row.mean for row in rows]
    return tuple(
        replace(
            row,
            cells=tuple(marked(cell, column) for cell, column in zip(row.cells, columns, strict=True)),
            mean=marked(row.mean, means),
        )
        for row in rows
    )


def _column(plan: Plan, index: int, rows: Sequence[Row]) -> Column:
    estimates = [row.cells[index].estimate for row in rows]
    sizes = {estimate.n_examples for estimate in estimates if estimate is not None}
    benchmark = plan.benchmarks[index]
    return Column(benchmark.id, benchmark.protocol, sizes.pop() if len(sizes) == 1 else None)


def _axes(plan: Plan, scored: StudyScores, conditions: Sequence[Condition]) -> tuple[tuple[AxisFindings, ...], int]:
    """Every arm against the base, judged as one table, grouped by the one axis in which it differs."""
    arms = _asked_arms(plan)
    base = next((arm for arm in arms if arm.name == plan.base), None)
    if base is None:
        return (), 0
    others = [arm for arm in arms if arm is not base]
    made = {arm.name: _contrasts(base.name, arm.name, scored) for arm in others}
    table = [(name, benchmark, contrast) for name, (found, _) in made.items() for benchmark, contrast in found.items()]
    judged: dict[str, dict[str | None, Judgement]] = defaultdict(dict)
    for (name, benchmark, _), judgement in zip(table, judge([entry[2] for entry in table]), strict=True):
        judged[name][benchmark] = judgement
    ran_with = _by_arm(conditions)
    grouped: dict[str, list[Finding]] = {axis: [] for axis in (*plan.axes, "")}
    for arm in others:
        differing = [axis for axis in plan.axes if arm.values.get(axis) != base.values.get(axis)]
        axis = differing[0] if len(differing) == 1 else ""
        differences = {
            benchmark: _difference(benchmark, (base.name, arm.name), judgement, scored)
            for benchmark, judgement in judged[arm.name].items()
        }
        finding = Finding(
            label=arm.values[axis] if axis else arm.name,
            arm=arm.name,
            mean=differences.get(None),
            benchmarks=tuple(differences[name] for name in scored.benchmarks if name in differences),
            refused=made[arm.name][1],
            conditions=_other_conditions(ran_with[arm.name], ran_with[base.name]),
        )
        entries = (*scored.trials[base.name], *scored.trials[arm.name])
        unfinished = [entry for entry in entries if entry.state != "done"]
        grouped[axis].append(replace(finding, sentence=_sentence(finding, unfinished, len(scored.benchmarks))))
    axes = tuple(
        AxisFindings(axis, base.values.get(axis), tuple(findings)) for axis, findings in grouped.items() if findings
    )
    return axes, len(table)


def _contrasts(base: str, arm: str, scored: StudyScores) -> tuple[dict[str | None, Contrast], tuple[str, ...]]:
    """Contrasts of an arm with the base, by benchmark (None: mean over all), and why others were not made.

    A seed that diverged is not just missing: to compare the remaining ones would favour the arm that diverges.
    """
    diverged = [entry for entry in (*scored.trials[base], *scored.trials[arm]) if entry.is_diverged]
    if diverged:
        return {}, tuple(f"{entry.arm} diverged with seed {entry.seed}" for entry in diverged)
    found: dict[str | None, Contrast] = {}
    refused: list[str] = []
    asked: list[tuple[str | None, tuple[str, ...]]] = [(name, (name,)) for name in scored.benchmarks]
    if len(scored.benchmarks) > 1:
        asked.insert(0, (None, scored.benchmarks))
    for name, benchmarks in asked:
        if not set(scored.scores.seeds(arm, benchmarks)) & set(scored.scores.seeds(base, benchmarks)):
            continue  # nothing to compare yet: the table shows what is missing
        try:
            found[name] = scored.scores.contrast(base, arm, benchmarks)
        except InputError as error:
            refused.append(first_line(str(error)))
    return found, tuple(dict.fromkeys(refused))


def _difference(benchmark: str | None, arms: tuple[str, str], judgement: Judgement, scored: StudyScores) -> Difference:
    estimate = judgement.contrast.estimate
    silent = [scored.no_signal.get((name, benchmark or ""), ()) for name in arms]
    return Difference(
        benchmark=benchmark,
        effect=estimate.value,
        low=estimate.interval.low,
        high=estimate.interval.high,
        seeds_from=estimate.interval.seeds,
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
    """One plain sentence, and the caveats that belong to it."""
    main = finding.mean or (finding.benchmarks[0] if n_benchmarks == 1 and finding.benchmarks else None)
    missing = ", ".join(f"{entry.arm} with seed {entry.seed} ({entry.state})" for entry in unfinished)
    if main is None and not finding.benchmarks:
        reasons = finding.refused or ((f"missing: {missing}",) if missing else ("no common seed with the base",))
        return f"not compared: {'; '.join(reasons)}."
    parts = []
    if main is not None:
        over = f" in the mean over {n_benchmarks} benchmarks" if main.benchmark is None else f" on {main.benchmark}"
        clear = f"{_words(main.effect)} than the base" if main.is_clear else "no clear difference to the base"
        value = "" if main.is_clear else f"{signed(main.effect)}, "
        parts.append(f"{clear}{over} ({value}{_interval_words(main)}; {_seed_words(main.seeds)})")
        if main.reason:
            parts.append(f"the interval excludes 0, but {main.reason}")
    if main is None or main.benchmark is None:
        clear_ones = [d for d in finding.benchmarks if d.is_clear]
        named = ", ".join(f"{d.benchmark} ({signed(d.effect)}, {_interval_words(d, short=True)})" for d in clear_ones)
        silent = [d.benchmark or "" for d in finding.benchmarks if d.no_signal and not d.is_clear]
        parts.append(f"clear on {named}" if named else "on no single benchmark a clear difference")
        if silent:
            parts.append(f"neither shows a signal on {', '.join(silent)}")
        for d in finding.benchmarks:
            if d.reason:
                parts.append(f"not clear on {d.benchmark} ({signed(d.effect)}): {d.reason}")
    elif main.no_signal and not main.is_clear:
        parts.append("neither shows a signal")
    if any(d.scope == "checkpoints" for d in (main, *finding.benchmarks) if d is not None):
        parts.append("with one seed only these two checkpoints are compared, the choice itself was not tested")
    if missing:
        parts.append(f"missing: {missing}")
    parts += [f"not compared: {reason}" for reason in finding.refused]
    if finding.conditions:
        parts.append(f"ran under other conditions than the base ({'; '.join(finding.conditions)})")
    return "; ".join(parts) + "."


def _words(effect: float) -> str:
    points = f"{abs(effect):.1f}"
    return f"{points} {'point' if points == '1.0' else 'points'} {'higher' if effect > 0 else 'lower'}"


def _interval_words(difference: Difference, short: bool = False) -> str:
    interval = f"{signed(difference.low)} to {signed(difference.high)}"
    return interval if short else f"95 % interval {interval}"


def _seed_words(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}"


def _sharing(plan: Plan, ledger: Ledger) -> Sharing:
    asked = [plan.nodes[node] for trial in plan.trials for node in trial.path]
    unique = {node.id: node for node in asked}.values()
    costs = [entry.result["cost"] for entry in ledger.trials.values() if entry.result is not None]
    return Sharing(
        stages_by_trial=sum(node.kind == "stage" for node in asked),
        stages=sum(node.kind == "stage" for node in unique),
        features_by_trial=sum(node.kind == "features" for node in asked),
        features=sum(node.kind == "features" for node in unique),
        gpu_seconds=sum(cost["gpu_seconds"] for cost in costs),
        gpu_seconds_alone=sum(cost["gpu_seconds_alone"] for cost in costs),
    )


def _costs(plan: Plan, ledger: Ledger) -> tuple[ArmCost, ...]:
    by_arm: dict[str, list[dict[str, float]]] = {arm.name: [] for arm in _asked_arms(plan)}
    for entry in ledger.trials.values():
        if entry.result is not None:
            by_arm[entry.arm].append(entry.result["cost"])
    return tuple(
        ArmCost(
            arm=arm,
            trials=len(costs),
            gpu_seconds=sum(cost["gpu_seconds"] for cost in costs),
            gpu_seconds_alone=sum(cost["gpu_seconds_alone"] for cost in costs),
            wall_seconds=sum(cost["wall_seconds"] for cost in costs),
        )
        for arm, costs in by_arm.items()
        if costs
    )


def _failures(ledger: Ledger, store: Store) -> tuple[FailedTrial, ...]:
    return tuple(
        FailedTrial(
            trial=entry.id,
            kind=entry.failure["kind"],
            message=first_line(entry.failure["message"]),
            log=str(store.path(entry.failure["log"])) if entry.failure["log"] else "",
        )
        for entry in ledger.trials.values()
        if entry.failure is not None
    )


def _conditions(plan: Plan, store: Store, ledger: Ledger) -> tuple[Condition, ...]:
    """Provenance of the stages of all trials with a result: name -> value -> arms, in plan order."""
    found: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    of_stage: dict[str, dict[str, str]] = {}
    for entry in ledger.trials.values():
        for key in entry.result["stages"] if entry.result is not None else ():
            if key not in of_stage:
                result = read_json(store, layout.stage_result(key))
                of_stage[key] = result["provenance"] if result is not None else {}
            for name, value in of_stage[key].items():
                found[name][value][entry.arm] = None
    return tuple(
        Condition(name, {value: tuple(arms) for value, arms in sorted(values.items())})
        for name, values in sorted(found.items())
    )


def _by_arm(conditions: Sequence[Condition]) -> dict[str, dict[str, list[str]]]:
    """Arm -> name of a condition -> the values it ran with."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for condition in conditions:
        for value, arms in condition.arms.items():
            for arm in arms:
                found[arm][condition.name].append(value)
    return found


def _other_conditions(mine: Mapping[str, list[str]], base: Mapping[str, list[str]]) -> tuple[str, ...]:
    """In what an arm ran otherwise than the base, where both are known."""
    return tuple(
        f"{name}: {' and '.join(values)} against {' and '.join(base[name])}"
        for name, values in mine.items()
        if base.get(name, values) != values
    )
