"""Measure what the analysis of questions finds: wrong labels that were planted, and what chosen questions are worth.

Run: ``python -m measurements.questions [--studies N]``. In simulated benchmarks, an arm answers a question rightly with
the probability

    1/k + (1 - 1/k) / (1 + exp(-a_q (ability_m + 0.5 - b_q)))

of k options, a_q lognormal and 0 for a fifth of the questions, b_q normal around -1. An arm's seeds agree on 70 % of
the questions. Wrong answers fall on one and the same option with probability 0.6. Of the labels 3 %, or what the row
says, are replaced by a wrong option.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from measurements.cost import told_cost
from orchestrator.analysis.informative import Check, choose_informative
from orchestrator.analysis.item_analysis import Responses, analyse_items, good_arms, suspects


@dataclass(frozen=True)
class Setting:
    """Parameters of a simulated benchmark."""

    n_arms: int = 10
    n_seeds: int = 3
    n_questions: int = 2000
    n_options: int = 4
    spread: float = 0.6
    """Standard deviation of abilities over arms."""
    wrong: float = 0.03
    """Share of labels that are wrong."""

    def __str__(self) -> str:
        return (
            f"{self.n_arms} arms x {self.n_seeds} seeds, {self.n_questions:,} questions of {self.n_options} options, "
            f"spread {self.spread:g}, {100 * self.wrong:g} % wrong"
        )


SETTINGS = (
    Setting(n_arms=6, n_seeds=1),
    Setting(n_arms=6, n_seeds=3),
    Setting(),
    Setting(n_options=2),
    Setting(wrong=0.01),
    Setting(wrong=0.0),
    Setting(spread=0.2),
    Setting(n_arms=20, n_seeds=2),
    Setting(n_arms=40, n_seeds=1, n_questions=10_000),
)


def draw(setting: Setting, seed: int) -> tuple[Responses, NDArray[np.int64], NDArray[np.bool_]]:
    """Draw scores, the answers behind them (trials x questions), and which labels are wrong."""
    random = np.random.default_rng(seed)
    n_arms, n_trials, n, k = setting.n_arms, setting.n_arms * setting.n_seeds, setting.n_questions, setting.n_options
    ability_T = np.repeat(random.normal(0, setting.spread, n_arms), setting.n_seeds)
    slope_Q = random.lognormal(0, 0.6, n) * (random.random(n) > 0.2)
    p_TQ = 1 / k + (1 - 1 / k) / (1 + np.exp(-slope_Q * (ability_T[:, None] + 0.5 - random.normal(-1, 1.5, n))))
    luck_TQ = np.repeat(random.random((n_arms, n)), setting.n_seeds, axis=0)
    fresh_TQ = random.random((n_trials, n)) < 0.3
    luck_TQ = np.where(fresh_TQ, random.random((n_trials, n)), luck_TQ)
    wrong_TQ = np.where(random.random((n_trials, n)) < 0.6, 1, random.integers(1, k, (n_trials, n)))
    answers_TQ = np.where(luck_TQ < p_TQ, 0, wrong_TQ)
    is_wrong_Q = random.random(n) < setting.wrong
    labels_Q = np.where(is_wrong_Q, random.integers(1, k, n), 0)
    arms = tuple(f"arm{i // setting.n_seeds}" for i in range(n_trials))
    ids = tuple(f"q{i}" for i in range(n))
    scores_TQ = (answers_TQ == labels_Q).astype(np.float32)
    return Responses("simulated", ids, ids, arms, scores_TQ), answers_TQ, is_wrong_Q


def row(setting: Setting, studies: int) -> str:
    """Simulate some studies of one setting, and write its row."""
    doubted, right, top, top_right, planted, seconds = 0, 0, 0, 0, 0, 0.0
    checks: list[Check] = []
    for seed in range(studies):
        responses, answers_TQ, is_wrong_Q = draw(setting, seed)
        start = time.process_time()
        analyse_items(responses)
        good = good_arms(responses)
        witnesses = [responses.arms.index(arm) for arm in good]
        doubtful = suspects(responses, good, answers_TQ[witnesses], prior=1 / setting.n_options)
        chosen = choose_informative(responses)
        seconds += time.process_time() - start
        doubted, right = doubted + len(doubtful), right + int(is_wrong_Q[doubtful].sum())
        top, top_right = top + len(doubtful[:20]), top_right + int(is_wrong_Q[doubtful[:20]].sum())
        planted += int(is_wrong_Q.sum())
        if not isinstance(chosen, str):
            checks.append(chosen.check)
    numbers = [
        f"{doubted / studies:.0f}",
        f"{100 * right / max(doubted, 1):.0f}",
        f"{100 * top_right / max(top, 1):.0f}",
        f"{100 * right / planted:.0f}" if planted else "",
        f"{np.mean([check.worth for check in checks]):.2f}",
        f"{np.mean([check.tau for check in checks]):.2f}",
        f"{np.mean([check.tau_at_random for check in checks]):.2f}",
        f"{seconds / studies:.2f}",
    ]
    return f"| {setting} | {' | '.join(numbers)} |"


def main() -> None:
    """Print the table of docs/question-analysis.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20, help="simulated studies of each row")
    studies = parser.parse_args().studies
    columns = ("labels to look at", "of them wrong %", "of the first 20 %", "of all wrong found %")
    gains = ("a chosen question is worth", "tau", "tau at random", "CPU s")
    print(f"| setting | {' | '.join((*columns, *gains))} |\n|---|{'--:|' * 8}")
    for setting in SETTINGS:
        print(row(setting, studies), flush=True)


if __name__ == "__main__":
    with told_cost():
        main()
