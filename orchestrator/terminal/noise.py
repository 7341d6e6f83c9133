"""Show the noise floor of a study on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.analysis.noise import NUMBERS_OF_SEEDS, FloorRow, NoiseView
from orchestrator.analysis.plan_assumptions import DISCORDANT
from orchestrator.analysis.power_sentences import smallest_text
from orchestrator.terminal.tables import table
from search_spaces.quantities import device_unit, number_of


def noise_table(noise: NoiseView) -> RenderableType:
    """Show the spread on each benchmark, and what two arms with 2, 3, 5 and 10 seeds decide beside it."""
    seeds = ", ".join(map(str, noise.seeds))
    title = f"Noise floor of {noise.study}: {noise.base} with {number_of(len(noise.seeds), 'seed')} ({seeds})"
    numbers = tuple(f"{n} seeds" for n in NUMBERS_OF_SEEDS)
    columns = ("benchmark", "score", "sd", "95 % of sd", *numbers)
    rows = [_row(row) for row in noise.rows]
    unit, unit_s = device_unit(3600 * max(noise.gpu_hours.values(), default=0.0), noise.device)
    costs = tuple(f"{3600 * noise.gpu_hours[n] / unit_s:.2g}" if noise.gpu_hours else "?" for n in NUMBERS_OF_SEEDS)
    rows.append((f"{unit}, both arms", "", "", "", *costs))
    rows.append(("all beat all, by luck", "", "", "", *(f"1 in {noise.luck[n]:,}" for n in NUMBERS_OF_SEEDS)))
    shown = table(title, columns, rows, right=tuple(range(1, len(columns))))
    return Group(shown, *(Text(line, "dim") for line in _notes(noise)))


def _row(row: FloorRow) -> tuple[str, ...]:
    sd = "?" if row.sd is None else f"{row.sd:.2g}"
    interval = "?" if row.sd_interval is None else "{:.2g} to {:.3g}".format(*row.sd_interval)
    effects = (smallest_text(row.smallest_effects.get(n)) for n in NUMBERS_OF_SEEDS)
    return (row.benchmark, f"{row.mean:.1f}", sd, interval, *effects)


def _notes(noise: NoiseView) -> list[str]:
    low, high = DISCORDANT
    notes = [
        "score and standard deviation over seeds, in points; then the smallest difference of two arms that so many "
        "seeds of each decide (80 % power, one claim)",
        f"assumed: arms answer {100 * low:g} to {100 * high:g} % of questions with different success; an arm that "
        "scores nearer to 50 than the base varies more",
        "all beat all, by luck: how often every seed of one of two equal arms scores above every seed of the other",
    ]
    if noise.diverged:
        seeds = ", ".join(map(str, noise.diverged))
        notes.append(f"diverged and not counted: {number_of(len(noise.diverged), 'seed')} ({seeds})")
    if any(row.sd is None for row in noise.rows):
        notes.append("a spread takes two seeds or more: the same command with --seeds 5")
    return notes
