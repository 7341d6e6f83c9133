"""What the questions of one benchmark tell of the arms: discrimination, silent questions, labels that are worth a look.

Shapes: T trials (an arm with a seed), A arms, G good arms, Q questions.

Discrimination is the point-biserial correlation, over trials, of the score on a question with the score on all other
questions (the corrected item-total correlation of test theory). Around 0 the question tells nothing of which arm is
better; below 0 worse arms answer it better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.critical_values import upper_quantile
from orchestrator.analysis.intervals import Floats
from search_spaces.errors import InputError

Integers = NDArray[np.int64]
Kind = Literal["telling", "weak", "reversed", "nobody", "everybody"]
"""`telling`, `reversed`: the correlation is above, below 0 by more than chance; `weak`: neither; `nobody`: all trials
score 0; `everybody`: all trials have the same score above 0."""

KINDS: tuple[Kind, ...] = get_args(Kind)

MIN_TRIALS = 4
"""With fewer the correlation over trials says nothing of a question."""
MIN_GOOD = 3
"""Arms that must agree against a label; two agree too easily."""
AGREEING = 0.8
"""Share of the good arms that must give one and the same answer."""
HALF = 0.5
"""Share of what answers without the image leave to be scored that good arms must get; arms that guess agree, too."""
_CHANCE = 0.05


@dataclass(frozen=True, eq=False)
class Responses:
    """Scores of the trials of a study on the questions of one benchmark."""

    benchmark: str
    ids: tuple[str, ...]
    images: tuple[str, ...]
    """Of each question."""
    arms: tuple[str, ...]
    """Of each trial."""
    scores_TQ: NDArray[np.float32]
    """0 to 1."""

    @property
    def arm_names(self) -> tuple[str, ...]:
        """The arms, each once."""
        return tuple(dict.fromkeys(self.arms))

    def by_arm_AQ(self) -> NDArray[np.float32]:
        """Average the scores over the seeds of each arm, in the order of `arm_names`."""
        names = {arm: i for i, arm in enumerate(self.arm_names)}
        arm_of = np.array([names[arm] for arm in self.arms])
        return np.stack([self.scores_TQ[arm_of == i].mean(axis=0) for i in range(len(names))])

    def of_arms(self, arms: Sequence[str]) -> Responses:
        """Keep the trials of some arms."""
        wanted = frozenset(arms)
        kept = [i for i, arm in enumerate(self.arms) if arm in wanted]
        return Responses(self.benchmark, self.ids, self.images, tuple(self.arms[i] for i in kept), self.scores_TQ[kept])


@dataclass(frozen=True)
class Suspect:
    """A question whose label may be wrong: good arms agree on one answer that scores 0."""

    id: str
    image: str
    answer: str
    """On which they agree, as it was read."""
    agreeing: tuple[str, ...]
    """The good arms that give it."""
    n_good: int
    """Arms above the median of all arms."""
    others: float
    """Mean score of the other arms on the question, 0 to 1. Low where the label is wrong: they give the truth, too."""
    discrimination: float | None


@dataclass(frozen=True, eq=False)
class ItemAnalysis:
    """Statistics of all questions of a benchmark."""

    benchmark: str
    ids: tuple[str, ...]
    n_arms: int
    n_trials: int
    means_Q: Floats
    """Mean score over trials, 0 to 1."""
    discrimination_Q: Floats
    """-1 to 1; NaN where all trials score alike."""
    kinds_Q: tuple[Kind, ...]

    def count(self, kind: Kind) -> int:
        """Count the questions of a kind."""
        return self.kinds_Q.count(kind)


def analyse_items(responses: Responses) -> ItemAnalysis:
    """Compute the statistics of every question of a benchmark.

    What is above chance is judged by the number of arms, not of trials: seeds of one arm share what the arm is good at.

    Raises:
        InputError: with fewer than four trials, or fewer than three arms.
    """
    n_arms, n_trials = len(responses.arm_names), len(responses.arms)
    if n_trials < MIN_TRIALS or n_arms < 3:
        law = f"questions are judged over three arms and four trials at least, but there are {n_arms} and {n_trials}"
        raise InputError(law, place=responses.benchmark)
    scores = responses.scores_TQ
    means = scores.mean(axis=0, dtype=np.float64)
    r = discrimination(scores)
    limit = _correlation_by_chance(n_arms)
    silent = np.isnan(r)
    kinds = np.select(
        [silent & (means == 0), silent & (np.ptp(scores, axis=0) == 0), r > limit, r < -limit],
        ["nobody", "everybody", "telling", "reversed"],
        "weak",
    )
    return ItemAnalysis(responses.benchmark, responses.ids, n_arms, n_trials, means, r, tuple(kinds.tolist()))


def discrimination(scores_TQ: NDArray[np.float32]) -> Floats:
    """Correlate the score on each question with the sum over all other questions, over trials.

    Returns:
        One for each question; NaN where the question, or all others together, have one score throughout.
    """
    x = scores_TQ - scores_TQ.mean(axis=0)
    total = x.sum(axis=1, dtype=np.float64)
    variance_Q = np.einsum("tq,tq->q", x, x, dtype=np.float64)
    with_total_Q = (total.astype(np.float32) @ x).astype(np.float64)
    rest_Q = np.maximum(total @ total + variance_Q - 2 * with_total_Q, 0.0)
    product_Q = variance_Q * rest_Q
    varies = (variance_Q > 1e-9) & (rest_Q > 1e-6)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (with_total_Q - variance_Q) / np.sqrt(product_Q)
    return np.where(varies, np.clip(r, -1.0, 1.0), np.nan)


def suspects(responses: Responses, good: Sequence[str], answers_GQ: Integers, prior: float = 0.0) -> list[int]:
    """Find the questions whose label may be wrong, the likeliest first.

    Good arms agree on one answer, their score there is 0, and on the whole it is high. Among these come first those on
    which more of them agree, and then those on which the other arms score less: a hard question leaves them the score
    of guessing, a wrong label takes that, too (`python -m measurements.questions`: how many of them are wrong).

    Args:
        responses: of all arms.
        good: the good arms (`good_arms`), each with the first of its trials.
        answers_GQ: number of the answer that each good arm gives, equal for equal answers; negative for none that could
            be read.
        prior: best score, 0 to 1, that needs no image.

    Returns:
        Positions of the questions.
    """
    if no_witnesses(responses, good, prior) is not None:
        return []
    scores = responses.scores_TQ[[responses.arms.index(arm) for arm in good]]
    shares = _modal_share(answers_GQ, scores)
    doubted = np.flatnonzero(shares >= AGREEING)
    others = [i for i, arm in enumerate(responses.arms) if arm not in set(good)]
    weaker = responses.scores_TQ[others].mean(axis=0) if others else np.zeros(len(responses.ids))
    order = np.lexsort((doubted, weaker[doubted], -shares[doubted]))
    return [int(i) for i in doubted[order]]


def no_witnesses(responses: Responses, good: Sequence[str], prior: float) -> str | None:
    """State why the good arms cannot bear witness against a label; None where they can.

    Args:
        responses: of all arms.
        good: the good arms whose answers are known.
        prior: best score, 0 to 1, that needs no image.
    """
    if len(good) < MIN_GOOD:
        return f"it takes answers of {MIN_GOOD} arms above the median of all"
    mean = float(responses.scores_TQ[[responses.arms.index(arm) for arm in good]].mean())
    needed = prior + HALF * (1 - prior)
    if mean >= needed:
        return None
    return f"the best arms score {100 * mean:.1f}, and below {100 * needed:.1f} arms may agree because they guess"


def good_arms(responses: Responses) -> tuple[str, ...]:
    """List the arms whose mean score lies above the median of all arms, best first."""
    means = responses.by_arm_AQ().mean(axis=1, dtype=np.float64)
    order = np.argsort(-means, kind="stable")
    return tuple(responses.arm_names[i] for i in order if means[i] > np.median(means))


def _modal_share(answers_GQ: Integers, scores_GQ: NDArray[np.float32]) -> Floats:
    """Compute the share of the good arms that give the commonest of the answers that score 0."""
    wrong_GQ = np.sort(np.where(scores_GQ > 0, -1, answers_GQ), axis=0)  # equal answers stand below one another
    n_good, n = wrong_GQ.shape
    run_Q, longest_Q = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for row in range(n_good):
        is_same = wrong_GQ[row] == wrong_GQ[row - 1] if row else np.zeros(n, dtype=bool)
        run_Q = np.where(wrong_GQ[row] < 0, 0, np.where(is_same, run_Q + 1, 1))
        longest_Q = np.maximum(longest_Q, run_Q)
    shares_Q: Floats = longest_Q / n_good
    return shares_Q


def _correlation_by_chance(n: int) -> float:
    """Compute the correlation of n independent pairs that 5 % exceed by chance, on either side 2.5 %."""
    t = upper_quantile(_CHANCE / 2, n - 2)
    return float(t / np.sqrt(n - 2 + t**2))
