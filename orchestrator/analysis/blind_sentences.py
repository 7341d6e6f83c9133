"""What arms answer without their images, in words and as rows of a table, the same in every view."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.blind_model import BlindBenchmark, BlindScore
from orchestrator.analysis.verdict_model import Verdict

BLIND_COLUMNS = ("benchmark", "best arm", "with images", "blank", "swapped", "needs no image")
BLIND_NOTE = (
    "Points of the arm that is best on the benchmark: with its images, with a grey image in the place of each, and with"
    " the images swapped among the questions. The last column: the share of the score that is there with a grey image."
)

ALL_ARMS_NOTE = (
    "Points: with the questions' own images, with a grey image in the place of each, and with the images swapped among"
    " the questions. The last column: the share of the score that is there with a grey image. No mean counts these."
)


def blind_rows(benchmarks: Sequence[BlindBenchmark]) -> list[tuple[str, ...]]:
    """Write a row for each benchmark, of its best arm."""
    return [(benchmark.benchmark, *blind_row(benchmark.of_best)) for benchmark in benchmarks]


def blind_row(score: BlindScore) -> tuple[str, ...]:
    """Write the scores of one arm, with and without images."""
    swapped = "" if score.swapped is None else f"{score.swapped:.1f}"
    return score.arm, f"{score.own:.1f}", f"{score.blank:.1f}", swapped, share_text(score)


def share_text(score: BlindScore) -> str:
    """Write the share of a score that needs no image: `52 %`."""
    return "no score" if score.share is None else f"{100 * score.share:.0f} %"


def blind_sentence(verdict: Verdict) -> str:
    """State what is left of an effect without images; empty where the arms were not asked so."""
    return verdict.blind.sentence if verdict.blind is not None else ""
