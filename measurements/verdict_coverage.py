"""Measure the coverage of intervals, the false claims of verdicts and their power.

Run: ``python -m measurements.verdict_coverage``. Simulated studies of a base and five arms are judged by the program's
own code as a study's hypotheses are:

    score of arm a, seed s, question q of image c  =  50 + block_s + seed_as + arm_aq + rest_asq    (points)

`arm_aq` is what an arm does with a question whatever its seed, standard deviation 15, of which a share `correlation`
belongs to the image; 1,000 questions, 5 to an image. `seed_as` has the seed sd. Nothing else differs: every claimed
difference is false, except where an effect is planted to measure power.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.effects import Effect
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.power import Design, power, smallest_effect
from orchestrator.analysis.rule import Evidence, Ruling, rule
from orchestrator.analysis.scores import Scores

N_ARMS = 6
N_IMAGES, PER_IMAGE = 200, 5
N_QUESTIONS = N_IMAGES * PER_IMAGE
ARM_SD, REST_SD = 15.0, 10.0
ARMS = tuple(f"arm{i}" for i in range(N_ARMS))

_IDS = tuple(f"q{i:05d}" for i in range(N_QUESTIONS))
_IMAGES = tuple(f"i{i // PER_IMAGE:05d}" for i in range(N_QUESTIONS))


@dataclass(frozen=True)
class Setting:
    """Parameters of a simulated study."""

    n_seeds: int
    correlation: float
    seed_sd: float
    noisy: float = 1.0
    """Seed sd of the first alternative as a multiple of the others'."""
    effect: float = 0.0
    """Of the first alternative, in points."""

    @property
    def design(self) -> Design:
        """Design that a plan would assume, had it known the truth."""
        image = 2 * ARM_SD**2 / N_QUESTIONS * (1 + (PER_IMAGE - 1) * self.correlation)
        seed = 2 * (self.seed_sd**2 + REST_SD**2 / N_QUESTIONS)
        return Design(self.n_seeds, (N_ARMS - 1) * (self.n_seeds - 1), seed, image, n_hypotheses=N_ARMS - 1)

    def __str__(self) -> str:
        noisy = f", one arm {self.noisy:g} times" if self.noisy != 1 else ""
        return f"{self.n_seeds} seeds, correlation {self.correlation:g}, seed sd {self.seed_sd:g}{noisy}"


@dataclass
class Outcome:
    """Counts over simulated studies."""

    studies: int = 0
    covered: int = 0
    contrasts: int = 0
    first_covered: int = 0
    false_families: int = 0
    """Studies with a claimed difference that is not there."""
    detected: int = 0
    """Studies in which the first alternative is called better."""
    bootstrap_covered: int = 0
    bootstraps: int = 0
    unclustered_alarms: int = 0

    def add(self, setting: Setting, effects: list[Effect], rulings: tuple[Ruling, ...]) -> None:
        self.studies += 1
        for i, effect in enumerate(effects):
            truth = setting.effect if i == 0 else 0.0
            interval = effect.estimate.interval
            held = interval.low <= truth <= interval.high
            self.covered += held
            self.first_covered += held and i == 0
            self.contrasts += 1
        null = rulings[1:] if setting.effect else rulings
        self.false_families += any(ruling.verdict in ("better", "worse") for ruling in null)
        self.detected += rulings[0].verdict == "better"


def study_points(setting: Setting, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the points of a study: arms by seeds by questions."""
    shared, own = math.sqrt(setting.correlation), math.sqrt(1 - setting.correlation)
    image = np.repeat(rng.normal(size=(N_ARMS, N_IMAGES)), PER_IMAGE, axis=1)
    arm = ARM_SD * (shared * image + own * rng.normal(size=(N_ARMS, N_QUESTIONS)))
    seed = rng.normal(0, setting.seed_sd, (N_ARMS, setting.n_seeds))
    seed[1] *= setting.noisy
    block = rng.normal(0, 1, setting.n_seeds)
    points = 50 + arm[:, None] + (seed + block)[..., None]
    points = points + rng.normal(0, REST_SD, (N_ARMS, setting.n_seeds, N_QUESTIONS))
    points[1] += setting.effect
    simulated: NDArray[np.float64] = points
    return simulated


def judged(points: NDArray[np.float64]) -> tuple[list[Effect], tuple[Ruling, ...]]:
    """Judge every arm against the base, as five hypotheses of one study."""
    scores = Scores()
    for arm, name in enumerate(ARMS):
        for seed in range(points.shape[1]):
            scores.add(name, seed, "simulated", Examples(_IDS, _IMAGES, points[arm, seed] / 100))
    effects = [scores.effect(pair_weights([(ARMS[0], name)]), ["simulated"]) for name in ARMS[1:]]
    evidence = [Evidence("better", None, effect.estimate.interval, effect.check) for effect in effects]
    return effects, rule(evidence)


def simulate(setting: Setting, studies: int, seed: int = 0, *, peers: int = 0) -> Outcome:
    """Simulate studies and count what their verdicts claim.

    Args:
        setting: parameters of each study.
        studies: how many.
        seed: of the draws.
        peers: of so many studies, judge the first contrast by a percentile bootstrap and an unclustered test as well.
    """
    rng, outcome = np.random.default_rng([seed, setting.n_seeds, round(100 * setting.correlation)]), Outcome()
    for number in range(studies):
        points = study_points(setting, rng)
        outcome.add(setting, *judged(points))
        if number < peers:
            difference_SQ = points[1] - points[0]
            outcome.bootstraps += 1
            low, high = _percentile_bootstrap(difference_SQ, rng)
            outcome.bootstrap_covered += low <= setting.effect <= high
            outcome.unclustered_alarms += _unclustered_rejects(difference_SQ)
    return outcome


def _percentile_bootstrap(difference_SQ: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """Bootstrap seeds, then images, with replacement; return 2.5 and 97.5 % of 500 means."""
    n_seeds = len(difference_SQ)
    images_SC = difference_SQ.reshape(n_seeds, N_IMAGES, PER_IMAGE).mean(2)
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), 500) / n_seeds
    images = rng.multinomial(N_IMAGES, np.full(N_IMAGES, 1 / N_IMAGES), 500) / N_IMAGES
    means = np.einsum("bs,sc,bc->b", seeds, images_SC, images)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _unclustered_rejects(difference_SQ: NDArray[np.float64]) -> bool:
    """Test all scored examples of all seeds by a paired t test, as if each were a draw of its own."""
    error = float(difference_SQ.std(ddof=1)) / math.sqrt(difference_SQ.size)
    return abs(float(difference_SQ.mean())) > 1.96 * error


def settings() -> Iterator[Setting]:
    for n_seeds in (2, 3, 5):
        for correlation in (0.0, 0.2):
            for seed_sd in (0.3, 1.0):
                yield Setting(n_seeds, correlation, seed_sd)
    for correlation in (0.0, 0.2):
        for seed_sd in (0.3, 1.0):
            yield Setting(5, correlation, seed_sd, noisy=3.0)


def rules(studies: int) -> Iterator[str]:
    """Compare the rule for few seeds with its neighbours: false alarms and power where only seeds vary."""
    from scipy import special

    rng, n_arms = np.random.default_rng(1), 8
    for n in (2, 3, 4):
        for noisy in (1, 2, 3):
            y = rng.normal(size=(studies, n_arms, n))
            y[:, 1] *= noisy
            left = y - y.mean(1, keepdims=True) - y.mean(2, keepdims=True) + y.mean((1, 2), keepdims=True)
            df = (n_arms - 1) * (n - 1)
            pooled = np.sqrt(2 * (left**2).sum((1, 2)) / df / n)
            difference = y[:, 1] - y[:, 0]
            own = np.sqrt(difference.var(1, ddof=1) / n)
            wide, narrow = special.stdtrit(n - 1, 0.975), special.stdtrit(df, 0.975)
            cells = []
            for effect in (0.0, 2.8 * math.sqrt(2 / n)):
                value = np.abs(difference.mean(1) + effect)
                alone, face, literal = value > narrow * pooled, value > narrow * own, value > wide * own
                cells.append(" / ".join(f"{100 * x.mean():.0f}" for x in (alone, alone & face, alone & literal)))
            yield f"| {n} | {noisy} | {cells[0]} | {cells[1]} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    print(
        "| setting | contrasts covered % | the first arm's covered % | families with a false claim % | "
        "power % (predicted) | bootstrap covers % | unclustered false alarms % |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for setting in settings():
        null = simulate(setting, studies, peers=studies // 2)
        planted = Setting(setting.n_seeds, setting.correlation, setting.seed_sd, effect=smallest_effect(setting.design))
        predicted = 100 * power("differs", planted.effect, planted.design)
        seen = "" if setting.noisy != 1 else f"{100 * _share(simulate(planted, studies, 1)):.1f} ({predicted:.1f})"
        print(
            f"| {setting} | {100 * null.covered / null.contrasts:.1f} | "
            f"{100 * null.first_covered / null.studies:.1f} | "
            f"{100 * null.false_families / null.studies:.1f} | {seen} | "
            f"{100 * null.bootstrap_covered / null.bootstraps:.1f} | "
            f"{100 * null.unclustered_alarms / null.bootstraps:.1f} |",
            flush=True,
        )
    print("\n| seeds | one arm's sd | false alarms %: pooled / face value / literal | power % |\n|--:|--:|---|---|")
    for line in rules(10 * studies):
        print(line, flush=True)


def _share(outcome: Outcome) -> float:
    return outcome.detected / outcome.studies


if __name__ == "__main__":
    main()
