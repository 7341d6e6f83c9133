"""Judge the questions of an items table: scores per question that were made elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from orchestrator.analysis.item_analysis import Responses, Suspect
from orchestrator.analysis.judged_questions import JudgedQuestions, judge_responses
from orchestrator.analysis.signal import plain_answer
from orchestrator.items.check import Items
from orchestrator.reporting.questions import Describe, SuspectQuestion


def judge_item_questions(items: Items) -> Iterator[JudgedQuestions]:
    """Judge the questions of every benchmark. Labels can be doubted where the table has predictions."""
    for benchmark in items.benchmarks:
        cells = {(arm, seed): cell for (arm, seed, name), cell in items.cells.items() if name == benchmark}
        trials = sorted(cells, key=lambda trial: (items.arms.index(trial[0]), trial[1]))
        examples = cells[trials[0]].examples
        responses = Responses(
            benchmark,
            examples.ids,
            examples.clusters,
            tuple(arm for arm, _ in trials),
            np.stack([cells[trial].examples.scores for trial in trials]).astype(np.float32),
        )
        yield judge_responses(responses, partial(_answers, items, benchmark), _prior(items, benchmark))


def describe_from_items(items: Items) -> Describe:
    """Make the function that adds labels to the suspects of an items table, from its column `reference`."""

    def describe(benchmark: str, suspects: Sequence[Suspect]) -> Iterable[SuspectQuestion]:
        ids = next(cell.examples.ids for (_, _, name), cell in items.cells.items() if name == benchmark)
        labels = dict(zip(ids, items.references.get(benchmark, ()), strict=False))
        return (SuspectQuestion(suspect, None, labels.get(suspect.id), None, None) for suspect in suspects)

    return describe


def _answers(items: Items, benchmark: str, good: Sequence[str]) -> dict[str, list[str]]:
    """Take the predictions of each arm's first seed, as plain text."""
    first = {arm: min(seed for a, seed, name in items.cells if (a, name) == (arm, benchmark)) for arm in good}
    predictions = {arm: items.cells[arm, seed, benchmark].predictions for arm, seed in first.items()}
    return {
        arm: [plain_answer(text or "") for text in texts] for arm, texts in predictions.items() if texts is not None
    }


def _prior(items: Items, benchmark: str) -> float:
    """Compute the share of the commonest reference; 0 where the table has none."""
    known = [reference for reference in items.references.get(benchmark, ()) if reference is not None]
    return Counter(known).most_common(1)[0][1] / len(known) if known else 0.0
