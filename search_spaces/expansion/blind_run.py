"""Add to a plan the benchmarks that are asked again without their own images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.identity import benchmark_key
from search_spaces.plan import BlindRun, Plan
from search_spaces.spec import BenchmarkSpec, ShownImages
from search_spaces.steps import TEXT_ONLY, RealisedCounts, most_images

OTHER_IMAGES: tuple[ShownImages, ...] = ("blank", "swapped")
"""What a blind run shows in the place of a question's own image."""


def declared_blind_run(declared: bool | None, benchmarks: Sequence[BenchmarkSpec], counts: RealisedCounts) -> BlindRun:
    """Make the blind run that a study declares; where it says nothing, there is none as yet.

    Args:
        declared: the study's `blind`.
        benchmarks: of the study.
        counts: of prepared sources by `identity.source_name`.
    """
    match declared:
        case True:
            return BlindRun(_asked_blind(benchmarks, counts), is_declared=True, reason="the study says so")
        case False:
            return BlindRun(reason="the study says so")
        case None:
            return BlindRun(reason="the study does not say, and what evaluation costs was not estimated")


def with_blind_run(plan: Plan, is_on: bool, reason: str, counts: RealisedCounts) -> Plan:
    """Settle the blind run of a study that does not declare one.

    Args:
        plan: of the study.
        is_on: whether the benchmarks are asked blind.
        reason: why, in words.
        counts: of prepared sources by `identity.source_name`.
    """
    sets = _asked_blind(plan.benchmarks, counts) if is_on else ()
    keys = {**plan.benchmark_keys, **{asked.name: benchmark_key(asked, plan.digests) for asked in sets}}
    return replace(plan, blind=BlindRun(sets, reason=reason), benchmark_keys=keys)


def _asked_blind(benchmarks: Sequence[BenchmarkSpec], counts: RealisedCounts) -> tuple[BenchmarkSpec, ...]:
    """Ask every benchmark with other images; those known to have none are left out."""
    with_images = [b for b in benchmarks if b.select != TEXT_ONLY and most_images(b.source, counts) != 0]
    return tuple(b.model_copy(update={"images": images}) for images in OTHER_IMAGES for b in with_images)
