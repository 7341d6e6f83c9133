"""Add to a plan the benchmarks that are asked again without their own images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.identity import benchmark_key
from search_spaces.plan import BlindRun, Plan
from search_spaces.spec import BenchmarkSpec, ShownImages

OTHER_IMAGES: tuple[ShownImages, ...] = ("blank", "swapped")
"""What a blind run shows in the place of a question's own image."""


def declared_blind_run(declared: bool | None, benchmarks: Sequence[BenchmarkSpec]) -> BlindRun:
    """Make the blind run that a study declares; where it says nothing, there is none as yet."""
    match declared:
        case True:
            return BlindRun(_asked_blind(benchmarks), is_declared=True, reason="the study says so")
        case False:
            return BlindRun(reason="the study says so")
        case None:
            return BlindRun(reason="the study does not say, and what evaluation costs was not estimated")


def with_blind_run(plan: Plan, is_on: bool, reason: str) -> Plan:
    """Settle the blind run of a study that does not declare one.

    Args:
        plan: of the study.
        is_on: whether the benchmarks are asked blind.
        reason: why, in words.
    """
    sets = _asked_blind(plan.benchmarks) if is_on else ()
    keys = {**plan.benchmark_keys, **{asked.name: benchmark_key(asked, plan.digests) for asked in sets}}
    return replace(plan, blind=BlindRun(sets, reason=reason), benchmark_keys=keys)


def _asked_blind(benchmarks: Sequence[BenchmarkSpec]) -> tuple[BenchmarkSpec, ...]:
    return tuple(benchmark.model_copy(update={"images": images}) for images in OTHER_IMAGES for benchmark in benchmarks)
