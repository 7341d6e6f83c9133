"""Measure how often a gain is traced to the right source: the images, the language prior, or both.

Run: ``python -m measurements.blind_gains``. Simulated studies of two arms are judged by the program's own code:

    an answer is right where  accuracy(arm, shown) + seed_as + 10 e  >  difficulty of the question

in points. The difficulty is uniform, 0 to 100, and the same for both arms and all that is shown; e is drawn for each
answer; the spread over seeds is 1 point. With images the base has 60 points and the alternative a gain more; of that
gain a share is there without images, where the base has 40. Of each row: studies whose gain is shown (the interval of
its effect excludes 0), what is then said of its source, and how often the interval of what images add holds the truth.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import get_args

import numpy as np

from measurements.cost import told_cost
from orchestrator.analysis.blind_effects import gain_source
from orchestrator.analysis.blind_model import GainSource
from orchestrator.analysis.blind_scores import BlindScores, shown_arm
from orchestrator.analysis.examples import Examples
from search_spaces.spec import ShownImages

N_IMAGES, PER_IMAGE = 600, 5
N_QUESTIONS = N_IMAGES * PER_IMAGE
SEED_SD, ANSWER_SD = 1.0, 10.0
BASE: dict[ShownImages, float] = {"own": 60.0, "blank": 40.0}
STUDIES = 400
SOURCES: tuple[GainSource, ...] = get_args(GainSource)

_IDS = tuple(f"q{i:05d}" for i in range(N_QUESTIONS))
_IMAGES = tuple(f"i{i // PER_IMAGE:05d}" for i in range(N_QUESTIONS))


@dataclass(frozen=True)
class Setting:
    """Parameters of a simulated study."""

    n_seeds: int
    gain: float
    """Of the alternative with images, in points."""
    prior: float
    """Share of the gain that is there without images."""


def simulate(setting: Setting, studies: int) -> tuple[Counter[str], float]:
    """Simulate studies: count the sources of gains that are shown, and the share of intervals that hold the truth."""
    rng = np.random.default_rng([setting.n_seeds, round(10 * setting.gain), round(100 * setting.prior)])
    sources, covered = Counter[str](), 0
    for _ in range(studies):
        blind = _study(setting, rng)
        own = {"base": -1.0, "alternative": 1.0}
        blank = {shown_arm(arm, "blank"): weight for arm, weight in own.items()}
        added = {**own, **{arm: -weight for arm, weight in blank.items()}}
        effect, without, visual = (
            blind.scores.effect(weights, ["simulated"]).estimate for weights in (own, blank, added)
        )
        covered += visual.interval.low <= setting.gain * (1 - setting.prior) <= visual.interval.high
        if effect.interval.low > 0:
            limits = [(part.interval.low, part.interval.high) for part in (without, visual)]
            sources[gain_source(effect.value, limits[0], limits[1])] += 1
    return sources, covered / studies


def _study(setting: Setting, rng: np.random.Generator) -> BlindScores:
    blind = BlindScores()
    difficulty = rng.uniform(0, 100, N_QUESTIONS)
    for arm, gain in (("base", 0.0), ("alternative", setting.gain)):
        for seed in range(setting.n_seeds):
            shift = rng.normal(0, SEED_SD)
            gains: dict[ShownImages, float] = {"own": gain, "blank": gain * setting.prior}
            shown: dict[ShownImages, Examples] = {}
            for images, more in gains.items():
                able = BASE[images] + more + shift + rng.normal(0, ANSWER_SD, N_QUESTIONS)
                shown[images] = Examples(_IDS, _IMAGES, (able > difficulty).astype(np.float64))
            blind.add(arm, seed, "simulated", shown)
    return blind


def main() -> None:
    """Print a row for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies of each row")
    studies = parser.parse_args().studies
    print(f"| seeds | gain | of it without images | shown % | {' | '.join(SOURCES)} | covered % |")
    print("|--:|--:|--:|--:|" + "--:|" * (len(SOURCES) + 1))
    for n_seeds in (2, 3, 5):
        for gain in (4.0, 8.0):
            for prior in (0.0, 0.5, 1.0):
                sources, covered = simulate(Setting(n_seeds, gain, prior), studies)
                shown = sources.total()
                said = " | ".join(f"{100 * sources[source] / max(shown, 1):.0f}" for source in SOURCES)
                counts = f"{n_seeds} | {gain:g} | {100 * prior:.0f} % | {100 * shown / studies:.0f}"
                print(f"| {counts} | {said} | {100 * covered:.1f} |", flush=True)


if __name__ == "__main__":
    with told_cost():
        main()
