"""Write outcomes of the drill as tables in Markdown: kills and survivals by place, by kind and by shape."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from measurements.drill.outcome import Outcome
from measurements.drill.toy_study import CHECKPOINT_EVERY


def table(outcomes: Sequence[Outcome]) -> str:
    """Write the tables of all cases that came to their place, and say how many did not."""
    workers = [outcome for outcome in outcomes if outcome.level == "worker"]
    runs = [outcome for outcome in outcomes if outcome.level == "run"]
    return "\n\n".join((*_workers(workers), *_runs(runs)))


def _workers(outcomes: Sequence[Outcome]) -> Iterable[str]:
    if not outcomes:
        return
    hit = [outcome for outcome in outcomes if outcome.is_hit]
    yield f"In worker processes: {_summary(outcomes)}"
    yield _rows("kind of file", hit, lambda outcome: outcome.file)
    yield _rows("what happened", hit, lambda outcome: f"{outcome.kind}, {outcome.detail}".rstrip(", "))
    yield _rows("workers and ZeRO stage, then", hit, _shapes)
    yield from _lost_work(hit)


def _runs(outcomes: Sequence[Outcome]) -> Iterable[str]:
    if not outcomes:
        return
    hit = [outcome for outcome in outcomes if outcome.is_hit]
    yield f"Whole runs: {_summary(outcomes)}"
    yield _rows("what was killed", hit, lambda outcome: f"{outcome.kind}, {outcome.detail}".rstrip(", "))
    yield _rows("workers and ZeRO stage, then", hit, _shapes)
    yield from _lost_work(hit)


def _lost_work(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Say how many training steps were done again, and how far the weights of changed shapes are apart."""
    same = [outcome for outcome in outcomes if outcome.shape == outcome.second]
    changed = [outcome for outcome in outcomes if outcome.shape != outcome.second]
    lost = Counter(max(outcome.lost_steps, default=0) for outcome in same)
    steps = ", ".join(f"{count} x {number}" for number, count in sorted(lost.items()))
    if same:
        yield (
            f"Most steps that were done again after one interruption, of {len(same)} cases with the same shape and a "
            f"checkpoint every {CHECKPOINT_EVERY} steps: {steps}."
        )
    if changed:
        again = max(step for outcome in changed for step in (0, *outcome.lost_steps))
        apart = max(outcome.rounding for outcome in changed)
        yield (
            f"Gone on with another shape, from its checkpoints: {len(changed)} cases; at most "
            f"{again} steps done again, weights and last losses at most {apart:.1e} apart, relatively."
        )


def _summary(outcomes: Sequence[Outcome]) -> str:
    hit = [outcome for outcome in outcomes if outcome.is_hit]
    missed = len(outcomes) - len(hit)
    unreached = f" ({missed} more never came to their operation)" if missed else ""
    return f"{len(hit)} cases{unreached}, {_equal(hit)} as undisturbed, {len(hit) - _equal(hit)} with differences."


def _shapes(outcome: Outcome) -> str:
    return outcome.shape if outcome.shape == outcome.second else f"{outcome.shape}, then another"


def _equal(outcomes: Iterable[Outcome]) -> int:
    return sum(not outcome.differences for outcome in outcomes)


def _rows(title: str, outcomes: Iterable[Outcome], name_of: Callable[[Outcome], str]) -> str:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[name_of(outcome)].append(outcome)
    rows = [f"| {name} | {len(group)} | {_equal(group)} |" for name, group in sorted(groups.items())]
    return "\n".join([f"| {title} | cases | as undisturbed |", "|---|--:|--:|", *rows])
