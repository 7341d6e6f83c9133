"""Compute what a model's answers would get if they had nothing to do with the images.

Answers are exchanged among questions of one type. With S[i, j] the score of the answer to question i as an answer to
question j, the expected score of exchanged answers is the mean of S over a type, and

    by chance_j  =  mean over i of S[i, j]  +  mean over i of S[j, i]  -  mean of S

is what question j and the answer to it would get with nothing that ties the two. The difference of score and chance has
the mean (score - expected score of exchanged answers), and varies over questions as that mean does (Hoeffding's
projection of a two-sample statistic): it can be tested, by image, like any difference of scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.benchmarks.contract import Parsed, Protocol, Row
from trainables.benchmarks.question_types import members_of_types
from trainables.draws import generator

_MOST_SCORINGS = 300_000
"""Of answers to other questions, for a whole benchmark: seconds for the slowest rules."""
_MOST_DRAWS = 64
_LEAST_DRAWS = 2

Floats = NDArray[np.float64]


def chance_scores(protocol: Protocol, rows: Sequence[Row], types: Sequence[str]) -> Floats:
    """Compute what each answer would get by chance; its mean is the expected score of exchanged answers.

    Exact where a type has few distinct answers, else from random exchanges, the same ones in every run.

    Args:
        protocol: that scored the rows.
        rows: that count.
        types: of their questions.
    """
    chance = np.zeros(len(rows))
    for members in members_of_types(types).values():
        share = _MOST_SCORINGS * len(members) // len(rows)
        chance[members] = _of_type(protocol, [rows[i] for i in members], share)
    return chance


def _of_type(protocol: Protocol, rows: Sequence[Row], most_scorings: int) -> Floats:
    codes = dict[str, int]()
    distinct: list[Parsed] = []
    answer_of = np.empty(len(rows), np.intp)
    for position, row in enumerate(rows):
        key = repr(row.parsed)
        if key not in codes:
            codes[key] = len(distinct)
            distinct.append(row.parsed)
        answer_of[position] = codes[key]
    if len(distinct) * len(rows) <= most_scorings:
        return _exact(protocol, rows, distinct, answer_of)
    return _drawn(protocol, rows, min(_MOST_DRAWS, max(_LEAST_DRAWS, most_scorings // len(rows))))


def _exact(protocol: Protocol, rows: Sequence[Row], distinct: Sequence[Parsed], answer_of: NDArray[np.intp]) -> Floats:
    by_answer = np.zeros(len(distinct))
    by_question = np.zeros(len(rows))
    counts = np.bincount(answer_of, minlength=len(distinct))
    for code, parsed in enumerate(distinct):
        scores = np.array([protocol.score(parsed, row.example) for row in rows])
        by_answer[code] = scores.mean()
        by_question += counts[code] / len(rows) * scores
    chance: Floats = by_question + by_answer[answer_of] - by_question.mean()
    return chance


def _drawn(protocol: Protocol, rows: Sequence[Row], n_draws: int) -> Floats:
    by_answer, by_question = np.zeros(len(rows)), np.zeros(len(rows))
    random = generator("permuted answers", len(rows))
    for _ in range(n_draws):
        given = random.permutation(len(rows))
        scores = np.array(
            [protocol.score(rows[i].parsed, row.example) for i, row in zip(given.tolist(), rows, strict=True)]
        )
        by_question += scores / n_draws
        by_answer[given] += scores / n_draws
    chance: Floats = by_question + by_answer - by_question.mean()
    return chance
