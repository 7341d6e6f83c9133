"""Choose the questions that tell arms apart, on one half of the arms, and check the choice on the other half.

Whoever chooses and checks with the same arms finds a gain in any benchmark. So arms are ranked by their mean and dealt
out in turns: questions are chosen by their discrimination among the arms of one half, and what is said of them comes
from the other half alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.analysis.intervals import Floats
from orchestrator.analysis.item_analysis import Responses, discrimination

SHARE = 0.25
"""Of the questions that are chosen."""
MIN_ARMS = 6
"""Three to choose with and three to check with."""
MIN_QUESTIONS = 40
"""A quarter of fewer tells nothing."""
_DRAWS = 200
"""Of as many questions at random, to compare with."""


@dataclass(frozen=True)
class Check:
    """What the chosen questions tell of arms that did not choose them."""

    n_arms: int
    n_pairs: int
    worth: float
    """So many questions of the whole benchmark tell as much of a difference as one that was chosen."""
    error: float
    """Standard error of a difference in units of the difference, against as many questions at random: 1 is no gain."""
    tau: float
    """Kendall's tau of the held-out arms' ranking by the chosen questions with that by all."""
    tau_at_random: float
    """The same of as many questions at random, mean of 200 draws."""


@dataclass(frozen=True)
class Informative:
    """Questions that tell arms apart."""

    benchmark: str
    ids: tuple[str, ...]
    chosen_with: tuple[str, ...]
    """Arms."""
    checked_with: tuple[str, ...]
    """Arms."""
    check: Check


def choose_informative(responses: Responses) -> Informative | str:
    """Choose a quarter of the questions, or say why it cannot be checked.

    Returns:
        The choice with its check, or the reason in words.
    """
    if len(responses.arm_names) < MIN_ARMS:
        return f"it takes {MIN_ARMS} arms, three to choose with and three to check with"
    if len(responses.ids) < MIN_QUESTIONS:
        return f"it takes {MIN_QUESTIONS} questions"
    means = responses.by_arm_AQ().mean(axis=1, dtype=np.float64)
    ranked = [responses.arm_names[i] for i in np.argsort(-means, kind="stable")]
    choosing, checking = ranked[0::2], ranked[1::2]
    r = discrimination(responses.of_arms(choosing).scores_TQ)
    n = round(SHARE * len(responses.ids))
    chosen = np.sort(np.argsort(-np.nan_to_num(r, nan=-2.0), kind="stable")[:n])
    check = _check(responses.of_arms(checking), chosen)
    if check is None:
        return "the arms that it would be checked with score alike"
    ids = tuple(responses.ids[i] for i in chosen)
    return Informative(responses.benchmark, ids, tuple(choosing), tuple(checking), check)


def _check(held_out: Responses, chosen: NDArray[np.intp]) -> Check | None:
    """Compare the chosen questions with all, on arms that had no part in choosing."""
    scores_AQ = held_out.by_arm_AQ()
    n_arms, n = scores_AQ.shape
    everything, information = information_of(scores_AQ), information_of(scores_AQ[:, chosen])
    if everything <= 0:
        return None
    worth = max(information, 0.0) / everything
    random = np.random.default_rng(0)
    draws_QD = np.zeros((n, _DRAWS), dtype=np.float32)
    for draw in range(_DRAWS):
        draws_QD[random.choice(n, len(chosen), replace=False), draw] = 1 / len(chosen)
    means = scores_AQ.mean(axis=1, dtype=np.float64)
    at_random = [_tau(values, means) for values in (scores_AQ @ draws_QD).T.astype(np.float64)]
    return Check(
        n_arms=n_arms,
        n_pairs=n_arms * (n_arms - 1) // 2,
        worth=worth,
        error=float(1 / np.sqrt(worth)) if worth > 0 else float("inf"),
        tau=_tau(scores_AQ[:, chosen].mean(axis=1, dtype=np.float64), means),
        tau_at_random=float(np.mean(at_random)),
    )


def information_of(scores_AQ: NDArray[np.float32]) -> float:
    """Compute what one question tells of a difference between two arms, in the mean over all pairs.

    That is the squared difference of two arms by the variance of a question's difference, as a ratio of sums over all
    pairs. The square of a mean is too large by the mean's variance, which is taken off. Both sums follow from the arms
    alone: over pairs, squared differences of A values add up to A times the sum of squares less the square of the sum.
    """
    n_arms, n = scores_AQ.shape
    x_AQ = scores_AQ.astype(np.float64)
    means = x_AQ.mean(axis=1)
    squares = n_arms * float(means @ means) - float(means.sum()) ** 2
    variances = n_arms * float(x_AQ.var(axis=1, ddof=1).sum()) - float(x_AQ.sum(axis=0).var(ddof=1))
    return (squares - variances / n) / variances if variances > 0 else 0.0


def _tau(values: Floats, reference: Floats) -> float:
    """Compute Kendall's tau-b of two rankings; 0 where one of them is all ties."""
    first, second = np.triu_indices(len(values), k=1)
    signs = np.sign(np.round(values[first] - values[second], 6))
    reference_signs = np.sign(np.round(reference[first] - reference[second], 6))
    scale = np.sqrt((signs**2).sum() * (reference_signs**2).sum())
    return float((signs * reference_signs).sum() / scale) if scale > 0 else 0.0
