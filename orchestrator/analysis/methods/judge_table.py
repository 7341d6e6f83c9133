"""Verdicts on a table of scores alone: models by benchmarks, no examples, no seeds."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.analysis.aggregates import aggregated, groups_of, reference_pool
from orchestrator.analysis.methods.contract import Question
from orchestrator.analysis.methods.registry import TABLE_METHODS, TableMethodName
from orchestrator.analysis.score_table import ALIASES, ScoreTable
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
    everything = [name for name in table.benchmarks if name not in chosen.outside_all]
    questions = [
        Question(hypothesis, select_benchmarks(hypothesis.on, table.benchmarks, suites, everything))
        for hypothesis in hypotheses
    ]
    judged = chosen.judge(table, questions)
    frozen = reference_pool((pool or table).name, everything, (pool or table).scores)
    if pool is not None and frozen is None:
        law = f"a pool must have three models with scores on {', '.join(everything)}, but {pool.name} has not"
        raise InputError(law, key="--pool")
    aggregates = aggregated(table.scores, frozen, groups_of(suites))
    return Verdicts(table.name, chosen.name, chosen.level, judged.verdicts, judged.notes, aggregates)


def _with_ids(hypothesis: Hypothesis) -> Hypothesis:
    """Replace names of the published table's columns in `on` by benchmark ids, as in a header."""
    return hypothesis.model_copy(update={"on": tuple(ALIASES.get(name, name) for name in hypothesis.on)})
