"""Measure how often a study that is looked at with every added seed claims what is not so, before and after correction.

Run: ``python -m measurements.looks [--studies N] [--only WORD]``. Studies are those of `measurements.verdict_coverage`,
judged by the program's own code. A seed is added to all arms until a claim is decided, or the last number of seeds is
reached: *fixed* compares each look's p as if it were the only one, *counted* corrects it for the looks before. Equal
arms: every claimed difference is false. A truth at the margin: every claimed absence is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from measurements.cost import told_cost
from measurements.verdict_coverage import NAMES, Setting, draw
from orchestrator.analysis.examples import Examples
from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.look_history import Correction
from orchestrator.analysis.looks import Looks
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.rule import Evidence, rule
from orchestrator.analysis.scores import Scores
from search_spaces.study import Spending


@dataclass(frozen=True)
class Growth:
    """A study that is looked at with more and more seeds."""

    setting: Setting
    looks: tuple[int, ...]
    """Numbers of seeds."""
    declared: bool = False
    spending: Spending = "obrien-fleming"
    planned: int | None = None
    """Seeds of the plan, where looks are not declared; by default those of the first look."""

    def looks_until(self, position: int) -> Looks:
        """Return the looks up to one of them."""
        last = self.looks[-1] if self.declared else self.planned or self.looks[0]
        seeds = [range(n) for n in self.looks[: position + 1]]
        return Looks.of(seeds, last, self.spending, is_declared=self.declared)


def claims(growth: Growth, scores: Sequence[Floats]) -> tuple[bool, bool]:
    """Check whether a study ever claims what is not so: if each look is taken for the only one, and if looks count."""
    setting = growth.setting
    table, benchmarks = Scores(), [f"benchmark {i}" for i in range(len(scores))]
    is_claimed = [False, False]
    first = 0
    for position, n_seeds in enumerate(growth.looks):
        for name, kind, points_ASQ in zip(benchmarks, setting.sizes, scores, strict=True):
            ids, clusters = NAMES[kind]
            for arm in range(len(points_ASQ)):
                for seed in range(first, n_seeds):
                    table.add(f"arm{arm}", seed, name, Examples(ids, clusters, points_ASQ[arm, seed]))
        first = n_seeds
        arms = range(1, setting.n_hypotheses + 1)
        effects = [table.effect(pair_weights([("arm0", f"arm{arm}")]), benchmarks).estimate for arm in arms]
        for way, correction in enumerate((None, Correction(growth.looks_until(position)))):
            family = [Evidence(setting.expect, setting.margin, effect.interval, looks=correction) for effect in effects]
            verdicts = {ruling.verdict for ruling in rule(family) if ruling is not None}
            wrong = {"better", "worse"} if setting.effect == 0 else {"equivalent"}
            is_claimed[way] |= bool(verdicts & wrong)
        if all(is_claimed):
            break
    return is_claimed[0], is_claimed[1]


def growths() -> Iterator[Growth]:
    """List the studies that docs/looks.md shows."""
    images = Setting("images matter", seed_sd=0.8, n_hypotheses=1)
    seeds = Setting("seeds matter", seed_sd=3.0, arms_differ=False, n_hypotheses=1)
    noisy = Setting("noisy arm", seed_sd=0.8, spread_of_first=3.0, n_hypotheses=1)
    for setting in (images, seeds, noisy):
        for looks in (range(2, 11), range(5, 16)):
            yield Growth(setting, tuple(looks))
        yield Growth(setting, (3, 5, 10), declared=True)
    yield Growth(seeds, tuple(range(2, 11)), declared=True)
    yield Growth(seeds, (3, 5, 10), declared=True, spending="pocock")
    yield Growth(seeds, (2, 3, 4, 5), planned=5)
    yield Growth(replace(images, name="images matter, five claims", n_hypotheses=5), tuple(range(2, 11)))
    yield Growth(replace(seeds, name="seeds matter, five claims", n_hypotheses=5), tuple(range(2, 11)))
    margin = Setting("at the margin", effect=3.0, margin=3.0, expect="equivalent", n_hypotheses=1)
    yield Growth(margin, tuple(range(2, 11)))
    yield Growth(margin, (3, 5, 10), declared=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--only", default="", help="rows whose text holds this")
    arguments = parser.parse_args()
    print("| study | looks at | declared | false claims %: fixed | counted |\n|---|---|---|--:|--:|")
    for growth in growths():
        spending = growth.spending if growth.declared else f"no, {growth.planned or growth.looks[0]} planned"
        text = f"| {growth.setting.name} | {_listed(growth.looks)} | {spending} |"
        if arguments.only not in text:
            continue
        rng, counts = np.random.default_rng(17), np.zeros(2)
        setting = replace(growth.setting, n_seeds=growth.looks[-1])
        for _ in range(arguments.studies):
            counts += claims(growth, draw(setting, rng))
        shares = 100 * counts / arguments.studies
        print(f"{text} {shares[0]:.1f} | {shares[1]:.1f} |", flush=True)


def _listed(looks: Sequence[int]) -> str:
    is_run = len(looks) > 4 and list(looks) == list(range(looks[0], looks[-1] + 1))
    return f"{looks[0]}, {looks[1]}, ... {looks[-1]}" if is_run else ", ".join(map(str, looks))


if __name__ == "__main__":
    with told_cost():
        main()
