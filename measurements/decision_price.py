"""Measure whether the price of a decision holds: studies that are undecided get the seeds that were advised.

Run: ``python -m measurements.decision_price [--studies N]``. An effect is simulated by what the rule needs of it:

    effect with seed s  =  truth + images + seed_s,    images ~ N(0, image sd), seed_s ~ N(0, seed sd x sqrt 2)

of a base and five arms, two of which are compared. The arms vary alike, or by factors exp(N(0, 0.5)) of one another,
which nobody is told. An undecided study gets as many seeds as `study_price` says, at the upper and at the lower end of
its range, all at once: judged once, as the price assumes. A study that is looked at after every seed is another matter
(`looks`). Where no number of seeds up to 40 is advised, nothing is done; the table says how often.

The second table judges 0/1 scores of 1,000 questions on 200 images by the program's own estimates: a pair at 70 %, four
other arms at 40 to 90; the seeds of an arm vary as the root of its p (1 - p).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from measurements.cost import told_cost
from orchestrator.analysis.assurance import Claim, Seen
from orchestrator.analysis.effects import Effect
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.power import Design
from orchestrator.analysis.rule import Evidence, rule, statement_of
from orchestrator.analysis.scores import Scores
from orchestrator.analysis.study_price import Costs, price, seen_effect
from orchestrator.analysis.verdict_model import Outcome
from search_spaces.study import Expectation

N_ARMS, IMAGE_SD, MOST_SEEDS = 6, 0.7, 40
N_QUESTIONS = 1000
COSTS = Costs(n_examples=N_QUESTIONS)
ACCURACIES = (0.7, 0.7, 0.4, 0.5, 0.8, 0.9)
IDS = tuple(f"q{i:04d}" for i in range(N_QUESTIONS))
IMAGES = tuple(f"i{i // 5:04d}" for i in range(N_QUESTIONS))

Truth = Callable[[np.random.Generator, int], float]
"""Draws a true effect in points, given the number of seeds at the start."""


@dataclass(frozen=True)
class Setting:
    """One kind of study."""

    name: str
    truth: Truth
    expect: Expectation = "better"
    margin: float | None = None


EQUIVALENT = "equivalent within 3"
SETTINGS = (
    Setting("effect drawn from N(0, 4), better", lambda rng, n: float(rng.normal(0, 4))),
    Setting(f"no effect, {EQUIVALENT}", lambda rng, n: 0.0, "equivalent", 3.0),
    Setting(f"effect drawn from N(0, 1.5), {EQUIVALENT}", lambda rng, n: float(rng.normal(0, 1.5)), "equivalent", 3.0),
    Setting("effect of 6 (2 seeds) or 5 (3 seeds), better", lambda rng, n: 6.0 if n == 2 else 5.0),
)


@dataclass
class Counts:
    """Counts over simulated studies."""

    undecided: int = 0
    advised: list[int] = field(default_factory=list)
    decided: int = 0
    """With the upper end of the range."""
    decided_even: int = 0
    """With the lower end."""


def simulate(setting: Setting, n_seeds: int, seed_sd: float, unevenness: float, studies: int) -> Counts:
    """Simulate studies of one setting, and follow the advice of those that are undecided.

    Args:
        setting: truth and claim.
        n_seeds: at the start.
        seed_sd: of an arm, in points.
        unevenness: standard deviation of the logarithm of the arms' factors.
        studies: how many.
    """
    rng, counts = np.random.default_rng([n_seeds, round(10 * seed_sd), round(10 * unevenness)]), Counts()
    claim = Claim(statement_of(setting.expect), setting.margin)
    for _ in range(studies):
        factors_A1 = np.exp(rng.normal(0, unevenness, (N_ARMS, 1)))
        scores_AS = rng.normal(0, seed_sd, (N_ARMS, n_seeds + MOST_SEEDS)) * factors_A1
        truth = setting.truth(rng, n_seeds) + rng.normal(0, IMAGE_SD)
        effect_S = truth + scores_AS[1] - scores_AS[0]
        first_AS = scores_AS[:, :n_seeds]
        rest_AS = first_AS - first_AS.mean(1, keepdims=True) - first_AS.mean(0) + first_AS.mean()
        df = (N_ARMS - 1) * (n_seeds - 1)
        design = Design(n_seeds, df, 2 * float((rest_AS**2).sum()) / df, IMAGE_SD**2)
        if _is_decided(effect_S[:n_seeds], claim, design):
            continue
        counts.undecided += 1
        seen = Seen(float(effect_S[:n_seeds].mean()), float(effect_S[:n_seeds].var(ddof=1)), design)
        advice = price(seen, setting.expect, setting.margin, COSTS)
        if advice.more_seeds is None or advice.even_seeds is None or advice.more_seeds > MOST_SEEDS:
            continue
        counts.advised.append(advice.more_seeds)
        counts.decided += _is_decided(effect_S[: n_seeds + advice.more_seeds], claim, design)
        counts.decided_even += _is_decided(effect_S[: n_seeds + advice.even_seeds], claim, design)
    return counts


def _is_decided(effect_S: Floats, claim: Claim, design: Design) -> bool:
    now = replace(design, n_seeds=len(effect_S), df_pooled=max(design.df_pooled, len(effect_S) - 1))
    own, pooled = np.array([effect_S.var(ddof=1)]), np.array([design.seed_variance])
    return claim.decided(np.array([effect_S.mean()]), own, pooled, now) == 1


def rows(studies: int) -> Iterator[str]:
    """Simulate every setting, and write its rows."""
    for setting in SETTINGS:
        for n_seeds in (2, 3):
            for seed_sd, unevenness in ((1.0, 0.0), (2.0, 0.0), (1.0, 0.5), (2.0, 0.5)):
                counts = simulate(setting, n_seeds, seed_sd, unevenness, studies)
                yield _row(setting, n_seeds, f"{seed_sd:g}{', arms unlike' if unevenness else ''}", counts, studies)


def score_rows(studies: int) -> Iterator[str]:
    """Simulate every setting as 0/1 scores, and write its rows."""
    for setting in SETTINGS:
        for n_seeds in (2, 3):
            for seed_sd in (1.0, 2.0):
                counts = simulate_scores(setting, n_seeds, seed_sd, studies)
                yield _row(setting, n_seeds, f"{seed_sd:g}", counts, studies)


def _row(setting: Setting, n_seeds: int, spread: str, counts: Counts, studies: int) -> str:
    n = len(counts.advised)
    median = f"{np.median(counts.advised):.0f}" if n else ""
    shares = [f"{100 * count / n:.0f}" if n else "" for count in (counts.decided_even, counts.decided)]
    return (
        f"| {setting.name} | {n_seeds} | {spread} | {100 * counts.undecided / studies:.0f} | "
        f"{100 * n / max(counts.undecided, 1):.0f} | {median} | {shares[0]} | {shares[1]} | "
        f"{_error(counts.decided, n)} |"
    )


def simulate_scores(setting: Setting, n_seeds: int, seed_sd: float, studies: int) -> Counts:
    """Simulate studies of one setting as 0/1 scores per question, and follow the advice of those that are undecided.

    Args:
        setting: truth and claim.
        n_seeds: at the start.
        seed_sd: of an arm at 70 %, in points.
        studies: how many.
    """
    rng, counts = np.random.default_rng([n_seeds, round(10 * seed_sd)]), Counts()
    weights = pair_weights([("0", "1")])
    for _ in range(studies):
        accuracies = np.array(ACCURACIES)
        accuracies[1] += setting.truth(rng, n_seeds) / 100
        draw = _answers(accuracies, seed_sd, rng)
        scores = Scores()
        for arm in range(N_ARMS):
            for seed in range(n_seeds):
                scores.add(str(arm), seed, "b", draw(arm))
        effect = scores.effect(weights, ["b"])
        if _verdict(effect, setting) != "undecided":
            continue
        counts.undecided += 1
        advice = price(seen_effect(effect, None, 1), setting.expect, setting.margin, COSTS)
        if advice.more_seeds is None or advice.even_seeds is None or advice.more_seeds > MOST_SEEDS:
            continue
        counts.advised.append(advice.more_seeds)
        for seed in range(n_seeds, n_seeds + advice.more_seeds):
            for arm in (0, 1):
                scores.add(str(arm), seed, "b", draw(arm))
            if seed + 1 == n_seeds + advice.even_seeds:
                counts.decided_even += _verdict(scores.effect(weights, ["b"]), setting) != "undecided"
        counts.decided += _verdict(scores.effect(weights, ["b"]), setting) != "undecided"
    return counts


def _answers(accuracies_A: Floats, seed_sd: float, rng: np.random.Generator) -> Callable[[int], Examples]:
    """Make a function that draws the answers of an arm with a further seed, of one set of questions and images."""
    questions_Q = 0.5 * rng.normal(size=N_QUESTIONS) + 0.39 * np.repeat(rng.normal(size=N_QUESTIONS // 5), 5)
    arms_AQ = 0.47 * rng.normal(size=(N_ARMS, N_QUESTIONS))

    def draw(arm: int) -> Examples:
        p = accuracies_A[arm]
        p += rng.normal(0, seed_sd / 100) * math.sqrt(p * (1 - p) / 0.21)
        rest_Q = 0.62 * rng.normal(size=N_QUESTIONS)
        right_Q = questions_Q + arms_AQ[arm] + rest_Q < special.ndtri(min(max(p, 0.01), 0.99))
        return Examples(IDS, IMAGES, right_Q.astype(np.float64))

    return draw


def _verdict(effect: Effect, setting: Setting) -> Outcome:
    (ruling,) = rule([Evidence(setting.expect, setting.margin, effect.estimate.interval)])
    assert ruling is not None, "the rule judges whatever has evidence"
    return ruling.verdict


def _error(count: int, n: int) -> str:
    """Write the standard error of a share in percent."""
    share = (count + 1) / (n + 2)
    return f"{100 * math.sqrt(share * (1 - share) / (n + 2)):.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies for each row")
    studies = parser.parse_args().studies
    head = (
        "| truth and claim | seeds | seed sd | undecided % | of these advised % | median seeds | "
        "decided with the lower end % | with the upper end % | +- |\n|---|--:|---|--:|--:|--:|--:|--:|--:|"
    )
    for table in (rows(studies), score_rows(studies // 2)):
        print(head)
        for row in table:
            print(row, flush=True)
        print()


if __name__ == "__main__":
    with told_cost():
        main()
