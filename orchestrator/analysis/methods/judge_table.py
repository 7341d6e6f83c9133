"""Verdicts on a table of scores alone: models by benchmarks, no examples, no seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.analysis.aggregates import Pool, aggregated, groups_of, reference_pool
from orchestrator.analysis.methods.contract import Question
from orchestrator.analysis.methods.registry import TABLE_METHODS, TableMethodName
from orchestrator.analysis.score_file import ALIASES
from orchestrator.analysis.score_table import ScoreTable
from orchestrator.analysis.verdict_model import Verdicts
from search_spaces.claims import Suites, check_claims, select_benchmarks
from search_spaces.errors import InputError
from search_spaces.study import Hypothesis
from search_spaces.yaml_source import Document


def judge_table(
    table: ScoreTable,
    hypotheses: Sequence[Hypothesis],
    document: Document,
    method: TableMethodName,
    suites: Suites,
    pool: ScoreTable | None = None,
) -> Verdicts:
    """Judge hypotheses whose pairs are models of the table.

    Args:
        document: the file of the hypotheses, for the places of what is wrong.
        suites: name -> benchmarks, which `on` may name.
        pool: table whose complete models z-scores are measured against; by default the table itself.

    Raises:
        InputError: for models and benchmarks that the table does not have, at their places in `document`.
    """
    hypotheses = [_with_ids(hypothesis) for hypothesis in hypotheses]
    check_claims(hypotheses, document, table.models, table.benchmarks, suites)
    chosen = TABLE_METHODS[method]
    everything = [name for name in table.counted if name not in chosen.outside_all]
    questions = [
        Question(hypothesis, select_benchmarks(hypothesis.on, table.benchmarks, suites, everything))
        for hypothesis in hypotheses
    ]
    judged = chosen.judge(table, questions)
    compared = [name for name in everything if name not in table.refused]
    frozen = reference_pool((pool or table).name, compared, (pool or table).comparable())
    if pool is not None and frozen is None:
        law = f"a pool must have three models with scores on {', '.join(compared)}, but {pool.name} has not"
        raise InputError(law, key="--pool")
    aggregates = aggregated(table.comparable(), frozen, groups_of(suites))
    notes = (*table.notes, *_notes(table, questions, pool, frozen), *judged.notes)
    return Verdicts(table.name, chosen.name, chosen.level, judged.verdicts, notes, aggregates)


def _notes(
    table: ScoreTable, questions: Sequence[Question], pool: ScoreTable | None, frozen: Pool | None
) -> Iterator[str]:
    """State what no verdict states: columns and lines that only z-scores leave out, and why there are none of these."""
    asked = {name for question in questions for name in question.benchmarks}
    compared = {model for question in questions for pair in question.hypothesis.pairs for model in pair}
    yield from (f"Not counted: {reason}." for name, reason in table.refused.items() if name not in asked)
    yield from (f"Not counted: {reason}." for model, reason in table.odd_rows.items() if model not in compared)
    if pool is not None:
        yield from (f"{pool.name}: {note}" for note in pool.notes)
    if frozen is None:
        yield "No z-scores: fewer than three models have all scores, or they score alike."


def _with_ids(hypothesis: Hypothesis) -> Hypothesis:
    """Replace names of the published table's columns in `on` by benchmark ids, as in a header."""
    return hypothesis.model_copy(update={"on": tuple(ALIASES.get(name, name) for name in hypothesis.on)})
