"""Compute what a noise floor means: the spread over seeds, what numbers of seeds decide beside it, and what is luck."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orchestrator.analysis.distributions import chi2_upper_quantile
from orchestrator.analysis.plan_assumptions import DISCORDANT, Assumptions, image_variance
from orchestrator.analysis.plan_knowledge import Size
from orchestrator.analysis.plan_power import capped_range, floor_sd
from orchestrator.analysis.power import POWER, SCALE, smallest_effect
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.state.ledger import Ledger
from orchestrator.state.noise_floor import FloorScores, NoiseFloor
from search_spaces.plan import Plan
from search_spaces.quantities import Device

NUMBERS_OF_SEEDS = (2, 3, 5, 10)
"""Of each arm: what two arms with so many can decide is shown."""
MEAN = "mean of all"


@dataclass(frozen=True)
class FloorRow:
    """Spread of the base on one benchmark, or in the mean over all."""

    benchmark: str
    points: tuple[float, ...]
    """One score for each seed."""
    mean: float
    sd: float | None
    """Standard deviation over seeds, in points; None with a single seed."""
    sd_interval: tuple[float, float] | None
    """95 %, if scores are normal over seeds (chi-square); None where no two seeds differ."""
    smallest_effects: Mapping[int, tuple[float, float]]
    """Seeds of each of two arms -> the smallest difference that they decide, in points: arms that answer few questions
    differently, and many (`plan_power.DISCORDANT`). 100 stands for nothing that they can show."""


@dataclass(frozen=True)
class NoiseView:
    """The noise floor of a study, as `ablate noise` shows it."""

    study: str
    base: str
    """Name of the arm."""
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]
    rows: tuple[FloorRow, ...]
    gpu_hours: Mapping[int, float]
    """Seeds of each of two arms -> GPU-hours, if both cost what the base does; empty where no cost is recorded."""
    device: Device
    """What these hours are of."""
    luck: Mapping[int, int]
    """Seeds of each of two equal arms -> n, where one time in n all seeds of the one beat all of the other."""

    def as_json(self) -> dict[str, Any]:
        """Turn it into the values that `noise --json` prints."""
        return {"power": POWER, **asdict(self)}


def measured_floor(plan: Plan, base: str, scored: StudyScores, ledger: Ledger) -> NoiseFloor:
    """Collect the scores of a base over its seeds.

    Args:
        plan: of the base alone.
        base: id of the arm in the study that it is the base of.
        scored: scores of the plan's trials.
        ledger: what storage holds of them.
    """
    entries = [entry for entry in ledger.trials.values() if entry.result is not None]
    diverged = tuple(entry.seed for entry in entries if entry.is_diverged)
    arm, benchmarks = plan.trials[0].arm, scored.benchmarks
    seeds = scored.scores.seeds(arm, benchmarks)
    floors = {}
    for name in benchmarks:
        cells = [cell for seed in seeds if (cell := scored.scores.cell(arm, seed, name)) is not None]
        if cells:
            key, _ = scored.asked[arm, seeds[0], name]
            frame = cells[0].frame
            floors[name] = FloorScores(key, tuple(cell.mean for cell in cells), frame.n, len(frame.clusters))
    costs = [entry.result.cost.gpu_seconds_alone for entry in entries if entry.result is not None]
    return NoiseFloor(base, seeds, floors, diverged, sum(costs) / len(costs) if costs else None)


def noise_view(study: str, base: str, floor: NoiseFloor, device: Device) -> NoiseView:
    """Compute what a noise floor means for two arms.

    Args:
        study: its name.
        base: name of its base.
        floor: scores of the base.
        device: that its cost is counted in.
    """
    rows = [_row(name, [scores]) for name, scores in floor.benchmarks.items()]
    if len(rows) > 1:
        rows.append(_row(MEAN, list(floor.benchmarks.values())))
    hours = {n: 2 * n * floor.gpu_seconds / 3600 for n in NUMBERS_OF_SEEDS} if floor.gpu_seconds is not None else {}
    luck = {n: math.comb(2 * n, n) for n in NUMBERS_OF_SEEDS}
    return NoiseView(study, base, floor.seeds, floor.diverged, tuple(rows), hours, device, luck)


def sd_interval(sd: float, n: int) -> tuple[float, float]:
    """Compute the 95 % interval of a standard deviation of `n` normal values (chi-square), up to the scale's length."""
    low, high = chi2_upper_quantile(n - 1, [0.025, 0.975])
    return sd * math.sqrt((n - 1) / low), min(sd * math.sqrt((n - 1) / high), SCALE)


def _row(name: str, scores: Sequence[FloorScores]) -> FloorRow:
    means = np.mean([floor.points for floor in scores], axis=0)
    points, n = tuple(float(value) for value in means), len(means)
    if n < 2:
        return FloorRow(name, points, float(means.mean()), None, None, {})
    sd = floor_sd(floor.points for floor in scores)
    sizes = [Size(floor.n_examples, floor.n_images) for floor in scores]
    calm, restless = (Assumptions(sd, image_variance(sizes, share)) for share in DISCORDANT)
    designs = {number: (calm.design(number), restless.design(number)) for number in NUMBERS_OF_SEEDS}
    effects = {number: capped_range(*map(smallest_effect, pair)) for number, pair in designs.items()}
    return FloorRow(name, points, float(means.mean()), sd, sd_interval(sd, n) if sd > 0 else None, effects)
