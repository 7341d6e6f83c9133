"""Show answers of arms beside their questions: for the command, for Python programs and for agents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.analysis.stored_answers import AnswerFilter, StoredAnswers, answers_json, stored_answers
from orchestrator.reporting.asked_questions import AskedQuestion, asked_questions
from orchestrator.state.ledger import read_ledger
from search_spaces.errors import InputError, Problems, nearest
from search_spaces.plan import Plan
from trainables.storage.store import Store


@dataclass(frozen=True, eq=False)
class ShownAnswers:
    """Answers to the first chosen questions of a benchmark."""

    answers: StoredAnswers
    questions: Mapping[str, AskedQuestion | None]
    """Id -> the question, in the order to look at them; None where the prepared data no longer have it."""


def shown_answers(
    plan: Plan, store: Store, wanted: AnswerFilter, *, limit: int, data_root: Path | None = None
) -> Iterator[ShownAnswers]:
    """Read the answers of a study with their questions, benchmark by benchmark.

    Args:
        plan: of the study.
        store: where answers and prepared data lie.
        wanted: arms, benchmarks, and which questions.
        limit: of each benchmark, so many questions at most.
        data_root: folder in which relative paths of sources start; None: files of pictures are not looked for.

    Raises:
        InputError: the study has no such arm or benchmark, or the limit is below 1.
    """
    if limit < 1:
        raise InputError(f"must be 1 or more, but got {limit}", key="limit")
    _require_known(plan, wanted)
    specs = {benchmark.id: benchmark for benchmark in plan.benchmarks}
    for answers in stored_answers(plan, store, read_ledger(plan, store), wanted, limit=limit):
        asked = asked_questions(specs[answers.benchmark], answers.ids, store, data_root)
        yield ShownAnswers(answers, {name: asked.get(name) for name in answers.ids})


def shown_answers_json(plan: Plan, wanted: AnswerFilter, shown: Iterable[ShownAnswers]) -> dict[str, Any]:
    """Turn answers into plain values.

    Args:
        plan: of the study.
        wanted: what was chosen.
        shown: benchmark by benchmark.
    """
    return {"study": plan.study, "questions": wanted.which, "benchmarks": list(map(_benchmark_json, shown))}


def _benchmark_json(shown: ShownAnswers) -> dict[str, Any]:
    answers = shown.answers
    return {
        "benchmark": answers.benchmark,
        "n": answers.of,
        "chosen": answers.chosen,
        "left_out": list(answers.left_out),
        "shown": [
            {
                "id": name,
                "image": question.image if question else answers.images[name],
                "picture": str(question.picture) if question and question.picture else None,
                "question": question.prompt if question else None,
                "reference": question.reference if question else None,
                "answers": answers_json(answers.answers_to(name)),
            }
            for name, question in shown.questions.items()
        ],
    }


def _require_known(plan: Plan, wanted: AnswerFilter) -> None:
    """Raise InputError for arms and benchmarks that the study does not have."""
    problems = Problems()
    known = (
        ("--arm", wanted.arms, [arm.name for arm in plan.arms]),
        ("--benchmark", wanted.benchmarks, [benchmark.id for benchmark in plan.benchmarks]),
    )
    for key, names, legal in known:
        for name in names:
            if name not in legal:
                law = f"must be one of {', '.join(legal)}, but got {name!r}"
                problems.add(InputError(law, key=key, way_out=nearest(name, legal)))
    problems.raise_all()
