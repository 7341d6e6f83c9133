"""Measure how often models that do not look are taken for ones that do: ``python -m measurements.signal [--draws N]``.

Yes/no questions, some about one image. A blind model says yes with a probability of its own, whatever the image; one
that knows the type of a question says the type's usual answer. A model with a signal answers some questions rightly
because it looks. Each draw makes new references and answers, and is judged as a study's cell is.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from measurements.cost import told_cost
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.scores import Scores
from orchestrator.analysis.signal import signal_of, text_priors
from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Example
from trainables.benchmarks.priors import CHANCE_COLUMN, priors_of
from trainables.benchmarks.registry import find_benchmark
from trainables.benchmarks.scoring import score_example

WORDS = np.array(["no", "yes"])
OLD_POINTS = 0.05
"""The rule before: no signal within so many points of the best constant answer."""


@dataclass(frozen=True)
class Setting:
    """A benchmark of yes/no questions, and the model that answers it."""

    n: int
    yes: float
    """Share of references that are yes; with types, that of the first and of 1 - it of the second."""
    says_yes: float
    """Probability of the answer yes; with types, of the usual answer to the type."""
    looks: float = 0.0
    """Share of questions that are answered rightly whatever the model says else."""
    per_image: int = 1
    seeds: int = 1
    lean: float = 0.0
    """Standard deviation over images of the share of yes, in references and in answers, each for itself."""
    types: bool = False


def cell(setting: Setting, rng: np.random.Generator) -> tuple[bool, bool]:
    """Draw and judge one arm on one benchmark: whether it shows a signal, and whether the rule before saw one."""
    image_of = np.arange(setting.n) // setting.per_image
    second = np.arange(setting.n) % 2 == 1 if setting.types else np.zeros(setting.n, bool)
    leaning = rng.normal(0, setting.lean, (2, image_of[-1] + 1))[:, image_of]
    truth = rng.uniform(size=setting.n) < np.where(second, 1 - setting.yes, setting.yes) + leaning[0]
    scores, old = Scores(), False
    ids, clusters = tuple(map(str, range(setting.n))), tuple(map(str, image_of))
    for seed in range(setting.seeds):
        says_yes = np.where(second, 1 - setting.says_yes, setting.says_yes) + leaning[1]
        said = np.where(rng.uniform(size=setting.n) < setting.looks, truth, rng.uniform(size=setting.n) < says_yes)
        right = (said == truth).astype(np.float64)
        priors = _typed_priors(said, truth, second) if setting.types else text_priors(
            WORDS[said.astype(int)].tolist(), WORDS[truth.astype(int)].tolist(), right
        )  # fmt: skip
        scores.add("arm", seed, "yes-no", Examples(ids, clusters, right, priors))
        old |= abs(100 * right.mean() - 100 * max(truth.mean(), 1 - truth.mean())) > OLD_POINTS and 0 < said.mean() < 1
    signal = signal_of(list(scores.cells_of("arm", "yes-no").values()))
    assert signal is not None
    return signal.is_shown, old


def _typed_priors(said: np.ndarray, truth: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    protocol = find_benchmark("yes-no").protocol("official")
    rows = [
        score_example(protocol, Example(str(i), str(i), None, "is it?" if b else "was it?", reference=WORDS[int(t)]),
                      WORDS[int(s)])
        for i, (s, t, b) in enumerate(zip(said, truth, second, strict=True))
    ]  # fmt: skip
    priors = priors_of(protocol, rows, [best_row(protocol, row.example) for row in rows])
    return {**priors.scores, CHANCE_COLUMN: priors.by_chance}


BLIND = {
    "82 % yes, says yes .97": Setting(3531, 0.82, 0.97),
    "82 % yes, says yes .999": Setting(3531, 0.82, 0.999),
    "82 % yes, says yes .97, 3 seeds": Setting(3531, 0.82, 0.97, seeds=3),
    "82 % yes, says yes .82": Setting(3531, 0.82, 0.82),
    "50 % yes, says yes .5": Setting(3531, 0.5, 0.5),
    "50 % yes, says yes .97": Setting(3531, 0.5, 0.97),
    "50 % yes, says yes .999": Setting(3531, 0.5, 0.999),
    "50 % yes, says yes .5, 9 per image, images lean": Setting(3600, 0.5, 0.5, per_image=9, lean=0.2),
    "50 % yes, says yes .5, 200 questions": Setting(200, 0.5, 0.5),
    "50 % yes, says yes .95, 200 questions": Setting(200, 0.5, 0.95),
    "82 and 18 % yes by type, says the usual .97": Setting(3531, 0.82, 0.97, types=True),
}
LOOKING = {
    "82 % yes, 3 points above": Setting(3531, 0.82, 0.95, looks=0.3),
    "82 % yes, 3 points above, 3 seeds": Setting(3531, 0.82, 0.95, looks=0.3, seeds=3),
    "82 % yes, 3 points above, 9 per image": Setting(3600, 0.82, 0.95, looks=0.3, per_image=9, lean=0.05),
    "50 % yes, 3 points above": Setting(3531, 0.5, 0.5, looks=0.06),
    "50 % yes, 3 points above, 500 questions": Setting(500, 0.5, 0.5, looks=0.06),
    "82 and 18 % yes by type, 3 points above": Setting(3531, 0.82, 0.95, looks=0.3, types=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    print("| model | shows a signal % | did by the rule before % |\n|---|--:|--:|")
    for kind, settings in (("blind", BLIND), ("looks", LOOKING)):
        for name, setting in settings.items():
            rng = np.random.default_rng([7, *name.encode()])
            shown = np.array([cell(setting, rng) for _ in range(draws // 10 if setting.types else draws)])
            new, old = 100 * shown.mean(0)
            print(f"| {kind}: {name} | {new:.1f} | {old:.1f} |", flush=True)


if __name__ == "__main__":
    with told_cost():
        main()
