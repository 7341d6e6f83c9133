"""Scores on questions for tests: trials of arms, as an array."""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.item_analysis import Responses


def responses_of(scores: np.ndarray, n_seeds: int = 1) -> Responses:
    """Make the responses of an array, trials x questions; the trials of an arm stand together.

    Args:
        scores: 0 to 1.
        n_seeds: trials of each arm.
    """
    ids = tuple(f"q{i}" for i in range(scores.shape[1]))
    arms = tuple(f"arm{i // n_seeds}" for i in range(len(scores)))
    return Responses("set", ids, ids, arms, scores.astype(np.float32))
