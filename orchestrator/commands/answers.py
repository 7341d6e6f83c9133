"""`ablate answers`: questions, right answers, and what every arm said, from storage."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import (
    DataOption,
    JsonOption,
    SelectionOptions,
    SetOption,
    StorageOption,
    StudyArgument,
    ToyOption,
    console,
    planned_study,
    print_json,
)
from orchestrator.settings import data_root, existing_storage
from search_spaces.errors import InputError, Problems, nearest

if TYPE_CHECKING:
    from orchestrator.analysis.stored_answers import StoredAnswers, Which
    from orchestrator.reporting.asked_questions import AskedQuestion
    from search_spaces.plan import Plan
    from trainables.storage.store import LocalStore

SHOWN = 20


def answers(
    study: StudyArgument,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Only this arm; repeatable.")] = None,
    benchmark: Annotated[list[str] | None, typer.Option("--benchmark", help="Only this one; repeatable.")] = None,
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Questions with a mean score below a half, the lowest first.")
    ] = False,
    differ: Annotated[
        bool, typer.Option("--differ", help="Questions on which arms score differently, by most first.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Of each benchmark, so many questions at most.")
    ] = SHOWN,
    storage: StorageOption = None,
    data: DataOption = None,
    overrides: SetOption = None,
    toy: ToyOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show questions with their pictures' paths, right answers, and what every arm said over its seeds."""
    from orchestrator.analysis.stored_answers import AnswerFilter, stored_answers
    from orchestrator.state.ledger import read_ledger
    from orchestrator.terminal.answers import answers_to_terminal

    if wrong and differ:
        raise InputError("one of them at most may be given", key="--wrong, --differ")
    which: Which = "wrong" if wrong else "differ" if differ else "all"
    root = existing_storage(storage)
    selection = SelectionOptions(data=data, overrides=overrides, toy=toy)
    _, plan, store = planned_study(study, root, selection)
    wanted = AnswerFilter(which, tuple(arm or ()), tuple(benchmark or ()))
    _require_known(plan, wanted.arms, wanted.benchmarks)
    found = stored_answers(plan, store, read_ledger(plan, store), wanted)
    folder = data_root(data, root)
    if as_json:
        listed = [_as_json(each, _shown(plan, store, folder, each, limit)) for each in found]
        print_json({"study": plan.study, "questions": which, "benchmarks": listed})
        return
    out, count = console(), 0
    for count, each in enumerate(found, 1):
        if count > 1:
            out.print()
        answers_to_terminal(each, _shown(plan, store, folder, each, limit), _WORDS[which], out)
    if not count:
        out.print("Nothing is scored yet.")


_WORDS: dict[Which, str] = {"all": "", "wrong": "that score below a half", "differ": "on which arms differ"}


def _shown(
    plan: Plan, store: LocalStore, folder: Path, answers: StoredAnswers, limit: int
) -> dict[str, AskedQuestion | None]:
    """Find the first chosen questions, in their order; None where the prepared data no longer have them."""
    from orchestrator.reporting.asked_questions import asked_questions

    spec = next(spec for spec in plan.benchmarks if spec.id == answers.benchmark)
    ids = list(islice(answers.chosen, limit))
    asked = asked_questions(spec, ids, store, folder)
    return {name: asked.get(name) for name in ids}


def _as_json(answers: StoredAnswers, shown: dict[str, AskedQuestion | None]) -> dict[str, Any]:
    from orchestrator.analysis.stored_answers import answers_json

    return {
        "benchmark": answers.benchmark,
        "n": answers.of,
        "chosen": len(answers.chosen),
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
            for name, question in shown.items()
        ],
    }


def _require_known(plan: Plan, arms: Iterable[str], benchmarks: Iterable[str]) -> None:
    """Raise InputError for arms and benchmarks that the study does not have."""
    problems = Problems()
    known = (("--arm", arms, [arm.name for arm in plan.arms]), ("--benchmark", benchmarks, _names(plan)))
    for key, names, legal in known:
        for name in names:
            if name not in legal:
                law = f"must be one of {', '.join(legal)}, but got {name!r}"
                problems.add(InputError(law, key=key, way_out=nearest(name, legal)))
    problems.raise_all()


def _names(plan: Plan) -> list[str]:
    return [benchmark.id for benchmark in plan.benchmarks]
