"""Show how a study differs from what storage holds of it, and what a run is going to do: one screen, however large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import assert_never

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.state.causes import Cause, CauseKind
from orchestrator.state.difference import KINDS, Amount, ChangeKind, Difference, GoneTrial, TrialChange
from search_spaces.plan import Plan
from search_spaces.quantities import number_of

_MOST_LINES = 16
"""Groups of trials that are shown; the rest are counted."""
_MOST_ARMS = 4
"""Arms that a group names."""

_SIGNS: Mapping[ChangeKind, tuple[str, str]] = {
    "new": ("+", "green"),
    "changed": ("~", "yellow"),
    "half-done": ("~", "yellow"),
    "failed": ("!", "red"),
    "running": (">", "cyan"),
    "unchanged": ("=", "dim"),
}


def show_difference(difference: Difference, plan: Plan, console: Console) -> None:
    """Print what is new, changed, half-done, failed, running, unchanged and gone, then what is done and what is kept.

    Args:
        difference: of a study to what storage holds.
        plan: of the study.
        console: where to.
    """
    counts = [f"{count} {kind}" for kind, count in difference.counts().items() if count]
    counts += [f"{len(difference.gone)} gone"] if difference.gone else []
    console.print(Text(f"{difference.study} beside what storage has: {', '.join(counts) or 'no trials'}"))
    if difference.is_empty:
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for ratio in (None, None, 1, 1):
        table.add_column(overflow="fold", ratio=ratio)
    lines = list(_lines(difference, plan))
    for colour, cells in lines[:_MOST_LINES]:
        table.add_row(*(Text(cell, colour if number == 0 else "") for number, cell in enumerate(cells)))
    console.print(table)
    if len(lines) > _MOST_LINES:
        console.print(Text(f"  and {len(lines) - _MOST_LINES} more groups of trials (--json has all)"))
    if difference.gone_benchmarks:
        console.print(Text(f"  no longer asked for: {', '.join(difference.gone_benchmarks)}; storage keeps the scores"))
    console.print(Text(f"To do: {_amount_text(difference.todo)}. Kept: {_amount_text(difference.kept)}."))


def show_work(difference: Difference, plan: Plan, console: Console) -> None:
    """Print every trial that a run takes up, with everything that it has to produce, in plan order.

    Args:
        difference: of a study to what storage holds.
        plan: of the study.
        console: where to.
    """
    made: set[str] = set()
    for trial in difference.trials:
        if not trial.is_run:
            continue
        parts = [f"features {plan.nodes[name].name}{_shared(name, made)}" for name in trial.features]
        parts += [f"{_stage_text(name, difference, plan)}{_shared(name, made)}" for name in trial.stages]
        parts += [f"score {', '.join(trial.evaluations)}"] if trial.evaluations else []
        made |= {*trial.features, *trial.stages}
        console.print(Text(f"{trial.id}: {'; '.join(parts) or 'everything is there but its result'}"), soft_wrap=True)


def _lines(difference: Difference, plan: Plan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the colour and the cells of each group of trials that compare alike."""
    for kind in KINDS:
        of_kind = [trial for trial in difference.trials if trial.kind == kind]
        keyed = sorted(((_why(trial), _what_follows(trial, plan), trial) for trial in of_kind), key=lambda row: row[:2])
        for (why, follows), rows in groupby(keyed, key=lambda row: row[:2]):
            trials = [trial for _, _, trial in rows]
            sign, colour = _SIGNS[kind]
            about = "; ".join(part for part in (why, follows) if part)
            yield colour, (f"  {sign} {kind}", number_of(len(trials), "trial"), arms_text(trials), about)
    if difference.gone:
        gone = number_of(len(difference.gone), "trial")
        yield "dim", ("  - gone", gone, arms_text(difference.gone), "no longer in the study; storage keeps it")


def arms_text(trials: Iterable[TrialChange | GoneTrial]) -> str:
    """Name the arms of trials with their seeds: `base, tokens=1 (7, 8); wide (7)`."""
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.arm, []).extend([] if trial.seed is None else [trial.seed])
    arms_of: dict[tuple[int, ...], list[str]] = {}
    for arm, own in list(seeds.items())[:_MOST_ARMS]:
        arms_of.setdefault(tuple(own), []).append(arm)
    parts = [f"{', '.join(arms)} ({', '.join(map(str, own))})" for own, arms in arms_of.items()]
    more = len(seeds) - _MOST_ARMS
    return "; ".join(parts) + (f" and {number_of(more, 'more arm')}" if more > 0 else "")


def _why(trial: TrialChange) -> str:
    by_kind = groupby(sorted(trial.causes, key=lambda cause: cause.kind), key=lambda cause: cause.kind)
    causes = [_cause_text(kind, list(causes)) for kind, causes in by_kind]
    return "; ".join([*causes, *([trial.failure] if trial.failure is not None else [])])


def _cause_text(kind: CauseKind, causes: Sequence[Cause]) -> str:
    about = ", ".join(cause.about for cause in causes)
    match kind:
        case "data":
            return f"other data: {about}"
        case "weights":
            return f"other weights: {about}"
        case "trainer":
            return "trained by another version of the training code, or for other steps"
        case "definition":
            return f"defined otherwise: {about}"
        case "new benchmark":
            return f"new benchmark: {about}"
        case "protocol":
            return f"asked otherwise (protocol or questions): {about}"
        case "benchmark data":
            return f"other benchmark data: {about}"
        case "scoring":
            return f"scored by another version: {about}"
        case "lost scores":
            return f"scores are gone from storage: {about}"
        case _:
            assert_never(kind)


def _what_follows(trial: TrialChange, plan: Plan) -> str:
    match trial.kind:
        case "unchanged" | "running":
            return ""
        case "new" | "changed" | "half-done" | "failed":
            pass
        case _:
            assert_never(trial.kind)
    if not trial.is_run:
        return trial.left_alone or "not selected"
    parts = [f"train {', '.join(plan.nodes[name].name for name in trial.stages)}"] if trial.stages else []
    parts += [f"score {len(trial.evaluations)}"] if trial.evaluations else []
    return ", ".join(parts) or "everything is there but its result"


def _stage_text(name: str, difference: Difference, plan: Plan) -> str:
    node = plan.nodes[name]
    if node.steps is None:
        return f"{node.name} (steps not known yet)"
    kept = difference.kept_steps.get(name, 0)
    return f"{node.name} {node.steps:,} steps" + (f" from {kept:,}" if kept else "")


def _shared(name: str, made: set[str]) -> str:
    return " (shared, listed before)" if name in made else ""


def _amount_text(amount: Amount) -> str:
    stages = f"{number_of(amount.stages, 'stage')} ({number_of(amount.steps, 'step')})"
    parts = [number_of(amount.trials, "trial"), stages, number_of(amount.evaluations, "score")]
    caches = [number_of(amount.features, "feature cache")] if amount.features else []
    return ", ".join([parts[0], *caches, *parts[1:]])
