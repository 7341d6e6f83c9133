"""Describe how the arms of a study were trained: settings of each stage, and the losses that storage keeps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from search_spaces.plan import Node, Plan, PlannedTrial
from search_spaces.quantities import number_of
from search_spaces.spec import OptimizerSpec, ScheduleSpec, StageSpec
from trainables.storage import layout
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import Curve
from trainables.storage.store import Store

POINTS = 60
"""Steps of a curve that are shown: as many as a small figure can tell apart."""

MOST_CURVES = 200
"""Curves that are shown at most. In a larger study seeds are left out first, then the last arms."""


@dataclass(frozen=True)
class StageSettings:
    """Settings of a stage, and the arms that were trained by them."""

    stage: str
    trains: str
    """Modules whose weights change, and whether by adapters."""
    data: str
    """Sources of its mix."""
    length: str
    """Steps, or epochs where steps are not known."""
    global_batch: int
    learning_rate: str
    """Peak, and factors of single modules."""
    schedule: str
    optimizer: str
    precision: str
    arms: tuple[str, ...]


@dataclass(frozen=True)
class LossCurve:
    """Training loss of a stage of one trial, in at most `POINTS` points: means of equal runs of logged steps."""

    arm: str
    seed: int
    stage: str
    points: tuple[tuple[float, float], ...]
    """Step and loss; where the loss was no number, nothing."""
    is_diverged: bool
    """Whether it has ended in a loss that is no number, or infinite."""


def stage_settings(plan: Plan) -> tuple[StageSettings, ...]:
    """List the settings of all stages of a plan, equal ones once with all their arms, in plan order."""
    specs: dict[tuple[str, int | None], StageSpec] = {}
    arms: dict[tuple[str, int | None], dict[str, None]] = {}
    for trial in plan.trials:
        steps = {node.name: node.steps for node in trial.stage_nodes(plan)}
        for spec in trial.spec.stages:
            key = (spec.model_dump_json(), steps.get(spec.name))
            specs[key] = spec
            arms.setdefault(key, {})[trial.arm] = None
    return tuple(_settings(specs[key], key[1], tuple(names)) for key, names in arms.items())


def loss_curves(plan: Plan, store: Store) -> tuple[LossCurve, ...]:
    """Read the losses of every finished stage, for each trial that needs it, in plan order.

    Args:
        plan: whose stages have keys.
        store: where their curves lie.

    Returns:
        The curves of as many trials as keep within `MOST_CURVES`: of every arm the first seeds.
    """
    curves: list[LossCurve] = []
    read: dict[str, Curve | None] = {}
    for trial in _shown_trials(plan):
        for node in trial.stage_nodes(plan):
            if node.id not in read:
                read[node.id] = _read(node, store)
            if (record := read[node.id]) is not None and record.curve:
                points = [(float(step), loss) for step, loss, _ in record.curve]
                finite = thinned([point for point in points if math.isfinite(point[1])])
                curves.append(LossCurve(trial.arm, trial.seed, node.name, finite, not math.isfinite(points[-1][1])))
    return tuple(curves)


def _shown_trials(plan: Plan) -> list[PlannedTrial]:
    """Choose trials whose stages are at most `MOST_CURVES`: first one seed of each arm, then the second ones, ..."""
    seeds_before: Counter[str] = Counter()
    order: list[tuple[int, int]] = []
    for at, trial in enumerate(plan.trials):
        order.append((seeds_before[trial.arm], at))
        seeds_before[trial.arm] += 1
    shown, curves = [], 0
    for _, at in sorted(order):
        curves += len(plan.trials[at].stage_nodes(plan))
        if curves > MOST_CURVES:
            break
        shown.append(at)
    return [plan.trials[at] for at in sorted(shown)]


def _read(node: Node, store: Store) -> Curve | None:
    if node.key is None:
        return None
    return read_or_drop(store, layout.stage_curve(node.key), Curve, "its losses are not shown")


def thinned(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Average equal runs of points, so that at most `POINTS` are left; the last run may be shorter."""
    size = -(-len(points) // POINTS) or 1
    runs = [points[start : start + size] for start in range(0, len(points), size)]
    return tuple((sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs)


def _settings(spec: StageSpec, steps: int | None, arms: tuple[str, ...]) -> StageSettings:
    epochs = "" if spec.epochs is None else _epochs(spec.epochs)
    length = epochs if steps is None else number_of(steps, "step") + (f" ({epochs})" if epochs else "")
    adapters = f" (LoRA of rank {spec.lora.rank})" if spec.lora is not None else ""
    return StageSettings(
        stage=spec.name,
        trains=", ".join(module + adapters * (module == "language") for module in spec.trains),
        data=", ".join(dict.fromkeys(part.source.name for part in spec.data.parts)),
        length=length,
        global_batch=spec.global_batch,
        learning_rate=_learning_rate(spec.optimizer),
        schedule=_schedule(spec.schedule),
        optimizer=_optimizer(spec.optimizer),
        precision=spec.precision,
        arms=arms,
    )


def _epochs(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:g} epochs"


def _learning_rate(optimizer: OptimizerSpec) -> str:
    scaled = [f"{module} x {factor:g}" for module, factor in optimizer.lr_scale.items() if factor != 1]
    return f"{optimizer.lr:g}" + (f" ({', '.join(scaled)})" if scaled else "")


def _schedule(schedule: ScheduleSpec) -> str:
    if schedule.warmup_steps:
        warmup = f", warm-up of {number_of(schedule.warmup_steps, 'step')}"
    else:
        warmup = f", warm-up of {100 * schedule.warmup_ratio:g} %" if schedule.warmup_ratio else ""
    match schedule.kind:
        case "cosine" | "constant":
            return f"{schedule.kind}{warmup}"
        case "wsd":
            return f"wsd{warmup}, decay in the last {100 * schedule.decay_ratio:g} %"
        case _:
            assert_never(schedule.kind)


def _optimizer(optimizer: OptimizerSpec) -> str:
    decay = f", weight decay {optimizer.weight_decay:g}" if optimizer.weight_decay else ""
    clip = f", gradients clipped at {optimizer.clip:g}" if optimizer.clip is not None else ""
    match optimizer.kind:
        case "adamw":
            return f"AdamW{decay}{clip}"
        case "sgd":
            momentum = f", momentum {optimizer.momentum:g}" if optimizer.momentum else ""
            return f"SGD{momentum}{decay}{clip}"
        case _:
            assert_never(optimizer.kind)
