"""Measure what verdicts promise: coverage of intervals, false claims in families of hypotheses, power.

Run: ``python -m measurements.verdict_coverage [--studies N] [--only WORD]``. Simulated studies are judged by the
program's own code, as the hypotheses of a study on storage are. Scores are 0 or 1: arm a answers question q of image c
with seed s rightly where a normal score

    image_c + question_q + arm_image_ac + arm_question_aq + rest_asq

is below the quantile of the run's accuracy, which varies over seeds. The first two terms are shared by all arms and
cancel in pairs; the next two are what an arm does whatever its seed: they make the choice of images and
questions matter.
Equal arms have equal accuracies, so every claimed difference is false.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from measurements.cost import told_cost
from orchestrator.analysis.critical_values import upper_quantile
from orchestrator.analysis.effects import Effect
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.rule import Evidence, Ruling, rule
from orchestrator.analysis.scores import Scores
from search_spaces.study import Expectation

IMAGES, QUESTIONS, ARM_IMAGES, ARM_QUESTIONS = 0.15, 0.25, 0.08, 0.22
"""Variances of the first four terms; what is left of 1 is drawn anew with every seed."""


def _even(n_images: int, per_image: int) -> NDArray[np.int64]:
    return np.full(n_images, per_image, dtype=np.int64)


SIZES = {
    "40 questions": _even(40, 1),
    "even 20x5": _even(20, 5),
    "even 200x5": _even(200, 5),
    "even 600x5": _even(600, 5),
    "even 2000x5": _even(2000, 5),
    "lognormal 150": np.maximum(1, np.exp(np.linspace(-2, 2, 150) * 0.8) * 5).astype(np.int64),
    "lognormal 30": np.maximum(1, np.exp(np.linspace(-2, 2, 30)) * 10).astype(np.int64),
    "zipf 40": np.maximum(1, 120 / np.arange(1, 41)).astype(np.int64),
    "one huge of 141": np.concatenate([_even(140, 5), _even(1, 300)]),
    "8 images, one huge": np.array([20, 3, 2, 2, 2, 2, 2, 2], dtype=np.int64),
}
"""Questions on each image of a benchmark."""


@dataclass(frozen=True)
class Setting:
    """A simulated study: a base, and one alternative for each hypothesis."""

    name: str
    accuracy: float = 0.7
    """Of all arms."""
    sizes: tuple[str, ...] = ("even 200x5",)
    """Of each benchmark, a key of `SIZES`."""
    n_seeds: int = 3
    n_hypotheses: int = 5
    expect: Expectation = "better"
    margin: float | None = None
    effect: float = 0.0
    """Of the first alternative, in points."""
    seed_sd: float = 0.8
    """Of an arm's accuracy over seeds, in points."""
    spread_of_first: float = 1.0
    """Seed sd of the first alternative as a multiple of the base's."""
    spread_of_rest: float = 1.0
    """Seed sd of the other alternatives as a multiple of the base's."""
    collapses: float = 0.0
    """Share of the first alternative's seeds that lose 30 points."""
    arms_differ: bool = True
    """False: the choice of images does not matter, as an arm's answers are drawn anew with every seed."""


@dataclass
class Counts:
    """Counts over simulated studies."""

    studies: int = 0
    intervals: int = 0
    covered: int = 0
    first_covered: int = 0
    false_differences: int = 0
    """Studies in which an arm is called better or worse that is not."""
    false_absences: int = 0
    """Studies that call an arm equivalent, or not worse, that lies beyond the margin."""
    wrong_signs: int = 0
    shown: int = 0
    """Studies in which the first claim holds."""
    uncorrected: int = 0
    """Studies in which the first effect's own p is at most .05, on its side."""
    plain_covered: int = 0
    plain_shown: int = 0
    """The same for a paired t test over the seeds alone."""
    half_widths: list[float] = field(default_factory=list)


def draw(setting: Setting, rng: np.random.Generator) -> list[Floats]:
    """Draw the scores of a study: of each benchmark, arms x seeds x questions."""
    n_arms = setting.n_hypotheses + 1
    accuracy = np.full(n_arms, setting.accuracy)
    accuracy[1] += setting.effect / 100
    spread = np.full(n_arms, float(setting.seed_sd))
    spread[1] *= setting.spread_of_first
    spread[2:] *= setting.spread_of_rest
    moves = rng.normal(size=(n_arms, setting.n_seeds)) * spread[:, None]
    moves[1] -= 30 * (rng.random(setting.n_seeds) < setting.collapses) - 30 * setting.collapses
    quantiles = special.ndtri(np.clip(accuracy[:, None] + moves / 100, 0.0005, 0.9995))
    arm_images, arm_questions = (ARM_IMAGES, ARM_QUESTIONS) if setting.arms_differ else (0.0, 0.0)
    rest = 1 - IMAGES - QUESTIONS - arm_images - arm_questions
    scores = []
    for kind in setting.sizes:
        image_of = np.repeat(np.arange(len(SIZES[kind])), SIZES[kind])
        n = len(image_of)
        shared = math.sqrt(IMAGES) * rng.normal(size=len(SIZES[kind]))[image_of] + math.sqrt(QUESTIONS) * rng.normal(
            size=n
        )
        of_arm = math.sqrt(arm_images) * rng.normal(size=(n_arms, len(SIZES[kind])))[:, image_of]
        of_arm += math.sqrt(arm_questions) * rng.normal(size=(n_arms, n))
        latent = (shared + of_arm)[:, None] + math.sqrt(rest) * rng.normal(size=(n_arms, setting.n_seeds, n))
        scores.append((latent < quantiles[..., None]).astype(np.float64))
    return scores


def judge(setting: Setting, scores: Sequence[Floats]) -> tuple[list[Effect], list[Ruling]]:
    """Judge every alternative against the base, as hypotheses of one study; return effects and rulings."""
    table, names = Scores(), [f"benchmark {i}" for i in range(len(scores))]
    for name, kind, points_ASQ in zip(names, setting.sizes, scores, strict=True):
        ids, clusters = NAMES[kind]
        for arm, points_SQ in enumerate(points_ASQ):
            for seed, points in enumerate(points_SQ):
                table.add(f"arm{arm}", seed, name, Examples(ids, clusters, points))
    alternatives = [f"arm{arm}" for arm in range(1, setting.n_hypotheses + 1)]
    effects = [table.effect(pair_weights([("arm0", alternative)]), names) for alternative in alternatives]
    family = [
        Evidence(
            setting.expect,
            setting.margin,
            effect.estimate.interval,
            may_be_equivalent=effect.estimate.scope == "recipe",
        )
        for effect in effects
    ]
    return effects, [ruling for ruling in rule(family) if ruling is not None]


NAMES = {
    kind: (
        tuple(f"q{i:05d}" for i in range(int(sizes.sum()))),
        tuple(f"i{i:05d}" for i in np.repeat(np.arange(len(sizes)), sizes)),
    )
    for kind, sizes in SIZES.items()
}
"""Ids and images of the questions of each kind of `SIZES`."""


def simulate(setting: Setting, studies: int, seed: int = 0) -> Counts:
    """Simulate studies and count what their intervals and verdicts say.

    Args:
        setting: of the studies.
        studies: how many.
        seed: of all draws.
    """
    rng, counts = np.random.default_rng([seed, setting.n_seeds, setting.n_hypotheses]), Counts()
    for _ in range(studies):
        effects, rulings = judge(setting, draw(setting, rng))
        counts.studies += 1
        false_difference = false_absence = False
        for number, (effect, ruling) in enumerate(zip(effects, rulings, strict=True)):
            verdict = ruling.verdict
            truth = setting.effect if number == 0 else 0.0
            interval = effect.estimate.interval
            covered = interval.low <= truth <= interval.high
            counts.intervals += 1
            counts.covered += covered
            if number == 0:
                counts.first_covered += covered
                counts.half_widths.append(interval.half_width)
                counts.shown += ruling.holds is True
                side = np.sign(setting.effect) or 1.0
                counts.uncorrected += interval.p <= 0.05 and effect.estimate.value * side > 0
                plain = _plain_t(effect.estimate.by_seed)
                counts.plain_covered += abs(effect.estimate.value - truth) <= plain
                counts.plain_shown += effect.estimate.value * side > plain
            false_difference |= verdict in ("better", "worse") and truth == 0
            counts.wrong_signs += (verdict, float(np.sign(truth))) in (("better", -1.0), ("worse", 1.0))
            beyond = setting.margin is not None and abs(truth) >= setting.margin
            false_absence |= beyond and (verdict == "equivalent" or (verdict == "not-worse" and truth < 0))
        counts.false_differences += false_difference
        counts.false_absences += false_absence
    return counts


def _plain_t(by_seed: Sequence[float]) -> float:
    """Compute the half-width of the paired t interval over seeds alone."""
    n = len(by_seed)
    return upper_quantile(0.025, n - 1) * float(np.std(by_seed, ddof=1)) / math.sqrt(n) if n > 1 else math.inf


def settings() -> Iterator[Setting]:
    """List the settings that docs/verdicts.md shows."""
    for n in (2, 3, 5, 10):
        yield Setting(f"plain, {n} seeds", n_seeds=n)
    for n in (2, 3, 5):
        yield Setting(f"calm seeds (0.2), {n} seeds", n_seeds=n, seed_sd=0.2)
        yield Setting(f"only seeds matter (3.0), {n} seeds", n_seeds=n, seed_sd=3.0, arms_differ=False)
    for accuracy in (0.02, 0.5, 0.985, 0.995):
        sd = 0.8 if accuracy == 0.5 else 0.2
        for n in (2, 3):
            yield Setting(f"accuracy {100 * accuracy:g} %, {n} seeds", accuracy, n_seeds=n, seed_sd=sd)
    for kind in SIZES:
        for n in (1, 3):
            yield Setting(f"images: {kind}, {n} seeds", sizes=(kind,), n_seeds=n, seed_sd=0.0 if n == 1 else 0.8)
    many = ("even 200x5",) * 6 + ("lognormal 30",) * 3 + ("40 questions",) * 3
    for n in (1, 3):
        sd, small = (0.0 if n == 1 else 0.8), ("even 600x5", "8 images, one huge")
        yield Setting(f"images: even 600x5 and 35 on 8, {n} seeds", sizes=small, n_seeds=n, seed_sd=sd)
        yield Setting(f"images: 12 unequal benchmarks, {n} seeds", sizes=many, n_seeds=n, seed_sd=sd)
    for n in (2, 3, 5):
        for times in (3.0, 6.0):
            yield Setting(f"one arm {times:g} times, {n} seeds", n_seeds=n, spread_of_first=times)
        yield Setting(f"a quiet pair, {n} seeds", n_seeds=n, seed_sd=0.3, spread_of_rest=6.0)
        yield Setting(f"one arm collapses, {n} seeds", n_seeds=n, collapses=0.2)
    yield Setting("one arm 6 times among 20, 2 seeds", n_seeds=2, n_hypotheses=20, spread_of_first=6.0)
    for n_hypotheses in (1, 10, 20):
        yield Setting(f"{n_hypotheses} claims of better, 3 seeds", n_hypotheses=n_hypotheses)
    for n_hypotheses in (1, 5, 10, 20):
        for n in (2, 3, 5):
            name = f"{n_hypotheses} true equivalences, {n} seeds"
            yield Setting(name, n_seeds=n, n_hypotheses=n_hypotheses, expect="equivalent", margin=15.0)
    yield Setting("10 true not-worse, 5 seeds", n_seeds=5, n_hypotheses=10, expect="not-worse", margin=15.0)
    for kind in ("40 questions", "even 200x5"):
        for accuracy in (0.7, 0.97):
            for n in (2, 3, 5):
                name = f"at the margin, {kind}, {100 * accuracy:g} %, {n} seeds"
                yield Setting(
                    name, accuracy, (kind,), n, 1, expect="equivalent", margin=2.0, effect=-2.0, seed_sd=0.2
                )  # fmt: skip
    for n in (2, 3, 5, 10):
        large = ("even 2000x5",)
        alone = Setting(
            f"power: only seeds matter, {n} seeds", 0.7, large, n, 1, effect=6.0, seed_sd=3.0, arms_differ=False
        )
        yield alone
        yield Setting(f"power: images matter, too, {n} seeds", n_seeds=n, n_hypotheses=1, effect=5.0)
        yield Setting(f"power: five claims, {n} seeds", n_seeds=n, effect=6.0)
        quiet = f"power: a quiet pair among noisy arms, {n} seeds"
        yield Setting(quiet, 0.7, large, n, effect=4.0, seed_sd=0.5, spread_of_rest=6.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--only", default="", help="settings whose name holds this")
    arguments = parser.parse_args()
    print(
        "| setting | covered % | the first's % | half-width | families with a false difference % | false absence % "
        "| wrong sign % | claim holds % | uncorrected % | plain t covers % | plain t shows % |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    for setting in settings():
        if arguments.only in setting.name:
            print(_row(setting, simulate(setting, arguments.studies)), flush=True)


def _row(setting: Setting, counts: Counts) -> str:
    shares = [100 * counts.covered / counts.intervals, 100 * counts.first_covered / counts.studies]
    of_studies = (
        counts.false_differences,
        counts.false_absences,
        counts.wrong_signs,
        counts.shown,
        counts.uncorrected,
        counts.plain_covered,
        counts.plain_shown,
    )
    values = [*shares, float(np.median(counts.half_widths)), *(100 * count / counts.studies for count in of_studies)]
    return f"| {setting.name} | {' | '.join(f'{value:.1f}' for value in values)} |"


if __name__ == "__main__":
    with told_cost():
        main()
