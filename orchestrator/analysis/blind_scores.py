"""The scores of arms with their own images beside those with other ones: what is answered without looking.

These scores are kept apart from all others, so that no mean, pool or leaderboard counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.analysis.blind_model import BlindBenchmark, BlindScore
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.scores import Scores
from search_spaces.spec import ShownImages


def shown_arm(arm: str, images: ShownImages) -> str:
    """Name an arm with what it is shown, as an arm of `BlindScores.scores`."""
    return arm if images == "own" else f"{arm} ({images} images)"


@dataclass
class BlindScores:
    """Scores of arms with their own images and with other ones, on the same questions."""

    scores: Scores = field(default_factory=Scores)
    """Of arms by their names, and of the same arms with other images by those of `shown_arm`."""
    _arms: dict[str, list[str]] = field(default_factory=dict)
    """Benchmark -> arms with blind scores."""

    def add(
        self, arm: str, seed: int, benchmark: str, shown: dict[ShownImages, Examples], images: str | None = None
    ) -> None:
        """Add the scores of a trial on a benchmark.

        Args:
            arm: of the trial.
            seed: of the trial.
            benchmark: its id.
            shown: what was shown -> scores; with its own images, and with others.
            images: name of the image set that the clusters belong to; None: the benchmark's own.

        Raises:
            InputError: if an example comes twice.
        """
        for kind, examples in shown.items():
            is_own = kind == "own"  # a model that does not see hardly varies, which says nothing of one that does
            self.scores.add(shown_arm(arm, kind), seed, benchmark, examples, images=images, has_signal=is_own)
        if arm not in self._arms.setdefault(benchmark, []):
            self._arms[benchmark].append(arm)

    def table(self, benchmarks: Sequence[str]) -> tuple[BlindBenchmark, ...]:
        """Tabulate the scores of all arms with and without images; benchmarks without blind scores are left out."""
        return tuple(
            BlindBenchmark(name, scores, max(scores, key=lambda score: score.own).arm)
            for name in benchmarks
            if (scores := tuple(self._scores(name)))
        )

    def _scores(self, benchmark: str) -> list[BlindScore]:
        scores = []
        for arm in self._arms.get(benchmark, ()):
            seeds = self.scores.seeds(shown_arm(arm, "blank"), (benchmark,))
            own = self.scores.points(arm, seeds, benchmark)
            blank = self.scores.points(shown_arm(arm, "blank"), seeds, benchmark)
            if own is not None and blank is not None:
                swapped = self.scores.points(shown_arm(arm, "swapped"), seeds, benchmark)
                scores.append(BlindScore(arm, own, blank, swapped, seeds))
        return scores
