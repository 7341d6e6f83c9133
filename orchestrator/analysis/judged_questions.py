"""Judge the questions of one benchmark, wherever the answers come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.informative import Informative, choose_informative
from orchestrator.analysis.item_analysis import (
    ItemAnalysis,
    Responses,
    Suspect,
    analyse_items,
    good_arms,
    no_witnesses,
    suspects,
)
from search_spaces.errors import InputError

MOST_GOOD_ARMS = 12
"""Of more arms above the median only the best ones are asked what they answered."""
Answers = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
"""From good arms to what each answered with the first of its trials, question by question; an empty text for nothing
that could be read. Arms whose answers are not known are left out."""


@dataclass(frozen=True, eq=False)
class JudgedQuestions:
    """The questions of one benchmark."""

    benchmark: str
    analysis: ItemAnalysis | None
    """None where too few arms or trials have scores."""
    reason: str | None
    """Why there is none."""
    suspects: tuple[Suspect, ...] = ()
    """Questions whose label may be wrong, the likeliest first."""
    no_witnesses: str | None = None
    """Why no label could be doubted."""
    informative: Informative | None = None
    not_informative: str | None = None
    """Why no questions were chosen that tell arms apart."""


def judge_responses(responses: Responses, answers: Answers, prior: float) -> JudgedQuestions:
    """Judge every question of a benchmark.

    Args:
        responses: scores of all trials.
        answers: what the good arms answered.
        prior: best score, 0 to 1, that needs no image.
    """
    try:
        analysis = analyse_items(responses)
    except InputError as error:
        return JudgedQuestions(responses.benchmark, None, error.law)
    known = answers(good_arms(responses)[:MOST_GOOD_ARMS])
    good = tuple(known)
    chosen = choose_informative(responses)
    informative, reason = (None, chosen) if isinstance(chosen, str) else (chosen, None)
    return JudgedQuestions(
        responses.benchmark,
        analysis,
        None,
        _suspects(responses, analysis, known, prior) if good else (),
        no_witnesses(responses, good, prior),
        informative,
        reason,
    )


def _suspects(
    responses: Responses, analysis: ItemAnalysis, known: Mapping[str, Sequence[str]], prior: float
) -> tuple[Suspect, ...]:
    good = tuple(known)
    numbers: dict[str, int] = {"": -1}
    codes_GQ = np.array(
        [[numbers.setdefault(text, len(numbers)) for text in known[arm]] for arm in good], dtype=np.int64
    )
    doubted = suspects(responses, good, codes_GQ, prior)
    return tuple(_suspect(responses, analysis, {arm: known[arm][at] for arm in good}, at) for at in doubted)


def _suspect(responses: Responses, analysis: ItemAnalysis, texts: Mapping[str, str], at: int) -> Suspect:
    """Make a suspect of a question.

    Args:
        responses: of all arms.
        analysis: of all questions.
        texts: good arm -> what it answered.
        at: position of the question.
    """
    wrong = Counter(
        text for arm, text in texts.items() if text and responses.scores_TQ[responses.arms.index(arm), at] == 0
    )
    answer = wrong.most_common(1)[0][0]
    others = [i for i, arm in enumerate(responses.arms) if arm not in texts]
    r = float(analysis.discrimination_Q[at])
    return Suspect(
        id=responses.ids[at],
        image=responses.images[at],
        answer=answer,
        agreeing=tuple(arm for arm, text in texts.items() if text == answer),
        n_good=len(texts),
        others=float(responses.scores_TQ[others, at].mean()) if others else 0.0,
        discrimination=None if np.isnan(r) else r,
    )
