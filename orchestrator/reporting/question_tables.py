"""Every question of a study for programs: CSV with one line each, and JSON with the suspects and the choice as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.analysis.item_analysis import KINDS
from orchestrator.analysis.judged_questions import JudgedQuestions
from orchestrator.analysis.verdict_model import plain_values
from orchestrator.reporting.csv_text import csv_text

COLUMNS = {
    "benchmark": "its id",
    "id": "of the question",
    "mean": "mean score over all trials, 0 to 1",
    "discrimination": "correlation with the score on all other questions, -1 to 1; empty where all trials score alike",
    "kind": "telling, weak, reversed, nobody, everybody",
    "suspect": "rank among the questions whose label may be wrong, from 1; else empty",
    "agreed_answer": "of a suspect: on what the best arms agree",
    "informative": "1 where it was chosen as one that tells arms apart",
}
"""Column of the CSV -> what it holds."""


def questions_csv(judged: Sequence[JudgedQuestions]) -> str:
    """Write one line for each question; columns as in `COLUMNS`."""
    return csv_text(list(COLUMNS), (line for questions in judged for line in _lines(questions)))


def _lines(questions: JudgedQuestions) -> Iterator[dict[str, str]]:
    ranks = {suspect.id: (rank, suspect) for rank, suspect in enumerate(questions.suspects, start=1)}
    chosen = frozenset(questions.informative.ids if questions.informative else ())
    for row in _rows(questions):
        rank = ranks.get(row["id"])
        about = {"suspect": str(rank[0]), "agreed_answer": rank[1].answer} if rank else {}
        r = row["discrimination"]
        yield {
            "benchmark": questions.benchmark,
            **row,
            "mean": f"{row['mean']:.6g}",
            "discrimination": "" if r is None else f"{r:.6g}",
            **about,
            "informative": "1" if row["id"] in chosen else "",
        }


def questions_json(judged: Sequence[JudgedQuestions], source: str) -> dict[str, Any]:
    """Turn the judged questions into what JSON holds.

    Args:
        judged: benchmark by benchmark.
        source: name of the study, or paths of the items.
    """
    return {"source": source, "benchmarks": [plain_values(_benchmark(questions)) for questions in judged]}


def _benchmark(questions: JudgedQuestions) -> dict[str, Any]:
    analysis, informative = questions.analysis, questions.informative
    return {
        "benchmark": questions.benchmark,
        "reason": questions.reason,
        "n_arms": analysis.n_arms if analysis else None,
        "n_trials": analysis.n_trials if analysis else None,
        "counts": {kind: analysis.count(kind) for kind in KINDS} if analysis else None,
        "questions": _rows(questions),
        "suspects": [asdict(suspect) for suspect in questions.suspects],
        "no_witnesses": questions.no_witnesses,
        "informative": asdict(informative) if informative else None,
        "not_informative": questions.not_informative,
    }


def _rows(questions: JudgedQuestions) -> list[dict[str, Any]]:
    analysis = questions.analysis
    if analysis is None:
        return []
    numbers = zip(
        analysis.ids, analysis.means_Q.tolist(), analysis.discrimination_Q.tolist(), analysis.kinds_Q, strict=True
    )
    return [
        {"id": name, "mean": mean, "discrimination": None if r != r else r, "kind": kind}
        for name, mean, r, kind in numbers
    ]
