"""Name the metrics that a trial's scores are shown as on a tracking server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from search_spaces.spec import BenchmarkSpec
from trainables.storage import tracked_names
from trainables.storage.records import EvaluationResult


def score_metrics(
    benchmarks: Sequence[BenchmarkSpec],
    samples: Sequence[BenchmarkSpec],
    blind: Sequence[BenchmarkSpec],
    scores: Mapping[str, EvaluationResult],
) -> dict[str, float]:
    """Name the metrics of benchmarks, their points and the mean of these; apart from them, samples and the blind run.

    Args:
        benchmarks: of the study.
        samples: of the study, which no mean counts.
        blind: benchmarks with other images than their own, which no mean counts: only their points are named.
        scores: name of what was asked -> result, as far as there is one. Only finite metrics are named.
    """
    values = {
        tracked_names.samples_metric(sample.id, key): value
        for sample in samples
        if sample.id in scores
        for key, value in scores[sample.id].metrics.items()
    }
    values |= {
        tracked_names.blind_points(asked.id, asked.images): scores[asked.name].points
        for asked in blind
        if asked.name in scores
    }
    counted = {benchmark.id: scores[benchmark.id] for benchmark in benchmarks if benchmark.id in scores}
    values |= {
        tracked_names.evaluation_metric(name, key): value
        for name, score in counted.items()
        for key, value in score.metrics.items()
    }
    values |= {tracked_names.evaluation_points(name): score.points for name, score in counted.items()}
    if counted:
        values[tracked_names.EVAL_MEAN] = sum(score.points for score in counted.values()) / len(counted)
    return {name: value for name, value in values.items() if math.isfinite(value)}
