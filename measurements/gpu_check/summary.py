"""Compare what the parts of the check have measured with what the plan and the documents say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from measurements.gpu_check.part import Figures, Line
from search_spaces.worker_contract import Device
from trainables.training.hardware import FLASH_ATTENTION

LOSS_TOLERANCE = 0.01
"""Relative, of losses in bf16 that differ in the order of sums alone, after some steps."""

MEMORY_TOLERANCE = 0.15
"""Relative, of what is resident between two steps."""

WORKSPACE_BYTES = 64 * 2**20
"""That cuBLAS keeps for good among torch's allocated memory once it has run, at most."""


@dataclass(frozen=True)
class Comparison:
    """Measured figure beside the expected one."""

    figure: str
    measured: Any
    expected: str
    holds: bool | None
    """None where the plan says nothing of this device."""


def compare(lines: Sequence[Line], device: Device) -> list[Comparison]:
    """Compare the figures of all parts that have some.

    Args:
        lines: of the parts.
        device: that was checked. On a CPU peaks are by how much the process grew, of which the plan says nothing.
    """
    done = {line.part: line.figures for line in lines if line.failure is None}
    memory = _memory(done, device)
    return [*_layouts(done), *memory, *_zero(done), *_checkpoint(done), *_evaluation(done), *_ray(done)]


def table(comparisons: Sequence[Comparison]) -> str:
    """Write the comparisons for people."""
    words = {True: "yes", False: "NO", None: "-"}
    width = max((len(each.figure) for each in comparisons), default=0)
    return "\n".join(
        f"{words[each.holds]:<4}{each.figure:<{width}}  {_shown(each.measured)}  (expected: {each.expected})"
        for each in comparisons
    )


def _layouts(done: Mapping[str, Figures]) -> Iterator[Comparison]:
    layouts = {name: figures for name, figures in done.items() if name.startswith("layout")}
    if not layouts:
        return
    first_name, first = next(iter(layouts.items()))
    for name, figures in layouts.items():
        slowdown = figures["step_s"] / first["step_s"]
        by_positions = figures["positions_computed"] / first["positions_computed"]
        yield Comparison(f"{name}: step time, of {first_name}'s", slowdown, f"{by_positions:.2f} by positions", None)
        yield _losses(f"{name}: losses", figures["losses"], first["losses"])
        judged = not figures["has_rows_of_several"] or figures["attention"] == FLASH_ATTENTION
        planned = figures["planned_mfu"] if judged else None
        yield _utilisation(f"{name}: MFU, padding included", figures["computed_mfu"], planned)


def _utilisation(figure: str, reached: float | None, planned: float | None) -> Comparison:
    if reached is None or planned is None:
        return Comparison(figure, reached, "no figure: an unknown device, or a kernel that goes over all pairs", None)
    return Comparison(figure, reached, f"at least {planned}", reached >= planned)


def _losses(figure: str, losses: Sequence[float], expected: Sequence[float]) -> Comparison:
    """Compare losses step by step, as far as both go; a loss that is not finite is equal to none."""
    differences = [abs(loss / wanted - 1) for loss, wanted in zip(losses, expected, strict=False)]
    holds = bool(differences) and all(difference < LOSS_TOLERANCE for difference in differences)
    law = f"relative difference below {LOSS_TOLERANCE}"
    return Comparison(figure, max(differences, default=math.nan), law, holds)


def _memory(done: Mapping[str, Figures], device: Device) -> Iterator[Comparison]:
    for name, figures in done.items():
        if "planned_peak_bytes" in figures:
            peak, most = figures["peak_bytes"], figures["planned_peak_bytes"]
            holds = peak <= most if device == "cuda" else None
            yield Comparison(f"{name}: peak, GB", peak and peak / 1e9, f"at most {most / 1e9:.3g}", holds)
        if "planned_resident_bytes" in figures:
            resident, planned = figures["resident_bytes"], figures["planned_resident_bytes"]
            holds = abs(resident - planned) < MEMORY_TOLERANCE * planned + WORKSPACE_BYTES
            law = f"{planned / 1e9:.3g} within {MEMORY_TOLERANCE:.0%}"
            yield Comparison(f"{name}: weights and optimizer, GB", resident / 1e9, law, holds)
        if "left_bytes" in figures:
            left = figures["left_bytes"]
            law = "0, but for a workspace of matrix products"
            yield Comparison(f"{name}: left afterwards, GB", left / 1e9, law, left <= WORKSPACE_BYTES)


def _zero(done: Mapping[str, Figures]) -> Iterator[Comparison]:
    stages = {name: figures for name, figures in done.items() if name.startswith("zero")}
    for name, figures in list(stages.items())[1:]:
        yield _losses(f"{name}: losses", figures["losses"], next(iter(stages.values()))["losses"])


def _checkpoint(done: Mapping[str, Figures]) -> Iterator[Comparison]:
    if "checkpoint" in done:
        figures = done["checkpoint"]
        yield _losses("checkpoint: losses after it", figures["losses_after_resume"], figures["losses"])
    if "checkpoint copy" in done:
        figures = done["checkpoint copy"]
        waited_for, copied = figures["digest_waited_for"], figures["digest_of_copy"]
        holds = copied == waited_for != figures["digest_after_steps"]
        law = f"{waited_for[:12]}, as without a copy, and another after two steps"
        yield Comparison("checkpoint copy: SHA-256", copied[:12], law, holds)


def _evaluation(done: Mapping[str, Figures]) -> Iterator[Comparison]:
    for name, figures in done.items():
        if "questions_per_s" in figures:
            rate = figures["planned_questions_per_s"]
            law = "not known of this device" if rate is None else f"{rate:.0f} at the plan's share of the peak"
            yield Comparison(f"{name}: questions/s", figures["questions_per_s"], law, None)


def _ray(done: Mapping[str, Figures]) -> Iterator[Comparison]:
    if "ray" in done:
        figures = done["ray"]
        for figure, expected in (("trials_done", 2), ("groups_reused", 1)):
            yield Comparison(f"ray: {figure}", figures[figure], str(expected), figures[figure] == expected)


def _shown(measured: Any) -> str:
    return f"{measured:.4g}" if isinstance(measured, float) else str(measured)
